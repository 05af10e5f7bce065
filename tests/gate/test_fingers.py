"""Keys by hand and keys by machine, on a clock of our own."""

import io

import pytest

from mens_console.cli.errors import CommandError
from mens_console.cli.gate_phrase import _Line
from mens_console.gate.fingers import BURST_KEYS, BURST_S, EARLY, FAST, PAUSE_S, REACTION_S, Fingers


def typed(*chunks):
    """Return the line that comes of (moment, bytes), and what was shown."""
    left, now, shown = list(chunks), [0.0], io.StringIO()

    def keys():
        if not left:
            return b""
        now[0], data = left.pop(0)
        return data

    return _Line("> ", shown, lambda: now[0]).read(keys), shown.getvalue()


def by_hand(text, begin=1.0, gap=0.1):
    return [(begin + place * gap, bytes([one])) for place, one in enumerate(text.encode())]


def test_a_line_typed_by_hand_is_taken_and_echoed():
    assert typed(*by_hand("GO 1 ab\r")) == ("GO 1 ab", "GO 1 ab\n")


@pytest.mark.parametrize("gap", [BURST_S, 0.0333])
def test_a_fast_typist_and_a_key_that_repeats_are_fingers(gap):
    assert typed(*by_hand("GO 1.2.0 abcdef\n", gap=gap))[0] == "GO 1.2.0 abcdef"


def test_what_comes_at_once_is_thrown_away_with_its_enter_and_more_of_it_waits_longer():
    burst = (1.0, b"GO 1 abcdef\n")
    again = [(1.0 + PAUSE_S - 0.1, b"x"), (1.0 + 2 * PAUSE_S - 0.2, b"y")]
    line, shown = typed(burst, *again, *by_hand("ab\n", begin=1.0 + 3 * PAUSE_S))
    assert line == "ab"
    assert FAST in shown


def test_keys_of_before_the_question_could_be_read_are_told_once_and_do_not_count():
    line, shown = typed((REACTION_S / 3, b"G"), (REACTION_S / 2, b"O\n"), *by_hand("x\n"))
    assert line == "x"
    assert shown.count(EARLY) == 1


def test_erasing_sequences_and_letters_of_several_bytes():
    e = "é".encode()
    chunks = [(1.0, b"a"), (1.2, e[:1]), (1.4, e[1:]), (1.6, b"\x7f"), (1.8, b"\x1b[A"), (2.0, b"b"), (2.2, b"\x04")]
    assert typed(*chunks, (2.4, b"\n"))[0] == "ab"
    assert typed(*by_hand("abc\x15d\n"))[0] == "d"


@pytest.mark.parametrize("end", [b"", b"\x04"])
def test_the_end_of_the_terminal_is_an_empty_line(end):
    assert typed((1.0, end))[0] == ""


def test_a_marked_paste_is_refused():
    with pytest.raises(CommandError, match="pasted text is no word of yours"):
        typed((1.0, b"\x1b[200~GO 1 abc\x1b[201~\n"))


def test_nothing_counts_before_the_beginning_or_after_the_end():
    fingers = Fingers()
    assert not fingers.counts(1e9)
    fingers.begin(0.0)
    assert fingers.counts(REACTION_S)
    assert [fingers.too_fast(1.0) for _ in range(BURST_KEYS)] == [False] * (BURST_KEYS - 1) + [True]
    fingers.close()
    assert not fingers.counts(1e9)
