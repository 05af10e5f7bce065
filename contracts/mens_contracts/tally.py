"""What differs from a contract, counted by field, with the first lines where it does. No I/O and no schema in here.

Memory is bounded: names and kinds beyond a number are counted together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

LINES: Final = 3
"""Line numbers kept of each finding, the first ones."""
MOST_UNKNOWN: Final = 1000
"""Unknown fields that are counted by name."""
_MOST_KINDS: Final = 12
_LONGEST: Final = 120


@dataclass(slots=True)
class Spot:
    """How often something was found, the first lines where, and how it looked there first."""

    count: int = 0
    lines: list[int] = field(default_factory=list)
    sample: str = ""

    def add(self, count: int, lines: list[int], sample: str = "") -> None:
        """Count more of it; `lines` are its first ones among those."""
        first = not self.count or bool(lines and self.lines and lines[0] < self.lines[0])
        self.count += count
        if len(self.lines) < LINES or (lines and lines[0] < self.lines[-1]):
            self.lines = sorted({*self.lines, *lines})[:LINES]
        if sample and (first or not self.sample):
            self.sample = sample


@dataclass(slots=True)
class Field:
    """One field of a contract: what it wants, in how many objects it could stand, and what was found instead."""

    path: str
    want: str
    required: bool
    about: str = ""
    objects: int = 0
    missing: Spot = field(default_factory=Spot)
    aliased: dict[str, Spot] = field(default_factory=dict)
    wrong: dict[str, Spot] = field(default_factory=dict)

    @property
    def present(self) -> int:
        """Objects that carry it under its own name."""
        return self.objects - self.missing.count - sum(spot.count for spot in self.aliased.values())

    def add_wrong(self, got: str, line: int, value: object) -> None:
        """Count a value that is not what the contract wants."""
        known = got if got in self.wrong or len(self.wrong) < _MOST_KINDS else "something else"
        spot = self.wrong.setdefault(known, Spot())
        spot.count += 1
        if len(spot.lines) < LINES and line not in spot.lines:
            spot.lines.append(line)
        if not spot.sample:
            spot.sample = shown(value)


@dataclass(slots=True)
class Unknown:
    """A field that the contract does not know, and the one of the same object that its name is most like."""

    path: str
    spot: Spot = field(default_factory=Spot)
    nearest: str = ""
    instead: bool = True
    """Whether the nearest field is missing wherever this one stands, and the names are much alike: a drifted name."""
    refused: bool = False
    """Whether the contract is closed."""


@dataclass(slots=True)
class Tally:
    """All findings of one contract in one file."""

    fields: dict[str, Field] = field(default_factory=dict)
    unknown: dict[str, Unknown] = field(default_factory=dict)
    unlisted: int = 0
    """Unknown fields beyond those that are counted by name, objects by object."""
    objects: int = 0

    def field_at(self, path: str, want: str, *, required: bool, about: str = "") -> Field:
        """Return the counts of a field, made where there are none."""
        return self.fields.setdefault(path, Field(path, want, required, about))

    def unknown_at(self, path: str, *, refused: bool) -> Unknown | None:
        """Return the counts of a field that the contract does not know, None where too many are counted already."""
        if path not in self.unknown:
            if len(self.unknown) >= MOST_UNKNOWN:
                return None
            self.unknown[path] = Unknown(path, refused=refused)
        return self.unknown[path]

    @property
    def faults(self) -> int:
        """Findings for which the file does not fit: see `docs/contracts.md`."""
        of_fields = sum(
            (one.missing.count if one.required else 0)
            + sum(spot.count for spot in (*one.aliased.values(), *one.wrong.values()))
            for one in self.fields.values()
        )
        return of_fields + sum(one.spot.count for one in self.unknown.values() if one.instead or one.refused)


def shown(value: object) -> str:
    """Return a value as JSON would have it, shortened; it is untrusted text still."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict):
        return f"{{{', '.join(map(str, list(value)[:4]))[: _LONGEST - 2]}}}"
    if isinstance(value, list):
        return f"[{len(value)} items]"
    text = f'"{value[:_LONGEST]}"' if isinstance(value, str) else str(value)
    return text[:_LONGEST]
