"""Printing that never holds up who measures: a line in place on a terminal, and lines that stay.

A terminal may stop reading (a dead connection, Ctrl-S) or go away: a thread of its own writes to it, and what that has
no time for is left out.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import Final

_QUEUED: Final = 200
_WIPE: Final = "\r\x1b[2K"


class Printer:
    """Writes to a descriptor without ever holding up who calls it."""

    def __init__(self, fd: int, *, in_place: bool) -> None:
        self._fd, self.in_place = fd, in_place
        self._lines: deque[str] = deque(maxlen=_QUEUED)
        self._last = ""
        self._shown = False
        self._ending = False
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="soak-line", daemon=True)
        self._thread.start()

    def say(self, text: str) -> None:
        """Print a line that stays."""
        with self._wake:
            self._lines.append(text)
            self._wake.notify()

    def show(self, text: str) -> None:
        """Print over what was shown last; nothing where that cannot be done."""
        if not self.in_place:
            return
        with self._wake:
            self._last = text
            self._wake.notify()

    def close(self, patience_s: float = 1.0) -> None:
        """Let what is waiting be written, as far as that goes in time."""
        with self._wake:
            self._ending = True
            self._wake.notify()
        self._thread.join(patience_s)

    def _work(self) -> None:
        while True:
            with self._wake:
                while not (self._lines or self._last or self._ending):
                    self._wake.wait()
                text, ending = self._taken(), self._ending
            try:
                self._write(text.encode("utf-8", "replace"))
            except OSError:  # the terminal is gone; the soak goes on
                return
            if ending and not self._lines:
                return

    def _taken(self) -> str:
        lines = "".join(f"{line}\n" for line in self._lines)
        self._lines.clear()
        last, self._last = self._last, ""
        text = (_WIPE if self._shown and (lines or last or self._ending) else "") + lines
        self._shown = bool(last) if lines or last or self._ending else self._shown
        if last and not self._ending:
            return f"{text}{last[: _columns(self._fd) - 1]}"
        self._shown = False
        return text

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._fd, data) :]


def _columns(fd: int) -> int:
    try:
        return os.get_terminal_size(fd).columns or 80
    except OSError:
        return 80
