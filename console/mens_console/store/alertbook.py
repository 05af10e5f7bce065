"""What the operator said about alerts, kept across restarts: acknowledgements, silences, and when they last left.

One JSON file that several consoles and the daemon share; which alerts there are is not known here.
"""

from __future__ import annotations

import json
import math
import os
import socket
from dataclasses import dataclass, field, replace
from hashlib import blake2s
from typing import TYPE_CHECKING, Any, Final

from mens_console.config.state import DAMAGE, locked, read_private, replace_private, signature
from mens_console.signals.alerts import Silence
from mens_console.signals.rules import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from mens_console.signals.alerts import AlertView

SCHEMA: Final = "mens-alerts/1"
KEPT_S: Final = 30 * 86_400.0
"""How long an acknowledgement is kept, and a silence after its end."""
LEFT_KEPT_S: Final = 365 * 86_400.0
MOST: Final = 2000
"""Acknowledgements, and as many silences, kept at most; the newest stay."""
MAX_BYTES: Final = 8_000_000
"""More than this is no alert book."""
RETRY_S: Final = 10.0
"""Between two attempts to write what could not be written."""
_SAME_S: Final = 1.0
"""Episodes without a step that began within a second of each other are the same one."""
_NOTE: Final = 500
_LATEST: Final = 2.5e11
"""Seconds to about the last year that a calendar shows (9999)."""


@dataclass(frozen=True, slots=True)
class Ack:
    """An acknowledgement of one episode of an alert, when it was `severity` and had `value`.

    `place` is whom the alert is about.
    """

    place: str
    rule: str
    severity: Severity
    since: float
    since_step: int | None
    by: str
    at: float
    note: str = ""
    value: float = math.nan

    def covers(self, view: AlertView) -> bool:
        """Say whether this alert is the episode that was acknowledged, and has not become worse since.

        Episodes are told apart by the step that they began at, and only where there is none by the time: a rule that
        asks the clock finds another time after each restart, and another program has one of its own. So whatever was
        on already when it was acknowledged, and did not end before that, is what was meant.
        """
        if view.severity.rank > self.severity.rank:
            return False
        if view.since_step is not None or self.since_step is not None:
            return view.since_step == self.since_step
        if math.isnan(view.since) or math.isnan(self.since):
            return math.isnan(view.since) and math.isnan(self.since)
        return abs(view.since - self.since) <= _SAME_S or (view.since <= self.at and not view.resolved_at < self.at)

    def may_be_of(self, view: AlertView, boot: float) -> bool:
        """Say whether an alert of the machine that was on at the first look may be the episode acknowledged earlier.

        What counts events, since the machine was started at `boot` (s), must not have counted more of them by now.
        """
        if view.severity.rank > self.severity.rank or self.since_step is not None or view.since_step is not None:
            return False
        return not view.latched or (view.value <= self.value and self.at >= boot)


@dataclass(slots=True)
class _Content:
    """What the file says. Silences name places, or ``*``, and may end never; `left` has a key for each set of roots."""

    acks: dict[tuple[str, str], Ack] = field(default_factory=dict)
    silences: dict[str, Silence] = field(default_factory=dict)
    left: dict[str, float] = field(default_factory=dict)

    def prune(self, now: float) -> None:
        """Drop what is too old, and the oldest of what is too much."""
        acks = [(key, ack) for key, ack in self.acks.items() if now - ack.at < KEPT_S]
        self.acks = dict(sorted(acks, key=lambda item: item[1].at)[-MOST:])
        silences = [(key, one) for key, one in self.silences.items() if now - one.end < KEPT_S]
        self.silences = dict(sorted(silences, key=lambda item: item[1].end)[-MOST:])
        self.left = {key: at for key, at in self.left.items() if now - at < LEFT_KEPT_S}


class _NotOursError(Exception):
    """The file is whole but of a later version: it is neither read nor replaced."""


class AlertBook:
    """The operator's own state about alerts; one thread uses it.

    `path` is the file (None: memory only, for replays). `place` turns an entity as alerts have it into the place that
    the file knows it by: the engine gives the absolute path of a run, so that runs of one name under other roots keep
    their own acknowledgements; a path, and anything unknown, stays what it is. `roots` are where this console looks,
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
        roots: Iterable[Path] = (),
        attended: bool = True,
    ) -> None:
        self.path = path
        self.place = place
        self.roots = tuple(roots)
        self.rev = 0
        self._clock = clock
        self._attended = attended
        self._content = _Content()
        self._pending: dict[tuple[str, ...], Callable[[_Content], object]] = {}
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
        ack = self._content.acks.get((self.place(view.entity), view.rule))
        return ack if ack is not None and ack.covers(view) else None

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
        place = self.place(view.entity)
        if place != view.entity:
            self._names[place] = view.entity
        ack = self.acknowledgement(view)
        until = math.nan
        for one in self._content.silences.values():
            holds = one.start <= now < one.end and one.rule in ("*", view.rule) and one.entity in ("*", place)
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
        except (OSError, _NotOursError) as error:
            self._fail(error)
            return False
        self._signature, self._trouble = seen, ""
        return self._take(fresh)

    def _take(self, fresh: _Content) -> bool:
        """Stand on newer content; True where it says something else of alerts."""
        changed = (fresh.acks, fresh.silences) != (self._content.acks, self._content.silences)
        self._content = fresh
        self.rev += changed
        return changed

    # ------------------------------------------------------------------ writing

    def acknowledge(self, view: AlertView, *, by: str, at: float, note: str = "") -> None:
        """Note that `by` has seen this episode."""
        place = self.place(view.entity)
        ack = Ack(
            place, view.rule, view.severity, view.since, view.since_step, by[:_NOTE], at, note[:_NOTE], view.value
        )
        self._change(("ack", place, view.rule), lambda content: content.acks.update({(place, view.rule): ack}))

    def carry_over(self, view: AlertView, boot: float) -> None:
        """Let an acknowledgement from before a restart stand for what was on at the first look after it."""
        key = (self.place(view.entity), view.rule)
        ack = self._content.acks.get(key)
        if ack is not None and not ack.covers(view) and ack.may_be_of(view, boot):
            kept = replace(ack, since=view.since)
            self._change(("ack", *key), lambda content: content.acks.update({key: kept}))

    def close(self, view: AlertView) -> None:
        """Note that what was acknowledged was seen to end: should it begin again, that is new after a restart, too."""
        key = (self.place(view.entity), view.rule)
        ack = self._content.acks.get(key)
        if ack is not None and ack.covers(view):
            self._change(("ack", *key), lambda content: content.acks.pop(key, None))

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

    def _change(self, key: tuple[str, ...], change: Callable[[_Content], object]) -> None:
        """Make a change on the newest content and write it, or keep it in memory where that fails."""
        self._pending.pop(key, None)
        self._pending[key] = change
        if self.path is None or not self._write():
            fresh = _Content(dict(self._content.acks), dict(self._content.silences), dict(self._content.left))
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
                replace_private(path, _encode(fresh))
                self._signature = signature(path)
        except (OSError, _NotOursError) as error:
            self._fail(error)
            return False
        self._pending.clear()
        self._trouble = ""
        self._take(fresh)
        return True

    def _read(self, *, set_aside: bool = False) -> _Content:
        """Return what the file says; a damaged one says nothing and, under the lock, is kept under another name.

        Raises OSError and `_NotOursError`.
        """
        path = self.path
        data = read_private(path, MAX_BYTES) if path is not None else None
        if data is None or path is None:
            return _Content()
        try:
            return _decode(data)
        except DAMAGE:
            if not set_aside:
                with locked(path):
                    return self._read(set_aside=True)
            kept = path.with_name(f"{path.name}.bad-{int(self._clock())}")
            path.replace(kept)
            self._damage = (
                f"{path} was damaged: acknowledgements and silences made before are lost; it is kept as {kept.name}"
            )
            return _Content()

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


# ---------------------------------------------------------------------- the file


def _encode(content: _Content) -> bytes:
    document = {
        "schema": SCHEMA,
        "acks": [
            {
                "place": a.place, "rule": a.rule, "severity": str(a.severity), "since": _moment(a.since),
                "since_step": a.since_step, "by": a.by, "at": a.at, "note": a.note,
                "value": a.value if abs(a.value) < _LATEST else None,
            }
            for a in content.acks.values()
        ],
        "silences": [
            {
                "id": s.id, "rule": s.rule, "place": s.entity, "author": s.author, "comment": s.comment,
                "start": s.start, "end": _moment(s.end),
            }
            for s in content.silences.values()
        ],
        "left": content.left,
    }  # fmt: skip
    return json.dumps(document, indent=1).encode() + b"\n"


def _decode(data: bytes) -> _Content:
    """Return what the bytes say. Raises ValueError, KeyError or TypeError where they are no alert book."""
    document = json.loads(data)
    schema = document["schema"]
    if schema != SCHEMA:
        if isinstance(schema, str) and schema.startswith("mens-alerts/"):
            raise _NotOursError(f"it is of a later version ({schema[:40]}), and this program does not touch it")
        raise ValueError(schema)
    acks = [_ack(row) for row in document["acks"]]
    silences = [_silence(row) for row in document["silences"]]
    return _Content(
        {(ack.place, ack.rule): ack for ack in acks},
        {one.id: one for one in silences},
        {str(key): _finite(at) for key, at in document["left"].items()},
    )


def _ack(row: dict[str, Any]) -> Ack:
    since = row["since"]
    step = row["since_step"]
    if step is not None and not isinstance(step, int):
        raise TypeError(step)
    since = math.nan if since is None else _finite(since)
    place, rule, severity, by, note = (str(row[key]) for key in ("place", "rule", "severity", "by", "note"))
    value = row.get("value")  # books of earlier versions have none
    value = math.nan if value is None else _finite(value)
    return Ack(place, rule, Severity(severity), since, step, by, _finite(row["at"]), note, value)


def _silence(row: dict[str, Any]) -> Silence:
    id_, rule, place, author, comment = (str(row[key]) for key in ("id", "rule", "place", "author", "comment"))
    end = math.inf if row["end"] is None else _finite(row["end"])  # infinity: until the run ends
    return Silence(id_, rule, place, author, comment, _finite(row["start"]), end)


def _finite(value: Any) -> float:
    number = float(value)
    if not abs(number) < _LATEST:
        raise ValueError(value)
    return number


def _moment(value: float) -> float | None:
    return value if math.isfinite(value) else None
