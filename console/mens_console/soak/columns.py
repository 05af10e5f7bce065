"""What is drawn of a soak's minutes, as columns that grow: closed minutes are worked out once, open ones each time.

No I/O, no clock. What is handed out is read-only; a later minute never changes it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mens_console.soak.sheets import Sheet
from mens_console.soak.types import LATENCIES, MINUTE, Columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from mens_console.load.histogram import Histogram
    from mens_console.soak.types import Minute

    Array = NDArray[Any]
    Block = dict[str, Array]

PER_DECADE: Final = 10
_DECADES: Final = 5
EDGES: Final = 10.0 ** (np.arange(PER_DECADE * _DECADES) / PER_DECADE)
"""Lower edges of the heatmap's rows: ten a decade, from 1 ms up to 79 s and beyond."""
EDGES.flags.writeable = False
_LEVEL: Final = "level "
"""What the columns of levels are called by, before their names."""
_FIRST: Final = 64


class _Growing:
    """An array whose first axis grows in amortised constant time."""

    __slots__ = ("_held", "size")

    def __init__(self, like: Array) -> None:
        self._held = np.empty((_FIRST, *like.shape[1:]), like.dtype)
        self.size = 0

    def extend(self, rows: Array) -> None:
        size = self.size + len(rows)
        if size > len(self._held):
            held = np.empty((max(size, 2 * len(self._held)), *self._held.shape[1:]), self._held.dtype)
            held[: self.size] = self._held[: self.size]
            self._held = held
        self._held[self.size : size] = rows
        self.size = size

    def view(self) -> Array:
        return self._held[: self.size]


class Table:
    """Columns of minutes that are closed, and views of them with the open ones behind."""

    def __init__(self) -> None:
        self._columns: dict[str, _Growing] = {}
        self._rows = 0

    def extend(self, minutes: Sequence[Minute], sheets: Mapping[str, Sheet], now_s: float) -> None:
        """Take closed minutes in, whose histograms are in `sheets` by name; `now_s` is how far the soak has come."""
        if not minutes:
            return
        for name, rows in _block(minutes, sheets, now_s).items():
            column = self._columns.get(name)
            if column is None:
                column = self._columns[name] = _Growing(rows)
                column.extend(_missing(rows, self._rows))
            column.extend(rows)
        self._rows += len(minutes)
        for column in self._columns.values():
            if column.size < self._rows:  # a level that these minutes do not tell
                column.extend(np.full(self._rows - column.size, np.nan))

    def columns(self, more: Sequence[Minute], sheets: Mapping[str, Sheet], now_s: float) -> Columns:
        """Return the columns of all closed minutes, and of some that may still change."""
        late = _block(more, sheets, now_s) if more or not self._columns else {}
        whole: Block = {}
        for name in dict.fromkeys((*self._columns, *late)):
            column, rows = self._columns.get(name), late.get(name)
            if column is None:
                assert rows is not None
                whole[name] = np.concatenate([_missing(rows, self._rows), rows])
            else:
                early = column.view()
                tail = _missing(early, len(more)) if rows is None else rows
                whole[name] = np.concatenate([early, tail]) if more else early[:]
            whole[name].flags.writeable = False
        return _named(whole)


def _missing(like: Array, rows: int) -> Array:
    return np.full((rows, *like.shape[1:]), np.nan if like.dtype.kind == "f" else 0, like.dtype)


def _named(block: Block) -> Columns:
    return Columns(
        index=block["index"], offered=block["offered"], achieved=block["achieved"], failed=block["failed"],
        up=block["up"], unobserved_s=block["unobserved_s"],
        percentiles={name: block[name] for name in LATENCIES},
        heat=block["heat"], heat_edges=EDGES,
        levels={name.removeprefix(_LEVEL): rows for name, rows in block.items() if name.startswith(_LEVEL)},
    )  # fmt: skip


def _block(minutes: Sequence[Minute], sheets: Mapping[str, Sheet], now_s: float) -> Block:
    """Return the columns of some minutes."""
    index = np.array([one.index for one in minutes], np.int64)
    due, ended, failures, probes, answered = _counts(minutes)
    unobserved = np.array([one.unobserved_s for one in minutes], np.float64)
    took = np.clip(now_s - index * MINUTE, 1.0, MINUTE)
    seen = np.maximum(took - unobserved, 0.0)
    blind = seen < 1.0
    block: Block = {
        "index": index,
        "offered": np.where(blind & (due == 0), np.nan, due / took),
        "achieved": _share(np.where(blind, 0.0, ended), np.where(blind, 0.0, seen)),
        "failed": _share(failures, ended),
        "up": _share(answered, probes),
        "unobserved_s": unobserved,
        "heat": sheets["e2e"].heat(EDGES),
    }
    block |= {name: sheets[name].quantiles() for name in LATENCIES}
    for name in dict.fromkeys(name for one in minutes for name in one.levels):
        block[_LEVEL + name] = np.array([_level(one, name) for one in minutes])
    return block


def _level(minute: Minute, name: str) -> float:
    """Return the mean of a level in a minute; of one that tells no more than its last sample, that one."""
    told = minute.ranges.get(name)
    return minute.levels.get(name, math.nan) if told is None else told[2]


def _counts(minutes: Sequence[Minute]) -> Array:
    """Return what was due, what ended, what failed, probes, and those answered: (5, minutes)."""
    return np.array(
        [
            (one.due, one.ended, one.failures, len(one.probes), sum(probe.ok for probe in one.probes))
            for one in minutes
        ],
        np.float64,
    ).reshape(-1, 5).T  # fmt: skip


def _share(part: Array, whole: Array) -> Array:
    found: Array = np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    return found


def sheets_of(minutes: Sequence[Minute]) -> dict[str, Sheet]:
    """Return the histograms of minutes, by name; a minute without one has an empty one."""
    from mens_console.load.histogram import Histogram

    empty = Histogram()

    def of(name: str) -> list[Histogram]:
        return [one.latencies.get(name, empty) for one in minutes]

    return {name: Sheet(of(name)) for name in LATENCIES}
