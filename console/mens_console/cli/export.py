"""`mens-console export RUN --csv`: the series of one run for a spreadsheet or a data frame.

Only text is made here; every cell that a spreadsheet could take for a formula is disarmed.
"""

from __future__ import annotations

import csv
import math
from typing import TYPE_CHECKING, Final

import numpy as np

from mens_console.cli.common import one_run, output
from mens_console.cli.errors import OK, CommandError
from mens_console.cli.plot import known
from mens_console.ingest.text import safe_text
from mens_console.signals.system import is_system

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from mens_console.store.series import SeriesView
    from mens_console.store.snapshot import RunView

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
LONG_HEADER: Final = ("segment", "rewound", "step", "wall_time", "metric", "value")


def run(arguments: argparse.Namespace) -> int:
    """Write the CSV."""
    view = one_run(arguments)
    names = list(dict.fromkeys(known(view, name) for name in arguments.metrics)) or list(view.series)
    if not names:
        raise CommandError(f"{view.name} has no series to export; `mens-console status` says what was read")
    rows = long_rows(view, names) if arguments.long else wide_rows(view, names)
    with output(arguments.output) as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)
    return OK


def wide_rows(view: RunView, names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield a header, then one row a step of the run's line: step, wall time, segment, and each metric.

    The steps are the union of the metrics'; a metric that was not logged at a step is blank. `wall_time` is in seconds
    since the epoch, the latest that a metric tells for the step; `segment` counts resumes from 0. Of several samples of
    the machine within one step the last one stands here; their times only count where no metric was logged.
    """
    yield ("step", "wall_time", "segment", *map(disarmed, names))
    columns = [view.series[name] for name in names]
    steps = np.unique(np.concatenate([series.steps for series in columns]))
    walls = np.full(len(steps), np.nan)
    values = np.full((len(columns), len(steps)), np.nan)
    logged = np.zeros((len(columns), len(steps)), np.bool_)
    for i, series in sorted(enumerate(columns), key=lambda column: is_system(names[column[0]])):
        at = np.searchsorted(steps, series.steps)
        later = np.fmax(walls[at], series.walls)
        walls[at] = np.where(np.isnan(walls[at]), later, walls[at]) if is_system(names[i]) else later
        values[i, at] = series.values
        logged[i, at] = True
    starts = np.array([segment.start_step for segment in view.segments[1:]], np.int64)
    segments = np.searchsorted(starts, steps, side="right")
    for j, step in enumerate(steps.tolist()):
        cells = [
            number(value) if there else "" for value, there in zip(values[:, j].tolist(), logged[:, j], strict=True)
        ]
        yield (str(step), moment(walls[j]), str(segments[j]), *cells)


def long_rows(view: RunView, names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield a header, then one row a value; what a resume went back over is there too, with `rewound` 1."""
    yield LONG_HEADER
    starts = np.array([segment.start_step for segment in view.segments[1:]], np.int64)
    for name in names:
        series = view.series[name]
        label = disarmed(name)
        for piece in series.rewound:
            segment = str(_segment_of(view, piece))
            for step, wall, value in _points(piece):
                yield segment, "1", str(step), moment(wall), label, number(value)
        segments = np.searchsorted(starts, series.steps, side="right").tolist()
        for segment, (step, wall, value) in zip(segments, _points(series), strict=True):
            yield str(segment), "0", str(step), moment(wall), label, number(value)


def _points(series: SeriesView) -> Iterator[tuple[int, float, float]]:
    return zip(series.steps.tolist(), series.walls.tolist(), series.values.tolist(), strict=True)


def _segment_of(view: RunView, piece: SeriesView) -> int:
    """Return the segment that a rewound piece was lived through in: the one that the next resume cut there."""
    first, last = int(piece.steps[0]), int(piece.steps[-1])
    for i, (segment, following) in enumerate(zip(view.segments, view.segments[1:], strict=False)):
        if following.start_step <= first and last <= segment.end_step:
            return i
    return 0


def number(value: float) -> str:
    """Return the shortest text that reads back as the same number; ``NaN``, ``Infinity``, ``-Infinity``."""
    if math.isfinite(value):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def moment(wall: float) -> str:
    """Return seconds since the epoch to the millisecond, blank where unknown."""
    return f"{wall:.3f}" if math.isfinite(wall) else ""


def disarmed(text: str) -> str:
    """Return foreign text for a cell: no control characters, and a leading quote before what begins a formula."""
    shown = safe_text(text)
    return f"'{shown}" if shown.startswith(_FORMULA) or text.startswith(_FORMULA) else shown
