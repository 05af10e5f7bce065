import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.style import Style

from mens_widgets import ticks
from mens_widgets.ansi import LONGEST, last_state, marked, matches, parse, plain
from mens_widgets.bar import bar
from mens_widgets.sparkline import spark
from mens_widgets.text import clean, fit, shorten

FLOATS = st.floats(allow_nan=True, allow_infinity=True)


@given(st.text())
def test_clean_text_holds_no_control(text):
    assert clean(text).isprintable()
    assert clean(clean(text)) == clean(text)
    if text.isprintable():
        assert clean(text) == text


def test_controls_become_visible():
    assert clean("a\x1b[31m\x07\x7f\u202eb\u00a0c") == "a␛[31m␇␡·b c"


@given(
    st.text(alphabet=st.one_of(st.characters(max_codepoint=0x2FF), st.sampled_from("日本語e\u0301👍"))),
    st.integers(0, 30),
    st.sampled_from(["left", "right"]),
    st.sampled_from(["end", "middle"]),
)
def test_fit_is_exact(text, width, align, cut):
    assert cell_len(fit(text, width, align, cut)) == width
    assert cell_len(shorten(text, width, cut)) <= width


def test_names_that_begin_alike_stay_apart():
    assert fit("llama-lora-r8-lr1e-3", 9, cut="middle") == "llam…1e-3"
    assert fit("short", 7, cut="middle") == "short  "
    assert shorten("short", 7) == "short"
    assert shorten("日本語日本語", 8) == "日 …本語"


def test_fit_cuts_and_aligns():
    assert fit("abcdef", 4) == "abc…"
    assert fit("7", 3, "right") == "  7"
    assert cell_len(fit("日本語", 4)) == 4


@given(st.lists(st.one_of(st.none(), FLOATS), max_size=60), st.integers(0, 20))
def test_spark_is_exactly_as_wide_and_never_hides_a_bad_value(values, width):
    line = spark(values, width)
    assert len(line) == width
    if width and any(v is not None and not math.isfinite(v) for v in values):
        assert "✖" in line


def test_spark_shows_shape_gaps_and_flat():
    assert spark([0, 1, 2, 3, 4, 5, 6, 7], 8) == "▁▂▃▄▅▆▇█"
    assert spark([1, None, 2], 5) == "  ▁ █"
    assert spark([3, 3, 3], 3) == "▄▄▄"
    assert spark(list(range(80)), 8) == "▁▂▃▄▅▆▇█"
    assert spark([], 3) == "   "
    assert spark([-1.7e308, 1.7e308], 2) == "▁█"


@given(st.floats(0, 1), st.integers(1, 30))
def test_bar_is_full_only_when_done(fraction, width):
    drawn = bar(fraction, width)
    assert len(drawn) == width
    assert (drawn == "█" * width) == (fraction >= 1)


def test_bar_edges():
    assert bar(0.5, 4) == "██░░"
    assert bar(0.54, 4) == "██▏░"
    assert bar(1.2, 4) == "███+"
    assert bar(None, 3) == bar(math.nan, 3) == "···"
    assert bar(-1, 2) == "░░"
    assert bar(1, 0) == ""


@given(st.floats(-1e12, 1e12), st.floats(1e-6, 1e12), st.integers(1, 12))
@example(879609302220.9001, 0.25, 1)
@example(17179869184.0, 1e-6, 1)
def test_ticks_lie_inside_and_ascend(low, span, count):
    high = low + span
    places = ticks.linear_ticks(low, high, count)
    step = ticks.nice_step(high - low, count) if high > low else 1
    room = max(step * 1e-6, 4 * math.ulp(low), 4 * math.ulp(high))  # so far from 0 no float is closer to a round value
    assert all(low - room <= p <= high + room for p in places)
    assert places == sorted(places)
    assert len(places) <= 4 * count + 5
    assert len(places) >= 2 or span < 1e-9 * abs(low)


def test_tick_labels_tell_neighbours_apart():
    assert ticks.format_ticks([0, 0.5, 1.0]) == ["0.0", "0.5", "1.0"]
    assert ticks.format_ticks([0, 10000, 20000]) == ["0", "10k", "20k"]
    assert ticks.format_ticks([0.0, 5e-6, 1e-5, 1.5e-5]) == ["0", "5e-6", "1e-5", "1.5e-5"]
    assert ticks.format_ticks([0.0]) == ["0"]
    assert ticks.linear_ticks(1e18, 1e18 + 256, 4)


def test_log_ticks():
    assert ticks.log_ticks(-5, 0, 8) == [-5, -4, -3, -2, -1, 0]
    assert ticks.log_ticks(-5, 0, 3) == [-5, -3, -1]
    inside = ticks.log_ticks(0.1, 0.8, 4)
    assert [round(10**e) for e in inside] == [2, 5]
    assert ticks.log_ticks(0.31, 0.35, 2) == [0.31, 0.35]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1.23456, "1.235"), (12345, "12.35k"), (2.5e-5, "2.5e-5"), (1e-7, "1e-7"), (-3e9, "-3G"), (1e20, "1e20"),
     (math.nan, "NaN"), (math.inf, "∞"), (-math.inf, "-∞")],
)  # fmt: skip
def test_values(value, text):
    assert ticks.format_value(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.5, "0.5s"), (45, "45s"), (60, "1m"), (750, "12m30s"), (11100, "3h05m"), (3600, "1h"),
     (180000, "2d02h"),
     (-90, "-1m30s"), (math.inf, "—")],
)  # fmt: skip
def test_durations(seconds, text):
    assert ticks.format_duration(seconds) == text


def test_times():
    from datetime import UTC, timedelta, timezone

    assert ticks.time_ticks(0, 600, 5) == [0, 120, 240, 360, 480, 600]
    assert ticks.time_ticks(0, 1, 2) == [0, 0.5, 1]
    assert ticks.time_ticks(0, 10 * 86400, 4) == [0, 3 * 86400, 6 * 86400, 9 * 86400]
    east = timezone(timedelta(hours=5, minutes=30))
    assert ticks.zone_offset(0, east) == 19800
    assert ticks.format_clock(0, 60, UTC) == "00:00:00"
    assert ticks.format_clock(0, 7200, east) == "05:30"
    assert ticks.format_clock(0, 1e6, UTC) == "01-01 00:00"
    assert ticks.format_clock(1e20, 1, UTC) == "1e20"
    assert ticks.zone_offset(1e20, UTC) == 0


@given(st.text(alphabet=st.sampled_from("\x1b[]0123456789;:mKHJ\x07\\\r\n\tab\x9b\x9d\x9cP ")))
def test_no_control_survives_parsing(raw):
    text = plain(raw)
    assert text.isprintable()
    assert len(text) <= LONGEST


def test_colours_are_kept_and_everything_else_goes():
    spans, cut = parse("\x1b[1;31mred\x1b[0m \x1b]0;title\x07\x1b[2Jplain\x1b]8;;http://x\x1b\\link")
    assert [text for text, _ in spans] == ["red", " ", "plain", "link"]
    assert spans[0][1].bold and spans[0][1].color.number == 1
    assert spans[2][1] == Style.null()
    assert cut == 0
    (one,), _ = parse("\x1b[38;5;200;48;2;1;2;3mx")
    assert one[1].color.number == 200
    assert one[1].bgcolor.triplet == (1, 2, 3)
    (bright,), _ = parse("\x1b[92;104mx")
    assert (bright[1].color.number, bright[1].bgcolor.number) == (10, 12)


def test_hiding_blinking_and_broken_colours_are_refused():
    (span,), _ = parse("\x1b[8;5;38;5;999mx")
    assert span == ("x", Style.null())
    (span,), _ = parse("\x1b[38;9;1mx")
    assert span[1].bold
    (span,), _ = parse("\x1b[31;39mx")
    assert span[1].color.is_default


def test_progress_bars_collapse_and_tabs_expand():
    assert last_state("0%\r50%\r100%\r\n") == "100%"
    assert plain("a\tb") == "a       b"
    assert plain("\x1b[31mab\x1b[0m\tc") == "ab      c"


def test_long_lines_are_counted_not_kept():
    (span,), cut = parse("x" * (LONGEST + 123_456))
    assert len(span[0]) == LONGEST
    assert cut == 123_456


def test_search_is_literal_and_minds_capitals_only_when_given():
    assert matches("a.b A.B", "a.b") == [(0, 3), (4, 7)]
    assert matches("a.b A.B", "A.B") == [(4, 7)]
    assert matches("axb", "a.b") == []
    assert matches("abc", "") == []
    bold = Style(bold=True)
    spans = marked((("hel", Style.null()), ("lo", Style(italic=True))), [(2, 4)], bold)
    assert [text for text, _ in spans] == ["he", "l", "l", "o"]
    assert [bool(style.bold) for _, style in spans] == [False, True, True, False]
