"""Contamination of lanes: prose that leaks into code, outputs that grow, repairs that multiply after a blend.

What a lane's outputs grew by is told against the same tasks' outputs of another model: the one before the blend.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from mens_console.signals.intervals import clustered_share, mean_interval
from mens_console.signals.kpivalues import KpiValue, Lane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mens_console.kpi.shard import Figure, LaneFigures
    from mens_console.kpi.table import Table

NO_LANE: Final = "(no lane)"
_CODE: Final = frozenset({"", "code", "vox"})
"""Lanes in which prose is contamination; so is any whose name holds the word code."""
LEAKAGE: Final = KpiValue(
    "leakage", "prose leakage", 2, "share", "lower",
    definition="share of tasks whose first output holds prose or narration, in a lane of code",
)  # fmt: skip
COMPACTNESS: Final = KpiValue(
    "compactness_loss", "compactness loss", 2, "share", "lower",
    definition="geometric mean over tasks of the code's bytes / those before the blend, minus 1, of valid outputs",
)  # fmt: skip
BURDEN: Final = KpiValue(
    "repair_burden", "repair burden", 2, "repairs", "lower",
    definition="mean number of repairs a task until it compiled; a task that never did counts all that were made",
)  # fmt: skip


def lanes_of(table: Table, told: Sequence[LaneFigures], source: str) -> tuple[Lane, ...]:
    """Return the lanes of a model by itself; those without generations as summaries tell them."""
    found = [_lane(name, table.of_lane(name), source) for name in table.lane_names()]
    if found and all(lane.name == NO_LANE and math.isnan(lane.leakage.value) for lane in found):
        found = []
    names = {lane.name for lane in found}
    return (*found, *(_told(one) for one in told if (one.lane or NO_LANE) not in names))


def _lane(name: str, table: Table, source: str) -> Lane:
    return Lane(
        name or NO_LANE,
        len(table),
        replace(leakage(name, table), source=source),
        replace(COMPACTNESS, reason="wants the same tasks before the blend: compare with that model (--against)"),
        replace(burden(table), source=source),
    )


def leakage(name: str, table: Table) -> KpiValue:
    """Return the share of tasks of which prose leaks into the code."""
    if not is_code(name):
        return replace(LEAKAGE, reason="prose is at home in this lane")
    tasks, shares, trials = table.per_task("leaked")
    if not len(tasks):
        return replace(LEAKAGE, reason="UNDERFED: wants strictness of the first output")
    estimate = clustered_share(shares.tolist(), trials)
    return replace(LEAKAGE, value=estimate.value, n=len(tasks), of="tasks", interval=estimate.interval, method="Wilson")


def is_code(lane: str) -> bool:
    """Say whether prose in a lane is contamination."""
    word = lane.casefold()
    return word in _CODE or "code" in word


def burden(table: Table) -> KpiValue:
    """Return the mean of the repairs that tasks took."""
    tasks, means, _ = table.per_task("made")
    if not len(tasks):
        return replace(BURDEN, reason="UNDERFED: wants attempts")
    estimate = mean_interval(means.tolist())
    interval = estimate.interval and (max(estimate.interval[0], 0.0), estimate.interval[1])
    return replace(BURDEN, value=estimate.value, n=len(tasks), of="tasks", interval=interval, method="Student's t")


def compactness_loss(before: Table, after: Table) -> KpiValue:
    """Return by how much the outputs of the same tasks grew: geometric mean of size ratios, minus 1."""
    _, old, new = matched(before, after, "size")
    positive = (old > 0) & (new > 0)
    logs = np.log(new[positive] / old[positive])
    if not len(logs):
        return replace(COMPACTNESS, reason="UNDERFED: no task has a valid output of known size on both sides")
    estimate = mean_interval(logs.tolist())
    interval = estimate.interval and (math.expm1(estimate.interval[0]), math.expm1(estimate.interval[1]))
    return replace(
        COMPACTNESS,
        value=math.expm1(estimate.value),
        n=len(logs),
        of="shared tasks",
        interval=interval,
        method="Student's t of the logarithms",
        reason="" if interval else "no interval: all are equal, or one alone",
    )


def matched(
    before: Table, after: Table, column: str
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the named tasks of which both tell a column, and each side's means of it, in the same order."""
    left, old, _ = before.per_task(column)
    right, new, _ = after.per_task(column)
    return shared(left, old, right, new)


def shared(
    left: NDArray[np.int64], old: NDArray[np.float64], right: NDArray[np.int64], new: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the tasks that occur on both sides under a name, and their values there."""
    tasks, at, beside = np.intersect1d(left, right, return_indices=True)
    named = tasks >= 0
    return tasks[named], old[at][named], new[beside][named]


def _told(one: LaneFigures) -> Lane:
    name = " · ".join(filter(None, [one.lane or NO_LANE, one.blend]))
    return Lane(
        name,
        one.n,
        _figure(LEAKAGE, one.figures.get("leakage")),
        _figure(COMPACTNESS, one.figures.get("compactness_loss")),
        _figure(BURDEN, one.figures.get("repair_burden")),
    )


def _figure(kpi: KpiValue, figure: Figure | None) -> KpiValue:
    if figure is None:
        return replace(kpi, reason="not told")
    return replace(kpi, value=figure.value, n=figure.n or 0, interval=figure.interval, source=figure.source)
