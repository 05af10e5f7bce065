"""The gate's statistics against SciPy, and against figures that textbooks and the targets name."""

import math

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from mens_console.gate import distributions as d
from mens_console.gate import statistics as s

SHARES = st.floats(0.001, 0.999)


@settings(deadline=None)
@given(SHARES, st.floats(0.3, 5000), st.floats(0.3, 5000))
def test_incomplete_beta(x, a, b):
    assert d.beta_share(x, a, b) == pytest.approx(special.betainc(a, b, x), abs=1e-9)


@settings(deadline=None)
@given(st.floats(0, 5000), st.floats(0.3, 2000))
def test_incomplete_gamma(x, shape):
    assert d.gamma_share(x, shape) == pytest.approx(special.gammainc(shape, x), abs=1e-9)


@settings(deadline=None, max_examples=50)
@given(SHARES, st.integers(1, 400))
def test_quantiles(p, degrees):
    assert d.chi_square_quantile(p, degrees) == pytest.approx(stats.chi2.ppf(p, degrees), rel=1e-7)
    assert d.student_quantile(p, degrees) == pytest.approx(stats.t.ppf(p, degrees), rel=1e-6, abs=1e-9)
    assert d.beta_quantile(p, degrees, 7) == pytest.approx(stats.beta.ppf(p, degrees, 7), rel=1e-7)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_clopper_pearson_is_scipys(trial):
    k, n = trial
    oracle = stats.binomtest(k, n).proportion_ci(0.90, "exact")
    assert s.clopper_pearson(k, n) == pytest.approx((oracle.low, oracle.high), abs=1e-8)


def test_clopper_pearson_of_a_whole_soak():
    k, n = 2_592_000 - 1_300, 2_592_000
    oracle = stats.binomtest(k, n).proportion_ci(0.90, "exact")
    assert s.clopper_pearson(k, n) == pytest.approx((oracle.low, oracle.high), abs=1e-9)


def test_a_share_between_two_counts_takes_the_wider_side():
    low, high = s.clopper_pearson(98.4, 100)
    assert low == s.clopper_pearson(98, 100)[0]
    assert high == s.clopper_pearson(99, 100)[1]


@pytest.mark.parametrize(("k", "n"), [(-1, 5), (6, 5), (0, 0), (math.nan, 5)])
def test_no_such_share(k, n):
    with pytest.raises(ValueError, match="successes of"):
        s.clopper_pearson(k, n)


def test_299_without_failure_show_99_percent():
    assert s.trials_for_share(1.0, 0.99) == 299
    assert s.clopper_pearson(299, 299)[0] >= 0.99 > s.clopper_pearson(298, 298)[0]
    assert s.trials_for_share(0.0, 0.01) == 299
    assert s.trials_for_share(0.99, 0.99) is None
    assert s.trials_for_share(1.0, 1.0) is None


@settings(deadline=None, max_examples=40)
@given(st.floats(0.05, 0.95), st.floats(0.02, 0.4))
def test_the_trials_proposed_decide_and_one_fewer_do_not(edge, above):
    share = min(edge + above, 1.0)
    n = s.trials_for_share(share, edge)
    assert stats.beta.ppf(0.05, share * n, n - share * n + 1) >= edge - 1e-9
    if n > 2:
        m = n - 1
        assert stats.beta.ppf(0.05, share * m, m - share * m + 1) < edge + 1e-9


def test_mtbf():
    assert s.mtbf_lower_bound(72, 0) == pytest.approx(24.03, abs=0.01)
    assert s.mtbf_lower_bound(72, 1) == pytest.approx(15.18, abs=0.01)
    assert s.mtbf_lower_bound(500, 7) == pytest.approx(1000 / stats.chi2.ppf(0.95, 16))
    assert s.hours_for_mtbf(1000) == pytest.approx(2995.7, abs=0.1)
    assert s.mtbf_lower_bound(s.hours_for_mtbf(1000, 2), 2) == pytest.approx(1000)
    with pytest.raises(ValueError, match="failures in"):
        s.mtbf_lower_bound(0, 0)


@pytest.mark.parametrize("events", [0, 1, 3, 40])
def test_poisson(events):
    low, high = s.poisson_bounds(events)
    assert stats.poisson.cdf(events, high) == pytest.approx(0.05)
    assert (events == 0 and low == 0) or stats.poisson.sf(events - 1, low) == pytest.approx(0.05)


def test_five_runs():
    runs = [118.2, 121.9, 119.4, 120.7, 122.3]
    oracle = stats.t.interval(0.90, 4, numpy.mean(runs), stats.sem(runs))
    assert s.mean_bounds(runs) == pytest.approx(oracle)
    assert s.mean_bounds([120.0]) is None
    assert s.mean_bounds([120.0] * 5) == (120.0, 120.0)


def test_runs_that_would_decide():
    n = s.runs_for_mean(118.0, 5.0, 115.0)
    assert stats.t.ppf(0.95, n - 1) * 5 / n**0.5 <= 3 < stats.t.ppf(0.95, n - 2) * 5 / (n - 1) ** 0.5
    assert s.runs_for_mean(115.0, 5.0, 115.0) is None


@pytest.mark.parametrize(("q", "least"), [(0.99, 299), (0.95, 59), (0.5, 5)])
def test_the_fewest_values_that_bound_a_quantile(q, least):
    assert s.quantile_ranks(least, q)[1] == least
    assert s.quantile_ranks(least - 1, q)[1] is None
    assert s.values_for_quantile(1.0, q) == least


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 3000), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_ranks_are_the_binomials(n, q):
    ranks = numpy.arange(1, n + 1)
    below = stats.binom.cdf(ranks - 1, n, q)
    upper, lower = ranks[below >= 0.95], ranks[below <= 0.05]
    assert s.quantile_ranks(n, q) == (
        int(lower[-1]) if len(lower) else None,
        int(upper[0]) if len(upper) else None,
    )


def test_quantile_bounds_read_counts():
    counts = [(float(value), 3) for value in range(200, 0, -1)]
    low, high = s.quantile_bounds(counts, 0.5)
    lower, upper = s.quantile_ranks(600, 0.5)
    assert (low, high) == (math.ceil(lower / 3), math.ceil(upper / 3))
    assert s.quantile_bounds([(10.0, 298)], 0.99) == (10.0, math.inf)
    assert s.quantile_bounds([], 0.99) == (-math.inf, math.inf)


def test_bounds_of_quantiles_hold_as_often_as_they_say():
    generator = numpy.random.default_rng(7)
    true = stats.lognorm.ppf(0.95, 1.0)
    held = 0
    for _ in range(400):
        sample = generator.lognormal(0.0, 1.0, 150)
        held += s.quantile_bounds([(float(v), 1) for v in sample], 0.95)[1] >= true
    assert held / 400 >= 0.92


def test_differences():
    shares = s.difference_of_shares((70, 100), (75, 100))
    assert shares.value == pytest.approx(0.05)
    assert shares.interval[0] < 0.05 < shares.interval[1]
    base, other = [1.0, 2.0, 3.0, 4.0], [1.5, 2.1, 3.9, 4.2]
    paired = s.paired_difference(base, other)
    oracle = stats.ttest_rel(other, base).confidence_interval(0.90)
    assert paired.interval == pytest.approx((oracle.low, oracle.high))
    with pytest.raises(ValueError, match="zip"):
        s.paired_difference([1.0], [1.0, 2.0])
