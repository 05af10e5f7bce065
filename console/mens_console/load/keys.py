"""The API key of a server: read from the environment or a file that nobody else may read, never from a command line."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VARIABLES: Final = ("MENS_API_KEY", "OPENAI_API_KEY")
"""The first that is set counts."""
MOST: Final = 4096
HIDDEN: Final = "‹secret›"


class KeyFileError(ValueError):
    """The key cannot be had, or is none; the message names where it was looked for, and the cure."""


def api_key(file: Path | None, environ: Mapping[str, str]) -> str:
    """Return the key in `file`, else that of the environment, else "". Raises `KeyFileError`."""
    if file is not None:
        return _checked(_read(file), str(file))
    for name in VARIABLES:
        if environ.get(name):
            return _checked(environ[name].strip(), f"${name}")
    return ""


def _read(path: Path) -> str:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as file:  # noqa: PTH123 (a descriptor)
            mode = os.fstat(fd).st_mode
            if not stat.S_ISREG(mode):
                raise KeyFileError(f"{path}: not a regular file; name one that holds the key alone")
            raw = file.read(MOST + 1)
    except OSError as error:
        raise KeyFileError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyFileError(f"{path}: others may read it; chmod 600 {path}")
    return raw.decode("ascii", "replace").strip()


def _checked(key: str, origin: str) -> str:
    if not key or len(key) > MOST or not key.isascii() or not key.isprintable() or " " in key:
        raise KeyFileError(f"{origin}: that is no API key; one line of printable ASCII without blanks is needed")
    return key


def hide(text: str, secrets: tuple[str, ...]) -> str:
    """Return `text` with every secret in it made unreadable; what is shorter than 4 characters is left alone."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= 4:
            text = text.replace(secret, HIDDEN)
    return text
