"""What all signals of a run say at one moment: plain values for views and reports. No estimator enters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mens_console.signals.byvalue import ByValue

if TYPE_CHECKING:
    from mens_console.signals.accuracy import AccuracyFact, FixedEvalFact
    from mens_console.signals.advice import Advice
    from mens_console.signals.alerts import AlertView
    from mens_console.signals.cadence import Cadence
    from mens_console.signals.eta import Eta
    from mens_console.signals.throughput import Throughput
    from mens_console.signals.trend import Trend
    from mens_console.signals.variance import Moments


@dataclass(frozen=True, slots=True)
class SignalSummary(ByValue):
    """What the signals of a run say at one moment. NaN and None mean that there is no evidence.

    `streaming_ce` is NaN while the newest loss is not finite, hidden NaN included; `loss_level` is the median of the
    last 50 losses; `eta` is None where `eta_reason` says why; `best_eval` is (step, eval loss). Entropy is in nats.
    `advice` is None where no checkpoint is known.
    """

    streaming_ce: float
    loss_level: float
    loss_variance: Moments
    trend: Trend
    tokens: Throughput
    steps: Throughput
    eta: Eta | None
    eta_reason: str
    cadence: Cadence
    best_eval: tuple[int, float] | None
    entropy: float
    nonfinite_losses: int
    nonfinite_grads: int
    alerts: tuple[AlertView, ...]
    accuracy: AccuracyFact | None = None
    fixed_eval: FixedEvalFact | None = None
    advice: Advice | None = None

    @property
    def tokens_per_sec(self) -> float | None:
        """Return tokens per second now, None if unknown."""
        return self.tokens.current if self.tokens.n else None

    @property
    def steps_per_sec(self) -> float | None:
        """Return steps per second now, None if unknown."""
        return self.steps.current if self.steps.n else None
