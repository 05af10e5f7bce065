"""What `mens-console health --json` prints: the health of attempt logs. Schema `mens-health/1`.

Latencies are milliseconds, entropies nats, times seconds since the epoch, costs US dollars. Null is a number that
nobody measured, or that cannot be said; it is never a zero. Fields are only added.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mens_contracts.common import Count, Interval, OpenModel, Share

ID = "mens-health/1"
BandName = Literal["healthy", "warning", "critical", "undecided", "below_range", "nodata"]


class Band(OpenModel):
    """Where an indicator stands, and why."""

    band: BandName = Field(description="undecided: its interval touches an edge; nodata: it cannot be said")
    value: float | None = Field(description="what was judged")
    n: Count = Field(description="what it rests on: attempts, scores or batches")
    interval: Interval | None
    reason: str
    seed: float | None = Field(default=None, description="by the plain formula, where that is another number")
    unit: str = ""
    definition: str = ""
    point: BandName = Field(default="nodata", description="the band of the value alone, whether or not it counts")


class Bands(OpenModel):
    """All indicators of a batch."""

    repair_rate: Band
    repair_rate_trend: Band
    opening_entropy: Band
    pollyanna: Band
    anchor_diversity: Band
    mean_latency: Band


class Score(OpenModel):
    """Scores of one validator."""

    n: Count
    mean: float | None
    deviation: float | None = Field(default=None, description="sample standard deviation")


class Place(OpenModel):
    """Where in which file."""

    path: str
    offset: Count = Field(description="bytes")


class Batch(OpenModel):
    """Consecutive attempts of one run, in the order of file and offset."""

    run_id: str = Field(default="", description='"" where the rows name none')
    index: Count = Field(description="from 0 within its run")
    batch_size: Count = Field(description="attempts; the denominator of all rates")
    personas: Count | None = Field(default=0, description="distinct persona ids; null where they were too many")
    complete: bool = Field(default=True, description="it holds as many attempts as a batch should")
    success_rate: Share | None
    success_or_repaired_rate: Share | None
    mean_latency_ms: float | None
    p95_latency_ms: float | None = Field(description="the smallest latency that 95 % of the attempts do not exceed")
    repair_rate: Share | None = Field(description="share of attempts with at least one repair")
    repair_breakdown: dict[str, Count]
    statuses: dict[str, Count] = Field(default={})
    mean_validator_scores: dict[str, float | None]
    validator_scores: dict[str, Score] = Field(default={})
    opening_move_entropy: float | None = Field(description="of the shares as they are")
    opening_move_entropy_unit: Literal["nats"]
    opening_move_entropy_corrected: float | None = Field(
        default=None, description="with Miller and Madow's correction; this one is judged"
    )
    effective_moves: float | None = Field(description="e to the entropy")
    opening_moves: dict[str, Count] = Field(default={})
    anchor_diversity: float | None = Field(description="distinct anchors / attempts")
    anchor_diversity_rarefied: float | None = Field(
        description="distinct anchors expected in a draw of rarefied_to mentions, divided by it"
    )
    rarefied_to: Count | None = None
    anchors: Count | None = Field(default=None, description="distinct ones")
    anchor_mentions: Count | None = None
    total_tokens: Count | None
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    cost_usd: float | None
    started: float | None = None
    ended: float | None = None
    first: Place | None = Field(default=None, description="its first attempt")
    measured: dict[str, Count] = Field(default={}, description="rows that carried each field")
    duplicates: Count | None = Field(
        default=0, description="attempts of which persona, stage and number occurred before; null: too many to tell"
    )
    clock_back: Count = Field(default=0, description="attempts that are older than the one before them")
    limits: list[str] = Field(default=[], description="what was too much to be counted to its end")
    bands: Bands


class Trend(OpenModel):
    """A slope per batch."""

    slope: float | None = Field(description="by least squares")
    robust: float | None = Field(description="by Theil and Sen; null below six batches")
    interval: Interval | None = None
    n: Count = Field(description="batches")


class Tier(OpenModel):
    """The batches of all that was read, of one tier, or of one run."""

    tier: str
    runs: list[str] = Field(default=[])
    batches: Count = 0
    total_personas: Count = Field(description="sum of the batch sizes, which are attempts")
    personas_at_most: Count | None = Field(default=None, description="sum of the distinct personas of each batch")
    overall_success_rate: Share | None
    success_or_repaired_rate: Share | None = None
    repair_rate: Share | None = None
    total_tokens: Count | None = None
    cost_usd: float | None = None
    repair_rate_trend: float | None = Field(description="share per batch, by least squares; null over several runs")
    latency_trend: float | None = Field(description="milliseconds per batch")
    opening_entropy_trend: float | None = Field(description="nats per batch")
    pollyanna_score_trend: float | None = Field(description="score per batch")
    trends: dict[str, Trend] = Field(default={}, description="the same with the robust slope and its interval")
    drift_detected: bool | None = Field(description="null where nothing could be judged")
    drift_reasons: list[str]
    notes: list[str] = Field(default=[])
    seed_drift: bool | None = Field(default=None, description="by S1's rules on plain slopes, for comparison")
    latency_baseline_ms: float | None = None
    baseline_batches: list[Count] = Field(default=[])


class Source(OpenModel):
    """One log as far as it was read."""

    path: str
    size: Count = Field(description="bytes")
    done: Count = Field(description="bytes read")
    rows: Count
    bad_rows: Count
    unknown_fields: dict[str, Count] = Field(default={}, description="rows that carried each")
    problem: str | None = None
    updated: float | None = None


class BadRow(OpenModel):
    """A line that is no attempt."""

    path: str
    line: int | None
    offset: Count
    why: str
    sample: str = ""


class HealthDocument(OpenModel):
    """The document."""

    schema_: Literal["mens-health/1"] = Field(alias="schema")
    generated_at: float | None = None
    batch_size: Count | None = Field(default=None, description="attempts that a batch should hold")
    batches: list[Batch]
    tier: Tier = Field(description="all that was read")
    tiers: list[Tier] = Field(default=[])
    runs: list[Tier] = Field(default=[])
    sources: list[Source] = Field(default=[])
    bad_rows: Count
    bad: list[BadRow] = Field(default=[], description="the first of them")
    problems: list[str] = Field(default=[])
