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
from mens_console.health.rows import BadLine
from mens_console.signals.generation import BatchFigures

if TYPE_CHECKING:
    from collections.abc import Callable

_LENGTH: Final = struct.Struct("=I")
_MOST: Final = 1 << 30


class Job(Struct, tag=True):
    """Read whole lines: bytes `[start, end)` of the file that is `identity` (device, inode)."""

    path: str
    identity: tuple[int, int]
    start: int
    end: int
    batch_size: int
    usd_per_1000: float
    by: By


class Phases(Struct, tag=True):
    """How many attempts of each run came before those of the job; now they can be counted by batch."""

    attempts: dict[str, int]


class Read(Struct, tag=True):
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
    """All pieces of a job, those of one run in file order."""

    pieces: list[Piece]


class Failed(Struct, tag=True):
    """The job could not be done."""

    why: str


Question: TypeAlias = Job | Phases
Answer: TypeAlias = Read | Folded | Failed

_encoder: Final = msgspec.msgpack.Encoder()
QUESTION: Final[msgspec.msgpack.Decoder[Question]] = msgspec.msgpack.Decoder(Job | Phases)
ANSWER: Final[msgspec.msgpack.Decoder[Answer]] = msgspec.msgpack.Decoder(Read | Folded | Failed)


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
