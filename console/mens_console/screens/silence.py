"""The question how long to hear nothing of some alerts, of which ones, and why.

It returns the operator's choice; the silence itself is made by the screen that asked.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

from mens_console.ingest.text import safe_text
from mens_console.screens.alertfacts import until
from mens_console.screens.alertrows import called
from mens_console.screens.modal import OnceScreen
from mens_console.screens.sheet import Line, Sheet, prose

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from textual.app import ComposeResult

    from mens_console.screens.alertrows import Entry

HOUR_S: Final = 3600.0
SPANS: Final = (
    ("1 hour", HOUR_S),
    ("4 hours", 4 * HOUR_S),
    ("24 hours", 24 * HOUR_S),
    ("until the run ends", math.inf),
)
"""How long, in seconds; infinity stands for the end of the run."""


class Scope(NamedTuple):
    """What a silence is about, in words, and the (rule, entity) pairs that it takes, ``*`` for any.

    `runs` says that all of it belongs to runs that are still going, so that it can last until they end.
    """

    text: str
    pairs: tuple[tuple[str, str], ...]
    runs: bool


class Choice(NamedTuple):
    """What was chosen: the pairs, how long in seconds (infinity until the run ends), and why."""

    pairs: tuple[tuple[str, str], ...]
    seconds: float
    comment: str


def scopes_of(targets: Sequence[Entry]) -> list[Scope]:
    """Return what a silence may be about: these alerts, every rule on their runs, these rules wherever they fire."""
    live = all(entry.run is not None and entry.run.live for entry in targets)
    alerts = [entry.alert for entry in targets]
    places = list(dict.fromkeys(safe_text(entry.place, 40) for entry in targets))
    rules = list(dict.fromkeys(safe_text(alert.rule, 40) for alert in alerts))
    where = places[0] if len(places) == 1 else f"{len(places)} places"
    what = rules[0] if len(rules) == 1 else f"{len(rules)} rules"
    return [
        Scope(called(targets), tuple(dict.fromkeys((a.rule, a.entity) for a in alerts)), live),
        Scope(f"every rule on {where}", tuple(dict.fromkeys(("*", a.entity) for a in alerts)), live),
        Scope(f"{what}, wherever it fires", tuple(dict.fromkeys((a.rule, "*") for a in alerts)), runs=False),
    ]


class SilenceScreen(OnceScreen[Choice | None]):
    """Asks for a span and a comment; Tab goes on to a wider scope."""

    AUTO_FOCUS = ""
    CSS = """
    SilenceScreen { align: center middle; background: $background 60%; }
    SilenceScreen Vertical {
        width: 90%; max-width: 72; height: auto; max-height: 90%;
        border: round $border; border-title-color: $text-primary; padding: 0 1; background: $surface;
    }
    SilenceScreen Sheet { background: $surface; }
    SilenceScreen Input { display: none; height: 1; border: none; background: $panel; padding: 0 1; margin-top: 1; }
    SilenceScreen.-commenting Input { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "take(0)", "1 hour", show=False, id="silence.hour"),
        Binding("2", "take(1)", "4 hours", show=False, id="silence.hours"),
        Binding("3", "take(2)", "24 hours", show=False, id="silence.day"),
        Binding("4", "take(3)", "Until the run ends", show=False, id="silence.run"),
        Binding("j,down", "move(1)", "Down", show=False, id="silence.down"),
        Binding("k,up", "move(-1)", "Up", show=False, id="silence.up"),
        Binding("enter", "take(-1)", "Take it", show=False, id="silence.take"),
        Binding("tab", "scope", "Wider or narrower", show=False, id="silence.scope", priority=True),
        Binding("escape,q", "leave", "Leave it", show=False, id="silence.leave"),
    ]

    def __init__(self, scopes: Sequence[Scope], now: float, zone: tzinfo | None = None) -> None:
        super().__init__()
        self._scopes, self._now, self._zone = tuple(scopes), now, zone
        self._scope = self._span = 0

    def compose(self) -> ComposeResult:
        """Lay out spans and comment."""
        with Vertical() as box:
            box.border_title = "Silence"
            yield Sheet(self._write)
            yield Input(placeholder="why (Enter: no comment)", id="comment")

    def on_mount(self) -> None:
        """Say which keys do what."""
        self._tell()

    @property
    def _spans(self) -> tuple[tuple[str, float], ...]:
        return SPANS if self._scopes[self._scope].runs else SPANS[:-1]

    def _write(self, width: int) -> list[Line]:
        lines = prose(self._scopes[self._scope].text, width, "strong")
        if len(self._scopes) > 1:
            lines.append(((f"Tab: another scope ({self._scope + 1} of {len(self._scopes)})", "muted"),))
        lines.append(())
        for i, (text, seconds) in enumerate(self._spans):
            here = i == self._span
            end = "" if math.isinf(seconds) else until(self._now + seconds, self._now, self._zone)
            lines.append(
                ((f"{'›' if here else ' '} {i + 1}  {text:<20}", "accent" if here else ""), (end, "muted")),
            )
        return lines

    def _tell(self) -> None:
        commenting = self.has_class("-commenting")
        box = self.query_one(Vertical)
        box.border_subtitle = "Enter silences · Esc: other span" if commenting else "Enter takes it · Esc leaves it"
        self.query_one(Sheet).write(self._write)

    def action_move(self, rows: int) -> None:
        """Go to another span."""
        if not self.has_class("-commenting"):
            self._span = (self._span + rows) % len(self._spans)
            self._tell()

    def action_scope(self) -> None:
        """Take the next scope."""
        self._scope = (self._scope + 1) % len(self._scopes)
        self._span = min(self._span, len(self._spans) - 1)
        self._tell()

    def action_take(self, place: int) -> None:
        """Take a span (-1 for the one under the cursor), then ask why."""
        if place >= len(self._spans):
            return
        self._span = self._span if place < 0 else place
        self.add_class("-commenting")
        self._tell()
        self.query_one(Input).focus()

    def action_leave(self) -> None:
        """Leave the comment, then the question."""
        if self.has_class("-commenting"):
            self.remove_class("-commenting")
            self.set_focus(None)
            self._tell()
        else:
            self.dismiss(None)

    @on(Input.Submitted)
    def _chosen(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(Choice(self._scopes[self._scope].pairs, self._spans[self._span][1], event.value.strip()))
