"""A TOML file as the operator typed it: its values, and the line on which each key stands.

Reads one small regular file at a time; what the values mean is `model`'s business.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from mens_console.config.settings import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MAX_BYTES: Final = 65_536
"""More than this is no configuration."""

_AT: Final = re.compile(r"\(at line (\d+), column \d+\)$|\(at end of document\)$")
_KEY: Final = re.compile(
    r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*="""
)
_TABLE: Final = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?")
_PART: Final = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")


def read_toml(path: Path) -> tuple[dict[str, Any], str]:
    """Return the values and the text of a file. Raises `TomlError`, or FileNotFoundError where there is none."""
    return parse_toml(read_bytes(path), str(path))


def read_bytes(path: Path) -> bytes:
    """Return what stands in a file. Raises `TomlError`, or FileNotFoundError where there is none."""
    try:
        return _read(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise TomlError(
            Problem(
                str(path), None, "", (error.strerror or str(error)).lower(), "make it a readable file, or remove it"
            )
        ) from None


def parse_toml(raw: bytes, origin: str) -> tuple[dict[str, Any], str]:
    """Return the values and the text of bytes that were read from `origin`. Raises `TomlError`."""
    try:
        text = raw.decode("utf-8-sig").replace("\r\n", "\n")
        return tomllib.loads(text), text
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise TomlError(Problem(origin, line, "", "it is not UTF-8", "save it as UTF-8")) from None
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        place = _AT.search(message)
        line = int(place[1]) if place and place[1] else text.count("\n") + 1
        reason = _AT.sub("", message).strip().lower()
        key = next((".".join(k) for k, at in _lines(text) if at == line), "")
        raise TomlError(Problem(origin, line, key, f"not TOML: {reason}", "correct that line")) from None


class TomlError(Exception):
    """The file cannot be read as TOML."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def _read(path: Path) -> bytes:
    # A folder of runs may hold a pipe of that name: opening it must not wait for a writer.
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, "rb") as file:  # noqa: PTH123 (a descriptor)
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "not a regular file")
        if status.st_size > MAX_BYTES:
            raise OSError(0, f"larger than {MAX_BYTES} bytes")
        return file.read(MAX_BYTES)


def line_of(text: str, key: Sequence[str]) -> int | None:
    """Return the line on which `key` is set, or else the innermost table that holds it; None if neither is found."""
    places = list(_lines(text))
    for length in range(len(key), 0, -1):
        for place, line in places:
            if place[:length] == tuple(key[:length]):
                return line
    return None


def _lines(text: str) -> list[tuple[tuple[str, ...], int]]:
    """Return every key and table header with its line, as far as lines alone can tell.

    The tables of an array are numbered from 0 on, as pydantic does.
    """
    found: list[tuple[tuple[str, ...], int]] = []
    table: tuple[str, ...] = ()
    seen: Counter[tuple[str, ...]] = Counter()
    for number, line in enumerate(text.splitlines(), 1):
        if match := _KEY.match(line):
            found.append((table + _parts(match[1]), number))
        elif match := _TABLE.match(line):
            table = _inside_arrays(_parts(match[2]), seen)
            if match[1] == "[[":
                seen[table] += 1
                table = (*table, str(seen[table] - 1))
            found.append((table, number))
    return found


def _inside_arrays(parts: tuple[str, ...], seen: Counter[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the path of a table with the number of each array's newest table in it: `[a.b]` after `[[a]]` is a.0.b."""
    path: tuple[str, ...] = ()
    for part in parts[:-1]:
        path = (*path, part)
        if seen[path]:
            path = (*path, str(seen[path] - 1))
    return (*path, *parts[-1:])


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))
