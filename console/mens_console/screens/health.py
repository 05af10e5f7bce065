"""Screen 4: is the feel collapsing? The verdict, every batch with its bands, and why each indicator stands there.

What it says comes from `healthverdict`, `healthlines` and `healthfacts`, where keys lead from `healthkeys`; here
is only what is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, Vertical, VerticalScroll
from textual.widgets import Input

from mens_console.ingest.text import safe_text
from mens_console.screens.feeds import FedLogs
from mens_console.screens.healthdesk import BatchGrid
from mens_console.screens.healthempty import no_attempts
from mens_console.screens.healthfacts import bad_lines, batch_lines, reason_lines, run_lines
from mens_console.screens.healthkeys import WIDE, KeyedRoom
from mens_console.screens.healthlines import (
    batch_title,
    detail_lines,
    indicator_lines,
    section,
    why_lines,
)
from mens_console.screens.healthmoment import is_about_generation, place_of
from mens_console.screens.healthshelf import ORDERS, columns
from mens_console.screens.healthverdict import (
    Verdict,
    freshness,
    reading_line,
    standings,
    troubles,
    updated,
    verdict,
    verdict_lines,
)
from mens_console.screens.query import Terms
from mens_console.screens.sheet import Line, Sheet
from mens_console.signals.human import some, step
from mens_widgets.text import fit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from textual.app import ComposeResult

    from mens_console.screens.healthchart import CourseChart
    from mens_console.screens.healthmoment import Place
    from mens_console.signals.generation import HealthReport, Judged
    from mens_console.store.snapshot import HealthView, Snapshot

BROAD: Final = 170
"""Columns from which on it has more room."""
RUNS: Final = 30
"""Lines about runs beside the table."""


class HealthScreen(KeyedRoom):
    """Attempt logs, one at a time."""

    MODE = "health"
    AUTO_FOCUS = "BatchGrid"
    CSS = """
    HealthScreen #page { height: 1fr; }
    HealthScreen #stage { width: 3fr; height: 1fr; }
    HealthScreen #aside { width: 36; height: 1fr; border-left: solid $border; padding-left: 1; display: none;
        scrollbar-size-vertical: 1; background: $background; }
    HealthScreen.-wide #aside { display: block; }
    HealthScreen.-broad #aside { width: 52; }
    HealthScreen #verdict { border-bottom: solid $border; }
    HealthScreen #batches { height: 1fr; min-height: 3; }
    HealthScreen #indicators { border-top: solid $border; }
    HealthScreen.-makeup #aside { display: block; width: 1fr; border-left: none; }
    HealthScreen.-makeup #indicators { display: none; }
    HealthScreen.-makeup #page { layout: vertical; }
    HealthScreen.-makeup #stage { height: 6; width: 1fr; border-bottom: solid $border; }
    HealthScreen #sheets { display: none; height: 1fr; scrollbar-size-vertical: 1; background: $background; }
    HealthScreen.-sheet #sheets { display: block; }
    HealthScreen.-sheet #page { display: none; }
    HealthScreen #course { display: none; height: 1fr; }
    HealthScreen.-detail #course { display: block; }
    HealthScreen.-detail #sheets { height: auto; max-height: 60%; }
    HealthScreen #status { height: 1; }
    HealthScreen Input { display: none; height: 1; border: none; background: $panel; padding: 0 1; }
    HealthScreen.-filtering Input { display: block; }
    HealthScreen #none { display: none; margin: 0 2; }
    HealthScreen.-empty #none { display: block; }
    HealthScreen.-empty #verdict, HealthScreen.-empty #page { display: none; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("h,left", "indicator(-1)", "Previous indicator", show=False, id="health.previous_indicator"),
        Binding("l,right", "indicator(1)", "Indicator", key_display="h l", id="health.next_indicator"),
        Binding("o", "order", "Order", id="health.order"),
        Binding("slash", "filter", "Filter", key_display="/", id="health.filter"),
        Binding("b", "page('bad')", "Bad rows", id="health.bad"),
        Binding("d", "page('reasons')", "Reasons", id="health.reasons"),
        Binding("tab", "makeup", "Make-up", id="health.makeup", priority=True),
        Binding("right_square_bracket", "log(1)", "Next log", key_display="]", show=False, id="health.next"),
        Binding("left_square_bracket", "log(-1)", "Previous log", key_display="[", show=False, id="health.previous"),
        Binding("j,down", "move(1)", "Down", show=False, id="health.down"),
        Binding("k,up", "move(-1)", "Up", show=False, id="health.up"),
        Binding("g,home", "end(-1)", "First batch", show=False, id="health.first"),
        Binding("G,end", "end(1)", "Last batch", show=False, id="health.last"),
        Binding("J,pagedown", "read(1)", "Facts down", show=False, id="health.facts_down"),
        Binding("K,pageup", "read(-1)", "Facts up", show=False, id="health.facts_up"),
        Binding("enter", "page('detail')", "Close the detail", show=False, id="health.detail"),
        Binding("escape", "back", "Back", show=False, id="health.back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._answer: tuple[HealthReport, Verdict] | None = None
        self._chart: CourseChart | None = None
        self._fed = FedLogs()

    def body(self) -> ComposeResult:
        """Lay out verdict, table with indicators and make-up, and the pages that take their place."""
        yield Sheet(id="none")
        yield Sheet(id="verdict")
        with Horizontal(id="page"):
            with Vertical(id="stage"):
                yield BatchGrid(columns(named=False), empty="no batch yet", id="batches")
                yield Sheet(id="indicators")
            with VerticalScroll(id="aside", can_focus=False):
                yield Sheet(id="makeup")
        with VerticalScroll(id="sheets", can_focus=False):
            yield Sheet(id="sheet")
        yield Container(id="course")
        yield Sheet(id="status")
        yield Input(placeholder="run ids that hold this text, -text for those that do not", id="query")

    def ages(self, snapshot: Snapshot) -> Iterable[float]:
        """Return when the log on screen was last written."""
        view = self._chosen(snapshot)
        return [updated(view.report)] if view is not None else []

    # ------------------------------------------------------------------ showing

    def _chosen(self, snapshot: Snapshot) -> HealthView | None:
        return next((view for view in snapshot.health if view.id == self._view), None)

    def _choose(self, snapshot: Snapshot) -> HealthView | None:
        """Return the log that was chosen, else the one that is worst off; the choice stands once all was read."""
        view = self._chosen(snapshot)
        if view is not None or not snapshot.health:
            return view
        view = min(snapshot.health, key=lambda one: (verdict(one.report, standings(one.report)).rank, one.name))
        if not snapshot.scanning:
            self._view = view.id
        return view

    def _arriving(self, snapshot: Snapshot) -> Place | None:
        """Choose log and indicator where an alert leads, and return where; None where none was followed here."""
        app = self.console_app
        if app.moment is None or not is_about_generation(app.moment.run_id):
            return None
        place, app.moment = place_of(snapshot.health, app.moment), None
        if place is not None:
            self._go("table")
            self.query_one(Input).value = ""
            self._query = Terms("")
            self._view, self._indicator = place.view, place.indicator or self._indicator
            self._desk.following = True
        return place

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Show the chosen log."""
        place = self._arriving(snapshot)
        view = self._choose(snapshot)
        self.set_class(view is None, "-empty")
        if view is None:
            self._go("table")
            self._write("#none", lambda width: no_attempts(snapshot, width))
            self._write("#status", lambda _: ())
            return
        self.set_class(self.size.width >= WIDE, "-wide")
        self.set_class(self.size.width >= BROAD, "-broad")
        if self.size.width >= WIDE:
            self.remove_class("-makeup")
        self._show_verdict(snapshot, view)
        self._show_table(view)
        if place is not None and place.batch and self._desk.judged(place.batch) is not None:
            self.query_one(BatchGrid).cursor_key = place.batch
            self._desk.moved(place.batch)
        self._show_batch(view, now)
        self._show_page(view, now)
        self._tell(view, now)

    def _answer_of(self, view: HealthView) -> Verdict:
        if self._answer is None or self._answer[0] is not view.report:
            self._answer = view.report, verdict(view.report, standings(view.report))
        return self._answer[1]

    def _show_verdict(self, snapshot: Snapshot, view: HealthView) -> None:
        answer, place = self._answer_of(view), [one.id for one in snapshot.health].index(view.id)
        reasons = {"reasons": 0, "table": 2 if self.size.height < 30 else 4}.get(self._page, 1)
        many = len(snapshot.health)

        def write(width: int) -> list[Line]:
            first, *rest = verdict_lines(view, answer, width, reasons)
            name = safe_text(view.name, 60) + (f"  [ {place + 1} of {many} ]" if many > 1 else "")
            room = width - sum(len(text) for text, _ in first) - 2
            name = fit(name, min(len(name), room)) if room > 8 else ""
            gap = " " * max(0, width - sum(len(text) for text, _ in first) - len(name) - 1)
            return [(*first, (gap, ""), (name, "muted")), *rest, *reading_line(view.report, width)]

        self._write("#verdict", write)

    def _show_table(self, view: HealthView) -> None:
        """Give the table its rows, and keep the cursor with the newest batch while it follows."""
        grid, desk = self.query_one(BatchGrid), self._desk
        if desk.build(view, self._order, self._query):
            if len(grid.columns) != len(columns(named=desk.named)):
                grid.columns = columns(named=desk.named)
                grid.forget()
            grid.empty = "no run id matches; Esc clears the filter" if self._query else "no batch yet"
            grid.set_rows(desk.rows)
        if desk.following and len(desk.rows):
            grid.cursor_key = desk.rows[desk.newest].key

    def _judged(self) -> Judged | None:
        """Return the batch under the cursor."""
        return self._desk.judged(self.query_one(BatchGrid).cursor_key)

    def _show_batch(self, view: HealthView, now: float) -> None:
        judged = self._judged()
        if judged is None:
            self._write("#indicators", lambda _: ())
            self._write("#makeup", lambda _: ())
            return
        history, tier = self._desk.history(judged), self._desk.tier(judged.batch.run_id)
        size, zone = view.report.batch_size, self.console_app.zone
        most = 1 if self.size.height < 30 else 3

        def indicators(width: int) -> list[Line]:
            return [
                batch_title(judged, now, zone, size),
                *indicator_lines(judged, history, tier, self._indicator, width),
                *why_lines(judged, self._indicator, width, most),
            ]

        def makeup(width: int) -> list[Line]:
            runs = run_lines(view.report, width, RUNS) if len(view.report.runs) > 1 else []
            return [*batch_lines(judged.batch, width), *section("Runs", runs)][1:]

        self._write("#indicators", indicators)
        self._write("#makeup", makeup)

    def _show_page(self, view: HealthView, now: float) -> None:
        """Fill the page that takes the table's place."""
        judged = self._judged()
        if self._page == "detail" and judged is not None:
            tier = self._desk.tier(judged.batch.run_id)
            title = batch_title(judged, now, self.console_app.zone, view.report.batch_size)
            self._write("#sheet", lambda width: detail_lines(judged, tier, self._indicator, width, title))
            self._show_course(judged)
        elif self._page == "bad":
            feeds = self._fed.of([view])
            self._write("#sheet", lambda width: bad_lines(view.report, feeds, now, width))
        elif self._page == "reasons":
            self._write("#sheet", lambda width: reason_lines(view.report, self._answer_of(view), width))

    def _show_course(self, judged: Judged) -> None:
        """Draw the indicator over all batches of the run."""
        span = self._desk.rows.span_of(judged.batch.run_id)
        if span is None:
            return
        if self._chart is None:
            # What it stands on takes a while to load, and the table needs none of it.
            from mens_console.screens.healthchart import CourseChart

            self._chart = CourseChart(zone=self.console_app.zone)
            self.query_one("#course").mount(self._chart)
        self._chart.course(self._desk.rows.report, span, self._indicator, judged.batch.index)

    def _tell(self, view: HealthView, now: float) -> None:
        report, reading = view.report, self._page in ("bad", "reasons")
        parts = ["Esc goes back"] * (self._page != "table")
        if self._query:
            shown, wish = step(len(self._desk.rows)), safe_text(self._query.text, 40)
            parts.append(f"{shown} of {some(len(report.batches), 'batch')} · run {wish}")
        else:
            order = "" if reading else f", {ORDERS[self._order]}"
            parts.append(f"{some(len(self._desk.rows), 'batch')} of {step(report.batch_size)}{order}")
        if not reading:
            parts += self._desk.place_words()
        found = [(" " + " · ".join(parts), "muted")]
        found += [(f" · {text}", ink) for text, ink in troubles(report)]
        found.append((f" · {freshness(report, now)}", "muted"))
        self._write("#status", lambda _: [tuple(found)])

    def _write(self, name: str, write: Callable[[int], Sequence[Line]]) -> None:
        self.query_one(name, Sheet).write(write)

    def on_resize(self) -> None:
        """Fit the parts to the new size."""
        self.call_after_refresh(self.console_app.paint)
