"""`mens-console [PATH …]`: opens the console on the runs of this box.

The only command module, with `replay`, that loads Textual.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from mens_console.cli.common import settings_from
from mens_console.cli.errors import OK, TERMINATED, CommandError
from mens_console.store.snapshot import EMPTY

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable

    from mens_console.config import Settings
    from mens_console.screens.app import Source
    from mens_console.store.engine import Engine
    from mens_console.store.snapshot import Snapshot


def run(arguments: argparse.Namespace) -> int:
    """Watch until the operator quits."""
    need_terminal()
    settings = settings_from(arguments)
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
        from mens_console.store.engine import Engine

        engine = Engine(self._settings.roots, self._settings)
        with self._lock:
            if self._is_stopped:
                return
            self._engine = engine
            engine.want(*self._wanted)
            engine.start(on_publish)

    def want(self, run_id: str | None, in_sight: Iterable[str] = ()) -> None:
        """Tell which run is being looked at, and which others are in sight."""
        self._wanted = (run_id, in_sight)
        if self._engine is not None:
            self._engine.want(run_id, in_sight)

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


def show(engine: Source, settings: Settings) -> int:
    """Run the console over an engine that was not started yet. A polite kill leaves the terminal as it was."""
    import asyncio

    from mens_console.screens.app import ConsoleApp

    app = ConsoleApp(engine, settings)
    with contextlib.closing(asyncio.new_event_loop()) as loop:
        loop.add_signal_handler(signal.SIGTERM, app.exit, None, TERMINATED)
        app.run(loop=loop)
    return app.return_code or OK
