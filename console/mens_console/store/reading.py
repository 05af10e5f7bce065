"""Which file is read when, and into which run.

The beat says whose turn it is; what has more to read than one turn allows waits in line, so that no file starves
another.
"""

from __future__ import annotations

import math
import os
import re
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mens_console.ingest.backlog import BacklogReader, preview, suits
from mens_console.ingest.beat import Beat
from mens_console.ingest.document import open_tail
from mens_console.ingest.records import NO_TIME
from mens_console.ingest.safeopen import FdCache
from mens_console.store.source import SourceState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from mens_console.ingest.discover import FoundFile
    from mens_console.ingest.document import DocumentTail
    from mens_console.ingest.formats.base import Format
    from mens_console.ingest.tail import Chunk, Tail
    from mens_console.store.run import RunState

ABANDONED_S: Final = 60.0
"""A torn last record of a file this long untouched counts as complete: nobody seems to write any more."""
WORKERS: Final = max(1, min(4, (os.cpu_count() or 2) - 1))
MAX_PLACE: Final = 9
"""Files of one format that are told apart where they carry the same step; precedences are ten apart."""
_TURNS: Final = {"csv": 1, "hf_console": 2}
_LAST: Final = 3
_BEGUN: Final = re.compile(r"tfevents\.(\d{9,11})\.")
TURN_BYTES: Final = 256 << 10
"""Bytes of one file read at a turn: some milliseconds of parsing, after which others get theirs."""


@dataclass(slots=True, eq=False)
class Source:
    """One file of one run and how it is read."""

    run: RunState
    state: SourceState
    tail: Tail | DocumentTail
    backlog: BacklogReader | None = None
    tried: bool = False
    """Whether a worker was considered: only a file's first bytes are ever worth one."""
    failed: bool = False
    """Whether its worker ended without handing over."""
    queued: bool = False
    gone: bool = False


@dataclass(slots=True)
class Reader:
    """Reads the sources of all runs, each in order, no byte twice."""

    formats: dict[str, Format]
    wake: Callable[[], None] = lambda: None
    workers: int = WORKERS
    """Worker processes that may parse at the same time; with 0 all is parsed here."""
    beat: Beat = field(default_factory=Beat)
    _fds: FdCache = field(default_factory=FdCache)
    _sources: dict[str, Source] = field(default_factory=dict)
    _waiting: deque[Source] = field(default_factory=deque)
    _parked: list[Source] = field(default_factory=list)
    """Sources that wait for a worker: looked at once a step."""

    def adopt(self, run: RunState, files: Iterable[FoundFile]) -> None:
        """Make these the sources of the run: new ones are read from byte 0, those no longer named are dropped.

        A file that turns out to be of another format than it seemed at first is read anew.
        """
        wanted = {file.path: file for file in files if file.format_name in self.formats}
        for path, state in list(run.sources.items()):
            if path not in wanted or state.format.name != wanted[path].format_name:
                self._drop(path)
                run.drop(path)
                state.caught_up = True  # nobody need wait for it
        for path in wanted.keys() - run.sources.keys():
            format = self.formats[wanted[path].format_name]
            run.sources[path] = SourceState(path, format, follow=wanted[path].link, begun=_begun(path))
        queue = _line_up(run.sources.values())
        for state in queue:
            if os.fspath(state.path) not in self._sources:
                self._open(run, state)

    def _open(self, run: RunState, state: SourceState, *, tried: bool = False) -> None:
        name = os.fspath(state.path)
        tail = open_tail(name, state.format, self._fds, follow=state.follow)
        self._sources[name] = Source(run, state, tail, tried=tried)
        self.beat.discard(name)
        self.beat.add(name)

    def forget(self, run: RunState) -> None:
        """Stop reading a run."""
        for path in run.sources:
            self._drop(path)

    def _drop(self, path: Path) -> None:
        source = self._sources.pop(os.fspath(path), None)
        if source is not None:
            source.gone = True
            source.tail.close()
            if source.backlog is not None:
                source.backlog.close()
            self.beat.discard(os.fspath(path))

    def due(self, now: float) -> Iterator[Source]:
        """Yield the sources whose turn it is, then those that have more, again and again while they have."""
        for path in self.beat.due(now):
            source = self._sources.get(path)
            if source is not None:
                self._queue(source)
        parked, self._parked = self._parked, []
        for source in parked:
            self._queue(source)
        while self._waiting:
            source = self._waiting.popleft()
            source.queued = False
            if not source.gone:
                yield source

    def _queue(self, source: Source) -> None:
        if not source.queued:
            source.queued = True
            self._waiting.append(source)

    @property
    def busy(self) -> bool:
        """Whether sources wait to be read on."""
        return bool(self._waiting)

    def read(self, source: Source, now: float, *, one_shot: bool) -> bool:
        """Read a turn's worth of one source into its run; True where that brought anything."""
        run, state, tail = source.run, source.state, source.tail
        if run.history and not all(other.caught_up for other in state.before):
            self._parked.append(source)
            return False
        if source.backlog is not None or self._worth_a_worker(source):
            self._read_backlog(source)
            return True
        abandoned = one_shot or self._is_abandoned(state, now)
        # What nobody came back to finish was written when the file was, not now that it counts.
        seen = min(now, state.mtime) if abandoned and not math.isnan(state.mtime) else now
        chunk = self._poll(tail, seen, final=abandoned)
        grew = chunk is not None
        while chunk is not None:
            state.mtime = _mtime(state.path, state.mtime)
            if chunk.restarted and state.rows:
                self.restart(run)
                return True
            run.take(state, chunk.batch, NO_TIME if run.history else seen)
            self.beat.changed(tail.path, now)
            # An abandoned file's last record counts as it stands, and whoever waits for this file need not wait on.
            chunk = self._poll(tail, seen, final=True) if abandoned and not tail.more else None
        if (tail.problem, tail.size) != (state.problem, state.size):
            run.touch("sources")
        state.problem, state.size, state.done = tail.problem, tail.size, tail.done
        if tail.more and state.problem is None:
            self._queue(source)
        elif not state.caught_up:
            state.mtime = _mtime(state.path, state.mtime)
            state.caught_up = True
            run.touch("sources")
        return grew

    @staticmethod
    def _is_abandoned(state: SourceState, now: float) -> bool:
        if now - state.mtime > ABANDONED_S:
            state.mtime = _mtime(state.path, state.mtime)
        return now - state.mtime > ABANDONED_S

    def _poll(self, tail: Tail | DocumentTail, now: float, *, final: bool) -> Chunk | None:
        """Read on; a file whose content its decoder cannot stand is left alone, and all others are read on."""
        try:
            return tail.poll(now, limit=TURN_BYTES, final=final)
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            self.beat.discard(tail.path)
            tail.close()
            tail.problem = f"{tail.path}: not read on, please report it: {type(error).__name__}: {error}"
            return None

    def _worth_a_worker(self, source: Source) -> bool:
        """Start a worker on a file's history if that is long and a worker is free."""
        if source.tried or not self.workers:
            return False
        size = _size(source.state.path)
        if not suits(source.state.format, size):
            source.tried = True
            return False
        if sum(s.backlog is not None for s in self._sources.values()) >= self.workers:
            return source.run.history  # in line for one: nothing of it is read meanwhile
        source.tried = True
        path, state = os.fspath(source.state.path), source.state
        source.backlog = BacklogReader(path, state.format, follow=state.follow, on_ready=self.wake)
        state.size = size
        if source.run.preview is None:
            source.run.show_preview(preview(path, state.format, follow=state.follow))
        return True

    def _read_backlog(self, source: Source) -> None:
        """Take what the worker has parsed; once it is done, read on here."""
        run, state, worker = source.run, source.state, source.backlog
        if worker is None:  # in line
            self._parked.append(source)
            return
        for chunk in worker.poll(most=4):
            if chunk.restarted and state.rows:  # rewritten while the worker read it
                self.restart(run)
                return
            run.take(state, chunk.batch, NO_TIME)
            state.done = chunk.end
        if worker.finished:
            state.problem, source.failed = worker.problem, worker.problem is not None
            source.tail = worker.hand_over(self._fds)
            source.backlog = None
            self._queue(source)
        else:
            self._parked.append(source)

    def restart(self, run: RunState) -> None:
        """Read all of a run again from the first byte: a source of it was rewritten, or its points are wanted back."""
        run.begin()
        for path, state in run.sources.items():
            source = self._sources.get(os.fspath(path))
            failed = source is not None and source.failed  # a worker that failed once is not asked again
            self._drop(path)
            self._open(run, state, tried=failed)
            self._queue(self._sources[os.fspath(path)])  # now, not at the next beat

    def close(self) -> None:
        """Give all descriptors back."""
        for source in self._sources.values():
            source.tail.close()
            if source.backlog is not None:
                source.backlog.close()


def _line_up(states: Iterable[SourceState]) -> list[SourceState]:
    """Say of each file what is read before it, and which place it has among the files of its format.

    Of one format they are read in the order in which they were lived. What rarely tells the time comes after what
    does, so that it finds the resumes known; a document, which tells the line as it stands, comes last. Places go by
    name, which does not change when the console is started again.
    """
    queue = sorted(states, key=lambda state: (_turn(state.format), state.begun))
    last: dict[str, SourceState] = {}
    for state in queue:
        kin = last.get(state.format.name)
        earlier = (other for other in last.values() if _turn(other.format) < _turn(state.format))
        state.before = (kin,) if kin is not None else tuple(earlier)
        last[state.format.name] = state
    places: Counter[str] = Counter()
    for state in sorted(queue, key=lambda state: os.fspath(state.path)):
        state.place = min(places[state.format.name], MAX_PLACE)
        places[state.format.name] += 1
    return queue


def _turn(format: Format) -> int:
    return _LAST if format.document else _TURNS.get(format.name, 0)


def _begun(path: Path) -> tuple[float, str]:
    """Return what sorts files by when they were begun: an event file says so, of others the last write is known."""
    said = _BEGUN.search(path.name)
    return float(said[1]) if said else _mtime(path, math.inf), path.name


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _mtime(path: Path, otherwise: float) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return otherwise
