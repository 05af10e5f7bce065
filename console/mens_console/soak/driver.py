"""The driver of a soak: sends what is due when it is due, looks whether the server is there, and records all of it.

Sending follows the schedule alone (an open loop): a server that stalls makes requests pile up, and their waiting is
measured. Nothing here blocks the event loop, whose lateness would be measured as the server's.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from mens_console.soak import rows
from mens_console.soak.pace import Slot, Slots
from mens_console.soak.window import Window

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mens_console.load.types import Outcome, Probe
    from mens_console.soak.clock import Clock
    from mens_console.soak.types import Plan

HELD_S: Final = 5.0
"""A driver that is later than this was held up; what is overdue by more is never sent."""
_TICK_S: Final = 1.0
_SLACK_S: Final = 5.0
"""Beyond its time limit, within which a request tells that it failed."""
_DRAIN_S: Final = 0.05
_AGAIN_S: Final = 1.0
_INSTANT_S: Final = 1e-6
"""What a moment is rounded to."""


class Asker(Protocol):
    """What asks the server; nothing that goes wrong with it is raised."""

    async def ask(self, prompt: str, *, max_tokens: int, id: str) -> Outcome:
        """Make one request."""
        ...

    async def probe(self) -> Probe:
        """Look whether the server is there."""
        ...

    async def scrape(self) -> dict[str, float]:
        """Return what the server tells of itself."""
        ...


class Book(Protocol):
    """What records; it never raises."""

    def write(self, *new: rows.Row) -> None:
        """Record rows."""
        ...


@dataclass(slots=True)
class Flight:
    """A request that is about to be sent, or was and has not ended."""

    task: asyncio.Task[None]
    sent: bool = False
    held: bool = False
    """The driver was held up meanwhile: what it measures of it is not the server's doing."""


class Driver:
    """Drives one plan from where `clock` stands to its end, or until it is asked to stop."""

    def __init__(
        self, plan: Plan, clock: Clock, book: Book, asker: Asker, prompt: Callable[[int, int], str], most_in_flight: int
    ) -> None:
        self.plan, self.clock, self.book = plan, clock, book
        self._asker, self._prompt, self._most = asker, prompt, most_in_flight
        self.window = Window(clock.now(), plan.rate)
        self.held_at = float("-inf")
        """When it was last noticed that the driver had been held up."""
        self._flights: dict[Slot, Flight] = {}
        self._wake = clock.begun
        self._refused: list[float] = []
        self._want_again = float("-inf")
        self._pacing: asyncio.Task[None] | None = None
        self.cut = False
        """Whether it was asked twice."""
        self.stopping = ""
        """Why it was asked to stop."""

    @property
    def in_flight(self) -> int:
        """Requests that were sent and have not ended."""
        return len(self._flights)

    def stop(self, why: str) -> None:
        """Send no more, and let what is in flight end; asked again, cut that short."""
        if self.stopping:
            self.cut = True
            return
        self.stopping = why
        if self._pacing is not None:
            self._pacing.cancel()

    async def run(self) -> bool:
        """Send all that is due, and wait for what is in flight; return whether it came to the plan's end."""
        self._pacing = asyncio.create_task(self.guarded(self._pace))
        if self.stopping:
            self._pacing.cancel()
        await asyncio.wait([self._pacing])
        begin = self.clock.now()
        self._allow()
        await self._drain()
        end = self.clock.now()
        if not self.stopping:
            self.book.write(rows.happened(end, "end", "all that the plan asks for was sent"))
            return True
        self.book.write(rows.happened(end, "gap", "nothing more was sent while requests ended", begin=begin, end=end))
        cut = f"; {len(self._flights)} requests were cut short" if self._flights else ""
        self.book.write(rows.happened(end, "stop", f"{self.stopping}{cut}"))
        return False

    async def guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do some work to its end; a fault of this program is recorded, and the work begun anew."""
        while True:
            try:
                await work()
            except Exception as error:  # noqa: BLE001 - a soak of days survives what nobody thought of, and tells it
                self._fault(error)
                await asyncio.sleep(_AGAIN_S)
            else:
                return

    # ------------------------------------------------------------------ sending

    async def _pace(self) -> None:
        slots = Slots(self.plan, self._wake)
        now = self.notice()
        while now < self.plan.duration_s or slots.head is not None:
            due = slots.head.due if slots.head is not None else self.plan.duration_s
            self._wake = min(due, now + _TICK_S)
            await asyncio.sleep(max(self._wake - self.clock.now(), 0.0))
            now = self.notice()
            slots.skip(self.held_at - HELD_S)
            while slots.head is not None and slots.head.due <= now:
                self._send(slots.take())

    def notice(self) -> float:
        """Look whether the driver was held up, and record it; return the moment of the look.

        Whoever is about to record a measurement looks first: after a halt it may come to run before the pace does.
        What is planned from the moment returned stays in the past through a halt after it, which the next look tells.
        """
        now = self.clock.now()
        if now - self._wake <= HELD_S:
            return now
        begin, self.held_at, self._wake = self._wake, now, now
        for slot, flight in self._flights.items():
            flight.held = True
            if not flight.sent:  # its turn had come, and it did not run since
                begin = min(begin, slot.due)
        text = f"the driver did not run for {now - begin:.1f} s (halted, suspended or starved)"
        self.book.write(rows.happened(now, "held", text, begin=begin, end=now))
        return now

    def _send(self, slot: Slot) -> None:
        if len(self._flights) >= self._most:
            self._refused.append(slot.due)
            if slot.due - self._refused[0] >= _TICK_S:
                self._allow()
            return
        if self._refused:
            self._allow()
        self._flights[slot] = Flight(asyncio.create_task(self._request(slot)))

    def _allow(self) -> None:
        """Record what was left out: one process can have only so much open, and that is not the server's fault."""
        if not self._refused:
            return
        text = f"{len(self._refused)} requests were not sent: {self._most} were in flight (--max-in-flight)"
        begin, end = self._refused[0], self._refused[-1] + _INSTANT_S
        self.book.write(rows.happened(self.clock.now(), "held", text, begin=begin, end=end))
        self._refused.clear()

    async def _request(self, slot: Slot) -> None:
        number = (slot.minute, slot.place)
        sent = self.notice()
        if slot.due < self.held_at - HELD_S:  # held up between the pace and here: it is as overdue as what was skipped
            del self._flights[slot]
            return
        flight = self._flights[slot]
        flight.sent, flight.held = True, False  # whatever held the driver up before it was sent is its lag
        self.book.write(rows.Sent(number, slot.due, round(sent, 6)))
        self.window.sent(sent, sent - slot.due)
        try:
            outcome = await self._asker.ask(
                self._prompt(*number), max_tokens=self.plan.max_tokens, id=f"{self.plan.id}-{slot.minute}-{slot.place}"
            )
        except asyncio.CancelledError:  # cut short: it stays among the flights, of which the end tells
            raise
        except Exception as error:  # noqa: BLE001 - a soak of days survives what nobody thought of, and tells it
            self._fault(error)
            outcome = None
        now = self.notice()
        del self._flights[slot]
        if outcome is not None and outcome.local:
            self.want(outcome.detail)
        if outcome is None or outcome.local or flight.held:  # nothing can be said of the server: it counts as lost
            why = "fault" if outcome is None else "local" if outcome.local else "held"
            self.book.write(rows.Gone(number, slot.due, round(sent, 6), round(now, 6), why))
            self.window.dropped()
            return
        self.book.write(rows.request(outcome, number, slot.due, sent))
        self.window.ended(self.clock.now(), error=outcome.error, ttft_s=outcome.ttft_s)

    def want(self, what: str) -> None:
        """Tell, once a minute at most, that nobody can be asked for want of something on this side."""
        now = self.clock.now()
        if now >= self._want_again:
            self._want_again = now + 60.0
            text = f"requests and health checks fail, which says nothing of the server (requests count as lost): {what}"
            self.book.write(rows.happened(now, "warning", text))

    def _fault(self, error: Exception) -> None:
        text = f"a fault of the driver: {type(error).__name__}: {error}"
        self.book.write(rows.happened(self.clock.now(), "warning", text))

    async def _drain(self) -> None:
        """Wait for what is in flight, as long as it may take; cut short what takes longer."""
        until = self.clock.now() + self.plan.timeout_s + _SLACK_S
        while self._flights and not self.cut and (now := self.clock.now()) < until:
            self._wake = now + _DRAIN_S
            await asyncio.sleep(_DRAIN_S)
            self.notice()
        left_over = [flight.task for flight in self._flights.values()]
        for task in left_over:
            task.cancel()
        if left_over:
            await asyncio.wait(left_over)
