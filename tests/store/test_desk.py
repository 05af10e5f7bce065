"""Silences that last until their run ends, and acknowledgements of the machine across restarts."""

import math
from pathlib import Path
from types import SimpleNamespace

import pytest

from mens_console.signals.alerts import AlertReducer, Observation, Signal, Silence
from mens_console.store.alertbook import AlertBook
from mens_console.store.desk import ATTENDED_S, LEAVE_S, Desk


class Run(SimpleNamespace):
    def touch(self, *facets):
        self.touched = facets


def run(state):
    diagnosis = SimpleNamespace(state=state) if state else None
    found = SimpleNamespace(path=Path("/one"))
    return Run(signals=SimpleNamespace(alerts=AlertReducer()), diagnosis=diagnosis, found=found, place="/one")


@pytest.mark.parametrize(
    ("state", "end", "stays"),
    [("running", math.inf, True), (None, math.inf, True), ("crashed", math.inf, False), ("crashed", 1e6, True)],
)
def test_a_silence_until_the_run_ends_does_so(tmp_path, state, end, stays):
    runs = {"one": run("running")}
    path = tmp_path / "alerts.json"
    book = AlertBook(path, clock=lambda: 1000.0)
    desk = Desk(book, runs, (AlertReducer(),), lambda: None, author="ada")
    desk.silence(Silence("s1", "*", "one", "ada", "", 0.0, end))
    desk.attend(1000.0)
    assert [one.end for one in desk.silences] == [end]
    again = AlertBook(path, clock=lambda: 1000.0)
    assert again.problem == "" and [one.end for one in again.silences(1000.0)] == [end]
    runs["one"].diagnosis = SimpleNamespace(state=state) if state else None
    desk.attend(1010.0)
    assert bool(desk.silences) == stays


HOT, ECC = "gpu_thermal", "gpu_ecc"


class Console:
    """A desk on one book whose machine's alerts the test makes."""

    def __init__(self, path, boot=0.0):
        self.alerts = AlertReducer()
        self.book = AlertBook(path, clock=lambda: 9000.0)
        self.desk = Desk(self.book, {}, (self.alerts,), lambda: None, author="ada", boot=boot)
        self.first = True

    def sample(self, at, *told):
        for rule, signal, value in told:
            self.alerts.apply(Observation(rule, "gpu:GPU-1", signal, at, value=value))
        self.desk.follow_machine(self.alerts, first=self.first)
        self.first = False
        self.desk.attend(at)
        return {view.rule: view for view in self.desk.dress(self.alerts.views, at)}

    def acknowledge(self, rule, at):
        self.desk.acknowledge("", self.alerts.get(rule, "gpu:GPU-1").fingerprint, "the fan")
        self.desk.attend(at)


def test_an_acknowledgement_of_the_machine_survives_a_restart_as_long_as_it_lasts(tmp_path):
    path, breach, clear = tmp_path / "alerts.json", Signal.BREACH, Signal.CLEAR
    one = Console(path)
    one.sample(1000.0, (HOT, breach, 91.0), (ECC, breach, 2.0))
    one.sample(1020.0, (HOT, breach, 91.0), (ECC, clear, 2.0))
    one.acknowledge(HOT, 1030.0)
    one.acknowledge(ECC, 1030.0)
    two = Console(path)
    seen = two.sample(2000.0, (HOT, breach, 90.0), (ECC, breach, 2.0))
    assert {rule: (view.acknowledged, view.note) for rule, view in seen.items()} == dict.fromkeys(
        seen, (True, "the fan")
    )
    assert len(seen) == 2
    beside = AlertBook(path, clock=lambda: 9000.0)
    assert all(beside.acknowledgement(view) for view in one.alerts.views if view.active), "the first one goes on, too"
    two.sample(2100.0, (HOT, clear, 60.0))
    two.alerts.advance(2300.0)
    assert two.sample(2300.0)[HOT].state == "resolved"
    three = Console(path)
    seen = three.sample(3000.0, (HOT, breach, 95.0), (ECC, breach, 3.0))
    assert not seen[HOT].acknowledged, "it was seen to end, so this is another time"
    assert not seen[ECC].acknowledged, "there are more of them now"


def test_what_begins_under_the_eyes_of_a_console_is_new_whatever_was_acknowledged_before(tmp_path):
    path = tmp_path / "alerts.json"
    one = Console(path)
    one.sample(1000.0, (HOT, Signal.BREACH, 91.0))
    one.acknowledge(HOT, 1030.0)
    two = Console(path)
    assert two.sample(2000.0, (HOT, Signal.CLEAR, 60.0)) == {}
    assert not two.sample(2010.0, (HOT, Signal.BREACH, 91.0))[HOT].acknowledged


def test_what_is_counted_since_the_machine_was_started_is_counted_anew_after_that(tmp_path):
    path = tmp_path / "alerts.json"
    one = Console(path)
    one.sample(1000.0, (ECC, Signal.BREACH, 2.0))
    one.acknowledge(ECC, 1030.0)
    assert not Console(path, boot=1500.0).sample(2000.0, (ECC, Signal.BREACH, 1.0))[ECC].acknowledged
    assert Console(path, boot=500.0).sample(2000.0, (ECC, Signal.BREACH, 2.0))[ECC].acknowledged


def attended(tmp_path):
    book = AlertBook(tmp_path / "alerts.json", clock=lambda: 0.0, roots=[tmp_path])
    desk = Desk(book, {}, (), lambda: None, author="ada")

    def left():
        return AlertBook(tmp_path / "alerts.json", clock=lambda: 0.0, roots=[tmp_path]).left_at

    return desk, left


def test_a_console_that_nobody_touches_does_not_say_that_somebody_is_here(tmp_path):
    desk, left = attended(tmp_path)
    desk.touched_at = 1000.0
    for now in range(1000, 8000, 20):
        desk.note_presence(float(now))
    assert 1000.0 + ATTENDED_S - LEAVE_S <= left() <= 1000.0 + ATTENDED_S
    desk.note_presence(8000.0, leaving=True)
    assert left() <= 1000.0 + ATTENDED_S, "its terminal was closed, and nobody sat before it"
    desk.touched_at = 8100.0
    desk.note_presence(8101.0, leaving=True)
    assert left() == 8101.0


def test_a_clock_that_is_set_back_keeps_nobody_from_being_here(tmp_path):
    desk, left = attended(tmp_path)
    for now in (90_000.0, 90_100.0, 1000.0, 1001.0):
        desk.note_presence(now)
    assert left() == 1000.0


def test_where_nobody_tells_of_touches_somebody_is_here_all_the_time(tmp_path):
    desk, left = attended(tmp_path)
    for now in range(0, 8000, 20):
        desk.note_presence(float(now))
    assert left() >= 7900.0
