"""The streaming tracker against plain arithmetic."""

import math
import random

import numpy as np
import pytest

from mens_console.collectors.streaming import create_streaming_tracker


def test_it_agrees_with_an_independent_computation():
    rng = np.random.default_rng(1)
    losses = 2.0 + rng.normal(0, 0.1, 300)
    tracker = create_streaming_tracker(ema_alpha=0.1)
    results = [tracker.update_loss(float(x), step) for step, x in enumerate(losses)]
    weights = 0.9 ** np.arange(299, -1, -1)
    assert results[-1]["streaming_ce"] == pytest.approx((weights * losses).sum() / weights.sum())
    assert results[-1]["loss_variance"] == pytest.approx(np.var(losses[-100:], ddof=1))
    assert results[0] == {"loss": losses[0], "streaming_ce": losses[0], "loss_variance": None, "n": 1}


def test_trend_has_a_slope_and_an_interval():
    rng = random.Random(2)
    tracker = create_streaming_tracker()
    for step in range(400):
        tracker.update_loss(3.0 - 0.002 * step + rng.gauss(0, 0.01))
    found = tracker.get_statistics()
    assert found["loss_trend"] == "improving"
    assert found["loss_trend_low"] < -2.0 < found["loss_trend_high"] < 0.0
    assert found["n"] == 400


def test_no_evidence_is_none():
    found = create_streaming_tracker().get_statistics()
    assert {k: v for k, v in found.items() if v is not None} == {
        "loss_trend": "unknown", "loss_trend_n": 0, "n": 0, "nonfinite": 0,
    }  # fmt: skip


def test_nan_is_counted_and_never_averaged():
    tracker = create_streaming_tracker()
    tracker.update_loss(1.0)
    for bad in (math.nan, math.inf, -math.inf):
        assert tracker.update_loss(bad)["streaming_ce"] is None
    found = tracker.get_statistics()
    assert (found["streaming_ce"], found["nonfinite"], found["n"]) == (None, 3, 1)
    assert found["loss_trend"] == "unknown"
    assert tracker.update_loss(1.0)["streaming_ce"] == 1.0


def test_entropy():
    tracker = create_streaming_tracker(0.5)
    assert tracker.update_entropy(math.nan) is None
    tracker.update_entropy(2.0, 1)
    tracker.update_entropy(1.0, 2)
    found = tracker.get_statistics()
    assert found["token_entropy"] == 1.0
    assert found["token_entropy_ema"] == pytest.approx((0.5 * 2.0 + 1.0) / 1.5)


def test_rewinding_forgets_the_branch():
    tracker = create_streaming_tracker()
    for step in range(64):
        tracker.update_loss(1.0, step)
    for step in range(64, 80):
        tracker.update_loss(100.0, step)
    tracker.rewind(64)
    assert tracker.update_loss(1.0)["streaming_ce"] == pytest.approx(1.0)


@pytest.mark.parametrize("alpha", [0.0, 1.5, -1.0])
def test_a_weight_outside_its_range(alpha):
    with pytest.raises(ValueError, match="alpha"):
        create_streaming_tracker(alpha)
