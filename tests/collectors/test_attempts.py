"""An attempt that was logged is in the file: whole, once, whoever writes beside it, is killed or rotates."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from collectors.written import Clock, program, rows, wait_for

from mens_console.collectors import lines
from mens_console.collectors.attempts import FIELDS, AttemptLogger, log_attempt
from mens_console.collectors.guard import CollectorWarning
from mens_contracts.attempt import GenerationAttempt

ENTRY = {
    "persona_id": "p-1", "stage": "B", "attempt": 2, "status": "success", "latency_ms": 1234, "prompt_tokens": 450,
    "completion_tokens": 320, "repairs": ["trait_leak"], "validator_scores": {"trait_leak": 0, "pollyanna": 0.6},
    "opening_move": "situational_hook", "constraint_categories": ["time_pressure"],
    "anchors_used": ["piața din Cahul", "市场 🌙"], "error": None,
}  # fmt: skip


def everything(path):
    """The rows of a log and of what was rotated away, oldest first; each line must be whole."""
    older = sorted(path.parent.glob(f"{path.name}.*"), key=lambda each: -int(each.suffix[1:]))
    return [row for file in [*older, path] if file.exists() for row in rows(file)]


def test_a_row_is_the_contract_in_its_order(tmp_path):
    path = tmp_path / "deep" / "generation.jsonl"
    with AttemptLogger(path, run_id="25K_20260131_143200", clock=lambda: 1_769_869_921.2345) as logger:
        assert logger.log(**ENTRY)
        assert logger.written == 1
    (row,) = rows(path)
    assert row == {"ts": "2026-01-31T14:32:01.234Z", "run_id": "25K_20260131_143200", **ENTRY}
    assert tuple(row) == FIELDS == tuple(GenerationAttempt.model_fields)
    GenerationAttempt.model_validate(row)
    assert "piața din Cahul" in path.read_text("utf-8")


def test_what_is_not_given_is_left_out_and_what_is_unknown_is_kept(tmp_path):
    logger = AttemptLogger(tmp_path / "a.jsonl")
    assert logger.log(persona_id=7, status="fail", model="mens", nested={"a": [1, None]}, ts="2026-01-31T14:00:00Z")
    expected = {"ts": "2026-01-31T14:00:00Z", "persona_id": 7, "status": "fail", "model": "mens"}
    assert rows(tmp_path / "a.jsonl") == [expected | {"nested": {"a": [1, None]}}]


def test_numbers_of_other_libraries_and_numbers_that_are_not_finite(tmp_path):
    logger = AttemptLogger(tmp_path / "a.jsonl", run_id="r")
    scores = {"pollyanna": np.float32(0.5), "trait_leak": True}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        logger.log(latency_ms=np.float64(1249.7), prompt_tokens=np.int64(12), ts=datetime(2026, 1, 2))
        logger.log(validator_scores=scores)
        logger.log(repairs=("a",), anchors_used={"b", "a"}, attempt=1.0)
    with pytest.warns(CollectorWarning, match="validator_scores is .*not scores from 0 to 1"):
        logger.log(validator_scores={"pollyanna": float("nan")})
    first, scored, second, third = rows(tmp_path / "a.jsonl")
    assert (first["latency_ms"], first["prompt_tokens"], first["ts"]) == (1250, 12, "2026-01-02T00:00:00")
    assert scored["validator_scores"] == {"pollyanna": 0.5, "trait_leak": True}
    assert (second["repairs"], second["anchors_used"], second["attempt"]) == (["a"], ["a", "b"], 1)
    assert third["validator_scores"] == {"pollyanna": "NaN"}


def test_what_does_not_fit_is_kept_and_told_once_per_field(tmp_path):
    logger = AttemptLogger(tmp_path / "a.jsonl")
    odd = {"latency_ms": "fast", "repairs": "trait_leak", "status": "ok", "attempt": 0, "stage": None, "run_id": 5}
    with pytest.warns(CollectorWarning) as told:
        for _ in range(3):
            assert logger.log(**odd)
    assert len(told) == len(odd)
    assert all(row.items() >= odd.items() for row in rows(tmp_path / "a.jsonl"))


class Nasty:
    def keys(self):
        raise RuntimeError("no")


def test_nothing_is_raised_into_the_generation(tmp_path):
    logger = AttemptLogger(tmp_path / "a.jsonl")
    with pytest.warns(CollectorWarning, match="cannot be written: RuntimeError: no. Generation goes on") as told:
        assert not logger.log_attempt(Nasty())
        assert not logger.log_attempt(Nasty())
    assert len(told) == 1
    assert logger.log(status="success")
    assert len(rows(tmp_path / "a.jsonl")) == 1


def test_an_attempt_is_timed_and_one_that_raises_is_a_fail(tmp_path):
    logger = AttemptLogger(tmp_path / "a.jsonl", run_id="r")
    with logger.attempt(persona_id="p", stage="B") as row:
        time.sleep(0.02)
        row |= {"repairs": [], "completion_tokens": 5}
    with pytest.raises(TimeoutError, match="30 s"), logger.attempt(persona_id="p", stage="C", attempt=3):
        raise TimeoutError("after 30 s")
    good, bad = rows(tmp_path / "a.jsonl")
    assert (good["status"], good["attempt"], good["error"]) == ("success", 1, None)
    assert good["latency_ms"] >= 20
    assert (bad["status"], bad["attempt"], bad["error"]) == ("fail", 3, "TimeoutError: after 30 s")


def test_the_seeds_own_call(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert log_attempt({**ENTRY, "ts": "2026-01-31T14:32:01", "run_id": "r"})
    assert log_attempt(ENTRY, tmp_path / "other.log")
    assert [row["run_id"] for row in rows(tmp_path / "generation.log")] == ["r"]
    assert len(rows(tmp_path / "other.log")) == 1


def test_a_torn_line_is_ended_first(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"ts":"2026')
    AttemptLogger(path).log(status="success")
    torn, whole = path.read_bytes().splitlines()
    assert torn == b'{"ts":"2026'
    assert json.loads(whole)["status"] == "success"


# ---------------------------------------------------------------- disks


def test_a_full_disk_is_told_once_and_what_waited_goes_out_in_order(tmp_path):
    path, clock = tmp_path / "a.jsonl", Clock()
    path.symlink_to("/dev/full")
    logger = AttemptLogger(path, monotonic=clock)
    with pytest.warns(
        CollectorWarning, match="no space is left.*10000 attempts wait in memory.*generation goes on"
    ) as told:
        for n in range(5):
            assert not logger.log(attempt=n + 1)
            clock.now += 20.0
    assert len(told) == 1
    path.unlink()
    clock.now += 40.0
    assert logger.log(attempt=6)
    assert [row["attempt"] for row in rows(path)] == [1, 2, 3, 4, 5, 6]
    assert (logger.written, logger.lost) == (6, 0)


def test_what_overflows_while_the_disk_refuses_is_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "WAITING", 3)
    path = tmp_path / "a.jsonl"
    path.symlink_to("/dev/full")
    logger = AttemptLogger(path)
    with pytest.warns(CollectorWarning):
        for n in range(5):
            logger.log(attempt=n + 1)
    path.unlink()
    assert not logger.close()
    assert logger.lost == 2
    assert [row["attempt"] for row in rows(path)] == [3, 4, 5]


def test_half_a_line_that_a_disk_took_is_ended_by_the_next(tmp_path):
    """A limit on the file's size cuts a write in two, as a disk that fills up does."""
    path = tmp_path / "a.jsonl"
    code = """
import resource, signal, sys, warnings
warnings.simplefilter("ignore")
from mens_console.collectors.attempts import AttemptLogger
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
now = [0.0]
logger = AttemptLogger(sys.argv[1], monotonic=lambda: now[0])
assert logger.log(attempt=1, error="x" * 100)
resource.setrlimit(resource.RLIMIT_FSIZE, (220, resource.RLIM_INFINITY))
assert not logger.log(attempt=2, error="y" * 100)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
now[0] = 100.0
assert logger.log(attempt=3)
"""
    program(code, path)
    first, torn, second, third = path.read_bytes().splitlines()
    assert len(first) + len(torn) + 1 == 220
    assert [json.loads(line)["attempt"] for line in (first, second, third)] == [1, 2, 3]


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    logger = AttemptLogger(tmp_path / "file" / "a.jsonl")
    with pytest.warns(CollectorWarning, match="cannot be written"):
        assert not logger.log(status="success")


def test_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "a.jsonl")
    logger = AttemptLogger(tmp_path / "a.jsonl")
    with pytest.warns(CollectorWarning, match="cannot be written"):
        assert not logger.log(status="success")


# ---------------------------------------------------------------- rotation


def test_rotation_keeps_everything_unless_told_otherwise(tmp_path):
    path = tmp_path / "a.jsonl"
    logger = AttemptLogger(path, max_bytes=1000)
    for n in range(100):
        logger.log(attempt=n + 1, status="success")
    assert [row["attempt"] for row in everything(path)] == list(range(1, 101))
    assert all(file.stat().st_size <= 1000 for file in tmp_path.iterdir())
    few = AttemptLogger(tmp_path / "b" / "b.jsonl", max_bytes=1000, keep=2)
    for n in range(100):
        few.log(attempt=n + 1, status="success")
    assert sorted(file.name for file in (tmp_path / "b").iterdir()) == ["b.jsonl", "b.jsonl.1", "b.jsonl.2"]
    kept = [row["attempt"] for row in everything(tmp_path / "b" / "b.jsonl")]
    assert kept == list(range(101 - len(kept), 101))
    with pytest.raises(ValueError, match="at least 1"):
        AttemptLogger(path, max_bytes=0)


def test_a_rotation_that_was_killed_half_way_overwrites_nothing(tmp_path):
    path = tmp_path / "a.jsonl"
    for name, attempt in (("a.jsonl", 3), ("a.jsonl.2", 2), ("a.jsonl.3", 1)):  # .1 is already .2, a.jsonl not yet .1
        (tmp_path / name).write_text(json.dumps({"attempt": attempt}) + "\n")
    AttemptLogger(path, max_bytes=10).log(attempt=4)
    assert [row["attempt"] for row in everything(path)] == [1, 2, 3, 4]


def test_a_line_larger_than_a_file_is_written_all_the_same(tmp_path):
    path = tmp_path / "a.jsonl"
    logger = AttemptLogger(path, max_bytes=50)
    for n in range(3):
        assert logger.log(attempt=n + 1, error="x" * 100)
    assert [row["attempt"] for row in everything(path)] == [1, 2, 3]


def test_a_file_that_somebody_else_rotated_is_left(tmp_path):
    path = tmp_path / "a.jsonl"
    logger = AttemptLogger(path)
    logger.log(attempt=1)
    path.rename(tmp_path / "a.jsonl.1")
    logger.log(attempt=2)
    path.unlink()
    logger.log(attempt=3)
    assert [row["attempt"] for row in everything(path)] == [1, 3]


def test_where_nothing_can_be_rotated_it_grows_and_is_told_once(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(lines.os, "rename", refuse)
    logger = AttemptLogger(tmp_path / "a.jsonl", max_bytes=100)
    with pytest.warns(CollectorWarning, match="cannot be rotated.*Permission denied") as told:
        for n in range(10):
            assert logger.log(attempt=n + 1)
    assert len(told) == 1
    assert len(rows(tmp_path / "a.jsonl")) == 10


def test_without_locks_lines_are_whole_and_nothing_is_rotated(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(lines.fcntl, "flock", refuse)
    logger = AttemptLogger(tmp_path / "a.jsonl", max_bytes=100)
    for n in range(10):
        assert logger.log(attempt=n + 1)
    assert len(rows(tmp_path / "a.jsonl")) == 10


def test_a_stopped_holder_of_the_lock_stops_nobody(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "PATIENCE_S", 0.05)
    path = tmp_path / "a.jsonl"
    logger = AttemptLogger(path)
    logger.log(attempt=1)
    with path.open("ab") as holder:
        lines.fcntl.flock(holder, lines.fcntl.LOCK_EX)
        assert logger.log(attempt=2)
    assert [row["attempt"] for row in rows(path)] == [1, 2]


# ---------------------------------------------------------------- many writers

WRITER = """
import sys
from mens_console.collectors.attempts import AttemptLogger
logger = AttemptLogger(sys.argv[1], run_id=sys.argv[2], max_bytes=int(sys.argv[3]))
for n in range(int(sys.argv[4])):
    assert logger.log(persona_id=n, status="success", anchors_used=["piața din Cahul"] * (n % 40))
    sys.stdout.write(f"{n}\\n")
    sys.stdout.flush()
"""


def writers(path, counts, max_bytes):
    return [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), f"w{number}", str(max_bytes), str(count)],
            stdout=(path.parent / f"said-{number}").open("wb"),
        )
        for number, count in enumerate(counts)
    ]


def confirmed(path, number):
    """How many lines a writer said were in the file; its last word may be torn."""
    return (path.parent / f"said-{number}").read_bytes().count(b"\n")


def test_eight_processes_rotate_one_file_and_killing_some_loses_nothing(tmp_path):
    path = tmp_path / "generation.jsonl"
    started = writers(path, [10**9] * 3 + [400] * 5, max_bytes=20_000)
    doomed = started[:3]
    wait_for(lambda: all(confirmed(path, number) >= 30 for number in range(8)), 60.0)
    for process in doomed:
        process.send_signal(signal.SIGKILL)
    codes = [process.wait(60) for process in started]
    assert codes[3:] == [0] * 5
    assert codes[:3] == [-9] * 3
    assert len(list(tmp_path.glob("generation.jsonl.*"))) > 5
    by_writer = {f"w{number}": [] for number in range(8)}
    for file in tmp_path.glob("generation.jsonl*"):
        for line in file.read_bytes().splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue  # what a killed writer was in the middle of; it had not returned
            by_writer[row["run_id"]].append(row["persona_id"])
    for number in range(8):
        found = sorted(by_writer[f"w{number}"])
        assert found == list(range(len(found))), "none twice, none missing"
        assert len(found) >= confirmed(path, number)
        assert number < 3 or len(found) == 400


def test_threads_share_a_logger(tmp_path):
    logger = AttemptLogger(tmp_path / "a.jsonl", max_bytes=2000)

    def work(start):
        for n in range(100):
            logger.log(attempt=start + n)

    threads = [threading.Thread(target=work, args=(1 + 100 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(row["attempt"] for row in everything(tmp_path / "a.jsonl")) == list(range(1, 401))


def _child(logger, number):
    for n in range(100):
        logger.log(run_id=f"c{number}", attempt=n + 1)


def test_forked_children_write_on_their_own(tmp_path):
    logger = AttemptLogger(tmp_path / "a.jsonl", max_bytes=5000)
    logger.log(run_id="parent", attempt=1)
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=_child, args=(logger, number)) for number in range(4)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for child in children:
            child.start()
    for n in range(100):
        logger.log(run_id="parent", attempt=n + 2)
    for child in children:
        child.join(60)
        assert child.exitcode == 0
    found = [(row["run_id"], row["attempt"]) for row in everything(tmp_path / "a.jsonl")]
    assert sorted(found) == sorted(
        [("parent", n) for n in range(1, 102)] + [(f"c{number}", n) for number in range(4) for n in range(1, 101)]
    )


def test_a_line_is_one_write_on_a_descriptor_opened_to_append(tmp_path, monkeypatch):
    calls = []
    write = os.write

    def spy(fd, data):
        calls.append((bytes(data), lines.fcntl.fcntl(fd, lines.fcntl.F_GETFL) & os.O_APPEND))
        return write(fd, data)

    monkeypatch.setattr(lines.os, "write", spy)
    logger = AttemptLogger(tmp_path / "a.jsonl")
    logger.log(attempt=1)
    logger.log(attempt=2)
    assert [data.count(b"\n") for data, _ in calls] == [1, 1]
    assert all(append for _, append in calls)


def test_durable_syncs_before_it_returns(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(lines.os, "fsync", lambda fd: synced.append(len(Path(tmp_path / "a.jsonl").read_bytes())))
    logger = AttemptLogger(tmp_path / "a.jsonl", durable=True)
    logger.log(attempt=1)
    assert synced == [(tmp_path / "a.jsonl").stat().st_size]


def test_a_line_that_a_signals_handler_logs_meanwhile_follows(tmp_path, monkeypatch):
    logger = AttemptLogger(tmp_path / "a.jsonl")
    write, met = os.write, []

    def interrupted(fd, data):
        if not met:
            met.append(logger.log(attempt=2))
        return write(fd, data)

    monkeypatch.setattr(lines.os, "write", interrupted)
    assert logger.log(attempt=1)
    assert met == [False], "it was not in the file yet"
    assert [row["attempt"] for row in rows(tmp_path / "a.jsonl")] == [1, 2]
