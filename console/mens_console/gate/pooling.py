"""What several files say of the same: runs of one benchmark put together, and what gives way to better evidence.

Pure, and the order of what comes in is no matter. Contradictions are flagged elsewhere, never settled here.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

from mens_console.gate.metrics import METRICS
from mens_console.gate.readers.numbers import tidy
from mens_console.gate.readers.serving import quantile
from mens_console.gate.types import Item

Place = tuple[str, str, str]
TOGETHER_S: Final = 2 * 86_400.0
"""Runs of a benchmark within two days are one measurement; what is older is an earlier one."""
_HISTORY, _FINAL = "_stats_history.csv", "_stats.csv"
_LATENCIES: Final = frozenset({"ttft_p50", "ttft_p99", "itl_p50", "itl_p99"})
_SUITES: Final = frozenset({"tests_failed", "tests_run"})


def places(item: Item) -> tuple[Place, ...]:
    """Return where a value comes from: path, digest and pointer."""
    return item.sources or ((item.path, item.sha256, item.pointer),)


def order(item: Item) -> tuple[object, ...]:
    """Return what items are sorted by: what they are, then where they stand."""
    return (item.metric, tuple(sorted(item.tags.items())), item.sha256, item.pointer, item.path)


def once(items: Iterable[Item]) -> list[Item]:
    """Leave out copies: the same bytes under another name say the same once, where they say it with the same tags.

    A run of a benchmark that was written anew with other blanks is a copy too: all that it says is the same, its time
    included.
    """
    kept: dict[tuple[object, ...], Item] = {}
    for item in sorted(items, key=order):
        kept.setdefault((item.metric, item.sha256, item.pointer, tuple(sorted(item.tags.items()))), item)
    copies = _copies(kept.values())
    return [one for one in kept.values() if one.sha256 not in copies]


def _copies(items: Iterable[Item]) -> set[str]:
    """Return the digests of files of benchmarks that say in all of their values what another one says."""
    files: dict[str, list[object]] = defaultdict(list)
    for one in items:
        if one.tags.get("source") == "bench":
            tags = tuple(sorted(one.tags.items()))
            said = (one.metric, one.pointer, repr(one.value), one.n, one.successes, repr(one.at), one.trouble)
            files[one.sha256].append((*said, one.samples, one.counts, tags))
    first: dict[tuple[object, ...], str] = {}
    return {sha256 for sha256, said in sorted(files.items()) if first.setdefault(tuple(said), sha256) != sha256}


def groups(items: Iterable[Item]) -> dict[tuple[object, ...], list[Item]]:
    """Return items by metric and tags."""
    found: dict[tuple[object, ...], list[Item]] = defaultdict(list)
    for item in items:
        found[item.metric, tuple(sorted(item.tags.items()))].append(item)
    return found


def joined(items: Sequence[Item]) -> dict[str, Any]:
    """Return the fields of an item that several others were made into: the oldest of them dates it."""
    whole = tuple(place for item in items for place in places(item))
    path, sha256, pointer = whole[0]
    times = [one.at for one in items]
    oldest = math.nan if any(map(math.isnan, times)) else min(times)
    return {"sources": whole, "path": path, "sha256": sha256, "pointer": pointer, "at": oldest}


def pool(items: Sequence[Item]) -> list[Item]:
    """Put runs of one benchmark together, and tests of several suites; all else stays as it is."""
    pooled: list[Item] = []
    for group in groups(items).values():
        runs = _runs(group)
        if len(runs) < 2:
            pooled += group
        else:
            pooled += [_put_together(runs), *(one for one in group if one not in runs)]
    return pooled


def _runs(group: Sequence[Item]) -> list[Item]:
    """Return the items of a group that are runs of one measurement; none where any is in trouble or undated."""
    first = group[0]
    if any(one.trouble or math.isnan(one.at) or one.tool != first.tool for one in group):
        return []
    if first.metric in _SUITES:
        return list(group)
    if first.tags.get("source") != "bench" or any(len(one.samples) > 1 for one in group):
        return []
    newest = max(one.at for one in group)
    return [one for one in group if newest - one.at <= TOGETHER_S]


def _put_together(runs: Sequence[Item]) -> Item:
    """Return what runs come to: a mean with its samples, a sum of counts, a percentile of all values."""
    first = runs[0]
    told = [one.n for one in runs]
    n = None if None in told else sum(one or 0 for one in told)
    note = f"{len(runs)} files" + "".join(f"; {one.note}" for one in runs if one.note)
    whole = dataclasses.replace(first, n=n, note=note[:400], **joined(runs))
    statistic = METRICS[first.metric].statistic
    if statistic == "mean" and all(len(one.samples) == 1 for one in runs):
        samples = tuple(one.samples[0] for one in runs)
        return dataclasses.replace(
            whole, value=tidy(math.fsum(samples) / len(samples)), samples=samples, n=len(samples)
        )
    if statistic == "count":
        return dataclasses.replace(whole, value=sum(one.value for one in runs))
    if statistic == "share" and n and all(one.successes is not None for one in runs):
        good = sum(one.successes or 0 for one in runs)
        return dataclasses.replace(whole, value=tidy(100 * good / n), successes=good, interval=None)
    if statistic == "quantile" and all(one.counts for one in runs):
        return _one_histogram(whole, runs)
    # No percentile of all values follows from theirs; it is at most the largest of them, at least the smallest.
    worst = (max if METRICS[first.metric].better == "lower" else min)(runs, key=lambda one: one.value)
    return dataclasses.replace(whole, value=worst.value, counts=(), interval=None, note=f"the worst of {note}"[:400])


def _one_histogram(whole: Item, runs: Sequence[Item]) -> Item:
    counts: Counter[float] = Counter()
    for run in runs:
        counts.update(dict(run.counts))
    value = quantile(counts, METRICS[whole.metric].quantile)
    return dataclasses.replace(whole, value=value, counts=tuple(sorted(counts.items())), n=sum(counts.values()))


# ---------------------------------------------------------------------- what gives way


def prefer(items: Sequence[Item]) -> list[Item]:
    """Leave out what better evidence of the same stands beside.

    A benchmark's error rate of zero gives way to a soak's or load test's, for a hundred requests show less; one that is
    not zero stays. Latencies at a batch of several requests give way to those of one at a time, which the metric means.
    """
    tested = any(one.metric == "error_rate" and one.tags.get("source") in {"soak", "load"} for one in items)
    single = {one.metric for one in items if one.metric in _LATENCIES and _alone(one)}
    return [
        one
        for one in items
        if not (tested and one.metric == "error_rate" and one.tags.get("source") == "bench" and one.value == 0)
        and not (one.metric in single and one.tags.get("source") == "bench" and not _alone(one))
        and not _earlier(one, items)
    ]


def _alone(item: Item) -> bool:
    """Whether a benchmark's latency is of one request at a time."""
    return item.tags.get("source") == "bench" and item.tags.get("batch", "1") == "1"


def _earlier(item: Item, items: Sequence[Item]) -> bool:
    """Whether it is locust's history of a run whose final table is there too: a row of it is older than the table."""
    if item.tool != "locust" or not item.path.endswith(_HISTORY):
        return False
    final = item.path.removesuffix(_HISTORY) + _FINAL
    return any(one.path == final and one.metric == item.metric and (one.n or 0) >= (item.n or 0) for one in items)
