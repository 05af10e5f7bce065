"""Events in an envelope of time, name and payload: what each says, as facts, looks at adapters, or a row of metrics.

Reads payloads that are already JSON values; lines and bytes stay outside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mens_console.ingest import aliases
from mens_console.ingest.formats.logscan import classify
from mens_console.ingest.formats.pairs import PairRows
from mens_console.ingest.formats.rows import flatten
from mens_console.ingest.formats.values import number, step_of, visible, wall_of
from mens_console.ingest.records import NO_TIME, Batch, Fact
from mens_console.signals.system import read_sample

if TYPE_CHECKING:
    from collections.abc import Callable

STARTS: Final = frozenset({"train_start", "train_begin", "training_start", "training_started", "run_start", "config"})
ENDS: Final = frozenset(
    {"train_complete", "train_end", "training_complete", "training_completed", "run_complete", "train_finished"}
)
STAGES: Final = frozenset({"stage_start", "stage_step", "stage_end"})
_PREFIXED: Final = frozenset({"fixed_eval"})
"""Events whose figures are series of their own (`fixed_eval_em`), although they have a step."""
EVENTS: Final = (
    STARTS
    | ENDS
    | STAGES
    | _PREFIXED
    | {"step", "epoch_complete", "routing_efficiency", "gpu_fallback"}
    | {"lora_pairs", "lora", "pattern_heatmap", "system"}
)
MAX_CONFIG: Final = 256
_KEYS: Final = {"event", "payload"}


class Envelopes:
    """Opens the envelopes of one source in order; remembers the adapter tables."""

    def __init__(self) -> None:
        self._pairs = PairRows()
        self._handlers: dict[str, Callable[[dict[str, Any], float, Batch], None]] = {
            "lora_pairs": self._table,
            "lora": self._look,
            "pattern_heatmap": _patterns,
            "checkpoint": _checkpoint,
            "alert": _nothing,
            "dropped": _dropped,
            **dict.fromkeys(STAGES, _nothing),
        }

    def state(self) -> dict[str, Any]:
        """Return what is remembered, as JSON values."""
        return self._pairs.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Remember what `state` did."""
        self._pairs.restore(state)

    def open(self, row: dict[str, Any], last_step: Callable[[], int], batch: Batch) -> dict[str, Any] | None:
        """Put what an envelope says into `batch`; return the row of metrics in it, None where it holds none.

        Raises `ValueError` with the reason where it cannot be read.
        """
        payload, event = row["payload"], row["event"]
        if type(payload) is not dict or not isinstance(event, str):
            raise ValueError("an envelope without an event or a payload object")
        if event == "system" and _sampled(payload, last_step, row, batch):
            return None
        if event != "step":
            mark(event, payload, row, batch)
            batch.heard = _later(batch.heard, _wall(row))
        handler = self._handlers.get(event)
        if handler is not None:
            handler(payload, _wall(row), batch)
            if event in STAGES:
                batch.facts.append(Fact("stage", {"event": event, "ts": _wall(row), **payload}, wall=_wall(row)))
        if handler is not None or event in STARTS or event in ENDS:
            return None
        outer = {key: value for key, value in row.items() if key not in _KEYS}
        if event in _PREFIXED:
            payload = {key if key in aliases.STEP_KEYS else f"{event}_{key}": v for key, v in payload.items()}
        elif event != "step" and not any(key in payload for key in aliases.STEP_KEYS):
            inner = {f"{event}/{key}": value for key, value in payload.items()}
            payload = {"step": last_step(), **inner}
        return {**outer, **payload}

    def _table(self, payload: dict[str, Any], wall: float, batch: Batch) -> None:
        del wall
        table = self._pairs.table(payload)
        if table is not None:
            batch.layers.append(table)

    def _look(self, payload: dict[str, Any], wall: float, batch: Batch) -> None:
        step = _step(payload)
        if step is None:
            raise ValueError("a look at adapter pairs without a step")
        batch.layers.append(self._pairs.row(payload, step, wall)[1])


def _sampled(payload: dict[str, Any], last_step: Callable[[], int], row: dict[str, Any], batch: Batch) -> bool:
    """Put a sample of the machine into `batch`; False where an event of that name holds none."""
    step = _step(payload)
    sample = read_sample(payload, last_step() if step is None else step, _wall(row))
    if sample is not None:
        batch.system.append(sample)
    return sample is not None


def _later(one: float, other: float) -> float:
    return one if other != other or one > other else other


def _step(payload: dict[str, Any]) -> int | None:
    return next((step for key in aliases.STEP_KEYS if (step := step_of(payload.get(key))) is not None), None)


def _patterns(payload: dict[str, Any], wall: float, batch: Batch) -> None:
    found = patterns_of(payload)
    if found is None:
        raise ValueError("a pattern heatmap whose tables do not fit its patterns and lengths")
    batch.facts.append(Fact("patterns", found, _step(payload), wall))


def _checkpoint(payload: dict[str, Any], wall: float, batch: Batch) -> None:
    step = _step(payload)
    if step is not None:
        batch.facts.append(Fact("checkpoint", visible(str(payload.get("path", "")), 500), step, wall))


def _dropped(payload: dict[str, Any], wall: float, batch: Batch) -> None:
    del wall
    count = step_of(payload.get("rows"))
    if count:
        batch.facts.append(Fact("config", {"telemetry": f"{count} rows were dropped by the producer"}))


def _nothing(payload: dict[str, Any], wall: float, batch: Batch) -> None:
    """Let an event pass that is told elsewhere: alerts are judged by the console itself."""


def patterns_of(found: Any) -> dict[str, Any] | None:
    """Return accuracy by pattern and length as the contract has it, from it or from a mapping of mappings of counts."""
    if not isinstance(found, dict) or not found:
        return None
    if "patterns" in found and "lengths" in found:
        patterns, lengths = found["patterns"], found["lengths"]
        tables = [found.get("correct"), found.get("n")]
    else:
        cells = {p: row for p, row in found.items() if isinstance(row, dict)}
        patterns = list(cells)
        lengths = list(dict.fromkeys(length for row in cells.values() for length in row))
        tables = [[[_count(row.get(x), keys) for x in lengths] for row in cells.values()] for keys in _COUNTS]
    if not isinstance(patterns, list) or not isinstance(lengths, list) or not patterns or not lengths:
        return None
    read = [_matrix(table, len(patterns), len(lengths)) for table in tables]
    if read[0] is None or read[1] is None:
        return None
    names = [[visible(str(name), 80) for name in axis] for axis in (patterns, lengths)]
    return {
        "step": step_of(found.get("step")),
        "patterns": names[0],
        "lengths": names[1],
        "correct": read[0],
        "n": read[1],
    }


_COUNTS: Final = (("correct", "hits"), ("n", "total", "count"))


def _count(cell: Any, keys: tuple[str, ...]) -> int | None:
    if not isinstance(cell, dict):
        return 0 if cell is None else None
    return next((count for key in keys if (count := step_of(cell.get(key))) is not None), None)


def _matrix(table: Any, rows: int, columns: int) -> list[list[int]] | None:
    """Return a table of counts, None where it is not one of `rows` × `columns`."""
    if not isinstance(table, list) or len(table) != rows:
        return None
    read: list[list[int]] = []
    for row in table:
        if not isinstance(row, list) or len(row) != columns:
            return None
        cells = [step_of(cell) for cell in row]
        if any(cell is None for cell in cells):
            return None
        read.append([cell or 0 for cell in cells])
    return read


def mark(event: Any, payload: dict[str, Any], row: dict[str, Any], batch: Batch) -> None:
    """Turn an event of a run's life into facts."""
    if not isinstance(event, str):
        return
    wall = _wall(row)
    if event in STARTS:
        _start(event, payload, wall, batch)
    elif event in ENDS:
        _end(event, payload, wall, batch)
    elif event == "gpu_fallback":
        why = "; ".join(str(value) for value in payload.values() if isinstance(value, str))
        batch.facts.append(Fact("config", {"gpu_fallback": visible(why or "yes")}))


def _start(event: str, payload: dict[str, Any], wall: float, batch: Batch) -> None:
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
    pid, host = step_of(flat.get("pid")), flat.get("host")
    if pid:
        batch.facts.append(Fact("pid", pid))
    if isinstance(host, str) and host:
        batch.facts.append(Fact("host", visible(host, 100)))
    config(flat, batch)


def _end(event: str, payload: dict[str, Any], wall: float, batch: Batch) -> None:
    """Tell an end from a crash where the producer does."""
    status = payload.get("status")
    if status in ("crashed", "interrupted", "failed"):
        error = payload.get("error")
        text = visible(error, 500) if isinstance(error, str) and error else f"{event}: {status}"
        kind = classify(text) or ("killed" if status == "interrupted" else "traceback")
        batch.facts.append(Fact("error", text, _step(payload), wall, detail=kind))
    else:
        batch.facts.append(Fact("finished", event, wall=wall))


def config(flat: dict[str, Any], batch: Batch, *, words_only: bool = False) -> None:
    """Keep the settings in a flat object as a fact, or only its words."""
    axes = {*aliases.TIME_KEYS, *aliases.RANK_KEYS, *aliases.ETA_KEYS, *aliases.CHECKPOINT_KEYS, "event", "type"}
    axes |= {"elapsed_time", "elapsed"}
    settings = {
        visible(key, 100): visible(str(value))
        for key, value in flat.items()
        if key not in axes
        and (
            (isinstance(value, str) and number(value) is None)
            or (not words_only and isinstance(value, int | float | bool | str))
        )
    }
    if settings:
        batch.facts.append(Fact("config", dict(list(settings.items())[:MAX_CONFIG])))


def _wall(row: dict[str, Any]) -> float:
    return next((wall for key in aliases.TIME_KEYS if (wall := wall_of(row.get(key))) is not None), NO_TIME)
