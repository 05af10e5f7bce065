"""The clean signal under a noisy loss: its moving average, variance and trend, and the entropy of predictions.

The estimators are those of the console (`mens_console.signals`); nothing is written or judged here.
"""

from __future__ import annotations

import math

from mens_console.signals.ema import ALPHA, Ema
from mens_console.signals.trend import Trend, TrendEstimator
from mens_console.signals.variance import WindowVariance


def create_streaming_tracker(ema_alpha: float = ALPHA) -> StreamingTracker:
    """Return a tracker whose moving averages give the newest point the weight `ema_alpha`, in (0, 1]."""
    return StreamingTracker(ema_alpha)


class StreamingTracker:
    """Streaming cross-entropy (bias-corrected EMA), variance of the last 100 losses, trend of the last 512.

    Losses are in nats, as trainers log them. A loss that is not finite is counted and never averaged; while the newest
    one is not finite there is no streaming cross-entropy.
    """

    def __init__(self, ema_alpha: float = ALPHA) -> None:
        self._ema = Ema(ema_alpha)
        self._entropy_ema = Ema(ema_alpha)
        self._variance = WindowVariance()
        self._trend = TrendEstimator()
        self._entropy = math.nan
        self._step = 0

    def update_loss(self, loss: float, step: int | None = None) -> dict[str, float | int | None]:
        """Take the loss of `step` in (the one after the last where unsaid).

        Return `loss`, `streaming_ce`, `loss_variance` and `n`, the number of finite losses; None where unknown.
        """
        at = self._at(step)
        self._ema.update(at, loss)
        self._variance.update_many((at,), (loss,))
        self._trend.update(at, loss)
        return {
            "loss": loss,
            "streaming_ce": self._streaming_ce,
            "loss_variance": _known(self._variance.moments.var),
            "n": self._ema.n,
        }

    def update_entropy(self, entropy: float, step: int | None = None) -> float | None:
        """Take the mean entropy per predicted token in (nats); return its moving average, None before the first."""
        at = self._step if step is None else step
        if entropy - entropy == 0.0:
            self._entropy = entropy
        self._entropy_ema.update(at, entropy)
        return _known(self._entropy_ema.value)

    def get_statistics(self) -> dict[str, float | int | str | None]:
        """Return what is known now, None where it is not.

        `loss_trend` is improving, stable, degrading or unknown; its slope is per 1000 steps, with the 95 % interval
        `loss_trend_low` to `loss_trend_high`, over `loss_trend_n` losses. `token_entropy` is the newest,
        `token_entropy_ema` its average. `nonfinite` counts the losses that were NaN or infinite.
        """
        trend = self._trend.trend if self._ema.last_finite else Trend()
        return {
            "streaming_ce": self._streaming_ce,
            "loss_variance": _known(self._variance.moments.var),
            "token_entropy": _known(self._entropy),
            "token_entropy_ema": _known(self._entropy_ema.value),
            "loss_trend": trend.direction,
            "loss_trend_slope": _known(trend.slope),
            "loss_trend_low": _known(trend.low),
            "loss_trend_high": _known(trend.high),
            "loss_trend_n": trend.n,
            "n": self._ema.n,
            "nonfinite": self._ema.skipped,
        }

    def rewind(self, step: int) -> None:
        """Forget what came from `step` on: training went back to an earlier checkpoint."""
        for estimator in (self._ema, self._entropy_ema, self._variance, self._trend):
            estimator.rewind(step)
        self._step = max(step - 1, 0)

    @property
    def _streaming_ce(self) -> float | None:
        return self._ema.value if self._ema.last_finite else None

    def _at(self, step: int | None) -> int:
        self._step = self._step + 1 if step is None else step
        return self._step


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
