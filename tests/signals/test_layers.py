"""Adapter pairs: each state by its definition, what proves nothing, and one alert a run."""

import math
import random
import sys
import time
from array import array

import pytest

from mens_console.signals.alerts import AlertReducer, Signal
from mens_console.signals.layers import LayerSignals
from mens_console.signals.pairs import LayerRow, PairState, PairTable
from mens_console.signals.rules import Severity

NAN, INF = math.nan, math.inf
ACTIVE, FROZEN, UNUSED, DEAD, VANISHING, EXPLODING, WARMING, UNKNOWN = PairState


class Scene:
    """Pairs `p0`, `p1`, … that learn soundly but for what a look says: ``look(p1=(grad_a, grad_b, update))``."""

    def __init__(self, n=4, frozen=(), every=5):
        self.names = tuple(f"p{i}" for i in range(n))
        self.signals = LayerSignals("run")
        self.signals.table(PairTable(self.names, tuple(i in frozen for i in range(n))))
        self.every, self.step = every, 0
        self.alerts = AlertReducer()
        self.told = []

    def look(self, times=1, *, lr=1e-4, columns=("grad_a", "grad_b", "update"), step=None, all=None, **odd):
        for _ in range(times):
            self.step = self.step + self.every if step is None else step
            cells = [odd.get(name, all or (0.1, 0.2, 1e-3)) for name in self.names]
            values = {c: array("d", [cell[k] for cell in cells]) for k, c in enumerate(("grad_a", "grad_b", "update"))}
            row = LayerRow(self.step, float(self.step), {c: values[c] for c in columns}, lr)
            self.told = self.signals.observe(row)
            for one in self.told:
                self.alerts.apply(one)
        return self

    @property
    def states(self):
        return dict(zip(self.names, self.signals.states, strict=True))

    def rules(self, *signals):
        return [(o.rule, o.signal) for o in self.told if not signals or o.signal in signals]

    @property
    def on(self):
        return {v.rule for v in self.alerts.views if v.active}


STILL, NO_GRADIENT = (0.1, 0.2, 0.0), (NAN, NAN, 0.0)


def test_a_sound_model_warms_up_and_is_active():
    scene = Scene(frozen={3}).look(2)
    assert scene.states == {"p0": WARMING, "p1": WARMING, "p2": WARMING, "p3": FROZEN}
    assert scene.look().states == {"p0": ACTIVE, "p1": ACTIVE, "p2": ACTIVE, "p3": FROZEN}
    scene.look(20)
    assert scene.on == set()
    summary = scene.signals.summary()
    assert summary.text() == "3/4 pairs active, 1 frozen"
    assert (summary.step, summary.imbalance) == (115, 1.0)
    assert summary.top == tuple((i, pytest.approx(1 / 3)) for i in range(3))


def test_the_first_step_is_no_death_because_b_is_zero():
    scene = Scene(every=1)
    scene.look(step=0, all=(0.0, 0.3, 1e-3))
    assert DEAD not in scene.states.values()
    scene.look(30, all=(0.0, 0.3, 1e-3))  # A never gets a gradient, but the pair moves
    assert set(scene.states.values()) == {ACTIVE}
    assert scene.on == set()


def test_the_warm_up_is_three_looks_and_ten_steps():
    scene = Scene(every=1).look(9)
    assert set(scene.states.values()) == {WARMING}
    assert set(scene.look().states.values()) == {ACTIVE}
    slow = Scene(every=100).look(2)
    assert set(slow.states.values()) == {WARMING}
    assert set(slow.look().states.values()) == {ACTIVE}


def test_a_pair_that_gets_gradients_and_does_not_move_is_dead():
    scene = Scene().look(4, p1=STILL, p2=STILL)
    assert scene.states == {"p0": ACTIVE, "p1": DEAD, "p2": DEAD, "p3": ACTIVE}
    view = scene.alerts.get("lora_dead", "run")
    assert view.message == "2 of 4 trainable pairs are dead: p1, p2"
    assert view.evidence[0] == "p1: update exactly 0 in 3 looks, gradient norm 0.2236"
    assert (view.severity, view.value) == (Severity.WARNING, 2.0)
    scene.look()
    assert set(scene.states.values()) == {ACTIVE}
    assert scene.rules() == [("lora_dead", Signal.CLEAR)]


def test_a_pair_that_stops_later_dies_after_three_looks_and_lives_again_after_one():
    scene = Scene().look(10).look(2, p0=STILL)
    assert scene.states["p0"] is ACTIVE
    assert scene.look(p0=STILL).states["p0"] is DEAD
    assert scene.look(p0=STILL, p1=STILL).states["p1"] is ACTIVE
    assert scene.look().states["p0"] is ACTIVE


def test_gradients_of_exactly_zero_are_death_whatever_weight_decay_moves():
    scene = Scene().look(4, p2=(0.0, 0.0, 1e-6))
    assert scene.states["p2"] is DEAD
    assert "p2: gradient exactly 0 in 3 looks" in scene.alerts.get("lora_dead", "run").evidence


@pytest.mark.parametrize("nothing", [NO_GRADIENT, (0.0, 0.0, 0.0), (0.0, 0.0, 1e-6)])
def test_an_expert_that_gets_no_token_now_and_then_is_alive_and_one_that_gets_none_any_more_is_not(nothing):
    scene = Scene().look(4)
    for _ in range(20):
        scene.look(9, p1=nothing).look(p1=(0.1, 0.1, 1e-3))
        assert (scene.states["p1"], scene.on) == (ACTIVE, set())
    assert scene.look(9, p1=nothing).states["p1"] is ACTIVE
    assert scene.look(1, p1=nothing).states["p1"] is DEAD
    assert "p1: " in scene.alerts.get("lora_dead", "run").evidence[0]


def test_a_pair_with_one_trainable_matrix_that_moves_is_alive():
    scene = Scene().look(12, p0=(NAN, 0.3, 1e-3), p1=(0.2, NAN, 1e-3), p2=(0.0, NAN, 1e-3))
    assert scene.states == {"p0": ACTIVE, "p1": ACTIVE, "p2": VANISHING, "p3": ACTIVE}
    scene.look(3, p2=(0.0, NAN, 0.0))
    assert scene.states["p2"] is DEAD


def test_a_pair_that_no_gradient_ever_reached_is_unused_and_not_dead():
    scene = Scene().look(8, p1=NO_GRADIENT)
    assert scene.states["p1"] is UNUSED
    assert scene.on == set()
    assert scene.signals.summary().text() == "3/4 pairs active, 1 unused"
    assert scene.look(p1=(0.1, 0.1, 1e-3)).states["p1"] is ACTIVE
    assert scene.look(10, p1=NO_GRADIENT).states["p1"] is DEAD  # it was reached once, and no longer moves


def test_a_model_without_any_gradient_is_unused_throughout():
    scene = Scene().look(30, all=NO_GRADIENT)
    assert set(scene.states.values()) == {UNUSED}
    assert scene.on == set()


def test_a_whole_model_that_stands_still_for_a_moment_proves_nothing():
    scene = Scene().look(5).look(9, all=STILL)  # steps that the loss scaler skipped
    assert set(scene.states.values()) == {ACTIVE}
    scene.look(40, lr=0.0, all=STILL)
    assert set(scene.states.values()) == {ACTIVE}
    assert scene.on == set()


def test_scaler_steps_do_not_explode_but_lasting_infinity_does():
    scene = Scene().look(5).look(3, all=(INF, INF, 0.0))
    assert set(scene.states.values()) == {ACTIVE}
    assert scene.look().on == set()
    assert scene.look(3, p1=(INF, INF, 1e-3)).states["p1"] is EXPLODING
    assert scene.on == {"lora_exploding"}


def test_the_movement_of_a_skipped_step_is_not_measured_and_it_is_no_explosion():
    skipped = (INF, INF, NAN)  # as the collectors tell of a step that a loss scaler skipped
    scene = Scene().look(5)
    for _ in range(4):
        scene.look(2, all=skipped)
        assert set(scene.states.values()) == {ACTIVE}
        scene.look()
    assert scene.alerts.views == ()
    assert set(scene.look(3, all=skipped).states.values()) == {EXPLODING}
    assert scene.on == {"lora_exploding"}
    assert set(scene.look().states.values()) == {ACTIVE}
    assert set(scene.look(2, all=skipped).states.values()) == {ACTIVE}


def test_a_model_that_never_moves_is_dead_as_a_whole_and_said_so_once():
    scene = Scene().look(6, all=STILL)
    assert set(scene.states.values()) == {DEAD}
    assert scene.alerts.get("lora_dead", "run").message == "all 4 trainable pairs are dead: p0, p1, p2 and 1 more"
    stopped = Scene().look(5).look(10, all=STILL)
    assert set(stopped.states.values()) == {DEAD}
    assert Scene().look(40, lr=0.0, all=STILL).on == set()


def test_dead_pairs_stay_dead_while_the_whole_model_rests():
    scene = Scene().look(5, p0=STILL).look(4, all=STILL)
    assert scene.states == {"p0": DEAD, "p1": ACTIVE, "p2": ACTIVE, "p3": ACTIVE}


def test_an_update_that_was_not_measured_proves_nothing():
    scene = Scene().look(20, all=(0.1, 0.1, NAN))
    assert set(scene.states.values()) == {ACTIVE}
    scene.look(2, p0=STILL).look(5, p0=(0.1, 0.1, NAN))
    assert scene.states["p0"] is ACTIVE
    assert scene.look(p0=STILL).states["p0"] is DEAD  # three of the looks that measured it
    assert scene.look(4, p1=(NAN, NAN, NAN), p0=(NAN, NAN, NAN)).states["p0"] is DEAD


def test_nothing_measured_is_unknown():
    scene = Scene().look(8, columns=("update",), p0=(0.0, 0.0, NAN))
    assert scene.states == {"p0": UNKNOWN, "p1": ACTIVE, "p2": ACTIVE, "p3": ACTIVE}


def test_vanishing_is_three_looks_below_and_ends_past_its_exit():
    weak = (7e-6, 0.0, 1e-6)
    scene = Scene().look(5).look(2, p0=weak)
    assert scene.states["p0"] is ACTIVE
    assert scene.look(p0=weak).states["p0"] is VANISHING
    view = scene.alerts.get("lora_vanishing", "run")
    assert (view.severity, view.value) == (Severity.WARNING, 7e-6)
    assert scene.look(p0=(1.5e-5, 0.0, 1e-6)).states["p0"] is VANISHING
    scene.look(p0=(7e-8, 0.0, 1e-6))
    view = scene.alerts.get("lora_vanishing", "run")
    assert (view.severity, view.threshold) == (Severity.CRITICAL, 1e-7)
    assert scene.look(p0=(3e-5, 0.0, 1e-6)).states["p0"] is ACTIVE
    assert ("lora_vanishing", Signal.CLEAR) in scene.rules()


def test_exploding_at_once_and_until_half():
    scene = Scene().look(1, p3=(900.0, 0.0, 1.0))
    assert scene.states["p3"] is EXPLODING  # a finite one does not wait for the warm-up
    assert scene.look(1, p3=(1.0, 1.0, 1.0)).states["p3"] is WARMING
    scene.look(5).look(1, p3=(90.0, 90.0, 1.0))
    assert scene.alerts.get("lora_exploding", "run").value == pytest.approx(math.hypot(90, 90))
    assert scene.look(1, p3=(60.0, 0.0, 1.0)).states["p3"] is EXPLODING
    assert scene.look(1, p3=(40.0, 0.0, 1.0)).states["p3"] is ACTIVE


def test_imbalance_of_active_pairs_in_three_looks():
    far = {"p0": (90.0, 0.0, 1.0), "p1": (0.01, 0.0, 1e-3)}
    scene = Scene().look(5).look(2, **far)
    assert scene.on == set()
    scene.look(1, **far)
    view = scene.alerts.get("lora_imbalance", "run")
    assert view.value == pytest.approx(9000.0)
    assert view.evidence == ("largest p0: gradient norm 90", "smallest p1: gradient norm 0.01")
    assert scene.signals.summary().imbalance == pytest.approx(9000.0)
    assert scene.signals.summary().top[0] == (0, pytest.approx(1.0, abs=1e-3))
    scene.look(1, p0=(7.0, 0.0, 1.0), p1=(0.01, 0.0, 1e-3))
    assert scene.rules() == []  # between exit and entry
    scene.look(1)
    assert scene.rules() == [("lora_imbalance", Signal.CLEAR)]
    lone = Scene(1).look(9)
    assert math.isnan(lone.signals.summary().imbalance)


def test_stats_with_only_a_gradient_are_judged_by_it():
    signals = LayerSignals("run")
    signals.table(PairTable(("a", "b", "c")))
    for step in range(10, 80, 10):
        signals.observe(LayerRow(step, NAN, {"grad": array("d", [0.1, 0.0, 1e-6])}))
    assert signals.states == (ACTIVE, DEAD, VANISHING)


def test_a_resume_warms_up_anew():
    scene = Scene().look(10, p0=STILL)
    assert scene.on == {"lora_dead"}
    assert [(o.rule, o.signal) for o in scene.signals.rewind(31)] == [("lora_dead", Signal.CLEAR)]
    assert set(scene.states.values()) == {WARMING}
    assert scene.signals.summary().top == ()
    scene.step = 30
    assert scene.look(2, p0=STILL).states["p0"] is WARMING
    assert scene.look(1, p0=STILL).states["p0"] is DEAD


def test_a_step_that_falls_back_is_a_lagging_source_or_a_resume():
    scene = Scene().look(10)
    scene.look(2, step=20, p0=STILL)
    assert scene.states["p0"] is ACTIVE
    assert scene.signals.summary().step == 50
    scene.look(step=20)
    assert set(scene.states.values()) == {WARMING}


def test_repeated_looks_and_crooked_columns_are_passed_over():
    scene = Scene().look(10).look(9, step=50, p0=STILL)
    assert scene.states["p0"] is ACTIVE
    assert scene.signals.observe(LayerRow(99, NAN, {"grad": array("d", [1.0])})) == []
    assert scene.signals.summary().step == 50


def test_a_longer_table_keeps_what_is_known_and_rows_may_count_in_their_own():
    scene = Scene().look(5, p0=STILL)
    old = PairTable(scene.names)
    scene.signals.table(PairTable(("new", *scene.names), (False,) * 5))
    assert scene.signals.states == (WARMING, DEAD, ACTIVE, ACTIVE, ACTIVE)
    values = {"grad": array("d", [1.0] * 4), "update": array("d", [0.0, 1.0, 1.0, 1.0])}
    for step in (30, 45, 60, 75):
        scene.signals.observe(LayerRow(step, NAN, values, 1e-4), old)
    assert scene.signals.states == (WARMING, DEAD, ACTIVE, ACTIVE, ACTIVE)  # nothing was said of the new one
    scene.signals.table(PairTable(("new", *scene.names), (False, True, False, False, False)))
    assert scene.signals.states[1] is FROZEN


def test_pairs_that_are_no_more_are_neither_active_nor_dead():
    scene = Scene().look(5, p0=STILL)
    assert scene.on == {"lora_dead"}
    values = {"grad": array("d", [1.0] * 2), "update": array("d", [1.0] * 2)}
    for one in scene.signals.observe(LayerRow(30, 30.0, values, 1e-4), PairTable(("p1", "p2"))):
        scene.alerts.apply(one)
    assert scene.states == {"p0": UNKNOWN, "p1": ACTIVE, "p2": ACTIVE, "p3": UNKNOWN}
    assert scene.signals.summary().text() == "2/4 pairs active, 2 unknown"
    assert [str(view.state) for view in scene.alerts.views] == ["recovering"]


def test_many_dead_pairs_are_one_alert_with_a_bounded_list():
    scene = Scene(200).look(6, **{f"p{i}": STILL for i in range(50)})
    (view,) = scene.alerts.views
    assert view.message == "50 of 200 trainable pairs are dead: p0, p1, p2 and 47 more"
    assert len(view.evidence) == 21
    assert view.evidence[-1] == "and 30 more"


def test_names_cannot_reach_the_terminal():
    signals = LayerSignals("run")
    signals.table(PairTable(("a\x1b[2J", "b")))
    for step in range(10, 60, 10):
        told = signals.observe(LayerRow(step, NAN, {"grad": array("d", [0.0, 1.0])}))
    assert "\x1b" not in told[0].message + told[0].evidence[0]


@pytest.mark.skipif(sys.gettrace() is not None, reason="a tracer counts lines, not time")
@pytest.mark.parametrize(("pairs", "limit"), [(500, 1e-3), (5000, 10e-3)])
def test_a_look_at_many_pairs_is_fast(pairs, limit):
    rng = random.Random(1)
    signals = LayerSignals("run")
    signals.table(PairTable(tuple(f"model.layers.{i}.q_proj" for i in range(pairs))))
    columns = [array("d", [rng.uniform(0.01, 1.0) for _ in range(pairs)]) for _ in range(4)]
    spent = []
    for k in range(60):
        values = {"grad_a": columns[0], "grad_b": columns[1], "grad": columns[2], "update": columns[3]}
        row = LayerRow(10 * k, NAN, values, 1e-4)
        began = time.process_time()
        signals.observe(row)
        spent.append(time.process_time() - began)
    assert sorted(spent)[30] < limit
