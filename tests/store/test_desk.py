"""Silences that last until their run ends."""

import math
from pathlib import Path
from types import SimpleNamespace

import pytest

from mens_console.signals.alerts import AlertReducer, Silence
from mens_console.store.alertbook import AlertBook
from mens_console.store.desk import Desk


class Run(SimpleNamespace):
    def touch(self, *facets):
        self.touched = facets


def run(state):
    diagnosis = SimpleNamespace(state=state) if state else None
    return Run(
        signals=SimpleNamespace(alerts=AlertReducer()), diagnosis=diagnosis, found=SimpleNamespace(path=Path("/one"))
    )


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
