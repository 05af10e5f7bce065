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
    for place, score in enumerate(scores):
        if isinstance(score, dict):
            _score(score, pointer("scores", place), sheet, trouble)


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
