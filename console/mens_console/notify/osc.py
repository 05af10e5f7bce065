"""The escape sequence that asks a terminal to show a notification. A pure function; nothing is written here."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

MOST: Final = 240
"""Characters of a notification; no terminal shows more."""
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_COMMAND: Final = re.compile(r"\d+(;|$)")
"""ConEmu and its kin read ``OSC 9 ; 4 ; …`` as a progress bar, and other numbers as other orders."""


def osc9(text: str, tmux: bool) -> str:
    r"""Return ``ESC ] 9 ; text BEL``, inside tmux in its passthrough (``allow-passthrough`` must be on there).

    Control characters, bidirectional overrides and other invisible characters are left out, so that no text can end
    the sequence or begin another; line ends become spaces.
    """
    joined = " ".join(text.split())
    shown = "".join(char for char in joined if unicodedata.category(char) not in _HIDDEN)[:MOST]
    if _COMMAND.match(shown):
        shown = f"· {shown}"
    sequence = f"\x1b]9;{shown}\x07"
    return f"\x1bPtmux;{sequence.replace(chr(0x1B), chr(0x1B) * 2)}\x1b\\" if tmux else sequence
