"""Rows whose steps were only counted: a better source of the same run tells what an epoch is worth in steps.

A console without progress bars numbers its rows 1, 2, 3; the trainer's state beside it knows steps 10, 20, 30.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from mens_console.ingest.records import Columns

if TYPE_CHECKING:
    from mens_console.store.axis import Writer

EPOCH: Final = "epoch"
MAX_ROWS: Final = 200_000
"""Rows that are kept until it is known where they belong; of more, the newest stay."""


class Held(NamedTuple):
    """Rows of one file that wait for their steps."""

    columns: Columns
    writer: Writer


class Counted:
    """What is known of a run's epochs in steps, and the rows that wait for it."""

    def __init__(self) -> None:
        self._step, self._epoch = 0, 0.0
        self._known: tuple[int, int] | None = None
        """The steps from and up to which other sources tell every row, None where none does."""
        self._held: list[Held] = []

    def learn(self, columns: Columns, *, sampled: bool = False) -> list[Held]:
        """Take in rows with steps of their own; return those that waited and have a step besides these now.

        What is `sampled` tells only some of its rows, so that those that were counted still serve for the others.
        """
        if EPOCH not in columns.names:
            return []
        epochs = np.frombuffer(columns.values[columns.names.index(EPOCH)], np.float64)
        steps = np.frombuffer(columns.steps, np.int64)
        told = np.flatnonzero(np.isfinite(epochs) & (epochs > 0.0) & (steps > 0))
        if len(told) and steps[told[-1]] > self._step:
            self._step, self._epoch = int(steps[told[-1]]), float(epochs[told[-1]])
        if len(told) and not sampled:
            first, last = int(steps[told[0]]), int(steps[told[-1]])
            before = self._known or (first, last)
            self._known = min(before[0], first), max(before[1], last)
        if not self._step:
            return []
        held, self._held = self._held, []
        placed = [Held(self._placed(one.columns), one.writer) for one in held]
        return [one for one in placed if len(one.columns)]

    def place(self, columns: Columns, writer: Writer) -> Columns | None:
        """Return rows at the steps that their epochs tell, those only that lie outside of what is known exactly.

        None where nothing tells yet: the rows are kept until something does, and stand meanwhile as they were counted.
        """
        if EPOCH not in columns.names:
            return None
        if self._step:
            return self._placed(columns)
        self._held.append(Held(columns, writer))
        while sum(len(one.columns) for one in self._held) > MAX_ROWS and len(self._held) > 1:
            self._held.pop(0)
        return None

    def _placed(self, columns: Columns) -> Columns:
        epochs = np.frombuffer(columns.values[columns.names.index(EPOCH)], np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            steps = np.rint(epochs * (self._step / self._epoch))
            first, last = self._known or (0, -1)
            kept = np.flatnonzero(np.isfinite(steps) & ~((first <= steps) & (steps <= last)) & (steps < 2**53))
        return Columns(
            columns.names,
            array("q", steps[kept].astype(np.int64).tobytes()),
            array("d", np.frombuffer(columns.walls, np.float64)[kept].tobytes()),
            tuple(array("d", np.frombuffer(one, np.float64)[kept].tobytes()) for one in columns.values),
            columns.rank,
        )
