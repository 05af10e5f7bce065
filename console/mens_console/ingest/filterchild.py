"""A filter's child process: what it is told, the records that it answers with, and its end when it takes too long.

A regular expression can take exponential time and Python cannot interrupt one, so a child that is silent for too long
is killed, and the filter says so.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    import struct
    from collections.abc import Callable

PATIENCE_S: Final = 2.0
"""How long a filter's child may be silent while it has something to do."""


class FilterChild(ABC):
    """The parent's side: a thread that reads what the child finds. `problem` says why the child was stopped early.

    Subclasses say which `MODULE` is run and which `RECORD`s it writes, take these, and know whether it is `busy`.
    """

    MODULE: ClassVar[str]
    RECORD: ClassVar[struct.Struct]

    def __init__(self, order: object, on_change: Callable[[], None]) -> None:
        self.problem: str | None = None
        self._on_change = on_change
        self._closed = False
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-m", self.MODULE],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._say(order)
        self._thread = threading.Thread(target=self._loop, name="log filter", daemon=True)

    @property
    @abstractmethod
    def busy(self) -> bool:
        """Whether the child has something to look at."""

    @property
    @abstractmethod
    def place(self) -> str:
        """Where the child is, in words."""

    @abstractmethod
    def take(self, record: tuple[int, ...]) -> None:
        """Take in one record; called on the thread."""

    def close(self) -> None:
        """End the child."""
        self._closed = True
        self._end()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=2)

    def _say(self, message: object) -> None:
        with suppress(BrokenPipeError, ValueError):
            if self._child.stdin is not None:
                self._child.stdin.write(json.dumps(message).encode() + b"\n")
                self._child.stdin.flush()

    def _end(self) -> None:
        self._child.kill()
        self._child.wait()

    def _loop(self) -> None:
        pipe = self._child.stdout
        if pipe is None:
            return
        buffered, heard = b"", time.monotonic()
        while not self._closed:
            ready, _, _ = select.select([pipe], [], [], 0.25)
            if not ready:
                if self.busy and time.monotonic() - heard > PATIENCE_S:
                    self._fail(f"the expression takes too long near {self.place}; try a simpler one")
                    break
                heard = heard if self.busy else time.monotonic()
                continue
            data = os.read(pipe.fileno(), 1 << 16)
            if not data:
                self._fail("the search ended unexpectedly")
                break
            heard, buffered = time.monotonic(), buffered + data
            whole = len(buffered) // self.RECORD.size * self.RECORD.size
            for record in self.RECORD.iter_unpack(buffered[:whole]):
                self.take(record)
            buffered = buffered[whole:]
            self._on_change()
        pipe.close()

    def _fail(self, problem: str) -> None:
        if not self._closed:
            self._end()
            self.problem = problem
            self._on_change()
