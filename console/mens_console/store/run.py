"""One run: its sources, series, facts and signals, and the frozen view of all of them.

Rows are folded once, in order. What was there before the console came is history: it is read whole, then judged in
one pass, and it never rings. After that every new point goes to the signals as it arrives.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

from mens_console.ingest.formats.training_status import EVALUATION
from mens_console.ingest.records import NO_TIME, Columns
from mens_console.signals.checkpoints import CheckpointFact
from mens_console.signals.rules import RULES
from mens_console.signals.run import RunSignals
from mens_console.store.axis import Writer
from mens_console.store.counted import Counted
from mens_console.store.facts import RunFacts
from mens_console.store.frame import Frame
from mens_console.store.looks import Looks
from mens_console.store.samples import Samples
from mens_console.store.snapshot import FACETS, Facet
from mens_console.store.source import BAD_SAMPLES, SourceState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from mens_console.ingest.discover import FoundRun
    from mens_console.ingest.records import Batch
    from mens_console.signals.checkpoints import CheckpointForecast
    from mens_console.signals.diagnosis import Diagnosis
    from mens_console.signals.metricrules import MetricRule
    from mens_console.signals.rules import Rule
    from mens_console.store.frame import Growth

SAMPLED = "training_status"
"""The format whose document shows the newest value of everything, whenever that was measured."""
TEXT = frozenset({"log", "hf_console"})
"""Formats that any program's output may look like."""
YOUNG_S = 900.0
"""For how long after its last write a text without metrics counts as a run that is about to begin."""
COLD_LOOKS = 64
"""Looks at adapters kept of a run that went cold."""
FOLD_ROWS = 4096
"""Rows judged at a time; the engine takes a breath in between so that the painting thread gets its turn."""


class RunState:
    """Mutable state of one run, touched by the engine's thread alone."""

    def __init__(
        self,
        found: FoundRun,
        *,
        ema_alpha: float,
        rules: Mapping[str, Rule] = RULES,
        custom: Sequence[MetricRule] = (),
    ) -> None:
        self.found = found
        self.place = found.place or os.fspath(found.path)
        """What the run is known by, whichever roots are searched."""
        self.sources: dict[Path, SourceState] = {}
        self.cold = False
        self.wanted_at = 0.0
        self.folded_at = float("-inf")
        self.revs: dict[Facet, int] = dict.fromkeys(FACETS, 0)
        self.rev = 0
        self.dirty = True
        self.rows_rev = 0
        self.judge_rev = -1
        self.judged_key: object = None
        self.diagnosis: Diagnosis | None = None
        self.seen_alive: set[int] = set()
        self.next_checkpoint: CheckpointForecast | None = None
        self.trainers: set[int] = set()
        """Processes that did more than stand in the folder."""
        self._alpha, self._rules, self._custom = ema_alpha, rules, custom
        self.begin()

    def begin(self) -> None:
        """Forget all rows: the sources are about to be read again from their first byte."""
        self.frame = Frame()
        self.counted = Counted()
        self.facts = RunFacts()
        self.signals = self._fresh_signals()
        self.looks = Looks(self.found.id, self._rules)
        self.samples = Samples()
        self._dated: set[str] = set()
        """Evaluations that a source tells with the step they were made at."""
        self.history = True
        self.stale_signals = False
        self.last_row_wall = NO_TIME
        self.preview: Batch | None = None
        for source in self.sources.values():
            source.rows = source.bad_rows = source.done = 0
            source.bad.clear()
            source.caught_up = source.sampled = False
            source.heard = source.newest = NO_TIME
        self.touch(*FACETS)

    def touch(self, *facets: Facet) -> None:
        """Note that something of these facets changed."""
        for facet in facets:
            self.revs[facet] += 1
        self.dirty = True

    def verdict_key(self) -> object:
        """Return what must change for more rows to change the verdict on a running run."""
        return self.revs["facts"], self.signals.alerts.rev, self.signals.nan is None

    def show_preview(self, batch: Batch | None) -> None:
        """Show the newest rows while the history before them is still being read."""
        if batch is not None and batch.columns:
            self.preview = batch
            self.touch("series")

    def drop(self, path: Path) -> None:
        """Forget a source; its rows stay."""
        self.sources.pop(path, None)
        self.facts.errors = [e for e in self.facts.errors if e.source != path]
        self.touch("sources")

    # ------------------------------------------------------------------ taking in

    def take(self, source: SourceState, batch: Batch, at: float) -> None:
        """Take in what was read of one source; `at` is when it was seen to arrive (`NO_TIME` for history)."""
        self.rows_rev += 1
        source.note(batch)
        if batch.system:
            self.samples.take(batch.system)
            self.touch("series")
        if batch.replace:
            source.rows = source.bad_rows = 0
            source.bad.clear()
        source.rows += batch.rows
        source.bad_rows += batch.bad_rows
        source.bad += batch.bad[: BAD_SAMPLES - len(source.bad)]
        self.touch("sources")
        rank = source.format.precedence
        seen = at if not math.isnan(at) else source.mtime
        writer = Writer(source.format.name, str(source.path), rank + source.place, at, source.mtime)
        for fact in batch.facts:
            self.facts.take(fact, source.path, rank=rank, rows=source.rows, wall=seen)
        self.facts.spell(batch.spelled)
        if batch.facts:
            self.touch("facts")
            self.signals.total(self.facts.total_steps)
        weak = source.path in self.facts.inferred
        for told in batch.columns:
            if source.format.name == SAMPLED:
                columns = self._evaluations_once(told)
            else:
                columns = told
                self._dated.update(name for name in told.names if EVALUATION.search(name))
            if len(columns):
                self._note_walls(columns.walls[-1], at)
            self._merge(columns, writer, source, document=batch.replace, weak=weak)
        if batch.layers:
            self._look(batch, rank + source.place)
        if batch.columns:
            self.touch("series")
            if not self.history and not math.isnan(at):
                self.signals.arrival(at, "saving" if self.facts.phase == "saving" else "training")

    def _merge(self, columns: Columns, writer: Writer, source: SourceState, *, document: bool, weak: bool) -> None:
        """Put rows where they belong; those that waited for a step follow what told them theirs."""
        placed = self.counted.place(columns, writer) if weak else None
        sampled = source.format.name == SAMPLED
        rows = [(columns if placed is None else placed, writer, document, weak and placed is None)]
        if not weak:
            rows += [(*one, False, False) for one in self.counted.learn(columns, sampled=sampled)]
        for told, by, is_document, is_weak in rows:
            for growth in self.frame.append(told, by, document=is_document, weak=is_weak) if len(told) else ():
                if not self.history:
                    self._live(growth, source)

    def _evaluations_once(self, columns: Columns) -> Columns:
        """Leave out evaluations that another source dates: a sampled document shows them some steps later."""
        kept = [i for i, name in enumerate(columns.names) if name not in self._dated]
        if len(kept) == len(columns.names):
            return columns
        names = tuple(columns.names[i] for i in kept)
        return Columns(names, columns.steps, columns.walls, tuple(columns.values[i] for i in kept), columns.rank)

    def _look(self, batch: Batch, rank: int) -> None:
        found = self.looks.take(batch.layers, rank)
        self.touch("layers")
        if found and not self.history:
            self.signals.take(found)
            self.touch("alerts")

    def _note_walls(self, wall: float, at: float) -> None:
        latest = wall if not math.isnan(wall) else at
        if not math.isnan(latest) and not latest <= self.last_row_wall:
            self.last_row_wall = latest

    def _live(self, growth: Growth, source: SourceState) -> None:
        """Feed new points to the signals; points that went in earlier make a later refold due."""
        if growth.rewound_to is not None:
            self.facts.rewound(source.rows)
            self.touch("facts", "state")
            if growth.name == self._pace():
                self.signals.rewind(growth.rewound_to)
        self.stale_signals |= growth.inserted
        self._observe(growth)

    def _pace(self) -> str:
        """Return the metric whose steps are the run's."""
        names = self.frame.names
        return "loss" if "loss" in names else next((n for n in names if RunSignals.watches(n)), "")

    def _observe(self, growth: Growth) -> None:
        if len(growth.steps):
            self.signals.observe(growth.name, growth.steps.tolist(), growth.walls.tolist(), growth.values.tolist())

    def _fresh_signals(self) -> RunSignals:
        rules, custom = self._rules, self._custom
        return RunSignals(self.found.id, place=self.place, ema_alpha=self._alpha, rules=rules, custom=custom)

    def fold(self) -> Iterable[None]:
        """Judge the whole history from its first row, a slice at a time (consume the iterator to do it)."""
        self.signals = self._fresh_signals()
        self.signals.total(self.facts.total_steps)
        names = [n for n in self.frame.names if self.signals.wants(n)]
        order = sorted(names, key=lambda n: n != "loss")
        segments = {name: list(self.frame.history(name)) for name in order}
        for turn in range(max((len(s) for s in segments.values()), default=0)):
            for name in order:
                if turn >= len(segments[name]):
                    continue
                growth = segments[name][turn]
                if growth.rewound_to is not None and name == order[0]:
                    self.signals.rewind(growth.rewound_to)
                for i in range(0, len(growth.steps), FOLD_ROWS):
                    part = slice(i, i + FOLD_ROWS)
                    self.signals.observe(
                        name, growth.steps[part].tolist(), growth.walls[part].tolist(), growth.values[part].tolist()
                    )
                    yield
        self.signals.take(self.looks.said)
        self.history = self.stale_signals = False
        self.preview = None
        self.rows_rev += 1
        self.touch("series", "alerts", "state")

    # ------------------------------------------------------------------ standing

    @property
    def step(self) -> int | None:
        """The newest step of any metric that has lived through as many resumes as the run."""
        pace = self.frame.primary()
        if pace is None:
            return None
        known = [
            a.last_step for a in self.frame.axes if len(a.segments) >= len(pace.segments) and a.last_step is not None
        ]
        return max(known, default=None)

    @property
    def updated_at(self) -> float:
        """When the newest byte of any source was written that is no sample of the machine."""
        times = [s.spoke for s in self.sources.values() if not math.isnan(s.spoke)]
        return max(times, default=NO_TIME)

    @property
    def caught_up(self) -> bool:
        """Whether every source was read to its end."""
        return all(s.caught_up for s in self.sources.values())

    @property
    def save_steps(self) -> int | None:
        """How many steps the producer says lie between its checkpoints, if it says that it writes any by steps."""
        stated, strategy = (self.facts.config.get(key, "") for key in ("save_steps", "save_strategy"))
        by_steps = strategy.rpartition(".")[2].lower() == "steps"
        return int(stated) if by_steps and stated.isdecimal() and len(stated) < 12 and int(stated) else None

    def checkpoint_facts(self) -> list[CheckpointFact]:
        """Return the checkpoints that lie there or were told of, by step."""
        known = {
            step: CheckpointFact(step, wall=wall, path=path) for step, (path, wall) in self.facts.checkpoints.items()
        }
        there = self.found.checkpoints
        known |= {c.step: CheckpointFact(c.step, float(c.bytes), c.mtime, os.fspath(c.path)) for c in there}
        return [known[step] for step in sorted(known)]

    def shown(self, now: float) -> bool:
        """Whether this is a run at all: text alone is one only while it may yet become one, or tells of an error."""
        if self.frame.names or self.facts.errors or self.found.facts or self.found.checkpoints:
            return True
        told = any(s.format.name not in TEXT for s in self.sources.values())
        return told or not now - self.updated_at > YOUNG_S

    @property
    def nbytes(self) -> int:
        """Bytes that its points take."""
        return self.frame.nbytes + self.looks.history.nbytes + self.samples.nbytes

    def chill(self, points: int) -> None:
        """Keep only about `points` rows an axis; the rest is read again from the files when it is wanted."""
        self.frame.thin(points)
        self.looks.history.thin(COLD_LOOKS)
        self.samples.thin(points)
        self.cold = True
        self.touch("series")
