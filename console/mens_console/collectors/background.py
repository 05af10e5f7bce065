"""The thread beside the training on which files are written: one job, run soon after it is asked for.

A daemon thread, so that a hung disk never holds the process; forked children start without the parent's work.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING

from mens_console.collectors.guard import LOGGER, warn

if TYPE_CHECKING:
    from collections.abc import Callable

_ALL: weakref.WeakSet[Background] = weakref.WeakSet()
EXIT_S = 5.0
"""How long the end of the process may wait for files, all threads together."""


class Background:
    """Calls `work` on a thread of its own after `wake`, not sooner than `linger_s` after it, so that calls gather.

    `work` must not raise; where it does all the same, that is told once and the thread goes on. `forget` is called in
    a forked child, where no thread runs: it drops what is the parent's to write.
    """

    def __init__(
        self, name: str, work: Callable[[], None], *, linger_s: float = 0.0, forget: Callable[[], None] | None = None
    ) -> None:
        self._name = name
        self._work = work
        self._linger_s = linger_s
        self._forget = forget
        self._told = False
        self._reset()
        _ALL.add(self)

    def _reset(self) -> None:
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._running = threading.Lock()
        self._asked = threading.Event()
        self._closing = threading.Event()

    def wake(self) -> None:
        """Ask for the work to be done; returns at once. After `close` nothing happens any more."""
        if not self._asked.is_set():
            self._asked.set()
            if self._thread is None:
                self._start()

    def _start(self) -> None:
        with self._starting:
            if self._thread is not None or self._closing.is_set():
                return
            thread = threading.Thread(target=self._run, name=f"mens-{self._name}", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the interpreter is ending, or threads are used up: `close` does the work itself
                LOGGER.debug("no thread for %s", self._name)
                return
            self._thread = thread

    def _run(self) -> None:
        ending = False
        while not ending:
            self._asked.wait()
            if self._linger_s:
                self._closing.wait(self._linger_s)
            self._asked.clear()
            ending = self._closing.is_set()  # looked at after the clear: `close` sets it before it asks
            self._do()

    def _do(self) -> None:
        with self._running:
            try:
                self._work()
            except Exception as error:  # noqa: BLE001 - the thread must outlive a fault in one piece of its work
                warn(f"mens-console: {self._name} failed: {type(error).__name__}: {error}", quiet=self._told)
                self._told = True

    def close(self, timeout: float = EXIT_S) -> bool:
        """Do what is left, wait for it at most `timeout` seconds, and end the thread; say whether all was done."""
        self._closing.set()
        self._asked.set()
        thread = self._thread
        if thread is None or not thread.is_alive():
            self._do()
            return True
        if thread is threading.current_thread():
            return True
        thread.join(timeout)
        return not thread.is_alive()

    def begin_again(self) -> None:
        """Make a closed one usable again."""
        self._reset()

    def forked(self) -> None:
        """Become what a child process may use: its own locks, no thread, nothing of the parent's to write."""
        self._reset()
        if self._forget is not None:
            self._forget()


def _after_fork() -> None:
    for each in list(_ALL):
        each.forked()


def _at_exit() -> None:
    deadline = time.monotonic() + EXIT_S
    for each in list(_ALL):
        each.close(max(deadline - time.monotonic(), 0.0))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
