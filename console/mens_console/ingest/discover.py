"""From folders to runs: walks the roots, looks into what could be a source, and groups what is one.

Nothing here reads beyond the first 64 KiB of a file (and a run's small fact files), and nothing watches.
"""

# Thousands of files are looked at every second and a half: strings and `os`, not `Path`s. Names may hold any bytes.
# ruff: noqa: PTH113, PTH116, PTH118, PTH119

from __future__ import annotations

import os
import stat
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mens_console.ingest.formats.elsewhere import NAMES as ELSEWHERE
from mens_console.ingest.formats.elsewhere import SOAK, SOAK_PART
from mens_console.ingest.found import CHECKPOINT, Checkpoint, FoundFile, FoundRecord, FoundRun
from mens_console.ingest.grouping import Draft, Grouping, Listed, own_stem, root_labels
from mens_console.ingest.records import NO_TIME
from mens_console.ingest.runfacts import RunFacts
from mens_console.ingest.safeopen import explain, read_small
from mens_console.ingest.sniff import NO_KEY, WEAK, Key, Sniff, look_into, may_differ, unsure
from mens_console.ingest.states import without_old_states
from mens_console.ingest.walk import Walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mens_console.ingest.formats.base import Format
    from mens_console.ingest.walk import Folder

__all__ = ["Checkpoint", "Discovery", "FoundFile", "FoundRecord", "FoundRun"]

_TASTE: Final = 16 << 10
"""Bytes decoded to see whether a metrics file carries a loss of its own."""
_AGAIN: Final = 256
"""Files that nobody recognised and that are checked for changes, per scan: each in its turn."""
_REFRESHED: Final = 64
"""Runs whose checkpoints and facts are looked at again per scan, each in its turn; a changed folder is at once."""
_YOUNG_S: Final = 600.0


class Discovery:
    """Finds the runs under `roots` (folders or files), again and again, cheaply.

    `recognise` says which format a file belongs to, from its name and first bytes. Links that lead out of all roots
    are followed only with `follow_outside`. One thread only. `clock` is wall time in seconds since the epoch.
    """

    def __init__(
        self,
        roots: Sequence[str | os.PathLike[str]],
        *,
        recognise: Callable[[str, bytes], Format | None],
        follow_outside: bool = False,
        max_depth: int = 8,
        max_entries: int = 200_000,
        clock: Callable[[], float] = time.time,
    ) -> None:
        real = sorted({os.path.realpath(root) for root in roots})
        folders = [path for path in real if not os.path.isfile(path)]
        self._roots = [
            p for p in folders if not any(p != o and p.startswith(o.rstrip(os.sep) + os.sep) for o in folders)
        ]
        self._files = [p for p in real if p not in folders and not any(p.startswith(r + os.sep) for r in self._roots)]
        self._recognise = recognise
        self._walk = Walk(
            self._roots,
            follow_outside=follow_outside,
            max_depth=max_depth,
            max_entries=max_entries,
            clock_ns=lambda: int(clock() * 1e9),
        )
        self._clock = clock
        self._details = RunFacts(clock)
        self._round: Iterator[Folder] | None = None
        self._known: dict[str, Folder] = {}
        self._sniffed: dict[str, Sniff] = {}
        self._pending: dict[str, tuple[float, bool]] = {}
        self._again: list[str] = []
        self._tastes: dict[str, tuple[Key, bool]] = {}
        self._troubles: dict[str, str] = {}
        self._drafts: list[Draft] = []
        self._runs: dict[str, FoundRun] = {}
        self._stale = True
        self._turn = 0
        self.records: tuple[FoundRecord, ...] = ()
        """Files that are read in other rooms, sorted by path."""
        self.strays: tuple[FoundRecord, ...] = ()
        """Logs that belong to no run, such as a server's, sorted by path."""
        self.complete = False
        """Whether everything under the roots was seen and looked into at least once."""

    @property
    def problems(self) -> tuple[str, ...]:
        """What could not be read or was left out, with its cure; paths are raw (see `safe_text`)."""
        return (*self._walk.problems.values(), *self._troubles.values())

    @property
    def folders(self) -> int:
        """Folders known so far."""
        return len(self._known)

    def scan(self, budget_s: float = 0.25) -> tuple[FoundRun, ...]:
        """Go on looking for at most about `budget_s` seconds; return all runs known by now, sorted by id.

        A round may take several calls: half of the time goes to the walk, the rest to looking into the newest files.
        A run that did not change is the same object as before.
        """
        started = time.perf_counter()
        walked = self._advance_walk(started + budget_s / 2)
        if walked:
            self._look_again()
        looked = self._sniff_newest(started + budget_s)
        self.complete = self.complete or (walked and looked)
        self._regroup()
        return tuple(self._runs.values())

    def recheck(self, path: str | os.PathLike[str]) -> None:
        """Look into a file again at the next scan: its content was replaced, maybe by another format's."""
        name = os.fspath(path)
        if name in self._sniffed:
            self._pending[name] = (self._clock(), self._sniffed[name].link)

    # ------------------------------------------------------------------ walking

    def _advance_walk(self, until: float) -> bool:
        """Walk on; return whether a round was completed."""
        if self._round is None:
            self._round = self._walk.round()
            for path in self._files:
                if path not in self._sniffed:
                    self._pend(path, link=False)
        for folder in self._round:
            if self._known.get(folder.path) is not folder:
                self._admit(folder)
            if time.perf_counter() > until:
                return False
        self._round = None
        for path in self._known.keys() - self._walk.folders.keys():
            self._forget(path)
        return True

    def _admit(self, folder: Folder) -> None:
        """Take in a folder that is new or changed: look into what is new in it, forget what is gone."""
        before = self._known.get(folder.path)
        self._known[folder.path] = folder
        self._stale = True
        names: dict[str, bool] = dict.fromkeys(folder.files, False)
        names.update((name, True) for name in folder.links if self._walk.may_follow(os.path.join(folder.path, name)))
        for name, link in names.items():
            path = os.path.join(folder.path, name)
            same = before is not None and before.files.get(name, -1) == folder.files.get(name)
            if not same or path not in self._sniffed:
                self._pend(path, link=link)
        if before is not None:
            for name in (before.files.keys() | set(before.links)) - names.keys():
                self._drop(os.path.join(folder.path, name))

    def _forget(self, path: str) -> None:
        folder = self._known.pop(path)
        self._stale = True
        for name in (*folder.files, *folder.links):
            self._drop(os.path.join(path, name))

    def _drop(self, path: str) -> None:
        self._sniffed.pop(path, None)
        self._pending.pop(path, None)
        self._troubles.pop(path, None)
        self._tastes.pop(path, None)

    def _pend(self, path: str, *, link: bool) -> None:
        try:
            status = os.stat(path, follow_symlinks=link)
        except OSError:
            return  # gone again, or a dangling link: its folder's next change brings it back
        if stat.S_ISREG(status.st_mode):
            self._pending[path] = (status.st_mtime, link)
        elif not stat.S_ISDIR(status.st_mode):
            self._troubles[path] = f"{path}: it is not a regular file (a pipe or device): it is not read"

    # ------------------------------------------------------------------ looking into files

    def _sniff_newest(self, until: float) -> bool:
        """Look into pending files, newest first; return whether all were."""
        for path in sorted(self._pending, key=self._pending.__getitem__, reverse=True):
            _, link = self._pending.pop(path)
            self._sniff(path, link=link)
            if time.perf_counter() > until:
                break
        return not self._pending

    def _sniff(self, path: str, *, link: bool) -> None:
        before = self._sniffed.get(path)
        self._troubles.pop(path, None)
        try:
            key = Key.of(path, follow=link)
            found, why = look_into(path, key.size, self._recognise, link=link, asked=path in self._files)
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                self._troubles[path] = f"{path}: {explain(error)}"
                self._sniffed[path] = Sniff(NO_KEY, None, link)
            return
        if why is not None:
            self._troubles[path] = f"{path}: {why}"
        self._sniffed[path] = Sniff(key, found, link)
        if (before.format if before else None) is not found:
            self._stale = True

    def _look_again(self) -> None:
        """Pend files that were not (or weakly) recognised and changed: an empty log gets rows, rights are mended.

        Young and empty ones are checked each time, of the others some in their turn.
        """
        if not self._again:
            self._again = [path for path, sniff in self._sniffed.items() if unsure(sniff)]
        turn, self._again = self._again[:_AGAIN], self._again[_AGAIN:]
        since = int((self._clock() - _YOUNG_S) * 1e9)
        young = (
            path
            for path, sniff in self._sniffed.items()
            if unsure(sniff) and (not sniff.key.size or sniff.key.mtime_ns > since)
        )
        for path in {*turn, *islice(young, 4 * _AGAIN)}:
            sniff = self._sniffed.get(path)
            if sniff is None or not unsure(sniff):
                continue
            try:
                key = Key.of(path, follow=sniff.link)
            except OSError:
                continue  # gone: its folder's next listing drops it
            if key != sniff.key and may_differ(sniff, key):
                self._pending[path] = (key.mtime_ns / 1e9, sniff.link)

    def _trains(self, file: Listed) -> bool:
        """Whether the beginning of a metrics file carries a training loss."""
        sniff = self._sniffed[file.path]
        known = self._tastes.get(file.path)
        if known is not None and (known[1] or known[0] == sniff.key):
            return known[1]
        try:
            head = read_small(file.path, _TASTE, follow=file.link)
        except OSError:
            return False  # gone or refused: it is no training that can be told apart
        batch = sniff.format.decoder().feed(head, NO_TIME)[1] if sniff.format else None
        loss = batch is not None and any("loss" in columns.names for columns in batch.columns)
        self._tastes[file.path] = (sniff.key, loss)
        return loss

    # ------------------------------------------------------------------ runs

    def _regroup(self) -> None:
        """Group anew if anything changed; read the details of changed runs, and of some others in their turn."""
        drafts = self._drafts
        if self._stale:
            self._stale = False
            before = {draft.id: draft for draft in self._drafts}
            drafts = self._group()
            fresh = {draft.id for draft in drafts if before.get(draft.id) != draft}
        else:
            fresh = set()
        self._drafts = drafts
        turn = {draft.id for draft in drafts[self._turn : self._turn + _REFRESHED]}
        self._turn = self._turn + _REFRESHED if self._turn + _REFRESHED < len(drafts) else 0
        runs: dict[str, FoundRun] = {}
        for draft in drafts:
            known = self._runs.get(draft.id)
            if known is None or draft.id in fresh or draft.id in turn:
                run = self._complete(draft)
                known = known if known == run else run
            runs[draft.id] = known
        self._runs = runs

    def _group(self) -> list[Draft]:
        real = {(sniff.key.device, sniff.key.inode) for sniff in self._sniffed.values() if not sniff.link}
        files = [
            Listed(path, sniff.format.name, sniff.link)
            for path, sniff in self._sniffed.items()
            if sniff.format is not None and not (sniff.link and (sniff.key.device, sniff.key.inode) in real)
        ]
        self.records = self._elsewhere(files)
        soaks = {file.folder for file in files if file.format_name == SOAK}
        files = [file for file in files if file.format_name not in ELSEWHERE]
        soaks -= {file.folder for file in files if file.format_name != WEAK}
        files = [file for file in files if file.folder not in soaks]  # what its driver printed is no run
        markers = {folder.path: folder.markers for folder in self._known.values() if folder.markers}
        alone = set(self._files)
        grouping = Grouping((f for f in files if f.path not in alone), markers, self._trains)
        drafts = grouping.runs(self._roots)
        # Any text is read as a log where a run has it; alone, a `.txt` is a list or a licence.
        self.strays = self._labelled([file for file in grouping.strays if not file.path.endswith(".txt")])
        taken = {draft.id for draft in drafts}
        for file in files:
            if file.path in alone:
                run_id = next(i for i in (file.stem, os.path.basename(file.path), file.path) if i not in taken)
                taken.add(run_id)
                drafts.append(Draft(run_id, file.folder, run_id, (file,), own_stem(file)))
        return drafts

    def _elsewhere(self, files: list[Listed]) -> tuple[FoundRecord, ...]:
        """Return the files of other rooms."""
        kinds = ELSEWHERE - {SOAK_PART}
        return self._labelled([file for file in files if file.format_name in kinds])

    def _labelled(self, files: list[Listed]) -> tuple[FoundRecord, ...]:
        """Return files each with its folder's name relative to its root, by path."""
        labels = root_labels(self._roots)
        found = []
        for file in sorted(files, key=lambda f: f.path):
            root = next((r for r in self._roots if file.path.startswith(r.rstrip(os.sep) + os.sep)), None)
            inner = "." if root is None else os.path.relpath(file.folder, root)
            parts = [part for part in (labels.get(root or "", "."), inner) if part != "."]
            name = "/".join(parts) or os.path.basename(file.folder) or file.folder
            found.append(FoundRecord(name, Path(file.path), file.format_name))
        return tuple(found)

    def _complete(self, draft: Draft) -> FoundRun:
        known = self._known.get(draft.path)
        owns_folder = all(file.path not in self._files for file in draft.files)
        names = [name for name in known.markers if CHECKPOINT.fullmatch(name)] if known and owns_folder else []
        checkpoints = self._details.checkpoints(draft.path, names)
        folders = [draft.path, *(os.fspath(c.path) for c in checkpoints[-1:])]
        facts = self._details.facts(folders) if owns_folder else {}
        files = tuple(FoundFile(Path(f.path), f.format_name, f.link) for f in without_old_states(draft))
        place = os.path.join(os.path.realpath(draft.path), draft.stem).rstrip(os.sep)
        return FoundRun(draft.id, Path(draft.path), draft.name, files, checkpoints, facts, place)
