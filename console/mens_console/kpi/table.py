"""What single generations told, as columns: one row a request, in the order read, with what nobody told as NaN.

Only columns and names live here: no files, no field names of producers, no KPIs.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Set

    from numpy.typing import NDArray

COLUMNS: Final = (
    "first", "final", "canonical", "task_success", "semantic", "valid_ms", "repairs", "made", "stalled", "strictness",
    "leaked", "tokens", "seconds", "counted", "size",
)  # fmt: skip
TRUE_TOKENS: Final = 1.0
NO_TASK: Final = -1


@dataclass(slots=True)
class Generation:
    """One request. Passes are 1 or 0, NaN where nobody looked.

    `first` and `final`: the first output, or one within the repair budget, compiles. `canonical`: the first output
    compiles and its canonical form does. `valid_ms`: time to the first valid output, infinite where none came.
    `repairs` before the first valid output, NaN where none came; `made`: the same, all of them where none came.
    `stalled`: the last two changed nothing for the better. `strictness`: an output held more than code; `leaked`: the
    first one held prose. `tokens` generated in `seconds` of generating; `counted` is 1 where the model's own tokenizer
    counted them, 0 where not or unknown. `size`: bytes of the first valid output's code.
    """

    task: str | None = None
    lane: str = ""
    first: float = math.nan
    final: float = math.nan
    canonical: float = math.nan
    task_success: float = math.nan
    semantic: float = math.nan
    valid_ms: float = math.nan
    repairs: float = math.nan
    made: float = math.nan
    stalled: float = math.nan
    strictness: float = math.nan
    leaked: float = math.nan
    tokens: float = math.nan
    seconds: float = math.nan
    counted: float = math.nan
    size: float = math.nan
    diagnostics: Mapping[str, int] | None = None


class Names:
    """Texts as numbers, the same for all tables that share it; only ever grows."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self.texts: list[str] = []

    def code(self, text: str) -> int:
        """Return the number that stands for a text."""
        code = self._codes.get(text)
        if code is None:
            code = self._codes[text] = len(self.texts)
            self.texts.append(text)
        return code


@dataclass(slots=True, eq=False)
class Rows:
    """The generations of one model in one file, growing."""

    names: Names
    columns: dict[str, array[float]] = field(default_factory=lambda: {name: array("d") for name in COLUMNS})
    tasks: array[int] = field(default_factory=lambda: array("q"))
    lanes: array[int] = field(default_factory=lambda: array("q"))
    diagnosed: int = 0
    """Generations that told their diagnostics, be they none."""
    diagnostics: Counter[str] = field(default_factory=Counter)
    afflicted: dict[str, set[int]] = field(default_factory=dict)
    """By class of diagnostics the tasks that had it; a task without a name is told by its place, as -2, -3, …"""

    def add(self, one: Generation) -> None:
        """Append a generation."""
        for name, column in self.columns.items():
            column.append(getattr(one, name))
        self.tasks.append(NO_TASK if one.task is None else self.names.code(one.task))
        self.lanes.append(self.names.code(one.lane))
        if one.diagnostics is not None:
            self.diagnosed += 1
            for category, count in one.diagnostics.items():
                if count > 0:
                    self.diagnostics[category] += count
                    self.afflicted.setdefault(category, set()).add(self.tasks[-1] if one.task else -1 - len(self.tasks))

    def without(self, tasks: Set[int]) -> Rows:
        """Return the generations of all tasks but these; the diagnostics only where none was left out."""
        kept = [place for place, task in enumerate(self.tasks) if task not in tasks]
        if len(kept) == len(self.tasks):
            return self
        columns = {name: array("d", [column[place] for place in kept]) for name, column in self.columns.items()}
        places = array("q", [self.tasks[place] for place in kept])
        return Rows(self.names, columns, places, array("q", [self.lanes[place] for place in kept]))


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The generations of one model from all its files, fixed: float64 columns of equal length by name.

    `tasks` holds a number a task; a generation whose task nobody named is a task of its own.
    """

    columns: Mapping[str, NDArray[np.float64]]
    tasks: NDArray[np.int64]
    lanes: NDArray[np.int64]
    names: Names
    diagnosed: int = 0
    diagnostics: Mapping[str, int] = field(default_factory=dict)
    afflicted: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of generations."""
        return len(self.tasks)

    @property
    def task_count(self) -> int:
        """Distinct tasks."""
        return len(np.unique(self.tasks))

    @property
    def named(self) -> bool:
        """Whether any generation told its task."""
        return bool((self.tasks >= 0).any())

    def lane_names(self) -> list[str]:
        """Return the lanes that occur, in the order of the alphabet; "" where none was told."""
        return sorted(self.names.texts[code] for code in np.unique(self.lanes))

    def of_lane(self, lane: str) -> Table:
        """Return the generations of one lane."""
        return self.where(self.lanes == self.names.code(lane))

    def where(self, mask: NDArray[np.bool_]) -> Table:
        """Return the generations at which `mask` holds, without their diagnostics."""
        columns = {name: column[mask] for name, column in self.columns.items()}
        return Table(columns, self.tasks[mask], self.lanes[mask], self.names)

    def per_task(self, name: str) -> tuple[NDArray[np.int64], NDArray[np.float64], int]:
        """Return the tasks that tell a column, each one's mean of it, and how many generations that is in all."""
        column = self.columns[name]
        known = ~np.isnan(column)
        tasks, places = np.unique(self.tasks[known], return_inverse=True)
        counts = np.bincount(places, minlength=len(tasks))
        sums = np.bincount(places, weights=column[known], minlength=len(tasks))
        return tasks, sums / np.maximum(counts, 1), int(known.sum())

    def per_task_median(self, name: str) -> tuple[NDArray[np.int64], NDArray[np.float64], int]:
        """Return the tasks that tell a column, each one's median of it (infinite values count), and generations."""
        column = self.columns[name]
        known = ~np.isnan(column)
        values, tasks = column[known], self.tasks[known]
        order = np.lexsort((values, tasks))
        values, tasks = values[order], tasks[order]
        distinct, starts, counts = np.unique(tasks, return_index=True, return_counts=True)
        low, high = values[starts + (counts - 1) // 2], values[starts + counts // 2]
        return distinct, np.where(low == high, low, (low + high) / 2), int(known.sum())


def joined(parts: Iterable[Rows], names: Names) -> Table:
    """Return the generations of several files as one table."""
    rows = list(parts)
    columns = {name: _concatenated([np.array(one.columns[name], dtype=np.float64) for one in rows]) for name in COLUMNS}
    tasks = _concatenated([np.array(one.tasks, dtype=np.int64) for one in rows], np.int64)
    unnamed = np.flatnonzero(tasks == NO_TASK)
    tasks[unnamed] = -1 - np.arange(len(unnamed))
    lanes = _concatenated([np.array(one.lanes, dtype=np.int64) for one in rows], np.int64)
    diagnostics: Counter[str] = Counter()
    afflicted: dict[str, set[tuple[int, int]]] = {}
    for place, one in enumerate(rows):
        diagnostics.update(one.diagnostics)
        for category, had in one.afflicted.items():
            afflicted.setdefault(category, set()).update((0 if task >= 0 else place + 1, task) for task in had)
    counted = {category: len(had) for category, had in afflicted.items()}
    return Table(columns, tasks, lanes, names, sum(one.diagnosed for one in rows), diagnostics, counted)


def _concatenated(parts: list[NDArray[np.float64]] | list[NDArray[np.int64]], kind: type = np.float64) -> NDArray:  # type: ignore[type-arg]
    return np.concatenate(parts) if parts else np.empty(0, dtype=kind)
