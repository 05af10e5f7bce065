"""The operator's orders about alerts: queued on any thread, carried out and remembered on the engine's.

The memory itself is the alert book's; which alerts there are is the reducers'.
"""

from __future__ import annotations

import math
import os
from collections import deque
from typing import TYPE_CHECKING

from mens_console.store.snapshot import LIVE_STATES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mens_console.signals.alerts import AlertReducer, AlertView, Silence
    from mens_console.store.alertbook import AlertBook
    from mens_console.store.run import RunState
    from mens_console.store.snapshot import NotifierView

LOOK_S = 2.0
"""Between two looks at what other consoles wrote into the book."""
HEARTBEAT_S = 10.0
"""Between two looks at the heartbeat of the daemon that sends notifications."""
LEAVE_S = 60.0
"""Between two notes that somebody was here, for whoever is cut off without leaving."""
ATTENDED_S = 600.0
"""A console that was touched so long ago says no more that somebody is here: it may run on in a detached terminal."""


class Desk:
    """Takes orders about alerts and dresses alerts in what the book says of them.

    They are those of `runs`, and of `others`: of the box, of generation. `boot` is when the machine was started (s).
    """

    def __init__(
        self,
        book: AlertBook,
        runs: Mapping[str, RunState],
        others: Sequence[AlertReducer],
        wake: Callable[[], None],
        *,
        author: str,
        boot: float = -math.inf,
        notifier: Callable[[], NotifierView | None] = lambda: None,
    ) -> None:
        self.book = book
        book.place, book.earlier = self._place, self._earlier
        self.left_at = book.left_at
        self._runs, self._others = runs, tuple(others)
        self._wake, self._author = wake, author
        self._orders: deque[Callable[[float], None]] = deque()
        self._boot, self._followed = boot, -1
        self.touched_at = math.nan
        """When somebody touched the console last (s), NaN where nobody tells."""
        self._rev = -1
        self._standing: tuple[Silence, ...] = ()
        self._looked_at = self._left_at = float("-inf")
        self._ask_notifier = notifier
        self._notifier: NotifierView | None = None
        self._asked_at = float("-inf")

    # ------------------------------------------------------------------ from any thread

    def acknowledge(self, run_id: str, key: str, note: str = "") -> None:
        """Ask for an alert to be marked as seen; `run_id` is "" for those of the machine."""
        self._order(lambda now: self._acknowledge(run_id, key, note, now))

    def silence(self, silence: Silence) -> None:
        """Ask for alerts to be quiet for a while."""
        self._order(lambda _: self.book.silence(silence))

    def unsilence(self, silence_id: str) -> None:
        """Ask for a silence to end."""
        self._order(lambda _: self.book.unsilence(silence_id))

    def _order(self, order: Callable[[float], None]) -> None:
        self._orders.append(order)
        self._wake()

    # ------------------------------------------------------------------ on the engine's thread

    def attend(self, now: float) -> bool:
        """Carry out what was asked for, and notice what others wrote; True where alerts may look otherwise now."""
        if now - self._looked_at >= LOOK_S or now < self._looked_at:
            self._looked_at = now
            self.book.refresh()
        told = self._hear_notifier(now)
        orders = len(self._orders)
        for _ in range(orders):
            self._orders.popleft()(now)
        self._end_with_runs(now)
        standing = self.book.silences(now)
        news = bool(orders) or self.book.rev != self._rev or standing != self._standing
        self._rev, self._standing = self.book.rev, standing
        if news:
            for run in self._runs.values():
                self.recall(run.signals.alerts)
                run.touch("alerts")
            for alerts in self._others:
                self.recall(alerts)
        return news or told

    def follow_machine(self, alerts: AlertReducer, *, first: bool) -> None:
        """Carry acknowledgements of what is wrong with the machine over a restart, and end them with it.

        What is a run's is known again by its step; what is the machine's is dated when it is `first` looked at.
        """
        if alerts.rev == self._followed:
            return
        for view in alerts.views:
            if first and view.active:
                self.book.carry_over(view, self._boot)
            elif not (view.active or view.latched):
                self.book.close(view)
        self.recall(alerts)
        self._followed = alerts.rev

    def _hear_notifier(self, now: float) -> bool:
        if now - self._asked_at < HEARTBEAT_S and now >= self._asked_at:
            return False
        self._asked_at = now
        before, self._notifier = self._notifier, self._ask_notifier()
        return before != self._notifier

    def _end_with_runs(self, now: float) -> None:
        """End the silences that were to last until their run ends, once it did."""
        endless = [silence for silence in self.book.silences(now) if math.isinf(silence.end)]
        places = {run.place: run for run in self._runs.values()} if endless else {}
        for silence in endless:
            run = self._runs.get(silence.entity) or places.get(silence.entity)
            if run is not None and run.diagnosis is not None and run.diagnosis.state not in LIVE_STATES:
                self.book.unsilence(silence.id)

    def _acknowledge(self, run_id: str, key: str, note: str, now: float) -> None:
        reducers = self._others if not run_id else [run.signals.alerts] if (run := self._runs.get(run_id)) else []
        for reducer in reducers:
            if (view := reducer.acknowledge(key, by=self._author, note=note)) is not None:
                self.book.acknowledge(view, by=self._author, at=now, note=note)

    def recall(self, alerts: AlertReducer) -> None:
        """Acknowledge again what was acknowledged before these alerts were judged anew."""
        for view in alerts.views:
            if view.active and not view.acknowledged and (ack := self.book.acknowledgement(view)) is not None:
                alerts.acknowledge(view.fingerprint, by=ack.by, note=ack.note)

    def dress(self, views: tuple[AlertView, ...], now: float) -> tuple[AlertView, ...]:
        """Return alerts as they are shown: with their silences."""
        return self.book.overlay(views, now)

    @property
    def silences(self) -> tuple[Silence, ...]:
        """The silences that hold or are to come."""
        return self._standing

    def _place(self, entity: str) -> str:
        """Return the real path of a run, a log or a soak, by which the book knows it; others stay what they are."""
        run = self._runs.get(entity)
        if run is not None:
            return run.place
        return next((place for alerts in self._others if (place := alerts.place(entity)) != entity), entity)

    def _earlier(self, entity: str) -> str:
        """Return by what earlier versions knew a run in the book."""
        run = self._runs.get(entity)
        if run is None:
            return entity
        path, last = run.found.path, entity.rpartition("/")[2]
        return os.fspath(path if last in (".", path.name) else path / last)

    @property
    def notifier(self) -> NotifierView | None:
        """The daemon that sends notifications, as it last beat."""
        return self._notifier

    def note_presence(self, now: float, *, leaving: bool = False) -> None:
        """Remember that somebody was here until now, unless the console was not touched for long."""
        if now - self.touched_at > ATTENDED_S:
            return
        if (
            leaving or not 0.0 <= now - self._left_at < LEAVE_S
        ):  # a clock that was set back keeps nobody from being here
            if leaving or self._left_at > float("-inf"):
                self.book.leave(now)
            self._left_at = now
