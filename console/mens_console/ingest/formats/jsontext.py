"""JSON as producers write it: strict and fast first, then with NaN, Infinity and broken UTF-8.

Returns plain Python objects; what they mean is decided elsewhere.
"""

from __future__ import annotations

import json
import math
import re
from itertools import islice
from typing import Any, Final

import orjson

from mens_console.ingest.formats.lines import BOM

_MAX_RESTARTS: Final = 8
"""Places in one torn line where the next object may begin; a line of thousands is no metric."""
_OBJECT: Final = re.compile(r'\{"')
_BEGIN: Final = re.compile(r'\{"[^"]*"?')
_LENIENT = json.JSONDecoder(parse_int=lambda text: _integer(text))


def _integer(text: str) -> int | float:
    """Read an integer of any length: beyond 400 digits it is beyond the floats, and slow to read exactly."""
    if len(text) <= 400:
        return int(text)
    return -math.inf if text.startswith("-") else math.inf


def parse(data: bytes) -> Any:
    """Return the value of a whole JSON text; ValueError when it is none (or none yet)."""
    data = data.removeprefix(BOM)
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass
    try:
        return _LENIENT.decode(data.decode("utf-8", "replace"))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def objects(line: bytes) -> tuple[list[dict[str, Any]], str]:
    """Return the objects of a line and, when something else is in it too, what is wrong ("" if nothing).

    Several objects on one line are what two unsynchronised writers leave; all of them are read. Behind a torn object
    stands what its writer wrote first once it was started again.
    """
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return _leniently(line.removeprefix(BOM).lstrip(b"\0").decode("utf-8", "replace"))
    return ([value], "") if type(value) is dict else ([], "not a JSON object")


def _leniently(text: str) -> tuple[list[dict[str, Any]], str]:
    text = text.strip()
    found, trouble, at = _leading(text)
    return (found + _behind_torn(text, at) if trouble else found), trouble


def _leading(text: str) -> tuple[list[dict[str, Any]], str, int]:
    """Return the objects that `text` begins with, what is wrong with what follows them, and where that begins."""
    found: list[dict[str, Any]] = []
    at = 0
    while at < len(text):
        try:
            value, end = _LENIENT.raw_decode(text, at)
        except json.JSONDecodeError as error:
            return found, f"not JSON: {error.msg} at column {error.colno}", at
        except RecursionError:
            return found, "not JSON: nested too deeply", at
        if type(value) is not dict:
            return found, "not a JSON object", at
        found.append(value)
        at = end
        while at < len(text) and text[at].isspace():
            at += 1
    return found, "", at


def _behind_torn(text: str, at: int) -> list[dict[str, Any]]:
    """Return the objects that end the line behind a torn one that begins at `at`.

    An object behind a colon, comma or bracket is a part of the torn one, unless it begins with the same key.
    """
    begin = _BEGIN.match(text, at)
    if begin is None or not text.endswith("}"):
        return []
    for place in islice(_OBJECT.finditer(text, at + 1), _MAX_RESTARTS):
        inner = text[: place.start()].rstrip()[-1:] in {":", ",", "["}
        if inner and not text.startswith(begin[0], place.start()):
            continue
        found, trouble, _ = _leading(text[place.start() :])
        if not trouble:
            return found
    return []
