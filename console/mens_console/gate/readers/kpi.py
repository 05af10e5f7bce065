"""Product KPIs, as `mens-console kpi --json` prints them: schema `mens-kpi/1`. One tag a model."""

from __future__ import annotations

import math
from typing import Any, Final

from mens_console.gate.metrics import METRICS
from mens_console.gate.readers.numbers import at, count, number, pointer, whole
from mens_console.gate.readers.sheet import Sheet

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
        for index, value in enumerate(values if isinstance(values, list) else ()):
            if isinstance(value, dict):
                _value(value, name if isinstance(name, str) else "", pointer("models", place, "values", index), sheet)
    problems = document.get("problems")
    for problem in problems if isinstance(problems, list) else ():
        sheet.note(f"the report says: {problem}")


def _value(value: dict[str, Any], model: str, place: str, sheet: Sheet) -> None:
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
              tags={"model": model} if model else None, note=reason, trouble=trouble)  # fmt: skip
