"""`mens-console [PATH …]`: opens the console on the runs of this box.

The only command module, with `replay`, that loads Textual.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from mens_console.cli.common import settings_from
from mens_console.cli.errors import OK, CommandError

if TYPE_CHECKING:
    import argparse

    from mens_console.config import Settings
    from mens_console.screens.app import Source


def run(arguments: argparse.Namespace) -> int:
    """Watch until the operator quits."""
    need_terminal()
    settings = settings_from(arguments)
    from mens_console.store.engine import Engine

    return show(Engine(settings.roots, settings), settings)


def need_terminal() -> None:
    """Refuse to draw where nobody sees it. Raises `CommandError`."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise CommandError("this is no terminal; use `mens-console status` (or --json) in pipes and scripts")


def show(engine: Source, settings: Settings) -> int:
    """Run the console over an engine that was not started yet."""
    from mens_console.screens.app import ConsoleApp

    app = ConsoleApp(engine, settings)
    app.run()
    return app.return_code or OK
