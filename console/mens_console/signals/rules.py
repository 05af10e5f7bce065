"""The table of alert rules by id, with what an operator overrides in it, and its documentation.

Data only; the detectors and the reducer read it. No values of runs enter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Final

from mens_console.signals.ruletable import TABLE
from mens_console.signals.ruletypes import Rule, Severity

__all__ = ["RULES", "Rule", "Severity", "adjusted", "describe"]

RULES: Final[Mapping[str, Rule]] = MappingProxyType({rule.id: rule for rule in TABLE})
"""Every rule that is implemented, by id, in the order of the documentation."""


def adjusted(overrides: Mapping[str, Mapping[str, Any]]) -> tuple[Mapping[str, Rule], tuple[str, ...]]:
    """Return the rules with fields overridden by rule id, and a sentence for each override that cannot stand.

    An exit that an override leaves on the wrong side of the entry is moved to the entry, and a sentence says so.
    """
    rules = dict(RULES)
    problems = []
    for name, fields in overrides.items():
        rule = rules.get(name)
        if rule is None:
            near = get_close_matches(name, rules, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            problems.append(f"thresholds.{name}: there is no such rule{hint}")
            continue
        changed: dict[str, Any] = dict(fields)
        if "severity" in changed:
            changed["severity"] = Severity(changed["severity"])
        fresh = replace(rule, **changed)
        if (fresh.entry - fresh.exit) * (rule.entry - rule.exit) < 0.0:
            problems.append(
                f"thresholds.{name}: exit {fresh.exit:g} is on the wrong side of entry {fresh.entry:g}; "
                "the alert ends at the entry"
            )
            fresh = replace(fresh, exit=fresh.entry)
        rules[name] = fresh
    return MappingProxyType(rules), tuple(problems)


def describe(rules: Mapping[str, Rule] = RULES) -> str:
    """Return the reference of all rules as a Markdown document (`docs/thresholds.md` is this text)."""
    lines = [
        "# Alert rules and thresholds",
        "",
        "Generated from the table that the detectors use. *Latched* alerts end only when acknowledged or when a new "
        "run begins. Past its exit threshold an alert is *recovering* for the time shown, and resolved after it. While "
        "one of the rules under *follows from* fires on the same run, the alert is shown but neither counted nor rung.",
        "",
        "| rule | severity | fires when | entry | exit | for | recovers | follows from | needs |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for rule in rules.values():
        severity = rule.severity + (f", critical at {rule.critical:g}" if rule.critical is not None else "")
        hold = [f"{rule.for_points} points"] if rule.for_points > 1 else []
        hold += [f"{rule.for_s:g} s"] if rule.for_s else []
        ends = "latched" if rule.latched else _threshold(rule.exit)
        recover = f"{rule.recover_s:g} s" if rule.recover_s and not rule.latched else "—"
        causes = ", ".join(f"`{cause}`" for cause in rule.inhibited_by) or "—"
        lines.append(
            f"| `{rule.id}` | {severity} | {rule.condition} | {_threshold(rule.entry, rule.unit)} | {ends} "
            f"| {', '.join(hold) or '—'} | {recover} | {causes} | {', '.join(rule.needs)} |"
        )
    lines += ["", "## What to do", ""]
    lines += [f"- **{rule.title}** (`{rule.id}`): {rule.recommendation}" for rule in rules.values()]
    return "\n".join(lines) + "\n"


def _threshold(value: float, unit: str = "") -> str:
    return "set by the driver" if math.isnan(value) else f"{value:g} {unit}".rstrip()
