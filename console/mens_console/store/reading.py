"""Which file is read when, and into which run.

The beat says whose turn it is; what has more to read than one turn allows waits in line, so that no file starves
another.
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mens_console.ingest.beat import Beat
from mens_console.ingest.document import open_tail
from mens_console.ingest.records import NO_TIME
from mens_console.ingest.safeopen import FdCache
from mens_console.store.run import SourceState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from mens_console.ingest.discover import FoundFile
    from mens_console.ingest.document import DocumentTail
    from mens_console.ingest.formats.base import Format
    from mens_console.ingest.tail import Tail
    from mens_console.store.run import RunState

ABANDONED_S: Final = 60.0
"""A torn last record of a file this long untouched counts as complete: nobody seems to write any more."""
TURN_BYTES: Final = 256 << 10
"""Bytes of one file read at a turn: some milliseconds of parsing, after which others get theirs."""


@dataclass(slots=True, eq=False)
class Source:
    """One file of one run and how it is read."""

    run: RunState
    state: SourceState
    tail: Tail | DocumentTail
    gone: bool = False


@dataclass(slots=True)
class Reader:
    """Reads the sources of all runs, each in order, no byte twice."""

    formats: dict[str, Format]
    beat: Beat = field(default_factory=Beat)
    _fds: FdCache = field(default_factory=FdCache)
    _sources: dict[str, Source] = field(default_factory=dict)
    _waiting: deque[Source] = field(default_factory=deque)

    def adopt(self, run: RunState, files: Iterable[FoundFile]) -> None:
        """Make these the sources of the run: new ones are read from byte 0, those no longer named are dropped.

        A file that turns out to be of another format than it seemed at first is read anew.
        """
        wanted = {file.path: file for file in files if file.format_name in self.formats}
        for path, state in list(run.sources.items()):
            if path not in wanted or state.format.name != wanted[path].format_name:
                self._drop(path)
                run.drop(path)
        for path, file in wanted.items():
            if path not in run.sources:
                run.sources[path] = SourceState(path, self.formats[file.format_name], follow=file.link)
                self._open(run, run.sources[path])

    def _open(self, run: RunState, state: SourceState) -> None:
        name = os.fspath(state.path)
        self._sources[name] = Source(run, state, open_tail(name, state.format, self._fds, follow=state.follow))
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
            self.beat.discard(os.fspath(path))

    def due(self, now: float) -> Iterator[Source]:
        """Yield the sources whose turn it is, then those that have more, again and again while they have."""
        for path in self.beat.due(now):
            source = self._sources.get(path)
            if source is not None and source not in self._waiting:
                self._waiting.append(source)
        while self._waiting:
            source = self._waiting.popleft()
            if not source.gone:
                yield source

    @property
    def busy(self) -> bool:
        """Whether sources wait to be read on."""
        return bool(self._waiting)

    def read(self, source: Source, now: float, *, one_shot: bool) -> None:
        """Read a turn's worth of one source into its run."""
        run, state, tail = source.run, source.state, source.tail
        if state.format.document and run.history and not run.logs_caught_up:
            self._waiting.append(source)  # a document tells the line as it stands; who lived through it is read first
            return
        abandoned = one_shot or now - state.mtime > ABANDONED_S
        chunk = tail.poll(now, limit=TURN_BYTES, final=abandoned)
        if (tail.problem, tail.size) != (state.problem, state.size):
            run.touch("sources")
        state.problem, state.size, state.done = tail.problem, tail.size, tail.done
        if chunk is not None:
            state.mtime = _mtime(state.path, state.mtime)
            if chunk.restarted and state.rows:
                self.restart(run)
                return
            run.take(state, chunk.batch, NO_TIME if run.history else now)
            self.beat.changed(tail.path, now)
        if tail.more and state.problem is None:
            self._waiting.append(source)
        elif not state.caught_up:
            state.mtime = _mtime(state.path, state.mtime)
            state.caught_up = True
            run.touch("sources")

    def restart(self, run: RunState) -> None:
        """Read all of a run again from the first byte: a source of it was rewritten, or its points are wanted back."""
        run.begin()
        for path, state in run.sources.items():
            self._drop(path)
            self._open(run, state)

    def close(self) -> None:
        """Give all descriptors back."""
        for source in self._sources.values():
            source.tail.close()


def _mtime(path: Path, otherwise: float) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return otherwise
