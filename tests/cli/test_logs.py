"""`mens-console logs`: which streams are meant, what is printed of them, and how it ends."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mens_console.cli import logs
from mens_console.cli.loglines import shown


class Clock:
    """When the test began; the suite may take minutes to come to it."""

    now = 0.0


@pytest.fixture(autouse=True)
def begun(monkeypatch):
    monkeypatch.setattr(Clock, "now", time.time())


def stamp(ago):
    return datetime.fromtimestamp(Clock.now - ago).strftime("%Y-%m-%d %H:%M:%S,%f")[:-3]


@pytest.fixture
def runs(box):
    """Two ranks and what the trainer printed in a run; a server's log in a folder of its own."""
    run = box / "lora"
    run.mkdir()
    (run / "train.log").write_text(
        f"{stamp(900)} INFO start\n{stamp(300)} ERROR lost\nTraceback (most recent call last):\n  File x\n"
        f"RuntimeError: \x1b[31mboom\x1b[0m\n{stamp(100)} INFO over\n"
    )
    (run / "rank1.log").write_text(f"{stamp(500)} INFO one\n{stamp(200)} WARNING two\n")
    (run / "stdout").write_text("plain\nlines\n")
    server = box / "server"
    server.mkdir()
    (server / "vllm.log").write_text(f"{stamp(400)} INFO ready\n")
    return box


def bodies(out):
    return [re.sub(r"^\S+ +(\d{4}-\S+ \S+ )?", "", line) for line in out.splitlines()]


def test_streams_of_a_box_are_one_by_time(cli, runs):
    code, out, err = cli("logs", runs)
    assert code == 0
    assert bodies(out) == [
        "INFO start", "INFO one", "INFO ready", "ERROR lost", "Traceback (most recent call last):", "File x",
        "RuntimeError: boom", "WARNING two", "INFO over",
    ]  # fmt: skip
    assert out.splitlines()[1].startswith("rank1.log ") and "\x1b" not in out
    assert "stdout: its lines tell no time, so they have no place here" in err


def test_a_run_by_name_a_stream_by_file_and_one_after_the_other(cli, runs):
    code, out, _ = cli("logs", "lora", "--in", runs, "-n", 2)
    assert code == 0 and bodies(out) == ["WARNING two", "INFO over"]
    code, out, err = cli("logs", runs / "lora" / "stdout")
    assert (code, out, err) == (0, "plain\nlines\n", "")
    code, out, _ = cli("logs", "server", "--in", runs)
    assert code == 0 and out == f"{stamp(400)} INFO ready\n"
    out = cli("logs", "lora", "--in", runs, "--no-merge", "-n", 1)[1]
    parts = {part.splitlines()[0]: part.splitlines()[1:] for part in out.split("\n\n")}
    assert parts == {
        f"==> {runs}/lora/train.log <==": [f"{stamp(100)} INFO over"],
        f"==> {runs}/lora/rank1.log <==": [f"{stamp(200)} WARNING two"],
        f"==> {runs}/lora/stdout <==": ["lines"],
    }


def test_levels_keep_tracebacks_whole_and_grep_looks_under_colours(cli, runs):
    out = cli("logs", runs, "--level", "error")[1]
    assert bodies(out) == ["ERROR lost", "Traceback (most recent call last):", "File x", "RuntimeError: boom"]
    assert bodies(cli("logs", runs, "--level", "warning", "-n", 1)[1]) == ["WARNING two"]
    assert bodies(cli("logs", runs, "--since", "10m", "--level", "error")[1]) == bodies(out)
    assert bodies(cli("logs", runs, "--grep", "BOOM")[1]) == []
    assert bodies(cli("logs", runs, "--grep", "boom|ready$")[1]) == ["INFO ready", "RuntimeError: boom"]
    assert cli("logs", runs, "--grep", "absent")[:2] == (1, "")


def test_since_is_by_the_lines_own_times(cli, runs):
    assert bodies(cli("logs", runs, "--since", "250s")[1]) == ["WARNING two", "INFO over"]
    assert bodies(cli("logs", runs, "--since", "250s", "-n", 1)[1]) == ["INFO over"]
    code, out, err = cli("logs", runs / "lora" / "stdout", "--since", "1h")
    assert (code, out) == (1, "") and "tell no time" in err


def test_json_lines(cli, runs):
    rows = [json.loads(line) for line in cli("logs", runs, "--json")[1].splitlines()]
    assert [row["level"] for row in rows][:4] == ["info", "info", "info", "error"]
    lost, trace = rows[3], rows[4]
    assert lost["time"] == trace["time"] == pytest.approx(Clock.now - 300, abs=0.01)
    assert lost["own_time"] and not trace["own_time"] and lost["run"] == "lora"
    assert lost["file"].endswith("lora/train.log") and rows[6]["text"] == "RuntimeError: boom"
    (plain, _) = (json.loads(line) for line in cli("logs", runs / "lora" / "stdout", "--json")[1].splitlines())
    assert (plain["time"], plain["local_time"], plain["own_time"], plain["text"]) == (None, None, False, "plain")


def test_what_is_wrong_is_told_with_its_cure(cli, runs, box):
    err = cli("logs", "lorra", "--in", runs)[2]
    assert err == "mens-console: lorra: no such run, folder or file; the nearest:\n  lora\n"
    assert "not a regular expression" in cli("logs", runs, "--grep", "(")[2]
    (box / "none").mkdir()
    code, _, err = cli("logs", box / "none")
    assert code == 2 and "name a log file, or a folder that holds some" in err
    os.mkfifo(box / "pipe")
    code, _, err = cli("logs", box / "pipe")
    assert code == 1 and "not a regular file" in err
    assert "no time such as" in cli("logs", "--since", "yesterday")[2]


def test_only_so_many_streams_are_merged_and_it_is_told(cli, runs, monkeypatch):
    monkeypatch.setattr(logs, "MOST", 2)
    err = cli("logs", runs)[2]
    assert "4 streams; the 2 written to last are merged" in err


def command(*words):
    return [sys.executable, "-m", "mens_console.cli.main", "logs", *map(str, words)]


def until(true):
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_following_prints_what_comes_through_rotation_and_ends_on_ctrl_c(runs, tmp_path):
    out, train, plain = tmp_path / "out", runs / "lora" / "train.log", runs / "lora" / "stdout"
    with out.open("wb") as file:
        process = subprocess.Popen(command(runs, "-f", "-n", 1), stdout=file, stderr=subprocess.PIPE)
    try:
        until(lambda: "over" in out.read_text())
        with train.open("a") as file:
            file.write(f"{stamp(0)} INFO hal")
            file.flush()
            file.write("f\n")
        with plain.open("a") as file:
            file.write("came\n")
        until(lambda: "half" in out.read_text() and "came" in out.read_text())
        train.rename(train.with_suffix(".old"))
        train.write_text(f"{stamp(0)} INFO fresh\n")
        until(lambda: "fresh" in out.read_text())
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert "Traceback" not in process.stderr.read().decode()
    finally:
        process.kill()
        process.wait()
    assert out.read_text().count("half") == 1 and out.read_text().count("INFO") == 3


def test_a_reader_that_leaves_ends_it_quietly(runs):
    process = subprocess.Popen(command(runs, "-f"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert process.stdout.readline()
        process.stdout.close()
        assert process.wait(30) == 0
        assert b"rror" not in process.stderr.read()
    finally:
        process.kill()
        process.wait()


@given(st.text() | st.binary().map(lambda raw: raw.decode("utf-8", "backslashreplace")), st.booleans())
def test_nothing_of_a_line_steers_the_terminal(text, colour):
    safe = shown(text, colour=colour)
    assert not re.search(r"[\x00-\x08\x0a-\x1a\x1c-\x1f\x7f-\x9f]", safe)
    assert re.sub(r"\x1b\[[\d;:]*m", "", safe).count("\x1b") == 0


def test_colours_stay_bars_collapse_and_other_sequences_go():
    line = " 1%\r\x1b[32m99%\x1b[0m\x1b[8mhidden\x1b]0;title\x07\x1b[2J\tend\r"
    assert shown(line, colour=True) == "\x1b[32m99%\x1b[0mhidden  end\x1b[0m"
    assert shown(line, colour=False) == "99%hidden  end"
