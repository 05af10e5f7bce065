"""Every threshold of the sources on both sides of its edge: by the shipped bands, and by the verdict on such evidence.

The tables are written by hand from the sources, not from the profiles.
"""

from dataclasses import replace

import pytest
from gate.made import NOW, item, manifest

from mens_console.gate.evaluate import evaluate
from mens_console.gate.metrics import METRICS
from mens_console.gate.profiles import load, shipped

PROFILES = {name: load(name) for name in shipped()}
P, C, F = "PASS", "CONDITIONAL", "FAIL"

SPRINT = {
    ("1.1", "throughput_single"): [(115, P), (114.99, C), (105, C), (104.99, F)],
    ("1.2-2gpu", "throughput_gpus_2"): [(185, P), (184.99, C), (170, C), (169.99, F)],
    ("1.2-4gpu", "throughput_gpus_4"): [(300, P), (299.99, C), (280, C), (279.99, F)],
    ("1.3-batch4", "throughput_batch_4"): [(170, P), (169.99, C), (155, C), (154.99, F)],
    ("1.3-batch8", "throughput_batch_8"): [(210, P), (209.99, C), (195, C), (194.99, F)],
    ("1.3-batch16", "throughput_batch_16"): [(240, P), (239.99, C), (225, C), (224.99, F)],
    ("1.4", "ttft_p50"): [(99.99, P), (100, C), (120, C), (120.01, F)],
    ("1.4", "ttft_p99"): [(149.99, P), (150, C), (200, C), (200.01, F)],
    ("1.5", "itl_p50"): [(29.99, P), (30, C), (35, C), (35.01, F)],
    ("1.5", "itl_p99"): [(49.99, P), (50, C), (60, C), (60.01, F)],
    ("1.6", "gpu_memory_peak"): [(9, P), (9.01, C), (10, C), (10.01, F)],
    ("1.7", "context_tokens"): [(16384, P), (16383, C), (8192, C), (8191, F)],
    ("2.1-mmlu", "mmlu_loss"): [(1.5, P), (1.51, C), (2, C), (2.01, F)],
    ("2.1-mmlu", "mmlu"): [(71, P), (70.99, C), (70, C), (69.99, F)],
    ("2.1-hellaswag", "hellaswag_loss"): [(1, P), (1.01, C), (2, C), (2.01, F)],
    ("2.1-hellaswag", "hellaswag"): [(77, P), (76.99, C), (76, C), (75.99, F)],
    ("2.1-arc", "arc_easy_loss"): [(1, P), (1.01, C), (2, C), (2.01, F)],
    ("2.1-arc", "arc_easy"): [(94, P), (93.99, C), (93, C), (92.99, F)],
    ("2.2", "quantization_loss"): [(0.99, P), (1, C), (1.5, C), (1.51, F)],
    ("2.3", "qlora_degradation"): [(0.49, P), (0.5, C), (1, C), (1.01, F)],
    ("3.1", "uptime"): [(99.9, P), (99.89, C), (99.5, C), (99.49, F)],
    ("3.2", "error_rate"): [(0.09, P), (0.1, C), (0.5, C), (0.51, F)],
    ("3.3", "failures_72h"): [(0, P), (1, P), (2, C), (3, C), (4, F)],
    ("3.3", "soak_hours"): [(72, P), (71.99, C)],
    ("4.1", "coverage"): [(90.01, P), (90, C), (85, C), (84.99, F)],
    ("4.2", "documented"): [(95, P), (94.99, C), (90, C), (89.99, F)],
    ("4.3", "complexity"): [(4.99, P), (5, C), (7, C), (7.01, F)],
    ("tests", "tests_failed"): [(0, P), (1, F)],
    ("tests", "tests_run"): [(1, P), (0, F)],
}
RELEASE = SPRINT | {
    ("1.1", "throughput_single"): [(120, P), (119.99, C), (105, C), (104.99, F)],
    ("1.6", "gpu_memory_peak"): [(8.99, P), (9, C), (10, C), (10.01, F)],
    ("2.1-mmlu", "mmlu_loss"): [(1.49, P), (1.5, C), (2, C), (2.01, F)],
    ("2.1-mmlu", "mmlu"): [(71.01, P), (71, C), (70, C), (69.99, F)],
    ("2.1-hellaswag", "hellaswag"): [(77.01, P), (77, C), (76, C), (75.99, F)],
    ("4.2", "documented"): [(100, P), (99.99, C), (90, C), (89.99, F)],
}
SHIP = {
    ("json-validity", "json_validity"): [(99, P), (98.99, F)],
    ("schema-match", "schema_match"): [(97, P), (96.99, F)],
    ("tool-selection", "tool_selection"): [(90, P), (89.99, F)],
    ("lint", "lint"): [(100, P), (99.99, F)],
    ("ast-structure", "ast_structure"): [(90, P), (89.99, F)],
    ("naming", "naming"): [(95, P), (94.99, F)],
    ("refusal-accuracy", "refusal_accuracy"): [(98, P), (97.99, F)],
    ("false-acceptance", "false_acceptance"): [(1, P), (1.01, F)],
    ("weighted-score", "weighted_score"): [(90, P), (89.99, F)],
    ("argument-correctness", "argument_correctness"): [(92, P), (91.99, F)],
    ("plan-minimality", "plan_minimality"): [(1, P), (1.01, F)],
    ("chaining-consistency", "chaining_consistency"): [(95, P), (94.99, F)],
    ("sim-pass", "sim_pass"): [(85, P), (84.99, F)],
    ("template-conformance", "template_conformance"): [(90, P), (89.99, F)],
    ("forbidden-patterns", "forbidden_patterns"): [(0, P), (1, F)],
    ("type-check", "type_check"): [(95, P), (94.99, F)],
    ("benign-compliance", "benign_compliance"): [(98, P), (97.99, F)],
    ("stability", "stability"): [(99.9, P), (99.89, F)],
    ("quantization-drop", "quantization_drop"): [(2, P), (2.01, F)],
    ("regression", "regression"): [(0, P), (0.01, F)],
}
HEALTH = {
    ("repair-rate", "health_repair_rate"): [(9.99, P), (10, C), (20, C), (20.01, F)],
    ("repair-trend", "health_repair_trend"): [(4.99, P), (5, C), (9.99, C), (10, F)],
    ("opening-entropy", "health_opening_entropy"): [(2.01, P), (2, C), (1.5, C), (1.49, F)],
    ("pollyanna", "health_pollyanna"): [(0.4, P), (0.5, P), (0.7, P), (0.701, C), (0.85, C), (0.851, F)],
    ("anchor-diversity", "health_anchor_diversity"): [(0.801, P), (0.8, C), (0.6, C), (0.599, F)],
    ("mean-latency", "health_latency_change"): [(19.99, P), (20, C), (49.99, C), (50, F)],
    ("drift", "health_drift"): [(0, P), (1, F)],
}
ENGINEERING = {key: SPRINT[key] for key in SPRINT if key[0] in {"4.1", "4.2", "4.3", "tests"}}
TABLES = {
    "phase3-sprint": SPRINT, "phase3-release": RELEASE, "web4-ship": SHIP, "persona-health": HEALTH,
    "engineering": ENGINEERING,
}  # fmt: skip
EDGES = [
    pytest.param(name, criterion, metric, value, verdict, id=f"{name}/{criterion}/{metric}={value}")
    for name, table in TABLES.items()
    for (criterion, metric), edges in table.items()
    for value, verdict in edges
]
GOOD = {
    "ttft_p50": 50, "ttft_p99": 100, "itl_p50": 10, "itl_p99": 20, "mmlu": 80, "mmlu_loss": 0, "hellaswag": 90,
    "hellaswag_loss": 0, "arc_easy": 99, "arc_easy_loss": 0, "failures_72h": 0, "soak_hours": 80, "tests_failed": 0,
    "tests_run": 10,
}  # fmt: skip
"""What leaves the verdict to the other metric of a criterion that asks for two."""


def criterion_of(name, criterion):
    return next(one for one in PROFILES[name].criteria if one.id == criterion)


def value_of(metric, value):
    return item(metric, value, METRICS[metric].unit, n=10_000, tags={"source": "soak"})


@pytest.mark.parametrize(("name", "criterion", "metric", "value", "verdict"), EDGES)
def test_the_bands_stand_where_the_sources_put_them(name, criterion, metric, value, verdict):
    one = criterion_of(name, criterion)
    bands = {one.metric: (one.passes, one.conditional)} | {part: bands for part, *bands in one.requires}
    passes, conditional = bands[metric]
    assert passes.holds(value) == (verdict == P)
    if verdict == C:
        assert conditional.holds(value)
    if verdict == F:
        assert conditional is None or not conditional.holds(value)
        if one.fails is not None and metric == one.metric:
            assert one.fails.holds(value)


@pytest.mark.parametrize(("name", "criterion", "metric", "value", "verdict"), EDGES)
def test_the_verdict_on_such_a_value(name, criterion, metric, value, verdict):
    one = replace(criterion_of(name, criterion), decide_on="point")
    others = [part for part in (one.metric, *(part[0] for part in one.requires)) if part != metric]
    evidence = manifest(value_of(metric, value), *(value_of(other, GOOD[other]) for other in others))
    profile = replace(PROFILES[name], criteria=(one,))
    (judged,) = evaluate(profile, evidence, release="1", now=NOW).judgements
    assert judged.verdict == verdict, judged.reason


@pytest.mark.parametrize("name", TABLES)
def test_no_threshold_of_a_shipped_profile_is_left_out(name):
    profile = PROFILES[name]
    asked = {(one.id, metric) for one in profile.criteria for metric in (one.metric, *(p[0] for p in one.requires))}
    shown_only = {("3.3-bound", "mtbf_lower_bound")}
    assert {pair for pair in asked if pair[1]} - shown_only == set(TABLES[name])


def test_the_nine_conditions_of_the_ship_gate_decide():
    deciding = {one.metric for one in PROFILES["web4-ship"].criteria if one.decides}
    assert deciding == {
        "json_validity", "schema_match", "tool_selection", "lint", "ast_structure", "naming", "refusal_accuracy",
        "false_acceptance", "weighted_score",
    }  # fmt: skip


def test_the_seven_of_tier_1_decide_on_vox():
    tier_1 = {one.id for one in METRICS.values() if one.tier == 1}
    assert len(tier_1) == 7
    assert {one.metric for one in PROFILES["vox-decision"].criteria if one.decides} == tier_1


def test_the_release_has_sixteen_metrics_and_a_checklist_of_ten():
    release = PROFILES["phase3-release"]
    numbers = {one.id[:3] for one in release.criteria if one.id[0].isdigit()}
    assert numbers == {
        "1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7", "2.1", "2.2", "2.3", "3.1", "3.2", "3.3", "4.1", "4.2", "4.3",
    }  # fmt: skip
    assert len(release.checklist) == 10
    settled = {name for check in release.checklist for name in check.criteria}
    assert settled == {one.id for one in release.criteria if one.decides}
    assert release.checklist[-1].criteria == ()
    assert not release.conditional_passes
    assert not release.unsigned


def test_rates_and_percentiles_of_a_release_decide_on_bounds():
    bound = {one.id for one in PROFILES["phase3-release"].criteria if one.decide_on == "bound"}
    assert bound == {"1.4", "1.5", "3.1", "3.2"}
    assert all(one.decide_on == "point" for one in PROFILES["phase3-sprint"].criteria)


def judged(name, criterion, *items):
    profile = replace(PROFILES[name], criteria=(criterion_of(name, criterion),))
    (one,) = evaluate(profile, manifest(*items), release="1", now=NOW).judgements
    return one.verdict


@pytest.mark.parametrize(
    ("failed", "n", "verdict"),
    [(0, 2994, "UNDERFED"), (0, 2995, P), (1, 2995, C), (20, 25_920, C), (14, 25_920, P), (200, 25_920, F)],
)
def test_uptime_of_a_release_is_shown_or_undecided(failed, n, verdict):
    share = 100 * (n - failed) / n
    soak = item("uptime", share, "%", n=n, successes=n - failed, tags={"source": "soak"})
    assert judged("phase3-release", "3.1", soak) == verdict


@pytest.mark.parametrize(("n", "verdict"), [(298, "UNDERFED"), (299, P), (100, "UNDERFED")])
def test_p99_of_a_release_wants_299(n, verdict):
    values = {"counts": ((50.0, n),), "n": n}
    evidence = item("ttft_p50", 50.0, "ms", **values), item("ttft_p99", 50.0, "ms", **values)
    assert judged("phase3-release", "1.4", *evidence) == verdict


def test_what_a_benchmark_counts_is_no_soak():
    assert judged("phase3-release", "3.2", item("error_rate", 0.0, "%", n=9000, successes=0)) == "UNDERFED"


def test_five_runs_are_asked_for():
    assert judged("phase3-sprint", "1.1", item("throughput_single", 130.0, "tokens/s", n=4)) == "UNDERFED"
    assert judged("phase3-sprint", "1.1", item("throughput_single", 130.0, "tokens/s", n=5)) == P
