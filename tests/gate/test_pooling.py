"""Several files of one benchmark: runs put together, and what gives way to better evidence."""

import json
import math

import pytest
from contracts.load_samples import BENCH, changed
from gate.shapes import NOW, only, read, values, vllm, write

from mens_console.gate.evidence import gather

DAY = 86_400.0


def at(seconds):
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).isoformat()


def test_kept_latencies_of_runs_are_one_distribution(tmp_path):
    one = vllm(ttfts=[0.1] * 98 + [0.2] * 2)
    other = vllm(ttfts=[0.1] * 100, duration=61.0)
    item = only(read(tmp_path, a__json=one, b__json=other), "ttft_p99")
    assert dict(item.counts) == {100.0: 198, 200.0: 2}
    assert (item.value, item.n) == (100.0, 200)
    assert not item.trouble


def test_of_percentiles_alone_the_worst_run_stands(tmp_path):
    item = only(read(tmp_path, a__json=vllm(), b__json=vllm(p99_ttft_ms=190.0)), "ttft_p99")
    assert (item.value, item.n, item.counts, item.trouble) == (190.0, 200, (), "")
    assert "worst of 2 files" in item.note


def test_failures_of_runs_add_up(tmp_path):
    item = only(read(tmp_path, a__json=vllm(), b__json=vllm(completed=95, failed=5)), "error_rate")
    assert (item.value, item.successes, item.n) == (pytest.approx(2.5), 5, 200)


def test_a_run_that_failed_is_not_averaged_away(tmp_path):
    manifest = read(tmp_path, a__json=vllm(), b__json=vllm(completed=0, failed=100, output_throughput=0.0))
    told = [one for one in manifest.items if one.metric == "throughput_single"]
    assert sorted(math.isnan(one.value) for one in told) == [False, True]


def test_a_run_of_another_week_is_no_run_of_this_one(tmp_path):
    manifest = read(tmp_path, a__json=vllm(date=at(NOW)), b__json=vllm(date=at(NOW - 7 * DAY), output_throughput=90.0))
    assert sorted(values(manifest, "throughput_single")) == [90.0, 121.5]


def test_runs_of_two_tools_are_not_one(tmp_path):
    bench = changed(BENCH, ("throughput", 0, "runs"), [90.0])
    bench = changed(changed(bench, ("throughput", 0, "mean"), 90.0), ("throughput", 0, "n"), 1)
    manifest = read(tmp_path, a__json=vllm(max_concurrency=1), b__json=bench)
    assert sorted(values(manifest, "throughput_single")) == [90.0, 121.5]


def test_latency_of_one_request_at_a_time_is_the_metric(tmp_path):
    busy = vllm(max_concurrency=16, p99_ttft_ms=900.0, output_throughput=260.0)
    manifest = read(tmp_path, a__json=vllm(), b__json=busy)
    assert values(manifest, "ttft_p99") == [121.0]
    assert values(manifest, "throughput_batch_16") == [260.0]
    (tmp_path / "a.json").unlink()
    assert values(gather([str(tmp_path)], now=NOW), "ttft_p99") == [900.0]


def test_the_oldest_run_dates_them_all(tmp_path):
    manifest = read(
        tmp_path, a__json=vllm(date=at(NOW - DAY)), b__json=vllm(date=at(NOW - 10), output_throughput=120.0)
    )
    assert only(manifest, "throughput_single").at == NOW - DAY


HEAD = "Timestamp,User Count,Type,Name,Requests/s,Total Request Count,Total Failure Count\n"


def test_locust_s_history_gives_way_to_its_final_table(tmp_path):
    write(tmp_path, "run_stats_history.csv", HEAD + "1795240053,5,,Aggregated,1.0,900,9\n")
    assert values(gather([str(tmp_path)], now=NOW), "error_rate") == [1.0]
    write(tmp_path, "run_stats.csv", "Type,Name,Request Count,Failure Count\n,Aggregated,1000,20\n")
    assert values(gather([str(tmp_path)], now=NOW), "error_rate") == [2.0]


def test_results_appended_to_one_file_are_runs(tmp_path):
    rows = [vllm(output_throughput=rate) for rate in (119.0, 121.0, 120.0)]
    item = only(read(tmp_path, runs__json="".join(json.dumps(row) + "\n" for row in rows)), "throughput_single")
    assert (item.value, item.n) == (120.0, 3)
    assert item.pointer.startswith("line ")


def test_a_torn_line_among_appended_results_leaves_none(tmp_path):
    manifest = read(tmp_path, runs__jsonl=json.dumps(vllm()) + "\n" + json.dumps(vllm())[:40])
    assert not manifest.items
    assert "no results of vLLM" in manifest.problems[0]


@pytest.mark.parametrize(("share", "percent"), [(0.57, 57.0), (0.29, 29.0), (0.55, 55.0), (0.999, 99.9), (0.001, 0.1)])
def test_thresholds_are_met_where_the_figures_meet_them(tmp_path, share, percent):
    document = {"schema": "mens-eval/1", "eval_set": {"name": "t", "version": "1"},
                "scores": [{"metric": "lint", "value": share, "unit": "share", "n": 1000}]}  # fmt: skip
    assert only(read(tmp_path, e__json=document), "lint").value == percent


def test_a_loss_of_exactly_its_limit_is_the_limit(tmp_path):
    for role, share in (("baseline", 0.726), ("quantized", 0.711)):
        results = {"mmlu": {"acc,none": share}}
        write(tmp_path, f"{role}.json", {"results": results, "n-shot": {"mmlu": 5}, "versions": {"mmlu": 2}})
    assert only(gather([str(tmp_path)], now=NOW), "mmlu_loss").value == 1.5


def test_a_run_written_anew_with_other_blanks_is_the_same_run(tmp_path):
    for place in range(5):
        write(tmp_path, f"r{place}.json", json.dumps(vllm()) + " " * place + "\n")
    item = only(gather([str(tmp_path)], now=NOW), "throughput_single")
    assert (item.n, len(item.sources)) == (1, 0)


def test_runs_of_other_times_are_several_though_their_figures_agree(tmp_path):
    for place in range(5):
        write(tmp_path, f"r{place}.json", vllm(date=f"20261121-05553{place}"))
    assert only(gather([str(tmp_path)], now=NOW), "throughput_single").n == 5
