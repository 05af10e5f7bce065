"""What is known of generation attempts: the figures of a batch, its bands, the tier above it, and the whole report.

Types alone: counting is `mens_console.health`'s, judging `mens_console.signals.healthbands`'s. Times are seconds since
the epoch, latencies milliseconds, entropies nats, costs US dollars; NaN (or None, where said) is not measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from mens_console.signals.byvalue import ByValue

BandName = Literal["healthy", "warning", "critical", "undecided", "below_range", "nodata"]
Indicator = Literal[
    "repair_rate", "repair_rate_trend", "opening_entropy", "pollyanna", "anchor_diversity", "mean_latency"
]
INDICATORS: Final[tuple[Indicator, ...]] = (
    "repair_rate", "repair_rate_trend", "opening_entropy", "pollyanna", "anchor_diversity", "mean_latency",
)  # fmt: skip

BATCH_SIZE: Final = 1000
"""Attempts in a batch."""
USD_PER_1000_TOKENS: Final = 0.00045
OTHERS: Final = "(other personas)"
"""What the personas beyond those that are counted one by one are called together."""
OTHER_RUNS: Final = "(other runs)"
OTHER_TIERS: Final = "(other tiers)"
"""The same of runs and of tiers."""
MIN_ATTEMPTS: Final = 50
"""Attempts below which an entropy says nothing."""


@dataclass(frozen=True, slots=True)
class ScoreFigures(ByValue):
    """A validator's scores in a batch: their number, mean, and sample standard deviation (NaN for one)."""

    n: int
    mean: float
    deviation: float = math.nan


@dataclass(frozen=True, slots=True)
class BatchFigures(ByValue):
    """The attempts `index` × N … of one run, in (file, offset) order, counted. Rates' denominator is `n`, the attempts.

    A field that no row of the batch carried is NaN (a number) or empty (a mapping), never zero; `measured` says for
    each field of the contract how many rows carried it.
    """

    run_id: str
    index: int
    n: int
    """Attempts, S1's `len(logs)`."""
    personas: int
    """Distinct persona ids."""
    complete: bool
    """Whether it holds all the attempts of a batch; the newest one of a run rarely does."""
    success: int
    """Attempts with status success."""
    success_or_repaired: int
    repaired: int
    """Attempts with at least one repair."""
    repairs: Mapping[str, int]
    statuses: Mapping[str, int]
    latency_n: int
    latency_mean: float
    latency_p95: float
    """Nearest rank: the smallest latency that 95 % of the attempts do not exceed; exact."""
    latency_deviation: float
    scores: Mapping[str, ScoreFigures]
    openings: Mapping[str, int]
    """Attempts by opening move."""
    opening_entropy: float
    """Of the shares as they are (S1's), nats."""
    opening_entropy_corrected: float
    """With Miller and Madow's correction; this one is judged."""
    anchors: int
    """Distinct anchors."""
    anchor_mentions: int
    anchor_diversity: float
    """S1's ratio: distinct anchors / attempts."""
    anchor_rarefied: float
    """Distinct anchors expected in a draw of `rarefied_to` mentions, divided by it; NaN where there are fewer."""
    rarefied_to: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    started: float
    ended: float
    first: tuple[str, int]
    """File and byte offset of its first attempt."""
    measured: Mapping[str, int] = field(default_factory=dict)
    duplicates: int = 0
    """Attempts whose (persona, stage, attempt) occurred before in the batch. They are counted, as S1's code does."""
    clock_back: int = 0
    """Attempts that are older than the one before them in their run."""
    stages: Mapping[str, int] = field(default_factory=dict)
    """Attempts by stage of generation."""
    limits: Mapping[str, str] = field(default_factory=dict)
    """What was too much to be counted to its end (`anchors`, `personas`, `repeats`, `validators`), and that in words:
    its figures are no measurement, or a lower bound."""

    def told(self, field: str) -> int:
        """Return how many attempts carried a field; all of them where `measured` was not filled in."""
        return self.measured.get(field, 0 if self.measured else self.n)

    @property
    def success_rate(self) -> float:
        """Share of attempts with status success; NaN where no row told its status."""
        return self.success / self.n if self.told("status") else math.nan

    @property
    def repair_rate(self) -> float:
        """Share of attempts with repairs; NaN where no row told of repairs."""
        return self.repaired / self.n if self.told("repairs") else math.nan

    @property
    def total_tokens(self) -> int:
        """Prompt and completion tokens."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class Band(ByValue):
    """Where an indicator stands: `undecided` where the interval touches an edge, `nodata` where it cannot be said.

    `value` is what is judged, `seed` what S1's formula gives where that is another number. `n` counts what it rests
    on; `interval` is the 95 % one. `reason` says in words why the band is this one; `definition` how it is computed.
    """

    band: BandName
    value: float = math.nan
    n: int = 0
    interval: tuple[float, float] | None = None
    reason: str = ""
    seed: float = math.nan
    unit: str = ""
    definition: str = ""
    point: BandName = "nodata"
    """The band of the value alone, whether or not it counts."""


@dataclass(frozen=True, slots=True)
class Slope(ByValue):
    """A trend per batch: S1's least-squares `slope`, and Theil and Sen's `robust` one with its 95 % interval."""

    slope: float = math.nan
    robust: float = math.nan
    interval: tuple[float, float] | None = None
    n: int = 0


@dataclass(frozen=True, slots=True)
class TierFigures(ByValue):
    """The batches of one run, of one tier, or of all that was read (`tier` is "all" then).

    `attempts` is S1's sum of batch sizes, `personas_at_most` the sum of distinct personas by batch. `drift_reasons`
    names what shifted, with its figures; `notes` what was computed and does not decide.
    """

    tier: str
    runs: tuple[str, ...]
    batches: int
    attempts: int
    personas_at_most: int
    success_rate: float
    success_or_repaired_rate: float
    repair_rate: float
    total_tokens: int
    cost_usd: float
    """NaN where no attempt told its tokens."""
    repair_rate_trend: Slope = Slope()
    latency_trend: Slope = Slope()
    opening_entropy_trend: Slope = Slope()
    pollyanna_trend: Slope = Slope()
    drift: bool | None = None
    """None where nothing could be judged."""
    drift_reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    latency_baseline_ms: float = math.nan
    """Median of the means of the first healthy batches, to which latencies are compared."""
    baseline_batches: tuple[int, ...] = ()
    success: int = 0
    success_or_repaired: int = 0
    status_attempts: int = 0
    """Attempts of the batches in which a status was told: the denominator of the success rates."""
    repaired: int = 0
    repair_attempts: int = 0
    """Attempts of the batches in which repairs were told of: the denominator of the repair rate."""
    seed_drift: bool | None = None
    """What S1's three rules say, for comparison; None of fewer than two batches."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A batch and where its indicators stand."""

    batch: BatchFigures
    bands: Mapping[Indicator, Band]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A line that is no attempt: where, why, and its beginning (untrusted text)."""

    path: str
    line: int | None
    offset: int
    why: str
    sample: str = ""


TORN: Final = 64 * 1024
"""Bytes at the end of a log that may be a line without its end: no attempt is longer, as a rule."""


@dataclass(frozen=True, slots=True)
class LogSource(ByValue):
    """One attempt log as far as it was read. `problem` says why it cannot be read now."""

    path: str
    size: int
    done: int
    rows: int
    bad_rows: int
    unknown_fields: Mapping[str, int] = field(default_factory=dict)
    problem: str | None = None
    updated: float = math.nan

    @property
    def waits(self) -> bool:
        """Whether more waits to be read than a last line that is torn, which may stay so for ever."""
        return self.problem is None and self.size - self.done > TORN


@dataclass(frozen=True, slots=True)
class HealthReport(ByValue):
    """Everything known about some attempt logs at one revision: batches by run in order, tiers, and what was not read.

    `tier` is all of it together, `tiers` by S1's tier (the run id's beginning, such as 25K), `runs` by run id.
    """

    rev: int
    batch_size: int
    batches: tuple[Judged, ...]
    tier: TierFigures
    tiers: tuple[TierFigures, ...] = ()
    runs: tuple[TierFigures, ...] = ()
    sources: tuple[LogSource, ...] = ()
    bad_rows: int = 0
    bad: tuple[BadRow, ...] = ()
    at: float = math.nan
    """When it was made."""

    @property
    def done(self) -> int:
        """Bytes read of all logs."""
        return sum(source.done for source in self.sources)

    @property
    def size(self) -> int:
        """Bytes of all logs."""
        return sum(source.size for source in self.sources)
