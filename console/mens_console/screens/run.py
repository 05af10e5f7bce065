"""Screen 2: one run, its charts and everything known about it.

Charts are placed by `charts`, words come from `facts`; this screen chooses the run and passes keys on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Input

from mens_console.ingest.text import safe_text
from mens_console.screens.charts import Charts
from mens_console.screens.curves import panels_of
from mens_console.screens.empty import no_rows, no_runs
from mens_console.screens.facts import side_lines, strip_lines
from mens_console.screens.loralines import strip_line
from mens_console.screens.moment import go_to
from mens_console.screens.panels import stage_steps
from mens_console.screens.room import Room
from mens_console.screens.rows import ORDERS, ordered
from mens_console.screens.sheet import Sheet
from mens_widgets.stepper import Stepper
from mens_widgets.text import shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from textual.app import ComposeResult

    from mens_console.store.snapshot import RunView, Snapshot
    from mens_widgets.chart import Chart


class RunScreen(Room):
    """The run that was chosen in the fleet, or the one that needs a look first."""

    MODE = "run"
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-narrow"),
        (110, "-middle"),
        (160, "-wide"),
    ]
    CSS = """
    RunScreen #page { height: 1fr; }
    RunScreen #stage { width: 1fr; }
    RunScreen #strip { display: none; height: 2; }
    RunScreen.-narrow #strip { display: block; }
    RunScreen #aside { display: none; width: 44; margin-left: 1; padding-left: 1; border-left: solid $border;
        scrollbar-size-vertical: 1; background: $background; }
    RunScreen.-middle #aside, RunScreen.-wide #aside { display: block; }
    RunScreen.-wide #aside { width: 52; }
    RunScreen #note { display: none; margin: 0 2; }
    RunScreen.-bare #note { display: block; }
    RunScreen.-bare Charts { display: none; }
    RunScreen #status { height: 1; }
    RunScreen.-alone #aside { display: none; }
    RunScreen #lora { display: none; height: 1; }
    RunScreen.-layers #lora { display: block; }
    RunScreen Input { display: none; height: 1; border: none; background: $panel; padding: 0 1; }
    RunScreen.-filtering Input { display: block; }
    RunScreen.-facts #stage { display: none; }
    RunScreen.-facts #aside { display: block; width: 1fr; border-left: none; margin-left: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "chart(1)", "Next chart", id="run.next_chart", priority=True),
        Binding("shift+tab", "chart(-1)", "Previous chart", show=False, id="run.previous_chart", priority=True),
        Binding("j,down,pagedown", "page(1)", "Next charts", show=False, id="run.next_page"),
        Binding("k,up,pageup", "page(-1)", "Previous charts", show=False, id="run.previous_page"),
        Binding("f,enter", "maximise", "Maximise", key_display="f", id="run.maximise"),
        Binding("t", "pin", "Keep on top", show=False, id="run.pin"),
        Binding("slash", "filter", "Find charts", show=False, key_display="/", id="run.filter"),
        Binding("n", "step(1)", "Next run", id="run.next"),
        Binding("p", "step(-1)", "Previous run", show=False, id="run.previous"),
        Binding("i", "facts", "Facts", id="run.facts"),
        Binding("J", "read(1)", "Facts down", show=False, id="run.facts_down"),
        Binding("K", "read(-1)", "Facts up", show=False, id="run.facts_up"),
        Binding("c", "compare", "Add to compare", show=False, id="run.compare"),
        Binding("v", "log", "View its log", show=False, id="run.log"),
        Binding("escape", "back", "Back", show=False, id="run.back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._wanted: str | None = None

    def body(self) -> ComposeResult:
        """Lay out charts and facts."""
        yield Sheet(id="strip")
        yield Stepper(id="stages")
        with Horizontal(id="page"):
            with Vertical(id="stage"):
                yield Sheet(id="note")
                yield Charts(zone=self.console_app.zone)
            with VerticalScroll(id="aside", can_focus=False):
                yield Sheet(id="facts")
        yield Sheet(id="lora")
        yield Sheet(id="status")
        yield Input(placeholder="part of a metric's name", id="query")

    def ages(self, snapshot: Snapshot) -> Iterable[float]:
        """Return the run's age and those of its alerts."""
        run = self._chosen(snapshot)
        return [] if run is None else [run.updated_at, *(alert.last_seen for alert in run.alerts)]

    # Showing

    def _chosen(self, snapshot: Snapshot) -> RunView | None:
        key = self.console_app.chosen
        return snapshot.get(key) if key is not None else None

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Show the chosen run. One that disappeared makes way for the run that needs a look first."""
        app = self.console_app
        run = self._chosen(snapshot)
        if run is None and snapshot.runs:
            if app.chosen is not None:
                self.notify("The run is gone; this is the next one that needs a look", markup=False)
            run = ordered(snapshot.runs, ORDERS[0], reverse=False)[0]
            app.chosen = run.id
        self._want(run.id if run is not None else None)
        bare = run is None or not panels_of(run)
        self.set_class(bare, "-bare")
        if run is None:
            self._write("#note", lambda width: no_runs(snapshot, width))
            for name in ("#strip", "#facts", "#lora", "#status"):
                self._write(name, lambda _: ())
            self.query_one(Stepper).show(())
            return
        self._describe(snapshot, run, now)
        if bare:
            text_alone = bool(run.sources) and all(source.format == "log" for source in run.sources)
            self._write("#note", lambda width: no_rows(width, text_alone=text_alone))
        self.query_one(Charts).show(run, self.console_app.pins.names)
        self._tell(snapshot, run)
        self._go_to_moment(run)

    def _describe(self, snapshot: Snapshot, run: RunView, now: float) -> None:
        """Say everything about a run that is not on a chart."""
        volume = snapshot.machine.volume_of(run.id) if snapshot.machine is not None else None
        zone = self.console_app.zone
        self._write("#strip", lambda width: strip_lines(run, now, width))
        self._write("#facts", lambda width: side_lines(run, now, width, volume, zone))
        self.query_one(Stepper).show(stage_steps(run.stages))
        layers = run.layers
        self.set_class(layers is not None, "-layers")
        if layers is not None:
            self._write("#lora", lambda width: [strip_line(layers, width)])

    def _go_to_moment(self, run: RunView) -> None:
        """Put the cursor where whoever came from an alert wants to look."""
        app = self.console_app
        if app.moment is not None and app.moment.run_id == run.id:
            if self.query_one(Charts).filtered is not None:
                self._drop_filter()
            self.call_after_refresh(go_to, self.query_one(Charts), run, app.moment)
        app.moment = None

    def _write(self, name: str, write: Callable[[int], object]) -> None:
        self.query_one(name, Sheet).write(write)  # type: ignore[arg-type]

    def _tell(self, snapshot: Snapshot, run: RunView) -> None:
        order = [one.id for one in ordered(snapshot.runs, ORDERS[0], reverse=False)]
        page, pages = self.query_one(Charts).pages
        note = f" {shorten(safe_text(run.name, 200), 48)} · run {order.index(run.id) + 1} of {len(order)}"
        if (passed := self.query_one(Charts).filtered) is not None:
            note += f" · {passed[0]} of {passed[1]} charts match (Esc shows all)"
        if pages > 1 and not self.has_class("-facts"):
            note += f" · charts page {page + 1}/{pages}" + " (/ finds one)" * (passed is None)
        self._write("#status", lambda _: [((note, "muted"),)])

    def _want(self, run_id: str | None) -> None:
        if run_id != self._wanted:
            self._wanted = run_id
            self.console_app.engine.want(run_id)

    def on_screen_resume(self) -> None:
        """Look at the chosen run."""
        super().on_screen_resume()
        self.call_after_refresh(self.query_one(Charts).focus_current)

    def on_screen_suspend(self) -> None:
        """Nobody looks at the run any more."""
        self._want(None)

    # Keys

    def _again(self) -> None:
        app = self.console_app
        if (run := self._chosen(app.snapshot)) is not None:
            self._tell(app.snapshot, run)

    def action_filter(self) -> None:
        """Type part of a metric's name: only charts that hold it are shown."""
        if self.has_class("-facts"):
            self.remove_class("-facts")
            self.call_after_refresh(self.console_app.paint)
        self.add_class("-filtering")
        self.query_one(Input).focus()

    @on(Input.Changed)
    def _filter(self, event: Input.Changed) -> None:
        self.query_one(Charts).filter(event.value)
        self._again()

    @on(Input.Submitted)
    def _filtered(self) -> None:
        self.remove_class("-filtering")
        self.query_one(Charts).focus_current()

    def _drop_filter(self) -> None:
        self.remove_class("-filtering")
        self.query_one(Input).value = ""
        self.query_one(Charts).filter("")
        self.query_one(Charts).focus_current()
        self._again()

    def action_chart(self, charts: int) -> None:
        """Give the keys to another chart."""
        self.remove_class("-filtering")
        self.query_one(Charts).move(charts)
        self._again()

    def action_page(self, pages: int) -> None:
        """Turn the page of charts."""
        self.query_one(Charts).turn(pages)
        self._again()

    def action_maximise(self) -> None:
        """Show one chart alone, or all again."""
        charts = self.query_one(Charts)
        charts.maximise()
        self.set_class(charts.maximised, "-alone")
        self._again()
        self.call_after_refresh(self.console_app.paint)  # what was hidden has missed what came meanwhile

    def action_pin(self) -> None:
        """Keep the current chart before the others, in every run, or let it go."""
        charts = self.query_one(Charts)
        run, panel = self._chosen(self.console_app.snapshot), charts.current
        if run is None or panel is None:
            return
        try:
            on = self.console_app.pins.toggle(panel.key)
        except ValueError as error:
            self.notify(f"{error}; t on one of them lets it go", severity="warning", markup=False)
            return
        except OSError as error:
            self.notify(f"For this session only: {error.strerror}: {error.filename}", severity="warning", markup=False)
            on = panel.key in self.console_app.pins.names
        charts.show(run, self.console_app.pins.names)
        self._again()
        title = safe_text(panel.title, 60)
        self.notify(f"{title} comes first, in every run" if on else f"{title} is in its place again", markup=False)

    def action_step(self, runs: int) -> None:
        """Go to another run, in the order of the worst first."""
        app = self.console_app
        order = [run.id for run in ordered(app.snapshot.runs, ORDERS[0], reverse=False)]
        if order:
            place = order.index(app.chosen) if app.chosen in order else 0
            app.chosen = order[(place + runs) % len(order)]
            self.query_one("#aside", VerticalScroll).scroll_home(animate=False)
            app.paint()

    def action_facts(self) -> None:
        """Show the facts in place of the charts, where a narrow screen has no room beside them, or the charts again."""
        self.toggle_class("-facts")
        self.call_after_refresh(self.console_app.paint)  # what was hidden has missed what came meanwhile
        if not self.has_class("-facts"):
            self.call_after_refresh(self.query_one(Charts).focus_current)

    def action_read(self, pages: int) -> None:
        """Scroll the facts by half a page."""
        aside = self.query_one("#aside", VerticalScroll)
        aside.scroll_relative(y=pages * max(1, aside.size.height // 2), animate=False)

    def action_compare(self) -> None:
        """Put this run beside those that were chosen before; the first one waits for a second."""
        app = self.console_app
        run = self._chosen(app.snapshot)
        if run is None:
            return
        others = [run_id for run_id in app.compared if run_id != run.id and app.snapshot.get(run_id) is not None]
        if others:
            app.open_compare((*others, run.id))
        else:
            app.compared = (run.id,)
            self.notify("Chosen to compare; press c on another run (n and p change it)", markup=False)

    def action_log(self) -> None:
        """Go to the newest log stream of this run."""
        app = self.console_app
        run = self._chosen(app.snapshot)
        if run is not None and run.logs:
            app.open_log(run.logs[-1])
        else:
            self.notify("This run has no log stream", markup=False)

    def action_back(self) -> None:
        """Leave the filter, the facts or the single chart, then the screen."""
        if self.has_class("-filtering") or self.query_one(Charts).filtered is not None:
            self._drop_filter()
        elif self.has_class("-facts"):
            self.action_facts()
        elif self.query_one(Charts).maximised:
            self.action_maximise()
        else:
            self.console_app.leave()

    def commands(self) -> dict[str, tuple[str, Callable[[], object]]]:
        """Offer this screen's views to the palette."""
        return {
            "Chart: log axis": ("key y", lambda: self._chart("toggle_log")),
            "Chart: clip outliers": ("key o", lambda: self._chart("toggle_clip")),
            "Chart: next x axis": ("key x", lambda: self._chart("cycle_axis")),
            "Chart: reset view": ("key r", lambda: self._chart("reset")),
            "Chart: maximise": ("key f", self.action_maximise),
            "Chart: find by name": ("key /", self.action_filter),
            "Chart: keep on top": ("key t", self.action_pin),
            "Run: facts": ("key i", self.action_facts),
            "Run: next": ("key n", lambda: self.action_step(1)),
            "Run: compare": ("key c", self.action_compare),
            "Run: log": ("key v", self.action_log),
        }

    def _chart(self, action: str) -> None:
        chart: Chart | None = self.query_one(Charts).current_chart
        if chart is not None:
            getattr(chart, f"action_{action}")()
