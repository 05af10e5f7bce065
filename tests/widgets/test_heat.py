"""Numbers to shades, against plain loops and an independent reading of the colour space."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mens_widgets import heat, oklab

VALUES = st.one_of(st.floats(-1e3, 1e3, width=32), st.just(math.nan), st.just(math.inf))


def oracle(row, xs, left, right, spacing):
    """Return what a cell shows, by the definition: the largest that begins in it, else the one that goes on."""
    inside = [v for v, x in zip(row, xs, strict=True) if left <= x < right and not math.isnan(v)]
    if any(left <= x < right for x in xs):
        return max(inside, default=math.nan)
    before = [i for i, x in enumerate(xs) if x < left]
    if not before:
        return math.nan
    i = before[-1]
    apart = xs[i + 1] - xs[i] if i + 1 < len(xs) else spacing
    reach = spacing if apart > heat.GAP_FACTOR * spacing else apart
    return row[i] if xs[i] + reach > left else math.nan


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=25),
    st.integers(1, 30),
    st.integers(0, 40),
    st.integers(1, 900),
    st.data(),
)
def test_resampling_is_its_definition(steps, cells, start, span, data):
    xs = np.cumsum(np.array(steps, dtype=np.float64))
    row = data.draw(st.lists(VALUES, min_size=len(xs), max_size=len(xs)))
    edges = start + span / cells * np.arange(cells + 1)
    spacing = heat.Course(xs).spacing
    got = heat.resample(np.array([row], np.float32), xs, edges, spacing)[0]
    want = [oracle(row, xs, a, b, spacing) for a, b in itertools.pairwise(edges)]
    np.testing.assert_array_equal(got, np.array(want, np.float32))


def test_a_spike_survives_in_one_cell_and_gaps_stay_blank():
    xs = np.concatenate([np.arange(0, 500), np.arange(5000, 5500)]).astype(float)
    row = np.ones((1, 1000), np.float32)
    row[0, 123] = 99.0
    row[0, 700] = math.inf
    got = heat.resample(row, xs, np.linspace(0, 5500, 56), 1.0)[0]
    assert (got == 99).sum() == 1 and got[1] == 99
    assert np.isinf(got).sum() == 1
    assert np.isnan(got[6:50]).all() and not np.isnan(got[50:]).any()


def test_few_columns_are_stretched():
    got = heat.resample(np.array([[1, 2, 3]], np.float32), np.array([0.0, 10, 20]), np.linspace(0, 30, 31), 10.0)[0]
    assert got.tolist() == [1.0] * 10 + [2.0] * 10 + [3.0] * 10


def test_nothing_to_resample():
    empty = np.empty((2, 0), np.float32)
    assert np.isnan(heat.resample(empty, np.empty(0), np.linspace(0, 1, 4), 1.0)).all()
    assert heat.Course(np.empty(0, np.int64)).bounds is None
    assert heat.limits(empty, log=True) is None
    assert heat.limits(np.full((2, 2), np.nan), log=False) is None


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 100), min_size=1, max_size=40))
def test_a_course_ascends_whatever_the_steps_do(steps):
    course = heat.Course(np.array(steps, np.int64))
    assert (np.diff(course.xs) > 0).all()
    falls = sum(b <= a for a, b in itertools.pairwise(steps))
    assert len(course.falls) == falls
    for x, step in zip(course.xs.tolist(), steps, strict=True):
        assert course.step(x) == pytest.approx(step)
    # A step stands where it was made last; from the newest piece, that is its own column.
    assert course.place(steps[-1]) == pytest.approx(course.xs[-1])


def test_a_resume_stands_where_the_steps_fell_back():
    course = heat.Course(np.array([10, 20, 30, 40, 20, 30, 40, 50]))
    assert course.xs.tolist() == [10, 20, 30, 40, 50, 60, 70, 80]
    assert course.falls == (50.0,)
    assert course.place(35) == 65.0 and course.place(12) == 12.0 and course.place(5) == 10.0
    assert course.place(500) is None and course.place(-1) is None
    assert course.fell_to(15) and not course.fell_to(45)
    assert course.bounds == (10.0, 90.0)
    labels = course.ticks(10, 90, 8)
    assert [label for _, label in labels] == ["10", "20", "30", "40", "20", "30", "40", "50"]
    assert all(course.step(x) == float(label) for x, label in labels)


def test_limits_are_robust_and_round():
    rng = np.random.default_rng(1)
    values = np.exp(rng.normal(math.log(0.01), 1, (500, 300))).astype(np.float32)
    values[3, 7], values[4, 9], values[5, :] = 1e9, np.inf, 0.0
    low, high = heat.limits(values, log=True)
    inside = values[(values > 0) & np.isfinite(values)]
    p2, p98 = np.percentile(inside, (2, 98))
    assert low <= p2 * 1.02 and low > p2 / 3 and high >= p98 * 0.98 and high < p98 * 3
    for limit in (low, high):
        assert float(f"{limit:.0e}"[0]) in (1, 2, 5)
    low, high = heat.limits(np.geomspace(1e-30, 1, 1000)[None, :], log=True)
    assert high / low == pytest.approx(1e6)
    assert heat.limits(np.full((2, 3), 7.0), log=False) == (0.0, 7.0)
    assert heat.limits(np.array([[0.0, 0.0]]), log=True) is None
    flat = heat.limits(np.full((2, 3), 7.0), log=True)
    assert flat[0] <= 7 <= flat[1] and flat[1] / flat[0] >= 9.9
    low, high = heat.limits(np.array([[100.0, 101, 102, 103]]), log=False)
    assert 99 <= low <= 100.1 and 102.9 <= high <= 104
    assert heat.limits(np.array([[-3.0, 4.0]]), log=False)[0] <= -2.8


def test_one_more_column_seldom_moves_the_limits():
    rng = np.random.default_rng(4)
    values = np.exp(rng.normal(-3, 1, (40, 400)))
    seen = {heat.limits(values[:, :n], log=True) for n in range(200, 400)}
    assert len(seen) <= 3


def test_levels_tell_blank_zero_and_bad_apart():
    cells = np.array([math.nan, 0.0, math.inf, -math.inf, -1.0, 1e-9, 1e-3, 1e-2, 1e-1, 1e9])
    log = heat.levels(cells, (1e-3, 1e-1), 4, log=True).tolist()
    assert log[:5] == [heat.BLANK, heat.ZERO, heat.BAD, heat.BAD, heat.ZERO]
    assert log[5:] == [heat.FIRST, heat.FIRST, heat.FIRST + 2, heat.FIRST + 3, heat.FIRST + 3]
    linear = heat.levels(cells, (-1.0, 1.0), 4, log=False).tolist()
    assert linear[1] == heat.ZERO and linear[4] == heat.FIRST and linear[-1] == heat.FIRST + 3
    assert heat.levels(np.array([5.0]), None, 4, log=True).tolist() == [heat.BLANK]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(1e-12, 1e12), min_size=2, max_size=50), st.booleans())
def test_larger_is_never_darker(values, log):
    ordered = np.sort(np.array(values))
    codes = heat.levels(ordered, heat.limits(ordered[None, :], log=log), 16, log=log)
    assert (np.diff(codes.astype(int)) >= 0).all()


# Colour: reference values of OKLab as its author gives them for the sRGB primaries.


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((255, 255, 255), (1.0, 0.0, 0.0)),
        ((0, 0, 0), (0.0, 0.0, 0.0)),
        ((255, 0, 0), (0.6280, 0.2249, 0.1258)),
        ((0, 255, 0), (0.8664, -0.2339, 0.1795)),
        ((0, 0, 255), (0.4520, -0.0325, -0.3115)),
    ],
)
def test_oklab_of_known_colours(rgb, lab):
    assert oklab.to_oklab(rgb) == pytest.approx(lab, abs=1e-3)
    assert oklab.from_oklab(*oklab.to_oklab(rgb)) == rgb


@pytest.mark.parametrize(("low", "high"), [(0.26, 0.94), (0.93, 0.27)])
def test_a_ramp_is_even_in_lightness(low, high):
    colours = oklab.ramp([(169, 155, 224), (95, 179, 217), (124, 196, 138), (217, 166, 95)], 16, low, high)
    assert len(set(colours)) == 16
    steps = np.diff([oklab.lightness(colour) for colour in colours])
    assert np.sign(steps[0]) == np.sign(high - low)
    assert steps == pytest.approx(np.full(15, (high - low) / 15), abs=0.012)
