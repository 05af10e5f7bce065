"""Which values of the evidence a criterion is judged on, and why one may not count. Pure functions, no verdicts."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mens_console.gate.bounds import contradiction, sample_size
from mens_console.gate.finding import LINKED, like_evidence
from mens_console.gate.metrics import GIVEN_BY
from mens_console.gate.wording import age, sample

if TYPE_CHECKING:
    from collections.abc import Collection

    from mens_console.gate.types import Criterion, Item, Manifest, Metric

REFERENCES: Final = frozenset({"baseline", "shipped"})
"""Roles of values that are there to be compared with, unless a criterion asks for the role itself."""
_BENCHMARKS: Final = ("mmlu", "hellaswag", "arc_easy")
RESTS_ON: Final = {
    "mmlu_loss": ("mmlu",),
    "hellaswag_loss": ("hellaswag",),
    "arc_easy_loss": ("arc_easy",),
    "quantization_loss": _BENCHMARKS,
    "qlora_degradation": _BENCHMARKS,
    "quantization_drop": ("weighted_score",),
    "regression": ("weighted_score",),
}
"""What derived metrics are derived of: where that was promised and is gone, so is what follows from it."""
TOLD_DIFFERENTLY: Final = "is told differently"
"""How what gathers evidence begins to say that several files tell one metric differently, after the metric's title."""
AHEAD_S: Final = 300.0
"""By how far two boxes' clocks may differ before something is from the future."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The items that a criterion is judged on, and those that are too old beside them."""

    items: tuple[Item, ...]
    stale: tuple[Item, ...] = ()
    others: tuple[Item, ...] = ()
    """Values of the metric under other tags: none of them counts."""


def choose(metric: str, criterion: Criterion, manifest: Manifest, now: float, pinned: Collection[str] = ()) -> Chosen:
    """Return the values of `metric` that the criterion means, in a fixed order.

    Values of a file whose digest is `pinned` are what others are compared with, not compared themselves. Where some
    are fresh, older ones than the criterion allows are set aside.
    """
    named = [one for one in ordered(manifest.items) if one.metric == metric and not _of(one, pinned)]
    if "role" not in criterion.where:
        named = _without_tuned(metric, [one for one in named if one.tags.get("role") not in REFERENCES])
    matching = tuple(one for one in named if tagged(one, criterion))
    others = tuple(one for one in named if not tagged(one, criterion))
    fresh = tuple(one for one in matching if not stale(one, criterion, now))
    if not fresh:
        return Chosen(matching, (), others)
    return Chosen(fresh, tuple(one for one in matching if stale(one, criterion, now)), others)


def _without_tuned(metric: str, items: list[Item]) -> list[Item]:
    """Return the items without benchmarks of a model that was tuned afterwards, where others are there.

    A benchmark is asked of the quantized model; what tuning it cost is a metric of its own (`qlora_degradation`).
    """
    untuned = [one for one in items if one.tags.get("role") != "qlora"] if metric in _BENCHMARKS else []
    return untuned or items


def ordered(items: Collection[Item]) -> list[Item]:
    """Return the items in an order that does not depend on the one they came in."""
    return sorted(items, key=_place)


def _place(item: Item) -> tuple[object, ...]:
    """Return where an item stands among others: two that differ in anything a verdict reads do not stand level."""
    told = (item.value, item.n, item.successes, item.interval, item.at)
    words = (item.unit, item.sha256, item.tool, item.note, item.trouble)
    rest = (sorted(item.tags.items()), item.sources, item.samples, item.counts)
    return item.metric, item.path, item.pointer, repr(told), words, rest


def tagged(item: Item, criterion: Criterion) -> bool:
    """Say whether an item carries the tags that the criterion asks for."""
    return all(item.tags.get(name) == value for name, value in criterion.where.items())


def only_pinned(metric: str, manifest: Manifest, pinned: Collection[str]) -> bool:
    """Say whether values of `metric` are there, all of them what others would be compared with."""
    named = [one for one in manifest.items if one.metric == metric]
    return bool(named) and all(_of(one, pinned) for one in named)


def _of(item: Item, pinned: Collection[str]) -> bool:
    """Say whether an item comes from pinned files alone; a loss against one does not."""
    return all(digest in pinned for digest in ([one[1] for one in item.sources] or [item.sha256]))


def stale(item: Item, criterion: Criterion, now: float) -> bool:
    """Say whether an item is older than the criterion allows."""
    if math.isinf(criterion.max_age_s) or math.isnan(item.at):
        return False
    return not now - item.at <= criterion.max_age_s


def gone(metric: str, manifest: Manifest) -> tuple[str, ...]:
    """Return the paths from which values of `metric`, or of what it rests on, were promised that are not there."""
    return tuple(sorted({path for name in (metric, *RESTS_ON.get(metric, ())) for path in _gone(name, manifest)}))


def _gone(metric: str, manifest: Manifest) -> list[str]:
    promised = Counter(path for name, path in manifest.listed if name == metric)
    there = Counter(path for one in manifest.items if one.metric == metric for path in _paths(one))
    return [path for path, count in promised.items() if there[path] < count]


def unread(manifest: Manifest, asked: Collection[str]) -> tuple[tuple[str, str], ...]:
    """Return the files that could not be read, with the reason: nobody knows what they say, and it may be a FAIL.

    Those of a kind that gives none of the metrics that are `asked` for are left out.
    A file that was promised is left to the criteria of what it promised: damaged or taken away, it is gone. A link that
    leads elsewhere and is not named as evidence is (a folder of data) is nothing that was to be read.
    """
    promised = {path for _, path in manifest.listed}
    return tuple(
        (one.path, one.problem)
        for one in manifest.files
        if one.problem
        and one.path not in promised
        and (one.problem != LINKED or like_evidence(one.path))
        and not GIVEN_BY.get(one.kind, frozenset(asked)).isdisjoint(asked)
    )


def _paths(item: Item) -> list[str]:
    """Return the files that a value comes from: several where runs were put together."""
    return [path for path, _, _ in item.sources] or [item.path]


def unusable(item: Item, metric: Metric, criterion: Criterion, unit: str, now: float) -> str:
    """Say why an item may not count, "" where it may: its unit, its age, or that it contradicts itself."""
    if item.trouble and not _told_differently(item, metric):
        return item.trouble
    if math.isnan(item.value):
        return "the value is NaN"
    if math.isinf(item.value) and (item.value > 0) == (metric.better == "higher"):
        return "the value is infinite"
    if item.unit != unit:
        return f"it is in {item.unit or 'no unit'}, the criterion in {unit or 'none'}, and no conversion is guessed"
    return contradiction(item, metric) or _too_old(item, criterion, now)


def _told_differently(item: Item, metric: Metric) -> bool:
    """Say whether all that troubles a value is another one of its metric.

    Whether that one counts at all (it may be stale, or the baseline) only a criterion knows: `clashes` asks again.
    """
    return item.trouble.startswith(f"{metric.title} {TOLD_DIFFERENTLY}")


def clashes(items: Collection[Item]) -> bool:
    """Say whether two of the items tell different values under the same tags."""
    seen: dict[tuple[tuple[str, str], ...], float] = {}
    for item in items:
        first = seen.setdefault(tuple(sorted(item.tags.items())), item.value)
        if not (math.isclose(first, item.value, rel_tol=1e-9, abs_tol=1e-12) or math.isnan(first)):
            return True
    return False


def _too_old(item: Item, criterion: Criterion, now: float) -> str:
    if math.isinf(criterion.max_age_s):
        return ""
    if math.isnan(item.at):
        return "nothing tells when it was measured"
    if item.at > now + AHEAD_S:
        return f"it was measured {age(item.at - now)} ahead of this clock"
    if stale(item, criterion, now):
        return f"stale: measured {age(now - item.at)} ago, at most {age(criterion.max_age_s)} are allowed"
    return ""


def too_few(item: Item, metric: Metric, criterion: Criterion) -> str:
    """Say by how much an item rests on fewer than are asked for, "" where it does not."""
    n = sample_size(item, metric)
    if n is None:
        return f"n is not told, and at least {criterion.min_n} are asked for" if criterion.min_n > 1 else ""
    if n < max(criterion.min_n, 1):
        # What was counted rests on no sample: none of it is a count, too.
        return (
            "" if metric.statistic == "count" and criterion.min_n <= 1 else f"{sample(n)}, at least {criterion.min_n}"
        )
    return ""
