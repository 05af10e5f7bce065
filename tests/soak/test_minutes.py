"""Plans, schedules, and closed minutes as files: what is written is read again, and nothing else is."""

import json
import math
import os
import random
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from soak.drives import make_plan
from soak.test_resuming import plainly
from support.soaks import Scene, Trouble, write_soak

from mens_console.load.histogram import Histogram
from mens_console.load.packed import unpacked
from mens_console.soak import minutes, plan, schedule


@settings(max_examples=150, deadline=None)
@given(rate=st.floats(0.01, 60), duration=st.floats(1, 900))
@example(rate=10.0, duration=259_200.0)
@example(rate=3.0, duration=600.0)
@example(rate=1 / 3, duration=600.0)
@example(rate=0.7, duration=601.0)
def test_a_constant_rate_is_due_at_each_multiple_once(rate, duration):
    made = make_plan(rate=rate, duration_s=duration)
    number = min(schedule.minutes(made), 40)
    told = [schedule.due(made, index) for index in range(number)]
    every = [one for minute in told for one in minute]
    assert every == [round(k / rate, 6) for k in range(len(every))]
    for index, minute in enumerate(told):
        assert all(index * 60 - 1e-6 <= one <= min(index * 60 + 60, duration) for one in minute)
    if number == schedule.minutes(made):
        assert len(every) / rate >= duration > (len(every) - 1) / rate
    assert schedule.due(made, schedule.minutes(made)) == schedule.due(made, -1) == []


def test_poissons_arrivals_have_their_law_and_are_the_same_each_time():
    made = make_plan(arrivals="poisson", rate=10.0, duration_s=36_000.0)
    told = [schedule.due(made, index) for index in range(600)]
    counts = np.array([len(one) for one in told])
    assert abs(counts.mean() - 600) < 4 * math.sqrt(600 / 600)
    assert 0.8 < counts.var() / 600 < 1.25
    gaps = np.diff(np.concatenate(told))
    assert gaps.min() >= 0
    assert abs(np.quantile(gaps, 0.9) - math.log(10) / 10) < 0.01
    assert told[7] == schedule.due(replace(made, model="another"), 7) != schedule.due(replace(made, seed=1), 7)
    assert schedule.due(replace(made, duration_s=450.0), 7) == [one for one in told[7] if one < 450]


# ---------------------------------------------------------------------- plan


def test_a_plan_is_read_as_it_was_written_by_its_owner_alone(tmp_path):
    made = make_plan(limits={"rss": 1e9}, tags={"gpu": "H100"}, watch_pid=7, prompts="p.jsonl")
    plan.write(tmp_path, made)
    assert plan.read(tmp_path) == made
    assert (tmp_path / plan.NAME).stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == [plan.NAME]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "there is none, so this is no soak's directory"),
        ("", "it is no plan"),
        ("[]", "its schema is not mens-soak-plan/1"),
        ('{"schema":"mens-bench/1"}', "its schema is not mens-soak-plan/1"),
        (
            '{"schema":"mens-soak-plan/2","id":3}',
            "mens-soak-plan/2, and this console reads mens-soak-plan/1",
        ),
        ('{"schema":"mens-soak-plan/1"}', "missing required field `id`"),
        ("[" * 100_000, "it is no plan"),
        (" " * (1 << 20) + "{}", "larger than 1 MiB"),
        ('{"schema":"mens-soak-plan/1","id":"\udcb1"}', "it is no plan"),
    ],
)
def test_what_is_no_plan_is_told_with_what_helps(tmp_path, text, said):
    if text is not None:
        (tmp_path / plan.NAME).write_text(text, errors="surrogateescape")
    with pytest.raises(plan.PlanError, match=plan.NAME) as told:
        plan.read(tmp_path)
    assert said in str(told.value)


@pytest.mark.parametrize(
    ("name", "value"), [("rate", 0), ("rate", 1e9), ("duration_s", -1), ("timeout_s", 1e9), ("started", "soon")]
)
def test_a_plan_that_no_schedule_can_be_made_of_is_refused(tmp_path, name, value):
    (tmp_path / plan.NAME).write_text(json.dumps(plan.document(make_plan()) | {name: value}))
    with pytest.raises(plan.PlanError, match=name):
        plan.read(tmp_path)
    with pytest.raises(plan.PlanError):
        plan.write(tmp_path, make_plan(rate=0.0))


def test_what_a_plan_says_is_safe_to_show_and_fields_of_tomorrow_are_no_fault(tmp_path):
    told = plan.document(make_plan()) | {"model": "a\x1b[2Jb", "tags": {"x\x07": "\u202e"}, "tomorrow": 1}
    (tmp_path / plan.NAME).write_text(json.dumps(told))
    read = plan.read(tmp_path)
    assert read.model == "a␛[2Jb"
    assert read.tags == {"x␇": "‹U+202E›"}


def test_a_plan_that_is_no_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / plan.NAME)
    with pytest.raises(plan.PlanError, match="not a regular file"):
        plan.read(tmp_path)


# ---------------------------------------------------------------------- minutes

SCENE = Scene(
    hours=0.25, raw_s=120, troubles=(Trouble(100, 160), Trouble(300, 700, 0.3, "timeout", probes=True)),
    gaps=((400.0, 420.0),), resumes=((500.0, 615.5),),
)  # fmt: skip


@pytest.fixture(scope="module")
def filed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("soak")
    write_soak(folder, SCENE)
    return (folder / minutes.NAME).read_bytes().splitlines(keepends=True)


def test_a_minute_is_read_as_it_was_written(filed):
    for line in filed:
        closed = minutes.decode(line)
        assert minutes.encode(closed) == line
        for one in closed.minute.latencies.values():
            again = Histogram.of_row(one.row())
            assert (one.n, one.counts, one.buckets()) == (again.n, again.counts, again.buckets())
            for q in (0.01, 0.5, 0.9, 0.95, 0.99, 1.0):
                assert one.quantile(q) == again.quantile(q)
            merged = Histogram()
            merged.merge(one)
            assert merged.row() == one.row()


def test_a_line_with_any_byte_changed_is_refused(filed):
    draw = random.Random(7)
    for line in filed:
        for at in {*range(40), *range(len(line) - 60, len(line) - 1), *draw.sample(range(len(line) - 1), 100)}:
            harmed = bytearray(line)
            harmed[at] ^= draw.randrange(1, 256)
            with pytest.raises(minutes.BadMinuteError):
                minutes.decode(bytes(harmed))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["due"], 601), (["ended"], -1), (["failed"], {"http": 900}), (["tens"], [[600, 0]]), (["tens", 0], [1, 0]),
        (["unobserved_s"], -1.0), (["probes"], [[1e999, True, 1.0]]), (["latencies"], {}), (["good"], 10_000),
        (["latencies", "lag", "c", 0], 10_000), (["latencies", "e2e", "k"], [3]), (["latencies", "itl", "max"], -1),
        (["latencies", "itl", "k", 0], 2**70), (["latencies", "itl", "k", 0], -(2**30)), (["firsts"], [1.0] * 101),
        (["events"], [{"at": -1, "kind": "x", "text": ""}]), (["next"], [-1, 0]), (["degraded"], 10_000),
        (["reasons"], {f"r{i}": 1 for i in range(1000)}), (["levels"], {"rss": -5.0}), (["i"], -1), (["now"], "soon"),
    ],
)  # fmt: skip
def test_a_minute_that_does_not_add_up_is_refused_though_its_checksum_holds(filed, path, value):
    told = json.loads(filed[0])
    del told["crc"]
    assert minutes.decode(sealed(told)).minute.index == 0
    place = told
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(minutes.BadMinuteError):
        minutes.decode(sealed(told))


def sealed(told):
    body = json.dumps(told).encode().replace(b"Infinity", b"1e999")
    return body[:-1] + b',"crc":"%08x"}' % zlib.crc32(body)


def test_what_a_minute_says_is_safe_to_show(filed):
    told = json.loads(filed[0])
    del told["crc"]
    told["events"] = [{"at": 1.0, "kind": "\x1b[2J", "text": "a\x07"}]
    told["reasons"] = {"\x9b31m": 1}
    closed = minutes.decode(sealed(told))
    assert (closed.events[0].kind, closed.events[0].text) == ("␛[2J", "a␇")
    assert list(closed.minute.reasons) == ["‹U+009B›31m"]


@settings(max_examples=100, deadline=None)
@given(values=st.lists(st.floats(0, 1e7), min_size=1, max_size=60), q=st.floats(0.001, 1))
def test_a_packed_histogram_says_what_the_one_does_that_it_was_read_from(values, q):
    one = Histogram.of_values(values)
    (packed,) = unpacked([one.row()])
    assert packed.row() == one.row()
    assert packed.quantile(q) == pytest.approx(one.quantile(q), abs=1e-3)
    assert packed.buckets() == one.buckets()
    with pytest.raises(TypeError):
        packed.add(1.0)


def test_the_generator_tells_what_it_wrote(tmp_path):
    from mens_console.soak.record import Record

    written = write_soak(tmp_path / "a", SCENE)
    write_soak(tmp_path / "b", SCENE)
    record, same = Record(tmp_path / "a"), Record(tmp_path / "b")
    record.poll(0.0)
    same.poll(0.0)
    assert plainly(record.minutes) == plainly(same.minutes)
    assert (record.state, record.problems) == ("finished", ())
    told = record.minutes
    assert sum(one.due for one in told) == written.due == 9000
    assert sum(one.ended for one in told) == written.ended
    assert sum(one.skipped for one in told) == written.skipped > 1000
    assert sum(one.lost for one in told) == written.lost == 10
    assert sum(one.failures for one in told) == written.failed.total() > 500
    assert sum(one.unobserved_s for one in told) == pytest.approx(written.unobserved_s) == pytest.approx(135.5)
    assert sum(one.output_tokens for one in told) == written.output_tokens
    assert [len(one.probes) for one in told][6:10] == [4, 6, 2, 0]
    assert sum(not probe.ok for one in told for probe in one.probes) == written.probes_failed == 6
