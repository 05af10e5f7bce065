import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from notify.alarms import CRITICAL, FIRING, NOW, RESOLVED, WARNING, alert, rounds, run

from mens_console.config import NotifySettings
from mens_console.notify.memory import BRIDGE_S, KEPT_S, Memory
from mens_console.notify.notifier import REPEAT_S, Notifier, Policy
from mens_console.signals.alerts import AlertState


class Box:
    """A box that the test moves through time; `told` is what was handed out at once."""

    def __init__(self, path=None, *, until=math.nan, baseline=NOW - 100, **policy):
        policy = {"group_s": 0.0} | policy
        self.memory = Memory(path)
        self.memory.watched_until(until)
        self.notifier = Notifier(Policy(**policy), self.memory)
        self.look = rounds(baseline)
        self.now = NOW
        self.look(run())

    def see(self, *alerts, after=1.0, flush=False):
        self.now += after
        self.notifier.step(self.now, self.look(run(*alerts)))
        told = self.notifier.due(self.now, flush=flush)
        self.memory.save(self.now)
        return [(n.kind, n.sighting.view.rule) for n in told]


def test_an_episode_is_told_once():
    box = Box()
    assert box.see(alert()) == [("firing", "nan_loss")]
    assert box.see(alert(), after=2 * REPEAT_S) == []
    assert box.see(alert(state=AlertState.RECOVERING)) == []
    assert box.see(alert(state=RESOLVED)) == []


def test_ends_are_told_where_that_is_wished():
    box = Box(resolved=True)
    box.see(alert())
    assert box.see(alert(state=RESOLVED)) == [("resolved", "nan_loss")]
    assert box.see(alert(state=RESOLVED)) == []
    box.see(alert("oom"), alert("stall", severity=WARNING))
    assert box.see(alert("oom", RESOLVED, acknowledged=True), alert("stall", RESOLVED)) == []


def test_what_held_to_the_end_of_its_run_is_not_told_as_over():
    box = Box(resolved=True)
    box.see(alert())
    assert box.see(alert(state=RESOLVED, held=True)) == []


def test_only_what_is_bad_enough_and_each_step_up():
    box = Box()
    assert box.see(alert("stall", severity=WARNING)) == []
    assert box.see(alert("stall")) == [("firing", "stall")]
    box = Box(min_severity=WARNING)
    assert box.see(alert("stall", severity=WARNING)) == [("firing", "stall")]
    assert box.see(alert("stall")) == [("escalated", "stall")]
    assert box.see(alert("stall", severity=WARNING)) == []


def test_what_is_pending_or_quiet_or_acknowledged_is_not_told():
    box = Box()
    assert box.see(alert(state=AlertState.PENDING)) == []
    assert box.see(alert(inhibited_by="crash")) == []
    assert box.see(alert(silenced_until=NOW + 1e6)) == []
    assert box.see(alert(acknowledged=True)) == []
    assert box.see(alert()) == [], "an acknowledgement that is taken back is no new episode"


def test_what_still_fires_when_its_silence_ends_is_told():
    box = Box()
    view = alert(silenced_until=NOW + 100)
    assert box.see(view) == []
    assert box.see(view, after=200) == [("firing", "nan_loss")]


def test_escalation_tells_in_spite_of_an_acknowledgement_of_less():
    box = Box(min_severity=WARNING)
    assert box.see(alert("stall", severity=WARNING, acknowledged=True)) == []
    assert box.see(alert("stall")) == [("escalated", "stall")]


def test_history_is_never_told_but_its_escalation_is():
    box = Box(min_severity=WARNING)
    box.look = rounds(NOW)
    box.notifier.step(NOW, box.look(run(alert("stall", severity=WARNING, since=NOW - 50))))
    assert box.see(alert("stall", severity=WARNING, since=NOW - 50)) == []
    assert box.see(alert("stall", since=NOW - 50)) == [("escalated", "stall")]


def test_a_burst_is_one_message():
    box = Box(group_s=30.0)
    assert box.see(alert()) == []
    assert box.notifier.due_at == NOW + 31
    assert box.see(alert(), alert("oom"), after=20) == []
    assert box.see(alert(), alert("oom"), alert("crash"), after=11) == [
        ("firing", "nan_loss"), ("firing", "oom"), ("firing", "crash"),
    ]  # fmt: skip
    assert box.notifier.due_at == math.inf


def test_a_notice_that_waits_follows_its_alert():
    box = Box(group_s=30.0)
    box.see(alert(), alert("oom"))
    box.see(alert(acknowledged=True), alert("oom", RESOLVED))
    (notice,) = box.notifier.due(box.now, flush=True)
    assert notice.sighting.view.rule == "oom"
    assert not notice.sighting.on


def test_a_clock_set_back_delays_nothing():
    box = Box(group_s=30.0)
    box.see(alert())
    assert box.see(alert(), after=-9000.0) == [("firing", "nan_loss")]


def test_what_flaps_is_told_once_an_hour_with_the_count():
    box = Box()
    assert box.see(alert("stall", step=0)) == [("firing", "stall")]
    for step in range(1, 5):
        assert box.see(alert("stall", RESOLVED, step=step - 1), after=60) == []
        assert box.see(alert("stall", step=step), after=60) == []
    box.now = NOW + REPEAT_S + 2
    box.notifier.step(box.now, box.look(run(alert("stall", step=4))))
    (notice,) = box.notifier.due(box.now)
    assert (notice.kind, notice.unheard) == ("firing", 3), "the fourth is being told"
    assert box.see(alert("stall", RESOLVED, step=4)) == []


def test_what_flaps_and_gets_worse_is_told_at_once():
    box = Box(min_severity=WARNING)
    box.see(alert("stall", severity=WARNING, step=0))
    box.see(alert("stall", RESOLVED, severity=WARNING, step=0))
    assert box.see(alert("stall", severity=WARNING, step=1)) == []
    assert box.see(alert("stall", step=1)) == [("firing", "stall")]


def test_a_restart_tells_nothing_again_and_loses_nothing(tmp_path):
    path = tmp_path / "s" / "notified.json"
    box = Box(path, group_s=30.0)
    box.see(alert())
    box.see(alert(), after=30)
    box.see(alert(), alert("oom"))  # it waits for its group when the power goes
    again = Box(path, until=box.now, baseline=box.now)
    assert path.stat().st_mode & 0o777 == 0o600
    again.look = rounds(NOW + 500)
    assert again.see(alert(), alert("oom"), after=600) == [("firing", "oom")]
    assert Box(path, until=again.now).see(alert(), alert("oom"), after=700) == []


def test_without_a_step_a_short_gap_is_bridged(tmp_path):
    path = tmp_path / "notified.json"
    box = Box(path)
    hot = alert("gpu_thermal", step=None)
    assert box.see(hot) == [("firing", "gpu_thermal")]
    later = alert("gpu_thermal", step=None, since=NOW + 60)
    assert Box(path, until=NOW + 30).see(later, after=60) == []
    much_later = alert("gpu_thermal", step=None, since=NOW + 9000)
    told = Box(path, until=NOW + 30).see(much_later, after=BRIDGE_S + REPEAT_S)
    assert told == [("firing", "gpu_thermal")]


def test_the_same_step_again_after_its_end_is_another_episode():
    box = Box()
    box.see(alert("stall"))
    box.see(alert("stall", RESOLVED))
    assert box.see(alert("stall", since=NOW + 2 * REPEAT_S), after=2 * REPEAT_S) == [("firing", "stall")]


HUGE = json.dumps(
    {"schema": "mens-notified/1", "entries": [{"place": "/x", "rule": "stall", "since_step": 3, "since": 10**400}]}
)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "mens-notified/1", "entries": [{"place": 3}]}', HUGE])
def test_a_damaged_memory_is_told_and_begun_anew(tmp_path, text):
    path = tmp_path / "notified.json"
    path.write_text(text)
    box = Box(path)
    assert "damaged" in box.memory.problem
    assert box.see(alert()) == [("firing", "nan_loss")]
    assert box.memory.problem == ""
    assert Box(path).see(alert()) == []


def test_a_memory_that_cannot_be_written_tells_and_goes_on(tmp_path):
    (tmp_path / "file").write_text("")
    box = Box(tmp_path / "file" / "notified.json")
    assert box.see(alert()) == [("firing", "nan_loss")]
    assert box.see(alert()) == []
    assert "alerts may be told twice" in box.memory.problem


def test_what_is_long_over_is_forgotten(tmp_path):
    path = tmp_path / "notified.json"
    box = Box(path)
    box.see(alert())
    box.see(alert(state=RESOLVED))
    box.see(alert("oom"), after=KEPT_S)
    assert [entry["rule"] for entry in json.loads(path.read_text())["entries"]] == ["oom"]


def test_the_policy_is_what_the_settings_say():
    assert Policy.of(NotifySettings()) == Policy(CRITICAL, False, 30.0)
    assert Policy.of(NotifySettings(min_severity="warning", resolved=True, group_s=0)) == Policy(WARNING, True, 0)


STATES = st.sampled_from([FIRING, RESOLVED, AlertState.RECOVERING, AlertState.PENDING])


COURSES = st.lists(st.tuples(STATES, st.sampled_from([WARNING, CRITICAL]), st.booleans(), st.integers(0, 3)))


def lived(course, restart_at=None):
    """Return what a notifier tells on a course of one alert, one second a turn."""
    box, told = Box(min_severity=WARNING, resolved=True), []
    for turn, (state, severity, acknowledged, step) in enumerate(course):
        if turn == restart_at:
            box.notifier = Notifier(box.notifier.policy, box.memory)
        view = alert("stall", state, severity, step=step, acknowledged=acknowledged)
        told += [(kind, step, severity.rank) for kind, _ in box.see(view)]
    return told


@given(COURSES, st.integers(0, 9))
def test_a_restart_at_any_moment_changes_nothing_of_what_is_told(course, cut):
    assert lived(course) == lived(course, cut)


@given(COURSES)
def test_within_an_hour_only_what_is_worse_is_told_again(course):
    ranks = [rank for kind, _, rank in lived(course) if kind != "resolved"]
    assert ranks == sorted(set(ranks))
