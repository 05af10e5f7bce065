"""What an importer found in a file, and the analysis that is made of it.

What the file does not say is None; a number that it tells stands where one cannot be counted anew.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Final

from mens_console.gate.readers.numbers import count, number
from mens_console.ingest.text import safe_text
from mens_console.soak.imports.drawn import Drawer
from mens_console.soak.imports.tally import MOST_MINUTES, Tally, copied
from mens_console.soak.imports.told import disorder, told
from mens_console.soak.reliability import mttr
from mens_console.soak.types import MINUTE, Analysis, Event, State

_TEXT: Final = 300
_DAYS: Final = int(MOST_MINUTES * MINUTE // 86_400)
_LATEST: Final = 1e11
"""Seconds since the epoch; what lies beyond are other units."""


@dataclass(slots=True)
class Outcome:
    """What one file says of one load. Times are seconds since the epoch, durations seconds, rates per second."""

    source: str
    tally: Tally = field(default_factory=Tally)
    requests: int | None = None
    """Told, where the requests themselves were not kept; so are the next three."""
    failed: dict[str, int] | None = None
    tokens: int | None = None
    tokens_per_s: float | None = None
    started: float | None = None
    duration_s: float | None = None
    offered: float | None = None
    scheduled: bool = False
    """Whether `Minute.due` counts what a schedule asked for."""
    lost: int = 0
    skipped: int = 0
    goodput: float | None = None
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    counted_by: dict[str, int] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def tell(self, name: str, figures: dict[str, Any], *, n: Any = None, times: float = 1.0) -> None:
        """Keep percentiles as the tool told them; those that contradict themselves become a problem."""
        wrong = disorder(figures)
        if wrong:
            self.problem(f"{name}: {wrong}: none of them is shown")
            return
        found = told(name, figures, n=n, times=times)
        if found is not None:
            self.told[name] = found

    def tag(self, name: str, value: Any) -> None:
        """Keep what the load was: a text or a number."""
        if isinstance(value, str | int | float) and not isinstance(value, bool) and value != "":
            self.tags[name] = safe_text(str(value), _TEXT)

    def problem(self, text: str) -> None:
        """Say what could not be read, or what a reader must know; once."""
        shown = safe_text(text, _TEXT)
        if shown not in self.problems:
            self.problems.append(shown)

    def count(self, done: Any, failed: Any) -> None:
        """Take the numbers of requests as told; where one is none, neither is known."""
        good, bad = count(done), count(failed)
        if good is None or bad is None:
            self.problem("it does not say how many requests completed and how many failed")
            return
        self.requests, self.failed = good + bad, {"unclassed": bad} if bad else {}


def analysis(outcome: Outcome, path: str, rev: int, state: State, why: str, drawer: Drawer | None = None) -> Analysis:
    """Return the view of what was found; `drawer` remembers what was drawn of it before."""
    tally = outcome.tally
    tally.settle()
    minutes = tally.share(closed=state != "running")
    requests = tally.requests if outcome.requests is None else outcome.requests
    failed = dict(tally.failed) if outcome.failed is None else outcome.failed
    span, started = _sane(outcome)
    tokens = outcome.tokens if outcome.tokens is not None else tally.tokens or None
    rate = positive(outcome.tokens_per_s)
    drawer = drawer or Drawer()
    columns = drawer.draw(tally, minutes, span or 0.0, scheduled=outcome.scheduled)
    incidents = drawer.incidents(minutes)
    return Analysis(
        rev=rev,
        path=path,
        source=outcome.source,
        plan=None,
        state=state,
        why=why,
        started=started,
        ended=started + span if started is not None and span is not None and state != "running" else None,
        now_s=span or 0.0,
        target_s=None,
        offered_rate=positive(outcome.offered),
        achieved_rate=requests / span if span and requests else None,
        requests=requests,
        failed=failed,
        degraded=tally.degraded if tally.normal_ms is not None else None,
        normal_ms=tally.normal_ms,
        good=None,
        goodput=outcome.goodput,
        lost=outcome.lost + tally.lost,
        skipped=outcome.skipped,
        probes=0,
        probes_failed=0,
        unobserved_s=0.0,
        incidents=incidents,
        mttr_s=mttr(incidents),
        mtbf_s=None,
        mtbf_lower_bound_s=None,
        mtbf_needs_s=None,
        budget=None,
        latencies={name: copied(one) for name, one in tally.totals.items() if one.n},
        output_tokens=tokens,
        output_tokens_per_s=rate if rate is not None else tokens / span if tokens and span else None,
        counted_by=dict(outcome.counted_by),
        leaks=(),
        gpu_peak_bytes=None,
        columns=columns,
        minutes=minutes,
        events=tuple(sorted(outcome.events, key=lambda one: one.at)),
        problems=(*outcome.problems, *_of_tally(tally, failed, requests, span)),
        tags=dict(outcome.tags),
        extra={"told": outcome.told},
    )


def _sane(outcome: Outcome) -> tuple[float | None, float | None]:
    """Return how long it took and when it began, where both can be true."""
    span, started = positive(outcome.duration_s) or outcome.tally.span_s, outcome.started
    if span is not None and span > MOST_MINUTES * MINUTE:
        outcome.problem(f"it says that it took {span:.3g} s, which is over {_DAYS} days: that is not believed")
        span = None
    return span, started if started is not None and 0 <= started < _LATEST else None


def _of_tally(tally: Tally, failed: dict[str, int], requests: int, span: float | None) -> list[str]:
    told: list[str] = []
    bad = sum(failed.values())
    if requests and bad == requests:
        told.append(f"all {requests} requests failed: it has no latencies")
    if requests and span is None:
        told.append("it does not say how long it took: rates are unknown")
    if tally.strange:
        told.append(f"{tally.strange} of its latencies are no numbers or negative: they are counted nowhere")
    if tally.astray:
        told.append(f"{tally.astray} requests lie over {_DAYS} days from the first: they are in no minute")
    return told


def positive(value: Any) -> float | None:
    """Return a number above 0, or None."""
    found = number(value)
    return found if math.isfinite(found) and found > 0 else None
