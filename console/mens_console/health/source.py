"""One attempt log that grows, read through the tail that every log is read through; gzip logs as whole streams.

What the attempts mean is not known here, nor in which order logs are read.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from mens_console.health.attempt import Layout
from mens_console.health.rows import LONGEST, SAMPLES, RowReader
from mens_console.ingest.formats.base import Format
from mens_console.ingest.records import Batch
from mens_console.ingest.safeopen import read_at
from mens_console.ingest.tail import Tail
from mens_console.signals.generation import BadRow, LogSource

if TYPE_CHECKING:
    from mens_console.health.frames import Read
    from mens_console.health.rows import BadLine, Block
    from mens_console.ingest.safeopen import FdCache

SLICE: Final = 1 << 18
"""Bytes that are decoded at once: their rows stay in the processor's cache until they are counted."""
_ANCHOR: Final = 64


@dataclass(slots=True)
class Attempts(Batch):
    """What the decoder understood: the attempts of whole lines, None where there were none."""

    block: Block | None = None


class AttemptDecoder:
    """Decodes one generation of one log; its place and the names it learned are its state."""

    def __init__(self) -> None:
        self.reader = RowReader()
        self.offset = 0
        self.lines = 0
        self._skipping = False

    def feed(self, data: bytes, at: float, *, final: bool = False) -> tuple[int, Batch]:
        """Decode the whole lines that `data` begins with; see `ingest.formats.base.Decoder`."""
        del at
        end = len(data) if final else data.rfind(b"\n") + 1
        begin = self._skip(data)
        if not end and len(data) - begin >= LONGEST:
            return len(data), self._give_up(data)
        if end <= begin:
            self.offset += begin
            return begin, Attempts()
        block = self.reader.decode(memoryview(data)[begin:end], self.offset + begin)
        for line in block.bad:
            line.line += self.lines
        self.lines += block.lines
        self.offset += end
        return end, Attempts(rows=len(block.rows), bad_rows=block.bad_rows, block=block)

    def _skip(self, data: bytes) -> int:
        """Return where the line after one that was given up begins."""
        if not self._skipping:
            return 0
        newline = data.find(b"\n")
        self._skipping = newline < 0
        self.lines += newline >= 0
        return len(data) if newline < 0 else newline + 1

    def _give_up(self, data: bytes) -> Attempts:
        block = self.reader.give_up(data, self.offset)
        for line in block.bad:
            line.line += self.lines
        self.offset += len(data)
        self._skipping = True
        return Attempts(bad_rows=1, block=block)

    def state(self) -> dict[str, Any]:
        """Return what is remembered, as JSON values."""
        layout = self.reader.layout
        return {
            "offset": self.offset,
            "lines": self.lines,
            "skipping": self._skipping,
            "validators": list(layout.validators),
            "unknown": list(layout.unknown),
            "full": layout.full,
            "loose": layout.loose,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where `state` was taken. Raises `KeyError`, `TypeError` or `ValueError`."""
        self.offset, self.lines = int(state["offset"]), int(state["lines"])
        self._skipping = bool(state["skipping"])
        names = tuple(map(str, state["validators"])), tuple(map(str, state["unknown"]))
        self.reader = RowReader(_layout(*names, full=bool(state["full"]), loose=bool(state["loose"])))


@lru_cache(8)
def _layout(validators: tuple[str, ...], unknown: tuple[str, ...], *, full: bool, loose: bool) -> Layout:
    """Return a layout; while workers read, a place is restored many times a second."""
    return Layout(validators, unknown, full, loose)


ATTEMPT_LOG: Final = Format("attempts", 0, lambda name, head: True, AttemptDecoder)


@dataclass(slots=True)
class Seen:
    """What one log held so far, beside its attempts."""

    rows: int = 0
    bad_rows: int = 0
    bad: deque[BadRow] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    unknown: Counter[str] = field(default_factory=Counter)
    updated: float = float("nan")

    def add(self, block: Block, path: str, now: float) -> None:
        """Note what a block held; `now` in seconds since the epoch."""
        self.rows += len(block.rows)
        self.bad_rows += block.bad_rows
        self.bad.extend(as_bad_row(path, line) for line in block.bad)
        self.unknown.update(block.unknown())
        self.updated = now

    def take(self, read: Read, path: str, lines: int, now: float) -> None:
        """Note what a worker read, behind `lines` lines."""
        self.rows += read.rows
        self.bad_rows += read.bad_rows
        self.bad.extend(BadRow(path, lines + bad.line + 1, bad.offset, bad.why, bad.sample) for bad in read.bad)
        self.unknown.update(read.unknown)
        self.updated = now


def changed(read: float, written: float) -> float:
    """Return when a log was last added to: when it was `read`, or before, where its file system says so.

    A log of last month is opened today; a clock elsewhere may go before ours.
    """
    return min(read, written) if written == written else read


def as_bad_row(path: str, line: BadLine) -> BadRow:
    """Return a bad line with its file; lines count from 1."""
    return BadRow(path, line.line + 1, line.offset, line.why, line.sample)


class Place(Struct):
    """Where reading of a log stands: as `Tail.save` tells it."""

    id: list[int]
    marks: dict[str, Any]
    decoder: dict[str, Any]

    @property
    def done(self) -> int:
        """Bytes that were read."""
        return int(self.marks["done"])

    def after(self, fd: int, end: int, lines: int) -> Place:
        """Return the place `lines` further on, at byte `end` of the same file."""
        anchor = read_at(fd, max(end - _ANCHOR, 0), min(_ANCHOR, end))
        return Place(
            self.id,
            {**self.marks, "done": end, "anchor": anchor.hex()},
            {**self.decoder, "offset": end, "lines": int(self.decoder["lines"]) + lines},
        )


class LiveLog:
    """A log that may grow, be truncated, rotated or replaced; see `ingest.tail.Tail`, which reads it."""

    def __init__(self, path: str, fds: FdCache) -> None:
        self.path = path
        self.seen = Seen()
        self.tail = Tail(path, ATTEMPT_LOG, fds, follow=True)
        self.restarted = False
        """What was handed out before is void."""
        self.note: str | None = None
        """What went wrong although reading goes on."""
        self.rotated = False
        """It holds another file's attempts too, which was rotated away while it was read."""

    @property
    def more(self) -> bool:
        """Whether bytes are known to wait."""
        return self.tail.more

    def next(self, now: float, *, final: bool = False) -> Block | None:
        """Return the next attempts; sets `restarted` where the log begins anew.

        With `final` nobody writes to it any more: a last line without a newline counts.
        """
        chunk = self.tail.poll(now, limit=SLICE, final=final)
        self.restarted = chunk is not None and chunk.restarted
        if chunk is None:
            return None
        self.rotated |= chunk.rotated
        if chunk.restarted:
            self.seen = Seen()
        block = chunk.batch.block if isinstance(chunk.batch, Attempts) else None
        if block is not None:
            self.seen.add(block, self.path, now)
        return block

    def place(self) -> Place | None:
        """Return where reading stands; None where that cannot be told, as between two files."""
        saved = self.tail.save()
        return None if saved is None or self.rotated else Place(**saved)

    def go_on(self, place: Place) -> None:
        """Continue at a place; if the log no longer holds what stood before it, it restarts."""
        self.tail.close()
        self.tail = Tail(self.path, ATTEMPT_LOG, self.tail.fds, follow=True)
        self.tail.load({"id": place.id, "marks": place.marks, "decoder": place.decoder})

    @property
    def source(self) -> LogSource:
        """How far it was read."""
        seen = self.seen
        return LogSource(
            self.path, self.tail.size, self.tail.done, seen.rows, seen.bad_rows, dict(seen.unknown),
            self.tail.problem or self.note, changed(seen.updated, self.tail.written),
        )  # fmt: skip

    def close(self) -> None:
        """Give the descriptors back."""
        self.tail.close()
