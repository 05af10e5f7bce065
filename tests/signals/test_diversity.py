"""Entropy and rarefaction against scipy, brute force and exact fractions."""

import math
import random
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mens_console.signals.diversity import (
    effective,
    entropy,
    entropy_interval,
    evenness,
    heaps,
    miller_madow,
    rarefied,
    ratio_at,
)

some = st.lists(st.integers(0, 500), min_size=1, max_size=40).filter(any)


@given(some)
def test_entropy_is_scipys(counts):
    assert entropy(counts) == pytest.approx(stats.entropy(counts), abs=1e-12)
    assert entropy(counts, base=2) == pytest.approx(stats.entropy(counts, base=2), abs=1e-12)


@given(some, st.randoms())
def test_order_does_not_matter(counts, rng):
    other = counts[:]
    rng.shuffle(other)
    assert entropy(counts) == entropy(other)
    assert rarefied(counts, 3) == rarefied(other, 3) or sum(counts) < 3


def test_correction_by_hand():
    assert miller_madow([50, 30, 20]) == pytest.approx(stats.entropy([50, 30, 20]) + 2 / 200)
    assert miller_madow([50, 50], base=2) == pytest.approx(1 + 1 / 200 / math.log(2))
    assert miller_madow([7]) == 0.0


def test_nothing_counted_is_not_zero():
    for value in (entropy([]), entropy([0, 0]), miller_madow([]), evenness([3]), rarefied([2, 1], 4), rarefied([1], 0)):
        assert math.isnan(value)
    assert all(math.isnan(end) for end in entropy_interval([]))
    with pytest.raises(ValueError, match="-1 times"):
        entropy([3, -1])


def test_equal_shares():
    assert effective(entropy([25] * 8)) == pytest.approx(8)
    assert evenness([25] * 8) == pytest.approx(1)
    assert entropy([900]) == 0.0


@pytest.mark.parametrize("shares", [[0.4, 0.2, 0.1, 0.1, 0.1, 0.05, 0.05], [0.125] * 8, [0.9, 0.05, 0.05]])
@pytest.mark.parametrize("n", [100, 1000])
def test_interval_covers_the_truth(shares, n):
    rng = np.random.default_rng(5)
    truth, rounds = stats.entropy(shares), 400
    hits = sum(
        low <= truth <= high
        for low, high in (entropy_interval(draw.tolist()) for draw in rng.multinomial(n, shares, rounds))
    )
    assert hits / rounds > 0.91


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.integers(1, 9))
def test_rarefaction_is_the_mean_over_all_draws(counts, draw):
    items = [kind for kind, count in enumerate(counts) for _ in range(count)]
    if len(items) < draw:
        assert math.isnan(rarefied(counts, draw))
        return
    draws = [len(set(chosen)) for chosen in combinations(items, draw)]
    assert rarefied(counts, draw) == pytest.approx(float(Fraction(sum(draws), len(draws))), rel=1e-9)


def test_rarefaction_of_many():
    rng = random.Random(2)
    counts = [rng.randrange(1, 2000) for _ in range(3000)]
    n, draw = sum(counts), 1000
    expected = sum(1 - stats.hypergeom.pmf(0, n, count, draw) for count in counts)
    assert rarefied(counts, draw) == pytest.approx(expected, rel=1e-6)


def test_heaps_finds_the_exponent_again():
    assert heaps(300 * 4**0.6, 4000, 300, 1000) == pytest.approx(0.6)
    assert math.isnan(heaps(300, 1000, 299, 990))
    assert ratio_at(0.9, 250, 0.5) == pytest.approx(0.45)
    assert math.isnan(ratio_at(0.9, 500, math.nan))
    assert ratio_at(0.9, 1000, math.nan) == 0.9, "a batch of that size is its own answer"
