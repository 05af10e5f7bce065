"""A Textual application whose terminal is a counter of bytes, and what one of its frames costs."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, NamedTuple

from textual.app import App
from textual.drivers.headless_driver import HeadlessDriver

if TYPE_CHECKING:
    from collections.abc import Callable

_QUIET_S = 0.02
_PATIENCE_S = 5.0


class Sink(HeadlessDriver):
    """A driver that renders everything as for a real terminal and counts what it would have sent."""

    sent = 0

    @property
    def is_headless(self) -> bool:
        """No: a headless application skips the encoding, which is part of the cost."""
        return False

    def write(self, data: str) -> None:
        """Count."""
        self.sent += len(data.encode())

    def flush(self) -> None:
        """Nothing is held back."""


class Cost(NamedTuple):
    """Processor time of this thread in milliseconds, and bytes sent."""

    ms: float
    sent: int


async def frame(app: App[None], change: Callable[[], object]) -> Cost:
    """Make a change and wait until it was painted and nothing more comes; waiting costs no processor time."""
    driver = app._driver
    if not isinstance(driver, Sink):
        raise TypeError("the application does not write to a Sink")
    before, start, until = driver.sent, time.thread_time(), time.monotonic() + _PATIENCE_S
    change()
    while driver.sent == before:
        if time.monotonic() > until:
            raise TimeoutError("the change painted nothing")
        await asyncio.sleep(0.002)
    seen = -1
    while driver.sent != seen:
        seen = driver.sent
        await asyncio.sleep(_QUIET_S)
    return Cost((time.thread_time() - start) * 1e3, driver.sent - before)
