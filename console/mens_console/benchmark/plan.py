"""What a benchmark does: its batches, runs and lengths; the defaults are those of the release metrics 1.1 to 1.7."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

BATCHES: Final = (1, 4, 8, 16)
LADDER: Final = (4096, 8192, 16_384, 32_768)
"""Tokens of the context, prompt and answer together."""
MOST_LOSS: Final = 0.05
"""Share of the shortest rung's quality; a rung that loses more ends the ladder."""
MOST_MS_PER_TOKEN: Final = 250.0
"""Median gap in ms; a rung that takes longer ends the ladder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One benchmark of one server. Lengths are tokens as the server counts them, times seconds."""

    url: str
    """As it is shown: without user, password and query."""
    model: str
    api: Literal["chat", "completions"] = "chat"
    gpus: int = 1
    """That serve, in tensor parallel."""
    gpus_told: bool = False
    """Whether somebody said so; else one is assumed."""
    batches: tuple[int, ...] = BATCHES
    runs: int = 5
    tokens: int = 1000
    """Of each request of a throughput run."""
    requests: int = 100
    """One after the other, for latencies."""
    answer_tokens: int = 128
    """Of each of those, and of each warm-up generation."""
    prompt_tokens: int = 50
    warmup: int = 10
    context: tuple[int, ...] = LADDER
    items: int = 20
    """Questions of the retrieval task at each rung."""
    seed: int = 0
    """Of the prompts; one that a server has met before meets its cache."""
    watch_gpu: bool = False
    gpu_indexes: tuple[int, ...] = ()
    """Those that serve, of this box; empty: all of them."""
    parameters: int | None = None
    """Of the model: 7 000 000 000 for a 7B one."""
    quick: bool = False
    tags: dict[str, str] = field(default_factory=dict)

    def parts(self) -> dict[str, float]:
        """Return every part that is measured, in its order, with how long it is: tokens that follow one another.

        A prompt of a rung counts as a hundredth of its tokens: it is read at once, and still takes its time.
        """
        lengths = {"warm-up": float(self.warmup * self.answer_tokens)}
        batches = sorted(set(self.batches))
        lengths |= {f"batch {one}": float(self.runs * self.tokens) for one in batches if one == 1}
        lengths["latency"] = float(self.requests * self.answer_tokens)
        lengths |= {f"batch {one}": float(self.runs * self.tokens) for one in batches if one > 1}
        lengths |= {f"context {one}": self.items * (100.0 + one / 100.0) for one in sorted(self.context)}
        return {name: length for name, length in lengths.items() if length}


def quick(plan: dict[str, object]) -> dict[str, object]:
    """Return the settings of a look that takes minutes: too little of everything for a verdict, and it says so."""
    small: dict[str, object] = {
        "runs": 2, "tokens": 128, "requests": 20, "warmup": 2, "batches": (1, 4), "context": (4096, 8192), "items": 5,
    }  # fmt: skip
    return small | plan
