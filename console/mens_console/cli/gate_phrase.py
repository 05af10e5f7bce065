"""The phrase that a GO asks for, typed by a person at a terminal.

What was typed before it was asked for is thrown away, and what is pasted does not count.
"""

from __future__ import annotations

import os
import sys
from typing import Final

from mens_console.cli.errors import CommandError

_MOST: Final = 4096
_PASTE_ON, _PASTE_OFF = "\x1b[?2004h", "\x1b[?2004l"
_PASTED: Final = "\x1b[200~"


def typed(question: str) -> str:
    """Ask on the terminal and return the line that was typed, "" at its end. Raises `CommandError` without a terminal.

    The terminal is told to mark what is pasted (bracketed paste); a line with such a mark is refused.
    """
    import termios

    source, sink = sys.stdin, sys.stderr
    if not (source.isatty() and sink.isatty()):
        raise CommandError(
            "a GO is typed by a person: run it at a terminal (ssh -t), or sign where the key is (--export-pae FILE "
            "there, --import FILE.sig here)"
        )
    fd = source.fileno()
    termios.tcflush(fd, termios.TCIFLUSH)
    sink.write(f"{_PASTE_ON}{question}")
    sink.flush()
    try:
        line = os.read(fd, _MOST).decode("utf-8", "replace")
    finally:
        sink.write(_PASTE_OFF)
        sink.flush()
    if _PASTED in line:
        raise CommandError("pasted text is no word of yours: type the phrase; nothing was signed")
    return line.rstrip("\r\n")
