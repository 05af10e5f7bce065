"""From an exact count to the figures of a batch: the one place where each number is defined.

Pure: the same count gives the same bits, however it was put together.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from itertools import accumulate, chain, repeat
from operator import mul
from typing import TYPE_CHECKING, Final

from mens_console.health.partial import add_counts
from mens_console.signals.diversity import entropy, miller_madow, rarefied
from mens_console.signals.generation import USD_PER_1000_TOKENS, BatchFigures, ScoreFigures

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mens_console.health.partial import Partial, Sums

_PER_CENT: Final = 95
_ROUNDING: Final = 2.0**-50
"""Of the mean of squares: a variance below is what rounding left."""


def figures(
    partial: Partial, run_id: str, index: int, *, batch_size: int, usd_per_1000: float = USD_PER_1000_TOKENS
) -> BatchFigures:
    """Return the figures of the attempts of one batch. `usd_per_1000` is the price of 1000 tokens."""
    measured = partial.measured
    n = partial.n
    draw = draw_of(batch_size)
    mean, deviation = _latency_moments(partial)
    tokens = partial.prompt_tokens + partial.completion_tokens
    anchors = partial.anchors.values()
    success = partial.statuses.get("success", 0)
    return BatchFigures(
        run_id=run_id,
        index=index,
        n=n,
        personas=len(partial.personas),
        complete=n >= batch_size,
        success=success,
        success_or_repaired=success + partial.statuses.get("repair", 0),
        repaired=partial.repaired,
        repairs=_ordered(partial.repairs),
        statuses=_ordered(partial.statuses),
        latency_n=measured.get("latency_ms", 0),
        latency_mean=mean,
        latency_p95=_p95(partial),
        latency_deviation=deviation,
        scores={name: _score(partial.scores[name]) for name in sorted(partial.scores)},
        openings=_ordered(partial.openings),
        opening_entropy=entropy(partial.openings.values()),
        opening_entropy_corrected=miller_madow(partial.openings.values()),
        anchors=len(anchors),
        anchor_mentions=sum(anchors),
        anchor_diversity=len(anchors) / n if measured.get("anchors_used") else math.nan,
        anchor_rarefied=rarefied(anchors, draw) / draw,
        rarefied_to=draw,
        prompt_tokens=partial.prompt_tokens,
        completion_tokens=partial.completion_tokens,
        cost_usd=tokens * usd_per_1000 / 1000 if _tokens_told(measured) else math.nan,
        started=partial.started if measured.get("ts") else math.nan,
        ended=partial.ended if measured.get("ts") else math.nan,
        first=partial.first or ("", 0),
        measured={name: measured[name] for name in sorted(measured)},
        duplicates=partial.keyed - len(partial.seen),
        clock_back=partial.clock_back,
        stages=_ordered(partial.stages),
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
    n, total, squares = sums.moments()
    return ScoreFigures(n, total / n, _deviation(n, total, squares))


def _deviation(n: int, total: float, squares: float) -> float:
    """Return the sample standard deviation; NaN of fewer than two."""
    if n < 2:
        return math.nan
    spread = squares - total * total / n
    return math.sqrt(spread / (n - 1)) if spread > squares * _ROUNDING else 0.0


def _latency_moments(partial: Partial) -> tuple[float, float]:
    n = partial.measured.get("latency_ms", 0)
    if not n:
        return math.nan, math.nan
    total, squares = math.fsum(_latencies(partial)), math.fsum(map(mul, _latencies(partial), _latencies(partial)))
    return total / n, _deviation(n, total, squares)


def _latencies(partial: Partial) -> Iterable[float]:
    if not partial.latency_counts:
        return partial.latencies
    counted = chain.from_iterable(repeat(value, times) for value, times in partial.latency_counts.items())
    return chain(partial.latencies, counted)


def _p95(partial: Partial) -> float:
    """Return the nearest-rank percentile: the value at place ⌈0.95 n⌉ of the sorted latencies."""
    n = partial.measured.get("latency_ms", 0)
    if not n:
        return math.nan
    rank = (_PER_CENT * n + 99) // 100
    if not partial.latency_counts:
        return float(sorted(partial.latencies)[rank - 1])
    counts = dict(partial.latency_counts)
    add_counts(counts, Counter(partial.latencies))
    values = sorted(counts)
    return float(values[bisect_left(list(accumulate(counts[value] for value in values)), rank)])
