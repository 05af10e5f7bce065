"""What a worker and whoever started it tell each other: msgpack frames of known types, each behind its length.

No code travels, and what does not have these types is refused.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec
from msgspec import Struct

from mens_console.health.fold import By
from mens_console.health.partial import Partial
from mens_console.health.plan import First
from mens_console.health.rows import BadLine
from mens_console.signals.generation import BatchFigures

if TYPE_CHECKING:
    from collections.abc import Callable

_LENGTH: Final = struct.Struct("=I")
_MOST: Final = 1 << 30


class Job(Struct, tag=True):
    """Count whole lines: bytes `[start, end)` of the file that is `identity` (device, inode) and lies at `path`.

    `named` is what reports call the log, as it was asked for: a worker stands in another folder.

    `first` says what is told before (`Lines` or `Runs`, and `Begin` is waited for); with "nothing" counting begins at
    once, `before` being the attempts of each run before the range.
    """

    number: int
    path: str
    named: str
    identity: tuple[int, int]
    start: int
    end: int
    batch_size: int
    usd_per_1000: float
    by: By
    first: First
    before: dict[str, int] = {}


class Begin(Struct, tag=True):
    """How many attempts of each run come before a job. Where not `sure`, nothing is known of runs that it lacks."""

    number: int
    before: dict[str, int]
    sure: bool


class Lines(Struct, tag=True):
    """How many newlines a job's bytes hold."""

    number: int
    lines: int


class Runs(Struct, tag=True):
    """How many attempts of each run a job's bytes hold."""

    number: int
    attempts: dict[str, int]


class Strange(Struct, tag=True):
    """The job holds attempts of a run of which nothing was told."""

    number: int


class Read(Struct):
    """What a job's bytes hold: attempts by run, lines, bad ones (numbered from the job's first), unknown fields."""

    attempts: dict[str, int]
    rows: int
    lines: int
    bad_rows: int
    bad: list[BadLine]
    unknown: dict[str, int]


class Piece(Struct):
    """The attempts of one group in a job: the figures of a batch that lies in it whole, or a count to be merged."""

    name: str
    index: int
    partial: Partial | None = None
    figures: BatchFigures | None = None
    first_ts: float | None = None
    last_ts: float | None = None


class Folded(Struct, tag=True):
    """All that a job holds; the pieces of one run are in file order."""

    number: int
    read: Read
    pieces: list[Piece]


class Failed(Struct, tag=True):
    """The job could not be done."""

    why: str


Question: TypeAlias = Job | Begin
Answer: TypeAlias = Lines | Runs | Strange | Folded | Failed

_encoder: Final = msgspec.msgpack.Encoder()
QUESTION: Final[msgspec.msgpack.Decoder[Question]] = msgspec.msgpack.Decoder(Job | Begin)
ANSWER: Final[msgspec.msgpack.Decoder[Answer]] = msgspec.msgpack.Decoder(Lines | Runs | Strange | Folded | Failed)


def pack(message: Question | Answer) -> bytes:
    """Return a frame."""
    data = _encoder.encode(message)
    return _LENGTH.pack(len(data)) + data


def read_frame(read: Callable[[int], bytes]) -> bytes | None:
    """Read the content of a frame through `read(count)`, which returns fewer bytes only at the end; None at the end.

    Raises `ValueError` where the stream ends inside a frame, or holds none.
    """
    prefix = read(_LENGTH.size)
    if not prefix:
        return None
    length: Any = _LENGTH.unpack(prefix)[0] if len(prefix) == _LENGTH.size else _MOST + 1
    if length > _MOST:
        raise ValueError("not a frame")
    data = read(length)
    if len(data) < length:
        raise ValueError("the stream ends inside a frame")
    return data
