"""What the operator said about alerts, kept across restarts: acknowledgements, silences, and when they last left.

One JSON file that several consoles and the daemon share; which alerts there are is not known here.
"""

from __future__ import annotations

import math
import os
import socket
from dataclasses import replace
from functools import partial
from hashlib import blake2s
from typing import TYPE_CHECKING, Final

from mens_console.config.state import DAMAGE, locked, read_private, replace_private, signature
from mens_console.store.alertpages import Ack, Content, NotOursError, decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from mens_console.signals.alerts import AlertView, Silence

MAX_BYTES: Final = 8_000_000
"""More than this is no alert book."""
RETRY_S: Final = 10.0
"""Between two attempts to write what could not be written."""
_NOTE: Final = 500


class AlertBook:
    """The operator's own state about alerts; one thread uses it.

    `path` is the file (None: memory only, for replays). `place` turns an entity as alerts have it into the place that
    the file knows it by: the engine gives the real path of a run, so that runs of one name under other roots keep
    their own acknowledgements; a path, and anything unknown, stays what it is. `earlier` returns what earlier versions
    wrote for it. `roots` are where this console looks,
    for `left_at`; `attended` is false for the daemon, whose comings and goings are nobody's.

    Every change is made on the newest content of the file, under its lock, so that several writers lose nothing. What
    cannot be written is kept in memory, told in `problem`, and tried again. `rev` counts changes.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        clock: Callable[[], float],
        place: Callable[[str], str] = str,
        earlier: Callable[[str], str] = str,
        roots: Iterable[Path] = (),
        attended: bool = True,
    ) -> None:
        self.path = path
        self.place, self.earlier = place, earlier
        self.roots = tuple(roots)
        self.rev = 0
        self._clock = clock
        self._attended = attended
        self._content = Content()
        self._pending: dict[tuple[str, ...], Callable[[Content], object]] = {}
        """Changes that are not in the file yet, by what they change: a later one stands for an earlier one."""
        self._signature: object = None
        self._retry_at = -math.inf
        self._trouble = self._damage = ""
        self._names: dict[str, str] = {}
        self.refresh()
        self._left = dict(self._content.left)

    # ------------------------------------------------------------------ reading

    @property
    def problem(self) -> str:
        """One line on what is wrong with the file and what it means, "" if nothing is."""
        return self._trouble or self._damage

    @property
    def left_at(self) -> float:
        """When a console on these roots was last left before this one opened the book (s), NaN if never.

        Without roots, when any was left on this machine.
        """
        if self.roots:
            return self._left.get(_roots_key(self.roots), math.nan)
        here = f"{socket.gethostname()}:"
        return max((at for key, at in self._left.items() if key.startswith(here)), default=math.nan)

    def acknowledgement(self, view: AlertView) -> Ack | None:
        """Return the acknowledgement of this very episode at this severity, None if there is none."""
        acks = (self._content.acks.get(key) for key in self._keys(view))
        return next((ack for ack in acks if ack is not None and ack.covers(view)), None)

    def _keys(self, view: AlertView) -> list[tuple[str, str]]:
        """Return what the file may know an alert by: today's name first, then those of earlier versions."""
        names = (view.place or self.place(view.entity), self.earlier(view.entity), view.entity)
        return [(name, view.rule) for name in dict.fromkeys(names)]

    def silences(self, now: float) -> tuple[Silence, ...]:
        """Return the silences that have not ended, those that end first first.

        An entity is named as alerts have it where that is known, otherwise by its place.
        """
        standing = [one for one in self._content.silences.values() if one.end > now]
        standing.sort(key=lambda one: (one.end, one.id))
        return tuple(replace(one, entity=self._names.get(one.entity, one.entity)) for one in standing)

    def overlay(self, views: tuple[AlertView, ...], now: float) -> tuple[AlertView, ...]:
        """Return the alerts with what the book says of each: who acknowledged it and why, and its silence."""
        dressed = tuple(self._dress(view, now) for view in views)
        return views if dressed == views else dressed

    def _dress(self, view: AlertView, now: float) -> AlertView:
        places = [place for place, _ in self._keys(view)]
        self._names.update((place, view.entity) for place in places if place != view.entity)
        ack = self.acknowledgement(view)
        until = math.nan
        for one in self._content.silences.values():
            holds = one.start <= now < one.end and one.rule in ("*", view.rule) and one.entity in ("*", *places)
            if holds and not until >= one.end:
                until = one.end
        if ack is None and math.isnan(until) and math.isnan(view.silenced_until):
            return view
        if ack is None:
            return replace(view, silenced_until=until)
        return replace(view, acknowledged=True, acknowledged_by=ack.by, note=ack.note, silenced_until=until)

    def refresh(self) -> bool:
        """Take in what other programs wrote, and try again what could not be written; True if anything changed."""
        if self.path is None or (self._trouble and self._clock() < self._retry_at):
            return False
        if self._pending:
            rev = self.rev
            return self._write() and self.rev != rev
        seen = signature(self.path)
        if seen == self._signature and not self._trouble:
            return False
        try:
            fresh = self._read()
        except (OSError, NotOursError) as error:
            self._fail(error)
            return False
        self._signature, self._trouble = seen, ""
        return self._take(fresh)

    def _take(self, fresh: Content) -> bool:
        """Stand on newer content; True where it says something else of alerts."""
        changed = (fresh.acks, fresh.silences) != (self._content.acks, self._content.silences)
        self._content = fresh
        self.rev += changed
        return changed

    # ------------------------------------------------------------------ writing

    def acknowledge(self, view: AlertView, *, by: str, at: float, note: str = "") -> None:
        """Note that `by` has seen this episode."""
        place = self._keys(view)[0][0]
        ack = Ack(
            place, view.rule, view.severity, view.since, view.since_step, by[:_NOTE], at, note[:_NOTE], view.value
        )
        self._change(("ack", place, view.rule), lambda content: content.acks.update({(place, view.rule): ack}))

    def carry_over(self, view: AlertView, boot: float) -> None:
        """Let an acknowledgement from before a restart stand for what was on at the first look after it."""
        key = self._keys(view)[0]
        ack = self._content.acks.get(key)
        if ack is not None and not ack.covers(view) and ack.may_be_of(view, boot):
            kept = replace(ack, since=view.since)
            self._change(("ack", *key), lambda content: content.acks.update({key: kept}))

    def close(self, view: AlertView) -> None:
        """Note that what was acknowledged was seen to end: should it begin again, that is new after a restart, too."""
        for key in self._keys(view):
            ack = self._content.acks.get(key)
            if ack is not None and ack.covers(view):
                self._change(("ack", *key), partial(Content.forget, key=key))

    def silence(self, silence: Silence) -> None:
        """Keep a silence; one of the same id is replaced."""
        place = silence.entity if silence.entity == "*" else self.place(silence.entity)
        if place != silence.entity:
            self._names[place] = silence.entity
        kept = replace(silence, entity=place, author=silence.author[:_NOTE], comment=silence.comment[:_NOTE])
        self._change(("silence", kept.id), lambda content: content.silences.update({kept.id: kept}))

    def unsilence(self, silence_id: str) -> None:
        """End a silence; one that is not there is no error."""
        self._change(("silence", silence_id), lambda content: content.silences.pop(silence_id, None))

    def leave(self, now: float, roots: Iterable[Path] | None = None) -> None:
        """Note that the console on these roots (default: this book's) was there until `now`."""
        if self._attended:
            key = _roots_key(self.roots if roots is None else roots)
            self._change(("left", key), lambda content: content.left.update({key: now}))

    def prune(self, now: float) -> None:
        """Drop acknowledgements older than 30 days, and silences that ended so long ago."""
        self._change(("prune",), lambda content: content.prune(now))

    def _change(self, key: tuple[str, ...], change: Callable[[Content], object]) -> None:
        """Make a change on the newest content and write it, or keep it in memory where that fails."""
        self._pending.pop(key, None)
        self._pending[key] = change
        if self.path is None or not self._write():
            fresh = Content(dict(self._content.acks), dict(self._content.silences), dict(self._content.left))
            change(fresh)
            self._take(fresh)
        if self.path is None:
            self._pending.clear()

    def _write(self) -> bool:
        """Write what is pending on top of the newest content; on failure it stays pending, and False is returned."""
        path = self.path
        if path is None:
            return False
        try:
            with locked(path):
                fresh = self._read(set_aside=True)
                for change in self._pending.values():
                    change(fresh)
                fresh.prune(self._clock())
                replace_private(path, encode(fresh))
                self._signature = signature(path)
        except (OSError, NotOursError) as error:
            self._fail(error)
            return False
        self._pending.clear()
        self._trouble = ""
        self._take(fresh)
        return True

    def _read(self, *, set_aside: bool = False) -> Content:
        """Return what the file says; a damaged one says nothing and, under the lock, is kept under another name.

        Raises OSError and `NotOursError`.
        """
        path = self.path
        data = read_private(path, MAX_BYTES) if path is not None else None
        if data is None or path is None:
            return Content()
        try:
            return decode(data)
        except DAMAGE:
            if not set_aside:
                with locked(path):
                    return self._read(set_aside=True)
            kept = path.with_name(f"{path.name}.bad-{int(self._clock())}")
            path.replace(kept)
            self._damage = (
                f"{path} was damaged: acknowledgements and silences made before are lost; it is kept as {kept.name}"
            )
            return Content()

    def _fail(self, error: Exception) -> None:
        """Say what is wrong with the file, and try again later."""
        why = (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)
        self._trouble = f"{self.path}: {why}; acknowledgements and silences last until this console is closed"
        self._retry_at = self._clock() + RETRY_S


def silence_id(rule: str, entity: str, author: str, start: float) -> str:
    """Return the 8 hex digits that name a new silence."""
    text = f"{rule}\0{entity}\0{author}\0{start!r}"
    return blake2s(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()


def _roots_key(roots: Iterable[Path]) -> str:
    """Return what a set of roots on this machine is remembered by."""
    text = "\0".join(sorted(os.path.realpath(root) for root in roots))
    return f"{socket.gethostname()}:{blake2s(text.encode('utf-8', 'surrogateescape'), digest_size=8).hexdigest()}"
