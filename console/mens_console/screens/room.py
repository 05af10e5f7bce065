"""What every screen shares: the header line, the line of keys, and how a snapshot reaches it.

No run is read here; each screen has a file of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, cast

from rich.cells import cell_len
from textual.screen import Screen

from mens_console.screens.sheet import Header, Line
from mens_console.screens.steady import Steady
from mens_console.screens.words import clock_text, loud
from mens_console.signals.human import some
from mens_widgets.heading import Keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from textual.app import ComposeResult

    from mens_console.screens.app import ConsoleApp
    from mens_console.signals.machine import MachineView
    from mens_console.store.snapshot import Snapshot

ROOMS: Final = (
    ("1", "fleet", "Fleet"), ("2", "run", "Run"), ("3", "lora", "LoRA"), ("4", "health", "Health"),
    ("5", "kpi", "KPIs"), ("6", "soak", "Soak"), ("7", "hardware", "Hardware"), ("8", "alerts", "Alerts"),
    ("9", "gate", "Gate"), ("0", "logs", "Logs"),
)  # fmt: skip
"""Key, mode and title of each screen."""


class Room(Steady, Screen[None]):
    """A screen of the console. The app calls `present` with each snapshot while the screen is the current one."""

    MODE: ClassVar[str] = ""
    AUTO_FOCUS = ""

    def compose(self) -> ComposeResult:
        """Lay out header, body and keys."""
        yield Header()
        yield from self.body()
        yield Keys(last=("help", "quit"))

    def body(self) -> ComposeResult:
        """Lay out what is between header and keys."""
        raise NotImplementedError

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Show a snapshot; `now` is the time that ages are told against."""
        raise NotImplementedError

    def ages(self, snapshot: Snapshot) -> Iterable[float]:
        """Return the times whose ages are on screen."""
        return ()

    def commands(self) -> dict[str, tuple[str, Callable[[], object]]]:
        """Return what this screen offers to the palette: help and action by name."""
        return {}

    @property
    def console_app(self) -> ConsoleApp:
        """The app, with what it offers to screens."""
        return cast("ConsoleApp", self.app)

    def on_screen_resume(self) -> None:
        """Catch up with what happened while another screen was shown."""
        self.console_app.paint()

    def present(self, snapshot: Snapshot, now: float) -> None:
        """Show a snapshot, header included."""
        if self.is_mounted:
            self.query_one(Header).show(*self._header(snapshot, now))
            self.show(snapshot, now)

    def _header(self, snapshot: Snapshot, now: float) -> tuple[Line, Line]:
        app = self.console_app
        live = sum(run.live for run in snapshot.runs)
        count: list[tuple[str, str]] = [("  ", ""), (f"{live}", "good" if live else "muted")]
        count.append((f" live / {some(len(snapshot.runs), 'run')}", "muted"))
        tail: list[tuple[str, str]] = [("  reading…", "muted")] if snapshot.scanning else []
        problem = [(f"  ! {snapshot.problems[0]}", "warn")] if snapshot.problems else []
        right: list[tuple[str, str]] = [(" ", "")]
        if snapshot.replay:
            right += [(" REPLAY ", "badge"), (" ", "")]
        right.append((clock_text(now, app.zone) + " ", "strong"))
        host = (f" {app.host}  ", "strong")
        # What gives way first: the words of alerts and GPUs, then the names of the other screens, then their keys.
        for words, tabs in ((True, "names"), (False, "names"), (False, "keys"), (False, "")):
            told = [*alert_pieces(snapshot, words=words), *_gpu_pieces(snapshot.machine, words=words)]
            left = [host, *_tabs(self.MODE, tabs), *count, *told, *tail]
            if sum(cell_len(text) for text, _ in (*left, *right)) <= self.size.width:
                break
        return (*left, *problem), tuple(right)


def _gpu_pieces(view: MachineView | None, *, words: bool) -> Line:
    """Return what the GPUs of the machine do, nothing where there is none."""
    if view is None:
        return ()
    from mens_console.screens.hardwarerows import gpu_ink, gpu_line  # the first paint needs none of it

    text = gpu_line(view, short=not words)
    return ((f"  {text}", gpu_ink(view)),) if text else ()


def _tabs(mode: str, show: str) -> list[tuple[str, str]]:
    """Return the current screen's key and name between the others' `names` or `keys`, or alone."""
    return [
        (f" {key} {title} ", "badge")
        if one == mode
        else (f" {key} {title} " if show == "names" else f" {key}", "muted")
        for key, one, title in ROOMS
        if show or one == mode
    ]


def alert_pieces(snapshot: Snapshot, *, words: bool) -> list[tuple[str, str]]:
    """Return how many warnings and criticals are on anywhere and not quiet, and how many of them are acknowledged."""
    alerts = [alert for run in snapshot.runs for alert in run.alerts if loud(alert)]
    alerts += [alert for alert in snapshot.box_alerts if loud(alert)]
    pieces = []
    for name, sign, ink in (("warning", "▲", "warn"), ("critical", "✖", "bad")):
        own = [alert for alert in alerts if str(alert.severity) == name]
        seen = sum(alert.acknowledged for alert in own)
        if own:
            word = (f" {name}" + "s" * (len(own) > 1 and name == "warning")) * words
            pieces.append((f"  {sign} {len(own)}{word}", ink))
        if seen:
            pieces.append((f" ({seen} ack)", "muted"))
    return pieces
