"""Readers on what real tools wrote of a small project; `scripts/record_evidence.py` records it."""

import math
import shutil
from pathlib import Path

import pytest
from gate.shapes import NOW, only, read, values, write

from mens_console.gate.evidence import gather

RECORDED = Path(__file__).parent / "evidence"


def recorded(*names):
    return gather([str(RECORDED / name) for name in names], now=NOW)


def test_coverage_counts_statements_and_branches():
    item = only(recorded("coverage.json"), "coverage")
    assert (item.successes, item.n) == (24, 36)
    assert item.value == pytest.approx(100 * 24 / 36)
    assert (item.unit, item.pointer) == ("%", "/totals/percent_covered")


def test_complexity_is_the_mean_over_functions_and_methods_once_each():
    item = only(recorded("radon_cc.json"), "complexity")
    assert (item.value, item.n) == ((10 + 1 + 2 + 1) / 4, 4)
    assert "core.py:grade 10" in item.note


def test_a_file_that_radon_cannot_parse_is_no_complexity_of_zero():
    item = only(recorded("radon_broken.json"), "complexity")
    assert math.isnan(item.value)
    assert "broken.py" in item.trouble


def test_tests_that_failed_or_could_not_run_count():
    manifest = recorded("junit.xml")
    assert values(manifest) == {"tests_failed": 2.0, "tests_run": 5.0}
    assert "test_broken" in only(manifest, "tests_failed").note


def test_documented_by_interrogate_and_by_sphinx_stand_apart():
    manifest = recorded("interrogate.txt", "sphinx_python.txt")
    assert sorted(values(manifest, "documented")) == [50.0, pytest.approx(100 * 4 / 7)]
    assert not any(one.trouble for one in manifest.items)


def test_a_crash_of_interrogate_is_a_problem():
    manifest = recorded("interrogate_crash.txt")
    assert not manifest.items
    assert "traceback" in manifest.problems[0]


def test_what_sphinx_could_not_import_is_not_a_hundred_percent():
    item = only(recorded("sphinx_absent.txt"), "documented")
    assert math.isnan(item.value)
    assert "school.absent" in item.trouble


def test_lm_eval_knows_items_shots_and_versions():
    item = only(recorded("lm_eval_quantized.json"), "mmlu")
    assert (item.value, item.n, item.successes) == (pytest.approx(20.0), 100, 20)
    assert item.tags["eval_set"] == "mmlu 2"
    assert item.tags["role"] == "quantized"
    assert item.interval == pytest.approx((12.17, 27.83), abs=0.01)


def test_losses_are_in_points_and_their_mean_is_relative():
    manifest = recorded("lm_eval_baseline.json", "lm_eval_quantized.json")
    assert only(manifest, "mmlu_loss").value == pytest.approx(24 - 20)
    assert only(manifest, "hellaswag_loss").value == pytest.approx(26 - 30)
    assert only(manifest, "arc_easy_loss").value == pytest.approx(38 - 26)
    mean = only(manifest, "quantization_loss")
    assert mean.value == pytest.approx(100 * (4 / 24 - 4 / 26 + 12 / 38) / 3)
    assert mean.n == 3
    assert {Path(path).name for path, _, _ in mean.sources} == {"lm_eval_baseline.json", "lm_eval_quantized.json"}


def test_of_other_versions_nothing_is_compared(tmp_path):
    shutil.copy(RECORDED / "lm_eval_baseline.json", tmp_path / "baseline.json")
    text = (RECORDED / "lm_eval_quantized.json").read_text()
    write(tmp_path, "quantized.json", text.replace('"mmlu": "2"', '"mmlu": "3"'))
    item = only(gather([str(tmp_path)], now=NOW), "mmlu_loss")
    assert math.isnan(item.value)
    assert "not compared" in item.trouble


def test_another_number_of_shots_is_another_measurement(tmp_path):
    text = (RECORDED / "lm_eval_quantized.json").read_text()
    for name in ("mmlu", "mmlu_a", "mmlu_b"):
        text = text.replace(f'"{name}": 5', f'"{name}": 0')
    item = only(read(tmp_path, quantized__json=text), "mmlu")
    assert math.isnan(item.value)
    assert "0 shots" in item.trouble


@pytest.mark.parametrize(("task", "told"), [("mmlu", "NaN"), ("arc_easy", "-0.1"), ("hellaswag", "1.4")])
def test_a_score_that_is_no_share_is_none(tmp_path, task, told):
    text = (RECORDED / "lm_eval_quantized.json").read_text()
    head, mark, tail = text.partition(f'"{task}": {{\n   "')
    for key in ("acc,none", "acc_norm,none"):
        first, found, rest = tail.partition(f'"{key}": ')
        if found:
            tail = first + found + told + rest[rest.index(",") :]
    item = only(read(tmp_path, r__json=head + mark + tail), task)
    assert math.isnan(item.value)
    assert item.trouble


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('<!DOCTYPE a [<!ENTITY x "y">]><testsuite tests="1"><testcase name="a"/></testsuite>', "document type"),
        ('<testsuite tests="2"><testcase name="a"/>', "damaged"),
        ("<testsuite", "no reader"),
    ],
)
def test_xml_that_is_hostile_or_torn_is_a_problem(tmp_path, text, why):
    manifest = gather([str(write(tmp_path, "junit.xml", text))], now=NOW)
    assert not manifest.items
    assert why in manifest.problems[0]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('<testsuite tests="9"><testcase name="a"/></testsuite>', "say 9 tests"),
        ('<testsuites><testsuite tests="0"/></testsuites>', "no test ran"),
        ('<testsuite tests="1"><testcase name="a"><skipped/></testcase></testsuite>', "all 1 were skipped"),
    ],
)
def test_a_suite_that_ran_nothing_has_not_passed(tmp_path, text, why):
    manifest = read(tmp_path, junit__xml=text)
    assert all(math.isnan(one.value) and why in one.trouble for one in manifest.items)
    assert len(manifest.items) == 2


def test_suites_of_several_files_add_up(tmp_path):
    one = '<testsuite tests="2"><testcase name="a"/><testcase name="b"><failure/></testcase></testsuite>'
    two = '<testsuite tests="1"><testcase name="c"/></testsuite>'
    manifest = read(tmp_path, a__xml=one, b__xml=two)
    assert values(manifest) == {"tests_failed": 1.0, "tests_run": 3.0}
    assert len(only(manifest, "tests_run").sources) == 2


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"percent_covered": 99.0}, "24 of 36"),
        ({"percent_covered": math.nan}, "no finite number"),
        ({"num_statements": 0, "covered_lines": 0, "num_branches": 0, "covered_branches": 0}, "n is 0"),
    ],
)
def test_coverage_that_contradicts_itself_is_none(tmp_path, change, why):
    import json

    document = json.loads((RECORDED / "coverage.json").read_text())
    document["totals"] |= change
    item = only(read(tmp_path, coverage__json=document), "coverage")
    assert math.isnan(item.value)
    assert why in item.trouble


@pytest.mark.parametrize(
    ("totals", "value", "n"),
    [
        ({"percent_covered": 90.1}, 90.1, None),
        ({"percent_covered": 90.1, "num_statements": 1000, "covered_lines": 901}, 90.1, 1000),
    ],
)
def test_the_totals_of_coverage_are_enough(tmp_path, totals, value, n):
    item = only(read(tmp_path, coverage__json={"totals": totals}), "coverage")
    assert (item.value, item.n, item.trouble) == (value, n, "")


def test_coverage_without_files_and_counts_measured_nothing(tmp_path):
    document = {"meta": {}, "files": {}, "totals": {"percent_covered": 100.0}}
    assert "no file was measured" in only(read(tmp_path, coverage__json=document), "coverage").trouble


@pytest.mark.parametrize(
    ("name", "settings", "role"),
    [
        ("baseline/llama__7b/results_1.json", {}, "baseline"),
        ("a/llama-7b-AWQ/results_1.json", {}, "quantized"),
        ("unquantized/results_1.json", {}, "baseline"),
        ("a/results_q4_k_m.json", {}, "quantized"),
        ("a/qlora-int4.json", {}, "qlora"),
        ("a/results_1.json", {"pretrained": "/m/llama-7b", "load_in_4bit": True}, "quantized"),
        ("a/results_1.json", {"pretrained": "/m/llama-7b-int4", "peft": "/runs/qlora-3"}, "qlora"),
        ("a/results_1.json", {"pretrained": "/m/llama-7b-fp32"}, None),
        ("a/aquarium4bits.json", {}, None),
    ],
)
def test_which_model_a_file_is_of(tmp_path, name, settings, role):
    write(tmp_path, name, {"results": {"mmlu": {"acc,none": 0.7}}, "config": {"model_args": settings}})
    assert only(gather([str(tmp_path)], now=NOW), "mmlu").tags.get("role") == role


def test_a_baseline_that_was_loaded_quantized_is_none(tmp_path):
    document = {"results": {"mmlu": {"acc,none": 0.7}}, "config": {"model_args": "pretrained=m,load_in_4bit=True"}}
    item = only(read(tmp_path, baseline__json=document), "mmlu")
    assert math.isnan(item.value)
    assert "loaded quantized" in item.trouble


def test_the_oldest_suite_dates_a_report(tmp_path):
    suites = "".join(
        f'<testsuite tests="1" timestamp="2026-01-0{day}T00:00:00+00:00"><testcase name="a{day}"/></testsuite>'
        for day in (2, 1, 3)
    )
    item = only(read(tmp_path, j__xml=f"<testsuites>{suites}</testsuites>"), "tests_run")
    assert item.at == 1_767_225_600.0
