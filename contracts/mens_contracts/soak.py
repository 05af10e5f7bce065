"""What a soak came to: hours of load on a server, told once. Schema `mens-soak/1`.

Durations are seconds, times seconds since the epoch, latencies milliseconds, shares lie in [0, 1]. Null is what nobody
measured or what cannot be said, such as a mean time between failures where none occurred; it is never a zero.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mens_contracts.common import Count, Interval, OpenModel, Share
from mens_contracts.load import Driver, Latency, Memory, Rate, Seconds, Tags, Target

ID = "mens-soak/1"


class Availability(OpenModel):
    """How much of the time, and of the requests, the server was there. The worse of the two is the uptime."""

    probe: Share | None = Field(description="probes answered / probes made; null where none was made")
    request: Share | None = Field(description="requests without error / requests; null where there was none")
    unobserved_s: Seconds = Field(description="time in which the driver itself did not run; neither up nor down")
    probes: Count = Field(description="health checks made")
    probes_failed: Count
    requests: Count = Field(description="requests that ended, well or not")
    requests_failed: Count = Field(description="errors and timeouts; slow answers are no failures")
    probe_interval_s: Seconds | None = None


class Incident(OpenModel):
    """A time in which the server failed: opened by 3 failed probes or half of the requests in 10 s failing."""

    opened: float
    closed: float | None = Field(description="null while it lasts, or where the soak ended in it")
    duration_s: Seconds | None = None
    cause: str = ""
    probes_failed: Count = 0
    requests_failed: Count = 0


class Leak(OpenModel):
    """How something that should stay level grows."""

    unit: str = Field(description="of the level, such as bytes")
    slope_per_h: float | None = Field(description="Theil and Sen's slope, units an hour")
    interval: Interval | None = None
    n: Count = Field(description="samples")
    last: float | None = None
    limit: float | None = Field(default=None, description="where it ends, in the same unit")
    time_to_limit_s: Seconds | None = None
    soonest_s: Seconds | None = Field(default=None, description="time to the limit at the interval's upper end")
    verdict: Literal["level", "growing", "shrinking", "undecided", "nodata"] | str | None = None
    note: str = Field(default="", description="what was left out, and why the verdict is undecided")


class Budget(OpenModel):
    """The downtime that the soak's planned length allows, and how fast it is used up."""

    target: Share = Field(description="the uptime asked for")
    allowed_s: Seconds
    used_s: Seconds = Field(description="the worse share of downtime, of probes or requests, × observed time")
    left: float = Field(description="share that is left; below 0 where it is overdrawn")
    burn: float | None = Field(description="spent share of the budget / share of the time gone")
    burn_hour: float | None = Field(default=None, description="the same over the last hour")


class Event(OpenModel):
    """Something that happened to the driver."""

    at: float
    kind: str = Field(description="start, resume, gap, held, clock, stop, end, discard, warning, …")
    text: str = ""
    begin: float | None = Field(default=None, description="from here to `end` nobody looked at the server")
    end: float | None = None


class Level(OpenModel):
    """The samples of what should stay level, in one minute: bytes, or a share."""

    min: float
    max: float
    mean: float
    n: Count


class Minute(OpenModel):
    """One minute of the soak."""

    at: float = Field(description="its beginning")
    requests: Count = Field(description="that were due in it, by schedule")
    failed: Count
    degraded: Count | None = Field(default=0, description="null while no normal is known")
    lost: Count = Field(default=0, description="sent, and how they ended is not known: neither good nor bad")
    lost_by: dict[str, Count] | None = Field(default=None, description="of them, by reason on the driver's side")
    skipped: Count = Field(default=0, description="due while no driver ran, and never sent")
    unobserved_s: Seconds = 0.0
    probes: Count = 0
    probes_failed: Count = 0
    offered_rate: Rate | None = None
    achieved_rate: Rate | None = None
    output_tokens: Count | None = None
    ttft_ms: Latency | None = None
    itl_ms: Latency | None = None
    e2e_ms: Latency | None = None
    rss_bytes: Count | None = None
    gpu_memory_bytes: Count | None = None
    levels: dict[str, Level] | None = Field(default=None, description="all samples of the minute, by level")


class SoakReport(OpenModel):
    """A soak from its first scheduled request to its last, or as far as it has come."""

    schema_: Literal["mens-soak/1"] = Field(alias="schema")
    started: float | None = None
    ended: float | None = Field(default=None, description="null while it runs")
    elapsed_s: Seconds
    target_s: Seconds = Field(description="how long it was to take; 259 200 for 72 hours")
    finished: bool | None = Field(default=None, description="it came to its target")
    driver: Driver | None = None
    target: Target | None = None
    offered_rate: Rate = Field(description="requests a second, by schedule")
    achieved_rate: Rate | None
    requests: Count = Field(description="requests that ended, well or not")
    errors: dict[str, Count] = Field(
        description="failed requests by class: http, timeout (over 60 s), cut, empty, malformed, connect, …"
    )
    error_rate: Share | None = Field(description="sum of errors / requests; null without requests")
    degraded: Count | None = Field(default=None, description="answers slower than twice the normal; no errors")
    normal_ms: float | None = Field(default=None, ge=0, description="median of the first answers, from end to end")
    good: Count | None = Field(default=None, description="answers within the objectives for first token and gaps")
    goodput: Rate | None = Field(default=None, description="good answers a second of observed time")
    lost: Count = Field(default=0, description="sent, and how they ended is not known: neither good nor bad")
    lost_by: dict[str, Count] | None = Field(
        default=None,
        description="of them, for a reason on the driver's side: local (no files or ports were left), held (it was "
        "held up), fault; the rest ended with their driver",
    )
    skipped: Count = Field(default=0, description="due while no driver ran, and never sent")
    state: str | None = Field(default=None, description="of the driver: running, finished, stopped, died, …")
    drain_s: Seconds | None = Field(default=None, description="from the end of sending to the last answer")
    availability: Availability
    incidents: list[Incident] = Field(description="each is a failure; those that last at the end too")
    mttr_s: Seconds | None = Field(description="mean duration of the incidents that closed; null where none did")
    mtbf_s: Seconds | None = Field(description="observed time / failures; null where there was none")
    mtbf_lower_bound_s: Seconds | None = Field(description="95 %, by chi-squared, for a test that ended by time")
    mtbf_needs_s: Seconds | None = Field(
        default=None, description="observed time that would show 1000 h at 95 % with as many failures"
    )
    error_rate_interval: Interval | None = Field(default=None, description="Clopper and Pearson's, 90 %: 95 % an end")
    budget: Budget | None = None
    ttft_ms: Latency = Field(description="from sending to the first token")
    itl_ms: Latency = Field(description="raw gaps between streamed tokens, never means per request")
    e2e_ms: Latency = Field(description="from sending to the last token")
    scheduled_ms: Latency | None = Field(default=None, description="from when it was due to the last token")
    dispatch_lag_ms: Latency | None = Field(default=None, description="how late the driver sent what was due")
    output_tokens_per_s: Rate | None
    memory: Memory | None = None
    leaks: dict[str, Leak] = Field(description="by what grows: rss, gpu_memory, kv_cache")
    minutes: list[Minute] = Field(description="oldest first")
    events: list[Event] = Field(default=[], description="oldest first")
    tags: Tags = Field(default={})
    notes: list[str] = Field(default=[], description="what a reader must know, such as a gap in the record")
