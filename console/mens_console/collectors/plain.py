"""Values of a trainer made plain: whatever it hands over becomes JSON that every reader takes, and nothing raises.

Numbers that are not finite are the strings "NaN", "Infinity" and "-Infinity"; no file is written here.
"""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Iterable, Mapping
from typing import Any, Final

_DEPTH: Final = 12
_TEXT: Final = 10_000
_ITEMS: Final = 100_000
_BIG: Final = 1 << 63


def encode(value: object) -> bytes:
    """Return `value` as one line of JSON in ASCII, without the newline; numbers at full precision.

    In an `array` NaN means that nothing was measured, and is null; its numbers come from single precision, of which
    nine digits say all.
    """
    return json.dumps(plain(value), allow_nan=False, separators=(",", ":")).encode("ascii")


def plain(value: Any, depth: int = _DEPTH) -> Any:
    """Return `value` as nothing but dicts, lists, text, finite numbers, booleans and None."""
    kind = type(value)
    if kind is float:
        return value if value - value == 0.0 else spelled(value)
    if kind is bool or value is None:
        return value
    if kind is int:
        return value if -_BIG <= value < _BIG else text(value)
    if kind is str:
        return text(value)
    if depth <= 0:
        return "…"
    if isinstance(value, array):
        return _column(value)
    if isinstance(value, Mapping):
        return {text(key): plain(item, depth - 1) for key, item in list(value.items())[:_ITEMS]}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item, depth - 1) for item in list(value)[:_ITEMS]]
    return _odd(value)


def spelled(value: float) -> str:
    """Return the word for a number that is not finite."""
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def _column(values: Iterable[Any]) -> list[Any]:
    return [float(f"{x:.9g}") if x - x == 0 else (None if x != x else spelled(x)) for x in values]


def _odd(value: Any) -> Any:
    """Return a subclass or a stranger (a path, a tensor of one element, an enum) as what it stands for."""
    if isinstance(value, str | int) and not isinstance(value, bool):
        return plain(str(value) if isinstance(value, str) else int(value))
    found = number(value)
    return text(value) if found is None else plain(found)


def text(value: object) -> str:
    """Return `value` as text that UTF-8 can say, at most 10 000 characters."""
    try:
        found = str(value)
    except Exception:  # noqa: BLE001 - a foreign __str__ may do anything, and the row matters more
        return f"<unprintable {type(value).__name__}>"
    if len(found) > _TEXT:
        found = found[: _TEXT - 1] + "…"
    return found if found.isascii() else found.encode("utf-8", "replace").decode("utf-8")


def number(value: object) -> float | None:
    """Return a foreign number (also a tensor of one element, which waits for its device) as a float, else None."""
    if type(value) is float:
        return value
    if value is None or isinstance(value, str | bytes | bool):
        return None
    try:
        return float(value)  # type: ignore[arg-type]
    except OverflowError:
        return math.inf
    except Exception:  # noqa: BLE001 - a foreign __float__ may do anything: it is no number then
        return None


def flat(settings: Mapping[str, object], depth: int = 3, prefix: str = "") -> dict[str, object]:
    """Return the words and numbers of nested settings, keys joined by "/"; short lists of scalars become text."""
    found: dict[str, object] = {}
    for key, value in settings.items():
        name = f"{prefix}{text(key)}"
        if isinstance(value, Mapping):
            if depth > 1:
                found |= flat(value, depth - 1, f"{name}/")
        elif isinstance(value, list | tuple | set | frozenset):
            items = sorted(map(text, value)) if isinstance(value, set | frozenset) else list(map(text, value))
            if len(items) <= 64:
                found[name] = ", ".join(items)
        elif value is not None:
            found[name] = value if isinstance(value, bool | int | float) else text(value)
    return found
