"""aiperf's records as they grow, and its summary: counted minutes, raw gaps, failures by class, torn lines."""

import json
import math
import os

import pytest
from soak.loadfiles import BEGUN, lines, record

from mens_console.soak.imports.following import QUIET_S, UnreadableError, claims, follow, load

OLD = BEGUN + 10_000.0
FAILURE = {"code": 500, "type": "Internal Server Error", "message": "boom"}


def write(path, text, at=BEGUN):
    path.write_text(text)
    os.utime(path, (at, at))
    return path


def test_records_are_counted_into_their_minutes(tmp_path):
    rows = [record(0.0), record(10.0, ttft=70.0), record(61.0, error=FAILURE), record(125.0, gaps=(5.0,) * 7)]
    found = load(write(tmp_path / "p.jsonl", lines(*rows)), now=OLD)
    assert (found.source, found.plan, found.state) == ("aiperf", None, "imported")
    assert [minute.ended for minute in found.minutes] == [2, 1, 1]
    assert [minute.failed for minute in found.minutes] == [{}, {"http": 1}, {}]
    assert found.minutes[0].tens[:2] == [[1, 0], [1, 0]]
    assert found.minutes[1].tens[0] == [1, 1]
    assert (found.requests, found.failed, found.error_rate) == (4, {"http": 1}, 0.25)
    assert found.started == BEGUN
    assert found.now_s == pytest.approx(125.085)
    assert found.output_tokens == 3 + 3 + 8
    assert found.latencies["itl"].n == 2 + 2 + 7
    assert found.latencies["ttft"].quantile(1.0) == 70.0
    assert found.latencies["e2e"].greatest == pytest.approx(120.0)
    assert found.columns.failed.tolist() == [0.0, 1.0, 0.0]
    assert found.columns.percentiles["ttft"][0] == pytest.approx([50.0, 70.0, 70.0], rel=0.01)
    assert math.isnan(found.columns.percentiles["ttft"][1][0])


def test_what_the_records_do_not_tell_is_unknown(tmp_path):
    found = load(write(tmp_path / "p.jsonl", lines(record(0.0))), now=OLD)
    assert found.offered_rate is None
    assert all(math.isnan(value) for value in (*found.columns.offered, *found.columns.up))
    assert (found.probe_availability, found.mtbf_s, found.good, found.degraded) == (None, None, None, None)
    assert "lag" not in found.latencies
    assert found.target_s is None


@pytest.mark.parametrize(("unit", "times"), [("ms", 1.0), ("s", 1000.0), ("us", 0.001), ("ns", 1e-6)])
def test_units_are_those_that_the_file_names(tmp_path, unit, times):
    row = record(0.0, ttft=50.0 / times, gaps=(20.0 / times,), unit=unit)
    found = load(write(tmp_path / "p.jsonl", lines(row)), now=OLD)
    assert found.latencies["ttft"].greatest == pytest.approx(50.0)
    assert found.latencies["itl"].greatest == pytest.approx(20.0)


def test_an_unknown_unit_is_no_latency(tmp_path):
    found = load(write(tmp_path / "p.jsonl", lines(record(0.0, unit="fortnights"))), now=OLD)
    assert "ttft" not in found.latencies
    assert any("'fortnights' is no time" in problem for problem in found.problems)


def test_values_that_are_no_latencies_are_told_and_not_counted(tmp_path):
    text = lines(record(0.0, gaps=(math.nan, -3.0, 20.0), e2e=90.0))
    found = load(write(tmp_path / "p.jsonl", text), now=OLD)
    assert found.latencies["itl"].n == 1
    assert any(problem.startswith("2 of its latencies") for problem in found.problems)


@pytest.mark.parametrize(
    ("error", "name"),
    [
        ({"code": 503, "type": "x", "message": "y"}, "http"),
        ({"code": 499, "type": "RequestCancellationError", "message": "cancelled after 1 s"}, "cancelled"),
        ({"code": None, "type": "TimeoutError", "message": ""}, "timeout"),
        ({"code": None, "type": "ClientConnectorError", "message": "Connection refused"}, "connect"),
        ({"code": None, "type": "ServerDisconnectedError", "message": ""}, "cut"),
        ({"code": None, "type": "ClientConnectorCertificateError", "message": ""}, "tls"),
        ({"code": None, "type": "Odd", "message": "\u202e\x1b[2J"}, "unclassed"),
        ("no object", "unclassed"),
    ],
)
def test_failures_are_classed(tmp_path, error, name):
    found = load(write(tmp_path / "p.jsonl", lines(record(0.0, error=error))), now=OLD)
    assert found.failed == {name: 1}
    assert "all 1 requests failed: it has no latencies" in found.problems


def test_warmup_is_left_out_and_a_cancelled_request_is_no_success(tmp_path):
    rows = [record(0.0, benchmark_phase="warmup"), record(5.0, was_cancelled=True), record(6.0)]
    found = load(write(tmp_path / "p.jsonl", lines(*rows)), now=OLD)
    assert (found.requests, found.failed) == (2, {"cancelled": 1})
    assert found.started == BEGUN + 5


def test_a_growing_file_is_read_on_and_each_record_once(tmp_path):
    path = tmp_path / "profile_export.jsonl"
    write(path, lines(record(0.0), record(1.0)))
    follower = follow(path)
    assert follower.poll(BEGUN + 1.0)
    first = follower.report
    assert (first.state, first.requests) == ("running", 2)
    assert first.ended is None
    assert not follower.poll(BEGUN + 2.0)
    assert follower.report is first

    whole = lines(record(70.0))
    with path.open("a") as file:
        file.write(whole[:40])
    os.utime(path, (BEGUN + 70, BEGUN + 70))
    follower.poll(BEGUN + 70.0)
    assert follower.report.requests == 2
    with path.open("a") as file:
        file.write(whole[40:])
    os.utime(path, (BEGUN + 71, BEGUN + 71))
    assert follower.poll(BEGUN + 71.0)
    second = follower.report
    assert (second.requests, len(second.minutes)) == (3, 2)
    assert second.rev > first.rev
    assert first.minutes[0].ended == 2
    assert len(first.minutes) == 1, "what was handed out never changes"

    assert follower.poll(BEGUN + 71.0 + QUIET_S + 1)
    assert (follower.report.state, follower.report.requests) == ("imported", 3)
    follower.close()


def test_minutes_that_were_handed_out_do_not_change(tmp_path):
    path = write(tmp_path / "p.jsonl", lines(record(0.0)))
    follower = follow(path)
    follower.poll(BEGUN + 1.0)
    before = follower.report
    with path.open("a") as file:
        file.write(lines(record(3.0, ttft=900.0), record(4.0, error=FAILURE)))
    follower.poll(BEGUN + 5.0)
    after = follower.report
    assert (before.minutes[0].ended, before.minutes[0].latencies["ttft"].n) == (1, 1)
    assert (before.latencies["ttft"].n, before.minutes[0].failed) == (1, {})
    assert (after.minutes[0].ended, after.minutes[0].latencies["ttft"].n) == (3, 2)
    follower.close()


def test_a_late_record_of_an_early_minute_is_drawn(tmp_path):
    path = write(tmp_path / "p.jsonl", lines(record(0.0), record(3600.0)))
    follower = follow(path)
    follower.poll(BEGUN + 3600.0)
    assert follower.report.columns.achieved[0] == pytest.approx(1 / 60)
    with path.open("a") as file:
        file.write(lines(record(30.0)))
    follower.poll(BEGUN + 3601.0)
    assert follower.report.columns.achieved[0] == pytest.approx(2 / 60)
    follower.close()


def test_a_torn_end_of_a_quiet_file_is_told(tmp_path):
    found = load(write(tmp_path / "p.jsonl", lines(record(0.0)) + '{"metadata": {"request_st'), now=OLD)
    assert found.requests == 1
    assert any("1 lines are no records" in problem and "line 2" in problem for problem in found.problems)


def test_a_file_that_is_begun_anew_is_read_anew(tmp_path):
    path = write(tmp_path / "p.jsonl", lines(*(record(float(second)) for second in range(50))))
    follower = follow(path)
    follower.poll(BEGUN + 50.0)
    assert follower.report.requests == 50
    write(path, lines(record(500.0)), BEGUN + 500)
    follower.poll(BEGUN + 500.0)
    assert (follower.report.requests, follower.report.started) == (1, BEGUN + 500)
    path.unlink()
    assert follower.poll(BEGUN + 900.0)
    assert follower.report.requests == 1
    assert any("it is gone" in problem for problem in follower.report.problems)
    follower.close()


def test_times_in_another_unit_are_in_no_minute(tmp_path):
    odd = record(1.0)
    odd["metadata"]["request_start_ns"] *= 1000
    odd["metadata"]["request_end_ns"] *= 1000
    found = load(write(tmp_path / "p.jsonl", lines(record(0.0), odd)), now=OLD)
    assert (found.requests, len(found.minutes)) == (2, 1)
    assert found.now_s < 60
    assert any("31 days" in problem for problem in found.problems)


def test_degraded_are_those_over_twice_the_first_hundred(tmp_path):
    rows = [record(float(n), ttft=50.0, gaps=(50.0,)) for n in range(100)]
    rows += [record(100.0, ttft=50.0, gaps=(150.0,)), record(101.0, ttft=50.0, gaps=(151.0,))]
    found = load(write(tmp_path / "p.jsonl", lines(*rows)), now=OLD)
    assert (found.normal_ms, found.degraded) == (100.0, 1)
    assert [minute.degraded for minute in found.minutes] == [0, 1]


SUMMARY = {
    "request_count": {"unit": "requests", "avg": 200.0},
    "time_to_first_token": {"unit": "ms", "avg": 80.0, "p50": 79.0, "p95": 120.0, "p99": 140.0, "count": 200},
    "inter_chunk_latency": {"unit": "s", "avg": 0.021, "p50": 0.02, "p99": 0.048, "count": 19_800},
    "inter_token_latency": {"unit": "ms", "avg": 21.0, "p50": 21.0, "p99": 22.0, "count": 200},
    "output_token_throughput": {"unit": "tokens/sec", "avg": 118.0},
    "benchmark_duration": {"unit": "sec", "avg": 100.0},
    "error_summary": [
        {"error_details": {"code": 500}, "count": 3},
        {"error_details": {"type": "TimeoutError"}, "count": 1},
    ],
    "input_config": {"endpoint": {"model_names": ["llama"]}, "loadgen": {"request_rate": 2.0}},
    "start_time": "2026-10-17T20:20:00+00:00",
    "end_time": "2026-10-17T20:22:00+00:00",
}  # fmt: skip


def test_the_summary_tells_percentiles_under_their_own_names(tmp_path):
    path = write(tmp_path / "profile_export_aiperf.json", json.dumps(SUMMARY))
    assert claims(path) == "aiperf"
    found = load(path)
    told = found.extra["told"]
    assert (told["itl"]["p99"], told["itl_mean"]["p99"]) == (pytest.approx(48.0), 22.0)
    assert (told["itl"]["n"], told["itl_mean"]["n"]) == (19_800, 200)
    assert "raw gaps" in told["itl"]["meaning"]
    assert told["ttft"]["p95"] == 120.0
    assert found.latencies == {}
    assert (found.requests, found.failed) == (204, {"http": 3, "timeout": 1})
    assert (found.offered_rate, found.now_s, found.achieved_rate) == (2.0, 100.0, 2.04)
    assert found.output_tokens_per_s == 118.0


PHASES = [
    {"name": "warmup", "kind": "warmup", "type": "concurrency", "concurrency": 9},
    {"name": "profiling", "kind": "profiling", "type": "poisson", "rate": 8.0},
]


def test_the_summary_of_aiperf_0_13_tells_its_load_by_phases(tmp_path):
    config = {"models": {"items": [{"name": "llama"}]}, "phases": PHASES}
    told = SUMMARY | {"input_config": config, "total_usage_completion_tokens": {"unit": "tokens", "avg": 480.0}}
    found = load(write(tmp_path / "a.json", json.dumps(told)))
    assert (found.offered_rate, found.tags) == (8.0, {"model": "llama"})
    assert (found.output_tokens, found.output_tokens_per_s, found.counted_by) == (480, 4.8, {"server": 200})
    config["phases"] = [PHASES[0], {"kind": "profiling", "concurrency": 4}, PHASES[1]]
    assert load(write(tmp_path / "b.json", json.dumps(told))).offered_rate is None


def test_the_servers_count_of_tokens_is_the_true_one(tmp_path):
    row = record(0.0)
    row["metrics"]["usage_completion_tokens"] = {"value": 20, "unit": "tokens"}
    found = load(write(tmp_path / "p.jsonl", lines(row, record(1.0))), now=OLD)
    assert (found.output_tokens, found.counted_by) == (23, {"server": 1, "aiperf": 1})


def test_a_file_without_a_row_yet_says_so(tmp_path):
    with pytest.raises(UnreadableError, match="it is empty"):
        follow(write(tmp_path / "p.jsonl", ""))


def test_a_summary_of_failures_alone_has_no_latencies(tmp_path):
    zero = {"unit": "ms", "avg": 0.0, "p50": 0.0, "p99": 0.0}
    errors = [{"error_details": {}, "count": 9}]
    told = SUMMARY | {"request_count": {"avg": 0}, "time_to_first_token": zero, "error_summary": errors}
    found = load(write(tmp_path / "a.json", json.dumps(told)))
    assert found.extra["told"] == {}
    assert (found.error_rate, found.output_tokens_per_s) == (1.0, None)
    assert "all 9 requests failed: it has no latencies" in found.problems
