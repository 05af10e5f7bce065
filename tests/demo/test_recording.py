"""The container, the recorder and the player: what was written comes back, when it was written, and nothing else."""

from __future__ import annotations

import json
import lzma
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mens_console.demo.player import Player, offsets
from mens_console.demo.recorder import Recorder
from mens_console.demo.recording import (
    MAX_CONTENT,
    MAX_HEADER,
    Event,
    Header,
    Recording,
    RecordingError,
    check_path,
    write_recording,
)

BEGAN = 1_000_000.0


class Clock:
    """Seconds since the epoch that pass only when told."""

    def __init__(self) -> None:
        self.now = BEGAN

    def __call__(self) -> float:
        return self.now


def tree(root: Path) -> dict[str, bytes | int]:
    """Return what is in `root`: the bytes of each file, of weights only the size."""
    files = (path for path in root.rglob("*") if path.is_file())
    return {
        path.relative_to(root).as_posix(): path.stat().st_size if path.suffix == ".pt" else path.read_bytes()
        for path in files
    }


def recording(path: Path, events: list[Event], **said: Any) -> Recording:
    sizes = {event.path: event.size for event in events if event.path}
    facts = {
        "name": "run",
        "scenario": "test",
        "summary": "",
        "started_at": BEGAN,
        "duration": 10.0,
        "events": len(events),
        "files": sizes,
    }
    write_recording(path, Header(**{**facts, **said}), events)
    return Recording.open(path)


def appended(t: float, data: bytes, offset: int = 0, path: str = "log") -> Event:
    return Event(t, "append", path, data, offset, offset + len(data))


# --- recorder and player together


WRITER = """
import os, pathlib, sys
run = pathlib.Path(sys.argv[1])
for line in sys.stdin:
    step = int(line)
    with open(run / "train.log", "a") as log:
        log.write(f"\\r{step}/9" + "x" * step)
    if step % 3 == 0:
        folder = run / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "state.json").write_text("[" * step)
        (folder / "optimizer.pt").write_bytes(bytes(1000 * step))
        new = run / "status.tmp"
        new.write_text(f"step {step}")
        new.replace(run / "status.json")
    if step == 6:
        for file in (run / "checkpoint-3").iterdir():
            file.unlink()
        (run / "checkpoint-3").rmdir()
    print("written", flush=True)
"""


def test_what_a_real_writer_wrote_is_replayed_as_it_was_at_any_time(tmp_path):
    run, clock = tmp_path / "run-1", Clock()
    run.mkdir()
    recorder = Recorder(run, clock=clock)
    stood: list[tuple[float, dict[str, bytes | int]]] = []
    command = [sys.executable, "-c", WRITER, str(run)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdin and writer.stdout
        recorder.process_started(writer.pid, ["writer"])
        for step in range(1, 10):
            writer.stdin.write(f"{step}\n")
            writer.stdin.flush()
            assert writer.stdout.readline() == "written\n"
            clock.now += 0.5
            recorder.poll()
            stood.append((clock.now - BEGAN, tree(run)))
        writer.kill()
    clock.now += 1.0
    recorder.process_ended(writer.pid, writer.returncode)
    header = recorder.save(tmp_path / "one.mrec", scenario="s", summary="a writer", producer={"python": "3"})

    replay = Recording.open(tmp_path / "one.mrec")
    assert replay.header == header
    assert header.left_out == tuple(f"checkpoint-{step}/optimizer.pt" for step in (3, 6, 9))
    assert header.files["checkpoint-3/optimizer.pt"] == 3000
    assert not any(b"\0" in event.data for event in replay.events())

    player = Player([replay], tmp_path / "again")
    for t, content in stood:
        player.advance(t)
        assert tree(tmp_path / "again" / "run-1") == content
        assert player.processes()["run-1"][0].returncode is None
    assert not (tmp_path / "again" / "run-1" / "checkpoint-3").exists()
    player.advance(player.duration)
    (process,) = player.processes()["run-1"]
    assert (process.pid, process.command, process.returncode) == (writer.pid, ("writer",), -9)
    assert (process.started, process.ended) == (BEGAN, BEGAN + 5.5)
    assert player.finished
    assert player.next_time() is None


OPERATIONS = st.tuples(
    st.sampled_from(["append", "overwrite", "replace", "delete", "touch"]),
    st.sampled_from(["log", "a/state", "a/b/events", "a/optimizer.pt"]),
    st.binary(max_size=6),
)


def operate(run: Path, kind: str, path: str, data: bytes, moment: int) -> None:
    target = run / path
    if kind in ("delete", "touch") and not target.exists():
        return
    if kind == "delete":
        target.unlink()
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if kind == "replace":
        (run / "new").write_bytes(data)
        (run / "new").replace(target)
    elif kind != "touch":
        with target.open("ab" if kind == "append" else "wb") as file:
            file.write(data)
    os.utime(target, ns=(moment, moment))  # two changes within one tick of the file system's clock look like one


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(OPERATIONS, max_size=4), max_size=8))
def test_every_polled_state_comes_back(rounds):
    with tempfile.TemporaryDirectory() as folder:
        run, clock, moment = Path(folder) / "run", Clock(), 0
        run.mkdir()
        recorder, stood = Recorder(run, clock=clock), []
        for operations in rounds:
            for operation in operations:
                moment += 1
                operate(run, *operation, moment)
            clock.now += 1.0
            recorder.poll()
            stood.append((clock.now - BEGAN, tree(run)))
        recorder.save(Path(folder) / "r.mrec", scenario="", summary="", producer={})
        player = Player([Recording.open(Path(folder) / "r.mrec")], Path(folder) / "again")
        for t, content in stood:
            player.advance(t)
            assert tree(player.into / "run") == content


def test_growth_is_an_append_only_when_what_was_there_stayed(tmp_path):
    log, clock = tmp_path / "log", Clock()
    recorder = Recorder(tmp_path, clock=clock)
    for content in (b"a" * 5000, b"a" * 5000 + b"more", b"b" * 6000, b"b" * 6000 + b"."):
        log.write_bytes(content)
        os.utime(log, ns=(0, len(recorder.events)))
        assert recorder.poll() == 1
    assert [(event.kind, event.offset, len(event.data)) for event in recorder.events] == [
        ("append", 0, 5000),
        ("append", 5000, 4),
        ("write", 0, 6000),
        ("append", 6000, 1),
    ]
    assert recorder.poll() == 0


def test_an_event_has_the_files_own_time_within_the_poll(tmp_path):
    clock = Clock()
    recorder = Recorder(tmp_path, clock=clock)
    (tmp_path / "log").write_bytes(b"x")
    os.utime(tmp_path / "log", (BEGAN + 0.25, BEGAN + 0.25))
    (tmp_path / "old").write_bytes(b"x")
    os.utime(tmp_path / "old", (5.0, 5.0))
    clock.now += 1.0
    recorder.poll()
    assert [(event.path, event.t) for event in recorder.events] == [("log", 0.25), ("old", 1.0)]


def test_links_and_pipes_are_not_followed_or_opened(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    (run / "link").symlink_to(tmp_path / "secret")
    (run / "up").symlink_to(tmp_path)
    os.mkfifo(run / "pipe")
    assert Recorder(run).poll() == 0


def test_what_vanishes_while_it_is_looked_at_is_not_an_error(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "log").write_bytes(b"x")

    def vanish(path: str) -> bool:
        (run / path).unlink()
        return False

    recorder = Recorder(run, left_out=vanish)
    assert recorder.poll() == 0
    (run / "log").write_bytes(b"y")
    recorder = Recorder(run)
    recorder.poll()
    shutil.rmtree(run)
    assert recorder.poll() == 1
    assert recorder.events[-1].kind == "delete"


# --- the player


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


# --- what is not a recording


def raw(path: Path, header: dict[str, Any] | None = None, *lines: bytes) -> Path:
    said = {
        "format": "mens-recording/1",
        "name": "run",
        "scenario": "test",
        "summary": "",
        "started_at": BEGAN,
        "duration": 10.0,
        "events": len(lines),
        "files": {"log": 3},
        "left_out": [],
        "processes": [],
        "producer": {},
    }
    path.write_bytes(lzma.compress(json.dumps({**said, **(header or {})}).encode() + b"\n" + b"".join(lines)))
    return path


def event(content: bytes = b"", **facts: Any) -> bytes:
    return json.dumps(facts).encode() + b"\n" + content


HOSTILE = [
    "/etc/passwd",
    "../up",
    "a/../../up",
    "a/..",
    ".",
    "",
    "a//b",
    "a/",
    "./a",
    "a\\b",
    "a\nb",
    "\x1b[2J",
    "a\0b",
]


@pytest.mark.parametrize("path", HOSTILE)
def test_hostile_paths_are_refused(tmp_path, path):
    with pytest.raises(ValueError, match="path"):
        check_path(path)
    with pytest.raises(RecordingError, match="path"):
        Recording.open(raw(tmp_path / "r.mrec", {"files": {path: 1}}))
    with pytest.raises(RecordingError, match="path"):
        Recording.open(raw(tmp_path / "r.mrec", {"name": path}))
    stream = raw(tmp_path / "r.mrec", None, event(t=0, kind="delete", path=path))
    with pytest.raises(RecordingError, match="does not list"):
        list(Recording.open(stream).events())


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"format": "mens-recording/2"}, "format is 'mens-recording/2'"),
        ({"name": "a/b"}, "not one folder"),
        ({"name": 5}, "name is 5"),
        ({"summary": "\x1b]0;x\x07"}, "summary is"),
        ({"duration": -1}, "duration is -1"),
        ({"duration": True}, "duration is True"),
        ({"started_at": float("inf")}, "started_at is inf"),
        ({"events": 1.5}, "events is 1.5"),
        ({"files": []}, "files is not an object"),
        ({"files": {"log": -1}}, "log is -1"),
        ({"files": {"a": 1, "a/b": 1}}, "a is a file and a folder"),
        ({"left_out": "log"}, "left_out is not a list"),
        ({"left_out": [1]}, "left_out is 1"),
        ({"processes": [7]}, "a process is not an object"),
        ({"processes": [{"pid": 1, "command": ["x"], "started": "now"}]}, "started is 'now'"),
        ({"producer": {"python": 3}}, "python is 3"),
    ],
)
def test_a_wrong_header_is_named(tmp_path, said, reason):
    with pytest.raises(RecordingError, match=reason) as refused:
        Recording.open(raw(tmp_path / "wrong.mrec", said))
    assert "wrong.mrec: " in str(refused.value)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([event(t=1, kind="rename", path="log")], "unknown kind of event 'rename'"),
        ([event(kind="delete", path="log")], "t is None"),
        ([event(t=11, kind="delete", path="log")], "out of order"),
        ([event(t=2, kind="process", pid=1), event(t=1, kind="process", pid=1)], "out of order"),
        ([event(t=1, kind="process", pid="1")], "pid is '1'"),
        ([event(t=1, kind="delete", path="log")], "does not exist"),
        ([event(b"abc\n", t=1, kind="append", path="log", offset=7, size=3)], "appended to at 7 but is 0"),
        ([event(b"abc", t=1, kind="append", path="log", offset=0, size=3)], "content of log is torn"),
        ([event(b"abcd\n", t=1, kind="append", path="log", offset=0, size=3)], "content of log is torn"),
        ([event(t=1, kind="write", path="log", size=MAX_CONTENT + 1)], "size is"),
        ([event(t=1, kind="write", path="log", size=MAX_CONTENT)], "torn"),
        ([event(t=1, kind="stand_in", path="log", size=1 << 50)], "size is"),
        ([b"not json\n"], "not JSON"),
        ([b"[1]\n"], "not a JSON object"),
        ([b"[" * 60_000 + b"\n"], "mrec: "),
        ([b" " * 70_000 + b"\n"], "longer than"),
        ([event(t=1, kind="process", pid=1) + b"more"], "something follows"),
    ],
)
def test_a_wrong_event_is_named(tmp_path, lines, reason):
    with pytest.raises(RecordingError, match=reason):
        list(Recording.open(raw(tmp_path / "r.mrec", None, *lines)).events())


def test_content_is_bounded_over_all_events(tmp_path, monkeypatch):
    monkeypatch.setattr("mens_console.demo.recording.MAX_CONTENT", 5)
    write = event(b"abc\n", t=1, kind="write", path="log", size=3)
    with pytest.raises(RecordingError, match="more than 5 bytes"):
        list(Recording.open(raw(tmp_path / "r.mrec", None, write, write)).events())


def test_other_files_are_refused_with_a_reason(tmp_path):
    with pytest.raises(RecordingError, match="No such file"):
        Recording.open(tmp_path / "absent")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(RecordingError, match="xz"):
        Recording.open(tmp_path / "text")
    (tmp_path / "empty").touch()
    with pytest.raises(RecordingError, match="cut short"):
        Recording.open(tmp_path / "empty")
    (tmp_path / "keys").write_bytes(lzma.compress(b'{"format": "mens-recording/1"}\n'))
    with pytest.raises(RecordingError, match="header lacks duration, events"):
        Recording.open(tmp_path / "keys")
    (tmp_path / "long").write_bytes(lzma.compress(b" " * (MAX_HEADER + 2)))
    with pytest.raises(RecordingError, match="longer than"):
        Recording.open(tmp_path / "long")
    assert "unknown kind" not in str(raw(tmp_path / "r.mrec"))


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_cut_or_flipped_file_is_an_error_and_never_a_surprise(data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.mrec"
        recording(path, [appended(0.5, b"abc"), Event(1.0, "process", pid=4), appended(2.0, bytes(range(99)), 3)])
        content = path.read_bytes()
        at = data.draw(st.integers(0, len(content) - 1))
        flip = bytes([content[at] ^ data.draw(st.integers(1, 255))])
        path.write_bytes(data.draw(st.sampled_from([content[:at], content[:at] + flip + content[at + 1 :]])))
        with pytest.raises(RecordingError):
            list(Recording.open(path).events())


def test_an_unsafe_path_cannot_be_written_either(tmp_path):
    with pytest.raises(ValueError, match="plain relative"):
        recording(tmp_path / "r", [appended(0.0, b"", path="/etc/passwd")])
