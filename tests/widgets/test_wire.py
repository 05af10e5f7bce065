"""The narrowed stream makes a terminal show what the whole stream would, with fewer bytes."""

import fcntl
import itertools
import os
import pty
import struct
import termios

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mens_widgets.driver import NarrowDriver
from mens_widgets.pens import PLAIN, applied, blank_of, switch
from mens_widgets.wire import Wire

COLUMNS, ROWS = 24, 6
RED = "\x1b[1;38;2;200;0;0;48;2;0;0;40m"

inks = st.sampled_from([
    "\x1b[0m", "\x1b[m", RED, "\x1b[38;2;200;0;0;48;2;0;0;40m", "\x1b[38;5;9;48;2;0;0;40m", "\x1b[4;7;31m", "\x1b[7m",
    "\x1b[92;104m", "\x1b[39;49m", "\x1b[3;9;1m",
])  # fmt: skip
modes = st.sampled_from(["\x1b[?25l", "\x1b[?25h", "\x07"])


@st.composite
def spans(draw):
    """Draw a move and texts that stay on their row, as a compositor writes them."""
    row, column = draw(st.integers(1, ROWS)), draw(st.integers(1, COLUMNS - 16))
    texts = "".join(f"{draw(inks)}{draw(st.text('ab ⡀│字', max_size=4))}\x1b[0m" for _ in range(2))
    return f"\x1b[{row};{column}H{texts}" + draw(st.sampled_from(["", "\r\n" * (row < ROWS)]))


pieces = st.one_of(
    inks, modes, st.text("ab ⡀│字🙂e\u0301", max_size=9),
    st.builds("\x1b[{};{}H".format, st.integers(0, ROWS + 1), st.integers(0, COLUMNS + 1)),
    st.sampled_from(["\n", "\r\n", "\r", "\t", "\b", "\x1b[2J", "\x1b[K", "\x1b[3C", "\x1b[2A", "\x1b[?1049h"]),
    st.just("\x1b[0m"),
    st.sampled_from([f"\x1b[1;1H{RED}{'ab ' * 8}\x1b[0m", f"\x1b[2;20H{RED}abcde\x1b[0m"]),
)  # fmt: skip
"""Anything a program may write: texts over the edge, line feeds, moves out of the screen, what a wire does not know."""

frames = st.lists(st.one_of(spans(), spans(), spans(), modes, st.sampled_from(["\x1b[2J"])), max_size=6).map("".join)


def shown(screen):
    """Return what is seen: characters, backgrounds, and where there is ink its colour and attributes."""
    out = []
    for y in range(ROWS):
        for x in range(COLUMNS):
            cell = screen.buffer[y][x]
            decorated = cell.underscore or cell.reverse or cell.strikethrough
            out.append(cell if cell.data.strip() or decorated else (" ", cell.bg))
    return out


class Pair:
    """Two terminals: one gets everything, the other what is left of it."""

    def __init__(self):
        self.wire = Wire()
        self.screens = [pyte.Screen(COLUMNS, ROWS) for _ in range(2)]
        self.streams = [pyte.Stream(screen) for screen in self.screens]
        self.sent = ""

    def write(self, data):
        self.sent = self.wire.narrow(data, COLUMNS, ROWS)
        self.streams[0].feed(data)
        self.streams[1].feed(self.sent)
        assert shown(self.screens[0]) == shown(self.screens[1]), (data, self.sent)
        return self.sent


@given(st.lists(frames, min_size=1, max_size=6))
def test_nothing_is_lost(writes):
    pair = Pair()
    for data in writes:
        pair.write(data)


@given(st.lists(pieces, max_size=40).map("".join), st.lists(st.integers(0, 400), max_size=8))
def test_nothing_is_lost_of_anything_that_is_written_in_any_portions(data, cuts):
    pair = Pair()
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for start, end in itertools.pairwise(edges):
        pair.write(data[start:end])


@given(spans())
def test_what_is_shown_already_is_not_sent_again(data):
    pair = Pair()
    pair.write(data)
    assert "字" in data or not pair.write(data)


@given(st.lists(inks, max_size=3), st.lists(inks, max_size=3))
def test_a_switch_arrives_at_the_rendition(before, after):
    def ink(codes):
        at = PLAIN
        for code in codes:
            at = applied(at, code[2:-1])
        return at

    for old in (ink(before), None):
        screen = pyte.Screen(4, 1)
        stream = pyte.Stream(screen)
        stream.feed("".join(before) + switch(old, ink(after)) + "x")
        want = pyte.Screen(4, 1)
        pyte.Stream(want).feed("\x1b[0m" + "".join(after) + "x")
        # From the default rendition, sequences add up to the one that was asked for.
        assert screen.buffer[0][0] == want.buffer[0][0]


def test_one_digit_costs_one_digit():
    pair = Pair()
    pair.write(f"\x1b[2;3H{RED}loss 1.234\x1b[0m")
    assert pair.write(f"\x1b[2;3H{RED}loss 1.235\x1b[0m") == "\x1b[2;12H5"
    assert pair.write(f"\x1b[2;3H{RED}LOSs 1.235\x1b[0m") == "\x1b[2;3HLOS"


def test_short_gaps_are_sent_again_and_long_ones_jumped():
    pair = Pair()
    pair.write(f"\x1b[1;1H{RED}aaaaaaaaaaaaaaaa\x1b[0m")
    assert pair.write(f"\x1b[1;1H{RED}baabaaaaaaaaaaba\x1b[0m") == "\x1b[1;1Hbaab\x1b[10Cb"


def test_blanks_need_their_background_only():
    assert blank_of(applied(PLAIN, "1;31;44")) == applied(PLAIN, "44")
    assert blank_of(applied(PLAIN, "4;31;44")) == applied(PLAIN, "4;31;44")
    pair = Pair()
    pair.write("\x1b[1;1H\x1b[31;44ma b\x1b[0m")
    assert pair.write("\x1b[1;1H\x1b[31;44ma \x1b[0m\x1b[32;44m \x1b[0m") == "\x1b[1;3H "


def test_a_cursor_that_is_left_somewhere_stays_there():
    pair = Pair()
    pair.write("\x1b[1;1Hab\x1b[4;5H")
    pair.write("\x1b[2;1Hcd\x1b[4;5H")
    assert (pair.screens[1].cursor.y, pair.screens[1].cursor.x) == (3, 4)


@pytest.mark.parametrize(
    "odd", ["\x1b[2J", "\x1b[?1049h", "\x1b]0;title\x07", "\x1b[38;9mx", "\x1b[58mx", "nowhere", "\n\n\n\n\n\n"]
)
def test_what_is_not_understood_goes_through_and_is_followed_by_forgetting(odd):
    wire = Wire()
    line = f"\x1b[1;1H{RED}abc\x1b[0m"
    wire.narrow(line, COLUMNS, ROWS)
    assert wire.narrow("\n" + odd, COLUMNS, ROWS).endswith(odd)
    assert "abc" in wire.narrow(line, COLUMNS, ROWS)


def test_another_size_is_another_screen():
    wire = Wire()
    line = "\x1b[1;1Habc\x1b[0m"
    assert "abc" in wire.narrow(line, COLUMNS, ROWS)
    assert wire.narrow(line, COLUMNS, ROWS) == ""
    assert "abc" in wire.narrow(line, COLUMNS + 1, ROWS)
    assert "abc" in wire.narrow("\x1b[9;1Habc", COLUMNS + 1, ROWS)  # outside: as it came


def test_the_driver_writes_what_is_left(monkeypatch):
    written = []
    monkeypatch.setattr("textual.drivers.linux_driver.LinuxDriver.write", lambda _, data: written.append(data))
    driver = NarrowDriver.__new__(NarrowDriver)
    driver._wire = Wire()
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr("sys.__stderr__", terminal)
        driver.write("\x1b[1;1Habc")
        driver.write("\x1b[1;1Habc")
        assert written == ["\x1b[1;1H\x1b[0mabc"]
    os.close(ours)
    with open(os.devnull, "w") as nowhere:
        monkeypatch.setattr("sys.__stderr__", nowhere)
        driver.write("\x1b[1;1Habc")
    assert written[-1] == "\x1b[1;1Habc"


def test_what_would_wrap_wraps():
    pair = Pair()
    line = f"\x1b[1;1H{RED}{'ab' * (COLUMNS // 2)}"
    pair.write(f"{line}\x1b[0m")
    pair.write(f"\x1b[3;3Hx{line}\x1b[0mcd")
    assert pair.screens[1].display[1].startswith("cd")


def test_a_mark_at_the_left_edge_may_change_the_line_above():
    pair = Pair()
    line = f"\x1b[1;1H{'a' * COLUMNS}\x1b[0m"
    for data in (line, "\x1b[2;1H\u0301b\x1b[0m", line):
        pair.write(data)


def test_what_follows_a_character_of_doubtful_width_stands_where_the_terminal_thinks():
    pair = Pair()
    pair.write(f"\x1b[1;3H{RED}a\U0001f469\u200d\U0001f52c\x1b[0mdef")  # a woman with a microscope: 2 cells, or 4
    pair.write("\x1b[1;6Hdef")
    pair.write("\x1b[2;3H\U0001f469\u200d\U0001f52c\x1b[2;10Hx")
    pair.write("\x1b[3;3H\U00018e00\x1b[0mdef\x1b[3;9Hx\x1b[3;4Hdef")
