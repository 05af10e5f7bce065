"""What the status line of screen 0 says of the streams that are read.

Words only: what is read is `logstreams`' business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mens_console.ingest.text import safe_text
from mens_console.signals.human import step
from mens_widgets.text import shorten

if TYPE_CHECKING:
    from mens_console.screens.logstreams import Choice, Opened

BESIDE: Final = 44
"""Columns of the status line for what is said of a stream, beside its name."""
LEVEL_SETS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("all levels", ()),
    ("warnings and worse", ("critical", "error", "warning")),
    ("errors and worse", ("critical", "error")),
)


def wish(pattern: str, level: int) -> str:
    """Return what is filtered by, in words: an expression, and the place of a level among `LEVEL_SETS`."""
    return " and ".join(filter(None, (f"/{pattern}/" if pattern else "", LEVEL_SETS[level][0] if level else "")))


def status(choice: Choice | None, opened: Opened | None, wanted: str, width: int, *, following: bool) -> str:
    """Return the line: what is read, how much of it, what is filtered, and what is wrong or left out."""
    title = "" if choice is None else f"{choice.words} by time" if choice.merged else choice.words
    notes = [shorten(safe_text(title, 200), max(16, width - BESIDE))]
    if opened is not None:
        notes.append(opened.count())
        if (found := opened.filter) is not None:
            notes.append(f"{step(found.found)} match {wanted}")
            notes += [found.problem] if found.problem else []
            notes += [f"looked at {found.progress:.0%}"] if found.progress < 1 and not found.problem else []
    notes.append("following" if following else "not following (G)")
    notes += opened.notes() if opened is not None else []
    return " · ".join(filter(None, notes))
