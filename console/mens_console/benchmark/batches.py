"""Throughput: so many requests at the same time, all their tokens / wall time until all are done, run by run.

A run in which a request failed or stopped short is no run. The requests' latencies are kept beside it.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mens_console.benchmark.asking import Progress, stopped_short, why
from mens_console.benchmark.haystack import request

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mens_console.benchmark.asking import Asker
    from mens_console.benchmark.memory import GpuWatch
    from mens_console.benchmark.plan import Plan
    from mens_console.load.types import Outcome, TokensBy

_HOPELESS: Final = 3
"""Runs in a row of which nothing came: the batch is given up."""
MOST_AT_ONCE: Final = 0.05
"""Share of the gaps."""


@dataclass(slots=True)
class Latent:
    """Latencies of requests, and how many failed. Seconds."""

    asked: int = 0
    failed: int = 0
    ttft: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    e2e: list[float] = field(default_factory=list)
    tokens: int = 0
    chunks: int = 0
    """Of the requests whose tokens the server counted."""
    prompts: list[int] = field(default_factory=list)

    def take(self, outcome: Outcome) -> None:
        """Take in one request; one that failed has no latency."""
        self.asked += 1
        if outcome.error is not None:
            self.failed += 1
            return
        if outcome.ttft_s is not None:
            self.ttft.append(outcome.ttft_s)
        if outcome.e2e_s is not None:
            self.e2e.append(outcome.e2e_s)
        self.gaps.extend(outcome.gaps_s)
        if outcome.prompt_tokens is not None:
            self.prompts.append(outcome.prompt_tokens)
        if outcome.tokens_by == "server" and outcome.output_tokens is not None:
            self.tokens += outcome.output_tokens
            self.chunks += outcome.chunks

    @property
    def split(self) -> bool:
        """Whether chunks are smaller than tokens, so that the gaps between them are no gaps between tokens."""
        return self.chunks > 1.05 * self.tokens + self.asked

    @property
    def at_once(self) -> int:
        """Gaps of nothing: of chunks that came in one piece with the one before, so that nobody saw their time."""
        return sum(not gap for gap in self.gaps)

    @property
    def crowded(self) -> bool:
        """Whether so many chunks came in one piece with others that percentiles would tell less than was waited."""
        return self.at_once > MOST_AT_ONCE * len(self.gaps)

    @property
    def seen(self) -> list[float]:
        """The gaps that percentiles are taken of: all of them; without those of nothing where these are many."""
        return [gap for gap in self.gaps if gap > 0] if self.crowded else self.gaps


@dataclass(slots=True)
class Speed:
    """What the runs at one batch size came to."""

    batch: int
    rates: list[float] = field(default_factory=list)
    """Tokens/s of each run."""
    failed: int = 0
    short: int = 0
    complete_s: list[float] = field(default_factory=list)
    """Until all were done, of each run that counts."""
    latent: Latent = field(default_factory=Latent)
    by: Counter[TokensBy | None] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    peaks: list[int | None] = field(default_factory=list)
    """GPU memory of each run in bytes, where it was watched."""
    given_up: bool = False


async def measure(
    asker: Asker, plan: Plan, batch: int, words: int, told: Callable[[Progress], None], watch: GpuWatch | None = None
) -> Speed:
    """Make the runs at one batch size, with prompts of `words` words."""
    speed, barren = Speed(batch), 0
    for run in range(plan.runs):
        told(Progress(f"batch {batch}", run, plan.runs))
        prompts = [request(plan.seed, 100_000 * batch + 100 * run + one, words) for one in range(batch)]
        if watch is not None:
            watch.begin()
        begun = time.perf_counter()
        outcomes = await asker.together(prompts, plan.tokens, f"batch{batch}")
        took = time.perf_counter() - begun
        if watch is not None:
            speed.peaks.append(await watch.end())
        _take(speed, outcomes, took, plan.tokens)
        barren = barren + 1 if all(one.error is not None for one in outcomes) else 0
        if barren >= _HOPELESS and run + 1 < plan.runs:
            speed.given_up = True
            break
    told(Progress(f"batch {batch}", plan.runs, plan.runs))
    return speed


def _take(speed: Speed, outcomes: Sequence[Outcome], took: float, tokens: int) -> None:
    for outcome in outcomes:
        speed.latent.take(outcome)
    failed = [one for one in outcomes if one.error is not None]
    if failed:
        speed.failed += 1
        speed.reasons.update(why(one) for one in failed)
        return
    if any(stopped_short(one, tokens) for one in outcomes):
        speed.short += 1
        return
    speed.by.update(one.tokens_by for one in outcomes)
    speed.rates.append(round(sum(one.output_tokens or 0 for one in outcomes) / took, 4))
    speed.complete_s.append(took)
