"""When two names mean one person: approvals are counted by people, however they are written. Pure, no files."""

from __future__ import annotations

import unicodedata
from typing import Final

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
"""Unicode categories of what shows nothing, or only room."""


def person(name: str) -> str:
    """Return what names of one person have in common: no case, no width, nothing that is not seen."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return "".join(one for one in plain if unicodedata.category(one) not in _UNSEEN)


def disguised(name: str) -> str:
    """Say why a name could pass for another one's on a screen, "" where it could not."""
    if name != name.strip() or "  " in name or any(unicodedata.category(one) in _UNSEEN for one in name if one != " "):
        return "holds a blank or a character that is not seen"
    alphabets = {unicodedata.name(one, "?").split()[0] for one in name if one.isalpha()}
    if len(alphabets) > 1:
        return f"mixes letters of several alphabets ({', '.join(sorted(alphabets)).lower()})"
    return ""
