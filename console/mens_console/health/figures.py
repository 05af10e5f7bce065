"""From an exact count to the figures of a batch: the one place where each number is defined.

Pure: the same count gives the same bits, however it was put together.
"""

from __future__ import annotations

import math
from itertools import chain, repeat, starmap
from typing import TYPE_CHECKING, Final

import numpy as np

from mens_console.health.partial import CROWD, MANY, MOST_VALIDATORS
from mens_console.signals.diversity import entropy, miller_madow, rarefied
from mens_console.signals.generation import USD_PER_1000_TOKENS, BatchFigures, ScoreFigures

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mens_console.health.partial import Partial, Sums

_PER_CENT: Final = 95
_LIMITS: Final = {
    "anchors": f"more than {CROWD} different anchors are not told apart: no diversity of anchors",
    "personas": f"more than {CROWD} different personas are not told apart",
    "validators": f"the scores of more than {MOST_VALIDATORS} validators are not kept",
    "repeats": f"among more than {CROWD} attempts those that occur again are not told",
}
_ROUNDING: Final = 2.0**-50
"""Of the mean of squares: a variance below is what rounding left."""


def figures(
    partial: Partial, run_id: str, index: int, *, batch_size: int, usd_per_1000: float = USD_PER_1000_TOKENS
) -> BatchFigures:
    """Return the figures of the attempts of one batch. `usd_per_1000` is the price of 1000 tokens."""
    measured = partial.measured
    n = partial.n
    draw = draw_of(batch_size)
    mean, p95, deviation = _latencies(partial)
    tokens = partial.prompt_tokens + partial.completion_tokens
    anchors = partial.anchors.values()
    anchors_told = measured.get("anchors_used") and "anchors" not in partial.crowded
    success = partial.statuses.get("success", 0)
    return BatchFigures(
        run_id=run_id,
        index=index,
        n=n,
        personas=CROWD if "personas" in partial.crowded else len(partial.personas),
        complete=n >= batch_size,
        success=success,
        success_or_repaired=success + partial.statuses.get("repair", 0),
        repaired=partial.repaired,
        repairs=_ordered(partial.repairs),
        statuses=_ordered(partial.statuses),
        latency_n=measured.get("latency_ms", 0),
        latency_mean=mean,
        latency_p95=p95,
        latency_deviation=deviation,
        scores={name: _score(partial.scores[name]) for name in sorted(partial.scores)},
        openings=_ordered(partial.openings),
        opening_entropy=entropy(partial.openings.values()),
        opening_entropy_corrected=miller_madow(partial.openings.values()),
        anchors=CROWD if "anchors" in partial.crowded else len(anchors),
        anchor_mentions=sum(anchors),
        anchor_diversity=len(anchors) / n if anchors_told else math.nan,
        anchor_rarefied=rarefied(anchors, draw) / draw,
        rarefied_to=draw,
        prompt_tokens=partial.prompt_tokens,
        completion_tokens=partial.completion_tokens,
        cost_usd=tokens * usd_per_1000 / 1000 if _tokens_told(measured) else math.nan,
        started=partial.started if measured.get("ts") else math.nan,
        ended=partial.ended if measured.get("ts") else math.nan,
        first=partial.first or ("", 0),
        measured={name: measured[name] for name in sorted(measured)},
        duplicates=0 if "repeats" in partial.crowded else partial.keyed - len(partial.seen),
        clock_back=partial.clock_back,
        stages=_ordered(partial.stages),
        limits={name: _LIMITS[name] for name in sorted(partial.crowded)},
    )


def draw_of(batch_size: int) -> int:
    """Return the mentions of anchors that batches of this size are rarefied to: half as many as attempts."""
    return max(batch_size // 2, 1)


def _tokens_told(measured: dict[str, int]) -> bool:
    return bool(measured.get("prompt_tokens") or measured.get("completion_tokens"))


def _ordered(counts: dict[str, int]) -> dict[str, int]:
    """Return the counts, the most frequent first, equals by name."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _score(sums: Sums) -> ScoreFigures:
    if sums.n + len(sums.values) > MANY:
        n, total, squares = sums.moments()
        return ScoreFigures(n, total / n, _deviation(n, total, squares))
    values = sums.values
    n = len(values)
    mean = math.fsum(values) / n
    return ScoreFigures(n, mean, _spread(np.sort(np.array(values, np.float64)), mean))


def _spread(ordered: NDArray[np.float64], mean: float) -> float:
    """Return the sample standard deviation of sorted values, so that it is the same in whatever order they came."""
    if len(ordered) < 2:
        return math.nan
    apart = ordered - mean
    return math.sqrt(float((apart * apart).sum()) / (len(ordered) - 1))


def _deviation(n: int, total: float, squares: float) -> float:
    """Return the sample standard deviation of what is known by its sums alone; NaN of fewer than two."""
    if n < 2:
        return math.nan
    spread = squares - total * total / n
    return math.sqrt(spread / (n - 1)) if spread > squares * _ROUNDING else 0.0


def _latencies(partial: Partial) -> tuple[float, float, float]:
    """Return mean, nearest-rank 95th percentile and sample standard deviation; NaN where nothing was measured.

    The percentile is the value at place ⌈0.95 n⌉ of the sorted ones.
    """
    values, counts = partial.latencies, partial.latency_counts
    n = len(values) + sum(counts.values())
    if not n:
        return math.nan, math.nan, math.nan
    ordered = np.array(values, np.float64)
    if counts:
        counted = np.repeat(np.fromiter(counts, np.float64), np.fromiter(counts.values(), np.int64))
        ordered = np.concatenate((ordered, counted))
    ordered.sort()
    mean = _total(values, counts) / n
    return mean, float(ordered[(_PER_CENT * n + 99) // 100 - 1]), _spread(ordered, mean)


def _total(values: list[float], counts: dict[float, int]) -> float:
    """Return the sum, rounded once."""
    if counts:
        return math.fsum(chain(values, chain.from_iterable(starmap(repeat, counts.items()))))
    total = sum(values)
    return float(total) if type(total) is int else math.fsum(values)
