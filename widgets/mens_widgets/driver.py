"""The terminal driver of Textual with a `Wire` in front of it: what the screen shows already is not sent again.

It only joins the two; what is dropped is decided in `wire`.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from functools import partial
from threading import Thread
from typing import Any, Final

from textual.drivers.linux_driver import LinuxDriver

from mens_widgets.wire import Wire

HUNG_UP: Final = 128 + signal.SIGHUP
"""Exit status of an application whose terminal went away."""


def shell_waits() -> bool:
    """Whether a shell with job control started this process, alone: one that is stopped otherwise stays so for ever."""
    parent = os.getppid()
    try:
        return os.getpgrp() == os.getpid() and os.getsid(parent) == os.getsid(0) and os.getpgid(parent) != os.getpgrp()
    except OSError:
        return False


class NarrowDriver(LinuxDriver):
    """Writes to the terminal on standard error, as its base does, and sends only what differs.

    The application ends when its terminal goes away, also where nobody sends it SIGHUP: its base would read on and on.
    One that was stopped without being asked (SIGSTOP, a debugger) takes the terminal up anew when it goes on: its base
    would start a second reader beside the first, and never end.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._wire = Wire()
        self._waiter: Thread | None = None
        self._on = False
        """Whether the terminal is taken over."""

    def start_application_mode(self) -> None:
        """Take the terminal over, and wait for its end."""
        again = self._must_signal_resume
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self._on = not self._must_signal_resume  # in the background it was put to sleep again instead
        if again and self._on:
            self._loop.call_soon_threadsafe(partial(self._app.refresh, layout=True))
        if self._waiter is None:
            self._waiter = Thread(target=self._wait_for_the_end, name="terminal-end", daemon=True)
            self._waiter.start()

    def stop_application_mode(self) -> None:
        """Give the terminal back."""
        self._on = False
        super().stop_application_mode()

    def _sigcont_application(self, *_: object) -> None:
        """Go on after a stop: one that was asked for (SIGTSTP) gave the terminal back, any other did not."""
        if self._must_signal_resume:
            super()._sigcont_application()
        elif self._on:
            self._loop.call_soon_threadsafe(self._take_up_anew)  # not here: it may be in the middle of a write

    def _take_up_anew(self) -> None:
        """Give the terminal back and take it over, where it is ours: who had it meanwhile may have set its modes."""
        if self._on and self._auto_restart and self._in_foreground():
            self.suspend_application_mode()
            self._must_signal_resume = True
            self.resume_application_mode()

    def _in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self.fileno) == os.getpgrp()
        except OSError:  # not the terminal of a session: nobody shares it
            return True

    def _wait_for_the_end(self) -> None:
        """Sleep until the terminal hangs up, which is told without being asked for."""
        poller = select.poll()
        poller.register(self.fileno, 0)
        while not poller.poll():
            pass
        self._loop.call_soon_threadsafe(self._app.exit, None, HUNG_UP)

    def write(self, data: str) -> None:
        """Write what the terminal does not show yet; everything where its size cannot be told."""
        try:
            columns, rows = os.get_terminal_size(sys.__stderr__.fileno() if sys.__stderr__ else 2)
        except OSError:
            self._wire.let_by(data)
        else:
            data = self._wire.narrow(data, columns, rows)
        if data:
            super().write(data)
