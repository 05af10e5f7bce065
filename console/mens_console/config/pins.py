"""The charts that an operator keeps on top, by the name of their metric: in every run, and from day to day.

Which charts a run has is known elsewhere. Nothing is written into a run's folder.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from mens_console.config.state import DAMAGE, locked, read_private, replace_private

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA: Final = "mens-pins/1"
MOST: Final = 100
"""Charts that can be kept on top, and the bytes that their file may have for each."""
_BYTES: Final = 4096


class Pins:
    """Names in the order in which they were pinned. Without a `path` they are forgotten with this object.

    A file that is damaged or cannot be read counts as empty, and is replaced when something is pinned.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._names: tuple[str, ...] | None = None
        self._is_kept = path is not None

    @property
    def names(self) -> tuple[str, ...]:
        """What is pinned; the file is read when this is first asked for."""
        if self._names is None:
            self._names = self._read()
        return self._names

    def toggle(self, name: str) -> bool:
        """Pin a chart behind the others, or let it go; return whether it is pinned now.

        What another console pinned meanwhile stays. Raises `ValueError` where `MOST` are pinned, `OSError` where it
        cannot be kept: then it lasts as long as this object.
        """
        names = self._read() if self._is_kept else self.names
        on = name not in names
        if on and len(names) >= MOST:
            raise ValueError(f"{MOST} charts are on top already")
        self._names = (*names, name) if on else tuple(one for one in names if one != name)
        if self._path is not None:
            self._is_kept = False
            document = {"schema": SCHEMA, "charts": self._names}
            with locked(self._path):
                replace_private(self._path, json.dumps(document, indent=1).encode())
            self._is_kept = True
        return on

    def _read(self) -> tuple[str, ...]:
        if self._path is None:
            return ()
        try:
            data = read_private(self._path, MOST * _BYTES)
            charts = [] if data is None else json.loads(data)["charts"]
            return tuple(dict.fromkeys(name for name in charts if isinstance(name, str)))[:MOST]
        except (OSError, *DAMAGE):
            return ()
