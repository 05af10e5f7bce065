"""What the rules about soaks say of an analysis: uptime below its floor, too many errors, a driver that died.

On event time: how far the soak has come. A share that its bounds do not tell from the line neither fires nor ends an
alert; a soak that is over leaves nothing to recover.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from mens_console.signals.alerts import Observation, Signal
from mens_console.signals.human import some, step
from mens_console.soak.verdicts import bounds, hours
from mens_console.soak.wording import down, up

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mens_console.signals.rules import Rule
    from mens_console.soak.types import Analysis

OVER: Final = frozenset({"finished", "stopped", "imported"})
UPTIME, ERRORS, DIED = "soak_uptime", "soak_errors", "soak_died"


def soak_observations(entity: str, analysis: Analysis, rules: Mapping[str, Rule]) -> Iterator[Observation]:
    """Yield what each rule says of the soak `entity`."""
    at = analysis.started + analysis.now_s if analysis.started is not None else math.nan
    found = [_uptime(entity, analysis, rules, at), _errors(entity, analysis, rules, at)]
    if analysis.plan is not None:
        found.append(_died(entity, analysis, rules, at))
    for seen in found:
        if seen is not None:
            yield seen
    if analysis.state in OVER:
        yield from (Observation(rule, entity, Signal.OVER, at) for rule in (UPTIME, ERRORS) if rule in rules)


def _uptime(entity: str, analysis: Analysis, rules: Mapping[str, Rule], at: float) -> Observation | None:
    rule, value = rules.get(UPTIME), analysis.uptime
    if rule is None:
        return None
    if value is None:
        return Observation(UPTIME, entity, Signal.NODATA, at)
    by_probe = value == analysis.probe_availability
    n = analysis.probes if by_probe else analysis.requests
    failed = analysis.probes_failed if by_probe else sum(analysis.failed.values())
    if bounds(n - failed, n)[1] < rule.entry:
        told = f"{some(failed, 'failure')} of {some(n, 'probe' if by_probe else 'request')}"
        line = f"uptime of the soak is {up(value)}, below {up(rule.entry)} ({step(failed)} of {step(n)} failed)"
        return _breach(UPTIME, entity, analysis, at, value, line, told)
    return Observation(UPTIME, entity, Signal.CLEAR, at, value=value) if value >= rule.exit else None


def _errors(entity: str, analysis: Analysis, rules: Mapping[str, Rule], at: float) -> Observation | None:
    rule, value, failed = rules.get(ERRORS), analysis.error_rate, sum(analysis.failed.values())
    if rule is None:
        return None
    if value is None:
        return Observation(ERRORS, entity, Signal.NODATA, at)
    if bounds(failed, analysis.requests)[0] > rule.entry:
        classes = ", ".join(f"{n} {name}" for name, n in sorted(analysis.failed.items(), key=lambda one: -one[1])[:4])
        told = f"{step(failed)} of {some(analysis.requests, 'request')} failed: {classes}"
        share = f"{step(failed)} of {step(analysis.requests)}"
        line = f"error rate of the soak is {down(value)}, above {down(rule.entry)} ({share})"
        return _breach(ERRORS, entity, analysis, at, value, line, told)
    return Observation(ERRORS, entity, Signal.CLEAR, at, value=value) if value <= rule.exit else None


def _died(entity: str, analysis: Analysis, rules: Mapping[str, Rule], at: float) -> Observation | None:
    if DIED not in rules:
        return None
    if analysis.state != "died":
        return Observation(DIED, entity, Signal.CLEAR, at)
    left = max((analysis.target_s or 0.0) - analysis.now_s, 0.0)
    lost = (f"{hours(left)} of {hours(analysis.target_s)} were still to come",) if analysis.target_s else ()
    line = f"the driver of the soak died: {analysis.why}"
    return Observation(
        DIED, entity, Signal.BREACH, at, value=1.0, message=line, evidence=(analysis.why, *lost), standing=True
    )


def _breach(rule: str, entity: str, analysis: Analysis, at: float, value: float, line: str, told: str) -> Observation:
    newest = analysis.incidents[-1] if analysis.incidents else None
    last = (f"last of {some(len(analysis.incidents), 'incident')}: {newest.cause}",) if newest is not None else ()
    return Observation(
        rule, entity, Signal.BREACH, at, value=value, message=line, evidence=(told, *last), standing=True,
    )  # fmt: skip
