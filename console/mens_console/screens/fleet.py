"""Screen 1: every run of the box as one row, the worst first, and a closer look at the one under the cursor.

What a row says is in `rows`; opening a run is the app's.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

from mens_console.screens.empty import no_runs
from mens_console.screens.query import Query
from mens_console.screens.room import Room
from mens_console.screens.rows import COLUMNS, ORDERS, ordered, rev_of, row_of
from mens_console.screens.sheet import Line, Sheet
from mens_console.screens.words import alert_counts, counts_text
from mens_console.signals.human import some
from mens_widgets.grid import Grid, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from textual.app import ComposeResult

    from mens_console.screens.preview import Preview
    from mens_console.store.snapshot import RunView, Snapshot

OVERLAY = 6
OF_NO_RUN = " of no run: 8 shows them"
WIDE = 100
"""Columns from which on the preview has a chart."""
BEGIN_S = 3.0
"""For how long after the first run the cursor stays with the worst, whichever that turns out to be."""


class FleetScreen(Room):
    """The fleet table with its preview."""

    MODE = "fleet"
    AUTO_FOCUS = "Grid"
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-narrow"),
        (WIDE, "-middle"),
        (160, "-wide"),
    ]
    CSS = """
    FleetScreen #fleet { height: 1fr; }
    FleetScreen #status { height: 1; color: $text-muted; }
    FleetScreen #preview { height: 1fr; background: $background; border-top: solid $border; }
    FleetScreen #preview ChartFace { display: none; width: 3fr; }
    FleetScreen #preview Sheet { width: 2fr; height: 1fr; margin-left: 1; }
    FleetScreen.-middle #preview ChartFace, FleetScreen.-wide #preview ChartFace { display: block; }
    FleetScreen #welcome { display: none; margin: 0 2; }
    FleetScreen.-empty #welcome { display: block; }
    FleetScreen.-empty #fleet { display: none; }
    FleetScreen Input { display: none; height: 1; border: none; background: $panel; padding: 0 1; }
    FleetScreen.-filtering Input { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", key_display="/", id="fleet.filter"),
        Binding("s", "sort", "Sort", id="fleet.sort"),
        Binding("S", "reverse", "Reverse", show=False, id="fleet.reverse"),
        Binding("c", "compare", "Compare", id="fleet.compare"),
        Binding("o", "overlay", "Overlay marked", show=False, id="fleet.overlay"),
        Binding("v", "log", "View its log", show=False, id="fleet.log"),
        Binding("escape", "clear", "Clear filter and marks", show=False, id="fleet.clear"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._order, self._reverse, self._overlay = 0, False, False
        self._query = Query("")
        self._in_sight: tuple[str | None, frozenset[str]] = (None, frozenset())
        self._rows: dict[str, Row] = {}
        self._closer: Preview | None = None
        self._began = 0.0
        self._placed: str | None = None

    def body(self) -> ComposeResult:
        """Lay out table, preview and filter."""
        yield Sheet(id="welcome")
        with Vertical(id="fleet"):
            yield Grid(COLUMNS, empty="no run matches the filter; Esc clears it", id="runs")
        yield Sheet(id="status")
        yield Input(placeholder="name, state:stalled, alert:nan_loss, key:value, -not …", id="query")

    def ages(self, snapshot: Snapshot) -> Iterable[float]:
        """Return the runs' ages."""
        return [run.updated_at for run in snapshot.runs]

    # Showing

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Show the runs that match, in order."""
        self.set_class(not snapshot.runs, "-empty")
        if not snapshot.runs:
            self.query_one("#welcome", Sheet).write(lambda width: no_runs(snapshot, width))
            self.query_one("#status", Sheet).write(lambda _: ())
            return
        runs = [run for run in snapshot.runs if self._query.matches(run)]
        order = ORDERS[self._order]
        grid = self.query_one(Grid)
        grid.sort = (order.column, self._reverse)
        self._rows = self._build(ordered(runs, order, reverse=self._reverse), now)
        grid.set_rows(list(self._rows.values()))
        self._begin_at_the_worst(grid, snapshot)
        self._share_height(len(self._rows))
        note = f" {len(runs)} of {some(len(snapshot.runs), 'run')} · {order.name}" + (
            ", reversed" if self._reverse else ""
        )
        note += f" · filter {self._query.text}" if self._query else ""
        warnings, criticals = alert_counts(snapshot.box_alerts)
        # The header counts them, too, and no row of this table shows them.
        other: Line = ((f" · {counts_text(warnings, criticals)}", "bad" if criticals else "warn"), (OF_NO_RUN, "muted"))
        line: Line = ((note, "muted"), *(other if warnings or criticals else ()))
        self.query_one("#status", Sheet).write(lambda _: [line])
        self._preview(snapshot, now)

    def _begin_at_the_worst(self, grid: Grid, snapshot: Snapshot) -> None:
        """Keep the cursor on the first row while the runs are still coming in and nobody has moved it."""
        if self._began == 0.0:
            self._began = time.monotonic()
        elif self._placed != grid.cursor_key or not (snapshot.scanning or time.monotonic() - self._began < BEGIN_S):
            self._placed = ""  # moved by hand, or the begin is over
            return
        self._placed = next(iter(self._rows), None)
        if self._placed is not None:
            grid.cursor_key = self._placed

    def _share_height(self, rows: int) -> None:
        """Give the table what it needs, but leave the preview a good third; the preview takes the rest."""
        least = 8 if self.size.width < WIDE else max(13, self.size.height * 2 // 5)
        height = max(3, min(rows + 2, self.size.height - 3 - least))
        grid = self.query_one(Grid)
        if grid.styles.height is None or grid.styles.height.value != height or not grid.styles.height.is_cells:
            grid.styles.height = height

    def _build(self, runs: list[RunView], now: float) -> dict[str, Row]:
        """Return a row a run; only rows that may come on screen with the next key are brought up to date."""
        key, reach = self.query_one(Grid).cursor_key, 2 * self.size.height
        place = next((i for i, run in enumerate(runs) if run.id == key), 0)
        return {
            run.id: self._row(run, now) if abs(i - place) <= reach else self._rows.get(run.id) or Row(run.id, ())
            for i, run in enumerate(runs)
        }

    def _row(self, run: RunView, now: float) -> Row:
        known = self._rows.get(run.id)
        return known if known is not None and known.rev == rev_of(run, now) else row_of(run, now)

    def _want(self) -> None:
        """Tell the engine which runs to follow closely: the one under the cursor, and all that may be on screen."""
        grid = self.query_one(Grid)
        keys, key = list(self._rows), grid.cursor_key
        place = keys.index(key) if key in self._rows and key is not None else 0
        rows = self.size.height
        wanted = (key, frozenset(keys[max(0, place - rows) : place + rows]))
        if wanted != self._in_sight:
            self._in_sight = wanted
            self.console_app.engine.want(*wanted)

    def on_screen_suspend(self) -> None:
        """Nobody looks at the table any more."""
        self._in_sight = (None, frozenset())

    def _preview(self, snapshot: Snapshot, now: float) -> None:
        self._want()
        grid = self.query_one(Grid)
        run = snapshot.get(grid.cursor_key) if grid.cursor_key is not None else None
        marked = [one for key in grid.marked[:OVERLAY] if (one := snapshot.get(key)) is not None]
        self._preview_widget().show(run, marked if self._overlay else [], now)

    def _preview_widget(self) -> Preview:
        if self._closer is None:
            # What it stands on takes longer to load than the shell to paint, and is not needed before the first run.
            from mens_console.screens.preview import Preview

            self._closer = Preview(zone=self.console_app.zone, id="preview")
            self.query_one("#fleet").mount(self._closer)
        return self._closer

    # Keys

    @on(Grid.Highlighted)
    def _look_closer(self) -> None:
        app = self.console_app
        app.chosen = self.query_one(Grid).cursor_key
        self.show(app.snapshot, app.now())

    @on(Grid.Marked)
    def _marks_changed(self) -> None:
        self._preview(self.console_app.snapshot, self.console_app.now())

    @on(Grid.Selected)
    def _open(self, event: Grid.Selected) -> None:
        self.console_app.open_run(event.key)

    @on(Grid.HeaderClicked)
    def _sort_by(self, event: Grid.HeaderClicked) -> None:
        places = [i for i, order in enumerate(ORDERS) if order.column == event.column]
        if places and places[0] == self._order:
            self.action_reverse()
        elif places:
            self._order, self._reverse = places[0], False
            self.console_app.paint()

    def action_sort(self) -> None:
        """Take the next order."""
        self._order, self._reverse = (self._order + 1) % len(ORDERS), False
        self.console_app.paint()

    def action_reverse(self) -> None:
        """Turn the order round."""
        self._reverse = not self._reverse
        self.console_app.paint()

    def action_overlay(self) -> None:
        """Draw the losses of the marked runs over each other, or the run's own again."""
        grid = self.query_one(Grid)
        if self.size.width < WIDE:
            self.notify("The overlay needs a terminal of 100 columns", markup=False)
        elif len(grid.marked) < 2:
            self.notify("Mark two runs or more with Space first", markup=False)
        else:
            self._overlay = not self._overlay
            self._marks_changed()

    def action_compare(self) -> None:
        """Put the marked runs side by side, or go back to those that were."""
        app, marked = self.console_app, self.query_one(Grid).marked
        if len(marked) > 1:
            app.open_compare(marked)
        elif len(app.compared) > 1 and not marked:
            app.action_room("compare")
        else:
            self.notify("Mark two runs or more with Space first", markup=False)

    def action_log(self) -> None:
        """Go to the newest log stream of the run under the cursor."""
        app = self.console_app
        run = app.snapshot.get(self.query_one(Grid).cursor_key or "")
        if run is not None and run.logs:
            app.open_log(run.logs[-1])
        else:
            self.notify("This run has no log stream", markup=False)

    def action_filter(self) -> None:
        """Type a filter."""
        self.add_class("-filtering")
        self.query_one(Input).focus()
        self.console_app.paint()

    def action_clear(self) -> None:
        """Leave the filter, then drop it, then drop the marks."""
        box, grid = self.query_one(Input), self.query_one(Grid)
        if self._query or self.has_class("-filtering"):
            self.remove_class("-filtering")
            box.value = ""
        else:
            grid.set_marked(())
            self._overlay = False
        grid.focus()
        self.console_app.paint()

    @on(Input.Changed)
    def _filter(self, event: Input.Changed) -> None:
        self._query = Query(event.value)
        self.console_app.paint()

    @on(Input.Submitted)
    def _filtered(self) -> None:
        self.remove_class("-filtering")
        self.query_one(Grid).focus()
        self.console_app.paint()

    def commands(self) -> dict[str, tuple[str, Callable[[], object]]]:
        """Offer this screen's views to the palette."""
        return {
            "Fleet: next order": ("key s", self.action_sort),
            "Fleet: filter": ("key /", self.action_filter),
            "Fleet: compare marked runs": ("key c", self.action_compare),
            "Fleet: overlay marked runs": ("key o", self.action_overlay),
        }
