"""Which runs and records there are: found by searching the folders, at once where the kernel hints at something new.

Nothing is read or judged here. All but `hint` happens on the engine's thread.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final

from mens_console.ingest.discover import Discovery
from mens_console.ingest.formats import recognise
from mens_console.ingest.watch import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from mens_console.config import Settings
    from mens_console.ingest.beat import Beat
    from mens_console.ingest.discover import FoundRun
    from mens_console.ingest.found import FoundRecord

SCAN_S: Final = 1.0
"""Between two searches for new runs and files, so that one appears within two seconds."""
HINTED_SCAN_S: Final = 10.0
"""The same where the kernel hints at what is new."""
RESTLESS_S: Final = 3.0
"""After news, searches go on as without hints: a folder may get its files before the kernel watches it."""
NEWS_S: Final = 0.2
"""Between two searches when the kernel hints at files that nobody knows."""
_LONG_AGO: Final = float("-inf")


class Search:
    """The search below `roots`. `beat` is told which files moved, `wake` is called when there are hints.

    With `eager` news are looked for at every step, as a replay wants it.
    """

    def __init__(
        self,
        roots: Sequence[Path],
        settings: Settings,
        beat: Beat,
        wake: Callable[[], None],
        *,
        clock: Callable[[], float],
        eager: bool,
    ) -> None:
        self._roots, self._beat, self._wake, self._eager = roots, beat, wake, eager
        self._discovery = Discovery(
            roots,
            recognise=recognise,
            follow_outside=settings.follow_symlinks,
            max_depth=settings.max_depth,
            clock=clock,
        )
        self._watcher: Watcher | None = None
        self._hints: deque[str] = deque()
        self._news = False
        self._scanned_at = self._restless_until = _LONG_AGO
        self._checked_folders = -1
        self.complete = False
        """Whether every root was searched."""

    @property
    def records(self) -> tuple[FoundRecord, ...]:
        """Files that are read in other rooms than runs are."""
        return self._discovery.records

    @property
    def strays(self) -> tuple[FoundRecord, ...]:
        """Log streams that belong to no run."""
        return self._discovery.strays

    @property
    def problems(self) -> tuple[str, ...]:
        """What could not be searched, or is not watched."""
        watched = () if self._watcher is None else tuple(self._watcher.problems)
        return (*self._discovery.problems, *watched)

    # ------------------------------------------------------------------ hints

    def watch(self) -> None:
        """Ask the kernel for hints from now on."""
        self._watcher = Watcher(self._hinted)
        self._watcher.start(self._roots)

    def close(self) -> None:
        """Take no more hints."""
        if self._watcher is not None:
            self._watcher.close()

    def hint(self, paths: Iterable[Path]) -> None:
        """Note that these files moved; from any thread."""
        self._hints.extend(str(path) for path in paths)

    def _hinted(self, path: str) -> None:
        """Note a hint of the kernel; called on the watcher's thread."""
        self._hints.append(path)
        self._wake()

    def hear(self, now: float, looked_at: Iterable[Path]) -> None:
        """Pass hints on, and that these files are looked at; those at files that nobody knows are news."""
        hints = dict.fromkeys(self._hints.popleft() for _ in range(len(self._hints)))  # in their order, each once
        hints.update(dict.fromkeys(map(str, looked_at)))
        unknown = [path for path in hints if not self._beat.hint(path)]
        if unknown:
            self._news, self._restless_until = True, now + RESTLESS_S

    def attend_watcher(self, now: float) -> None:
        """Bring hints back after a storm, and notice where the kernel watches only a part of the tree."""
        if self._watcher is None:
            return
        self._watcher.tick(time.monotonic(), self._beat.changed_per_s(now))
        hints = self._watcher.mode == "hints" and not self._watcher.problems
        if hints and not self._beat.hints:
            self._restless_until = now + RESTLESS_S  # what was made before the watch began gave no hint
        self._beat.hints = hints
        if self.complete and self._discovery.folders != self._checked_folders:
            self._checked_folders = self._discovery.folders
            self._watcher.check(self._checked_folders)

    # ------------------------------------------------------------------ searching

    def begin_again(self) -> None:
        """Put no search off any longer."""
        self._scanned_at = self._restless_until = _LONG_AGO

    def is_due(self, now: float) -> bool:
        """Whether it is time to search."""
        since = now - self._scanned_at
        usual = HINTED_SCAN_S if self._beat.hints and now > self._restless_until else SCAN_S
        return since >= usual or not self.complete or (self._news and (since >= NEWS_S or self._eager))

    def scan(self, now: float) -> dict[str, FoundRun]:
        """Search for a while; return the runs that are known then, by id."""
        self._scanned_at = now
        self._news = False
        found = {run.id: run for run in self._discovery.scan()}
        self.complete = self._discovery.complete
        return found
