"""Screen 3: which adapters of a run learn, layer by layer over time; and its accuracy by pattern and length.

Rows come from `lorarows`, words from `loralines` and `patterns`, series from `lorapane`; this screen joins them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical, VerticalScroll
from textual.widgets import Input

from mens_console.screens.curves import marks_of
from mens_console.screens.facts import strip_lines
from mens_console.screens.lorakeys import LoraKeys
from mens_console.screens.loralines import (
    WORDS,
    metrics_of,
    pair_lines,
    ranking_lines,
    summary_line,
    whole_lines,
)
from mens_console.screens.lorapages import freshness, note, place_text, with_adapters
from mens_console.screens.lorapane import PairCharts
from mens_console.screens.patterns import table_of
from mens_console.screens.rows import ORDERS as RUN_ORDERS
from mens_console.screens.rows import ordered
from mens_console.screens.sheet import Sheet
from mens_console.signals.human import step
from mens_console.signals.rules import adjusted
from mens_widgets.heatmap import Heatmap
from mens_widgets.matrix import Matrix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from textual.app import ComposeResult

    from mens_console.screens.sheet import Line
    from mens_console.signals.rules import Rule
    from mens_console.store.snapshot import LayersView, RunView, Snapshot

WIDE: Final = 110
"""Columns from which on the facts stand beside the heatmap."""
FULL: Final = 150
"""Columns from which on modules are named in full."""
NAMED: Final = 100
"""Columns of the heatmap from which on its title is in words."""
KINDS: Final = ("resume", "checkpoint", "nan", "alert")
"""Marks that help to read the heatmap; evaluations would only crowd its axis."""


class LoraScreen(LoraKeys):
    """The adapters of the run that was chosen, or of the one that needs a look first."""

    MODE = "lora"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-middle"), (160, "-wide")]  # noqa: RUF012
    CSS = """
    LoraScreen #strip { height: 2; }
    LoraScreen #page { height: 1fr; layout: horizontal; }
    LoraScreen #stage { width: 1fr; height: 1fr; }
    LoraScreen #aside { width: 44; margin-left: 1; padding-left: 1; border-left: solid $border;
        scrollbar-size-vertical: 1; background: $background; }
    LoraScreen.-wide #aside { width: 54; }
    LoraScreen Heatmap, LoraScreen Matrix { background: $background; }
    LoraScreen #note { display: none; margin: 0 2; }
    LoraScreen #pair, LoraScreen Matrix { display: none; }
    LoraScreen #pair { height: 13; border-top: solid $border; }
    LoraScreen.-detail #pair { display: block; }
    LoraScreen.-bare #note { display: block; }
    LoraScreen.-bare Heatmap, LoraScreen.-bare #pair, LoraScreen.-bare #aside { display: none; }
    LoraScreen.-patterns Matrix { display: block; }
    LoraScreen.-patterns #aside { display: block; }
    LoraScreen.-patterns Heatmap, LoraScreen.-patterns #pair, LoraScreen.-patterns #note { display: none; }
    LoraScreen.-narrow #page { layout: vertical; }
    LoraScreen.-narrow #aside { display: none; width: 1fr; height: 1fr; margin: 0; border: none; padding: 0 1; }
    LoraScreen.-narrow.-detail #aside { display: block; }
    LoraScreen.-narrow.-detail Heatmap { display: none; }
    LoraScreen.-narrow.-detail #stage { height: 1fr; }
    LoraScreen.-narrow.-detail #pair { height: 1fr; border: none; }
    LoraScreen.-narrow.-patterns #aside { display: block; height: 6; border-top: solid $border; }
    LoraScreen.-narrow.-bare #aside { display: none; }
    LoraScreen #status { height: 1; }
    LoraScreen Input { dock: bottom; display: none; height: 1; border: none; background: $panel; padding: 0 1; }
    LoraScreen.-filtering Input { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "metric(1)", "Metric", id="lora.metric"),
        Binding("M", "metric(-1)", "Previous metric", show=False, id="lora.previous_metric"),
        Binding("o", "order", "Order", id="lora.order"),
        Binding("f", "troubled", "Troubled only", id="lora.troubled"),
        Binding("tab", "patterns", "Patterns", id="lora.patterns", priority=True),
        Binding("slash", "filter", "Filter", key_display="/", id="lora.filter"),
        Binding("j,down", "row(1)", "Next pair", show=False, id="lora.down"),
        Binding("k,up", "row(-1)", "Previous pair", show=False, id="lora.up"),
        Binding("enter", "detail", "Close the series", show=False, id="lora.detail"),
        Binding("n", "step(1)", "Next run", id="lora.next"),
        Binding("p", "step(-1)", "Previous run", show=False, id="lora.previous"),
        Binding("J", "read(1)", "Facts down", show=False, id="lora.facts_down"),
        Binding("K", "read(-1)", "Facts up", show=False, id="lora.facts_up"),
        Binding("v", "log", "View its log", show=False, id="lora.log"),
        Binding("escape", "back", "Back", show=False, id="lora.back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._wanted: str | None = None
        self._rules: Mapping[str, Rule] | None = None
        self._offered: tuple[bool, ...] = ()

    def body(self) -> ComposeResult:
        """Lay out the run's lines, the heatmap or the matrix with their facts, and the filter."""
        yield Sheet(id="strip")
        with Container(id="page"):
            with Vertical(id="stage"):
                yield Sheet(id="note")
                yield Heatmap(empty="no pair matches; Esc clears the filter")
                yield PairCharts(zone=self.console_app.zone, id="pair")
                yield Matrix("accuracy by pattern and length", unit="lower bound")
            with VerticalScroll(id="aside", can_focus=False):
                yield Sheet(id="facts")
        yield Sheet(id="status")
        yield Input(placeholder="q_proj, layer:L03, module:mlp, state:dead, -not …", id="query")

    @property
    def rules(self) -> Mapping[str, Rule]:
        """The table of rules with the operator's thresholds."""
        if self._rules is None:
            self._rules = adjusted(self.console_app.settings.thresholds)[0]
        return self._rules

    def ages(self, snapshot: Snapshot) -> Iterable[float]:
        """Return the run's age and that of its newest look."""
        run = self._chosen(snapshot)
        if run is None:
            return []
        looked = [float(run.layers.walls[-1])] if run.layers is not None and len(run.layers.walls) else []
        return [run.updated_at, *looked]

    # Showing

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Show the chosen run, else the first that needs a look among those with adapters."""
        run = self._chosen(snapshot)
        if run is None and snapshot.runs:
            runs = with_adapters(snapshot) or ordered(snapshot.runs, RUN_ORDERS[0], reverse=False)
            run = runs[0]
            self.console_app.chosen = run.id
        self._want(run.id if run is not None else None)
        layers = run.layers if run is not None else None
        bare = layers is None or not len(layers.steps)
        if self._table[0] is not (run.patterns if run is not None else None):
            self._table = (run.patterns, table_of(run.patterns)) if run is not None else (None, None)
        if self._table[1] is None:
            self.remove_class("-patterns")
        self.set_class(bare, "-bare")
        if bare:
            self.remove_class("-detail")
        self._write("#strip", lambda width: self._strip(run, now, width))
        self._write("#note", lambda width: note(snapshot, run, width))
        if run is not None and layers is not None and not bare:
            self._show_layers(run, layers)
        self._show_patterns()
        self._write("#facts", self._facts(self._layers()))
        self._tell(snapshot, run, now)
        self._hold_focus()
        offered = (bare, self.has_class("-patterns"), self._table[1] is None)
        if offered != self._offered:
            self._offered = offered
            self.refresh_bindings()

    def _strip(self, run: RunView | None, now: float, width: int) -> list[Line]:
        if run is None:
            return []
        first = strip_lines(run, now, width)[:1]
        return (
            first
            if run.layers is None
            else [*first, summary_line(run.layers, width, self.rules, plain=self._shelf.plain)]
        )

    def _show_layers(self, run: RunView, layers: LayersView) -> None:
        metrics = metrics_of(layers)
        if self._metric not in metrics and metrics:
            self._take_metric(metrics[0])
        words, heatmap = WORDS[self._metric], self.query_one(Heatmap)
        named = heatmap.size.width >= NAMED and words.sign not in words.title
        heatmap.title = f"{words.sign} {words.title}" if named else words.sign
        shelf = self._shelf
        rows = shelf.build(layers, self._metric, short=self.size.width < FULL)
        marks = [mark for mark in marks_of(run) if mark.kind in KINDS]
        heatmap.empty = "no pair is in trouble; f shows all" if shelf.troubled else "no pair matches; Esc clears it"
        heatmap.show(
            rows, layers.values[self._metric], layers.steps, newest=layers.latest.get(self._metric), marks=marks
        )
        pair = shelf.pair(heatmap.cursor_key)
        if self.has_class("-detail") and pair is not None:
            self.query_one(PairCharts).show(run, layers, pair, self._metric)

    def _show_patterns(self) -> None:
        table = self._table[1]
        if table is not None and self.has_class("-patterns"):
            self.query_one(Matrix).show(table.patterns, table.lengths, table.cells())

    def _facts(self, layers: LayersView | None) -> Callable[[int], list[Line]]:
        """Return what writes the facts of what is under the cursor now."""
        if self.has_class("-patterns"):
            table, place = self._table[1], self.query_one(Matrix).place
            return lambda width: table.lines(*place, width) if table is not None else []
        if layers is None:
            return lambda _: []
        places, plain = self._shelf.places, self._shelf.plain
        pair = self._shelf.pair(self.query_one(Heatmap).cursor_key)
        if pair is None:
            return lambda _: ranking_lines(layers, places, plain=plain)[1:]
        return lambda width: [
            *pair_lines(layers, pair, width, self.rules, plain=plain),
            *ranking_lines(layers, places, plain=plain),
            *whole_lines(layers, width),
        ]

    def _write(self, name: str, write: Callable[[int], Sequence[Line]]) -> None:
        self.query_one(name, Sheet).write(write)

    def _tell(self, snapshot: Snapshot, run: RunView | None, now: float) -> None:
        layers, brief = self._layers(), self.size.width < WIDE
        parts = [place_text(snapshot, run, brief=brief)]
        if self.has_class("-patterns"):
            parts.append(f"counted at step {step(self._table[1].step)}" if self._table[1] is not None else "")
        elif layers is not None:
            parts += [*self._shelf.words(layers), freshness(layers, now, brief=brief)]
        text = " " + " · ".join(filter(None, parts))
        self._write("#status", lambda _: [((text, "muted"),)])

    def _want(self, run_id: str | None) -> None:
        if run_id != self._wanted:
            self._wanted = run_id
            self.console_app.engine.want(run_id)

    def on_screen_suspend(self) -> None:
        """Nobody looks at the run any more."""
        self._want(None)

    def on_resize(self) -> None:
        """Fit labels and charts to the new width."""
        self.call_after_refresh(self.console_app.paint)

    def commands(self) -> dict[str, tuple[str, Callable[[], object]]]:
        """Offer this screen's views to the palette."""
        return {
            "LoRA: next metric": ("key m", lambda: self.action_metric(1)),
            "LoRA: next order": ("key o", self.action_order),
            "LoRA: troubled pairs only": ("key f", self.action_troubled),
            "LoRA: series of the pair": ("key Enter", self.action_detail),
            "LoRA: accuracy by pattern and length": ("key Tab", self.action_patterns),
            "LoRA: log or linear shades": ("key y", self.query_one(Heatmap).action_toggle_log),
            "LoRA: half-height rows": ("key z", self.query_one(Heatmap).action_toggle_dense),
            "LoRA: next run": ("key n", lambda: self.action_step(1)),
        }
