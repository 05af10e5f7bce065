import json
import os
import signal
import socket
import subprocess
import sys

import psutil
import pytest

from mens_console.soak import control
from mens_console.soak.control import HeldError, Lock, Self, boot_id, holder, start_of, stop, told
from mens_console.soak.levels import Gpus, Levels, Watched


def process(code):
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


@pytest.fixture
def sleeper():
    made = process("import time; print('up', flush=True); time.sleep(600)")
    made.stdout.readline()
    yield made
    made.kill()
    made.communicate()


HOLDS = """
import os, pathlib, signal, sys, time
from mens_console.soak.control import Lock, Self
folder = pathlib.Path(sys.argv[1])
lock, own = Lock(folder), Self(folder)
own.write(state="running", beat=time.time(), now_s=1.0)
signal.signal(signal.SIGTERM, lambda *_: told.append("TERM"))
signal.signal(signal.SIGINT, lambda *_: told.append("INT"))
told = []
print("up", flush=True)
while len(told) < int(sys.argv[2]):
    time.sleep(0.01)
(folder / "signals").write_text(" ".join(told))
"""


def holding(folder, signals=1):
    made = subprocess.Popen([sys.executable, "-c", HOLDS, str(folder), str(signals)], stdout=subprocess.PIPE, text=True)
    assert made.stdout.readline() == "up\n"
    return made


def ask(folder, **options):
    return stop(folder, **({"now": False, "wait_s": 10.0, "tell": lambda _: None} | options))


def test_a_lock_is_one_drivers(tmp_path):
    first = Lock(tmp_path)
    assert holder(tmp_path) == str(os.getpid())
    with pytest.raises(HeldError, match=f"^{os.getpid()}$"):
        Lock(tmp_path, patience_s=0.0)
    first.release()
    assert holder(tmp_path) is None
    Lock(tmp_path).release()


def test_a_driver_is_asked_and_waited_for(tmp_path):
    driver = holding(tmp_path)
    said = []
    assert ask(tmp_path, tell=said.append).outcome == "ended"
    assert driver.wait(10) == 0
    assert (tmp_path / "signals").read_text() == "TERM"
    assert f"process {driver.pid}" in said[0]
    assert ask(tmp_path).outcome == "none"


def test_at_once_means_two_signals(tmp_path):
    driver = holding(tmp_path, signals=2)
    assert ask(tmp_path, now=True).outcome == "ended"
    assert driver.wait(10) == 0
    assert (tmp_path / "signals").read_text() == "TERM INT"


def test_one_that_is_halted_hears_of_it(tmp_path):
    driver = holding(tmp_path)
    driver.send_signal(signal.SIGSTOP)
    assert ask(tmp_path).outcome == "ended"
    driver.communicate()


def test_one_that_goes_on_is_told(tmp_path):
    driver = holding(tmp_path, signals=5)
    assert ask(tmp_path, wait_s=0.2).outcome == "going"
    driver.kill()
    driver.communicate()


@pytest.mark.parametrize(
    ("changed", "outcome"),
    [
        ({"process_start": 1.0}, "none"),
        ({"boot_id": "another"}, "none"),
        ({"boot_id": "another", "host": "elsewhere"}, "elsewhere"),
        ({"pid": 0}, "none"),
        ({"pid": -1}, "none"),
        ({"pid": True}, "none"),
        ({"pid": "1"}, "none"),
        ({}, "none"),  # the process lives and is the right one, but holds no lock
    ],
)
def test_nobody_else_is_ever_signalled(tmp_path, sleeper, changed, outcome):
    facts = {
        "pid": sleeper.pid, "boot_id": boot_id(), "host": socket.gethostname(),
        "process_start": start_of(sleeper.pid),
    }  # fmt: skip
    (tmp_path / "driver.json").write_text(json.dumps(facts | changed))
    assert ask(tmp_path).outcome == outcome
    assert sleeper.poll() is None


@pytest.mark.parametrize("data", [b"", b"[1]", b"{", b"\xff\xfe", b"[" * 50_000, None])
def test_what_is_no_word_of_a_driver_is_none(tmp_path, data):
    if data is None:
        os.mkfifo(tmp_path / "driver.json")
    else:
        (tmp_path / "driver.json").write_bytes(data)
    assert told(tmp_path) == {}
    assert ask(tmp_path).outcome == "none"


def test_what_a_driver_says_is_whole_and_private(tmp_path):
    own = Self(tmp_path)
    for now in range(50):
        own.write(now_s=now, text="é" * 300)
        assert told(tmp_path)["now_s"] == now
    assert (tmp_path / "driver.json").stat().st_mode & 0o077 == 0
    assert [one.name for one in tmp_path.iterdir()] == ["driver.json"]


def test_a_full_disk_still_shows_a_beat(tmp_path, monkeypatch):
    own = Self(tmp_path)
    own.write(now_s=1)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(own, "_replace", full)
    own.write(now_s=2)
    assert told(tmp_path)["now_s"] == 2
    assert own.problem == "no space left on device"


def test_a_start_tells_processes_apart(sleeper):
    assert start_of(os.getpid()) == start_of(os.getpid())
    assert start_of(sleeper.pid) != start_of(os.getpid())
    assert start_of(2**22 + 1) is None
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody took its status yet
    assert start_of(sleeper.pid) is None


# ---------------------------------------------------------------------- levels


def test_the_memory_of_a_process_and_its_children():
    code = (
        "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', "
        "\"held = b'x' * 60_000_000; print('up', flush=True); import time; time.sleep(600)\"]); child.wait()"
    )
    parent = process(code)
    parent.stdout.readline()
    watched = Watched(parent.pid)
    both = watched.rss()
    for child in psutil.Process(parent.pid).children():
        child.kill()
    parent.wait()
    parent.stdout.close()
    assert both > 60e6
    levels = Levels(watched, None)
    assert levels.read(0.0) == {}
    assert levels.read(1.0) == {}
    assert len(levels.news) == 1
    assert "is gone" in levels.news[0]


def test_another_process_of_the_same_number_is_not_watched(sleeper):
    assert Watched(sleeper.pid, start_of(sleeper.pid)).rss() > 0
    with pytest.raises(LookupError, match="another one"):
        Watched(sleeper.pid, 12.5)
    with pytest.raises(LookupError, match="no process"):
        Watched(2**22 + 1)


class Binding:
    """A management library of two GPUs."""

    class NVMLError(Exception):
        value = 999

    def __init__(self, fails=()):
        self.fails, self.opened = set(fails), 0

    def nvmlInit(self):
        self.opened += 1
        if "init" in self.fails:
            raise self.NVMLError

    def nvmlShutdown(self):
        pass

    def nvmlSystemGetDriverVersion(self):
        return "1"

    def nvmlSystemGetCudaDriverVersion(self):
        return 12000

    def nvmlDeviceGetCount(self):
        return 2

    def nvmlDeviceGetHandleByIndex(self, index):
        return index

    def nvmlDeviceGetMemoryInfo(self, index):
        if index in self.fails:
            raise self.NVMLError
        return type("Memory", (), {"used": 10 + index})


def test_gpu_memory_is_that_of_all_or_none():
    assert Gpus(lambda: Binding()).used(0.0) == 21
    assert Gpus(lambda: Binding(fails=[1])).used(0.0) is None
    assert Levels(None, Gpus(lambda: Binding(fails=["init"]))).read(0.0) == {}


def test_a_driver_that_is_not_there_is_seldom_asked_for():
    binding = Binding(fails=["init"])
    gpus = Gpus(lambda: binding)
    for now in range(0, 290, 10):
        assert gpus.used(float(now)) is None
    assert binding.opened == 1
    binding.fails.clear()
    assert gpus.used(400.0) == 21


def test_a_lock_file_that_cannot_be_a_lock(tmp_path):
    (tmp_path / control.LOCK).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        Lock(tmp_path)
    assert not (tmp_path / "elsewhere").exists()
