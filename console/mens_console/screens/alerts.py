"""Screen 8: every alert of the box in one feed, a closer look at one, and what an operator does about it.

What a row says is in `alertrows`, what the closer look says in `alertfacts`; the orders are the engine's to carry out.
"""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, ClassVar, Final

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.widgets import Input

from mens_console.ingest.text import safe_text
from mens_console.screens.alertfacts import detail_lines, no_alerts, notifier_line, status_line
from mens_console.screens.alertorders import AlertOrders
from mens_console.screens.alertrows import (
    COLUMNS,
    FILTERS,
    ORDERS,
    Entry,
    columns_for,
    entries,
    ordered,
    rev_of,
    row_of,
    walls,
)
from mens_console.screens.sheet import Sheet
from mens_console.signals.metricrules import with_custom
from mens_console.signals.rules import adjusted
from mens_console.store.snapshot import SOAK
from mens_widgets.grid import Grid, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from textual.app import ComposeResult

    from mens_console.config import Settings
    from mens_console.signals.rules import Rule
    from mens_console.store.snapshot import Snapshot

WIDE: Final = 160
"""Columns from which on the closer look stands beside the table."""
LEAST: Final = 9
"""Lines that the closer look keeps under a long table."""


class AlertsScreen(AlertOrders):
    """The alerts table with the selected alert beside or below it."""

    MODE = "alerts"
    AUTO_FOCUS = "Grid"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012
    CSS = """
    AlertsScreen #feed { height: 1fr; layout: vertical; }
    AlertsScreen #detail { height: 1fr; border-top: solid $border; padding: 0 1; background: $background;
        scrollbar-size-vertical: 1; }
    AlertsScreen.-wide #feed { layout: horizontal; }
    AlertsScreen.-wide #detail { width: 56; border-top: none; border-left: solid $border; }
    AlertsScreen #none { display: none; height: 1fr; margin: 0 2; }
    AlertsScreen.-empty #none { display: block; }
    AlertsScreen.-empty #feed { display: none; }
    AlertsScreen #status { height: 1; }
    AlertsScreen Input { display: none; height: 1; border: none; background: $panel; padding: 0 1; }
    AlertsScreen.-asking Input { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "jump", "Moment on the chart", show=False, id="alerts.jump"),
        Binding("a", "ack", "Acknowledge", id="alerts.ack"),
        Binding("s", "silence", "Silence", id="alerts.silence"),
        Binding("S", "lift", "Lift a silence", show=False, id="alerts.lift"),
        Binding("f", "which", "On now, all, …", id="alerts.which"),
        Binding("o", "sort", "Order", id="alerts.sort"),
        Binding("slash", "ask", "Filter", key_display="/", id="alerts.filter"),
        Binding("v", "log", "View its log", show=False, id="alerts.log"),
        Binding("u", "digest", "Since you left", show=False, id="alerts.digest"),
        Binding("J", "read(1)", "Facts down", show=False, id="alerts.facts_down"),
        Binding("K", "read(-1)", "Facts up", show=False, id="alerts.facts_up"),
        Binding("escape", "back", "Back", show=False, id="alerts.back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._order = self._which = 0
        self._rows: dict[str, Row] = {}
        self._rules: Mapping[str, Rule] | None = None

    def body(self) -> ComposeResult:
        """Lay out table, closer look and question."""
        yield Sheet(id="none")
        with Container(id="feed"):
            yield Grid(COLUMNS, id="alerts")
            with VerticalScroll(id="detail", can_focus=False):
                yield Sheet(id="facts")
        yield Sheet(id="status")
        yield Input(id="question")

    @property
    def rules(self) -> Mapping[str, Rule]:
        """The table of rules with the operator's own thresholds and rules."""
        if self._rules is None:
            self._rules = rules_of(self.console_app.settings)
        return self._rules

    def ages(self, snapshot: Snapshot) -> Iterable[float]:
        """Return the times whose ages are on screen."""
        beat = [snapshot.notifier.beat_at] if snapshot.notifier is not None else []
        return [*beat, *walls(list(self._shown.values()))]

    # Showing

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Show the alerts that are wanted, in order."""
        found = entries(snapshot)
        self.set_class(not found, "-empty")
        if not found:
            self.query_one("#none", Sheet).write(lambda width: no_alerts(snapshot, self.rules, width))
        which = FILTERS[self._which]
        wanted = [entry for entry in found if which.wants(entry.alert) and self._query.matches(entry)]
        order = ORDERS[self._order]
        self._shown = {entry.key: entry for entry in ordered(wanted, order)}
        grid = self.query_one(Grid)
        grid.columns = columns_for(self._shown.values(), grid.size.width)
        grid.sort = (order.column, False)
        grid.empty = self._nothing(found)
        self._rows = self._build(now)
        grid.set_rows(list(self._rows.values()))
        self._share_height(grid)
        self._detail(snapshot, now)
        self._tell(snapshot, len(found), now)

    def _nothing(self, found: Sequence[Entry]) -> str:
        if self._query:
            return "no alert matches the filter; Esc clears it"
        here = FILTERS[self._which].name
        counts = [f"{sum(map(f.wants, (e.alert for e in found)))} {f.name}" for f in FILTERS if f.name != here]
        return f"no alert is {here}; f shows {', '.join(counts)}"

    def _build(self, now: float) -> dict[str, Row]:
        """Return a row an alert; only rows that may come on screen with the next key are brought up to date."""
        key, reach = self.query_one(Grid).cursor_key, 2 * self.size.height
        keys = list(self._shown)
        place = keys.index(key) if key in self._shown else 0
        return {
            one: self._row(entry, now) if abs(i - place) <= reach else self._rows.get(one) or Row(one, ())
            for i, (one, entry) in enumerate(self._shown.items())
        }

    def _row(self, entry: Entry, now: float) -> Row:
        known = self._rows.get(entry.key)
        return known if known is not None and known.rev == rev_of(entry, now) else row_of(entry, now)

    def _share_height(self, grid: Grid) -> None:
        """Give the table what it needs, but leave the closer look its part; beside it, everything."""
        if self.has_class("-wide"):
            if grid.styles.height is None or grid.styles.height.is_cells:
                grid.styles.height = "1fr"
            return
        least = max(LEAST, self.size.height // 2)
        height = max(3, min(len(self._rows) + 2, self.size.height - 3 - least))
        if grid.styles.height is None or not grid.styles.height.is_cells or grid.styles.height.value != height:
            grid.styles.height = height

    def _detail(self, snapshot: Snapshot, now: float) -> None:
        entry, sheet = self.selected, self.query_one("#facts", Sheet)
        if entry is None:
            sheet.write(lambda _: ())
            return
        alert, zone = entry.alert, self.console_app.zone
        silences = [silence for silence in snapshot.silences if silence.covers(alert, now)]
        others = entry.run.alerts if entry.run is not None else snapshot.box_alerts
        held = [a for a in others if a.inhibited_by == alert.rule and a.entity == alert.entity and a.active]
        rule = self.rules.get(alert.rule)
        sheet.write(lambda width: detail_lines(entry, rule, silences, held, now, width, zone))

    def _tell(self, snapshot: Snapshot, total: int, now: float) -> None:
        seen = [f"{len(self._shown)} of {total} alerts" if total else "no alert"]
        seen += [FILTERS[self._which].name, ORDERS[self._order].name]
        seen += [f"filter {safe_text(self._query.text, 40)}"] if self._query else []
        state = None if snapshot.replay else notifier_line(snapshot.notifier, now)
        self.query_one("#status", Sheet).write(lambda width: [status_line(seen, state, width)])

    # Moving

    @on(Grid.Highlighted)
    def _look_closer(self) -> None:
        self.query_one("#detail", VerticalScroll).scroll_home(animate=False)
        self.show(self.console_app.snapshot, self.console_app.now())

    @on(Grid.Selected)
    def _open(self) -> None:
        self.action_jump()

    @on(Grid.HeaderClicked)
    def _sort_by(self, event: Grid.HeaderClicked) -> None:
        places = [i for i, order in enumerate(ORDERS) if order.column == event.column]
        if places:
            self._order = places[0]
            self.console_app.paint()

    def action_jump(self) -> None:
        """Go to the moment on the chart, to the batch of attempts, to the soak, or to the machine."""
        from mens_console.screens.healthmoment import is_about_generation

        entry, app = self.selected, self.console_app
        if entry is None:
            return
        if entry.run is not None:
            from mens_console.screens.moment import moment_of

            app.moment = moment_of(entry.run_id, entry.alert, self.rules.get(entry.alert.rule))
            app.open_run(entry.run_id)
        elif is_about_generation(entry.alert.entity):
            from mens_console.screens.moment import Moment

            alert = entry.alert
            app.moment = Moment(alert.entity, (alert.rule,), alert.since_step, alert.since)
            app.open_room("health")
        elif entry.alert.entity.startswith(f"{SOAK}:"):
            from mens_console.screens.moment import Moment

            alert = entry.alert
            app.moment = Moment(alert.entity, (alert.rule,), alert.since_step, alert.since)
            app.open_room("soak")
        elif "hardware" in app.MODES:
            app.open_room("hardware")
        else:
            self.notify("This alert is about the machine, not about a run", markup=False)

    def action_log(self) -> None:
        """Go to the newest log stream of the alert's run, to when the alert began."""
        entry = self.selected
        if entry is None:
            return
        if entry.run is not None and entry.run.logs:
            since = entry.alert.since
            self.console_app.open_log(entry.run.logs[-1], since if math.isfinite(since) else None)
        else:
            self.notify("There is no log stream to this alert", markup=False)

    def action_read(self, pages: int) -> None:
        """Scroll the closer look by half a page."""
        detail = self.query_one("#detail", VerticalScroll)
        detail.scroll_relative(y=pages * max(1, detail.size.height // 2), animate=False)

    def action_digest(self) -> None:
        """Show again what happened since the console was left."""
        app = self.console_app
        snapshot = app.snapshot
        if snapshot.replay or not math.isfinite(app.left_at):
            self.notify("Nothing to compare with: never left here", markup=False)
            return
        from mens_console.screens.digest import DigestScreen, news_since

        app.push_screen(DigestScreen(news_since(snapshot, app.left_at, app.now()), app.zone))

    # Choosing

    def action_which(self) -> None:
        """Show the next choice of alerts: on now, all, silenced, resolved, held to the end of their run."""
        self._which = (self._which + 1) % len(FILTERS)
        self.console_app.paint()

    def action_sort(self) -> None:
        """Take the next order."""
        self._order = (self._order + 1) % len(ORDERS)
        self.console_app.paint()

    def commands(self) -> dict[str, tuple[str, Callable[[], object]]]:
        """Offer this screen's views to the palette."""
        return {
            "Alerts: on now, all, silenced, resolved, held": ("key f", self.action_which),
            "Alerts: next order": ("key o", self.action_sort),
            "Alerts: filter": ("key /", self.action_ask),
            "Alerts: acknowledge": ("key a", self.action_ack),
            "Alerts: silence": ("key s", self.action_silence),
            "Alerts: lift a silence": ("key S", self.action_lift),
            "Alerts: what happened since you left": ("key u", self.action_digest),
        }


def rules_of(settings: Settings) -> Mapping[str, Rule]:
    """Return the table of rules with what the operator set and added; a rule that cannot stand is left out."""
    rules = adjusted(settings.thresholds)[0]
    for own in settings.rules:
        with contextlib.suppress(ValueError):  # the engine tells of it
            rules = with_custom(rules, [own])
    return rules
