"""The real program in a real terminal, on runs that grow, break and come back while it watches."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .terminal import Terminal

pytestmark = pytest.mark.e2e

WRITER = (
    "import json,sys,time\n"
    "path,first,last,pause=sys.argv[1],int(sys.argv[2]),int(sys.argv[3]),float(sys.argv[4])\n"
    "with open(path,'a') as f:\n"
    " for s in range(first,last):\n"
    "  f.write(json.dumps({'step':s,'total_steps':999,'loss':2.0+s/1000})+'\\n'); f.flush(); time.sleep(pause)\n"
)


def write(path: Path, text: str, mode: str = "a") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open(mode) as file:
        file.write(text)


def rows(first: int, last: int) -> str:
    return "".join(
        json.dumps({"step": s, "total_steps": 999, "loss": 2.0 + s / 1000}) + "\n" for s in range(first, last)
    )


def status(folder: Path, *more: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-m", "mens_console", "status", "--json", str(folder), *more],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


def line(step: int) -> str:
    return f"{step}/999"


@pytest.mark.parametrize(("columns", "height"), [(80, 24), (120, 40), (200, 50)])
def test_a_run_appears_grows_and_is_opened(tmp_path: Path, columns: int, height: int) -> None:
    log = tmp_path / "first-run" / "metrics.jsonl"
    with Terminal(str(tmp_path), columns=columns, rows=height, cwd=tmp_path) as terminal:
        terminal.wait_for(str(tmp_path.name))
        write(log, rows(0, 100))
        terminal.wait_for("first-run", 5)
        terminal.wait_for(line(99))
        write(log, rows(100, 150))
        terminal.wait_for(line(149), 3)
        terminal.send("\r")
        terminal.wait_for("loss")
        write(log, rows(150, 161))
        terminal.wait_for("2.16")
        terminal.send("1")
        terminal.wait_for(line(160))
        terminal.send("q")
        assert terminal.wait_exit() == 0


def test_truncated_rotated_replaced_and_resumed_while_it_watches(tmp_path: Path) -> None:
    log = tmp_path / "a" / "metrics.jsonl"
    write(log, rows(0, 300))
    with Terminal(str(tmp_path), cwd=tmp_path) as terminal:
        terminal.wait_for(line(299))
        log.rename(log.with_name("metrics.jsonl.1"))  # rotated
        write(log, rows(300, 320))
        terminal.wait_for(line(319), 5)
        write(log, rows(0, 50), "w")  # begun anew
        terminal.wait_for(line(49), 5)
        write(log, rows(50, 200))
        terminal.wait_for(line(199), 5)
        write(log, rows(150, 170))  # resumed from a checkpoint
        terminal.wait_for(line(169), 5)
        write(log, '{"step": 170, "total_steps": 999, "loss": NaN}\n')
        terminal.wait_for("diverged", 5)
        fresh = log.with_name("fresh")
        write(fresh, rows(0, 77), "w")
        fresh.replace(log)  # replaced by an atomic rename
        terminal.wait_for(line(76), 5)
        terminal.send("q")
        assert terminal.wait_exit() == 0


def test_a_killed_writer_is_read_to_its_last_whole_row_and_called_killed(tmp_path: Path) -> None:
    log = tmp_path / "victim" / "metrics.jsonl"
    log.parent.mkdir()
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(log), "0", "999", "0.05"])
    with Terminal(str(tmp_path), cwd=tmp_path) as terminal:
        terminal.wait_for("running")
        until = time.monotonic() + 30
        while "pid" not in terminal.text and time.monotonic() < until:
            terminal.pump(0.1)
        writer.kill()
        writer.wait()
        whole = log.read_text().rpartition("\n")[0].split("\n")
        last = json.loads(whole[-1])["step"]
        terminal.wait_for(line(last), 5)
        terminal.wait_for("killed", 40)
        terminal.send("q")
        assert terminal.wait_exit() == 0
    (run,) = status(tmp_path)["runs"]
    assert run["series"]["loss"]["points"] == len(whole) == last + 1
    assert run["step"] == last


def test_nothing_hostile_reaches_the_terminal(tmp_path: Path) -> None:
    name = "evil\x1b]0;owned\x07\x1b[2J[bold]markup[/bold]"
    write(tmp_path / name / "metrics.jsonl", rows(0, 20))
    write(tmp_path / name / "train.log", "\x1b]0;owned\x07Traceback \x1b[5mblink\n")
    seen = b""
    with Terminal(str(tmp_path), cwd=tmp_path) as terminal:
        original = terminal._stream.feed

        def feed(data: bytes) -> None:
            nonlocal seen
            seen += data
            original(data)

        terminal._stream.feed = feed
        terminal.wait_for("[bold]markup[/bold]"[:10])
        terminal.send("0")
        terminal.pump(1.5)
        terminal.send("q")
        assert terminal.wait_exit() == 0
    assert b"\x1b]0;owned" not in seen
    assert b"\x1b[5mblink" not in seen
    assert "\x1b" not in json.dumps(status(tmp_path), ensure_ascii=False)


def test_a_polite_kill_leaves_the_terminal_as_it_was(tmp_path: Path) -> None:
    write(tmp_path / "a" / "metrics.jsonl", rows(0, 20))
    with Terminal(str(tmp_path), cwd=tmp_path) as terminal:
        terminal.wait_for("19")
        seen = bytearray()
        feed = terminal._stream.feed
        terminal._stream.feed = lambda data: (seen.extend(data), feed(data))
        terminal.process.terminate()
        while terminal.process.poll() is None or terminal.pump(0.1):
            terminal.pump(0.1)
        assert terminal.process.returncode == 143
        assert b"\x1b[?1049l" in seen  # the alternate screen is left
        assert b"\x1b[?25h" in seen  # the cursor is back


def test_a_terminal_that_goes_away_ends_it_though_the_signal_is_ignored(tmp_path: Path) -> None:
    write(tmp_path / "a" / "metrics.jsonl", rows(0, 20))
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup
    try:
        with Terminal(str(tmp_path), cwd=tmp_path) as terminal:
            terminal.wait_for("19")
            terminal.hang_up()
            assert terminal.process.wait(20) == 129
    finally:
        signal.signal(signal.SIGHUP, before)


def test_idle_sends_nothing_and_a_resize_redraws(tmp_path: Path) -> None:
    log = tmp_path / "old" / "metrics.jsonl"
    write(log, rows(0, 50))
    long_ago = time.time() - 7 * 86400
    os.utime(log, (long_ago, long_ago))
    with Terminal(str(tmp_path), columns=80, rows=24, cwd=tmp_path) as terminal:
        terminal.wait_for(line(49))
        terminal.pump(3.0)
        while terminal.pump(1.0):
            pass
        # a minute may turn over: the clock's own few bytes
        assert terminal.pump(4.0) < 200
        terminal.resize(120, 40)
        terminal.wait_for("trend")
        terminal.send("q")
        assert terminal.wait_exit() == 0


def test_the_demo_replays_recorded_runs(tmp_path: Path) -> None:
    with Terminal("demo", "--speed", "60", cwd=tmp_path) as terminal:
        terminal.wait_for("REPLAY")
        terminal.wait_for("diverged", 30)
        terminal.wait_for("finished", 30)
        terminal.send("q")
        assert terminal.wait_exit() == 0


def test_one_that_was_stopped_from_outside_goes_on_and_ends_in_order(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    with Terminal("runs", cwd=tmp_path) as terminal:
        before = terminal.modes
        terminal.wait_for("? Help")
        taken = terminal.modes
        assert taken != before
        for _ in range(3):
            terminal.process.send_signal(signal.SIGSTOP)
            terminal.modes = before  # as a shell does that takes its terminal back
            terminal.process.send_signal(signal.SIGCONT)
            terminal.wait_until("the terminal taken over anew", lambda: terminal.modes == taken)
        terminal.send("?")
        terminal.wait_for("Esc")
        terminal.send("\x1b")
        terminal.wait_gone("Esc")
        terminal.send("q")
        assert terminal.wait_exit() == 0
        assert terminal.modes == before


def test_it_stops_for_a_shell_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    with Terminal(columns=80, rows=24, cwd=tmp_path, shell=True) as terminal:
        terminal.send(f"{sys.executable} -m mens_console runs\r")
        terminal.wait_for("? Help")
        terminal.send("\x1a")
        terminal.wait_for("Stopped")
        terminal.send("clear; echo $((6 * 7))\r")
        terminal.wait_for("42")
        terminal.send("fg\r")
        terminal.wait_for("? Help")
        terminal.wait_gone("bash-")
        terminal.send("q")
        terminal.wait_for("bash-")
        terminal.send("echo status $?\r")
        terminal.wait_for("status 0")


def test_it_does_not_stop_where_nobody_would_let_it_go_on(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    with Terminal("runs", cwd=tmp_path) as terminal:
        terminal.wait_for("? Help")
        terminal.send("\x1a")
        terminal.wait_for("There is no shell to go back to")
        terminal.send("q")
        assert terminal.wait_exit() == 0
