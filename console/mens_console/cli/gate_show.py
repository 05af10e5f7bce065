"""`mens-console gate show PROFILE`: what a profile asks for, criterion by criterion, in words, JSON or as its TOML."""

from __future__ import annotations

import json
import math
import sys
import textwrap
from typing import TYPE_CHECKING, Any, Final

from mens_console.cli.errors import OK, CommandError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from mens_console.gate.types import Band, Criterion, Profile

_WIDTH: Final = 110


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("profile", metavar="PROFILE", help="id of a shipped profile, or a TOML file")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print it as JSON")
    form.add_argument("--toml", action="store_true", help="print the file itself, to copy and change")


def run(arguments: argparse.Namespace) -> int:
    """Print the profile."""
    profile = loaded(arguments.profile)
    if arguments.toml:
        print(safe_lines(profile.text) if sys.stdout.isatty() else profile.text, end="")
    elif arguments.json:
        print(json.dumps(document(profile), indent=2, ensure_ascii=False))
    else:
        from mens_console.cli.common import colour
        from mens_console.cli.status import paint, plain

        print("\n".join(lines(profile, paint if colour(sys.stdout) else plain)))
    return OK


def safe_lines(text: str) -> str:
    """Return text without what a terminal would obey, line by line."""
    from mens_console.ingest.text import safe_text

    return "".join(f"{safe_text(line, 4000)}\n" for line in text.splitlines())


def loaded(name: str) -> Profile:
    """Return a profile by its id or file. Raises `CommandError` that tells every problem of it."""
    from mens_console.gate.profiles import ProfileError, load

    try:
        return load(name)
    except ProfileError as error:
        first, *rest = map(str, error.problems)
        raise CommandError(first, tuple(rest)) from None


def document(profile: Profile) -> dict[str, Any]:
    """Return the profile as JSON has it."""
    return {
        "id": profile.id,
        "title": profile.title,
        "description": profile.description,
        "path": profile.path,
        "sha256": profile.sha256,
        "approvals": profile.approvals,
        "conditional_passes": profile.conditional_passes,
        "unsigned": profile.unsigned,
        "allowed_signers": profile.allowed_signers,
        "template": profile.template,
        "criteria": [_criterion(one) for one in profile.criteria],
        "checklist": [{"title": one.title, "criteria": list(one.criteria)} for one in profile.checklist],
    }


def _criterion(one: Criterion) -> dict[str, Any]:
    return {
        "id": one.id,
        "title": one.title,
        "dimension": one.dimension,
        "metric": one.metric or None,
        "unit": one.unit,
        "pass": _text(one.passes),
        "conditional": _text(one.conditional),
        "fail": _text(one.fails),
        "requires": [
            {"metric": name, "pass": _text(passes), "conditional": _text(conditional)}
            for name, passes, conditional in one.requires
        ],
        "where": dict(one.where),
        "min_n": one.min_n,
        "max_age_s": one.max_age_s if math.isfinite(one.max_age_s) else None,
        "decide_on": one.decide_on,
        "decides": one.decides,
        "manual": one.manual,
        "baseline": None
        if one.baseline is None
        else {
            "path": one.baseline.path,
            "sha256": one.baseline.sha256,
            "margin": one.baseline.margin,
            "relative": one.baseline.relative,
        },
        "remedy": one.remedy,
        "note": one.note,
    }


def _text(band: Band | None) -> str | None:
    return None if band is None else band.text


def lines(profile: Profile, ink: Callable[[str, str], str]) -> list[str]:
    """Return the profile in words, by dimension."""
    from mens_console.gate.wording import summary
    from mens_console.ingest.text import safe_text

    told = [ink(f"{profile.id}: {profile.title}", "accent"), summary(profile)]
    told += _wrapped(profile.description, "")
    told += [ink(f"{safe_text(profile.path, 500)}  sha256 {profile.sha256}", "muted")]
    for dimension in dict.fromkeys(one.dimension for one in profile.criteria):
        told += ["", ink(dimension, "accent")]
        for one in profile.criteria:
            if one.dimension == dimension:
                told += _told(one, ink)
    if profile.checklist:
        told += ["", ink("release checklist", "accent")]
        for number, check in enumerate(profile.checklist, 1):
            told += _wrapped(f"{number}. {check.title}: {', '.join(check.criteria) or 'the sign-off itself'}", "  ")
    return told


def _told(one: Criterion, ink: Callable[[str, str], str]) -> list[str]:
    head = f"  {one.id}  {one.title}"
    told = [head if one.decides else f"{head} (explains, decides nothing)"]
    told += _wrapped(asks(one), "      ")
    for label, text in (("if it misses", one.remedy), ("note", one.note)):
        if text:
            told += [ink(line, "muted") for line in _wrapped(f"{label}: {text}", "      ")]
    return told


def asks(one: Criterion) -> str:
    """Return what a criterion asks for: bands with unit, what else must hold, the sample and how it decides."""
    if one.manual:
        return "a person marks it, with a note"
    parts = [_banded(one.metric, one.unit, one.passes, one.conditional, one.fails)]
    parts += [
        f"and {_banded(name, _unit(name), passes, conditional, None)}" for name, passes, conditional in one.requires
    ]
    if one.baseline is not None:
        parts.append(_compared(one))
    if one.min_n > 1:
        parts.append(f"n ≥ {one.min_n}")
    if one.where:
        parts.append("of " + ", ".join(f"{name} {value}" for name, value in one.where.items()))
    if math.isfinite(one.max_age_s):
        parts.append(f"at most {one.max_age_s / 86_400:g} days old")
    parts.append("decided on the 95 % bound" if one.decide_on == "bound" else "decided on the value")
    return "; ".join(part for part in parts if part)


def _unit(metric: str) -> str:
    from mens_console.gate.metrics import METRICS

    return METRICS[metric].unit if metric in METRICS else ""


def _banded(name: str, unit: str, passes: Band | None, conditional: Band | None, fails: Band | None) -> str:
    if passes is None:
        return name
    told = f"{name} {passes.text} {unit}".rstrip()
    told += f", CONDITIONAL {conditional.text}" if conditional is not None else ""
    return told + (f", FAIL {fails.text}" if fails is not None else ", else FAIL")


def _compared(one: Criterion) -> str:
    baseline = one.baseline
    if baseline is None:
        return ""
    from mens_console.ingest.text import safe_text

    where = safe_text(baseline.path, 500) or "a baseline that is not named yet"
    if baseline.margin is None:
        return f"compared with {where}" + ("" if one.passes is not None else ", by a margin that is not said yet")
    worse = f"{baseline.margin * 100:g} % of it" if baseline.relative else f"{baseline.margin:g} {one.unit}"
    return f"at most {worse} worse than {where}"


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent + "  ") if text else []
