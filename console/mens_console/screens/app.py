"""The app: routes between screens and hands each new snapshot to the one that is shown, at most four times a second.

It draws nothing itself. Nothing of a run is interpreted here.
"""

from __future__ import annotations

import asyncio
import math
import socket
import time
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import App
from textual.binding import Binding, BindingType
from textual.command import CommandPalette
from textual.message import Message
from textual.worker import Worker, WorkerState

from mens_console.config.pins import Pins
from mens_console.ingest.text import safe_text
from mens_console.screens.bell import Bell, ring
from mens_console.screens.help import HelpScreen, active
from mens_console.screens.modes import MODES
from mens_console.screens.palette import PALETTE_ROWS, Commands, Palette
from mens_console.screens.presence import Presence
from mens_console.screens.room import ROOMS, Room
from mens_console.screens.themes import THEMES, theme_name
from mens_console.screens.trouble import Troubles, told
from mens_console.screens.words import next_change
from mens_console.store.snapshot import EMPTY
from mens_widgets.driver import shell_waits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import tzinfo
    from pathlib import Path

    from textual.driver import Driver
    from textual.events import Event
    from textual.timer import Timer

    from mens_console.config import Settings
    from mens_console.screens.moment import Moment
    from mens_console.screens.source import Source
    from mens_console.store.snapshot import Snapshot


FRAME_S = 0.25
SLOW_FRAME_S = 1.0
EAGER_S, EAGER_FRAMES = 0.05, 6
"""How fast, and how many, the first frames are while history is read: each shows more than the one before."""
COMPARED = 6
"""Runs that are put side by side at most: a chart has so many colours, and an eye too."""
QUIT_S = 3.0
"""Within so long a second Ctrl-C ends the console."""
TICK_S = 1.0
"""The shortest time between two looks at the clock."""


class Published(Message):
    """The engine has a new snapshot. Those that wait in the queue count as one."""

    def can_replace(self, message: Message) -> bool:
        """Only the newest matters."""
        return isinstance(message, Published)


class ConsoleApp(App[None]):
    """The console over one engine. Tests give `clock`, `host` and `zone`; a replay's snapshots bring their own time."""

    TITLE = "mens-console"
    MODES = MODES
    DEFAULT_MODE = "fleet"
    COMMANDS = {Commands}  # noqa: RUF012
    COMMAND_PALETTE_BINDING = "ctrl+p"
    CSS = """
    Screen { background: $background; }
    Keys { background: $panel; }
    Chart, Grid, LogView, Sheet { background: $background; }
    Header { background: $panel; }
    CommandPalette { background: $background 60%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "room('fleet')", "Fleet", show=False, id="app.fleet"),
        Binding("2", "room('run')", "Run", show=False, id="app.run"),
        Binding("3", "room('lora')", "LoRA", show=False, id="app.lora"),
        Binding("4", "room('health')", "Health", show=False, id="app.health"),
        Binding("5", "room('kpi')", "KPIs", show=False, id="app.kpi"),
        Binding("6", "room('soak')", "Soak", show=False, id="app.soak"),
        Binding("7", "room('hardware')", "Hardware", show=False, id="app.hardware"),
        Binding("8", "room('alerts')", "Alerts", show=False, id="app.alerts"),
        Binding("9", "room('gate')", "Gate", show=False, id="app.gate"),
        Binding("0", "room('logs')", "Logs", show=False, id="app.logs"),
        Binding("colon,ctrl+p", "command_palette", "Commands", key_display=":", id="app.palette"),
        Binding("question_mark", "help", "Help", key_display="?", id="app.help"),
        Binding("q", "quit", "Quit", id="app.quit"),
        Binding("ctrl+z", "suspend_process", "To the shell", show=False, id="app.suspend"),
    ]

    def __init__(
        self,
        engine: Source,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.time,
        host: str | None = None,
        zone: tzinfo | None = None,
        pins: Pins | None = None,
    ) -> None:
        super().__init__()
        self.pins = pins or Pins()
        """The charts that come first on the Run screen."""
        self.engine, self.settings = engine, settings
        self.clock, self.zone = clock, zone
        self.host = safe_text(host or socket.gethostname(), 24)
        self._opened_from: dict[str, str] = {}
        self.chosen: str | None = None
        self.compared: tuple[str, ...] = ()
        self.chosen_log: Path | None = None
        self.chosen_moment: float | None = None
        """From when on the chosen log is wanted, in seconds since the epoch; None: its end."""
        self.moment: Moment | None = None
        """Where the Run screen puts its cursor when it is shown next."""
        self._interval = SLOW_FRAME_S if settings.slow_link else FRAME_S
        self._snapshot = EMPTY
        self._bell = Bell()
        self._asked_to_quit = -math.inf
        self._troubles = Troubles(settings.problems)
        self._greeted = False
        self._presence = Presence(clock())
        self._posted = False
        self._painted = float("-inf")
        self._frames = 0
        self._due: Timer | None = None
        self._tick: Timer | None = None
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = theme_name(settings.theme, set(self.available_themes))
        self.set_keymap(dict(settings.keymap))

    def get_driver_class(self) -> type[Driver]:
        """Return the driver that sends only cells that changed, in place of the usual one of a terminal."""
        usual = super().get_driver_class()
        if usual.__name__ != "LinuxDriver":
            return usual
        from mens_widgets.driver import NarrowDriver

        return NarrowDriver

    # Snapshots

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot that is shown."""
        return self._snapshot

    @property
    def left_at(self) -> float:
        """When the operator left, as far as the console can tell (s): before its launch, or while it ran untouched."""
        away = self._presence.away_since
        return self._snapshot.left_at if math.isnan(away) else away

    async def on_event(self, event: Event) -> None:
        """Notice whether somebody is there."""
        self._presence.feel(self, event)
        await super().on_event(event)

    @property
    def room(self) -> Room:
        """The current screen, beneath any overlay."""
        return next(screen for screen in reversed(self.screen_stack) if isinstance(screen, Room))

    def now(self) -> float:
        """Return the time that ages are told against."""
        return self._snapshot.at if self._snapshot.replay else self.clock()

    def on_load(self) -> None:
        """Let tasks begin in their turn on every version of Python.

        From 3.12 on Textual has them begin at once: a screen's widgets are mounted before the screen is on its stack.
        """
        asyncio.get_running_loop().set_task_factory(None)

    def on_mount(self) -> None:
        """Start the engine once the shell is painted."""
        if self.theme != theme_name(self.settings.theme, {self.settings.theme}):
            text = f"There is no theme {safe_text(self.settings.theme, 60)!r}; the palette (:) lists them"
            self.notify(text, title="Theme", severity="warning", markup=False)
        for problem in self.settings.problems:
            self.notify(safe_text(problem, 300), title="Configuration", severity="warning", markup=False)
        self.engine.touch(self.clock())
        self.call_after_refresh(self.engine.start, self._published)

    def on_unmount(self) -> None:
        """Stop the engine."""
        self.engine.stop()

    def _published(self, _snapshot: Snapshot) -> None:
        """Ask for a frame; called on the engine's thread, so it only posts."""
        if not self._posted:
            self._posted = True
            self.post_message(Published())

    @on(Published)
    def _pace(self) -> None:
        """Paint at once where the last frame is long ago, else when its time comes."""
        self._posted = False
        wait = self._painted + self._pause - time.monotonic()
        if wait <= 0.0:
            self._frame()
        elif self._due is None:
            self._due = self.set_timer(wait, self._frame, name="frame")

    @property
    def _pause(self) -> float:
        """Seconds from one frame to the next."""
        eager = self._frames < EAGER_FRAMES and self.engine.snapshot.scanning
        return min(EAGER_S, self._interval) if eager and not self.settings.slow_link else self._interval

    def _frame(self) -> None:
        """Paint what the engine published. Only such frames are paced: a row just after a tick need not wait."""
        self._painted = time.monotonic()
        self._frames += 1
        self.engine.pace(self._painted + self._pause)
        self.paint()
        ring(self, self._bell.news(self.engine.snapshot))
        self._tell_troubles()
        if not self._greeted and not self._snapshot.scanning:
            self._greeted = True
            self._greet()

    def _tell_troubles(self) -> None:
        """Tell what hinders the console; where there is no run, the page that says so names it all."""
        if self._snapshot.runs and (news := self._troubles.news(self._snapshot.problems)):
            title, text = told(news, most=min(max(self.size.width * self.size.height // 8, 40), 400))
            self.notify(text, title=title, severity="warning", timeout=10, markup=False)

    def _greet(self) -> None:
        """Tell once, when all history was read, what happened since the console was left."""
        if math.isfinite(self._snapshot.left_at):
            from mens_console.screens.digest import greet

            greet(self)

    def tell_terminal(self, sequence: str) -> None:
        """Send a control sequence that leaves the picture alone, in order with what is painted."""
        if self._driver is not None:
            self._driver.write(sequence)

    def paint(self) -> None:
        """Show the latest snapshot, and come back when the clock or an age on screen reads differently."""
        for timer in (self._due, self._tick):
            if timer is not None:
                timer.stop()
        self._due = None
        if not any(isinstance(screen, Room) for screen in self.screen_stack):
            return
        self._snapshot = self.engine.snapshot
        now, room = self.now(), self.room
        room.present(self._snapshot, now)
        # Among a thousand runs some age changes all the time.
        wait = max(TICK_S, next_change(room.ages(self._snapshot), now))
        self._tick = self.set_timer(wait, self.paint, name="clock")

    # Routes

    def action_room(self, mode: str) -> None:
        """Go to a screen by its key: leaving it leads to the fleet."""
        self._switch(mode, None)

    def _switch(self, mode: str, opened_from: str | None) -> None:
        """Change screens; a key from before the palette was there leaves it open, for it looks for what it covers."""
        if isinstance(self.screen, Palette) and not self.screen.opened:
            return
        if opened_from is not None:
            self._opened_from[mode] = opened_from
        else:
            self._opened_from.pop(mode, None)
        while len(self.screen_stack) > 1:
            self.pop_screen()
        self.switch_mode(mode)

    def open_room(self, mode: str) -> None:
        """Go to a screen from something that is shown here: leaving it leads back."""
        here = self.current_mode
        self._switch(mode, here if here != mode else self._opened_from.get(mode))

    def leave(self) -> None:
        """Go back to the screen that this one was opened from, else to the fleet."""
        back = self._opened_from.pop(self.current_mode, "fleet")
        self._switch(back, self._opened_from.get(back))

    def open_run(self, run_id: str) -> None:
        """Go to one run."""
        self.chosen = run_id
        self.open_room("run")

    def open_compare(self, run_ids: Iterable[str]) -> None:
        """Put runs side by side: the first six of them."""
        self.compared = tuple(dict.fromkeys(run_ids))
        if len(self.compared) > COMPARED:
            self.notify(f"{len(self.compared)} runs are marked; the first {COMPARED} are compared", markup=False)
        self.open_room("compare")

    def open_log(self, path: Path, moment: float | None = None) -> None:
        """Go to one log stream, to its end or to a moment (seconds since the epoch)."""
        self.chosen_log, self.chosen_moment = path, moment
        self.open_room("logs")

    def action_command_palette(self) -> None:
        """Open the palette, where there is room for it."""
        if self.size.height < PALETTE_ROWS:
            self.notify("The window is too small for the palette", markup=False)
        elif not isinstance(self.screen, CommandPalette):
            self.push_screen(Palette())  # without an id: the one before may not be gone yet

    def action_suspend_process(self) -> None:
        """Stop until the shell says `fg`; stay where no shell would ever say so."""
        if shell_waits():
            super().action_suspend_process()
        else:
            self.notify("There is no shell to go back to.", markup=False)

    def action_help_quit(self) -> None:
        """Answer Ctrl-C: it ends the console when it is pressed twice, so that a reflex does not."""
        if 0.0 <= self.clock() - self._asked_to_quit < QUIT_S:
            self.exit()
            return
        self._asked_to_quit = self.clock()
        bound = [one.binding for one in self.active_bindings.values()]
        keys = [self.get_key_display(one) for one in bound if one.id == "app.quit"]
        self.notify(" or ".join([*keys[:1], "Ctrl-C once more"]) + " ends the console", timeout=QUIT_S, markup=False)

    def action_help(self) -> None:
        """Show the keys of this screen."""
        if isinstance(self.screen, Room):
            title = next((title for _, mode, title in ROOMS if mode == self.screen.MODE), self.screen.MODE.capitalize())
            self.push_screen(HelpScreen(title, active(self.screen)))

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Tell what went wrong in the background."""
        if event.state is WorkerState.ERROR:
            text = safe_text(f"{type(event.worker.error).__name__}: {event.worker.error}", 300)
            self.notify(text, title="Background work failed", severity="error", markup=False)
