"""Reports that look whole and hold nothing, or not what they say: none of them is green."""

import copy

import pytest
from contracts.load_samples import BENCH
from gate.shapes import aiperf, guidellm, only, read, spread, vllm

from mens_console.evaluation.metrics import WEIGHTS
from mens_console.gate.readers import evaluation as reader

ZERO = "it is exactly 0 ms"
LOCUST = "Type,Name,Request Count,Failure Count\nGET,/a,60,{}\nGET,/b,40,0\n,Aggregated,100,{}\n"


def test_latencies_of_answers_that_were_not_streamed_are_no_latencies(tmp_path):
    none = {"successful": spread(0.0, 0.0, 100)}
    found = read(tmp_path / "g", a__json=guidellm(time_to_first_token_ms=none))
    assert ZERO in only(found, "ttft_p50").trouble
    empty = {"unit": "ms", "p50": 0.0, "p99": 0.0, "count": 200}
    found = read(tmp_path / "a", a__json=aiperf(time_to_first_token=empty, inter_chunk_latency=empty))
    for metric in ("ttft_p50", "ttft_p99", "itl_p50", "itl_p99"):
        assert ZERO in only(found, metric).trouble


def test_a_throughput_that_its_own_tokens_and_time_do_not_have_is_none(tmp_path):
    found = read(tmp_path / "a", a__json=vllm(duration=100.0, total_output_tokens=9_000))
    assert "9000 tokens in 100 s are 90" in only(found, "throughput_single").trouble
    found = read(tmp_path / "b", a__json=vllm(duration=100.0, total_output_tokens=12_150))
    assert only(found, "throughput_single").value == 121.5


def test_requests_of_which_nothing_is_told_have_failed(tmp_path):
    item = only(read(tmp_path, a__json=vllm(num_prompts=1000, completed=100, failed=3)), "error_rate")
    assert (item.value, item.n) == (90.0, 1000)


@pytest.mark.parametrize(
    ("rungs", "tokens"),
    [
        ([{}], 16_384),
        ([{}, {"quality_loss": 0.5}], 4096),
        ([{"quality_loss": 0.5}, {}], 4096),
        ([{"ms_per_token": 0}], 4096),
        ([{"quality_loss": 0.5}], 4096),
    ],
)
def test_a_rung_that_was_measured_twice_and_broke_once_does_not_hold(tmp_path, rungs, tokens):
    document = copy.deepcopy(BENCH)
    low, high = document["context"]
    document["context"] = [low, *({**high, **change} for change in rungs)]
    item = only(read(tmp_path, a__json=document), "context_tokens")
    assert (item.value, item.n) == (tokens, 100)


@pytest.mark.parametrize("part", ["throughput", "latency", "memory", "context"])
@pytest.mark.parametrize("value", [None, "NaN", {}, [None], [1]])
def test_a_part_of_a_benchmark_that_is_no_list_is_no_absence(tmp_path, part, value):
    manifest = read(tmp_path, a__json=BENCH | {part: value})
    assert f"/{part} is no list of measurements" in manifest.files[0].problem
    assert not manifest.items


@pytest.mark.parametrize(
    ("text", "failed", "why"),
    [
        ('<testsuites tests="9" failures="0"><testsuite><testcase/></testsuite></testsuites>', None, "9 tests"),
        ('<testsuites tests="1" failures="1"><testsuite><testcase/></testsuite></testsuites>', 1, ""),
        ('<testsuite tests="1" failures="5"><testcase/></testsuite>', 5, ""),
        ('<testsuite tests="1"><testcase/><error>cannot import</error></testsuite>', 1, ""),
        ('<testsuites tests="1" failures="0"><testsuite tests="1"><testcase/></testsuite></testsuites>', 0, ""),
    ],
)  # fmt: skip
def test_failures_that_a_report_tells_anywhere_count(tmp_path, text, failed, why):
    item = only(read(tmp_path, a__xml=text), "tests_failed")
    assert why in item.trouble
    assert bool(why) or (item.value, item.trouble) == (failed, "")


def test_a_total_of_locust_that_its_rows_do_not_have_is_none(tmp_path):
    assert "rows hold 30 failures" in only(read(tmp_path / "a", a__csv=LOCUST.format(30, 0)), "error_rate").trouble
    assert only(read(tmp_path / "b", a__csv=LOCUST.format(30, 30)), "error_rate").value == 30


def test_drift_without_a_reason_and_reasons_without_drift_are_no_judgement(tmp_path):
    for detected, reasons in ((True, []), (False, ["repairs rise"])):
        tier = {"tier": "r", "batches": 9, "drift_detected": detected, "drift_reasons": reasons}
        document = {"schema": "mens-health/1", "batches": [{"run_id": "r", "index": 1, "bands": {}}], "runs": [tier]}
        assert f"drift {detected}" in only(read(tmp_path, a__json=document), "health_drift").trouble


def test_a_kpi_decides_only_where_its_report_says_so_in_the_word_for_it(tmp_path):
    value = {"id": "compile_pass_at_1", "value": 0.9, "n": 100, "unit": "share", "decides": "no"}
    document = {"schema": "mens-kpi/1", "models": [{"model": "m", "values": [value]}]}
    assert "may not decide" in only(read(tmp_path, a__json=document), "compile_pass_at_1").trouble


@pytest.mark.parametrize(
    "weights", [{"tool_use": 1.0}, {"tool_use": 0.5, "style": 0.5, "guardrail": 0.0}, {**WEIGHTS, "charm": 0.0}]
)
def test_a_weighted_score_of_other_weights_is_another_score(tmp_path, weights):
    buckets = {name: {"value": 95.0, "unit": "%", "weight": weight} for name, weight in weights.items()}
    score = {"metric": "weighted_score", "value": 95.0, "unit": "%", "n": 200}
    document = {"schema": "mens-eval/1", "at": 1.8e9, "model": {"id": "m"}, "eval_set": {"version": "1"}}
    document |= {"scores": [score], "buckets": buckets}
    assert "its buckets weigh" in only(read(tmp_path, a__json=document), "weighted_score").trouble


def test_the_reader_knows_the_weights_of_the_evaluation():
    assert reader._WEIGHTS == WEIGHTS
