"""How numbers, durations and foreign text read: the one place that formats them, for every face.

Pure functions from values to short plain strings; no colour, no markup and no terminal control enters.
"""

from __future__ import annotations

import math
from typing import Final

_DASH: Final = "—"
_SI: Final = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_ESC_PICTURES: Final = 0x2400


def plain(text: str, limit: int = 200) -> str:
    """Make foreign text safe for a terminal: one line, no control, bidi or zero-width character survives.

    Line breaks and tabs become spaces, other C0 controls their visible pictures (ESC is ``␛``), any other
    unprintable character ``�``; longer than `limit` characters ends in ``…``.
    """
    if len(text) > limit:
        text = text[: max(limit - 1, 0)] + "…"
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _visible(char) for char in text)


def _visible(char: str) -> str:
    code = ord(char)
    if char in "\t\n\r\u2028\u2029\xa0":
        return " "
    if code < 0x20:
        return chr(_ESC_PICTURES + code)
    return "␡" if code == 0x7F else "�"


def number(value: float | None, digits: int = 4) -> str:
    """Format a measurement with `digits` significant digits: ``1.204``, ``3e-05``, ``NaN``, ``—`` for None."""
    if value is None:
        return _DASH
    if not math.isfinite(value):
        return "NaN" if value != value else ("∞" if value > 0 else "-∞")
    if value and not 1e-3 <= abs(value) < 1e6:
        mantissa, exponent = f"{value:.{max(digits - 2, 0)}e}".split("e")
        if "." in mantissa:
            mantissa = mantissa.rstrip("0").rstrip(".")
        return f"{mantissa}e{exponent}"
    text = f"{value:.{digits}g}"
    return f"{value:.0f}" if "e" in text else text


def count(value: float | None) -> str:
    """Format a quantity in three significant digits with an SI letter: ``980``, ``2.31k``, ``12.0k``, ``1.05G``."""
    if value is None or not math.isfinite(value):
        return number(value)
    size = abs(value)
    for unit, letter in _SI:
        if size >= unit * 0.9995:
            scaled = value / unit
            decimals = 2 if abs(scaled) < 9.995 else 1 if abs(scaled) < 99.95 else 0
            return f"{scaled:.{decimals}f}{letter}"
    return f"{value:.0f}" if value == int(value) else f"{value:.3g}"


def rate(value: float | None) -> str:
    """Format a quantity per second: ``2.31k/s``."""
    return _DASH if value is None or not math.isfinite(value) else f"{count(value)}/s"


def size(value: float | None) -> str:
    """Format bytes in decimal units: ``512 B``, ``1.05 GB``."""
    if value is None or not math.isfinite(value):
        return _DASH
    text = count(value)
    return f"{text[:-1]} {text[-1]}B" if text[-1].isalpha() else f"{text} B"


def percent(share: float | None) -> str:
    """Format a share in [0, 1] as a percentage: ``67.5 %``."""
    return _DASH if share is None or not math.isfinite(share) else f"{share * 100:.3g} %"


def against(value: float, threshold: float, unit: str) -> str:
    """Return a value beside its threshold, shares in percent: ``value 12.1, threshold 3 nats``."""
    if unit == "share":
        return f"value {100 * value:.4g} %, threshold {100 * threshold:.4g} %"
    return f"value {number(value)}, threshold {number(threshold)} {unit}".rstrip()


def step(value: int | None) -> str:
    """Format a step with thin groups: ``8 120``."""
    return _DASH if value is None else f"{value:,}".replace(",", " ")


def some(n: int, what: str) -> str:
    """Return ``1 batch``, ``24 batches``, ``3 files``."""
    ending = "" if n == 1 else "es" if what.endswith(("s", "ch", "x")) else "s"
    return f"{step(n)} {what}{ending}"


def one_of(n: int, things: str) -> str:
    """Return ``task`` of 1, ``tasks`` of 24: what is named in the plural, as it reads behind a number."""
    return things.removesuffix("s") if n == 1 else things


def duration(seconds: float | None) -> str:
    """Format a duration compactly for a table cell: ``0.4s``, ``2s``, ``11m``, ``1h12m``, ``3d4h``."""
    return _duration(seconds, "")


def span(seconds: float | None) -> str:
    """Format a duration for a sentence: ``0.4 s``, ``4 s``, ``11 m``, ``1 h 12 m``."""
    return _duration(seconds, " ")


def _duration(seconds: float | None, gap: str) -> str:
    if seconds is None or not math.isfinite(seconds):
        return _DASH
    sign, left = ("-", -seconds) if seconds < 0 else ("", seconds)
    if left < 9.95:
        text = f"{left:.1f}".removesuffix(".0")
        return f"{'' if text == '0' else sign}{text}{gap}s"
    whole = round(left)
    if whole < 60:
        return f"{sign}{whole}{gap}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        tail = f"{gap}{rest}{gap}s" if minutes < 10 and rest else ""
        return f"{sign}{minutes}{gap}m{tail}"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{sign}{hours}{gap}h{gap}{minutes:02d}{gap}m" if minutes else f"{sign}{hours}{gap}h"
    days, hours = divmod(hours, 24)
    return f"{sign}{days}{gap}d{gap}{hours}{gap}h" if hours else f"{sign}{days}{gap}d"
