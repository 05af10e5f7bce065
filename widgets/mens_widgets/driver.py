"""The terminal driver of Textual with a `Wire` in front of it: what the screen shows already is not sent again.

It only joins the two; what is dropped is decided in `wire`.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from textual.drivers.linux_driver import LinuxDriver

from mens_widgets.wire import Wire


class NarrowDriver(LinuxDriver):
    """Writes to the terminal on standard error, as its base does, and sends only what differs."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._wire = Wire()

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
