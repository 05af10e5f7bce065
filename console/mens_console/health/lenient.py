"""Rows that the typed decoder refuses, read field by field: NaN literals, numbers as strings, ids of any type.

A field that cannot be read is not measured; the row counts all the same. Pure functions of one line.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
import orjson
from msgspec import Raw

from mens_console.health.attempt import FIELDS, LATEST, NOTHING, OpenRow
from mens_console.health.spelling import FIELD_OF, Spelled

if TYPE_CHECKING:
    from collections.abc import Callable

_LIMIT: Final = 2**53
_OPEN: Final = msgspec.json.Decoder(OpenRow)
_NAMES: Final = msgspec.json.Decoder(dict[str, Raw])
_TYPED: Final[dict[str, msgspec.json.Decoder[Any]]] = {
    name: msgspec.json.Decoder(kind) for name, kind in FIELDS.items() if name not in {"error", "constraint_categories"}
}
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_PRESENT: Final = Raw(b"null")
_BOM: Final = b"\xef\xbb\xbf"


class BadLineError(ValueError):
    """The line is no attempt, and why."""


def read_line(line: bytes) -> dict[str, Any]:
    """Return the readable fields of a line by name, unknown ones as `Raw`. Raises `BadLineError`.

    Scores are a dictionary here. What the typed decoder would read, were the names foreseen, is read by it, so that a
    row gives the same attempt whatever was learned before. A byte order mark may stand before any line: logs that
    each begin with one are put together with `cat`.
    """
    line = line.removeprefix(_BOM)
    try:
        row = _OPEN.decode(line)
        names = _NAMES.decode(line)
    except (ValueError, RecursionError):
        return _read_loosely(line)
    values = {name: value for name in FIELDS if (value := getattr(row, name)) is not NOTHING[name]}
    values.update((name, _further(name, raw)) for name, raw in names.items() if name not in FIELDS)
    return values


def _further(name: str, raw: Raw) -> Any:
    """Return what a field of no contract says: that it is there, and where its name means one of them, its value."""
    return Spelled(read_value(FIELD_OF[name], raw)) if name in FIELD_OF else _PRESENT


def read_value(field: str, raw: Raw) -> Any:
    """Return what JSON says of a field, as under its own name; `NOTHING` of it where that cannot be read."""
    try:
        value = _TYPED[field].decode(raw)
    except (KeyError, ValueError, RecursionError):
        try:
            reader: Callable[[Any], Any] = _READERS.get(field, _present)
            value = reader(_loads(bytes(raw)))
        except BadLineError:
            return NOTHING[field]
    return NOTHING[field] if value is None else value


def _read_loosely(line: bytes) -> dict[str, Any]:
    record = _parse(line)
    values: dict[str, Any] = {}
    for name, value in record.items():
        meant = FIELD_OF.get(name, name)
        reader: Callable[[Any], Any] = _READERS.get(meant, _present)
        read = reader(value)
        if name in FIELD_OF:
            read = Spelled(NOTHING[meant] if read is None else read)
        if read is not None:
            values[_clean(name)] = read
    return values


def _parse(line: bytes) -> dict[str, Any]:
    record = _loads(line)
    if not isinstance(record, dict):
        raise BadLineError("JSON, but not an object")
    return record


def _loads(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except ValueError:
        return _parse_nan(text)


_FOREIGN: Final = (
    (b"\x1f\x8b", "compressed (gzip): name it .gz"),
    (b"\xff\xfe", "UTF-16: write it as UTF-8"),
    (b"\xfe\xff", "UTF-16: write it as UTF-8"),
    (b"{\0", "UTF-16: write it as UTF-8"),
    (b"\0{", "UTF-16: write it as UTF-8"),
)


def _parse_nan(line: bytes) -> Any:
    """Parse what may hold NaN, or bytes that are no UTF-8: the attempt was made all the same."""
    for mark, why in _FOREIGN:
        if line.startswith(mark):
            raise BadLineError(why)
    try:
        return json.loads(line.decode("utf-8", "replace"))
    except RecursionError:
        raise BadLineError("nested too deeply") from None
    except ValueError as error:
        what = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise BadLineError(f"not JSON: {what}") from None


def _number(value: Any) -> int | float | None:
    if isinstance(value, str):
        value = _spelled(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if -_LIMIT <= value <= _LIMIT else None


def _spelled(text: str) -> int | float | None:
    if len(text) > 40 or "_" in text:
        return None
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return None


def _whole(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number == int(number) else None


def _score(value: Any) -> float | None:
    number = _number(value)
    return None if number is None else float(number)


def _scores(value: Any) -> dict[str, float | None] | None:
    return {_clean(name): _score(score) for name, score in value.items()} if isinstance(value, dict) else None


def _text(value: Any) -> str | None:
    return _clean(value) if isinstance(value, str) else None


def _name(value: Any) -> str | int | None:
    if isinstance(value, str):
        return _clean(value)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and -_LIMIT <= value <= _LIMIT):
        return value
    return _clean(json.dumps(value, sort_keys=True, ensure_ascii=False))


def _texts(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, list):
        return None
    return tuple(item if isinstance(item, str) else str(item) for item in map(_name, value) if item is not None)


def _time(value: Any) -> datetime | float | None:
    if isinstance(value, str):
        value = _iso(value.strip()) or _spelled(value)
    if isinstance(value, datetime) or value is None:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if -LATEST <= value <= LATEST else None


def _iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if len(text) >= 10 and text[4:5] == "-" else None
    except ValueError:
        return None


def _error(value: Any) -> str:
    """Return that there is an error, in whatever form, or none: both are told."""
    return value if isinstance(value, str) else ""


def _present(value: Any) -> Raw:
    del value
    return _PRESENT


def _clean(text: str) -> str:
    """Return text that can be encoded: a lone surrogate, which JSON can spell, becomes U+FFFD."""
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "ts": _time,
    "run_id": _name,
    "persona_id": _name,
    "stage": _text,
    "attempt": _whole,
    "status": _text,
    "latency_ms": _number,
    "prompt_tokens": _whole,
    "completion_tokens": _whole,
    "repairs": _texts,
    "validator_scores": _scores,
    "opening_move": _text,
    "anchors_used": _texts,
    "error": _error,
}


def seconds(time: datetime | float) -> float:
    """Return seconds since the epoch: a time without an offset is UTC; numbers may be ms, µs or ns as well."""
    if isinstance(time, datetime):
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    size = abs(time)
    return time / (1.0 if size < 1e11 else 1e3 if size < 1e14 else 1e6 if size < 1e17 else 1e9)
