"""A JSON document with the line that each object and field of it stands on."""

from __future__ import annotations

import json
from bisect import bisect_right
from json import decoder, scanner
from typing import Any, Final

from mens_console.ingest.formats.jsontext import parse

WITH_LINES: Final = 32 << 20
"""Bytes above which a document is read without its lines: a position costs much more than a value."""
_SKIP: Final = json.JSONDecoder(strict=False)
_PIECES: Any = decoder
_SCANNERS: Any = scanner


class Places:
    """A document as a value, and where its parts stand. Raises ValueError where it is no JSON."""

    def __init__(self, data: bytes) -> None:
        self._marks: dict[int, int] = {}
        self._text = ""
        if len(data) > WITH_LINES:
            self.value = parse(data)
            return
        self._text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
        try:
            self.value = self._decoder().decode(self._text)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        self._ends = [at for at, letter in enumerate(self._text) if letter == "\n"]

    def line(self, holder: dict[str, Any], key: str) -> int:
        """Return the line of a field of an object, or of the object itself; 0 where lines are not known."""
        if not self._text or id(holder) not in self._marks:
            return 0
        return bisect_right(self._ends, self._of(self._marks[id(holder)], key) - 1) + 1

    def _of(self, begin: int, key: str) -> int:
        """Return where a key stands in the object that begins at `begin`; `begin` itself where it does not."""
        at = begin
        while key and self._text[at : at + 1] not in ("}", ""):
            at = self._blank(at)
            if self._text[at : at + 1] != '"':
                break
            name, end = _PIECES.scanstring(self._text, at + 1, False)
            if name == key:
                return at
            _, end = _SKIP.raw_decode(self._text, self._blank(self._blank(end) + 1))
            at = self._blank(end)
            at += self._text[at : at + 1] == ","
        return begin

    def _blank(self, at: int) -> int:
        while self._text[at : at + 1].isspace():
            at += 1
        return at

    def _decoder(self) -> Any:
        """Return a decoder that notes where objects begin: the pure Python one, as the C one tells nobody."""
        made: Any = json.JSONDecoder(strict=False)
        inner = made.parse_object

        def noting(begins: tuple[str, int], *rest: Any) -> tuple[Any, int]:
            value, end = inner(begins, *rest)
            self._marks[id(value)] = begins[1]
            return value, end

        made.parse_object = noting
        made.scan_once = _SCANNERS.py_make_scanner(made)
        return made
