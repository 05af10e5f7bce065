"""What every benchmark of a server shares: failed requests, its workload's tags, throughput by batch, raw gaps.

Pure; the shapes of the tools are read in their own modules.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from mens_console.gate.readers.numbers import count, number, tidy
from mens_console.gate.readers.sheet import Sheet

BATCHES: Final = (4, 8, 16)
_GPUS: Final = ("gpus", "num_gpus", "gpu_count", "tensor_parallel_size", "tp_size", "tp")


def gpus(document: Mapping[str, Any]) -> int | None:
    """Return how many GPUs a document says it used; none of these tools does by itself, their `--metadata` can."""
    for name in _GPUS:
        found = count(document.get(name))
        if found:
            return found
    return None


def throughput(sheet: Sheet, value: Any, pointer: str, *, batch: int | None, used: int | None, **more: Any) -> None:
    """Add generated tokens a second under the metric of its batch and number of GPUs.

    More than one GPU is the metric of scaling, at batch 1; without a number of GPUs it is one's.
    """
    tags = {"batch": str(batch)} if batch else {}
    if used:
        tags["gpus"] = str(used)
    name = ""
    if used in {2, 4} and batch in {None, 1}:
        name = f"throughput_gpus_{used}"
    elif used in {None, 1}:
        name = "throughput_single" if batch == 1 else f"throughput_batch_{batch}" if batch in BATCHES else ""
    if not name:
        where = "an untold batch" if batch is None else f"batch {batch}"
        sheet.note(
            f"throughput at {where} on {used or 1} GPU is no metric: 1, 4, 8 and 16 are, and 2 and 4 GPUs at batch 1"
        )
        return
    if used is None:
        more["note"] = "; ".join(filter(None, (more.get("note", ""), "on how many GPUs is not told: one is taken")))
    sheet.add(name, value, "tokens/s", pointer, tags=tags, **more)


def outcome(done: int | None, failed: int | None, sheet: Sheet, pointer: str) -> str:
    """Add the error rate, and return why latencies mean nothing ("" where they do)."""
    if done is None or failed is None:
        return "it does not say how many requests completed and how many failed"
    asked = done + failed
    if asked == 0:
        return "no request was sent"
    sheet.add("error_rate", 100 * failed / asked, "%", pointer, n=asked, successes=failed)
    if done == 0:
        return f"all {asked} requests failed"
    return ""


def partial(done: int | None, failed: int | None) -> str:
    """Say that a latency is one of the requests that did not fail."""
    if not failed or done is None:
        return ""
    return f"of the {done} requests that completed; {failed} failed"


def histogram(values: Iterable[Any], scale: float = 1.0) -> tuple[dict[float, int], int]:
    """Return exact counts by value (times `scale`), and how many were no usable number (not finite, or negative)."""
    seen: Counter[float] = Counter()
    bad = 0
    for value in values:
        found = tidy(number(value) * scale) if scale != 1.0 else number(value)
        if math.isfinite(found) and found >= 0:
            seen[found] += 1
        else:
            bad += 1
    return dict(seen), bad


def quantile(counts: Mapping[float, int], share: float) -> float:
    """Return the smallest value that at least `share` of all do not exceed; NaN of none."""
    total = sum(counts.values())
    wanted = max(math.ceil(share * total - 1e-9), 1)
    reached = 0
    for value in sorted(counts):
        reached += counts[value]
        if reached >= wanted:
            return value
    return math.nan


def quantiles(sheet: Sheet, name: str, counts: Mapping[float, int], unit: str, pointer: str, **more: Any) -> None:
    """Add the P50 and P99 of single values, with their counts, so that a bound needs no assumption."""
    n = sum(counts.values())
    for level, share in (("p50", 0.5), ("p99", 0.99)):
        sheet.add(f"{name}_{level}", quantile(counts, share), unit, pointer, n=n, counts=counts, **more)


def ordered(low: Any, high: Any) -> str:
    """Return why a P50 and a P99 contradict each other, or nothing."""
    first, second = number(low), number(high)
    if math.isfinite(first) and math.isfinite(second) and first > second:
        return f"its P50 {first:g} is over its P99 {second:g}"
    return ""
