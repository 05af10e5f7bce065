"""Generation health, as `mens-console health --json` prints it: schema `mens-health/1`.

The newest whole batch of each run is judged, for that is what S1's bands are about; drift is judged over all batches of
a run.
"""

from __future__ import annotations

import math
from typing import Any, Final

from mens_console.gate.readers.numbers import at, count, number, pointer
from mens_console.gate.readers.sheet import Sheet

SCHEMA: Final = "mens-health/1"
_BANDS: Final = (
    ("repair_rate", "health_repair_rate", "share"),
    ("repair_rate_trend", "health_repair_trend", "points/batch"),
    ("opening_entropy", "health_opening_entropy", "nats"),
    ("pollyanna", "health_pollyanna", "score"),
    ("anchor_diversity", "health_anchor_diversity", "anchors/attempt"),
    ("mean_latency", "health_latency_change", "share"),
)
"""Band, metric, and the unit in which the band's value stands where it says none."""
_UNITS: Final = {"pp/batch": "points/batch", "ratio": "anchors/attempt", "of baseline": "share"}
"""Units as bands tell them; a latency is told as its excess over the baseline, 0.2 for 20 % more."""


def claims(document: Any) -> bool:
    """Whether it is a report on health."""
    return bool(at(document, "schema") == SCHEMA)


def read(document: dict[str, Any], sheet: Sheet) -> None:
    """Read the bands of each run's newest whole batch, and its drift."""
    sheet.taken(document.get("generated_at"))
    batches = document.get("batches")
    if not isinstance(batches, list) or not batches:
        sheet.problem = "it holds no batch"
        return
    broken = [place for place, one in enumerate(batches) if not _whole(one)]
    if broken:
        sheet.problem = f"/batches/{broken[0]} does not say which batch of which run it is: the newest is not known"
        return
    found: list[tuple[int, dict[str, Any]]] = list(enumerate(batches))
    damaged = _damage(document)
    for run, place, batch in _newest(found):
        _bands(batch, run, place, sheet, damaged)
    _drift(document, sheet, damaged)


def _whole(batch: Any) -> bool:
    """Say whether a batch tells its place: its run, its number, and whether it is whole, as far as these are there."""
    run, complete = at(batch, "run_id"), at(batch, "complete")
    return (
        isinstance(batch, dict)
        and (run is None or isinstance(run, str))
        and (complete is None or isinstance(complete, bool))
        and math.isfinite(number(batch.get("index")))
    )


def _newest(batches: list[tuple[int, dict[str, Any]]]) -> list[tuple[str, int, dict[str, Any]]]:
    """Return each run's newest whole batch, or its newest where none is whole."""
    best: dict[str, tuple[bool, float, int, dict[str, Any]]] = {}
    for place, batch in batches:
        run = str(batch.get("run_id") or "")
        rank = (batch.get("complete") is not False, number(batch.get("index")))
        if run not in best or rank > best[run][:2]:
            best[run] = (*rank, place, batch)
    return [(run, place, batch) for run, (_, _, place, batch) in sorted(best.items())]


def _damage(document: dict[str, Any]) -> str:
    """Say which of its logs could not be read to the end."""
    sources = document.get("sources")
    for source in sources if isinstance(sources, list) else ():
        if at(source, "problem"):
            return f"a log of it could not be read to its end: {at(source, 'problem')}"
    return ""


def _bands(batch: dict[str, Any], run: str, place: int, sheet: Sheet, damaged: str) -> None:
    """Add every band's value with the report's own interval: a rate that is undecided there must not pass here."""
    tags = {"run": run} if run else {}
    for name, metric, unit in _BANDS:
        band = at(batch, "bands", name)
        value, n = number(at(band, "value")), count(at(band, "n"))
        word, reason = str(at(band, "band") or "nodata"), str(at(band, "reason") or "")
        unit = _unit(band, unit)
        trouble = damaged or (reason or "it could not be said" if word == "nodata" else "")
        low, high = number(at(band, "interval", 0)), number(at(band, "interval", 1))
        sheet.add(metric, value, unit, f"{pointer('batches', place, 'bands', name)}/value", n=n,
                  interval=(low, high) if math.isfinite(low) and math.isfinite(high) else None,
                  tags=tags, trouble=trouble, note=f"{word}: {reason}" if reason else word)  # fmt: skip


def _unit(band: Any, usual: str) -> str:
    """Return the unit that a band's value is in; a word that no table knows stays, and is a problem."""
    told = at(band, "unit")
    return usual if told in {None, "", usual} else _UNITS.get(str(told), str(told))


def _drift(document: dict[str, Any], sheet: Sheet, damaged: str) -> None:
    """Add how many reasons for drift each run has."""
    runs = document.get("runs")
    tiers: list[tuple[str, Any]] = [
        (pointer("runs", place), one) for place, one in enumerate(runs if isinstance(runs, list) else ())
    ] or [("/tier", document.get("tier"))]
    for place, tier in tiers:
        reasons = at(tier, "drift_reasons")
        unknown = at(tier, "drift_detected") is None or not isinstance(reasons, list)
        name = at(tier, "tier")
        listed = [str(one) for one in reasons] if isinstance(reasons, list) else []
        trouble = damaged or ("drift could not be judged" if unknown else "")
        if not unknown and bool(listed) != bool(at(tier, "drift_detected")):
            trouble = trouble or f"it says drift {at(tier, 'drift_detected')}, and names {len(listed)} reasons"
        sheet.add("health_drift", len(listed), "reasons", f"{place}/drift_reasons", n=count(at(tier, "batches")),
                  tags={"run": name} if isinstance(name, str) and place != "/tier" else None,
                  note="; ".join(listed), trouble=trouble)  # fmt: skip
