"""Drivers that are killed anywhere and go on: nothing that was recorded is lost, and nothing counts twice."""

import os
import random

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from soak.drives import Drive, length, make_plan

from mens_console.soak import minutes, plan, rows
from mens_console.soak.fold import NOWHERE, Folding, Place
from mens_console.soak.reading import Reading
from mens_console.soak.record import Record
from mens_console.soak.resume import feed, recover
from mens_console.soak.writer import Writer

lives = st.lists(st.floats(0.5, 199.0), min_size=0, max_size=7, unique=True).map(sorted)
holds = st.tuples(st.floats(1, 150), st.floats(5.1, 45))
quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def die(writer):
    """Let go of its files as a killed process does."""
    writer.journal._disk.close()
    for fd in (writer._fd, writer.journal._fd):
        if fd >= 0:
            os.close(fd)


def test_who_reads_all_of_a_journal_anew_tells_how_far_that_is(tmp_path):
    """Without minutes that takes a minute and a half after three days: nobody takes it for a driver that hangs."""
    made = make_plan()
    plan.write(tmp_path, made)
    writer = Writer(tmp_path, made)
    gaps = [20.25] * 20_000  # a row of some 100 kB
    for at in range(120):
        due = float(at)
        writer.add(rows.Request(id=divmod(at, 60), due=due, sent=due, e2e=9.0, ttft=1.0, gaps=gaps))
    die(writer)
    (tmp_path / minutes.NAME).unlink()
    size = sum(path.stat().st_size for path in tmp_path.glob("journal-*"))
    told = []
    assert recover(os.fspath(tmp_path), made, lambda done, total: told.append((done, total))).begun
    assert told == sorted(told)
    assert {total for _, total in told} == {size}
    assert all(0 < done < size for done, _ in told)
    record = Record(tmp_path)
    record.poll(0.0)
    assert record.more
    assert 0 < record.far[0] < record.far[1] == size
    while record.more:
        record.poll(0.0)
    assert record.far == (size, size)


def drive(folder, made, lives_, *, harm=lambda folder, number: None, held=()):
    """Write what drivers that live in turn write; each but the last is killed, and `harm` is done after that."""
    plan.write(folder, made.plan)
    for number, (begin, end) in enumerate(lives_):
        writer = Writer(folder, made.plan)
        assert writer.resumed == (number > 0)
        last = end is None
        mine = [one for one in held if begin < one[0] and one[1] < (200.0 if last else end)]
        for row in made.rows(begin, 200.0 if last else end, first=not number, over=last, held=mine):
            writer.add(row)
        if last:
            writer.close()
        else:
            die(writer)
        harm(folder, number)


def whole(moments):
    """Return lives such that the last one comes to the end."""
    moments = moments if len(moments) % 2 == 0 else moments[:-1]
    edges = [0.0, *moments, None]
    return [(edges[one], edges[one + 1]) for one in range(0, len(edges), 2)]


def check(made, told):
    """Compare closed minutes with what the drivers did."""
    assert sum(minute.ended for minute in told) == len(made.ended) + len(made.failed)
    assert sum(minute.failures for minute in told) == len(made.failed)
    for minute in told:
        assert minute.due == 60 if minute.index < 3 else 20
        assert minute.due == minute.ended + minute.lost + minute.skipped
        assert minute.sent == minute.due - minute.skipped
        assert minute.latencies["e2e"].n == minute.ended - minute.failures
        begin, end = minute.index * 60, min(minute.index * 60 + 60, 200)
        assert minute.unobserved_s == pytest.approx(length(made.dark, begin, end), abs=1e-4)


@quick
@given(moments=lives, seed=st.integers(0, 5), sends=st.booleans())
def test_whenever_drivers_are_killed_all_that_was_due_ended_was_lost_or_was_skipped(
    tmp_path_factory, moments, seed, sends
):
    folder = tmp_path_factory.mktemp("soak")
    made = Drive(make_plan(), seed, sends)
    drive(folder, made, whole(moments))
    record = Record(folder)
    record.poll(0.0)
    assert [minute.index for minute in record.minutes] == [0, 1, 2, 3]
    assert all(minute.closed for minute in record.minutes)
    check(made, record.minutes)
    assert record.problems == ()


@quick
@given(moments=lives, seed=st.integers(0, 5), torn=st.integers(1, 40), also=st.booleans())
def test_rows_and_minutes_that_a_death_left_torn_cost_nothing_else(tmp_path_factory, moments, seed, torn, also):
    folder = tmp_path_factory.mktemp("soak")
    made = Drive(make_plan(), seed)

    def harm(folder, number):
        newest = max(folder.glob("journal-*.ndjson"))
        with newest.open("ab") as file:
            file.write(b'{"k":"r","id":[0,1],"due":1.0,"sent":1.0,"e2e"'[:torn])
        filed = folder / minutes.NAME
        if also and filed.exists():
            filed.write_bytes(filed.read_bytes()[:-torn])

    drive(folder, made, whole(moments), harm=harm)
    record = Record(folder)
    while record.poll(0.0) and record.more:
        pass
    assert len(record.minutes) == 4
    check(made, record.minutes)


@quick
@given(moments=lives, hold=holds, seed=st.integers(0, 5), sends=st.booleans())
@example(moments=[0.5, 0.7], hold=(1.0999999999999996, 7.1), seed=0, sends=False)
def test_a_driver_that_was_held_up_skips_what_is_long_overdue(tmp_path_factory, moments, hold, seed, sends):
    folder = tmp_path_factory.mktemp("soak")
    made = Drive(make_plan(), seed, sends)
    drive(folder, made, whole(moments), held=[(hold[0], hold[0] + hold[1])])
    record = Record(folder)
    record.poll(0.0)
    assert len(record.minutes) == 4
    assert record.problems == ()
    check(made, record.minutes)


@quick
@given(moments=lives, seed=st.integers(0, 5), sends=st.booleans(), cut=st.integers(0, 3))
def test_folding_on_after_any_closed_minute_comes_to_the_same(tmp_path_factory, moments, seed, sends, cut):
    folder = tmp_path_factory.mktemp("soak")
    made = Drive(make_plan(), seed, sends)
    drive(folder, made, whole(moments))
    lines = every_line(folder)
    once, closed = Folding(made.plan), []
    for line in lines:
        closed += feed(once, line)
    assert [one.minute.index for one in closed] == [0, 1, 2, 3]
    after, again = Folding(made.plan, closed[cut]), []
    for line in lines:
        if line.place >= closed[cut].next:
            again += feed(after, line)
    assert list(map(minutes.encode, again)) == list(map(minutes.encode, closed[cut + 1 :]))
    assert (after.now_s, after.normal_ms, after.tally, after.ending) == (
        once.now_s, once.normal_ms, once.tally, once.ending
    )  # fmt: skip
    assert not [one for one in lines if one.place < closed[cut].next and concerns(one) > cut]


def every_line(folder):
    reading, lines = Reading(str(folder), NOWHERE), []
    while (some := reading.poll()) or reading.more:
        lines += some
    return lines


def concerns(line):
    row = rows.decode(line.data)
    return row.id[0] if isinstance(row, rows.Request | rows.Sent) else 0


@quick
@given(moments=lives, seed=st.integers(0, 5), looks=st.integers(1, 12))
def test_a_reader_that_looks_while_it_is_written_comes_to_the_same_as_one_that_looks_after(
    tmp_path_factory, moments, seed, looks
):
    folder = tmp_path_factory.mktemp("soak")
    made = Drive(make_plan(), seed)
    plan.write(folder, made.plan)
    watching, number = Record(folder), 0
    for life, (begin, end) in enumerate(whole(moments)):
        writer = Writer(folder, made.plan)
        told = made.rows(begin, 200.0 if end is None else end, first=not life, over=end is None)
        for row in told:
            writer.add(row)
            number += 1
            if number % (23 * looks) == 0:
                watching.poll(0.0)
                for minute in watching.minutes:
                    flying = minute.due - minute.ended - minute.lost - minute.skipped
                    assert flying >= 0
                    assert not (minute.closed and flying)
        die(writer)
    watching.poll(0.0)
    after = Record(folder)
    after.poll(0.0)
    assert plainly(watching.minutes) == plainly(after.minutes)
    assert watching.events == after.events
    assert (watching.now_s, watching.normal_ms, watching.state) == (after.now_s, after.normal_ms, "finished")


def plainly(told):
    return [
        {name: getattr(minute, name) for name in minute.__dataclass_fields__ if name != "latencies"}
        | {name: one.row() for name, one in minute.latencies.items()}
        for minute in told
    ]


def test_minutes_that_were_not_written_before_a_death_are_written_by_the_next_driver(tmp_path):
    made = Drive(make_plan())
    drive(tmp_path, made, [(0.0, 150.0)])
    written = (tmp_path / minutes.NAME).read_bytes()
    assert written.count(b"\n") == 2
    (tmp_path / minutes.NAME).unlink()
    assert [one.minute.index for one in recover(str(tmp_path), made.plan).unwritten] == [0, 1]
    die(Writer(tmp_path, made.plan))
    assert (tmp_path / minutes.NAME).read_bytes() == written


def test_rows_that_a_power_cut_took_are_never_written_over(tmp_path):
    made = Drive(make_plan())
    drive(tmp_path, made, [(0.0, 150.0)])
    first = tmp_path / "journal-000001.ndjson"
    first.write_bytes(first.read_bytes()[:3000])
    writer = Writer(tmp_path, made.plan)
    assert writer.journal.end == Place(2, 0)
    for row in made.rows(170.0, 200.0, over=True):
        writer.add(row)
    writer.close()
    record = Record(tmp_path)
    record.poll(0.0)
    assert [minute.closed for minute in record.minutes] == [True] * 4
    assert all(minute.due == minute.ended + minute.lost + minute.skipped for minute in record.minutes)
    assert record.minutes[2].unobserved_s == pytest.approx(50.0, abs=1.1)


def test_one_who_comes_back_after_the_plans_end_finds_the_rest_skipped(tmp_path):
    made = Drive(make_plan())
    drive(tmp_path, made, [(0.0, 100.0)])
    writer = Writer(tmp_path, made.plan)
    writer.add(rows.happened(9000.0, "resume", "late"), rows.happened(9000.1, "end", "nothing is left"))
    writer.close()
    record = Record(tmp_path)
    record.poll(0.0)
    assert record.state == "finished"
    assert [minute.skipped for minute in record.minutes[2:]] == [60, 20]
    assert [minute.unobserved_s for minute in record.minutes[2:]] == [60.0, 20.0]


@quick
@given(seed=st.integers(0, 50), near=st.integers(1, 400), doubled=st.integers(0, 30), sends=st.booleans())
def test_rows_in_any_order_and_told_twice_count_once_or_are_told_as_late(seed, near, doubled, sends):
    made, draw = Drive(make_plan(), seed, sends), random.Random(seed)
    told = made.rows(0.0, 200.0, first=True, over=True, held=[(50.0, 70.0)])
    told += draw.sample(told, doubled)
    order = sorted(range(len(told)), key=lambda at: at + draw.uniform(0, near))
    folding, closed = Folding(made.plan), []
    for number, at in enumerate(order):
        closed += folding.feed(told[at], Place(1, number * 100))
    every = [one.minute for one in closed] + folding.minutes(over=True)
    assert [minute.index for minute in every] == list(range(len(every)))
    assert all(minute.due == minute.ended + minute.lost + minute.skipped for minute in every)
    assert all(minute.latencies["lag"].n == minute.ended for minute in every)
    requests = [row for row in told if isinstance(row, rows.Request)]
    ended = sum(minute.ended for minute in every)
    assert ended <= len({row.id for row in requests})
    assert ended + folding.tally.doubled + folding.tally.late >= len(requests)
    assert folding.tally.bad == 0
