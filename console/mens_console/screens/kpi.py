"""Screen 5: is the model closer to the goal? Tier 1 first, what explains it below, what feeds it beside it.

What it says comes from `kpitable` and `kpifacts`; here is only which model and page is shown and where keys go.
"""

from __future__ import annotations

import asyncio
import math
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll

from mens_console.ingest.text import safe_text
from mens_console.screens.evaluations import Desk, evaluation_lines
from mens_console.screens.feeds import FedLogs, feed_lines, feed_summary
from mens_console.screens.hardwarerows import ago
from mens_console.screens.healthempty import no_kpis
from mens_console.screens.healthlines import section
from mens_console.screens.kpifacts import aside_lines, histogram, lane_lines, source_lines
from mens_console.screens.kpitable import Shown, about_lines, delta_heads, kpi_lines, tier_one, visible
from mens_console.screens.room import Room
from mens_console.screens.sheet import Line, Sheet, prose
from mens_console.screens.words import age
from mens_console.signals.human import some
from mens_console.signals.kpivalues import KpiReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from textual.app import ComposeResult

    from mens_console.signals.kpivalues import Feed, KpiDelta, KpiValue, ModelKpis
    from mens_console.store.snapshot import Snapshot

PAGES: Final = (("kpis", "KPIs"), ("explain", "Diagnostics"), ("feeds", "Contracts"), ("evals", "Evaluations"))
FEEDS: Final = 2
"""The page of contracts."""
WIDE: Final = 150
"""Columns from which on what explains stands beside the table."""
ROOMY: Final = 34
"""Lines from which on a tier 1 KPI has two of them."""


class KpiScreen(Room):
    """The KPIs of one model, or of one against another."""

    MODE = "kpi"
    CSS = """
    KpiScreen #tabs { height: 1; }
    KpiScreen #page { height: 1fr; }
    KpiScreen #stage { width: 3fr; height: 1fr; }
    KpiScreen #table { height: 1fr; scrollbar-size-vertical: 1; background: $background; }
    KpiScreen #about { border-top: solid $border; height: 5; }
    KpiScreen.-tall #about { height: 9; }
    KpiScreen #aside { width: 2fr; height: 1fr; border-left: solid $border; padding-left: 1; display: none;
        scrollbar-size-vertical: 1; background: $background; }
    KpiScreen.-wide #aside { display: block; }
    KpiScreen.-other #stage { display: none; }
    KpiScreen.-other #aside { display: block; width: 1fr; border-left: none; }
    KpiScreen #status { height: 1; }
    KpiScreen #none { display: none; margin: 0 2; }
    KpiScreen.-empty #none { display: block; }
    KpiScreen.-empty #tabs, KpiScreen.-empty #page { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "tab(1)", "Next tab", id="kpi.tab", priority=True),
        Binding("shift+tab", "tab(-1)", "Previous tab", show=False, id="kpi.previous_tab", priority=True),
        Binding("right_square_bracket", "model(1)", "Model", key_display="[ ]", id="kpi.next"),
        Binding("left_square_bracket", "model(-1)", "Previous model", show=False, key_display="[", id="kpi.previous"),
        Binding("c", "compare", "Compare from here", id="kpi.compare"),
        Binding("t", "tier", "Tier 3", id="kpi.tier"),
        Binding("j,down", "move(1)", "Next KPI", show=False, id="kpi.down"),
        Binding("k,up", "move(-1)", "Previous KPI", show=False, id="kpi.up"),
        Binding("g,home", "end(-1)", "First KPI", show=False, id="kpi.first"),
        Binding("G,end", "end(1)", "Last KPI", show=False, id="kpi.last"),
        Binding("J,pagedown", "read(1)", "Facts down", show=False, id="kpi.facts_down"),
        Binding("K,pageup", "read(-1)", "Facts up", show=False, id="kpi.facts_up"),
        Binding("escape", "back", "Back", show=False, id="kpi.back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._page = 0
        self._model: str | None = None
        self._base: str | None = None
        self._chosen = ""
        self._unfolded = False
        self._fed = FedLogs()
        self._evaluations = Desk()
        self._deltas: tuple[tuple[int, str, str], tuple[KpiDelta, ...] | None, str] | None = None
        """Report, base and other; the comparison or None while it is made; why there is none."""

    def body(self) -> ComposeResult:
        """Lay out tabs, table, what is told of one KPI, and what explains."""
        yield Sheet(id="none")
        yield Sheet(id="tabs")
        with Horizontal(id="page"):
            with Vertical(id="stage"):
                with VerticalScroll(id="table", can_focus=False):
                    yield Sheet(id="kpis")
                yield Sheet(id="about")
            with VerticalScroll(id="aside", can_focus=False):
                yield Sheet(id="explained")
        yield Sheet(id="status")

    def ages(self, snapshot: Snapshot) -> Iterable[float]:
        """Return when the records were last written."""
        return [one.updated for one in snapshot.kpi.sources] if snapshot.kpi is not None else []

    # ------------------------------------------------------------------ showing

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Show the chosen model, else the newest."""
        page: str = PAGES[self._page][0]
        if self._evaluations.due and (page == "evals" or self._evaluations.history is None):
            self.run_worker(self._read_evaluations(snapshot.roots), group="evaluations", exit_on_error=False)
        if page == "evals":
            self._show_evaluations(now)
            return
        report = snapshot.kpi or KpiReport()
        bare = not (report.models or report.sources or report.feeds or (page == "feeds" and snapshot.health))
        self.set_class(bare, "-empty")
        if bare:
            self._write("#none", lambda width: no_kpis(snapshot, width))
            self._write("#status", lambda _: self._hint(snapshot))
            return
        model = self._model_of(report)
        wide = self.size.width >= WIDE
        self.set_class(wide, "-wide")
        self.set_class(self.size.height >= ROOMY, "-tall")
        self.set_class(self._page > 0 or model is None, "-other")
        self._write("#tabs", lambda _: [self._tabs(report, model)])
        self._show_table(report, model)
        feeds = (*report.feeds, *(self._fed.of(snapshot.health) if wide or page == "feeds" else ()))
        self._show_aside(report, model, feeds, now, wide=wide)
        self._tell(report, feeds, now)

    def _show_evaluations(self, now: float) -> None:
        """Show what `mens-console eval` logged, whether or not there are KPIs."""
        history = self._evaluations.history
        self.set_class(False, "-empty")
        self.set_class(True, "-other")
        self._write("#tabs", lambda _: [self._tab_names()])
        self._write("#explained", lambda width: evaluation_lines(history, now, width))
        files = some(len(history.logs), "log") if history is not None else "logs"
        rows = some(len(history.rows), "evaluation") if history is not None else "…"
        self._write("#status", lambda _: [((f" {files}, {rows}", "muted"),)])

    def _hint(self, snapshot: Snapshot) -> Sequence[Line]:
        """Say where there is something to see, on a screen without KPIs."""
        rows = len(self._evaluations.history.rows) if self._evaluations.history is not None else 0
        told = ["contracts of attempt logs"] * bool(snapshot.health) + [some(rows, "evaluation")] * bool(rows)
        return [((f" Tab: {', '.join(told)}", "accent"),)] if told else ()

    async def _read_evaluations(self, roots: Sequence[Path]) -> None:
        if await self._evaluations.refresh(roots) and self.is_current:
            self.console_app.paint()

    def _model_of(self, report: KpiReport) -> ModelKpis | None:
        named = next((one for one in report.models if one.model == self._model), None)
        return named or (report.models[0] if report.models else None)

    def _value(self, model: ModelKpis) -> KpiValue | None:
        shown = visible(model, unfolded=self._unfolded)
        return next((one for one in shown if one.id == self._chosen), shown[0] if shown else None)

    def _tab_names(self) -> Line:
        return tuple((f" {title} ", "badge" if i == self._page else "muted") for i, (_, title) in enumerate(PAGES))

    def _tabs(self, report: KpiReport, model: ModelKpis | None) -> Line:
        tabs = self._tab_names()
        if model is None:
            return (*tabs, ("  no model in what was read", "warn"))
        place = report.models.index(model) + 1
        many = f"  [ {place} of {len(report.models)} ]" if len(report.models) > 1 else ""
        name = safe_text(model.model, 40) or "(no model named)"
        against = f" against {safe_text(self._base, 30)}" if self._base not in (None, model.model) else ""
        marked = " (base: [ ] chooses the other)" if self._base == model.model else ""
        return (*tabs, ("  ", ""), (name, "strong"), (against, "accent"), (marked, "accent"), (many, "muted"))

    def _show_table(self, report: KpiReport, model: ModelKpis | None) -> None:
        if model is None:
            return
        roomy = self.size.height >= ROOMY
        value, deltas = self._value(model), self._compared(report, model)
        chosen = value.id if value is not None else ""
        by_id = {one.id: one for one in deltas} if deltas is not None else None
        shown = Shown([], {})

        def write(width: int) -> list[Line]:
            nonlocal shown
            shown = kpi_lines(model, chosen, width, unfolded=self._unfolded, roomy=roomy, deltas=by_id)
            head = self._head(model, deltas, width)
            shown = Shown([*head, *shown.lines], {key: place + len(head) for key, place in shown.places.items()})
            return shown.lines

        self._write("#kpis", write)
        self._write("#about", lambda width: about_lines(value, (by_id or {}).get(chosen), width))
        self._keep_in_sight(shown.places.get(chosen), 2 if roomy else 1)

    def _head(self, model: ModelKpis, deltas: Sequence[KpiDelta] | None, width: int) -> list[Line]:
        """Return what stands above the table while two models are compared."""
        if self._base is None or self._base == model.model:
            return []
        why = safe_text(self._deltas[2], 300) if self._deltas is not None else ""
        if deltas is None:
            return prose(why, width, "warn") if why else [(("comparing…", "muted"),)]
        counts = {
            word: sum(one.verdict == word for one in tier_one(deltas, model))
            for word in ("better", "worse", "undecided")
        }
        ink = "bad" if counts["worse"] else "good" if counts["better"] else "accent"
        text = f"Tier 1 against {safe_text(self._base, 40)}: " + ", ".join(f"{n} {word}" for word, n in counts.items())
        if why:
            return [*prose(f"⚑ decides nothing: {why}", width, "warn"), ((text, "muted"),), delta_heads(width)]
        return [((text, ink),), delta_heads(width)]

    def _keep_in_sight(self, place: int | None, lines: int) -> None:
        table = self.query_one("#table", VerticalScroll)
        if place is None or not table.size.height:
            return
        top, body = table.scroll_y, table.size.height
        if place + lines > top + body:
            table.scroll_to(y=place + lines - body, animate=False)
        elif place < top:
            table.scroll_to(y=0 if place < body // 2 else place, animate=False)

    def _show_aside(
        self, report: KpiReport, model: ModelKpis | None, feeds: Sequence[Feed], now: float, *, wide: bool
    ) -> None:
        page = PAGES[self._page][0]

        def write(width: int) -> list[Line]:
            if page == "feeds" or model is None:
                head: Line = ((f"{'reader':<{max(12, min(30, width // 3))}}   fed by", "muted"),)
                files = section("Files", source_lines(report, now, width))
                return [feed_summary(feeds), head, *feed_lines(feeds, width), *files]
            if page == "explain":
                return [*section("Diagnostics", histogram(model, width)), *section("Lanes", lane_lines(model, width))][
                    1:
                ]
            return aside_lines(report, model, feeds, now, width) if wide else []

        self._write("#explained", write)

    def _tell(self, report: KpiReport, feeds: Sequence[Feed], now: float) -> None:
        newest = max((one.updated for one in report.sources if math.isfinite(one.updated)), default=math.nan)
        rows = sum(one.rows for one in report.sources)
        text = f" {some(len(report.sources), 'file')}, {some(rows, 'record')}, written {ago(age(newest, now))}"
        line: list[tuple[str, str]] = [(text if report.sources else " no records of KPIs", "muted")]
        if bad := sum(one.bad_rows for one in report.sources):
            line.append((f" · {some(bad, 'bad row')}", "warn"))
        if broken := [one for one in report.sources if one.problem]:
            line.append((f" · ! {safe_text(broken[0].problem or '', 120)}", "bad"))
        under = sum(one.state == "underfed" for one in feeds)
        line.append((f" · {some(under, 'reader')} UNDERFED", "warn") if under else ("", ""))
        self._write("#status", lambda _: [tuple(line)])

    def _write(self, name: str, write: Callable[[int], Sequence[Line]]) -> None:
        self.query_one(name, Sheet).write(write)

    def on_resize(self) -> None:
        """Fit the parts to the new size."""
        self.call_after_refresh(self.console_app.paint)

    # ------------------------------------------------------------------ comparing

    def _compared(self, report: KpiReport, model: ModelKpis) -> tuple[KpiDelta, ...] | None:
        """Return the comparison with the base; asks for it where it is not there yet."""
        if self._base is None or self._base == model.model:
            return None
        asked = (report.rev, self._base, model.model)
        if self._deltas is None or self._deltas[0] != asked:
            kept = self._deltas[1] if self._deltas is not None and self._deltas[0][1:] == asked[1:] else None
            self._deltas = (asked, kept, "")
            self.run_worker(self._work_out(report, asked), group="compare", exclusive=True, exit_on_error=False)
        return self._deltas[1]

    async def _work_out(self, report: KpiReport, asked: tuple[int, str, str]) -> None:
        """Compare off the screen's thread, because it may take a second."""
        if report.compare is None:
            found, why = None, "these records cannot be compared: nothing tells them apart by item"
        else:
            try:
                found, why = await asyncio.to_thread(report.compare, asked[1], asked[2]), ""
                why = (
                    await asyncio.to_thread(report.conflict, asked[1], asked[2]) if report.conflict is not None else ""
                )
            except (ValueError, KeyError, ArithmeticError) as error:
                found, why = None, f"not compared: {safe_text(str(error), 200)}"
        if self._deltas is not None and self._deltas[0] == asked:
            self._deltas = (asked, found, why)
            if self.is_current:
                self.console_app.paint()

    def action_compare(self) -> None:
        """Make this model the one that others are compared with, or stop comparing."""
        report = self.console_app.snapshot.kpi
        model = self._model_of(report) if report is not None else None
        if report is None or model is None or len(report.models) < 2:
            self.notify("Comparing needs records of two models", markup=False)
            return
        self._base = None if self._base is not None else model.model
        if self._base is not None:
            self.action_model(1)
        self.console_app.paint()

    # ------------------------------------------------------------------ keys

    def _values(self) -> list[KpiValue]:
        report = self.console_app.snapshot.kpi
        model = self._model_of(report) if report is not None else None
        return visible(model, unfolded=self._unfolded) if model is not None else []

    def action_move(self, by: int) -> None:
        """Go to the next KPI, or scroll another tab."""
        if self._page:
            self.query_one("#aside", VerticalScroll).scroll_relative(y=by, animate=False)
            return
        ids = [one.id for one in self._values()]
        if ids:
            place = ids.index(self._chosen) if self._chosen in ids else 0
            self._chosen = ids[max(0, min(place + by, len(ids) - 1))]
            self.console_app.paint()

    def action_end(self, side: int) -> None:
        """Go to the first or last KPI."""
        self.action_move(side * 10_000)

    def action_read(self, pages: int) -> None:
        """Scroll what explains by half a page."""
        part = self.query_one("#aside" if self.has_class("-wide") or self._page else "#table", VerticalScroll)
        part.scroll_relative(y=pages * max(1, part.size.height // 2), animate=False)

    def action_tab(self, by: int) -> None:
        """Show the next tab; without KPIs that is the one of evaluations."""
        first = FEEDS if self.console_app.snapshot.health else len(PAGES) - 1
        self._page = first if self.has_class("-empty") else (self._page + by) % len(PAGES)
        self.query_one("#aside", VerticalScroll).scroll_home(animate=False)
        self.console_app.paint()
        self.call_after_refresh(self.console_app.paint)

    def action_model(self, by: int) -> None:
        """Look at the next model; while comparing, the base is passed over."""
        report = self.console_app.snapshot.kpi
        names = [one.model for one in report.models] if report is not None else []
        if len(names) < 2:
            self.notify("There are records of one model" if names else "There are no records of models", markup=False)
            return
        place = names.index(self._model) if self._model in names else 0
        place = (place + by) % len(names)
        if names[place] == self._base:
            place = (place + by) % len(names)
        self._model = names[place]
        self.console_app.paint()

    def action_tier(self) -> None:
        """Unfold what decides nothing and go there, for it stands below what fits; or fold it."""
        self._unfolded = not self._unfolded
        values = self._values()
        if self._unfolded:
            self._chosen = next((one.id for one in values if one.tier == 3), self._chosen)
        elif values and self._chosen not in [one.id for one in values]:
            self._chosen = values[-1].id
        if self._page:
            self.action_tab(-self._page)
        self.console_app.paint()

    def action_back(self) -> None:
        """Go back to the first tab, then stop comparing, then go back to the fleet."""
        if self._page:
            self.action_tab(-self._page)
        elif self._base is not None:
            self._base = None
            self.console_app.paint()
        else:
            self.console_app.action_room("fleet")

    def commands(self) -> dict[str, tuple[str, Callable[[], object]]]:
        """Offer this screen's views, and the models, to the palette."""
        report = self.console_app.snapshot.kpi
        models: Mapping[str, tuple[str, Callable[[], object]]] = {
            f"KPIs: model {safe_text(one.model, 60)}": ("", partial(self._take, one.model))
            for one in (report.models[:20] if report is not None else ())
        }
        return {
            "KPIs: next tab": ("key Tab", lambda: self.action_tab(1)),
            "KPIs: compare models": ("key c", self.action_compare),
            "KPIs: tier 3": ("key t", self.action_tier),
            **models,
        }

    def _take(self, model: str) -> None:
        self._model = model
        self.console_app.paint()
