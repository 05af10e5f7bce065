"""vLLM's `bench serve`: one result, or one a line; with `--save-detailed` its single requests.

It exits 0 with every request failed and latencies of 0.00, so nothing is read of latencies where none completed. Its
ITL are raw gaps, its TPOT means per request. Its times are of a clock without a date: the result was written at its
end, so it began its duration earlier.
"""

from __future__ import annotations

import math
from typing import Any

from mens_console.gate.readers.numbers import at, count, number, when
from mens_console.gate.readers.vllm import finished
from mens_console.soak.imports.errors import error_class
from mens_console.soak.imports.outcome import Outcome, positive

_TOLD = (("ttft", "ttft"), ("itl", "itl"), ("itl_mean", "tpot"), ("e2e", "e2el"))


def read(document: dict[str, Any]) -> Outcome:
    """Read one result."""
    found = Outcome("vllm")
    found.tag("model", document.get("model_id"))
    found.tag("streams", count(document.get("max_concurrency")))
    found.offered = positive(document.get("request_rate"))  # "inf" is no schedule
    found.duration_s = positive(document.get("duration"))
    written, _ = when(document.get("date"))
    if math.isfinite(written) and found.duration_s is not None:
        found.started = written - found.duration_s
    done, failed = finished(document)
    found.count(done, failed)
    if _detailed(document):
        _requests(found, document)
    if done:
        _tell(found, document, done)
        found.tokens = count(document.get("total_output_tokens"))
        found.tokens_per_s = positive(document.get("output_throughput"))
    goodput = number(document.get("request_goodput"))
    if math.isfinite(goodput):
        found.goodput = goodput
        found.problem("its goodput is by the objectives that vLLM was given (--goodput)")
    return found


def read_rows(rows: list[dict[str, Any]]) -> Outcome:
    """Read what `--append-result` leaves: every line is a load of its own, and the newest is shown."""
    found = read(rows[-1])
    if len(rows) > 1:
        found.problem(f"it holds {len(rows)} results, each a load of its own: the last one is shown")
    return found


def _detailed(document: dict[str, Any]) -> bool:
    """Whether it keeps every request: as many first tokens, lists of gaps and errors as were sent."""
    kept = [document.get(name) for name in ("ttfts", "itls", "errors")]
    lengths = {len(one) for one in kept if isinstance(one, list)}
    return all(isinstance(one, list) for one in kept) and len(lengths) == 1 and lengths != {0}


def _requests(found: Outcome, document: dict[str, Any]) -> None:
    """Count the single requests; their number decides, not the told one."""
    starts = document.get("start_times")
    lengths = document.get("output_lens")
    ttfts, itls, errors = document["ttfts"], document["itls"], document["errors"]
    times = [number(one) for one in starts] if isinstance(starts, list) else []
    known = [one for one in times if math.isfinite(one)]
    timed = len(times) == len(ttfts) and len(known) == len(times)
    if timed:
        found.tally.seen(min(known))
    else:
        found.problem("it does not say when each request was sent: nothing is known of its minutes")
    told = found.requests
    for place in sorted(range(len(ttfts)), key=times.__getitem__) if timed else range(len(ttfts)):
        sent = times[place] if timed else math.nan
        first, gaps = number(ttfts[place]), itls[place]
        if errors[place] or not first > 0:
            found.tally.bad(sent, error_class(None, errors[place]))
            continue
        spread = [number(one) * 1000 for one in gaps] if isinstance(gaps, list) else []
        found.tally.good(
            sent, ttft=first * 1000, gaps=spread, e2e=first * 1000 + sum(spread), tokens=count(at(lengths, place))
        )
    found.tally.settle()
    found.requests = found.failed = None
    if told is not None and told != found.tally.requests:
        found.problem(f"it tells of {told} requests and keeps {found.tally.requests}: those it keeps are counted")
    if timed and found.duration_s is not None:
        found.tally.seen(min(known) + found.duration_s)


def _tell(found: Outcome, document: dict[str, Any], done: int) -> None:
    """Keep the percentiles of what was not counted anew."""
    for name, key in _TOLD:
        counted = found.tally.totals.get(name)
        if counted is not None and counted.n:
            continue
        figures = {"mean": document.get(f"mean_{key}_ms"), "p50": document.get(f"median_{key}_ms")}
        figures |= {level: document.get(f"{level}_{key}_ms") for level in ("p90", "p95", "p99")}
        if number(figures["p50"]) > 0:
            found.tell(name, figures, n=done)
