"""What a soak is made of: its plan, its minutes, and what they come to.

Times within a soak are seconds since its `Plan.started`; only that one is since the epoch. Latencies are milliseconds.
`Minute` is what driver and readers share; `Analysis` is what reports and the screen show.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from mens_console.load.histogram import Histogram
from mens_console.signals.byvalue import ByValue

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LATENCIES: Final = ("ttft", "itl", "e2e", "scheduled", "lag")
"""From sending to the first token; between tokens, raw; from sending to the last token; from when it was due to the
last token; how late it was sent. The last covers all that was sent, the others what succeeded."""
MINUTE: Final = 60.0
TIMEOUT_S: Final = 60.0
PROBE_EVERY_S: Final = 10.0
LEVELS_EVERY_S: Final = 10.0
State: TypeAlias = Literal["starting", "running", "finished", "stopped", "died", "unknown", "imported"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(ByValue):
    """What a soak is to do; written once as `plan.json`, and never changed."""

    id: str
    url: str
    """Without user, password and query."""
    model: str
    rate: float
    """Requests a second, by schedule."""
    duration_s: float
    started: float
    """Seconds since the epoch."""
    api: Literal["chat", "completions"] = "chat"
    arrivals: Literal["constant", "poisson"] = "constant"
    seed: int = 0
    timeout_s: float = TIMEOUT_S
    probe_every_s: float = PROBE_EVERY_S
    probe_path: str = ""
    ask_usage: bool = True
    """Whether the server is asked to count tokens."""
    max_tokens: int = 128
    prompt_tokens: int = 64
    prompts: str | None = None
    """A file of prompts; None for the built-in ones."""
    watch_pid: int | None = None
    limits: dict[str, float] = field(default_factory=dict)
    """Where a level ends, by its name: `rss` and `gpu_memory` in bytes, `kv_cache` as a share."""
    slo_ttft_ms: float = 200.0
    slo_itl_ms: float = 60.0
    """What a good answer keeps: S2's lines of failure. The second holds for a request's mean gap."""
    uptime_target: float = 0.999
    gpus: int | None = None
    tags: dict[str, str] = field(default_factory=dict)


class ProbeAt(NamedTuple):
    """A health check."""

    at: float
    ok: bool
    ms: float | None
    why: str = ""
    """What was wrong, in a few words, such as `connection refused`."""


@dataclass(slots=True)
class Minute:
    """What was due in one minute, and what became of it. Requests belong to the minute in which they were due."""

    index: int
    due: int = 0
    """Requests by schedule, as far as the minute was reached."""
    sent: int = 0
    ended: int = 0
    """With a known outcome, good or bad."""
    failed: dict[str, int] = field(default_factory=dict)
    """By class of error; see `mens_console.load.types`."""
    lost: int = 0
    """Sent, and how they ended is not known: neither good nor bad."""
    skipped: int = 0
    """Due while no driver ran or it was held up, and never sent."""
    degraded: int | None = None
    """Slower than twice the normal; None while no normal is known."""
    good: int = 0
    """Succeeded within the plan's objectives."""
    unobserved_s: float = 0.0
    output_tokens: int = 0
    counted_by: dict[str, int] = field(default_factory=dict)
    """Requests by who counted their tokens."""
    probes: list[ProbeAt] = field(default_factory=list)
    tens: list[list[int]] = field(default_factory=lambda: [[0, 0] for _ in range(6)])
    """For each 10 s of it, by when they were due: requests that ended, and those that failed."""
    latencies: dict[str, Histogram] = field(default_factory=lambda: {name: Histogram() for name in LATENCIES})
    levels: dict[str, float] = field(default_factory=dict)
    """The last sample of what should stay level: `rss`, `gpu_memory` (bytes), `kv_cache` (share)."""
    closed: bool = False
    """Nothing more will come to it."""
    reasons: dict[str, int] = field(default_factory=dict)
    """The failed by class and status or word, such as `http 503`; a few of a minute."""
    seconds: list[int] = field(default_factory=list)
    """For each second of it, by when they were due: requests that ended. Empty where none failed, or nobody knows."""
    fails: dict[str, list[int]] = field(default_factory=dict)
    """Of each of the `reasons`, one after the other: a second of the minute, and how many failed in it."""
    lost_by: dict[str, int] = field(default_factory=dict)
    """Of the `lost`, where that is known: `local` (no files or ports were left here), `held` (the driver was)."""
    ranges: dict[str, list[float]] = field(default_factory=dict)
    """Of all samples of a level in it: the least, the greatest, the mean, and how many they were."""

    @property
    def failures(self) -> int:
        """Requests that failed, of any class."""
        return sum(self.failed.values())


@dataclass(frozen=True, slots=True)
class Event(ByValue):
    """Something that happened to the driver: started, resumed, held up, stopped, clock set, raw rows discarded."""

    at: float
    kind: str
    text: str
    begin: float | None = None
    end: float | None = None
    """From `begin` to here nobody looked at the server: the driver was away or held up."""


@dataclass(frozen=True, slots=True)
class Incident(ByValue):
    """A time in which the server failed; see the catalogue's rules in `incidents`."""

    opened: float
    closed: float | None
    cause: str
    probes_failed: int = 0
    requests_failed: int = 0


@dataclass(frozen=True, slots=True)
class Leak(ByValue):
    """How a level grows: Theil and Sen's slope with a 95 % interval, and when it would reach its limit."""

    name: str
    unit: str
    n: int
    last: float | None
    slope_per_h: float | None
    interval: tuple[float, float] | None
    limit: float | None
    to_limit_s: float | None
    verdict: Literal["level", "growing", "shrinking", "undecided", "nodata"]
    soonest_s: float | None = None
    """Until the limit at the interval's upper end."""
    note: str = ""
    """What the verdict rests on: what was left out, and why it is undecided."""


@dataclass(frozen=True, slots=True)
class Budget(ByValue):
    """The errors that the soak's own length allows at the target, and how fast they are used up."""

    target: float
    allowed_s: float
    """Seconds of downtime in the soak's planned length."""
    used_s: float
    left: float
    """Share that is left; below 0 where it is overdrawn."""
    burn: float | None
    """Spent share of the budget / share of the time gone; 1 is just enough."""
    burn_hour: float | None
    """The same over the last hour alone."""


@dataclass(frozen=True, slots=True)
class Columns(ByValue):
    """What is drawn of the minutes: arrays as long as there are minutes; NaN where there is nothing.

    `percentiles[name]` is an array (minutes, 3) of p50, p95 and p99; `heat` (minutes, rows) counts end-to-end latencies
    in log-spaced rows whose lower edges are `heat_edges` (ms).
    """

    index: NDArray[np.int64]
    offered: NDArray[np.float64]
    achieved: NDArray[np.float64]
    failed: NDArray[np.float64]
    """Share of the requests that ended."""
    up: NDArray[np.float64]
    """Share of the probes that were answered."""
    unobserved_s: NDArray[np.float64]
    percentiles: dict[str, NDArray[np.float64]]
    heat: NDArray[np.int64]
    heat_edges: NDArray[np.float64]
    levels: dict[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Analysis(ByValue):
    """All that a soak came to so far. A new object, with a higher `rev`, where anything changed."""

    rev: int
    path: str
    """The driver's directory, or the file that was imported."""
    source: str
    """Who made the load: `mens-console`, `guidellm`, `vllm`, `aiperf`, `locust`, `k6`."""
    plan: Plan | None
    state: State
    why: str
    """What the state rests on."""
    started: float | None
    ended: float | None
    now_s: float
    """How far it has come, in seconds since it started."""
    target_s: float | None
    offered_rate: float | None
    achieved_rate: float | None
    requests: int
    failed: dict[str, int]
    degraded: int | None
    normal_ms: float | None
    good: int | None
    goodput: float | None
    """Good answers a second of observed time."""
    lost: int
    """Sent, and how they ended is not known."""
    skipped: int
    probes: int
    probes_failed: int
    unobserved_s: float
    incidents: tuple[Incident, ...]
    mttr_s: float | None
    mtbf_s: float | None
    mtbf_lower_bound_s: float | None
    mtbf_needs_s: float | None
    """Observed time that would show 1000 h at 95 %, with as many failures as so far."""
    budget: Budget | None
    latencies: dict[str, Histogram]
    output_tokens: int | None
    output_tokens_per_s: float | None
    counted_by: dict[str, int]
    leaks: tuple[Leak, ...]
    gpu_peak_bytes: int | None
    columns: Columns
    minutes: tuple[Minute, ...]
    events: tuple[Event, ...]
    problems: tuple[str, ...] = ()
    """What could not be read, and what a reader must know."""
    tags: dict[str, str] = field(default_factory=dict)
    lost_by: dict[str, int] = field(default_factory=dict)
    """Of the lost, for what reason on this side; see `Minute`."""
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def probe_availability(self) -> float | None:
        """Answered probes / probes."""
        return 1 - self.probes_failed / self.probes if self.probes else None

    @property
    def request_availability(self) -> float | None:
        """Requests without error / requests that ended."""
        return 1 - sum(self.failed.values()) / self.requests if self.requests else None

    @property
    def uptime(self) -> float | None:
        """The worse of the two."""
        known = [one for one in (self.probe_availability, self.request_availability) if one is not None]
        return min(known, default=None)

    @property
    def error_rate(self) -> float | None:
        """Failed requests / requests that ended."""
        return sum(self.failed.values()) / self.requests if self.requests else None
