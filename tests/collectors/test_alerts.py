"""The console's rules inside the training: fired once, resolved by themselves, told in order."""

import math
import random
from array import array

import pytest
from collectors.written import Clock

from mens_console.collectors.alerts import AlertsManager, create_alerts_manager
from mens_console.signals.pairs import LayerRow, PairTable


def rules(alerts):
    return [alert["rule"] for alert in alerts]


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def manager(clock):
    return create_alerts_manager(clock=clock)


def run(manager, clock, steps, **values):
    found = []
    for step in steps:
        clock.now += 10.0
        given = {name: value(step) if callable(value) else value for name, value in values.items()}
        found = manager.check_all(step, **given)
    return found


def test_a_healthy_run_is_silent(manager, clock):
    rng = random.Random(1)
    found = run(
        manager, clock, range(1, 300), loss=lambda s: 3.0 * math.exp(-s / 300) + rng.gauss(0, 0.01),
        learning_rate=1e-4, gradient_norms=1.0, streaming_ce=2.0, token_entropy=2.0, recent_losses=[],
    )  # fmt: skip
    assert found == []
    assert manager.summary() == {"critical": 0, "warning": 0, "info": 0, "active": 0, "resolved": 0}


def test_nan_is_critical_and_there_once(manager, clock):
    run(manager, clock, range(1, 30), loss=2.0)
    found = run(manager, clock, range(30, 40), loss=math.nan, gradient_norms=math.nan)
    (alert,) = found  # the gradient's NaN follows from the loss's
    assert alert["rule"] == "nan_loss"
    assert alert["severity"] == "critical"
    assert (alert["since_step"], alert["count"], alert["state"]) == (30, 10, "firing")
    assert alert["recommendation"].endswith(".")
    assert set(alert) == {"severity", "rule", "message", "recommendation", "state", "since_step", "count"}
    assert manager.summary()["critical"] == 1


def test_an_explosion_of_gradients_comes_and_goes(manager, clock):
    falling = {"loss": lambda step: 3.0 - step / 50}
    run(manager, clock, range(1, 30), gradient_norms=1.0, **falling)
    assert rules(run(manager, clock, range(30, 33), gradient_norms=500.0, **falling)) == ["grad_exploding"]
    recovering = run(manager, clock, range(33, 34), gradient_norms=1.0, **falling)
    assert [alert["state"] for alert in recovering] == ["recovering"]
    assert run(manager, clock, range(34, 60), gradient_norms=1.0, **falling) == []
    assert manager.summary()["resolved"] == 1


def test_gradients_by_layer(manager, clock):
    names = [f"layers.{i}.q_proj" for i in range(4)]
    healthy = dict.fromkeys(names, 0.5)
    assert run(manager, clock, range(1, 40), loss=2.0, learning_rate=1e-4, gradient_norms=healthy) == []
    dead = {**healthy, names[2]: 0.0}
    found = run(manager, clock, range(40, 60), loss=2.0, learning_rate=1e-4, gradient_norms=dead)
    assert "lora_dead" in rules(found)
    assert names[2] in next(alert["message"] for alert in found if alert["rule"] == "lora_dead")
    bad = {**healthy, names[0]: math.nan}
    found = run(manager, clock, range(60, 64), loss=2.0, learning_rate=1e-4, gradient_norms=bad)
    assert "nan_grad" in rules(found)


def test_the_recent_losses_teach_a_fresh_manager_what_is_usual(clock):
    past = [1.3 - 0.005 * i for i in range(60)]
    taught = create_alerts_manager(clock=clock)
    assert rules(taught.check_all(100, loss=2.5, recent_losses=[*past, 2.5])) == ["loss_spike"]
    assert taught.active()[0]["count"] == 1
    again = taught.check_all(101, loss=1.0, recent_losses=[9.9] * 60)  # only a fresh one listens
    assert [alert["state"] for alert in again] in ([], ["recovering"])
    untaught = create_alerts_manager(clock=clock)
    assert untaught.check_all(100, loss=2.5) == []
    assert create_alerts_manager(clock=clock).check_all(0, loss=2.5, recent_losses=past) == []


def test_a_smoothed_loss_stands_in(manager, clock):
    assert rules(run(manager, clock, range(1, 5), streaming_ce=math.nan)) == ["nan_loss"]


def test_more_metrics_reach_the_rules(manager, clock):
    watched = manager.signals.watches
    found = run(
        manager, clock, range(1, 80), loss=lambda s: 2.0 - s / 100, ece=0.6, lr=0.0, nonsense=3.0,
        token_entropy=lambda s: 2.0 if s < 40 else 0.01,
    )  # fmt: skip
    expected = {"lr_zero"} | ({"ece"} if watched("fixed_eval_ece") else set())
    assert expected <= set(rules(found))


def test_a_resume_begins_another_attempt(manager, clock):
    run(manager, clock, range(1, 40), loss=2.0)
    assert run(manager, clock, range(20, 30), loss=2.0) == []
    assert rules(run(manager, clock, range(30, 32), loss=math.nan)) == ["nan_loss"]


def test_changes_between_two_checks_are_all_told(clock):
    manager = AlertsManager(clock=clock)
    for step in range(1, 40):
        manager.feed(step, {"loss": 3.0 - step / 50, "grad_norm": 1.0}, clock.now + step)
    assert manager.check() == []
    for step in range(40, 60):
        manager.feed(step, {"grad_norm": 500.0 if step == 50 else 1.0}, clock.now + step)
    told = [(view.rule, str(view.state)) for view in manager.check()]
    assert told[0] == ("grad_exploding", "firing")
    assert told[1:] == [("grad_exploding", "recovering")]
    assert manager.check() == []
    for step in range(60, 400):
        manager.feed(step, {"grad_norm": 1.0}, clock.now + step)
    clock.now += 400
    told += [(view.rule, str(view.state)) for view in manager.check()]
    assert told[-1] == ("grad_exploding", "resolved")
    assert len(told) == len(set(told))


def test_looks_at_adapters(clock):
    manager = AlertsManager(clock=clock)
    table = PairTable(("a", "b", "c"), (False, False, True), (8, 8, 8))
    for step in range(1, 30):
        clock.now += 10.0
        values = {
            "grad_a": array("d", [0.5, 0.4, math.nan]),
            "grad_b": array("d", [0.5, 0.4, math.nan]),
            "update": array("d", [0.1, 0.0, math.nan]),
        }
        manager.look(LayerRow(step, clock.now, values, 1e-4), table)
    told = manager.check()
    assert [(view.rule, view.message) for view in told] == [("lora_dead", told[0].message)]
    assert "b" in told[0].message
    assert [str(state) for state in manager.layers.states] == ["active", "dead", "frozen"]
