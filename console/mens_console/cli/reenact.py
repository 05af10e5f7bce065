"""A recording made up from a finished run's files, for `replay RUN`: whole records appended when they were logged.

Bytes are dated by the times that their own rows carry; nothing is written, and nothing is shown here.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mens_console.cli.errors import CommandError
from mens_console.demo.recording import Event, Header, Recording, check_path
from mens_console.ingest.formats import FORMATS
from mens_console.ingest.records import NO_TIME
from mens_console.ingest.safeopen import explain, read_small
from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mens_console.ingest.formats import Format
    from mens_console.ingest.records import Batch
    from mens_console.store.snapshot import RunView

MAX_BYTES: Final = 256 << 20
"""Of one file: a replay keeps what it plays in memory."""
_SLICES: Final = 2000
_LEAST_SLICE: Final = 256
_ROW_S: Final = 1.0
"""Between two rows of a run of which no source tells the time."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Whole records of one file, up to byte `end`, and the first and last time that they carry (NaN: none)."""

    end: int
    first: float = math.nan
    wall: float = math.nan


@dataclass(frozen=True, slots=True)
class Reenactment(Recording):
    """A recording whose events are in memory."""

    played: tuple[Event, ...] = ()

    def events(self) -> Iterator[Event]:
        """Yield the events in order."""
        return iter(self.played)


def reenact(run: RunView) -> Reenactment:
    """Return the run's files as a recording.

    A file whose rows carry no time is spread evenly over the run; a document that is rewritten in place is written
    once, when it was last changed. Raises `CommandError` for a file that is too large or cannot be read.
    """
    formats = {format_.name: format_ for format_ in FORMATS}
    contents: dict[Path, tuple[bytes, Format | None]] = {}
    for source in run.sources:
        contents[source.path] = (_content(source.path), formats.get(source.format))
    for log in run.logs:
        contents.setdefault(log, (_content(log), None))
    slices = {path: _slices(data, format_) for path, (data, format_) in contents.items()}
    dated = [piece for pieces in slices.values() for piece in pieces if math.isfinite(piece.wall)]
    rows = max((source.rows for source in run.sources), default=0)
    start = min(piece.first for piece in dated) if dated else run.updated_at - rows * _ROW_S
    end = max(max(piece.wall for piece in dated), start + _ROW_S) if dated else run.updated_at
    events: list[Event] = []
    for path, (data, format_) in contents.items():
        inside = _inside(run, path)
        if format_ is not None and format_.document:
            at = min(max(path.stat().st_mtime, start), end) - start
            events.append(Event(at, "write", inside, data, size=len(data)))
        else:
            events += _appends(inside, data, slices[path], start, end - start)
    events.sort(key=lambda event: event.t)
    name = safe_text(run.name).replace("/", "_").strip(". ") or "run"
    header = Header(name, "files", "made from the files of a run", start, end - start, len(events))
    return Reenactment(run.path, header, tuple(events))


def _content(path: Path) -> bytes:
    try:
        data = read_small(str(path), MAX_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{path}: {explain(error)}") from None
    if len(data) > MAX_BYTES:
        raise CommandError(f"{path}: larger than {MAX_BYTES >> 20} MiB; a replay keeps its files in memory")
    return data


def _slices(data: bytes, format_: Format | None) -> list[Slice]:
    """Cut a file at ends of records."""
    length = max(_LEAST_SLICE, len(data) // _SLICES)
    if format_ is None or format_.document:
        return [Slice(min(end, len(data))) for end in range(length, len(data) + length, length)]
    decoder = format_.decoder()
    pieces: list[Slice] = []
    begin, stop = 0, 0
    while stop < len(data):
        stop = min(stop + length, len(data))
        consumed, batch = decoder.feed(data[begin:stop], NO_TIME)
        if consumed:
            begin += consumed
            pieces.append(Slice(begin, *_times(batch)))
    if begin < len(data):
        pieces.append(Slice(len(data)))
    return pieces


def _times(batch: Batch) -> tuple[float, float]:
    walls = [wall for part in batch.columns for wall in part.walls if math.isfinite(wall)]
    return (min(walls), max(walls)) if walls else (math.nan, math.nan)


def _appends(path: str, data: bytes, pieces: Sequence[Slice], start: float, duration: float) -> Iterator[Event]:
    """Yield the appends of one file. A slice without a time comes with the one before it."""
    dated = any(math.isfinite(piece.wall) for piece in pieces)
    begin, at = 0, 0.0
    for piece in pieces:
        if not dated:
            at = duration * piece.end / len(data)
        elif math.isfinite(piece.wall):
            at = max(at, piece.wall - start)
        yield Event(min(at, duration), "append", path, data[begin : piece.end], offset=begin, size=piece.end - begin)
        begin = piece.end


def _inside(run: RunView, path: Path) -> str:
    """Return where the file goes below the replayed run's folder."""
    relative = os.path.relpath(path, run.path)
    try:
        return check_path(safe_text(path.name if relative.startswith("..") or relative == "." else relative))
    except ValueError as error:
        raise CommandError(f"{path}: {error}") from None
