"""A line that a person types, key by key: what is pasted, typed ahead or comes faster than fingers does not count.

What the phrase is, and what it does, is known elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual import events
from textual.message import Message

from mens_console.gate.fingers import EARLY, FAST, Fingers
from mens_console.screens.sheet import Line, Sheet, prose
from mens_widgets.text import clean, fit

if TYPE_CHECKING:
    from textual.binding import BindingType

MOST: Final = 200


class Typed(Sheet, can_focus=True):
    """The line. `open` before each use; what was typed is sent as `Submitted` by Enter."""

    BINDINGS: ClassVar[list[BindingType]] = []

    class Submitted(Message):
        """Enter was pressed on what was typed by hand."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(self._written, id=id)
        self.text = ""
        self._note = ""
        self._fingers = Fingers()
        """By the clock of messages."""

    def open(self) -> None:
        """Start with an empty line; keys count once it was painted, and could be read."""
        self.text, self._note = "", ""
        self._fingers.close()
        self.write(self._written)
        self.call_after_refresh(self._painted)

    def _painted(self) -> None:
        self._fingers.begin(Message().time)

    def tell(self, note: str) -> None:
        """Say something below the line, and empty it."""
        self.text, self._note = "", note
        self.write(self._written)

    def _written(self, width: int) -> list[Line]:
        note = prose(self._note, width, "warn") if self._note else [()]
        return [(("> ", "accent"), (fit(f"{clean(self.text)}█", max(width - 2, 1)), "strong")), *note]

    async def _on_key(self, event: events.Key) -> None:
        """Take one key."""
        printable = event.is_printable and event.character is not None
        if not printable and event.key not in ("enter", "backspace"):
            return
        event.stop()
        event.prevent_default()
        if not self._fingers.counts(event.time):
            if not (self._fingers.bursting or self._note):
                self._note = EARLY
            self.write(self._written)
            return
        if event.key == "enter":
            self.post_message(self.Submitted(self.text))
        elif event.key == "backspace":
            self.text, self._note = self.text[:-1], ""
        elif self._fingers.too_fast(event.time):
            self.tell(FAST)
        elif len(self.text) < MOST:
            self.text, self._note = self.text + (event.character or ""), ""
        self.write(self._written)

    async def _on_paste(self, event: events.Paste) -> None:
        """Take nothing that is pasted."""
        event.stop()
        event.prevent_default()
        self.tell("A paste does not count: type it, key by key.")
