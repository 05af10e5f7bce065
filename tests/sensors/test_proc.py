"""What is read of /proc, on files written by hand and on the box itself."""

import os
import sys

import pytest

from mens_console.sensors.elsewhere import ElsewhereFamily, ElsewhereHost
from mens_console.sensors.proc import Family, Host, Rates

PAGE, TICK = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")


def process(proc, pid, *, name="python", state="S", ticks=(0, 0, 0, 0), pages=100, threads=None, read=None):
    folder = proc / str(pid)
    fields = [state, 1, *range(9), *ticks, *range(5), 1000, pages, 0]
    for thread, children in (threads or {pid: ()}).items():
        (folder / "task" / str(thread)).mkdir(parents=True, exist_ok=True)
        (folder / "task" / str(thread) / "children").write_text(" ".join(map(str, children)))
    (folder / "stat").write_text(f"{pid} ({name}) {' '.join(map(str, fields))}\n")
    if read is not None:
        (folder / "io").write_text(f"rchar: 9\nread_bytes: {read}\ncancelled_write_bytes: 0\n")
    return folder


def test_a_family_is_told_apart_into_the_process_and_its_workers(tmp_path):
    process(tmp_path, 10, ticks=(TICK, 0, 0, 0), threads={10: (11,), 19: (12,)}, read=0)
    process(tmp_path, 11, name="data) R (loader", state="D", threads={11: (13,)}, read=0)
    process(tmp_path, 12, pages=50, read=0)
    process(tmp_path, 13, pages=7, read=0)
    family = Family(tmp_path, 10)
    told, workers = family.read(0.0)
    assert told == {"rss_bytes": 100 * PAGE}  # rates take two readings
    assert workers == {"count": 3, "rss_bytes": 157 * PAGE, "waiting": 1}
    process(tmp_path, 10, ticks=(2 * TICK, TICK, 0, 0), threads={10: (11,), 19: (12,)}, read=5000)
    process(tmp_path, 12, ticks=(TICK, 0, 0, 0), pages=50, read=3000)
    told, workers = family.read(4.0)
    assert told["cpu_percent"] == 50.0
    assert told["disk_read_bytes_per_s"] == 2000.0
    assert workers["cpu_percent"] == 25.0


def test_work_of_a_worker_that_ended_stays_counted(tmp_path):
    process(tmp_path, 10, threads={10: (11,)})
    process(tmp_path, 11, ticks=(3 * TICK, 0, 0, 0))
    family = Family(tmp_path, 10)
    family.read(0.0)
    process(tmp_path, 10, ticks=(0, 0, 4 * TICK, 0))  # waited for: its time is its parent's now
    assert family.read(2.0)[1] == {"count": 0, "cpu_percent": 50.0}


def test_what_may_not_be_read_is_left_out(tmp_path):
    process(tmp_path, 10, threads={10: (11,)}, read=0)
    process(tmp_path, 11)  # its io belongs to somebody else
    family = Family(tmp_path, 10)
    family.read(0.0)
    assert "disk_read_bytes_per_s" not in family.read(1.0)[0]
    (tmp_path / "10" / "task" / "10" / "children").unlink()  # a kernel that does not tell
    told, workers = family.read(2.0)
    assert workers == {}
    assert "cpu_percent" in told
    (tmp_path / "10" / "stat").write_text("10 (python) S nothing\n")
    assert family.read(3.0) == ({}, {})


def test_processes_that_name_each_other_are_counted_once(tmp_path):
    process(tmp_path, 10, threads={10: (11,)})
    process(tmp_path, 11, threads={11: (10, 11, 12)})  # 12 is gone already
    assert Family(tmp_path, 10).read(0.0)[1]["count"] == 1


def host_files(proc, *, stat="cpu  100 0 100 700 100 0 0 0 50 0", read=0, stall=0, received=0):
    (proc / "net").mkdir(parents=True, exist_ok=True)
    (proc / "pressure").mkdir(exist_ok=True)
    (proc / "stat").write_text(f"{stat}\ncpu0 1 2 3\n")
    (proc / "meminfo").write_text("MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:   400 kB\n")
    (proc / "loadavg").write_text("3.50 2.00 1.00 1/100 1\n")
    (proc / "pressure" / "io").write_text(f"some avg10=0.00 avg60=0.00 avg300=0.00 total={stall}\nfull total=1\n")
    disk = f"8 0 sda 1 0 {read} 0 1 0 20 0 0 0 0\n"
    (proc / "diskstats").write_text(f"{disk}8 1 sda1 1 0 {read} 0 1 0 20 0 0 0 0\n7 0 loop0 1 0 9 0 1 0 9 0\nbroken\n")
    head = "Inter-| Receive | Transmit\n face |bytes packets\n"
    net = f" eth0: {received} 1 0 0 0 0 0 0 700 1 0 0 0 0 0 0\n    lo: 999 1 0 0 0 0 0 0 999 1 0 0 0 0 0 0\n"
    (proc / "net" / "dev").write_text(head + net)


@pytest.fixture
def block(tmp_path):
    (tmp_path / "block" / "sda" / "device").mkdir(parents=True)
    return tmp_path / "block"


def test_the_host_as_the_kernel_tells_of_it(tmp_path, block):
    host_files(tmp_path)
    host = Host(proc=tmp_path, block=block)
    first = host.read(0.0)
    assert first == {"load1": 3.5, "memory_total_bytes": 1_024_000, "memory_available_bytes": 409_600}
    host_files(tmp_path, stat="cpu  150 0 150 780 120 0 0 0 90 0", read=200, stall=500_000, received=4000)
    told = host.read(2.0)
    assert (told["cpu_percent"], told["iowait_percent"]) == (50.0, 10.0)
    assert told["io_stall_percent"] == 25.0
    assert "memory_stall_percent" not in told  # this kernel has no such file
    assert told["disk_read_bytes_per_s"] == 200 * 512 / 2  # the disk once, without its partition
    assert told["net_received_bytes_per_s"] == 2000.0
    assert told["net_sent_bytes_per_s"] == 0.0  # measured, and nothing


def test_a_limit_counts_only_where_it_is_lower_than_the_host(tmp_path, block):
    host_files(tmp_path)
    told = Host(lambda: (500_000, 450_000), tmp_path, block).read(0.0)
    assert (told["memory_limit_bytes"], told["limit_used_bytes"]) == (500_000, 450_000)
    assert "memory_limit_bytes" not in Host(lambda: (2_000_000, 1), tmp_path, block).read(0.0)


def test_a_host_that_tells_nothing_is_nothing(tmp_path):
    host = Host(proc=tmp_path, block=tmp_path)
    assert host.read(0.0) == host.read(1.0) == {}
    (tmp_path / "stat").write_text("cpu  -1 x\n")
    (tmp_path / "meminfo").write_text("MemTotal: lots\n")
    (tmp_path / "loadavg").write_text("")
    assert host.read(2.0) == {}


def test_a_counter_that_began_anew_has_no_rate_for_once():
    rates = Rates()
    assert [rates.per_s("x", at, total) for at, total in ((0, 10), (1, 4), (2, 6), (2, 9), (3, None), (4, 9))] == [
        None, None, 2.0, None, None, None,
    ]  # fmt: skip


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_this_very_process():
    family, host = Family(), Host()
    family.read(0.0)
    told, workers = family.read(1.0)
    assert told["rss_bytes"] > 1_000_000
    assert workers["count"] >= 0
    assert host.read(0.0)["memory_available_bytes"] > 0


def test_without_proc_psutil_tells_the_same_and_without_both_there_is_nothing():
    family, host = ElsewhereFamily(), ElsewhereHost()
    family.read(0.0)
    assert family.read(1.0)[0]["rss_bytes"] > 1_000_000
    assert host.read(0.0)["memory_total_bytes"] > 0
    assert ElsewhereFamily(lambda: None).read(0.0) == ({}, {})
    assert ElsewhereHost(lambda: None).read(0.0) == {}
