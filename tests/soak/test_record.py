"""A soak's directory is read whatever state it is in: nothing is raised or written, and what is missing is told."""

import functools
import json
import os
import random
import shutil
import socket

import pytest
from soak.drives import Drive, make_plan
from soak.test_resuming import plainly
from support.soaks import BEGAN, Scene, Trouble, write_driver, write_soak

from mens_console.soak import control, minutes, plan, rows, writer
from mens_console.soak.fold import Folding, Place
from mens_console.soak.journal import Journal
from mens_console.soak.record import Record
from mens_console.soak.writer import Writer

SCENE = Scene(hours=0.2, rate=4.0, raw_s=720, tokens=4, troubles=(Trouble(100, 200),), resumes=((400.0, 430.0),))


def read(folder, now=0.0):
    record = Record(folder)
    record.poll(now)
    while record.more:
        record.poll(now)
    return record


@pytest.fixture(scope="module")
def soak(tmp_path_factory):
    """A soak of twelve minutes with all of its journal, in a dozen segments of which all but one are packed."""
    folder = tmp_path_factory.mktemp("soak")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "Journal", functools.partial(Journal, segment_bytes=20_000))
        patch.setattr(Writer, "add", one_by_one(Writer.add))
        write_soak(folder, SCENE)
    assert len(list(folder.glob("*.gz"))) > 5
    return folder


def one_by_one(add):
    """Add rows in many goes, as a driver does, so that segments may end between them."""

    def added(self, *new):
        return [closed for at in range(0, len(new), 20) for closed in add(self, *new[at : at + 20])] or add(self)

    return added


@pytest.fixture
def copied(soak, tmp_path):
    return shutil.copytree(soak, tmp_path / "soak")


def lines_of(folder):
    return (folder / minutes.NAME).read_bytes().splitlines(keepends=True)


def put(folder, lines):
    (folder / minutes.NAME).write_bytes(b"".join(lines))


# ---------------------------------------------------------------------- minutes that are missing


@pytest.mark.parametrize("gone", [[0], [3], [4, 5, 6], [0, 1, 2], [2, 6, 7, 10], list(range(12)), [11]])
@pytest.mark.parametrize("how", ["deleted", "torn", "edited", "nonsense"])
def test_minutes_that_the_file_lacks_are_made_anew_from_the_journal(copied, gone, how):
    whole, lines = read(copied), lines_of(copied)
    for number in gone:
        lines[number] = harmed(lines[number], how)
    put(copied, lines)
    record = read(copied)
    assert plainly(record.minutes) == plainly(whole.minutes)
    assert record.events == whole.events
    assert record.now_s == whole.now_s
    if how in {"edited", "nonsense"}:
        assert any(one.startswith(f"minutes.ndjson, line {gone[-5:][0] + 1}: ") for one in record.problems)
    if gone[-1] < 11:
        assert any("made anew from the journal" in one for one in record.problems)


def harmed(line, how):
    if how == "deleted":
        return b""
    if how == "torn":
        return line[: len(line) // 2] + b"\n"
    return line.replace(b'"due":240', b'"due":239') if how == "edited" else b'[{"i":\xff\n'


def test_a_minute_that_is_nowhere_counts_as_unobserved_and_is_told(copied):
    whole, lines = read(copied), lines_of(copied)
    put(copied, [*lines[:5], *lines[8:]])
    at = minutes.decode(lines[4]).next.segment
    for number in range(at, minutes.decode(lines[8]).next.segment):
        (copied / f"journal-{number:06d}.ndjson.gz").unlink()
    record = read(copied)
    assert plainly(record.minutes[:5] + record.minutes[8:]) == plainly(whole.minutes[:5] + whole.minutes[8:])
    for minute in record.minutes[5:8]:
        assert minute.due == 240 == minute.ended + minute.lost + minute.skipped
        assert minute.closed
    assert record.minutes[6].unobserved_s == 60.0
    assert record.minutes[6].ended == 0
    (told,) = record.problems
    assert told.startswith("minutes.ndjson does not tell minutes 5 to 7; made anew from the journal, in which ")
    assert told.endswith("of them are missing too: they count as unobserved")


@pytest.mark.parametrize("seed", range(6))
def test_a_file_of_minutes_that_is_cut_anywhere_loses_no_minute_and_no_request(tmp_path, seed):
    write_soak(tmp_path, Scene(hours=6, rate=2.0, seed=seed))
    data = (tmp_path / minutes.NAME).read_bytes()
    at = random.Random(seed).randrange(len(data))
    (tmp_path / minutes.NAME).write_bytes(data[:at])
    record = read(tmp_path)
    assert [one.index for one in record.minutes] == list(range(360))
    assert all(one.due == 120 == one.ended + one.lost + one.skipped for one in record.minutes)
    kept = data[:at].count(b"\n")
    assert all(one.unobserved_s == 0 for one in record.minutes[:kept])
    assert sum(one.unobserved_s for one in record.minutes) == pytest.approx(355 * 60 - kept * 60, abs=1.1)
    assert any("the journal lacks segment" in one for one in record.problems)


def test_minutes_and_journal_that_are_both_gone_leave_a_soak_of_which_nothing_is_known(copied):
    for each in copied.glob("*.ndjson*"):
        each.unlink()
    record = read(copied)
    assert (record.minutes[0].ended, record.events, record.now_s) == (0, [], 0.0)
    assert record.state == "unknown"
    assert record.problems == (
        "neither minutes.ndjson nor a journal tells anything: of what was done nothing is known",
    )


@pytest.mark.parametrize(("kept", "state"), [(12, "finished"), (7, "stopped")])
def test_raw_rows_may_be_deleted_once_their_minutes_are_closed(copied, kept, state):
    whole, lines = read(copied), lines_of(copied)
    put(copied, lines[:kept])
    for each in copied.glob("journal-*"):
        each.unlink()
    write_driver(copied, SCENE, 430.0, state="stopped")
    record = read(copied)
    assert plainly(record.minutes[:kept]) == plainly(whole.minutes[:kept])
    assert (record.state, record.problems) == (state, ())


@pytest.mark.parametrize("name", [minutes.NAME, "journal-000003.ndjson.gz", plan.NAME, "driver.json", "driver.lock"])
@pytest.mark.parametrize("how", ["fifo", "folder", "link", "nothing", "noise"])
def test_a_file_of_a_wrong_kind_or_content_is_told_and_never_raised(copied, name, how):
    path = copied / name
    path.unlink()
    if how == "fifo":
        os.mkfifo(path)
    elif how == "folder":
        path.mkdir()
    elif how == "link":
        path.symlink_to("/dev/zero")
    elif how == "noise":
        path.write_bytes(random.Random(1).randbytes(5000))
    record = read(copied)
    if name == plan.NAME:
        assert record.minutes == []
        assert record.problems[0].startswith(str(path))
        assert record.state == "unknown"
    else:
        assert len(record.minutes) == 12
        assert all(one.due == one.ended + one.lost + one.skipped == 240 for one in record.minutes)
        assert record.state == "finished"


def test_a_place_without_a_soak_says_so_and_one_that_comes_later_is_read(tmp_path):
    record = Record(tmp_path / "soak")
    assert record.poll(0.0)
    assert not record.poll(1.0)
    assert "there is none, so this is no soak's directory" in record.problems[0]
    written = write_soak(tmp_path / "soak", Scene(hours=0.05, rate=1.0))
    assert record.poll(2.0)
    assert (record.problems, record.state) == ((), "finished")
    assert sum(one.ended for one in record.minutes) == written.ended


def test_reading_leaves_no_trace(copied):
    def seen():
        return {each.name: (each.stat().st_size, each.stat().st_mtime_ns) for each in copied.iterdir()}

    before = seen()
    read(copied)
    assert seen() == before
    control.Lock(copied, patience_s=0.0).release()


# ---------------------------------------------------------------------- following


def test_nothing_new_is_nothing_changed(copied):
    record = read(copied, 1.0)
    told = record.minutes
    assert [record.poll(2.0 + one) for one in range(3)] == [False] * 3
    assert record.minutes is told


def test_files_that_were_replaced_are_read_anew(copied, tmp_path):
    record = read(copied)
    first = record.minutes[0]
    record.poll(1.0)
    assert record.minutes[0] is first
    write_soak(tmp_path / "other", Scene(hours=0.2, rate=4.0, raw_s=720, tokens=4, seed=9))
    shutil.rmtree(copied)
    shutil.move(tmp_path / "other", copied)
    record.poll(2.0)
    while record.more:
        record.poll(2.0)
    assert record.minutes[0] is not first
    assert plainly(record.minutes) == plainly(read(copied).minutes)


def test_a_reader_that_was_away_for_long_goes_by_the_minutes_and_comes_to_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("mens_console.soak.record.AHEAD", 10_000)
    made = Drive(make_plan(duration_s=900.0, rate=2.0))
    plan.write(tmp_path, made.plan)
    told = made.rows(0.0, 900.0, first=True, over=True)
    driver, record = Writer(tmp_path, made.plan), Record(tmp_path)
    for number, row in enumerate(told):
        driver.add(row)
        if number in {40, 2500}:
            record.poll(0.0)
            assert not record.more
    driver.close()
    record.poll(0.0)
    assert not record.more
    assert plainly(record.minutes) == plainly(read(tmp_path).minutes)
    assert sum(one.ended for one in record.minutes) == 1800


def test_what_is_open_is_told_up_to_its_newest_row(tmp_path):
    made = make_plan(rate=2.0)
    plan.write(tmp_path, made)
    driver = Writer(tmp_path, made)
    driver.add(rows.happened(0.0, "start", "x"))
    for number, due in ((0, 0.0), (1, 0.5), (3, 1.5)):
        driver.add(rows.Request(id=(0, number), due=due, sent=due, e2e=900.0, ttft=1.0, err="cut" if due else None))
    record = Record(tmp_path)
    record.poll(0.0)
    (minute,) = record.minutes
    assert (minute.due, minute.sent, minute.ended, minute.failed, minute.closed) == (5, 5, 3, {"cut": 2}, False)
    assert (minute.lost, minute.skipped, record.now_s) == (2, 0, 2.4)
    assert record.state == "died"
    with_driver = control.Lock(tmp_path)
    control.Self(tmp_path).write(state="running", beat=100.0)
    record.poll(101.0)
    (minute,) = record.minutes
    assert (minute.due, minute.lost, record.state) == (5, 0, "running")
    with_driver.release()
    driver.close()


# ---------------------------------------------------------------------- rows that cannot be


def test_rows_that_cannot_be_are_left_out_and_told_with_their_place(tmp_path):
    made = make_plan()
    plan.write(tmp_path, made)
    good = rows.Request(id=(0, 2), due=2.0, sent=2.0, e2e=5.0, ttft=1.0)
    request = b'{"k":"r","id":[0,1],"due":1.0,"sent":1.0'
    bad = [
        request + b"}", request + b',"e2e":NaN}', request + b',"e2e":-4}', request + b',"e2e":5,"gaps":[-1]}',
        request + b',"e2e":8e9}', request + b',"e2e":5,"tok":-1}', request.replace(b"0,1", b"0,999") + b',"e2e":5}',
        request.replace(b"0,1", b"-1,0") + b',"e2e":5}', request.replace(b'sent":1', b'sent":99') + b',"e2e":5}',
        b'{"k":"r","id":[0,1],"due":7.0,"sent":7.0,"e2e":5}', b'{"k":"s","id":[0,1],"due":0.0,"sent":1.0}',
        b'{"k":"r","id":[99,0],"due":5940.0,"sent":5940.0,"e2e":5}', b'{"k":"e","t":2,"kind":"gap","from":9,"to":3}',
        b'{"k":"b","t":1e300}', b'{"k":"b","t":"now"}', b'{"k":"l","t":2,"rss":-1}', b'{"k":"r"', b"{" * 5000,
        b'{"k":"p","t":2,"ok":true,"ms":1e99}', b"[]", b"\x00\x1b[2J",
    ]  # fmt: skip
    told = [rows.encode(rows.happened(0.0, "start", "x")), *(one + b"\n" for one in bad), rows.encode(good)]
    told += [rows.encode(good), b'{"k":"zz","t":3}\n', b'{"k":"b","t":3.0,"tomorrow":[1]}\n']
    (tmp_path / "journal-000001.ndjson").write_bytes(b"".join(told))
    record = read(tmp_path)
    (minute,) = record.minutes
    assert (minute.ended, minute.due, record.now_s) == (1, 4, 3.0)
    (refused, doubled, unknown) = record.problems
    assert refused.startswith("the journal holds 21 rows that cannot be, left out; the newest: journal 1, byte ")
    assert doubled == "1 row told a request a second time, and count once"
    assert unknown.startswith("1 row of a kind that this console does not know")


def test_a_row_for_a_minute_that_is_closed_counts_nowhere_and_is_told(tmp_path):
    made = Drive(make_plan())
    plan.write(tmp_path, made.plan)
    driver = Writer(tmp_path, made.plan)
    for row in made.rows(0.0, 200.0, first=True, over=True):
        driver.add(row)
    driver.add(rows.Request(id=(0, 0), due=0.0, sent=0.0, e2e=5.0, ttft=1.0))
    driver.close()
    record = read(tmp_path)
    assert sum(one.ended for one in record.minutes) == 200
    assert record.problems == ("1 row came after their minute was closed, and are counted nowhere",)


def test_what_a_row_says_is_safe_to_show(tmp_path):
    made = make_plan()
    folding = Folding(made)
    folding.feed(rows.Happening(0.5, "\x1b]0;x\x07", "a\u202eb"), Place(1, 0))
    folding.feed(rows.Request(id=(0, 0), due=0.0, sent=0.0, e2e=1.0, err="http\x1b", why="\x1b[2J" * 99), Place(1, 9))
    folding.feed(rows.Look(1.0, False, None, "\x9b"), Place(1, 10))
    (event,), (minute,) = folding.events(), folding.minutes()
    text = json.dumps([event.kind, event.text, minute.failed, minute.reasons, minute.probes], ensure_ascii=False)
    assert text.isprintable()
    assert minute.failed == {"other": 1}


# ---------------------------------------------------------------------- how the driver is


def standing(folder, now=100.0):
    record = Record(folder)
    record.poll(now)
    return record.state, record.why


def begun(folder, *more):
    plan.write(folder, make_plan())
    driver = Writer(folder, make_plan())
    driver.add(rows.happened(0.0, "start", "x"), rows.Beat(1.0), *more)
    driver.close()


def test_without_a_word_of_a_driver_its_state_is_unknown(tmp_path):
    plan.write(tmp_path, make_plan())
    assert standing(tmp_path)[0] == "unknown"


def test_a_driver_that_holds_the_lock_runs_whatever_it_tells(tmp_path):
    plan.write(tmp_path, make_plan())
    lock = control.Lock(tmp_path)
    assert standing(tmp_path)[0] == "starting"
    begun(tmp_path)
    assert standing(tmp_path)[0] == "running"
    control.Self(tmp_path).write(state="running", beat=99.0)
    assert standing(tmp_path) == (
        "running", f"process {os.getpid()} on {socket.gethostname()} holds driver.lock and tells of itself"
    )  # fmt: skip
    state, why = standing(tmp_path, 160.0)
    assert (state, why.endswith("is held up: its last sign of life is 61 s old")) == ("running", True)
    lock.release()
    state, why = standing(tmp_path)
    assert (state, "does not hold driver.lock any more" in why) == ("died", True)


@pytest.mark.parametrize(
    ("facts", "now", "state", "said"),
    [
        ({"pid": 2**30}, 100.0, "died", "runs no more, and the journal has no end; its last sign of life is 1 s old"),
        ({"pid": "1; rm", "process_start": None}, 100.0, "died", "runs no more"),
        ({"boot_id": "another"}, 7300.0, "died", "the box was started anew"),
        ({"host": "elsewhere"}, 100.0, "running", "on elsewhere tells of itself"),
        (
            {"host": "elsewhere"},
            500.0,
            "unknown",
            "cannot be asked from here; its last sign of life is 7 min old",
        ),
        ({"host": "a\x1b[2J"}, 500.0, "unknown", "ran on a␛[2J"),
        ({"host": "elsewhere", "beat": "soon"}, 100.0, "unknown", "no time that fits this clock"),
        ({"host": "elsewhere", "beat": 999.0}, 100.0, "unknown", "no time that fits this clock"),
    ],
)
def test_a_driver_that_does_not_hold_the_lock_is_judged_by_what_is_left_of_it(tmp_path, facts, now, state, said):
    begun(tmp_path)
    control.Self(tmp_path).write(**{"state": "running", "beat": 99.0} | facts)
    told, why = standing(tmp_path, now)
    assert told == state
    assert said in why


def test_a_lock_that_cannot_be_looked_at_leaves_it_to_the_process_and_its_sign_of_life(tmp_path):
    begun(tmp_path)
    os.mkfifo(tmp_path / "driver.lock")
    control.Self(tmp_path).write(state="running", beat=99.0)
    assert standing(tmp_path)[0] == "running"
    assert standing(tmp_path, 900.0)[0] == "unknown"


def test_a_stop_stands_until_another_driver_takes_over_and_an_end_for_good(tmp_path):
    begun(tmp_path, rows.happened(2.0, "stop", "asked to"))
    control.Self(tmp_path).write(state="stopped", beat=2.0, stopping="asked to stop by \x1bSIGTERM")
    assert standing(tmp_path) == ("stopped", "the journal ends with a stop: asked to stop by ␛SIGTERM")
    lock = control.Lock(tmp_path)
    assert standing(tmp_path)[0] == "running"
    driver = Writer(tmp_path, make_plan())
    driver.add(rows.happened(3.0, "resume", "x"))
    lock.release()
    assert standing(tmp_path)[0] == "died"
    driver.add(rows.happened(300.0, "end", "x"))
    driver.close()
    assert standing(tmp_path) == ("finished", "the journal ends with the end of the plan")


def test_what_a_driver_says_is_wrong_is_passed_on_while_it_runs(tmp_path):
    begun(tmp_path)
    lock = control.Lock(tmp_path)
    control.Self(tmp_path).write(state="running", beat=99.0, problem="no space\x07")
    record = read(tmp_path, 100.0)
    assert record.problems == ("the driver: no space␇",)
    lock.release()
    write_driver(tmp_path, Scene(), 1.0)
    assert BEGAN > 0
    assert read(tmp_path, 100.0).problems == ()


def test_a_probe_that_is_answered_after_its_minute_was_closed_is_not_lost(tmp_path):
    made = Drive(make_plan(duration_s=300.0, rate=0.1), slowest=0.1)
    plan.write(tmp_path, made.plan)
    told = made.rows(0.0, 300.0, first=True, over=True)
    driver, closed, lost = Writer(tmp_path, made.plan), [], []
    for row in told:
        closed += driver.add(row)
        if isinstance(row, rows.Beat) and row.t % 60 == 2.5 and row.t > 60:
            at = row.t // 60 * 60 - 0.01
            assert closed[-1].minute.index == int(at // 60)
            driver.add(rows.Look(at, False, None, "timeout"), rows.Level(at, rss=at))
            lost.append(at)
    driver.close()
    record = read(tmp_path)
    assert [probe.at for one in record.minutes for probe in one.probes] == lost
    assert [one.index for one in record.minutes if one.probes] == [1, 2, 3, 4]
    assert record.minutes[1].levels == {"rss": 59.99}
    assert record.problems == ()
    (tmp_path / minutes.NAME).unlink()
    assert plainly(read(tmp_path).minutes) == plainly(record.minutes)


def test_a_row_that_cannot_be_is_not_written_and_its_driver_goes_on(tmp_path):
    plan.write(tmp_path, make_plan())
    driver = Writer(tmp_path, make_plan())
    driver.add(rows.happened(0.0, "start", "x"), rows.Beat(1.0), rows.Level(1.0, rss=float("nan")))
    driver.add(rows.Request(id=(0, 0), due=0.0, sent=0.0, e2e=float("inf"), ttft=1.0), rows.Beat(2.0))
    driver.close()
    record = read(tmp_path)
    assert [event.text for event in record.events] == [
        "x", "a row that cannot be was left out: nan is no level",
        "a row that cannot be was left out: inf is no time in a soak",
    ]  # fmt: skip
    assert (record.now_s, record.problems) == (2.0, ())


def test_what_was_passed_over_while_others_were_sent_is_skipped_at_once(tmp_path):
    made = make_plan()
    plan.write(tmp_path, made)
    driver = Writer(tmp_path, made)
    sent = [rows.Sent((0, number), float(number), float(number)) for number in range(60) if number not in {7, 8}]
    driver.add(rows.happened(0.0, "start", "x"), *sent, rows.happened(59.5, "held", "x", begin=7.0, end=8.000001))
    driver.add(*(rows.Request(id=one.id, due=one.due, sent=one.sent, e2e=500.0, ttft=9.0) for one in sent))
    (closed,) = driver.add(rows.Beat(61.0))
    assert (closed.minute.skipped, closed.minute.ended, closed.minute.unobserved_s) == (2, 58, 1.000001)
    driver.close()
