"""Whether a driver lives is told by what is left of it, with what that rests on."""

import os
import socket

import pytest
from soak.drives import make_plan, read
from support.soaks import BEGAN, Scene, write_driver

from mens_console.soak import control, plan, rows
from mens_console.soak.record import Record
from mens_console.soak.writer import Writer


def standing(folder, now=100.0):
    record = Record(folder)
    record.poll(now)
    return record.state, record.why


def begun(folder, *more):
    plan.write(folder, make_plan())
    driver = Writer(folder, make_plan())
    driver.add(rows.happened(0.0, "start", "x"), rows.Beat(1.0), *more)
    driver.close()


def test_without_a_word_of_a_driver_its_state_is_unknown(tmp_path):
    plan.write(tmp_path, make_plan())
    assert standing(tmp_path)[0] == "unknown"


def test_a_driver_that_holds_the_lock_runs_whatever_it_tells(tmp_path):
    plan.write(tmp_path, make_plan())
    lock = control.Lock(tmp_path)
    assert standing(tmp_path)[0] == "starting"
    begun(tmp_path)
    assert standing(tmp_path)[0] == "running"
    control.Self(tmp_path).write(state="running", beat=99.0)
    assert standing(tmp_path) == (
        "running", f"process {os.getpid()} on {socket.gethostname()} holds driver.lock and tells of itself"
    )  # fmt: skip
    state, why = standing(tmp_path, 160.0)
    assert (state, why.endswith("is held up: its last sign of life is 61 s old")) == ("running", True)
    lock.release()
    state, why = standing(tmp_path)
    assert (state, "does not hold driver.lock any more" in why) == ("died", True)


@pytest.mark.parametrize(
    ("facts", "now", "state", "said"),
    [
        ({"pid": 2**30}, 100.0, "died", "runs no more, and the journal has no end; its last sign of life is 1 s old"),
        ({"pid": "1; rm", "process_start": None}, 100.0, "died", "runs no more"),
        ({"boot_id": "another"}, 7300.0, "died", "the box was started anew"),
        ({"host": "elsewhere"}, 100.0, "running", "on elsewhere tells of itself"),
        (
            {"host": "elsewhere"},
            500.0,
            "unknown",
            "cannot be asked from here; its last sign of life is 7 min old",
        ),
        ({"host": "a\x1b[2J"}, 500.0, "unknown", "ran on a␛[2J"),
        ({"host": "elsewhere", "beat": "soon"}, 100.0, "unknown", "no time that fits this clock"),
        ({"host": "elsewhere", "beat": 999.0}, 100.0, "unknown", "no time that fits this clock"),
    ],
)
def test_a_driver_that_does_not_hold_the_lock_is_judged_by_what_is_left_of_it(tmp_path, facts, now, state, said):
    begun(tmp_path)
    control.Self(tmp_path).write(**{"state": "running", "beat": 99.0} | facts)
    told, why = standing(tmp_path, now)
    assert told == state
    assert said in why


def test_a_lock_that_cannot_be_looked_at_leaves_it_to_the_process_and_its_sign_of_life(tmp_path):
    begun(tmp_path)
    os.mkfifo(tmp_path / "driver.lock")
    control.Self(tmp_path).write(state="running", beat=99.0)
    assert standing(tmp_path)[0] == "running"
    assert standing(tmp_path, 900.0)[0] == "unknown"


def test_a_stop_stands_until_another_driver_takes_over_and_an_end_for_good(tmp_path):
    begun(tmp_path, rows.happened(2.0, "stop", "asked to"))
    control.Self(tmp_path).write(state="stopped", beat=2.0, stopping="asked to stop by \x1bSIGTERM")
    assert standing(tmp_path) == ("stopped", "the journal ends with a stop: asked to stop by ␛SIGTERM")
    lock = control.Lock(tmp_path)
    assert standing(tmp_path)[0] == "running"
    driver = Writer(tmp_path, make_plan())
    driver.add(rows.happened(3.0, "resume", "x"))
    lock.release()
    assert standing(tmp_path)[0] == "died"
    driver.add(rows.happened(300.0, "end", "x"))
    driver.close()
    assert standing(tmp_path) == ("finished", "the journal ends with the end of the plan")


def test_what_a_driver_says_is_wrong_is_passed_on_while_it_runs(tmp_path):
    begun(tmp_path)
    lock = control.Lock(tmp_path)
    control.Self(tmp_path).write(state="running", beat=99.0, problem="no space\x07")
    record = read(tmp_path, 100.0)
    assert record.problems == ("the driver: no space␇",)
    lock.release()
    write_driver(tmp_path, Scene(), 1.0)
    assert BEGAN > 0
    assert read(tmp_path, 100.0).problems == ()
