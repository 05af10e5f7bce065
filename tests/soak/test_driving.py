import json
import os
import pty
import resource
import signal
import time
from pathlib import Path

import pytest
from soak.drives import length
from soak.driving import Box, adds_up, agrees, record_of, rows_of, starved, wait_for

from mens_console.soak.control import told

pytestmark = pytest.mark.e2e


@pytest.fixture
def box(tmp_path):
    made = Box(tmp_path)
    yield made
    made.close()


def ended(process):
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def answered(folder, n):
    """Whether so many requests ended."""
    return lambda: sum(row["k"] == "r" for row in rows_of(folder)) >= n


def good(folder, n):
    """Whether so many requests ended well."""
    return lambda: sum(row["k"] == "r" and "err" not in row for row in rows_of(folder)) >= n


def failed(folder, n):
    """Whether so many requests found nobody."""
    return lambda: sum(row.get("err") == "connect" for row in rows_of(folder)) >= n


def test_a_soak_from_its_beginning_to_its_end(box):
    _, url = box.server()
    process, folder = box.drive(url, "--arrivals", "poisson", "--seed", 3, rate=25, seconds=3)
    status, out, err = ended(process)
    assert (status, err) == (0, "")
    assert "finished after 0:00:03" in out
    record, served, _ = agrees(box, folder)
    assert record.state == "finished"
    assert sum(minute.due for minute in record.minutes) > 30
    assert sum(minute.failures for minute in record.minutes) == 0
    if starved(record):
        pytest.skip("the box was too busy for a driver to run on it")
    assert sum(minute.lost + minute.skipped for minute in record.minutes) == 0
    assert sum(minute.output_tokens for minute in record.minutes) == 4 * len(served)
    assert [probe.ok for minute in record.minutes for probe in minute.probes] == [True]
    assert [event.kind for event in record.events] == ["start", "end"]
    assert json.loads((folder / "report.json").read_text())["requests"] == len(served)


def test_killed_in_the_middle_and_gone_on_with(box):
    _, url = box.server("--gap-ms", 100)
    process, folder = box.drive(url)
    wait_for("requests", answered(folder, 20))
    process.kill()
    process.wait()
    assert record_of(folder).state == "died"
    time.sleep(0.5)
    process = box.resume(folder, "--no-preflight")
    wait_for("more requests", answered(folder, 40))
    assert box.stop(process, folder)[0] == 143
    record, served, ended = agrees(box, folder)
    assert record.state == "stopped"
    lost, skipped = (sum(getattr(one, name) for one in record.minutes) for name in ("lost", "skipped"))
    assert skipped >= 9  # half a second of them at least
    assert sum(minute.due for minute in record.minutes) == len(ended) + lost + skipped
    assert len(ended) <= len(served) <= len(ended) + lost  # what was sent may not have come to the server
    unseen = [(event.begin, event.end) for event in record.events if event.begin is not None]
    gap = next(event for event in record.events if event.kind == "resume")
    assert gap.end - gap.begin >= 0.5
    told = sum(minute.unobserved_s for minute in record.minutes)
    assert told == pytest.approx(length(unseen, 0.0, record.now_s), abs=1e-3)


def test_a_driver_that_is_halted_blames_nobody_else(box):
    _, url = box.server()
    process, folder = box.drive(url)
    wait_for("requests", answered(folder, 20))
    process.send_signal(signal.SIGSTOP)
    time.sleep(6.5)
    process.send_signal(signal.SIGCONT)
    n = len(rows_of(folder))
    wait_for("more rows", lambda: len(rows_of(folder)) > n + 60)
    assert box.stop(process, folder)[0] == 143
    record, _, _ = agrees(box, folder)
    unseen = [event for event in record.events if event.kind in ("held", "gap")]  # a slow box has more than ours
    held = max((event for event in unseen if event.kind == "held"), key=lambda event: event.end - event.begin)
    assert held.end - held.begin > 6.0
    spans = [(event.begin, event.end) for event in unseen]
    told = sum(minute.unobserved_s for minute in record.minutes)
    assert told == pytest.approx(length(spans, 0.0, record.now_s), abs=1e-3)
    assert sum(minute.failures for minute in record.minutes) == 0
    late = [row for row in rows_of(folder) if row["k"] == "r" and held.begin <= row["due"] < held.end]
    assert all(held.end - row["due"] <= 5.0 for row in late)
    assert sum(minute.skipped for minute in record.minutes) >= 20


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_lets_requests_end(box, number):
    _, url = box.server("--gap-ms", 1000)
    process, folder = box.drive(url, rate=200)
    wait_for("requests", answered(folder, 50))
    process.send_signal(number)
    status, out, _ = ended(process)
    assert status == 128 + number
    assert "requests in flight may take" in out
    record, served, ended_ = agrees(box, folder)
    assert record.state == "stopped"
    assert starved(record) or served.keys() == ended_.keys()


def test_asked_twice_it_cuts_requests_short(box):
    _, url = box.server("--gap-ms", 60_000, "--gap-spread", 0)
    process, folder = box.drive(url)
    wait_for("requests", lambda: sum(row["k"] == "s" for row in rows_of(folder)) > 10)
    status, _, _ = box.do("stop", folder, "--now")
    assert status == 0
    assert ended(process)[0] == 143
    record = record_of(folder)
    assert record.state == "stopped"
    assert sum(minute.lost for minute in record.minutes) > 10
    assert sum(minute.ended for minute in record.minutes) == 0


def test_a_terminal_that_goes_away_ends_nothing(box):
    _, url = box.server()
    folder = box.folder / "soak"
    words = ["run", "--url", url, "--model", "fake-model", "--rate", "20", "--duration", "1h", "--out", str(folder)]
    pid, terminal = pty.fork()
    if pid == 0:
        from soak.driving import COMMAND

        os.chdir(box.folder)
        os.execve(COMMAND[0], [*COMMAND, *words, "--max-tokens", "4"], box.environ)
    try:
        wait_for("requests", lambda: folder.exists() and answered(folder, 20)())
        shown = bytearray()
        wait_for("a line of progress", lambda: shown.extend(os.read(terminal, 65536)) or b"answered" in shown)
        os.close(terminal)
        before = len(rows_of(folder))
        wait_for("more rows", lambda: len(rows_of(folder)) > before + 60)
        assert told(folder)["pid"] == pid
        status, out, _ = box.do("stop", folder)
        assert status == 0
        assert "has stopped" in out
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 143
        pid = 0
    finally:
        if pid:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    agrees(box, folder)


def test_left_running_by_itself(box):
    _, url = box.server()
    folder = box.folder / "soak"
    status, out, err = box.do(
        "run", "--url", url.replace("//", "//me:secret@"), "--model", "fake-model", "--rate", 20, "--duration", "1h",
        "--out", folder, "--detach",
        "--limit", "rss=80G", "--tag", "gpus=2", "--tag", "note=a b", "--watch-pid", os.getpid(), "--max-tokens", 4,
    )  # fmt: skip
    assert status == 0, err
    pid = told(folder)["pid"]
    try:
        assert f"process {pid} drives" in out
        assert os.getsid(pid) == pid
        assert b"secret" not in Path(f"/proc/{pid}/cmdline").read_bytes()
        wait_for("requests", answered(folder, 10))
        assert box.do("status", folder)[0] == 0
        second = box.do("run", "--out", folder)
        assert second[0] == 2
        assert f"process {pid} drives it already" in second[2]
        assert box.do("stop", folder)[0] == 0
    finally:
        box.do("stop", folder, "--now")
    assert not [path for path in folder.iterdir() if b"secret" in path.read_bytes()]
    record = record_of(folder)
    assert (record.plan.tags, record.plan.limits) == ({"gpus": "2", "note": "a b"}, {"rss": 80e9})
    assert record.plan.probe_path == "/health"
    assert box.do("stop", folder)[0] == 2


def test_what_keeps_a_detached_driver_from_beginning_is_told(box):
    _, url = box.server()
    first, folder = box.drive(url)
    words = ["--url", url, "--model", "fake-model", "--rate", 1, "--duration", "5s", "--out", folder]
    status, _, err = box.do("run", *words, "--detach", "--no-preflight")
    assert status == 2
    assert "holds a soak with --rate 20.0, and 1.0 was asked for" in err
    first.kill()


def test_a_server_that_dies_and_comes_back(box):
    server, url = box.server()
    process, folder = box.drive(url)
    wait_for("requests", answered(folder, 20))
    server.kill()
    server.wait()
    wait_for("failures", failed(folder, 20))
    n = sum("err" not in row and row["k"] == "r" for row in rows_of(folder))
    box.server(port=url.rpartition(":")[2])
    wait_for("answers", good(folder, n + 20))
    assert box.stop(process, folder)[0] == 143
    record, _, ended_ = agrees(box, folder)
    assert record.state == "stopped"
    errors = {kind: n for minute in record.minutes for kind, n in minute.failed.items()}
    assert errors["connect"] >= 20
    assert sum(errors.values()) + sum(m.ended - m.failures for m in record.minutes) == len(ended_)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:9", "127.0.0.1:9"),
        ("ftp://example.org", "ftp"),
        ("http://nowhere.invalid:8000", "nowhere.invalid"),
    ],
)
def test_a_wrong_url_is_told(box, url, said):
    status, _, err = box.do("run", "--url", url, "--model", "m", "--rate", 1, "--duration", "5s", "--out", "soak")
    assert status == 2
    assert said in err
    assert not (box.folder / "soak").exists()


def test_a_server_that_is_not_up_yet_is_waited_for(box):
    server, url = box.server()
    server.kill()
    server.wait()
    process = box.begin(
        "run", "--url", url, "--model", "fake-model", "--rate", 5, "--duration", "1s", "--out", "soak", "--wait", "5m"
    )
    assert "it is tried again for" in process.stderr.readline()
    box.server(port=url.rpartition(":")[2])
    status, _, err = ended(process)
    assert status == 0, err
    assert record_of(box.folder / "soak").state == "finished"


def test_a_disk_that_is_full_for_a_while_loses_nothing(box):
    _, url = box.server()
    process, folder = box.drive(url)
    wait_for("requests", answered(folder, 20))
    size = sum(path.stat().st_size for path in folder.glob("journal-*"))
    before = resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size + 1000, resource.RLIM_INFINITY))
    wait_for("the problem", lambda: "cannot be written" in str(told(folder).get("problem")))
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, before)
    wait_for("rows", lambda: not told(folder).get("problem"))
    status, out, _ = box.stop(process, folder)
    assert status == 143
    assert "cannot be written" in out
    assert "can be written again" in out
    record, served, ended_ = agrees(box, folder)
    assert starved(record) or len(ended_) == len(served)


def test_a_disk_that_is_full_at_the_end_is_waited_for(box):
    _, url = box.server()
    process, folder = box.drive(url)
    wait_for("rows", lambda: len(rows_of(folder)) > 40)
    before = resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (2100, resource.RLIM_INFINITY))
    wait_for("the problem", lambda: "cannot be written" in str(told(folder).get("problem")))
    process.send_signal(signal.SIGTERM)
    wait_for("its end", lambda: told(folder).get("stopping") and told(folder).get("in_flight") == 0)
    time.sleep(0.5)
    assert process.poll() is None
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, before)
    assert ended(process)[0] == 143
    record, served, ended_ = agrees(box, folder)
    assert record.state == "stopped"
    assert starved(record) or len(served) == len(ended_)


def test_going_on_while_the_server_is_down_records_that_it_is(box):
    server, url = box.server()
    process, folder = box.drive(url)
    wait_for("requests", answered(folder, 10))
    process.kill()
    process.wait()
    server.kill()
    server.wait()
    process = box.resume(folder)
    wait_for("failures", failed(folder, 10))
    status, _, err = box.stop(process, folder)
    assert status == 143
    assert "the soak goes on all the same" in err
    record = record_of(folder)
    assert record.state == "stopped"
    assert adds_up(record)
    assert {kind for minute in record.minutes for kind in minute.failed} == {"connect"}


def test_going_on_without_the_address_that_held_a_password_says_so(box):
    _, url = box.server("--errors", "401=1")
    process, folder = box.drive(url.replace("//", "//me:hunter22@"))
    wait_for("requests", answered(folder, 5))
    process.kill()
    process.wait()
    before = (folder / "journal-000001.ndjson").read_bytes()
    status, _, err = box.do("run", "--resume", folder)
    assert status == 2
    assert "an address with user, password or query is given again with --url" in err
    assert "hunter22" not in err
    assert (folder / "journal-000001.ndjson").read_bytes() == before


def test_a_finished_soak_and_another_plan_are_refused(box):
    _, url = box.server()
    process, folder = box.drive(url, seconds=1)
    assert ended(process)[0] == 0
    status, _, err = box.do("run", "--out", folder)
    assert status == 2
    assert "has come to its end" in err
    status, _, err = box.do("run", "--out", folder, "--rate", 7)
    assert status == 2
    assert "--rate 20.0, and 7.0 was asked for" in err
    assert adds_up(record_of(folder))
