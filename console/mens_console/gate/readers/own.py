"""What reports of soaks and benchmarks share: latencies with exact counts or a histogram, and peak memory.

Shapes as in `mens_contracts.load`; milliseconds and bytes.
"""

from __future__ import annotations

import math
from typing import Any

from mens_console.gate.readers.numbers import at, count, garbled, number
from mens_console.gate.readers.serving import ordered
from mens_console.gate.readers.sheet import Sheet


def latency(sheet: Sheet, name: str, block: Any, place: str, *, most: int | None = None) -> None:
    """Add the P50 and P99 of a latency block, with its counts; both without a value where nothing was measured.

    `most` is how many there can have been at all, such as one first token a request that succeeded.
    """
    n = count(at(block, "n"))
    counts, trouble = _counts(at(block, "counts"), n)
    trouble = trouble or ordered(at(block, "p50"), at(block, "p99"))
    if garbled(at(block, "n")):
        trouble = f"its n is no count: {str(at(block, 'n'))[:40]!r}"
    elif most is not None and (told := sum(counts.values()) if n is None else n) > most:
        trouble = f"it tells {told} of them, and {most} requests succeeded"
    if n == 0 or not isinstance(block, dict):
        trouble = "no request had one: nothing was measured"
    rough = number(at(block, "relative_error"))
    note = f"by a histogram, values to {100 * rough:g} %" if math.isfinite(rough) and rough > 0 else ""
    for level in ("p50", "p99"):
        sheet.add(f"{name}_{level}", at(block, level), "ms", f"{place}/{level}", n=n, counts=counts, trouble=trouble,
                  note=note)  # fmt: skip


def _counts(buckets: Any, n: int | None) -> tuple[dict[float, int], str]:
    """Return counts by value, and what is wrong with them."""
    if not isinstance(buckets, list):
        return {}, ""
    found: dict[float, int] = {}
    for bucket in buckets:
        value, often = number(at(bucket, 0)), count(at(bucket, 1))
        if often is None or not math.isfinite(value) or value < 0:
            return {}, "a bucket of its histogram is no value with a count"
        found[value] = found.get(value, 0) + often
    total = sum(found.values())
    if found and n is not None and total != n:
        return {}, f"its histogram holds {total} values, its n is {n}"
    return found, ""


def memory(sheet: Sheet, block: dict[str, Any], place: str) -> None:
    """Add the largest peak; it is summed over the GPUs."""
    runs = [number(one) for one in block.get("runs") or [] if not isinstance(one, bool)]
    peak = number(block.get("peak_bytes"))
    trouble = ""
    if runs and math.isfinite(peak) and max(runs) > peak:
        trouble = f"its peak {peak:g} is below that of a run, {max(runs):g}"
    if peak == 0:
        trouble = "a peak of 0 bytes: nothing was measured"
    parts = [f"{name} {number(block[key]) / 1e9:.2f} GB" for name, key in
             (("weights", "weights_bytes"), ("KV cache", "kv_cache_bytes"), ("activations", "activations_bytes"))
             if math.isfinite(number(block.get(key)))]  # fmt: skip
    gpus = count(block.get("gpus"))
    tags = {"gpus": str(gpus)} if gpus else {}
    sheet.add("gpu_memory_peak", block.get("peak_bytes"), "bytes", f"{place}/peak_bytes", n=len(runs) or 1,
              samples=runs, tags=tags, note=", ".join(parts), trouble=trouble)  # fmt: skip
