"""The player writes what is due and nothing else, with the recorded times."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from demo.synthetic import BEGAN, appended, recording, tree
from hypothesis import given, settings
from hypothesis import strategies as st

from mens_console.demo.player import Player, offsets
from mens_console.demo.recording import (
    Event,
)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 100), st.binary(max_size=4)), max_size=12),
    st.lists(st.floats(0, 30), max_size=6),
)
def test_where_a_replay_pauses_changes_nothing(rows, cuts):
    events, size = [], 0
    for tick, data in sorted(rows, key=lambda row: row[0]):
        events.append(appended(tick / 10, data, size))
        size += len(data)
    with tempfile.TemporaryDirectory() as folder:
        one = recording(Path(folder) / "one", events, name="one")
        two = recording(Path(folder) / "two", events, name="two", started_at=BEGAN + 3)
        whole = Player([one, two], Path(folder) / "whole").advance(float("inf"))
        paused = Player([one, two], Path(folder) / "paused")
        played = [event for cut in [*cuts, float("inf")] for event in paused.advance(cut)]
        assert played == whole
        assert [step.position for step in whole] == sorted(step.position for step in whole)
        assert tree(Path(folder) / "paused") == tree(Path(folder) / "whole")
        assert paused.position == paused.duration == 13.0


def test_nothing_is_written_before_its_time(tmp_path):
    player = Player([recording(tmp_path / "r", [appended(1.0, b"one"), appended(2.0, b"two", 3)])], tmp_path / "out")
    assert player.next_time() == 1.0
    assert player.advance(0.999) == []
    assert tree(tmp_path / "out") == {}
    player.advance(1.0)
    assert tree(tmp_path / "out") == {"run/log": b"one"}
    player.advance(0.5)
    assert player.position == 1.0, "time does not run backwards"
    assert player.next_time() == 2.0
    player.advance(2.0)
    assert not player.finished, "the silence until the end belongs to the recording"
    player.advance(11.0)
    assert (player.finished, player.position) == (True, 10.0)


def test_files_and_folders_are_as_old_as_recorded(tmp_path):
    events = [
        appended(1.5, b"x", path="a/log"),
        Event(4.0, "write", "a/doc", b"y", 0, 1),
        Event(7.0, "delete", "a/doc"),
    ]
    player = Player([recording(tmp_path / "r", events)], tmp_path / "out", epoch=5000.0)
    player.advance(5.0)
    ages = {name: (tmp_path / "out" / name).stat().st_mtime for name in ("run", "run/a", "run/a/log", "run/a/doc")}
    assert ages == {"run": 5004.0, "run/a": 5004.0, "run/a/log": 5001.5, "run/a/doc": 5004.0}
    assert player.clock() == 5005.0
    player.advance(9.0)
    assert (tmp_path / "out" / "run" / "a").stat().st_mtime == 5007.0
    assert not list((tmp_path / "out").rglob("*.tmp"))


def test_alignment(tmp_path):
    pair = [
        recording(tmp_path / "a", [], name="a", duration=4.0),
        recording(tmp_path / "b", [], name="b", started_at=BEGAN - 3),
    ]
    assert offsets(pair, "recorded") == [3.0, 0.0]
    assert offsets(pair, "start") == [0.0, 0.0]
    assert offsets(pair, "start", stagger=2.0) == [0.0, 2.0]
    assert offsets(pair, "end") == [6.0, 0.0]
    player = Player(pair, tmp_path / "out", starts=offsets(pair, "end"))
    assert player.duration == 10.0
    assert player.clock() == BEGAN - 3


def test_a_player_needs_an_empty_folder_and_distinct_names(tmp_path):
    one = recording(tmp_path / "r", [])
    with pytest.raises(FileExistsError, match="not empty"):
        Player([one], tmp_path)
    with pytest.raises(ValueError, match="distinct"):
        Player([one, one], tmp_path / "out")
    with pytest.raises(ValueError, match="distinct"):
        Player([], tmp_path / "out")


def test_left_out_weights_keep_their_size_and_take_no_room(tmp_path):
    events = [Event(0.0, "stand_in", "w.pt", size=5 << 20), Event(1.0, "stand_in", "w.pt", size=64 << 20)]
    player = Player([recording(tmp_path / "r", events)], tmp_path / "out")
    player.advance(1.0)
    status = (tmp_path / "out" / "run" / "w.pt").stat()
    assert status.st_size == 64 << 20
    assert status.st_blocks * 512 < 1 << 20
