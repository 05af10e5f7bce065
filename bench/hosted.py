"""A child process that runs the engine alone, asked over a pipe."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Self

from bench.process import Usage, usage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Hosted:
    """An engine that watches `root`. A context manager: leaving it ends the child."""

    def __init__(self, root: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.engine_host", str(root)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip
        self._said: queue.Queue[tuple[float, dict[str, Any]]] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def _listen(self) -> None:
        for line in self.process.stdout or ():
            self._said.put((time.monotonic(), json.loads(line)))

    def wait(self, wanted: Callable[[dict[str, Any]], bool], timeout: float = 60.0) -> float:
        """Return the moment (monotonic seconds) the engine said what is `wanted`. Raises `TimeoutError`."""
        until, last = time.monotonic() + timeout, None
        while True:
            try:
                at, last = self._said.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(f"the engine last said {last} in {timeout} s") from None
            if wanted(last):
                return at

    def points(self) -> int:
        """Ask how many points are in memory."""
        if self.process.stdin is None:
            raise RuntimeError("the engine cannot be asked")
        self.process.stdin.write("?\n")
        answer: dict[str, Any] = {}
        self.wait(lambda said: bool(answer.update(said)) or True)
        return int(answer["points"])

    @property
    def usage(self) -> Usage:
        """What it has used so far."""
        return usage(self.process.pid)
