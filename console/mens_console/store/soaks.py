"""Soaks of the box: followed as they grow on a thread of their own, judged into alerts, and shown as views.

What a soak comes to is another room's; which there are is discovery's. All but the reading is the engine's thread.
"""

from __future__ import annotations

import math
import os
import threading
from collections import deque
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from mens_console.ingest.formats.elsewhere import SOAK, SOAK_IMPORT
from mens_console.ingest.text import safe_text
from mens_console.signals.alerts import AlertReducer
from mens_console.store.snapshot import SOAK as SOAK_ENTITY
from mens_console.store.snapshot import SoakView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from mens_console.ingest.found import FoundRecord
    from mens_console.signals.rules import Rule
    from mens_console.soak.types import Analysis

MOST_SOAKS: Final = 12
"""Soaks that are followed, the newest first; each keeps its minutes in memory."""
LIVE: Final = frozenset({"starting", "running", "unknown"})
LIVE_S, STILL_S = 1.0, 5.0
"""Between two looks at a soak that goes on, and at one that ended (it may be resumed)."""


class Following(Protocol):
    """Who reads a soak as it grows."""

    @property
    def more(self) -> bool:
        """Whether bytes are known to wait."""
        ...

    @property
    def report(self) -> Analysis:
        """What is known now; the same object while nothing changed."""
        ...

    def poll(self, now: float) -> bool:
        """Read what is new; True where something changed."""
        ...

    def close(self) -> None:
        """Give everything back."""
        ...


def follow_soak(path: Path) -> Following:
    """Return who follows a soak's folder, or a file that another tool wrote."""
    from mens_console.soak.follow import SoakFollower

    return SoakFollower(path)


class _Told(NamedTuple):
    """What one look at a soak came to."""

    id: str
    path: Path
    report: Analysis | None
    more: bool
    problem: str


class Soaks:
    """All soaks of the box.

    `follow` makes followers; tests give their own. With `threaded` they read on a thread that lives as long as there is
    something to read, and `wake` is called there when something changed; otherwise `attend` itself reads.
    """

    def __init__(
        self,
        rules: Mapping[str, Rule],
        *,
        follow: Callable[[Path], Following] = follow_soak,
        threaded: bool = True,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._folders: dict[str, str] = {}
        """The real path of each soak that was ever followed: ids depend on which roots are searched."""
        self.alerts = AlertReducer(rules, lambda entity: self._folders.get(entity, entity))
        self.problems: tuple[str, ...] = ()
        self._rules = rules
        self._reader = _Reader(follow, wake)
        self._threaded = threaded
        self._records: tuple[FoundRecord, ...] = ()
        self._views: dict[str, SoakView] = {}
        self._ordered: tuple[SoakView, ...] | None = ()
        self._due: dict[str, float] = {}
        self._rev = 0

    def admit(self, records: Iterable[FoundRecord]) -> bool:
        """Follow the newest of these and no others; True where that is news."""
        wanted = tuple(record for record in records if record.kind in (SOAK, SOAK_IMPORT))
        if wanted == self._records:
            return False
        self._records = wanted
        newest = sorted(((_folder(r), r) for r in wanted), key=lambda pair: (-_written(pair[1]), pair[1].id))
        chosen = {_id(record): path for path, record in newest[:MOST_SOAKS]}
        left = [_id(record) for _, record in newest[MOST_SOAKS:]]
        told = f"{len(left)} older soaks are not followed (the newest {MOST_SOAKS} are): {_names(left)}"
        self.problems = (f"{told}; name fewer roots",) if left else ()
        for name in [n for n, view in self._views.items() if chosen.get(n) != view.path]:
            self._views.pop(name)
            self._due.pop(name, None)
        for name, path in chosen.items():
            if name not in self._views:
                self._rev += 1
                self._views[name] = view = SoakView(name, path, None, self._rev, reading=True)
                self._folders[view.entity] = f"{SOAK_ENTITY}:{os.path.realpath(path)}"
                self._due[name] = -math.inf
        self._ordered = None
        return True

    def attend(self, now: float) -> bool:
        """Take in what was read, judge it, and ask for what is due; True where something changed."""
        changed = self.alerts.advance(now)
        if not self._reader.busy:
            due = [(name, self._views[name].path) for name, at in self._due.items() if _is_due(at, now)]
            if due:
                self._due |= dict.fromkeys((name for name, _ in due), math.inf)  # until something is told of them
                self._reader.read(due, set(self._views), now, threaded=self._threaded)
        for told in self._reader.told():
            view = self._views.get(told.id)
            if view is not None and view.path == told.path:
                changed |= self._take(view, told, now)
        return changed

    def _take(self, view: SoakView, told: _Told, now: float) -> bool:
        live = told.report is not None and told.report.state in LIVE
        self._due[view.id] = now if told.more else now + (LIVE_S if live else STILL_S)
        report = told.report or view.report
        if report is view.report and (view.reading, view.problem) == (told.more, told.problem):
            return False
        self._rev += 1
        fresh = replace(view, report=report, reading=told.more, problem=told.problem, rev=self._rev)
        self._views[view.id], self._ordered = fresh, None
        if report is not None and not told.more:
            from mens_console.soak.alerts import soak_observations  # loads arithmetic that a box without soaks spares

            for seen in soak_observations(view.entity, report, self._rules):
                self.alerts.apply(seen)
        return True

    @property
    def waits(self) -> bool:
        """Whether anything is still to be read for the first time, or known to wait."""
        return any(view.reading for view in self._views.values())

    @property
    def more(self) -> bool:
        """Whether the next look should come at once."""
        return not self._threaded and self.waits

    @property
    def views(self) -> tuple[SoakView, ...]:
        """One view a soak: those that go on first, then the newest."""
        if self._ordered is None:
            self._ordered = tuple(sorted(self._views.values(), key=_order))
        return self._ordered

    def close(self) -> None:
        """Give everything back."""
        self._reader.close()


class _Reader:
    """Owns the followers, and touches them on one thread at a time: the caller's, or one that lives for a task."""

    def __init__(self, follow: Callable[[Path], Following], wake: Callable[[], None]) -> None:
        self._follow, self._wake = follow, wake
        self._followers: dict[tuple[str, Path], Following] = {}
        self._told: deque[_Told] = deque()
        self._thread: threading.Thread | None = None
        self._stopping = False

    @property
    def busy(self) -> bool:
        """Whether somebody reads."""
        return self._thread is not None and self._thread.is_alive()

    def read(self, due: list[tuple[str, Path]], kept: set[str], now: float, *, threaded: bool) -> None:
        """Look at what is due; give back the followers of what is no longer `kept`."""
        if not threaded:
            self._work(due, kept, now)
            return
        self._thread = threading.Thread(target=self._work, args=(due, kept, now), name="soaks", daemon=True)
        self._thread.start()

    def told(self) -> Iterator[_Told]:
        """Yield what was read since."""
        while self._told:
            yield self._told.popleft()

    def _work(self, due: list[tuple[str, Path]], kept: set[str], now: float) -> None:
        for key in [key for key in self._followers if key[0] not in kept]:
            self._drop(key)
        for name, path in due:
            if self._stopping:
                return
            self._told.append(self._look(name, path, now))
            self._wake()

    def _look(self, name: str, path: Path, now: float) -> _Told:
        follower = self._followers.get((name, path))
        try:
            if follower is None:
                follower = self._followers[name, path] = self._follow(path)
            follower.poll(now)
            return _Told(name, path, follower.report, follower.more, "")
        except Exception as error:  # one soak that cannot be read is told, and hides neither the others nor the runs
            if os.environ.get("MENS_DEBUG"):
                raise
            self._drop((name, path))
            kind = "" if isinstance(error, (OSError, ValueError)) else f"internal error, {type(error).__name__}: "
            return _Told(name, path, None, more=False, problem=safe_text(f"{kind}{error}", 300))

    def _drop(self, key: tuple[str, Path]) -> None:
        follower = self._followers.pop(key, None)
        if follower is not None:
            with suppress(OSError):
                follower.close()

    def close(self) -> None:
        """Stop reading, and give everything back."""
        self._stopping = True
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=2)
        if not self.busy:
            for key in list(self._followers):
                self._drop(key)


def _is_due(at: float, now: float) -> bool:
    """Whether it is time to look again; also where the clock was set back."""
    return now >= at or (math.isfinite(at) and now < at - 2 * STILL_S)


def _folder(record: FoundRecord) -> Path:
    """Return what is followed: the folder of a plan, or the imported file itself."""
    return record.path.parent if record.kind == SOAK else record.path


def _id(record: FoundRecord) -> str:
    return record.id if record.kind == SOAK else f"{record.id}/{record.path.name}"


def _names(ids: list[str]) -> str:
    more = f" and {len(ids) - 4} more" if len(ids) > 4 else ""
    return ", ".join(safe_text(one, 60) for one in ids[:4]) + more


def _written(record: FoundRecord) -> float:
    """Return when a soak's driver told of itself last, or a file was written; epoch seconds."""
    paths = (record.path, record.path.parent / "driver.json") if record.kind == SOAK else (record.path,)
    return max(map(_mtime, paths))


def _mtime(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return -math.inf


def _order(view: SoakView) -> tuple[bool, float, str]:
    report = view.report
    started = report.started if report is not None and report.started is not None else -math.inf
    return not (report is None or report.state in LIVE), -started, view.id
