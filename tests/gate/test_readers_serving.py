"""Readers of server benchmarks and load tests: raw gaps against means, and runs in which requests failed."""

import json
import math

import pytest
from contracts.load_samples import BENCH, SOAK, changed
from gate.shapes import FAILED, aiperf, guidellm, k6, only, read, record, spread, values, vllm


def test_vllm_gives_throughput_ttft_and_raw_gaps(tmp_path):
    manifest = read(tmp_path, a__json=vllm())
    assert values(manifest) == {
        "error_rate": 0.0, "throughput_single": 121.5, "ttft_p50": 78.0, "ttft_p99": 121.0, "itl_p50": 23.0,
        "itl_p99": 46.0,
    }  # fmt: skip
    assert only(manifest, "ttft_p99").n == 100
    assert only(manifest, "error_rate").tags["source"] == "bench"


@pytest.mark.parametrize(
    ("change", "metric"),
    [({"max_concurrency": 8}, "throughput_batch_8"), ({"tensor_parallel_size": "2"}, "throughput_gpus_2")],
)
def test_throughput_goes_by_batch_and_gpus(tmp_path, change, metric):
    assert only(read(tmp_path, a__json=vllm(**change)), metric).value == 121.5


def test_every_request_failed_is_no_latency_of_zero(tmp_path):
    zero = {name: 0.0 for name in vllm() if name.endswith("_ms") or name == "output_throughput"}
    manifest = read(tmp_path, a__json=vllm(completed=0, failed=100, total_output_tokens=0, **zero))
    for metric in ("ttft_p50", "ttft_p99", "itl_p50", "itl_p99", "throughput_single"):
        item = only(manifest, metric)
        assert math.isnan(item.value)
        assert "all 100 requests failed" in item.trouble
    assert only(manifest, "error_rate").value == 100.0


def test_kept_gaps_are_exact_counts(tmp_path):
    gaps = [[0.02] * 50 + [0.04] * 49, [0.03, 0.1]]
    item = only(read(tmp_path, a__json=vllm(itls=gaps, ttfts=[0.1, 0.0, 0.2], completed=2, num_prompts=3)), "itl_p99")
    assert item.n == 101
    assert dict(item.counts) == {20.0: 50, 40.0: 49, 30.0: 1, 100.0: 1}
    assert item.value == pytest.approx(40.0)


def test_a_percentile_over_a_higher_one_is_none(tmp_path):
    item = only(read(tmp_path, a__json=vllm(median_ttft_ms=300.0)), "ttft_p99")
    assert math.isnan(item.value)
    assert "over its P99" in item.trouble


def test_one_token_has_no_gaps(tmp_path):
    manifest = read(tmp_path, a__json=vllm(total_output_tokens=100, median_itl_ms=1.0, p99_itl_ms=2.0))
    assert math.isnan(only(manifest, "itl_p50").value)


def test_five_files_are_five_runs(tmp_path):
    runs = [121.0, 119.0, 122.0, 120.5, 117.5]
    for place, rate in enumerate(runs):
        (tmp_path / f"{place}.json").write_text(json.dumps(vllm(output_throughput=rate)))
    item = only(read(tmp_path), "throughput_single")
    assert item.value == pytest.approx(120.0)
    assert (item.n, sorted(item.samples), len(item.sources)) == (5, sorted(runs), 5)


def test_guidellm_reads_only_what_succeeded(tmp_path):
    manifest = read(tmp_path, a__json=guidellm(done=90, errored=10))
    assert values(manifest) == {
        "error_rate": 10.0, "ttft_p50": 81.0, "ttft_p99": 122.0, "throughput_single": 119.0,
    }  # fmt: skip
    assert only(manifest, "ttft_p50").n == 90
    assert any("mean per request" in note for note in manifest.files[0].notes)


def test_guidellm_with_every_request_errored(tmp_path):
    none = {"successful": spread(0.0, 0.0, 0), "errored": spread(0.0, 0.0, 50)}
    manifest = read(tmp_path, a__json=guidellm(0, 50, time_to_first_token_ms=none, output_tokens_per_second=none))
    assert math.isnan(only(manifest, "ttft_p50").value)
    assert math.isnan(only(manifest, "throughput_single").value)
    assert only(manifest, "error_rate").value == 100.0


def test_aiperf_takes_gaps_between_chunks_not_means(tmp_path):
    manifest = read(tmp_path, a__json=aiperf())
    assert only(manifest, "itl_p99").value == 48.0
    assert only(manifest, "itl_p99").n == 200 * 99
    assert only(manifest, "throughput_single").value == 118.0


def test_aiperf_brings_seconds_to_milliseconds_and_refuses_an_unknown_unit(tmp_path):
    manifest = read(
        tmp_path,
        a__json=aiperf(
            time_to_first_token={"unit": "s", "p50": 0.079, "p99": 0.14, "count": 200},
            inter_chunk_latency={"unit": "ticks", "p50": 20.0, "p99": 48.0, "count": 9},
        ),
    )
    assert only(manifest, "ttft_p99").value == pytest.approx(140.0)
    item = only(manifest, "itl_p99")
    assert math.isnan(item.value)
    assert "'ticks'" in item.trouble


def test_a_cancelled_run_is_no_measurement(tmp_path):
    manifest = read(tmp_path, a__json=aiperf(was_cancelled=True))
    assert math.isnan(only(manifest, "ttft_p50").value)


def test_records_are_read_row_by_row(tmp_path):
    rows = [record([10.0, 20.0], ttft=50.0), record([30.0], ttft=60.0), record([], **FAILED)]
    manifest = read(tmp_path, profile_export__jsonl="".join(json.dumps(row) + "\n" for row in rows))
    item = only(manifest, "itl_p50")
    assert (item.value, item.n, dict(item.counts)) == (20.0, 3, {10.0: 1, 20.0: 1, 30.0: 1})
    errors = only(manifest, "error_rate")
    assert (errors.successes, errors.n) == (1, 3)
    assert manifest.files[0].kind == "aiperf"


@pytest.mark.parametrize("tail", ['{"metadata": {"request_start', '{"other": 1}\n', "not json\n"])
def test_records_with_a_line_that_is_none_are_not_whole(tmp_path, tail):
    manifest = read(tmp_path, p__jsonl=json.dumps(record([10.0])) + "\n" + tail)
    assert math.isnan(only(manifest, "itl_p50").value)
    assert "no records" in only(manifest, "itl_p50").trouble


def test_records_that_all_failed(tmp_path):
    manifest = read(tmp_path, p__jsonl="".join(json.dumps(record([], **FAILED)) + "\n" for _ in range(3)))
    assert math.isnan(only(manifest, "ttft_p50").value)
    assert only(manifest, "error_rate").value == 100.0


@pytest.mark.parametrize("nested", [False, True])
def test_k6_counts_a_failure_as_a_pass(tmp_path, nested):
    item = only(read(tmp_path, k__json=k6(0, 2890, nested)), "error_rate")
    assert (item.value, item.successes, item.n) == (0.0, 0, 2890)
    item = only(read(tmp_path, k__json=k6(29, 2861, nested)), "error_rate")
    assert item.value == pytest.approx(100 * 29 / 2890)


def test_k6_without_a_request_has_no_error_rate(tmp_path):
    assert math.isnan(only(read(tmp_path, k__json=k6(0, 0)), "error_rate").value)


HEAD = "Type,Name,Request Count,Failure Count,Median Response Time\n"


def test_locust_counts_all_requests_together(tmp_path):
    rows = 'GET,"/a, ""b""",2905,143,22\n,Aggregated,3874,191,22\n'
    item = only(read(tmp_path, run_stats__csv=HEAD + rows), "error_rate")
    assert (item.successes, item.n) == (191, 3874)


def test_locust_cut_off_before_its_end_is_a_problem(tmp_path):
    manifest = read(tmp_path, run_stats__csv=HEAD + "GET,/,10,0,22\n")
    assert not manifest.items
    assert "Aggregated" in manifest.problems[0]


def test_a_benchmark_without_a_failure_says_less_than_a_soak(tmp_path):
    manifest = read(tmp_path, a__json=vllm(), soak__json=SOAK)
    assert only(manifest, "error_rate").tags["source"] == "soak"
    assert len(values(read(tmp_path, a__json=vllm(failed=1)), "error_rate")) == 2


def test_a_soak_gives_its_reliability(tmp_path):
    manifest = read(tmp_path, soak__json=SOAK)
    uptime = only(manifest, "uptime")
    assert (uptime.successes, uptime.n, uptime.pointer) == (25_908, 25_920, "/availability/probe")
    assert only(manifest, "error_rate").value == pytest.approx(100 * 335 / 2_591_400)
    assert only(manifest, "failures_72h").value == 1
    assert only(manifest, "soak_hours").value == 72
    assert only(manifest, "mtbf_lower_bound").value == pytest.approx(15.18, abs=0.01)
    assert only(manifest, "itl_p99").value == 44.0
    assert only(manifest, "gpu_memory_peak").value == pytest.approx(8.41)
    assert not any(one.trouble for one in manifest.items)


@pytest.mark.parametrize(
    ("path", "value", "metric"),
    [
        (("error_rate",), 0.0, "error_rate"),
        (("requests",), 0, "error_rate"),
        (("errors",), {"http": -3}, "error_rate"),
        (("availability", "probe"), 1.0, "uptime"),
        (("availability",), {"probe": None, "request": None, "unobserved_s": 0, "requests": 0}, "uptime"),
        (("availability", "unobserved_s"), 90_000.0, "soak_hours"),
        (("mtbf_lower_bound_s",), 1_000_000.0, "mtbf_lower_bound"),
        (("incidents",), None, "failures_72h"),
        (("ttft_ms", "n"), 0, "ttft_p99"),
        (("ttft_ms", "n"), 5, "ttft_p99"),
        (("itl_ms", "p50"), 90.0, "itl_p50"),
        (("elapsed_s",), "NaN", "soak_hours"),
        (("memory", "peak_bytes"), -1, "gpu_memory_peak"),
    ],
)
def test_a_soak_that_contradicts_itself_gives_no_value(tmp_path, path, value, metric):
    item = only(read(tmp_path, soak__json=changed(SOAK, path, value)), metric)
    assert math.isnan(item.value)
    assert item.trouble


def test_a_short_soak_tells_its_failures_and_that_more_may_have_come(tmp_path):
    item = only(read(tmp_path, soak__json=changed(SOAK, ("elapsed_s",), 3600.0)), "failures_72h")
    assert item.value == 1
    assert "1.0 h of 72 h" in item.trouble


def test_a_benchmark_gives_runs_latency_memory_and_context(tmp_path):
    manifest = read(tmp_path, bench__json=BENCH)
    item = only(manifest, "throughput_single")
    assert (item.value, item.n, len(item.samples)) == (pytest.approx(121.6), 5, 5)
    assert only(manifest, "ttft_p99").counts == ((75.0, 200), (118.0, 100))
    assert only(manifest, "gpu_memory_peak").samples == (8.5, 8.49)
    assert (only(manifest, "context_tokens").value, only(manifest, "context_tokens").n) == (16_384, 100)


@pytest.mark.parametrize(
    ("path", "value", "held"),
    [
        (("context", 1, "quality_loss"), 0.05, 16_384),
        (("context", 1, "quality_loss"), 0.0501, 4096),
        (("context", 1, "ms_per_token"), 99.9, 16_384),
        (("context", 1, "ms_per_token"), 100.0, 4096),
        (("context", 0, "ms_per_token"), 250.0, 16_384),
        (("context", 0, "ms_per_token"), 250.1, 0),
        (("context", 1, "quality_loss"), None, 4096),
    ],
)
def test_context_holds_up_to_its_limits(tmp_path, path, value, held):
    assert only(read(tmp_path, bench__json=changed(BENCH, path, value)), "context_tokens").value == held


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("throughput", 0, "tokenizer"), "whitespace"),
        (("throughput", 0, "mean"), 130.0),
        (("throughput", 0, "n"), 6),
        (("throughput", 0, "runs"), [121.0, None, 121.0, 121.0, 121.0]),
    ],
)
def test_throughput_that_may_not_decide_is_none(tmp_path, path, value):
    item = only(read(tmp_path, bench__json=changed(BENCH, path, value)), "throughput_single")
    assert math.isnan(item.value)
    assert item.trouble


@pytest.mark.parametrize(
    "gaps", [[10.0, math.nan, 5.0], [math.nan, 5.0], [5.0, -1.0], [5, "x"], [5.0, math.inf], [None]]
)
def test_a_gap_that_is_none_leaves_the_metric_without_a_value(tmp_path, gaps):
    manifest = read(tmp_path, p__jsonl=json.dumps(record(gaps)) + "\n" + json.dumps(record([1.0, 2])) + "\n")
    item = only(manifest, "itl_p99")
    assert math.isnan(item.value)
    assert "line 1" in item.trouble
    assert only(manifest, "ttft_p50").value == 50.0


def test_aiperf_0_13_tells_its_load_by_phases(tmp_path):
    phases = [{"kind": "warmup", "concurrency": 9}, {"kind": "profiling", "concurrency": 1}]
    config = {"models": {"items": [{"name": "llama"}]}, "phases": phases}
    item = only(read(tmp_path, a__json=aiperf(input_config=config)), "throughput_single")
    assert (item.value, item.tags["model"], item.tags["batch"]) == (118.0, "llama", "1")
