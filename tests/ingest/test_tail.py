import contextlib
import errno
import math
import os
import shutil
import signal
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ingest.lines import LINES, STATELESS, Folded, rows

from mens_console.ingest import marks as marks_module
from mens_console.ingest import safeopen
from mens_console.ingest import tail as tail_module
from mens_console.ingest.formats.base import Format
from mens_console.ingest.records import Batch
from mens_console.ingest.safeopen import FdCache, NotRegularFileError, explain, open_regular, read_small
from mens_console.ingest.tail import Tail


@pytest.fixture
def log(tmp_path):
    return tmp_path / "metrics.jsonl"


def tail_of(path, **options):
    return Tail(str(path), LINES, **options)


def append(path, data):
    with path.open("ab") as file:
        file.write(data)


def test_history_has_no_arrival_time_and_live_rows_do(log):
    log.write_bytes(rows(1, 2) + b"3,0")
    tail, seen = tail_of(log), Folded()
    seen.drain(tail, now=50.0)
    assert seen.steps == [1, 2]
    append(log, b".5\n4,0.5\n")
    seen.drain(tail, now=60.0)
    assert seen.steps == [1, 2, 3, 4]
    assert math.isnan(seen.walls[0])
    assert seen.walls[2:] == [60.0, 60.0]
    assert tail.done == tail.size == log.stat().st_size


def test_unchanged_file_costs_one_stat(log, monkeypatch):
    log.write_bytes(rows(1))
    tail = tail_of(log)
    Folded().drain(tail)
    monkeypatch.setattr(tail_module, "read_at", None)
    monkeypatch.setattr(tail_module, "open_regular", None)
    assert tail.poll(1001.0) is None
    assert tail.problem is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 12), max_size=25), st.integers(1, 40), st.booleans())
def test_any_way_of_writing_gives_each_row_once(tmp_path_factory, cuts, limit, final):
    path = tmp_path_factory.mktemp("any") / "metrics.jsonl"
    data, at = rows(*range(30)), 0
    path.write_bytes(b"")
    tail, seen = tail_of(path), Folded()
    for cut in cuts:
        append(path, data[at : at + cut])
        at += cut
        seen.drain(tail, limit=limit)
    append(path, data[at:])
    assert seen.drain(tail, limit=limit, final=final) == list(range(30))
    assert (seen.restarts, seen.rotations, seen.bad) == (0, 0, 0)


def test_truncated_file_restarts_even_while_empty(log):
    log.write_bytes(rows(1, 2, 3))
    tail, seen = tail_of(log), Folded()
    seen.drain(tail)
    log.write_bytes(b"")
    assert seen.drain(tail) == []
    assert seen.restarts == 1
    append(log, rows(7))
    assert seen.drain(tail) == [7]
    assert seen.restarts == 1


@pytest.mark.parametrize("again", [(7, 8, 9), (7, 8, 9, 10, 11)], ids=["same size", "longer"])
def test_rewritten_in_place(log, again):
    log.write_bytes(rows(1, 2, 3))
    tail, seen = tail_of(log), Folded()
    seen.drain(tail)
    log.write_bytes(rows(*again))
    os.utime(log, ns=(1, 1))
    assert seen.drain(tail) == list(again)
    assert seen.restarts == 1


def test_rewritten_after_the_same_kilobyte_is_noticed_where_reading_stands(log):
    log.write_bytes(rows(*range(300)))
    tail, seen = tail_of(log), Folded()
    seen.drain(tail)
    log.write_bytes(rows(*range(200), *range(1200, 1400)))
    assert seen.drain(tail)[200] == 1200
    assert seen.restarts == 1


def test_torn_tail_cut_and_written_anew(log):
    log.write_bytes(rows(1) + b"2,0.12345678")
    tail, seen = tail_of(log), Folded()
    assert seen.drain(tail) == [1]
    with log.open("r+b") as file:
        file.truncate(6)
    append(log, b"2,0.5\n")
    assert seen.drain(tail) == [1, 2]
    assert seen.restarts == 0


def test_atomic_rewrite_with_the_same_content_goes_on(log, tmp_path):
    log.write_bytes(rows(1, 2))
    tail, seen = tail_of(log), Folded()
    seen.drain(tail)
    (tmp_path / "new").write_bytes(rows(1, 2, 3))
    os.replace(tmp_path / "new", log)
    assert seen.drain(tail) == [1, 2, 3]
    assert (seen.restarts, seen.rotations) == (0, 0)


def test_replacement_by_another_log_restarts(log, tmp_path):
    log.write_bytes(rows(1, 2))
    tail, seen = tail_of(log), Folded()
    seen.drain(tail)
    (tmp_path / "new").write_bytes(rows(8, 9, 10))
    os.replace(tmp_path / "new", log)
    assert seen.drain(tail) == [8, 9, 10]
    assert seen.restarts == 1


@pytest.mark.parametrize("keep_open", [True, False], ids=["descriptor kept", "descriptor evicted"])
def test_rotation_by_rename_loses_nothing(log, keep_open):
    log.write_bytes(rows(1, 2))
    fds = FdCache()
    tail, seen = tail_of(log, fds=fds), Folded()
    seen.drain(tail)
    append(log, rows(3))
    log.rename(log.with_name("metrics.jsonl.1"))
    if not keep_open:
        fds.close()
    log.write_bytes(b"")  # logrotate made the new file, the writer still holds the old one
    assert seen.drain(tail) == [1, 2, 3]
    append(log.with_name("metrics.jsonl.1"), rows(4) + b"5,0.5")
    assert seen.drain(tail) == [1, 2, 3, 4]
    append(log, rows(6))
    assert seen.drain(tail, now=2000.0) == [1, 2, 3, 4, 5, 6]
    assert (seen.restarts, seen.rotations) == (0, 1)
    assert seen.walls[-1] == 2000.0
    append(log, rows(7))
    assert seen.drain(tail)[-1] == 7


@pytest.mark.parametrize("in_place", [True, False], ids=["in place", "another file"])
@pytest.mark.parametrize("kept", [True, False], ids=["as it was", "altered"])
def test_a_log_that_is_other_only_in_its_middle_is_read_anew(log, in_place, kept):
    old = rows(*range(1000, 3000))
    new = old if kept else old[: len(old) // 2].replace(b",0.5", b",0.7") + old[len(old) // 2 :]
    new = old[:1024] + new[1024:]
    log.write_bytes(old)
    tail, seen = tail_of(log), Folded()
    seen.drain(tail)
    target = log if in_place else log.with_name("new")
    target.write_bytes(new)
    os.utime(target, (2e9, 2e9))
    target.replace(log)
    append(log, b"")
    seen.drain(tail)
    assert (seen.restarts, seen.steps) == (0 if kept else 1, list(range(1000, 3000)))
    append(log, rows(3000))
    assert seen.drain(tail)[-1] == 3000


@given(st.lists(st.integers(1, 30_000), min_size=1, max_size=60), st.randoms())
def test_marks_tell_bytes_again_however_they_were_committed_and_stay_few(tmp_path_factory, cuts, chance):
    data = chance.randbytes(sum(cuts))
    marks, at = marks_module.Marks(), 0
    for cut in cuts:
        marks.commit(data[at : at + cut])
        at += cut
    assert marks.done == len(data)
    assert len(marks.spots) <= 2 * 31
    path = tmp_path_factory.mktemp("marks") / "file"
    path.write_bytes(data + b"more")
    with path.open("rb") as file:
        assert marks.match_all(file.fileno())
    offset = marks.spots[2 * chance.randrange(len(marks.spots) // 2)]
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(bytes([data[offset] ^ 1]))
        file.flush()
        assert not marks.match_all(file.fileno())


def rotate(log, data, *, copy=False, age=None, dated=0):
    """Rotate as logrotate does, and write `data` under the name; `age`: when all files were written, in seconds."""
    shift = shutil.copy2 if copy else os.rename
    if dated:
        shift(log, log.with_name(f"metrics.jsonl-2026013{dated}"))
    else:
        numbers = sorted((int(old.suffix[1:]) for old in log.parent.glob("metrics.jsonl.*")), reverse=True)
        for number in numbers:
            log.with_name(f"metrics.jsonl.{number}").rename(log.with_name(f"metrics.jsonl.{number + 1}"))
        shift(log, log.with_name("metrics.jsonl.1"))
    log.write_bytes(data)
    for file in log.parent.iterdir():
        if age is not None:
            os.utime(file, (age, age))


@pytest.mark.parametrize("age", [None, 1e9], ids=["as written", "all at one moment"])
@pytest.mark.parametrize("copy", [False, True], ids=["renamed", "copied and truncated"])
@pytest.mark.parametrize("dated", [False, True], ids=["counted", "dated"])
def test_several_rotations_between_two_looks_lose_nothing(log, copy, dated, age):
    log.write_bytes(rows(0))
    rotate(log, rows(1, 2), copy=copy, age=age, dated=dated * 1)
    tail, seen = tail_of(log), Folded()
    assert seen.drain(tail) == [1, 2]  # what was rotated before is another file's
    append(log, rows(3) + b"4,0.5")
    for number in range(2, 6):
        rotate(log, rows(*range(10 * number, 10 * number + 3)), copy=copy, age=age, dated=dated * number)
    assert seen.drain(tail) == [1, 2, 3, 4, 20, 21, 22, 30, 31, 32, 40, 41, 42, 50, 51, 52]
    assert (seen.restarts, seen.rotations) == (0, 4)
    append(log, rows(60))
    assert seen.drain(tail, now=2000.0)[-1] == 60


@pytest.mark.parametrize("shifts", [1, 3])
def test_a_rotation_while_rotated_files_are_looked_for_loses_nothing(log, monkeypatch, shifts):
    log.write_bytes(rows(1))
    tail, seen = tail_of(log), Folded()
    seen.drain(tail)
    rotate(log, rows(2))
    rotate(log, rows(3))
    real, left = marks_module.open_regular, [4 + n for n in range(shifts)]

    def shifting(path, **options):
        if left and path.endswith(".1"):
            rotate(log, rows(left.pop(0)))
        return real(path, **options)

    monkeypatch.setattr(marks_module, "open_regular", shifting)
    assert seen.drain(tail) == [1, 2, 3, *range(4, 4 + shifts)]
    assert seen.restarts == 0


def test_files_of_another_name_or_an_earlier_time_are_no_rotation_in_between(log):
    log.write_bytes(rows(1, 2))
    os.utime(log, (2e9, 2e9))
    tail, seen = tail_of(log), Folded()
    seen.drain(tail)
    for name in ("metrics.jsonl.1", "metrics.jsonl.4", "metrics.jsonl-20260131", "metrics.jsonl.old", "other.jsonl.2"):
        log.with_name(name).write_bytes(rows(99))
        when = 1e9 if name.endswith((".1", ".4")) else 3e9
        os.utime(log.with_name(name), (when, when))
    log.rename(log.with_name("metrics.jsonl.3"))
    log.write_bytes(rows(4))
    assert seen.drain(tail) == [1, 2, 4]


def test_rotated_before_it_was_ever_read(log):
    log.write_bytes(b"1,0.")
    tail, seen = tail_of(log), Folded()
    seen.drain(tail)
    append(log, b"5\n2,0.5\n")
    log.rename(log.with_name("metrics.jsonl.1"))
    log.write_bytes(rows(3))
    assert seen.drain(tail) == [1, 2, 3]


def test_copytruncate_rotation_keeps_the_rows(log):
    log.write_bytes(rows(1, 2))
    tail, seen = tail_of(log), Folded()
    seen.drain(tail)
    append(log, rows(3))
    shutil.copy(log, log.with_name("metrics.jsonl.1"))
    log.write_bytes(rows(4))
    assert seen.drain(tail) == [1, 2, 3, 4]
    assert (seen.restarts, seen.rotations) == (0, 1)


def test_an_editors_backup_is_no_rotation(log):
    log.write_bytes(rows(1, 2))
    tail, seen = tail_of(log), Folded()
    seen.drain(tail)
    shutil.copy(log, log.with_name("metrics.jsonl~"))
    log.write_bytes(rows(2))
    assert seen.drain(tail) == [2]
    assert seen.restarts == 1


def test_rotated_file_rewritten_while_it_is_drained_restarts(log):
    log.write_bytes(rows(1, 2))
    tail, seen = tail_of(log), Folded()
    seen.drain(tail)
    old = log.with_name("metrics.jsonl.1")
    log.rename(old)
    log.write_bytes(b"")
    seen.drain(tail)
    old.write_bytes(rows(5))
    append(log, rows(6))
    assert seen.drain(tail) == [6]
    assert seen.restarts == 1


def test_final_reads_the_unterminated_line_and_growth_revokes_it(log):
    log.write_bytes(rows(1) + b"2,0.2")
    tail, seen = tail_of(log), Folded()
    assert seen.drain(tail) == [1]
    chunk = tail.poll(1000.0, final=True)
    assert chunk.provisional
    assert tail.provisional
    seen.add(chunk)
    assert seen.steps == [1, 2]
    assert tail.poll(1001.0, final=True) is None
    append(log, b"5\n")
    assert seen.drain(tail) == [1, 2]
    assert seen.restarts == 1
    assert not tail.provisional


def test_a_file_cut_by_its_writers_buffer_is_waited_for(log):
    whole = b"x" * 63 + b"\n"
    log.write_bytes(whole * 64 + b"y" * 4096)
    tail = tail_of(log)
    assert tail.poll(0.0, final=True) is not None
    assert tail.poll(1.0, final=True) is None
    append(log, b"y\n")
    assert tail.poll(2.0, final=True).restarted is False


@pytest.mark.parametrize(
    ("rest", "counts"), [(b'{"a": "%s"}', True), (b'{"a": "%s", "b": {}', False), (b"[{%s}", False)]
)
def test_a_whole_object_that_ends_where_a_buffer_would_counts_and_a_torn_one_waits(log, rest, counts):
    rest %= b"y" * (4096 - len(rest) + 2)
    assert len(rest) == 4096
    log.write_bytes((b"x" * 63 + b"\n") * 64 + rest)
    tail = tail_of(log)
    assert tail.poll(0.0, final=True) is not None
    last = tail.poll(1.0, final=True)
    assert (last is not None and last.provisional) is counts
    assert tail.poll(2.0, final=True) is None
    append(log, b"\n{}\n")
    more = tail.poll(3.0)
    assert more.restarted is counts


def test_final_without_a_rest_is_not_provisional(log):
    log.write_bytes(rows(1))
    tail, seen = tail_of(log), Folded()
    seen.drain(tail, final=True)
    append(log, rows(2))
    assert seen.drain(tail, final=True) == [1, 2]
    assert seen.restarts == 0


def test_long_lines_grow_the_window_and_monsters_stop(log, monkeypatch):
    log.write_bytes(rows(1) + b"2,0." + b"5" * (10 << 20) + b"\n" + rows(3))
    tail, seen = tail_of(log), Folded()
    assert seen.drain(tail) == [1, 2, 3]
    monkeypatch.setattr(tail_module, "_WINDOW_MAX", 1 << 12)
    log.write_bytes(rows(1) + b"2" * (1 << 14))
    assert seen.drain(tail, limit=256) == [1]
    assert "longer than" in tail.problem
    append(log, b"2" * 100)
    assert seen.drain(tail, limit=256) == [1]
    assert not tail.more


def test_budget_is_kept(log):
    log.write_bytes(rows(*range(10_000)))
    tail = tail_of(log)
    chunk = tail.poll(1.0, limit=4096)
    assert chunk.end - chunk.start <= 4096
    assert tail.more
    Folded().drain(tail)
    assert not tail.more


def test_vanished_file_is_read_to_its_end_and_picked_up_again(log):
    log.write_bytes(rows(1))
    tail, seen = tail_of(log), Folded()
    seen.drain(tail)
    append(log, rows(2))
    log.unlink()
    assert seen.drain(tail, now=10.0) == [1, 2]
    assert tail.poll(11.0) is None
    assert "gone" in tail.problem
    assert str(log) in tail.problem
    log.write_bytes(rows(5))
    assert tail.poll(11.01) is None  # backing off
    assert seen.drain(tail, now=13.0) == [5]
    assert seen.restarts == 1
    assert tail.problem is None


def test_a_deleted_file_is_not_held_open_for_ever(log):
    log.write_bytes(rows(1))
    fds = FdCache()
    tail = tail_of(log, fds=fds)
    Folded().drain(tail)
    log.unlink()
    for second in range(20):
        tail.poll(2000.0 + 2 * second)
    assert len(fds) == 0


def test_vanished_directory(log):
    folder = log.parent / "run"
    folder.mkdir()
    (folder / "m.jsonl").write_bytes(rows(1))
    tail = tail_of(folder / "m.jsonl")
    Folded().drain(tail)
    shutil.rmtree(folder)
    assert tail.poll(1001.0) is None
    assert "gone" in tail.problem


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.ESTALE, errno.EMFILE, errno.EDQUOT])
def test_errors_become_problems_with_back_off(log, monkeypatch, code):
    log.write_bytes(rows(1))
    calls = []

    def refuse(path, **_):
        calls.append(path)
        raise OSError(code, os.strerror(code), path)

    with monkeypatch.context() as patch:
        patch.setattr(tail_module, "open_regular", refuse)
        tail = tail_of(log)
        for tick in range(100):
            assert tail.poll(tick * 0.25) is None
        assert str(log) in tail.problem
        assert 3 <= len(calls) <= 12
    seen = Folded()
    assert seen.drain(tail, now=100.0) == [1]
    assert tail.problem is None


def test_error_while_reading(log, monkeypatch):
    log.write_bytes(rows(1))
    tail = tail_of(log)

    def broken(*_):
        raise OSError(errno.EIO, "broken")

    with monkeypatch.context() as patch:
        patch.setattr(tail_module, "read_at", broken)
        assert tail.poll(1.0) is None
    assert "dmesg" in tail.problem
    assert Folded().drain(tail, now=2.0) == [1]


def test_pipes_devices_folders_and_links_are_refused(tmp_path):
    fifo, link = tmp_path / "metrics.jsonl", tmp_path / "link"
    os.mkfifo(fifo)
    (tmp_path / "real").write_bytes(rows(1))
    link.symlink_to(tmp_path / "real")
    for path in (fifo, "/dev/zero", tmp_path):
        tail = tail_of(path)
        assert tail.poll(1.0) is None
        assert "not a regular file" in tail.problem
        with pytest.raises(NotRegularFileError):
            open_regular(str(path))
    tail = tail_of(link)
    assert tail.poll(1.0) is None
    assert "link" in tail.problem
    assert Folded().drain(tail_of(link, follow=True)) == [1]
    assert read_small(str(link), 2, offset=1, follow=True) == b",0"


def test_swapped_for_a_pipe_between_look_and_open(tmp_path, monkeypatch):
    fifo, plain = tmp_path / "fifo", tmp_path / "plain"
    os.mkfifo(fifo)
    plain.write_bytes(b"")
    status = plain.stat()
    monkeypatch.setattr(safeopen.os, "stat", lambda *_, **__: status)
    before = len(os.listdir("/dev/fd"))
    with pytest.raises(NotRegularFileError):
        open_regular(str(fifo))
    assert len(os.listdir("/dev/fd")) == before


def test_replaced_between_stat_and_open(log, tmp_path, monkeypatch):
    log.write_bytes(rows(1))
    (tmp_path / "other").write_bytes(rows(9))
    real = tail_module.open_regular
    monkeypatch.setattr(tail_module, "open_regular", lambda path, **_: real(str(tmp_path / "other")))
    tail = tail_of(log)
    assert tail.poll(1.0) is None
    monkeypatch.undo()
    assert Folded().drain(tail) == [1]


def test_short_reads_are_completed(log, monkeypatch):
    log.write_bytes(rows(*range(50)))
    real = os.pread
    monkeypatch.setattr(safeopen.os, "pread", lambda fd, count, at: real(fd, min(count, 7), at))
    assert Folded().drain(tail_of(log)) == list(range(50))


def test_few_descriptors_serve_many_files(tmp_path):
    fds = FdCache(limit=4)
    tails = [tail_of(tmp_path / f"{index}.jsonl", fds=fds) for index in range(20)]
    folded = [Folded() for _ in tails]
    before = len(os.listdir("/dev/fd"))
    for turn in range(3):
        for index, tail in enumerate(tails):
            with open(tail.path, "ab") as file:
                file.write(rows(turn))
            folded[index].drain(tail)
    assert all(seen.steps == [0, 1, 2] and not seen.restarts for seen in folded)
    assert len(fds) == 4
    assert len(os.listdir("/dev/fd")) <= before + 4
    for tail in tails:
        tail.close()
    assert len(os.listdir("/dev/fd")) == before


def test_close_while_draining(log):
    before = len(os.listdir("/dev/fd"))
    log.write_bytes(rows(1))
    tail, seen = tail_of(log), Folded()
    seen.drain(tail)
    log.rename(log.with_name("metrics.jsonl.1"))
    log.write_bytes(b"")
    seen.drain(tail)
    tail.close()
    assert len(os.listdir("/dev/fd")) == before
    append(log, rows(2))
    assert seen.drain(tail) == [1, 2]


def test_saved_place_is_taken_up_elsewhere(log):
    log.write_bytes(rows(1) + b"junk\n")
    first = tail_of(log)
    assert first.save() is None
    Folded().drain(first)
    saved = first.save()
    append(log, b"more junk\n" + rows(2))
    second, seen = tail_of(log), Folded()
    second.load(saved)
    chunk = second.poll(77.0)
    assert chunk.batch.bad[0].line == 3
    seen.add(chunk)
    assert seen.steps == [2]
    assert seen.walls == [77.0]
    log.write_bytes(rows(5))
    third, seen = tail_of(log), Folded()
    third.load(saved)
    assert seen.drain(third) == [5]
    assert seen.restarts == 1


def test_decoders_without_state_are_not_saved(log):
    log.write_bytes(rows(1))
    tail = Tail(str(log), STATELESS)
    Folded().drain(tail)
    assert tail.save() is None
    with pytest.raises(TypeError):
        tail.load({})


def test_what_a_decoder_held_back_comes_with_final(log):
    class Holder:
        """Consumes at once, tells at the end."""

        def feed(self, data, at, *, final=False):
            return len(data), Batch(rows=1) if final else Batch()

    log.write_bytes(b"held")
    tail = Tail(str(log), Format("holder", 1, lambda *_: True, Holder))
    assert tail.poll(1.0).batch.rows == 0
    assert tail.poll(1.0) is None
    assert tail.poll(1.0, final=True).batch.rows == 1
    assert tail.poll(1.0, final=True) is None


WRITER = """
import itertools, os, sys
file = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
for step in itertools.count(int(sys.argv[2])):
    os.write(file, b"%d,0." % step)
    os.write(file, b"5\\n")
"""


def test_writer_killed_mid_line_and_resumed(log):
    tail, seen = tail_of(log), Folded()
    resume_at = 0
    for _ in range(2):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(log), str(resume_at)])
        try:
            while len(seen.steps) < resume_at + 500:
                seen.drain(tail, now=1e9)
                tail._back_off.worked()
        finally:
            writer.send_signal(signal.SIGKILL)
            writer.wait()
        with log.open("r+b") as file:  # what a kill between the two writes leaves
            file.truncate(log.stat().st_size - 2)
        seen.drain(tail, now=2e9, final=True)
        append(log, b"5\n")
        seen.drain(tail, now=3e9)
        resume_at = len(seen.steps)
    assert seen.steps == list(range(resume_at))
    assert seen.bad == 0


def test_rotation_under_a_live_writer(log):
    code = WRITER.replace("for step", "import time\nfor step")
    tail, seen = tail_of(log), Folded()
    for generation in range(3):
        start = len(seen.steps)
        writer = subprocess.Popen([sys.executable, "-c", code, str(log), str(start)])
        while len(seen.steps) < start + 300:
            seen.drain(tail, now=1e9 + generation)
            tail._back_off.worked()
        writer.kill()
        writer.wait()
        whole = log.read_bytes()
        log.write_bytes(whole[: whole.rfind(b"\n") + 1]) if not whole.endswith(b"\n") else None
        total = int(log.read_bytes().splitlines()[-1].split(b",")[0]) + 1
        log.rename(log.with_name(f"metrics.jsonl.{generation + 1}"))
        log.write_bytes(rows(total))
        assert seen.drain(tail, now=2e9) == list(range(total + 1))
    assert seen.rotations == 3


def test_explain_names_a_cure_or_the_error():
    assert "chmod" in explain(PermissionError(errno.EACCES, "x"))
    assert "tried again" in explain(OSError(errno.EPROTO, "Protocol error"))
    assert "odd" in explain(OSError("odd"))


def test_rotation_that_vanishes_while_it_is_looked_at(log, monkeypatch):
    log.write_bytes(rows(1))
    tail, seen = tail_of(log), Folded()
    seen.drain(tail)
    log.rename(log.with_name("metrics.jsonl.1"))
    log.write_bytes(rows(2))

    def gone(path, **_):
        raise FileNotFoundError(errno.ENOENT, "gone", path)

    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(marks_module, "open_regular", gone)
        assert seen.drain(tail) == [2]
    assert seen.restarts == 1
