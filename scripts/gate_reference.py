"""The generated parts of docs/gate-profiles.md: keys of a profile, metrics, and criteria that are shipped."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import reference

from mens_console.gate.metrics import METRICS
from mens_console.gate.profiles import load, shipped
from mens_contracts.gate_profile import ProfileTable

if TYPE_CHECKING:
    from mens_console.gate.types import Band, Criterion, Profile


def keys() -> str:
    """Return the keys of a profile, and of the tables inside it."""
    return reference.document(ProfileTable)


def metrics() -> str:
    """Return what a criterion may name."""
    lines = ["| metric | what | unit | better | figure | tier |", "|---|---|---|---|---|---|"]
    for one in METRICS.values():
        what = one.title + (f": {one.definition}" if one.definition else "")
        figure = f"P{one.quantile * 100:g}" if one.statistic == "quantile" else one.statistic
        tier = ("" if one.tier is None else str(one.tier)) + (", demoted" if one.demoted else "")
        lines.append(f"| `{one.id}` | {_cell(what)} | {one.unit} | {one.better} | {figure} | {tier.strip(', ')} |")
    return "\n".join(lines)


def criteria() -> str:
    """Return the criteria of every profile that is shipped."""
    return "\n\n".join(_profile(load(path)) for path in shipped().values())


def _profile(profile: Profile) -> str:
    lines = [f"### `{profile.id}`", "", profile.description, "", *_rows(profile)]
    for title, attribute in (("If it misses", "remedy"), ("How it was read", "note")):
        told = [f"- `{one.id}`: {getattr(one, attribute)}" for one in profile.criteria if getattr(one, attribute)]
        lines += ["", f"**{title}**", "", *told] if told else []
    if profile.checklist:
        lines += ["", "**Release checklist**", ""]
        for number, check in enumerate(profile.checklist, 1):
            by = ", ".join(f"`{name}`" for name in check.criteria) or "the sign-off itself"
            lines.append(f"{number}. {check.title}: {by}")
    return "\n".join(lines)


def _rows(profile: Profile) -> list[str]:
    lines = ["| id | what | PASS | CONDITIONAL | FAIL | n | decides |", "|---|---|---|---|---|---|---|"]
    for one in profile.criteria:
        if one.manual:
            cells = ["a person's mark", "", ""]
        elif one.passes is None:
            cells = ["non-inferior to the baseline, by a margin that you choose", "", "else"]
        else:
            cells = [_both(one, 0), _both(one, 1), one.fails.text if one.fails is not None else "else"]
        lines.append(f"| `{one.id}` | {_cell(one.title)} | {' | '.join(map(_cell, cells))} | {_n(one)} | {_how(one)} |")
    return lines


def _both(one: Criterion, column: int) -> str:
    """Return the bands of a criterion and of what it requires, in one cell."""
    own = (one.passes, one.conditional)[column]
    parts = [f"{_text(own)} {one.unit}"] if own is not None else []
    for name, *bands in one.requires:
        if bands[column] is not None:
            parts.append(f"{name} {_text(bands[column])} {METRICS[name].unit}")
    return (", " if column == 0 else " or ").join(parts)


def _text(band: Band | None) -> str:
    return "" if band is None else band.text


def _n(one: Criterion) -> str:
    return f"≥ {one.min_n}" if one.min_n > 1 else ""


def _how(one: Criterion) -> str:
    if not one.decides:
        return "no, explains"
    how = "by a mark" if one.manual else "on bounds" if one.decide_on == "bound" else "on the value"
    return how if math.isinf(one.max_age_s) else f"{how}, {one.max_age_s / 86_400:g} days old at most"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
