"""Reading JSON Lines of predictions and gold answers: whole files, each row with its line, every fault told by line.

An evaluation over half a file would be a false one, so a line that cannot be read ends it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mens_console.ingest.safeopen import explain, open_regular, read_at
from mens_console.ingest.text import safe_text

MOST_BYTES: Final = 1 << 30
"""Largest file that is read whole."""
DEEPEST: Final = 100
"""Levels of lists and objects that an answer may hold; deeper ones are none that a tool could take."""
_IDS: Final = ("id", "item_id", "task_id", "example_id")


class UnreadableError(Exception):
    """A file that cannot be evaluated; the message names file, line and cure."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was read: its name as given, the SHA-256 of its bytes, and its rows."""

    path: str
    sha256: str
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One object and its line (from 1)."""

    line: int
    data: dict[str, Any]

    @property
    def id(self) -> str:
        """What pairs it with its gold answer; empty where it has none."""
        told = first(self.data, _IDS)
        return str(told) if isinstance(told, str | int) and not isinstance(told, bool) else ""


def first(data: dict[str, Any], names: tuple[str, ...]) -> Any:
    """Return the first of several fields that is there and not null."""
    return next((data[name] for name in names if data.get(name) is not None), None)


def read_bytes(path: Path) -> bytes:
    """Return a file whole. Raises `UnreadableError`."""
    try:
        fd, status = open_regular(str(path), follow=True)
    except FileNotFoundError:
        raise UnreadableError(f"{safe_text(str(path))}: no such file; name one that exists") from None
    except OSError as error:
        raise UnreadableError(f"{safe_text(str(path))}: {explain(error)}") from None
    with open(fd, "rb") as file:  # noqa: PTH123 (it closes the descriptor)
        if status.st_size > MOST_BYTES:
            raise UnreadableError(f"{safe_text(str(path))}: over 1 GiB; evaluate it in parts")
        try:
            return read_at(file.fileno(), 0, MOST_BYTES)
        except OSError as error:
            raise UnreadableError(f"{safe_text(str(path))}: {explain(error)}") from None


def read_rows(path: Path) -> tuple[list[Row], Source]:
    """Return all rows of a file of JSON Lines. Raises `UnreadableError` with the line that is none."""
    data = read_bytes(path)
    name = safe_text(str(path))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UnreadableError(f"{name}, line {line}: it is not UTF-8; write the file anew in UTF-8") from None
    rows = [_row(line, number, name) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not rows:
        raise UnreadableError(f"{name}: it is empty; write one JSON object a line")
    return rows, Source(str(path), hashlib.sha256(data).hexdigest(), len(rows))


def _row(line: str, number: int, name: str) -> Row:
    try:
        data = parse(line)
    except ValueError as error:
        raise UnreadableError(
            f"{name}, line {number}: it is no JSON ({safe_text(str(error), 120)}); mend the line or write the file anew"
        ) from None
    if not isinstance(data, dict):
        raise UnreadableError(f"{name}, line {number}: it is no JSON object; write one object a line")
    return Row(number, data)


def parse(text: str) -> Any:
    """Parse JSON as its standard has it: no NaN or Infinity, nothing nested over `DEEPEST`. Raises ValueError."""
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if depth(value) > DEEPEST:
        raise ValueError(f"it is nested over {DEEPEST} deep")
    return value


def depth(value: Any) -> int:
    """Return how deep lists and objects are nested."""
    level, reached = [value], 0
    while level := [one for one in level if isinstance(one, dict | list)]:
        reached += 1
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
    return reached


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is no JSON")
