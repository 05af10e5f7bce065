"""`mens-console alerts since`: the digest of the console, without a console."""

from __future__ import annotations

import math
import sys
import time
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Final

from mens_console.cli.common import colour
from mens_console.cli.errors import OK, CommandError
from mens_console.cli.status import paint, plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from mens_console.store.snapshot import Snapshot

WIDTH: Final = (40, 140)
"""Columns that the page takes at least and at most."""


def tell(left_at: float, load: Callable[[], Snapshot], *, was_here: bool, as_json: bool) -> int:
    """Print what happened since `left_at` (s), when somebody `was_here` or not.

    Raises `CommandError` where no console was ever left.
    """
    from mens_console.screens.digest import digest_lines, news_since
    from mens_console.store.digestreport import digest_document

    if not math.isfinite(left_at):
        raise CommandError("no console was left on these folders yet: say since when, such as --from 8h")
    found = news_since(load(), left_at, time.time())
    if as_json:
        import orjson

        print(orjson.dumps(digest_document(found), option=orjson.OPT_INDENT_2).decode())
        return OK
    ink = paint if colour(sys.stdout) else plain
    width = min(max(get_terminal_size((100, 24)).columns, WIDTH[0]), WIDTH[1])
    for line in digest_lines(found, width, was_here=was_here):
        print("".join(ink(text, tint) for text, tint in line).rstrip())
    return OK
