"""Carries messages out on threads of its own, tries again, and writes down how every attempt went.

A failed delivery is recorded and hurts nothing; what is worth a message is decided elsewhere.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mens_console.config.state import append_private
from mens_console.notify.routes import DeliveryError
from mens_console.signals.byvalue import ByValue

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from mens_console.notify.messages import Message
    from mens_console.notify.routes import Route

BACK_OFF_S: Final = (2.0, 10.0)
"""Pauses between the tries; one more try than pauses."""
ROTATE_AT: Final = 5_000_000
"""Bytes after which the log of deliveries begins anew; the one before is kept."""
WAITING: Final = 100
"""Messages that may wait for one route; more is no news but noise."""
_CANCEL_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Delivery(ByValue):
    """How one attempt went: at (s), by which route, about which alerts, the how-manieth try, and why not, if not."""

    at: float
    route: str
    kind: str
    subject: str
    fingerprints: tuple[str, ...]
    attempt: int
    ok: bool
    why: str = ""

    def document(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "at": self.at, "route": self.route, "kind": self.kind, "ok": self.ok, "why": self.why,
            "attempt": self.attempt, "fingerprints": list(self.fingerprints), "subject": self.subject,
        }  # fmt: skip


class DeliveryLog:
    """``deliveries.jsonl``: one JSON object an attempt, private, begun anew at 5 MB. Any thread; never raises."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.problem = ""

    def add(self, delivery: Delivery) -> None:
        """Append one attempt; what goes wrong is kept in `problem`."""
        if self.path is None:
            return
        line = json.dumps(delivery.document()).encode() + b"\n"
        try:
            append_private(self.path, line, rotate_at=ROTATE_AT)
        except OSError as error:
            self.problem = f"{self.path}: {(error.strerror or str(error)).lower()}; deliveries are not recorded"
        else:
            self.problem = ""


class Courier:
    """Delivers messages over all routes, each on its own thread, so that one that hangs delays no other.

    `back_off_s` are the pauses between tries. `on_delivery` is called after each attempt, on the route's thread, and
    `on_end` with message and route once it was delivered or all tries were used up.
    `problem` tells of the routes whose last message was not delivered.
    """

    def __init__(
        self,
        routes: Sequence[Route],
        log: DeliveryLog,
        *,
        clock: Callable[[], float] = time.time,
        back_off_s: Sequence[float] | None = None,
        on_delivery: Callable[[Delivery], None] = lambda _: None,
        on_end: Callable[[Message, str], None] = lambda message, route: None,
    ) -> None:
        self.log = log
        self._clock = clock
        self._back_off_s = BACK_OFF_S if back_off_s is None else tuple(back_off_s)
        self._on_delivery, self._on_end = on_delivery, on_end
        self._failed: dict[str, str] = {}
        self._hurry = threading.Event()
        self._is_abandoned = False
        self._lanes = [_Lane(route, self._carry) for route in routes]

    def send(self, message: Message, only: Collection[str] | None = None) -> None:
        """Queue a message for every route, or for those of these names; returns at once."""
        for lane in self._lanes:
            if only is not None and lane.route.name not in only:
                continue
            if not lane.put(message):
                self._note(lane.route, message, 0, f"{WAITING} messages wait for this route already")
                self._on_end(message, lane.route.name)

    @property
    def problem(self) -> str:
        """One line about routes that fail, "" if none does."""
        told = [f"{name}: {why}" for name, why in sorted(self._failed.items())]
        return "; ".join([*told, self.log.problem] if self.log.problem else told)

    def close(self, patience_s: float, *, hurry: bool = False) -> None:
        """Deliver what waits, for at most `patience_s` seconds; what then remains is given up and recorded.

        In a `hurry` nothing is tried again that failed already.
        """
        until = time.monotonic() + patience_s
        if hurry:
            self._hurry.set()
        for lane in self._lanes:
            lane.finish()
        for lane in self._lanes:
            lane.join(max(until - time.monotonic(), 0.0))
        self._hurry.set()
        self._is_abandoned = True
        for lane in self._lanes:
            lane.abandon()
        for lane in self._lanes:
            lane.join(_CANCEL_S)

    def _carry(self, route: Route, message: Message) -> None:
        """Try until it is delivered or the tries are used up."""
        for attempt, pause in enumerate((*self._back_off_s, None), 1):
            try:
                route.send(message)
            except DeliveryError as error:
                self._note(route, message, attempt, str(error))
            except Exception as error:  # noqa: BLE001 (a fault of ours must not end the thread in silence)
                self._note(route, message, attempt, f"internal error: {type(error).__name__}")
            else:
                self._note(route, message, attempt, "")
                self._on_end(message, route.name)
                return
            if pause is None and not self._is_abandoned:
                self._on_end(message, route.name)
            if pause is None or self._hurry.wait(pause):
                return

    def _note(self, route: Route, message: Message, attempt: int, why: str) -> None:
        delivery = Delivery(
            self._clock(), route.name, message.kind, message.subject, message.fingerprints, attempt, not why, why
        )
        if why:
            self._failed[route.name] = why
        else:
            self._failed.pop(route.name, None)
        self.log.add(delivery)
        self._on_delivery(delivery)


class _Lane:
    """One route with its queue and its thread, which begins with the first message."""

    def __init__(self, route: Route, carry: Callable[[Route, Message], None]) -> None:
        self.route = route
        self._carry = carry
        self._waiting: queue.Queue[Message | None] = queue.Queue(WAITING)
        self._is_over = False
        self._thread: threading.Thread | None = None

    def put(self, message: Message) -> bool:
        """Queue a message; False where too many wait."""
        try:
            self._waiting.put_nowait(message)
        except queue.Full:
            return False
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"deliver {self.route.name}", daemon=True)
            self._thread.start()
        return True

    def _run(self) -> None:
        while (message := self._next()) is not None:
            self._carry(self.route, message)

    def _next(self) -> Message | None:
        """Wait for a message; None at the end."""
        if not self._is_over:
            return self._waiting.get()
        try:
            return self._waiting.get_nowait()
        except queue.Empty:
            return None

    def finish(self) -> None:
        """End the thread once everything before this was carried."""
        if self._thread is not None:
            with suppress(queue.Full):  # then it is `abandon` that ends it
                self._waiting.put_nowait(None)

    def abandon(self) -> None:
        """Give up what is under way and what waits; each attempt ends at once and is recorded."""
        self._is_over = True
        if self._thread is not None and self._thread.is_alive():
            self.route.cancel()

    def join(self, patience_s: float) -> None:
        """Wait for the thread's end."""
        if self._thread is not None:
            self._thread.join(patience_s)
