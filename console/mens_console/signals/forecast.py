"""How a noisy, drifting rate goes on: the sum of its next values, averaged over models by their evidence.

A pure function of past block means; it knows no runs, no steps and no clock.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from mens_console.signals.series import fit_line, t_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

_SIGNAL_TO_NOISE: Final = (0.0, 0.001, 0.004, 0.016, 0.06, 0.25, 1.0)
"""Variance of the level's step over the variance of the noise, per block; 0 is a constant level."""
_DRIFT_PRIOR: Final = 0.2
"""Prior standard deviation of a linear drift over the whole history, relative to its mean."""
_LEAST: Final = 0.2
"""A falling line is not followed below this share of the mean: a rate does not reach infinity."""
_MIN_FOR_LINE: Final = 12
_REACH: Final = 8.0
_BISECTIONS: Final = 24


class Forecast(NamedTuple):
    """Mean of a sum to come, and the ends of its central interval."""

    mean: float
    low: float
    high: float


class _Model(NamedTuple):
    mean: float
    var: float
    log_evidence: float


def forecast_sum(values: Sequence[float], ahead: float, confidence: float) -> Forecast:
    """Forecast the sum of the next `ahead` (a real number of) values that follow `values`, at least two.

    Local level models (Durbin & Koopman 2012, ch. 2) over a grid of signal-to-noise ratios, from the constant mean to
    the random walk, and a straight line; each weighted with its marginal likelihood, so that drift widens the
    interval with the horizon only as far as the history shows drift.
    """
    scale = math.fsum(values) / len(values)
    if not scale > 0.0 or not math.isfinite(scale):
        return Forecast(0.0, 0.0, 0.0)
    ys = [value / scale for value in values]
    models = [_local_level(ys, ratio, ahead) for ratio in _SIGNAL_TO_NOISE]
    line = _line(ys, ahead)
    if line is not None:
        models.append(line)
    best = max(model.log_evidence for model in models)
    weights = [math.exp(model.log_evidence - best) for model in models]
    total = math.fsum(weights)
    # The variance of each model is estimated: Student's t is the normal with this much more spread at its quantiles.
    spread = t_quantile(confidence, len(ys) - 1) / t_quantile(confidence, math.inf)
    parts = [(w / total, m.mean, math.sqrt(m.var) * spread) for w, m in zip(weights, models, strict=True)]
    mean = math.fsum(w * m for w, m, _ in parts)
    tail = (1.0 - confidence) / 2.0
    return Forecast(mean * scale, _mixture_quantile(parts, tail) * scale, _mixture_quantile(parts, 1.0 - tail) * scale)


def _mixture_quantile(parts: Sequence[tuple[float, float, float]], p: float) -> float:
    """Return the p-quantile of a mixture of normals (weight, mean, std) by bisection, to 1e-6 of its range."""
    low = min(mean - _REACH * std for _, mean, std in parts)
    high = max(mean + _REACH * std for _, mean, std in parts)
    for _ in range(_BISECTIONS):
        x = 0.5 * (low + high)
        below = math.fsum(w * 0.5 * (1.0 + math.erf((x - m) / (std * math.sqrt(2.0)))) for w, m, std in parts)
        if below < p:
            low = x
        else:
            high = x
    return 0.5 * (low + high)


def _local_level(ys: Sequence[float], ratio: float, ahead: float) -> _Model:
    """Filter one local level model with the noise variance concentrated out; its first value is the diffuse start."""
    level, p = ys[0], 1.0
    squares = log_f = 0.0
    for y in ys[1:]:
        p += ratio
        f = p + 1.0
        error = y - level
        squares += error * error / f
        log_f += math.log(f)
        p /= f
        level += p * error
    df = len(ys) - 1
    noise = max(squares / df, 1e-12)
    # Var Σ = P·B² + ratio·Σj² + B with Σj² = B(B+1)(2B+1)/6
    walk = ratio * ahead * (ahead + 1.0) * (2.0 * ahead + 1.0) / 6.0
    var = noise * (p * ahead * ahead + walk + ahead)
    return _Model(level * ahead, var, -0.5 * (df * math.log(noise) + log_f))


def _line(ys: Sequence[float], ahead: float) -> _Model | None:
    """Continue a straight line; None where it is too short to be told from noise, or would run out of time."""
    n = len(ys)
    if n < _MIN_FOR_LINE:
        return None
    xs = [float(i) for i in range(n)]
    line = fit_line(xs, ys)
    if line is None:
        return None
    middle = n - 1 + (ahead + 1.0) / 2.0
    rate = max(line.intercept + line.slope * middle, _LEAST)
    noise = max(line.s2 * (n - 2) / (n - 1), 1e-12)
    var = noise * (ahead * ahead * (1.0 / n + (middle - line.x_mean) ** 2 / line.sxx) + ahead)
    prior = (_DRIFT_PRIOR / n) ** 2
    evidence = -0.5 * ((n - 1) * math.log(noise) + math.log(n) + math.log1p(line.sxx * prior / noise))
    return _Model(rate * ahead, var, evidence)
