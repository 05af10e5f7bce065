"""Plays recordings back into a fresh directory, event by event, on virtual time.

It is the clock of its replay and never reads the real one; it only writes inside the directory it was given.
"""

from __future__ import annotations

import heapq
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mens_console.demo.recording import Event, Process, Recording

_TEMPORARY = ".replay.tmp"


class Played(NamedTuple):
    """An event that was played: of which run, at which position (seconds of the replay)."""

    run: str
    position: float
    event: Event


def offsets(
    recordings: Sequence[Recording], align: Literal["recorded", "start", "end"], *, stagger: float = 0.0
) -> list[float]:
    """Return when each recording begins in a common replay, in seconds, the earliest at 0.

    `recorded` keeps the distances of the day they were recorded on, so that wall times written inside their files
    agree with the replay's clock; `start` and `end` bring the first or last moments together. With `stagger` each
    begins that much later than the one before.
    """
    begin = {
        "recorded": [one.header.started_at for one in recordings],
        "start": [0.0 for _ in recordings],
        "end": [-one.header.duration for one in recordings],
    }[align]
    shifted = [at + stagger * index for index, at in enumerate(begin)]
    return [at - min(shifted) for at in shifted]


class Player:
    """Materialises `recordings` as run directories under `into`, which must be absent or empty.

    Positions are seconds since the replay began. Position 0 is `epoch` on the virtual wall clock (seconds since the
    epoch; by default the moment the earliest recording began), and files get their modification times from it.
    `starts` are the positions where each recording begins (see `offsets`; by default as recorded). ValueError when
    two recordings have one name, FileExistsError when `into` holds anything.
    """

    def __init__(
        self,
        recordings: Sequence[Recording],
        into: Path,
        *,
        epoch: float | None = None,
        starts: Sequence[float] | None = None,
    ) -> None:
        headers = [one.header for one in recordings]
        if not headers or len({header.name for header in headers}) < len(headers):
            raise ValueError("a replay needs recordings of distinct names")
        into.mkdir(parents=True, exist_ok=True)
        if any(into.iterdir()):
            raise FileExistsError(f"{into} is not empty")
        self.into = into
        self.position = 0.0
        self.epoch = min(header.started_at for header in headers) if epoch is None else epoch
        self._headers = headers
        self._starts = list(starts) if starts is not None else offsets(recordings, "recorded")
        self._iterators = [one.events() for one in recordings]
        self._due: list[tuple[float, int, Event]] = []
        for index in range(len(headers)):
            self._refill(index)

    @property
    def duration(self) -> float:
        """Seconds from the first recording's begin to the last one's end."""
        ends = (start + header.duration for start, header in zip(self._starts, self._headers, strict=True))
        return max(ends)

    @property
    def finished(self) -> bool:
        """Whether the last recording has ended; silence at its end is played too."""
        return self.position >= self.duration

    def clock(self) -> float:
        """Return the virtual wall time, in seconds since the epoch."""
        return self.epoch + self.position

    def next_time(self) -> float | None:
        """Return the position of the next event, or None when none is left."""
        return self._due[0][0] if self._due else None

    def advance(self, to: float) -> list[Played]:
        """Write every event up to and including position `to`, in order, and return them.

        The position never goes back, and never beyond `duration`. `RecordingError` when a recording turns out torn.
        """
        played = []
        while self._due and self._due[0][0] <= to:
            position, index, event = heapq.heappop(self._due)
            self.position = max(self.position, position)
            if event.kind != "process":
                self._apply(self.into / self._headers[index].name, event)
            played.append(Played(self._headers[index].name, position, event))
            self._refill(index)
        self.position = max(self.position, min(to, self.duration))
        return played

    def processes(self) -> dict[str, tuple[Process, ...]]:
        """Return, for each run, the processes started so far, their times on the virtual wall clock."""
        return {
            header.name: tuple(
                self._as_of_now(process, start) for process in header.processes if self._past(process, start)
            )
            for header, start in zip(self._headers, self._starts, strict=True)
        }

    def _past(self, process: Process, start: float) -> bool:
        return start + process.started <= self.position

    def _as_of_now(self, process: Process, start: float) -> Process:
        began = self.epoch + start + process.started
        if process.ended is None or start + process.ended > self.position:
            return replace(process, started=began, ended=None, returncode=None)
        return replace(process, started=began, ended=self.epoch + start + process.ended)

    def _refill(self, index: int) -> None:
        event = next(self._iterators[index], None)
        if event is not None:
            heapq.heappush(self._due, (self._starts[index] + event.t, index, event))

    def _apply(self, run: Path, event: Event) -> None:
        target = run / event.path
        if event.kind == "delete":
            target.unlink()
            self._date(target.parent)
            self._prune(run, target.parent)
            return
        is_new = not target.exists()
        target.parent.mkdir(parents=True, exist_ok=True)
        if event.kind == "write":
            temporary = target.with_name(_TEMPORARY)
            temporary.write_bytes(event.data)
            self._date(temporary)
            temporary.replace(target)
        else:
            with target.open("ab") as file:
                if event.kind == "append":
                    file.write(event.data)
                else:
                    file.truncate(event.size)
            self._date(target)
        if is_new or event.kind == "write":
            for folder in self._between(target.parent):
                self._date(folder)

    def _date(self, path: Path) -> None:
        moment = round(self.clock() * 1e9)
        os.utime(path, ns=(moment, moment))

    def _between(self, folder: Path) -> Iterator[Path]:
        """Yield `folder` and those above it, up to the replay's own."""
        while folder != self.into:
            yield folder
            folder = folder.parent
        yield folder

    def _prune(self, run: Path, folder: Path) -> None:
        """Remove folders that a deletion left empty, as whoever deletes a checkpoint does."""
        while folder != run and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent
            self._date(folder)
