"""A soak's directory is read whatever state it is in: nothing is raised or written, and what is missing is told."""

import functools
import os
import random
import shutil

import pytest
from soak.drives import Drive, make_plan, read
from soak.test_resuming import plainly
from support.soaks import Scene, Trouble, write_driver, write_soak

from mens_console.soak import control, minutes, plan, rows, writer
from mens_console.soak.journal import Journal
from mens_console.soak.record import Record
from mens_console.soak.writer import Writer

SCENE = Scene(hours=0.2, rate=4.0, raw_s=720, tokens=4, troubles=(Trouble(100, 200),), resumes=((400.0, 430.0),))


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
