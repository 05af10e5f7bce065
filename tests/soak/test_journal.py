"""The journal holds each row once, in order, whatever the disk does and wherever a death comes."""

import contextlib
import errno
import gzip
import os
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mens_console.soak import rows, segments
from mens_console.soak.fold import NOWHERE, Place
from mens_console.soak.journal import Journal
from mens_console.soak.reading import Reading


class Now:
    """A clock that a test sets."""

    at = 0.0

    def __call__(self):
        return self.at


class Disk:
    """Lets only so many bytes into files of a folder, and tears a write where the room ends."""

    def __init__(self, monkeypatch, folder):
        self.room, self.error, self._real, self._folder = 1 << 40, errno.ENOSPC, os.write, str(folder)
        monkeypatch.setattr(os, "write", self.write)

    def write(self, fd, data):
        if not os.readlink(f"/proc/self/fd/{fd}").startswith(self._folder):
            return self._real(fd, data)
        if self.room <= 0:
            raise OSError(self.error, os.strerror(self.error))
        done = self._real(fd, bytes(data)[: self.room])
        self.room -= done
        return done


def beat(number):
    return rows.Beat(float(number))


def lines(folder, place=NOWHERE):
    reading, told = Reading(str(folder), place), []
    while (some := reading.poll()) or reading.more:
        told += some
    assert reading.problem is None
    return told


def numbers(folder, place=NOWHERE):
    return [int(rows.decode(line.data).t) for line in lines(folder, place)]


def test_each_row_is_where_it_is_told_to_be_and_nobody_else_may_read_it(tmp_path):
    journal = Journal(tmp_path)
    stored = [*journal.append(beat(0), beat(1)), *journal.append(beat(2))]
    journal.close()
    assert [(line.place, rows.decode(line.data)) for line in lines(tmp_path)] == [
        (one.place, one.row) for one in stored
    ]
    assert stat.S_IMODE((tmp_path / "journal-000001.ndjson").stat().st_mode) == 0o600


def test_a_line_that_a_death_tore_is_ended_before_the_next(tmp_path):
    (tmp_path / "journal-000001.ndjson").write_bytes(b'{"k":"b","t":1}\n{"k":"b","t"')
    journal = Journal(tmp_path)
    (stored,) = journal.append(beat(2))
    journal.close()
    first, torn, last = lines(tmp_path)
    assert torn.data == b'{"k":"b","t"'
    assert (last.place, rows.decode(last.data)) == (stored.place, beat(2))
    assert rows.decode(first.data) == beat(1)


@settings(max_examples=60, deadline=None)
@given(rooms=st.lists(st.integers(0, 60), min_size=1, max_size=12))
def test_a_disk_that_is_full_now_and_then_loses_and_doubles_nothing(tmp_path_factory, rooms):
    folder, now = tmp_path_factory.mktemp("soak"), Now()
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(patch, folder)
        journal, stored = Journal(folder, monotonic=now), []
        for number, room in enumerate(rooms):
            disk.room, now.at = room, now.at + 2
            stored += journal.append(beat(2 * number), beat(2 * number + 1))
            assert journal.waiting == 2 * number + 2 - len(stored)
            assert (journal.problem is None) == (journal.waiting == 0)
        disk.room, now.at = 1 << 20, now.at + 2
        stored += journal.append(beat(2 * len(rooms)))
        assert (journal.problem, journal.waiting, journal.overflowed) == (None, 0, 0)
        journal.close()
    assert numbers(folder) == list(range(2 * len(rooms) + 1))
    assert [one.place for one in stored] == [line.place for line in lines(folder)]


def test_a_full_disk_is_told_with_what_helps_and_is_not_asked_again_at_once(tmp_path, monkeypatch):
    disk, now = Disk(monkeypatch, tmp_path), Now()
    journal = Journal(tmp_path, monotonic=now)
    disk.room = 0
    assert journal.append(beat(0)) == []
    assert "no space is left on the device" in journal.problem
    assert "1 row waits in memory" in journal.problem
    assert "free space" in journal.problem
    disk.room = 1000
    assert journal.append(beat(1)) == []
    now.at = 1.5
    assert [one.row for one in journal.append()] == [beat(0), beat(1)]
    assert journal.problem is None
    journal.close()


def test_what_overflows_is_counted_and_events_are_kept(tmp_path, monkeypatch):
    disk, now = Disk(monkeypatch, tmp_path), Now()
    journal = Journal(tmp_path, waiting_bytes=200, monotonic=now)
    disk.room, disk.error = 0, errno.EIO
    told = rows.happened(0.5, "held", "held up")
    journal.append(beat(0), told, *map(beat, range(1, 50)))
    assert "input/output error" in journal.problem
    kept = journal.waiting
    assert journal.overflowed == 51 - kept
    assert f"{51 - kept} were dropped" in journal.problem
    disk.room, now.at = 1 << 20, 2.0
    stored = [one.row for one in journal.append(beat(50))]
    journal.close()
    assert stored == [told, *map(beat, range(51 - kept, 51))]


@pytest.mark.parametrize("by", ["size", "age"])
def test_a_segment_that_is_full_or_old_is_packed_and_the_next_begins(tmp_path, by):
    now = Now()
    journal = Journal(tmp_path, segment_bytes=100 if by == "size" else 1 << 20, segment_s=60.0, monotonic=now)
    stored = []
    for number in range(40):
        now.at += 10
        stored += journal.append(beat(number))
    journal.close()
    there = segments.listing(str(tmp_path))
    assert len(there) > 5
    assert [(one.raw, one.packed) for one in there] == [(False, True)] * (len(there) - 1) + [(True, False)]
    assert all(stat.S_IMODE(each.stat().st_mode) == 0o600 for each in tmp_path.iterdir())
    assert [line.place for line in lines(tmp_path)] == [one.place for one in stored]
    for one in stored[::7]:
        assert numbers(tmp_path, one.place) == list(range(int(one.row.t), 40))


def test_the_oldest_segments_go_where_all_take_too_much_room_but_none_that_is_needed(tmp_path):
    now = Now()
    journal = Journal(tmp_path, segment_bytes=100, max_disk=600, monotonic=now)
    gone = []
    for number in range(200):
        now.at += 1
        journal.needed_from = journal.segment
        journal.append(beat(number))
        gone += journal.take_discarded()
    journal.close()
    gone += journal.take_discarded()
    there = [one.number for one in segments.listing(str(tmp_path))]
    assert gone == list(range(1, there[0]))
    assert len(there) < 10
    assert numbers(tmp_path, Place(there[0], 0))[-1] == 199

    kept = Journal(tmp_path, segment_bytes=100, max_disk=0, monotonic=now)
    kept.needed_from = there[0]
    for number in range(50):
        now.at += 1
        kept.append(beat(number))
    kept.close()
    assert segments.listing(str(tmp_path))[0].number == there[0]


class DeathError(BaseException):
    """The process ends here."""


CALLS = ("open", "write", "fsync", "replace", "unlink")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("nth", range(3))
@pytest.mark.parametrize("after", [False, True])
def test_a_death_while_a_segment_is_packed_loses_and_doubles_nothing(tmp_path, call, nth, after):
    (tmp_path / "journal-000001.ndjson").write_bytes(b"".join(rows.encode(beat(n)) for n in range(100)))
    (tmp_path / "journal-000002.ndjson").write_bytes(rows.encode(beat(100)))
    with pytest.MonkeyPatch.context() as patch:
        real, count = getattr(os, call), iter(range(100))

        def dying(*given, **named):
            last = next(count) == nth
            if last and not after:
                raise DeathError
            done = real(*given, **named)
            if last:
                raise DeathError
            return done

        patch.setattr(os, call, dying)
        with contextlib.suppress(DeathError):
            segments.pack(str(tmp_path), 1)
    assert numbers(tmp_path) == list(range(101))
    for number in segments.tidy(str(tmp_path)):
        segments.pack(str(tmp_path), number)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["journal-000001.ndjson.gz", "journal-000002.ndjson"]
    assert numbers(tmp_path) == list(range(101))


def test_a_packed_segment_that_is_not_its_raw_ones_is_made_anew(tmp_path):
    (tmp_path / "journal-000001.ndjson").write_bytes(rows.encode(beat(0)) + rows.encode(beat(1)))
    (tmp_path / "journal-000001.ndjson.gz").write_bytes(gzip.compress(rows.encode(beat(0))))
    (tmp_path / "journal-000002.ndjson").write_bytes(rows.encode(beat(2)))
    Journal(tmp_path).close()
    assert not (tmp_path / "journal-000001.ndjson").exists()
    assert numbers(tmp_path) == [0, 1, 2]


@pytest.mark.parametrize("harm", ["delete", "cut", "replace"])
def test_a_segment_that_somebody_deleted_or_cut_is_left_for_a_new_one(tmp_path, harm):
    now = Now()
    journal = Journal(tmp_path, monotonic=now)
    journal.append(beat(0))
    path = tmp_path / "journal-000001.ndjson"
    if harm == "cut":
        os.truncate(path, 0)
    else:
        path.unlink()
    if harm == "replace":
        path.write_bytes(b"something else\n")
    now.at = 6.0
    (stored,) = journal.append(beat(1))
    journal.close()
    assert (stored.place, journal.replaced) == (Place(2, 0), 1)
    assert numbers(tmp_path, Place(2, 0)) == [1]


def test_a_segment_that_cannot_be_begun_lets_the_old_one_grow_and_is_told(tmp_path):
    now = Now()
    journal = Journal(tmp_path, segment_bytes=10, monotonic=now)
    journal.append(beat(0))
    os.mkfifo(tmp_path / "journal-000002.ndjson")
    journal.append(beat(1))
    assert "cannot go on in a new file" in journal.problem
    journal.close()
    assert (tmp_path / "journal-000001.ndjson").read_bytes() == rows.encode(beat(0)) + rows.encode(beat(1))


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.binary(max_size=40).map(lambda one: one.replace(b"\n", b" ")), max_size=30),
    cuts=st.lists(st.integers(1, 60), min_size=1, max_size=30),
    piece=st.integers(1, 50),
    packed=st.booleans(),
)
def test_lines_are_the_same_however_they_come(tmp_path_factory, texts, cuts, piece, packed):
    folder = tmp_path_factory.mktemp("soak")
    data = b"".join(one + b"\n" for one in texts)
    reading, told, done = Reading(str(folder), NOWHERE), [], 0
    path = folder / "journal-000001.ndjson"
    with path.open("ab", buffering=0) as file:
        for cut in cuts:
            file.write(data[done : done + cut])
            done += cut
            told += reading.poll(piece)
        file.write(data[done:])
    if packed:
        (folder / "journal-000001.ndjson.gz").write_bytes(gzip.compress(data))
        path.unlink()
    while (some := reading.poll(piece)) or reading.more:
        told += some
    assert [line.data for line in told] == [one for one in texts if one]
    assert all(data[line.place.offset :].startswith(line.data + b"\n") for line in told)


def test_a_packed_segment_that_is_damaged_is_read_up_to_there_and_told(tmp_path):
    data = b"".join(rows.encode(rows.happened(float(n), "warning", os.urandom(20).hex())) for n in range(20_000))
    whole = gzip.compress(data)
    (tmp_path / "journal-000001.ndjson.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "journal-000002.ndjson").write_bytes(rows.encode(beat(1)))
    reading, told = Reading(str(tmp_path), NOWHERE), []
    while (some := reading.poll()) or reading.more:
        told += some
    assert "journal-000001.ndjson.gz is damaged" in reading.problem
    assert len(told) > 5000
    assert rows.decode(told[-1].data) == beat(1)


@pytest.mark.parametrize("how", ["fifo", "link", "folder"])
def test_a_segment_that_cannot_be_read_is_passed_over_and_told(tmp_path, how):
    path = tmp_path / "journal-000002.ndjson"
    for number in (1, 3):
        (tmp_path / f"journal-{number:06d}.ndjson").write_bytes(rows.encode(beat(number)))
    {"fifo": os.mkfifo, "link": lambda at: os.symlink("/dev/zero", at), "folder": os.mkdir}[how](path)
    reading, told = Reading(str(tmp_path), NOWHERE), []
    while (some := reading.poll()) or reading.more:
        told += some
    assert [rows.decode(line.data) for line in told] == [beat(1), beat(3)]
    assert reading.problem.startswith("journal-000002.ndjson: it is ")
    assert reading.missing == [(2, 2)]


def test_what_is_no_file_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "journal-000001.ndjson")
    reading = Reading(str(tmp_path), NOWHERE)
    assert reading.poll() == []
    assert "not a regular file" in reading.problem


_ANY = [
    rows.Request((1, 2), 60.2, 60.3, 12.5, 3.5, [1.25, 2.5], 3, "server", 3),
    rows.Request((1, 3), 60.3, 60.3, 12.5, err="http", st=503, why="not ready"),
    rows.Look(70.0, False, 1.5, "connection refused"),
    rows.happened(71.0, "held", "halted", begin=60.0, end=71.0),
]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(_ANY), st.data())
def test_a_row_with_bytes_that_anybody_wrote_is_a_row_or_refused(row, data):
    line = bytearray(rows.encode(row))
    for _ in range(data.draw(st.integers(1, 3))):
        line[data.draw(st.integers(0, len(line) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(rows.BadRowError):
        rows.decode(bytes(line))


@pytest.mark.parametrize("line", [b'{"k":"p","t":1,"ok":true,"why":"\xb1"}', b'{"k":"z","\xff":1}', b'{"\xb1":"r"}'])
def test_a_byte_that_is_no_utf8_is_refused_with_its_row(line):
    with pytest.raises(rows.BadRowError):
        rows.decode(line)


def test_what_is_written_is_told_though_no_file_is_left_to_sync_it(tmp_path, monkeypatch):
    now, real = Now(), os.dup

    def none_left(_):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with contextlib.closing(Journal(tmp_path, monotonic=now)) as journal:
        now.at = 6.0
        monkeypatch.setattr(os, "dup", none_left)
        assert [stored.row for stored in journal.append(beat(1))] == [beat(1)]
        assert "cannot be synced" in journal.problem
        monkeypatch.setattr(os, "dup", real)
        now.at = 12.0
        journal.append(beat(2))
    assert journal.problem is None
