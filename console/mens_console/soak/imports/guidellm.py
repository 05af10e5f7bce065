"""guidellm's `benchmarks.json`: its single requests where they were kept, else what it tells of those that succeeded.

Latencies of errored requests stand in it as 0.0 and are never read. Its inter-token latency is a mean per request, and
its time per output token holds the TTFT: neither is a raw gap.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

from mens_console.gate.readers.guidellm import first_token, totals
from mens_console.gate.readers.numbers import at, count, number
from mens_console.soak.imports.errors import error_class
from mens_console.soak.imports.outcome import Outcome, positive
from mens_console.soak.types import Event

_SCHEDULED: Final = frozenset({"constant", "poisson"})
"""Strategies in which a request has a time at which it is due."""
_TOLD: Final = (
    ("ttft", "time_to_first_token_ms", 1.0),
    ("itl_mean", "inter_token_latency_ms", 1.0),
    ("e2e", "request_latency", 1000.0),
)
"""Name, metric and what brings its unit to ms."""


def read(document: dict[str, Any]) -> Outcome:
    """Read all benchmarks of a file on one line of time; ValueError where it holds none."""
    benchmarks = [one for one in document["benchmarks"] if isinstance(one, dict)]
    if not benchmarks:
        raise ValueError("it holds no benchmark: guidellm was stopped before its first one ended")
    found = Outcome("guidellm")
    found.tag("model", at(document, "config", "spec", "backend", "model"))
    found.tag("url", at(document, "config", "spec", "backend", "target"))
    began = [number(one.get("start_time")) for one in benchmarks]
    ended = [number(one.get("end_time")) for one in benchmarks]
    if all(map(math.isfinite, began)) and all(map(math.isfinite, ended)):
        found.started = min(began)
        found.duration_s = max(ended) - min(began)
        found.tally.seen(min(began))
    kept = all(_kept(one) for one in benchmarks)
    for place, benchmark in enumerate(benchmarks):
        _describe(found, benchmark, place, len(benchmarks))
        found.lost += count(at(benchmark, "metrics", "request_totals", "incomplete")) or 0
        if kept:
            _requests(found, benchmark)
    if kept:
        found.tally.settle()
        _tell(found, benchmarks, ("itl_mean",))
    else:
        _sum(found, benchmarks)
        _tell(found, benchmarks, ("ttft", "itl_mean", "e2e"))
    if found.lost:
        found.problem(f"{found.lost} requests were cut off by the end of a benchmark: they are neither good nor bad")
    return found


def _kept(benchmark: dict[str, Any]) -> bool:
    """Whether every single request of a benchmark is in the file."""
    done, failed = totals(benchmark)
    good, bad = at(benchmark, "requests", "successful"), at(benchmark, "requests", "errored")
    if not isinstance(good, list) or not isinstance(bad, list):
        return False
    return (done, failed) == (len(good), len(bad)) and bool(good or bad)


def _describe(found: Outcome, benchmark: dict[str, Any], place: int, of: int) -> None:
    """Take the rate and name of a benchmark's load; several become events, and have no rate in common."""
    strategy = at(benchmark, "config", "strategy") or {}
    kind, rate = str(strategy.get("type_", "unknown")), positive(strategy.get("rate"))
    streams = count(strategy.get("streams"))
    load = kind + (f" at {rate:g}/s" if rate else f" with {streams} streams" if streams else "")
    if of == 1:
        found.tag("load", load)
        found.offered = rate if kind in _SCHEDULED else None
        return
    begun = number(benchmark.get("start_time"))
    if found.started is not None and math.isfinite(begun):
        found.events.append(Event(begun - found.started, "start", f"benchmark {place + 1} of {of}: {load}"))


def _requests(found: Outcome, benchmark: dict[str, Any]) -> None:
    """Count every request of a benchmark in the minute in which it was due, or sent where nothing asked for it."""
    scheduled = str(at(benchmark, "config", "strategy", "type_")) in _SCHEDULED
    found.scheduled = found.scheduled or scheduled
    for one in _objects(at(benchmark, "requests", "successful")):
        sent, due = _times(found, one, scheduled=scheduled)
        found.tally.good(
            due,
            ttft=_known(first_token(one)),
            e2e=_known((number(at(one, "info", "timings", "request_end")) - sent) * 1000),
            tokens=count(at(one, "output_metrics", "total_tokens")),
            lag=_lag(sent, due) if scheduled else None,
        )
    for one in _objects(at(benchmark, "requests", "errored")):
        sent, due = _times(found, one, scheduled=scheduled)
        error = error_class(None, at(one, "info", "error"))
        found.tally.bad(due, error, lag=_lag(sent, due) if scheduled else None)


def _times(found: Outcome, request: dict[str, Any], *, scheduled: bool) -> tuple[float, float]:
    """Return when a request was sent and when it was due, and count it as due; without a schedule the two are one."""
    sent = number(at(request, "info", "timings", "request_start"))
    due = number(at(request, "info", "timings", "targeted_start")) if scheduled else sent
    due = due if math.isfinite(due) else sent
    if scheduled:
        found.tally.due(due)
    return sent, due


def _lag(sent: float, due: float) -> float | None:
    """Return how late a request was sent (ms); clocks of two processes may say a little early."""
    return max((sent - due) * 1000, 0.0) if math.isfinite(sent - due) else None


def _objects(requests: Any) -> Iterator[dict[str, Any]]:
    """Yield the requests of a list in the order in which they were sent; what is no object has no time or latency."""
    objects = [one if isinstance(one, dict) else {} for one in requests]
    yield from sorted(objects, key=lambda one: _last(number(at(one, "info", "timings", "request_start"))))


def _last(value: float) -> float:
    return value if math.isfinite(value) else math.inf


def _known(value: Any) -> float | None:
    found = number(value)
    return found if math.isfinite(found) else None


def _sum(found: Outcome, benchmarks: list[dict[str, Any]]) -> None:
    """Add up what the benchmarks tell of their requests."""
    pairs = [totals(one) for one in benchmarks]
    done, failed = [one for one, _ in pairs], [one for _, one in pairs]
    found.count(None if None in done else sum(one or 0 for one in done),
                None if None in failed else sum(one or 0 for one in failed))  # fmt: skip
    found.problem("its single requests were not kept: nothing is known of its minutes")


def _tell(found: Outcome, benchmarks: list[dict[str, Any]], names: tuple[str, ...]) -> None:
    """Keep the told percentiles of one benchmark; those of several cannot be added up, so the last one's stand."""
    told = benchmarks[-1]
    done, _ = totals(told)
    if not done:
        return
    for name, metric, times in _TOLD:
        good = at(told, "metrics", metric, "successful")
        if name in names and isinstance(good, dict):
            # Its own count of means is of tokens, by which it weighs them.
            found.tell(name, {**good, **(at(good, "percentiles") or {})}, n=done, times=times)
    if found.told and len(benchmarks) > 1:
        what = ", ".join(found.told)
        found.problem(f"{what}: percentiles of the last of {len(benchmarks)} benchmarks, which cannot be added up")
    if len(benchmarks) == 1 and found.tally.tokens == 0:
        found.tokens_per_s = positive(at(told, "metrics", "output_tokens_per_second", "successful", "mean"))
