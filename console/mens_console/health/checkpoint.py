"""What was counted of finished logs and of long ones, kept in the user's cache, so that only new bytes are read again.

A checkpoint is believed only of the very files it was made of, as far as their inode, head and last bytes tell.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def default_cache(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder: ``$XDG_CACHE_HOME/mens-console``, or else ``~/.cache/mens-console``."""
    base = (os.environ if environ is None else environ).get("XDG_CACHE_HOME", "")
    folder = Path(base) if base.startswith("/") else Path("~/.cache").expanduser()
    return folder / "mens-console"
