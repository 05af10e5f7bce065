"""One evaluation: predictions against gold, reports of style tools, and older evaluations, made into all results."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mens_console.evaluation.compare import Older
from mens_console.evaluation.gold import Gold, read_gold
from mens_console.evaluation.guardrail import guardrail, stability
from mens_console.evaluation.metrics import METRICS, Bucket
from mens_console.evaluation.predictions import read_predictions
from mens_console.evaluation.rows import Source, UnreadableError, parse, read_bytes
from mens_console.evaluation.score import UNDERFED, Result, buckets, weighted
from mens_console.evaluation.style import style
from mens_console.evaluation.tools import tool_use
from mens_console.ingest.text import safe_text
from mens_console.signals.byvalue import ByValue


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be evaluated. `facts` of the model go before those that the predictions tell."""

    predictions: Path
    gold: Path
    style: Path | None = None
    against: Path | None = None
    before: Path | None = None
    tools: Path | None = None
    eval_set: str = ""
    role: str | None = None
    """What it is compared as; None for a candidate, or a quantized model where it names what it was before."""
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evaluated(ByValue):
    """The outcome. `results` are in the order of `METRICS`; `at` is in seconds since the epoch."""

    gold: Gold
    model: dict[str, str]
    role: str
    at: float
    results: tuple[Result, ...]
    scores: dict[Bucket, float]
    sources: tuple[Source, ...]
    notes: tuple[str, ...]
    tokens_per_s: float = math.nan
    shipped: Older | None = None
    before: Older | None = None

    @property
    def good(self) -> bool:
        """Whether every required target is met."""
        return not any(one.blocks for one in self.results)

    @property
    def verdict(self) -> str:
        """What it comes to in a word: `met`, `missed`, or `UNDERFED` where nothing is missed but something lacks."""
        blocking = {one.verdict for one in self.results if one.blocks}
        return "missed" if "missed" in blocking else UNDERFED if blocking else "met"


def evaluate(request: Request, now: float) -> Evaluated:
    """Evaluate. Raises `UnreadableError` for what cannot be read, is no set, or is of another version."""
    tools = _tools(request.tools) if request.tools is not None else None
    gold = read_gold(request.gold, named=request.eval_set, tools=tools)
    shipped = Older(request.against, gold, shipped=True) if request.against else None
    before = Older(request.before, gold, shipped=False) if request.before else None
    predictions = read_predictions(request.predictions, gold)
    reports = style(request.style)
    found, notes = tool_use(gold, predictions)
    more, said = guardrail(gold, predictions)
    results = {one.metric: one for one in (*found, *reports.results, *more, stability(gold, predictions))}
    scores = buckets(results)
    overall = results["weighted_score"] = weighted(scores, results)
    if before is not None:
        results["quantization_drop"] = before.lost("quantization_drop", overall)
    if shipped is not None:
        results["regression"] = shipped.lost("regression", overall)
    older = [one.source for one in (shipped, before) if one is not None]
    return Evaluated(
        gold=gold,
        model={"id": request.predictions.stem, **predictions.model, **request.facts},
        role=request.role or ("quantized" if before is not None else "candidate"),
        at=now,
        results=tuple(results[name] for name in METRICS if name in results),
        scores=scores,
        sources=(predictions.source, gold.source, *reports.sources, *older),
        notes=(*predictions.notes, *notes, *said, *reports.notes),
        tokens_per_s=predictions.tokens_per_s,
        shipped=shipped,
        before=before,
    )


def _tools(path: Path) -> Any:
    try:
        return parse(read_bytes(path).decode("utf-8-sig"))
    except ValueError as error:
        raise UnreadableError(
            f"{safe_text(str(path))}: it is no JSON ({safe_text(str(error), 100)}); give a schema by tool"
        ) from None
