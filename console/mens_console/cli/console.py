"""`mens-console [PATH …]`: opens the console on the runs of this box.

The only command module, with `replay`, that loads Textual.
"""

from __future__ import annotations

import contextlib
import io
import signal
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from mens_console.cli.common import settings_from
from mens_console.cli.errors import HUNG_UP, OK, TERMINATED, CommandError
from mens_console.store.snapshot import EMPTY

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable

    from mens_console.config import Settings
    from mens_console.screens.source import Source
    from mens_console.signals.alerts import Silence
    from mens_console.store.engine import Engine
    from mens_console.store.snapshot import Snapshot


def run(arguments: argparse.Namespace) -> int:
    """Watch until the operator quits."""
    settings = settings_from(arguments)  # first, for what is no folder may be a command that was misspelt
    need_terminal()
    return show(LateEngine(settings), settings)


class LateEngine:
    """The engine, imported and built on a thread of its own once it is started.

    The shell is painted meanwhile: what the engine stands on (numpy, psutil) takes longer to import than the first
    frame to draw.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._engine: Engine | None = None
        self._wanted: tuple[str | None, Iterable[str]] = (None, ())
        self._lock = threading.Lock()
        self._is_stopped = False
        self._is_machine_looked_at = False
        self._touched_at: float | None = None

    @property
    def snapshot(self) -> Snapshot:
        """The latest snapshot, an empty one until the engine stands."""
        if self._engine is None:
            return replace(EMPTY, roots=self._settings.roots)
        return self._engine.snapshot

    def start(self, on_publish: Callable[[Snapshot], None]) -> None:
        """Build the engine and start it, in the background."""
        threading.Thread(target=self._build, args=(on_publish,), name="build", daemon=True).start()

    def _build(self, on_publish: Callable[[Snapshot], None]) -> None:
        from mens_console.config.state import state_folder
        from mens_console.hardware.sampler import Sampler
        from mens_console.notify.heartbeat import read_heartbeat
        from mens_console.store.alertbook import AlertBook
        from mens_console.store.engine import Engine

        roots, folder = self._settings.roots, state_folder()
        engine = Engine(
            roots,
            self._settings,
            book=AlertBook(folder / "alerts.json", clock=time.time, roots=roots),
            machine=Sampler(),
            notifier=lambda: read_heartbeat(folder / "watch.json", roots),
        )
        with self._lock:
            if self._is_stopped:
                return
            self._engine = engine
            engine.want(*self._wanted)
            if self._touched_at is not None:
                engine.touch(self._touched_at)
            engine.start(on_publish)
            engine.look_at_machine(self._is_machine_looked_at)

    def want(self, run_id: str | None, in_sight: Iterable[str] = ()) -> None:
        """Tell which run is being looked at, and which others are in sight."""
        self._wanted = (run_id, in_sight)
        if self._engine is not None:
            self._engine.want(run_id, in_sight)

    def acknowledge(self, run_id: str, fingerprint: str, note: str = "") -> None:
        """Mark an alert as seen, soon; `run_id` is "" for an alert about the machine."""
        if self._engine is not None:
            self._engine.acknowledge(run_id, fingerprint, note)

    def silence(self, silence: Silence) -> None:
        """Hear nothing of some alerts for a while."""
        if self._engine is not None:
            self._engine.silence(silence)

    def unsilence(self, silence_id: str) -> None:
        """End a silence."""
        if self._engine is not None:
            self._engine.unsilence(silence_id)

    def look_at_machine(self, on: bool) -> None:
        """Tell whether somebody looks at the machine, so that it is sampled often."""
        self._is_machine_looked_at = on
        if self._engine is not None:
            self._engine.look_at_machine(on)

    def touch(self, at: float) -> None:
        """Tell that somebody touched the console (s)."""
        self._touched_at = at
        if self._engine is not None:
            self._engine.touch(at)

    def pace(self, not_before: float) -> None:
        """Tell when the next frame may come (monotonic seconds)."""
        if self._engine is not None:
            self._engine.pace(not_before)

    def stop(self) -> None:
        """Stop the engine, or keep it from starting."""
        with self._lock:
            self._is_stopped = True
        if self._engine is not None:
            self._engine.stop()


def need_terminal() -> None:
    """Refuse to draw where nobody sees it. Raises `CommandError`."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise CommandError("this is no terminal; use `mens-console status` (or --json) in pipes and scripts")


def draw_in_utf8() -> None:
    """Let what is drawn be UTF-8 whatever the locale says.

    Nearly every terminal takes it, and the escapes that would stand for what a locale lacks tear each line apart.
    """
    for stream in (sys.__stdout__, sys.__stderr__):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower() not in ("utf-8", "utf8"):
            stream.reconfigure(encoding="utf-8", errors="replace")


def show(engine: Source, settings: Settings) -> int:
    """Run the console over an engine that was not started yet. A polite kill leaves the terminal as it was."""
    import asyncio

    from mens_console.config.pins import Pins
    from mens_console.config.state import state_folder
    from mens_console.screens.app import ConsoleApp

    draw_in_utf8()
    app = ConsoleApp(engine, settings, pins=Pins(state_folder() / "pins.json"))
    with contextlib.closing(asyncio.new_event_loop()) as loop:
        loop.add_signal_handler(signal.SIGTERM, app.exit, None, TERMINATED)
        loop.add_signal_handler(signal.SIGHUP, app.exit, None, HUNG_UP)
        app.run(loop=loop)
    return app.return_code or OK
