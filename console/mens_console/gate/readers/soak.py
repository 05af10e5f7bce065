"""A soak's report, `mens-soak/1`: uptime, error rate, failures, the bound on the time between them, and latencies.

Read without the contract's model, so that a report with a field missing still tells what it can.
"""

from __future__ import annotations

import math
from typing import Any, Final

from mens_console.gate.readers.numbers import at, count, garbled, number
from mens_console.gate.readers.own import latency, memory
from mens_console.gate.readers.sheet import Sheet
from mens_console.gate.statistics import mtbf_lower_bound

SCHEMA: Final = "mens-soak/1"
_TAGS: Final = {"source": "soak"}
_STRESS_H: Final = 72.0
_SLACK: Final = 0.999
"""Share of the 72 h that counts as all of it: a driver ends within its last second."""
_BLIND: Final = 0.01
"""Share of a soak that may go unobserved before its hours do not count."""
_LOST: Final = 0.005
"""Share of requests of which nobody knows the end before none of them vouches for the rest: what fails a release."""
_OFFERED: Final = 0.98
"""Share of its schedule under which a soak did not put the load on its server that it says: the schedule is kept
whatever the server does, so that what is lacking was lost or never sent, and not told."""
_CHANCE: Final = 4.0
"""Deviations by which arrivals at random may stay below their schedule."""
_FLIGHT_S: Final = 60.0
"""How long a request may still be under way when a report is made: then it is a timeout."""
_PROBE_S: Final = 10.0
_PROBED: Final = 0.5
"""Share of the probes of each 10 s under which nobody watched closely enough to see failures."""


def claims(document: Any) -> bool:
    """Whether it is a soak's report."""
    return bool(at(document, "schema") == SCHEMA)


def read(document: dict[str, Any], sheet: Sheet) -> None:
    """Read all that it tells."""
    sheet.taken(document.get("ended") or document.get("started"))
    for name, value in sorted((document.get("tags") or {}).items() if isinstance(document.get("tags"), dict) else ()):
        sheet.tag(name, value)
    sheet.tag("model", at(document, "target", "model"))
    sheet.tag("gpus", at(document, "target", "gpus"))
    sheet.tags.update(_TAGS)
    hours = number(document.get("elapsed_s")) / 3600
    _errors(document, sheet)
    _uptime(document, sheet)
    _time(document, sheet, hours)
    for name in ("ttft", "itl"):
        _latency(document, name, sheet)
    if isinstance(document.get("memory"), dict):
        memory(sheet, document["memory"], "/memory")


def _latency(document: dict[str, Any], name: str, sheet: Sheet) -> None:
    """Add a latency, unless requests succeeded and none is told: answers that were not streamed have none."""
    block, asked, failed = document.get(f"{name}_ms"), count(document.get("requests")), _failed(document)
    empty = block is None or (count(at(block, "n")) == 0 and at(block, "p50") is None)
    if empty and asked and failed is not None and failed < asked:
        sheet.note(f"{name.upper()} was not measured")
        return
    latency(sheet, name, block, f"/{name}_ms")


def _failed(document: dict[str, Any]) -> int | None:
    """Return how many requests failed: the sum over the classes of errors."""
    errors = document.get("errors")
    if not isinstance(errors, dict):
        return None
    counts = [count(one) for one in errors.values()]
    return None if None in counts else sum(one or 0 for one in counts)


def _blind(document: dict[str, Any], hours: float) -> float:
    """Return the hours that nobody observed: as it says, or by the requests that were due while no driver ran."""
    told = max(number(at(document, "availability", "unobserved_s")), 0.0) / 3600
    skipped, due = count(document.get("skipped")), _due(document)
    return max(told, hours * skipped / due) if skipped and due and math.isfinite(hours) else told


def _due(document: dict[str, Any]) -> int:
    """Return how many requests its schedule came to: those that ended, that were lost, and that were never sent."""
    return sum(count(document.get(name)) or 0 for name in ("requests", "lost", "skipped"))


def _unknown(document: dict[str, Any]) -> str:
    """Say that too many requests were lost with their driver for the others to vouch for them."""
    if garbled(document.get("lost")):
        return f"how many requests were lost is no count: {str(document['lost'])[:40]!r}"
    lost = count(document.get("lost")) or 0
    sent = lost + (count(document.get("requests")) or 0)
    return f"what became of {lost} of its {sent} requests is not known" if lost > _LOST * sent else ""


def _impossible(document: dict[str, Any], hours: float) -> str:
    """Say why it cannot have taken as long as it says."""
    between = (number(document.get("ended")) - number(document.get("started"))) / 3600
    if hours > 1.01 * between + 1 / 60:
        return f"it says {hours:.4g} h, and from its start to its end are {between:.4g} h"
    return ""


def _unseen(document: dict[str, Any], hours: float, blind: float) -> str:
    """Say why its hours are not those of a stress test: nobody looked, or not at what it says ("" where it is one)."""
    told = at(document, "availability", "unobserved_s")
    if garbled(document.get("skipped")):
        return f"how many requests were never sent is no count: {str(document['skipped'])[:40]!r}"
    if not number(told) >= 0:
        return f"it does not say for how long nobody looked: availability.unobserved_s is {str(told)[:40]}"
    if impossible := _impossible(document, hours):
        return impossible
    if blind > _BLIND * hours:
        return f"{blind * 60:.1f} min of it were not observed: more than {_BLIND:.0%}"
    if at(document, "state") == "imported":
        return ""
    return _idle(document, hours - blind) or _unprobed(document, hours - blind)


def _idle(document: dict[str, Any], watched: float) -> str:
    """Say that its requests are far fewer than its schedule came to (`watched` in hours)."""
    offered = number(document.get("offered_rate"))
    if not offered > 0:
        return f"it does not say what load it offered: offered_rate is {str(document.get('offered_rate'))[:40]}"
    due, scheduled = _due(document), max(offered * watched * 3600, 0.0)
    if due < _OFFERED * scheduled - _CHANCE * math.sqrt(scheduled) - offered * _FLIGHT_S:
        return f"its {due} requests are far fewer than {offered:g} a second over {watched:.4g} h come to"
    return ""


def _unprobed(document: dict[str, Any], watched: float) -> str:
    """Say that its probes are too few to see failures between them (`watched` in hours)."""
    probes = count(at(document, "availability", "probes"))
    if probes is not None and probes < _PROBED * watched * 3600 / _PROBE_S - 1:
        return f"its {probes} probes are far fewer than one each {_PROBE_S:g} s over {watched:.4g} h"
    return ""


def _errors(document: dict[str, Any], sheet: Sheet) -> None:
    asked, failed = count(document.get("requests")), _failed(document)
    told = number(document.get("error_rate"))
    if asked is None or failed is None:
        sheet.add("error_rate", None, "%", "/errors", trouble="it does not count its requests, or its errors by class")
        return
    share = failed / asked if asked else math.nan
    trouble = _unknown(document) if asked else "no request ended"
    if asked and math.isfinite(told) and abs(told - share) > 1e-6 + 1e-3 * share:
        trouble = f"it says an error rate of {told:g}, and {failed} errors of {asked} requests"
    sheet.add("error_rate", share, "share", "/error_rate", n=asked, successes=failed, trouble=trouble)


def _uptime(document: dict[str, Any], sheet: Sheet) -> None:
    """Add the worse of the availabilities, by counts where they are there."""
    found = document.get("availability")
    sides: list[tuple[float, int | None, int | None, str]] = []
    trouble = _unknown(document)
    for name, made, failed in (("probe", "probes", "probes_failed"), ("request", "requests", "requests_failed")):
        share, n, bad = number(at(found, name)), count(at(found, made)), count(at(found, failed))
        if n is None and name == "request":
            n, bad = count(document.get("requests")), _failed(document)
        good = n - bad if n is not None and bad is not None else None
        if garbled(at(found, made)) or garbled(at(found, failed)):
            trouble = f"its counts of {name}s are none"
        whole = count(document.get("requests")), _failed(document)
        if name == "request" and None not in whole and (n, bad) != whole:
            trouble = f"it counts {bad} of {n} requests failed in one place, and {whole[1]} of {whole[0]} in another"
        if n and good is not None:
            if math.isfinite(share) and abs(share - good / n) > 1e-4:
                trouble = f"it says {name} availability {share:g}, and {good} of {n}"
            share = good / n
        if math.isfinite(share):
            sides.append((share, n, good, name))
        else:
            trouble = trouble or f"it has no availability by {name}"
    if not sides:
        sheet.add("uptime", None, "share", "/availability", trouble="it has no availability by probe or request")
        return
    share, n, good, name = min(sides, key=lambda side: side[0])
    sheet.add("uptime", share, "share", f"/availability/{name}", n=n, successes=good, trouble=trouble,
              note=f"by {name}, the worse of the two")  # fmt: skip


def _time(document: dict[str, Any], sheet: Sheet, hours: float) -> None:
    """Add its hours, the failures in them, and the bound on the time between failures."""
    blind = _blind(document, hours)
    note = f"{blind * 60:.1f} min of it were not observed" if blind > 0 else ""
    unseen = _unseen(document, hours, blind)
    sheet.add("soak_hours", hours, "h", "/elapsed_s", n=1, trouble=unseen, note=note)
    incidents = document.get("incidents")
    if at(document, "state") == "imported":
        unseen = "it was made of another tool's file, which holds no probes to show that there were no failures"
    if not isinstance(incidents, list):
        sheet.add("failures_72h", None, "failures", "/incidents", trouble="it has no list of incidents")
        return
    short = (
        ""
        if unseen or hours >= _STRESS_H * _SLACK
        else f"it took {hours:.1f} h of 72 h: failures may have been to come"
    )
    sheet.add("failures_72h", len(incidents), "failures", "/incidents", trouble=short or unseen, note=note, keep=True)
    _mtbf(document, sheet, len(incidents), hours - blind, unseen)


def _mtbf(document: dict[str, Any], sheet: Sheet, failures: int, hours: float, unseen: str) -> None:
    """Add the 95 % lower bound on the time between failures: from the failures themselves, whatever the report says."""
    observed = math.isfinite(hours) and hours > 0
    bound = mtbf_lower_bound(hours, failures) if observed else math.nan
    told = number(document.get("mtbf_lower_bound_s")) / 3600
    trouble = unseen
    if math.isfinite(told) and observed and abs(told - bound) > 0.02 * bound:
        trouble = trouble or f"it says {told:.4g} h, and {failures} failures in {hours:.4g} h give {bound:.4g} h"
    sheet.add("mtbf_lower_bound", bound, "h", "/mtbf_lower_bound_s", n=1, trouble=trouble,
              note=f"{failures} failures in {hours:.1f} observed hours")  # fmt: skip
