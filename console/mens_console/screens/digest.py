"""The page "since you left": what happened on the box while nobody looked, shown once after the launch.

What happened is worked out by `store.digest`; here it is only put into words.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, ClassVar, Final

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Input

from mens_console.config.state import state_folder
from mens_console.ingest.text import safe_text
from mens_console.notify.recall import messages, recalled
from mens_console.screens.modal import OnceScreen
from mens_console.screens.room import Room
from mens_console.screens.sheet import Line, Sheet, heading, prose
from mens_console.screens.words import SEVERITY_LOOKS, look, moment_text
from mens_console.signals.human import size, some, span, step
from mens_console.store.digest import digest
from mens_widgets.text import fit

if TYPE_CHECKING:
    from datetime import tzinfo
    from pathlib import Path

    from textual.app import ComposeResult

    from mens_console.screens.app import ConsoleApp
    from mens_console.store.digest import AlertNews, CheckpointNews, Digest, Messages, RunNews
    from mens_console.store.snapshot import Snapshot

MOST: Final = 12
"""Lines of one kind; what is left out is counted."""
MOST_CHECKPOINTS: Final = 6
STAMP: Final = 13


def greet(app: ConsoleApp) -> None:
    """Tell what happened since the console was left, once all history is read; in a notice where somebody types."""
    snapshot = app.snapshot
    if snapshot.replay or not math.isfinite(snapshot.left_at):
        return
    found = news_since(snapshot, snapshot.left_at, app.now())
    if not found.due:
        return
    if isinstance(app.screen, Room) and not isinstance(app.focused, Input):
        app.push_screen(DigestScreen(found, app.zone))
    else:
        app.notify("Something happened since you left: u on Alerts (8) tells", markup=False)


def news_since(snapshot: Snapshot, left_at: float, now: float, folder: Path | None = None) -> Digest:
    """Return what happened since `left_at` (s), with what the daemon left in the state directory, `folder`."""
    folder = state_folder() if folder is None else folder
    return digest(snapshot, left_at, now, recalled(folder, snapshot.roots), messages(folder, left_at, now))


def digest_lines(found: Digest, width: int, zone: tzinfo | None = None, *, was_here: bool = True) -> list[Line]:
    """Return the page; where nobody `was_here` at its beginning, it is a moment that somebody asked for."""

    def stamp(wall: float) -> tuple[str, str]:
        return f"{moment_text(wall, found.now, zone):>{STAMP - 1}} ", "muted"

    if found.backwards:
        left = moment_text(found.left_at, found.now, zone)
        return prose(f"You left {left}, which is still to come: the clock was set back, so nothing can be said.", width)
    gone = found.now - found.left_at
    away = span(60 * round(gone / 60)) if gone >= 60.0 else "moments"
    left, now = (moment_text(wall, found.now, zone) for wall in (found.left_at, found.now))
    begin = f"You left {left}, {away} ago; this is" if was_here else f"Since {left}, {away} ago, this is"
    lines: list[Line] = [((f"{begin} what happened until {now}.", "muted"),)]
    failed = [news for news in found.ended if news.state != "finished"]
    finished = [news for news in found.ended if news.state == "finished"]
    over = {news.run_id for news in found.ended}
    going = [news for news in found.begun if news.run_id not in over]  # that the others began goes without saying
    for title, runs in (("Failed", failed), ("Finished", finished), ("Started", going)):
        rows = [_run_line(news, stamp(news.wall), started=title == "Started") for news in runs]
        lines += _section(title, [_cut(row, width) for row in rows])
    lines += _section("Resumed", [_cut(_resume_line(news, stamp(news.wall)), width) for news in found.resumed])
    for title, alerts in (("Alerts that fired", found.fired), ("Alerts resolved", found.resolved)):
        rows = [_alert_line(news, stamp(news.wall), found, zone) for news in alerts[:MOST]]
        lines += _section(title, [_cut(row, width, -3) for row in rows], total=len(alerts))
        lines += [_cut(((" " * STAMP, ""), (_left_out(alerts[MOST:]), "muted")), width)] if alerts[MOST:] else []
    lines += _section(
        "Checkpoints", _checkpoint_lines(found.checkpoints, found, zone), MOST_CHECKPOINTS, len(found.checkpoints)
    )
    return [*lines, (), *prose(_rest(found), width, "muted")]


def _cut(line: Line, width: int, place: int = -1) -> Line:
    """Return a line that fits: the piece at `place` gives way, with an ellipsis."""
    over = sum(cell_len(text) for text, _ in line) - width
    if over <= 0:
        return line
    text, ink = line[place]
    pieces = list(line)
    pieces[place] = (fit(text, max(cell_len(text) - over, 1)), ink)
    return tuple(pieces)


def _section(title: str, lines: list[Line], most: int = MOST, total: int | None = None) -> list[Line]:
    if not lines:
        return []
    total = len(lines) if total is None else total
    more: list[Line] = [((f"{' ' * STAMP}and {len(lines) - most} earlier", "muted"),)] if len(lines) > most else []
    return heading(f"{title}  {total}") + lines[-most:] + more


def _left_out(alerts: tuple[AlertNews, ...]) -> str:
    """Return how many alerts have no line of their own, by rule, the commonest first."""
    rules = Counter(news.alert.rule for news in alerts).most_common()
    return f"and {len(alerts)} more: " + ", ".join(f"{safe_text(rule, 40)} {n}×" for rule, n in rules)


def _run_line(news: RunNews, stamp: tuple[str, str], *, started: bool) -> Line:
    state = look(news.state)
    place = f"  step {step(news.step)}" if news.step is not None and not started else ""
    why = f"  {safe_text(news.evidence, 120)}" if news.evidence and news.state != "finished" and not started else ""
    now = f"  now {state.word}" if started else ""
    sign = ("○ ", "accent") if started else (f"{state.glyph} {state.word}  ", state.ink)
    return (stamp, sign, (safe_text(news.name, 60), "strong"), (place + now + why, "muted"))


def _resume_line(news: RunNews, stamp: tuple[str, str]) -> Line:
    return (stamp, ("↻ ", "accent"), (safe_text(news.name, 60), "strong"), (f"  from step {step(news.step)}", "muted"))


def _alert_line(news: AlertNews, stamp: tuple[str, str], found: Digest, zone: tzinfo | None) -> Line:
    alert = news.alert
    glyph, _, ink = SEVERITY_LOOKS.get(str(alert.severity), ("?", "", "warn"))
    name = safe_text(news.name or alert.entity or "machine", 40)
    text = f"  {safe_text(alert.message, 100) or safe_text(alert.rule, 40)}"
    count = (f"  {step(alert.count)}×" * (alert.count > 1), "muted")
    if news.wall == alert.resolved_at:
        return (stamp, ("✔ ", "good"), (name, "strong"), (text, "muted"), count, ("", ""))
    over = moment_text(alert.resolved_at, found.now, zone)
    after = (
        "" if alert.active else "  held to the end" if alert.held else f"  resolved {over.replace('—', '')}".rstrip()
    )
    after = "  over by now" if news.recalled and math.isnan(alert.resolved_at) else after
    after += "  ✓ acknowledged" * (alert.active and alert.acknowledged)
    after += "  got worse" * (news.wall == alert.worse_at)
    return (stamp, (f"{glyph} ", ink), (name, "strong"), (text, ""), count, (after, "good"))


def _checkpoint_lines(news: tuple[CheckpointNews, ...], found: Digest, zone: tzinfo | None) -> list[Line]:
    """Return a line a run: how many checkpoints, the newest of them, and their bytes."""
    lines: list[Line] = []
    for run_id in dict.fromkeys(one.run_id for one in news):
        own = [one for one in news if one.run_id == run_id]
        newest = max(own, key=lambda one: one.step)
        wall = max(one.wall for one in own)
        stamp = (f"{moment_text(wall, found.now, zone):>{STAMP - 1}} ", "muted")
        many = f"{len(own)}, newest at " if len(own) > 1 else ""
        text = f"  {many}step {step(newest.step)}, {size(sum(one.bytes for one in own))}"
        lines.append((stamp, ("▾ ", "good"), (safe_text(newest.name, 60), "strong"), (text, "muted")))
    return lines


def _rest(found: Digest) -> str:
    """Say what is not on the page."""
    going = f"{found.going} other run{'s' * (found.going != 1)} went on. " if found.going else ""
    quiet = f"{found.quiet} silenced or inhibited alert{'s' * (found.quiet != 1)} left out. " if found.quiet else ""
    still = f"{some(found.still, 'alert')} from before still on. " if found.still else ""
    return f"{going}{still}{quiet}{_sent(found.messages)}Nothing {'' if found.empty else 'else '}happened."


def _sent(told: Messages) -> str:
    """Say what became of messages."""
    if not (told.delivered or told.lost):
        return ""
    routes = ", ".join(safe_text(route, 40) for route in told.routes)
    lost = f", {told.lost} not ({routes})" if told.lost else ""
    return f"{some(told.delivered, 'message')} delivered{lost}. "


class DigestScreen(OnceScreen[None]):
    """The digest over the screen beneath."""

    AUTO_FOCUS = ""
    CSS = """
    DigestScreen { align: center middle; background: $background 60%; }
    DigestScreen VerticalScroll {
        width: 90%; max-width: 110; height: auto; max-height: 90%;
        border: round $border; border-title-color: $text-primary; padding: 0 1; background: $surface;
    }
    DigestScreen Sheet { background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,space,q,u", "dismiss", "Close", show=False, id="digest.close"),
        Binding("8", "alerts", "Alerts", show=False, id="digest.alerts"),
        Binding("j,down", "scroll(1)", "Down", show=False, id="digest.down"),
        Binding("k,up", "scroll(-1)", "Up", show=False, id="digest.up"),
        Binding("pagedown,ctrl+d", "page(1)", "Page down", show=False, id="digest.page_down"),
        Binding("pageup,ctrl+u", "page(-1)", "Page up", show=False, id="digest.page_up"),
        Binding("g,home", "edge(False)", "To the top", show=False, id="digest.top"),
        Binding("G,end", "edge(True)", "To the end", show=False, id="digest.end"),
    ]

    def __init__(self, found: Digest, zone: tzinfo | None = None) -> None:
        super().__init__()
        self._found, self._zone = found, zone

    def compose(self) -> ComposeResult:
        """Lay out the page."""
        with VerticalScroll() as box:
            box.border_title = "Since you left"
            box.border_subtitle = "Esc closes · 8 alerts"
            yield Sheet(lambda width: digest_lines(self._found, width, self._zone))

    def action_scroll(self, lines: int) -> None:
        """Scroll the page."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_page(self, pages: int) -> None:
        """Scroll the page by what is in sight of it."""
        box = self.query_one(VerticalScroll)
        box.scroll_relative(y=pages * max(1, box.size.height - 1), animate=False)

    def action_edge(self, end: bool) -> None:
        """Go to the top or to the end of the page."""
        box = self.query_one(VerticalScroll)
        (box.scroll_end if end else box.scroll_home)(animate=False)

    def action_alerts(self) -> None:
        """Close, and go to the alerts."""
        self.app.call_later(self.app.run_action, "app.room('alerts')")
        self.dismiss()
