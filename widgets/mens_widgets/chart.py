"""A live line chart: the keys that move its cursor and its view.

How it looks belongs to `face`; it knows nothing of files, runs or metrics.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual.binding import Binding, BindingType
from textual.message import Message

from mens_widgets.curve import ArrayCurve, Axis, Bins, Curve, Point, PointLike
from mens_widgets.face import AXES, ChartFace, Trace
from mens_widgets.viewport import Viewport
from mens_widgets.xaxis import Mark, MarkKind

if TYPE_CHECKING:
    from textual import events

__all__ = [
    "ArrayCurve",
    "Axis",
    "Bins",
    "Chart",
    "ChartFace",
    "Curve",
    "Mark",
    "MarkKind",
    "Point",
    "PointLike",
    "Trace",
]

SMOOTHING: Final = (0.0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99)


class Chart(ChartFace, can_focus=True):
    """A `ChartFace` with a cursor, zoom, pan and everything else that keys do.

    It posts `CursorMoved` and `ViewChanged` for what the operator does, never for what `set_cursor` and `set_window`
    do, so that charts can be moved together.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "cursor(-1)", "Cursor left", show=False, id="chart.cursor_left"),
        Binding("right,l", "cursor(1)", "Cursor right", show=False, id="chart.cursor_right"),
        Binding("shift+left,H", "cursor(-10)", "Cursor far left", show=False, id="chart.cursor_far_left"),
        Binding("shift+right,L", "cursor(10)", "Cursor far right", show=False, id="chart.cursor_far_right"),
        Binding("g,home", "end(-1)", "First point", show=False, id="chart.first"),
        Binding("G,end", "end(1)", "Newest point", show=False, id="chart.last"),
        Binding("plus,equals_sign", "zoom(0.5)", "Zoom in", id="chart.zoom_in", key_display="+"),
        Binding("minus", "zoom(2.0)", "Zoom out", id="chart.zoom_out", key_display="-"),
        Binding("left_square_bracket", "pan(-0.25)", "Earlier", show=False, id="chart.pan_left", key_display="["),
        Binding("right_square_bracket", "pan(0.25)", "Later", show=False, id="chart.pan_right", key_display="]"),
        Binding("r", "reset", "Reset view", id="chart.reset"),
        Binding("y", "toggle_log", "Log axis", id="chart.log"),
        Binding("s", "smooth(1)", "Smoother", id="chart.smoother"),
        Binding("S", "smooth(-1)", "Less smooth", show=False, id="chart.rougher"),
        Binding("o", "toggle_clip", "Clip outliers", id="chart.clip"),
        Binding("x", "cycle_axis", "X axis", id="chart.axis"),
    ]

    class CursorMoved(Message):
        """The cursor is at `x`, or gone (None); `values` holds each live curve's nearest point."""

        def __init__(self, chart: Chart, x: float | None, values: tuple[tuple[str, PointLike | None], ...]) -> None:
            super().__init__()
            self.chart, self.x, self.values = chart, x, values

        @property
        def control(self) -> Chart:
            """The chart that sent this."""
            return self.chart

    class ViewChanged(Message):
        """The operator changed the view: `window` is (x0, x1), or None when all is shown."""

        def __init__(self, chart: Chart, window: tuple[float, float] | None) -> None:
            super().__init__()
            self.chart, self.window = chart, window
            self.axis, self.log_scale = chart.axis, chart.log_scale
            self.clip, self.smoothing = chart.clip, chart.smoothing

        @property
        def control(self) -> Chart:
            """The chart that sent this."""
            return self.chart

    # Keys

    def action_cursor(self, cells: int) -> None:
        """Move the cursor by so many columns; the first press shows it at the newest point in view."""
        if self.viewport.data is None:
            return
        x0, x1 = self.viewport.shown()
        first, last = self.viewport.data
        columns = self.columns
        if self.cursor is None:
            self._move_cursor(min(x1, last))
            return
        # From the middle of one column to that of another, so that every press is seen; the ends are points.
        width = (x1 - x0) / columns
        left = x0 + (min(int((self.cursor - x0) / width), columns - 1) + cells) * width
        x = left + width / 2
        if left <= first:
            x = first
        elif left + width >= last - width * 1e-9:
            x = last
        self._move_cursor(x)

    def action_end(self, side: int) -> None:
        """Put the cursor on the first (-1) or the newest (1) point."""
        if self.viewport.data is not None:
            self._move_cursor(self.viewport.data[0 if side < 0 else 1])

    def _move_cursor(self, x: float | None) -> None:
        self.cursor = x
        if x is not None and self.viewport.reveal(x):
            self.post_message(self.ViewChanged(self, self.viewport.window))
        self.redraw()
        values = () if x is None else tuple((curve.name, curve.at(x, self.axis)) for curve in self.live)
        self.post_message(self.CursorMoved(self, x, values))

    def _changed(self) -> None:
        self.redraw()
        self.post_message(self.ViewChanged(self, self.viewport.window))

    def action_zoom(self, factor: float) -> None:
        """Scale the visible span around the cursor, or around the newest point where there is none."""
        self.viewport.zoom(factor, self.cursor)
        self._changed()

    def action_pan(self, share: float) -> None:
        """Move the view by a share of its span."""
        self.viewport.pan(share)
        self._changed()

    def action_reset(self) -> None:
        """Show everything, without a cursor."""
        self.viewport.window = None
        if self.cursor is not None:
            self._move_cursor(None)
        self._changed()

    def action_toggle_log(self) -> None:
        """Switch the value axis between linear and logarithmic."""
        self.log_scale = not self.log_scale
        self._changed()

    def action_toggle_clip(self) -> None:
        """Switch the clipping of outliers."""
        self.clip = not self.clip
        self._changed()

    def action_smooth(self, way: int) -> None:
        """Take the next (1) or previous (-1) smoothing level."""
        levels = (
            [s for s in SMOOTHING if s > self.smoothing] if way > 0 else [s for s in SMOOTHING if s < self.smoothing]
        )
        if levels:
            self.smoothing = levels[0 if way > 0 else -1]
            self._changed()

    def action_cycle_axis(self) -> None:
        """Take the next x axis on which any curve has points; the view starts over."""
        order = AXES[AXES.index(self.axis) + 1 :] + AXES[: AXES.index(self.axis)]
        axis = next((a for a in order if any(t.curve.bounds(a) for t in self._traces)), None)
        if axis is not None:
            self.axis, self.cursor, self.viewport = axis, None, Viewport()
            self._follow()
            self._changed()

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse is."""
        gutter = self.size.width - self.columns
        if self.viewport.data is not None and event.x >= gutter:
            x0, x1 = self.viewport.shown()
            self._move_cursor(x0 + (event.x - gutter + 0.5) / self.columns * (x1 - x0))
