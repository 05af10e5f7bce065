"""Bytes of an attempt log to attempts: whole blocks through the typed decoder, the rows it refuses one by one.

A block is whole lines. Nothing is counted here but lines and what is bad about them.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate, chain, groupby, repeat
from operator import attrgetter, is_not
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from msgspec.structs import astuple

from mens_console.health.attempt import ABSENT, FIELDS, NOTHING, TELLING, Layout, Row
from mens_console.health.lenient import BadLineError, read_line, read_value
from mens_console.health.spelling import UnlearnedError, settle
from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST: Final = 64 << 20
"""A longer line (bytes) is no attempt."""
_SAMPLE: Final = 160
_LOOKS: Final = frozenset({1, 32, 256})
"""After so many rows that were not foreseen it is looked what they have in common."""
_MOST_ODD: Final = 256
SAMPLES: Final = 50
"""Bad lines that are kept of a log; the others are counted."""
_NEWLINE, _RETURN, _BEGIN, _END = b"\n\r{}"
_BOM: Final = b"\xef\xbb\xbf"
_BLANK: Final = b" \t\r\n"


_EMPTY: Final = Layout()


@dataclass(slots=True)
class BadLine:
    """A line that is no attempt: its place among the block's lines (from 0), its first byte, why, and how it begins."""

    line: int
    offset: int
    why: str
    sample: str


@dataclass(slots=True)
class Block:
    """The attempts of some whole lines, all of one type: that of `layout`. `ends` are the offsets of their newlines."""

    start: int
    rows: list[Row]
    layout: Layout
    lines: int
    bad_rows: int = 0
    bad: list[BadLine] = field(default_factory=list)
    _odd: dict[str, int] = field(default_factory=dict)
    """Rows that carry a field of a name that no typed row can have."""
    _begins: Sequence[int] | np.ndarray[Any, Any] = ()
    """Where rows begin, from the second on, relative to `start`; all of them where `_exact`."""
    _exact: bool = False

    def note_odd(self, values: dict[str, Any]) -> None:
        """Count the fields of a row that its type does not have, up to a bound."""
        for name in values.keys() - FIELDS.keys() - set(self.layout.unknown):
            if name in self._odd or len(self._odd) < _MOST_ODD:
                self._odd[name] = self._odd.get(name, 0) + 1

    def unknown(self) -> dict[str, int]:
        """Return how many rows carry each field that no contract names."""
        columns = {name: attrgetter(f"f{place}") for place, name in enumerate(self.layout.unknown, len(FIELDS))}
        there = {name: sum(map(is_not, map(get, self.rows), repeat(ABSENT))) for name, get in columns.items()}
        return {name: times for name, times in (there | self._odd).items() if times}

    def offset(self, row: int) -> int:
        """Return the byte at which a row's line begins in its file."""
        if self._exact:
            return self.start + int(self._begins[row])
        return self.start + (int(self._begins[row - 1]) + 1 if row else 0)


@dataclass(slots=True)
class _Joined(Block):
    """Several blocks that follow each other as one."""

    parts: Sequence[Block] = ()
    firsts: Sequence[int] = ()
    """The row that each part begins with."""

    def offset(self, row: int) -> int:
        """Return the byte at which a row's line begins in its file."""
        part = bisect_right(self.firsts, row) - 1
        return self.parts[part].offset(row - self.firsts[part])


def join(blocks: Sequence[Block]) -> list[Block]:
    """Return blocks that follow each other as few: those whose rows are of one type become one."""
    joined: list[Block] = []
    for _, group in groupby((block for block in blocks if block.rows), key=lambda block: id(block.layout)):
        parts = list(group)
        if len(parts) == 1:
            joined += parts
            continue
        rows = list(chain.from_iterable(part.rows for part in parts))
        firsts = list(accumulate((len(part.rows) for part in parts[:-1]), initial=0))
        lines = sum(part.lines for part in parts)
        for part in parts:
            part.rows = []
        joined.append(_Joined(parts[0].start, rows, parts[0].layout, lines, parts=parts, firsts=firsts))
    return joined


class RowReader:
    """Decodes blocks of one log, or of several alike; remembers the names it met, which is all its state."""

    def __init__(self, layout: Layout | None = None) -> None:
        self.layout = layout or _EMPTY

    def decode(self, data: bytes | memoryview, start: int) -> Block:
        """Return the attempts of whole lines, of which the last may lack its newline; `start` is the first's offset."""
        if start == 0 and data[:3] == _BOM:
            data = b"   " + data[3:]
        return self._decode_all(data, start) or self._decode_lines(bytes(data), start)

    def give_up(self, data: bytes, start: int) -> Block:
        """Return the block of a line that is longer than any attempt, of which `data` is the beginning."""
        bad = BadLine(0, start, f"longer than {LONGEST >> 20} MiB", _sample(data))
        return Block(start, [], self.layout, 0, 1, [bad], _exact=True)

    def _decode_all(self, data: bytes | memoryview, start: int) -> Block | None:
        """Decode a block in one call; None unless every line is exactly one object that is foreseen."""
        try:
            rows: list[Row] = self.layout.decoder.decode_lines(data)
            _settle(rows, self.layout)
        except (ValueError, RecursionError):
            return None
        ends = object_ends(data)
        if ends is None or len(ends) != len(rows) or not (self.layout.telling or _all_telling(rows)):
            return None
        return Block(start, rows, self.layout, len(rows), _begins=ends)

    def _decode_lines(self, data: bytes, start: int) -> Block:
        lines = data.split(b"\n")
        if not lines[-1]:
            lines.pop()
        found = self._try_lines(lines)
        while found is None:
            found = self._try_lines(lines)
        return self._assemble(lines, found, start)

    def _try_lines(self, lines: list[bytes]) -> list[Row | dict[str, Any] | BadLineError | None] | None:
        """Return of each line its row, or its fields where the row's type does not foresee them; None of a blank.

        None where the type foresees more now: try again. That comes to an end, since it foresees so much and no more.
        """
        decode = self.layout.decoder.decode
        found: list[Row | dict[str, Any] | BadLineError | None] = []
        odd: list[dict[str, Any]] = []
        for line in lines:
            try:
                row = decode(line)
                _settle((row,), self.layout)
                found.append(row)
            except (ValueError, RecursionError):
                found.append(read := _read(line))
                if isinstance(read, dict):
                    odd.append(read)
                    # At once for the first, and again for some more: most often a few rows show all there is.
                    if len(odd) in _LOOKS and self._learned(odd):
                        return None
        return None if self._learned(odd) else found

    def _learned(self, odd: list[dict[str, Any]]) -> bool:
        before, self.layout = self.layout, self.layout.learn(odd)
        return self.layout is not before

    def _assemble(
        self, lines: list[bytes], found: list[Row | dict[str, Any] | BadLineError | None], start: int
    ) -> Block:
        block = Block(start, [], self.layout, len(lines), _exact=True)
        begins: list[int] = []
        place = 0
        for number, (line, what) in enumerate(zip(lines, found, strict=True)):
            if isinstance(what, dict):
                block.note_odd(what)
            row = self.layout.build(what) if isinstance(what, dict) else what
            if row is not None and not isinstance(row, BadLineError) and not _telling(row):
                row = BadLineError("carries no field of an attempt that can be read")
            if isinstance(row, BadLineError):
                block.bad_rows += 1
                if len(block.bad) < SAMPLES:
                    block.bad.append(BadLine(number, start + place, str(row), _sample(line)))
            elif row is not None:
                block.rows.append(row)
                begins.append(place)
            place += len(line) + 1
        block._begins = begins
        return block


def _read(line: bytes) -> dict[str, Any] | BadLineError | None:
    if not line.strip(_BLANK):
        return None
    if len(line) > LONGEST:
        return BadLineError(f"longer than {LONGEST >> 20} MiB")
    try:
        return read_line(line)
    except BadLineError as error:
        return error


def _settle(rows: Sequence[Row], layout: Layout) -> None:
    """Give rows what they tell under other names of fields. Raises `UnlearnedError` where scores have unknown names."""
    if not layout.others:
        return

    def read(field: str, raw: Any) -> Any:
        value = read_value(field, raw)
        if field != "validator_scores" or value is None or layout.loose:
            return value
        if not value.keys() <= set(layout.validators):
            raise UnlearnedError
        return layout.score(value)

    settle(rows, layout.others, NOTHING, read)


def object_ends(data: bytes | memoryview) -> np.ndarray[Any, Any] | None:
    """Return the places of the newlines if each line begins with { and ends with }, else None.

    With as many objects as such lines there is exactly one in each: between } and { no JSON object can go on.
    """
    text = np.frombuffer(data, np.uint8)
    if not len(text) or text[0] != _BEGIN:
        return None
    ends = np.flatnonzero(text == _NEWLINE)
    if not len(ends) or ends[-1] != len(text) - 1:
        return None
    last = text[ends - 1]
    if last[0] == _RETURN:
        if not (last == _RETURN).all():
            return None
        last = text[ends - 2]
    return ends if (last == _END).all() and (text[ends[:-1] + 1] == _BEGIN).all() else None


def count_lines(data: bytes) -> int:
    """Return the number of newlines, in a third of the time that `bytes.count` takes for lines of this length."""
    return int(np.count_nonzero(np.frombuffer(data, np.uint8) == _NEWLINE))


def _all_telling(rows: list[Row]) -> bool:
    """Whether each row carries a field of an attempt; most carry a status, and then no more is asked."""
    status = [row.f5 for row in rows]  # type: ignore[attr-defined]
    return None not in status or all(map(_telling, rows))


def _telling(row: Row) -> bool:
    values = astuple(row)
    return any(values[place] is not None for place in TELLING)


def _sample(line: bytes) -> str:
    return safe_text(line[:_SAMPLE].decode("utf-8", "backslashreplace"), _SAMPLE)
