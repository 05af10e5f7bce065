"""Columns of minutes: quantiles as of each histogram, the same however the minutes came, and never changed later."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from soak.handmade import minute

from mens_console.load.histogram import Histogram
from mens_console.soak.columns import EDGES, Table, sheets_of
from mens_console.soak.sheets import LEVELS, Sheet
from mens_console.soak.types import LATENCIES, Minute

VALUES = st.lists(st.floats(0, 200_000, allow_nan=False), max_size=40)


@given(st.lists(VALUES, min_size=1, max_size=8))
@settings(max_examples=150, deadline=None)
def test_a_sheet_says_what_its_histograms_say(lists):
    histograms = [Histogram.of_values(one) for one in lists]
    sheet = Sheet(histograms)
    for row, one in zip(sheet.quantiles(), histograms, strict=True):
        expected = [one.quantile(level) for level in LEVELS]
        assert [None if np.isnan(value) else value for value in row] == expected
    merged = Histogram()
    for one in histograms:
        merged.merge(one)
    summed = sheet.sum()
    assert (summed.counts, summed.n, summed.least, summed.greatest) == (
        merged.counts,
        merged.n,
        merged.least,
        merged.greatest,
    )
    assert summed.total == pytest.approx(merged.total)


@given(st.lists(VALUES, min_size=1, max_size=8), st.data())
@settings(max_examples=100, deadline=None)
def test_quantiles_of_groups_are_those_of_merged_histograms(lists, data):
    histograms = [Histogram.of_values(one) for one in lists]
    steps = data.draw(st.lists(st.integers(0, 1), min_size=len(lists) - 1, max_size=len(lists) - 1))
    groups = np.cumsum([0, *steps])
    rows = Sheet(histograms).quantiles(groups)
    assert len(rows) == groups[-1] + 1
    for group, row in enumerate(rows):
        merged = Histogram()
        for whose, one in zip(groups, histograms, strict=True):
            if whose == group:
                merged.merge(one)
        assert [None if np.isnan(value) else value for value in row] == [merged.quantile(level) for level in LEVELS]


@given(st.lists(VALUES, min_size=1, max_size=6))
def test_heat_counts_every_value_once_in_its_row(lists):
    histograms = [Histogram.of_values(one) for one in lists]
    heat = Sheet(histograms).heat(EDGES)
    assert heat.shape == (len(lists), len(EDGES))
    assert heat.sum(axis=1).tolist() == [one.n for one in histograms]
    for row, one in zip(heat, histograms, strict=True):
        for value, count in one.buckets():
            place = max(int(np.searchsorted(EDGES, value, side="right")) - 1, 0)
            row[place] -= count
        assert not row.any()


def table(*batches, more=(), now_s=600.0):
    made = Table()
    for batch in batches:
        made.extend(batch, sheets_of(batch), now_s)
    return made.columns(more, sheets_of(more), now_s)


def same(one, two):
    for name in ("index", "offered", "achieved", "failed", "up", "unobserved_s", "heat"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    for name in LATENCIES:
        np.testing.assert_array_equal(one.percentiles[name], two.percentiles[name])
    assert one.levels.keys() == two.levels.keys()
    for name, values in one.levels.items():
        np.testing.assert_array_equal(values, two.levels[name])


def test_columns_do_not_depend_on_how_the_minutes_came():
    minutes = [minute(i, rate=2, levels={"rss": 1e9 + i} if i % 3 else {"kv_cache": 0.5}) for i in range(9)]
    whole = table(minutes)
    same(whole, table(*[[one] for one in minutes]))
    same(whole, table(minutes[:4], minutes[4:7], more=minutes[7:]))
    same(whole, table(more=minutes))
    assert np.isnan(whole.levels["rss"]).tolist() == [i % 3 == 0 for i in range(9)]


def test_what_was_handed_out_stays_as_it_was():
    made = Table()
    early = [minute(i, rate=1, levels={"rss": 1.0}) for i in range(3)]
    made.extend(early, sheets_of(early), 180)
    before = made.columns((), sheets_of(()), 180)
    kept = before.heat.copy(), before.percentiles["e2e"].copy(), before.levels["rss"].copy()
    for i in range(3, 200):
        made.extend([minute(i, rate=1)], sheets_of([minute(i, rate=1)]), 12_000)
    for one, other in zip(kept, (before.heat, before.percentiles["e2e"], before.levels["rss"]), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match="read-only"):
        before.heat[0, 0] = 1


def test_rates_and_shares_of_a_minute():
    half = Minute(1, due=300, sent=150, ended=150, failed={"http": 15}, skipped=150, unobserved_s=15.0)
    blind = Minute(2, unobserved_s=60.0)
    made = table([minute(0), half, blind], now_s=180.0)
    assert made.offered.tolist()[:2] == [10.0, 5.0]
    assert made.achieved.tolist()[:2] == [10.0, pytest.approx(150 / 45)]
    assert made.failed.tolist()[:2] == [0.0, 0.1]
    assert made.up[0] == 1.0
    for column in (made.offered, made.achieved, made.failed, made.up):
        assert np.isnan(column[2])
    assert np.isnan(made.percentiles["ttft"][2]).all()


def test_a_minute_that_is_reached_in_part_has_the_rate_of_that_part():
    made = table([Minute(0, due=200, sent=200, ended=190)], now_s=20.0)
    assert (made.offered[0], made.achieved[0]) == (10.0, 9.5)


def test_no_minutes_have_columns_without_rows():
    made = table()
    assert len(made.index) == 0
    assert made.heat.shape == (0, len(EDGES))
    assert made.percentiles["itl"].shape == (0, 3)
