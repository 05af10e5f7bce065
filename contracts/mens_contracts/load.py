"""What load on a server is measured by, shared by soak and benchmark: latencies with what they rest on, and who ran.

Latencies are milliseconds, times seconds since the epoch, memory bytes. Null is what nobody measured, never a zero: a
request that failed has no latency, and stands in none of these figures.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mens_contracts.common import Count, OpenModel

Milliseconds = Annotated[float, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]
Rate = Annotated[float, Field(ge=0, description="a second")]
Bucket = Annotated[list[float], Field(min_length=2, max_length=2, description="a value, and how often it occurred")]
Tags = Annotated[dict[str, str], Field(description="what evidence is chosen by, such as gpus, batch, quantization")]
Tokenizer = Annotated[
    Literal["server", "model", "other", "whitespace", "unknown"] | str,
    Field(description="who counted tokens: the server's usage, a tokenizer, or blanks, which may decide nothing"),
]


class Latency(OpenModel):
    """Latencies of what succeeded, in milliseconds. A percentile is the smallest value that so many do not exceed."""

    n: Count = Field(description="requests, or gaps between tokens")
    p50: Milliseconds | None
    p95: Milliseconds | None = None
    p99: Milliseconds | None
    p999: Milliseconds | None = None
    mean: Milliseconds | None = None
    sd: Milliseconds | None = Field(default=None, description="sample standard deviation")
    max: Milliseconds | None = None
    counts: list[Bucket] = Field(
        default=[],
        description="every value, or every bucket of a histogram, ascending; a percentile's interval is read from here",
    )
    relative_error: float | None = Field(
        default=None, ge=0, description="of a bucket's value; 0 or null where the values are exact"
    )


class Memory(OpenModel):
    """Peak memory of the GPUs that served, in bytes; the parts where the server tells them."""

    gpus: Annotated[int, Field(ge=1)] = 1
    peak_bytes: Count | None = Field(description="the largest peak of the runs, summed over the GPUs")
    runs: list[Count] = Field(default=[], description="the peak of each run, in bytes")
    weights_bytes: Count | None = None
    kv_cache_bytes: Count | None = None
    activations_bytes: Count | None = None


class Driver(OpenModel):
    """What made the load."""

    name: str
    version: str | None = None


class Target(OpenModel):
    """What answered."""

    url: str | None = Field(default=None, description="without user, password and query")
    model: str
    revision: str | None = None
    quantization: str | None = None
    parameters: Count | None = Field(default=None, description="7 000 000 000 for a 7B model")
    gpus: Annotated[int, Field(ge=1)] | None = None
