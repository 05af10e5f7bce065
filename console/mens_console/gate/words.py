"""What people say of a release, from files: marks of manual checks, and waivers. JSON, or TOML by the name.

A file that cannot be understood raises `WordsError` with the file, the entry and the cure: half of what somebody said
is never taken.
"""

from __future__ import annotations

import json
import math
import os
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from mens_console.gate.types import Mark, Waiver
from mens_console.ingest.safeopen import NotRegularFileError, open_regular, read_at

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

LARGEST: Final = 1 << 20
"""Bytes of a file; who says more than that does not say it by hand."""


class WordsError(Exception):
    """A file of marks or waivers is wrong; the message names file, entry and cure."""


def read_marks(path: Path) -> tuple[Mark, ...]:
    """Return the marks of a file: `{"marks": [{"criterion", "passed", "note", "by", "at"}]}`, or the list alone.

    `passed` is true or false, `at` seconds since the epoch or ISO 8601.
    """
    return tuple(
        Mark(
            entry.text("criterion"), entry.truth("passed"), entry.text("note"), entry.text("by"), entry.moment("at")
        )
        for entry in _entries(path, "marks", ("criterion", "passed", "note", "by", "at"))
    )  # fmt: skip


def read_waivers(path: Path) -> tuple[Waiver, ...]:
    """Return the waivers of a file: `{"waivers": [{"criterion", "owner", "due", "reason", "by", "at"}]}`.

    A `due` that is a day without a time counts to that day's end, in UTC.
    """
    return tuple(
        Waiver(
            entry.text("criterion"), entry.text("owner"), entry.moment("due", to_its_end=True), entry.text("reason"),
            entry.text("by"), entry.moment("at"),
        )
        for entry in _entries(path, "waivers", ("criterion", "owner", "due", "reason", "by", "at"))
    )  # fmt: skip


def due_of(text: str) -> float | None:
    """Return when a waiver is due, in seconds since the epoch; None where the text is no date. A day is to its end."""
    return _moment(text, to_its_end=True)


def due_text(due: float) -> str:
    """Return when a waiver is due as a person reads it: a day that counts to its end (UTC), or a moment."""
    try:
        end = datetime.fromtimestamp(due, UTC)
    except (ValueError, OverflowError, OSError):
        return "no date"
    if (end.hour, end.minute, end.second) == (0, 0, 0):
        return f"the end of {(end - timedelta(days=1)).date().isoformat()} (UTC)"
    return f"{end:%Y-%m-%d %H:%M} (UTC)"


class _Entry:
    """One entry of a file, which complains with its place."""

    def __init__(self, values: dict[str, Any], where: str) -> None:
        self._values, self._where = values, where

    def _wrong(self, key: str, cure: str) -> WordsError:
        told = f"it is {self._values[key]!r:.60}" if key in self._values else "it is missing"
        return WordsError(f"{self._where}: {key}: {told}; {cure}")

    def text(self, key: str) -> str:
        value = self._values.get(key)
        if not isinstance(value, str) or not value.strip():
            raise self._wrong(key, "write some text")
        return value

    def truth(self, key: str) -> bool:
        value = self._values.get(key)
        if not isinstance(value, bool):
            raise self._wrong(key, "write true or false")
        return value

    def moment(self, key: str, *, to_its_end: bool = False) -> float:
        """Return seconds since the epoch."""
        found = _moment(self._values.get(key), to_its_end=to_its_end)
        if found is None:
            raise self._wrong(key, "write a date such as 2026-01-31 or 2026-01-31T14:30:00Z, or seconds since 1970")
        return found


def _moment(value: object, *, to_its_end: bool) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        if isinstance(value, str):
            value = date.fromisoformat(value) if len(value) == len("2026-01-31") else datetime.fromisoformat(value)
        if isinstance(value, datetime):
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
        if isinstance(value, date):
            start = datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()
            return start + 86_400.0 if to_its_end else start
        if isinstance(value, int | float) and math.isfinite(value):
            return float(value)
    except (ValueError, OverflowError):
        return None
    return None


def _entries(path: Path, name: str, keys: Sequence[str]) -> list[_Entry]:
    document = read_document(path)
    rows = document.get(name) if isinstance(document, dict) else document
    if not isinstance(rows, list):
        raise WordsError(f'{path}: it holds no list of {name}; write {{"{name}": [{{…}}]}}')
    entries = []
    for number, row in enumerate(rows, 1):
        where = f"{path}: {name} {number}"
        if not isinstance(row, dict):
            raise WordsError(f"{where}: it is no object; write {', '.join(keys)}")
        if unknown := sorted(set(row) - set(keys)):
            raise WordsError(f"{where}: unknown key {unknown[0]!r:.60}; there are {', '.join(keys)}")
        entries.append(_Entry(row, where))
    return entries


def read_document(path: Path) -> object:
    """Return what a JSON file holds, or a TOML file (`.toml`). Raises `WordsError`, with the line where it breaks."""
    text = _text(path)
    if path.suffix == ".toml":
        return _parsed(path, text, _toml)
    return _parsed(path, text, lambda one: json.loads(one, object_pairs_hook=_once))


def _toml(text: str) -> object:
    import tomllib

    return tomllib.loads(text)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse an object that says something twice: which of the two is meant nobody knows."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r:.60} stands twice in one object")
    return found


def _parsed(path: Path, text: str, parse: Callable[[str], object]) -> object:
    try:
        return parse(text)
    except json.JSONDecodeError as error:
        raise WordsError(f"{path}:{error.lineno}: not JSON: {error.msg.lower()}; correct it") from None
    except (ValueError, RecursionError) as error:
        told = str(error) if isinstance(error, ValueError) else "nested too deeply"
        raise WordsError(f"{path}: it cannot be read: {told}; correct it") from None


def _text(path: Path) -> str:
    try:
        fd, status = open_regular(os.fspath(path), follow=True)
        try:
            raw = read_at(fd, 0, LARGEST + 1) if status.st_size <= LARGEST else b"\0" * (LARGEST + 1)
        finally:
            os.close(fd)
    except NotRegularFileError:
        raise WordsError(f"{path}: it is no regular file; name one") from None
    except (OSError, ValueError) as error:
        told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise WordsError(f"{path}: {told.lower()}; name a file that can be read") from None
    if len(raw) > LARGEST:
        raise WordsError(f"{path}: larger than {LARGEST >> 20} MiB; name the right file")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise WordsError(f"{path}:{line}: it is not UTF-8; save it as UTF-8") from None
