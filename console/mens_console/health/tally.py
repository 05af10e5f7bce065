"""What is known of some logs: the batches of every run, judged, and the counts that still grow.

Fed with the counts of pieces in order, whoever made them; gives a report. Reads no file.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import msgspec

from mens_console.health.figures import figures
from mens_console.health.fold import MOST_RUNS, Counted, Group, grow
from mens_console.health.partial import Partial, went_back
from mens_console.signals.generation import (
    BATCH_SIZE,
    OTHER_RUNS,
    OTHER_TIERS,
    OTHERS,
    USD_PER_1000_TOKENS,
    HealthReport,
    Judged,
)
from mens_console.signals.runjudge import RunJudge
from mens_console.signals.tiers import added, empty, tier, tier_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mens_console.health.fold import By
    from mens_console.health.frames import Piece
    from mens_console.health.rows import Block
    from mens_console.signals.generation import BadRow, BatchFigures, LogSource, TierFigures
_PARTIAL: Final = msgspec.msgpack.Decoder(Partial)
MOST_PERSONAS: Final = 50_000
"""Personas that are counted one by one, where attempts are grouped by persona: each takes some 10 KB."""
_TOGETHER: Final[dict[By, str]] = {"persona": OTHERS, "batch": OTHER_RUNS, "run": OTHER_RUNS, "tier": OTHER_TIERS}
_IDLE: Final = 100_000
"""Attempts of other runs after which a run is thought to have ended."""


@dataclass(frozen=True, slots=True)
class Options:
    """How attempts are grouped and priced: a batch's attempts, US dollars for 1000 tokens, and what makes a group."""

    batch_size: int = BATCH_SIZE
    usd_per_1000: float = USD_PER_1000_TOKENS
    by: By = "batch"

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"a batch holds at least one attempt, not {self.batch_size}")


@dataclass(slots=True)
class Run:
    """One run (or one other group): its finished batches, and the count of the one that grows."""

    name: str
    size: int
    """Attempts of a whole batch."""
    attempts: int = 0
    last_ts: float | None = None
    batches: list[Judged] = field(default_factory=list)
    newest: Judged | None = None
    """The batch that grows, judged as it stands when the report was made."""
    figures: TierFigures | None = None
    touched: int = 0
    """Attempts of all runs when it was last added to."""
    _judge: RunJudge | None = None
    _open: Partial | None = None
    _packed: bytes = b""

    @property
    def judge(self) -> RunJudge:
        """The judge of its batches."""
        if self._judge is None:
            self._judge = RunJudge(self.name, size=self.size)
        return self._judge

    @property
    def open(self) -> Partial | None:
        """The count of the batch that grows, None where the next attempt begins one."""
        if self._packed:
            self._open, self._packed = _PARTIAL.decode(zlib.decompress(self._packed)), b""
        return self._open

    @open.setter
    def open(self, partial: Partial | None) -> None:
        """Put another in its place."""
        self._open, self._packed = partial, b""

    def pack(self) -> None:
        """Keep the count in a tenth of its space."""
        if self._open is not None:
            self._packed, self._open = zlib.compress(msgspec.msgpack.encode(self._open), 1), None


class Tally:
    """The state of reading some logs with one set of options."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.runs: dict[str, Run] = {}
        self.attempts = 0
        self._unjudged: set[str] = set()
        self._swept = 0

    @property
    def phases(self) -> dict[str, int]:
        """Attempts of each run so far."""
        return {name: run.attempts for name, run in self.runs.items()}

    def read(self, block: Block, path: str) -> None:
        """Count the attempts that follow those counted before."""
        options = self.options
        for name in grow(block, path, self._touched, batch_size=options.batch_size, by=options.by, named=self._named):
            self._finish(self.runs[name])
        self._passed(len(block.rows))

    def take_pieces(self, pieces: Iterable[Piece]) -> None:
        """Take what a worker counted, which follows what was taken before."""
        for piece in pieces:
            if piece.partial is not None:
                self.take(Counted(Group(piece.name, piece.index), piece.partial))
            elif piece.figures is not None:
                self.take_figures(piece.figures, piece.first_ts, piece.last_ts)

    def take(self, counted: Counted) -> None:
        """Merge a count that follows those of its run that were taken before."""
        (name, _), partial = counted
        run = self._add(name, partial.n)
        last = partial.last_ts
        if run.open is None:
            partial.clock_back += went_back(run.last_ts, partial.first_ts)
            partial.last_ts = run.last_ts if last is None else last
            run.open = partial
        else:
            run.open.merge(partial)
        run.last_ts = run.last_ts if last is None else last
        if self.options.by == "batch" and run.open.n >= self.options.batch_size:
            self._finish(run)

    def take_figures(self, batch: BatchFigures, first_ts: float | None, last_ts: float | None) -> None:
        """Take a whole batch that was counted elsewhere; the times are those of its first and last timed attempts."""
        run = self._add(batch.run_id, batch.n)
        if back := went_back(run.last_ts, first_ts):
            batch = replace(batch, clock_back=batch.clock_back + back)
        run.last_ts = run.last_ts if last_ts is None else last_ts
        run.batches.append(run.judge.add(batch))

    def remember(self, batch: BatchFigures) -> None:
        """Take a whole batch in again that was taken before, in order."""
        run = self.run(batch.run_id)
        self._unjudged.add(batch.run_id)
        run.batches.append(run.judge.add(batch))

    def resume(self, name: str, attempts: int, last_ts: float | None, growing: Partial | None) -> None:
        """Continue a run whose whole batches are remembered."""
        run = self.run(name)
        self._unjudged.add(name)
        run.attempts, run.last_ts, run.open = attempts, last_ts, growing

    def run(self, name: str) -> Run:
        """Return the run of that name, a new one where it is not known."""
        run = self.runs.get(name)
        if run is None:
            run = self.runs[name] = Run(name, self.options.batch_size)
        return run

    def _add(self, name: str, attempts: int) -> Run:
        run = self._touched(name)
        run.attempts += attempts
        self._passed(attempts)
        return run

    def _touched(self, name: str) -> Run:
        """Return the run that attempts of that name belong to, which are coming."""
        if self.options.by == "persona":
            name = self._named(name)
        run = self.run(name)
        self._unjudged.add(name)
        run.touched = self.attempts
        return run

    def _named(self, name: str) -> str:
        """Return the name that a group is counted under, and take it in: the first ones have names of their own."""
        if name in self.runs or len(self.runs) < (MOST_PERSONAS if self.options.by == "persona" else MOST_RUNS):
            return self.run(name).name
        return _TOGETHER[self.options.by]

    @property
    def crowded(self) -> bool:
        """Whether runs beyond those that are counted one by one are counted together."""
        return len(self.runs) >= MOST_RUNS

    def has_room(self, names: Iterable[str]) -> bool:
        """Whether groups of these names can be counted one by one."""
        return len(self.runs) + len(set(names) - self.runs.keys()) <= MOST_RUNS

    def _passed(self, attempts: int) -> None:
        self.attempts += attempts
        if self.attempts - self._swept > _IDLE:
            self._sweep()

    def _sweep(self) -> None:
        """Pack the counts of runs that have most likely ended: a log may hold thousands of them."""
        self._swept = self.attempts
        for run in self.runs.values():
            if self.attempts - run.touched > _IDLE:
                run.pack()

    def _finish(self, run: Run) -> None:
        if (batch := self._newest_of(run)) is not None:
            run.batches.append(run.judge.add(batch))
            run.open = None

    def _newest_of(self, run: Run) -> BatchFigures | None:
        """Return the figures of the batch that grows, None where none has begun."""
        options, growing = self.options, run.open
        if growing is None:
            return None
        return figures(
            growing, run.name, len(run.batches), batch_size=options.batch_size, usd_per_1000=options.usd_per_1000
        )

    def _judge_newest(self) -> None:
        """Judge as they stand the batches that grew since the last time."""
        alone = RunJudge(size=self.options.batch_size) if self.options.by == "persona" else None
        for name in self._unjudged:
            run = self.runs[name]
            batch = self._newest_of(run)
            if alone is not None and batch is not None:  # one persona has no trend: all are judged by one judge
                run.newest, run.figures = alone.peek(batch), added(empty(name), batch)
                continue
            run.newest = None if batch is None else run.judge.peek(batch)
            run.figures = run.judge.figures(batch)
        self._unjudged.clear()

    def report(
        self,
        rev: int,
        sources: tuple[LogSource, ...] = (),
        bad: tuple[BadRow, ...] = (),
        at: float = float("nan"),
    ) -> HealthReport:
        """Return everything known now; costs what changed since the last one, and a little for each run."""
        self._judge_newest()
        batches: list[Judged] = []
        runs: list[TierFigures] = []
        for run in self.runs.values():
            batches += run.batches
            if run.newest is not None:
                batches.append(run.newest)
            if run.figures is not None:
                runs.append(run.figures)
        told = self.options.by in ("batch", "run")  # what else is grouped is not made of runs
        return HealthReport(
            rev=rev,
            batch_size=self.options.batch_size,
            batches=tuple(batches),
            tier=tier("all", runs),
            tiers=tuple(tier(name, members) for name, members in _by_tier(runs).items()) if told else (),
            runs=tuple(runs) if told else (),
            sources=sources,
            bad_rows=sum(source.bad_rows for source in sources),
            bad=bad,
            at=at,
        )


def _by_tier(runs: Iterable[TierFigures]) -> dict[str, list[TierFigures]]:
    tiers: dict[str, list[TierFigures]] = {}
    for run in runs:
        tiers.setdefault(tier_name(run.runs[0] if run.runs else run.tier), []).append(run)
    return tiers
