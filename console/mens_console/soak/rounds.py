"""What a driver does at a steady beat beside sending: health checks, levels, and signs of life.

Each has its own round; one that is late leaves a turn out and never makes up for it.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Final, TypeVar

from mens_console.soak import rows
from mens_console.soak.driver import HELD_S

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mens_console.soak.driver import Asker, Driver
    from mens_console.soak.levels import Levels

LEVELS_AT_S: Final = 5.0
"""Between two health checks, so that neither is in the other's way."""
BEAT_S: Final = 1.0
_HUNG_S: Final = 30.0
"""After which a look at the levels hangs: the next one waits for it."""

T = TypeVar("T")


async def every(driver: Driver, period_s: float, offset_s: float, work: Callable[[float], Awaitable[None]]) -> None:
    """Do some work at `offset_s`, and each period after it, as long as the plan lasts."""
    turn = max(int((driver.clock.now() - offset_s) // period_s), 0)
    while (at := offset_s + turn * period_s) < driver.plan.duration_s:
        await asyncio.sleep(max(at - driver.clock.now(), 0.0))
        driver.notice()
        now = driver.clock.now()
        if now - at <= min(HELD_S, period_s / 2):
            await work(at)
        turn = max(turn + 1, int((driver.clock.now() - offset_s) // period_s))


class Prober:
    """Looks whether the server is there."""

    def __init__(self, driver: Driver, asker: Asker) -> None:
        self._driver, self._asker = driver, asker
        self._blind: tuple[float, int] | None = None
        """Since when no health check can be made, for want of something on this side; and what had ended by then."""

    async def look(self, _at: float) -> None:
        """Make one health check, and record it unless the driver was held up meanwhile, or could not make it."""
        driver = self._driver
        began = driver.clock.now()
        seen = await self._asker.probe()
        driver.notice()
        if self._blind is not None:
            self._unseen(*self._blind, began)
        self._blind = (began, driver.window.requests) if seen.local else None
        if seen.local:
            driver.want(seen.detail)
        elif driver.held_at < began:
            driver.window.up = seen.ok
            driver.book.write(rows.probe(seen, began))

    def _unseen(self, begin: float, ended: int, end: float) -> None:
        """Tell of a time without health checks: nothing was observed in it, unless requests were answered."""
        driver = self._driver
        if driver.window.requests == ended:
            text = f"nothing could be asked for {end - begin:.1f} s, for want of something on this side"
            driver.book.write(rows.happened(driver.clock.now(), "held", text, begin=begin, end=end))


class Sampler:
    """Looks at the levels: in a thread what this box tells, and over the network what the server tells."""

    def __init__(self, driver: Driver, asker: Asker, levels: Levels) -> None:
        self._driver, self._asker, self._levels = driver, asker, levels
        self._reading: asyncio.Future[dict[str, float]] | None = None

    async def look(self, _at: float) -> None:
        """Take one sample, and record it; a level that could not be read is left out."""
        told = await self._asker.scrape()
        found = await self._read()
        if "kv_cache" in told:
            found["kv_cache"] = told["kv_cache"]
        now = self._driver.clock.now()
        if found:
            self._driver.book.write(rows.Level(round(now, 6), **found))
        while self._levels.news:
            self._driver.book.write(rows.happened(now, "warning", self._levels.news.pop(0)))

    async def _read(self) -> dict[str, float]:
        now = self._driver.clock.now()
        if self._reading is None:
            self._reading = apart(lambda: self._levels.read(now))
        done, _ = await asyncio.wait([self._reading], timeout=_HUNG_S)
        if not done:
            return {}
        reading, self._reading = self._reading, None
        return dict(reading.result())


def apart(work: Callable[[], T]) -> asyncio.Future[T]:
    """Do what may block, or hang for ever, in a thread that nothing waits for at the end."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(error: Exception | None, result: Any) -> None:
        if future.cancelled():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def job() -> None:
        error, result = None, None
        try:
            result = work()
        except Exception as wrong:  # noqa: BLE001 - handed over to whoever waits
            error = wrong
        try:
            loop.call_soon_threadsafe(settle, error, result)
        except RuntimeError:  # the loop was closed meanwhile
            return

    threading.Thread(target=job, name="soak-apart", daemon=True).start()
    return future
