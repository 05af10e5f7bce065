"""A chart of 120 × 30 cells over a million points, beside plotext drawing the same points."""

from __future__ import annotations

import asyncio
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from textual.app import App, ComposeResult

from bench import data
from bench.context import Context, interleaved, timed
from bench.figure import Figure, Target
from bench.sink import Sink, frame
from mens_console.store.columns import Column
from mens_console.store.series import Cache, SeriesView
from mens_widgets.chart import Chart

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE = (120, 30)
_LARGE = 1_000_000


class Growing:
    """A series that gets one point more at each call."""

    def __init__(self, points: int) -> None:
        numbers = data.values(points, 1)[:, 0]
        steps = np.arange(points, dtype=np.int64)
        self._columns = (Column(np.int64, steps), Column(np.float64, numbers), Column(np.float64, steps * 0.5))
        self._cache = Cache()

    def view(self) -> SeriesView:
        """Return what the store would publish now."""
        steps, values, walls = (column.view() for column in self._columns)
        return SeriesView("loss", steps, values, walls, len(steps), cache=self._cache)

    def grow(self) -> SeriesView:
        """Append a point and return the new view."""
        steps, values, walls = self._columns
        n = steps.n
        for column, value in ((steps, n), (values, 1.0 + 0.3 * np.sin(n)), (walls, n * 0.5)):
            column.extend(np.array([value]))
        return self.view()


class ChartApp(App[None]):
    """Nothing but a chart."""

    ENABLE_COMMAND_PALETTE = False

    def compose(self) -> ComposeResult:
        """Fill the screen with the chart."""
        yield Chart("loss", unit="nats")


def bench_chart(context: Context) -> Iterator[Figure]:
    """Measure `draw` alone, then a whole frame of Textual, in processor time."""
    points, frames = context.pick(_LARGE, 1_000_000), context.pick(200, 50)
    draws, costs = asyncio.run(_ours(points, frames))
    against = context.pick(_LARGE, 20_000)
    anchor = interleaved(context.pick(1, 3), lambda: _plotext(against))[0]
    name = f"plotext {version('plotext')}"
    note = "" if against == points else f"anchor draws {against:,} points only"
    yield Figure("chart 120×30 over 1 M points: draw", "ms", draws, Target(1.0), anchor, name, note)
    yield Figure("chart 120×30 over 1 M points: Textual frame", "ms CPU", [c.ms for c in costs], Target(4.0))
    yield Figure("chart 120×30 over 1 M points: one point more", "bytes", [c.sent for c in costs])


async def _ours(points: int, frames: int) -> tuple[list[float], list[Any]]:
    app, series = ChartApp(driver_class=Sink), Growing(points)
    async with app.run_test(headless=False, size=SIZE):
        chart = app.query_one(Chart)
        await frame(app, lambda: chart.show([series.view()]))
        costs = [await frame(app, lambda: chart.show([series.grow()])) for _ in range(frames)]
        draws = []
        for _ in range(frames):
            chart.show([series.grow()])
            draws.append(timed(lambda: chart.draw(*SIZE))[0] * 1e3)
    return draws, costs


def _plotext(points: int) -> float:
    plotext: Any = import_module("plotext")
    numbers = data.values(points, 1)[:, 0].tolist()

    def draw() -> str:
        figure = plotext.figure.clear()
        figure.plot_size(*SIZE)
        curve = figure.signal(list(range(points)), numbers, marker=plotext.marker("braille"))
        curve.lines()
        figure.draw(curve)
        return str(figure.build().string())

    plotext.terminal.limit(width=False, height=False)
    return timed(draw)[0] * 1e3
