"""What a benchmark has measured so far: every part that was finished, and what has to be told of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mens_console.benchmark.batches import Latent, Speed
    from mens_console.benchmark.ladder import Step
    from mens_console.benchmark.plan import Plan


@dataclass(slots=True)
class Measured:
    """A part that was not finished is not here: an interrupted benchmark tells what it finished, and no more."""

    plan: Plan
    started: float
    """Seconds since the epoch."""
    ended: float = 0.0
    warmup: int | None = None
    """Generations that succeeded before anything was measured; None where it was not finished."""
    speeds: list[Speed] = field(default_factory=list)
    latent: Latent | None = None
    """Of one request at a time."""
    steps: list[Step] = field(default_factory=list)
    watched: bool = False
    """Whether GPU memory was to be watched, in runs that were finished."""
    peaks: list[int] = field(default_factory=list)
    """GPU memory of each such run, in bytes."""
    parts: dict[str, int] = field(default_factory=dict)
    """Bytes of `weights`, `kv_cache` and `activations`, those that the server tells."""
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """What went wrong; with any the benchmark did not go as asked."""

    def note(self, text: str) -> None:
        """Add what a reader must know, once."""
        if text and text not in self.notes:
            self.notes.append(text)

    def fail(self, text: str) -> None:
        """Add what went wrong, which a reader must know as well."""
        if text not in self.failures:
            self.failures.append(text)
        self.note(text)

    @property
    def empty(self) -> bool:
        """Whether nothing was measured at all."""
        return not (self.speeds or self.latent or self.steps)
