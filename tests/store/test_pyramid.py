"""The pyramid against a plain pass over the values."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mens_console.store.pyramid import Pyramid
from mens_console.store.series import Cache, SeriesView

values = st.lists(st.floats(width=32, allow_nan=True, allow_infinity=True), min_size=1, max_size=2000)


def series(data: np.ndarray) -> SeriesView:
    n = len(data)
    return SeriesView("loss", np.arange(n, dtype=np.int64), data, np.arange(n) * 2.0 + 1e9, n, cache=Cache())


@given(values, st.lists(st.integers(1, 400), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_growing_in_pieces_equals_growing_at_once(raw: list[float], sizes: list[int]) -> None:
    data = np.array(raw)
    whole, pieces = Pyramid(), Pyramid()
    whole.extend(data)
    end = 0
    for size in sizes:
        end = min(len(data), end + size)
        pieces.extend(data[:end])
    pieces.extend(data)
    for borders in (np.array([0, len(data)]), np.linspace(0, len(data), 5).astype(np.int64)):
        with np.errstate(invalid="ignore", over="ignore"):
            a, b = whole.reduce(data, borders), pieces.reduce(data, borders)
        for left, right in zip(a[0], b[0], strict=True):
            np.testing.assert_allclose(left, right, rtol=1e-9)
        np.testing.assert_array_equal(a[1], b[1])


@given(values, st.integers(1, 12))
@settings(max_examples=80, deadline=None)
def test_no_value_is_lost_or_counted_twice(raw: list[float], columns: int) -> None:
    data = np.array(raw)
    bins = series(data).bins(np.linspace(0, max(1, len(data) - 1), columns + 1), "step")
    finite = np.isfinite(data)
    assert bins.n.sum() == finite.sum()
    assert bins.bad.sum() == (~finite).sum()
    if finite.any():
        assert np.nanmin(bins.lo) == data[finite].min()
        assert np.nanmax(bins.hi) == data[finite].max()


def test_a_single_spike_in_a_million_survives_every_zoom() -> None:
    data = np.zeros(1_000_000)
    data[654_321] = 9.0
    view = series(data)
    for columns in (1, 7, 80, 240, 1000):
        bins = view.bins(np.linspace(0, len(data) - 1, columns + 1), "step")
        assert np.nanmax(bins.hi) == 9.0
        column = int(np.nanargmax(bins.hi))
        assert abs(column - 654_321 / 1e6 * columns) <= 1.25
        np.testing.assert_allclose(np.nansum(bins.mean * bins.n), 9.0)


def test_narrow_zoom_is_exact() -> None:
    data = np.random.default_rng(1).normal(size=100_000)
    bins = series(data).bins(np.linspace(500, 740, 241), "step")
    np.testing.assert_array_equal(bins.lo[:240], data[500:740])


def test_nearest_point_and_axes() -> None:
    view = series(np.array([3.0, float("nan"), 1.0]))
    assert view.at(1.2, "step").step == 1
    assert view.at(1.8, "step").value == 1.0
    assert view.at(99, "relative").x == 4.0
    assert view.bounds("wall") == (1e9, 1e9 + 4)
    assert view.last == 1.0
    timeless = SeriesView("x", view.steps, view.values, np.full(3, np.nan), 3)
    assert timeless.bounds("wall") is None
    assert timeless.at(0, "relative") is None
    assert timeless.bins(np.linspace(0, 1, 4), "wall").n.sum() == 0
    empty = SeriesView("x", np.empty(0, np.int64), np.empty(0), np.empty(0), 0)
    assert empty.bounds("step") is None
    assert empty.at(0, "step") is None
    assert empty.last_step is None
    assert np.isnan(empty.last)
    assert empty.bins(np.linspace(0, 1, 4), "step").n.sum() == 0
