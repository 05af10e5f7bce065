"""What an operator noted before any decision: marks, waivers, and what was judged last. Private files.

Nothing here decides: marks and waivers count once an evaluation is made with them, and are signed with it. Files lie in
the user's state folder, readable by their owner alone; that of a release is also one that `--marks` and `--waivers`
of `mens-console gate` read.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from mens_console.config.state import DAMAGE, locked, read_private, replace_private, state_folder
from mens_console.gate.types import Mark, Waiver

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
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


@dataclass(frozen=True, slots=True)
class Words:
    """What was said of one release so far: one mark and one waiver a criterion at most."""

    marks: tuple[Mark, ...] = ()
    waivers: tuple[Waiver, ...] = ()


def folder() -> Path:
    """Return where drafts lie."""
    return state_folder() / "gate"


def path_of(profile: str, release: str) -> Path:
    """Return the file of one release's marks; the names in it are the profile's and release's, the file's is safe."""
    key = hashlib.sha256(json.dumps([profile, release]).encode("utf-8", "surrogatepass")).hexdigest()
    return folder() / f"marks-{key[:32]}.json"


def load_words(profile: str, release: str) -> Words:
    """Return what was said of a release. Raises `DraftError` where the file is harmed: half of it is never taken."""
    document = _read(path_of(profile, release))
    if document is None:
        return Words()
    try:
        marks = tuple(_mark(one) for one in document["marks"])
        return Words(marks, tuple(_waiver(one) for one in document.get("waivers", ())))
    except DAMAGE:
        raise _harmed(path_of(profile, release)) from None


def load_marks(profile: str, release: str) -> tuple[Mark, ...]:
    """Return the marks of a release; raises as `load_words`."""
    return load_words(profile, release).marks


def save_mark(profile: str, release: str, mark: Mark) -> Words:
    """Keep a mark in place of an earlier one of its criterion; return all. Raises `DraftError`."""
    return _change(
        profile, release, lambda said: replace(said, marks=(*_others(said.marks, mark.criterion), mark))
    )  # fmt: skip


def drop_mark(profile: str, release: str, criterion: str) -> Words:
    """Take a mark back; return what is left. Raises `DraftError`."""
    return _change(profile, release, lambda said: replace(said, marks=_others(said.marks, criterion)))


def save_waiver(profile: str, release: str, waiver: Waiver) -> Words:
    """Keep a waiver in place of an earlier one of its criterion; return all. Raises `DraftError`."""
    return _change(
        profile, release, lambda said: replace(said, waivers=(*_others(said.waivers, waiver.criterion), waiver))
    )  # fmt: skip


def drop_waiver(profile: str, release: str, criterion: str) -> Words:
    """Take a waiver back; return what is left. Raises `DraftError`."""
    return _change(profile, release, lambda said: replace(said, waivers=_others(said.waivers, criterion)))


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


_Word = TypeVar("_Word", Mark, Waiver)


def _others(said: tuple[_Word, ...], criterion: str) -> tuple[_Word, ...]:
    return tuple(one for one in said if one.criterion != criterion)


def _change(profile: str, release: str, change: Callable[[Words], Words]) -> Words:
    path = path_of(profile, release)
    try:
        with locked(path):
            words = change(load_words(profile, release))
            told = {"marks": [asdict(one) for one in words.marks], "waivers": [asdict(one) for one in words.waivers]}
            _write(path, {"schema": "mens-gate-marks/1", "profile": profile, "release": release, **told})
    except OSError as error:
        raise _unwritable(path, error) from None
    return words


def _mark(row: Mapping[str, Any]) -> Mark:
    criterion, note, by = _texts(row, "criterion", "note", "by")
    if not any(row["passed"] is one for one in (True, False)):
        raise ValueError("no mark")
    return Mark(criterion, bool(row["passed"]), note, by, float(row["at"]))


def _waiver(row: Mapping[str, Any]) -> Waiver:
    criterion, owner, reason, by = _texts(row, "criterion", "owner", "reason", "by")
    due, at = float(row["due"]), float(row["at"])
    if not (math.isfinite(due) and math.isfinite(at)):
        raise ValueError("no waiver")
    return Waiver(criterion, owner, due, reason, by, at)


def _texts(row: Mapping[str, Any], *names: str) -> list[str]:
    found = [row[name] for name in names]
    if not all(isinstance(one, str) for one in found):
        raise ValueError("no text")
    return found


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
