"""Compare: up to six runs over one axis, what differs in their settings, and how each did.

Rows come from `compared`; this screen chooses metric and axis and passes keys on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final

from rich.cells import cell_len
from textual import on
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.message import Message

from mens_console.ingest.text import safe_text
from mens_console.screens.compared import LETTERS, MOST, UNSAID, figures, metrics_of, settings, unit, wanted
from mens_console.screens.curves import Panel
from mens_console.screens.room import Room
from mens_console.screens.sheet import Line, Sheet, prose
from mens_console.screens.tokens import ByTokens, counter_of
from mens_widgets.chart import Chart
from mens_widgets.face import AXES, Trace
from mens_widgets.text import fit, shorten
from mens_widgets.viewport import Viewport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from textual.app import ComposeResult

    from mens_console.screens.compared import Cell
    from mens_console.screens.words import Ink
    from mens_console.store.snapshot import RunView, Snapshot

SMOOTHING: Final = 0.6
LABEL: Final = 13
WIDEST_LABEL: Final = 30
"""Columns of the labels at most, and what each run keeps beside longer ones than `LABEL`."""
ROOMY: Final = 14
NARROWEST: Final = 9
WIDEST: Final = 28
BEST: Final = "★"
AXIS_NAMES: Final = {"step": "step", "tokens": "tokens", "relative": "time since start", "wall": "clock"}


class Overlay(Chart):
    """A chart that leaves the choice of its x axis to the screen, which knows one more."""

    # Known from the Run screen; at 80 columns the line of keys has no room for them beside this screen's own.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("minus", "zoom(2.0)", "Zoom out", show=False, id="chart.zoom_out", key_display="-"),
        Binding("r", "reset", "Reset view", show=False, id="chart.reset"),
        Binding("o", "toggle_clip", "Clip outliers", show=False, id="chart.clip"),
    ]

    class AxisAsked(Message):
        """The operator asked for the next x axis."""

    def action_cycle_axis(self) -> None:
        """Ask for the next axis."""
        self.post_message(self.AxisAsked())


class CompareScreen(Room):
    """The runs that were marked in the fleet, or added on the Run screen."""

    MODE = "compare"
    AUTO_FOCUS = "Overlay"
    CSS = """
    CompareScreen Overlay { height: 1fr; min-height: 6; }
    CompareScreen #table { height: auto; max-height: 50%; border-top: solid $border; scrollbar-size-vertical: 1; }
    CompareScreen #status { height: 1; }
    CompareScreen #note { display: none; margin: 0 2; height: 1fr; }
    CompareScreen.-bare #note { display: block; }
    CompareScreen.-bare Overlay, CompareScreen.-bare #table { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "metric(1)", "Metric", id="compare.metric"),
        Binding("M", "metric(-1)", "Previous metric", show=False, id="compare.previous_metric"),
        Binding("d", "every", "All settings", id="compare.settings"),
        Binding("J", "read(1)", "Table down", show=False, id="compare.table_down"),
        Binding("K", "read(-1)", "Table up", show=False, id="compare.table_up"),
        Binding("escape", "back", "Back", show=False, id="compare.back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._metric = ""
        self._axis = "step"
        self._smoothing = SMOOTHING
        self._every = False
        self._wanted: tuple[str | None, frozenset[str]] = (None, frozenset())

    def body(self) -> ComposeResult:
        """Lay out chart and table."""
        yield Sheet(id="note")
        yield Overlay(zone=self.console_app.zone, empty="nothing to draw on this axis", smoothing=SMOOTHING)
        with VerticalScroll(id="table", can_focus=False):
            yield Sheet(id="rows")
        yield Sheet(id="status")

    def _header(self, snapshot: Snapshot, now: float) -> tuple[Line, Line]:
        left, right = super()._header(snapshot, now)
        return (left[0], (" Compare ", "badge"), *left[1:]), right

    # Showing

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Show the runs that are still there."""
        runs, more, gone = wanted(self.console_app.compared, snapshot.get)
        self._want(runs)
        self.set_class(not runs, "-bare")
        self.query_one("#note", Sheet).write(lambda width: _nothing(gone, width))
        if not runs:
            self.query_one("#status", Sheet).write(lambda _: ())
            return
        metrics = metrics_of(runs, min(2, len(runs)))
        self._metric = self._metric if self._metric in metrics else next(iter(metrics), "")
        self._draw(runs)
        every = self._every
        self.query_one("#rows", Sheet).write(lambda width: table_lines(runs, width, every=every))
        self._tell(runs, metrics, more, gone)

    def _draw(self, runs: list[RunView]) -> None:
        chart = self.query_one(Overlay)
        metric = self._metric
        if self._axis not in self._axes(runs):
            self._axis = "step"
        panel = Panel(metric, metric, (metric,))
        chart.smoothing = 0.0 if panel.exact else self._smoothing
        chart.title, chart.unit = safe_text(metric, 40), unit(metric)
        chart.step_name = "tokens" if self._axis == "tokens" else "step"
        room = max(4, (self.size.width - 24) // max(1, len(runs)) - 10)
        chart.show([Trace(*one) for one in self._curves(runs, room)])

    def _curves(self, runs: list[RunView], room: int) -> Iterable[tuple[ByTokens, bool, str]]:
        """Yield a curve for each run that has the metric, under its letter."""
        for letter, run in zip(LETTERS, runs, strict=False):
            series = run.series.get(self._metric)
            if series is None:
                continue
            named = replace(series, name=shorten(safe_text(run.name, 200), room))
            if self._axis != "tokens":
                yield named, False, letter  # type: ignore[misc]
            elif (counter := counter_of(run)) is not None:
                yield ByTokens(named, counter), False, letter

    def _axes(self, runs: Sequence[RunView]) -> list[str]:
        """Return the x axes on which any of the runs has a point of the metric."""
        series = [run.series[self._metric] for run in runs if self._metric in run.series]
        found = [axis for axis in AXES if any(one.bounds(axis) for one in series)]
        counted = any(counter_of(run) is not None for run in runs if self._metric in run.series)
        return found[:1] + ["tokens"] * counted + found[1:]

    def _tell(self, runs: list[RunView], metrics: list[str], more: int, gone: int) -> None:
        if metrics:
            place = f" {metrics.index(self._metric) + 1} of {len(metrics)} metrics · x {AXIS_NAMES[self._axis]}"
        else:
            place = " these runs share no metric"
        notes = [(place, "muted")]
        lacking = [
            letter
            for letter, run in zip(LETTERS, runs, strict=False)
            if self._metric and (self._metric not in run.series or (self._axis == "tokens" and counter_of(run) is None))
        ]
        if lacking:
            what = self._metric if self._axis != "tokens" else f"{self._metric} by tokens"
            notes.append((f" · {', '.join(lacking)} without {safe_text(what, 40)}", "warn"))
        if more:
            notes.append((f" · the first {MOST} of {MOST + more} runs", "warn"))
        if gone:
            notes.append((f" · {gone} gone", "warn"))
        self.query_one("#status", Sheet).write(lambda _: [tuple(notes)])

    def _want(self, runs: Sequence[RunView]) -> None:
        """Have the points of runs that were put away loaded again, one run after the other."""
        cold = next((run.id for run in runs if run.cold), runs[0].id if runs else None)
        asked = (cold, frozenset(run.id for run in runs))
        if asked != self._wanted:
            self._wanted = asked
            self.console_app.engine.want(*asked)

    def on_screen_suspend(self) -> None:
        """Nobody looks at these runs any more."""
        self._wanted = (None, frozenset())
        self.console_app.engine.want(None)

    # Keys

    def _runs(self) -> list[RunView]:
        return wanted(self.console_app.compared, self.console_app.snapshot.get)[0]

    def action_metric(self, by: int) -> None:
        """Take the next metric that two of the runs share."""
        metrics = metrics_of(self._runs(), min(2, len(self._runs())))
        if metrics:
            place = metrics.index(self._metric) if self._metric in metrics else 0
            self._metric = metrics[(place + by) % len(metrics)]
            self.console_app.paint()

    @on(Overlay.AxisAsked)
    def _next_axis(self) -> None:
        axes = self._axes(self._runs())
        if not axes:
            return
        place = axes.index(self._axis) if self._axis in axes else -1
        self._axis = axes[(place + 1) % len(axes)]
        chart = self.query_one(Overlay)
        chart.axis = next((axis for axis in AXES if axis == self._axis), "step")
        chart.cursor, chart.viewport = None, Viewport()
        self.console_app.paint()

    @on(Overlay.ViewChanged)
    def _view_changed(self, event: Overlay.ViewChanged) -> None:
        if not Panel(self._metric, self._metric, ()).exact:
            self._smoothing = event.smoothing

    def action_every(self) -> None:
        """Show the settings that are the same in all runs, too, or only those that differ."""
        self._every = not self._every
        self.console_app.paint()

    def action_read(self, pages: int) -> None:
        """Scroll the table by half a page."""
        table = self.query_one("#table", VerticalScroll)
        table.scroll_relative(y=pages * max(1, table.size.height // 2), animate=False)

    def action_back(self) -> None:
        """Go back to where the runs were chosen."""
        self.console_app.leave()

    def commands(self) -> dict[str, tuple[str, Callable[[], object]]]:
        """Offer this screen's views to the palette."""
        chart = self.query_one(Overlay)
        return {
            "Compare: next metric": ("key m", lambda: self.action_metric(1)),
            "Compare: all settings": ("key d", self.action_every),
            "Chart: next x axis": ("key x", self._next_axis),
            "Chart: log axis": ("key y", chart.action_toggle_log),
            "Chart: clip outliers": ("key o", chart.action_toggle_clip),
            "Chart: reset view": ("key r", chart.action_reset),
        }


# ---------------------------------------------------------------------- words


def _nothing(gone: int, width: int) -> list[Line]:
    width = min(width, 76)
    lines: list[Line] = [(), (("Nothing to compare yet.", "strong"),), ()]
    if gone:
        lines += prose(f"{gone} of the runs that were chosen are gone.", width, "warn", "! ")
    lines += prose("Mark two to six runs in the fleet with Space, then press c.", width, "muted")
    return lines + prose("Or press c on the screen of one run after the other.", width, "muted")


def table_lines(runs: Sequence[RunView], width: int, *, every: bool) -> list[Line]:
    """Return the table: the runs' letters and names, their figures, and their settings."""
    told = settings(runs, every=every)
    room = min(width - ROOMY * len(runs), WIDEST_LABEL)
    label_width = max(LABEL, min(max((cell_len(safe_text(one.key, 60)) + 1 for one in told), default=0), room))
    cells = max(NARROWEST, min(WIDEST, (width - label_width) // len(runs)))
    head: list[tuple[str, Ink]] = [(" " * label_width, "")]
    for letter, run in zip(LETTERS, runs, strict=False):
        head += [(f"{letter} ", "accent"), (fit(safe_text(run.name, 100), cells - 3, cut="middle") + " ", "strong")]
    lines: list[Line] = [tuple(head)]
    for row in figures(runs):
        label = f"{row.label}" if row.unit in ("", "s", "nats") else f"{row.unit}"
        lines.append((_label(label, label_width), *(_piece(cell, cells) for cell in row.cells)))
    found = settings(runs, every=True)
    differ = sum(one.differs and not one.names for one in found)
    names = sum(one.differs and one.names for one in found)
    same = len(found) - differ - names
    rest = [f"{same} the same"] * bool(same) + [f"{names} only {'name' if names > 1 else 'names'} the runs"] * bool(
        names
    )
    hint = "".join(f" · {part}" for part in rest) + " (d shows them)" * bool(rest and not every)
    lines += [(), ((f"Settings: {differ} differ" if differ else "Settings: none differs", "accent"), (hint, "muted"))]
    for one in told:
        ink: Ink = "" if one.differs else "muted"
        values = [UNSAID if value is None else safe_text(value, 200) for value in one.values]
        lines.append(
            (
                _label(safe_text(one.key, 60), label_width),
                *((fit(value, cells - 1, cut="middle") + " ", ink) for value in values),
            )
        )
    return lines


def _label(text: str, width: int) -> tuple[str, Ink]:
    return fit(text, width - 1, cut="middle") + " ", "muted"


def _piece(cell: Cell, cells: int) -> tuple[str, Ink]:
    """Return a figure in its column; the note gives way before the value does."""
    text = f"{cell.text} {BEST}" if cell.best else cell.text
    noted = f"{text} {cell.note}" if cell.note else text
    return fit(noted if len(noted) < cells else text, cells - 1) + " ", "good" if cell.best else cell.ink
