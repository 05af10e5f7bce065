"""A line of a log as a command prints it: what could steer the terminal made visible, colours kept where wanted.

Strings and dictionaries only; nothing is read or written here.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from mens_console.ingest.text import safe_text
from mens_widgets.ansi import last_state
from mens_widgets.text import fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mens_console.cli.logstreams import Named
    from mens_console.ingest.merged import MergedLine

TAG: Final = 18
"""Columns of a stream's name at most."""
_HUES: Final = (36, 33, 35, 32, 34, 96, 93, 95)
_SGR: Final = re.compile(r"\x1b\[([\d;:]{0,64})m")
_OTHER: Final = re.compile(r"\x1b(?:\[[0-?]{0,64}[ -/]{0,8}[@-~]|\][^\x07\x1b]{0,4096}(?:\x07|\x1b\\|$))")
_HIDING: Final = frozenset({"5", "6", "8"})
"""Blinking and concealed text: a log may not shout or hide."""


def shown(text: str, *, colour: bool) -> str:
    """Return a line of a file for a terminal, or without any colour: a progress bar in its last state."""
    text = last_state(text)
    if "\x1b" not in text:
        return _printable(text)
    pieces, at, tinted = [], 0, False
    for match in _SGR.finditer(text):
        pieces.append(_printable(text[at : match.start()]))
        at = match.end()
        if colour and not _HIDING & set(re.split("[;:]", match[1])):
            pieces.append(match[0])
            tinted = True
    pieces.append(_printable(text[at:]))
    return "".join(pieces) + ("\x1b[0m" if tinted else "")


def _printable(text: str) -> str:
    return safe_text(_OTHER.sub("", text).expandtabs(8) if "\x1b" in text or "\t" in text else text)


class Tags:
    """The names of streams before their lines, all of one width, each in a colour of its own."""

    def __init__(self, names: Sequence[str], *, colour: bool) -> None:
        width = min(TAG, max(map(len, names), default=0))
        texts = [fit(name, width, cut="middle") for name in names]
        hues = [f"\x1b[{_HUES[i % len(_HUES)]}m{text}\x1b[0m" for i, text in enumerate(texts)]
        self._texts = (hues if colour else texts) if len(names) > 1 else [""] * len(names)

    def of(self, stream: int) -> str:
        """Return what stands before a line of a stream."""
        return f"{self._texts[stream]} " if self._texts[stream] else ""


def document(line: MergedLine, stream: Named, *, timed: bool) -> dict[str, Any]:
    """Return a line as JSON values; `time` is null where the stream tells none."""
    return {
        "run": safe_text(stream.owner, 200),
        "file": safe_text(str(stream.path)),
        "time": line.at if timed else None,
        "local_time": datetime.fromtimestamp(line.at).isoformat(timespec="milliseconds") if timed else None,
        "own_time": line.dated and timed,
        "level": line.level,
        "text": shown(line.text, colour=False),
    }
