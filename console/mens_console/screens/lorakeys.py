"""The keys of the LoRA screen: which metric, order, pair and page are looked at, and what is filtered.

What they show is the screen's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from textual import on
from textual.containers import VerticalScroll
from textual.widgets import Input

from mens_console.screens.loralines import WORDS, metrics_of, plain_terminal
from mens_console.screens.lorapages import with_adapters
from mens_console.screens.lorapane import PairCharts
from mens_console.screens.lorarows import ORDERS, RANKED, PairQuery, Shelf
from mens_console.screens.room import Room
from mens_widgets.chart import Chart
from mens_widgets.heatmap import Heatmap
from mens_widgets.matrix import Matrix

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.widget import Widget

    from mens_console.screens.patterns import PatternTable
    from mens_console.store.snapshot import LayersView, RunView, Snapshot

ABOUT_PAIRS: Final = frozenset({"metric", "order", "troubled", "filter", "row", "detail"})
"""Actions that need pairs on the screen."""


class LoraKeys(Room):
    """What the LoRA screen is told by keys; how it looks is its own."""

    def __init__(self) -> None:
        super().__init__()
        self._metric = "grad"
        self._shelf = Shelf(plain=plain_terminal())
        self._table: tuple[Mapping[str, object] | None, PatternTable | None] = (None, None)

    def _chosen(self, snapshot: Snapshot) -> RunView | None:
        key = self.console_app.chosen
        return snapshot.get(key) if key is not None else None

    def _layers(self) -> LayersView | None:
        """Return the layers on screen, None where there are none to look at."""
        run = self._chosen(self.console_app.snapshot)
        return run.layers if run is not None and run.layers is not None and len(run.layers.steps) else None

    def _hold_focus(self) -> None:
        """Give the keys to what is shown, unless the filter is being typed."""
        if self.has_class("-filtering"):
            return
        target: Widget | None = self.query_one(Heatmap)
        if self.has_class("-patterns"):
            target = self.query_one(Matrix)
        elif self.has_class("-bare"):
            target = None
        elif self.has_class("-detail"):
            target = self.query_one(PairCharts).first
        kept = isinstance(self.focused, Chart) and isinstance(target, Chart)
        if self.focused is not target and not kept:
            self.call_after_refresh(self.set_focus, target, scroll_visible=False)

    @on(Heatmap.Highlighted)
    @on(Matrix.Moved)
    def _look_closer(self) -> None:
        self.query_one("#aside", VerticalScroll).scroll_home(animate=False)
        self.console_app.paint()

    @on(Heatmap.Selected)
    def _open(self) -> None:
        self.action_detail()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only keys that do something with what is shown."""
        if action in ABOUT_PAIRS and (self.has_class("-patterns") or self.has_class("-bare")):
            return False
        return action != "patterns" or self._table[1] is not None

    @on(Chart.CursorMoved)
    def _read_there(self, event: Chart.CursorMoved) -> None:
        """Read the heatmap where the chart's cursor is."""
        heatmap = self.query_one(Heatmap)
        point = next((point for _, point in event.values if point is not None), None)
        if event.chart.axis == "step":
            heatmap.column = heatmap.course.place(point.x) if point is not None else None
            heatmap.redraw()

    def _take_metric(self, metric: str) -> None:
        self._metric = metric
        self.query_one(Heatmap).log_scale = WORDS[metric].log

    def action_metric(self, metrics: int) -> None:
        """Show the next metric that was measured."""
        layers = self._layers()
        if layers is None:
            return
        have = metrics_of(layers)
        self._take_metric(have[(have.index(self._metric) + metrics) % len(have)])
        self.console_app.paint()

    def action_order(self) -> None:
        """Take the next order of rows; one by rank is read from its top."""
        self._shelf.order = (self._shelf.order + 1) % len(ORDERS)
        self.console_app.paint()
        if self._shelf.order in RANKED:
            self.query_one(Heatmap).action_end(-1)

    def action_troubled(self) -> None:
        """Show only pairs that somebody should look at, or all again."""
        self._shelf.troubled = not self._shelf.troubled
        self.console_app.paint()

    def action_row(self, rows: int) -> None:
        """Go to the next pair while its series has the keys."""
        self.query_one(Heatmap).action_move(rows)

    def action_detail(self) -> None:
        """Show the series of the pair under the cursor, or close them."""
        if self._layers() is None or self.has_class("-patterns") or not self._shelf.rows:
            return
        self.toggle_class("-detail")
        self.console_app.paint()
        self.call_after_refresh(self.console_app.paint)  # what was hidden has no size before it is laid out

    def action_patterns(self) -> None:
        """Switch between the adapters and the accuracy by pattern and length."""
        self.toggle_class("-patterns")
        self.console_app.paint()
        self.call_after_refresh(self.console_app.paint)

    def action_filter(self) -> None:
        """Type a filter."""
        self.add_class("-filtering")
        self.query_one(Input).focus()

    @on(Input.Changed)
    def _filter(self, event: Input.Changed) -> None:
        self._shelf.query = PairQuery(event.value)
        self.console_app.paint()

    @on(Input.Submitted)
    def _filtered(self) -> None:
        self.remove_class("-filtering")
        self._hold_focus()

    def action_step(self, runs: int) -> None:
        """Go to another run with adapters, in the order of the worst first."""
        app = self.console_app
        ids = [run.id for run in with_adapters(app.snapshot)]
        if not ids:
            self.notify("No run on this box tells of adapters", markup=False)
            return
        place = ids.index(app.chosen) + runs if app.chosen in ids else (0 if runs > 0 else -1)
        app.chosen = ids[place % len(ids)]
        self.query_one("#aside", VerticalScroll).scroll_home(animate=False)
        app.paint()

    def action_read(self, pages: int) -> None:
        """Scroll the facts by half a page."""
        aside = self.query_one("#aside", VerticalScroll)
        aside.scroll_relative(y=pages * max(1, aside.size.height // 2), animate=False)

    def action_log(self) -> None:
        """Go to the newest log stream of this run."""
        run = self._chosen(self.console_app.snapshot)
        if run is not None and run.logs:
            self.console_app.open_log(run.logs[-1])
        else:
            self.notify("This run has no log stream", markup=False)

    def action_back(self) -> None:
        """Leave the filter, the series, the patterns, then drop what is filtered, then go back to the run."""
        if self.has_class("-filtering"):
            self.remove_class("-filtering")
            self.query_one(Input).value = ""
        elif self.has_class("-patterns"):
            self.action_patterns()
        elif self.has_class("-detail"):
            self.action_detail()
        elif self._shelf.query or self._shelf.troubled:
            self._shelf.troubled = False
            self.query_one(Input).value = ""
        else:
            self.console_app.action_room("run")
            return
        self.console_app.paint()
