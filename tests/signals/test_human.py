"""Numbers as people read them, and foreign text that cannot reach the terminal's controls."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mens_console.signals import human


@pytest.mark.parametrize(
    ("seconds", "cell", "sentence"),
    [
        (0.0, "0s", "0 s"),
        (0.42, "0.4s", "0.4 s"),
        (-0.01, "0s", "0 s"),
        (2, "2s", "2 s"),
        (59.6, "1m", "1 m"),
        (61, "1m1s", "1 m 1 s"),
        (660, "11m", "11 m"),
        (4320, "1h12m", "1 h 12 m"),
        (3600, "1h", "1 h"),
        (3660, "1h01m", "1 h 01 m"),
        (86400 * 3 + 4 * 3600, "3d4h", "3 d 4 h"),
        (86400 * 2, "2d", "2 d"),
        (-90, "-1m30s", "-1 m 30 s"),
        (math.nan, "—", "—"),
        (None, "—", "—"),
    ],
)
def test_durations(seconds, cell, sentence):
    assert human.duration(seconds) == cell
    assert human.span(seconds) == sentence


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (7, "7"), (0.5, "0.5"), (980, "980"), (999.7, "1.00k"), (2310, "2.31k"), (12_000, "12.0k"),
        (123_456, "123k"), (999_999, "1.00M"), (1.05e9, "1.05G"), (-2310, "-2.31k"), (None, "—"), (math.nan, "NaN"),
    ],
)  # fmt: skip
def test_counts(value, text):
    assert human.count(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.2041, "1.204"), (0.0, "0"), (3e-5, "3e-05"), (1.25e-7, "1.25e-07"), (123456.0, "123456"), (2e9, "2e+09"),
        (math.nan, "NaN"), (math.inf, "∞"), (-math.inf, "-∞"), (None, "—"),
    ],
)  # fmt: skip
def test_numbers(value, text):
    assert human.number(value) == text


def test_the_rest():
    assert human.rate(2310.0) == "2.31k/s"
    assert human.rate(None) == "—"
    assert human.size(1.05e9) == "1.05 GB"
    assert human.size(512) == "512 B"
    assert human.size(math.nan) == "—"
    assert human.percent(0.675) == "67.5 %"
    assert human.percent(None) == "—"
    assert human.step(8120) == "8 120"
    assert human.step(None) == "—"


def test_foreign_text_is_shown_and_not_obeyed():
    assert human.plain("a\x1b[31mred\x07\x7f\u202eb\n\tc") == "a␛[31mred␇␡�b  c"
    assert human.plain("[bold]kept[/bold]") == "[bold]kept[/bold]"
    assert human.plain("x" * 300, 10) == "x" * 9 + "…"


@given(st.text(), st.integers(1, 50))
def test_plain_is_printable_and_bounded(text, limit):
    shown = human.plain(text, limit)
    assert shown.isprintable()
    assert len(shown) <= limit
    assert human.plain(shown, limit) == shown


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_every_float_has_short_texts(value):
    for text in (human.number(value), human.percent(value), human.duration(value)):
        assert text
        assert text.isprintable()


def test_a_threshold_has_its_unit_and_shares_are_told_in_percent():
    assert human.against(12.1, 3.0, "nats") == "value 12.1, threshold 3 nats"
    assert human.against(0.9949, 0.995, "share") == "value 99.49 %, threshold 99.5 %"
    assert human.against(float("nan"), 1.0, "") == "value NaN, threshold 1"
