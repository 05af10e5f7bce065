"""Filters of merged streams: what they find, in which order, while files grow; and the child's own loop."""

import re
import threading
import time
from datetime import datetime
from itertools import islice

import pytest

from mens_console.ingest import filterchild, mergedfilter
from mens_console.ingest.logpick import Pick, worse
from mens_console.ingest.merged import UNKNOWN_BASE, Merged, MergedLine
from mens_console.ingest.mergedfilter import Child, MergedFilter

T0 = datetime(2026, 1, 31, 14, 0).timestamp()


def stamp(seconds):
    return datetime.fromtimestamp(T0 + seconds).strftime("%Y-%m-%d %H:%M:%S,%f")[:-3]


def texts(lines):
    return [line.text for line in lines]


def until(true):
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


@pytest.fixture
def merged(tmp_path):
    """Two streams of a thousand lines each, one with a traceback at every hundredth."""
    failed = "ERROR a{}\nTraceback (most recent call last):\n  deep"
    a = [f"{stamp(i)} " + (failed if i % 100 == 50 else "INFO a{}").format(i) for i in range(1000)]
    (tmp_path / "a.log").write_text("\n".join(a) + "\n")
    (tmp_path / "b.log").write_text("".join(f"{stamp(i + 0.5)} INFO b{i}\n" for i in range(1000)))
    one = Merged([tmp_path / "a.log", tmp_path / "b.log"], watch=False)
    yield one
    one.close()


@pytest.fixture
def filter_of():
    made = []

    def make(*given):
        made.append(MergedFilter(*given))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_what_matches_is_there_in_order_of_time(merged, filter_of):
    found = filter_of(merged, r"[ab]\d*77$")
    until(lambda: found.line_count is not None)
    wanted = [text for text in texts(merged.walk()) if re.search(r"[ab]\d*77$", text)]
    assert found.line_count == len(wanted) == 20 and found.progress == 1.0
    assert texts(found.lines(0, 99)) == wanted and texts(found.lines(-3, 2)) == wanted[-3:-1]
    assert [line.number for line in found.lines(4, 2)] == [4, 5]


def test_levels_find_whole_tracebacks(merged, filter_of):
    found = filter_of(merged, "", worse("error"))
    until(lambda: found.line_count is not None)
    assert found.line_count == 30
    assert texts(found.lines(-3, 3)) == [f"{stamp(950)} ERROR a950", "Traceback (most recent call last):", "  deep"]
    both = filter_of(merged, "deep", worse("error"))
    until(lambda: both.line_count is not None)
    assert both.line_count == 10


def test_growth_is_found_too(merged, filter_of):
    found = filter_of(merged, "new")
    until(lambda: found.line_count == 0)
    with merged.paths[1].open("a") as file:
        file.write(f"{stamp(2000)} INFO new one\n{stamp(2001)} INFO old\n{stamp(2002)} INFO ne")
    merged.refresh()
    found.more()
    until(lambda: found.line_count == 1)
    with merged.paths[1].open("a") as file:
        file.write("w two\n")
    merged.refresh()
    found.more()
    until(lambda: found.line_count == 2)
    assert texts(found.lines(0, 9)) == [f"{stamp(2000)} INFO new one", f"{stamp(2002)} INFO new two"]
    assert not found.stale
    merged.paths[0].write_text("")
    merged.refresh()
    assert found.stale


def test_a_stream_without_times_is_looked_through_from_where_it_was_watched(tmp_path, filter_of):
    (tmp_path / "plain.log").write_text("needle before\n")
    one = Merged([tmp_path / "plain.log"], watch=False)
    with (tmp_path / "plain.log").open("a") as file:
        file.write("needle since\n")
    one.refresh()
    found = filter_of(one, "needle")
    until(lambda: found.line_count is not None)
    assert texts(found.lines(0, 9)) == ["needle since"]
    one.close()


class Pipe:
    """Takes what a child writes, some bytes at a time."""

    def __init__(self, most=7):
        self.data, self.most = b"", most

    def __call__(self, out):
        taken = out[: self.most]
        self.data += taken
        return len(taken)

    def records(self):
        found = list(mergedfilter._RECORD.iter_unpack(self.data))
        self.data = b""
        return found


def test_the_child_finds_the_newest_first_and_looks_ahead_between(merged, monkeypatch):
    monkeypatch.setattr(mergedfilter, "_STEP", 100)
    pipe = Pipe()
    child = Child(merged, "a", (), pipe)
    child.look_back()
    first = pipe.records()
    wanted = [line.at for line in islice(merged.walk_back(), 100) if "a" in line.text]
    assert [what for what, *_ in first] == [0] * len(wanted) + [2] and not child.done
    assert [at for *_, at in first[:-1]] == wanted
    with merged.paths[0].open("a") as file:
        file.write(f"{stamp(3000)} INFO a new\n")
    child.look_ahead(7)
    (new, looked) = pipe.records()
    assert new[:2] == (1, 0) and looked[:3] == (2, 7, 100)
    while not child.done:
        child.look_back()
    assert pipe.records()[-1][0] == 3


def test_only_so_many_are_kept_and_it_is_told(merged, monkeypatch, filter_of):
    monkeypatch.setattr(mergedfilter, "MOST", 100)
    pipe = Pipe(1 << 20)
    child = Child(merged, "", (), pipe)
    child.look_back()
    assert child.done and pipe.records()[-1][0] == 4
    found = filter_of(merged, "no such line")
    until(lambda: found.line_count is not None)
    found.take((4, 0, 0, 0.0))
    assert "the newest 100 lines that match are kept" in found.problem


def test_while_it_looks_lines_are_counted_from_the_end(merged, filter_of, monkeypatch):
    monkeypatch.setattr(MergedFilter, "MODULE", "mens_console.ingest.nothing")
    found = filter_of(merged, "x")
    found._old.add(1, 0, T0)
    found._new.add(0, 0, T0)
    found.problem, found._done = None, False
    assert found.line_count is None and found.found == 2
    assert [line.number for line in found.lines(-2, 2)] == [UNKNOWN_BASE - 1, UNKNOWN_BASE]
    assert texts(found.lines(-(UNKNOWN_BASE + 1), 1)) == [f"{stamp(0.5)} INFO b0"]
    until(lambda: found.problem is not None)
    assert "unexpectedly" in found.problem and found.line_count == 2


def test_a_hostile_expression_is_stopped(tmp_path, filter_of, monkeypatch):
    monkeypatch.setattr(filterchild, "PATIENCE_S", 0.3)
    path = tmp_path / "a.log"
    path.write_text(f"{stamp(0)} " + "a" * 60 + "!\n")
    one = Merged([path], watch=False)
    found = filter_of(one, r"(a+)+$")
    until(lambda: found.problem is not None)
    assert "takes too long" in found.problem and found._child.poll() is not None
    found.more()
    with pytest.raises(re.error):
        MergedFilter(one, "(")
    one.close()


def line(text, stream=0, dated=False):
    return MergedLine(text, 0, stream, T0, dated)


def test_an_entry_has_the_level_of_its_lines_above_from_either_side():
    lines = [
        line("INFO x", 0, dated=True), line("deep", 0), line("ERROR y", 1, dated=True), line("z", 1),
        line("Traceback (most recent call last):", 0), line("frame", 0), line("w", 0, dated=True), line("v", 0),
    ]  # fmt: skip
    wanted = ["ERROR y", "z", "Traceback (most recent call last):", "frame"]
    assert texts(Pick("", ("error",)).forward(lines)) == wanted
    assert sorted(texts(Pick("", ("error",)).backward(lines[::-1]))) == sorted(wanted)
    some = Pick("", ("error",))
    parts = [*some.backward(lines[:3:-1], final=False), *some.backward(lines[3::-1])]
    assert sorted(texts(parts)) == sorted(wanted)
    assert texts(Pick("e").forward(lines)) == ["deep", "ERROR y", "Traceback (most recent call last):", "frame"]
