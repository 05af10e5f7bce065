"""Times at the beginning of lines, in every form that trainers, servers and systems write them."""

import os
import time
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mens_console.ingest import stamps
from mens_console.ingest.stamps import stamp_of, time_of

LATEST = 1_769_947_200.0
"""2026-02-01 12:00 UTC."""


@pytest.fixture(autouse=True)
def zone(monkeypatch):
    """Be in Kolkata, half an hour beside the full ones, so that nothing is right by chance."""
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    stamps._midnight.cache_clear()
    yield
    monkeypatch.undo()
    time.tzset()
    stamps._midnight.cache_clear()


def local(*parts):
    return datetime(*parts).timestamp()


@pytest.mark.parametrize(
    ("line", "offset"),
    [
        ("2026-01-31 14:32:00 x", 0),
        ("2026-01-31T14:32:00 x", 0),
        ("2026-01-31 14:32:00,123 INFO trainer: x", 0.123),
        ("2026-01-31 14:32:00.123456 x", 0.123456),
        ("2026/01/31 14:32:00 x", 0),
        ("2026-01-31_14:32:00 x", 0),
        ("[2026-01-31 14:32:00,123] [INFO] [config.py:1] x", 0.123),
        ("[2026-01-31 14:32:00 TP0] x", 0),
        ("[rank0]: 2026-01-31 14:32:00 x", 0),
        (" [2026-01-31 14:32:00] iteration 12", 0),
        ("INFO 2026-01-31 14:32:00,100 x", 0.1),
        ("2026-01-31 14:32:00.123 | INFO     | __main__:main:12 - x", 0.123),
        ("\x1b[32m2026-01-31 14:32:00.500\x1b[0m | \x1b[1mINFO\x1b[0m | x", 0.5),
        ("Jan 31 14:32:00 host kernel: x", 0),
        ("Sat Jan 31 14:32:00 2026", 0),
        ("Sat Jan 31 14:32:00 IST 2026", 0),
        ("W0131 14:32:00.123000 12345 torch/distributed/run.py:792] x", 0.123),
        ("[rank1]:E0131 14:32:00.123000 12345 x.py:7] x", 0.123),
        ("I20260131 14:32:00.5 x.cc:1] x", 0.5),
        ("INFO 01-31 14:32:00 [core.py:58] x", 0),
        ("(EngineCore_DP0 pid=123) INFO 01-31 14:32:00 [core.py:58] x", 0),
        ("[01/31/26 14:32:00] INFO     x", 0),
        ('{"time": "2026-01-31 14:32:00", "level": "info"}', 0),
    ],
)
def test_times_without_a_zone_are_local(line, offset):
    assert time_of(line, LATEST) == pytest.approx(local(2026, 1, 31, 14, 32) + offset, abs=1e-6)


@pytest.mark.parametrize(
    "line",
    [
        "2026-01-31T14:32:00Z x",
        "2026-01-31 14:32:00 UTC x",
        "2026-01-31T15:32:00+01:00 x",
        "2026-01-31T09:32:00-0500 x",
        "<34>1 2026-01-31T14:32:00Z host",
        "time=2026-01-31T14:32:00Z level=INFO",
        '10.0.0.7 - - [31/Jan/2026:14:32:00 +0000] "GET /health HTTP/1.1" 200',
        '{"log":"step 1\\n","stream":"stdout","time":"2026-01-31T14:32:00Z"}',
        '{"level":"info","ts":1769869920,"msg":"x"}',
        "1769869920 x",
        "1769869920: x",
        "1769869920000 x",
        "[1769869920.0] x",
    ],
)
def test_times_with_a_zone_and_numbers_mean_the_same_everywhere(line):
    assert time_of(line, LATEST) == 1_769_869_920.0


@pytest.mark.parametrize(
    "line",
    [
        "",
        "step 12 | loss 2.3",
        '  File "train.py", line 12, in main',
        'INFO:     127.0.0.1:3221 - "GET /health HTTP/1.1" 200 OK',
        "saved at 2026-01-31 14:32:00",
        " 10%|### | 12/100 [00:12<00:34, 2.1it/s]",
        "99:99:99 x",
        "2026-13-31 14:32:00 x",
        "2026-02-30 14:32:00 x",
        "2029-01-31 14:32:00 after the file was written",
        "Foo 31 14:32:00 x",
        "10.0.0.7 - - [31/Foo/2026:14:32:00 +0000]",
        "1034567890 is of another century",
        "12:34:56:78:9a:bc is a hardware address",
        '{"loss": 1.5}',
        "9999-99-99T99:99:99+99:99",
        "0000-01-01 00:00:00",
        "2026-01-31 25:00:00 x",
    ],
)
def test_what_is_no_time_is_none(line):
    assert time_of(line, LATEST) is None


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("[14:32:00] x", (2026, 2, 1, 14, 32)),
        ("14:32:00.000 | INFO", (2026, 2, 1, 14, 32)),
        ("[17:29:59] x", (2026, 2, 1, 17, 29, 59)),
        ("[17:31:00] a minute ahead of the file", (2026, 2, 1, 17, 31)),
        ("[17:40:00] x", (2026, 1, 31, 17, 40)),
    ],
)
def test_a_time_alone_is_of_the_latest_day_that_it_can_be(line, wanted):
    assert stamp_of(line, LATEST).bare
    assert time_of(line, LATEST) == local(*wanted)


@pytest.mark.parametrize(
    ("line", "year"),
    [
        ("W1231 23:59:59.0 1 x.py:1] x", 2025),
        ("Feb  1 10:00:00 host x", 2026),
        ("I0229 10:00:00 1 x", 2024),
    ],
)
def test_a_missing_year_is_the_latest_that_it_can_be(line, year):
    assert datetime.fromtimestamp(time_of(line, LATEST)).year == year


@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda raw: raw.decode("latin-1")))
def test_no_line_is_too_odd(line):
    told = time_of(line, LATEST)
    assert told is None or told <= LATEST + 27 * 3600


@given(st.from_regex(r"\A[\[(]?\d{1,4}[-/: ]\d\d[-/: ]\d\d[T ]\d\d:\d\d:\d\d([.,]\d{1,9})?( ?Z|[+-]\d\d:?\d\d)?"))
def test_what_looks_like_a_time_does_no_harm(line):
    told = time_of(line, LATEST)
    assert told is None or told <= LATEST + 27 * 3600


def test_the_zone_of_the_tests_is_what_they_say():
    assert os.environ["TZ"] == "Asia/Kolkata" and local(1970, 1, 1, 5, 30) == 0.0
