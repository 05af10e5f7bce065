"""An evaluation of a model on a versioned set: schema `mens-eval/1`. Scores stand by the gate's metric ids.

Scores of different versions of a set are never compared: the version is a tag of each.
"""

from __future__ import annotations

import math
from typing import Any, Final

from mens_console.gate.metrics import METRICS
from mens_console.gate.readers.numbers import at, count, number, pointer
from mens_console.gate.readers.roles import ROLES
from mens_console.gate.readers.sheet import Sheet

SCHEMA: Final = "mens-eval/1"
_ROLES: Final = (*ROLES, "candidate", "shipped")
_NOT_NEEDED: Final = frozenset(
    {"weighted_score", "quantization_drop", "regression", "stability", "sim_pass", "type_check"}
)
"""Scores that no bucket holds, and those that are optional in theirs."""
_WEIGHTS: Final = {"tool_use": 0.45, "style": 0.45, "guardrail": 0.10}
_ROUNDED: Final = 0.05
"""Points by which a weighted score may differ from its buckets: both are written to a tenth, or finer."""


def claims(document: Any) -> bool:
    """Whether it is an evaluation."""
    return bool(at(document, "schema") == SCHEMA)


def read(document: dict[str, Any], sheet: Sheet) -> None:
    """Read every score; one without a value keeps its reason."""
    sheet.taken(document.get("at"))
    name, version = at(document, "eval_set", "name"), at(document, "eval_set", "version")
    trouble = ""
    if isinstance(version, str) and version:
        sheet.tag("eval_set", f"{name} {version}" if isinstance(name, str) and name else version)
    else:
        trouble = "it does not say which version of its set it is of"
    sheet.tag("model", at(document, "model", "id"))
    role = document.get("role")
    if isinstance(role, str) and role in _ROLES:
        sheet.tag("role", role)
    elif role not in {None, ""}:
        trouble = trouble or f"its role {str(role)[:40]!r} is none of {', '.join(_ROLES)}"
    scores = document.get("scores")
    if not isinstance(scores, list) or not scores:
        sheet.problem = "it holds no score"
        return
    broken = [place for place, one in enumerate(scores) if not isinstance(at(one, "metric"), str)]
    if broken:
        sheet.problem = f"/scores/{broken[0]} does not say which metric it is of"
        return
    whole = trouble or _hollow(document, scores)
    for place, score in enumerate(scores):
        weighted = score.get("metric") == "weighted_score"
        _score(score, pointer("scores", place), sheet, whole if weighted else trouble)


def _hollow(document: dict[str, Any], scores: list[dict[str, Any]]) -> str:
    """Say why a weighted score cannot be what the document tells, "" where nothing in it speaks against that."""
    needed = [one for one in scores if one.get("required") is not False and one["metric"] not in _NOT_NEEDED]
    lacking = [one["metric"] for one in needed if one["metric"] in METRICS and not _usable(one)]
    if lacking:
        return f"there is no weighted score without {', '.join(lacking)}, and nothing missing is averaged away"
    buckets = document.get("buckets")
    if not isinstance(buckets, dict) or not buckets:
        return ""
    weights = {name: number(at(one, "weight")) for name, one in buckets.items()}
    if weights != _WEIGHTS:
        told, due = (", ".join(f"{name} {one:g}" for name, one in each.items()) for each in (weights, _WEIGHTS))
        return f"its buckets weigh {told}; they are {due}"
    sides = [(number(one.get("value")), weights[name]) for name, one in buckets.items()]
    total = math.fsum(value * weight for value, weight in sides)
    if not math.isfinite(total):
        return "there is no weighted score without all of its buckets"
    given = [number(one.get("value")) * (100 if one.get("unit") == "share" else 1)
             for one in scores if one.get("metric") == "weighted_score"]  # fmt: skip
    if any(abs(one - total) > _ROUNDED for one in given if math.isfinite(one)):
        return f"it says a weighted score of {given[0]:g} %, and its buckets come to {total:.4g} %"
    return ""


def _usable(score: dict[str, Any]) -> bool:
    value = number(score.get("value"))
    return math.isfinite(value) and value >= 0


def _score(score: dict[str, Any], place: str, sheet: Sheet, trouble: str) -> None:
    metric = score.get("metric")
    if not isinstance(metric, str) or metric not in METRICS:
        sheet.note(f"the gate knows no metric {str(metric)[:60]!r}")
        return
    if score.get("value") is None:
        trouble = trouble or str(score.get("reason") or "it has no value")
    n, successes = count(score.get("n")), count(score.get("successes"))
    value = number(score.get("value"))
    if METRICS[metric].statistic == "share" and n and successes is not None and math.isfinite(value):
        percent = value * (100 if score.get("unit") == "share" else 1)
        if abs(percent - 100 * successes / n) > 0.01:
            trouble = trouble or f"it says {percent:g} %, and {successes} of {n}"
    low, high = number(at(score, "interval", 0)), number(at(score, "interval", 1))
    samples = [number(one) for one in score.get("samples") or []] if isinstance(score.get("samples"), list) else []
    if any(not math.isfinite(one) for one in samples):
        trouble = trouble or "a sample of it is no number"
    sheet.add(metric, score.get("value"), str(score.get("unit") or ""), f"{place}/value", n=n, successes=successes,
              samples=samples, interval=(low, high) if math.isfinite(low) and math.isfinite(high) else None,
              trouble=trouble, note=str(score.get("reason") or ""))  # fmt: skip
