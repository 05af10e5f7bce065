"""JSON Lines of metrics: flat rows, and rows in an envelope of time, event and payload, in one file as they come.

No other text and no documents; what a key means is the table's business.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import orjson

from mens_console.ingest import aliases
from mens_console.ingest.formats.jsontext import objects
from mens_console.ingest.formats.lines import BOM, Lines
from mens_console.ingest.formats.rows import Rows, flatten
from mens_console.ingest.formats.values import number, step_of, visible, wall_of
from mens_console.ingest.records import NO_TIME, Batch, Fact

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_BLOCK: Final = 256
"""Lines per call of the JSON reader: enough to make the call cheap, few enough to re-read when one line is odd."""

STARTS: Final = frozenset({"train_start", "train_begin", "training_start", "training_started", "run_start", "config"})
ENDS: Final = frozenset(
    {"train_complete", "train_end", "training_complete", "training_completed", "run_complete", "train_finished"}
)
EVENTS: Final = STARTS | ENDS | {"step", "epoch_complete", "routing_efficiency", "gpu_fallback"}
MAX_CONFIG: Final = 256

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

    def state(self) -> dict[str, Any]:
        """Return what the decoder remembers, as JSON values."""
        return {"lines": self._lines.state(), "rows": self._rows.state(), "first": self._first}

    def restore(self, state: dict[str, Any]) -> None:
        """Become the decoder that `state` came from."""
        self._lines.restore(state["lines"])
        self._rows.restore(state["rows"])
        self._first = bool(state["first"])

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
                _mark(row.get("event", row.get("type")), row, row, batch)

        def bad(index: int, reason: str) -> None:
            self._lines.bad(batch, places[index], reason)

        self._rows.add(keys, list(zip(*map(dict.values, rows), strict=True)), bad)

    def _open_envelopes(self, rows: Iterable[dict[str, Any]], places: Sequence[int], batch: Batch) -> None:
        """Fold payloads as rows that carry their envelope's time; events without a step happen at the last one."""
        opened: list[dict[str, Any]] = []
        kept: list[int] = []
        for row, place in zip(rows, places, strict=True):
            payload, event = row["payload"], row["event"]
            if type(payload) is not dict or not isinstance(event, str):
                self._lines.bad(batch, place, "an envelope without an event or a payload object")
                continue
            outer = {key: value for key, value in row.items() if key not in {"event", "payload"}}
            if event != "step":
                _mark(event, payload, row, batch)
            if event in STARTS:
                continue
            if event != "step" and not any(key in payload for key in aliases.STEP_KEYS):
                inner = {f"{event}/{key}": value for key, value in payload.items()}
                payload = {"step": self._last_step(opened), **inner}
            opened.append({**outer, **payload})
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
    _config(flat, batch, words_only=not stepless)


def _config(flat: dict[str, Any], batch: Batch, *, words_only: bool = False) -> None:
    axes = {*aliases.TIME_KEYS, *aliases.RANK_KEYS, *aliases.ETA_KEYS, *aliases.CHECKPOINT_KEYS, "event", "type"}
    axes |= {"elapsed_time", "elapsed"}
    config = {
        visible(key, 100): visible(str(value))
        for key, value in flat.items()
        if key not in axes
        and (
            (isinstance(value, str) and number(value) is None)
            or (not words_only and isinstance(value, int | float | bool | str))
        )
    }
    if config:
        batch.facts.append(Fact("config", dict(list(config.items())[:MAX_CONFIG])))


def _mark(event: Any, payload: dict[str, Any], row: dict[str, Any], batch: Batch) -> None:
    """Turn an event of a run's life into facts."""
    if not isinstance(event, str):
        return
    wall = _wall(row)
    if event in STARTS:
        if event != "config":
            batch.facts.append(Fact("started", event, wall=wall))
        flat = dict(flatten(payload))
        for key in aliases.TOTAL_STEPS_KEYS:
            total = step_of(flat.get(key))
            if total:
                batch.facts.append(Fact("total_steps", total))
                break
        epochs = next((number(flat[key]) for key in (*aliases.TOTAL_EPOCHS_KEYS, "epochs") if key in flat), None)
        if epochs:
            batch.facts.append(Fact("total_epochs", epochs))
        _config(flat, batch)
    elif event in ENDS:
        batch.facts.append(Fact("finished", event, wall=wall))
    elif event == "gpu_fallback":
        why = "; ".join(str(value) for value in payload.values() if isinstance(value, str))
        batch.facts.append(Fact("config", {"gpu_fallback": visible(why or "yes")}))


def _wall(row: dict[str, Any]) -> float:
    return next((wall for key in aliases.TIME_KEYS if (wall := wall_of(row.get(key))) is not None), NO_TIME)
