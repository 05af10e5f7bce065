"""Decides which alerts are worth a message, and when: once an episode, grouped, and never about history.

It decides only: it reads no clock and no file, and sends nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from mens_console.notify.memory import NONE, Entry, Memory
from mens_console.notify.messages import Notice
from mens_console.signals.byvalue import ByValue
from mens_console.signals.rules import Severity

if TYPE_CHECKING:
    from mens_console.config.settings import NotifySettings
    from mens_console.notify.sightings import Key, Round, Sighting

REPEAT_S: Final = 3600.0
"""An alert that fires again and again is told once in so long, unless it is worse than what was told."""


@dataclass(frozen=True, slots=True)
class Policy(ByValue):
    """What is sent: alerts of at least `min_severity`, with `resolved` their ends too, `group_s` together."""

    min_severity: Severity = Severity.CRITICAL
    resolved: bool = False
    group_s: float = 30.0

    @classmethod
    def of(cls, settings: NotifySettings) -> Policy:
        """Return what the settings ask for."""
        return cls(Severity(settings.min_severity), settings.resolved, settings.group_s)


class Notifier:
    """Takes rounds in, and hands notices out when they are due.

    What is quiet or below the least severity waits: it is told if it still fires when its silence ends, or once it is
    worse. What somebody acknowledged needs no telling. An alert counts as told only when its notice is handed out, so
    that a crash before that loses nothing.
    """

    def __init__(self, policy: Policy, memory: Memory) -> None:
        self.policy = policy
        self.memory = memory
        self._queue: dict[Key, Notice] = {}

    def step(self, now: float, look: Round) -> None:
        """Look at one round."""
        for seen in look.seen:
            entry = self.memory.of(seen)
            if seen.on:
                if entry is None or not entry.is_of(seen.view, now):
                    entry = self._begin(seen, entry, now, history=seen.key in look.standing)
                self._note(seen, entry, now)
                self._offer(seen, entry, now)
            elif entry is not None and entry.is_open:
                self._end(seen, entry, now)

    def _note(self, seen: Sighting, entry: Entry, now: float) -> None:
        """Remember what is seen of an episode that is on."""
        rank = max(entry.rank, seen.view.severity.rank)
        self.memory.changed |= not entry.is_open or rank != entry.rank
        entry.is_open, entry.seen_at, entry.ended_at = True, now, math.nan
        entry.name, entry.rank, entry.message = seen.run, rank, seen.view.message

    def _begin(self, seen: Sighting, before: Entry | None, now: float, *, history: bool) -> Entry:
        view = seen.view
        entry = Entry(*seen.key, view.since, view.since_step, told=view.severity.rank if history else NONE)
        if before is not None:
            entry.sent_at, entry.sent_rank = before.sent_at, before.sent_rank
            entry.unheard = before.unheard + (1 if before.told == NONE and before.sent_at > -math.inf else 0)
        self.memory.entries[seen.key] = entry
        self.memory.changed = True
        return entry

    def _offer(self, seen: Sighting, entry: Entry, now: float) -> None:
        """Put it in the queue if it deserves a message, and take it out if it no longer does."""
        rank = seen.view.severity.rank
        if seen.view.acknowledged and entry.told < rank:
            entry.told = rank
            self.memory.changed = True
        if seen.view.acknowledged or seen.quiet(now) or rank < self.policy.min_severity.rank:
            self._queue.pop(seen.key, None)
            return
        waiting = self._queue.get(seen.key)
        if waiting is not None and waiting.kind != "resolved":
            self._queue[seen.key] = replace(waiting, sighting=seen)
            return
        flaps = not entry.is_sent and rank <= entry.sent_rank and now - entry.sent_at < REPEAT_S
        if rank <= entry.told or flaps:
            return
        self._queue[seen.key] = Notice("escalated" if entry.told > NONE else "firing", seen, now, entry.unheard)

    def _end(self, seen: Sighting, entry: Entry, now: float) -> None:
        over = seen.view.resolved_at
        entry.is_open, entry.ended_at = False, over if math.isfinite(over) else now
        entry.message = seen.view.message
        self.memory.changed = True
        waiting = self._queue.get(seen.key)
        if waiting is not None:
            self._queue[seen.key] = replace(waiting, sighting=seen)
        elif self.policy.resolved and entry.is_sent and not seen.view.acknowledged and not seen.quiet(now):
            if seen.view.held:
                return  # it is not over: only its run is
            self._queue[seen.key] = Notice("resolved", seen, now)

    def knows(self, seen: Sighting) -> bool:
        """Say whether this episode was told of, or needed no telling."""
        entry = self.memory.of(seen)
        return entry is not None and entry.told > NONE and entry.is_of(seen.view, entry.seen_at)

    @property
    def due_at(self) -> float:
        """When the waiting notices are to be handed out (s), infinity if none waits."""
        return min((notice.at for notice in self._queue.values()), default=math.inf) + self.policy.group_s

    def due(self, now: float, *, flush: bool = False) -> list[Notice]:
        """Hand out all that waits once the oldest has waited long enough, or at once with `flush`."""
        oldest = self.due_at - self.policy.group_s
        # A clock that was set back must not keep them waiting.
        if not self._queue or not (flush or now >= self.due_at or now < oldest):
            return []
        notices = list(self._queue.values())
        self._queue.clear()
        for notice in notices:
            entry = self.memory.entries[notice.sighting.key]
            if notice.kind != "resolved":
                rank = notice.sighting.view.severity.rank
                entry.told = max(entry.told, rank)
                entry.is_sent, entry.sent_at, entry.sent_rank, entry.unheard = True, now, rank, 0
        self.memory.changed = True
        return notices
