"""Words of `mens-console soak`, and what is printed; real drivers are in tests/soak."""

import os
import pty
import signal
from dataclasses import replace
from types import SimpleNamespace

import pytest

from mens_console.cli import soak_detach
from mens_console.cli.errors import CommandError
from mens_console.cli.parser import COMMANDS, parser_of
from mens_console.cli.soak_line import Printer
from mens_console.cli.soak_plan import planned, words
from mens_console.cli.soak_status import _failing, _lately, _lately_line
from mens_console.cli.soak_telling import line
from mens_console.soak import plan as plans
from mens_console.soak.types import Minute, Plan, ProbeAt
from mens_console.soak.window import Window

PLAN = Plan(
    id="abc", url="http://127.0.0.1:1/v1/chat/completions", model="m", rate=2.0, duration_s=60.0, started=1.0,
    tags={"gpus": "2"}, limits={"rss": 8e10},
)  # fmt: skip


def parsed(*said):
    return parser_of(COMMANDS["soak"]).parse_args(["run", *said])


NEW = ("--url", "http://127.0.0.1:8000", "--model", "m", "--rate", "2", "--duration", "90s", "--out", "s")


def test_a_plan_is_what_was_said():
    folder, plan, there, endpoint = planned(
        parsed(
            *NEW, "--arrivals", "poisson", "--seed", "7", "--timeout", "30s", "--slo-ttft", "150ms",
            "--limit", "rss=80G", "--limit", "kv_cache=95%",
            "--tag", "gpus=2", "--uptime-target", "99.5%", "--watch-pid", "12",
        )
    )  # fmt: skip
    assert (str(folder), there) == ("s", False)
    assert endpoint.url == plan.url == "http://127.0.0.1:8000/v1/chat/completions"
    assert (plan.rate, plan.duration_s, plan.arrivals, plan.seed) == (2.0, 90.0, "poisson", 7)
    assert (plan.timeout_s, plan.slo_ttft_ms, plan.slo_itl_ms, plan.uptime_target) == (30.0, 150.0, 60.0, 0.995)
    assert (plan.limits, plan.tags, plan.watch_pid) == ({"rss": 80e9, "kv_cache": 0.95}, {"gpus": "2"}, 12)


@pytest.mark.parametrize(
    "more",
    [
        (),
        ("--api", "completions", "--no-usage", "--prompts", "p.txt", "--gpus", "4", "--slo-itl", "12.5ms"),
        ("--limit", "kv_cache=95%", "--limit", "gpu_memory=79Gi", "--tag", "note=a b=c", "--tag", "x="),
        ("--max-disk", "1G", "--max-in-flight", "5", "--watch-pid", "1", "--probe-path", "/ping"),
    ],
)
def test_a_detached_driver_is_told_the_same(more, monkeypatch):
    arguments = parsed(*NEW, *more)
    folder, plan, there, _ = planned(arguments)
    monkeypatch.setenv("MENS_SOAK_URL", arguments.url)
    again = parsed(*words(folder, plan, there, arguments))
    same, other, *_ = planned(again)
    assert str(same) == os.path.abspath(folder)
    assert replace(other, id="") == replace(plan, id="")
    assert (again.max_disk, again.max_in_flight) == (arguments.max_disk, arguments.max_in_flight)


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        (("--rate", "0"), "no rate"),
        (("--rate", "nan"), "no rate"),
        (("--rate", "1e9"), "no rate"),
        (("--timeout", "60"), "with its unit"),
        (("--slo-ttft", "0ms"), "with its unit"),
        (("--limit", "rss"), "no limit"),
        (("--limit", "ram=3G"), "no limit"),
        (("--limit", "rss=0"), "no size"),
        (("--limit", "kv_cache=2"), "no share"),
        (("--tag", "gpus"), "no tag"),
        (("--max-disk", "4X"), "no size"),
        (("--max-disk", "0.2"), "no size"),
        (("--max-disk", f"{'9' * 400}G"), "no size"),
        (("--duration", "0s"), "no time"),
        (("--uptime-target", "100%"), "no share"),
    ],
)
def test_a_bad_word_is_told_what_it_should_be(cli, said, complaint):
    status, _, err = cli("soak", "run", *NEW, *said)
    assert status == 2
    assert complaint in err


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ((), "needs --url, --model, --rate, --duration, --out too"),
        (NEW[:-2], "needs --out too"),
        (("--resume", "nowhere"), "no soak's directory"),
        (("--resume", "a", "--out", "b"), "leave out --out"),
        ((*NEW[2:], "--url", "gopher://x"), "gopher"),
        ((*NEW, "--watch-pid", "4194305"), "there is no such process"),
        ((*NEW, "--prompts", "nowhere.txt"), "nowhere.txt"),
        ((*NEW, "--key-file", "nowhere.key"), "nowhere.key"),
    ],
)
def test_what_cannot_be_begun_is_told(cli, said, complaint):
    status, _, err = cli("soak", "run", *said)
    assert status == 2
    assert complaint in err


def test_what_will_not_be_known_is_told_before(cli, tmp_path):
    words = (
        "--url",
        "http://127.0.0.1:9",
        "--model",
        "m",
        "--rate",
        "9000",
        "--duration",
        "300d",
        "--out",
        tmp_path / "s",
    )
    status, _, err = cli("soak", "run", *words, "--limit", "rss=1G", "--max-disk", "900T", "--max-tokens", "100000")
    assert status == 2  # nobody answers there
    assert "--limit rss says nothing without --watch-pid" in err
    assert "single requests may take 900 TB" in err


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        (("--rate", "3"), "--rate 2.0, and 3.0 was asked for"),
        (("--tag", "gpus=4"), "--tag gpus=2, and gpus=4 was asked for"),
        (("--url", "http://127.0.0.1:2"), "--url http://127.0.0.1:1/v1/chat/completions, and"),
        (("--model", "\x1b[31m"), "--model m, and ␛[31m was asked for"),
    ],
)
def test_another_plan_in_the_directory_is_refused(cli, tmp_path, said, complaint):
    plans.write(tmp_path, PLAN)
    status, _, err = cli("soak", "run", "--out", tmp_path, *said)
    assert status == 2
    assert complaint in err


def test_a_directory_with_a_journal_and_no_plan_is_left_alone(cli, tmp_path):
    (tmp_path / "journal-000001.ndjson").write_text("")
    status, _, err = cli("soak", "run", *NEW[:-1], tmp_path)
    assert status == 2
    assert "holds a journal, but no plan.json" in err


def test_status_where_there_is_none(cli, tmp_path):
    status, _, err = cli("soak", "status", tmp_path)
    assert status == 2
    assert "no soak below" in err
    (tmp_path / "plan.json").write_text('{"schema": "someone-elses/1"}')
    assert cli("soak", "status", tmp_path)[0] == 2


def test_status_of_one_that_nobody_drives(cli, tmp_path):
    plans.write(tmp_path, PLAN)
    status, out, _ = cli("soak", "status", tmp_path)
    assert status == 1
    assert out.startswith("unknown")


def record(*minutes, state="running"):
    return SimpleNamespace(state=state, minutes=list(minutes))


def test_status_tells_what_waits_for_a_server_that_stands_still():
    first, second = minute(0), minute(1, ended=12)
    first.lost, first.ended = 3, 57
    seen = record(first, second)
    seen.now_s, seen.plan = 120.0, None
    assert _lately(seen).in_flight == 48
    assert "(0 %) · 48 in flight · 12 of 12 health checks good" in _lately_line(_lately(seen))
    second.ended = 60
    assert "in flight" not in _lately_line(_lately(seen))


def minute(index, *, ended=60, failed=None, reasons=None, probes="......"):
    seen = [
        ProbeAt(index * 60.0 + 10 * n, one == ".", 1.0, "" if one == "." else "HTTP 503")
        for n, one in enumerate(probes)
    ]
    return Minute(index, due=60, sent=60, ended=ended, failed=failed or {}, reasons=reasons or {}, probes=seen)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (record(minute(0)), None),
        (record(), None),
        (record(minute(0), minute(1, probes="...xxx")), "the last 3 health checks failed (HTTP 503)"),
        (record(minute(0, probes="x"), minute(1, probes="xx")), "the last 3 health checks failed (HTTP 503)"),
        (record(minute(0, probes="xxxx."), minute(1, probes="xx")), None),
        (record(minute(0, failed={"http": 29})), None),
        (
            record(minute(0), minute(1, failed={"http": 30}, reasons={"http 500": 10, "http 503": 20})),
            "30 of 60 requests of the newest minute failed (http 503, http 500)",
        ),
        (
            record(minute(0, failed={"cut": 60}), minute(1, ended=2)),
            "60 of 60 requests of the newest minute failed (cut)",
        ),
        (record(minute(0, failed={"cut": 60}), state="stopped"), None),
    ],
)
def test_a_server_that_fails_by_now_is_told(seen, said):
    assert _failing(seen) == said


def test_stop_where_there_is_none(cli, tmp_path):
    status, _, err = cli("soak", "stop", tmp_path)
    assert status == 2
    assert "no driver has told of itself" in err
    assert cli("soak", "stop", tmp_path / "nowhere")[0] == 2


class Slow:
    """A driver that is begun, holds its lock, and reads for long before it tells of itself."""

    pid = 4711

    def __init__(self, *_, **__):
        self.looked_at = 0

    def poll(self):
        return None

    def told(self, _folder):
        self.looked_at += 1
        return {"pid": self.pid} if self.looked_at > 3 else {}


@pytest.mark.parametrize(("holds", "status"), [(True, 0), (False, 2)])
def test_a_detached_driver_that_still_reads_is_waited_for(tmp_path, monkeypatch, capsys, holds, status):
    driver = Slow()
    monkeypatch.setattr(soak_detach, "PATIENCE_S", 0.0)
    monkeypatch.setattr(soak_detach.subprocess, "Popen", lambda *_, **__: driver)
    monkeypatch.setattr(soak_detach, "told", driver.told)
    monkeypatch.setattr(soak_detach, "holder", lambda _: str(driver.pid) if holds else None)
    if status:
        with pytest.raises(CommandError, match="no sign of life"):
            soak_detach.detach(tmp_path, [], None, as_json=False)
        return
    assert soak_detach.detach(tmp_path, [], None, as_json=False) == 0
    shown = capsys.readouterr()
    assert "process 4711 reads what was recorded before it goes on" in shown.err
    assert "process 4711 drives" in shown.out


def test_the_line_says_first_what_is_wrong():
    window = Window(0.0, 2.0)
    for second in range(30):
        window.sent(second, 0.001)
        window.ended(second + 0.5, error="http" if second % 10 == 0 else None, ttft_s=0.08)
    window.up = False
    text = line(PLAN, window.look(30.0), "the disk is full")
    assert text.startswith("0:00:30 / 0:01:00 · ! the disk is full · ! the server does not answer its health check · ")
    assert "0.9 of 1/s answered · 3 failed (10 %; http) · ttft p50 80 ms p99 80 ms · lag p99 1 ms · 0 in flight" in text


def test_a_window_forgets_after_a_minute_but_not_its_sums():
    window = Window(0.0, 1.0)
    for second in range(200):
        window.sent(second, 0.0)
        window.ended(second, error="timeout", ttft_s=None)
    look = window.look(200.0)
    assert (look.n, look.failed, look.requests, look.errors) == (60, 60, 200, 200)
    assert (look.offered, look.achieved, look.ttft_p50) == (1.0, 0.0, None)


def test_a_terminal_that_reads_nothing_holds_up_nobody():
    reading, writing = os.pipe()
    printer = Printer(writing, in_place=False)
    for _ in range(500):
        printer.say("x" * 1000)  # far more than a pipe holds
    printer.close(patience_s=0.05)
    os.close(reading)


def test_a_terminal_that_is_gone_is_no_error():
    terminal, end = pty.openpty()
    os.close(terminal)
    printer = Printer(end, in_place=True)
    printer.show("a")
    printer.say("b")
    printer.close()
    os.close(end)


def test_a_line_in_place_gives_way_to_one_that_stays():
    reading, writing = os.pipe()
    printer = Printer(writing, in_place=True)
    printer.show("first")
    seen = b""
    while b"first" not in seen:
        seen += os.read(reading, 4096)
    printer.say("stays")
    while b"stays" not in seen:
        seen += os.read(reading, 4096)
    printer.close()
    os.close(writing)
    seen += os.read(reading, 4096)
    os.close(reading)
    assert seen == b"first\r\x1b[2Kstays\n"


def test_the_signal_of_a_lost_terminal_is_as_it_was_afterwards(cli, tmp_path):
    before = signal.getsignal(signal.SIGHUP)
    assert cli("soak", "run", "--resume", tmp_path / "none")[0] == 2
    assert signal.getsignal(signal.SIGHUP) == before
