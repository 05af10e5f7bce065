"""A status document that its writer overwrites in place: the newest values, sampled each time it changed.

Two producers' shapes: `training_status.json` with its loss history, and the smaller `{step, max_steps, logs}`. The
samples of a document add up to series, so no batch says `replace`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from mens_console.ingest import aliases
from mens_console.ingest.formats.envelope import patterns_of
from mens_console.ingest.formats.jsontext import parse
from mens_console.ingest.formats.logscan import classify
from mens_console.ingest.formats.pairs import from_layers
from mens_console.ingest.formats.rows import Rows
from mens_console.ingest.formats.trainer_state import torn_document
from mens_console.ingest.formats.values import number, seconds_of, step_of, visible, wall_of
from mens_console.ingest.records import BadLine, Batch, Fact

if TYPE_CHECKING:
    from mens_console.signals.pairs import PairTable

_PHASES: Final = {"training": "training", "evaluating": "evaluating", "saving": "saving"}
_STATUS: Final = re.compile(rb'"status"\s*:\s*"(idle|training|evaluating|saving|crashed|interrupted|completed)"')
_CURRENT: Final = re.compile(rb'"current_step"\s*:')
_BROKEN: Final = {"crashed", "interrupted"}
_SMALL: Final = {"step", "max_steps", "logs"}
EVALUATION: Final = re.compile(r"(?:^|[_/])(?:eval|val|valid|validation|test)[_/]")
"""Figures that stand in the document until the next evaluation: one point each, not one a step."""
_NOT_SERIES: Final = {"pid", "schema_version", "version"}


def claims(name: str, head: bytes) -> bool:
    """Say whether `head` is a status document; a file of lines never is, even while it has a single one."""
    start = head.lstrip()
    if not start.startswith(b"{") or name.lower().endswith((".jsonl", ".ndjson")):
        return False
    try:
        document = parse(head)
    except ValueError:
        # Too long for the head, or torn: the writer's own keys must be in sight, and it must not be one row of many.
        is_lines = b"}\n{" in head.replace(b"\r", b"")
        return not is_lines and bool(_CURRENT.search(head)) and bool(_STATUS.search(head))
    if not isinstance(document, dict):
        return False
    if isinstance(document.get("logs"), dict) and document.keys() >= _SMALL:
        return True
    return "current_step" in document and (
        document.get("status") in {*_PHASES, *_BROKEN, "idle", "completed"} or "train_loss_history" in document
    )


class TrainingStatusDecoder:
    """Samples whole documents; remembers what it already said."""

    def __init__(self) -> None:
        self._rows = Rows()
        self._history_step = -1
        self._history_names: set[str] = set()
        """What rows of the history carry, and need not be sampled at a step that they reached."""
        self._sampled_step: int | None = None
        self._sampled: dict[str, Any] = {}
        self._status: str | None = None
        self._said: dict[str, Any] = {}
        self._table: PairTable | None = None

    def feed(self, data: bytes, at: float, *, final: bool = False) -> tuple[int, Batch]:
        """Sample the document; while it is torn, say nothing and consume nothing."""
        try:
            document = parse(data)
        except ValueError as error:
            return torn_document(data, error, final=final)
        batch = Batch()
        if not isinstance(document, dict):
            return len(data), batch
        self._rows.begin(batch, at)
        wall = next((wall for key in aliases.TIME_KEYS if (wall := wall_of(document.get(key))) is not None), at)
        self._points(document, wall, batch)
        self._facts(document, wall, batch)
        self._rows.finish()
        return len(data), batch

    def _points(self, document: dict[str, Any], wall: float, batch: Batch) -> None:
        def bad(index: int, reason: str) -> None:
            del index
            batch.bad_rows += 1
            batch.bad.append(BadLine(1, 0, reason, ""))

        step = next((step for key in aliases.STEP_KEYS if (step := step_of(document.get(key))) is not None), None)
        if step is not None and self._sampled_step is not None and step < self._sampled_step:
            self._history_step = -1
        history = document.get("train_loss_history")
        for row in history if isinstance(history, list) else ():
            self._history_row(row, bad)
        if step is None:
            return
        sample = _sample(document)
        if step <= self._history_step:
            told = {"loss", *self._history_names}
            sample = {key: value for key, value in sample.items() if aliases.canonical(key) not in told}
        if step != self._sampled_step:
            look = from_layers(document.get("lora_stats"), step, wall)
            if look is not None:
                if look[0] != self._table:
                    self._table = look[0]
                    batch.layers.append(look[0])
                batch.layers.append(look[1])
        moved = step != self._sampled_step
        fresh = {
            key: value
            for key, value in sample.items()
            if self._sampled.get(key) != value or (moved and not EVALUATION.search(key))
        }
        self._sampled_step, self._sampled = step, sample
        if fresh:
            row = {"step": step, "ts": wall, **fresh}
            self._rows.add(tuple(row), [[value] for value in row.values()], bad)

    def _history_row(self, row: Any, bad: Any) -> None:
        if not isinstance(row, dict):
            return
        step = step_of(row.get("step"))
        if step is None or step <= self._history_step:
            return
        self._history_step = step
        self._history_names.update(map(aliases.canonical, row))
        self._rows.add(tuple(row), [[value] for value in row.values()], bad)

    def _facts(self, document: dict[str, Any], wall: float, batch: Batch) -> None:
        step = self._sampled_step
        batch.facts.append(Fact("status", document, step, wall))
        patterns = patterns_of(document.get("pattern_heatmap"))
        if patterns is not None:
            batch.facts.append(Fact("patterns", patterns, step, wall))
        total = next((total for key in aliases.TOTAL_STEPS_KEYS if (total := step_of(document.get(key)))), None)
        epochs = next((epochs for key in aliases.TOTAL_EPOCHS_KEYS if (epochs := number(document.get(key)))), None)
        for kind, value in (("total_steps", total), ("total_epochs", epochs), ("pid", step_of(document.get("pid")))):
            if value is not None and self._said.get(kind) != value:
                self._said[kind] = value
                batch.facts.append(Fact(kind, value))
        left = next((left for key in aliases.ETA_KEYS if (left := seconds_of(document.get(key))) is not None), None)
        if left is not None:
            batch.facts.append(Fact("eta_s", left, step, wall))
        self._life(document, step, wall, batch)

    def _life(self, document: dict[str, Any], step: int | None, wall: float, batch: Batch) -> None:
        """Say what became of the run when its status changed."""
        status = document.get("status")
        if not isinstance(status, str) or status == self._status:
            return
        before, self._status = self._status, status
        if status in _PHASES:
            if before not in {*_PHASES}:
                batch.facts.append(Fact("started", f"status {status}", step, wall))
            batch.facts.append(Fact("phase", _PHASES[status], step, wall))
        elif status == "completed":
            batch.facts.append(Fact("finished", "status completed", step, wall))
        elif status in _BROKEN:
            kind = document.get("error_type")
            message = document.get("error_message")
            words = [visible(word, 500) for word in (kind, message) if isinstance(word, str) and word]
            text = ": ".join(words) or f"status {status}"
            detail = classify(text) or ("traceback" if status == "crashed" else "killed")
            batch.facts.append(Fact("error", text, step, wall, detail=detail))
        elif status == "idle":
            batch.facts.append(Fact("phase", "idle", step, wall))


def _sample(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document's own numbers: top level, and the `logs` of the small shape; whole structures stay facts."""
    axes = {
        *aliases.STEP_KEYS,
        *aliases.TIME_KEYS,
        *aliases.TOTAL_STEPS_KEYS,
        *aliases.TOTAL_EPOCHS_KEYS,
        *aliases.ETA_KEYS,
        *_NOT_SERIES,
    }
    logs = document.get("logs")
    flat = {**document, **(logs if isinstance(logs, dict) else {})}
    is_training = document.get("status") == "training"
    return {
        key: value
        for key, value in flat.items()
        if key not in axes
        and (number(value) is not None or (value is None and is_training and key in {"loss", "grad_norm"}))
    }
