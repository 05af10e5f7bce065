"""How a command fails: one line that names what is wrong and what cures it.

Nothing is printed here; `main` does that.
"""

from __future__ import annotations

OK = 0
NO = 1
"""The answer is "no": a critical alert fires."""
WRONG = 2
"""Wrong use, or nothing readable."""
INTERRUPTED = 130
TERMINATED = 143
HUNG_UP = 129
"""128 and the signal's number, as shells say it."""


class CommandError(Exception):
    """The command cannot do what was asked. `lines` follow the message, such as candidates to choose from."""

    def __init__(self, message: str, lines: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.lines = lines
