"""Metrics as CSV: a header that names a step, blank cells for what a row did not measure.

Tables of anything else, and what the columns mean, are not its business.
"""

from __future__ import annotations

import csv
from array import array
from typing import TYPE_CHECKING, Any, Final

from mens_console.ingest import aliases
from mens_console.ingest.formats.lines import BOM, MAX_LINE, Lines
from mens_console.ingest.formats.rows import Rows
from mens_console.ingest.formats.values import number, step_of
from mens_console.ingest.records import Batch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_DELIMITERS: Final = (",", "\t", ";")
_AXES: Final = frozenset({*aliases.STEP_KEYS, *aliases.TIME_KEYS, *aliases.RANK_KEYS, "epoch"})


def claims(name: str, head: bytes) -> bool:
    """Say whether `head` begins with a header that has a step and a metric, or a step and numbers below it."""
    del name
    lines = head.removeprefix(BOM).decode("utf-8", "replace").lstrip().splitlines()
    header = _header(lines[0]) if lines and "\0" not in lines[0] else None
    if header is None:
        return False
    keys = header[1]
    if any(aliases.canonical(key) in aliases.KNOWN_METRICS for key in keys):
        return True
    strong = any(key in aliases.STEP_KEYS and key not in aliases.WEAK_STEP_KEYS for key in keys)
    below = lines[1].split(header[0]) if len(lines) > 1 else []
    return strong and len(below) == len(keys) and any(number(cell) is not None for cell in below)


def _header(line: str) -> tuple[str, tuple[str, ...]] | None:
    """Return delimiter and keys when `line` is a header that names a step, or an epoch and a loss."""
    if len(line) > 65536:
        return None
    for delimiter in _DELIMITERS:
        cells = next(csv.reader([line], delimiter=delimiter), [])
        keys = tuple(map(_key, cells))
        is_text = all(number(key) is None for key in keys)
        has_axis = any(key in aliases.STEP_KEYS for key in keys) or (
            "epoch" in keys and any(map(aliases.is_loss, keys))
        )
        if len(keys) > 1 and is_text and has_axis:
            return delimiter, keys
    return None


def _key(cell: str) -> str:
    """Return the cell of a header as a key: `Train Loss`, as tables for people have it, is `train_loss`."""
    key = cell.strip()
    plain = key.lower().replace(" ", "_")
    return plain if plain in _AXES or aliases.canonical(plain) in aliases.KNOWN_METRICS else key


class CsvDecoder:
    """Reads a growing CSV file; a newline inside quotes does not end a record."""

    def __init__(self) -> None:
        self._lines = Lines()
        self._rows = Rows(null_is_nan=False)
        self._delimiter = ","
        self._keys: tuple[str, ...] = ()

    def state(self) -> dict[str, Any]:
        """Return what the decoder remembers, as JSON values."""
        header = {"delimiter": self._delimiter, "keys": list(self._keys)}
        return {"lines": self._lines.state(), "rows": self._rows.state(), **header}

    def restore(self, state: dict[str, Any]) -> None:
        """Become the decoder that `state` came from."""
        self._lines.restore(state["lines"])
        self._rows.restore(state["rows"])
        self._delimiter, self._keys = state["delimiter"], tuple(state["keys"])

    def feed(self, data: bytes, at: float, *, final: bool = False) -> tuple[int, Batch]:
        """Decode the whole records of `data`; a record without its newline waits for it, unless `final`."""
        batch = Batch()
        self._rows.begin(batch, at)
        whole = len(data) if final else _records_end(data)
        if len(data) - whole > MAX_LINE:
            # So much behind an open quote means that it is a stray one: the lines are read as they stand.
            whole = max(whole, data.rfind(b"\n") + 1) or len(data)
        consumed, lines = self._lines.take(data[:whole], batch, final=final)
        pending: list[list[str]] = []
        places: list[int] = []
        for place, record in _records(lines):
            cells = self._cells(record, place, batch)
            header = _header(record) if cells and not self._is_row(cells) else None
            if header is not None:
                self._fold(pending, places, batch)
                pending, places = [], []
                self._delimiter, self._keys = header
            elif cells:
                pending.append(cells)
                places.append(place)
        self._fold(pending, places, batch)
        batch.bad.sort(key=lambda bad: bad.offset)
        self._rows.finish()
        return consumed, batch

    def _is_row(self, cells: list[str]) -> bool:
        return len(cells) == len(self._keys) and any(
            step_of(cell) is not None for key, cell in zip(self._keys, cells, strict=True) if key in aliases.STEP_KEYS
        )

    def _cells(self, record: str, place: int, batch: Batch) -> list[str]:
        if not record.strip():
            return []
        if '"' not in record:
            return record.split(self._delimiter)
        try:
            return next(csv.reader([record], delimiter=self._delimiter), [])
        except csv.Error as error:
            self._lines.bad(batch, place, f"not CSV: {error}")
            return []

    def _fold(self, pending: list[list[str]], places: list[int], batch: Batch) -> None:
        if not pending:
            return
        width = len(self._keys)
        kept = []
        for at, cells in enumerate(pending):
            if len(cells) != width:
                self._lines.bad(batch, places[at], f"{len(cells)} cells under a header of {width}")
            else:
                kept.append(at)
        columns = [_numbers(column) for column in zip(*(pending[at] for at in kept), strict=True)]

        def bad(index: int, reason: str) -> None:
            self._lines.bad(batch, places[kept[index]], reason)

        self._rows.add(self._keys, columns, bad)


def _records(lines: list[bytes]) -> Iterator[tuple[int, str]]:
    """Yield records and the index of each one's first line, joining lines inside quotes."""
    begun, parts, is_open = 0, list[bytes](), False
    for index, line in enumerate(lines):
        if not parts:
            begun = index
        parts.append(line)
        is_open ^= line.count(b'"') % 2 == 1
        if not is_open:
            yield begun, _text(parts)
            parts = []
    # An odd quote in what is known to be whole is a stray one: its lines stand alone.
    for index, line in enumerate(parts, begun):
        yield index, _text([line.replace(b'"', b"")])


def _records_end(data: bytes) -> int:
    """Return the end of the last line of `data` at which no quote is open."""
    end = data.rfind(b"\n") + 1
    if data.count(b'"', 0, end) % 2 == 0:
        return end
    is_open, at, safe = False, 0, 0
    for line in data[:end].splitlines(keepends=True):
        at += len(line)
        is_open ^= line.count(b'"') % 2 == 1
        if not is_open and line.endswith(b"\n"):
            safe = at
    return safe


def _text(parts: list[bytes]) -> str:
    return b"\n".join(parts).removeprefix(BOM).decode("utf-8", "replace").rstrip("\r\n")


def _numbers(cells: Sequence[str]) -> Sequence[Any]:
    """Return the column as numbers where all of it is, with None for blank cells otherwise; text stays text."""
    try:
        return array("q", map(int, cells)).tolist()
    except (ValueError, OverflowError):
        pass
    try:
        return list(map(float, cells))
    except ValueError:
        return [cell.strip() or None for cell in cells]
