"""What a soak comes to, against numbers worked out by hand; and that no history is counted twice or forgotten."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2
from soak.handmade import STARTED, Record, minute, plan, quick

from mens_console.load.histogram import Histogram
from mens_console.soak.analyse import Analyst
from mens_console.soak.types import Event, Minute, ProbeAt

DOWN = [(300.0, 420.0)]


def soak(minutes=20, **more):
    told = [minute(i, down=DOWN) for i in range(minutes)]
    return Record(minutes=told, now_s=minutes * 60.0, plan=plan(duration_s=1200.0), **more)


def analysed(record):
    return Analyst("soak").update(record)


def test_availability_error_rate_and_mean_times():
    found = analysed(soak())
    assert (found.requests, found.failed, found.probes, found.probes_failed) == (12_000, {"connect": 1200}, 120, 12)
    assert found.probe_availability == 0.9
    assert found.request_availability == 0.9
    assert found.error_rate == 0.1
    assert [(one.opened, one.closed) for one in found.incidents] == [(300, 420)]
    assert (found.mttr_s, found.mtbf_s) == (120, 1200)
    assert found.mtbf_lower_bound_s == pytest.approx(2 * 1200 / chi2.ppf(0.95, 4), rel=1e-6)
    assert found.mtbf_needs_s == pytest.approx(1000 * 3600 * chi2.ppf(0.95, 4) / 2, rel=1e-6)
    assert found.achieved_rate == 10.0
    assert found.goodput == 9.0
    assert found.output_tokens_per_s == pytest.approx(10_800 * 5 / 1200)


def test_without_a_failure_there_is_a_bound_and_no_mean():
    found = analysed(Record(minutes=[quick(i) for i in range(60)], now_s=3600.0))
    assert (found.mttr_s, found.mtbf_s) == (None, None)
    assert found.mtbf_lower_bound_s == pytest.approx(2 * 3600 / chi2.ppf(0.95, 2), rel=1e-6)


def test_the_budget_is_of_the_planned_length():
    found = analysed(soak())
    told = found.budget
    assert told.allowed_s == pytest.approx(1.2)  # 0.1 % of 1200 s
    assert told.used_s == pytest.approx(120)
    assert told.left == pytest.approx(1 - 120 / 1.2)
    assert told.burn == pytest.approx(100)
    assert told.burn_hour == pytest.approx(100)


def test_the_last_hour_burns_by_itself():
    minutes = [minute(i, rate=1, down=[(0, 60)]) for i in range(3)] + [quick(i) for i in range(3, 180)]
    found = analysed(Record(minutes=minutes, now_s=180 * 60.0, plan=plan(duration_s=6 * 3600.0)))
    assert found.budget.burn_hour == 0
    assert found.budget.burn == pytest.approx(6 / (180 * 6) / 0.001)
    assert found.budget.used_s == pytest.approx(60)


def test_unobserved_time_is_in_no_rate():
    blind = [Minute(i, due=600, skipped=600, unobserved_s=60.0, closed=True) for i in range(10, 15)]
    record = Record(
        minutes=[*[quick(i) for i in range(10)], *blind, *[quick(i) for i in range(15, 20)]],
        now_s=1200.0,
        events=[Event(600.0, "gap", "the driver was away", 600.0, 900.0)],
    )
    found = analysed(record)
    assert (found.unobserved_s, found.skipped, found.extra["observed_s"]) == (300, 3000, 900)
    assert found.achieved_rate == 10
    assert found.mtbf_lower_bound_s == pytest.approx(2 * 900 / chi2.ppf(0.95, 2), rel=1e-6)
    assert (found.probe_availability, found.incidents) == (1.0, ())


def test_nothing_is_known_of_nothing():
    found = analysed(Record(state="starting"))
    for name in ("achieved_rate", "goodput", "uptime", "error_rate", "mtbf_lower_bound_s", "budget", "degraded",
                 "output_tokens", "output_tokens_per_s", "gpu_peak_bytes", "ended"):  # fmt: skip
        assert getattr(found, name) is None, name
    assert found.latencies["ttft"].quantile(0.5) is None
    assert analysed(Record(plan=None, state="unknown", problems=["plan.json: no such file"])).target_s is None


def test_tokens_that_nobody_counted_are_unknown():
    found = analysed(Record(minutes=[quick(0, output_tokens=0, counted_by={})], now_s=60.0))
    assert (found.output_tokens, found.output_tokens_per_s) == (None, None)


def test_the_drain_after_the_last_send():
    record = soak(state="finished", events=[Event(1207.5, "end", "all requests ended")])
    record.now_s = 1207.5
    found = analysed(record)
    assert (found.extra["drain_s"], found.extra["complete_s"], found.now_s) == (7.5, 1207.5, 1200)
    assert found.ended == STARTED + 1207.5


def test_a_last_minute_that_is_not_whole_has_its_own_rate():
    half = quick(1, due=300, sent=300, ended=300)
    found = analysed(Record(minutes=[quick(0), half], now_s=97.0, plan=plan(duration_s=90.0), state="finished"))
    assert found.columns.offered.tolist() == [10.0, 10.0]
    assert found.columns.achieved.tolist() == [10.0, 10.0]


def test_slow_answers_and_the_peak_of_the_gpu():
    minutes = [quick(0, degraded=None), quick(1, degraded=3, levels={"gpu_memory": 8e9}), quick(2, degraded=4)]
    found = analysed(Record(minutes=minutes, now_s=180.0))
    assert (found.degraded, found.gpu_peak_bytes) == (7, 8_000_000_000)


def test_leaks_use_the_plans_limits():
    minutes = [quick(i, levels={"rss": 8e9 + i * 1e7, "kv_cache": 0.5}) for i in range(120)]
    record = Record(minutes=minutes, now_s=7200.0, plan=plan(duration_s=7200.0, limits={"rss": 16e9}))
    rss, cache = analysed(record).leaks
    assert (rss.name, rss.verdict, rss.limit, rss.last) == ("rss", "growing", 16e9, 8e9 + 119e7)
    assert rss.slope_per_h == pytest.approx(6e8)
    assert rss.to_limit_s == pytest.approx((16e9 - rss.last) / 6e8 * 3600, rel=1e-6)
    assert (cache.name, cache.unit, cache.verdict, cache.limit) == ("kv_cache", "share", "level", None)


def figures(found):
    return {
        name: getattr(found, name)
        for name in (
            "requests",
            "failed",
            "good",
            "probes",
            "probes_failed",
            "incidents",
            "mtbf_s",
            "budget",
            "output_tokens",
            "now_s",
            "leaks",
            "degraded",
        )
    } | {name: (one.n, one.counts, one.quantile(0.99)) for name, one in found.latencies.items()}


MINUTES = [minute(i, rate=1, down=[(55, 130), (400, 415)], levels={"rss": 1e9 + i}) for i in range(9)]


def opened(one):
    return Minute(**{name: getattr(one, name) for name in one.__slots__} | {"closed": False})


@given(st.lists(st.integers(0, 3), min_size=1, max_size=20), st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_it_does_not_matter_how_the_minutes_came(steps, still_open):
    analyst, closed, found = Analyst("soak"), 0, None
    for step in [*steps, 9]:
        closed = min(closed + step, len(MINUTES))
        last = min(closed + still_open, len(MINUTES))
        told = [*MINUTES[:closed], *[opened(one) for one in MINUTES[closed:last]]]
        found = analyst.update(Record(minutes=told, now_s=last * 60.0))
        assert len(found.columns.index) == len(told)
        once = analysed(Record(minutes=told, now_s=last * 60.0))
        assert figures(found) == figures(once)
        np.testing.assert_array_equal(found.columns.percentiles["e2e"], once.columns.percentiles["e2e"])


def test_an_open_minute_may_change_its_mind():
    analyst, early = Analyst("soak"), [minute(0, rate=1)]
    bad = Minute(1, tens=[[4, 4]] + [[0, 0]] * 5, failed={"http": 4}, ended=4)
    assert len(analyst.update(Record(minutes=[*early, bad], now_s=70.0)).incidents) == 1
    good = Minute(1, tens=[[10, 4]] + [[0, 0]] * 5, failed={"http": 4}, ended=10)
    found = analyst.update(Record(minutes=[*early, good], now_s=75.0))
    assert (found.incidents, found.requests, found.rev) == ((), 70, 2)


def test_a_record_that_was_read_anew_is_counted_anew():
    analyst = Analyst("soak")
    analyst.update(Record(minutes=[quick(i) for i in range(5)], now_s=300.0))
    found = analyst.update(Record(minutes=[quick(i) for i in range(4)], now_s=300.0))
    assert found.requests == 2400
    found = analyst.update(Record(minutes=[quick(i) for i in range(9)], now_s=540.0))
    assert found.requests == 5400


def test_an_incident_over_the_edge_of_closed_minutes():
    analyst = Analyst("soak")
    probes = [[ProbeAt(i * 60.0 + j * 10, not 50 <= i * 60 + j * 10 < 80, 1.0) for j in range(6)] for i in range(3)]
    closed = [Minute(i, probes=probes[i], closed=True) for i in range(3)]
    first = analyst.update(Record(minutes=[closed[0], opened(closed[1])], now_s=119.0))
    again = analyst.update(Record(minutes=[closed[0], opened(closed[1])], now_s=119.5))
    assert first.incidents == again.incidents
    found = analyst.update(Record(minutes=closed, now_s=180.0))
    assert [(one.opened, one.closed, one.probes_failed) for one in found.incidents] == [(50, 80, 3)]


@pytest.mark.parametrize(("at_once", "told"), [(5, False), (6, True), (100, True)])
def test_gaps_that_nobody_saw_do_not_make_a_server_fast(at_once, told):
    made = quick(0)
    made.latencies["itl"] = Histogram.of_values([0.0] * at_once + [20.0 + n for n in range(100 - at_once)])
    found = analysed(Record(minutes=[made], now_s=60.0))
    itl = found.latencies["itl"]
    assert itl.n == (100 - at_once if told else 100)
    assert any("came in one read" in one for one in found.problems) == told
    if told and itl.n:
        assert itl.quantile(1e-9) >= 19.8
    assert found.minutes[0].latencies["itl"].n == 100
