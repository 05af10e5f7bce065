"""Calibration and pattern counts against independent computations with numpy and scipy."""

import math
import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import log_loss

from mens_console.signals.calibration import (
    cross_entropy,
    exact_match,
    expected_calibration_error,
    expected_ece,
)
from mens_console.signals.patterns import MAX_PATTERNS, OTHER, PatternGrid, bucket_names, wilson

confidences = st.lists(st.floats(0, 1, allow_subnormal=False), min_size=1, max_size=60)


def oracle(p, correct, bins=15):
    p, correct = np.asarray(p, float), np.asarray(correct, float)
    edges = np.linspace(0, 1, bins + 1)
    total = 0.0
    for low, high in pairwise(edges):
        inside = (p > low) & (p <= high) if low > 0 else (p <= high)
        if inside.any():
            total += inside.mean() * abs(correct[inside].mean() - p[inside].mean())
    return total


def test_ece_of_random_answers():
    rng = np.random.default_rng(3)
    for n in (1, 7, 100, 3000):
        p = rng.random(n)
        correct = rng.random(n) < p**2
        assert expected_calibration_error(list(p), list(correct)) == pytest.approx(oracle(p, correct), abs=1e-12)


def test_ece_by_hand():
    assert expected_calibration_error([0.9, 0.9], [True, False], bins=10) == pytest.approx(0.4)
    assert expected_calibration_error([0.0, 1.0], [False, True]) == 0.0
    assert math.isnan(expected_calibration_error([], []))


@pytest.mark.parametrize("bad", [[1.2], [-0.1], [math.nan]])
def test_a_confidence_outside_its_range_is_refused(bad):
    with pytest.raises(ValueError, match="confidence"):
        expected_calibration_error(bad, [True])
    with pytest.raises(ValueError, match="confidence"):
        expected_ece(bad)


def test_lengths_that_differ_are_refused():
    with pytest.raises(ValueError, match="1 confidences but 2"):
        expected_calibration_error([0.5], [True, False])
    with pytest.raises(ValueError, match="at least one bin"):
        expected_calibration_error([0.5], [True], bins=0)


@given(confidences, st.randoms(use_true_random=False))
def test_ece_does_not_depend_on_order(p, rng):
    correct = [rng.random() < x for x in p]
    together = list(zip(p, correct, strict=True))
    before = expected_calibration_error(p, correct)
    rng.shuffle(together)
    assert expected_calibration_error(*map(list, zip(*together, strict=True))) == pytest.approx(before, abs=1e-12)


def test_expected_ece_of_equal_confidences_is_the_mean_deviation_of_the_binomial():
    for n, p in ((1, 0.3), (10, 0.5), (200, 0.97), (350, 0.4)):
        k = np.arange(n + 1)
        exact = (stats.binom.pmf(k, n, p) * abs(k - n * p)).sum() / n
        assert expected_ece([p] * n) == pytest.approx(exact, rel=1e-9)


def test_expected_ece_of_mixed_confidences_is_what_simulation_says():
    rng = np.random.default_rng(11)
    p = rng.beta(4, 1.5, 120)
    draws = [oracle(p, rng.random(120) < p) for _ in range(4000)]
    error = np.std(draws) / math.sqrt(len(draws))
    assert abs(expected_ece(list(p)) - np.mean(draws)) < 4 * error


def test_the_normal_law_takes_over_smoothly():
    for n, p in ((402, 0.5), (3000, 0.965), (1200, 0.9)):
        assert n * p * (1 - p) >= 100
        k = np.arange(n + 1)
        exact = (stats.binom.pmf(k, n, p) * abs(k - n * p)).sum() / n
        assert expected_ece([p] * n) == pytest.approx(exact, rel=2e-3)


def test_expected_ece_falls_with_the_number_of_answers():
    rng = random.Random(5)
    p = [rng.random() for _ in range(400)]
    assert expected_ece(p) < expected_ece(p[:50]) / 2
    assert math.isnan(expected_ece([]))
    assert expected_ece([1.0] * 10) == 0.0


def test_cross_entropy_against_sklearn():
    p = np.random.default_rng(2).uniform(0.01, 0.99, 50)
    reference = log_loss([1] * 50, np.column_stack([1 - p, p]), labels=[0, 1])
    assert cross_entropy([math.log(x) for x in p]) == pytest.approx(reference)
    assert math.isnan(cross_entropy([]))
    assert cross_entropy([-math.inf, -1.0]) == math.inf


def test_exact_match():
    assert exact_match(["a  b ", "é", "x"], ["a b", "e\u0301", "X"]) == pytest.approx(2 / 3)
    assert exact_match(["X"], ["x"], str.lower) == 1.0
    assert math.isnan(exact_match([], []))
    with pytest.raises(ValueError, match="zip"):
        exact_match(["a"], [])


@given(st.integers(1, 500), st.data())
def test_wilson_against_scipy(n, data):
    k = data.draw(st.integers(0, n))
    interval = stats.binomtest(k, n).proportion_ci(method="wilson")
    assert wilson(k, n) == pytest.approx((interval.low, interval.high), abs=1e-9)
    assert (wilson(0, n)[0], wilson(n, n)[1]) == (0.0, 1.0)


def test_grid_buckets_and_cells():
    grid = PatternGrid((8, 16, 32))
    assert grid.lengths == ("≤8", "9-16", "17-32", ">32") == bucket_names((8, 16, 32))
    for length in (0, 8, 9, 16, 17, 33, math.inf):
        grid.update("sum", length, correct=length > 8)
    assert grid.counts == ([[0, 2, 1, 2]], [[2, 2, 1, 2]])
    cell = grid.cell("sum", 0)
    assert (cell.accuracy, cell.n, cell.low) == (0.0, 2, 0.0)
    assert cell.high == pytest.approx(wilson(0, 2)[1])
    with pytest.raises(ValueError, match="NaN"):
        grid.update("sum", math.nan, correct=True)
    for edges in ((), (8, 8), (9, 3)):
        with pytest.raises(ValueError, match="rise"):
            PatternGrid(edges)


def test_patterns_beyond_the_limit_are_counted_together():
    grid = PatternGrid()
    for i in range(100):
        grid.update(f"p{i}", 3, correct=True)
    assert len(grid.patterns) == MAX_PATTERNS + 1
    assert grid.cell(OTHER, 0).n == 100 - MAX_PATTERNS


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 300), st.booleans())), st.integers(0, 30))
def test_merged_parts_are_the_whole(rows, cut):
    whole, left, right = PatternGrid(), PatternGrid(), PatternGrid()
    for i, (pattern, length, correct) in enumerate(rows):
        whole.update(pattern, length, correct=correct)
        (left if i < cut else right).update(pattern, length, correct=correct)
    left.merge(right)
    assert (left.patterns, left.counts) == (whole.patterns, whole.counts)


def test_grids_of_other_edges_do_not_add_up():
    with pytest.raises(ValueError, match="edges"):
        PatternGrid((1, 2)).merge(PatternGrid((1, 3)))
