import math
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mens_console.ingest.formats.values import number, seconds_of, step_of, visible, visible_bytes, wall_of


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.5, 1.5),
        (3, 3.0),
        (" 3.802 ", 3.802),
        ("1e-08", 1e-8),
        (".5", 0.5),
        ("inf", math.inf),
        ("-Infinity", -math.inf),
        (10**400, math.inf),
        (-(10**400), -math.inf),
        (True, None),
        (None, None),
        ("", None),
        ("1_000", None),
        ("four", None),
        ("9" * 65, None),
        ([1], None),
    ],
)
def test_number(value, expected):
    assert number(value) == expected


def test_number_nan():
    assert math.isnan(number("NaN"))
    assert math.isnan(number(math.nan))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0),
        (12.0, 12),
        ("12", 12),
        ("12.0", 12),
        (2**63 - 1, 2**63 - 1),
        (2**63, None),
        (2.0**63, None),
        (-1, None),
        (1.5, None),
        (math.nan, None),
        (math.inf, None),
        (True, None),
        ("x", None),
        (None, None),
    ],
)
def test_step(value, expected):
    assert step_of(value) == expected


@pytest.mark.parametrize("scale", [1, 1e3, 1e6, 1e9])
def test_wall_units(scale):
    assert wall_of(1795239445.5 * scale) == pytest.approx(1795239445.5, abs=1e-3)


def test_wall_text():
    assert wall_of("2026-03-19T19:40:08Z") == 1773949208.0
    assert wall_of("2026-03-19T19:40:08.5+00:00") == 1773949208.5
    assert wall_of("2026-03-19 19:40:08") == datetime(2026, 3, 19, 19, 40, 8).timestamp()
    for nonsense in (12.5, -1, 1e30, math.nan, "yesterday at noon", "12:30", None, "2026-13-45T00:00:00"):
        assert wall_of(nonsense) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0:32:48", 1968.0),
        ("4 days, 7:19:52", 4 * 86400 + 7 * 3600 + 19 * 60 + 52.0),
        ("1 day, 0:00:00", 86400.0),
        ("07:11", 431.0),
        ("12.5", 12.5),
        (9, 9.0),
        ("soon", None),
        ("1:2:3:4", None),
        (None, None),
    ],
)
def test_durations(text, seconds):
    assert seconds_of(text) == seconds


@given(st.text(max_size=400))
def test_visible_text_is_harmless(text):
    shown = visible(text)
    assert len(shown) <= 200
    assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 or ord(char) in range(0x202A, 0x202F) for char in shown)


def test_visible_keeps_what_happened():
    assert visible("\x1b[31mred\x07") == "␛[31mred␇"
    assert visible("naïve ✓") == "naïve ✓"
    assert visible_bytes(b"\xff\x00end\r\n") == "�␀end"
