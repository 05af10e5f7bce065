"""The face of a chart: title, plot, axes, marks and legend, drawn from bins into strips.

It turns ink into styles and numbers into places; keys and messages belong to `chart`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

import numpy as np
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from mens_widgets import plot, ticks
from mens_widgets.canvas import Canvas, strip_of
from mens_widgets.curve import Axis, Bins, Curve, PointLike
from mens_widgets.text import clean, fit
from mens_widgets.viewport import Viewport
from mens_widgets.xaxis import Mark, XAxis

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from numpy.typing import NDArray

SERIES: Final = 6
AXES: Final[tuple[Axis, ...]] = ("step", "relative", "wall")


@dataclass(frozen=True, slots=True)
class Trace:
    """A curve and how to show it. A `rewound` piece is drawn dim, without a line, a legend or a say in the scale.

    A `tag`, one character, is written along the line and in the legend: curves stay apart without colour.
    """

    curve: Curve
    rewound: bool = False
    tag: str = ""


class _Row(NamedTuple):
    """A row of the plot as it was drawn: its label, its ink, and the strip made of both."""

    label: str
    segments: list[Segment]
    strip: Strip


@dataclass(slots=True)
class _Frame:
    """What was drawn last, kept so that what is equal keeps its strips."""

    picture: plot.Picture | None = None
    rows: list[_Row] = field(default_factory=list)
    cell: int | None = None
    foot_key: tuple[object, ...] = ()
    foot: list[Strip] = field(default_factory=list)


class ChartFace(Canvas):
    """Up to six curves over one x axis, at any size from 20×5 on, without keys.

    `show` gives it data; after that every call with grown curves repaints only what changed. `smoothing` is the level
    of the exponential average (0 none … 0.99), `log_scale` and `clip` choose the value axis; call `redraw` after
    changing one.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "chart--title", "chart--value", "chart--axis", "chart--mark", "chart--alert", "chart--bad", "chart--clipped",
        "chart--cursor", "chart--rewound", "chart--empty", *(f"chart--series-{i}" for i in range(1, SERIES + 1)),
    }  # fmt: skip
    DEFAULT_CSS = """
    ChartFace {
        width: 1fr;
        height: 1fr;
        min-height: 3;
        & .chart--title { color: $text-muted; }
        & .chart--value { color: $foreground; text-style: bold; }
        & .chart--axis { color: $text-muted; }
        & .chart--mark { color: $text-accent; }
        & .chart--alert { color: $text-warning; text-style: bold; }
        & .chart--bad { color: $text-error; text-style: bold; }
        & .chart--clipped { color: $text-warning; }
        & .chart--cursor { color: $text-muted; }
        & .chart--rewound { color: $text-disabled; }
        & .chart--empty { color: $text-muted; }
        & .chart--series-1 { color: $text-primary; }
        & .chart--series-2 { color: $text-accent; }
        & .chart--series-3 { color: $text-success; }
        & .chart--series-4 { color: $text-secondary; }
        & .chart--series-5 { color: $text-error; }
        & .chart--series-6 { color: $foreground; }
        &:focus .chart--title { color: $foreground; text-style: bold; }
        &:focus .chart--cursor { color: $foreground; }
    }
    """

    def __init__(
        self, title: str = "", *, unit: str = "", empty: str = "no data yet", smoothing: float = 0.6,
        axis: Axis = "step", log_scale: bool = False, zone: tzinfo | None = None,
        name: str | None = None, id: str | None = None, classes: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(name=name, id=id, classes=classes)
        self.title, self.unit, self.empty = title, unit, empty
        self.smoothing, self.axis, self.log_scale, self.clip, self.zone = smoothing, axis, log_scale, False, zone
        self.step_name = "step"
        """What the first axis counts."""
        self.viewport = Viewport()
        self.cursor: float | None = None
        self._traces: tuple[Trace, ...] = ()
        self._marks: tuple[Mark, ...] = ()
        self._frame = _Frame()

    # What it shows

    def show(self, traces: Sequence[Trace | Curve], marks: Sequence[Mark] = ()) -> None:
        """Show these curves (six live ones at most are drawn) and marks. Cheap when nothing changed."""
        self._traces = tuple(trace if isinstance(trace, Trace) else Trace(trace) for trace in traces)
        self._marks = tuple(marks)
        if not any(trace.curve.bounds(self.axis) for trace in self._traces):
            self.axis = next((a for a in AXES if any(t.curve.bounds(a) for t in self._traces)), self.axis)
        self._follow()
        self.redraw()

    def set_window(self, window: tuple[float, float] | None) -> None:
        """Show x0 … x1, or everything; posts no message (for charts that move together)."""
        self.viewport.window = window
        self.redraw()

    def set_cursor(self, x: float | None) -> None:
        """Place or remove the cursor; posts no message."""
        self.cursor = x
        self.redraw()

    @property
    def live(self) -> list[Curve]:
        """The curves that are drawn as lines, at most six."""
        return [trace.curve for trace in self._traces if not trace.rewound][:SERIES]

    @property
    def columns(self) -> int:
        """How many character columns the plot has, right of the labels."""
        width = self.size.width
        return max(1, width - (7 if width >= 30 else 6))

    def _follow(self) -> None:
        bounds = [b for trace in self._traces if (b := trace.curve.bounds(self.axis)) is not None]
        self.viewport.follow((min(b[0] for b in bounds), max(b[1] for b in bounds)) if bounds else None)

    # Drawing

    def forget(self) -> None:
        """Drop the strips that carry old styles."""
        super().forget()
        self._frame = _Frame()

    def draw(self, width: int, height: int) -> list[Strip]:
        """Draw title, plot, axis and labels; the lower rows give way first when there is little room."""
        blank = self.style_for()
        if self.viewport.data is None or width < 12 or height < 2:
            return self._draw_empty(width, height)
        titled, lines = height >= 3, (height >= 4) + (height >= 6)
        rows = height - titled - lines
        columns = self.columns
        gutter = width - columns
        x0, x1 = self.viewport.shown()
        layers = self._layers(x0, x1, columns)
        scale = plot.scale_for(layers, rows, log=self.log_scale, clip=self.clip)
        axis = self._axis(columns)
        cell = axis.cell(self.cursor)
        picture = plot.paint(layers, scale, rows, columns, self._frame.picture)
        strips = [strip_of(self._title(width, picture, axis), width, blank)] if titled else []
        strips += self._rows(picture, cell, self._side(scale, rows, gutter), width)
        return strips + self._foot(axis, gutter, cell, lines)

    def _draw_empty(self, width: int, height: int) -> list[Strip]:
        style, blank = self.style_for("chart--empty"), self.style_for()
        strips = [Strip.blank(width, blank)] * height
        text = clean(self.empty) if self.viewport.data is None else "too small"
        strips[0] = strip_of([Segment(fit(self.title, width), self.style_for("chart--title"))], width, blank)
        strips[height // 2] = strip_of([Segment(fit(text.center(width), width), style)], width, blank)
        return strips

    def _layers(self, x0: float, x1: float, columns: int) -> list[plot.Layer]:
        count = columns * 2
        start = self.viewport.data[0] if self.viewport.data else x0
        # Columns left of the view let the average arrive there as it would have with all of the history.
        lead = count // 2 if x0 > start and self.smoothing > 0 else 0
        edges = x0 + (x1 - x0) / count * np.arange(-lead, count + 1, dtype=np.float64)
        layers, live = [], 0
        for trace in self._traces:
            if not trace.rewound and live == SERIES:
                continue
            whole = Bins.since(trace.curve.bins(edges, self.axis), 0)
            smooth = plot.smooth(whole, self.smoothing)[lead:]
            bins = Bins.since(whole, lead)
            layers.append(plot.Layer(bins, smooth, live, trace.rewound, trace.tag))
            live += not trace.rewound
        return sorted(layers, key=lambda layer: (not layer.rewound, -layer.series))

    def _ink(self, ink: int) -> Style:
        named = {
            plot.NO_INK: "", plot.BAD_INK: "chart--bad", plot.CLIP_INK: "chart--clipped",
            plot.CURSOR_INK: "chart--cursor", plot.REWOUND_INK: "chart--rewound",
        }  # fmt: skip
        if ink in named:
            return self.style_for(named[ink])
        series, line = divmod(ink - plot.FIRST_INK, 2)
        style = self.style_for(f"chart--series-{series + 1}")
        return style if line else style + Style(dim=True)

    def _rows(self, picture: plot.Picture, cell: int | None, labels: list[str], width: int) -> list[Strip]:
        """Return the strips of the plot with the cursor at `cell`; rows that look as before keep theirs."""
        frame, old = self._frame, self._frame.rows
        if picture is frame.picture and cell == frame.cell and labels == [row.label for row in old]:
            return [row.strip for row in old]
        glyphs, inks = _with_cursor(picture, cell)
        same = [False] * len(labels)
        if frame.picture is not None and frame.picture.glyphs.shape == glyphs.shape:
            before, ink = _with_cursor(frame.picture, frame.cell)
            same = ((before == glyphs) & (ink == inks)).all(axis=1).tolist()
        styles = {ink: self._ink(ink) for ink in np.unique(inks).tolist()}
        axis, blank = self.style_for("chart--axis"), self.style_for()
        rows = []
        for y, label in enumerate(labels):
            segments = old[y].segments if same[y] else _segments(glyphs[y], inks[y], styles)
            if same[y] and old[y].label == label:
                rows.append(old[y])
            else:
                rows.append(_Row(label, segments, strip_of([Segment(label, axis), *segments], width, blank)))
        frame.picture, frame.cell, frame.rows = picture, cell, rows
        return [row.strip for row in rows]

    def _side(self, scale: plot.Scale, rows: int, gutter: int) -> list[str]:
        labels = [" " * (gutter - 1) + "│"] * rows
        for share, label in scale.ticks(max(2, rows // 3)):
            row = round(share * (rows - 1))
            if 0 <= row < rows:
                labels[row] = fit(label, gutter - 1, "right") + "┤"
        return labels

    def _axis(self, columns: int) -> XAxis:
        return XAxis(self.axis, *self.viewport.shown(), columns, self.step_name, self.zone)

    def _foot(self, axis: XAxis, gutter: int, cell: int | None, lines: int) -> list[Strip]:
        """Return the axis with its marks, and its labels: as many of them as there are lines for."""
        key = (axis, gutter, cell, lines, self._marks)
        if self._frame.foot_key != key:
            ink = self.style_for("chart--axis")
            line = [Segment(glyph, self.style_for(style)) for glyph, style in axis.line(self._marks, cell)]
            labels = Segment(fit(axis.name, gutter - 1, "right") + " " + axis.labels(), ink)
            drawn = [[Segment(" " * (gutter - 1) + "└", ink), *line], [labels]][:lines]
            self._frame.foot = [strip_of(one, gutter + axis.columns, self.style_for()) for one in drawn]
            self._frame.foot_key = key
        return self._frame.foot

    @staticmethod
    def _reading(axis: XAxis, point: PointLike, here: float | None) -> str:
        """Return a value; under the cursor with more digits, and where it was logged if that is somewhere else."""
        if here is None:
            return ticks.format_value(point.value)
        value = f"{point.value:.8g}" if np.isfinite(point.value) else ticks.format_value(point.value)
        return value if point.x == here else f"{value} @{axis.format(point.x)}"

    # The line above: legend and last values, or the cursor's read-out

    def _title(self, width: int, picture: plot.Picture, axis: XAxis) -> list[Segment]:
        muted, strong = self.style_for("chart--title"), self.style_for("chart--value")
        live = self.live
        tags = [trace.tag for trace in self._traces if not trace.rewound]
        segments = [Segment(clean(self.title) + " ", muted)] if self.title else []
        place: float | None = self.cursor
        here = place
        if place is not None:
            first = next((p for curve in live if (p := curve.at(place, self.axis)) is not None), None)
            here = place if first is None else first.x
            segments.append(Segment(f"{axis.format(here)} ", muted))
        for i, curve in enumerate(live):
            bounds = curve.bounds(self.axis)
            point = None if bounds is None else curve.at(bounds[1] if place is None else place, self.axis)
            value = "—" if point is None else self._reading(axis, point, here)
            if len(live) > 1:
                ink = self.style_for(f"chart--series-{i + 1}")
                segments.append(Segment(f"{tags[i] or plot.SERIES_GLYPHS[i]} {clean(curve.name)} ", ink))
            bad = point is not None and not np.isfinite(point.value)
            segments.append(Segment(f"{value} ", self.style_for("chart--bad") if bad else strong))
        if self.unit:
            segments.append(Segment(clean(self.unit) + " ", muted))
        used = sum(segment.cell_length for segment in segments)
        warnings, settings = self._flags(picture)
        text = " ".join([*warnings, *settings])
        if used + len(text) > width:
            text = " ".join(warnings)
        # What warns of things not shown outranks the legend, which is cut; mere settings give way to it.
        flags = Segment(text, self.style_for("chart--clipped" if warnings else "chart--axis"))
        room = max(0, width - flags.cell_length)
        if used > room:
            segments = self._cut(segments, room, apart=bool(text))
        return [*strip_of(segments, room, muted), flags]

    def _cut(self, segments: Sequence[Segment], room: int, *, apart: bool) -> list[Segment]:
        """Return the parts that fit whole, since half a number is another number, and an ellipsis.

        With `apart` a blank follows. Of a first part that does not fit its beginning is kept.
        """
        more = Segment("… " if apart else "…", self.style_for("chart--title"))
        left = max(0, room - more.cell_length)
        kept: list[Segment] = []
        for segment in segments:
            if segment.cell_length > left:
                if not kept:
                    kept.append(Segment(segment.text[:left], segment.style))
                break
            kept.append(segment)
            left -= segment.cell_length
        return [*kept, more]

    def _flags(self, picture: plot.Picture) -> tuple[list[str], list[str]]:
        """Return what is not shown as it is, and what is merely set."""
        warnings: list[str] = []
        settings: list[str] = []
        if self.log_scale:
            dropped = f"log, ≥{picture.dropped} not positive" if picture.dropped else "log"
            (warnings if picture.dropped else settings).append(dropped)
        if self.clip:
            (warnings if picture.clipped else settings).append("clipped" if picture.clipped else "clip on")
        if self.smoothing > 0:
            settings.append(f"smooth {self.smoothing:.2g}")
        if self.viewport.window is not None:
            settings.append("zoom")
        return warnings, settings


def _with_cursor(picture: plot.Picture, cell: int | None) -> tuple[NDArray[np.uint32], NDArray[np.int8]]:
    """Return glyphs and inks with the cursor's line where the plot is free."""
    if cell is None:
        return picture.glyphs, picture.inks
    glyphs, inks = picture.glyphs.copy(), picture.inks.copy()
    free = glyphs[:, cell] == ord(" ")
    glyphs[free, cell], inks[free, cell] = ord("│"), plot.CURSOR_INK
    return glyphs, inks


def _segments(glyphs: NDArray[np.uint32], inks: NDArray[np.int8], styles: dict[int, Style]) -> list[Segment]:
    """Return one row as runs of equal ink."""
    text = glyphs.astype("<u4").tobytes().decode("utf-32-le")
    starts = [0, *(np.flatnonzero(np.diff(inks)) + 1).tolist(), len(text)]
    return [Segment(text[a:b], styles[int(inks[a])]) for a, b in pairwise(starts)]
