"""Screen 6: how a soak is going, hour by hour: progress, availability, failures, latencies by the minute, leaks.

What it says comes from `soakhead`, `soakfacts` and `soakminute`, what it draws from `soakface`; here is only which soak
and which minute is shown, and where keys go.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Input

from mens_console.ingest.text import safe_text
from mens_console.screens.hardwarerows import ago
from mens_console.screens.healthlines import section
from mens_console.screens.sheet import Line, Sheet, prose
from mens_console.screens.soakempty import no_soaks, unread
from mens_console.screens.soakface import SoakFace
from mens_console.screens.soakfacts import (
    error_lines,
    event_lines,
    incident_lines,
    latency_lines,
    leak_lines,
    plan_lines,
)
from mens_console.screens.soakhead import head_lines
from mens_console.screens.soakminute import minute_lines, readout
from mens_console.screens.soakpick import matching, pick_lines
from mens_console.screens.soakreading import Reading
from mens_console.screens.soakwords import METRICS, NAMES
from mens_console.screens.words import age

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from textual.app import ComposeResult

    from mens_console.soak.types import Analysis
    from mens_console.store.snapshot import Snapshot, SoakView

PAGES: Final = ("Incidents", "Minute", "Latency", "Leaks", "Errors", "Events", "Plan")
NO_MINUTES: Final = "Nothing in it tells when requests were made: there is nothing to draw minute by minute."
WIDE: Final = 110
WIDEST: Final = 170
"""Columns from which on facts stand beside the incidents, in one and in two columns."""
TALL: Final = 34
TALLEST: Final = 45


class SoakScreen(Reading):
    """One soak, through time."""

    MODE = "soak"
    CSS = """
    SoakScreen #head { height: auto; }
    SoakScreen #page { height: 1fr; }
    SoakScreen #readout, SoakScreen #tabs { height: 1; }
    SoakScreen #below { height: 4; }
    SoakScreen.-open #below { height: 9; }
    SoakScreen.-tall #below { height: 12; }
    SoakScreen.-tallest #below { height: 16; }
    SoakScreen.-flat #below { height: 1fr; }
    SoakScreen.-flat SoakFace, SoakScreen.-flat #readout, SoakScreen.-flat #tabs { display: none; }
    SoakScreen #below VerticalScroll { width: 1fr; height: 1fr; scrollbar-size-vertical: 1; background: $background; }
    SoakScreen #aside, SoakScreen #third { display: none; padding-left: 1; }
    SoakScreen.-wide #aside, SoakScreen.-widest #third { display: block; }
    SoakScreen #none { display: none; margin: 0 2; }
    SoakScreen.-empty #none { display: block; }
    SoakScreen.-empty #head, SoakScreen.-empty #page { display: none; }
    SoakScreen #list { display: none; margin: 0 1; height: 1fr; }
    SoakScreen #query { display: none; height: 1; border: none; padding: 0 1; }
    SoakScreen.-picking #list, SoakScreen.-picking #query { display: block; }
    SoakScreen.-picking #head, SoakScreen.-picking #page { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "incident(1)", "Incident", key_display="i I", id="soak.next_incident"),
        Binding("I", "incident(-1)", "Previous incident", show=False, id="soak.previous_incident"),
        Binding("m", "metric", "Metric", id="soak.metric"),
        Binding("enter", "detail", "Minute", id="soak.detail"),
        Binding("tab", "tab(1)", "More", id="soak.tab", priority=True),
        Binding("shift+tab", "tab(-1)", "Previous part", show=False, id="soak.previous_tab", priority=True),
        Binding("plus,equals_sign", "zoom(-1)", "Zoom", key_display="+ -", id="soak.zoom_in"),
        Binding("minus", "zoom(1)", "Zoom out", show=False, key_display="-", id="soak.zoom_out"),
        Binding("right_square_bracket", "soak(1)", "Soak", key_display="[ ]", id="soak.next"),
        Binding("left_square_bracket", "soak(-1)", "Previous soak", show=False, key_display="[", id="soak.previous"),
        Binding("slash", "pick", "Pick", key_display="/", id="soak.pick"),
        Binding("r", "reset", "All of it", show=False, id="soak.reset"),
        Binding("j,down", "move(1)", "Next incident", show=False, id="soak.down"),
        Binding("k,up", "move(-1)", "Previous incident", show=False, id="soak.up"),
        Binding("l,right", "minute(1)", "Later", show=False, id="soak.right"),
        Binding("h,left", "minute(-1)", "Earlier", show=False, id="soak.left"),
        Binding("L,shift+right", "page(1)", "Page later", show=False, id="soak.page_right"),
        Binding("H,shift+left", "page(-1)", "Page earlier", show=False, id="soak.page_left"),
        Binding("g,home", "end(-1)", "First minute", show=False, id="soak.first"),
        Binding("G,end", "end(1)", "Newest minute", show=False, id="soak.last"),
        Binding("J,pagedown", "read(1)", "Facts down", show=False, id="soak.facts_down"),
        Binding("K,pageup", "read(-1)", "Facts up", show=False, id="soak.facts_up"),
        Binding("escape", "back", "Back", show=False, id="soak.back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._tab = 0
        self._pick = 0

    def body(self) -> ComposeResult:
        """Lay out what is told in numbers, the picture, and the facts below it."""
        yield Sheet(id="none")
        yield Sheet(id="head")
        with Vertical(id="page"):
            yield SoakFace(self._desk.lens(""))
            yield Sheet(id="readout")
            yield Sheet(id="tabs")
            with Horizontal(id="below"):
                with VerticalScroll(id="pane", can_focus=False):
                    yield Sheet(id="told")
                with VerticalScroll(id="aside", can_focus=False):
                    yield Sheet(id="facts")
                with VerticalScroll(id="third", can_focus=False):
                    yield Sheet(id="more")
        yield Sheet(id="list")
        yield Input(placeholder="a part of its name, state:died, source:k6, -not …", id="query")

    def ages(self, snapshot: Snapshot) -> Iterable[float]:
        """Return when the shown soak was last heard of."""
        view = self._desk.view(snapshot.soaks)
        return [heard(view.report)] if view is not None and view.report is not None else []

    # ------------------------------------------------------------------ showing

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Show the chosen soak, else the first: one that goes on, or the newest."""
        self._follow_alert(snapshot)
        view = self._desk.view(snapshot.soaks)
        report = view.report if view is not None else None
        self.set_class(report is None, "-empty")
        if self.has_class("-picking"):
            self._show_picks(snapshot)
        if view is None or report is None:
            self._write("#none", lambda width: no_soaks(snapshot, width) if view is None else unread(view, width))
            return
        for name, holds in (
            ("-wide", self.size.width >= WIDE), ("-widest", self.size.width >= WIDEST),
            ("-tall", self.size.height >= TALL), ("-tallest", self.size.height >= TALLEST),
            ("-open", self._tab > 0), ("-flat", report.plan is None and self._desk.stack(report).span is None),
        ):  # fmt: skip
            self.set_class(holds, name)
        place = (snapshot.soaks.index(view) + 1, len(snapshot.soaks))
        self._write("#head", lambda width: head_lines(view, report, width, place))
        self._show_picture(view, report)
        self._write("#tabs", lambda width: [self._tabs(view, report, now, width)])
        self._show_facts(report)

    def _show_picture(self, view: SoakView, report: Analysis) -> None:
        desk, face = self._desk, self.query_one(SoakFace)
        if desk.wants(report):
            self.run_worker(self._count(report), group="heat", exit_on_error=False)
        face.lens, face.metric = desk.lens(view.id), desk.metric
        stack, heats = desk.stack(report), desk.heat(report)
        face.reading = heats is None
        face.show(report, stack, heats)
        self.look(report)

    async def _count(self, report: Analysis) -> None:
        await self._desk.count(report)
        if self.is_current:
            self.console_app.paint()

    def look(self, report: Analysis) -> None:
        """Show what is read under the cursor, and the page about it where that is open."""
        zone, wanted, wide = self.console_app.zone, self._wanted(), self.has_class("-tall")
        self._write("#readout", lambda width: [tuple(readout(report, wanted, zone, width))] if wanted else [])
        pages: dict[str, Callable[[int], Sequence[Line]]] = {
            "Incidents": lambda width: [
                *incident_lines(report, self._incident, width, zone),
                *(section("The minute that is read", minute_lines(report, wanted, width, zone)) if wide else ()),
            ],
            "Minute": lambda width: minute_lines(report, wanted, width, zone),
            "Latency": lambda width: latency_lines(report, width),
            "Leaks": lambda width: leak_lines(report, width),
            "Errors": lambda width: error_lines(report, width),
            "Events": lambda width: event_lines(report, width, zone),
            "Plan": lambda width: plan_lines(report, width),
        }
        self._write("#told", self._flat(report) if self.has_class("-flat") else pages[self._page])

    def _flat(self, report: Analysis) -> Callable[[int], Sequence[Line]]:
        """Return what is told of a soak without minutes: what there is of it, and what there cannot be."""

        def write(width: int) -> list[Line]:
            if self.has_class("-wide"):
                return [(), *prose(NO_MINUTES, width, "muted", " ")]
            parts = (("Latency", latency_lines(report, width)), ("Errors", error_lines(report, width)),
                     ("About it", plan_lines(report, width)))  # fmt: skip
            return [line for title, lines in parts for line in section(title, lines)]

        return write

    @property
    def _page(self) -> str:
        names = self._pages
        return names[self._tab % len(names)]

    @property
    def _pages(self) -> tuple[str, ...]:
        return PAGES[:2] if self.size.width >= WIDE else PAGES

    def _tabs(self, view: SoakView, report: Analysis, now: float, width: int) -> Line:
        names = {"Incidents": f"Incidents {len(report.incidents)}" if report.incidents else "Incidents"}
        tabs = [(f" {names.get(name, name)} ", "badge" if name == self._page else "muted") for name in self._pages]
        used = sum(len(text) for text, _ in tabs)
        told = "reading…" if view.reading else f"written {ago(age(heard(report), now))}"
        if view.problem:
            return (*tabs, (f" ! {safe_text(view.problem, 120)}", "bad"))
        notes = [(f"! {safe_text(report.problems[0], 120)} · ", "warn")] if report.problems and width >= WIDE else []
        left = width - used - len(told) - 1 - sum(len(text) for text, _ in notes)
        return (*tabs, (" " * max(left, 1), ""), *notes, (told, "muted"))

    def _show_facts(self, report: Analysis) -> None:
        zone, widest = self.console_app.zone, self.has_class("-widest")

        def facts(width: int) -> list[Line]:
            lines = [*section("Latency", latency_lines(report, width)), *section("Levels", leak_lines(report, width))]
            lines += section("Errors", error_lines(report, width))
            return lines[1:] if widest else [*lines[1:], *more(width)]

        def more(width: int) -> list[Line]:
            return [*section("Events", event_lines(report, width, zone)), *section("Plan", plan_lines(report, width))]

        self._write("#facts", facts)
        self._write("#more", lambda width: more(width)[1:])

    def _write(self, name: str, write: Callable[[int], Sequence[Line]]) -> None:
        self.query_one(name, Sheet).write(write)

    def on_resize(self) -> None:
        """Fit the parts to the new size."""
        self.call_after_refresh(self.console_app.paint)

    # ------------------------------------------------------------------ parts, metrics, soaks

    def action_move(self, by: int) -> None:
        """Choose another incident in the list, scroll another part, or go through the soaks that are picked from."""
        if self.has_class("-picking"):
            self._pick += by
            self.console_app.paint()
        elif self._page != "Incidents" or self.has_class("-flat"):
            self.query_one("#pane", VerticalScroll).scroll_relative(y=by, animate=False)
        else:
            self._choose(by)

    def action_detail(self) -> None:
        """Go to the incident that was chosen; else show all about the minute, or close that."""
        if self._report() is not None and not self._arrive():
            self._tab = 0 if self._page == "Minute" else 1
            self._turned()

    def _turned(self) -> None:
        self.query_one("#pane", VerticalScroll).scroll_home(animate=False)
        self.console_app.paint()
        self.call_after_refresh(self.console_app.paint)

    def action_tab(self, by: int) -> None:
        """Show the next part."""
        self._tab = (self._pages.index(self._page) + by) % len(self._pages)
        self._turned()

    def action_read(self, pages: int) -> None:
        """Scroll the facts by half a page."""
        for name in ("#aside", "#third") if self.has_class("-wide") else ("#pane",):
            part = self.query_one(name, VerticalScroll)
            part.scroll_relative(y=pages * max(1, part.size.height // 2), animate=False)

    def action_metric(self) -> None:
        """Show another latency as heat."""
        report = self._report()
        have = [name for name in METRICS if name == "e2e" or (report is not None and _measured(report, name))]
        place = have.index(self._desk.metric) + 1 if self._desk.metric in have else 0
        self._desk.metric = have[place % len(have)]
        self.console_app.paint()

    def action_soak(self, by: int) -> None:
        """Look at the next soak."""
        views = self.console_app.snapshot.soaks
        view = self._desk.view(views)
        if view is None or len(views) < 2:
            self.notify("There is one soak" if views else "There is no soak", markup=False)
            return
        self._take(views[(views.index(view) + by) % len(views)].id)

    def _take(self, soak: str) -> None:
        self._desk.chosen = soak
        self._incident, self._armed = -1, False
        self.query_one("#pane", VerticalScroll).scroll_home(animate=False)
        self.console_app.paint()
        self.call_after_refresh(self.console_app.paint)

    def action_pick(self) -> None:
        """Pick a soak from a list."""
        if not self.console_app.snapshot.soaks:
            self.notify("There is no soak", markup=False)
            return
        self._pick = 0
        self.add_class("-picking")
        self.query_one(Input).value = ""
        self.query_one(Input).focus()
        self.console_app.paint()
        self.call_after_refresh(self.console_app.paint)

    def _show_picks(self, snapshot: Snapshot) -> None:
        found = matching(snapshot.soaks, self.query_one(Input).value)
        self._pick = max(0, min(self._pick, len(found) - 1))
        self._write("#list", lambda width: pick_lines(found, self._pick, width))

    @on(Input.Changed)
    def _narrow(self) -> None:
        if self.has_class("-picking"):
            self.console_app.paint()

    @on(Input.Submitted)
    def _picked(self) -> None:
        found = matching(self.console_app.snapshot.soaks, self.query_one(Input).value)
        self._close_picks()
        if found:
            self._take(found[max(0, min(self._pick, len(found) - 1))].id)

    def _close_picks(self) -> None:
        self.remove_class("-picking")
        self.set_focus(None)
        self.console_app.paint()
        self.call_after_refresh(self.console_app.paint)

    def action_back(self) -> None:
        """Leave the list, then go back to the incidents, then look at all of it again, then go back to the fleet."""
        lens = self._lens
        if self.has_class("-picking"):
            self._close_picks()
        elif self._tab:
            self._tab = 0
            self._turned()
        elif lens.zoom is not None or lens.cursor is not None:
            self.action_reset()
        else:
            self.console_app.leave()

    def _follow_alert(self, snapshot: Snapshot) -> None:
        """Go where an alert led, once."""
        moment = self.console_app.moment
        if moment is None:
            return
        view = next((one for one in snapshot.soaks if one.entity == moment.run_id), None)
        if view is None or view.report is None:
            return
        self.console_app.moment = None
        self._desk.chosen = view.id
        self._incident, self._armed = len(view.report.incidents) - 1, True

    def commands(self) -> dict[str, tuple[str, Callable[[], object]]]:
        """Offer this screen's views, and the soaks, to the palette."""
        soaks: dict[str, tuple[str, Callable[[], object]]] = {
            f"Soak: {safe_text(one.id, 60)}": ("", partial(self._take, one.id))
            for one in self.console_app.snapshot.soaks[:20]
        }
        return {
            "Soak: next incident": ("key i", lambda: self.action_incident(1)),
            "Soak: next latency": ("key m", self.action_metric),
            "Soak: the minute": ("key Enter", self.action_detail),
            "Soak: all of it": ("key r", self.action_reset),
            "Soak: pick": ("key /", self.action_pick),
            **soaks,
        }


def heard(report: Analysis) -> float:
    """Return when a soak was last heard of, in seconds since the epoch; NaN where its file tells no time."""
    if report.ended is not None:
        return report.ended
    return report.started + report.now_s if report.started is not None else math.nan


def _measured(report: Analysis, name: str) -> bool:
    found = report.latencies.get(name)
    return found is not None and found.n > 0 and name in NAMES and bool(report.minutes)
