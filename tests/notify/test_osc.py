from hypothesis import given
from hypothesis import strategies as st

from mens_console.notify.osc import MOST, osc9


def test_the_sequence_and_its_passthrough():
    assert osc9("✖ llama: loss is NaN", False) == "\x1b]9;✖ llama: loss is NaN\x07"
    assert osc9("llama", True) == "\x1bPtmux;\x1b\x1b]9;llama\x07\x1b\\"


def test_no_text_is_an_order():
    assert osc9("4;3;50", False) == "\x1b]9;· 4;3;50\x07"
    assert osc9("9", False) == "\x1b]9;· 9\x07"
    assert osc9("4 losses", False) == "\x1b]9;4 losses\x07"
    assert osc9("a\nb\tc\x1b]0;x\x07\x9cd\u202e\x00", False) == "\x1b]9;a b c]0;xd\x07"


@given(st.text(), st.booleans())
def test_nothing_in_the_text_ends_the_sequence(text, tmux):
    sequence = osc9(text, tmux)
    inner = sequence.removeprefix("\x1bPtmux;\x1b").removesuffix("\x1b\\") if tmux else sequence
    payload = inner.removeprefix("\x1b]9;").removesuffix("\x07")
    assert payload.isprintable()
    assert len(payload) <= MOST + 2
    assert sequence.count("\x07") == 1
