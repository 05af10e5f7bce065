import math

from notify.alarms import FIRING, NOW, RESOLVED, WARNING, alert, rounds, run, snapshot

from mens_console.notify.sightings import History, Transitions
from mens_console.signals.alerts import AlertState


def kinds(transitions, look):
    return [(t.kind, t.sighting.run or "machine", t.sighting.view.rule) for t in transitions.step(look)]


def test_what_was_on_before_is_history_and_what_comes_is_news():
    look, transitions = rounds(), Transitions()
    old = run(alert(since=NOW - 500), heard=NOW - 400)
    assert kinds(transitions, look(old)) == [("standing", "llama", "nan_loss")]
    assert kinds(transitions, look(old)) == []
    more = run(alert(since=NOW - 500), alert("oom", since=NOW - 900, step=None), heard=NOW - 400)
    assert kinds(transitions, look(more)) == [("firing", "llama", "oom")]


def test_a_run_that_appears_is_news_as_far_as_its_alerts_are_young():
    look, transitions = rounds(), Transitions()
    look(run())
    assert kinds(transitions, look(run(), run(alert(), name="new"))) == [("firing", "new", "nan_loss")]
    copied = run(alert(since=NOW - 9e6), name="copied")
    assert kinds(transitions, look(run(), copied)) == [("standing", "copied", "nan_loss")]
    undated = run(alert(since=math.nan), name="undated")
    assert kinds(transitions, look(undated)) == [("firing", "undated", "nan_loss")], "its file was written just now"
    stopwatch = run(alert(since=12.5), name="stopwatch")
    assert kinds(transitions, look(stopwatch)) == [("firing", "stopwatch", "nan_loss")]


def test_a_clock_rule_noticed_now_about_a_run_silent_for_long_is_history():
    look = rounds()
    dead = look(run(alert("crash", since=NOW), heard=NOW - 86_400))
    assert dead.standing == {("/runs/llama", "crash")}


def test_what_is_remembered_from_before_a_restart_is_no_news():
    history = History(NOW - 3600, known=lambda seen: seen.view.rule == "oom")
    look = history.look(snapshot(run(alert(), alert("oom"))))
    assert look.standing == {("/runs/llama", "oom")}


def test_a_run_being_read_again_changes_nothing():
    look, transitions = rounds(), Transitions()
    transitions.step(look(run(alert())))
    assert kinds(transitions, look(run(backlog=object()))) == []
    assert kinds(transitions, look(run(alert()))) == []
    assert kinds(transitions, look(run(alert(state=RESOLVED)))) == [("resolved", "llama", "nan_loss")]


def test_each_turn_of_an_alert_is_told_once():
    look, transitions = rounds(), Transitions()
    look(run())
    course = [
        (alert("stall", AlertState.PENDING, WARNING), []),
        (alert("stall", FIRING, WARNING), ["firing"]),
        (alert("stall"), ["escalated"]),
        (alert("stall", acknowledged=True), ["acknowledged"]),
        (alert("stall", AlertState.RECOVERING, acknowledged=True), ["recovering"]),
        (alert("stall", RESOLVED), ["resolved"]),
        (alert("stall", RESOLVED), []),
        (alert("stall", step=130), ["firing"]),
        (alert("stall", step=140), ["firing"]),
    ]
    for view, expected in course:
        assert [t.kind for t in transitions.step(look(run(view)))] == expected


def test_a_latched_alert_ends_by_acknowledgement_or_after_it():
    look, transitions = rounds(), Transitions()
    transitions.step(look(run(alert(latched=True))))
    (turn,) = transitions.step(look(run(alert(state=RESOLVED, latched=True, acknowledged=True))))
    assert turn.kind == "acknowledged"
    look, transitions = rounds(), Transitions()
    course = [alert(latched=True), alert(latched=True, acknowledged=True)]
    course.append(alert(state=RESOLVED, latched=True, acknowledged=True))
    told = [[turn.kind for turn in transitions.step(look(run(view)))] for view in course]
    assert told[1:] == [["acknowledged"], ["resolved"]]


def test_the_machine_has_alerts_too():
    look, transitions = rounds(), Transitions()
    hot = alert("gpu_thermal", entity="gpu:GPU-1", step=None)
    assert kinds(transitions, look(box=(hot,))) == [("firing", "machine", "gpu_thermal")]
    assert look(box=(hot,)).seen[0].key == ("gpu:GPU-1", "gpu_thermal")


def test_wavering_within_an_episode_is_told_once_and_anew_in_the_next():
    look, transitions = rounds(), Transitions()
    look(run())
    on, back = alert("loss_spike"), alert("loss_spike", AlertState.RECOVERING)
    told = [kind for view in (on, back, on, back, on) for kind, _, _ in kinds(transitions, look(run(view)))]
    assert told == ["firing", "recovering"]
    again = [
        alert("loss_spike", RESOLVED),
        alert("loss_spike", step=300),
        alert("loss_spike", AlertState.RECOVERING, step=300),
    ]
    assert [kind for view in again for kind, _, _ in kinds(transitions, look(run(view)))] == [
        "resolved", "firing", "recovering",
    ]  # fmt: skip


def test_runs_that_share_a_folder_keep_their_alerts_apart():
    look, transitions = rounds(), Transitions()
    pair = [run(alert(place=f"/runs/jobs/{name}", entity=name), name=name) for name in ("left", "right")]
    for one in pair:
        one.path = one.path.parent / "jobs"
    look(*(run(name=name) for name in ("left", "right")))
    assert len(kinds(transitions, look(*pair))) == 2
    assert kinds(transitions, look(*pair)) == []
