"""Rows that no disk, process or value can tear."""

import json
import math
import os
import shutil
import subprocess
import sys
import threading
import warnings
from array import array
from pathlib import Path

import pytest
from collectors.written import Clock, events, program, rows, still, wait_for

from mens_console.collectors import telemetry
from mens_console.collectors.guard import CollectorWarning
from mens_console.collectors.telemetry import TelemetryWriter
from mens_console.ingest.formats.jsonl import JsonlDecoder


def test_rows_come_out_as_they_went_in(tmp_path):
    path = tmp_path / "deep" / "telemetry.jsonl"
    writer = TelemetryWriter(path, clock=lambda: 1_790_000_000.1234)
    writer.write("step", {"step": 1, "loss": 0.1 + 0.2, "grad_norm": math.nan, "x": math.inf, "y": -math.inf})
    writer.write("lora", {"grad_a": array("d", [1.5, math.nan, math.inf])}, at=12.5)
    assert writer.close()
    assert rows(path) == [
        {
            "ts_ms": 1_790_000_000_123,
            "event": "step",
            "payload": {
                "step": 1, "loss": 0.30000000000000004, "grad_norm": "NaN", "x": "Infinity", "y": "-Infinity",
            },
        },
        {"ts_ms": 12_500, "event": "lora", "payload": {"grad_a": [1.5, None, "Infinity"]}},
    ]  # fmt: skip
    assert writer.rows == 2


def test_the_thread_writes_without_being_closed(tmp_path):
    path = tmp_path / "t.jsonl"
    writer = TelemetryWriter(path)
    writer.write("step", {"step": 1})
    wait_for(lambda: path.exists() and path.stat().st_size)
    writer.write("step", {"step": 2})
    writer.close()
    writer.write("step", {"step": 3})
    assert [row["step"] for row in events(path, "step")] == [1, 2]
    assert writer.close()


class Nasty:
    def __str__(self):
        raise RuntimeError("no")

    __repr__ = __str__


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Nasty(), "<unprintable Nasty>"),
        ({1: {"a", "b"}}, None),
        (Path("a/b"), "a/b"),
        (10**400, None),
        (2**63, str(2**63)),
        (True, True),
        (b"\xff", "b'\\xff'"),
        ("\ud800x", "?x"),
        ("a\n\x1b[2J", "a\n\x1b[2J"),
    ],
)
def test_values_that_json_does_not_know(tmp_path, value, expected):
    writer = TelemetryWriter(tmp_path / "t.jsonl")
    writer.write("step", {"step": 1, "value": value})
    writer.close()
    (found,) = events(tmp_path / "t.jsonl", "step")
    assert expected is None or found["value"] == expected
    decoder = JsonlDecoder()
    assert decoder.feed((tmp_path / "t.jsonl").read_bytes(), 0.0)[1].bad_rows == 0


def test_a_value_that_holds_itself(tmp_path):
    loop = {}
    loop["loop"] = loop
    writer = TelemetryWriter(tmp_path / "t.jsonl")
    writer.write("step", loop)
    writer.close()
    assert "…" in json.dumps(rows(tmp_path / "t.jsonl"), ensure_ascii=False)


def test_a_torn_line_is_left_behind(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_bytes(b'{"ts_ms":1,"event":"step","payl')
    writer = TelemetryWriter(path)
    writer.write("step", {"step": 1})
    writer.close()
    first, second = path.read_bytes().splitlines()
    assert first.endswith(b"payl")
    assert json.loads(second)["payload"] == {"step": 1}


def test_what_overflows_is_counted_and_told(tmp_path):
    writer = still(TelemetryWriter(tmp_path / "t.jsonl", limit=3))
    for step in range(10):
        writer.write("step", {"step": step})
    writer.close()
    assert [row["event"] for row in rows(tmp_path / "t.jsonl")] == ["dropped", "step", "step", "step"]
    assert events(tmp_path / "t.jsonl", "dropped") == [{"rows": 7}]


def test_a_full_disk_costs_rows_and_tells_so_once(tmp_path):
    path, clock = tmp_path / "t.jsonl", Clock()
    path.symlink_to("/dev/full")
    writer = still(TelemetryWriter(path, monotonic=clock))
    with pytest.warns(CollectorWarning, match="no space is left on the device.*Rows are dropped.*free space") as told:
        for step in range(4):
            writer.write("step", {"step": step})
            writer._drain()
            clock.now += 8.0
    assert len(told) == 1
    path.unlink()
    writer.write("step", {"step": 4})
    writer._drain()
    assert [row["event"] for row in rows(path)] == ["dropped", "step"]
    assert events(path, "dropped") == [{"rows": 4}]
    writer.write("step", {"step": 5})
    assert writer.close()
    assert [row["step"] for row in events(path, "step")] == [4, 5]


def test_a_second_outage_is_told_to_the_log_alone(tmp_path, caplog):
    path, clock = tmp_path / "t.jsonl", Clock()
    writer = still(TelemetryWriter(path, monotonic=clock))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for target in ("/dev/full", None, "/dev/full"):
            path.unlink(missing_ok=True)
            if target:
                path.symlink_to(target)
            writer.write("step", {"step": 1})
            writer._drain()
            clock.now += 31.0
    assert len(told) == 1
    assert len([r for r in caplog.records if "cannot be written" in r.message]) == 2


@pytest.mark.parametrize("cut", range(0, 60, 7))
def test_a_short_write_leaves_whole_lines(tmp_path, monkeypatch, cut):
    """The kernel takes `cut` bytes of three lines of 21, and then nothing."""
    path = tmp_path / "t.jsonl"
    path.write_bytes(b"{}\n")
    lines = [b'{"n":%d,"pad":"xxxx"}\n' % n for n in range(3)]
    assert {len(line) for line in lines} == {21}
    real = os.write
    left = [cut]

    def short(fd, data):
        if not left[0]:
            raise OSError(28, "No space left on device")
        done = real(fd, data[: left[0]])
        left[0] -= done
        return done

    monkeypatch.setattr(telemetry.os, "write", short)
    fd = os.open(path, os.O_RDWR | os.O_APPEND)
    try:
        if cut < 21:
            with pytest.raises(OSError, match="No space"):
                telemetry._write_lines(fd, lines)
            kept = 0
        else:
            kept = telemetry._write_lines(fd, lines)
    finally:
        os.close(fd)
    assert kept == cut // 21
    assert path.read_bytes() == b"{}\n" + b"".join(lines[:kept])


def test_half_a_line_that_somebody_wrote_behind_is_not_cut(tmp_path, monkeypatch):
    path = tmp_path / "t.jsonl"
    real = os.write

    def short(fd, data):
        done = real(fd, data[:5])
        with path.open("ab") as other:
            other.write(b'\n{"other":1}\n')
        return done

    fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
    monkeypatch.setattr(telemetry.os, "write", short)
    with pytest.raises(OSError, match="No space"):
        telemetry._write_lines(fd, [b'{"n":1}\n'])
    os.close(fd)
    assert path.read_bytes() == b'{"n":\n{"other":1}\n'


LIMITED = """
import resource, sys, warnings
from mens_console.collectors.telemetry import TelemetryWriter
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
now = [0.0]
w = TelemetryWriter(sys.argv[1], monotonic=lambda: now[0])
w._background.wake = lambda: None
for step in range(100):
    w.write("step", {"step": step})
w._drain()
with open(sys.argv[1]) as file:
    print(file.read().count(chr(10)))
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
now[0] = 31.0
w.write("step", {"step": 100})
w.close()
"""


def test_a_limit_on_the_file_leaves_no_half_line(tmp_path):
    path = tmp_path / "t.jsonl"
    done = program(LIMITED, path)
    kept = int(done.stdout)
    assert done.stderr.count("cannot be written") == 1
    assert "ulimit -f" in done.stderr
    steps = [row["step"] for row in events(path, "step")]
    assert 10 < kept < 100
    assert steps == [*range(kept), 100]
    assert events(path, "dropped") == [{"rows": 100 - kept}]


def test_a_directory_deleted_while_running(tmp_path):
    folder, clock = tmp_path / "run", Clock()
    path = folder / "t.jsonl"
    writer = still(TelemetryWriter(path, monotonic=clock))
    writer.write("step", {"step": 1})
    writer._drain()
    shutil.rmtree(folder)
    with pytest.warns(CollectorWarning, match="the directory is gone"):
        writer.write("step", {"step": 2})
        writer._drain()
    assert not folder.exists()
    folder.mkdir()
    clock.now += 31.0
    writer.write("step", {"step": 3})
    assert writer.close()
    assert events(path, "step") == [{"step": 3}]


def test_a_file_moved_away_begins_anew(tmp_path):
    path = tmp_path / "t.jsonl"
    writer = still(TelemetryWriter(path))
    writer.write("step", {"step": 1})
    writer._drain()
    path.rename(tmp_path / "old.jsonl")
    writer.write("step", {"step": 2})
    writer.close()
    assert events(tmp_path / "old.jsonl", "step") == [{"step": 1}]
    assert events(path, "step") == [{"step": 2}]


@pytest.mark.parametrize("kind", ["fifo", "folder"])
def test_what_is_no_file_is_left_alone(tmp_path, kind):
    path = tmp_path / "t.jsonl"
    if kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    writer = still(TelemetryWriter(path))
    writer.write("step", {"step": 1})
    with pytest.warns(CollectorWarning, match="cannot be written"):
        assert not writer.close()


UNPRIVILEGED = """
import os, sys
from mens_console.collectors.telemetry import TelemetryWriter
if os.getuid() == 0:
    os.setgid(65534), os.setuid(65534)
w = TelemetryWriter(sys.argv[1])
w.write("step", {"step": 1})
print(w.close())
"""


def test_a_folder_that_may_not_be_written(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir(mode=0o555)
    for parent in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        parent.chmod(0o755)
    done = program(UNPRIVILEGED, folder / "t.jsonl")
    assert done.stdout.strip() == "False"
    assert done.stderr.count("permission is denied") == 1


MANY = """
import sys
from mens_console.collectors.telemetry import TelemetryWriter
w = TelemetryWriter(sys.argv[1], limit=10**6)
for step in range(4000):
    w.write("step", {"step": step, "who": sys.argv[2], "pad": "x" * (step % 97)})
w.close(30)
"""


def test_lines_of_two_processes_never_run_into_each_other(tmp_path):
    path = tmp_path / "t.jsonl"
    both = [subprocess.Popen([sys.executable, "-c", MANY, str(path), who]) for who in "ab"]
    assert [each.wait(60) for each in both] == [0, 0]
    written = events(path, "step")
    for who in "ab":
        assert [row["step"] for row in written if row["who"] == who] == list(range(4000))


def test_a_forked_child_writes_nothing_of_its_parents(tmp_path):
    path = tmp_path / "t.jsonl"
    writer = still(TelemetryWriter(path))
    writer.write("step", {"step": 1})
    child = os.fork()
    if child == 0:
        writer.close()
        os._exit(0 if not path.exists() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert writer.close()
    assert events(path, "step") == [{"step": 1}]


FORKED = """
import os, sys
from mens_console.collectors.telemetry import TelemetryWriter
w = TelemetryWriter(sys.argv[1])
w.write("step", {"step": 1})
child = os.fork()
if child == 0:
    w.write("step", {"step": 2})
    sys.exit()       # the end of the process writes what waits, without being asked
os.waitpid(child, 0)
w.write("step", {"step": 3})
"""


def test_a_child_may_write_rows_of_its_own_and_the_end_of_a_process_writes_all(tmp_path):
    path = tmp_path / "t.jsonl"
    program(FORKED, path)
    assert sorted(row["step"] for row in events(path, "step")) == [1, 2, 3]


def test_warnings_that_are_errors_stop_nothing(tmp_path):
    path = tmp_path / "t.jsonl"
    path.symlink_to("/dev/full")
    writer = still(TelemetryWriter(path))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        writer.write("step", {"step": 1})
        assert not writer.close()


def test_a_disk_that_hangs_holds_nobody(tmp_path, monkeypatch):
    let_go, entered = threading.Event(), threading.Event()
    real = os.write

    def hang(fd, data):
        entered.set()
        let_go.wait(30)
        return real(fd, data)

    monkeypatch.setattr(telemetry.os, "write", hang)
    path = tmp_path / "t.jsonl"
    writer = TelemetryWriter(path)
    writer.write("step", {"step": 1})
    assert entered.wait(10)
    writer.write("step", {"step": 2})
    assert not writer.close(timeout=0.01)
    let_go.set()
    wait_for(lambda: path.read_bytes().count(b"\n") == 2)
