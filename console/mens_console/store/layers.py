"""Adapter pairs over time in bounded memory: one column a look, merged two by two as a run grows.

Merging keeps the larger value, so that an explosion survives; what a look means is judged in `signals`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from mens_console.signals.pairs import PairTable
from mens_console.store.snapshot import LayersView

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mens_console.signals.pairs import LayerRow, PairState, PairSummary

CELLS: Final = 1 << 19
"""Cells a metric may have: 1024 columns of 500 pairs, 4 bytes each."""
MOST_COLUMNS: Final = 1024
LEAST_COLUMNS: Final = 64


class LayerHistory:
    """Every look at the pairs of one run. A step that falls back (a resume) is a further column like any other."""

    def __init__(self) -> None:
        self.table = PairTable(())
        self.rev = 0
        self.looks = 0
        self._stride = 1
        self._filled = 0
        """Looks in the newest column."""
        self._count = 0
        self._steps = np.zeros(LEAST_COLUMNS, np.int64)
        self._walls = np.full(LEAST_COLUMNS, np.nan)
        self._values: dict[str, NDArray[np.float32]] = {}
        self._latest: dict[str, NDArray[np.float64]] = {}
        self._view: LayersView | None = None

    def __len__(self) -> int:
        """Return the number of columns."""
        return self._count

    @property
    def nbytes(self) -> int:
        """Bytes that the columns take."""
        return sum(matrix.nbytes for matrix in self._values.values())

    def know(self, table: PairTable) -> PairTable:
        """Count in this table from here on; pairs that it lacks keep their rows. Return the table of all."""
        if table.names != self.table.names:
            longer = self.table.names == table.names[: len(self.table)]
            merged = table if longer else _union(self.table, table)
            more = len(merged) - len(self.table)
            for name, matrix in self._values.items():
                self._values[name] = np.vstack([matrix, np.full((more, matrix.shape[1]), np.nan, np.float32)])
            for name, column in self._latest.items():
                self._latest[name] = np.append(column, np.full(more, np.nan))
            self.table = merged
            while self._count > self._capacity:
                self._halve()
        else:
            self.table = table
        self.rev += 1
        return self.table

    def take(self, look: LayerRow, table: PairTable) -> None:
        """Add a look that counts in `table`, one that was made known before."""
        places = None
        if table.names != self.table.names:
            index = {name: i for i, name in enumerate(self.table.names)}
            places = np.array([index[name] for name in table.names], np.int64)
        if self._count and self._filled < self._stride:
            self._filled += 1
        else:
            self._open_column()
        at = self._count - 1
        self._steps[at], self._walls[at] = look.step, look.wall
        for name, values in look.values.items():
            matrix = self._values.get(name)
            if matrix is None:
                matrix = np.full((len(self.table), len(self._steps)), np.nan, np.float32)
                self._values[name] = matrix
            seen = np.asarray(values, np.float64)
            if places is not None:
                spread = np.full(len(self.table), np.nan)
                spread[places] = seen
                seen = spread
            with np.errstate(over="ignore"):
                np.fmax(matrix[:, at], seen.astype(np.float32), out=matrix[:, at])
            self._latest[name] = seen
        self.looks += 1
        self.rev += 1

    @property
    def _capacity(self) -> int:
        return max(LEAST_COLUMNS, min(MOST_COLUMNS, CELLS // max(len(self.table), 1))) & ~1

    def _open_column(self) -> None:
        if self._count == self._capacity:
            self._halve()
        if self._count == len(self._steps):
            self._resize(min(2 * self._count, self._capacity))
        self._count += 1
        self._filled = 1

    def _halve(self) -> None:
        """Merge every two columns; an odd last one stays alone and takes more looks."""
        pairs, odd = divmod(self._count, 2)
        end = 2 * pairs
        for name, matrix in self._values.items():
            merged = np.full_like(matrix, np.nan)
            np.fmax(matrix[:, 0:end:2], matrix[:, 1:end:2], out=merged[:, :pairs])
            if odd:
                merged[:, pairs] = matrix[:, end]
            self._values[name] = merged
        for column in (self._steps, self._walls):
            column[:pairs] = column[1:end:2].copy()
            if odd:
                column[pairs] = column[end]
        self._filled = self._filled if odd else 2 * self._stride
        self._stride *= 2
        self._count = pairs + odd

    def _resize(self, columns: int) -> None:
        more = columns - len(self._steps)
        self._steps = np.append(self._steps, np.zeros(more, np.int64)) if more > 0 else self._steps[:columns].copy()
        self._walls = np.append(self._walls, np.full(more, np.nan)) if more > 0 else self._walls[:columns].copy()
        for name, matrix in self._values.items():
            if more > 0:
                blank = np.full((matrix.shape[0], more), np.nan, np.float32)
                self._values[name] = np.hstack([matrix, blank])
            else:
                self._values[name] = matrix[:, :columns].copy()

    def thin(self, columns: int) -> None:
        """Keep at most about so many columns, for a run that nobody looks at."""
        while self._count > max(columns, 2):
            self._halve()
        self._resize(max(self._count, 1))
        self._view = None
        self.rev += 1

    def view(self, states: tuple[PairState, ...], summary: PairSummary) -> LayersView | None:
        """Return the frozen view, None before the first look."""
        if not self._count:
            return None
        if self._view is None or self._view.rev != self.rev or self._view.states != states:
            n = self._count
            self._view = LayersView(
                rev=self.rev,
                table=self.table,
                steps=self._steps[:n].copy(),
                walls=self._walls[:n].copy(),
                values={name: matrix[:, :n].copy() for name, matrix in self._values.items()},
                latest=dict(self._latest),
                states=states,
                summary=summary,
            )
        return self._view


def _union(old: PairTable, new: PairTable) -> PairTable:
    """Return the pairs of both tables, the old ones first; what the new one says of a pair stands."""
    place = {name: i for i, name in enumerate(new.names)}
    known = set(old.names)
    fresh = [i for i, name in enumerate(new.names) if name not in known]

    def of(attribute: str, blank: int | bool) -> tuple[int, ...]:
        told, before = getattr(new, attribute), getattr(old, attribute)
        kept = [
            told[place[name]] if name in place and told else before[i] if before else blank
            for i, name in enumerate(old.names)
        ]
        return (*kept, *(told[i] if told else blank for i in fresh))

    names = (*old.names, *(new.names[i] for i in fresh))
    return PairTable(names, tuple(map(bool, of("frozen", False))), of("r", 0))
