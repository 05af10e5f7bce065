"""`mens-console watch` as a process of its own: what it tells, what it sends, how it ends and what it survives."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from cli.runs import healthy, rows, write
from notify.alarms import service
from support.attempt_logs import write_attempts

from mens_console.notify.heartbeat import read_heartbeat

NAN = float("nan")


def late(folder, name="late"):
    """A run that breaks now: its rows carry the present time."""
    now = time.time()
    lines = [
        {**row, "ts": now + row["step"] / 1000} for row in rows(range(1, 60), loss=lambda s: 2.0 if s < 40 else NAN)
    ]
    return write(folder / name, lines)


def old(folder, name="old"):
    path = write(folder / name, rows(range(1, 60), loss=lambda s: 2.0 if s < 40 else NAN))
    os.utime(path / "metrics.jsonl", (1_760_001_000, 1_760_001_000))
    return path


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("MENS_NOTIFY", raising=False)
    return tmp_path / "state" / "mens-console"


def configure(tmp_path, url, **more):
    settings = {"group_s": 0, **more}
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
    folder = tmp_path / "xdg" / "mens-console"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(f"[notify]\napprise = [{json.dumps(url)}]\n{lines}")


class Watch:
    """The program, started on a folder; `lines` are what it printed so far."""

    def __init__(self, box, *words, **how):
        self.out = box.parent / f"out{time.monotonic_ns()}"
        with self.out.open("wb") as out:
            self.child = subprocess.Popen(
                [sys.executable, "-P", "-m", "mens_console", "watch", str(box), *words],
                **{"stdout": out, "stderr": subprocess.STDOUT} | how,
            )

    @property
    def lines(self):
        return self.out.read_text().splitlines()

    def until(self, true, seconds=60.0):
        limit = time.monotonic() + seconds
        while not (found := true()):
            assert time.monotonic() < limit, (self.lines, self.child.poll())
            assert self.child.poll() is None, self.lines
            time.sleep(0.05)
        return found

    def end(self, number=signal.SIGTERM):
        self.child.send_signal(number)
        return self.child.wait(30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()


def beats(state, box):
    return lambda: read_heartbeat(state / "watch.json", [box])


def test_an_alert_is_told_once_and_history_never(box, state, tmp_path):
    old(box)
    healthy(box)
    log = tmp_path / "watch.jsonl"
    with service() as chat:
        configure(tmp_path, f"{chat.url}/secret")
        with Watch(box, "--notify", "--log", log) as watch:
            watch.until(lambda: any("was on" in line and "old" in line for line in watch.lines))
            late(box)
            watch.until(lambda: chat.told)
            assert read_heartbeat(state / "watch.json", [box]).pid == watch.child.pid
            assert watch.end() == 0
        fires = [line for line in watch.lines if " fires " in line]
        assert len(fires) == 1
        assert "✖ critical fires        late" in fires[0]
        assert watch.lines[watch.lines.index(fires[0]) + 1].startswith("    → "), "and what to do"
        ((_, told),) = chat.told
        assert told["title"].startswith("CRITICAL late: ")
        with Watch(box, "--notify", "--log", log) as again:
            again.until(beats(state, box))
            again.until(lambda: len(again.lines) >= 2)
            assert again.end(signal.SIGINT) == 0
        assert not any(" fires " in line for line in again.lines)
        assert len(chat.told) == 1
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert [e["event"] for e in events if e["event"] in ("start", "stop")] == ["start", "stop"] * 2
    assert [e["signal"] for e in events if e["event"] == "stop"] == ["SIGTERM", "SIGINT"]
    assert {e["change"] for e in events if e["event"] == "alert"} == {"standing", "firing"}
    (sent,) = [e for e in events if e["event"] == "delivery"]
    assert sent["ok"]
    for text in (log.read_text(), (state / "deliveries.jsonl").read_text(), (state / "watch.json").read_text()):
        assert "secret" not in text
    assert log.stat().st_mode & 0o777 == 0o600
    assert read_heartbeat(state / "watch.json", [box]).problem == "it was ended"


def test_nobody_notifies_twice(box, state, tmp_path):
    healthy(box)
    configure(tmp_path, "json://127.0.0.1:9")
    with Watch(box, "--notify") as first:
        first.until(beats(state, box))
        with Watch(box, "--notify") as second:
            assert second.child.wait(60) == 2
        assert second.lines == [
            f"mens-console: process {first.child.pid} watches these folders and notifies already; "
            f"end that one first (kill {first.child.pid})"
        ]
        first.child.kill()
        first.child.wait()
    assert "is gone without" in read_heartbeat(state / "watch.json", [box]).problem
    with Watch(box, "--notify") as third:
        third.until(lambda: read_heartbeat(state / "watch.json", [box]).pid == third.child.pid)
        assert third.end(signal.SIGHUP) == 0, third.lines


def test_what_broke_while_nobody_watched_is_told_afterwards(box, state, tmp_path):
    healthy(box)
    with service() as chat:
        configure(tmp_path, chat.url)
        with Watch(box, "--notify") as watch:
            watch.until(beats(state, box))
            watch.end()
        late(box)
        with Watch(box, "--notify") as watch:
            watch.until(lambda: chat.told)
            watch.end()
        assert chat.told[0][1]["title"].startswith("CRITICAL late: ")


def test_an_acknowledgement_reaches_the_daemon(box, state, tmp_path, cli):
    healthy(box)
    with Watch(box, "--json") as watch:
        watch.until(lambda: (box / "good").exists())
        late(box)
        turn = watch.until(lambda: next((json.loads(x) for x in watch.lines if '"late"' in x), None))
        assert (turn["schema"], turn["rule"], turn["value"]) == ("mens-watch-event/1", "nan_loss", "NaN")
        assert cli("alerts", "ack", turn["fingerprint"], "--in", box)[0] == 0
        watch.until(lambda: any('"change":"acknowledged"' in line for line in watch.lines))
        assert watch.end() == 0
    assert not state.joinpath("watch.json").exists(), "it does not notify, so nobody may rely on it"
    assert "left" not in str(json.loads((state / "alerts.json").read_text())["left"]), "a daemon is nobody"


def test_a_closed_output_does_not_end_a_daemon(box, state, tmp_path):
    old(box)
    with service() as chat:
        configure(tmp_path, chat.url)
        with Watch(box, "--notify", stdout=subprocess.PIPE) as watch:
            assert b"old" in watch.child.stdout.readline()
            watch.child.stdout.close()
            late(box)
            watch.until(lambda: chat.told)
            late(box, "later")
            watch.until(lambda: len(chat.told) > 1)
            assert watch.end() == 0


def test_a_closed_output_ends_a_watch_that_tells_nobody_else(box, state):
    old(box)
    with Watch(box, stdout=subprocess.PIPE) as watch:
        watch.child.stdout.readline()
        watch.child.stdout.close()
        late(box)
        assert watch.child.wait(60) == 0


def test_what_nohup_ignores_stays_ignored(box, state, tmp_path):
    healthy(box)
    configure(tmp_path, "json://127.0.0.1:9")
    ignore = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731
    with Watch(box, "--notify", preexec_fn=ignore) as watch:
        watch.until(beats(state, box))
        watch.child.send_signal(signal.SIGHUP)
        late(box)
        watch.until(lambda: any(" fires " in line for line in watch.lines))
        assert watch.end() == 0


# ---------------------------------------------------------------------- once, in process


def test_once_tells_what_fires_and_was_not_told_before(box, state, tmp_path, cli):
    old(box)
    late(box)
    with service() as chat:
        configure(tmp_path, chat.url)
        code, out, _ = cli("watch", box, "--notify", "--once")
        assert code == 1
        assert len(chat.told) == 1
        assert chat.told[0][1]["title"].startswith("CRITICAL late: ")
        heads = [line for line in out.splitlines() if not line.startswith(" ")]
        assert sorted(" ".join(line.split()[3:7]) for line in heads) == [
            "critical fires late loss",
            "critical was on old",
        ]
        cli("watch", box, "--notify", "--once")
        assert len(chat.told) == 1
    assert not (state / "watch.json").exists()


def test_once_without_anything_wrong_is_fine(box, state, cli):
    healthy(box)
    assert cli("watch", box, "--once")[:2] == (0, "")


def test_once_without_runs_teaches(box, state, cli):
    code, _, err = cli("watch", box, "--once")
    assert code == 2
    assert "no runs found" in err


def test_once_judges_attempt_logs_too(box, state, cli):
    (box / "feel").mkdir()
    write_attempts(box / "feel" / "generation.log", rows=1200, scenario="collapsed")
    code, out, err = cli("watch", box, "--once")
    assert (code, err) == (1, "")
    assert "generation:feel/" in out
    assert "Openings repeat" in out


def test_a_failed_delivery_is_told(box, state, tmp_path, cli, monkeypatch):
    monkeypatch.setattr("mens_console.notify.delivery.BACK_OFF_S", (0.0,))
    late(box)
    with service(500) as chat:
        configure(tmp_path, f"{chat.url}/secret")
        code, _, err = cli("watch", box, "--notify", "--once")
    assert code == 1
    for attempt in (1, 2):
        assert f"not delivered (try {attempt}): the service answered 500" in err
    assert "secret" not in err


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (None, "no route is configured"),
        ("nonsense://x", "no address that Apprise knows"),
        ("json://${NOPE}", "$NOPE is"),
    ],
)
def test_notify_without_a_way_out_is_refused(box, state, tmp_path, cli, url, said):
    healthy(box)
    if url is not None:
        configure(tmp_path, url)
    code, _, err = cli("watch", box, "--notify", "--once")
    assert code == 2
    assert said in err


def test_addresses_come_from_the_environment_too(box, state, cli, monkeypatch):
    late(box)
    with service() as chat:
        monkeypatch.setenv("MENS_NOTIFY", f"{chat.url}/a {chat.url}/b")
        cli("watch", box, "--notify", "--once")
        assert sorted(path for path, _ in chat.told) == ["/a", "/b"]


def test_a_log_that_cannot_be_opened_is_one_line(box, state, cli):
    healthy(box)
    code, _, err = cli("watch", box, "--once", "--log", box)
    assert code == 2
    assert err == f"mens-console: {box}: is a directory\n"


def test_without_a_state_directory_it_tells_and_goes_on(box, state, tmp_path, cli):
    late(box)
    state.parent.write_text("in the way")
    with service() as chat:
        configure(tmp_path, chat.url)
        code, _, err = cli("watch", box, "--notify", "--once")
        assert len(chat.told) == 1
    assert code == 1
    assert "nothing keeps a second watch from telling everything again" in err


def test_one_look_that_cannot_remember_what_it_told_says_so(box, state, tmp_path, cli):
    late(box)
    with service() as chat:
        configure(tmp_path, chat.url)
        cli("watch", box, "--notify", "--once")
        (memory,) = state.glob("notified-*.json")
        memory.unlink()
        (memory / "in the way").mkdir(parents=True)
        code, _, err = cli("watch", box, "--notify", "--once")
    assert code == 1
    assert "alerts may be told twice" in err
