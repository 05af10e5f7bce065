"""The reducer: one row per fingerprint, event time that never goes back, latches, and repeats."""

import dataclasses
import math

from hypothesis import given
from hypothesis import strategies as st

from mens_console.signals.alerts import AlertReducer, AlertState, Observation, Signal, fingerprint
from mens_console.signals.rules import RULES, Severity, adjusted, describe

NAN = math.nan


def seen(rule, signal=Signal.BREACH, wall=0.0, **more):
    return Observation(rule, more.pop("entity", "run"), signal, wall, **more)


def test_breach_fires_repeats_count_and_clear_resolves():
    reducer = AlertReducer()
    first = reducer.apply(seen("loss_spike", wall=10.0, step=3, value=2.5, message="up", evidence=("level 1",)))
    assert (first.state, first.since, first.since_step, first.count) == (AlertState.FIRING, 10.0, 3, 1)
    assert first.recommendation == RULES["loss_spike"].recommendation
    again = reducer.apply(seen("loss_spike", wall=12.0, step=4, value=3.0, message="other", evidence=("level 2",)))
    assert (again.since, again.last_seen, again.count, again.value) == (10.0, 12.0, 2, 3.0)
    assert (again.message, again.last_step) == ("other", 4), "the newest wording goes with the newest value"
    assert (again.fired_on, again.evidence) == ("up", ("level 1",)), "what it fired on is kept"
    left = reducer.apply(seen("loss_spike", Signal.CLEAR, wall=13.0))
    assert left.state is AlertState.RECOVERING
    assert reducer.apply(seen("loss_spike", Signal.CLEAR, wall=14.0)) is None
    done = reducer.apply(seen("loss_spike", Signal.CLEAR, wall=80.0))
    assert (done.state, done.resolved_at) == (AlertState.RESOLVED, 73.0)
    back = reducer.apply(seen("loss_spike", wall=90.0, step=9, message="again"))
    assert (back.state, back.since, back.count, back.message) == (AlertState.FIRING, 90.0, 3, "again")
    assert (back.first_seen, back.first_step, back.returned, again.returned) == (10.0, 3, True, False)
    assert len(reducer.views) == 1


def test_fingerprint_is_of_rule_and_entity_alone():
    assert fingerprint("stall", "a") == fingerprint("stall", "a")
    assert len({fingerprint(r, e) for r in RULES for e in ("a", "b", "\udc80")}) == 3 * len(RULES)
    assert len(fingerprint("stall", "a")) == 12


def test_clear_and_nodata_about_nothing_are_nothing():
    reducer = AlertReducer()
    assert reducer.apply(seen("stall", Signal.CLEAR)) is None
    assert reducer.apply(seen("stall", Signal.NODATA)) is None
    assert reducer.views == ()
    assert reducer.rev == 0


def test_a_dead_source_resolves_nothing():
    reducer = AlertReducer()
    reducer.apply(seen("stall", wall=1.0))
    dead = reducer.apply(seen("stall", Signal.NODATA, wall=2.0))
    assert dead.nodata
    assert dead.state is AlertState.FIRING
    assert not reducer.apply(seen("stall", wall=3.0)).nodata


def test_severity_rises_within_an_episode_and_never_falls():
    reducer = AlertReducer()
    reducer.apply(seen("stall", wall=1.0, message="quiet"))
    worse = reducer.apply(seen("stall", wall=2.0, severity=Severity.CRITICAL, message="very quiet"))
    assert (worse.severity, worse.message, worse.since) == (Severity.CRITICAL, "very quiet", 1.0)
    assert reducer.apply(seen("stall", wall=3.0)).severity is Severity.CRITICAL
    reducer.apply(seen("stall", Signal.CLEAR, wall=4.0))
    assert reducer.apply(seen("stall", wall=5.0)).severity is Severity.WARNING


def test_an_acknowledged_latched_alert_goes_on_with_its_condition_and_ends_with_it():
    reducer = AlertReducer()
    key = reducer.apply(seen("nan_loss", wall=1.0)).fingerprint
    reducer.apply(seen("nan_loss", Signal.CLEAR, wall=2.0))
    assert reducer.get("nan_loss", "run").state is AlertState.FIRING
    reducer.apply(seen("nan_loss", wall=2.5))
    known = reducer.acknowledge(key, by="ann")
    assert (known.state, known.acknowledged, known.active) == (AlertState.FIRING, True, True)
    still = reducer.apply(seen("nan_loss", wall=3.0))
    assert (still.state, still.count, still.acknowledged_by) == (AlertState.FIRING, 3, "ann")
    over = reducer.apply(seen("nan_loss", Signal.CLEAR, wall=4.0))
    assert (over.state, over.resolved_at, over.acknowledged, over.held) == (AlertState.RESOLVED, 4.0, True, False)
    again = reducer.apply(seen("nan_loss", wall=5.0))
    assert (again.state, again.acknowledged) == (AlertState.FIRING, False)


def test_an_acknowledged_latched_alert_that_held_to_the_end_says_so_whichever_came_first():
    for acknowledged_first in (True, False):
        reducer = AlertReducer()
        key = reducer.apply(seen("nan_loss", wall=1.0)).fingerprint
        if acknowledged_first:
            reducer.acknowledge(key)
        reducer.apply(seen("nan_loss", Signal.OVER, wall=9.0))
        if not acknowledged_first:
            assert reducer.get("nan_loss", "run").state is AlertState.FIRING, "nobody saw it yet"
            reducer.acknowledge(key)
        ended = reducer.get("nan_loss", "run")
        assert (ended.state, ended.held, ended.resolved_at) == (AlertState.RESOLVED, True, 9.0)
        goes_on = reducer.apply(seen("nan_loss", wall=10.0))
        assert (goes_on.state, goes_on.acknowledged, goes_on.held) == (AlertState.FIRING, True, False), (
            "it was not over"
        )


def test_a_latched_alert_that_is_over_when_acknowledged_rings_at_the_next_one():
    reducer = AlertReducer()
    key = reducer.apply(seen("nan_loss", wall=1.0)).fingerprint
    reducer.apply(seen("nan_loss", Signal.CLEAR, wall=2.0))
    assert reducer.acknowledge(key, by="ann").resolved_at == 2.0
    again = reducer.apply(seen("nan_loss", wall=9.0))
    assert (again.state, again.acknowledged, again.acknowledged_by) == (AlertState.FIRING, False, "")


def test_acknowledging_what_is_not_latched_only_marks_it():
    reducer = AlertReducer()
    key = reducer.apply(seen("plateau", wall=1.0)).fingerprint
    view = reducer.acknowledge(key)
    assert view.acknowledged
    assert view.state is AlertState.FIRING


def test_a_new_run_resolves_everything_of_its_entity():
    reducer = AlertReducer()
    reducer.apply(seen("oom", wall=1.0))
    reducer.apply(seen("oom", wall=1.0, entity="other"))
    reducer.new_run("run")
    assert [(v.entity, v.active) for v in reducer.views] == [("other", True), ("run", False)]
    assert reducer.apply(seen("oom", wall=2.0)).active


def test_event_time_never_goes_back():
    reducer = AlertReducer()
    assert math.isnan(reducer.apply(seen("plateau", wall=NAN)).since)
    assert reducer.apply(seen("plateau", wall=50.0)).since == 50.0
    late = reducer.apply(seen("plateau", wall=20.0))
    assert late.last_seen == 50.0
    assert reducer.now == 50.0


def test_a_condition_that_must_last_is_pending_first():
    rule = dataclasses.replace(RULES["plateau"], for_s=30.0)
    reducer = AlertReducer({**RULES, "plateau": rule})
    assert reducer.apply(seen("plateau", wall=0.0)).state is AlertState.PENDING
    assert reducer.apply(seen("plateau", wall=29.0)).state is AlertState.PENDING
    assert reducer.apply(seen("plateau", Signal.CLEAR, wall=29.5)) is None
    assert reducer.views == ()  # it never fired, so it never was
    reducer.apply(seen("plateau", wall=30.0))
    assert reducer.apply(seen("plateau", wall=60.0)).state is AlertState.FIRING
    reducer.apply(seen("plateau", Signal.CLEAR, wall=61.0))
    reducer.apply(seen("plateau", wall=62.0))
    assert reducer.apply(seen("plateau", Signal.CLEAR, wall=63.0)).state is AlertState.RESOLVED


def test_worst_first():
    reducer = AlertReducer()
    for rule, wall in (("plateau", 1.0), ("loss_stuck", 2.0), ("oom", 3.0), ("loss_spike", 4.0), ("nan_loss", 5.0)):
        reducer.apply(seen(rule, wall=wall))
    reducer.apply(seen("loss_spike", Signal.OVER, wall=6.0))
    assert [v.rule for v in reducer.views] == ["oom", "nan_loss", "plateau", "loss_stuck", "loss_spike"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(RULES)),
            st.sampled_from(list(Signal)),
            st.floats(0, 100) | st.just(NAN),
            st.sampled_from(["a", "b"]),
        ),
        max_size=60,
    )
)
def test_the_reducer_is_deterministic_and_keeps_one_row_each(observations):
    reducers = AlertReducer(), AlertReducer()
    times = []
    for rule, signal, wall, entity in observations:
        for reducer in reducers:
            reducer.apply(seen(rule, signal, wall, entity=entity))
        times.append(reducers[0].now)
    assert repr(reducers[0].views) == repr(reducers[1].views)
    keys = [v.fingerprint for v in reducers[0].views]
    assert len(keys) == len(set(keys))
    dated = [t for t in times if not math.isnan(t)]
    assert dated == sorted(dated)
    for view in reducers[0].views:
        breaches = [o for o in observations if o[0] == view.rule and o[3] == view.entity and o[1] is Signal.BREACH]
        if not RULES[view.rule].for_s:  # what was pending and never fired is forgotten
            assert view.count == len(breaches)
        if RULES[view.rule].latched:
            assert view.state is AlertState.FIRING


# --------------------------------------------------------------------------- the table


def test_every_rule_tells_the_operator_what_to_do():
    for name, rule in RULES.items():
        assert rule.id == name
        assert rule.recommendation.endswith(".")
        assert rule.needs
        assert rule.for_points >= 1
        assert rule.severity.rank in (0, 1, 2)


def test_what_follows_from_what_has_no_circle():
    for rule in RULES.values():
        assert set(rule.inhibited_by) <= set(RULES) - {rule.id}
        seen, todo = set(), list(rule.inhibited_by)
        while todo:
            cause = todo.pop()
            assert cause != rule.id
            if cause not in seen:
                seen.add(cause)
                todo += RULES[cause].inhibited_by
    assert {r for r in RULES if "nan_loss" in RULES[r].inhibited_by} >= {
        "loss_spike", "loss_spike_sustained", "loss_explosion", "plateau", "loss_stuck", "grad_exploding", "nan_grad",
    }  # fmt: skip
    assert "oom" in RULES["crash"].inhibited_by
    assert "crash" in RULES["stall"].inhibited_by
    assert all("lr_zero" in RULES[r].inhibited_by for r in ("lora_dead", "plateau", "lora_vanishing"))


def test_overrides_change_a_rule_and_name_what_cannot_stand():
    rules, problems = adjusted(
        {
            "loss_spike": {"entry": 3.0, "severity": "critical", "recover_s": 5.0},
            "plateau": {"enabled": False},
            "ece": {"entry": 0.2},
            "grad_expoding": {"entry": 1.0},
        }
    )
    spike = rules["loss_spike"]
    assert (spike.entry, spike.severity, spike.recover_s) == (3.0, Severity.CRITICAL, 5.0)
    assert not rules["plateau"].enabled
    assert (rules["ece"].entry, rules["ece"].exit) == (0.2, 0.2)
    assert "wrong side" in problems[0]
    assert problems[1:] == ("thresholds.grad_expoding: there is no such rule; did you mean grad_exploding?",)


def test_the_document_names_every_rule_and_its_thresholds():
    text = describe()
    for rule in RULES.values():
        assert f"`{rule.id}`" in text
        assert rule.recommendation in text
        assert math.isnan(rule.entry) or f"{rule.entry:g} {rule.unit}" in text
        assert all(f"`{cause}`" in text for cause in rule.inhibited_by)
    assert "critical at 480" in text
    assert "| recovers | follows from |" in text
    assert "| nan" not in text
    assert text.endswith("\n")
