"""How two evaluations of a release differ, from their documents `mens-gate/1`: the worse first. Pure functions.

A criterion got worse where its verdict did, or where its verdict stands and its value moved away from the good end by
more than the bounds of either tell apart. One that is no longer judged counts as worse: it may hide what it said.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Literal

from mens_console.gate.metrics import METRICS
from mens_console.gate.wording import figure, quantity
from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Document = Mapping[str, Any]

SCHEMA: Final = "mens-gate-diff/1"
Change = Literal["worse", "better", "same", "added", "removed"]
ORDER: Final[tuple[Change, ...]] = ("worse", "removed", "added", "better", "same")
_STANDING: Final = {"FAIL": 0, "UNDERFED": 0, "CONDITIONAL": 1, "PASS": 2}
"""FAIL and UNDERFED both block: neither is better than the other."""


def gate_diff(old: Document, new: Document) -> dict[str, Any]:
    """Return how `new` differs from `old`, as the document `mens-gate-diff/1`.

    Both have to be `mens-gate/1`, or `old` what a decision told (`decided`).
    """
    before, after = ({one["id"]: one for one in document["criteria"]} for document in (old, new))
    changes = [_change(before.get(name), after.get(name)) for name in dict.fromkeys((*before, *after))]
    changes.sort(key=lambda one: ORDER.index(one["change"]))
    verdicts = [old["verdict"], new["verdict"]]
    ready = [bool(old["decision_ready"]), bool(new["decision_ready"])]
    worse = (
        any(one["change"] in ("worse", "removed") for one in changes)
        or _STANDING[verdicts[1]] < _STANDING[verdicts[0]]
        or (ready[0] and not ready[1])
    )
    return {
        "schema": SCHEMA,
        "old": _name(old),
        "new": _name(new),
        "verdict": verdicts,
        "ready": ready,
        "worse": worse,
        "changes": changes,
        "notes": _notes(old, new, before, after),
        "evidence": _evidence(old, new),
    }


def _name(document: Document) -> str:
    digest = str(document.get("digest", ""))[:12]
    return safe_text(f"{document['profile']} {document['release']} {digest}".strip(), 200)


def _change(old: Document | None, new: Document | None) -> dict[str, Any]:
    one = new or old
    assert one is not None
    change, text = _told(old, new)
    return {
        "id": safe_text(one["id"]),
        "title": safe_text(one["title"]),
        "change": change,
        "old_verdict": old["verdict"] if old else None,
        "new_verdict": new["verdict"] if new else None,
        "old_value": _finite(old["value"] if old else None),
        "new_value": _finite(new["value"] if new else None),
        "unit": safe_text(one["unit"]),
        "text": safe_text(text),
    }


def _finite(value: float | None) -> float | None:
    """Return a number that JSON has; a document that somebody else wrote may hold others."""
    return value if value is not None and math.isfinite(value) else None


def _told(old: Document | None, new: Document | None) -> tuple[Change, str]:
    if old is None or new is None:
        one = new or old or {}
        return (
            ("added", f"new: {one['verdict']}")
            if old is None
            else ("removed", f"no longer judged, was {one['verdict']}")
        )
    before, after = old["verdict"], new["verdict"]
    moved = _moved(old, new)
    if before != after:
        step = _STANDING[after] - _STANDING[before]
        change: Change = "worse" if step < 0 else "better" if step > 0 else "same"
        return change, "; ".join(part for part in (f"{before} → {after}", moved[1]) if part)
    return moved[0], moved[1] or f"{after} as before"


def _moved(old: Document, new: Document) -> tuple[Change, str]:
    """Say whether the value got worse or better, by how much, and whether the bounds tell it apart."""
    one, two = _finite(old["value"]), _finite(new["value"])
    if "pass" not in old:  # a decision tells no values
        return "same", ""
    if one is None or two is None:
        return "same", "" if one == two else ("has a value now" if one is None else "has no value any more")
    if old["unit"] != new["unit"]:
        return "same", f"in {new['unit']} now, was in {old['unit']}: not compared"
    if conflict := _other_set(old, new):
        return "same", conflict
    if one == two:
        return "same", ""
    metric = METRICS.get(new.get("metric", ""))
    text = f"{figure(one, (two,))} → {quantity(two, new['unit'], (one,))}"
    if metric is None:
        return "same", text
    worse = (two < one) == (metric.better == "higher")
    if not _apart(old["interval"], new["interval"]):
        return "same", f"{text}, within the bounds of both"
    return ("worse" if worse else "better"), text


def _apart(one: Sequence[float | None] | None, two: Sequence[float | None] | None) -> bool:
    """Say whether two intervals do not touch; what has none is taken at its word."""
    if one is None or two is None:
        return True
    above = two[0] is not None and one[1] is not None and two[0] > one[1]
    below = two[1] is not None and one[0] is not None and two[1] < one[0]
    return above or below


def _other_set(old: Document, new: Document) -> str:
    sets = [sorted({one.get("tags", {}).get("eval_set", "") for one in side["evidence"]}) for side in (old, new)]
    if sets[0] == sets[1]:
        return ""
    told = [" and ".join(filter(None, one)) or "unknown" for one in sets]
    return f"eval set {told[0]} is not compared with {told[1]}"


def _notes(old: Document, new: Document, before: Document, after: Document) -> list[str]:
    notes = []
    if old["profile"] != new["profile"]:
        notes.append(f"two profiles: {old['profile']} and {new['profile']}")
    elif old.get("profile_sha256") != new.get("profile_sha256"):
        notes.append(f"the profile {new['profile']} was changed in between")
    for name in before:
        if name in after and "pass" in before[name] and (one := _asked(before[name])) != (two := _asked(after[name])):
            notes.append(f"{name} asked for {one}, now for {two}")
    return [safe_text(one) for one in notes]


def _asked(criterion: Document) -> str:
    return " or ".join(str(one) for one in (criterion["pass"], criterion["conditional"]) if one) or "a person's mark"


def _evidence(old: Document, new: Document) -> list[str]:
    one, two = _files(old), _files(new)
    told = [f"removed: {path}" for path in one if path not in two]
    told += [f"added: {path}" for path in two if path not in one]
    told += [f"changed: {path}" for path in one if path in two and one[path] != two[path]]
    return [safe_text(text) for text in told]


def _files(document: Document) -> dict[str, str]:
    if "files" in document:
        return dict(document["files"])
    return {one["path"]: one["sha256"] for criterion in document["criteria"] for one in criterion["evidence"]}
