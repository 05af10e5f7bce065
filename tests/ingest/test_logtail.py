"""Lines of growing logs of any size, and filters that cannot hang."""

import os
import re
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mens_console.ingest import filterchild, logfile, logfilter, logtail
from mens_console.ingest.logfilter import LogFilter
from mens_console.ingest.logtail import LogTail, level_of


class Bell:
    """Waits for the next call, or the next state."""

    def __init__(self):
        self._rung = threading.Condition()

    def __call__(self):
        with self._rung:
            self._rung.notify_all()

    def until(self, holds, seconds=20.0):
        end = time.monotonic() + seconds
        with self._rung:
            while not holds():
                left = end - time.monotonic()
                assert left > 0, "the state did not come"
                self._rung.wait(min(left, 0.05))


@pytest.fixture
def tail_of(tmp_path):
    """Make a tail of some content, closed at the end; nothing watches unless asked to."""
    tails = []

    def make(data, *, watch=False, on_change=lambda: None):
        path = tmp_path / "train.log"
        path.write_bytes(data)
        tails.append(LogTail(path, on_change, watch=watch))
        return tails[-1]

    yield make
    for tail in tails:
        tail.close()


def texts(lines):
    return [line.text for line in lines]


def test_lines_by_number_and_from_the_end(tail_of):
    tail = tail_of(b"".join(b"line %d\n" % i for i in range(100)))
    assert tail.line_count == 100 and tail.progress == 1.0
    assert texts(tail.lines(3, 2)) == ["line 3", "line 4"]
    assert texts(tail.lines(98, 10)) == ["line 98", "line 99"]
    assert [line.number for line in tail.lines(-2, 5)] == [98, 99]
    assert texts(tail.lines(-200, 103)) == ["line 0", "line 1", "line 2"]
    assert tail.lines(100, 1) == [] and tail.lines(0, 0) == []


def test_an_empty_file_and_one_without_a_last_newline(tail_of):
    tail = tail_of(b"")
    assert tail.line_count == 0 and tail.progress == 1.0 and tail.lines(-5, 5) == []
    tail.path.write_bytes(b"a\nb")
    assert tail.refresh()
    assert tail.line_count == 2 and texts(tail.lines(0, 9)) == ["a", "b"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.binary(max_size=30).map(lambda raw: raw.replace(b"\n", b".").replace(b"\r", b",")), max_size=60),
    st.booleans(),
    st.integers(2, 40),
    st.data(),
)
def test_any_line_of_any_file_is_found(tmp_path_factory, lines, ended, block, data):
    """The oracle is `bytes.split`, with blocks so small that lines span them; counted or not makes no difference."""
    raw = b"\n".join(lines) + (b"\n" if ended and lines else b"")
    expected = raw.split(b"\n")
    if expected[-1] == b"":
        expected.pop()
    path = tmp_path_factory.mktemp("log") / "x.log"
    path.write_bytes(raw)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logfile, "BLOCK", block)
        patch.setattr(logfile, "SLICE", block * 3)
        patch.setattr(logfile, "GIANT", block * 2)
        tail = LogTail(path, watch=False)
        try:
            assert tail.line_count == len(expected)
            start, n = data.draw(st.integers(0, 70)), data.draw(st.integers(0, 70))
            wanted = [one.decode("utf-8", "backslashreplace") for one in expected]
            assert texts(tail.lines(start, n)) == wanted[start : start + n]
            patch.setattr(logtail, "AT_ONCE", 0)
            raced = LogTail(path, watch=False)
            n = data.draw(st.integers(1, 70))
            assert texts(raced.lines(-n, n)) == wanted[-n:] if wanted else raced.lines(-n, n) == []
            raced.close()
        finally:
            tail.close()


def test_until_lines_are_counted_the_end_is_there_and_numbers_keep_their_distance(tail_of, monkeypatch):
    monkeypatch.setattr(logtail, "AT_ONCE", 0)
    tail = tail_of(b"".join(b"line %d\n" % i for i in range(1000)))
    assert tail.line_count is None and tail.progress == 0.0 and tail.lines(5, 1) == []
    before = tail.lines(-2, 2)
    assert texts(before) == ["line 998", "line 999"]
    with tail.path.open("ab") as file:
        file.write(b"line 1000\n")
    assert tail.refresh()
    after = tail.lines(-2, 2)
    assert after[0].number == before[1].number and after[1].number == before[1].number + 1


def test_until_lines_are_counted_the_beginning_can_be_seen_as_far_as_it_is_known(tail_of, monkeypatch):
    monkeypatch.setattr(logtail, "AT_ONCE", 0)
    tail = tail_of(b"".join(b"line %d\n" % i for i in range(1000)))
    count = tail.lines(-1, 1)[0].number + 1
    assert texts(tail.lines(-count, 1)) == ["line 0"] and tail.lines(5 - count, 2) == []
    monkeypatch.setattr(logfile, "BLOCK", 16)
    tail.file.count(100)
    assert texts(tail.lines(5 - count, 2)) == ["line 5", "line 6"]


def test_counting_goes_on_in_the_background(tail_of, monkeypatch):
    monkeypatch.setattr(logtail, "AT_ONCE", 0)
    monkeypatch.setattr(logfile, "SLICE", 1 << 16)
    monkeypatch.setattr(logtail, "SLICE", 1 << 16)
    bell = Bell()
    tail = tail_of(b"x\n" * 400_000, watch=True, on_change=bell)
    bell.until(lambda: tail.line_count is not None)
    assert tail.line_count == 400_000 and tail.lines(399_999, 1)[0].text == "x"


def test_growth_is_noticed_by_itself(tail_of):
    bell = Bell()
    tail = tail_of(b"one\n", watch=True, on_change=bell)
    for i in range(3):
        with tail.path.open("ab") as file:
            file.write(b"more %d\n" % i)
        bell.until(lambda i=i: tail.line_count == i + 2)
    assert texts(tail.lines(-1, 1)) == ["more 2"]


def test_a_line_that_is_still_written_is_shown_and_completed(tail_of):
    tail = tail_of(b"whole\nhal")
    assert texts(tail.lines(-1, 1)) == ["hal"]
    with tail.path.open("ab") as file:
        file.write(b"f\nnext\n")
    assert tail.refresh() and not tail.refresh()
    assert texts(tail.lines(0, 9)) == ["whole", "half", "next"]


@pytest.mark.parametrize("how", ["truncated", "replaced", "rewritten longer"])
def test_a_file_that_starts_over_is_read_anew(tail_of, tmp_path, how):
    tail = tail_of(b"old 1\nold 2\nold 3\n")
    if how == "truncated":
        tail.path.write_bytes(b"new\n")
    elif how == "rewritten longer":
        tail.path.write_bytes(b"new\n" * 20)
    else:
        other = tmp_path / "other"
        other.write_bytes(b"new\nold 2\nold 3\nmore\n")
        other.replace(tail.path)
    assert tail.refresh() and tail.generation == 1
    assert tail.lines(0, 1)[0].text == "new"


def test_a_file_that_goes_away_stays_readable_and_says_so(tail_of):
    tail = tail_of(b"kept\n")
    tail.path.unlink()
    assert tail.refresh() and "it is gone" in tail.problem
    assert not tail.refresh()
    assert texts(tail.lines(0, 9)) == ["kept"]
    tail.path.write_bytes(b"back\n")
    assert tail.refresh() and tail.problem is None
    assert texts(tail.lines(0, 9)) == ["back"]


def test_giant_lines_and_progress_bars_are_cut_to_what_matters(tail_of):
    plain = b"a" * (3 << 20)
    bar = b"\r".join(b"%d%%|###" % i for i in range(300_000))
    tail = tail_of(plain + b"\nbetween\n" + bar + b"\nafter\n")
    first, second, third, fourth = tail.lines(0, 9)
    assert first.text == "a" * logfile.LINE_CAP
    assert (second.text, fourth.text) == ("between", "after")
    assert third.text.endswith("299999%|###") and len(third.text) <= logfile.LINE_CAP
    middle = b"\r".join(b"%d%%" % i for i in range(30_000))
    tail.path.write_bytes(middle + b"\n" + b"b" * (1 << 17) + b"\nc\n")
    tail.refresh()
    assert texts(tail.lines(0, 3)) == ["29999%", "b" * logfile.LINE_CAP, "c"]


def test_bytes_that_are_no_text_are_shown(tail_of):
    assert tail_of(b"\xff\xfe ok\r\n").lines(0, 1)[0].text == "\\xff\\xfe ok\r"


def test_what_is_no_regular_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.log")
    with pytest.raises(OSError, match="regular"):
        LogTail(tmp_path / "pipe.log")
    with pytest.raises(FileNotFoundError):
        LogTail(tmp_path / "none.log")


def test_closing_twice_and_reading_afterwards_is_harmless(tail_of):
    tail = tail_of(b"x\n", watch=True)
    tail.close()
    tail.close()
    assert tail.lines(0, 1) == [] and tail.line_count == 0 and not tail.refresh() and tail.line_at(0, 0) is None


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("2025-01-01 INFO step", "info"),
        ("[WARN] low", "warning"),
        ("\x1b[31mERROR\x1b[0m boom", "error"),
        ("FATAL: no", "critical"),
        ('{"level": "err", "msg": 1}', "error"),
        ('{"level": "strange"}', None),
        ("E1231 23:59:59.1 file.cc:1] boom", "error"),
        ("I1231 23:59:59.1 file.cc:1] fine", "info"),
        ("warning: deprecated", "warning"),
        ("[debug] x", "debug"),
        ("Traceback (most recent call last):", "error"),
        ("torch.cuda.OutOfMemoryError: CUDA", "error"),
        ("the error rate fell", None),
        ("TERROR", None),
        ('time=2026-01-31T14:32:00Z level=warn msg="slow"', "warning"),
        ("[rank3]:E0131 14:32:00.123000 77 torch/run.py:792] failed", "error"),
        ("[rank3]: Traceback (most recent call last):", "error"),
        ("[rank3]: torch.OutOfMemoryError: CUDA out of memory", "error"),
        ("x" * 300 + " ERROR", None),
        ("", None),
    ],
)
def test_levels(text, level):
    assert level_of(text) == level


# Filters


@pytest.fixture
def filter_of():
    """Make a filter, ended at the end of the test."""
    filters = []

    def make(tail, pattern="", levels=(), on_change=lambda: None):
        filters.append(LogFilter(tail, pattern, levels, on_change))
        return filters[-1]

    yield make
    for one in filters:
        one.close()


def test_a_filter_finds_what_re_finds(tail_of, filter_of):
    raw = [f"step {i} loss {i * 7 % 13}" for i in range(20_000)]
    tail, bell = tail_of("\n".join(raw).encode() + b"\n"), Bell()
    found = filter_of(tail, r"LOSS 1[02]$".lower(), (), bell)
    bell.until(lambda: found.progress == 1.0)
    wanted = [i for i, line in enumerate(raw) if re.search(r"loss 1[02]$", line)]
    assert found.line_count == len(wanted)
    lines = found.lines(0, 10**6)
    assert [line.number for line in lines] == wanted and texts(lines) == [raw[i] for i in wanted]
    assert texts(found.lines(-1, 1)) == [raw[wanted[-1]]]


def test_a_filter_goes_on_with_what_the_file_grows_by(tail_of, filter_of):
    tail, bell = tail_of(b"ERROR a\nINFO b\nERROR c"), Bell()
    found = filter_of(tail, "", ("error",), bell)
    bell.until(lambda: found.progress == 1.0)
    assert texts(found.lines(0, 9)) == ["ERROR a"]  # the last line is not whole yet
    with tail.path.open("ab") as file:
        file.write(b"c\nERROR d\n\n")
    tail.refresh()
    found.more()
    bell.until(lambda: found.line_count == 3)
    assert texts(found.lines(0, 9)) == ["ERROR a", "ERROR cc", "ERROR d"] and found.problem is None
    assert not found.stale
    tail.path.write_bytes(b"")
    tail.refresh()
    assert found.stale and found.progress == 1.0


@pytest.mark.parametrize("stamp", ["", "2026-01-31 14:32:00 "])
def test_a_traceback_passes_as_a_whole(tail_of, filter_of, stamp):
    raised = ["Traceback (most recent call last):", '  File "x.py"', "ValueError: no"]
    lines = [f"{stamp}INFO a", *raised, f"{stamp}b", "\tc"]
    tail, bell = tail_of("\n".join(lines).encode() + b"\n"), Bell()
    found = filter_of(tail, "", ("error",), bell)
    bell.until(lambda: found.progress == 1.0)
    assert texts(found.lines(0, 9)) == raised


def test_capitals_tell_capitals_apart_and_colours_do_not_count(tail_of, filter_of):
    tail, bell = tail_of(b"Loss\nloss\n\x1b[31mlo\x1b[0mss\n"), Bell()
    exact, loose = filter_of(tail, "Loss", (), bell), filter_of(tail, "loss", (), bell)
    bell.until(lambda: exact.progress == loose.progress == 1.0)
    assert exact.line_count == 1 and loose.line_count == 3


def test_a_hostile_expression_is_stopped(tail_of, filter_of, monkeypatch):
    monkeypatch.setattr(filterchild, "PATIENCE_S", 0.3)
    tail, bell = tail_of(b"fine\n" + b"a" * 60 + b"!\n"), Bell()
    found = filter_of(tail, r"(a+)+$", (), bell)
    bell.until(lambda: found.problem is not None)
    assert "takes too long" in found.problem
    assert found._child.poll() is not None
    found.more()
    assert found.line_count == 0


def test_a_child_that_dies_is_noticed(tail_of, filter_of):
    tail, bell = tail_of(b"x\n"), Bell()
    found = filter_of(tail, "x", (), bell)
    bell.until(lambda: found.progress == 1.0)
    found._child.kill()
    bell.until(lambda: found.problem is not None)
    assert "unexpectedly" in found.problem
    found.more()


def test_a_mistake_in_an_expression_is_told_at_once(tail_of):
    with pytest.raises(re.error):
        LogFilter(tail_of(b"x\n"), "(")


def test_lines_longer_than_a_block_are_sifted(tail_of, filter_of):
    tail, bell = tail_of(b"x" * (3 << 16) + b" needle\nneedle\n" + b"y" * (1 << 17)), Bell()
    found = filter_of(tail, "needle", (), bell)
    bell.until(lambda: found.progress == 1.0)
    assert [line.number for line in found.lines(0, 9)] == [1]  # the first one lies beyond what is looked at of a line


def test_the_child_sifts_as_the_parent_asks(tmp_path, monkeypatch):
    """The child's own loop, run here: what it reads, and the records it writes."""
    path = tmp_path / "train.log"
    path.write_bytes(b"a 1\nb 2\na 3\ntail")
    order = {"path": os.fsencode(path).hex(), "pattern": "a", "levels": []}
    asked = [f"{order}".replace("'", '"'), "8", str(path.stat().st_size)]
    written = []

    class Standard:
        def readline(self):
            return asked.pop(0)

        def __iter__(self):
            return iter(asked)

    monkeypatch.setattr(logfilter.sys, "stdin", Standard())
    monkeypatch.setattr(logfilter.os, "write", lambda fd, data: written.append(bytes(data)))
    logfilter._serve()
    records = list(logfilter._RECORD.iter_unpack(b"".join(written)))
    assert records == [(0, 0), (-1, 8), (2, 8), (-1, 12), (-1, 16)]


def test_the_filter_module_can_be_run_from_anywhere(tail_of, filter_of, tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit('imported from the working directory')")
    monkeypatch.chdir(tmp_path)
    tail, bell = tail_of(b"x\n"), Bell()
    found = filter_of(tail, "x", (), bell)
    bell.until(lambda: found.line_count == 1)
    assert Path.cwd() == tmp_path
