"""What an operator does about alerts: acknowledge, silence, lift; and the line that asks for notes and filters.

The orders are the engine's to carry out; how alerts look is the screen's.
"""

from __future__ import annotations

import getpass
import secrets
from typing import TYPE_CHECKING

from textual import on
from textual.widgets import Input

from mens_console.screens.alertrows import AlertQuery, Entry, called
from mens_console.screens.room import Room
from mens_console.screens.words import silenced
from mens_console.signals.alerts import Silence
from mens_widgets.grid import Grid

if TYPE_CHECKING:
    from mens_console.screens.silence import Choice


class AlertOrders(Room):
    """The keys of the Alerts screen that change or ask something."""

    def __init__(self) -> None:
        super().__init__()
        self._query = AlertQuery("")
        self._asking = ""
        self._asked_about: list[Entry] = []
        self._shown: dict[str, Entry] = {}

    @property
    def selected(self) -> Entry | None:
        """The alert under the cursor."""
        key = self.query_one(Grid).cursor_key
        return self._shown.get(key) if key is not None else None

    def action_ask(self) -> None:
        """Type a filter."""
        self._prompt("filter", "run, rule, state:on, severity:critical, -not …", self._query.text)

    def _prompt(self, what: str, placeholder: str, value: str = "") -> None:
        self._asking = what
        box = self.query_one(Input)
        box.placeholder, box.value = placeholder, value
        self.add_class("-asking")
        box.focus()

    def _answered(self) -> None:
        self._asking = ""
        self.remove_class("-asking")
        self.query_one(Grid).focus()

    @on(Input.Changed)
    def _typing(self, event: Input.Changed) -> None:
        if self._asking == "filter":
            self._query = AlertQuery(event.value)
            self.console_app.paint()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        asking, note = self._asking, event.value.strip()
        self._answered()
        if asking == "note":
            for entry in self._asked_about:
                self.console_app.engine.acknowledge(entry.run_id, entry.alert.fingerprint, note=note)
            self.query_one(Grid).set_marked(())

    def action_back(self) -> None:
        """Leave the question, drop the filter, drop the marks, then leave the screen."""
        grid = self.query_one(Grid)
        if self._asking == "note":
            self._answered()
        elif self._query or self._asking:
            self._query = AlertQuery("")
            self._answered()
            self.query_one(Input).value = ""
            self.console_app.paint()
        elif grid.marked:
            grid.set_marked(())
        else:
            self.console_app.leave()

    def _targets(self) -> list[Entry]:
        """Return the marked alerts, or the one under the cursor."""
        keys = self.query_one(Grid).marked
        if keys:
            return [self._shown[key] for key in keys if key in self._shown]
        return [self.selected] if self.selected is not None else []

    def action_ack(self) -> None:
        """Acknowledge, with a note if one is typed. What is acknowledged stays in sight."""
        waiting = [entry for entry in self._targets() if entry.alert.active and not entry.alert.acknowledged]
        if not waiting:
            self.notify("Nothing here is left to acknowledge", markup=False)
            return
        self._asked_about = waiting
        self._prompt("note", f"{called(waiting)}: Enter acknowledges, with a note if you type one")

    def action_silence(self) -> None:
        """Hear nothing of the alerts for a while; asks for how long and why."""
        if targets := self._targets():
            from mens_console.screens.silence import SilenceScreen, scopes_of

            app = self.console_app
            app.push_screen(SilenceScreen(scopes_of(targets), app.now(), app.zone), self._silence)

    def _silence(self, choice: Choice | None) -> None:
        if choice is None:
            return
        now, author = self.console_app.now(), _author()
        for rule, entity in choice.pairs:
            name, end = secrets.token_hex(4), now + choice.seconds
            self.console_app.engine.silence(Silence(name, rule, entity, author, choice.comment, now, end))
        self.query_one(Grid).set_marked(())

    def action_lift(self) -> None:
        """Lift every silence that covers the alerts."""
        app = self.console_app
        now, targets = app.now(), self._targets()
        lifted = [s for s in app.snapshot.silences if any(s.covers(entry.alert, now) for entry in targets)]
        for silence in lifted:
            app.engine.unsilence(silence.id)
        if lifted:
            many = "1 silence" if len(lifted) == 1 else f"{len(lifted)} silences"
            self.notify(f"Lifted {many}", markup=False)
            self.query_one(Grid).set_marked(())
        elif targets:
            on = any(silenced(entry.alert) for entry in targets)
            self.notify("Its silence is being lifted" if on else "No silence holds here", markup=False)


def _author() -> str:
    """Return who is at the terminal, as far as the system knows."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
