"""What a soak shows of its targets so far: uptime, error rate and failures in S2's three bands, decided on bounds.

Pure. No evidence is no pass: where the bounds enclose an edge, the band is `undecided`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from mens_console.gate.statistics import clopper_pearson
from mens_console.signals.human import some, span

if TYPE_CHECKING:
    from mens_console.soak.types import Analysis

Band: TypeAlias = Literal["pass", "conditional", "fail", "undecided", "nodata"]

UPTIME_PASS: Final = 0.999
UPTIME_FAIL: Final = 0.995
ERRORS_PASS: Final = 0.001
ERRORS_FAIL: Final = 0.005
FAILURES_PASS: Final = 1
FAILURES_FAIL: Final = 4
STRESS_S: Final = 72 * 3600.0
"""How long S2's stress test lasts; its count of failures belongs to this length."""


class Verdict(NamedTuple):
    """One target: its band, the value (a share or a count), the 95 % bounds, what was counted, and why."""

    band: Band
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    of: str = ""
    reason: str = ""


def uptime(analysis: Analysis) -> Verdict:
    """Judge the worse of probe and request availability; a one-sided 95 % bound has to clear the line."""
    told = [
        (analysis.probes - analysis.probes_failed, analysis.probes, "probes"),
        (analysis.requests - sum(analysis.failed.values()), analysis.requests, "requests"),
    ]
    known = [one for one in told if one[1] > 0]
    if not known:
        return Verdict("nodata", reason="no probe was answered or missed, and no request ended")
    good, n, of = min(known, key=lambda one: one[0] / one[1])
    low, high = bounds(good, n)
    if low >= UPTIME_PASS:
        return Verdict("pass", good / n, low, high, n, of)
    if high < UPTIME_FAIL:
        return Verdict("fail", good / n, low, high, n, of)
    if low >= UPTIME_FAIL and high < UPTIME_PASS:
        return Verdict("conditional", good / n, low, high, n, of)
    return Verdict("undecided", good / n, low, high, n, of, _needed(good, n, UPTIME_PASS))


def errors(analysis: Analysis) -> Verdict:
    """Judge failed requests / requests that ended, time-outs included; the bound has to clear the line."""
    n, bad = analysis.requests, sum(analysis.failed.values())
    if n <= 0:
        return Verdict("nodata", reason="no request ended yet")
    low, high = bounds(bad, n)
    if high < ERRORS_PASS:
        band: Band = "pass"
    elif low > ERRORS_FAIL:
        band = "fail"
    else:
        band = "conditional" if low >= ERRORS_PASS and high <= ERRORS_FAIL else "undecided"
    reason = _needed(n - bad, n, 1 - ERRORS_PASS) if band == "undecided" else ""
    return Verdict(band, bad / n, low, high, n, "requests", reason)


def failures(analysis: Analysis) -> Verdict:
    """Judge incidents over S2's 72 h; before that only what more time cannot mend is decided."""
    if analysis.plan is None and len(analysis.incidents) <= FAILURES_PASS:
        return Verdict("nodata", reason="a file without probes never shows that there was no failure")
    n, watched = len(analysis.incidents), max(analysis.now_s - analysis.unobserved_s, 0.0)
    whole = watched >= STRESS_S * 0.999
    of = f"in {hours(watched)} observed"
    if n >= FAILURES_FAIL:
        return Verdict("fail", n, n=n, of=of)
    if n > FAILURES_PASS:
        return Verdict("conditional", n, n=n, of=of, reason="" if whole else "at best: 72 h are not observed yet")
    if whole:
        return Verdict("pass", n, n=n, of=of)
    return Verdict(
        "undecided", n, n=n, of=of, reason=f"{hours(STRESS_S - watched)} of the 72 h are still to be observed"
    )


def hours(seconds: float) -> str:
    """Return a time as soaks tell it, in hours: ``71.9 h``; what is shorter than one as elsewhere: ``12 m``."""
    return f"{seconds / 3600:.3g} h" if seconds >= 3600 else span(seconds)


@lru_cache(maxsize=256)
def bounds(successes: int, n: int) -> tuple[float, float]:
    """Return the exact lower and upper bound of a share, each one-sided at 95 %."""
    return clopper_pearson(successes, n)


def _needed(good: int, n: int, target: float) -> str:
    """Say why a share is not decided."""
    if good / n >= target:
        return f"{some(n, 'sample')} cannot show {target * 100:.4g} % yet"
    return f"the bounds of {some(n, 'sample')} enclose the line"
