"""Host, control groups, volumes and processes."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from mens_console.hardware.host import HostReader
from mens_console.hardware.processes import RESTING_TREE_S, TREE_S, ProcessReader
from mens_console.hardware.ring import Ring
from mens_console.hardware.volumes import POINT_S, SILENT, Mount, VolumeReader, mount_of
from mens_console.hardware.worker import HangsError, Worker
from mens_console.sensors.cgroup import memory_limit


def write(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


# ---------------------------------------------------------------------- host


def test_the_host_reads_and_rates_take_two_samples():
    host = HostReader(limit=lambda: None)
    first = host.read(100.0)
    assert (first.cpu_percent, first.net_rx, first.net_tx) == (None, None, None)
    assert first.memory_total == psutil.virtual_memory().total
    assert 0 < first.memory_used < first.memory_total
    assert first.cores == os.cpu_count()
    sum(range(3_000_000))  # some time that is not idle
    second = host.read(101.0)
    assert 0.0 <= second.cpu_percent <= 100.0
    assert second.net_rx >= 0.0
    assert second.memory_history.at == (100.0, 101.0)


def test_network_rates_leave_out_the_loopback_and_counters_that_began_anew(monkeypatch):
    counts = [1_000, 3_000, 500]

    def counters(pernic):
        assert pernic
        received = counts.pop(0)
        return {
            "lo": SimpleNamespace(bytes_recv=10**9, bytes_sent=10**9),
            "eth0": SimpleNamespace(bytes_recv=received, bytes_sent=2 * received),
        }

    monkeypatch.setattr(psutil, "net_io_counters", counters)
    host = HostReader(limit=lambda: None)
    samples = [host.read(at) for at in (100.0, 102.0, 104.0)]
    assert [(s.net_rx, s.net_tx) for s in samples] == [(None, None), (1_000.0, 2_000.0), (None, None)]


def test_a_limit_counts_only_where_it_is_lower_than_the_host():
    assert HostReader(limit=lambda: (1_000_000, 400)).read(1.0).memory_limit == 1_000_000
    assert HostReader(limit=lambda: (1 << 59, 400)).read(1.0).memory_limit is None


def test_the_tightest_control_group_of_version_2_wins(tmp_path):
    write(
        tmp_path,
        {
            "cgroup": "0::/slurm/job_1/step_0\n",
            "fs/slurm/memory.max": "9000\n",
            "fs/slurm/memory.current": "5000\n",
            "fs/slurm/job_1/memory.max": "4000\n",
            "fs/slurm/job_1/memory.current": "1000\n",
            "fs/slurm/job_1/step_0/memory.max": "max\n",
            "fs/slurm/job_1/step_0/memory.current": "900\n",
        },
    )
    assert memory_limit(tmp_path / "cgroup", tmp_path / "fs") == (4000, 1000)


def test_a_container_sees_its_own_group_at_the_root(tmp_path):
    write(tmp_path, {"cgroup": "0::/\n", "fs/memory.max": "7000\n", "fs/memory.current": "70\n"})
    assert memory_limit(tmp_path / "cgroup", tmp_path / "fs") == (7000, 70)


def test_version_1_writes_a_huge_number_for_no_limit(tmp_path):
    write(
        tmp_path,
        {
            "cgroup": "12:cpu,cpuacct:/docker/abc\n5:memory:/docker/abc\n",
            "fs/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "fs/memory/memory.usage_in_bytes": "10\n",
        },
    )
    assert memory_limit(tmp_path / "cgroup", tmp_path / "fs") is None
    write(
        tmp_path,
        {
            "fs/memory/docker/abc/memory.limit_in_bytes": "8000\n",
            "fs/memory/docker/abc/memory.usage_in_bytes": "80\n",
        },
    )
    assert memory_limit(tmp_path / "cgroup", tmp_path / "fs") == (8000, 80)


@pytest.mark.parametrize("text", ["", "nonsense\n", "0::/a\n", "::\n"])
def test_no_control_group_is_no_limit(tmp_path, text):
    write(tmp_path, {"cgroup": text})
    assert memory_limit(tmp_path / "cgroup", tmp_path / "fs") is None
    assert memory_limit(tmp_path / "none", tmp_path / "fs") is None


def test_a_ring_forgets_what_is_old_and_what_a_clock_set_back_left_ahead():
    ring = Ring(seconds=10.0)
    for at in (0.0, 5.0, 12.0):
        history = ring.add(at, at)
    assert history.at == (5.0, 12.0)
    assert ring.add(6.0, None).at == (5.0, 6.0)
    assert ring.add(7.0, 1.0).values == (5.0, None, 1.0)


# ---------------------------------------------------------------------- worker


def test_a_call_that_hangs_holds_nobody_and_the_worker_recovers():
    worker, gate = Worker("test"), threading.Event()
    assert worker.ask(lambda: 7, 5.0) == 7
    with pytest.raises(HangsError):
        worker.ask(gate.wait, 0.01)
    assert worker.hanging
    with pytest.raises(HangsError, match="earlier call"):
        worker.ask(lambda: 8, 5.0)
    done = worker._running.done
    gate.set()
    assert done.wait(5.0)
    assert worker.ask(lambda: 9, 5.0) == 9
    worker.close()


def test_what_a_call_raises_is_raised_where_it_was_asked():
    worker = Worker("test")
    with pytest.raises(ZeroDivisionError):
        worker.ask(lambda: 1 // 0, 5.0)
    worker.close()
    worker._thread.join(5.0)
    assert not worker._thread.is_alive()


# ---------------------------------------------------------------------- volumes

TABLE = (
    Mount("/", "/dev/sda1", "ext4"),
    Mount("/data", "/dev/nvme0n1p1", "xfs"),
    Mount("/data/bind", "/dev/nvme0n1p1", "xfs"),
    Mount("/nas", "nas:/export", "nfs4"),
    Mount("/work", "overlay", "overlay"),
)


def stat(total=100, free=40, available=30):
    return SimpleNamespace(f_frsize=10**9, f_blocks=total, f_bfree=free, f_bavail=available)


def reader(statvfs=lambda point: stat(), **options):
    return VolumeReader(lambda: TABLE, statvfs, options.pop("resolve", str), **options)


def folders(**paths):
    return {run: (Path(path),) for run, path in paths.items()}


@pytest.mark.parametrize(
    ("path", "point"),
    [("/home/x", "/"), ("/data/run", "/data"), ("/data", "/data"), ("/database", "/"), ("/data/bind/x", "/data/bind")],
)
def test_the_innermost_mount_holds_a_path(path, point):
    assert mount_of(path, TABLE).point == point


def test_runs_on_one_device_share_one_volume():
    found = reader().read(folders(a="/data/a", b="/data/bind/b", c="/home/c"), 0.0)
    assert [(v.mount, v.runs) for v in found] == [("/", ("c",)), ("/data", ("a", "b"))]
    assert (found[0].total, found[0].used, found[0].free) == (100 * 10**9, 60 * 10**9, 30 * 10**9)


def test_a_run_whose_checkpoints_lie_elsewhere_is_on_both_volumes():
    found = reader().read({"a": (Path("/home/a"), Path("/data/checkpoints"))}, 0.0)
    assert [(v.mount, v.runs) for v in found] == [("/", ("a",)), ("/data", ("a",))]


def test_links_are_followed():
    found = reader(resolve=lambda path: path.replace("/home/link", "/data/real")).read(folders(a="/home/link/a"), 0.0)
    assert [v.mount for v in found] == ["/data"]


def test_volumes_that_hold_no_run_any_more_go():
    volumes = reader()
    assert len(volumes.read(folders(a="/data/a"), 0.0)) == 1
    assert volumes.read({}, 1.0) == ()


def test_a_file_server_that_hangs_keeps_its_last_numbers_and_says_so():
    gate, hangs = threading.Event(), [False]

    def statvfs(point):
        if point == "/nas" and hangs[0]:
            gate.wait()
        return stat()

    volumes = reader(statvfs, patience=0.02)
    assert [v.problem for v in volumes.read(folders(a="/nas/a", b="/data/b"), 100.0)] == ["", ""]
    hangs[0] = True
    local, remote = volumes.read(folders(a="/nas/a", b="/data/b"), 200.0)
    assert (local.problem, local.at) == ("", 200.0)
    assert (remote.problem, remote.at, remote.free) == (SILENT, 100.0, 30 * 10**9)
    assert remote.network
    hangs[0] = False
    worker = volumes._volumes["nas:/export"].worker
    running = worker._running.done
    gate.set()
    assert running.wait(5.0)
    assert volumes.read(folders(a="/nas/a", b="/data/b"), 300.0)[1].problem == ""
    volumes.close()


def test_a_folder_whose_links_hang_counts_by_its_name():
    gate, asked = threading.Event(), []

    def resolve(path):
        asked.append(path)
        if "slow" in path:
            gate.wait()
        return path

    volumes = reader(resolve=resolve, patience=0.02)
    found = volumes.read(folders(a="/home/slow", b="/data/b"), 0.0)
    assert [(v.mount, v.runs) for v in found] == [("/", ("a",)), ("/data", ("b",))]
    volumes.read(folders(a="/home/slow", b="/data/b"), 1.0)
    assert asked == ["/home/slow", "/data/b"]  # neither is asked again at once
    gate.set()
    volumes.close()


def test_an_unreadable_volume_says_why():
    def statvfs(point):
        raise PermissionError(13, "Permission denied")

    (found,) = reader(statvfs).read(folders(a="/data/a"), 0.0)
    assert found.problem == "cannot be read: Permission denied"
    assert found.free is None


def test_the_fill_rate_comes_after_enough_samples():
    used = [50]
    volumes = reader(lambda point: stat(free=100 - used[0], available=90 - used[0]))
    found = ()
    for i in range(9):
        used[0] = 50 + i
        (found,) = volumes.read(folders(a="/data/a"), i * POINT_S)
        assert (found.fill is None) == (i < 8)
    assert found.fill.rate == pytest.approx(1e9 / POINT_S)
    assert found.fill_reason == ""


def test_quick_samples_do_not_fill_the_window():
    volumes = reader()
    for i in range(31):
        volumes.read(folders(a="/data/a"), float(i))
    assert len(volumes._volumes["/dev/nvme0n1p1"].points) == 3


def test_io_rates_are_of_the_device_and_missing_where_the_kernel_counts_none(monkeypatch):
    counts = [(1_000, 5_000), (3_000, 25_000)]

    def counters(perdisk):
        read, written = counts.pop(0)
        return {"nvme0n1p1": SimpleNamespace(read_bytes=read, write_bytes=written)}

    monkeypatch.setattr(psutil, "disk_io_counters", counters)
    volumes = reader()
    volumes.read(folders(a="/data/a", b="/work/b"), 100.0)
    data, overlay = volumes.read(folders(a="/data/a", b="/work/b"), 110.0)
    assert (data.read_rate, data.write_rate) == (200.0, 2_000.0)
    assert (overlay.read_rate, overlay.write_rate) == (None, None)


def test_the_real_volume_of_a_folder(tmp_path):
    (found,) = VolumeReader().read({"a": (tmp_path,)}, 0.0)
    status = os.statvfs(tmp_path)
    assert found.total == status.f_blocks * status.f_frsize
    assert found.problem == ""


# ---------------------------------------------------------------------- processes


@pytest.fixture
def family():
    """A process with one child, both waiting for their input to end."""
    child = "import sys; sys.stdin.read()"
    code = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {child!r}]); print(p.pid, flush=True); sys.stdin.read()"  # noqa: E501
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    yield parent, pid
    parent.stdin.close()
    parent.wait(10)
    parent.stdout.close()


def test_a_tree_is_followed_from_its_root(family):
    parent, child = family
    processes = ProcessReader()
    first = processes.read({parent.pid: "run"}, 100.0, looked_at=True)
    assert [(p.pid, p.depth, p.parent, p.run) for p in first] == [
        (parent.pid, 0, None, "run"),
        (child, 1, parent.pid, "run"),
    ]
    assert [p.cpu_percent for p in first] == [None, None]
    assert all(p.rss > 0 for p in first)
    again = processes.read({parent.pid: "run"}, 101.0, looked_at=True)
    assert all(p.cpu_percent >= 0.0 for p in again)
    assert processes.run_of(child) == "run"
    assert processes.run_of(1) == ""


def test_a_root_below_another_keeps_its_own_run(family):
    parent, child = family
    found = ProcessReader().read({parent.pid: "outer", child: "inner"}, 0.0, looked_at=True)
    assert [(p.pid, p.run, p.depth) for p in found] == [(parent.pid, "outer", 0), (child, "inner", 1)]


def test_what_has_ended_is_left_out(family):
    parent, child = family
    processes = ProcessReader()
    processes.read({parent.pid: "run"}, 0.0, looked_at=True)
    ended = psutil.Process(child)
    ended.kill()
    parent.stdin.close()
    parent.wait(10)
    assert psutil.wait_procs([ended], timeout=10.0)[1] == []
    assert processes.read({parent.pid: "run"}, 1.0, looked_at=True) == ()


def test_the_tree_is_looked_for_seldom(family, monkeypatch):
    parent, _ = family
    looks = []
    real = psutil.process_iter
    monkeypatch.setattr(psutil, "process_iter", lambda: looks.append(1) or real())
    processes = ProcessReader()
    for at in (0.0, 1.0, TREE_S - 1, TREE_S + 1):
        processes.read({parent.pid: "run"}, at, looked_at=True)
    assert len(looks) == 2
    processes.read({parent.pid: "run"}, TREE_S + RESTING_TREE_S - 1, looked_at=False)
    assert len(looks) == 2
    processes.read({parent.pid: "run", 1: "other"}, TREE_S + RESTING_TREE_S, looked_at=False)
    assert len(looks) == 3  # another root is news
    assert processes.read({}, 200.0, looked_at=True) == ()


def test_names_of_processes_that_cannot_be_seen_are_empty():
    processes = ProcessReader()
    assert processes.name_of(os.getpid()) == psutil.Process().name()
    assert processes.name_of(2**30) == ""
