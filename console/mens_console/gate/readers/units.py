"""Units of evidence, and what one is in another. An unknown unit is never guessed.

Pure functions; the units of metrics are in `mens_console.gate.metrics`.
"""

from __future__ import annotations

from typing import Final

_TIME: Final = {
    "ns": 1e-6, "nanoseconds": 1e-6, "us": 1e-3, "µs": 1e-3, "microseconds": 1e-3, "ms": 1.0, "millisecond": 1.0,
    "milliseconds": 1.0, "s": 1e3, "sec": 1e3, "second": 1e3, "seconds": 1e3, "min": 6e4, "minutes": 6e4, "h": 3.6e6,
    "hour": 3.6e6, "hours": 3.6e6,
}  # fmt: skip
_MEMORY: Final = {
    "b": 1.0, "byte": 1.0, "bytes": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2.0**10, "mib": 2.0**20,
    "gib": 2.0**30,
}  # fmt: skip
_SHARE: Final = {"%": 1.0, "percent": 1.0, "pct": 1.0, "share": 100.0, "ratio": 100.0, "fraction": 100.0}
_RATE: Final = dict.fromkeys(("tokens/s", "token/s", "tok/s", "tokens/sec", "tokens/second", "tok/sec", "tokens_per_s",
                              "tokens_per_sec"), 1.0)  # fmt: skip
_POINTS: Final = {"points": 1.0, "pp": 1.0, "point": 1.0, "percentage points": 1.0}
_FAMILIES: Final = (_TIME, _MEMORY, _SHARE, _RATE, _POINTS)


def factor(unit: str, wanted: str) -> float | None:
    """Return what a value in `unit` is multiplied with to be in `wanted`; None where the two do not belong together.

    Case matters only where it makes another unit: `Gb` (bits) is not known.
    """
    if unit == wanted:
        return 1.0
    mine = _key(unit)
    target = _key(wanted)
    for family in _FAMILIES:
        if mine in family and target in family:
            return family[mine] / family[target]
    return None


def _key(unit: str) -> str:
    """Return a unit as the tables have it; bits and mega-seconds become nothing."""
    unit = unit.strip()
    if unit in {"Gb", "Mb", "kb", "Kb", "b", "Ms"}:
        return ""
    return unit.lower()
