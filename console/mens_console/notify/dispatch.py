"""What `watch --notify` adds to watching: one at a time, what was told before, routes, the log and the sign of life.

It joins the other modules of this room; what is worth a message is `notifier`'s to decide.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from dataclasses import dataclass, replace
from hashlib import blake2s
from typing import TYPE_CHECKING, Final

from mens_console.config.state import make_private_folder, open_lock, try_lock
from mens_console.notify.delivery import Courier, DeliveryLog
from mens_console.notify.heartbeat import ENDED, NAME, Beat, last_beat, process_start, root_names, write_beat
from mens_console.notify.memory import Memory
from mens_console.notify.messages import compose, ping
from mens_console.notify.notifier import Notifier, Policy
from mens_console.notify.outbox import Outbox
from mens_console.notify.routes import apprise_routes
from mens_console.notify.sightings import History

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from mens_console.config.settings import NotifySettings
    from mens_console.notify.delivery import Delivery
    from mens_console.notify.routes import Route
    from mens_console.notify.sightings import Round

DELIVERIES: Final = "deliveries.jsonl"
CATCH_UP_S: Final = 86_400.0
"""What began longer ago is history, however long nobody watched."""
OVERLAP_S: Final = 3600.0
"""After a restart, what began so long before the last sign of life is looked at again: its alert may have come late."""
PATIENCE_S: Final = 25.0
"""How long the end of a watch waits for messages under way."""


class AlreadyWatchingError(Exception):
    """Somebody watches the same roots with the same state directory; `pid` is who, 0 unknown."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"process {pid or '?'} watches these folders and notifies already")
        self.pid = pid


@dataclass(frozen=True, slots=True)
class Post:
    """Who watches, where its own files are (`folder`), and what the operator set."""

    folder: Path
    roots: tuple[Path, ...]
    host: str
    settings: NotifySettings
    version: str = ""

    @property
    def name(self) -> str:
        """Eight hex digits that name the machine and the roots."""
        text = "\0".join((self.host, *root_names(self.roots)))
        return blake2s(text.encode("utf-8", "surrogateescape"), digest_size=4).hexdigest()


class Turn:
    """The right to notify about a set of roots: one program at a time has it, until `close` or its end.

    Raises `AlreadyWatchingError`. Where no lock can be made, `problem` says so and the turn is had all the same.
    """

    def __init__(self, post: Post) -> None:
        self.problem = ""
        self._fd: int | None = None
        path = post.folder / f"watch-{post.name}.lock"
        try:
            make_private_folder(post.folder)
            fd = open_lock(path)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            self.problem = f"{path}: {why}; nothing keeps a second watch from telling everything again"
            return
        if not try_lock(fd):
            holder = os.pread(fd, 20, 0)
            os.close(fd)
            raise AlreadyWatchingError(int(holder) if holder.isdigit() else 0)
        self._fd = fd
        with contextlib.suppress(OSError):  # on a full disk the number is missing, the lock is not
            os.ftruncate(fd, 0)
            os.pwrite(fd, str(os.getpid()).encode(), 0)

    def close(self) -> None:
        """Let another have the turn."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class Dispatcher:
    """Turns rounds into messages and sees to their delivery. Raises `AlreadyWatchingError`.

    `terminal` are routes besides the configured addresses; `once` is for a single look, without a sign of life.
    `problems` tells of addresses that cannot be used.
    """

    def __init__(
        self,
        post: Post,
        *,
        terminal: Sequence[Route] = (),
        environ: Mapping[str, str],
        clock: Callable[[], float] = time.time,
        once: bool = False,
        on_delivery: Callable[[Delivery], None] = lambda _: None,
    ) -> None:
        self._turn = Turn(post)
        self.post = post
        self._clock = clock
        self._once = once
        self._on_delivery = on_delivery
        found, self.problems = apprise_routes(post.settings.apprise, environ)
        self.routes: tuple[Route, ...] = (*found, *terminal)
        self.log = DeliveryLog(post.folder / DELIVERIES)
        self._outbox = Outbox(post.folder / f"outbox-{post.name}.json")
        self._courier = Courier(
            self.routes, self.log, clock=clock, on_delivery=on_delivery, on_end=self._outbox.conclude
        )
        self._pinger = self._make_pinger(environ)
        self._pinged_at = -math.inf
        self._ping_fails: bool | None = None
        before = last_beat(post.folder / NAME, post.host, post.roots)
        memory = Memory(post.folder / f"notified-{post.name}.json")
        memory.watched_until(before)
        self.notifier = Notifier(Policy.of(post.settings), memory)
        self.history = History(self._baseline(before), self.notifier.knows)
        """Tells what is news to somebody who was told what is remembered."""
        self._send_again()
        self._beat = Beat(
            os.getpid(), post.host, process_start(os.getpid()) or 0.0, 0.0, root_names(post.roots), "", ""
        )

    def _baseline(self, before: float) -> float:
        now = self._clock()
        if self._once:
            return now - CATCH_UP_S
        return now if math.isnan(before) else max(before - OVERLAP_S, now - CATCH_UP_S)

    def _send_again(self) -> None:
        """Send what was under way when the last watch of these folders was killed."""
        now, known = self._clock(), {route.name for route in self.routes}
        left = [(message, waits & known) for message, waits in self._outbox.take(now) if waits & known]
        for message, routes in left:
            self._outbox.put(message, routes, now)
        for message, routes in left:
            self._courier.send(message, routes)

    def _make_pinger(self, environ: Mapping[str, str]) -> Courier | None:
        if not self.post.settings.heartbeat or self._once:
            return None
        routes, problems = apprise_routes([self.post.settings.heartbeat], environ)
        self.problems += [f"heartbeat: {problem}" for problem in problems]
        return Courier(routes, DeliveryLog(None), clock=self._clock, back_off_s=(), on_delivery=self._note_ping)

    def _note_ping(self, delivery: Delivery) -> None:
        """Record a ping where it begins to fail, or to work again; hundreds a day that work are no news."""
        if self._ping_fails is not (not delivery.ok):
            self._ping_fails = not delivery.ok
            self.log.add(delivery)
            self._on_delivery(delivery)

    @property
    def problem(self) -> str:
        """One line on what keeps messages from going out, "" if nothing does."""
        told = (*self.problems, self._courier.problem, self._pinger.problem if self._pinger is not None else "")
        return "; ".join(filter(None, (*told, self.notifier.memory.problem, self._outbox.problem, self._turn.problem)))

    @property
    def due_at(self) -> float:
        """When messages are due (s), infinity if none waits."""
        return self.notifier.due_at

    def step(self, now: float, look: Round) -> None:
        """Look at one round of alerts, and send what is due."""
        self.notifier.step(now, look)
        self.send(now, flush=self._once)

    def send(self, now: float, *, flush: bool = False) -> None:
        """Send what is due, and remember it."""
        notices = self.notifier.due(now, flush=flush)
        if notices:
            message = compose(notices, host=self.post.host, now=now)
            self._outbox.put(message, [route.name for route in self.routes], now)
            self._courier.send(message)
        self.notifier.memory.save(now)

    def beat(self, now: float, problem: str = "") -> str:
        """Give a sign of life; return what went wrong with it. `problem` is what keeps the watch from seeing."""
        told = "; ".join(filter(None, (problem, self.problem)))
        if self._pinger is not None and not problem and not 0 <= now - self._pinged_at < self.post.settings.heartbeat_s:
            self._pinged_at = now
            self._pinger.send(ping(self.post.host, len(self.post.roots), now))
        return self._write_beat(now, told)

    def _write_beat(self, now: float, problem: str) -> str:
        beat = replace(self._beat, beat_at=now, problem=problem, version=self.post.version)
        return write_beat(self.post.folder / NAME, beat)

    def close(self, patience_s: float = PATIENCE_S) -> None:
        """Send what waits, say goodbye, and let go of everything."""
        now = self._clock()
        self.send(now, flush=True)
        self._courier.close(patience_s, hurry=not self._once)
        if self._pinger is not None:
            self._pinger.close(0.0)
        if not self._once:
            self._write_beat(now, ENDED)
        self._turn.close()

    @property
    def failed(self) -> bool:
        """Say whether the last message of any route was not delivered."""
        return bool(self._courier.problem)
