"""Documents that contradict themselves, or hold no number where one belongs: what rests on them is never green."""

import copy
import json
import math

import pytest
from contracts.load_samples import BENCH, SOAK
from gate.made import criterion, profile
from gate.releases import COVERAGE, lmeval
from gate.shapes import NOW, only, read

from mens_console.gate.evaluate import evaluate

NO_NUMBERS = ("NaN", float("nan"), float("inf"), -1, "130 tok/s", [], {}, True)


def edited(document, path, value):
    """Return a copy in which `value` stands at `path`."""
    found = copy.deepcopy(document)
    place = found
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return found


@pytest.mark.parametrize("value", NO_NUMBERS)
@pytest.mark.parametrize(
    ("document", "path", "metric"),
    [
        (BENCH, ("throughput", 0, "mean"), "throughput_single"),
        (BENCH, ("latency", 0, "ttft_ms", "n"), "ttft_p50"),
        (BENCH, ("latency", 0, "itl_ms", "n"), "itl_p99"),
        (SOAK, ("availability", "probes_failed"), "uptime"),
        (SOAK, ("availability", "requests"), "uptime"),
        (COVERAGE, ("totals", "covered_lines"), "coverage"),
        (COVERAGE, ("totals", "num_statements"), "coverage"),
        (lmeval(0.7, 0.7, 0.9), ("n-shot", "mmlu"), "mmlu"),
    ],
)
def test_what_is_no_number_is_no_evidence(tmp_path, document, path, metric, value):
    assert not only(read(tmp_path / "whole", e__json=document), metric).trouble
    assert only(read(tmp_path / "bad", e__json=edited(document, path, value)), metric).trouble


@pytest.mark.parametrize(
    ("change", "metric", "why"),
    [
        ({"elapsed_s": 2 * 259_200.0}, "soak_hours", "from its start to its end are 72 h"),
        ({"elapsed_s": 2 * 259_200.0}, "failures_72h", "from its start to its end are 72 h"),
        ({"started": SOAK["ended"] + 1}, "soak_hours", "from its start to its end"),
        ({"lost": 26_000}, "error_rate", "what became of 26000 of its 2617400 requests is not known"),
        ({"lost": 26_000}, "uptime", "is not known"),
        ({"skipped": 260_000}, "soak_hours", "min of it were not observed"),
    ],
)
def test_a_soak_that_cannot_be_as_it_says(tmp_path, change, metric, why):
    assert not only(read(tmp_path / "whole", e__json=SOAK), metric).trouble
    assert why in only(read(tmp_path / "bad", e__json=SOAK | change), metric).trouble


def test_a_few_requests_that_were_lost_with_their_driver_do_no_harm(tmp_path):
    item = only(read(tmp_path, e__json=SOAK | {"lost": 30, "skipped": 300}), "soak_hours")
    assert not item.trouble
    assert "0.5 min of it were not observed" in item.note


STRESS = ("soak_hours", "failures_72h", "mtbf_lower_bound")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("offered_rate", 100.0), "its 2591400 requests are far fewer than 100 a second over 72 h come to"),
        (("offered_rate", 10.3), "far fewer than 10.3 a second"),
        (("offered_rate", None), "does not say what load it offered"),
        (("offered_rate", math.nan), "does not say what load it offered"),
        (("skipped", math.nan), "never sent is no count"),
        (("availability", "unobserved_s", None), "for how long nobody looked"),
        (("availability", "unobserved_s", math.nan), "for how long nobody looked"),
        (("availability", "unobserved_s", -3600), "for how long nobody looked"),
        (("availability", "unobserved_s", "2h"), "for how long nobody looked"),
        (("availability", "probes", 72), "its 72 probes are far fewer than one each 10 s over 72 h"),
    ],
)
def test_a_soak_in_which_nobody_looked_or_little_was_asked_is_no_stress_test(tmp_path, change, why):
    *path, value = change
    document = edited(SOAK, tuple(path), value)
    document["availability"]["probes_failed"] = 0
    manifest = read(tmp_path, e__json=json.dumps(document))
    for metric in STRESS:
        assert why in only(manifest, metric).trouble


@pytest.mark.parametrize(
    "change",
    [
        {"offered_rate": 10.2},
        {"requests": 2_400_000, "skipped": 20_000, "lost": 10_000, "offered_rate": 9.5},
        {"requests": 270, "errors": {}, "error_rate": 0.0, "offered_rate": 0.00127},
    ],
)
def test_a_load_that_its_schedule_and_chance_explain_counts(tmp_path, change):
    document = edited(SOAK, ("availability", "requests"), change.get("requests", SOAK["requests"]))
    manifest = read(tmp_path, e__json=document | change)
    assert not any(only(manifest, metric).trouble for metric in STRESS)


def test_requests_that_were_never_sent_are_missed_where_nothing_tells_of_them(tmp_path):
    requests = SOAK["requests"] - 100_000
    document = edited(SOAK, ("availability", "requests"), requests) | {"requests": requests}
    assert "not observed" in only(read(tmp_path / "a", e__json=document | {"skipped": 100_000}), "failures_72h").trouble
    assert "far fewer" in only(read(tmp_path / "b", e__json=document), "failures_72h").trouble


def test_a_soak_that_counts_its_requests_twice_and_differently_has_no_uptime(tmp_path):
    document = edited(edited(SOAK, ("availability", "requests_failed"), 0), ("availability", "request"), 1.0)
    assert "335 of 2591400 in another" in only(read(tmp_path / "a", e__json=document), "uptime").trouble
    document = SOAK | {"lost": math.nan}
    assert "is no count" in only(read(tmp_path / "b", e__json=json.dumps(document)), "uptime").trouble


def test_more_first_tokens_than_requests_are_none(tmp_path):
    changed = edited(BENCH, ("latency", 0, "requests"), 3)
    assert "3 requests succeeded" in only(read(tmp_path, e__json=changed), "ttft_p50").trouble


def test_a_date_that_cannot_be_read_is_told_and_the_time_of_the_file_stands_in_for_none(tmp_path):
    manifest = read(tmp_path, e__json=BENCH | {"ended": "yesterday"})
    assert "its date cannot be read" in manifest.files[0].notes[0]
    asked = criterion("throughput_single", ">=1", max_age_s=1e12)
    judged = evaluate(profile(asked), manifest, release="1", now=NOW).judgements[0]
    assert judged.verdict == "UNDERFED"
    assert "nothing tells when it was measured" in judged.reason


def test_runs_of_which_one_is_undated_are_not_dated_by_the_others(tmp_path):
    one = {"max_concurrency": 1, "completed": 400, "failed": 0, "output_throughput": 121.0, "median_ttft_ms": 80}
    dated = [one | {"date": "20261121-055530"}, one | {"date": "21.11.26", "output_throughput": 122.0}]
    for documents in (dated, dated[::-1]):
        manifest = read(tmp_path, a__json=documents[0], b__json=documents[1])
        asked = criterion("throughput_single", ">=1", max_age_s=1e12)
        assert evaluate(profile(asked), manifest, release="1", now=NOW).verdict == "UNDERFED"


LEAST_SOAK = {
    "schema": "mens-soak/1", "elapsed_s": 259_200, "requests": 1_000_000, "errors": {}, "incidents": [],
    "availability": {"probe": 1.0, "request": 1.0, "unobserved_s": 0}, "offered_rate": 3.9,
}  # fmt: skip
LEAST_VLLM = {
    "max_concurrency": 1, "completed": 400, "failed": 0, "output_throughput": 121.0,
    "median_ttft_ms": 80, "p99_ttft_ms": 120, "median_itl_ms": 20, "p99_itl_ms": 40,
}  # fmt: skip


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (LEAST_SOAK, {"error_rate": 0, "failures_72h": 0, "soak_hours": 72, "uptime": 100, "mtbf_lower_bound": 24.03}),
        (LEAST_VLLM, {"error_rate": 0, "throughput_single": 121, "ttft_p50": 80, "ttft_p99": 120, "itl_p50": 20,
                      "itl_p99": 40}),
        ({"schema": "mens-bench/1", "throughput": [{"batch": 1, "gpus": 1, "tokenizer": "server", "runs": [120, 121]}]},
         {"throughput_single": 120.5}),
        ({"results": {"mmlu": {"acc": 0.72}}}, {"mmlu": 72}),
    ],
)  # fmt: skip
def test_the_fields_that_matter_are_enough(tmp_path, document, expected):
    manifest = read(tmp_path, e__json=document)
    assert not manifest.problems
    assert {one.metric: one.value for one in manifest.items} == pytest.approx(expected, abs=0.01)
