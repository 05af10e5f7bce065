"""What a running soak prints: a line in place on a terminal, plain lines elsewhere, or JSON, a line each.

A terminal may stop reading (a dead connection, Ctrl-S) or go away; whoever measures must not wait for it, so a thread
of its own writes, and what it has no time for is left out.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Final

from mens_console.ingest.text import safe_text
from mens_console.signals.human import count, percent, span

if TYPE_CHECKING:
    from mens_console.soak.types import Plan
    from mens_console.soak.window import Look

_QUEUED: Final = 200
_WIPE: Final = "\r\x1b[2K"


class Printer:
    """Writes to a descriptor without ever holding up who calls it."""

    def __init__(self, fd: int, *, in_place: bool) -> None:
        self._fd, self._in_place = fd, in_place
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
        if not self._in_place:
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


def line(plan: Plan, look: Look, problem: str) -> str:
    """Return how it goes, what matters most first."""
    share = percent(look.errors / look.requests) if look.requests else "none ended"
    parts = [
        f"{clock(look.now_s)} / {clock(plan.duration_s)}",
        *([f"! {safe_text(problem, 120)}"] if problem else []),
        *(["! the server does not answer its health check"] if look.up is False else []),
        f"{_rate(look.achieved)} of {_rate(look.offered)}/s answered",
        f"{count(look.errors)} failed ({share}{'; ' + safe_text(look.why, 40) if look.why else ''})",
        f"ttft p50 {_ms(look.ttft_p50)} p99 {_ms(look.ttft_p99)}",
        f"lag p99 {_ms(look.lag_p99)}",
        f"{look.in_flight} in flight",
    ]
    return " · ".join(parts)


def clock(seconds: float) -> str:
    """Return hours, minutes and seconds: ``71:04:09``."""
    whole = int(max(seconds, 0.0))
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def remaining(plan: Plan, look: Look) -> str:
    """Return how long it is still to take."""
    return span(max(plan.duration_s - look.now_s, 0.0))


def _rate(value: float | None) -> str:
    return "—" if value is None else f"{value:.3g}"


def _ms(value: float | None) -> str:
    return "—" if value is None else f"{value:.3g} ms" if value < 1000 else f"{value / 1000:.3g} s"
