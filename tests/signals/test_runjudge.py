"""Judging a run batch by batch: trends, the baseline, drift, tiers; slopes against scipy."""

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from signals.madebatches import VARIED, batch

from mens_console.signals.diversity import entropy, miller_madow
from mens_console.signals.drift import Candidate, choose
from mens_console.signals.runjudge import RunJudge, judge, judged_tier
from mens_console.signals.slopes import LeastSquares, kendall_critical, theil_sen
from mens_console.signals.tiers import tier, tier_name

values = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30)


@given(values)
def test_slopes_are_scipys(ys):
    slope = theil_sen(ys)
    assert slope.robust == pytest.approx(stats.theilslopes(ys)[0], abs=1e-9)
    assert slope.slope == pytest.approx(stats.linregress(range(len(ys)), ys).slope, abs=1e-6)
    line = LeastSquares()
    for x, y in enumerate(ys[:-1]):
        line.add(x, y)
    assert line.slope(len(ys) - 1, ys[-1]) == pytest.approx(slope.slope, abs=1e-6)


def test_sens_interval_holds_what_it_says():
    rng = random.Random(4)
    for n in (6, 9, 12, 45):
        found = [theil_sen([0.2 * i + rng.gauss(0, 1) for i in range(n)]).interval for _ in range(600)]
        assert sum(low <= 0.2 <= high for low, high in found) / 600 > 0.93
    assert theil_sen([1, 2, 3, 4, 5]).interval is None
    assert [kendall_critical(n) for n in (6, 7, 8, 10)] == [11, 13, 16, 21], "Hollander and Wolfe, table A.30"
    assert math.isnan(theil_sen([3.0]).robust)


def test_a_ramp_of_repairs():
    rising = judge(batch(i, repairs=0.01 + 0.05 * i) for i in range(8))
    assert [one.bands["repair_rate_trend"].band for one in rising] == ["nodata"] * 5 + ["warning"] * 3
    last = rising[-1].bands["repair_rate_trend"]
    assert (last.value, last.seed, last.n) == (pytest.approx(5.0), pytest.approx(5.0), 8)
    assert judge(batch(i, repairs=0.01 + 0.1 * i) for i in range(8))[-1].bands["repair_rate_trend"].band == "critical"
    flat = judge(batch(i, repairs=0.05 + 0.001 * (i % 3)) for i in range(8))
    assert flat[-1].bands["repair_rate_trend"].band == "healthy"


def test_latency_baseline_is_made_of_healthy_batches_and_pinned():
    judging = RunJudge()
    means = [1000, 1200, 1010, 990, 1020, 1000, 3000, 1100]
    bad = {2: {"repairs": 0.5}}
    judged = [judging.add(batch(i, latency=mean, **bad.get(i, {}))) for i, mean in enumerate(means)]
    bands = [one.bands["mean_latency"] for one in judged]
    assert [band.band for band in bands] == ["nodata", "warning", *["healthy"] * 4, "critical", "healthy"]
    assert judging.baseline.batches == (0, 3, 4, 5, 7), "neither the slow ones nor the one full of repairs"
    assert judging.baseline.pinned
    figures = judging.figures()
    assert (figures.latency_baseline_ms, figures.baseline_batches) == (1000.0, (0, 3, 4, 5, 7))
    assert "pinned" in judging.add(batch(8)).bands["mean_latency"].reason


def test_a_run_without_a_healthy_batch_is_compared_with_how_it_began():
    judging = RunJudge()
    judged = [judging.add(batch(i, repairs=0.5, latency=1600 if i == 7 else 1000)) for i in range(8)]
    assert judged[7].bands["mean_latency"].band == "critical"
    assert "no batch yet was healthy" in judged[7].bands["mean_latency"].reason
    assert choose([Candidate(i, healthy=i > 5, slow=False) for i in range(8)]).batches == (6, 7)


def noisy(rng, index, *, repairs=0.06, power=1.0, pollyanna=0.62, latency=1200.0, anchors=0.7):
    n = 500
    shares = np.array([0.2, 0.15, 0.15, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05]) ** power
    drawn = rng.multinomial(n, shares / shares.sum())
    return batch(
        index, n=n, repaired=int(rng.binomial(n, repairs)), openings={str(i): int(c) for i, c in enumerate(drawn) if c},
        pollyanna=(n, pollyanna + rng.normal(0, 0.15) / math.sqrt(n), 0.15),
        latency=(n, latency * (1 + rng.normal(0, 0.5) / math.sqrt(n)), 0.5 * latency),
        anchor_rarefied=rng.binomial(500, anchors) / 500,
    )  # fmt: skip


def test_stationary_logs_do_not_drift():
    alarms = 0
    for seed in range(60):
        rng, judging = np.random.default_rng(seed), RunJudge(size=500)
        ever = False
        for i in range(50):
            judging.add(noisy(rng, i))
            ever |= bool(judging.figures().drift)
        alarms += ever
    assert alarms <= 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"repairs": 0.13}, "repair rate rose from"),
        ({"power": 2.5}, "opening entropy fell from"),
        ({"pollyanna": 0.70}, "pollyanna score rose from"),
        ({"anchors": 0.5}, "rarefied anchor diversity fell from"),
        ({"latency": 1800.0}, "mean latency rose from"),
    ],
)
def test_a_step_is_found_within_five_batches_and_named(change, words):
    for seed in range(5):
        rng, judging = np.random.default_rng(seed), RunJudge(size=500)
        for i in range(12):
            judging.add(noisy(rng, i))
        assert judging.figures().drift is False
        for i in range(12, 17):
            judging.add(noisy(rng, i, **change))
        found = judging.figures()
        assert found.drift
        assert any(reason.startswith(words) and "batches 0–4" in reason for reason in found.drift_reasons)


def test_a_drift_that_ends_becomes_a_note():
    rng, judging = np.random.default_rng(1), RunJudge(size=500)
    for i in range(30):
        judging.add(noisy(rng, i, pollyanna=0.72 if 10 <= i < 18 else 0.62))
    found = judging.figures()
    assert found.drift is False
    assert [note for note in found.notes if note.startswith("earlier: pollyanna score rose from 0.6")]


def test_few_batches_are_no_verdict():
    judging = RunJudge()
    assert judging.figures().drift is None
    for i in range(2):
        judging.add(batch(i))
    assert judging.figures().drift is None
    assert "cannot be judged" in judging.figures().notes[0]
    judging.add(batch(2, complete=False, n=30))
    assert judging.figures().drift is None


def test_seed_formulas_are_computed_and_do_not_decide():
    falling = [{f"move {i}": 100 for i in range(k)} for k in (12, 10, 9)]
    found = judged_tier("25K", {"25K_a": [batch(i, openings=one) for i, one in enumerate(falling)]})
    slope = stats.linregress(range(3), [entropy(one.values()) for one in falling]).slope
    assert found.opening_entropy_trend.slope == pytest.approx(slope)
    assert found.seed_drift is True
    assert found.drift is not True
    assert any("opening entropy -0.1438 (< -0.1: drift)" in note for note in found.notes)


def test_peeking_changes_nothing():
    judging, other = RunJudge(size=1000), RunJudge(size=1000)
    for i in range(9):
        growing = replace(batch(i, n=400, repairs=0.9, latency=9000), complete=False)
        seen = judging.peek(growing)
        assert seen.bands["repair_rate"].band == "critical"
        made = batch(i, repairs=0.05 + 0.01 * i)
        assert repr(judging.add(made)) == repr(other.add(made))
    assert repr(judging.figures()) == repr(other.figures())
    assert judging.figures(growing).attempts == 9400
    assert judging.figures(growing).repair_rate_trend.robust == other.figures().repair_rate_trend.robust


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(1, 400), st.floats(0, 1)), min_size=1, max_size=12))
def test_a_tier_is_the_sum_of_its_batches(rows):
    made = [batch(i, n=n, repaired=round(n * share)) for i, (n, share) in enumerate(rows)]
    whole = judged_tier("all", {"a": made})
    n = sum(one.n for one in made)
    assert whole.attempts == n
    assert whole.repair_rate == pytest.approx(sum(one.repaired for one in made) / n)
    assert whole.success_rate == pytest.approx(sum(one.success for one in made) / n)
    cut = len(made) // 2
    parts = judged_tier("all", {"a": made[:cut], "b": made[cut:]})
    assert (parts.attempts, parts.success, parts.repaired) == (whole.attempts, whole.success, whole.repaired)
    assert math.isnan(parts.latency_trend.slope)


def test_tiers_of_several_runs():
    rng = np.random.default_rng(3)
    bad = RunJudge("25K_bad", size=500)
    for i in range(16):
        bad.add(noisy(rng, i, pollyanna=0.62 if i < 8 else 0.8))
    good = RunJudge("25K_good")
    good.add(batch(0))
    both = tier("25K", [good.figures(), bad.figures()])
    assert both.drift is True
    assert both.drift_reasons[0].startswith("run 25K_bad: pollyanna score rose")
    assert both.runs == ("25K_good", "25K_bad")
    assert tier("x", []).drift is None
    assert [tier_name(name) for name in ("25K_2026", "100m_a", "nightly_7", "", "25K")] == [
        "25K", "100m", "nightly_7", "", "25K",
    ]  # fmt: skip


def test_varied_moves_are_healthy():
    assert miller_madow(VARIED.values()) > 2.0
