"""What an operator noted before any decision: marks of manual checks, and what was judged last. Private files.

Nothing here decides: marks count once an evaluation is made with them, and are signed with it. Files lie in the user's
state folder, readable by their owner alone.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from mens_console.config.state import DAMAGE, locked, read_private, replace_private, state_folder
from mens_console.gate.types import Mark

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_MOST: Final = 4 << 20
_LAST: Final = "last.json"
MOST_NOTE: Final = 1000
"""Characters of a note."""


class DraftError(Exception):
    """A file of our own cannot be read or written; the message names it and the cure."""


@dataclass(frozen=True, slots=True)
class Last:
    """What was judged last: the profile (an id or a path), the release by profile, and the paths of evidence."""

    profile: str = ""
    releases: Mapping[str, str] = field(default_factory=dict)
    paths: tuple[str, ...] = ()


def folder() -> Path:
    """Return where drafts lie."""
    return state_folder() / "gate"


def path_of(profile: str, release: str) -> Path:
    """Return the file of one release's marks; the names in it are the profile's and release's, the file's is safe."""
    key = hashlib.sha256(json.dumps([profile, release]).encode("utf-8", "surrogatepass")).hexdigest()
    return folder() / f"marks-{key[:32]}.json"


def load_marks(profile: str, release: str) -> tuple[Mark, ...]:
    """Return the marks of a release. Raises `DraftError` where the file is harmed: half of them is never taken."""
    document = _read(path_of(profile, release))
    if document is None:
        return ()
    try:
        return tuple(_mark(one) for one in document["marks"])
    except DAMAGE:
        raise _harmed(path_of(profile, release)) from None


def save_mark(profile: str, release: str, mark: Mark) -> tuple[Mark, ...]:
    """Keep a mark in place of an earlier one of its criterion; return all. Raises `DraftError`."""
    return _change(profile, release, mark.criterion, mark)


def drop_mark(profile: str, release: str, criterion: str) -> tuple[Mark, ...]:
    """Take a mark back; return those that are left. Raises `DraftError`."""
    return _change(profile, release, criterion, None)


def load_last() -> Last:
    """Return what was judged last. Raises `DraftError`."""
    document = _read(folder() / _LAST)
    if document is None:
        return Last()
    try:
        releases = {str(name): str(release) for name, release in document["releases"].items()}
        return Last(str(document["profile"]), releases, tuple(str(one) for one in document["paths"]))
    except DAMAGE:
        raise _harmed(folder() / _LAST) from None


def save_last(last: Last) -> None:
    """Keep what was judged last. Raises `DraftError`."""
    _write(folder() / _LAST, {"schema": "mens-gate-last/1", **asdict(replace(last, releases=dict(last.releases)))})


def _change(profile: str, release: str, criterion: str, mark: Mark | None) -> tuple[Mark, ...]:
    path = path_of(profile, release)
    try:
        with locked(path):
            kept = [one for one in load_marks(profile, release) if one.criterion != criterion]
            marks = (*kept, mark) if mark is not None else tuple(kept)
            told = [asdict(one) for one in marks]
            _write(path, {"schema": "mens-gate-marks/1", "profile": profile, "release": release, "marks": told})
    except OSError as error:
        raise _unwritable(path, error) from None
    return marks


def _mark(row: Mapping[str, Any]) -> Mark:
    texts = [row[name] for name in ("criterion", "note", "by")]
    passed, at = row["passed"], row["at"]
    if not all(isinstance(one, str) for one in texts) or not isinstance(passed, bool):
        raise ValueError("no mark")
    return Mark(texts[0], passed, texts[1], texts[2], float(at))


def _read(path: Path) -> dict[str, Any] | None:
    try:
        data = read_private(path, _MOST)
    except OSError as error:
        told = (error.strerror or str(error)).lower()
        raise DraftError(f"{path}: it cannot be read: {told}; move it away to begin anew") from None
    if data is None:
        return None
    try:
        document = json.loads(data)
    except DAMAGE:
        raise _harmed(path) from None
    if not isinstance(document, dict):
        raise _harmed(path)
    return document


def _write(path: Path, document: object) -> None:
    try:
        data = json.dumps(document, ensure_ascii=True, indent=1).encode()
        replace_private(path, data + b"\n")
    except OSError as error:
        raise _unwritable(path, error) from None


def _harmed(path: Path) -> DraftError:
    return DraftError(f"{path}: it is not as the console wrote it; move it away to begin anew")


def _unwritable(path: Path, error: OSError) -> DraftError:
    told = (error.strerror or str(error)).lower()
    return DraftError(f"{path}: it cannot be written: {told}; nothing was kept")
