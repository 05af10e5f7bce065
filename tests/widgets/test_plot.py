import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mens_widgets import braille, plot
from mens_widgets.curve import ArrayCurve, Bins
from mens_widgets.viewport import Viewport

VALUES = st.lists(st.one_of(st.floats(-1e6, 1e6), st.sampled_from([math.nan, math.inf, -math.inf])), max_size=80)


@settings(max_examples=80)
@given(VALUES, st.integers(1, 20), st.data())
def test_bins_agree_with_a_slow_count(values, cols, data):
    n = len(values)
    x = sorted(data.draw(st.lists(st.integers(0, 50), min_size=n, max_size=n)))
    curve = ArrayCurve("a", values, x)
    edges = np.linspace(3, 47, cols + 1)
    bins = curve.bins(edges, "step")
    for i in range(cols):
        inside = [
            v for at, v in zip(x, values, strict=True)
            if edges[i] <= at < edges[i + 1] or (i == cols - 1 and at == edges[-1])
        ]  # fmt: skip
        good = [v for v in inside if math.isfinite(v)]
        assert bins.n[i] == len(good)
        assert bins.bad[i] == len(inside) - len(good)
        if good:
            assert (bins.lo[i], bins.hi[i], bins.last[i]) == (min(good), max(good), good[-1])
            assert bins.mean[i] == pytest.approx(math.fsum(good) / len(good), abs=1e-6)
        else:
            assert np.isnan([bins.lo[i], bins.hi[i], bins.mean[i], bins.last[i]]).all()


def test_curve_axes_order_and_nearest():
    curve = ArrayCurve("a", [1, 2, 3, 4], [10, 20, 30, 40], [100, 300, 200, math.nan])
    assert curve.bounds("step") == (10, 40)
    assert curve.bounds("wall") == (100, 300)
    assert curve.bounds("relative") == (0, 200)
    assert curve.at(199, "wall") == (200, 3)
    assert curve.at(25, "step") == (20, 2)
    assert curve.at(-5, "step") == (10, 1)
    assert curve.at(99, "step") == (40, 4)
    bare = ArrayCurve("a", [], [])
    assert bare.bounds("step") is None and bare.at(0, "step") is None and bare.bounds("wall") is None
    assert bare.bins(np.array([0.0, 1.0]), "wall").n.tolist() == [0]
    with pytest.raises(ValueError, match="equally long"):
        ArrayCurve("a", [1], [1, 2])


def test_pack_numbers_every_dot():
    for i, (row, column) in enumerate([(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1), (3, 0), (3, 1)]):
        grid = np.zeros((4, 2), dtype=np.bool_)
        grid[row, column] = True
        assert braille.pack(grid)[0, 0] == 1 << i


def test_spans_and_dots_cut_off_outside():
    top, bottom = np.array([-5.0, 1, np.nan, 9, 6]), np.array([1.0, 2, 3, 12, 20])
    assert braille.spans(top, bottom, 8).sum(axis=0).tolist() == [2, 2, 0, 0, 2]
    assert braille.dots(np.array([-1.0, 0, 7, 8, np.nan]), 8).sum(axis=0).tolist() == [0, 1, 1, 0, 0]


@given(st.lists(st.one_of(st.just(math.nan), st.integers(0, 31).map(float)), min_size=1, max_size=40))
def test_a_joined_line_is_unbroken(rows):
    row = np.array(rows)
    grid = braille.polyline(row, np.ones(len(row), dtype=np.bool_), 32)
    points = np.flatnonzero(np.isfinite(row))
    if not len(points):
        assert not grid.any()
        return
    assert all(grid[int(row[i]), i] for i in points)
    for i in range(points[0], points[-1]):
        here, there = np.flatnonzero(grid[:, i]), np.flatnonzero(grid[:, i + 1])
        assert here.min() - 1 <= there.max() and there.min() - 1 <= here.max()
    assert not grid[:, : points[0]].any() and not grid[:, points[-1] + 1 :].any()


def test_a_gap_is_not_bridged():
    row = np.array([5.0, 5, np.nan, np.nan, 5, 5])
    joined = np.array([False, True, False, False, False, True])
    assert braille.polyline(row, joined, 8).any(axis=0).tolist() == [True, True, False, False, True, True]


def bins_of(n, mean=1.0, bad=None, cut=None):
    n = np.array(n)
    values = np.where(n > 0, mean, np.nan)
    return Bins(values, values, values, values, n, np.array(bad) if bad else np.zeros_like(n), cut)


def test_gaps_come_from_the_usual_spacing():
    assert plot.joined(bins_of([9, 9, 0, 0, 9, 9])).tolist() == [False, True, False, False, False, True]
    sparse = plot.joined(bins_of([1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1]))
    assert np.flatnonzero(sparse).tolist() == [4, 8, 15]
    assert np.flatnonzero(plot.joined(bins_of([1, 1, 1] + [0] * 20 + [1]))).tolist() == [1, 2]
    assert not plot.joined(bins_of([1, 1], cut=np.array([False, True])))[1]
    assert plot.joined(bins_of([1, 0, 1], bad=[0, 1, 0])).tolist() == [False] * 3


@given(st.lists(st.tuples(st.integers(1, 5), st.floats(-100, 100)), min_size=1, max_size=30), st.floats(0.01, 0.99))
def test_smoothing_equals_the_pointwise_average(columns, level):
    bins = bins_of([n for n, _ in columns], np.array([m for _, m in columns]))
    state = weight = 0.0
    for i, (n, mean) in enumerate(columns):
        for _ in range(n):
            state = level * state + (1 - level) * mean
            weight = level * weight + (1 - level)
        assert plot.smooth(bins, level)[i] == pytest.approx(state / weight, abs=1e-9)
    assert plot.smooth(bins, 0) is bins.mean


def layer(values, x=None, cols=40, level=0.0, rewound=False):
    x = np.arange(len(values)) if x is None else x
    bins = ArrayCurve("a", values, x).bins(np.linspace(min(x), max(x), cols + 1), "step")
    return plot.Layer(bins, plot.smooth(bins, level), 0, rewound)


def test_scale_ignores_bad_values_and_gives_flat_series_room():
    scale = plot.scale_for([layer([1, 2, math.inf, 3, math.nan])], 10, log=False, clip=False)
    assert scale.low <= 1 and 3 <= scale.high < 4
    flat = plot.scale_for([layer([5, 5, 5])], 10, log=False, clip=False)
    assert flat.low < 5 < flat.high
    zero = plot.scale_for([layer([0, 0])], 10, log=False, clip=False)
    assert (zero.low, zero.high) == (-1, 1)
    assert plot.scale_for([], 10, log=False, clip=False) == plot.Scale(0, 1)
    huge = plot.scale_for([layer([-1.7e308, 1.7e308])], 10, log=False, clip=False)
    assert math.isfinite(huge.high - huge.low)


def test_clipping_is_marked_where_it_happens():
    values = np.ones(400) + np.arange(400) % 7 * 0.1
    values[200] = 1e6
    scale = plot.scale_for([layer(values, cols=400)], 10, log=False, clip=True)
    assert scale.high < 10
    picture = plot.paint([layer(values, cols=400)], scale, 10, 200)
    assert picture.clipped
    assert np.flatnonzero(picture.glyphs[0] == ord("↑")).tolist() == [100]


def test_log_axis_counts_what_it_drops():
    one = layer([1, 10, 100, 0, -5, 1000], cols=12)
    scale = plot.scale_for([one], 8, log=True, clip=False)
    assert scale.low <= 0 and scale.high >= 3
    picture = plot.paint([one], scale, 8, 6)
    assert picture.dropped == 2
    assert [label for _, label in scale.ticks(6)][:4] == ["1", "10", "100", "1000"]
    only_negative = plot.scale_for([layer([-1, -2])], 8, log=True, clip=False)
    assert (only_negative.low, only_negative.high) == (0, 1)
    mixed = Bins(*(np.array([v, v]) for v in (-1.0, 5.0, 2.0, 5.0)), np.array([4, 4]), np.array([0, 0]))
    assert plot.paint([plot.Layer(mixed, mixed.mean, 0)], plot.Scale(0, 1, log=True), 4, 1).dropped == 2


def test_bad_values_stand_on_top_and_rewound_pieces_have_no_line():
    picture = plot.paint([layer([1, math.nan, 2, 1, 2], cols=10)], plot.Scale(0, 3), 5, 5)
    assert (picture.glyphs[0] == ord("✖")).sum() == 1
    assert (picture.inks == plot.BAD_INK).sum() == 1
    dim = plot.paint([layer([1, 2, 3], rewound=True)], plot.Scale(0, 3), 5, 20)
    assert set(np.unique(dim.inks)) == {plot.NO_INK, plot.REWOUND_INK}


@settings(max_examples=60)
@given(VALUES.filter(len), st.booleans(), st.booleans(), st.integers(1, 8), st.integers(4, 30))
def test_anything_can_be_painted(values, log, clip, rows, columns):
    one = layer(values, cols=2 * columns, level=0.9) if len(values) > 1 else layer(values * 2, cols=2 * columns)
    scale = plot.scale_for([one], rows, log=log, clip=clip)
    assert scale.high > scale.low
    assert plot.paint([one], scale, rows, columns).glyphs.shape == (rows, columns)
    assert scale.ticks(4) is not None


def test_viewport_follows_in_steps_and_stays_when_looking_back():
    view = Viewport()
    assert view.shown() == (0, 1) and view.at_end
    view.zoom(0.5, None)
    view.follow((0, 0))
    assert view.shown() == (-0.5, 0.5)
    view.follow((0, 100))
    assert view.shown() == (0, 100)
    view.follow((0, 101))
    assert view.shown() == (0, 104)
    view.zoom(0.25, None)
    assert view.at_end
    window = view.window
    view.follow((0, 101.5))
    assert view.window == window or view.window[1] >= 101.5
    view.pan(-1)
    assert not view.at_end
    held = view.window
    view.follow((0, 200))
    assert view.window == held
    assert view.reveal(150) and view.window[1] == pytest.approx(150)
    assert not view.reveal(149)
    assert view.reveal(0) and view.window[0] == 0
    view.zoom(100, 3)
    assert view.window is None
    view.pan(1)
    assert view.window is None
    view.follow(None)
    assert view.data is None


@given(st.floats(1, 1e9), st.floats(0, 1), st.integers(1, 60))
def test_zooming_keeps_the_place_and_never_collapses(last, share, times):
    view = Viewport()
    view.follow((0.0, last))
    for _ in range(times):
        view.zoom(0.5, share * last)
        x0, x1 = view.shown()
        assert x0 < x1 and x0 >= 0 and x1 <= last * (1 + 1e-9)
        assert x0 - 1e-6 * last <= share * last <= x1 + 1e-6 * last
