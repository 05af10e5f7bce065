import json
import math
import os
import subprocess
import sys

import pytest
from notify.alarms import NOW

from mens_console.notify.heartbeat import ENDED, KEPT_S, Beat, last_beat, process_start, read_heartbeat, write_beat

HERE = "box7"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "watch.json"


def beat(roots=("/runs",), *, pid=None, host=HERE, at=NOW, problem="", started=None):
    pid = os.getpid() if pid is None else pid
    started = process_start(os.getpid()) if started is None else started
    return Beat(pid, host, started, at, tuple(roots), problem, "0.1")


def read(path, *roots):
    return read_heartbeat(path, roots, host=HERE)


def gone():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_nobody_ever_watched(path):
    assert read(path, "/runs") is None
    assert math.isnan(last_beat(path, HERE, ["/runs"]))


def test_who_watches_is_seen(path):
    assert write_beat(path, beat(problem="discord 1: refused")) == ""
    view = read(path, "/runs/deep/er")
    assert (view.pid, view.host, view.beat_at, view.roots) == (os.getpid(), HERE, NOW, ("/runs",))
    assert view.problem == "discord 1: refused"
    assert read(path, "/runs", "/data") is None, "it watches only one of them"
    assert read(path) == view
    assert path.stat().st_mode & 0o777 == 0o600
    assert last_beat(path, HERE, ["/runs"]) == NOW


def test_a_process_that_is_gone_is_told_apart(path):
    write_beat(path, beat(pid=gone()))
    assert "is gone without having said so" in read(path, "/runs").problem
    write_beat(path, beat(started=5.0))
    assert "is gone" in read(path, "/runs").problem, "another process has its number"
    write_beat(path, beat(problem=ENDED))
    assert read(path, "/runs").problem == ENDED


def test_another_machine_is_told_apart(path):
    write_beat(path, beat(host="box8", pid=1, started=1.0))
    view = read(path, "/runs")
    assert (view.host, view.problem) == ("box8", "")


def test_the_living_and_the_near_come_first(path):
    write_beat(path, beat(("/runs",), host="box8", at=NOW + 9))
    write_beat(path, beat(("/",), at=NOW + 1))
    write_beat(path, beat(("/runs/x", "/runs"), pid=gone(), at=NOW + 20))
    assert read(path, "/runs").roots == ("/",)
    write_beat(path, beat(("/",), at=NOW + 30, problem=ENDED))
    assert read(path, "/runs").host == "box8"


def test_each_keeps_its_own_and_the_old_are_forgotten(path):
    write_beat(path, beat(("/a",)))
    write_beat(path, beat(("/b",)))
    write_beat(path, beat(("/a",), at=NOW + 15))
    assert sorted(w["beat_at"] for w in json.loads(path.read_text())["watchers"]) == [NOW, NOW + 15]
    write_beat(path, beat(("/c",), at=NOW + KEPT_S + 1))
    assert read(path, "/b") is None
    assert read(path, "/a") is not None


@pytest.mark.parametrize(
    "text", ["", "{", "3", '{"schema": "mens-watch/1", "watchers": [{}]}', '{"schema": "x"}', "pid"]
)
def test_a_damaged_file_is_nobody_and_is_replaced(path, text):
    write_beat(path, beat())
    path.write_text(path.read_text().replace(f'"pid": {os.getpid()}', '"pid": -1') if text == "pid" else text)
    assert read(path, "/runs") is None
    assert write_beat(path, beat()) == ""
    assert read(path, "/runs") is not None


def test_what_cannot_be_written_is_told(path):
    path.parent.write_text("")
    assert "consoles do not see this daemon" in write_beat(path, beat())
    assert read(path, "/runs") is None
