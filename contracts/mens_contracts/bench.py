"""What a benchmark of a server came to: throughput, latency, memory and context length. Schema `mens-bench/1`.

Throughput is generated tokens a second, latencies are milliseconds, memory is bytes, shares lie in [0, 1]. Single runs
stand beside their mean, so that a reader can take an interval of its own. Null is what nobody measured, never a zero.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mens_contracts.common import Count, OpenModel, Share
from mens_contracts.load import Driver, Latency, Memory, Milliseconds, Rate, Tags, Target, Tokenizer

ID = "mens-bench/1"


class Throughput(OpenModel):
    """Tokens a second at one batch size on so many GPUs: all tokens of all requests / wall time, run by run."""

    batch: Annotated[int, Field(ge=1)] = Field(description="requests at the same time")
    gpus: Annotated[int, Field(ge=1)] = Field(description="GPUs that served, in tensor parallel")
    runs: list[Rate] = Field(description="tokens/s of each run; a run with a failed request has no place here")
    failed_runs: Count = 0
    short_runs: Count = Field(
        default=0, description="an answer stopped before its last token: they have no place in runs"
    )
    mean: Rate | None
    sd: Rate | None = Field(description="sample standard deviation; null below two runs")
    n: Count = Field(description="runs")
    tokens_per_run: Count | None = None
    tokenizer: Tokenizer
    efficiency: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="tokens/s on N GPUs / (N × tokens/s on one) at the same batch"
    )


class Latencies(OpenModel):
    """Latencies under one load."""

    batch: Annotated[int, Field(ge=1)] = 1
    gpus: Annotated[int, Field(ge=1)] = 1
    requests: Count
    failed: Count = Field(description="they have no latency")
    ttft_ms: Latency = Field(description="from sending to the first token")
    itl_ms: Latency = Field(description="raw gaps between streamed tokens, never means per request")
    e2e_ms: Latency | None = Field(default=None, description="from sending to the last token")
    time_to_complete_ms: Milliseconds | None = Field(default=None, description="until all of a batch were done")


class Rung(OpenModel):
    """One context length, and what became of quality and speed there."""

    tokens: Annotated[int, Field(ge=1)] = Field(description="of the prompt, by the tokenizer")
    prompt_tokens: Count | None = Field(default=None, description="median of the prompts; the answers fill the rest")
    tokenizer: Tokenizer
    quality: Share | None = Field(description="share of the retrieval task's items that were answered rightly")
    quality_n: Count = Field(description="items")
    quality_loss: float | None = Field(
        description="(quality of the shortest rung − this) / quality of the shortest; 0.05 is the most that holds"
    )
    ms_per_token: Milliseconds | None = Field(description="median raw gap between tokens at this length")
    ms_per_token_n: Count = Field(description="gaps")
    failed: Count = 0


class BenchReport(OpenModel):
    """One benchmark of one server."""

    schema_: Literal["mens-bench/1"] = Field(alias="schema")
    started: float = Field(description="seconds since the epoch")
    ended: float
    driver: Driver | None = None
    target: Target
    warmup: Count = Field(description="generations before anything was measured")
    throughput: list[Throughput]
    latency: list[Latencies]
    memory: list[Memory] = Field(default=[])
    context: list[Rung] = Field(default=[], description="shortest first")
    tags: Tags = Field(default={})
    notes: list[str] = Field(default=[])
