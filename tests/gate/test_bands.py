"""Band expressions, and what does not fit together in a criterion's bands."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mens_console.gate.bands import BandError, faults, parse


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (">=115", (115, 1e9), (114.999, math.nan)),
        (">115", (115.001,), (115,)),
        ("<=9", (9, -1), (9.001,)),
        ("<100", (99.999,), (100, math.inf)),
        ("== 0", (0, -0.0), (1e-12, -1e-12)),
        ("=3", (3,), (2, 4)),
        ("105..115", (105, 110, 115), (104.999, 115.001)),
        (" -2.5 .. 1e1 ", (-2.5, 10), (-2.6, 10.1)),
        (">=5, <10", (5, 9.999), (10, 4.999)),
        ("<10,>=5", (5,), (10,)),
        ("≥ 99.5", (99.5,), (99.49,)),
        ("≤.5", (0.5,), (0.51,)),
    ],
)
def test_what_lies_in_a_band(text, inside, outside):
    band = parse(text)
    assert band.text == text.strip()
    assert [value for value in inside if not band.holds(value)] == []
    assert [value for value in outside if band.holds(value)] == []


@pytest.mark.parametrize(
    "text",
    [
        "", "  ", "115", ">=", ">= x", "=>115", ">=115 tokens/s", "115..105", "105...115", "105..", "..115", ">5, >7",
        ">=5 <10", ">5, <5", ">=5, <5", "==3, <4", "nan", ">nan", ">=inf", ">=1e999", "<=-1e999", "!=3", "<>3", ",",
        ">1,", "105–115", "1_000..2_000", "9" * 400,
    ],
)  # fmt: skip
def test_what_is_no_band(text):
    with pytest.raises(BandError) as told:
        parse(text)
    assert str(told.value)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_a_range_holds_what_lies_between_its_ends(low, high, value):
    if low > high:
        low, high = high, low
    band = parse(f"{low:.17g}..{high:.17g}")
    assert band.holds(value) == (low <= value <= high)
    assert parse(f">={low:.17g}").holds(value) == (value >= low)
    assert parse(f"<{high:.17g}").holds(value) == (value < high)


def found(passes, conditional=None, fails=None, **more):
    bands = [None if one is None else parse(one) for one in (passes, conditional, fails)]
    return faults(*bands, **more)


@pytest.mark.parametrize(
    ("bands", "better"),
    [
        ((">=115", "105..115", "<105"), "higher"),
        ((">=115", "105..115"), "higher"),
        ((">115", "105..115", "<105"), "higher"),
        ((">=115", ">=105, <115", "<105"), "higher"),
        ((">=115",), "higher"),
        (("<100", "100..120", ">120"), "lower"),
        (("<5", ">=5, <10", ">=10"), "lower"),
        (("<=9", "9..10", ">10"), "lower"),
    ],
)
def test_bands_that_fit(bands, better):
    assert found(*bands, better=better) == []


@pytest.mark.parametrize(
    ("bands", "better", "said"),
    [
        ((">=115", "100..110"), "higher", "gap: between conditional and pass, from 110 to 115"),
        ((">115", ">=105, <115"), "higher", "gap: 115 itself"),
        ((">=115", "105..116"), "higher", "overlap: conditional and pass both hold 115 to 116"),
        ((">=115", "105..115", "<=105"), "higher", "overlap: 105 lies in conditional and in fail"),
        ((">=115", "105..115", "<100"), "higher", "gap: between fail and conditional, from 100 to 105"),
        ((">=115", "105..115", "90..104"), "higher", "gap: between fail and conditional, from 104 to 105"),
        ((">=115", "105..115", ">=90, <105"), "higher", "gap: a value worse than 90 lies in no band"),
        (("115..130",), "higher", "gap: a value beyond 130 is better, and does not pass"),
        (("<100", "100..120", ">130"), "lower", "gap: between fail and conditional, from 130 to 120"),
        (("<1", "1..1.5", ">2"), "lower", "gap: between fail and conditional, from 2 to 1.5"),
        (("<100", "50..120"), "lower", "overlap"),
        (("<100",), "higher", "pass holds however bad"),
        ((">=5", "1..2"), "lower", "pass holds however bad"),
        ((">=115", "<115"), "higher", "conditional holds however bad the value is"),
        (("1..2", "3..4"), "higher", "conditional lies on the better side of pass"),
    ],
)
def test_bands_that_do_not(bands, better, said):
    assert any(said in one for one in found(*bands, better=better)), found(*bands, better=better)


def test_limits_of_a_metric_are_no_gaps():
    assert found("99..100", better="higher", limits=(0, 100)) == []
    assert found("99..99.9", better="higher", limits=(0, 100)) != []
    assert found("0..1", "1..3", "3..100", better="lower", limits=(0, 100)) == [
        "overlap: 3 lies in conditional and in fail"
    ]
    assert found(">=50", "0..50", better="higher", limits=(0, 100)) == [
        "conditional holds however bad the value is: nothing fails"
    ]
    assert found(">=50", "0..50", better="higher", limits=(0, 100), part=True) == []


def test_whole_numbers_have_nothing_between_them():
    assert found("<=1", "2..3", ">=4", better="lower", limits=(0, math.inf), whole=True) == []
    assert found("<=1", "2..3", ">3", better="lower", limits=(0, math.inf), whole=True) == []
    assert found("<=1", "3..4", better="lower", limits=(0, math.inf), whole=True) != []
    assert found("<=1", "2..3", better="lower", limits=(0, math.inf)) != []
    assert found("<2", ">3", better="lower", limits=(0, math.inf), whole=True) != []


EDGES = st.sampled_from([0.0, 1.0, 2.0, 3.0, 4.0])


@given(EDGES, EDGES, EDGES, st.booleans(), st.booleans(), st.booleans())
def test_no_gap_is_told_exactly_where_every_value_lies_in_a_band(first, low, high, closed, open_low, open_high):
    """The linter's word against a look at every half: higher is better, and what passes is asked first."""
    passes = f">={first}" if closed else f">{first}"
    if low > high or (low == high and (open_low or open_high)):
        return
    between = f"{'>' if open_low else '>='}{low}, {'<' if open_high else '<='}{high}"
    fails = f"<={low}" if open_low else f"<{low}"
    bands = [parse(passes), parse(between), parse(fails)]
    holes = [value / 4 for value in range(-8, 40) if not any(band.holds(value / 4) for band in bands)]
    told = found(passes, between, fails)
    if not any("better side" in one for one in told):
        assert bool(holes) == any("gap" in one for one in told)
