"""The fixed evaluation: pinned set, figures against plain arithmetic, and a model that fails."""

import math

import pytest

from mens_console.collectors.evaluation import Example, FixedEvaluator, FixedTrend, Prediction, digest_of
from mens_console.collectors.guard import CollectorWarning
from mens_console.collectors.patterns import PatternTracker
from mens_console.signals.calibration import expected_ece

SET = [Example(f"{i}+{i}", str(2 * i), "sum") for i in range(10)]


def right_until(limit, confidence=0.9):
    def predict(prompt):
        number = int(prompt.partition("+")[0])
        return Prediction(str(2 * number) if number < limit else "no", confidence, -0.5)

    return predict


def test_figures():
    tracker = PatternTracker()
    result = FixedEvaluator(SET, right_until(7), patterns=tracker).evaluate(100)
    assert (result.em, result.ce, result.n, result.step) == (0.7, 0.5, 10, 100)
    assert result.ece == pytest.approx(0.2)
    assert result.ece_expected == pytest.approx(expected_ece([0.9] * 10))
    assert result.trend == "unknown"
    assert result.figures() == {
        "em": 0.7, "ce": 0.5, "ece": result.ece, "ece_expected": result.ece_expected, "n": 10,
    }  # fmt: skip
    assert tracker.heatmap()["correct"][0][0] == 7


def test_what_a_prediction_does_not_say_is_not_a_figure():
    plain = FixedEvaluator([("a", "A"), {"prompt": "b", "answer": "B"}], lambda prompt: prompt.upper()).evaluate(1)
    assert plain.em == 1.0
    assert all(math.isnan(x) for x in (plain.ce, plain.ece, plain.ece_expected))
    mapped = FixedEvaluator([("a", "A", "p")], lambda _: {"text": "A", "confidence": 1.0}).evaluate(1)
    assert (mapped.ece, mapped.em) == (0.0, 1.0)
    assert math.isnan(mapped.ce)


def test_when_it_is_due():
    evaluator = FixedEvaluator(SET, right_until(5), every=100)
    ran = [step for step in range(0, 450, 30) if evaluator.run(step)]
    assert ran == [120, 210, 300, 420]
    assert evaluator.run(50) is not None  # a resume
    assert [r.step for r in evaluator.results] == [120, 210, 300, 420, 50]


def test_the_trend_needs_eight_evaluations():
    trends = []
    evaluator = FixedEvaluator(SET, lambda prompt: right_until(len(trends))(prompt), every=1)
    for step in range(1, 11):
        trends.append(evaluator.evaluate(step).trend)
    assert trends[:7] == ["unknown"] * 7
    assert trends[-1] == "improving"


def test_cross_entropy_gives_the_trend_where_there_is_no_match():
    trend = FixedTrend()
    assert [trend.update(step, None, 1.0 + step / 10) for step in range(1, 12)][-1] == "degrading"
    trend.rewind(1)
    assert trend.update(1, None, 1.0) == "unknown"


def test_the_set_is_pinned():
    examples = [Example("a", "A"), Example("b", "B")]
    evaluator = FixedEvaluator(examples, str.upper, every=1)
    pinned = evaluator.digest
    assert pinned == digest_of(examples) != digest_of(reversed(examples))
    assert not evaluator.evaluate(1).changed
    examples.reverse()
    with pytest.warns(CollectorWarning, match="changed at step 2"):
        assert evaluator.evaluate(2).changed
    assert not evaluator.evaluate(3).changed
    with pytest.warns(CollectorWarning, match="not the one expected"):
        FixedEvaluator(examples, str.upper, digest=pinned)


def test_a_model_that_fails_switches_it_off():
    def predict(prompt):
        raise RuntimeError("CUDA error")

    evaluator = FixedEvaluator(SET, predict, every=1)
    with pytest.warns(CollectorWarning, match=r"'fixed_eval' is off.*CUDA error") as told:
        assert [evaluator.run(step) for step in range(1, 5)] == [None] * 4
    assert evaluator.evaluate(9) is None
    assert len(told) == 1
    assert evaluator.off


def test_a_confidence_that_is_none_switches_it_off_and_nothing_else():
    evaluator = FixedEvaluator(SET, lambda _: Prediction("0", 1.7))
    with pytest.warns(CollectorWarning, match="confidence lies in"):
        assert evaluator.evaluate(1) is None


@pytest.mark.parametrize(("examples", "every"), [([], 1), (SET, 0)])
def test_what_makes_no_evaluation(examples, every):
    with pytest.raises(ValueError, match="needs examples"):
        FixedEvaluator(examples, str, every=every)
