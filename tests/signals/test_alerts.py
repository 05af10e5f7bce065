"""The reducer: one row per fingerprint, event time that never goes back, latches, and repeats."""

import dataclasses
import math

from hypothesis import given
from hypothesis import strategies as st

from mens_console.signals.alerts import AlertReducer, AlertState, Observation, Signal, fingerprint
from mens_console.signals.rules import RULES, Severity, describe

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
    assert (again.message, again.evidence) == ("up", ("level 1",))  # what it fired on
    done = reducer.apply(seen("loss_spike", Signal.CLEAR, wall=13.0))
    assert done.state is AlertState.RESOLVED
    assert reducer.apply(seen("loss_spike", Signal.CLEAR, wall=14.0)) is None
    back = reducer.apply(seen("loss_spike", wall=20.0, step=9, message="again"))
    assert (back.state, back.since, back.count, back.message) == (AlertState.FIRING, 20.0, 3, "again")
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


def test_latched_alerts_end_by_acknowledgement_and_ring_again_only_after_a_pause():
    reducer = AlertReducer()
    key = reducer.apply(seen("nan_loss", wall=1.0)).fingerprint
    reducer.apply(seen("nan_loss", Signal.CLEAR, wall=2.0))
    assert reducer.get("nan_loss", "run").state is AlertState.FIRING
    assert reducer.acknowledge(key).state is AlertState.RESOLVED
    assert reducer.acknowledge(key) is None
    still = reducer.apply(seen("nan_loss", wall=3.0))
    assert (still.state, still.count) == (AlertState.RESOLVED, 2)
    reducer.apply(seen("nan_loss", Signal.CLEAR, wall=4.0))
    assert reducer.apply(seen("nan_loss", wall=5.0)).state is AlertState.FIRING


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
    reducer.apply(seen("loss_spike", Signal.CLEAR, wall=6.0))
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
    assert not any(w in RULES for w in ("gpu_throttling", "ece"))


def test_the_document_names_every_rule_and_its_thresholds():
    text = describe()
    for rule in RULES.values():
        assert f"`{rule.id}`" in text
        assert rule.recommendation in text
        assert f"{rule.entry:g} {rule.unit}" in text
    assert "critical at 480" in text
    assert text.endswith("\n")
