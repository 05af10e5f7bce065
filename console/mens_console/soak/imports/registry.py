"""Which file is whose, and what it comes to: results of other load tools, recognised by what they hold.

A new tool is a module beside this one, a line in `_DOCUMENTS` or a reader of lines, and its marks in
`mens_console.ingest.formats.loadtools`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from mens_console.gate.readers import aiperf as aiperf_files
from mens_console.gate.readers import guidellm as guidellm_files
from mens_console.gate.readers import jsontext
from mens_console.gate.readers import load as load_files
from mens_console.gate.readers import vllm as vllm_files
from mens_console.ingest.formats.lines import BOM
from mens_console.ingest.formats.loadtools import POINT, load_tool
from mens_console.soak.imports import aiperf, guidellm, k6, k6points, locust, vllm
from mens_console.soak.imports.outcome import Outcome

HEAD: Final = 64 << 10
"""Bytes that are looked at to recognise a file."""
LARGEST: Final = 64 << 20
"""Bytes of a file that is held in memory; lines are read one by one, and their file may have any size."""
_SHAPE_ERRORS: Final = (ArithmeticError, AttributeError, LookupError, TypeError)


class Lines(Protocol):
    """Reads a file line by line as it grows."""

    def add(self, line: bytes, number: int) -> None:
        """Take a whole line without its end; `number` counts from 1."""

    def outcome(self) -> Outcome:
        """Return what was read so far."""

    def problems(self) -> tuple[str, ...]:
        """Return what could not be read of the lines, and what a reader must know."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A shape of file. `begin` makes a reader of lines for each file; without it the file is read as a whole."""

    tool: str
    begin: Callable[[], Lines] | None = None


@dataclass(frozen=True, slots=True)
class _Document:
    claims: Callable[[Any], bool]
    read: Callable[[Any], Outcome]


_DOCUMENTS: Final[Sequence[_Document]] = (
    _Document(vllm_files.claims, vllm.read),
    _Document(guidellm_files.claims, guidellm.read),
    _Document(aiperf_files.claims, aiperf.read),
    _Document(load_files.claims_k6, k6.read),
    _Document(load_files.claims_locust_json, locust.read_json),
)


def recognise(head: bytes) -> Kind | None:
    """Return the shape of a file that begins so (up to `HEAD` bytes are needed)."""
    tool = load_tool(head)
    if tool is None:
        return None
    text = head.removeprefix(BOM).lstrip()
    if tool == "aiperf" and b'"request_start_ns"' in text:
        return Kind(tool, aiperf.Records)
    if tool == "k6" and POINT.search(text):
        return Kind(tool, k6points.Points)
    if tool == "locust" and not text.startswith(b"["):
        first = text.partition(b"\n")[0].decode("utf-8", "replace")
        if locust.is_history(first):
            return Kind(tool, locust.History)
        return Kind(tool) if locust.is_stats(first) else None
    return Kind(tool)


def read_document(data: bytes) -> Outcome:
    """Read a whole file; ValueError, saying where and what cures it, where it is none of the shapes or damaged."""
    text = data.removeprefix(BOM).lstrip()
    if not text.startswith((b"{", b"[")):
        return locust.read_stats(text.decode("utf-8", "surrogateescape"))
    found = _parse(text)
    if isinstance(found, _Rows):
        return vllm.read_rows(found)
    for one in _DOCUMENTS:
        if one.claims(found):
            return _shaped(one.read, found)
    raise ValueError("it begins like the results of a load tool, but is none: was it cut off or edited?")


def _shaped(read: Callable[[Any], Outcome], document: Any) -> Outcome:
    try:
        return read(document)
    except _SHAPE_ERRORS as error:
        raise ValueError(f"it is not shaped as its tool writes it ({type(error).__name__}: {error})") from None


class _Rows(list[dict[str, Any]]):
    """Results of vLLM, one a line."""


def _parse(text: bytes) -> Any:
    try:
        return jsontext.row(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 (byte {error.start})") from None
    except json.JSONDecodeError as error:
        rows = _rows(text) if error.msg == "Extra data" else None
        if rows:
            return rows
        where = f"{error.msg} in line {error.lineno}, column {error.colno}"
        raise ValueError(f"it is not whole JSON: {where}: it is being written, or was cut off") from None


def _rows(text: bytes) -> _Rows | None:
    """Return the results that stand one a line; None where any line is none (the last may be torn)."""
    lines = [line for line in text.splitlines() if line.strip()]
    found = _Rows()
    for place, line in enumerate(lines):
        try:
            row = jsontext.row(line)
        except (ValueError, RecursionError):
            if place == len(lines) - 1:
                break
            return None
        if not vllm_files.claims(row):
            return None
        found.append(row)
    return found or None
