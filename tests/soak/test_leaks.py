"""Slopes of levels: against scipy, and verdicts on leaks, teeth, warm-up, waves and noise."""

import numpy as np
import pytest
from scipy import stats

from mens_console.signals.slopes import theil_sen as exact
from mens_console.soak import wording
from mens_console.soak.leaks import LEAST, WORTH, inflation, leak, theil_sen

MINUTES = np.arange(4320.0)
HOURS = MINUTES / 60
GB = 1e9


def noise(size=4320, spread=2e7, seed=1):
    return np.random.default_rng(seed).normal(0, spread, size)


@pytest.mark.parametrize("n", [30, 120, 240])
def test_slope_and_interval_are_scipys_where_points_are_independent(n):
    x = np.arange(n) / 60
    y = 3.0 * x + np.random.default_rng(n).normal(0, 0.5, n)
    slope, (low, high) = theil_sen(x, y)
    told = stats.theilslopes(y, x, 0.95)
    assert slope == pytest.approx(told.slope)
    if inflation(y - slope * x) == 1:  # one rank more on each side at most
        width = told.high_slope - told.low_slope
        assert low == pytest.approx(told.low_slope, abs=0.02 * width)
        assert high == pytest.approx(told.high_slope, abs=0.02 * width)


def test_slope_is_that_of_batches():
    y = list(np.random.default_rng(3).normal(0, 1, 50))
    assert theil_sen(np.arange(50.0), np.array(y))[0] == pytest.approx(exact(y).robust)


def test_what_hangs_together_is_worth_less():
    draw = np.random.default_rng(5)
    white = draw.normal(0, 1, 400)
    wave = np.zeros(400)
    for i in range(1, 400):
        wave[i] = 0.8 * wave[i - 1] + white[i]
    assert inflation(white) < 1.5
    assert 4 < inflation(wave) < 20  # (1 + 0.8) / (1 - 0.8) = 9
    assert inflation(np.ones(50)) == 1


def test_the_interval_holds_the_true_slope_of_dependent_noise():
    """Of 200 soaks whose noise is autocorrelated (0.7), 95 % of the intervals should hold it; without, 60 % would."""
    held = 0
    for seed in range(200):
        white = np.random.default_rng(seed).normal(0, 1, 240)
        y = np.zeros(240)
        for i in range(1, 240):
            y[i] = 0.7 * y[i - 1] + white[i]
        low, high = theil_sen(np.arange(240.0), y + 0.01 * np.arange(240))[1]
        held += low <= 0.01 <= high
    assert held >= 180


def test_a_leak_is_found_with_its_slope_and_its_end():
    one = leak("rss", MINUTES, 8 * GB + 2e7 * HOURS + noise(), limit=12 * GB)
    assert one.verdict == "growing"
    assert one.unit == "bytes"
    low, high = one.interval
    assert low < 2e7 < high
    room = 12 * GB - one.last
    assert one.to_limit_s == pytest.approx(room / one.slope_per_h * 3600, rel=0.01)
    assert one.soonest_s == pytest.approx(room / high * 3600, rel=0.01)
    assert one.soonest_s < one.to_limit_s
    assert one.n == 4260
    assert "the first 1 h left out" in one.note


def test_without_a_limit_there_is_no_time_to_it():
    one = leak("rss", MINUTES, 8 * GB + 2e7 * HOURS)
    assert (one.verdict, one.limit, one.to_limit_s, one.soonest_s) == ("growing", None, None, None)


def test_a_limit_that_is_passed_is_now():
    one = leak("rss", MINUTES, 8 * GB + 2e7 * HOURS, limit=8.5 * GB)
    assert one.to_limit_s == 0


@pytest.mark.parametrize("level", [8 * GB + noise(), np.full(4320, 8 * GB), np.zeros(4320)])
def test_what_stays_level_is_level(level):
    assert leak("rss", MINUTES, level, limit=9 * GB).verdict == "level"


@pytest.mark.parametrize("teeth", [1.5, 2.5, 3.5])
def test_the_teeth_of_a_collector_are_no_leak(teeth):
    period = 4320 / teeth
    one = leak("rss", MINUTES, 8 * GB + MINUTES % period / period * GB + noise(spread=2e6))
    assert one.verdict in ("level", "undecided")


def test_quick_teeth_are_level():
    assert leak("rss", MINUTES, 8 * GB + MINUTES % 17 / 17 * GB).verdict == "level"


def test_teeth_on_a_floor_that_rises_are_a_leak():
    period = 4320 / 7.5
    one = leak("rss", MINUTES, 8 * GB + MINUTES % period / period * 0.5 * GB + 3e7 * HOURS + noise(spread=2e6))
    assert one.verdict == "growing"


def test_warming_up_is_left_out():
    warm = 8 * GB + 3 * GB * (1 - np.exp(-MINUTES / 15)) + noise(spread=5e6)
    assert leak("rss", MINUTES, warm).verdict == "level"


def test_what_is_freed_shrinks():
    one = leak("gpu_memory", MINUTES, 8 * GB - 2e7 * HOURS + noise(), limit=12 * GB)
    assert (one.verdict, one.to_limit_s) == ("shrinking", None)
    assert leak("gpu_memory", MINUTES, 8 * GB - 2e7 * HOURS + noise(), limit=6 * GB).to_limit_s == 0


@pytest.mark.parametrize("minutes", [4, 12, 600])
def test_a_limit_that_is_reached_is_told_whatever_the_slope(minutes):
    at = np.arange(minutes, dtype=float)
    one = leak("rss", at, np.full(minutes, 8.0 * GB), limit=8 * GB)
    assert (one.to_limit_s, one.soonest_s) == (0, 0)
    assert wording.limit(one).endswith(": reached")
    below = leak("rss", at, np.full(minutes, 8.0 * GB), limit=9 * GB)
    assert (below.to_limit_s, below.soonest_s) == (None, None)
    assert "reached" not in wording.limit(below)


def test_a_short_soak_does_not_know():
    one = leak("rss", np.arange(60.0), 8 * GB + noise(60, 5e7))
    assert one.verdict == "undecided"
    assert "the interval holds 0" in one.note


def test_a_slow_wave_is_worth_too_little():
    wave = np.cumsum(np.random.default_rng(11).normal(0, 5e6, 240)) + 8 * GB
    one = leak("rss", np.arange(240.0), wave)
    assert one.verdict == "undecided"
    assert WORTH > 1


def test_too_few_samples_say_nothing():
    few = 5 + LEAST - 1
    one = leak("rss", np.arange(float(few)), np.full(few, GB))
    assert (one.verdict, one.slope_per_h, one.interval, one.last) == ("nodata", None, None, GB)
    assert f"at least {LEAST} are needed" in one.note
    none = leak("kv_cache", np.arange(30.0), np.full(30, np.nan))
    assert (none.verdict, none.n, none.last) == ("nodata", 0, None)


def test_holes_are_left_out():
    level = 8 * GB + 2e7 * HOURS + noise()
    level[1000:2500] = np.nan
    one = leak("rss", MINUTES, level)
    assert one.verdict == "growing"
    assert one.interval[0] < 2e7 < one.interval[1]


def test_a_share_is_judged_in_points():
    """A cache that is hardly used may double: that is nothing of what there is of it."""
    nearly_none = 0.004 + 0.000_05 * HOURS + noise(spread=0.0005)
    assert leak("kv_cache", MINUTES, nearly_none).verdict == "level"
    assert leak("kv_cache", MINUTES, 0.2 + 0.005 * HOURS + noise(spread=0.01)).verdict == "growing"
    unsure = leak("kv_cache", np.arange(30.0), 0.5 + noise(30, 0.3))
    assert unsure.verdict == "undecided"
    assert "times what there is in 72 h" in unsure.note
