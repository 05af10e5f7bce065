"""Foreign text made safe to show: names, log lines and messages that somebody else wrote.

Pure string work; nothing here reads files, and nothing here knows about markup of any one interface.
"""

from __future__ import annotations

import unicodedata
from typing import Final

_SHOWN: Final = {0x7F: "␡"} | {code: chr(0x2400 + code) for code in range(0x20)}
"""C0 controls and DEL as the Unicode control pictures (U+2400 block), one cell each."""

_HIDDEN_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Controls, format characters (bidi overrides, zero-width), lone surrogates, line and paragraph separators."""

_JOINERS: Final = "\u200c\u200d"
"""Zero-width (non-)joiner: needed by several scripts and by emoji, and harmless."""


def safe_text(text: str, limit: int | None = None) -> str:
    r"""Return `text` with everything that could steer a terminal made visible, at most `limit` characters.

    C0 controls and DEL become control pictures (`␛`, `␊`); C1 controls, bidi overrides, other format characters and
    line separators become `‹U+202E›`; a byte that was not UTF-8 (a surrogate escape) becomes `‹\xNN›`. Printable
    Unicode is kept. The result is idempotent. A cut text ends in `…`.
    """
    if limit is not None and len(text) > limit:
        text = text[: max(limit - 1, 0)] + "…"
    if text.isascii() and text.isprintable():
        return text
    shown = "".join(map(_visible, text))
    if limit is not None and len(shown) > limit:
        shown = shown[: max(limit - 1, 0)] + "…"
    return shown


def _visible(char: str) -> str:
    """Return one character, or the mark that stands for it."""
    code = ord(char)
    if code in _SHOWN:
        return _SHOWN[code]
    if char.isprintable() or char in _JOINERS:
        return char
    if 0xDC80 <= code <= 0xDCFF:
        return f"‹\\x{code - 0xDC00:02x}›"
    if unicodedata.category(char) in _HIDDEN_CATEGORIES:
        return f"‹U+{code:04X}›"
    return char
