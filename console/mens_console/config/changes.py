"""Whether configuration files say something else than when they were read: they are read once, at the start.

What they say is the loader's business; here their bytes are compared.
"""

from __future__ import annotations

from hashlib import blake2s
from typing import TYPE_CHECKING, Final

from mens_console.config.state import read_private, signature

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

LOOK_S: Final = 5.0
"""Between two looks at the files."""
_MOST: Final = 1_000_000


class Changes:
    """Looks at `files` now and then; `problems` has a line for each that was changed since."""

    def __init__(self, files: Iterable[Path]) -> None:
        self.problems: tuple[str, ...] = ()
        self._files = {path: (signature(path), _digest(path)) for path in files}
        self._looked_at = float("-inf")

    def look(self, now: float) -> None:
        """Compare what the files say with what they said, if it is time to; `now` in seconds."""
        if not self._files or 0.0 <= now - self._looked_at < LOOK_S:
            return
        self._looked_at = now
        changed = []
        for path, (mark, before) in self._files.items():
            if signature(path) != mark and _digest(path) != before:
                changed.append(f"{path} was changed: what it says now holds from the next start of this program")
        self.problems = tuple(changed)


def _digest(path: Path) -> bytes | None:
    """Return what names the bytes of a file, None where they cannot be read."""
    try:
        data = read_private(path, _MOST)
    except OSError:
        return None
    return None if data is None else blake2s(data).digest()
