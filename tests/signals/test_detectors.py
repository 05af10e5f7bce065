"""Detectors: each rule entered, held and left at its thresholds, and never by a healthy run."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mens_console.signals.alerts import AlertReducer, Signal
from mens_console.signals.detectors import Divergence, HiddenNan, NonFinite, Spikes
from mens_console.signals.ema import Ema
from mens_console.signals.gauges import Gradients, LearningRate, Slowing
from mens_console.signals.plateau import Plateau
from mens_console.signals.rules import RULES, Severity

NAN, INF = math.nan, math.inf
B, C = Signal.BREACH, Signal.CLEAR


def feed(detector, values, steps=None, method="update_many"):
    steps = list(range(len(values))) if steps is None else steps
    return getattr(detector, method)(steps, [float(s) for s in steps], values)


def told(observations):
    return [(o.rule, o.signal, o.step) for o in observations]


def test_nan_and_infinity_are_told_with_their_beginning():
    detector = NonFinite("run", "nan_loss", "loss")
    found = feed(detector, [1.0, NAN, INF, 1.0, -INF])
    assert told(found) == [
        ("nan_loss", B, 1),
        ("nan_loss", B, 2),
        ("nan_loss", C, 3),
        ("nan_loss", B, 4),
    ]
    assert found[1].evidence == ("loss not finite since step 1",)
    assert (detector.count, detector.run, detector.first_step) == (3, 1, 4)
    assert told(detector.rewind(2, 9.0)) == [("nan_loss", C, 2)]
    assert detector.run == 0


@pytest.mark.parametrize("loss_first", [True, False])
def test_hidden_nan_is_found_whichever_column_comes_first(loss_first):
    detector = HiddenNan("run")
    losses, grads = [1.0, 0.0, 0.0, 0.0], [1.0, 2.0, NAN, INF]
    calls = [("losses", losses), ("grads", grads)]
    found = [o for name, values in (calls if loss_first else calls[::-1]) for o in feed(detector, values, method=name)]
    assert told(found) == [("hidden_nan", B, 2), ("hidden_nan", B, 3)]
    assert (detector.first_step, detector.last_step, detector.run) == (2, 3, 2)
    assert told(feed(detector, [1.0], [4], method="grads")) == [("hidden_nan", C, 4)]
    assert detector.first_step is None
    assert detector.rewind(1, 0.0) == []


def test_hidden_nan_remembers_within_bounds(monkeypatch):
    monkeypatch.setattr("mens_console.signals.detectors._HIDDEN_KEPT", 4)
    detector = HiddenNan("run")
    feed(detector, [0.0] * 10, method="losses")
    assert [o.step for o in feed(detector, [NAN] * 10, method="grads")] == [6, 7, 8, 9]


def noisy(n, seed=0, level=2.0, sigma=0.05):
    rng = random.Random(seed)
    return [level + rng.gauss(0, sigma) for _ in range(n)]


def test_a_spike_is_twice_the_recent_level():
    detector = Spikes("run")
    values = [*noisy(60), 3.9, 4.3, 3.2, 2.9, *noisy(5)]
    found = feed(detector, values)
    spikes = [o for o in found if o.rule == "loss_spike"]
    assert told(spikes) == [("loss_spike", B, 61), ("loss_spike", C, 63)]
    assert spikes[0].value == pytest.approx(2.15, rel=0.02)
    assert "recent level" in spikes[0].evidence[0]


def test_three_points_beyond_six_sigma_are_a_sustained_rise():
    detector = Spikes("run")
    found = feed(detector, [*noisy(60), 2.9, 2.9, 2.0, 2.9, 2.9, 2.9, 2.9, 2.0])
    assert told(found) == [
        ("loss_spike_sustained", B, 65),
        ("loss_spike_sustained", B, 66),
        ("loss_spike_sustained", C, 67),
    ]


def test_an_explosion_does_not_become_the_new_normal():
    detector = Spikes("run")
    found = feed(detector, [*noisy(60), *[50.0] * 200])
    last = [o for o in found if o.rule == "loss_explosion"]
    assert len(last) == 200
    assert all(o.signal is B for o in last)
    assert detector.level == pytest.approx(2.0, rel=0.05)
    cleared = feed(detector, [2.0], [300])
    assert {o.rule for o in cleared} == {"loss_spike", "loss_spike_sustained", "loss_explosion"}


def test_a_new_level_is_accepted_after_a_while():
    detector = Spikes("run")
    feed(detector, [*noisy(60), *noisy(60, level=5.0)])
    assert detector.level == pytest.approx(5.0, rel=0.05)
    assert told(detector.rewind(90, 0.0)) == []
    assert detector.level == pytest.approx(5.0, rel=0.05)
    assert told(detector.rewind(30, 0.0)) == []
    assert math.isnan(detector.level)  # the window does not reach back that far


def test_a_negative_loss_has_no_multiples_but_has_sigmas():
    detector = Spikes("run")
    found = feed(detector, [*noisy(60, level=-2.0), 1.0, 1.0, 1.0])
    assert {o.rule for o in found} == {"loss_spike_sustained"}


@pytest.mark.parametrize("noise", [0.02, 3.0])
def test_a_loss_that_hovers_about_zero_neither_spikes_nor_explodes_by_its_noise(noise):
    rng = random.Random(3)
    detector = Spikes("run")
    found = feed(detector, [rng.gauss(0.0, noise) for _ in range(3000)])
    assert {o.rule for o in found if o.rule != "loss_spike_sustained"} == set()


def test_a_loss_about_zero_that_really_explodes_is_told():
    rng = random.Random(3)
    detector = Spikes("run")
    values = [abs(rng.gauss(0.0, 0.02)) for _ in range(60)]
    assert "loss_explosion" in {o.rule for o in feed(detector, [*values, 5.0])}


def test_the_digits_behind_the_point_of_a_logged_loss_are_no_explosion():
    detector = Spikes("run")
    rounded = [*[0.0001] * 60, 0.0012, 0.0, 0.0031]  # what a policy's trainer logs of its first steps
    assert not [o for o in feed(detector, rounded) if o.rule != "loss_spike_sustained"]


def test_a_spike_during_a_steep_fall_is_one():
    detector = Spikes("run")
    fall = [10.0 * math.exp(-i / 30) + 1.0 for i in range(60)]
    level = sorted(fall[10:])[25]
    assert "loss_spike" in {o.rule for o in feed(detector, [*fall, 2.2 * level])}, "a fall is no noise"


def test_a_loss_that_hovers_about_zero_is_on_no_plateau():
    rng = random.Random(4)
    assert not plateau_of([rng.gauss(0.0, 0.02) for _ in range(2000)])[1]


def plateau_of(values, every=1):
    steps = [every * i for i in range(len(values))]
    detector = Plateau("run")
    return detector, feed(detector, Ema().update_many(steps, values), steps)


def test_plateau_needs_fifty_points_and_fifty_steps_of_an_ema_that_is_one():
    _, found = plateau_of([1.0] * 70)
    assert told(found) == [("plateau", B, 69)]
    _, found = plateau_of([1.0] * 69, every=10)
    assert found == []
    _, found = plateau_of([0.5, *[1.0 - 0.006 * i for i in range(80)]])
    assert found == [], "a first loss that is low by luck is no best to be compared with"
    steps = [i // 4 for i in range(190)]
    detector = Plateau("run")
    assert feed(detector, [1.0] * 190, steps) == []


def decay(n, pace, seed):
    """A loss that falls from 4.7 to 3.3, by 1/e in `pace` points, under the noise of a small batch."""
    rng = random.Random(seed)
    return [3.3 + 1.4 * math.exp(-i / pace) + rng.gauss(0.0, 0.12) for i in range(n)]


def severities(found):
    return [o.severity for o in found if o.rule == "plateau" and o.signal is B]


@pytest.mark.parametrize("seed", range(6))
def test_a_plateau_in_a_course_that_still_falls_is_for_information(seed):
    found = plateau_of(decay(600, 250, seed))[1]
    assert set(severities(found)) == {Severity.INFO}
    first = next(o for o in found if o.severity is Severity.INFO)
    assert "falls in the long run" in first.message and "Mann-Kendall S -" in first.evidence[1]


@pytest.mark.parametrize("seed", range(6))
def test_it_becomes_a_warning_once_the_course_has_come_to_rest_and_counts_once(seed):
    found = [o for o in plateau_of(decay(900, 60, seed))[1] if o.rule == "plateau" and o.signal is B]
    assert [o.severity for o in found][-2:] == [Severity.INFO, None], "None is what the rule says: a warning"
    assert [o.standing for o in found][-2:] == [False, True]
    assert "falls no more" in found[-1].message
    alerts = AlertReducer()
    for one in found[-2:]:
        alerts.apply(one)
    (view,) = alerts.views
    assert (view.severity, view.count) == (Severity.WARNING, 1)


def test_a_loss_that_lies_still_is_a_warning_from_the_first():
    assert severities(plateau_of([2.0] * 300)[1]) == [None]
    assert severities(plateau_of([*[3.0 - 0.02 * i for i in range(50)], *[2.0] * 100])[1]) == [None], "too few to tell"


def test_the_rounding_of_an_ema_is_no_gain():
    _, found = plateau_of([1.1] * 60 + [1.1 + 2e-16] * 20)
    assert [o.value for o in found] == [0.0]


def test_plateau_ends_with_two_percent_and_brings_stuck_along():
    values = [2.0] * 80 + [1.97] * 5 + [1.95]
    detector = Plateau("run")
    found = feed(detector, values)
    assert told(found) == [("plateau", B, 69), ("loss_stuck", B, 70), ("plateau", C, 85), ("loss_stuck", C, 85)]
    assert not detector.on
    assert feed(Plateau("run"), [NAN] * 100) == []


def test_a_low_loss_is_not_stuck_and_a_sinking_one_no_longer():
    assert [o.rule for o in feed(Plateau("run"), [1.2] * 80)] == ["plateau"]
    slow = [1.7 - 0.0002 * i for i in range(1200)]
    stuck = [o for o in feed(Plateau("run"), slow) if o.rule == "loss_stuck"]
    assert [o.signal for o in stuck] == [B, C]


def test_a_healthy_slow_run_has_one_plateau_not_many():
    rng = random.Random(4)
    values = [2.0 * math.exp(-i / 6000) + 0.5 + rng.gauss(0, 0.03) for i in range(10_000)]
    _, found = plateau_of(values)
    assert sum(o.rule == "plateau" and o.signal is B for o in found) <= 3
    detector, _ = plateau_of([1.0] * 80)
    assert [o.signal for o in detector.rewind(10, 0.0)] == [C]


def test_a_run_that_gets_worse_is_on_no_plateau_until_it_stays_where_it_got():
    rng = random.Random(8)
    falls = [2.0 - 0.01 * i for i in range(60)]
    rises = [1.4 + 0.004 * i + rng.gauss(0, 0.02) for i in range(250)]
    _, found = plateau_of(falls + rises)
    assert found == []
    _, found = plateau_of(falls + rises + [2.4 + rng.gauss(0, 0.02) for _ in range(250)])
    assert told(found)[0][0] == "plateau" and found[0].step > 310


def test_what_is_stuck_follows_from_the_plateau():
    assert "plateau" in RULES["loss_stuck"].inhibited_by


def test_divergence_counts_the_points_far_above_the_best():
    detector, ema = Divergence(), Ema()
    values = [*noisy(100), *[9.0] * 25]
    detector.update_many(range(125), values, ema.update_many(range(125), values))
    assert (detector.run, detector.since_step) == (25, 100)
    detector.update_many([125], [2.0], [NAN])
    assert detector.run == 0
    near_zero = [3.0] * 5 + [0.001] * 300 + [0.01] * 30
    calm = Divergence()
    calm.update_many(range(335), near_zero, Ema().update_many(range(335), near_zero))
    assert calm.run == 0


def test_gradients_out_of_bounds():
    detector = Gradients("run")
    found = feed(detector, [1.0, 150.0, 70.0, 40.0, 1e-6, 1e-6, 1e-6, 1e-8, NAN, 1.5e-5, 1.0])
    assert told(found) == [
        ("grad_exploding", B, 1),
        ("grad_exploding", C, 3),
        ("grad_vanishing", B, 6),
        ("grad_vanishing", B, 7),
        ("grad_vanishing", C, 10),
    ]
    assert [o.severity for o in found[2:4]] == [Severity.WARNING, Severity.CRITICAL]
    feed(detector, [500.0], [11])
    assert told(detector.rewind(4, 0.0)) == [("grad_exploding", C, 4)]


def warmup_then_cosine(n=200, warm=20):
    return [i / warm for i in range(warm)] + [
        0.5 * (1 + math.cos(math.pi * (i - warm) / (n - warm))) for i in range(warm, n)
    ]


def test_a_normal_schedule_is_no_fault():
    for schedule in (warmup_then_cosine(), [1e-4] * 300, [1e-4 * (1 - i / 300) for i in range(300)]):
        assert feed(LearningRate("run"), schedule) == []


def test_learning_rate_zero_in_the_middle_and_at_the_end():
    detector = LearningRate("run")
    found = feed(detector, [1.0, 0.9, 0.0, 0.0, 0.0, 0.0, 0.5])
    assert [(o.rule, o.signal, o.step) for o in found if o.rule == "lr_zero"] == [
        ("lr_zero", B, 4),
        ("lr_zero", B, 5),
        ("lr_zero", C, 6),
    ]
    ending = LearningRate("run")
    ending.total_steps = 100
    assert feed(ending, [1.0, 0.5, 0.0, 0.0, 0.0], [50, 90, 99, 100, 100]) == []
    never = LearningRate("run")
    assert told(feed(never, [0.0] * 20)) == [("lr_zero", B, 19)]


def test_learning_rate_jumps():
    detector = LearningRate("run")
    found = feed(detector, [0.5, 1.0, 0.8, 0.6, 0.9, 0.85, 0.1])
    assert told(found) == [("lr_jump", B, 4), ("lr_jump", C, 5)]
    assert found[0].value == pytest.approx(1.5)
    assert detector.rewind(3, 0.0) == []
    assert feed(detector, [0.0, 0.3, 0.7, 1.0]) == []  # a fresh warm-up


def test_throughput_against_the_usual():
    detector = Slowing("run")
    assert feed(detector, [100.0] * 300) == []
    found = feed(detector, [NAN, 0.0, *[60.0] * 60], list(range(300, 362)))
    assert {o.signal for o in found} == {B}
    assert found[0].value == pytest.approx(0.6)
    assert (detector.now, detector.usual) == (60.0, 100.0)
    assert {o.signal for o in feed(detector, [100.0] * 100, list(range(400, 500)))} == {B, C}
    feed(detector, [10.0] * 60, list(range(500, 560)))
    assert told(detector.rewind(10, 0.0)) == [("throughput_degrading", C, 10)]


@given(
    st.lists(st.sampled_from([0.0, 1.0, 1.1, 2.5, 12.0, 0.9, 1e-6, 1e-8, 150.0, NAN, INF]), max_size=250),
    st.lists(st.integers(1, 60), max_size=10),
)
@settings(deadline=None)
def test_no_detector_depends_on_chunks(values, sizes):
    def run(sizes):
        detectors = [
            NonFinite("r", "nan_loss", "loss"), Spikes("r"), Plateau("r"), Gradients("r"), LearningRate("r"),
            Slowing("r"),
        ]  # fmt: skip
        found = [[] for _ in detectors]
        at = 0
        for size in [*sizes, len(values)]:
            steps = list(range(at, min(at + size, len(values))))
            for seen, detector in zip(found, detectors, strict=True):
                seen += feed(detector, values[at : at + size], steps)
            at += size
        return repr(found)

    assert run([]) == run(sizes)
