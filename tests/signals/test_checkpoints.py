"""The next checkpoint: when it is due, whether it fits, whether it is late; and which one to keep."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mens_console.signals.advice import Bests, Episode, Record, Sampled, advise
from mens_console.signals.alerts import Signal
from mens_console.signals.checkpoints import CheckpointFact, checkpoint_observations, forecast, pace_of
from mens_console.signals.fill import Fill
from mens_console.signals.run import RunSignals

NAN = math.nan
GB = 1e9
NOW = 10_000.0


def saved(*steps, size=GB, every=1.0, start=0.0):
    return [CheckpointFact(s, size, start + every * s, f"checkpoint-{s}") for s in steps]


def test_the_usual_spacing_is_the_median_of_the_last_gaps():
    pace = pace_of(saved(100, 200, 300, 400, 1000), None, None)
    assert (pace.steps, pace.seconds, pace.n, pace.stated) == (100.0, 100.0, 4, False)
    stated = pace_of(saved(100), 50, 2.0)
    assert (stated.steps, stated.seconds, stated.n, stated.stated) == (50.0, 25.0, 0, True)
    assert math.isnan(pace_of(saved(100), None, 2.0).steps)


def test_the_next_one_is_due_after_the_usual_spacing():
    found = forecast(saved(100, 200, 300), now=NOW, step=350, steps_per_s=0.5, free=100 * GB, fill=None)
    assert (found.step, found.at, found.bytes) == (400, NOW + 100.0, GB)
    assert (found.age_steps, found.age_s) == (50.0, NOW - 300.0)
    last = forecast(saved(100, 200, 300), now=NOW, step=350, steps_per_s=0.5, total_steps=360)
    assert (last.step, last.at) == (360, NOW + 20.0)
    late = forecast(saved(100, 200, 300), now=NOW, step=450, steps_per_s=0.5)
    assert (late.step, late.at) == (400, NOW)
    unknown = forecast(saved(100), now=NOW, step=150)
    assert unknown.step is None
    assert math.isnan(unknown.at)


def test_whether_it_fits_is_told_with_its_numbers():
    written = saved(100, 200, 300)
    full = forecast(written, now=NOW, step=350, steps_per_s=0.5, free=0.5 * GB)
    assert full.fits == "does not fit"
    assert full.reason == "about 1.00 GB in 1 m 40 s, 500 MB free now: less than that is free now"
    filling = Fill(0.02 * GB, 0.019 * GB, 0.021 * GB, 30, 600.0)
    assert forecast(written, now=NOW, step=350, steps_per_s=0.5, free=2.5 * GB, fill=filling).fits == "does not fit"
    assert forecast(written, now=NOW, step=350, steps_per_s=0.5, free=25 * GB, fill=filling).fits == "fits"
    assert forecast(written, now=NOW, step=350, steps_per_s=0.5, free=25 * GB).fits == "unknown"
    assert forecast([], now=NOW, step=350, free=25 * GB).fits == "unknown"
    assert forecast(saved(100, size=NAN), now=NOW, step=350, free=25 * GB).fits == "unknown"


def say(found, moving=True):
    return {o.rule: o for o in checkpoint_observations("run", found, now=NOW, step=9, moving=moving)}


def test_a_checkpoint_is_late_when_steps_and_time_agree():
    def late(step, now):
        found = forecast(saved(100, 200, 300), now=now, step=step)
        return say(found)["checkpoint_overdue"]

    assert late(500, 500.0).signal is Signal.CLEAR
    assert late(501, 490.0).signal is Signal.CLEAR  # two intervals of steps, not yet of time
    assert late(310, 9000.0).signal is Signal.CLEAR  # it lay still for a night
    breach = late(510, 520.0)
    assert (breach.signal, breach.value) == (Signal.BREACH, pytest.approx(2.1))
    assert breach.evidence == (
        "newest checkpoint 210 steps, 3 m 40 s ago",
        "usually every 100 steps (1 m 40 s), n=2",
    )


def test_without_an_interval_nothing_is_late_and_save_steps_states_one():
    assert say(forecast(saved(100), now=NOW, step=900))["checkpoint_overdue"].signal is Signal.NODATA
    stated = forecast([CheckpointFact(100)], now=NOW, step=900, save_steps=100)
    assert say(stated)["checkpoint_overdue"].evidence[1] == "usually every 100 steps, as save_steps says"
    assert say(forecast([], now=NOW, step=900, save_steps=100))["checkpoint_overdue"].signal is Signal.BREACH


def test_a_run_that_does_not_move_writes_none():
    found = forecast(saved(100, 200), now=NOW, step=900, free=1.0)
    assert {o.signal for o in say(found, moving=False).values()} == {Signal.NODATA}


def test_the_fit_is_cleared_only_by_room():
    def fit(free, fill=None):
        found = forecast(saved(100, 200, 300), now=NOW, step=350, steps_per_s=0.5, free=free, fill=fill)
        return say(found)["disk_before_checkpoint"].signal

    assert fit(0.5 * GB) is Signal.BREACH
    assert fit(1.5 * GB) is Signal.NODATA
    assert fit(2.5 * GB) is Signal.CLEAR
    assert fit(None) is Signal.NODATA


# ---------------------------------------------------------------------- advice


def record(*steps, evals=(), losses=None, episodes=(), metric="eval_loss"):
    return Record(saved(*steps), {metric: list(evals)}, losses or {}, list(episodes))


def test_no_checkpoint_no_advice():
    assert advise(record(evals=[(10, 1.0)])) is None


def test_the_best_evaluation_decides():
    found = advise(record(500, 1000, 1500, evals=[(500, 1.4), (1000, 1.2)]))
    assert (found.step, found.path, found.warnings) == (1000, "checkpoint-1000", ())
    assert found.reason == "best eval loss 1.2 at step 1 000"


def test_the_nearest_checkpoint_is_said_to_be_only_near():
    found = advise(record(400, 800, 1200, evals=[(900, 1.1)]))
    assert found.step == 800
    assert found.warnings == ("best evaluation at step 900; nearest checkpoint 800",)


@pytest.mark.parametrize("rule", ["nan_loss", "hidden_nan", "loss_explosion", "entropy_collapse"])
def test_what_was_saved_after_it_went_wrong_is_not_advised(rule):
    evals = [(500, 1.4), (1000, 1.2), (1500, 0.2)]
    found = advise(record(500, 1000, 1500, evals=evals, episodes=[Episode(rule, 1200)]))
    assert found.step == 1000
    assert "at step 1 200" in found.evidence[0]
    over = advise(record(500, 1000, 1500, evals=evals, episodes=[Episode(rule, 1200, 1210)]))
    assert over.step == 1500
    assert over.evidence[0].endswith("over by step 1 210")


def test_nothing_sound_is_said_as_such():
    found = advise(record(500, 1000, episodes=[Episode("nan_loss", 100)]))
    assert found.step == 500
    assert found.warnings == ("every checkpoint was written after the loss became NaN",)


def test_a_plateau_needs_one_percent_to_be_worth_more():
    evals = [(500, 1.400), (1000, 1.200), (1500, 1.195)]
    flat = advise(record(500, 1000, 1500, evals=evals, episodes=[Episode("plateau", 1200)]))
    assert flat.step == 1000
    assert "before the plateau" in flat.reason
    better = [*evals[:2], (1500, 1.15)]
    assert advise(record(500, 1000, 1500, evals=better, episodes=[Episode("plateau", 1200)])).step == 1500
    assert advise(record(500, 1000, 1500, evals=evals, episodes=[Episode("plateau", 1200, 1400)])).step == 1500


def test_cross_entropy_stands_before_calibration():
    both = dataclasses.replace(
        record(100, 200), evaluations={"fixed_eval_ece": [(100, 0.01)], "fixed_eval_ce": [(100, 1.5), (200, 1.2)]}
    )
    assert advise(both).step == 200
    only = record(100, 200, evals=[(100, 0.1)], metric="fixed_eval_ece")
    assert advise(only).reason.startswith("best ECE on the fixed set")


def test_without_an_evaluation_the_training_loss_decides_and_says_so():
    found = advise(record(100, 200, 300, losses={100: 1.5, 200: 1.2, 300: NAN}))
    assert found.step == 200
    assert found.reason.endswith("by training loss only")
    assert "no evaluation was logged" in found.warnings[0]
    flat = advise(
        record(100, 200, 300, losses={100: 1.5, 200: 1.2, 300: 1.199}, episodes=[Episode("plateau", 250)])
    )  # fmt: skip
    assert flat.step == 200
    assert advise(record(100, 200)).reason.startswith("the newest")


def test_the_run_itself_advises_from_what_it_saw():
    signals = RunSignals("run")
    steps = list(range(1, 401))
    walls = [float(s) for s in steps]
    loss = [2.0 * 0.995**s for s in steps[:300]] + [NAN] * 100
    signals.observe("loss", steps, walls, loss)
    signals.observe("eval_loss", [100, 200, 300, 350], [NAN] * 4, [1.5, 1.2, 1.1, 0.1])
    signals.alerts.acknowledge(signals.alerts.get("nan_loss", "run").fingerprint)
    found = signals.summary(400.0, 500, saved(100, 200, 350)).advice
    assert found.step == 200  # what is NaN stays NaN, acknowledged or not
    assert found.warnings == ("best evaluation at step 300; nearest checkpoint 200",)
    assert found.evidence[0] == "the loss became NaN at step 301"
    untold = RunSignals("run")
    untold.observe("loss", steps[:300], walls[:300], loss[:300])
    assert untold.summary(300.0, 500, saved(100, 200)).advice.step == 200
    assert untold.summary(300.0, 500).advice is None


def test_the_best_so_far_is_kept_and_rewound():
    best = Bests()
    best.update_many([1, 2, 3, 4], [2.0, NAN, 1.0, 1.5])
    assert best.points == [(1, 2.0), (3, 1.0)]
    best.rewind(3)
    assert best.points == [(1, 2.0)]


@given(st.integers(0, 3000), st.lists(st.integers(1, 400), max_size=12), st.integers(0, 3000))
def test_a_thinned_series_depends_on_no_chunks_and_finds_what_came_before(n, sizes, asked):
    whole, parts = Sampled(64), Sampled(64)
    steps = [3 * i for i in range(n)]
    values = [float(s) for s in steps]
    whole.update_many(steps, values)
    at = 0
    for size in [*sizes, n]:
        parts.update_many(steps[at : at + size], values[at : at + size])
        at += size
    assert whole.at(asked) == parts.at(asked) or (math.isnan(whole.at(asked)) and math.isnan(parts.at(asked)))
    if n:
        found = whole.at(asked)
        assert found <= asked
        assert asked - found <= max(3 * 2 * n / 32, 3) or asked > steps[-1]
    whole.rewind(asked)
    assert not whole.at(10**9) >= asked
