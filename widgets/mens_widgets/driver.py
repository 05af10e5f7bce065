"""The terminal driver of Textual with a `Wire` in front of it: what the screen shows already is not sent again.

It only joins the two; what is dropped is decided in `wire`.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from threading import Thread
from typing import Any, Final

from textual.drivers.linux_driver import LinuxDriver

from mens_widgets.wire import Wire

HUNG_UP: Final = 128 + signal.SIGHUP
"""Exit status of an application whose terminal went away."""


class NarrowDriver(LinuxDriver):
    """Writes to the terminal on standard error, as its base does, and sends only what differs.

    The application ends when its terminal goes away, also where nobody sends it SIGHUP: its base would read on and on.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._wire = Wire()
        self._waiter: Thread | None = None

    def start_application_mode(self) -> None:
        """Take the terminal over, and wait for its end."""
        super().start_application_mode()  # type: ignore[no-untyped-call]
        if self._waiter is None:
            self._waiter = Thread(target=self._wait_for_the_end, name="terminal-end", daemon=True)
            self._waiter.start()

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
