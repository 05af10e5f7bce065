"""A line that a person types, key by key: what is pasted, typed ahead or comes faster than fingers does not count.

What the phrase is, and what it does, is known elsewhere.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, ClassVar, Final

from textual import events
from textual.message import Message

from mens_console.screens.sheet import Line, Sheet, prose
from mens_widgets.text import clean, fit

if TYPE_CHECKING:
    from textual.binding import BindingType

REACTION_S: Final = 0.3
"""Nobody reads what appeared and answers it sooner; what comes earlier was meant for something else."""
BURST_KEYS: Final = 5
BURST_S: Final = 0.04
"""So many keys within that are no fingers: a fast typist has 10 a second, and a repeating key 30."""
PAUSE_S: Final = 0.5
"""After a burst keys count again when nothing came for this long."""
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
        self._since = math.inf
        """From when on keys count (the clock of messages)."""
        self._bursting = False
        self._times: deque[float] = deque(maxlen=BURST_KEYS - 1)

    def open(self) -> None:
        """Start with an empty line; keys count once it was painted, and could be read."""
        self.text, self._note, self._since = "", "", math.inf
        self._bursting = False
        self._times.clear()
        self.write(self._written)
        self.call_after_refresh(self._painted)

    def _painted(self) -> None:
        self._since = Message().time + REACTION_S

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
        if event.time < self._since:
            self._ignore(event.time)
            self.write(self._written)
            return
        self._bursting = False
        if event.key == "enter":
            self.post_message(self.Submitted(self.text))
        elif event.key == "backspace":
            self.text, self._note = self.text[:-1], ""
        elif self._too_fast(event.time):
            self._bursting, self._since = True, event.time + PAUSE_S
            self.tell("That came faster than anybody types: it does not count. Wait a moment, and type it.")
        elif len(self.text) < MOST:
            self.text, self._note = self.text + (event.character or ""), ""
        self.write(self._written)

    def _ignore(self, at: float) -> None:
        """Drop a key that came before the line could be read, or in the wake of a burst, which has to end first."""
        if self._bursting:
            self._since = at + PAUSE_S
        elif not self._note:
            self._note = "Keys from before this could be read do not count."

    def _too_fast(self, at: float) -> bool:
        fast = len(self._times) == BURST_KEYS - 1 and at - self._times[0] < BURST_S
        self._times.append(at)
        if fast:
            self._times.clear()
        return fast

    async def _on_paste(self, event: events.Paste) -> None:
        """Take nothing that is pasted."""
        event.stop()
        event.prevent_default()
        self.tell("A paste does not count: type it, key by key.")
