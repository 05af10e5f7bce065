"""What a writer wrote comes back, when it was written, and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from demo.synthetic import BEGAN, Clock, tree
from hypothesis import given, settings
from hypothesis import strategies as st

from mens_console.demo.player import Player
from mens_console.demo.recorder import Recorder
from mens_console.demo.recording import (
    Recording,
)

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
