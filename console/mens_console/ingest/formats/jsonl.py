"""JSON Lines of metrics: flat rows, and rows in an envelope of time, event and payload, in one file as they come.

No other text and no documents; what a key means is the table's business.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import orjson

from mens_console.ingest import aliases
from mens_console.ingest.formats.envelope import EVENTS, Envelopes, config, mark
from mens_console.ingest.formats.jsontext import objects
from mens_console.ingest.formats.lines import BOM, Lines
from mens_console.ingest.formats.rows import Rows, flatten
from mens_console.ingest.formats.values import number, step_of
from mens_console.ingest.records import Batch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_BLOCK: Final = 256
"""Lines per call of the JSON reader: enough to make the call cheap, few enough to re-read when one line is odd."""

Located = tuple[list[dict[str, Any]], list[int]]
"""Objects, and beside each the index of its line."""


def claims(name: str, head: bytes) -> bool:
    """Say whether some line of `head` is an object that reports training."""
    del name
    head = head.removeprefix(BOM).lstrip(b"\0")
    if not head.lstrip()[:1].startswith((b"{", BOM[:1])):
        return False
    return any(
        _reports(row)
        for line in head.splitlines()
        if line.lstrip(b" \t" + BOM).startswith(b"{")
        for row in objects(line)[0]
    )


def _reports(row: dict[str, Any]) -> bool:
    payload = row.get("payload")
    if isinstance(payload, dict) and isinstance(row.get("event"), str):
        return row["event"] in EVENTS or _reports(payload)
    flat = dict(flatten(row))
    lowered = {key.lower() for key in flat}
    measured = {aliases.canonical(key) for key, value in flat.items() if number(value) is not None}
    if lowered & {"level", "levelname", "severity"} and lowered & {"msg", "message"}:
        return bool(measured & {"loss", "eval_loss"})
    axes = [key for key in aliases.STEP_KEYS if step_of(flat.get(key)) is not None]
    known = any(name.partition("/")[0] in aliases.KNOWN_METRICS for name in measured)
    if any(key not in aliases.WEAK_STEP_KEYS for key in axes):
        others = {key for key, value in flat.items() if number(value) is not None}
        return known or bool(others - {*aliases.STEP_KEYS, *aliases.TIME_KEYS, *aliases.RANK_KEYS})
    return bool(measured & {"loss", "eval_loss"}) or (known and bool(axes))


class JsonlDecoder:
    """Reads JSON Lines of one file; state is the rows' and the lines' own."""

    def __init__(self) -> None:
        self._lines = Lines()
        self._rows = Rows("rows of this file carry no step: numbered in order")
        self._first = True
        self._envelopes = Envelopes()

    def state(self) -> dict[str, Any]:
        """Return what the decoder remembers, as JSON values."""
        return {
            "lines": self._lines.state(),
            "rows": self._rows.state(),
            "first": self._first,
            "envelopes": self._envelopes.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Become the decoder that `state` came from."""
        self._lines.restore(state["lines"])
        self._rows.restore(state["rows"])
        self._first = bool(state["first"])
        self._envelopes.restore(state["envelopes"])

    def feed(self, data: bytes, at: float, *, final: bool = False) -> tuple[int, Batch]:
        """Decode the whole lines of `data`; a last line without a newline counts once it is a whole object."""
        batch = Batch()
        self._rows.begin(batch, at)
        consumed, lines = self._lines.take(data, batch, final=final)
        found, places = self._parse(lines, batch)
        tail = data[consumed:]
        if tail.rstrip().endswith(b"}"):
            whole, trouble = objects(tail)
            if whole and not trouble:
                found += whole
                places += [len(lines)] * len(whole)
                self._lines.extend(tail)
                consumed = len(data)
        self._fold(found, places, batch)
        batch.bad.sort(key=lambda bad: bad.offset)
        self._rows.finish()
        return consumed, batch

    def _parse(self, lines: list[bytes], batch: Batch) -> Located:
        found: list[dict[str, Any]] = []
        places: list[int] = []
        for start in range(0, len(lines), _BLOCK):
            block = lines[start : start + _BLOCK]
            rows = _parse_block(block)
            if rows is not None:
                found += rows
                places += range(start, start + len(block))
            else:
                self._parse_lines(block, start, (found, places), batch)
        return found, places

    def _parse_lines(self, block: list[bytes], start: int, into: Located, batch: Batch) -> None:
        for index, line in enumerate(block, start):
            if not line or line.isspace() or line.strip() == BOM:
                continue
            rows, trouble = objects(line)
            into[0].extend(rows)
            into[1].extend([index] * len(rows))
            if trouble:
                self._lines.bad(batch, index, trouble)

    def _fold(self, found: list[dict[str, Any]], places: Sequence[int], batch: Batch) -> None:
        start = 0
        for keys, group in groupby(found, tuple):
            rows = list(group)
            stop = start + len(rows)
            if keys:
                self._fold_shape(keys, rows, places[start:stop], batch)
            start = stop

    def _fold_shape(
        self, keys: tuple[str, ...], rows: list[dict[str, Any]], places: Sequence[int], batch: Batch
    ) -> None:
        if self._first:
            self._first = False
            _configure(rows[0], batch)
        if "event" in keys and "payload" in keys:
            self._open_envelopes(rows, places, batch)
            return
        if "event" in keys or "type" in keys:
            for row in rows:
                mark(row.get("event", row.get("type")), row, row, batch)

        def bad(index: int, reason: str) -> None:
            self._lines.bad(batch, places[index], reason)

        self._rows.add(keys, list(zip(*map(dict.values, rows), strict=True)), bad)

    def _open_envelopes(self, rows: Iterable[dict[str, Any]], places: Sequence[int], batch: Batch) -> None:
        """Fold payloads as rows that carry their envelope's time; events without a step happen at the last one."""
        opened: list[dict[str, Any]] = []
        kept: list[int] = []
        for row, place in zip(rows, places, strict=True):
            try:
                inner = self._envelopes.open(row, lambda: self._last_step(opened), batch)
            except ValueError as error:
                self._lines.bad(batch, place, str(error))
                continue
            if inner is not None:
                opened.append(inner)
                kept.append(place)
        self._fold_opened(opened, kept, batch)

    def _last_step(self, opened: list[dict[str, Any]]) -> int:
        for row in reversed(opened):
            for key in aliases.STEP_KEYS:
                step = step_of(row.get(key))
                if step is not None:
                    return step
        return self._rows.last_step or 0

    def _fold_opened(self, opened: list[dict[str, Any]], places: list[int], batch: Batch) -> None:
        start = 0
        for keys, group in groupby(opened, tuple):
            cells = list(zip(*map(dict.values, group), strict=True))
            begin = start

            def bad(index: int, reason: str, begin: int = begin) -> None:
                self._lines.bad(batch, places[begin + index], reason)

            self._rows.add(keys, cells, bad)
            start += len(cells[0]) if cells else 0


def _parse_block(block: list[bytes]) -> list[dict[str, Any]] | None:
    """Read many lines in one call; None when any of them is not exactly one strict JSON object."""
    try:
        rows = orjson.loads(b"[" + b",".join(block) + b"]")
    except orjson.JSONDecodeError:
        return None
    if len(rows) != len(block) or not all(type(row) is dict for row in rows):
        return None
    return rows  # type: ignore[no-any-return]


def _configure(row: dict[str, Any], batch: Batch) -> None:
    """Keep the words of a file's first row, and its numbers too when it is no step: so runs introduce themselves.

    An envelope introduces itself by its event.
    """
    if "payload" in row and "event" in row:
        return
    flat = dict(flatten(row))
    stepless = not any(key in flat for key in aliases.STEP_KEYS) and not any(map(aliases.is_loss, flat))
    config(flat, batch, words_only=not stepless)
