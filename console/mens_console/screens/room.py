"""What every screen shares: the header line, the line of keys, and how a snapshot reaches it.

No run is read here; each screen has a file of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, cast

from textual.screen import Screen

from mens_console.screens.sheet import Header, Line
from mens_console.screens.words import alert_counts, clock_text
from mens_widgets.heading import Keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from textual.app import ComposeResult

    from mens_console.screens.app import ConsoleApp
    from mens_console.store.snapshot import Snapshot

ROOMS: Final = (("1", "fleet", "Fleet"), ("2", "run", "Run"), ("0", "logs", "Logs"))
"""Key, mode and title of each screen."""


class Room(Screen[None]):
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
        wide = self.size.width >= 100
        left: list[tuple[str, str]] = [(f" {app.host}  ", "strong")]
        for key, mode, title in ROOMS:
            if wide or mode == self.MODE:
                left.append((f" {key} {title} ", "badge" if mode == self.MODE else "muted"))
        live = sum(run.live for run in snapshot.runs)
        left += [("  ", ""), (f"{live}", "good" if live else "muted"), (f" live / {len(snapshot.runs)} runs", "muted")]
        warnings = criticals = 0
        for run in snapshot.runs:
            one = alert_counts(run.alerts)
            warnings, criticals = warnings + one[0], criticals + one[1]
        if warnings:
            left.append((f"  ▲ {warnings}" + (" warning" + "s" * (warnings > 1) if wide else ""), "warn"))
        if criticals:
            left.append((f"  ✖ {criticals}" + (" critical" if wide else ""), "bad"))
        if snapshot.scanning:
            left.append(("  reading…", "muted"))
        if snapshot.problems:
            left.append((f"  ! {snapshot.problems[0]}", "warn"))
        right: list[tuple[str, str]] = [(" ", "")]
        if snapshot.replay:
            right += [(" REPLAY ", "badge"), (" ", "")]
        right.append((clock_text(now, app.zone) + " ", "strong"))
        return tuple(left), tuple(right)
