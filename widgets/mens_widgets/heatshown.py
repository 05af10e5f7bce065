"""What a heatmap shows before it is drawn: its rows, its numbers, their course and limits, and where the cursor is.

No style enters here; drawing is `heatface`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mens_widgets import heat
from mens_widgets.canvas import Canvas
from mens_widgets.viewport import Viewport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mens_widgets.xaxis import Mark

_NO_VALUES: Final = np.empty((0, 0), np.float32)


@dataclass(frozen=True, slots=True)
class HeatRow:
    """One row: which row of the matrix it shows (`source`), and untrusted words beside it.

    Rows of equal `group` that stand together are bracketed. `mark` is one character before the row; `tone` its colour
    and the label's: "", good, warning, critical, info or muted (a `heatmap--…` class).
    """

    key: str
    source: int
    label: str
    group: str = ""
    mark: str = ""
    tone: str = ""


class HeatShown(Canvas):
    """Rows of a matrix in the order given, the cursor on one of them, and what the shades span."""

    def __init__(
        self, title: str = "", *, unit: str = "", empty: str = "no data yet", axis_name: str = "step",
        log_scale: bool = True, name: str | None = None, id: str | None = None, classes: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(name=name, id=id, classes=classes)
        self.title, self.unit, self.empty, self.axis_name = title, unit, empty, axis_name
        self.log_scale, self.dense = log_scale, False
        self.fixed: tuple[float, float] | None = None
        self.viewport = Viewport()
        self.column: float | None = None
        """The x that is read, None for the newest."""
        self._rows: Sequence[HeatRow] = ()
        self._index: dict[str, int] = {}
        self._widths = (0, 0)
        self._values: NDArray[np.floating[Any]] = _NO_VALUES
        self.course = heat.Course(np.empty(0, np.int64))
        self._newest: NDArray[np.floating[Any]] | None = None
        self._marks: tuple[Mark, ...] = ()
        self._limits: tuple[tuple[object, bool], tuple[float, float] | None] = ((None, True), None)
        self._cursor = 0
        self._top = 0

    def show(
        self, rows: Sequence[HeatRow], values: NDArray[np.floating[Any]], steps: NDArray[Any], *,
        newest: NDArray[np.floating[Any]] | None = None, marks: Sequence[Mark] = (),
    ) -> None:  # fmt: skip
        """Show these rows of a matrix of sources × columns; `newest` has one value a source. Cheap when unchanged.

        `rows` that are the same object as before are not looked through again. NaN is what was not measured, infinity
        what was not finite. Where `steps` fall back (a resume), the axis goes on and says so.
        """
        if rows is not self._rows:
            key = self.cursor_key
            self._rows, self._index = rows, {row.key: i for i, row in enumerate(rows)}
            self._widths = max((len(r.group) for r in rows), default=0), max((len(r.label) for r in rows), default=0)
            place = self._index.get(key, self._cursor) if key is not None else 0
            self._cursor = max(0, min(place, len(rows) - 1))
        if steps is not self.course.steps:
            self.course = heat.Course(steps)
        self._values, self._newest, self._marks = values, newest, tuple(marks)
        self.viewport.follow(self.course.bounds)
        self.redraw()

    @property
    def cursor_key(self) -> str | None:
        """The key of the row under the cursor, None where there are no rows."""
        return self._rows[self._cursor].key if self._rows else None

    def place_cursor(self, key: str) -> None:
        """Put the cursor on this row, if it is there; posts no message."""
        if (place := self._index.get(key)) is not None:
            self._cursor = place
            self.redraw()

    @property
    def limits(self) -> tuple[float, float] | None:
        """What the lowest and the highest shade stand for, None while there is nothing to show."""
        if self.fixed is not None:
            return self.fixed
        known, log = self._limits[0]
        if known is not self._values or log != self.log_scale:
            self._limits = (self._values, self.log_scale), heat.limits(self._values, log=self.log_scale)
        return self._limits[1]
