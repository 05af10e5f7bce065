"""Thresholds on any metric: the table's own, the operator's, and what they may not say."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mens_console.signals.alerts import AlertState, Signal
from mens_console.signals.entropy import EntropyCollapse
from mens_console.signals.metricrules import MetricRule, Threshold, json_errors, json_metric, with_custom
from mens_console.signals.rules import RULES, Severity
from mens_console.signals.run import RunSignals

NAN = math.nan
B, C = Signal.BREACH, Signal.CLEAR


def feed(detector, metric, values, start=0):
    steps = list(range(start, start + len(values)))
    return [(o.signal, o.step) for o in detector.update_many(metric, steps, [float(s) for s in steps], values)]


def own(**changes):
    rule = MetricRule("own", **{"metric": "vram", "above": 10.0, "exit": 8.0, **changes})
    return Threshold("run", "own", rule.side, with_custom(RULES, [rule]))


def test_above_its_limit_and_past_its_exit():
    assert feed(own(), "vram", [10.0, 10.1, 9.0, 8.0, 7.0]) == [(B, 1), (C, 3)]
    assert feed(own(above=None, below=1.0, exit=2.0), "vram", [1.0, 0.5, 1.5, 2.0]) == [(B, 1), (C, 3)]
    assert feed(own(exit=None), "vram", [11.0, 10.0]) == [(B, 0), (C, 1)]


def test_it_must_last_as_many_points_as_it_says():
    assert feed(own(for_points=3), "vram", [11.0, 11.0, 9.0, 11.0, 11.0, 11.0, 11.0]) == [(B, 5), (B, 6)]


def test_nan_says_nothing_and_infinity_does():
    assert feed(own(), "vram", [11.0, NAN, math.inf, NAN]) == [(B, 0), (B, 2)]


def test_one_of_several_metrics_is_enough_and_all_must_be_well_again():
    ece = Threshold("run", "ece", "above")
    assert feed(ece, "eval_ece", [0.4]) == [(B, 0)]
    assert feed(ece, "fixed_eval_ece", [0.1], 1) == []
    assert feed(ece, "fixed_eval_ece", [0.5], 2) == [(B, 2)]
    assert feed(ece, "eval_ece", [0.28, 0.1], 3) == []
    assert feed(ece, "fixed_eval_ece", [0.2], 5) == [(C, 5)]
    feed(ece, "fixed_eval_ece", [0.5], 6)
    assert [(o.signal, o.step) for o in ece.rewind(3, NAN)] == [(C, 3)]


def test_severity_rises_at_its_critical_threshold():
    rules = {**RULES, "ece": dataclasses.replace(RULES["ece"], critical=0.6)}
    found = Threshold("run", "ece", "above", rules).update_many("ece", [1, 2], [NAN] * 2, [0.5, 0.6])
    assert [o.severity for o in found] == [Severity.WARNING, Severity.CRITICAL]


@pytest.mark.parametrize(
    "said",
    [{}, {"above": 1.0, "below": 0.0}, {"above": 1.0, "exit": 1.5}, {"below": 1.0, "exit": 0.5}],
)
def test_what_a_rule_of_ones_own_cannot_say(said):
    with pytest.raises(ValueError, match="rule own"):
        MetricRule("own", "vram", **said)


def test_a_rule_of_ones_own_is_a_row_like_any_other_and_takes_no_name():
    rule = MetricRule("own", "vram", above=10.0, for_s=5.0, severity=Severity.INFO).rule
    assert (rule.title, rule.entry, rule.exit, rule.for_s, rule.severity) == (
        "vram above 10", 10.0, 10.0, 5.0, Severity.INFO,
    )  # fmt: skip
    assert rule.recommendation.endswith(".")
    with pytest.raises(ValueError, match="already"):
        with_custom(RULES, [MetricRule("oom", "vram", above=1.0)])


@pytest.mark.parametrize(
    ("metric", "kind"),
    [
        ("eval_json_validity", "valid"), ("eval/json_valid_rate", "valid"), ("eval_tool_json_validity", "valid"),
        ("eval_json_errors", "invalid"), ("eval/tool/json_parse_errors", "invalid"),
        ("test_json_error_rate", "invalid"),
        ("json_validity", None), ("eval_loss", None), ("train/json_errors", None), ("eval_xjson_errors", None),
    ],
)  # fmt: skip
def test_json_metrics_are_known_by_name_and_only_in_evaluations(metric, kind):
    assert json_metric(metric) == kind
    assert RunSignals.watches(metric) is (kind is not None or metric == "eval_loss")


def test_validity_is_read_as_errors_and_percent_as_percent():
    assert json_errors("eval_json_validity", 0.99) == pytest.approx(0.01)
    assert json_errors("eval_json_validity", 98.0) == pytest.approx(0.02)
    assert json_errors("eval_json_validity", 100.0) == json_errors("eval_json_validity", 1.0) == 0.0
    assert json_errors("eval_json_errors", 3.0) == 3.0


def test_json_errors_in_an_evaluation():
    signals = RunSignals("run")
    signals.observe("eval_json_validity", [10, 20], [10.0, 20.0], [1.0, 0.97])
    view = signals.alerts.get("eval_json_errors", "run")
    assert (view.since_step, view.value) == (20, pytest.approx(0.03))
    signals.observe("eval_json_validity", [30], [30.0], [1.0])
    assert signals.alerts.get("eval_json_errors", "run").state is AlertState.RESOLVED


def entropy(values, steps=None):
    detector = EntropyCollapse("run")
    steps = steps or list(range(len(values)))
    return detector, detector.update_many(steps, [float(s) for s in steps], values, values)


def test_entropy_collapses_against_its_own_beginning():
    detector, found = entropy([2.0] * 20 + [0.7, 0.59, 0.5, 0.7, 0.9])
    assert [(o.signal, o.step) for o in found] == [(B, 21), (B, 22), (C, 24)]
    assert detector.baseline == 2.0
    assert found[0].value == pytest.approx(0.295)
    assert found[0].evidence == ("median of its first 20 points: 2 nats",)


def test_too_few_points_have_no_beginning():
    assert entropy([2.0] * 8 + [0.1])[1] == []
    assert math.isnan(entropy([2.0] * 9)[0].baseline)
    assert entropy([NAN] * 30 + [2.0] * 10 + [0.1] * 2)[1] != []
    assert entropy([0.0] * 30)[1] == []  # began at nothing


def test_a_resume_keeps_where_the_run_began():
    detector, _ = entropy([2.0] * 20 + [0.1])
    assert [o.signal for o in detector.rewind(15, NAN)] == [C]
    assert detector.baseline == 2.0
    assert detector.rewind(5, NAN) == []
    assert math.isnan(detector.baseline)


@given(st.lists(st.sampled_from([0.0, 0.1, 0.5, 2.0, NAN, math.inf]), max_size=80), st.lists(st.integers(1, 20)))
def test_chunks_change_nothing(values, sizes):
    def run(sizes):
        collapse, own_rule, at, found = EntropyCollapse("run"), own(above=0.4, exit=0.2), 0, []
        for size in [*sizes, len(values)]:
            steps = list(range(at, min(at + size, len(values))))
            part = values[at : at + size]
            walls = [float(s) for s in steps]
            found += collapse.update_many(steps, walls, part, part)
            found += own_rule.update_many("vram", steps, walls, part)
            at += size
        return repr(sorted(found, key=lambda o: (o.rule, o.step)))

    assert run([]) == run(sizes)
