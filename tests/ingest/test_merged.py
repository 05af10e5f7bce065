"""Streams merged by time, against `sorted` over the same lines; growth, rotation, streams without times, odd bytes."""

import os
import threading
import time
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mens_console.ingest import logfile, logtail, merged, mergedwalk
from mens_console.ingest.merged import UNKNOWN_BASE, Merged

T0 = datetime(2026, 1, 31, 14, 0).timestamp()
"""When the first line of all was written; files were last written an hour later."""


def stamp(seconds):
    return datetime.fromtimestamp(T0 + seconds).strftime("%Y-%m-%d %H:%M:%S,%f")[:-3]


def write(path, lines, ended=True):
    path.write_bytes("\n".join(lines).encode() + (b"\n" if lines and ended else b""))
    os.utime(path, (T0 + 3600, T0 + 3600))
    return path


def append(path, text):
    with path.open("ab") as file:
        file.write(text.encode())


def texts(lines):
    return [line.text for line in lines]


@pytest.fixture
def merge():
    """Merge files, closed at the end of the test; nothing happens by itself unless `watch` says so."""
    made = []

    def make(*paths, watch=False, at=T0 + 3600, **given):
        made.append(Merged(paths, watch=watch, clock=lambda: at, **given))
        return made[-1]

    yield make
    for one in made:
        one.close()


def until(true):
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        threading.Event().wait(0.005)


@pytest.fixture
def uncounted(monkeypatch):
    """Let no file be counted at once."""
    monkeypatch.setattr(logtail, "AT_ONCE", 0)


STREAM = st.lists(st.tuples(st.integers(0, 30), st.booleans(), st.integers(0, 12)), min_size=1, max_size=40)


def told(stream, ordered):
    """Return the lines of a stream, and the time each has in the merge: its own, or that of the one before it."""
    now, lines = 0, []
    for i, (seconds, dated, long) in enumerate(stream):
        now = now + seconds % 3 if ordered else seconds
        own = dated or not lines
        lines.append((now if own else lines[-1][0], f"{stamp(now)} line {i}" if own else f"  more {i} {'x' * long}"))
    return lines


@settings(max_examples=120, deadline=None)
@given(st.lists(STREAM, min_size=1, max_size=4), st.integers(64, 300), st.data())
def test_lines_are_those_of_a_stable_merge_from_wherever_they_are_asked(tmp_path_factory, streams, block, data):
    folder = tmp_path_factory.mktemp("merge")
    lines = [told(stream, ordered=True) for stream in streams]
    ended = data.draw(st.booleans())
    paths = [write(folder / f"{i}.log", [text for _, text in one], ended) for i, one in enumerate(lines)]
    every = [(at, s, i, text) for s, one in enumerate(lines) for i, (at, text) in enumerate(one)]
    wanted = [text for _, _, _, text in sorted(every)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logfile, "BLOCK", block)
        if data.draw(st.booleans()):
            patch.setattr(merged, "_FAR", 3)
        known = Merged(paths, watch=False, clock=lambda: T0 + 3600)
        patch.setattr(logtail, "AT_ONCE", 0)
        raced = Merged(paths, watch=False, clock=lambda: T0 + 3600)
        try:
            assert known.line_count == len(wanted) and raced.line_count is None
            for _ in range(4):
                start, n = data.draw(st.integers(0, 60)), data.draw(st.integers(1, 60))
                assert texts(known.lines(start, n)) == wanted[start : start + n]
                assert texts(raced.lines(-n, n)) == wanted[-n:]
                assert [line.number for line in known.lines(start, n)] == list(range(len(wanted)))[start : start + n]
            assert texts(raced.walk_back()) == wanted[::-1]
            assert texts(known.walk()) == wanted
            assert all(line.dated == (not line.text.startswith("  ")) for line in known.lines(0, 999))
        finally:
            known.close()
            raced.close()


@settings(max_examples=80, deadline=None)
@given(st.lists(STREAM, min_size=1, max_size=4), st.integers(64, 300), st.data())
def test_a_stream_that_is_out_of_order_keeps_its_own_order(tmp_path_factory, streams, block, data):
    folder = tmp_path_factory.mktemp("merge")
    lines = [told(stream, ordered=False) for stream in streams]
    paths = [write(folder / f"{i}.log", [text for _, text in one]) for i, one in enumerate(lines)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logfile, "BLOCK", block)
        one = Merged(paths, watch=False, clock=lambda: T0 + 3600)
        try:
            every = one.lines(0, 999)
            for s, stream in enumerate(lines):
                assert [line.text for line in every if line.stream == s] == [text for _, text in stream]
            assert [line.at for line in every] == sorted(line.at for line in every)
            for _ in range(4):
                start, n = data.draw(st.integers(0, 60)), data.draw(st.integers(1, 60))
                assert one.lines(start, n) == every[start : start + n]
        finally:
            one.close()


def test_forms_of_time_may_differ_and_tracebacks_stay_whole(merge, tmp_path):
    def at(seconds, form):
        return datetime.fromtimestamp(T0 + seconds).strftime(form)

    trainer = write(tmp_path / "train.log", [
        f"{stamp(0)} INFO start", f"{stamp(2)} ERROR failed", "Traceback (most recent call last):",
        '  File "x.py", line 1', "RuntimeError: boom", f"{stamp(9)} INFO end",
    ])  # fmt: skip
    server = write(tmp_path / "serve.log", [
        at(1, "INFO %m-%d %H:%M:%S [core.py:1] ready"), 'INFO:     127.0.0.1:1 - "GET / HTTP/1.1" 200 OK',
        at(3, "(APIServer pid=7) ERROR %m-%d %H:%M:%S [x.py:2] late"),
    ])  # fmt: skip
    torch = write(tmp_path / "rank0.log", [at(2.5, "W%m%d %H:%M:%S.500000 77 torch/run.py:792] slow"), f"{T0 + 4} x"])
    found = merge(trainer, server, torch).lines(0, 99)
    assert [(line.stream, line.at - T0) for line in found] == [
        (0, 0), (1, 1), (1, 1), (0, 2), (0, 2), (0, 2), (0, 2), (2, 2.5), (1, 3), (2, 4), (0, 9),
    ]  # fmt: skip
    assert [line.level for line in found if line.level in ("error", "warning")] == [
        "error", "error", "error", "warning", "error",
    ]  # fmt: skip


def test_times_alone_are_dated_over_days_from_the_end(merge, tmp_path, monkeypatch):
    monkeypatch.setattr(logfile, "BLOCK", 256)
    moments = [T0 + 3600 - 600 * i for i in range(432)][::-1]  # three days, a line each ten minutes
    bare = write(tmp_path / "a.log", [datetime.fromtimestamp(at).strftime("[%H:%M:%S] a") for at in moments])
    whole = write(tmp_path / "b.log", [stamp(at - T0 + 1) + " b" for at in moments])
    one = merge(bare, whole)
    assert [line.at for line in one.lines(0, 999)] == sorted([*moments, *(at + 1 for at in moments)])
    monkeypatch.setattr(logtail, "AT_ONCE", 0)
    assert [line.stream for line in merge(bare, whole).walk_back()] == [1, 0] * 432


def test_new_lines_come_in_by_their_time_and_late_ones_where_they_belong(merge, tmp_path):
    a = write(tmp_path / "a.log", [f"{stamp(i)} a{i}" for i in range(0, 10, 2)])
    b = write(tmp_path / "b.log", [f"{stamp(i)} b{i}" for i in range(1, 6, 2)])
    one = merge(a, b)
    assert texts(one.lines(-3, 3)) == [f"{stamp(5)} b5", f"{stamp(6)} a6", f"{stamp(8)} a8"]
    assert texts(one.lines(5, 2)) == [f"{stamp(5)} b5", f"{stamp(6)} a6"]
    append(b, f"{stamp(7)} b7\n{stamp(9)} b9\n  more")
    assert one.refresh() and not one.refresh()
    assert one.line_count == 11
    wanted = [f"{stamp(5)} b5", f"{stamp(6)} a6", f"{stamp(7)} b7", f"{stamp(8)} a8", f"{stamp(9)} b9", "  more"]
    assert texts(one.lines(-6, 6)) == texts(one.lines(5, 99)) == wanted
    append(b, " of it\n")
    assert one.refresh() and one.line_count == 11 and one.lines(-1, 1)[0].text == "  more of it"


def test_growth_is_the_same_as_opening_later(merge, tmp_path, monkeypatch):
    monkeypatch.setattr(logfile, "BLOCK", 200)
    a, b = (write(tmp_path / name, [f"{stamp(0)} first"]) for name in ("a.log", "b.log"))
    one = merge(a, b)
    for i in range(1, 120):
        append((a, b)[i % 3 == 0], f"{stamp(i)} line {i}\n" + "  more\n" * (i % 4))
        one.refresh()
        one.lines(-5, 5)
    assert one.lines(0, 999) == merge(a, b).lines(0, 999)
    assert one.line_count == 2 + 119 + sum(i % 4 for i in range(1, 120))


def test_until_lines_are_counted_both_ends_are_there_and_numbers_hold(merge, tmp_path, uncounted):
    paths = [write(tmp_path / f"{i}.log", [f"{stamp(j)} {i}" for j in range(1000)]) for i in range(3)]
    one = merge(*paths)
    assert one.line_count is None and one.lines(7, 1) == [] and one.place_of(T0) is None
    newest = one.lines(-1, 1)[0]
    assert newest.number == UNKNOWN_BASE - 1 and newest.text == f"{stamp(999)} 2"
    assert texts(one.lines(2 - UNKNOWN_BASE, 2)) == [f"{stamp(0)} 2", f"{stamp(1)} 0"]
    append(paths[0], f"{stamp(1000)} new\n")
    assert one.refresh()
    assert [line.number for line in one.lines(-2, 2)] == [UNKNOWN_BASE - 1, UNKNOWN_BASE]
    while one.line_count is None:
        one._count()
    assert one.line_count == 3001 and one.progress == 1.0
    assert texts(one.lines(3, 1)) == [f"{stamp(1)} 0"] and one.place_of(T0 + 500) == 1500


def test_counting_and_growth_are_noticed_by_themselves(merge, tmp_path, uncounted):
    paths = [write(tmp_path / f"{i}.log", [f"{stamp(j)} {i}" for j in range(5000)]) for i in range(2)]
    told = threading.Event()
    one = merge(*paths, watch=True, on_change=told.set)
    until(lambda: one.line_count == 10_000)
    assert told.wait(20)
    append(paths[1], f"{stamp(9999)} new\n")
    until(lambda: one.line_count == 10_001)
    assert one.lines(-1, 1)[0].text == f"{stamp(9999)} new"


def test_a_stream_without_times_comes_in_as_it_comes(merge, tmp_path):
    plain = write(tmp_path / "stdout.log", ["no", "times", "here"])
    dated = write(tmp_path / "train.log", [f"{stamp(i)} a" for i in range(3)])
    now = [T0 + 3600]
    one = merge(plain, dated)
    one._clock = lambda: now[0]
    assert one.undated == (0,) and texts(one.lines(0, 9)) == [f"{stamp(i)} a" for i in range(3)]
    append(plain, "came\n")
    one.refresh()
    now[0] += 10
    append(dated, f"{stamp(3605)} b\n")
    append(plain, "later\n")
    one.refresh()
    found = one.lines(-3, 3)
    assert texts(found) == ["came", f"{stamp(3605)} b", "later"]
    assert [line.at - T0 for line in found] == [3600, 3605, 3610] and one.line_count == 6
    only_head = write(tmp_path / "c.log", [f"{stamp(0)} header", *["{'loss': 1.0}"] * 2000])
    assert merge(only_head).undated == (0,)


def test_a_file_that_was_empty_may_yet_tell_times(merge, tmp_path):
    path = write(tmp_path / "a.log", [])
    one = merge(path)
    assert one.line_count == 0 and one.lines(-5, 5) == [] and one.undated == (0,)
    append(path, f"{stamp(5)} a\n")
    one.refresh()
    assert one.undated == () and one.lines(0, 1)[0].at == T0 + 5


@pytest.mark.parametrize("how", ["truncated", "replaced", "gone"])
def test_one_stream_that_starts_over_breaks_nothing(merge, tmp_path, how):
    a = write(tmp_path / "a.log", [f"{stamp(i)} a{i}" for i in range(5)])
    b = write(tmp_path / "b.log", [f"{stamp(i)} b{i}" for i in range(5)])
    one = merge(a, b)
    place = one.end()
    if how == "truncated":
        a.write_bytes(f"{stamp(7)} new\n".encode())
    else:
        a.rename(tmp_path / "a.log.1")
    if how == "replaced":
        write(a, [f"{stamp(7)} new"])
    assert one.refresh()
    if how == "gone":
        assert one.line_count == 10 and "it is gone" in one.problems[0]
        write(a, [f"{stamp(7)} new"])
        assert one.refresh()
    assert one.generation == 1 and one.problems == (None, None)
    assert one.line_count == 6 and texts(one.lines(-1, 1)) == [f"{stamp(7)} new"]
    assert texts(one.since(place)[0]) == [f"{stamp(7)} new"]
    write(b, [f"{stamp(8 + i)} longer than before {i}" for i in range(9)])
    one.refresh()
    assert len(one.since(place)[0]) == 10


def test_what_is_printed_as_it_comes_is_whole(merge, tmp_path):
    a = write(tmp_path / "a.log", [f"{stamp(0)} a", f"{stamp(1)} a hal"], ended=False)
    b = write(tmp_path / "b.log", [f"{stamp(5)} b"])
    one = merge(a, b)
    place = one.end()
    assert texts(one.walk_back(place.cut)) == [f"{stamp(5)} b", f"{stamp(0)} a"]
    assert one.since(place) == ([], place)
    append(a, f"f\n{stamp(2)} a late\n{stamp(9)} a no")
    append(b, f"{stamp(6)} b\n")
    one.refresh()
    found, place = one.since(place)
    assert texts(found) == [f"{stamp(1)} a half", f"{stamp(2)} a late", f"{stamp(6)} b"]
    append(a, "w\n")
    one.refresh()
    assert texts(one.since(place)[0]) == [f"{stamp(9)} a now"]
    assert texts(one.walk(one.cut_at(T0 + 2), place.cut)) == [f"{stamp(2)} a late", f"{stamp(5)} b", f"{stamp(6)} b"]


def test_a_stream_without_times_can_be_read_alone(merge, tmp_path):
    plain = write(tmp_path / "stdout.log", ["no", "times", "here"])
    assert texts(merge(plain, since=0).walk_back()) == ["here", "times", "no"]


def test_what_cannot_be_opened_is_told_and_tried_again(merge, tmp_path):
    os.mkfifo(tmp_path / "pipe.log")
    a = write(tmp_path / "a.log", [f"{stamp(0)} a"])
    one = merge(tmp_path / "pipe.log", tmp_path / "none.log", a)
    assert "not a regular file" in one.problems[0] and "it is gone" in one.problems[1] and one.problems[2] is None
    assert texts(one.lines(0, 9)) == [f"{stamp(0)} a"] and one.progress == 1.0
    (tmp_path / "none.log").write_text("no time\n")
    assert one.refresh() and one.problems[1] is None
    assert texts(one.lines(0, 9)) == [f"{stamp(0)} a", "no time"]


def test_bytes_that_are_no_text_and_giant_lines_stay_lines(merge, tmp_path):
    path = tmp_path / "a.log"
    giant = b"z" * (10 << 20)
    path.write_bytes(
        stamp(0).encode() + b" \xff\xfe\x00 ok\r\n" + stamp(1).encode() + b" " + giant + b"\n" + b"\x1b]0;t\x07\n" * 3
        + stamp(2).encode() + b" 1%\r" + stamp(3).encode() + b" 99%\n" + b"\n" * 70_000 + stamp(4).encode() + b" end"
    )  # fmt: skip
    os.utime(path, (T0 + 3600, T0 + 3600))
    b = write(tmp_path / "b.log", [f"{stamp(i + 0.5)} b" for i in range(5)])
    one = merge(path, b)
    assert one.line_count == 70_012
    found = one.lines(0, 7)
    assert found[0].text == f"{stamp(0)} \\xff\\xfe\x00 ok\r"
    assert found[2].text.startswith(f"{stamp(1)} zzz") and len(found[2].text) <= logfile.LINE_CAP
    assert [line.at - T0 for line in found] == [0, 0.5, 1, 1, 1, 1, 1.5]
    assert texts(one.lines(-2, 2)) == [f"{stamp(4)} end", f"{stamp(4.5)} b"]
    assert one.lines(70_000, 1)[0].text == ""
    assert next(line.at for line in one.lines(0, 99) if "99%" in line.text) == T0 + 3


def test_a_date_of_the_future_moves_nothing_else(merge, tmp_path):
    a = write(tmp_path / "a.log", [f"{stamp(0)} a", "2999-01-01 00:00:00 slip", f"{stamp(2)} a", f"{stamp(4)} a"])
    b = write(tmp_path / "b.log", [f"{stamp(1)} b", f"{stamp(3)} b"])
    assert [line.stream for line in merge(a, b).lines(0, 9)] == [0, 0, 1, 0, 1, 0]


def test_a_stream_that_ends_in_a_giant_line_tells_times(merge, tmp_path):
    a = write(tmp_path / "a.log", [f"{stamp(i)} " + "z" * (2 << 20) for i in range(2)])
    one = merge(a)
    assert one.undated == () and [line.at - T0 for line in one.lines(0, 9)] == [0, 1]


def test_many_empty_lines_belong_to_the_one_before_them(merge, tmp_path):
    a = write(tmp_path / "a.log", [f"{stamp(0)} a", *[""] * 300_000, *["-"] * 5000, f"{stamp(9)} a"])
    b = write(tmp_path / "b.log", [f"{stamp(5)} b"])
    assert texts(merge(a, b).lines(-4, 4)) == ["-", "-", f"{stamp(5)} b", f"{stamp(9)} a"]


def test_a_line_that_redraws_itself_tells_its_time_at_either_end(merge, tmp_path):
    first = write(tmp_path / "a.log", [f"{stamp(2)} epoch 1%\r 2%\r 100%"])
    last = write(tmp_path / "b.log", [" 1%|#\r" * 500 + f"{stamp(1)} saved\r"])
    assert [(line.stream, line.at - T0) for line in merge(first, last).lines(0, 9)] == [(1, 1), (0, 2)]


def test_only_so_many_streams_are_merged(tmp_path, merge, monkeypatch):
    monkeypatch.setattr(mergedwalk, "MOST", 3)
    paths = [write(tmp_path / f"{i}.log", [f"{stamp(i)} x"]) for i in range(5)]
    one = merge(*paths)
    assert one.left_out == 2 and one.line_count == 3


def test_closing_twice_and_reading_afterwards_is_harmless(merge, tmp_path):
    one = merge(write(tmp_path / "a.log", [f"{stamp(0)} a"]), watch=True)
    one.close()
    one.close()
    assert one.lines(0, 1) == [] and not one.refresh() and one.place_of(T0) is None
