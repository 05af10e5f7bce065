"""Intervals and differences against scipy, against published examples, and by what they must never do."""

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mens_console.signals.differences import (
    apart,
    mcnemar,
    paired_means,
    paired_median,
    paired_ratios,
    paired_shares,
)
from mens_console.signals.intervals import (
    Estimate,
    clustered_share,
    mean_interval,
    median,
    median_ranks,
    pass_at_k,
    ratio_of_sums,
)


@given(st.integers(1, 40), st.data())
def test_pass_at_k_is_the_hypergeometric_chance_of_drawing_a_pass(n, data):
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    assert pass_at_k(n, c, k) == pytest.approx(1 - stats.hypergeom.pmf(0, n, c, k), abs=1e-12)


def test_pass_at_k_needs_k_samples_and_passes_among_them():
    assert math.isnan(pass_at_k(3, 2, 4))
    with pytest.raises(ValueError, match="pass@1 of 4 passes in 3 samples"):
        pass_at_k(3, 4, 1)


@given(st.integers(1, 300), st.data())
def test_one_trial_a_task_has_wilsons_interval(n, data):
    hits = data.draw(st.integers(0, n))
    found = clustered_share([1.0] * hits + [0.0] * (n - hits), n)
    oracle = stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert found.interval == pytest.approx((oracle.low, oracle.high), abs=1e-9)


def test_trials_that_agree_within_their_tasks_are_worth_no_more_than_the_tasks():
    tasks = [1.0] * 30 + [0.0] * 20
    alike = clustered_share(tasks, 500)
    assert 35 < alike.worth <= 50
    low, high = clustered_share(tasks, 50).interval
    assert alike.interval[0] <= low
    assert alike.interval[1] >= high


def test_trials_that_are_independent_are_worth_about_their_number():
    draw = np.random.default_rng(1)
    shares = draw.binomial(10, 0.4, 400) / 10
    assert 3000 < clustered_share(shares.tolist(), 4000).worth <= 4000


def test_the_interval_of_clustered_trials_holds_the_truth_nineteen_times_in_twenty():
    draw = np.random.default_rng(2)
    held, wilson_alone = 0, 0
    for _ in range(600):
        chances = draw.beta(1.2, 0.8, 40)
        shares = draw.binomial(8, chances) / 8
        found = clustered_share(shares.tolist(), 320)
        held += found.interval[0] <= 0.6 <= found.interval[1]
        naive = clustered_share([1.0] * round(shares.mean() * 320) + [0.0] * (320 - round(shares.mean() * 320)), 320)
        wilson_alone += naive.interval[0] <= 0.6 <= naive.interval[1]
    assert 0.93 <= held / 600 <= 0.98
    assert wilson_alone / 600 < 0.85


@pytest.mark.parametrize("n", [6, 7, 10, 25, 100, 999, 1999, 2000])
def test_median_ranks_are_the_binomial_ones(n):
    low, high = median_ranks(n)
    assert stats.binom.cdf(low - 1, n, 0.5) <= 0.025 < stats.binom.cdf(low, n, 0.5)
    assert high == n + 1 - low


@pytest.mark.parametrize("n", [2001, 5000, 100_001])
def test_ranks_of_many_values_are_within_one(n):
    assert abs(median_ranks(n)[0] - stats.binom.ppf(0.025, n, 0.5)) <= 1


def test_too_few_values_have_no_interval_of_their_median():
    assert median([1.0, 2.0, 3.0, 4.0, 5.0]) == Estimate(3.0, None, 5)
    assert math.isnan(median([]).value)


def test_a_median_of_times_takes_what_never_came_as_longest():
    found = median([10.0, 20.0, 30.0, 40.0, 50.0, math.inf, math.inf])
    assert (found.value, found.interval) == (40.0, (10.0, math.inf))
    assert median([1.0, math.inf]).value == math.inf


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50))
def test_mean_interval_is_students(values):
    found = mean_interval(values)
    if found.interval is None:
        assert len(set(values)) == 1 or np.std(values) < 1e-6
        return
    oracle = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    half = (oracle[1] - oracle[0]) / 2
    assert found.interval == pytest.approx(oracle, abs=2e-3 * half + 1e-6 * max(map(abs, values)))


def test_ratio_of_sums_has_the_jackknifes_interval():
    draw = random.Random(3)
    seconds = [draw.uniform(0.5, 4) for _ in range(30)]
    tokens = [s * draw.uniform(80, 120) for s in seconds]
    ratios = np.array([(sum(tokens) - t) / (sum(seconds) - s) for t, s in zip(tokens, seconds, strict=True)])
    error = math.sqrt(29 / 30 * ((ratios - ratios.mean()) ** 2).sum())
    half = stats.t.ppf(0.975, 29) * error
    ratio = sum(tokens) / sum(seconds)
    found = ratio_of_sums(tokens, seconds)
    assert found.value == pytest.approx(ratio)
    assert found.interval == pytest.approx((ratio - half, ratio + half), rel=1e-3)


def test_a_rate_over_no_time_is_unknown():
    assert math.isnan(ratio_of_sums([5.0], [0.0]).value)
    assert ratio_of_sums([5.0], [2.0]) == Estimate(2.5, None, 1)


def test_unpaired_shares_as_newcombe_published_them():
    # Newcombe 1998, Statistics in Medicine 17:873, table II, method 10: 56/70 against 48/80.
    one = clustered_share([1.0] * 56 + [0.0] * 14, 70)
    two = clustered_share([1.0] * 48 + [0.0] * 32, 80)
    assert apart(two, one).interval == pytest.approx((0.0524, 0.3339), abs=5e-5)


@pytest.mark.parametrize(
    ("cells", "interval"),
    [
        ((36, 12, 2, 0), (0.0569, 0.3404)),  # Newcombe 1998, Statistics in Medicine 17:2635, table III, method 10
        ((16, 4, 0, 0), (-0.0005, 0.4160)),  # a margin is empty: the two Wilson intervals squared and added
        ((0, 0, 0, 10), (-0.2775, 0.2775)),
    ],
)
def test_paired_shares_as_newcombe_published_them(cells, interval):
    both, only_base, only_other, neither = cells
    low, high = paired_shares(both, only_base, only_other, neither).interval
    assert (-high, -low) == pytest.approx(interval, abs=5e-4)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_binomial_test_of_the_split(b, c):
    oracle = stats.binomtest(min(b, c), b + c).pvalue if b + c else 1.0
    assert mcnemar(b, c) == pytest.approx(oracle, rel=1e-9)


def test_mcnemar_of_very_many_is_close_to_exact():
    assert mcnemar(900, 1000) == pytest.approx(stats.binomtest(900, 1900).pvalue, rel=0.02)


@given(st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, 1e4)), min_size=6, max_size=40))
def test_exchanging_two_models_turns_a_difference_round(pairs):
    base, other = [a for a, _ in pairs], [b for _, b in pairs]
    for estimate in (paired_median, paired_means):
        there, back = estimate(base, other), estimate(other, base)
        assert there.value == pytest.approx(-back.value, abs=1e-6)
        if there.interval is not None and back.interval is not None:
            assert there.interval == pytest.approx((-back.interval[1], -back.interval[0]), abs=1e-6)


def test_tasks_that_neither_finished_differ_by_nothing():
    base = [math.inf, 10.0, 20.0, 30.0, 40.0, 50.0]
    other = [math.inf, 5.0, 15.0, 25.0, 35.0, math.inf]
    found = paired_median(base, other)
    assert (found.value, found.interval) == (-5.0, (-5.0, math.inf))


def test_a_paired_difference_of_rates_is_zero_between_equal_models_and_needs_two_tasks():
    side = ([10.0, 30.0, 20.0], [1.0, 2.0, 3.0])
    assert paired_ratios(side, side).value == 0
    assert paired_ratios(([1.0], [1.0]), ([2.0], [1.0])) == Estimate(1.0, None, 1)


def test_intervals_of_paired_shares_hold_the_truth():
    draw = np.random.default_rng(4)
    held = 0
    for _ in range(600):
        base = draw.random(60) < 0.6
        other = np.where(draw.random(60) < 0.8, base, draw.random(60) < 0.7)
        both, only_base = int((base & other).sum()), int((base & ~other).sum())
        only_other = int((~base & other).sum())
        low, high = paired_shares(both, only_base, only_other, 60 - both - only_base - only_other).interval
        held += low <= 0.2 * (0.7 - 0.6) <= high
    assert held / 600 >= 0.94
