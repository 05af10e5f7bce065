"""Scripts of the fake server: what they may say, and what is said of those that are wrong."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mens_console.load.fake import Entry, KnobError, Knobs, Script, ScriptError, knobs_of, parse_script, read_script
from mens_console.load.fake.script import WHATS, with_slow_start

GOOD = b"""
[knobs]
ttft_ms = 40
errors = {500 = 0.25, 429 = 0.5}

[[at]]
from = "1.5m"
to = 100
what = "errors"
status = 418
rate = 0.5

[[at]]
from = 2
to = "2500ms"
what = "stall"
health = true
"""


def test_a_script_is_read_in_the_order_of_time():
    knobs, script = parse_script(GOOD)
    assert (knobs.ttft_ms, knobs.errors, knobs.gap_ms) == (40.0, {500: 0.25, 429: 0.5}, Knobs().gap_ms)
    assert script.entries == (
        Entry(2.0, 2.5, "stall", health=True), Entry(90.0, 100.0, "errors", rate=0.5, status=418)
    )  # fmt: skip


def test_everything_that_can_be_wrong_can_be_ordered():
    for what, keys in WHATS.items():
        values = {"health": "true", "rate": "0.5", "status": "500", "factor": "2", "bytes": "9", "kv": "0.1"}
        rows = "".join(f"{key} = {values[key]}\n" for key in keys)
        _, script = parse_script(f'[[at]]\nfrom = 0\nto = 1\nwhat = "{what}"\n{rows}'.encode())
        assert script.now(0.5, what) == [*script.entries]


@pytest.mark.parametrize(
    ("raw", "line", "words"),
    [
        (b"[knobs", 1, "not TOML"),
        (b"x = 1", 1, "x is unknown; a script has"),
        (b"knobs = 1", 1, "write [knobs] once"),
        (b"at = [1]", 1, "an entry is a table"),
        (b"[knobs]\nttft = 1", 2, "there is no knob ttft; there are: model, ttft_ms"),
        (b"[knobs]\nttft_ms = -1", 2, "that is not negative"),
        (b"[knobs]\nttft_ms = nan", 2, "that is not negative"),
        (b'[knobs]\nttft_ms = "1"', 2, "give a number"),
        (b"[knobs]\nconcurrency = 1.5", 2, "give a whole number"),
        (b"[knobs]\nconcurrency = true", 2, "give a whole number"),
        (b"[knobs]\ncut = 1.5", 2, "between 0 and 1"),
        (b"[knobs]\ncut = 0.6\nempty = 0.6", None, "add up to 1.2"),
        (b"[knobs]\nerrors = {500 = 2}", 2, "a share to 1"),
        (b"[knobs]\nerrors = {200 = 0.1}", 2, "a status from 300"),
        (b"[knobs]\nerrors = 3", 2, "shares by status"),
        (b'[knobs]\nmetrics = "mine"', 2, "vllm or vllm-old or sglang or none"),
        (b"[knobs]\nusage = 1", 2, "true or false"),
        (b"[knobs]\ntokens_per_chunk = 0", 2, "1 or more"),
        (b"[[at]]\nfrom = 1\nto = 2", 1, "what is None; give one of down"),
        (b'[[at]]\nfrom = 1\nto = 2\nwhat = "boom"', 4, "what is 'boom'"),
        (b'[[at]]\nfrom = 2\nto = 2\nwhat = "down"', 3, "not after its beginning"),
        (b'[[at]]\nto = 2\nwhat = "down"', 1, "from is None; give seconds"),
        (b'[[at]]\nfrom = "1 hour"\nto = 2\nwhat = "down"', 2, "give seconds since the start"),
        (b'[[at]]\nfrom = 1\nto = 2\nwhat = "down"\nrate = 0.5', 5, "down has no rate"),
        (b'[[at]]\nfrom = 1\nto = 2\nwhat = "cut"\nrate = 2', 5, "give 0 to 1"),
        (b'[[at]]\nfrom = 1\nto = 2\nwhat = "stall"\nhealth = 1', 5, "give true or false"),
        (b'[[at]]\nfrom=1\nto=2\nwhat="down"\n[[at]]\nfrom = 1\nto = 0\nwhat = "down"', 7, "it ends at 0 s"),
    ],
)
def test_what_is_wrong_names_the_line_and_the_cure(raw, line, words):
    with pytest.raises(ScriptError) as caught:
        parse_script(raw, "s.toml")
    assert str(caught.value).startswith("s.toml")
    assert words in str(caught.value)
    assert line is None or str(caught.value).startswith(f"s.toml:{line}: ")


def test_a_file_that_is_none(tmp_path):
    with pytest.raises(ScriptError, match="no such file; name a script"):
        read_script(tmp_path / "none")
    with pytest.raises(ScriptError):
        read_script(tmp_path)


def test_a_knob_that_is_unknown_names_itself():
    with pytest.raises(KnobError) as caught:
        knobs_of({"colour": 1})
    assert caught.value.key == "colour"


spans = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10)), max_size=8)


@given(spans)
def test_times_that_it_is_down_are_apart_and_the_same_as_entry_by_entry(rows):
    script = Script(tuple(Entry(float(begin), float(begin + length), "down") for begin, length in rows))
    downs = script.downs()
    assert all(one[1] < other[0] for one, other in pairwise(downs))
    for second in range(45):
        at = second + 0.5
        assert any(begin <= at < end for begin, end in downs) == bool(script.now(at, "down"))


@given(spans)
def test_until_is_the_first_second_at_which_nothing_stands_still(rows):
    script = Script(tuple(Entry(float(begin), float(begin + length), "stall") for begin, length in rows))
    for second in range(45):
        end = script.until(float(second), "stall")
        assert not script.now(end, "stall")
        assert all(script.now(float(one), "stall") for one in range(second, int(end)))


def test_a_slow_start_comes_first():
    script = Script((Entry(50.0, 60.0, "down"),))
    assert with_slow_start(script, Knobs()) is script
    assert with_slow_start(script, Knobs(slow_start_s=5)).downs() == [(0.0, 5.0), (50.0, 60.0)]
    unavailable = with_slow_start(script, Knobs(slow_start_s=5, slow_start="503"))
    assert [one.what for one in unavailable.now(1.0, "unavailable")] == ["unavailable"]
