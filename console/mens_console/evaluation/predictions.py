"""The answers of a model: one row an item, its text as the model gave it, and whether it crashed."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mens_console.evaluation.gold import Gold
from mens_console.evaluation.rows import Row, Source, UnreadableError, first, read_rows
from mens_console.ingest.text import safe_text
from mens_console.signals.byvalue import ByValue

_OUTPUTS: Final = ("output", "response", "prediction", "completion", "generation", "answer", "text", "content")
_FACTS: Final = ("id", "base", "adapter", "revision", "quantization", "dataset_version")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `value` is what a producer had parsed already (None: `text` is the answer).

    `complied` is a person's flag, None where nobody set it; `missing` says that there is no row of it at all.
    """

    text: str = ""
    value: Any = None
    crashed: bool = False
    complied: bool | None = None
    missing: bool = False

    @property
    def valid(self) -> bool:
        """Whether something was answered, without a crash."""
        return not self.missing and not self.crashed and (self.value is not None or bool(self.text.strip()))


@dataclass(frozen=True, slots=True)
class Predictions(ByValue):
    """All answers by item, what is told of the model, and what is to be said of the file."""

    source: Source
    answers: dict[str, Answer]
    model: dict[str, str]
    tokens_per_s: float = math.nan
    notes: list[str] = field(default_factory=list)


def read_predictions(path: Path, gold: Gold) -> Predictions:
    """Read the answers to a set. Raises `UnreadableError`."""
    rows, source = read_rows(path)
    shown = safe_text(str(path))
    header = rows[0].data if not rows[0].id and _speaks_of_the_model(rows[0].data) else {}
    body = rows[1:] if header else rows
    names = _names(body, gold, shown)
    notes = [] if any(row.id for row in body) else ["no row has an id: answers are paired with gold by their order"]
    known = {item.id for item in gold.items}
    answers: dict[str, Answer] = {}
    lines: dict[str, int] = {}
    for name, row in zip(names, body, strict=True):
        if name in lines:
            raise UnreadableError(
                f"{shown}, line {row.line}: {safe_text(name, 60)!r} is answered on line {lines[name]} too; keep one"
            )
        lines[name] = row.line
        if name in known:
            answers[name] = _answer(row, f"{shown}, line {row.line}")
    if not answers:
        raise UnreadableError(f"{shown}: none of its ids is in the set {gold.name} {gold.version}; give its own --gold")
    if others := len(body) - len(answers):
        notes.append(f"{others} answers are of no item of the set, and left out")
    if gone := len(known) - len(answers):
        notes.append(f"{gone} of {len(known)} items have no answer: each counts against the model")
    answers.update({name: Answer(missing=True) for name in known - answers.keys()})
    return Predictions(source, answers, _model(header, body, shown), _speed(body), notes)


def _speaks_of_the_model(data: dict[str, Any]) -> bool:
    return "model" in data and not any(name in data for name in (*_OUTPUTS, "tool_calls", "error"))


def _names(body: Sequence[Row], gold: Gold, shown: str) -> list[str]:
    """Return the id of each row; by order where neither file has any, and as many rows."""
    without = [row for row in body if not row.id]
    if not without:
        return [row.id for row in body]
    by_order = all(item.id == f"#{place}" for place, item in enumerate(gold.items, 1))
    if len(without) == len(body) == len(gold.items) and by_order:
        return [item.id for item in gold.items]
    raise UnreadableError(f"{shown}, line {without[0].line}: it has no id; give each row the id of its gold item")


def _answer(row: Row, where: str) -> Answer:
    data = row.data
    crashed = bool(data.get("error")) or data.get("crashed") is True
    complied = data.get("complied") if isinstance(data.get("complied"), bool) else None
    named = next((name for name in (*_OUTPUTS, "tool_calls") if name in data), None)
    if named is None:
        if crashed:
            return Answer(crashed=True, complied=complied)
        raise UnreadableError(f'{where}: it holds no answer; add "output": "…" (null where the model gave none)')
    value = data[named]
    if value is None or isinstance(value, str):
        return Answer(value or "", None, crashed, complied)
    if isinstance(value, dict | list):
        return Answer("", value, crashed, complied)
    return Answer(json.dumps(value), None, crashed, complied)


def _model(header: dict[str, Any], body: Sequence[Row], shown: str) -> dict[str, str]:
    """Return what is told of the model, by the first line or by every row."""
    model = header.get("model")
    model = model if isinstance(model, dict) else {"id": model}
    told = {key: str(value) for key in _FACTS if isinstance(value := model.get(key), str | int)}
    for key in ("base_model", "dataset_version"):
        if isinstance(value := header.get(key), str | int):
            told.setdefault("base" if key == "base_model" else key, str(value))
    names = {str(row.data["model"]): row.line for row in reversed(body) if isinstance(row.data.get("model"), str)}
    if len(names) > 1:
        (one, first_line), (other, line) = sorted(names.items(), key=lambda pair: pair[1])[:2]
        raise UnreadableError(
            f"{shown}, line {line}: it is of {safe_text(other, 40)!r}, line {first_line} of {safe_text(one, 40)!r}; "
            "evaluate each model alone"
        )
    for name in names:
        told.setdefault("id", name)
    return {key: safe_text(value, 120) for key, value in told.items()}


def _speed(body: Sequence[Row]) -> float:
    """Return generated tokens a second over all rows that tell both; NaN where none does. Tracked, never judged."""
    tokens = seconds = 0.0
    for row in body:
        count, took = row.data.get("output_tokens"), first(row.data, ("seconds", "duration_s"))
        if took is None and _positive(row.data.get("latency_ms")):
            took = row.data["latency_ms"] / 1000
        if _positive(count) and _positive(took):
            tokens, seconds = tokens + float(count or 0), seconds + float(took or 0)
    return tokens / seconds if seconds else math.nan


def _positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e15
