"""The phrase that a GO asks for, typed by a person at a terminal, key by key.

What was typed before it was asked for is thrown away; what is pasted, or comes faster than fingers, does not count.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import sys
import time
from typing import TYPE_CHECKING, Final, TextIO
from unicodedata import east_asian_width

from mens_console.cli.errors import CommandError
from mens_console.gate.fingers import EARLY, FAST, Fingers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MOST: Final = 4096
_LONGEST: Final = 200
_PASTE_ON, _PASTE_OFF = "\x1b[?2004h", "\x1b[?2004l"
_PASTED: Final = "\x1b[200~"
_SEQUENCE: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|.)?")
"""What a key without a character of its own sends: arrows, Home, Alt and a letter."""
_ENTER, _ERASE, _KILL, _END = "\r\n", "\x7f\b", "\x15", "\x04"


def typed(question: str) -> str:
    """Ask on the terminal and return the line that was typed, "" at its end. Raises `CommandError` without a terminal.

    The terminal is told to mark what is pasted (bracketed paste); a line with such a mark is refused. One that comes
    without marks is known by its pace, is thrown away, and the question stays.
    """
    source, sink = sys.stdin, sys.stderr
    if not (source.isatty() and sink.isatty()):
        raise CommandError(
            "a GO is typed by a person: run it at a terminal (ssh -t), or sign where the key is (--export-pae FILE "
            "there, --import FILE.sig here)"
        )
    fd = source.fileno()
    with _key_by_key(fd):
        line = _Line(question.rpartition("\n")[2], sink)
        sink.write(f"{_PASTE_ON}{question}")
        sink.flush()
        try:
            return line.read(lambda: os.read(fd, _MOST))
        except OSError:
            return ""  # the terminal went away
        except KeyboardInterrupt:
            sink.write("\n")
            raise
        finally:
            with contextlib.suppress(OSError):
                sink.write(_PASTE_OFF)
                sink.flush()


@contextlib.contextmanager
def _key_by_key(fd: int) -> Iterator[None]:
    """Let the terminal hand over each key as it comes, and echo nothing; what waits there already is thrown away."""
    import termios
    import tty

    before = termios.tcgetattr(fd)
    try:
        tty.setcbreak(fd, termios.TCSAFLUSH)
        yield
    finally:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(fd, termios.TCSADRAIN, before)


class _Line:
    """The line as it is typed. `prompt` stands before it, and is shown as soon as this is made."""

    def __init__(self, prompt: str, sink: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._prompt, self._sink, self._clock = prompt, sink, clock
        self._text = ""
        self._told = False
        """Whether it was said that keys came too early."""
        self._fingers = Fingers()
        self._fingers.begin(clock())
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def read(self, keys: Callable[[], bytes]) -> str:
        """Return the line once Enter is pressed; "" where the terminal ends, or ^D is typed on an empty line."""
        while data := keys():
            text, at = self._decode(data), self._clock()
            if _PASTED in text:
                self._show("\n")
                raise CommandError("pasted text is no word of yours: type the phrase; nothing was signed")
            for key in _SEQUENCE.sub("", text):
                if not self._fingers.counts(at):
                    self._early()
                elif self._ends(key, at):
                    self._show("\n")
                    return self._text
        return ""

    def _early(self) -> None:
        if not (self._told or self._fingers.bursting):
            self._told = True
            self._show(f"\n    {EARLY}\n{self._prompt}")

    def _ends(self, key: str, at: float) -> bool:
        """Take one key, and say whether it ends the line."""
        if key in _ENTER:
            return True
        if key == _END:
            return not self._text
        if key in _ERASE or key == _KILL:
            kept = self._text[:-1] if key in _ERASE else ""
            self._show("\b \b" * sum(2 if east_asian_width(one) in "WF" else 1 for one in self._text[len(kept) :]))
            self._text = kept
        elif self._fingers.too_fast(at):
            self._text = ""
            self._show(f"\n    {FAST}\n{self._prompt}")
        elif key.isprintable() and len(self._text) < _LONGEST:
            self._text += key
            self._show(key)
        return False

    def _show(self, text: str) -> None:
        self._sink.write(text)
        self._sink.flush()
