"""Chunks of records as bytes, for a pipe: a JSON header and the raw columns behind it. No code travels.

Knows records and their layout in memory, nothing of processes or files.
"""

from __future__ import annotations

import json
import math
import struct
from array import array
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from mens_console.ingest.records import NO_TIME, BadLine, Batch, Columns, Fact
from mens_console.ingest.tail import Chunk
from mens_console.signals.pairs import LayerRow, PairTable
from mens_console.signals.system import SystemSample

if TYPE_CHECKING:
    from collections.abc import Callable

_PREFIX: Final = struct.Struct("=II")
"""Bytes of the header, bytes of the columns; native order, since both ends are one machine."""
MAX_HEADER: Final = 256 << 20
_CELL: Final = 8


def pack(header: dict[str, Any], columns: bytes = b"") -> bytes:
    """Return one frame. `header` holds JSON values; NaN and lone surrogates survive."""
    text = json.dumps(header, separators=(",", ":")).encode()
    return b"".join((_PREFIX.pack(len(text), len(columns)), text, columns))


def pack_chunk(chunk: Chunk) -> bytes:
    """Return the frame of a chunk: steps, wall times and values of each shape behind its description."""
    batch = chunk.batch
    shapes = [{"names": c.names, "rows": len(c), "rank": c.rank} for c in batch.columns]
    cells = b"".join(
        c.steps.tobytes() + c.walls.tobytes() + b"".join(part.tobytes() for part in c.values) for c in batch.columns
    )
    header = {
        "span": [chunk.start, chunk.end],
        "flags": [chunk.restarted, chunk.rotated, chunk.provisional],
        "rows": batch.rows,
        "bad_rows": batch.bad_rows,
        "replace": batch.replace,
        "shapes": shapes,
        "facts": [[f.kind, f.value, f.step, None if math.isnan(f.wall) else f.wall, f.detail] for f in batch.facts],
        "bad": [asdict(line) for line in batch.bad],
        "layers": [_layer_header(part) for part in batch.layers],
        "spelled": batch.spelled,
        "system": [[s.step, _or_none(s.wall), dict(s.values), dict(s.slowed)] for s in batch.system],
        "heard": _or_none(batch.heard),
    }
    looks = (part for part in batch.layers if isinstance(part, LayerRow))
    cells += b"".join(column.tobytes() for look in looks for column in look.values.values())
    return pack(header, cells)


def _layer_header(part: PairTable | LayerRow) -> list[Any]:
    if isinstance(part, PairTable):
        return ["table", part.names, part.frozen, part.r]
    wall, rate = (None if math.isnan(value) else value for value in (part.wall, part.learning_rate))
    return ["look", part.step, wall, rate, {name: len(column) for name, column in part.values.items()}]


def unpack_chunk(header: dict[str, Any], cells: memoryview) -> Chunk:
    """Return the chunk of a frame. Raises `KeyError`, `TypeError` or `ValueError` when it is none."""
    at = 0

    def take(code: str, rows: int) -> array[Any]:
        nonlocal at
        part = array(code)
        part.frombytes(cells[at : at + rows * _CELL])
        at += rows * _CELL
        if len(part) != rows:
            raise ValueError("a frame is shorter than it says")
        return part

    columns = []
    for shape in header["shapes"]:
        rows, names = int(shape["rows"]), tuple(shape["names"])
        steps, walls = take("q", rows), take("d", rows)
        columns.append(Columns(names, steps, walls, tuple(take("d", rows) for _ in names), shape["rank"]))
    facts = [
        Fact(kind, value, step, NO_TIME if wall is None else wall, detail)
        for kind, value, step, wall, detail in header["facts"]
    ]
    bad = [BadLine(**line) for line in header["bad"]]
    layers: list[PairTable | LayerRow] = []
    for kind, *parts in header["layers"]:
        if kind == "table":
            layers.append(PairTable(*map(tuple, parts)))
        else:
            step, wall, rate, lengths = parts
            values = {name: take("d", rows) for name, rows in lengths.items()}
            layers.append(LayerRow(step, _or_nan(wall), values, _or_nan(rate)))
    batch = Batch(columns, facts, bad, header["rows"], header["bad_rows"], header["replace"], layers, header["spelled"])
    for step, wall, figures, slowed in header["system"]:
        reasons = {gpu: tuple(told) for gpu, told in slowed.items()}
        batch.system.append(SystemSample(step, _or_nan(wall), figures, reasons))
    batch.heard = _or_nan(header["heard"])
    return Chunk(batch, *header["span"], *header["flags"])


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def read_frame(read: Callable[[int], bytes]) -> tuple[dict[str, Any], memoryview] | None:
    """Read one frame through `read(count)`, which returns fewer bytes only at the end; None at the end.

    Raises `ValueError` when the stream ends inside a frame, `TypeError` or `ValueError` when it is none of ours.
    """
    prefix = read(_PREFIX.size)
    if not prefix:
        return None
    if len(prefix) < _PREFIX.size:
        raise ValueError("the stream ends inside a frame")
    header_length, cells_length = _PREFIX.unpack(prefix)
    if header_length > MAX_HEADER:
        raise ValueError("a frame with an impossible header")
    text, cells = read(header_length), read(cells_length)
    if len(text) < header_length or len(cells) < cells_length:
        raise ValueError("the stream ends inside a frame")
    header = json.loads(text)
    if not isinstance(header, dict):
        raise TypeError("a frame without a header")
    return header, memoryview(cells)
