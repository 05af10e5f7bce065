"""Product KPIs, as `mens-console kpi --json` prints them: schema `mens-kpi/1`. One tag a model."""

from __future__ import annotations

import math
from typing import Any, Final

from mens_console.gate.metrics import METRICS
from mens_console.gate.readers.numbers import at, count, number, pointer, tidy, whole
from mens_console.gate.readers.roles import BASELINE
from mens_console.gate.readers.sheet import Sheet
from mens_console.gate.readers.units import factor
from mens_console.gate.types import Paired

SCHEMA: Final = "mens-kpi/1"
_OTHER_NAMES: Final = {"time_to_first_valid_ms": "time_to_first_valid"}


def claims(document: Any) -> bool:
    """Whether it is a report on KPIs."""
    return bool(at(document, "schema") == SCHEMA)


def read(document: dict[str, Any], sheet: Sheet) -> None:
    """Read every figure of every model that is a metric of the gate."""
    sheet.taken(document.get("generated_at"))
    models = document.get("models")
    if not isinstance(models, list) or not models:
        sheet.problem = "it holds no model"
        return
    for place, model in enumerate(models):
        values = at(model, "values")
        name = at(model, "model")
        name = name if isinstance(name, str) else ""
        for index, value in enumerate(values if isinstance(values, list) else ()):
            if isinstance(value, dict):
                paired = _paired(document.get("comparison"), name, value)
                _value(value, _tags(document, name), pointer("models", place, "values", index), sheet, paired)
    problems = document.get("problems")
    for problem in problems if isinstance(problems, list) else ():
        sheet.note(f"the report says: {problem}")


def _paired(comparison: Any, model: str, value: dict[str, Any]) -> Paired | None:
    """Return what the report says of a value against its base model's, where all tasks of both were paired."""
    deltas, base = at(comparison, "deltas"), at(comparison, "base")
    if not model or at(comparison, "other") != model or not isinstance(base, str) or not isinstance(deltas, list):
        return None
    delta = next((one for one in deltas if at(one, "id") == value.get("id")), None)
    told = str(value.get("id"))
    metric = METRICS.get(_OTHER_NAMES.get(told, told))
    times = factor(str(value.get("unit") or ""), metric.unit) if metric is not None else None
    n, figures = count(at(delta, "n")), [number(at(delta, name)) for name in ("base", "other")]
    ends = [number(at(delta, "interval", side)) for side in (0, 1)]
    if at(delta, "paired") is not True or n is None or times is None or not all(map(math.isfinite, (*figures, *ends))):
        return None
    (before, after), (low, high) = figures, ends
    if n != count(value.get("n")) or after != number(value.get("value")) or not low <= after - before <= high:
        return None
    return Paired(base, tidy(before * times), n, (tidy(low * times), tidy(high * times)))


def _tags(document: dict[str, Any], model: str) -> dict[str, str]:
    """Return the tags of a model's values; the one that another is compared with is there for that alone."""
    comparison = document.get("comparison")
    base, other = at(comparison, "base"), at(comparison, "other")
    role = {"role": BASELINE} if model and model == base != other else {}
    return {"model": model, **role} if model else {}


def _value(value: dict[str, Any], tags: dict[str, str], place: str, sheet: Sheet, paired: Paired | None) -> None:
    told = str(value.get("id", ""))
    metric = _OTHER_NAMES.get(told, told)
    if metric not in METRICS:
        return
    reason = str(value.get("reason") or "")
    trouble = ""
    if value.get("value") is None:
        trouble = reason or "nothing feeds it"
    elif METRICS[metric].tier == 1 and value.get("decides", True) is not True:
        trouble = reason or "its evidence may not decide"
    n, unit = count(value.get("n")), str(value.get("unit") or METRICS[metric].unit)
    share = number(value.get("value")) if METRICS[metric].statistic == "share" and unit == "share" else math.nan
    successes = whole(share, n) if math.isfinite(share) else None
    low, high = number(at(value, "interval", 0)), number(at(value, "interval", 1))
    sheet.add(metric, value.get("value"), unit, f"{place}/value", n=n, successes=successes,
              interval=(low, high) if math.isfinite(low) and math.isfinite(high) else None,
              tags=tags, note=reason, trouble=trouble, paired=paired)  # fmt: skip
