"""The minutes of a soak as a picture: a heatmap of a latency, a row of incidents, strips of percentiles, one axis.

It draws what it is given and knows no key but the mouse's; what is put together to a column is `soakbins`'.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

import numpy as np
from rich.segment import Segment
from textual.message import Message
from textual.strip import Strip

from mens_console.screens.soakbins import Lens, Stack, Window, grouped, struck
from mens_console.screens.soakwords import LEVELS, NAMES, SHORT, elapsed, ms
from mens_console.signals.human import percent, size, some
from mens_widgets import heat
from mens_widgets.canvas import Canvas, strip_of
from mens_widgets.heatface import RICH
from mens_widgets.heatink import STOPS, Inks
from mens_widgets.sparkline import BLOCKS
from mens_widgets.text import fit

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from textual import events

    from mens_console.screens.soakbins import Bins
    from mens_console.soak.types import Analysis

GUTTER: Final = 10
"""Cells of labels at the left, the blank behind them included."""
NOTE: Final = 18
"""Cells at the right that tell what a strip spans."""
NOTED: Final = 90
"""Widgets narrower than this have no room for it."""
SPAN: Final = 1000.0
"""The most that the heights of a strip span; what is smaller still is as low as this."""
LEAST_HEAT: Final = 3
_NO_HEAT: Final = np.empty((0, 0))
_COUNTED: Final = {"itl": "gap"}
"""What a count of a latency counts, where it is not requests."""
QUANTILES: Final = ("p50", "p95", "p99")
DRAWN: Final = ("ttft", "itl", "e2e")
"""Latencies that have strips."""


class Strips(NamedTuple):
    """One strip: its label, the values of the columns, what they span in all, and the span in words."""

    label: str
    values: NDArray[np.float64]
    limits: tuple[float, float] | None
    note: str


class SoakFace(Canvas, can_focus=False):
    """Shows a `Stack` through a `Lens`."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "soak--title", "soak--label", "soak--axis", "soak--strip", "soak--incident", "soak--failed", "soak--blind",
        "soak--calm", "soak--cursor", "heatmap--zero", "heatmap--bad", "heatmap--shade", "heatmap--cursor", *STOPS,
    }  # fmt: skip
    DEFAULT_CSS = """
    SoakFace {
        width: 1fr;
        height: 1fr;
        background: $background;
        & .soak--title { color: $text-muted; }
        & .soak--label { color: $text-muted; }
        & .soak--axis { color: $text-muted; }
        & .soak--strip { color: $text-primary; }
        & .soak--incident { color: $text-error; text-style: bold; }
        & .soak--failed { color: $text-warning; }
        & .soak--blind { color: $text-muted; }
        & .soak--calm { color: $text-muted; }
        & .soak--cursor { background: $block-cursor-blurred-background; text-style: bold; }
        & .heatmap--zero { color: $text-muted; }
        & .heatmap--bad { color: $text-error; text-style: bold; }
        & .heatmap--shade { color: $text-primary; }
        & .heatmap--cursor { background: $panel; }
        & .heatmap--ramp-1 { color: $secondary; }
        & .heatmap--ramp-2 { color: $primary; }
        & .heatmap--ramp-3 { color: $success; }
        & .heatmap--ramp-4 { color: $accent; }
    }
    """

    class Clicked(Message):
        """The mouse chose a minute."""

        def __init__(self, minute: int) -> None:
            super().__init__()
            self.minute = minute

    def __init__(self, lens: Lens) -> None:
        super().__init__()
        self.lens = lens
        self.metric = "e2e"
        self.reading = False
        """Whether the heat of the metric is still being counted."""
        self._stack: Stack | None = None
        self._heat: Stack | None = None
        self._analysis: Analysis | None = None
        self._inks: Inks | None = None

    def show(self, analysis: Analysis, stack: Stack, heat_stack: Stack | None) -> None:
        """Show this; `heat_stack` holds the heat of `metric`, None while there is none."""
        self._analysis, self._stack, self._heat = analysis, stack, heat_stack
        self.redraw()

    def forget(self) -> None:
        """Drop what was built with styles."""
        super().forget()
        self._inks = None

    # ------------------------------------------------------------------ places

    @property
    def cells(self) -> int:
        """Cells that columns have."""
        return max(self.size.width - GUTTER - (NOTE if self.size.width >= NOTED else 0), 1)

    @property
    def window(self) -> Window | None:
        """What is in sight, None where there is nothing."""
        if self._stack is None or (found := self._stack.span) is None:
            return None
        return self.lens.window(*found, self.cells)

    def on_click(self, event: events.Click) -> None:
        """Read the minute under the mouse."""
        window = self.window
        if window is not None and GUTTER <= event.x < GUTTER + window.columns * window.wide:
            self.post_message(self.Clicked(window.minutes((event.x - GUTTER) // window.wide)[0]))

    # ------------------------------------------------------------------ drawing

    @property
    def coloured(self) -> bool:
        """Whether there are colours enough for shades, which halve the height of a row."""
        return self._ink.colours is not None

    @property
    def _ink(self) -> Inks:
        if self._inks is None:
            system = self.app.console.color_system
            few = self.app.no_color or system not in RICH
            self._inks = Inks(self.style_for, few=few)
        return self._inks

    def draw(self, width: int, height: int) -> list[Strip]:
        """Draw title, heat, incidents, strips and axis."""
        stack, analysis, window = self._stack, self._analysis, self.window
        if stack is None or analysis is None:
            return []
        if window is None:
            return [
                strip_of(
                    [Segment(" no minute is recorded yet", self.style_for("soak--title"))], width, self.style_for()
                )
            ]
        bins = stack.bins(window)
        strips = self._chosen(stack, bins, height)
        body = max(height - len(strips) - 3, 0)
        cursor = window.column(self.lens.read(*(stack.span or (0, 0))))
        heats = self._heat
        counts = bins.heat if heats is stack else heats.bins(window).heat if heats is not None else _NO_HEAT
        most = int(np.nanmax(counts)) if np.isfinite(counts).any() else 0
        lines = [self._title(window, width, most)]
        lines += self._heat_lines(counts, window, body, cursor)
        lines.append(self._marks(analysis, bins, window, cursor))
        lines += [self._strip_line(one, window, cursor, width) for one in strips]
        lines.append(self._axis(window, cursor))
        return [strip_of(line, width, self.style_for()) for line in lines]

    def _chosen(self, stack: Stack, bins: Bins, height: int) -> list[Strips]:
        """Choose the strips that there is room for: p95 first, then p50, p99 and the levels."""
        room = max(height - 3 - max(LEAST_HEAT, min(height // 2, 16)), min(len(DRAWN), height - 3 - LEAST_HEAT))
        names = [name for name in DRAWN if stack.limits.get(name) is not None]
        wanted: tuple[int, ...] = (1,)
        if room >= 2 * len(names):
            wanted = (0, 1)
        if room >= 3 * len(names):
            wanted = (0, 1, 2)
        found = [self._strip(stack, bins, name, q) for name in names[: max(room, 0)] for q in wanted]
        left = room - len(found)
        for name, values in list(bins.levels.items())[: max(left, 0)]:
            limits = stack.level_limits[name]
            write = percent if name == "kv_cache" else size
            note = f"{write(limits[0])}–{write(limits[1])}" if limits is not None else ""
            found.append(Strips(LEVELS.get(name, name), values, limits, note))
        return found

    def _strip(self, stack: Stack, bins: Bins, name: str, q: int) -> Strips:
        limits = stack.limits[name]
        note = f"{ms(limits[0])}–{ms(limits[1])}" if limits is not None else ""
        return Strips(f"{SHORT[name]} {QUANTILES[q]}", bins.strips[name][q], limits, note)

    def _title(self, window: Window, width: int, most: int) -> list[Segment]:
        merged = f"{window.per} min a column: requests added up, worst minute of p50 p95 p99"
        per = merged if window.per > 1 else "1 min a column"
        if width < NOTED and window.per > 1:
            per = f"{window.per} min a column, counts added, worst p50 p95"
        doing = " · counting…" if self.reading else ""
        what = NAMES[self.metric] + ("" if self.metric in ("itl", "lag") else " latency")
        text = f"{what}{doing} · {per}"
        legend = self._legend(most) if width >= NOTED and most else []
        room = width - sum(one.cell_length for one in legend) - 1
        return [Segment(fit(" " + text, room), self.style_for("soak--title")), *legend]

    def _legend(self, most: int) -> list[Segment]:
        ink, title = self._ink, self.style_for("soak--title")
        shades = [ink.cell(heat.FIRST + level, 1) for level in range(0, ink.levels, max(ink.levels // 8, 1))]
        return [Segment("1 ", title), *shades, Segment(f" {some(most, _COUNTED.get(self.metric, 'request'))} ", title)]

    def _heat_lines(
        self, counts: NDArray[np.float64], window: Window, body: int, cursor: int | None
    ) -> list[list[Segment]]:
        if not body:
            return []
        heats, label, ink = self._heat, self.style_for("soak--label"), self._ink
        if heats is None or not len(counts):
            word = "counting…" if self.reading else "nothing was measured"
            blank: list[Segment] = []
            return [[Segment(" " * GUTTER + word, label)], *([blank] * (body - 1))]
        per_line = 2 if self.coloured else 1
        rows, source = grouped(counts, body * per_line)
        top = float(np.nanmax(rows)) if np.isfinite(rows).any() else 1.0
        codes = heat.levels(rows, (1.0, max(top, 2.0)), ink.levels, log=True)[::-1]
        codes = np.repeat(codes, window.wide, axis=1)
        lines: list[list[Segment]] = []
        told = -1.0
        for line in range(body):
            part = codes[line * per_line : (line + 1) * per_line]
            edge = heats.edges[heats.rows[0] + int(source[len(rows) - (line + 1) * per_line])]
            new = edge != told and line % 2 == (body - 1) % 2
            told, text = (edge, ms(float(edge))) if new else (told, "")
            lines.append([Segment(fit(text, GUTTER - 1, "right") + " ", label), *self._cells(part, window, cursor)])
        return lines

    def _cells(self, part: NDArray[np.uint8], window: Window, cursor: int | None) -> list[Segment]:
        ink = self._ink
        draw = ink.halves if self.coloured else lambda codes: ink.row(codes[0])
        if cursor is None:
            return draw(part)
        a = cursor * window.wide
        at = part[:, a]
        seen = next((int(code) for code in at if code >= heat.FIRST), heat.BLANK)
        before, after = part[:, :a], part[:, a + 1 :]
        found = draw(before) if before.shape[1] else []
        found = [*found, ink.cursor(seen) if seen else Segment("│", self.style_for("soak--cursor"))]
        return [*found, *(draw(after) if after.shape[1] else [])]

    def _marks(self, analysis: Analysis, bins: Bins, window: Window, cursor: int | None) -> list[Segment]:
        """Return the row that tells of incidents, failures and what nobody observed."""
        hit = struck(analysis.incidents, analysis.now_s, window)
        failed = np.nan_to_num(bins.failed) > 0
        down = np.nan_to_num(bins.up, nan=1.0) < 1
        looks = {name: self.style_for(f"soak--{name}") for name in ("incident", "failed", "blind", "calm", "label")}
        found = [Segment(fit("incidents", GUTTER - 1, "right") + " ", looks["label"])]
        for column in range(window.columns):
            if hit[column]:
                name, glyph = "incident", "✖"
            elif bins.unobserved[column] > 0:
                name, glyph = "blind", "?"
            elif failed[column] or down[column]:
                name, glyph = "failed", "▪"
            else:
                name, glyph = "calm", "·" if bins.minutes[column] else " "
            style = looks[name]
            if column == cursor:
                found.append(Segment(glyph, style + self.style_for("soak--cursor")))
                found.append(Segment(glyph * (window.wide - 1), style))
            else:
                found.append(Segment(glyph * window.wide, style))
        return found

    def _strip_line(self, strip: Strips, window: Window, cursor: int | None, width: int) -> list[Segment]:
        glyphs = "".join(_blocks(strip.values, strip.limits))
        label, plain = self.style_for("soak--label"), self.style_for("soak--strip")
        found = [Segment(fit(strip.label, GUTTER - 1, "right") + " ", label)]
        wide = window.wide
        if cursor is None:
            found.append(Segment("".join(glyph * wide for glyph in glyphs), plain))
        else:
            here = glyphs[cursor]
            found.append(Segment("".join(glyph * wide for glyph in glyphs[:cursor]), plain))
            found.append(Segment(here if here != " " else "│", plain + self.style_for("soak--cursor")))
            rest = here * (wide - 1) + "".join(glyph * wide for glyph in glyphs[cursor + 1 :])
            found.append(Segment(rest, plain))
        if width >= NOTED:
            gap = self.cells - len(glyphs) * wide
            found.append(Segment(" " * gap + " " + fit(strip.note, NOTE - 1, "right"), label))
        return found

    def _axis(self, window: Window, cursor: int | None) -> list[Segment]:
        """Return the hours below the columns, and the moment that is read."""
        cells = window.columns * window.wide
        line = [" "] * (cells + 8)
        span = self._stack.span if self._stack is not None else None
        end = min(window.right, span[1] + 2 if span is not None else 0)
        step = next((s for s in _STEPS if s * window.wide / window.per >= 12), _STEPS[-1])
        for minute in range(math.ceil(window.left / step) * step, end, step):
            place = (minute - window.left) // window.per * window.wide
            text = f"╵{elapsed(minute * 60.0)}"
            if place + len(text) <= self.cells:
                line[place : place + len(text)] = text
        style = self.style_for("soak--axis")
        text = "".join(line)[: self.cells]
        lead = Segment(fit("elapsed", GUTTER - 1, "right") + " ", style)
        if cursor is None or cursor * window.wide >= len(text):
            return [lead, Segment(text, style)]
        a = cursor * window.wide
        mark = Segment("▲", style + self.style_for("soak--cursor"))
        return [lead, Segment(text[:a], style), mark, Segment(text[a + 1 :], style)]


_STEPS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880)


def _blocks(values: NDArray[np.float64], limits: tuple[float, float] | None) -> list[str]:
    """Return a block a column, on a log scale over what the whole soak spans; blank where nothing was measured."""
    if limits is None:
        return [" "] * len(values)
    low, high = max(limits[0], limits[1] / SPAN), limits[1]
    if high < 2 * low:  # what hardly moves is not blown up
        low, high = low / math.sqrt(2), high * math.sqrt(2)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (np.log(values) - math.log(low)) / (math.log(high) - math.log(low))
    known = np.isfinite(values)
    places = np.clip(np.nan_to_num(share, nan=0.0, neginf=0.0) * 8, 0, 7).astype(np.int64)
    return [BLOCKS[place] if there else " " for place, there in zip(places.tolist(), known.tolist(), strict=True)]
