"""How far a benchmark has come: one line on a terminal that is written over, else a line for each part that is done."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from mens_console.cli.common import PATIENCE_S
from mens_console.signals.human import span

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from mens_console.benchmark.asking import Progress

_EVERY_S: Final = 0.2


class BenchMeter:
    """Shows progress on `stream`, with what is left of the part by its own pace."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._terminal = stream.isatty()
        self._begun = clock()
        self._next = self._begun + PATIENCE_S
        self._shown = False
        self._done_since = 0
        self.part = "the first requests"
        """What is being measured."""

    def __enter__(self) -> BenchMeter:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wipe what was shown."""
        self._wipe()

    def tell(self, progress: Progress) -> None:
        """Take in how far the part has come."""
        now = self._clock()
        if progress.part != self.part:
            self.part, self._begun, self._done_since = progress.part, now, progress.done
        if not self._terminal:
            if progress.done == progress.of:
                self._stream.write(f"{progress.part}: {progress.of} of {progress.of}, {span(now - self._begun)}\n")
                self._stream.flush()
        elif now >= self._next or (self._shown and progress.done == 0):
            self._next = now + _EVERY_S
            self._write(f"\r{progress.part}: {progress.done} of {progress.of}{self._left(progress, now)}\x1b[K")
            self._shown = True

    def _left(self, progress: Progress, now: float) -> str:
        done = progress.done - self._done_since
        if done < 1 or progress.done >= progress.of:
            return ""
        return f" · {span((now - self._begun) / done * (progress.of - progress.done))} left of this part"

    def _wipe(self) -> None:
        if self._shown:
            self._write("\r\x1b[2K")
            self._shown = False

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
