"""Rows that cannot be are kept out and told; those that come late or twice count once, or are told."""

import json

from soak.drives import Drive, make_plan, read
from soak.test_resuming import plainly

from mens_console.soak import minutes, plan, rows
from mens_console.soak.fold import Folding, Place
from mens_console.soak.writer import Writer


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
