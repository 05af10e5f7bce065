"""Tokens a second on a clock that the test holds."""

import math

import pytest
from collectors.written import Clock

from mens_console.collectors.throughput import ThroughputMonitor, create_throughput_monitor


@pytest.fixture
def clock():
    return Clock(1000.0)


def test_rates_of_an_even_pace(clock):
    monitor = ThroughputMonitor(clock=clock)
    assert monitor.get_statistics() == {
        "tokens_per_sec": None, "tokens_per_sec_avg": None, "throughput_trend": "unknown", "n": 0,
    }  # fmt: skip
    for _ in range(61):
        monitor.update(512)
        clock.now += 0.5
    found = monitor.get_statistics()
    assert found == {
        "tokens_per_sec": 1024.0, "tokens_per_sec_avg": 1024.0, "throughput_trend": "stable", "n": 50,
    }  # fmt: skip
    assert monitor.num_tokens == 61 * 512


def test_now_and_on_average(clock):
    monitor = ThroughputMonitor(window_size=20, clock=clock)
    taken = [1.0 + 0.05 * i for i in range(40)]
    for seconds in taken:
        monitor.update(100)
        clock.now += seconds
    found = monitor.get_statistics()
    assert found["tokens_per_sec"] == pytest.approx(500 / sum(taken[34:39]))
    assert found["tokens_per_sec_avg"] == pytest.approx(2000 / sum(taken[19:39]))
    assert found["throughput_trend"] == "degrading"


def test_an_evaluation_is_no_training_time(clock):
    monitor = ThroughputMonitor(clock=clock)
    for step in range(20):
        monitor.update(100)
        clock.now += 1.0
        if step == 10:
            monitor.pause()
            clock.now += 500.0
            monitor.pause()
            monitor.resume()
        if step == 15:
            monitor.pause()
            clock.now += 50.0  # the next update ends it
    assert monitor.get_statistics()["tokens_per_sec_avg"] == pytest.approx(100.0)


def test_time_since_the_update_is_left_out(clock):
    monitor = ThroughputMonitor(clock=clock)
    monitor.exclude_since_update()
    for step in range(20):
        monitor.update(100)
        if step == 10:
            clock.now += 500.0
            monitor.exclude_since_update()
            monitor.exclude_since_update()
        clock.now += 1.0
    assert monitor.get_statistics()["tokens_per_sec_avg"] == pytest.approx(100.0)


def test_what_is_no_count_is_passed_over(clock):
    monitor = ThroughputMonitor(clock=clock)
    for value in (100, math.nan, -5, math.inf, 0):
        monitor.update(value)
        clock.now += 1.0
    assert monitor.num_tokens == 100
    assert monitor.get_statistics()["n"] == 1


def test_times_given_by_the_caller_and_a_step_back():
    monitor = create_throughput_monitor(window_size=5)
    for at in (10.0, 11.0, 5.0, 12.0):
        monitor.update(10, at=at)
    assert monitor.get_statistics()["tokens_per_sec_avg"] == pytest.approx(15.0)
    with pytest.raises(ValueError, match="at least one"):
        create_throughput_monitor(0)
