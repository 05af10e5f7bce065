"""What hinders the console, told once each: in the header there is seldom room for it.

Texts in, texts out; no widget enters here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

AT_A_TIME: Final = 3
"""Troubles that one notice names."""
_DIGITS: Final = re.compile(r"\d+")


def trouble_key(text: str) -> str:
    """Return what a problem is known by: without its numbers, which may move on."""
    return _DIGITS.sub("0", text)


class Troubles:
    """Which problems were told."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._told = {trouble_key(problem) for problem in known}

    def news(self, problems: Iterable[str]) -> list[str]:
        """Return those that were not told yet, and take them for told."""
        fresh = {key: text for text in problems if (key := trouble_key(text)) not in self._told}
        self._told.update(fresh)
        return list(fresh.values())


def told(news: Sequence[str], most: int) -> tuple[str, str]:
    """Return title and text of one notice of about `most` characters: several notices would cover the screen."""
    if len(news) == 1:
        return "Trouble", safe_text(news[0], most)
    lines = [f"· {safe_text(text, max(40, most // min(len(news), AT_A_TIME)))}" for text in news[:AT_A_TIME]]
    more = len(news) - AT_A_TIME
    return f"{len(news)} troubles", "\n".join([*lines, *[f"· {more} more, told by: mens-console status"] * (more > 0)])
