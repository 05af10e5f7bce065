"""What a minute keeps of its rows beyond its sums: seconds, why requests are lost, and all samples of its levels."""

import json
import math
import zlib
from dataclasses import replace

import pytest
from soak.drives import make_plan
from soak.handmade import Record, quick

from mens_console.soak import minutes, rows
from mens_console.soak.analyse import Analyst
from mens_console.soak.document import document
from mens_console.soak.fold import Folding, Place
from mens_console.soak.report import report
from mens_console.soak.types import Minute

PLAN = make_plan(rate=10.0, duration_s=120.0)


def folded(*told, over=180.0):
    """Return what rows close, told in the order of their times."""
    folding, closed = Folding(PLAN), []
    beats = [rows.Beat(float(at)) for at in range(1, int(over))]
    every = sorted([rows.happened(0.0, "start", "began"), *told, *beats], key=lambda row: row.at)
    for offset, row in enumerate(every):
        closed += folding.feed(row, Place(1, offset))
    return closed


def answered(index, number, *, bad=False, why="", took=0.05):
    due = index * 60 + number / 10
    told = {"err": "http", "st": 503, "why": why} if bad else {}
    return rows.Request((index, number), due, due, took * 1000, None if bad else 10.0, **told)


def minute_of(failing=(), gone=None):
    """Return the rows of a minute of 600 requests: `failing` fail, and of `gone` nothing is known."""
    gone, told = gone or {}, []
    for number in range(600):
        due = number / 10
        told.append(rows.Sent((0, number), due, due))
        if number in gone:
            told.append(rows.Gone((0, number), due, due, due + 0.1, gone[number]))
        else:
            told.append(answered(0, number, bad=number in failing))
    return told


def test_a_second_is_that_in_which_a_request_was_due():
    closed = folded(*minute_of(failing={5, 6, 12, 599}, gone={13: "held"}))[0].minute
    assert closed.seconds == [10, 9, *[10] * 58]
    assert closed.fails == {"http 503": [0, 2, 1, 1, 59, 1]}
    calm = folded(*minute_of())[0].minute
    assert (calm.seconds, calm.fails) == ([], {})


def test_what_is_lost_for_a_known_reason_says_so_and_is_waited_for_no_more():
    told = minute_of(gone={1: "local", 2: "local", 3: "held", 4: "of tomorrow"})
    closed = folded(*told, over=62.0)  # no time limit has to pass, for nothing is in flight
    (one,) = closed
    assert (one.minute.lost, one.minute.lost_by) == (4, {"local": 2, "held": 1, "other": 1})
    assert (one.minute.ended, one.minute.failures) == (596, 0)
    assert one.minute.due == 600 == one.minute.sent


def test_an_answer_that_is_told_as_well_counts():
    told = minute_of(gone={1: "held"})
    made = folded(*told, answered(0, 1, took=0.5))[0].minute
    assert (made.ended, made.lost, made.lost_by) == (600, 0, {})


def test_all_samples_of_a_level_are_in_its_range():
    samples = [rows.Level(5.0 + 10 * i, rss=value, kv_cache=0.1) for i, value in enumerate((4e9, 9e9, 5e9, 2e9, 5e9))]
    one = folded(*minute_of(), *samples)[0].minute
    assert one.levels == {"rss": 5e9, "kv_cache": 0.1}
    assert one.ranges["rss"] == [2e9, 9e9, 5e9, 5]
    assert one.ranges["kv_cache"] == [0.1, 0.1, 0.1, 5]


def test_minutes_with_all_that_are_read_as_they_were_written():
    level = rows.Level(5.0, gpu_memory=1e9)
    (one, *_) = folded(*minute_of(failing={5, 77}, gone={9: "local"}), level)
    line = minutes.encode(one)
    assert alike(minutes.decode(line).minute, one.minute)
    assert minutes.encode(minutes.decode(line)) == line


def alike(one, other):
    """Whether two minutes are the same but for their histograms."""
    return replace(one, latencies={}) == replace(other, latencies={})


def sealed(document):
    """Return a line as its driver would have written it, whatever it says."""
    data = json.dumps(document, separators=(",", ":")).encode()
    return data[:-1] + b',"crc":"%08x"}' % zlib.crc32(data)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seconds", [10] * 60), ("seconds", [600]), ("seconds", [-1, 600, *[0] * 58]), ("seconds", []),
        ("fails", {"http 503": [60, 2]}), ("fails", {"http 503": [0]}), ("fails", {"http 503": [0, 3]}),
        ("fails", {"http 503": [-1, 2]}), ("fails", {str(i): [0, 0] for i in range(100)}),
        ("lost_by", {"local": 2}), ("lost_by", {"local": -1}),
        ("ranges", {"rss": [1.0]}), ("ranges", {"rss": [2.0, 1.0, 1.5, 6.0]}),
        ("ranges", {"rss": [-1.0, 1.0, 0.0, 1.0]}),
    ],
)  # fmt: skip
def test_seconds_that_cannot_be_are_refused(name, value):
    (one, *_) = folded(*minute_of(failing={5, 6}, gone={9: "local"}), rows.Level(5.0, rss=1e9))
    told = json.loads(minutes.encode(one))
    del told["crc"]
    assert alike(minutes.decode(sealed(told)).minute, one.minute)
    with pytest.raises(minutes.BadMinuteError):
        minutes.decode(sealed(told | {name: value}))


def test_a_minute_of_an_older_driver_tells_no_seconds():
    (one, *_) = folded(*minute_of(failing={5, 6}, gone={9: "local"}), rows.Level(5.0, rss=1e9))
    told = json.loads(minutes.encode(one))
    for name in ("crc", "seconds", "fails", "lost_by", "ranges"):
        del told[name]
    old = minutes.decode(sealed(told)).minute
    assert (old.ended, old.seconds, old.lost_by, old.ranges) == (599, [], {}, {})


def test_slopes_are_of_means_and_the_peak_is_of_all_samples():
    """A last sample that is always the valley, while the level grows, tells nothing; the mean of the minute does."""

    def at(i):
        return quick(i, levels={"rss": 8e9, "gpu_memory": 5e9}, ranges={
            "rss": [8e9, 9e9 + i * 2e7, 8.5e9 + i * 1e7, 6.0], "gpu_memory": [5e9, 7e9 + (i == 40), 6e9, 6.0]
        })  # fmt: skip

    found = Analyst("soak").update(Record(minutes=[at(i) for i in range(120)], now_s=7200.0))
    rss = next(one for one in found.leaks if one.name == "rss")
    assert (rss.verdict, rss.last) == ("growing", 8e9)
    assert rss.slope_per_h == pytest.approx(6e8)
    assert found.gpu_peak_bytes == 7_000_000_001
    made = document(found)
    assert made["minutes"][40]["levels"]["gpu_memory"] == {"min": 5e9, "max": 7_000_000_001, "mean": 6e9, "n": 6}
    assert any("one sample each 10 s" in note for note in made["notes"])
    seldom = Analyst("soak").update(Record(minutes=[quick(0, levels={"gpu_memory": 5e9})], now_s=60.0))
    assert any("one sample a minute" in note for note in document(seldom)["notes"])


def test_why_requests_are_lost_is_in_the_report_and_the_document():
    lost = quick(0, sent=610, due=610, lost=10, lost_by={"local": 6, "held": 3})
    found = Analyst("soak").update(Record(minutes=[lost, quick(1)], now_s=120.0))
    made = document(found)
    assert made["lost_by"] == {"held": 3, "local": 6}
    assert made["minutes"][0]["lost_by"] == {"held": 3, "local": 6}
    assert "lost_by" not in made["minutes"][1]
    (note,) = [one for one in made["notes"] if "is not known" in one]
    assert "3 driver held up; 6 no files or ports were left here; 1 ended with their driver" in note
    assert "6 no files or ports were left here" in str(report(found))


def test_levels_of_nothing_are_nothing():
    found = Analyst("soak").update(Record(minutes=[Minute(0, closed=True)], now_s=60.0))
    assert found.leaks == ()
    assert all(math.isnan(one) for one in found.columns.up)
