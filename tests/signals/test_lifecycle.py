"""The life of an alert: pending, firing, recovering, resolved; flaps, escalation, what follows from what."""

import dataclasses
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from mens_console.signals.alerts import AlertReducer, AlertState, Observation, Signal
from mens_console.signals.rules import RULES, Severity

NAN = math.nan
PENDING, FIRING, RECOVERING, RESOLVED = AlertState
B, C, N, OVER = Signal.BREACH, Signal.CLEAR, Signal.NODATA, Signal.OVER


def reducer(rule="plateau", **changes):
    return AlertReducer({**RULES, rule: dataclasses.replace(RULES[rule], **changes)})


def seen(signal, wall, rule="plateau", entity="run", **more):
    return Observation(rule, entity, signal, wall, **more)


def state(alerts, rule="plateau"):
    view = alerts.get(rule, "run")
    return view and view.state


def test_time_alone_fires_what_is_pending():
    alerts = reducer(for_s=30.0)
    alerts.apply(seen(B, 100.0, message="held"))
    assert not alerts.advance(129.9)
    assert state(alerts) is PENDING
    assert alerts.advance(200.0)
    view = alerts.get("plateau", "run")
    assert (view.state, view.since, view.count, view.message) == (FIRING, 100.0, 1, "held")


def test_looks_of_the_clock_at_one_condition_count_once_and_its_episodes_each():
    alerts = reducer(recover_s=0.0)
    for wall in range(100, 200, 10):
        alerts.apply(seen(B, float(wall), value=float(wall), standing=True))
    view = alerts.get("plateau", "run")
    assert (view.count, view.last_seen, view.value) == (1, 190.0, 190.0)
    alerts.apply(seen(C, 200.0))
    alerts.apply(seen(B, 210.0, standing=True))
    assert alerts.get("plateau", "run").count == 2


def test_time_alone_resolves_what_recovers_at_its_deadline():
    alerts = reducer(recover_s=60.0)
    alerts.apply(seen(B, 100.0))
    alerts.apply(seen(C, 110.0))
    assert state(alerts) is RECOVERING
    assert not alerts.advance(169.9)
    assert alerts.advance(500.0)
    assert not alerts.advance(501.0)
    assert alerts.get("plateau", "run").resolved_at == 170.0


def test_a_breach_while_it_recovers_goes_on_with_the_same_episode():
    alerts = reducer(recover_s=60.0)
    alerts.apply(seen(B, 100.0, message="first"))
    alerts.acknowledge(alerts.get("plateau", "run").fingerprint, by="ann")
    alerts.apply(seen(C, 110.0))
    back = alerts.apply(seen(B, 150.0, message="second"))
    assert (back.state, back.since, back.count) == (FIRING, 100.0, 2)
    assert (back.message, back.fired_on) == ("second", "first")
    assert (back.acknowledged, back.acknowledged_by, back.flaps) == (True, "ann", 0)
    alerts.apply(seen(C, 160.0))
    alerts.advance(219.9)
    assert state(alerts) is RECOVERING  # the deadline began anew
    alerts.advance(220.0)
    assert state(alerts) is RESOLVED


def test_a_new_episode_within_an_hour_flaps_and_is_not_acknowledged():
    alerts = reducer()
    key = alerts.apply(seen(B, 0.0)).fingerprint
    alerts.acknowledge(key, by="ann")
    assert alerts.apply(seen(C, 10.0)).resolved_at == 10.0
    again = alerts.apply(seen(B, 3610.0))
    assert (again.flaps, again.acknowledged, again.acknowledged_by) == (1, False, "")
    alerts.apply(seen(C, 3620.0))
    assert alerts.apply(seen(B, 7221.0)).flaps == 1  # an hour and a second later
    alerts.apply(seen(C, 7230.0))
    assert alerts.apply(seen(B, 7231.0)).flaps == 2


def test_what_only_was_pending_neither_flaps_nor_hides_the_episode_before():
    alerts = reducer(for_s=30.0)
    alerts.apply(seen(B, 0.0))
    alerts.apply(seen(C, 40.0))
    assert alerts.get("plateau", "run").resolved_at == 40.0
    assert alerts.apply(seen(B, 50.0)).state is PENDING
    past = alerts.apply(seen(C, 60.0))
    assert (past.state, past.since, past.resolved_at, past.flaps, past.count) == (RESOLVED, 0.0, 40.0, 0, 2)
    alerts.apply(seen(B, 70.0))
    alerts.advance(100.0)
    assert alerts.get("plateau", "run").flaps == 1


def test_a_rise_in_severity_takes_the_acknowledgement_back():
    alerts = reducer("stall")
    key = alerts.apply(seen(B, 0.0, "stall")).fingerprint
    alerts.acknowledge(key, by="ann")
    assert alerts.apply(seen(B, 1.0, "stall")).acknowledged
    worse = alerts.apply(seen(B, 2.0, "stall", severity=Severity.CRITICAL))
    assert (worse.acknowledged, worse.acknowledged_by, worse.severity) == (False, "", Severity.CRITICAL)
    assert alerts.acknowledge(key, by="bob").acknowledged_by == "bob"
    assert alerts.apply(seen(B, 3.0, "stall")).acknowledged


def test_a_silent_source_holds_deadlines_up():
    alerts = reducer(recover_s=60.0, for_s=30.0)
    alerts.apply(seen(B, 0.0))
    alerts.apply(seen(N, 10.0))
    assert not alerts.advance(100.0)
    assert state(alerts) is PENDING
    assert alerts.apply(seen(B, 101.0)).state is FIRING
    alerts.apply(seen(C, 110.0))
    alerts.apply(seen(N, 120.0))
    assert not alerts.advance(1000.0)
    view = alerts.get("plateau", "run")
    assert (view.state, view.nodata) == (RECOVERING, True)
    assert alerts.apply(seen(C, 1001.0)).state is RESOLVED


def test_what_is_over_has_nothing_to_recover():
    alerts = reducer(recover_s=60.0)
    alerts.apply(seen(B, 0.0))
    ended = alerts.apply(seen(OVER, 5.0))
    assert (ended.resolved_at, ended.held) == (5.0, True)
    assert not alerts.apply(seen(B, 10.0)).held
    alerts.apply(seen(C, 11.0))
    ended = alerts.apply(seen(OVER, 12.0))
    assert (ended.state, ended.held) == (RESOLVED, False), "it had been past its exit"
    alerts.apply(seen(B, 0.0, "oom"))
    alerts.apply(seen(OVER, 1.0, "oom"))
    assert alerts.get("oom", "run").state is FIRING


def test_without_times_there_is_nothing_to_wait_for():
    alerts = reducer(recover_s=60.0, for_s=30.0)
    alerts.apply(seen(B, NAN))
    assert state(alerts) is PENDING
    assert alerts.advance(1000.0)
    assert alerts.get("plateau", "run").since == 1000.0  # from when it is known at all
    assert alerts.advance(1030.0)
    undated = reducer(recover_s=60.0)
    undated.apply(seen(B, NAN))
    assert undated.apply(seen(C, NAN)).state is RESOLVED


def test_each_alert_has_its_own_time():
    """A column read ahead of another does not push the other's alerts into the future."""
    alerts = reducer(recover_s=60.0)
    alerts.apply(seen(B, 5000.0, "loss_spike"))
    assert alerts.apply(seen(B, 100.0)).since == 100.0
    alerts.apply(seen(C, 110.0))
    assert alerts.apply(seen(B, 400.0)).flaps == 1
    assert alerts.now == 5000.0


def test_a_rule_that_is_off_has_no_alerts():
    alerts = reducer(enabled=False)
    assert alerts.apply(seen(B, 0.0)) is None
    assert alerts.views == ()
    assert alerts.rev == 0


def test_what_follows_from_an_alert_that_fires_says_so_on_the_same_entity():
    alerts = AlertReducer()
    alerts.apply(seen(B, 0.0, "crash"))
    assert alerts.get("crash", "run").inhibited_by == ""
    alerts.apply(seen(B, 1.0, "oom", entity="other"))
    assert alerts.get("crash", "run").inhibited_by == ""
    oom = alerts.apply(seen(B, 1.0, "oom"))
    crash = alerts.get("crash", "run")
    assert (crash.inhibited_by, crash.quiet, crash.state) == ("oom", True, FIRING)
    alerts.acknowledge(oom.fingerprint)
    assert alerts.get("crash", "run").inhibited_by == "oom"  # acknowledged, not over
    alerts.apply(seen(C, 2.0, "oom"))
    alerts.apply(seen(B, 3.0, "crash"))
    assert not alerts.get("crash", "run").quiet


def test_only_a_condition_that_holds_keeps_others_quiet():
    alerts = AlertReducer({**RULES, "loss_explosion": dataclasses.replace(RULES["loss_explosion"], for_s=10.0)})
    alerts.apply(seen(B, 0.0, "loss_explosion"))
    alerts.apply(seen(B, 0.0, "loss_spike"))
    assert not alerts.get("loss_spike", "run").quiet  # pending is not firing
    alerts.advance(10.0)
    assert alerts.get("loss_spike", "run").inhibited_by == "loss_explosion"
    alerts.apply(seen(C, 20.0, "loss_explosion"))
    assert alerts.get("loss_spike", "run").quiet  # of the same point nobody is told twice
    alerts.apply(seen(B, 25.0, "loss_spike"))
    assert not alerts.get("loss_spike", "run").quiet  # what recovers is no cause of what comes after it
    alerts.apply(seen(B, 30.0, "nan_loss"))
    assert alerts.get("loss_spike", "run").inhibited_by == "nan_loss"
    alerts.apply(seen(C, 40.0, "nan_loss"))
    assert alerts.get("nan_loss", "run").state is FIRING  # latched: nobody saw it yet
    assert alerts.get("loss_spike", "run").inhibited_by == "nan_loss"
    alerts.apply(seen(B, 50.0, "loss_spike"))
    assert not alerts.get("loss_spike", "run").quiet  # but a later spike is news


def test_one_nan_is_one_thing_to_acknowledge_and_one_ring():
    alerts = AlertReducer()
    for rule in ("nan_loss", "nan_grad"):
        alerts.apply(seen(B, 30.0, rule))
        alerts.apply(seen(C, 40.0, rule))
    assert alerts.get("nan_grad", "run").inhibited_by == "nan_loss"
    alerts.acknowledge(alerts.get("nan_loss", "run").fingerprint)
    assert alerts.get("nan_grad", "run").inhibited_by == "nan_loss"
    alerts.apply(seen(B, 90.0, "nan_grad"))
    assert not alerts.get("nan_grad", "run").quiet


def test_a_run_that_ended_in_a_cause_keeps_it():
    alerts = AlertReducer()
    for rule in ("hidden_nan", "nan_grad"):
        alerts.apply(seen(B, 30.0, rule))
    for rule in ("hidden_nan", "nan_grad"):
        alerts.apply(seen(OVER, 99.0, rule))
    assert alerts.get("nan_grad", "run").inhibited_by == "hidden_nan"


def test_a_new_run_ends_everything_of_the_old_one():
    alerts = reducer(for_s=30.0)
    alerts.apply(seen(B, 0.0))
    alerts.apply(seen(B, 5.0, "oom"))
    alerts.new_run("run")
    assert [(v.rule, v.state, v.resolved_at) for v in alerts.views] == [("oom", RESOLVED, 5.0)]


HOLDS = {
    **RULES,
    "plateau": dataclasses.replace(RULES["plateau"], for_s=20.0, recover_s=30.0),
    "stall": dataclasses.replace(RULES["stall"], recover_s=45.0),
}
told = st.tuples(st.sampled_from(["plateau", "stall", "oom"]), st.sampled_from([B, C, C, N, OVER]), st.floats(0, 60))


def lived(observations, looks):
    """Return what stands in the end, with time let pass at `looks` between observations."""
    alerts, wall = AlertReducer(HOLDS), 0.0
    for (rule, signal, gap), shares in zip(observations, looks, strict=True):
        for share in sorted(shares):
            alerts.advance(wall + share * gap)
        wall += gap
        alerts.apply(seen(signal, wall, rule))
    alerts.advance(wall + 10.0)
    return repr(alerts.views)


@given(st.lists(told, max_size=30), st.data())
@settings(deadline=None)
def test_how_often_time_is_let_pass_changes_nothing(observations, data):
    shares = st.lists(st.floats(0, 0.999), max_size=3)
    looks = [data.draw(shares) for _ in observations]
    assert lived(observations, looks) == lived(observations, [[] for _ in observations])


@given(st.lists(told, max_size=40))
@settings(deadline=None)
def test_the_order_between_rules_changes_nothing(observations):
    """Column by column, as history is read, or row by row, as it was lived."""
    dated, wall = [], 0.0
    for rule, signal, gap in observations:
        wall += gap
        dated.append(seen(signal, wall, rule))
    ends = []
    for order in (dated, sorted(dated, key=lambda o: o.rule)):
        alerts = AlertReducer(HOLDS)
        for one in order:
            alerts.apply(one)
        alerts.advance(wall)
        ends.append(repr(alerts.views))
    assert ends[0] == ends[1]
