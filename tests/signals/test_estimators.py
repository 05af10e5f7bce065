"""Estimators against independent oracles, and the law that chunking a stream never changes a result."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mens_console.signals.ema import Ema
from mens_console.signals.series import Blocks, Recent, fit_line, lag1, median, quantile, t_quantile
from mens_console.signals.trend import TrendEstimator
from mens_console.signals.variance import Moments, WindowVariance

finite = st.floats(-1e6, 1e6)
logged = st.one_of(finite, st.sampled_from([math.nan, math.inf, -math.inf]))
cuts = st.lists(st.integers(1, 40), max_size=20)


def chunks(n, sizes):
    at = 0
    for size in sizes:
        if at >= n:
            return
        yield slice(at, min(at + size, n))
        at += size
    if at < n:
        yield slice(at, n)


def same(a, b):
    return np.array_equal(np.asarray(a, float), np.asarray(b, float), equal_nan=True)


# --------------------------------------------------------------------------- EMA


@given(st.lists(finite, min_size=1, max_size=60), st.floats(0.01, 1.0))
def test_ema_is_the_closed_form_weighted_mean(values, alpha):
    got = Ema(alpha).update_many(range(len(values)), values)
    for i in range(len(values)):
        weights = alpha * (1 - alpha) ** np.arange(i, -1, -1)
        assert got[i] == pytest.approx(np.average(values[: i + 1], weights=weights), rel=1e-6, abs=1e-6)


@given(st.lists(logged, max_size=300), cuts)
def test_ema_does_not_depend_on_chunks(values, sizes):
    whole, parts = Ema(), Ema()
    steps = list(range(len(values)))
    expected = whole.update_many(steps, values)
    got = [y for c in chunks(len(values), sizes) for y in parts.update_many(steps[c], values[c])]
    assert same(got, expected)
    assert (parts.n, parts.skipped, parts.last_finite) == (whole.n, whole.skipped, whole.last_finite)
    whole.rewind(len(values) // 2)
    parts.rewind(len(values) // 2)
    assert same([parts.value], [whole.value])


def test_ema_counts_and_skips_what_is_not_finite():
    ema = Ema(0.5)
    out = ema.update_many(range(5), [1.0, math.nan, math.inf, -math.inf, 3.0])
    assert ema.skipped == 3
    assert same(out[1:4], [math.nan] * 3)
    assert out[4] == pytest.approx((1 * 0.25 + 3 * 0.5) / 0.75)
    assert math.isnan(Ema().value)
    with pytest.raises(ValueError, match="alpha"):
        Ema(0.0)


@given(st.integers(1, 40_000), st.integers(0, 40_000))
@settings(max_examples=30, deadline=None)
def test_ema_rewinds_to_a_state_no_older_than_a_quarter_of_the_way(n, back):
    ema = Ema()
    series = ema.update_many(range(n), [float(i) for i in range(n)])
    target = max(n - back, 0)
    ema.rewind(target)
    if not ema.n:
        assert target <= max((n - target) / 3, 8)
        return
    found = ema.n - 1  # every point was finite: the state after point k has k + 1 of them
    assert found < target
    assert target - found <= max((n - target) / 3, 8) + 8
    assert ema.value == series[found]


# --------------------------------------------------------------------------- variance


@given(st.lists(logged, max_size=80), st.lists(logged, max_size=80))
def test_moments_agree_with_numpy_and_merge(a, b):
    left, right = Moments(), Moments()
    left.update_many(a)
    for x in b:
        right.update(x)
    both = left.merge(right)
    values = [x for x in (*a, *b) if math.isfinite(x)]
    assert both.n == len(values)
    if values:
        assert both.mean == pytest.approx(np.mean(values), rel=1e-9, abs=1e-6)
    if len(values) > 1:
        assert both.var == pytest.approx(np.var(values, ddof=1), rel=1e-6, abs=1e-4)
        assert both.std == pytest.approx(np.std(values, ddof=1), rel=1e-6, abs=1e-2)
    else:
        assert math.isnan(both.var)


@given(st.lists(logged, max_size=200), cuts, st.integers(2, 50))
def test_windowed_variance_is_that_of_the_last_finite_values(values, sizes, window):
    estimator = WindowVariance(window)
    for c in chunks(len(values), sizes):
        estimator.update_many(range(len(values))[c], values[c])
    last = [x for x in values if math.isfinite(x)][-window:]
    got = estimator.moments
    assert got.n == len(last)
    if len(last) > 1:
        assert got.var == pytest.approx(np.var(last, ddof=1), rel=1e-9, abs=1e-9)


def test_window_variance_forgets_an_abandoned_branch():
    estimator = WindowVariance(10)
    estimator.update_many(range(20), [float(i) for i in range(20)])
    estimator.rewind(15)
    assert estimator.moments.mean == pytest.approx(12.0)
    assert WindowVariance(2).moments.n == 0
    with pytest.raises(ValueError, match="two"):
        WindowVariance(1)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=100), cuts, st.integers(1, 20))
def test_recent_does_not_depend_on_chunks(values, sizes, size):
    whole, parts = Recent(size, above=0.0), Recent(size, above=0.0)
    for i, x in enumerate(values):
        whole.update_many((i,), (x,))
    for c in chunks(len(values), sizes):
        parts.update_many(range(len(values))[c], values[c])
    assert whole.points == parts.points


# --------------------------------------------------------------------------- shared tools


@given(st.lists(finite, min_size=1, max_size=60), st.floats(0, 1))
def test_quantile_and_median_agree_with_numpy(values, p):
    ordered = sorted(values)
    assert quantile(ordered, p) == pytest.approx(np.quantile(values, p), rel=1e-9, abs=1e-6)
    assert median(ordered) == pytest.approx(np.median(values), rel=1e-12, abs=1e-9)


def test_no_values_have_no_quantile():
    assert math.isnan(quantile([], 0.5))
    assert math.isnan(median([]))


@pytest.mark.parametrize("confidence", [0.90, 0.95])
@pytest.mark.parametrize("df", [1, 2, 3, 4, 7, 15, 62, 1e9])
def test_t_quantile_agrees_with_scipy(confidence, df):
    assert t_quantile(confidence, df) == pytest.approx(stats.t.ppf(0.5 + confidence / 2, df), rel=0.01)


@given(st.lists(st.tuples(st.integers(0, 1000), st.floats(-100, 100)), min_size=3, max_size=40))
def test_line_agrees_with_linregress(points):
    xs, ys = [float(x) for x, _ in points], [y for _, y in points]
    line = fit_line(xs, ys)
    if len(set(xs)) == 1:
        assert line is None
        return
    oracle = stats.linregress(xs, ys)
    assert line.slope == pytest.approx(oracle.slope, rel=1e-6, abs=1e-7)
    assert line.intercept == pytest.approx(oracle.intercept, rel=1e-6, abs=1e-5)
    if math.isfinite(oracle.stderr):  # scipy gives NaN for a constant y
        assert line.stderr == pytest.approx(oracle.stderr, rel=1e-4, abs=1e-5)


def test_line_needs_three_points():
    assert fit_line([0.0, 1.0], [0.0, 1.0]) is None
    assert lag1([1.0, -1.0]) == 0.0
    assert lag1([0.0] * 9) == 0.0
    assert lag1([1.0, -1.0] * 20) == 0.0  # negative correlation is read as none


@given(st.lists(logged, max_size=700), cuts, st.sampled_from([None, 1, 4]))
@settings(deadline=None)
def test_blocks_hold_every_point_once_and_do_not_depend_on_chunks(values, sizes, largest):
    whole, parts = Blocks(largest), Blocks(largest)
    for i, y in enumerate(values):
        if math.isfinite(y):
            whole.add(i, 1.0, y)
    for c in chunks(len(values), sizes):
        part = values[c]
        parts.update_many(range(len(values))[c], [1.0] * len(part), part)
    assert whole.full == parts.full
    assert len(whole.full) < 64
    points = [y for y in values if math.isfinite(y)]
    held = sum(b.n for b in whole.full)
    if largest is None:
        assert len(points) - held < whole.size
        assert sum(b.y for b in whole.full) == pytest.approx(math.fsum(points[:held]), rel=1e-9, abs=1e-3)
    else:
        assert whole.size <= largest


# --------------------------------------------------------------------------- trend


def test_trend_names_each_direction():
    steps = list(range(0, 4000, 10))
    falling = [3.0 - s / 4000 for s in steps]
    for values, word in ((falling, "improving"), (falling[::-1], "degrading"), ([2.0] * 400, "stable")):
        estimator = TrendEstimator()
        estimator.update_many(steps, values)
        assert estimator.trend.direction == word
    rising = TrendEstimator(falling_is_better=False)
    rising.update_many(steps, falling[::-1])
    trend = rising.trend
    assert trend.direction == "improving"
    assert trend.slope == pytest.approx(0.25)
    assert trend.low <= trend.slope <= trend.high
    assert 0 < trend.change < 1
    assert trend.window == pytest.approx(steps[-1], rel=0.05)


def test_trend_is_unknown_until_there_are_eight_blocks():
    estimator = TrendEstimator()
    for i in range(7):
        estimator.update(i, 1.0 - 0.1 * i)
    assert estimator.trend.direction == "unknown"
    assert estimator.trend.n == 7
    estimator.update(7, 0.3)
    assert estimator.trend.direction == "improving"
    estimator.rewind(5)
    assert estimator.trend.n == 5


def test_a_change_too_small_to_matter_is_stable():
    estimator = TrendEstimator()
    estimator.update_many(range(400), [2.0 - 1e-6 * i for i in range(400)])
    trend = estimator.trend
    assert trend.high < 0.0
    assert trend.direction == "stable"


def test_trend_sees_through_noise_to_the_slope_of_linregress():
    rng = np.random.default_rng(3)
    steps = np.arange(512)
    values = 2.0 - 0.001 * steps + rng.normal(0, 0.05, 512)
    estimator = TrendEstimator()
    estimator.update_many(steps.tolist(), values.tolist())
    oracle = stats.linregress(steps, values)
    trend = estimator.trend
    assert trend.slope == pytest.approx(1000 * oracle.slope, rel=0.05)
    low, high, *_ = (1000 * x for x in stats.theilslopes(values, steps)[2:])
    assert trend.low < high
    assert trend.high > low


@pytest.mark.parametrize(("rho", "floor"), [(0.0, 0.92), (0.6, 0.90), (0.9, 0.83)])
def test_the_interval_of_the_slope_covers_the_truth(rho, floor):
    """95 % nominal over 400 noisy lines; strongly autocorrelated noise costs a little, never the meaning."""
    rng = np.random.default_rng(11)
    hits = 0
    for _ in range(400):
        noise = np.zeros(512)
        shocks = rng.normal(0, 0.1, 512)
        for i in range(1, 512):
            noise[i] = rho * noise[i - 1] + shocks[i]
        estimator = TrendEstimator()
        estimator.update_many(range(512), (2.0 - 0.0005 * np.arange(512) + noise).tolist())
        trend = estimator.trend
        hits += trend.low <= -0.5 <= trend.high
    assert floor <= hits / 400 <= 0.995
