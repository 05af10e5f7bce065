import gzip
import json
import math
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.attempt_logs import SCENARIOS, write_attempts

from mens_console.health import checkpoint as checkpoint_module
from mens_console.health.aggregate import aggregate
from mens_console.health.backlog import Backlog
from mens_console.health.checkpoint import default_cache
from mens_console.health.follow import Follower
from mens_console.health.frames import Begin, Failed, Job, Lines
from mens_console.health.tally import Options
from mens_console.health.worker import Worker

NOW = 1_770_000_000.0


def row(n, run="r", **values):
    return json.dumps({"run_id": run, "persona_id": n, "status": "success", "latency_ms": n, **values}).encode() + b"\n"


def told(report, *, places=True):
    """Everything a report says of attempts, as text that tells every bit."""
    sources = [(s.path if places else "", s.rows, s.bad_rows, sorted(s.unknown_fields.items())) for s in report.sources]
    bad = [(b.line, b.offset, b.why, b.sample) for b in report.bad]
    runs = [repr(r) for r in report.runs]
    return sorted(repr(judged) for judged in report.batches), sources, bad, sorted(runs), report.tier.attempts


def settle(follower, **options):
    """Poll until nothing waits; return the report."""
    for _ in range(100_000):
        if not follower.poll(NOW, **options) and not follower.more:
            return follower.report
        follower.wait(0.2)
    raise AssertionError("it never settles")


def small_ranges(monkeypatch, size=20_000):
    """Let workers read logs of any size, in ranges of a few dozen rows."""
    monkeypatch.setattr("mens_console.health.follow.WORTHWHILE", 1)
    monkeypatch.setattr("mens_console.health.source.SLICE", 10_000)
    monkeypatch.setitem(Backlog.__init__.__kwdefaults__, "range_size", size)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_workers_give_what_reading_here_gives_to_the_last_bit(tmp_path, monkeypatch, scenario):
    path = tmp_path / "attempts.jsonl"
    write_attempts(path, rows=3000, seed=3, scenario=scenario)
    here = aggregate([path], batch_size=150)
    small_ranges(monkeypatch)
    for workers in (1, 2, 3):
        there = aggregate([path], batch_size=150, workers=workers)
        assert told(there) == told(here)
        assert there.sources[0].problem is None
    assert here.tier.attempts > 2000


@pytest.mark.parametrize("by", ["batch", "run"])
def test_runs_stand_in_the_order_in_which_they_appear_whoever_reads(tmp_path, monkeypatch, by):
    path = tmp_path / "a.jsonl"
    late = [row(0, "rare"), *(row(n, "often") for n in range(200)), *(row(n, "rare") for n in range(9))]
    path.write_bytes(
        b"".join([*(row(n, "always") for n in range(1500)), *late, *(row(n, "always") for n in range(900))])
    )
    here = aggregate([path], batch_size=40, by=by)
    small_ranges(monkeypatch, 60_000)
    there = aggregate([path], batch_size=40, by=by, workers=2)
    order = [(judged.batch.run_id, judged.batch.index) for judged in here.batches]
    assert [(judged.batch.run_id, judged.batch.index) for judged in there.batches] == order
    assert list(dict.fromkeys(name for name, _ in order)) == ["always", "rare", "often"]


def test_workers_call_a_log_what_it_was_asked_for_by(tmp_path, monkeypatch):
    write_attempts(tmp_path / "attempts.jsonl", rows=1000, seed=3)
    monkeypatch.chdir(tmp_path)
    small_ranges(monkeypatch)
    report = aggregate(["attempts.jsonl"], batch_size=150, workers=2)
    assert {judged.batch.first[0] for judged in report.batches} == {"attempts.jsonl"}


@pytest.mark.parametrize("by", ["persona", "run", "tier"])
def test_workers_count_other_groups_alike(tmp_path, monkeypatch, by):
    path = tmp_path / "attempts.jsonl"
    write_attempts(path, rows=1500, seed=4, scenario="interleaved")
    here = aggregate([path], by=by)
    small_ranges(monkeypatch)
    assert told(aggregate([path], by=by, workers=2)) == told(here)
    assert sum(judged.batch.n for judged in here.batches) == 1500


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10**6), st.sampled_from(SCENARIOS))
def test_a_log_that_grows_by_any_bytes_gives_what_reading_it_whole_gives(tmp_path, seed, scenario):
    chance = random.Random(seed)
    whole, live = tmp_path / "whole.jsonl", tmp_path / "live.jsonl"
    write_attempts(whole, rows=250, seed=chance.randrange(99), scenario=scenario, torn=False)
    data = whole.read_bytes()
    expected = aggregate([whole], batch_size=40)
    live.write_bytes(b"")
    follower = Follower([live], batch_size=40)
    begin = 0
    while begin < len(data):
        end = min(begin + chance.choice([1, 7, 100, 5000, 40_000]), len(data))
        with live.open("ab") as file:
            file.write(data[begin:end])
        begin = end
        settle(follower)
        assert follower.report.tier.attempts + follower.report.bad_rows <= data[:end].count(b"\n")
    got = follower.report
    follower.close()
    renamed = [text.replace("live.jsonl", "whole.jsonl") for text in told(got)[0]]
    assert renamed == told(expected)[0]
    assert told(got, places=False)[1:] == told(expected, places=False)[1:]


def test_a_report_stays_the_same_object_while_nothing_changes(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(row(1))
    follower = Follower([path])
    first = settle(follower)
    assert not follower.poll(NOW + 1)
    assert follower.report is first
    with path.open("ab") as file:
        file.write(row(2))
    assert settle(follower).rev > first.rev
    assert follower.report.tier.attempts == 2
    assert first.tier.attempts == 1


def test_the_batch_that_grows_is_judged_as_it_stands_and_whole_ones_for_good(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(row(n) for n in range(25)))
    follower = Follower([path], batch_size=10)
    assert [(j.batch.index, j.batch.n, j.batch.complete) for j in settle(follower).batches] == [
        (0, 10, True), (1, 10, True), (2, 5, False),
    ]  # fmt: skip
    whole = follower.report.batches[0]
    with path.open("ab") as file:
        file.write(b"".join(row(n) for n in range(5)))
    assert [j.batch.n for j in settle(follower).batches] == [10, 10, 10]
    assert follower.report.batches[0] is whole


def test_a_last_line_without_an_end_waits_while_the_log_lives_and_counts_when_it_is_read_once(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(row(1) + row(2).rstrip())
    follower = Follower([path])
    assert settle(follower).tier.attempts == 1
    assert follower.report.done == len(row(1)) < follower.report.size
    assert aggregate([path]).tier.attempts == 2
    with path.open("ab") as file:
        file.write(b"\n" + row(3))
    assert settle(follower).tier.attempts == 3
    path.write_bytes(row(1) + b'{"status": "succ')
    once = aggregate([path])
    assert (once.tier.attempts, once.bad_rows, once.bad[0].line) == (1, 1, 2)


def test_a_log_that_is_truncated_or_rewritten_is_read_anew(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(row(n, "old") for n in range(30)))
    follower = Follower([path], batch_size=10)
    settle(follower)
    path.write_bytes(row(1, "new"))
    report = settle(follower)
    assert [(j.batch.run_id, j.batch.n) for j in report.batches] == [("new", 1)]
    other = tmp_path / "b"
    other.write_bytes(row(1, "newer") * 3)
    other.replace(path)
    assert [(j.batch.run_id, j.batch.n) for j in settle(follower).batches] == [("newer", 3)]
    path.unlink()
    assert "gone" in settle(follower).sources[0].problem
    assert follower.report.tier.attempts == 3


def test_a_log_that_is_rotated_goes_on(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(row(n) for n in range(15)))
    follower = Follower([path], batch_size=10)
    settle(follower)
    path.rename(tmp_path / "a.jsonl.1")
    path.write_bytes(b"".join(row(n) for n in range(15, 22)))
    assert [j.batch.n for j in settle(follower).batches] == [10, 10, 2]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_log_was_written_when_its_file_system_says_and_not_when_it_is_opened(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(row(1)) if name.endswith("gz") else row(1))
    os.utime(path, (NOW - 86_400, NOW - 86_400))
    follower = Follower([path])
    assert settle(follower).sources[0].updated == NOW - 86_400
    if name.endswith("gz"):
        return
    with path.open("ab") as file:
        file.write(row(2))
    os.utime(path, (NOW + 3600, NOW + 3600))  # by a clock that goes before ours
    assert settle(follower).sources[0].updated == NOW


def test_several_logs_are_one_sequence_in_the_order_given(tmp_path):
    parts = [tmp_path / "log.jsonl.2.gz", tmp_path / "log.jsonl.1", tmp_path / "log.jsonl"]
    rows = [row(n) for n in range(70)]
    parts[0].write_bytes(gzip.compress(b"".join(rows[:20])) + gzip.compress(b"".join(rows[20:30])))
    parts[1].write_bytes(b"".join(rows[30:45]))
    parts[2].write_bytes(b"".join(rows[45:]))
    whole = tmp_path / "whole"
    whole.write_bytes(b"".join(rows))
    got, expected = aggregate(parts, batch_size=25), aggregate([whole], batch_size=25)
    assert [j.batch.latency_mean for j in got.batches] == [j.batch.latency_mean for j in expected.batches]
    assert [s.rows for s in got.sources] == [30, 15, 25]
    assert [s.done for s in got.sources] == [s.size for s in got.sources] == [part.stat().st_size for part in parts]
    assert got.batches[1].batch.first == (str(parts[0]), len(b"".join(rows[:25])))


@pytest.mark.parametrize(
    ("spoil", "problem", "rows"),
    [
        (lambda data: data[: len(data) // 2], "ends early", range(1, 5000)),
        (lambda data: data[:200] + b"\xff" * 99 + data[299:], "damaged", range(5000)),
        (lambda data: b"no gzip at all", "does not begin as gzip", range(1)),
        (lambda data: b"", "does not begin as gzip", range(1)),
        (lambda data: data + b"\0" * 99, None, range(5000, 5001)),
    ],
)
def test_a_damaged_gzip_log_counts_up_to_the_damage_and_says_so(tmp_path, spoil, problem, rows):
    path = tmp_path / "a.jsonl.gz"
    data = b"".join(row(random.Random(n).random()) for n in range(5000))
    path.write_bytes(spoil(gzip.compress(data)))
    report = aggregate([path])
    assert report.tier.attempts in rows
    told = report.sources[0].problem
    assert (told is None) if problem is None else (problem in told and str(path) in told)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_a_gzip_bomb_is_read_in_bounded_memory(tmp_path):
    # What `getrusage` calls the peak is inherited from the process that forked: a large one here.
    path = tmp_path / "bomb.jsonl.gz"
    with gzip.open(path, "wb") as file:
        for _ in range(200):
            file.write(b"x" * (1 << 20))
        file.write(b"\n" + row(1))
    code = (
        "import sys; from mens_console.health.aggregate import aggregate;"
        "r = aggregate([sys.argv[1]]); assert (r.tier.attempts, r.bad_rows) == (1, 1), r;"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 400_000


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_what_is_not_there_or_is_no_file_is_a_problem_and_no_error(tmp_path, name):
    path = tmp_path / name
    assert "gone" in aggregate([path]).sources[0].problem
    os.mkfifo(path)
    report = aggregate([path])
    assert "not a regular file" in report.sources[0].problem
    assert (report.batches, report.tier.attempts) == ((), 0)


def test_an_empty_log_is_fine_and_says_nothing(tmp_path):
    path = tmp_path / "a.jsonl"
    path.touch()
    report = aggregate([path])
    assert (report.batches, report.bad_rows, report.sources[0].problem) == ((), 0, None)
    assert math.isnan(report.tier.success_rate)


# ---------------------------------------------------------------- workers


def long_log(tmp_path, rows=4000):
    path = tmp_path / "attempts.jsonl"
    write_attempts(path, rows=rows, seed=6, scenario="interleaved")
    return path


def test_a_worker_that_dies_costs_time_and_nothing_else_and_is_told(tmp_path, monkeypatch):
    path = long_log(tmp_path)
    expected = aggregate([path], batch_size=100)
    small_ranges(monkeypatch)
    follower = Follower([path], batch_size=100, workers=2)
    for _ in range(100_000):
        follower.poll(NOW)
        if follower._backlog is not None:
            break
    os.kill(follower._backlog[1].pids[0], signal.SIGKILL)
    report = settle(follower)
    problem = follower.report.sources[0].problem
    follower.close()
    assert told(report) == told(expected)
    assert problem is None or "killed by signal 9" in problem


def test_runs_beyond_the_bound_are_counted_together_whoever_reads(tmp_path, monkeypatch):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(row(n, f"run-{n // 20}") for n in range(3000)))
    monkeypatch.setattr("mens_console.health.tally.MOST_RUNS", 40)
    here = aggregate([path], batch_size=7)
    small_ranges(monkeypatch, 5_000)
    there = aggregate([path], batch_size=7, workers=2)
    assert told(there) == told(here)
    assert len(here.runs) == 41
    assert sum(judged.batch.n for judged in here.batches if judged.batch.run_id == "(other runs)") == 3000 - 800


@pytest.mark.parametrize("first", ["lines", "runs", "nothing"])
def test_a_worker_that_meets_too_many_runs_gives_up_before_its_memory_does(tmp_path, monkeypatch, first):
    monkeypatch.setattr("mens_console.health.worker.MOST_RUNS", 40)
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(row(n, f"run-{n}") for n in range(60)))
    status = path.stat()
    job = Job(1, str(path), "a.jsonl", (status.st_dev, status.st_ino), 0, status.st_size, 10, 0.1, "batch", first)
    worker = Worker()
    answer = worker.answer(job)
    if first == "lines":
        assert answer == Lines(1, 60)
        answer = worker.answer(Begin(1, {}, sure=True))
    assert isinstance(answer, Failed)
    assert "runs" in answer.why


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ((sys.executable, "-c", "raise SystemExit(3)"), "exit code 3"),
        ((sys.executable, "-c", "print('nonsense' * 99)"), "nonsense"),
    ],
)
def test_workers_that_never_work_leave_the_reading_to_this_process(tmp_path, monkeypatch, command, why):
    path = long_log(tmp_path, 800)
    expected = aggregate([path], batch_size=100)
    small_ranges(monkeypatch)
    monkeypatch.setitem(Backlog.__init__.__kwdefaults__, "command", command)
    report = aggregate([path], batch_size=100, workers=2)
    assert told(report) == told(expected)
    assert why in report.sources[0].problem
    assert "read again" in report.sources[0].problem


def test_closing_early_leaves_no_process_behind(tmp_path, monkeypatch):
    path = long_log(tmp_path)
    small_ranges(monkeypatch)
    follower = Follower([path], workers=2)
    while follower._backlog is None:
        follower.poll(NOW)
    pids = follower._backlog[1].pids
    follower.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_log_that_shrinks_under_its_workers_is_read_anew(tmp_path, monkeypatch):
    path = long_log(tmp_path)
    small_ranges(monkeypatch)
    follower = Follower([path], workers=2)
    while follower._backlog is None:
        follower.poll(NOW)
    path.write_bytes(row(1, "new"))
    report = settle(follower)
    follower.close()
    assert [(j.batch.run_id, j.batch.n) for j in report.batches] == [("new", 1)]


def test_workers_do_not_import_from_where_they_stand_or_where_logs_lie(tmp_path, monkeypatch):
    path = long_log(tmp_path, 500)
    for name in ("orjson", "msgspec", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    small_ranges(monkeypatch)
    assert aggregate([path.name], workers=1).sources[0].problem is None


def test_ranges_end_where_lines_do_even_where_lines_are_long(tmp_path, monkeypatch):
    path = tmp_path / "a.jsonl"
    rows = [row(n, note="x" * (40_000 if n % 50 == 0 else 3)) for n in range(300)]
    path.write_bytes(b"".join(rows) + b'{"status": "torn')
    options = Options(7)
    with path.open("rb") as file:
        backlog = Backlog(str(path), file.fileno(), 0, path.stat().st_size, options, {}, workers=2, range_size=1000)
        ranges = []
        while not backlog.finished:
            backlog.ready.wait(0.2)
            if (done := backlog.poll()) is not None:
                ranges.append((done.start, done.end))
        problem = backlog.problem
        backlog.close()
    assert problem is None
    data = path.read_bytes()
    assert [begin for begin, _ in ranges] == [0, *(end for _, end in ranges)][: len(ranges)]
    assert all(data[end - 1 : end] == b"\n" for _, end in ranges)
    assert ranges[-1][1] == data.rindex(b"\n") + 1
    assert len(ranges) > 20


# ---------------------------------------------------------------- checkpoints


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A log with a checkpoint, and its cache."""
    monkeypatch.setattr("mens_console.health.follow._WORTH_KEEPING", 1)
    path, cache = long_log(tmp_path), tmp_path / "cache"
    follower = Follower([path], batch_size=100, cache=cache)
    settle(follower)
    follower.close()
    assert len(list(cache.iterdir())) == 1
    return path, cache


def reopened(paths, cache, **options):
    """Open logs again; return what is known, and how many bytes were decoded for it."""
    follower = Follower(paths, batch_size=100, cache=cache, **options)
    known = sum(log.tail.done if hasattr(log, "tail") else log.done for log in follower._logs)
    report = settle(follower)
    follower.close()
    return report, report.done - known


def test_an_aggregated_log_opens_again_at_the_cost_of_its_new_bytes(kept):
    path, cache = kept
    report, cost = reopened([path], cache)
    assert cost == 0
    assert told(report) == told(aggregate([path], batch_size=100))
    more = b"".join(row(n, "25K_20260131_143200") for n in range(150)) + b"not json\n"
    with path.open("ab") as file:
        file.write(more)
    report, cost = reopened([path], cache)
    assert cost == len(more)
    assert told(report) == told(aggregate([path], batch_size=100))
    assert cache.stat().st_mode & 0o077 == 0
    assert next(cache.iterdir()).stat().st_mode & 0o077 == 0


def test_a_log_that_was_rotated_meanwhile_is_known_under_its_new_name(kept):
    path, cache = kept
    old = path.with_name("attempts.jsonl.1")
    path.rename(old)
    fresh = b"".join(row(n, "25K_20260131_143200") for n in range(50))
    path.write_bytes(fresh)
    report, cost = reopened([old, path], cache)
    assert cost == len(fresh)
    assert told(report) == told(aggregate([old, path], batch_size=100))


def test_runs_keep_their_order_when_a_log_is_opened_again(tmp_path, monkeypatch):
    monkeypatch.setattr("mens_console.health.follow._WORTH_KEEPING", 1)
    path, cache = tmp_path / "a.jsonl", tmp_path / "cache"
    path.write_bytes(b"".join(row(n, "small") for n in range(30)) + b"".join(row(n, "large") for n in range(250)))
    first = aggregate([path], batch_size=100, cache=cache)
    again = aggregate([path], batch_size=100, cache=cache)
    assert [run.tier for run in first.runs] == [run.tier for run in again.runs] == ["small", "large"]
    assert [one.batch.run_id for one in again.batches] == ["small", "large", "large", "large"]
    assert told(again) == told(first)


def test_gzip_logs_are_known_again_too(kept, tmp_path):
    path, cache = kept
    packed = tmp_path / "attempts.jsonl.2.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    first, cost = reopened([packed, path], cache)
    assert cost > 0
    again, cost = reopened([packed, path], cache)
    assert cost == 0
    assert told(again) == told(first)


def altered(data):
    """A log that begins and ends as another one does, and is as long."""
    return data[:2000] + data[2000:-500].replace(b'"success"', b'"SUCCESS"') + data[-500:]


@pytest.mark.parametrize(
    "change",
    [
        lambda path, file: path.write_bytes(path.read_bytes().replace(b"2026-01-31", b"2025-01-31", 1)),
        lambda path, file: path.write_bytes(path.read_bytes()[:-700]),
        lambda path, file: path.write_bytes(altered(path.read_bytes())),
        lambda path, file: path.write_bytes(altered(path.read_bytes()) + row(9)),
        lambda path, file: (path.with_name("b").write_bytes(path.read_bytes()), path.with_name("b").replace(path)),
        lambda path, file: file.write_bytes(file.read_bytes()[:-9]),
        lambda path, file: file.write_bytes(b"\xc1" * 99),
        lambda path, file: file.write_bytes(file.read_bytes().replace(b"success", b"sUccess", 1)),
        lambda path, file: file.write_bytes(b""),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_not_believed(kept, change):
    path, cache = kept
    change(path, next(cache.iterdir()))
    report, cost = reopened([path], cache)
    assert cost == report.done >= path.stat().st_size - 700
    follower = Follower([path], batch_size=100)
    assert told(report) == told(settle(follower))


def test_other_options_and_other_versions_have_checkpoints_of_their_own(kept, monkeypatch):
    path, cache = kept
    follower = Follower([path], batch_size=50, cache=cache)
    assert follower.progress[0] == 0
    follower.close()
    monkeypatch.setattr(checkpoint_module, "VERSION", 999)
    assert reopened([path], cache)[1] == path.stat().st_size


def test_reading_that_is_broken_off_goes_on_there(tmp_path, monkeypatch):
    monkeypatch.setattr("mens_console.health.follow._WORTH_KEEPING", 1)
    path, cache = long_log(tmp_path), tmp_path / "cache"
    small_ranges(monkeypatch)
    follower = Follower([path], batch_size=100, cache=cache, workers=2)
    while follower.progress[0] < 200_000:
        follower.poll(NOW)
        follower.wait(0.2)
    done = follower.progress[0]
    follower.close()
    report, cost = reopened([path], cache, workers=1)
    assert cost == path.stat().st_size - done
    assert told(report) == told(aggregate([path], batch_size=100))


def test_a_log_whose_name_is_no_text_is_counted_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("mens_console.health.follow._WORTH_KEEPING", 1)
    path = long_log(tmp_path)
    expected = aggregate([path], batch_size=100)
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jsonl"))
    path.rename(odd)
    small_ranges(monkeypatch)
    found = aggregate([odd], batch_size=100, workers=2, cache=tmp_path / "cache")
    assert (found.tier, found.bad_rows) == (expected.tier, expected.bad_rows)


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(kept, tmp_path):
    path, _ = kept
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    for _ in range(2):
        report, cost = reopened([path], blocked)
        assert cost == path.stat().st_size
        assert report.tier.attempts == 4000


def test_a_line_without_an_end_is_in_no_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr("mens_console.health.follow._WORTH_KEEPING", 1)
    path, cache = tmp_path / "a.jsonl", tmp_path / "cache"
    path.write_bytes(b"".join(row(n) for n in range(250)) + row(250).rstrip())
    assert aggregate([path], batch_size=100, cache=cache).tier.attempts == 251
    with path.open("ab") as file:
        file.write(b"\n" + row(251))
    report, cost = reopened([path], cache)
    assert report.tier.attempts == 252
    assert cost == len(row(250) + row(251))


def test_the_cache_is_where_the_user_keeps_caches():
    assert default_cache({"XDG_CACHE_HOME": "/c"}) == Path("/c/mens-console")
    assert (
        default_cache({"XDG_CACHE_HOME": "relative"}) == default_cache({}) == Path("~/.cache/mens-console").expanduser()
    )


def test_a_last_row_without_its_newline_counts_wherever_it_ends(tmp_path):
    path = tmp_path / "attempts.jsonl"
    for size in (4095, 4096, 4097):
        first = row(1, error="x" * 2000)
        last = row(2).strip()
        last = last[:-1] + b" " * (size - len(first) - len(last)) + b"}"
        path.write_bytes(first + last)
        assert path.stat().st_size == size
        report = aggregate([path])
        assert (report.tier.attempts, report.bad_rows, report.done) == (2, 0, size)
