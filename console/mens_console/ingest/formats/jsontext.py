"""JSON as producers write it: strict and fast first, then with NaN, Infinity and broken UTF-8.

Returns plain Python objects; what they mean is decided elsewhere.
"""

from __future__ import annotations

import json
import math
from typing import Any

import orjson

from mens_console.ingest.formats.lines import BOM

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
    """Return the objects a line starts with and, when something else follows them, what is wrong ("" if nothing).

    Several objects on one line are what two unsynchronised writers leave; all of them are read.
    """
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return _leniently(line.removeprefix(BOM).decode("utf-8", "replace"))
    return ([value], "") if type(value) is dict else ([], "not a JSON object")


def _leniently(text: str) -> tuple[list[dict[str, Any]], str]:
    found: list[dict[str, Any]] = []
    text = text.strip()
    at = 0
    while at < len(text):
        try:
            value, at = _LENIENT.raw_decode(text, at)
        except json.JSONDecodeError as error:
            return found, f"not JSON: {error.msg} at column {error.colno}"
        except RecursionError:
            return found, "not JSON: nested too deeply"
        if type(value) is not dict:
            return found, "not a JSON object"
        found.append(value)
        while at < len(text) and text[at].isspace():
            at += 1
    return found, ""
