"""guidellm, vLLM's `bench serve`, locust and k6 as the view of a soak: what each says, and what it cannot say."""

import json
import math
import os
from contextlib import nullcontext
from datetime import datetime

import pytest
from soak.loadfiles import (
    BEGUN,
    HISTORY,
    STATS,
    guidellm,
    guidellm_file,
    guidellm_request,
    history_row,
    k6,
    vllm,
)

from mens_console.soak.imports.following import UnreadableError, claims, follow, load


def write(path, document):
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def read(folder, document, name="a.json"):
    return load(write(folder / name, document))


# ---------------------------------------------------------------------- guidellm


def test_guidellm_counts_the_requests_that_it_kept(tmp_path):
    good = [guidellm_request(0.0), guidellm_request(65.0, ttft=120.0, took=2.0)]
    bad = [guidellm_request(66.0, error="HTTPStatusError: Server error '503 Service Unavailable' for url")]
    found = read(tmp_path, guidellm_file(guidellm(good, bad)))
    assert found.source == "guidellm"
    assert [minute.ended for minute in found.minutes] == [1, 2]
    assert (found.requests, found.failed) == (3, {"http": 1})
    assert (found.latencies["ttft"].n, found.latencies["e2e"].n) == (2, 2)
    assert found.latencies["ttft"].least == 80.0
    assert found.latencies["e2e"].greatest == pytest.approx(2000.0)
    assert "itl" not in found.latencies
    assert (found.started, found.now_s, found.output_tokens) == (BEGUN, 120.0, 32)
    assert found.tags["model"] == "llama"


def test_guidellm_means_per_request_are_never_gaps(tmp_path):
    told = read(tmp_path, guidellm_file(guidellm([guidellm_request(0.0)]))).extra["told"]
    assert set(told) == {"itl_mean"}
    assert (told["itl_mean"]["p99"], told["itl_mean"]["unit"]) == (24.0, "ms")
    assert "one mean a request" in told["itl_mean"]["meaning"]


@pytest.mark.parametrize(("kind", "known"), [("constant", True), ("poisson", True), ("concurrent", False)])
def test_guidellm_lag_is_known_only_of_a_schedule(tmp_path, kind, known):
    request = guidellm_request(1.0, due=0.75)
    found = read(tmp_path, guidellm_file(guidellm([request], strategy={"type_": kind, "rate": 5.0})))
    assert ("lag" in found.latencies) is known
    assert found.offered_rate == (5.0 if known else None)
    if known:
        assert found.latencies["lag"].greatest == pytest.approx(250.0, rel=1e-5)
        assert found.latencies["scheduled"].greatest == pytest.approx(1250.0, rel=1e-5)
        assert found.columns.offered.tolist() == [1 / 60]


def test_guidellm_requests_stand_where_they_were_due(tmp_path):
    good, bad = guidellm_request(61.0, due=59.0), guidellm_request(130.0, due=61.0, error="x")
    found = read(tmp_path, guidellm_file(guidellm([good], [bad], strategy={"type_": "constant", "rate": 1.0})))
    assert [(minute.due, minute.ended, minute.failures) for minute in found.minutes] == [(1, 1, 0), (1, 1, 1)]
    assert found.latencies["lag"].n == 2, "a failure was late, too"
    assert (found.latencies["scheduled"].n, found.latencies["lag"].greatest) == (1, pytest.approx(69_000.0))


def test_guidellm_without_its_requests_tells_of_those_that_succeeded(tmp_path):
    good, bad = [guidellm_request(0.0)] * 9, [guidellm_request(0.0, error="x")]
    found = read(tmp_path, guidellm_file(guidellm(good, bad, kept=False)))
    told = found.extra["told"]
    assert (told["ttft"]["p50"], told["e2e"]["p50"], told["ttft"]["n"]) == (81.0, pytest.approx(1100.0), 9)
    assert (found.requests, found.failed, found.minutes, found.latencies) == (10, {"unclassed": 1}, (), {})
    assert found.output_tokens_per_s == 119.0
    assert any("nothing is known of its minutes" in problem for problem in found.problems)


def test_guidellm_with_every_request_errored_has_no_latency_of_zero(tmp_path):
    bad = [guidellm_request(float(n), error="ConnectError: refused") for n in range(4)]
    found = read(tmp_path, guidellm_file(guidellm([], bad)))
    assert (found.error_rate, found.failed, found.latencies) == (1.0, {"connect": 4}, {})
    assert found.extra["told"] == {}
    assert "all 4 requests failed: it has no latencies" in found.problems
    assert math.isnan(found.columns.percentiles["ttft"][0][0])


def test_guidellm_requests_cut_off_by_the_end_are_neither_good_nor_bad(tmp_path):
    found = read(tmp_path, guidellm_file(guidellm([guidellm_request(0.0)], (), [guidellm_request(100.0)] * 2)))
    assert (found.requests, found.lost, found.failed) == (1, 2, {})


def test_several_benchmarks_lie_on_one_line_of_time(tmp_path):
    slow = guidellm([guidellm_request(0.0)], strategy={"type_": "constant", "rate": 1.0}, end=60.0)
    fast = guidellm([guidellm_request(130.0)], strategy={"type_": "constant", "rate": 8.0}, start=120.0, end=200.0)
    found = read(tmp_path, guidellm_file(slow, fast))
    assert [minute.ended for minute in found.minutes] == [1, 0, 1]
    assert [(event.at, event.text) for event in found.events] == [
        (0.0, "benchmark 1 of 2: constant at 1/s"),
        (120.0, "benchmark 2 of 2: constant at 8/s"),
    ]
    assert found.offered_rate is None
    assert any("the last of 2 benchmarks" in problem for problem in found.problems)


def test_guidellm_without_a_benchmark_says_why(tmp_path):
    with pytest.raises(UnreadableError, match=r"a\.json: it holds no benchmark"):
        read(tmp_path, guidellm_file())


# ---------------------------------------------------------------------- vLLM


def test_vllm_tells_raw_gaps_and_means_apart(tmp_path):
    found = read(tmp_path, vllm(request_rate=2.0))
    told = found.extra["told"]
    assert (told["itl"]["p99"], told["itl_mean"]["p99"], told["ttft"]["p50"]) == (46.0, 25.0, 78.0)
    assert (found.requests, found.failed) == (100, {"unclassed": 2})
    assert (found.offered_rate, found.achieved_rate, found.minutes) == (2.0, pytest.approx(100 / 60), ())
    assert found.started == datetime(2026, 11, 21, 5, 55, 30).timestamp() - 60
    assert (found.output_tokens, found.output_tokens_per_s) == (12_000, 200.0)


def test_vllm_with_every_request_failed_has_no_latency_of_zero(tmp_path):
    zero = {name: 0.0 for name in vllm() if name.endswith("_ms") or name == "output_throughput"}
    found = read(tmp_path, vllm(completed=0, failed=100, total_output_tokens=0, request_rate="inf", **zero))
    assert (found.error_rate, found.extra["told"], found.latencies) == (1.0, {}, {})
    assert (found.offered_rate, found.output_tokens, found.output_tokens_per_s) == (None, None, None)
    assert "all 100 requests failed: it has no latencies" in found.problems


def test_vllm_kept_requests_are_counted_by_their_starts(tmp_path):
    detail = {
        "start_times": [1000.0, 1061.0, 1062.0], "ttfts": [0.08, 0.0, 0.1], "itls": [[0.02, 0.03], [], [0.04]],
        "output_lens": [3, 0, 2], "errors": ["", "ClientConnectorError: Connection refused", ""],
    }  # fmt: skip
    found = read(tmp_path, vllm(completed=2, failed=1, duration=90.0, **detail))
    assert [minute.ended for minute in found.minutes] == [1, 2]
    assert (found.requests, found.failed) == (3, {"connect": 1})
    assert (found.latencies["itl"].n, found.latencies["ttft"].n) == (3, 2)
    assert found.latencies["e2e"].least == pytest.approx(130.0)
    assert set(found.extra["told"]) == {"itl_mean"}
    assert found.now_s == 90.0


def test_vllm_kept_requests_without_starts_have_no_minutes(tmp_path):
    detail = {"ttfts": [0.08, 0.09], "itls": [[0.02], [0.03]], "errors": ["", ""]}
    found = read(tmp_path, vllm(completed=2, failed=0, **detail))
    assert (found.latencies["ttft"].n, found.minutes) == (2, ())
    assert any("nothing is known of its minutes" in problem for problem in found.problems)


def test_vllm_that_contradicts_itself_counts_what_it_kept(tmp_path):
    detail = {"ttfts": [0.08], "itls": [[0.02]], "errors": [""]}
    found = read(tmp_path, vllm(completed=98, failed=2, **detail))
    assert found.requests == 1
    assert any("tells of 100 requests and keeps 1" in problem for problem in found.problems)


def test_vllm_results_one_a_line_are_loads_of_their_own(tmp_path):
    text = "\n".join(json.dumps(vllm(output_throughput=rate)) for rate in (100.0, 150.0)) + '\n{"date": "2026'
    found = read(tmp_path, text, "results.jsonl")
    assert found.output_tokens_per_s == 150.0
    assert any("2 results" in problem for problem in found.problems)


def test_percentiles_that_contradict_themselves_are_not_shown(tmp_path):
    found = read(tmp_path, vllm(median_ttft_ms=300.0))
    assert "ttft" not in found.extra["told"]
    assert any("its p50 (300) lies above its p99 (121)" in problem for problem in found.problems)


# ---------------------------------------------------------------------- locust


def stats(*rows):
    tail = "22,30,1,190,100,2.0,0.1,22,39,48,52,66,79,100,120,160,190"
    return "\n".join([STATS, *(f"{kind},{name},{asked},{failed},{tail}" for kind, name, asked, failed in rows)]) + "\n"


def test_locust_statistics_are_those_of_all_requests(tmp_path):
    text = stats(("GET", '"/a, ""b"""', 30, 3), ("GET", "Aggregated", 5, 5), ("", "Aggregated", 120, 4))
    found = read(tmp_path, "\ufeff" + text, "run_stats.csv")
    assert (found.requests, found.failed, found.now_s) == (120, {"unclassed": 4}, 60.0)
    told = found.extra["told"]["response"]
    assert (told["p50"], told["p95"], told["p99"], told["n"]) == (22.0, 79.0, 120.0, 120)
    assert "those that failed too" in told["meaning"]
    assert found.latencies == {}


def test_locust_statistics_cut_off_before_their_last_row(tmp_path):
    with pytest.raises(UnreadableError, match="no row of all requests together"):
        read(tmp_path, stats(("GET", "/", 30, 3)), "run_stats.csv")


def test_locust_history_gives_requests_by_the_minute(tmp_path):
    rows = [
        history_row(0, 0, 0), history_row(1, 40, 1, kind="GET", name='"/a, ""b"""'), history_row(1, 50, 1),
        history_row(59, 100, 1), history_row(61, 160, 31), history_row(200, 200, 31),
    ]  # fmt: skip
    found = read(tmp_path, "\n".join([HISTORY, *rows]) + "\n", "run_stats_history.csv")
    assert [(minute.ended, minute.failures) for minute in found.minutes] == [(100, 1), (60, 30), (0, 0), (40, 0)]
    assert found.minutes[1].tens[0] == [60, 30]
    assert (found.requests, found.failed, found.now_s) == (200, {"unclassed": 31}, 200.0)
    assert found.columns.failed[1] == 0.5
    assert math.isnan(found.columns.failed[2])
    assert (found.latencies, found.extra["told"]["response"]["p50"]) == ({}, 22.0)


def test_locust_history_that_begins_to_count_anew(tmp_path):
    rows = [history_row(0, 10, 2), history_row(30, 40, 2), history_row(31, 5, 0), history_row(40, 25, 1)]
    found = read(tmp_path, "\n".join([HISTORY, *rows]) + "\n", "h.csv")
    assert (found.requests, found.failed) == (65, {"unclassed": 3})
    assert "anew" in found.events[0].text


def test_locust_history_grows_and_its_bad_rows_are_told(tmp_path):
    path = write(tmp_path / "h.csv", "\n".join([HISTORY, history_row(0, 10, 0), "1,2,3"]) + "\n")
    follower = follow(path)
    follower.poll(path.stat().st_mtime)
    assert (follower.report.requests, follower.report.state) == (10, "running")
    with path.open("a") as file:
        file.write(history_row(5, 30, 0)[:-3])
    follower.poll(path.stat().st_mtime)
    assert follower.report.requests == 10
    with path.open("a") as file:
        file.write("190\n")
    follower.poll(path.stat().st_mtime)
    assert follower.report.requests == 30
    assert any("line 3 has 3 cells" in problem for problem in follower.report.problems)
    follower.close()


def test_a_name_with_a_line_break_is_one_row(tmp_path):
    odd = history_row(1, 5, 0, kind="GET", name='"/a\n/b"')
    found = read(tmp_path, "\n".join([HISTORY, odd, history_row(2, 9, 0)]) + "\n", "h.csv")
    assert found.requests == 9
    assert not any("cannot be read" in problem for problem in found.problems)


def entry(name, seconds, failures, times):
    return {
        "name": name, "num_requests": sum(seconds.values()), "num_failures": sum(failures.values()),
        "start_time": BEGUN, "last_request_timestamp": BEGUN + 90.0, "total_response_time": 400.0,
        "response_times": times, "num_reqs_per_sec": {str(BEGUN + at): n for at, n in seconds.items()},
        "num_fail_per_sec": {str(BEGUN + at): n for at, n in failures.items()},
    }  # fmt: skip


def test_locust_json_adds_up_by_the_second(tmp_path):
    first = entry("/a", {0: 3, 65: 1}, {65: 1}, {"20": 3, "120": 1})
    second = entry("/\x1b[2Jb", {1: 4}, {}, {"30": 4})
    found = read(tmp_path, [first, second])
    assert [(minute.ended, minute.failures) for minute in found.minutes] == [(7, 0), (1, 1)]
    assert (found.started, found.now_s) == (BEGUN, 90.0)
    told = found.extra["told"]["response"]
    assert (told["p50"], told["p99"], told["n"], told["mean"]) == (30.0, 120.0, 8, 100.0)


def test_locust_json_whose_seconds_do_not_add_up_has_no_minutes(tmp_path):
    found = read(tmp_path, [entry("/a", {0: 3}, {}, {"20": 3}) | {"num_requests": 9}])
    assert (found.requests, found.minutes) == (9, ())


# ---------------------------------------------------------------------- k6


@pytest.mark.parametrize("nested", [False, True])
def test_k6_passes_are_failures(tmp_path, nested):
    found = read(tmp_path, k6(30, 2970, nested=nested))
    assert (found.requests, found.failed) == (3000, {"unclassed": 30})
    assert found.now_s == (30.0 if nested else pytest.approx(60.0))
    told = found.extra["told"]["response"]
    assert (told["p50"], told["p95"], told["max"]) == (30.0, 90.0, 200.0)
    assert "p99" not in told
    assert found.latencies == {}


def test_k6_answers_as_expected_are_told_apart(tmp_path):
    good = {"avg": 30.0, "med": 28.0, "p(95)": 70.0, "p(99)": 95.0}
    more = {"http_req_duration{expected_response:true}": good, "dropped_iterations": {"count": 7}}
    found = read(tmp_path, k6(0, 100, **more))
    assert (found.extra["told"]["e2e"]["p99"], found.extra["told"]["e2e"]["n"]) == (95.0, 100)
    assert "response" not in found.extra["told"]
    assert found.skipped == 7


def test_k6_that_contradicts_itself_knows_no_rate(tmp_path):
    odd = k6(10, 90)
    odd["metrics"]["http_req_failed"]["value"] = 0.9
    found = read(tmp_path, odd)
    assert (found.requests, found.error_rate) == (0, None)
    assert any("is not 10 of 100" in problem for problem in found.problems)


# ---------------------------------------------------------------------- any file


@pytest.mark.parametrize(
    ("document", "tool"),
    [
        (guidellm_file(guidellm([])), "guidellm"),
        (vllm(), "vllm"),
        (k6(1, 2), "k6"),
        ([entry("/", {}, {}, {})], "locust"),
        (HISTORY + "\n", "locust"),
        (STATS + "\n", "locust"),
        ({"results": {}}, None),
        ("", None),
        ("step,loss\n1,2\n", None),
        ("\x00\x01binary", None),
    ],
)
def test_files_are_known_by_what_they_hold(tmp_path, document, tool):
    assert claims(write(tmp_path / "whatever.txt", document)) == tool


@pytest.mark.parametrize(
    "make", [lambda: k6(1, 2), vllm, lambda: guidellm_file(guidellm([guidellm_request(0.0)] * 40))]
)
def test_a_cut_file_says_where(tmp_path, make):
    text = json.dumps(make(), indent=1)
    path = write(tmp_path / "a.json", text[: int(len(text) * 0.97)])
    with pytest.raises(UnreadableError, match=r"a\.json: it is not whole JSON: .* in line \d+, column \d+"):
        load(path)


def test_no_file_a_folder_and_a_pipe_are_told(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, why in (("none", "gone"), (".", "not a regular file"), ("pipe", "not a regular file")):
        with pytest.raises(UnreadableError, match=why):
            load(tmp_path / name)
        assert claims(tmp_path / name) is None


def test_a_document_that_is_written_anew_is_read_again(tmp_path):
    path = write(tmp_path / "a.json", k6(1, 99))
    follower = follow(path)
    assert follower.poll(0.0)
    first = follower.report
    assert not follower.poll(1.0)
    assert follower.report is first
    path.write_text(json.dumps(k6(2, 98))[:60])
    assert follower.poll(2.0)
    torn = follower.report
    assert (torn.requests, torn.error_rate) == (100, 0.01)
    assert any("not whole JSON" in problem for problem in torn.problems)
    path.write_text(json.dumps(k6(22, 978)))
    assert follower.poll(3.0)
    assert (follower.report.requests, follower.report.error_rate) == (1000, 0.022)
    assert not any("not whole JSON" in problem for problem in follower.report.problems)
    follower.close()


def test_hostile_texts_cannot_steer_a_terminal(tmp_path):
    found = read(tmp_path, vllm(model_id="\x1b[2J\u202eevil" + "x" * 5000), "\x1b[31m.json")
    assert "\x1b" not in found.tags["model"]
    assert len(found.tags["model"]) <= 300
    with pytest.raises(UnreadableError) as raised:
        load(write(tmp_path / "\x1b]0;x\x07.json", "{}"))
    assert "\x1b" not in str(raised.value)


@pytest.mark.parametrize("odd", [math.nan, math.inf, "NaN", None, -1, [], {}, True, "x" * 400, 10**400])
@pytest.mark.parametrize("key", ["completed", "failed", "duration", "median_ttft_ms", "total_output_tokens", "date"])
def test_a_value_of_any_kind_is_survived(tmp_path, key, odd):
    found = read(tmp_path, vllm(**{key: odd}))
    assert found.source == "vllm"
    assert found.requests in {0, 100, 98}
    assert found.now_s >= 0


@pytest.mark.parametrize("odd", [None, [], {}, "x", 3, [None], [{"metrics": 3}]])
def test_benchmarks_of_any_shape_are_survived(tmp_path, odd):
    document = guidellm_file() | {"benchmarks": odd}
    with pytest.raises(UnreadableError) if odd != [{"metrics": 3}] else nullcontext():
        read(tmp_path, document)


@pytest.mark.parametrize("seconds", [1e12, 1e308])
def test_a_length_that_cannot_be_true_is_not_believed(tmp_path, seconds):
    found = read(tmp_path, vllm(duration=seconds))
    assert (found.now_s, found.achieved_rate, found.ended) == (0.0, None, None)
    assert any("that is not believed" in problem for problem in found.problems)
