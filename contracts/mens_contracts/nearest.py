"""Which known name another one is most like, however it is written."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Final

LIKE: Final = 0.6
"""Likeness (0 to 1) from which a name is worth naming."""
DRIFTED: Final = 0.75
"""Likeness from which a name that stands where the known one is missing is taken for it."""


def nearest(name: str, known: Iterable[str]) -> tuple[str, float]:
    """Return the known name that is most like `name`, with its likeness; "" and 0 where none is like it.

    Case and punctuation do not count: `promptTokens` is as good as `prompt_tokens`.
    """
    return _nearest(name[:200], tuple(known))


@lru_cache(maxsize=2048)
def _nearest(name: str, known: tuple[str, ...]) -> tuple[str, float]:
    plain = _plain(name)
    best, likeness = "", 0.0
    for one in known:
        found = SequenceMatcher(None, plain, _plain(one)).ratio()
        if found > likeness:
            best, likeness = one, found
    return (best, likeness) if likeness >= LIKE else ("", 0.0)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
