"""guidellm's `benchmarks.json`: one or several benchmarks, of which only what is `successful` counts.

Latencies of errored requests stand in it as 0.0. Its inter-token latency is a mean per request and its time per output
token holds the TTFT, so neither feeds the metric of raw gaps.
"""

from __future__ import annotations

from typing import Any

from mens_console.gate.readers.numbers import at, count, number, pointer
from mens_console.gate.readers.serving import gpus, histogram, ordered, outcome, partial, quantiles, throughput
from mens_console.gate.readers.sheet import Sheet


def claims(document: Any) -> bool:
    """Whether guidellm wrote it."""
    benchmarks = at(document, "benchmarks")
    if not isinstance(benchmarks, list):
        return False
    return at(document, "metadata", "guidellm_version") is not None or isinstance(
        at(benchmarks, 0, "metrics", "time_to_first_token_ms"), dict
    )


def read(document: dict[str, Any], sheet: Sheet) -> None:
    """Read each benchmark of the file."""
    benchmarks = document["benchmarks"]
    if not benchmarks:
        sheet.problem = "it holds no benchmark"
        return
    sheet.tag("model", at(document, "config", "spec", "backend", "model"))
    sheet.tags["source"] = "bench"
    used = gpus(at(document, "config", "metadata", "labels") or {})
    for place, benchmark in enumerate(benchmarks):
        if isinstance(benchmark, dict):
            _read_one(benchmark, place, used, sheet)
        else:
            sheet.note(f"benchmark {place} is no object")
    sheet.note("its inter-token latency is a mean per request: raw gaps come from vLLM's or aiperf's records")


def _read_one(benchmark: dict[str, Any], place: int, used: int | None, sheet: Sheet) -> None:
    where = ("benchmarks", place, "metrics")
    metrics = benchmark.get("metrics")
    strategy = at(benchmark, "config", "strategy") or {}
    sheet.taken(benchmark.get("end_time"))
    kind = str(strategy.get("type_", ""))
    batch = count(strategy.get("streams")) or (1 if kind == "synchronous" else None)
    tags = {"load": f"{kind}@{batch}" if batch else kind} if kind else {}
    tags |= {"batch": str(batch)} if batch else {}
    done, failed = totals(benchmark)
    trouble = outcome(done, failed, sheet, pointer(*where, "request_totals"))
    note = partial(done, failed)
    _ttft(benchmark, where, sheet, trouble, note, tags)
    rate = at(metrics, "output_tokens_per_second", "successful", "mean")
    throughput(sheet, rate, pointer(*where, "output_tokens_per_second", "successful", "mean"), batch=batch, used=used,
               n=1, trouble=trouble, note=note, samples=(number(rate),))  # fmt: skip


def totals(benchmark: dict[str, Any]) -> tuple[int | None, int | None]:
    """Return how many requests succeeded and how many errored; incomplete ones were cut off by the end."""
    for told in (at(benchmark, "metrics", "request_totals"), at(benchmark, "scheduler_metrics", "requests_made")):
        done, failed = count(at(told, "successful")), count(at(told, "errored"))
        if done is not None and failed is not None:
            return done, failed
    return None, None


def _ttft(
    benchmark: dict[str, Any], where: tuple[str, int, str], sheet: Sheet, trouble: str, note: str, tags: dict[str, str]
) -> None:
    """Add the TTFT: from the single requests where all were kept, else the percentiles as they were told."""
    good = at(benchmark, "metrics", "time_to_first_token_ms", "successful")
    n = count(at(good, "count"))
    kept = at(benchmark, "requests", "successful")
    if not trouble and isinstance(kept, list) and kept and len(kept) == n:
        single = [first_token(one) for one in kept]
        counts, bad = histogram(single)
        if not bad:
            quantiles(sheet, "ttft", counts, "ms", pointer("benchmarks", where[1], "requests", "successful"), note=note,
                      tags=tags)  # fmt: skip
            return
    low, high = at(good, "percentiles", "p50"), at(good, "percentiles", "p99")
    trouble = trouble or ordered(low, high) or ("" if n else "it counts no successful request")
    for level, value in (("p50", low), ("p99", high)):
        path = pointer(*where, "time_to_first_token_ms", "successful", "percentiles", level)
        sheet.add(f"ttft_{level}", value, "ms", path, n=n, trouble=trouble, note=note, tags=tags)


def first_token(request: Any) -> Any:
    """Return the TTFT of one request (ms), from its own field or its times (s)."""
    told = at(request, "time_to_first_token_ms")
    if told is not None:
        return told
    timings = at(request, "info", "timings")
    first = number(at(timings, "first_token_iteration"))
    return (first - number(at(timings, "request_start"))) * 1000
