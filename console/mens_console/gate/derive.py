"""Values that no single file holds: losses between two models, a drop, a regression.

And what several files say of one metric: a contradiction is flagged on both sides, never settled here.
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from mens_console.gate.metrics import METRICS
from mens_console.gate.pooling import groups, joined, once, order, pool, prefer
from mens_console.gate.readers.numbers import tidy
from mens_console.gate.readers.roles import BASELINE, QLORA, QUANTIZED
from mens_console.gate.types import Item

BENCHMARKS: Final = ("mmlu", "hellaswag", "arc_easy")
LEAST: Final = 3
"""Benchmarks that a mean loss is taken over."""
_FUTURE_S: Final = 300.0
"""How far a clock may be ahead of this one."""
_SAME: Final = 1e-9


def settle(items: Sequence[Item], scores: Sequence[Item], now: float) -> tuple[list[Item], list[str]]:
    """Return all items with what follows from them, and the contradictions in words, whatever the input's order."""
    found, told = _flag(prefer(pool(once(items))))
    derived = [*_losses(found), *_mean_loss(scores), *_qlora(scores), *_evaluations(found)]
    return sorted((_not_from_the_future(one, now) for one in (*found, *derived)), key=order), told


def _flag(items: Sequence[Item]) -> tuple[list[Item], list[str]]:
    """Mark items that say different values of one metric with the same tags."""
    flagged: list[Item] = []
    told: list[str] = []
    for (metric, _), group in groups(items).items():
        values = [one.value for one in group if not math.isnan(one.value)]
        if not values or math.isclose(min(values), max(values), rel_tol=_SAME, abs_tol=1e-12):
            flagged += group
            continue
        sides = sorted({f"{one.value:g} {one.unit} in {one.path}" for one in group if not math.isnan(one.value)})
        said = (
            f"{METRICS[str(metric)].title} is told differently: {', '.join(sides[:4])}{', …' if len(sides) > 4 else ''}"
        )
        told.append(f"{said}: keep the one that counts, or tag them apart")
        flagged += [dataclasses.replace(one, trouble=one.trouble or said) for one in group]
    return flagged, told


def _not_from_the_future(item: Item, now: float) -> Item:
    if item.trouble or not item.at > now + _FUTURE_S:
        return item
    return dataclasses.replace(item, trouble=f"it is dated {(item.at - now) / 3600:.1f} h in the future")


# ---------------------------------------------------------------------- losses


def _pairs(items: Iterable[Item], one: str, other: str) -> list[tuple[Item, Item]]:
    """Return items of the same metric, measure and set of two roles; every pairing of several."""
    left, right = ([item for item in items if item.tags.get("role") == role] for role in (one, other))
    return [(a, b) for a in left for b in right if a.metric == b.metric and _same_set(a, b)]


def _same_set(one: Item, other: Item) -> bool:
    return all(one.tags.get(name) == other.tags.get(name) for name in ("measure", "eval_set"))


def _difference(metric: str, one: Item, other: Item, note: str = "") -> Item:
    """Return what `other` lost against `one`, in points."""
    trouble = one.trouble or other.trouble
    value = tidy(one.value - other.value)
    if not trouble and math.isnan(value):
        trouble = "one of the two values is none"
    counts = [item.n for item in (one, other) if item.n is not None]
    tags = {name: text for name, text in other.tags.items() if name not in {"role", "model"}}
    item = Item(metric, math.nan if trouble else value, METRICS[metric].unit, "", "", "", "derived",
                n=min(counts) if len(counts) == 2 else None, tags=tags, trouble=trouble,
                note=note or f"{one.value:.4g} − {other.value:.4g}")  # fmt: skip
    return dataclasses.replace(item, **joined((one, other)))


def _losses(items: Sequence[Item]) -> list[Item]:
    """Return the loss of each benchmark of its own criterion, in points."""
    wanted = [one for one in items if one.metric in BENCHMARKS]
    found = [_difference(f"{a.metric}_loss", a, b) for a, b in _pairs(wanted, BASELINE, QUANTIZED)]
    apart = {one.metric for one in wanted if one.tags.get("role") == BASELINE} & {
        one.metric for one in wanted if one.tags.get("role") == QUANTIZED
    }
    for metric in sorted(apart - {one.metric.removesuffix("_loss") for one in found}):
        sides = [one for one in wanted if one.metric == metric and one.tags.get("role") in {BASELINE, QUANTIZED}]
        why = "baseline and quantized are of different versions or measures of it: they are not compared"
        lost = Item(f"{metric}_loss", math.nan, "points", "", "", "", "derived", trouble=why)
        found.append(dataclasses.replace(lost, **joined(sides)))
    return found


def _by_task(scores: Iterable[Item], role: str) -> dict[str, list[Item]]:
    tasks: dict[str, list[Item]] = defaultdict(list)
    for one in sorted(scores, key=order):
        if one.tags.get("role") == role:
            tasks[one.metric].append(one)
    return tasks


def _compared(scores: Sequence[Item], one: str, other: str) -> tuple[list[tuple[Item, Item]], str]:
    """Return the scores of all tasks that two roles share, and why they may not be compared ("" where they may)."""
    left, right = _by_task(scores, one), _by_task(scores, other)
    shared = sorted(left.keys() & right.keys())
    every = {task: [*left[task], *right[task]] for task in shared}
    broken = [f"{task}: {x.trouble}" for task, found in every.items() for x in found if math.isnan(x.value)]
    twice = [task for task in shared if any(len({x.value for x in side[task]}) > 1 for side in (left, right))]
    why = f"a benchmark of both has no usable value: {broken[0].removeprefix('score ')}" if broken else ""
    if twice and not why:
        why = f"told twice, and differently: {', '.join(twice)}"
    return [(left[task][0], right[task][0]) for task in shared], why


def _mean_loss(scores: Sequence[Item]) -> list[Item]:
    """Return the mean relative loss over the benchmarks that a baseline and a quantized model share, in %."""
    pairs, trouble = _compared(scores, BASELINE, QUANTIZED)
    if not pairs:
        return []
    if len(pairs) < LEAST:
        trouble = trouble or f"{len(pairs)} benchmarks are in both files; a mean loss is taken over {LEAST} at least"
    if any(not a.value > 0 for a, _ in pairs):
        trouble = trouble or "a baseline of 0 has no relative loss"
    lost = [100 * (a.value - b.value) / a.value for a, b in pairs if a.value > 0]
    names = ", ".join(
        f"{a.metric.removeprefix('score ')} {loss:.3g} %" for (a, _), loss in zip(pairs, lost, strict=False)
    )
    mean = math.nan if trouble else tidy(math.fsum(lost) / len(lost))
    item = Item("quantization_loss", mean, "%", "", "", "", "derived", n=len(pairs),
                samples=() if trouble else tuple(lost), note=names[:400], trouble=trouble)  # fmt: skip
    return [dataclasses.replace(item, **joined([one for pair in pairs for one in pair]))]


def _qlora(scores: Sequence[Item]) -> list[Item]:
    """Return what QLoRA lost on the benchmark that it lost most on, in points, against the model it was trained on."""
    pairs, why = _compared(scores, QUANTIZED, QLORA)
    if not pairs:
        return []
    before, after = max(pairs, key=lambda pair: pair[0].value - pair[1].value)
    item = _difference(
        "qlora_degradation", before, after, f"the worst of {len(pairs)}: {before.metric.removeprefix('score ')}"
    )
    return [dataclasses.replace(item, value=math.nan, trouble=why) if why else item]


def _evaluations(items: Sequence[Item]) -> list[Item]:
    """Return the drop after quantization and the loss against the last shipped adapter, of the weighted score."""
    scored = [one for one in items if one.metric == "weighted_score"]
    told = {one.metric for one in items}
    found = []
    if "quantization_drop" not in told:
        found += [_difference("quantization_drop", a, b) for a, b in _pairs(scored, BASELINE, QUANTIZED)]
    if "regression" not in told:
        found += [_difference("regression", a, b) for a, b in _pairs(scored, "shipped", "candidate")]
    return found
