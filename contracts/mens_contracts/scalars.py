"""What single values a JSON Schema takes, and in words: what it wants, and why a value is none of that."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from mens_contracts.tally import shown

Test = Callable[[Any], bool]
_NAMES: Final = {"string": "text", "boolean": "true or false", "null": "null", "array": "list", "object": "object"}


class UnsupportedSchemaError(ValueError):
    """The schema says something that is not understood here."""


def kind_of(value: Any) -> str:
    """Return the JSON type of a value; a number that is not finite is one that JSON has not."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number" if math.isfinite(value) else "not finite"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def scalar(part: Mapping[str, Any]) -> Test:
    """Return whether a value is one that this part of a schema takes."""
    if "const" in part or "enum" in part:
        allowed = part.get("enum", [part.get("const")])
        texts = frozenset(one for one in allowed if isinstance(one, str))
        others = [one for one in allowed if not isinstance(one, str)]
        return lambda value: (
            value in texts
            if isinstance(value, str)
            else any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in others)
        )
    match part.get("type"):
        case "string":
            return _text(part)
        case "integer":
            least, most = part.get("minimum", -math.inf), part.get("maximum", math.inf)
            return lambda value: (
                least <= value <= most
                if type(value) is int
                else type(value) is float and value.is_integer() and least <= value <= most
            )
        case "number":
            least, most = part.get("minimum", -math.inf), part.get("maximum", math.inf)
            return lambda value: (
                (type(value) is float or type(value) is int)
                and (least <= value <= most and -math.inf < value < math.inf)
            )
        case "boolean":
            return lambda value: value is True or value is False
        case "null":
            return lambda value: value is None
        case None:
            return lambda value: True
        case other:
            raise UnsupportedSchemaError(f"type {other}")


def _text(part: Mapping[str, Any]) -> Test:
    least = part.get("minLength", 0)
    if "pattern" in part:
        search = re.compile(part["pattern"]).search
        return lambda value: type(value) is str and len(value) >= least and search(value) is not None
    return lambda value: type(value) is str and len(value) >= least


def want_of(parts: list[Mapping[str, Any]], defs: Mapping[str, Any]) -> str:
    """Return in words what the options of a schema take."""
    return listed(list(dict.fromkeys(_want(part, defs) for part in parts)))


def _want(part: Mapping[str, Any], defs: Mapping[str, Any]) -> str:
    if "const" in part or "enum" in part:
        return listed([shown(one) for one in part.get("enum", [part.get("const")])])
    kind = part.get("type")
    if kind in ("integer", "number"):
        word = "whole number" if kind == "integer" else "number"
        least, most = part.get("minimum"), part.get("maximum")
        if least is not None and most is not None:
            return f"{word} {least:g} to {most:g}"
        return word if least is None else f"{word} ≥ {least:g}"
    if kind == "array":
        inner = part.get("items", {})
        return f"list of {_want(inner, defs)}" if inner.get("type") in ("string", "integer", "number") else "list"
    if kind == "object" and isinstance(inner := part.get("additionalProperties"), dict):
        return f"object of {_want(inner, defs)}" if "type" in inner else "object"
    if kind == "string" and "pattern" in part:
        return f"text that matches {part['pattern']}"
    return _NAMES.get(kind or "", "anything")


def got_of(value: Any, parts: list[Mapping[str, Any]]) -> str:
    """Return in words why a value is none that the options take."""
    kind = kind_of(value)
    if (
        kind == "string"
        and _reads_as_number(value)
        and any(part.get("type") in ("integer", "number") for part in parts)
    ):
        return "number as text"
    for part in parts:
        takes = part.get("type")
        if "enum" in part or "const" in part:
            if isinstance(value, str) == isinstance(part.get("enum", [part.get("const")])[0], str):
                return "not one of them"
        elif kind == takes == "string":
            return "text of another form"
        elif takes == kind or (takes == "number" and kind == "integer"):
            return "out of range"
    words = {"integer": "whole number", "number": "number", "not finite": "NaN or infinity"}
    if kind == "number" and any(part.get("type") == "integer" for part in parts):
        return "number that is not whole"
    return words.get(kind) or _NAMES.get(kind, kind)


def _reads_as_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return len(text) < 64


def listed(words: list[str]) -> str:
    """Return words as a sentence lists them: a, b or c."""
    *most, last = words or ["nothing"]
    return f"{', '.join(most)} or {last}" if most else last
