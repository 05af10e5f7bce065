"""A heatmap of 500 rows over 200 columns on a whole screen, beside a screen of Textual with a style a cell."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.app import App, ComposeResult
from textual.strip import Strip
from textual.widget import Widget

from bench.figure import Figure, Target
from bench.sink import Cost, Sink, frame
from mens_widgets.heatmap import Heatmap, HeatRow
from mens_widgets.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from bench.context import Context

ROWS, COLUMNS = 500, 200
SIZE = (200, 50)
_COLOURS = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}


class NarrowSink(Sink):
    """A counter behind the filter that the console writes through: what the terminal shows already is not sent."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._wire = Wire()

    def write(self, data: str) -> None:
        """Count what is left."""
        super().write(self._wire.narrow(data, *SIZE))


class Plain(Widget):
    """Cells as Textual alone would draw them: one segment and one style each."""

    turn = 0

    def render_line(self, y: int) -> Strip:
        """Return a line whose every cell has a colour of its own."""
        shades = [(x * 7 + y * 13 + self.turn * 29) % 256 for x in range(self.size.width)]
        return Strip([Segment(" ", Style(bgcolor=Color.from_rgb(s, 255 - s, 128))) for s in shades])


class Screen(App[None]):
    """Nothing but one widget."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, widget: Widget, driver: type[Sink]) -> None:
        super().__init__(driver_class=driver)
        self.widget = widget

    def compose(self) -> ComposeResult:
        """Fill the screen."""
        yield self.widget


def matrix(columns: int) -> NDArray[np.float32]:
    """Return gradient norms as they look: rows of different size, each a noisy curve."""
    rng = np.random.default_rng(7)
    level = rng.normal(-3, 1, (ROWS, 1)) + np.cumsum(rng.normal(0, 0.05, (ROWS, columns)), axis=1)
    return np.exp(level + rng.normal(0, 0.4, (ROWS, columns))).astype(np.float32)


def rows() -> list[HeatRow]:
    """Return the labels of `ROWS` modules, four a layer."""
    names = ("q_proj", "k_proj", "v_proj", "o_proj")
    return [HeatRow(str(i), i, names[i % 4], f"L{i // 4:02d}", "×" if i % 31 == 0 else "") for i in range(ROWS)]


def bench_heatmap(context: Context) -> Iterator[Figure]:
    """Measure whole frames (of other numbers, and scrolled), a new column, and Textual alone, in processor time."""
    before = {name: os.environ.get(name) for name in _COLOURS}
    os.environ.update(_COLOURS)
    try:
        ours, sent, theirs = asyncio.run(_measure(context.pick(40, 10)))
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
    name, against = f"heatmap {ROWS}×{COLUMNS}", "Textual, a style a cell"
    whole, page, column = ours
    target = Target(20.0)
    yield Figure(f"{name}: {whole}", "ms CPU", [c.ms for c in ours[whole]], target, [c.ms for c in theirs], against)
    yield Figure(f"{name}: {page}", "ms CPU", [c.ms for c in ours[page]], target)
    yield Figure(f"{name}: {column}", "ms CPU", [c.ms for c in ours[column]], target)
    for what, anchor in ((whole, [c.sent for c in theirs]), (column, [])):
        title, note = f"{name}: {what}, filtered", "through the filter that the console writes to a terminal with"
        yield Figure(title, "bytes", [c.sent for c in sent[what]], None, anchor, against if anchor else "", note)
        yield Figure(title, "ms CPU", [c.ms for c in sent[what]])


async def _measure(turns: int) -> tuple[dict[str, list[Cost]], dict[str, list[Cost]], list[Cost]]:
    plain, theirs = Plain(), list[Cost]()
    app = Screen(plain, Sink)
    async with app.run_test(headless=False, size=SIZE):
        for _ in range(turns):
            plain.turn += 1
            theirs.append(await frame(app, plain.refresh))
    return await _ours(turns, Sink), await _ours(turns, NarrowSink), theirs


async def _ours(turns: int, driver: type[Sink]) -> dict[str, list[Cost]]:
    heatmap, labels, values = Heatmap("|g|"), rows(), matrix(COLUMNS + turns)
    steps = np.arange(COLUMNS + turns, dtype=np.int64) * 10
    app = Screen(heatmap, driver)
    costs: dict[str, list[Cost]] = {"whole frame": [], "a page further": [], "one column more": []}
    async with app.run_test(headless=False, size=SIZE):

        async def cost(what: str, change: Callable[[], object]) -> None:
            costs[what].append(await frame(app, change))

        for turn in range(turns):
            other = np.roll(values[:, :COLUMNS], turn * 17, axis=0)
            await cost("whole frame", partial(heatmap.show, labels, other, steps[:COLUMNS]))
        for turn in range(turns):
            await cost("a page further", partial(heatmap.action_page, -1 if turn // 8 % 2 else 1))
        heatmap.show(labels, values[:, :COLUMNS], steps[:COLUMNS])
        for n in range(COLUMNS + 1, COLUMNS + turns + 1):
            await cost("one column more", partial(heatmap.show, labels, values[:, :n], steps[:n]))
    return costs
