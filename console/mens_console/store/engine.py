"""The engine: finds runs, reads what grows, judges, and publishes snapshots. It owns all mutable state on one thread.

The same engine answers the screens (`start`), the one-shot commands (`load`) and a replay (`step` on its clock).
"""

from __future__ import annotations

import getpass
import math
import os
import sys
import threading
import time
import traceback
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mens_console.config.changes import Changes
from mens_console.ingest.formats import FORMATS
from mens_console.ingest.formats.elsewhere import ATTEMPTS, KPI
from mens_console.signals.metricrules import with_custom
from mens_console.signals.rules import adjusted
from mens_console.store.alertbook import AlertBook
from mens_console.store.box import Box
from mens_console.store.budget import Budget
from mens_console.store.desk import Desk
from mens_console.store.generation import WORKERS as LOG_WORKERS
from mens_console.store.generation import Generation, follow_attempts, grouped
from mens_console.store.histories import Histories
from mens_console.store.judge import Judge
from mens_console.store.probe import SystemProbe
from mens_console.store.reading import WORKERS, Reader
from mens_console.store.run import RunState
from mens_console.store.search import Search
from mens_console.store.snapshot import EMPTY, Snapshot
from mens_console.store.soaks import Soaks
from mens_console.store.straylogs import StrayLogs
from mens_console.store.views import Views

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mens_console.config import Settings
    from mens_console.ingest.discover import FoundRun
    from mens_console.signals.alerts import Silence
    from mens_console.store.box import MachineSource
    from mens_console.store.probe import ProcessProbe
    from mens_console.store.snapshot import NotifierView

LONGEST_REST_S = 1.0
"""How long the engine sleeps at most: what is in sight is never older."""
SLICE_S = 0.04
"""How long one step may read before it publishes what it has."""


class Engine:
    """Everything known about the runs under `roots`.

    `clock` returns seconds since the epoch and `probe` knows the box's processes; a replay injects both. With `watch`
    false no kernel hints are used, polling alone. `book` remembers what the operator did about alerts (without one it
    is forgotten with the engine); `machine` samples GPUs, host and volumes; `notifier` reads the
    heartbeat of the daemon that sends notifications.
    """

    def __init__(
        self,
        roots: Sequence[Path],
        settings: Settings,
        *,
        clock: Callable[[], float] = time.time,
        probe: ProcessProbe | None = None,
        watch: bool = True,
        replay: bool = False,
        book: AlertBook | None = None,
        machine: MachineSource | None = None,
        notifier: Callable[[], NotifierView | None] = lambda: None,
    ) -> None:
        self.settings = settings
        self.roots = tuple(roots)
        self.replay = replay
        self._clock = clock
        self._watch = watch and not replay
        self._wake = threading.Event()
        self._reader = Reader({f.name: f for f in FORMATS}, self._wake.set, workers=0 if replay else WORKERS)
        self._search = Search(roots, settings, self._reader.beat, self._wake.set, clock=clock, eager=replay)
        rules, self._rule_problems = adjusted(settings.thresholds)
        self._rules = with_custom(rules, settings.rules)
        self._changes = Changes(settings.files)
        self._box = Box(machine, self._rules)
        self._generation = Generation(
            self._rules,
            attempts=partial(
                follow_attempts, remember=not replay, workers=0 if replay else LOG_WORKERS, wake=self._wake.set
            ),
        )
        self._soaks = Soaks(self._rules, threaded=not replay, wake=self._wake.set)
        self._strays = StrayLogs()
        probe = probe or SystemProbe()
        self._judge = Judge(probe, self._box, self._rules)
        self._runs: dict[str, RunState] = {}
        book = book or AlertBook(None, clock=clock)
        reducers = (self._box.alerts, self._generation.alerts, self._soaks.alerts)
        self._desk = Desk(
            book, self._runs, reducers, self._wake.set, author=_author(), boot=probe.boot_time(), notifier=notifier
        )
        self._views = Views(self._runs, self._desk)
        self._histories = Histories(self._runs, self._desk.recall)
        self._budget = Budget(self._runs, settings.memory_budget_mb * 1_000_000, self._reader.restart)
        self._snapshot: Snapshot = replace(EMPTY, roots=self.roots, replay=replay)
        self._changed = True
        self._stepped_at = float("-inf")
        self._failure = ""
        self._not_before = self._held_until = float("-inf")
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._publish: Callable[[Snapshot], None] = lambda _: None

    # ------------------------------------------------------------------ faces

    @property
    def snapshot(self) -> Snapshot:
        """The latest published snapshot."""
        return self._snapshot

    def load(
        self, progress: Callable[[int, int], None] | None = None, *, logs: bool = False, soaks: bool | None = True
    ) -> Snapshot:
        """Find every run, read everything once and judge it; `progress` is told bytes done and in all.

        With `logs` attempt logs and records of KPIs are read to their end too, which may take minutes; otherwise
        the snapshot's `unread` tells how many there are. Without `soaks` these are left out (days
        take a second), and None names them only.
        """
        while self.step(self._clock(), one_shot=True) or self._snapshot.scanning:
            if not self._reader.busy:
                self._wake.wait(0.05)  # workers are parsing
                self._wake.clear()
            if progress is not None:
                sources = [s for run in self._runs.values() for s in run.sources.values()]
                progress(sum(s.done for s in sources), sum(s.size for s in sources))
        if self._box.source is not None:
            self._box.source.once()
            self.step(self._clock(), one_shot=True)
        if soaks:
            self._load_soaks()
        elif soaks is None and self._soaks.admit(self._search.records):
            self._changed = True
            self._publish_changes(self._clock(), one_shot=True)
        if logs:
            self._load_logs(progress)
        self._reader.close()
        return self._snapshot

    def _load_soaks(self) -> None:
        """Read soaks to their end, and judge them."""
        if not self._soaks.admit(self._search.records):
            return
        while self._soaks.attend(self._clock()) or self._soaks.waits:
            self._wake.wait(0.05)
            self._wake.clear()
        now = self._clock()
        self._changed = True
        self._desk.attend(now)
        self._publish_changes(now, one_shot=True)
        self._soaks.close()

    def _load_logs(self, progress: Callable[[int, int], None] | None) -> None:
        """Read attempt logs and records of KPIs to their end, and judge them."""
        generation = self._generation
        generation.admit(self._search.records)
        while generation.attend(self._clock()) or generation.waits:
            if not generation.more:
                self._wake.wait(0.05)  # workers are counting
                self._wake.clear()
            if progress is not None:
                progress(*generation.progress)
        now = self._clock()
        self._changed = True
        self._desk.attend(now)
        self._publish_changes(now, one_shot=True)
        generation.close()

    def subscribe(self, on_publish: Callable[[Snapshot], None]) -> None:
        """Call `on_publish` with every snapshot, on the thread that steps the engine."""
        self._publish = on_publish

    def start(self, on_publish: Callable[[Snapshot], None]) -> None:
        """Watch on a thread of the engine's own; `on_publish` is called there with every new snapshot."""
        self.subscribe(on_publish)
        self._thread = threading.Thread(target=self._loop, name="engine", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching and give every resource back."""
        self._stopping = True
        self._wake.set()
        if self._box.source is not None:
            self._box.source.stop()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=5)
            self._desk.note_presence(self._clock(), leaving=True)
        self._generation.close()
        self._soaks.close()
        self._reader.close()

    def want(self, run_id: str | None, in_sight: Iterable[str] = ()) -> None:
        """Tell which run is being looked at, and which others are in sight.

        The wanted one's points are loaded again if it went cold. Where thousands of runs move at once, these are
        followed closely and the others refreshed in turn.
        """
        self._views.want(run_id, in_sight)
        self._wake.set()

    def acknowledge(self, run_id: str, fingerprint: str, note: str = "") -> None:
        """Mark an alert as seen, soon; `run_id` is "" for an alert about the machine."""
        self._desk.acknowledge(run_id, fingerprint, note)

    def silence(self, silence: Silence) -> None:
        """Hear nothing of some alerts for a while."""
        self._desk.silence(silence)

    def unsilence(self, silence_id: str) -> None:
        """End a silence."""
        self._desk.unsilence(silence_id)

    def look_at_machine(self, on: bool) -> None:
        """Tell whether somebody looks at the machine, so that it is sampled often."""
        if self._box.source is not None:
            self._box.source.hurry(on)

    def touch(self, at: float) -> None:
        """Tell that somebody touched the console (s); until the first time somebody is taken to be there always."""
        self._desk.touched_at = at

    def pace(self, not_before: float) -> None:
        """Publish nothing before this moment (monotonic seconds): nobody would see what is made until then."""
        self._not_before = not_before

    def hint(self, paths: Iterable[Path]) -> None:
        """Look at these files at the next step (a replay knows what it wrote)."""
        self._search.hint(paths)

    # ------------------------------------------------------------------ loop

    def _loop(self) -> None:
        sys.setswitchinterval(0.001)  # the painting thread must not wait long for a parsing one
        if self._box.source is not None:
            self._box.source.start(self._wake.set)
        if self._watch:
            self._search.watch()
        while not self._stopping:
            more = self._step_or_tell()
            if not more:
                self._wake.wait(min(self._reader.beat.interval(), LONGEST_REST_S, self._until_published()))
            self._wake.clear()
        self._search.close()

    def _until_published(self) -> float:
        """Return the seconds until what is held back may be published, infinity where nothing is."""
        return max(0.0, self._held_until - time.monotonic()) if math.isfinite(self._held_until) else math.inf

    def _step_or_tell(self) -> bool:
        """Make one pass; what goes wrong in it is shown, and tried again, instead of ending in silence."""
        now = self._clock()
        try:
            more = self.step(now)
            self._search.attend_watcher(now)
            self._desk.note_presence(now)
        except Exception as error:
            if os.environ.get("MENS_DEBUG"):
                raise
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}:{place.lineno}"
            self._failure = f"internal error, please report it: {type(error).__name__}: {error} ({where})"
            self._changed = True
            self._publish_changes(now, one_shot=False)
            return False
        return more

    def step(self, now: float, *, one_shot: bool = False) -> bool:
        """Make one pass: search, read for a slice of time, judge, publish. True where bytes are known to wait.

        With `one_shot` nobody comes back later: torn last records count, and nothing is put off.
        """
        if now < self._stepped_at:
            self._forget_times()
        self._stepped_at = now
        self._search.hear(now, self._looked_at() if self._reader.beat.crowded else ())
        if self._search.is_due(now):
            self._admit_all(now, one_shot=one_shot)
        more = self._read(now, one_shot=one_shot)
        self._histories.fold(now)
        unseen = self._box.view is None
        self._changed |= self._box.attend(self._runs.values(), self._judge.pids, now)
        self._desk.follow_machine(self._box.alerts, first=unseen)
        if not one_shot:  # gigabytes of attempts are no part of a short answer: `health` and `kpi` give it
            self._changed |= self._generation.attend(now)
            self._changed |= self._soaks.attend(now)
            more |= self._generation.more or self._soaks.more
        self._judge.refresh(self._runs.values(), now)
        self._changed |= self._desk.attend(now)
        self._budget.keep(self._views.wanted, now)
        self._publish_changes(now, one_shot=one_shot)
        return more

    def _forget_times(self) -> None:
        """Put nothing off any longer: the clock was set back, and what was due by it may be hours away."""
        for part in (self._search, self._views, self._budget, self._judge, self._histories):
            part.begin_again()

    def _looked_at(self) -> Iterator[Path]:
        """Return the files of runs in sight: where thousands move at once, these go first."""
        for run_id in self._views.in_sight:
            run = self._runs.get(run_id)
            yield from run.sources if run is not None else ()

    def _admit_all(self, now: float, *, one_shot: bool) -> None:
        """Search, take in what was found, and let go what is no longer there."""
        found = self._search.scan(now)
        if not one_shot:
            self._changed |= self._generation.admit(self._search.records)
            self._changed |= self._soaks.admit(self._search.records)
            self._changed |= self._strays.admit(self._search.strays)
        for run_id, fresh in found.items():
            self._admit(run_id, fresh)
        for run_id in [r for r in self._runs if r not in found]:
            self._reader.forget(self._runs.pop(run_id))
            self._views.drop(run_id)
            self._changed = True

    def _admit(self, run_id: str, fresh: FoundRun) -> None:
        run = self._runs.get(run_id)
        if run is None:
            run = self._runs[run_id] = RunState(
                fresh, ema_alpha=self.settings.ema_alpha, rules=self._rules, custom=self.settings.rules
            )
        elif run.found == fresh:
            return
        run.found = fresh
        run.touch("facts", "sources")
        run.rows_rev += 1
        self._reader.adopt(run, fresh.files)

    def _read(self, now: float, *, one_shot: bool) -> bool:
        """Read for a slice of time; True where more is known to wait."""
        until = time.monotonic() + SLICE_S
        for source in self._reader.due(now):
            self._budget.grew |= self._reader.read(source, now, one_shot=one_shot)
            if time.monotonic() > until:
                break
        return self._reader.busy

    def _publish_changes(self, now: float, *, one_shot: bool) -> None:
        scanning = not self._search.complete or any(run.history for run in self._runs.values())
        hurried = self.replay or one_shot or scanning or self._snapshot.scanning
        self._held_until = float("-inf")
        if not hurried and time.monotonic() < self._not_before:
            self._held_until = self._not_before
            return
        self._changed |= self._views.renew(now, hurried=hurried)
        failure = (self._failure,) if self._failure else ()
        if not (one_shot or self.replay):
            self._changes.look(now)
        asked = (*self.settings.problems, *self._rule_problems, *self._changes.problems)
        book = (self._desk.book.problem,) if self._desk.book.problem else ()
        problems = (*failure, *asked, *book, *self._search.problems)
        problems += (*self._generation.problems, *self._soaks.problems)
        if not self._changed and scanning == self._snapshot.scanning and problems == self._snapshot.problems:
            return
        self._changed = False
        left = one_shot and not self._generation.views
        self._snapshot = Snapshot(
            self._snapshot.rev + 1,
            now,
            tuple(self._views.by_id.values()),
            problems,
            self.roots,
            scanning,
            self.replay,
            machine=self._box.view,
            box_alerts=self._desk.dress(
                (*self._box.alerts.views, *self._generation.alerts.views, *self._soaks.alerts.views), now
            ),
            silences=self._desk.silences,
            left_at=self._desk.left_at,
            notifier=self._desk.notifier,
            by_id=dict(self._views.by_id),
            health=self._generation.views,
            kpi=self._generation.kpi,
            unread=self._unread() if left else 0,
            unread_logs=grouped(self._search.records) if left else {},
            soaks=self._soaks.views,
            strays=self._strays.views,
        )
        self._publish(self._snapshot)

    def _unread(self) -> int:
        return sum(record.kind in (ATTEMPTS, KPI) for record in self._search.records)


def _author() -> str:
    """Return who gives the orders: the login name, or the number of a user without one."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
