"""Where a batch of generation attempts stands: one function per indicator, from its figures to a band with its reason.

Pure; the edges are `ladders`', what came before a batch is told by `runjudge`. Shares are in [0, 1], entropies nats,
latencies milliseconds, trends percentage points a batch. An interval is the 95 % one.

What decides. A repair rate is a share of attempts: its band counts only where the whole of Wilson's interval lies in
it. Otherwise it is undecided, on an edge too (exactly 10 % lies in warning, and no number of attempts puts its
interval on one side). Entropy, pollyanna and latency are decided by their value once 50 attempts stand behind it, and
the reason says where the interval reaches over an edge; anchor diversity is a count and has no interval.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from mens_console.signals import diversity
from mens_console.signals.generation import BATCH_SIZE, MIN_ATTEMPTS, Band
from mens_console.signals.human import number
from mens_console.signals.ladders import LADDERS
from mens_console.signals.patterns import wilson
from mens_console.signals.series import t_quantile
from mens_console.signals.slopes import LEAST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mens_console.signals.generation import BandName, BatchFigures, Indicator, Slope
    from mens_console.signals.ladders import Ladder

    Ladders = Mapping[Indicator, Ladder]

WINDOW: Final = 12
"""Newest whole batches whose trend is judged."""
POLLYANNA: Final = "pollyanna"
_MOST: Final = 10**9
_CALM: Final = ("healthy", "below_range")


def repair_rate(batch: BatchFigures, ladders: Ladders = LADDERS) -> Band:
    """Judge the share of attempts with repairs, by Wilson's interval."""
    ladder = ladders["repair_rate"]
    value = batch.repair_rate
    if math.isnan(value):
        return _nodata(ladder, "no attempt of this batch tells of repairs")
    n = batch.n
    interval = wilson(batch.repaired, n)
    point = ladder.band(value)
    told = batch.told("repairs")
    missing = f"; {n - told} of {n} attempts tell of no repairs and count as none, as in S1" if told < n else ""
    over = ladder.between(*interval)
    if not over:
        reason = f"{_lies(ladder, value, point)}, and so does all of its interval {_ends(ladder, interval)}"
        return _band(ladder, point, value, n, interval, f"{reason} (n = {n}){missing}", point=point)
    edges = " and ".join(ladder.text(edge.at) for edge in over)
    first, last = (ladder.bands.index(ladder.band(end)) for end in interval)
    reason = (
        f"{_lies(ladder, value, point)}, but its interval {_ends(ladder, interval)} (n = {n}) reaches over {edges}, so "
        f"it is {' or '.join(ladder.bands[first : last + 1])}; {_would_decide(ladder, value)}{missing}"
    )
    return _band(ladder, "undecided", value, n, interval, reason, point=point)


def _would_decide(ladder: Ladder, share: float) -> str:
    """Say how many attempts at the same share would put its interval on one side of every edge."""
    if any(math.isclose(share, edge.at, rel_tol=1e-9) for edge in ladder.edges):
        return "it stands on the edge itself, so no number of attempts would decide it"
    enough = 1
    while ladder.between(*wilson(share * enough, enough)) and enough < _MOST:
        enough *= 2
    if enough >= _MOST:
        return "it is so near the edge that no log would decide it"
    low, high = enough // 2, enough
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if ladder.between(*wilson(share * middle, middle)) else (low, middle)
    return f"some {_rounded(high):,} attempts at this rate would decide it"


def _rounded(n: int) -> int:
    """Round up to two significant digits."""
    unit = int(10 ** max(len(str(n)) - 2, 0))
    return -(-n // unit) * unit


def repair_rate_trend(slope: Slope, seed: float = math.nan, ladders: Ladders = LADDERS) -> Band:
    """Judge Theil and Sen's slope of the repair rates of the newest `WINDOW` whole batches, a share a batch.

    `seed` is S1's least-squares slope over all batches.
    """
    ladder = ladders["repair_rate_trend"]
    value, n, seed = 100.0 * slope.robust, slope.n, 100.0 * seed
    interval = None if slope.interval is None else (100.0 * slope.interval[0], 100.0 * slope.interval[1])
    point = ladder.band(value)
    if interval is None:
        why = f"a trend needs {LEAST} whole batches with a repair rate; there {'is' if n == 1 else 'are'} {n}"
        return _band(ladder, "nodata", value, n, None, why, seed=seed, point=point)
    span = f"over {n} batches, interval {_ends(ladder, interval)}"
    if point == "healthy":
        counts = ladder.band(interval[1]) != "critical"
        doubt = f", but the interval reaches to a critical rise ({ladder.range('critical')})"
    else:
        counts = interval[0] > 0.0
        doubt = ", but the interval does not exclude that it is stable"
    reason = f"{_lies(ladder, value, point)} {span}{'' if counts else doubt}"
    return _band(ladder, point if counts else "undecided", value, n, interval, reason, seed=seed, point=point)


def opening_entropy(batch: BatchFigures, ladders: Ladders = LADDERS) -> Band:
    """Judge the corrected entropy of the opening moves; nodata of fewer than 50 attempts that name one."""
    ladder = ladders["opening_entropy"]
    value, seed = batch.opening_entropy_corrected, batch.opening_entropy
    n = sum(batch.openings.values())
    if math.isnan(value) or not n:
        return _nodata(ladder, "no attempt of this batch names its opening move")
    interval = diversity.entropy_interval(batch.openings.values())
    point = ladder.band(value)
    if n < MIN_ATTEMPTS:
        why = f"an entropy needs {MIN_ATTEMPTS} attempts with an opening move; there are {n}"
        return _band(ladder, "nodata", value, n, interval, why, seed=seed, point=point)
    reason = (
        f"{_lies(ladder, value, point)}: as varied as {diversity.effective(value):.1f} equally frequent moves"
        f"{_even(batch)}; plain {ladder.text(seed)}{_reaches(ladder, interval, n)}"
    )
    return _band(ladder, point, value, n, interval, reason, seed=seed, point=point)


def _even(batch: BatchFigures) -> str:
    share = diversity.evenness(batch.openings.values())
    return f" of {len(batch.openings)} seen, H/Hmax {share:.2f}" if share == share else ", for only one was seen"


def pollyanna(batch: BatchFigures, ladders: Ladders = LADDERS) -> Band:
    """Judge the mean of the pollyanna scores, with Student's interval."""
    ladder = ladders["pollyanna"]
    score = batch.scores.get(POLLYANNA)
    if score is None or not score.n:
        why = "no attempt of this batch carries validator_scores.pollyanna"
        return _nodata(ladder, batch.limits.get("validators", why))
    interval = _mean_interval(score.mean, score.deviation, score.n)
    return _by_value(ladder, score.mean, score.n, interval, seed=score.mean, what="scores")


def anchor_diversity(batch: BatchFigures, whole: int = BATCH_SIZE, ladders: Ladders = LADDERS) -> Band:
    """Judge S1's ratio of different anchors to attempts; `whole` is how many attempts the batch will hold.

    The ratio only falls as a batch grows. So a low one counts at any size up to that, and a high one of a batch that
    still grows only where Heaps' law, by this batch's own exponent, leaves it healthy at its full size. Of more
    attempts than a batch holds (a tier, a whole run) a low one counts only where a batch of them would be as low.
    """
    ladder = ladders["anchor_diversity"]
    value, n = batch.anchor_diversity, batch.n
    if math.isnan(value):
        return _nodata(ladder, batch.limits.get("anchors", "no attempt of this batch names its anchors"))
    point = band = ladder.band(value)
    exponent = _exponent(batch)
    reason = f"{_lies(ladder, value, point)}: {batch.anchors} different anchors in {n} attempts"
    if n != diversity.S1_BATCH:
        at = diversity.ratio_at(value, n, exponent)
        told = f"about {ladder.text(at)}" if at == at else "less" if n < diversity.S1_BATCH else "more"
        reason += f"; at S1's batch of {diversity.S1_BATCH} it would read {told}"
    if point == "healthy" and n < MIN_ATTEMPTS:
        band = "undecided"
        reason += f"; the ratio falls as a batch grows, and {n} attempts are too few to call it healthy"
    elif (point == "healthy" and not batch.complete and n < whole) or (point != "healthy" and n > whole):
        full = diversity.ratio_at(value, n, exponent, whole)
        if full == full and ladder.band(full) != point:
            band = "undecided"
            reason += f"; in a batch of {whole} attempts about {ladder.text(full)}"
    return _band(ladder, band, value, n, None, reason, seed=value, point=point)


def _exponent(batch: BatchFigures) -> float:
    fewer = batch.rarefied_to
    return diversity.heaps(batch.anchors, batch.anchor_mentions, batch.anchor_rarefied * fewer, fewer)


def mean_latency(
    batch: BatchFigures, baseline_ms: float, spread_ms: float = 0.0, told: str = "", ladders: Ladders = LADDERS
) -> Band:
    """Judge the mean latency against `baseline_ms`, whose standard error is `spread_ms`.

    `told` names the baseline in the reason; NaN is none. The value is the change, a share of the baseline.
    """
    ladder = ladders["mean_latency"]
    mean, n = batch.latency_mean, batch.latency_n
    if math.isnan(mean) or not n:
        return _nodata(ladder, "no attempt of this batch tells its latency")
    if not baseline_ms > 0.0:
        why = f"mean {number(mean)} ms; {told or 'there is no batch before it to compare with'}"
        return _band(ladder, "nodata", math.nan, n, None, why, seed=mean)
    value = mean / baseline_ms - 1.0
    interval = None
    own = _mean_interval(mean, batch.latency_deviation, n)
    if own is not None:
        half = math.hypot((own[1] - own[0]) / 2, 1.96 * spread_ms * mean / baseline_ms) / baseline_ms
        interval = (value - half, value + half)
    what = f"mean {number(mean)} ms against {number(baseline_ms)} ms ({told})" if told else ""
    return _by_value(ladder, value, n, interval, seed=mean, what="latencies", note=what)


def _by_value(
    ladder: Ladder,
    value: float,
    n: int,
    interval: tuple[float, float] | None,
    *,
    seed: float,
    what: str,
    note: str = "",
) -> Band:
    """Decide by the value from 50 measurements on; with fewer, where the whole interval lies in the band."""
    point = ladder.band(value)
    reason = _lies(ladder, value, point) + (f": {note}" if note else "")
    few = n < MIN_ATTEMPTS
    if interval is None:
        band: BandName = "undecided" if few else point
        reason += f"; {n} of the {what} {'is' if n == 1 else 'are'} too few to tell how sure that is" if few else ""
        return _band(ladder, band, value, n, None, reason, seed=seed, point=point)
    low, high = ladder.band(interval[0]), ladder.band(interval[1])
    if few and low != high and not (low in _CALM and high in _CALM):
        edges = " and ".join(ladder.text(edge.at) for edge in ladder.between(*interval))
        reason += f", but the interval {_ends(ladder, interval)} of {n} {what} reaches over {edges}"
        return _band(ladder, "undecided", value, n, interval, reason, seed=seed, point=point)
    return _band(ladder, point, value, n, interval, reason + _reaches(ladder, interval, n), seed=seed, point=point)


def _mean_interval(mean: float, deviation: float, n: int) -> tuple[float, float] | None:
    """Return Student's 95 % interval of a mean, None where there is no deviation."""
    if n < 2 or math.isnan(deviation):
        return None
    half = t_quantile(0.95, n - 1) * deviation / math.sqrt(n)
    return mean - half, mean + half


def _lies(ladder: Ladder, value: float, point: BandName) -> str:
    return f"{ladder.text(value)} lies in {point.replace('_', ' ')} ({ladder.range(point)})"


def _ends(ladder: Ladder, interval: tuple[float, float]) -> str:
    return f"{ladder.text(interval[0])} to {ladder.text(interval[1])}"


def _reaches(ladder: Ladder, interval: tuple[float, float], n: int) -> str:
    over = ladder.between(*interval)
    edges = " and ".join(ladder.text(edge.at) for edge in over)
    return f"; interval {_ends(ladder, interval)} (n = {n})" + (f", which reaches over {edges}" if over else "")


def _nodata(ladder: Ladder, reason: str) -> Band:
    return _band(ladder, "nodata", math.nan, 0, None, reason)


def _band(
    ladder: Ladder, band: BandName, value: float, n: int, interval: tuple[float, float] | None, reason: str,
    *, seed: float = math.nan, point: BandName = "nodata",
) -> Band:  # fmt: skip
    seed = value if math.isnan(seed) else seed
    return Band(band, value, n, interval, reason, seed, ladder.unit, ladder.definition, point)
