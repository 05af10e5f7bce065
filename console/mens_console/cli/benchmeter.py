"""How far a benchmark has come: one line on a terminal that is written over, else a line for each part that is done."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from mens_console.cli.common import PATIENCE_S
from mens_console.signals.human import span

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TextIO

    from mens_console.benchmark.asking import Progress

_EVERY_S: Final = 0.2


class BenchMeter:
    """Shows progress on `stream`, with what is left of all by the pace so far; `lengths` are those of the parts."""

    def __init__(
        self, stream: TextIO, lengths: Mapping[str, float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream, self._lengths, self._clock = stream, dict(lengths), clock
        self._terminal = stream.isatty()
        self._begun = self._part_begun = clock()
        self._next = self._begun + PATIENCE_S
        self._shown = False
        self.part = "the first requests"
        """What is being measured."""

    def __enter__(self) -> BenchMeter:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wipe what was shown."""
        if self._shown:
            self._write("\r\x1b[2K")

    def tell(self, progress: Progress) -> None:
        """Take in how far the part has come."""
        now = self._clock()
        if progress.part != self.part:
            self.part, self._part_begun = progress.part, now
        if not self._terminal:
            if progress.done == progress.of:
                took = span(now - self._part_begun)
                self._write(f"{progress.part}: {progress.of} of {progress.of}, {took}\n")
        elif now >= self._next:
            self._next = now + _EVERY_S
            self._shown = True
            self._write(f"\r{progress.part}: {progress.done} of {progress.of}{self._left(progress, now)}\x1b[K")

    def _left(self, progress: Progress, now: float) -> str:
        """Say which part of how many it is, and about how much time is left; parts may end early, or be slower."""
        names = list(self._lengths)
        if progress.part not in names:
            return ""
        place = names.index(progress.part)
        share = progress.done / progress.of if progress.of else 1.0
        done = sum(self._lengths[name] for name in names[:place]) + share * self._lengths[progress.part]
        left = sum(self._lengths.values()) - done
        about = f" · about {span((now - self._begun) / done * left)} left" if done and left else ""
        return f" · part {place + 1} of {len(names)}{about}"

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
