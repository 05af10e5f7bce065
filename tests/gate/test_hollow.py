"""Reports that look whole and hold nothing, or not what they say: none of them is green."""

import copy
import json
import math

import pytest
from contracts.load_samples import BENCH
from gate.releases import lmeval
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


def test_that_one_gpu_is_taken_where_none_is_told_is_said(tmp_path):
    assert "one is taken" in only(read(tmp_path / "a", a__json=vllm()), "throughput_single").note
    assert "one is taken" not in only(read(tmp_path / "b", a__json=vllm(gpus=1)), "throughput_single").note


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


@pytest.mark.parametrize("counted", [None, "", "whitespace", "unknown", math.nan, [1]])
def test_tokens_that_nobody_is_told_to_have_counted_decide_nothing(tmp_path, counted):
    document = copy.deepcopy(BENCH)
    document["throughput"][0]["tokenizer"] = document["context"][0]["tokenizer"] = counted
    manifest = read(tmp_path, a__json=json.dumps(document))
    assert "which may decide nothing" in only(manifest, "throughput_single").trouble
    assert "are counted by" in only(manifest, "context_tokens").trouble


def test_more_latencies_than_requests_succeeded_are_found_without_their_n(tmp_path):
    document = copy.deepcopy(BENCH)
    document["latency"][0]["failed"] = 200
    del document["latency"][0]["ttft_ms"]["n"]
    assert "300 of them, and 100 requests" in only(read(tmp_path, a__json=document), "ttft_p99").trouble


@pytest.mark.parametrize("value", [math.nan, None, "x", -1])
def test_a_benchmark_without_a_usable_value_is_not_left_out_of_what_is_compared(tmp_path, value):
    whole = {role: lmeval(0.72, 0.78, 0.95) for role in ("baseline", "quantized", "qlora")}
    texts = {f"{role}__json": document | {"role": role} for role, document in whole.items()}
    assert only(read(tmp_path / "a", **texts), "qlora_degradation").value == 0
    for key in ("acc,none", "acc_norm,none"):
        whole["qlora"]["results"]["hellaswag"][key] = value
    whole["qlora"]["n-shot"]["arc_easy"] = value
    texts["qlora__json"] = json.dumps(whole["qlora"] | {"role": "qlora"})
    item = only(read(tmp_path / "b", **texts), "qlora_degradation")
    assert "no usable value" in item.trouble


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


HISTORY = "Timestamp,User Count,Type,Name,Total Request Count,Total Failure Count,Total RPS\n"


def test_a_row_of_locust_that_is_cut_off_is_left_aside(tmp_path):
    rows = "1800000000,1,,Aggregated,100,10,1.0\n1800000010,1,,Aggregated,2000,1"
    item = only(read(tmp_path / "a", a__csv=HISTORY + rows), "error_rate")
    assert (item.value, item.n) == (10, 100)
    (file,) = read(tmp_path / "c", a__csv=HISTORY + "1800000000,1,,Aggregated,100,1").files
    assert "no row of all requests" in file.problem


@pytest.mark.parametrize("last", ["0, 2", "0, 2 MiB, 5", "0", "1, 9000"])
def test_a_row_of_memory_that_is_cut_off_is_no_small_figure(tmp_path, last):
    text = f"index, memory.used [MiB]\n0, 9000 MiB\n{last}"
    assert only(read(tmp_path, a__csv=text), "gpu_memory_peak").trouble


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


@pytest.mark.parametrize("damage", [None, 7, {"value": 1.0}, {"metric": ["lint"], "value": None}])
def test_a_score_of_nobody_knows_which_metric_damages_its_evaluation(tmp_path, damage):
    score = {"metric": "weighted_score", "value": 95.0, "unit": "%", "n": 200}
    document = {"schema": "mens-eval/1", "at": 1.8e9, "model": {"id": "m"}, "eval_set": {"version": "1"}}
    manifest = read(tmp_path, a__json=document | {"scores": [score, damage]})
    assert "/scores/1 does not say which metric" in manifest.files[0].problem


@pytest.mark.parametrize("damage", [None, {"index": None}, {"index": "x"}, {"run_id": 3}, {"complete": "no"}])
def test_batches_of_which_the_newest_is_not_known_tell_nothing(tmp_path, damage):
    def batch(index, value):
        band = {"value": value, "n": 1000, "band": "healthy", "interval": [0.0, 1.0]}
        return {"run_id": "r", "index": index, "complete": True, "bands": {"repair_rate": band}}

    newest = None if damage is None else batch(1, 0.5) | damage
    document = {"schema": "mens-health/1", "batches": [batch(0, 0.05), newest]}
    manifest = read(tmp_path, a__json=json.dumps(document))
    assert "/batches/1 does not say which batch" in manifest.files[0].problem


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"ttfts": [0.1] * 99 + [0.0]}, "ttfts are kept of 99 requests, and 100 completed"),
        ({"ttfts": "none"}, "ttfts are no list"),
        ({"itls": [[0.02, 0.03]] * 60}, "itls are kept of 60 requests"),
        ({"itls": {}}, "itls are no list"),
    ],
)
def test_single_values_that_are_not_those_of_all_requests_may_lack_the_slowest(tmp_path, change, why):
    name = next(iter(change)).removesuffix("s")
    manifest = read(tmp_path, a__json=vllm(**change))
    assert why in only(manifest, f"{name}_p50").trouble
    assert why in only(manifest, f"{name}_p99").trouble


@pytest.mark.parametrize("word", [True, "yes", 1, []])
def test_a_run_that_may_have_been_cancelled_has_no_latencies(tmp_path, word):
    found = read(tmp_path, a__json=aiperf(was_cancelled=word))
    assert "cancelled" in only(found, "ttft_p99").trouble
