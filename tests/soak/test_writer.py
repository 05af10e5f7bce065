"""What the driver writes on a disk that fills, fails, or is tidied by somebody else; and what it tells of that."""

import errno
import functools

import pytest
from soak.drives import Drive, make_plan, read
from soak.test_journal import Disk, Now
from soak.test_resuming import plainly

from mens_console.soak import minutes, plan, rows, writer
from mens_console.soak.journal import Journal
from mens_console.soak.writer import Writer


@pytest.fixture
def made(tmp_path):
    made = Drive(make_plan(rate=2.0, duration_s=600.0))
    plan.write(tmp_path, made.plan)
    return made


def undisturbed(made, folder):
    """Return the minutes of the same drive on a disk that takes everything."""
    folder.mkdir()
    plan.write(folder, made.plan)
    again = Drive(made.plan)
    driver = Writer(folder, made.plan)
    for row in again.rows(0.0, 600.0, first=True, over=True):
        driver.add(row)
    driver.close()
    return read(folder)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_disk_that_refuses_for_a_while_costs_nothing_and_is_told(tmp_path, made, monkeypatch, error):
    whole = undisturbed(made, tmp_path / "other")
    now, disk = Now(), Disk(monkeypatch, tmp_path)
    driver = Writer(tmp_path, made.plan, monotonic=now)
    for row in made.rows(0.0, 600.0, first=True, over=True):
        now.at = row.at
        disk.room, disk.error = (0 if 100 < row.at < 250 else 1 << 30), error
        driver.add(row)
        assert (driver.problem is None) == (driver.journal.waiting == 0)
    driver.close()
    record = read(tmp_path)
    assert plainly(record.minutes) == plainly(whole.minutes)
    assert record.problems == ()
    (told,) = [event for event in record.events if event.kind == "warning"]
    assert told.text.startswith("for 151 s rows waited in memory (the journal cannot be written: ")
    assert (tmp_path / minutes.NAME).read_bytes().count(b"\n") == 10


def test_what_overflowed_is_told_and_that_time_is_unobserved(tmp_path, made, monkeypatch):
    now, disk = Now(), Disk(monkeypatch, tmp_path)
    monkeypatch.setattr(writer, "Journal", functools.partial(Journal, waiting_bytes=5000))
    driver = Writer(tmp_path, made.plan, monotonic=now)
    for row in made.rows(0.0, 600.0, first=True, over=True):
        now.at = row.at
        disk.room = 0 if 100 < row.at < 300 else 1 << 30
        driver.add(row)
    lost = driver.journal.overflowed
    driver.close()
    record = read(tmp_path)
    assert f"{lost} rows are lost: the disk refused them for too long" in [one.text for one in record.events]
    assert sum(one.ended for one in record.minutes) + lost > 1200
    assert all(one.due == 120 == one.ended + one.lost + one.skipped for one in record.minutes)
    unseen = sum(one.unobserved_s for one in record.minutes)
    (gap,) = [event for event in record.events if event.kind == "gap"]
    assert 100 < unseen < 200
    assert gap.end - gap.begin == pytest.approx(unseen)
    assert gap.begin == pytest.approx(100, abs=1)


def test_minutes_wait_alone_where_only_they_are_refused(tmp_path, made):
    driver = Writer(tmp_path, made.plan)
    (tmp_path / minutes.NAME).unlink()
    (tmp_path / minutes.NAME).mkdir()
    told = made.rows(0.0, 600.0, first=True, over=True)
    for row in told[:600]:
        driver.add(row)
    assert driver.problem.startswith("minutes.ndjson cannot be written: ")
    assert driver.journal.needed_from == 1
    (tmp_path / minutes.NAME).rmdir()
    for row in told[600:]:
        driver.add(row)
    assert driver.problem is None
    driver.close()
    assert (tmp_path / minutes.NAME).read_bytes().count(b"\n") == 10
    assert sum(one.ended for one in read(tmp_path).minutes) == 1200


def test_a_file_of_minutes_that_was_deleted_under_a_driver_is_begun_anew(tmp_path, made):
    whole = undisturbed(made, tmp_path / "other")
    driver = Writer(tmp_path, made.plan)
    for number, row in enumerate(made.rows(0.0, 600.0, first=True, over=True)):
        driver.add(row)
        if number == 900:
            (tmp_path / minutes.NAME).unlink()
    driver.close()
    record = read(tmp_path)
    assert plainly(record.minutes) == plainly(whole.minutes)
    assert any("made anew from the journal" in one for one in record.problems)


def test_raw_rows_that_are_discarded_are_told_and_no_number_changes(tmp_path, made, monkeypatch):
    whole = undisturbed(made, tmp_path / "other")
    monkeypatch.setattr(writer, "Journal", functools.partial(Journal, segment_bytes=10_000))
    driver = Writer(tmp_path, made.plan, max_disk=40_000)
    for row in made.rows(0.0, 600.0, first=True, over=True):
        driver.add(row)
    driver.journal._disk.close()
    driver.add()
    driver.close()
    record = read(tmp_path)
    assert plainly(record.minutes) == plainly(whole.minutes)
    assert record.problems == ()
    told = [event.text for event in record.events if event.kind == "discard"]
    assert told[0].startswith("raw rows were discarded to keep within the disk's limit: segment")
    assert not list(tmp_path.glob("journal-000001*"))


def test_a_journal_that_was_cut_under_a_driver_is_told(tmp_path, made):
    now = Now()
    driver = Writer(tmp_path, made.plan, monotonic=now)
    driver.add(rows.happened(0.0, "start", "x"))
    (tmp_path / "journal-000001.ndjson").unlink()
    now.at = 6.0
    driver.add(rows.Beat(1.0))
    driver.close()
    assert [event.text for event in read(tmp_path).events] == [
        "the journal was deleted or cut by somebody else; a new segment began"
    ]
