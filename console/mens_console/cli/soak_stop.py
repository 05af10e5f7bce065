"""`mens-console soak stop DIR`: ask the driver of a soak to end, and say what came of it.

Exit status: 0 it has ended · 1 it still lives · 2 there is none, or it is not on this box.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mens_console.cli.errors import NO, OK, CommandError

if TYPE_CHECKING:
    import argparse

_GRACE_S: Final = 15.0
"""Beside the time limit of a request: for the last minute to be written."""
_AT_ONCE_S: Final = 15.0


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="the soak's directory")
    parser.add_argument("--now", action="store_true", help="cut short the requests that are in flight")
    parser.add_argument("--json", action="store_true", help="print what came of it as JSON")
    parser.epilog = (
        "examples:\n  mens-console soak stop soak-r16\n  mens-console soak stop soak-r16 --now\n\n"
        "The soak can be resumed: `mens-console soak run --resume DIR`. Requests in flight may end first, which takes\n"
        "their time limit at most; a request that is cut short counts neither as good nor as bad.\n\n"
        "exit status: 0 it has ended · 1 it still lives · 2 there is none, or it is not on this box"
    )


def run(arguments: argparse.Namespace) -> int:
    """Stop it, and print what was done."""
    from mens_console.cli.common import complain
    from mens_console.soak.control import stop, told

    folder: Path = arguments.folder
    if not folder.is_dir():
        raise CommandError(f"{folder}: no such folder; name the directory that `soak run --out` was given")
    limit = told(folder).get("timeout_s", 60.0)
    limit = float(limit) if isinstance(limit, (int, float)) and 0 < limit < 86_400 else 60.0
    done = stop(
        folder,
        now=arguments.now,
        wait_s=_AT_ONCE_S if arguments.now else limit + _GRACE_S,
        tell=lambda text: None if arguments.json else complain(text),
    )
    if arguments.json:
        print(json.dumps({"dir": str(folder), "outcome": done.outcome, "text": done.text}, ensure_ascii=False))
    elif done.outcome == "ended":
        print(f"{folder}: {done.text}; `mens-console soak run --resume {folder}` goes on with it")
    if done.outcome == "ended":
        return OK
    if done.outcome == "going":
        if not arguments.json:
            complain(f"{folder}: {done.text}")
        return NO
    raise CommandError(f"{folder}: {done.text}; `mens-console soak status {folder}` tells how it stands")
