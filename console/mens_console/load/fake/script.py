"""What is wrong with the fake server when: a timeline in TOML.

`[knobs]` sets any of `Knobs`. Each `[[at]]` has `from` and `to` (seconds since the server began, or text such as
"1.5m"), `what` (one of `WHATS`), and that one's own keys:

[[at]]
from = "5m"
to = 330
what = "down"
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mens_console.config.toml import TomlError, line_of, parse_toml, read_bytes
from mens_console.load.fake.knobs import KnobError, Knobs, knobs_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

WHATS: Final[dict[str, tuple[str, ...]]] = {
    "down": (),
    "unavailable": ("status",),
    "errors": ("status", "rate"),
    "stall": ("health",),
    "slow": ("factor",),
    "cut": ("rate",),
    "empty": ("rate",),
    "malformed": ("rate",),
    "reset": ("rate",),
    "leak": ("bytes", "kv"),
}
"""What can be wrong, with its own keys. `unavailable`: everything, health too, answers with the status. `stall`: not
a byte of any answer is written (of health neither, with `health = true`). `slow`: all times `factor`. `reset`: the
connection breaks before a status."""
_TIME: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class ScriptError(ValueError):
    """The script cannot be read; the message names file, line and cure."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that is wrong from `begin` until before `end` (seconds since the server began)."""

    begin: float
    end: float
    what: str
    rate: float = 1.0
    status: int = 503
    factor: float = 4.0
    bytes: int = 0
    kv: float = 0.0
    health: bool = False


@dataclass(frozen=True, slots=True)
class Script:
    """The entries, in the order of their beginning."""

    entries: tuple[Entry, ...] = ()

    def now(self, at: float, *whats: str) -> list[Entry]:
        """Return what of that kind is wrong at that second."""
        return [one for one in self.entries if one.begin <= at < one.end and one.what in whats]

    def until(self, at: float, *whats: str, health: bool = False) -> float:
        """Return when nothing of that kind is wrong any more, `at` where nothing is; entries that touch are one."""
        end = at
        while found := [one.end for one in self.now(end, *whats) if one.health or not health]:
            end = max(found)
        return end

    def downs(self) -> list[tuple[float, float]]:
        """Return the times in which the server is down, those that touch as one."""
        spans: list[tuple[float, float]] = []
        for one in sorted((one.begin, one.end) for one in self.entries if one.what == "down"):
            if spans and one[0] <= spans[-1][1]:
                spans[-1] = (spans[-1][0], max(spans[-1][1], one[1]))
            else:
                spans.append(one)
        return spans


def with_slow_start(script: Script, knobs: Knobs) -> Script:
    """Return the script with what the slow start does before it."""
    if not knobs.slow_start_s:
        return script
    what = "down" if knobs.slow_start == "refuse" else "unavailable"
    return Script((Entry(0.0, knobs.slow_start_s, what), *script.entries))


def read_script(path: Path, base: Knobs | None = None) -> tuple[Knobs, Script]:
    """Return the knobs and the timeline of a file. Raises `ScriptError`."""
    try:
        return parse_script(read_bytes(path), str(path), base)
    except FileNotFoundError:
        raise ScriptError(f"{path}: no such file; name a script in TOML") from None
    except TomlError as error:
        raise ScriptError(str(error)) from None


def parse_script(raw: bytes, origin: str = "script", base: Knobs | None = None) -> tuple[Knobs, Script]:
    """Return the knobs and the timeline of bytes that were read from `origin`. Raises `ScriptError`."""
    try:
        values, text = parse_toml(raw, origin)
    except TomlError as error:
        raise ScriptError(str(error)) from None

    def wrong(key: tuple[str, ...], reason: str) -> ScriptError:
        line = line_of(text, key)
        return ScriptError(f"{origin}{f':{line}' if line else ''}: {reason}")

    if unknown := set(values) - {"knobs", "at"}:
        name = sorted(unknown)[0]
        raise wrong((name,), f"{name} is unknown; a script has [knobs] and [[at]]")
    set_so, rows = values.get("knobs", {}), values.get("at", [])
    if not isinstance(set_so, dict) or not isinstance(rows, list):
        raise wrong(("knobs",), "write [knobs] once, and [[at]] for each thing that is wrong")
    try:
        knobs = knobs_of(set_so, base)
    except KnobError as error:
        raise wrong(("knobs", error.key), str(error)) from None
    entries = []
    for number, row in enumerate(rows):
        try:
            entries.append(_entry(row))
        except KnobError as error:
            raise wrong(("at", str(number), error.key), str(error)) from None
    return knobs, Script(tuple(sorted(entries, key=lambda one: one.begin)))


def _entry(row: Any) -> Entry:
    if not isinstance(row, dict):
        raise KnobError("what", "an entry is a table: [[at]] with from, to and what")
    what = row.get("what")
    if not isinstance(what, str) or what not in WHATS:
        raise KnobError("what", f"what is {what!r}; give one of {', '.join(WHATS)}")
    allowed = {"from", "to", "what", *WHATS[what]}
    for key in row:
        if key not in allowed:
            raise KnobError(key, f"{what} has no {key}; it has {', '.join(sorted(allowed))}")
    begin, end = _seconds(row, "from"), _seconds(row, "to")
    if end <= begin:
        raise KnobError("to", f"it ends at {end:g} s, not after its beginning at {begin:g} s")
    return Entry(begin, end, what, **_rest(row))


def _rest(row: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    limits = {"rate": (0, 1), "kv": (0, 1), "factor": (0, 1e6), "status": (300, 599), "bytes": (0, 1 << 34)}
    for key, (least, most) in limits.items():
        if key in row:
            value = row[key]
            whole = key in ("status", "bytes")
            if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
                raise KnobError(key, f"{key} is {value!r}; give a number")
            if not least <= value <= most:
                raise KnobError(key, f"{key} is {value}; give {least:g} to {most:g}")
            made[key] = value if whole else float(value)
    if "health" in row:
        if not isinstance(row["health"], bool):
            raise KnobError("health", f"health is {row['health']!r}; give true or false")
        made["health"] = row["health"]
    return made


def _seconds(row: Mapping[str, Any], key: str) -> float:
    value = row.get(key)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9:
        return float(value)
    if isinstance(value, str) and (match := _TIME.fullmatch(value.strip())):
        return float(match[1]) * _UNITS[match[2]]
    raise KnobError(key, f'{key} is {value!r}; give seconds since the start, such as 90 or "1.5m"')
