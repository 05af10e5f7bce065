import errno
import os
import threading

import pytest

from mens_console.ingest.watch import Watcher, count_watches, network_filesystem


class FakeObserver:
    def __init__(self):
        self.calls = []

    def start(self):
        self.calls.append("start")

    def stop(self):
        self.calls.append("stop")

    def join(self, timeout=None):
        self.calls.append("join")


class Stage:
    """A watcher over fake observers, on a clock of its own."""

    def __init__(self, tmp_path, failure=None):
        self.now = 100.0
        self.observers, self.hints = [], []
        self.roots = self.relay = None
        self.mounts = tmp_path / "mounts"
        self.mounts.write_text("/dev/vda / ext4 rw 0 0\n")
        self.fdinfo = tmp_path / "fdinfo"
        self.fdinfo.mkdir()

        def observe(roots, relay):
            if failure is not None:
                raise failure
            self.roots, self.relay = roots, relay
            self.observers.append(FakeObserver())
            return self.observers[-1]

        self.watcher = Watcher(
            self.hints.append, observe=observe, clock=lambda: self.now, mounts=self.mounts, fdinfo=self.fdinfo
        )

    def start(self, *roots):
        self.watcher.start(roots)
        self.settle()

    def settle(self):
        starter = self.watcher._starter
        if starter is not None:
            starter.join(5)


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


def test_hints_pass_through(stage, tmp_path):
    stage.start(tmp_path)
    assert stage.watcher.mode == "hints"
    assert stage.roots == (str(tmp_path),)
    stage.relay("/a")
    assert stage.hints == ["/a"]
    stage.watcher.close()
    assert stage.observers[0].calls == ["start", "stop", "join"]
    stage.relay("/late")
    assert stage.hints == ["/a"]
    assert stage.watcher.mode == "off"


def test_a_storm_turns_to_polling_and_quiet_returns_to_hints(stage, tmp_path):
    stage.start(tmp_path)
    for _ in range(200):
        stage.relay("/a")
    assert stage.watcher.mode == "hints"
    stage.relay("/a")
    assert stage.watcher.mode == "polling"
    assert stage.observers[0].calls == ["start", "stop"]
    assert len(stage.hints) == 201
    for second in range(12):
        stage.watcher.tick(200.0 + second, 300.0)
    assert stage.watcher.mode == "polling"
    stage.watcher.tick(300.0, 10.0)
    stage.watcher.tick(305.0, 90.0)
    stage.watcher.tick(306.0, 10.0)
    stage.watcher.tick(315.9, 10.0)
    assert stage.watcher.mode == "polling"
    stage.watcher.tick(316.0, 10.0)
    stage.settle()
    assert stage.watcher.mode == "hints"
    assert len(stage.observers) == 2
    stage.watcher.tick(400.0, 0.0)
    assert len(stage.observers) == 2


def test_steady_events_below_the_storm_stay_hints(stage, tmp_path):
    stage.start(tmp_path)
    for _ in range(10):
        for _ in range(150):
            stage.relay("/a")
        stage.now += 1.0
    assert stage.watcher.mode == "hints"


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "9p", "lustre"])
def test_network_file_systems_are_polled(stage, tmp_path, kind):
    stage.mounts.write_text(f"/dev/vda / ext4 rw 0 0\nsrv:/x {tmp_path} {kind} rw 0 0\nshort\n")
    stage.start(tmp_path)
    assert stage.watcher.mode == "polling"
    assert kind in stage.watcher.problems[0]
    assert stage.observers == []
    stage.watcher.tick(1e6, 0.0)
    stage.watcher.tick(2e6, 0.0)
    assert stage.observers == []


def test_innermost_mount_decides_and_escapes_are_undone(tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text("a / nfs4 rw 0 0\nb /data\\040set ext4 rw 0 0\nc /data\\040set/x\\y fuseblk rw 0 0\n")
    assert network_filesystem("/data set/run", mounts) is None
    assert network_filesystem("/data settled", mounts) == "nfs4"
    assert network_filesystem("/data set/x\\y", mounts) == "fuseblk"
    assert network_filesystem("/x", tmp_path / "none") is None


def test_watches_are_counted_against_folders(stage, tmp_path):
    (stage.fdinfo / "5").write_text("pos: 0\ninotify wd:2 ino:1\ninotify wd:1 ino:2\n")
    (stage.fdinfo / "6").write_text("pos: 0\n")
    (stage.fdinfo / "7").symlink_to(tmp_path / "closed")
    stage.start(tmp_path)
    assert stage.watcher.check(2) == 2
    assert stage.watcher.problems == ()
    stage.watcher.check(3)
    assert "2 of 3" in stage.watcher.problems[0]
    assert "max_user_watches" in stage.watcher.problems[0]
    assert count_watches(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "no space"), "max_user_watches"),
        (OSError(errno.EMFILE, "too many"), "max_user_instances"),
        (ImportError("no watchdog"), "no watchdog"),
        (OSError(), "OSError"),
    ],
)
def test_no_observer_means_polling(tmp_path, error, words):
    stage = Stage(tmp_path, failure=error)
    stage.start(tmp_path)
    assert stage.watcher.mode == "polling"
    assert words in stage.watcher.problems[0]


def test_closed_while_starting(tmp_path):
    go, made = threading.Event(), []

    def observe(roots, relay):
        go.wait(5)
        made.append(FakeObserver())
        return made[0]

    watcher = Watcher(lambda path: None, observe=observe)
    watcher.start([tmp_path])
    closer = threading.Thread(target=watcher.close)
    watcher._end("off")
    go.set()
    closer.start()
    closer.join(5)
    assert made[0].calls == ["start", "stop"]


def test_closed_between_a_thread_and_its_start(tmp_path, monkeypatch):
    watcher = Watcher(lambda path: None, observe=lambda roots, relay: FakeObserver())

    class Late(threading.Thread):
        def start(self):
            watcher.close()  # as another thread does meanwhile
            super().start()

    monkeypatch.setattr("mens_console.ingest.watch.threading.Thread", Late)
    watcher.start([tmp_path])
    watcher._starter.join(10)
    assert watcher.mode == "off"


def test_real_kernel_hints_and_no_echo_of_our_own_reading(tmp_path):
    seen, came = [], threading.Condition()

    def take(path):
        with came:
            seen.append(path)
            came.notify_all()

    def wait_for(path):
        with came:
            assert came.wait_for(lambda: str(path) in seen, timeout=10), seen

    log = tmp_path / "run" / "metrics.jsonl"
    log.parent.mkdir()
    watcher = Watcher(take)
    watcher.start([tmp_path])
    watcher._starter.join(10)
    assert watcher.mode == "hints"
    watched = watcher.check(2)
    assert watched is None or watched >= 2
    log.write_bytes(b"1\n")
    wait_for(log)
    for number in range(2):  # one write gives several events: those before a mark have come when the mark has
        mark = log.with_name(f"mark{number}")
        before = len(seen)
        log.read_bytes()
        mark.write_bytes(b"1\n")
        wait_for(mark)
    assert str(log) not in seen[before:]
    os.replace(log, log.with_name("moved"))
    wait_for(log.with_name("moved"))
    watcher.close()
