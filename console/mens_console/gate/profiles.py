"""Profiles of the gate: TOML files that were shipped or that somebody wrote, read into criteria.

What cannot be understood raises `ProfileError` with file, line and key of each fault; whether what was understood makes
sense is the linter's (`lint`).
"""

from __future__ import annotations

import hashlib
import math
import os
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from mens_console.config.settings import Problem
from mens_console.config.toml import TomlError, line_of, parse_toml, read_bytes
from mens_console.gate.bands import CURE, BandError, parse
from mens_console.gate.metrics import METRICS
from mens_console.gate.types import Band, Baseline, Check, Criterion, Profile
from mens_console.ingest.text import safe_text
from mens_contracts.gate_profile import (
    BaselineTable,
    CheckTable,
    CriterionTable,
    ProfileTable,
    RequiredTable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import BaseModel

FOLDER: Final = Path(__file__).parent / "profiles"
_SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_TABLES: Final[Mapping[str, type[BaseModel]]] = {
    "criteria": CriterionTable,
    "requires": RequiredTable,
    "baseline": BaselineTable,
    "checklist": CheckTable,
}
MANUAL: Final = "checklist"
"""The dimension of what a person marks."""


class ProfileError(Exception):
    """A profile is not there, or cannot be understood.

    `problems` name file, line, key, what is wrong and the cure. `readable` says whether it is TOML at all.
    """

    def __init__(self, problems: Sequence[Problem], *, readable: bool = False) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)
        self.readable = readable


def shipped() -> dict[str, Path]:
    """Return the profiles that come with the program, by id."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.toml"))}


def load(name: str | Path) -> Profile:
    """Return the profile of a path, or of a shipped one's id. Raises `ProfileError`.

    A word without a slash and without `.toml` is an id; a file that is called as one is named by `./id`.
    """
    known = shipped()
    path = Path(name).expanduser()
    if isinstance(name, str) and os.sep not in name and path.suffix != ".toml":
        if name not in known:
            near = get_close_matches(name, known, n=1)
            cure = f"did you mean {near[0]}?" if near else f"shipped are {', '.join(known)}; a file ends in .toml"
            raise ProfileError([Problem(safe_text(name, 200), None, "", "no such profile", cure)])
        path = known[name]
    return _read(path)


def _read(path: Path) -> Profile:
    origin = str(path)
    try:
        raw = read_bytes(path)
        values, text = parse_toml(raw, origin)
    except FileNotFoundError:
        cure = "name a file that exists, or a shipped profile (`mens-console gate list`)"
        raise ProfileError([Problem(origin, None, "", "no such file", cure)]) from None
    except TomlError as error:
        raise ProfileError([error.problem]) from None
    except (RecursionError, ValueError):  # nested without end, or a number of thousands of digits
        raise ProfileError([Problem(origin, None, "", "not TOML that can be read", "write it plainly")]) from None
    return parsed(values, text, origin, hashlib.sha256(raw).hexdigest())


def parsed(values: dict[str, Any], text: str, origin: str, sha256: str) -> Profile:
    """Return the profile that the values of a TOML document mean. Raises `ProfileError`."""
    try:
        table = ProfileTable.model_validate(values, strict=True)
    except ValidationError as error:
        told = [_explained(item, text, origin) for item in error.errors(include_url=False)]
        raise ProfileError(told, readable=True) from None
    problems: list[Problem] = []
    sections = _sections(text)
    criteria = tuple(
        _criterion(one, _Place(origin, text, ("criteria", str(number)), problems), sections.get(number, ""))
        for number, one in enumerate(table.criteria)
    )
    if problems:
        raise ProfileError(problems, readable=True)
    return Profile(
        id=table.id,
        title=safe_text(table.title),
        criteria=criteria,
        approvals=table.approvals,
        conditional_passes=table.conditional_passes,
        unsigned=table.unsigned,
        allowed_signers=table.allowed_signers,
        sha256=sha256,
        path=origin,
        description=safe_text(table.description, 2000),
        checklist=tuple(Check(safe_text(one.title), tuple(map(safe_text, one.criteria))) for one in table.checklist),
        template=table.template,
        text=text,
    )


class _Place:
    """Where in the file something stands; bands are read here, so that what is wrong in them is told with its line."""

    def __init__(self, origin: str, text: str, key: tuple[str, ...], problems: list[Problem]) -> None:
        self._origin, self._text, self._key, self._problems = origin, text, key, problems

    def under(self, *key: str) -> _Place:
        """Return the place of a key below."""
        return _Place(self._origin, self._text, (*self._key, *key), self._problems)

    def band(self, name: str, expression: str | None) -> Band | None:
        """Return what an expression means; None where there is none, or where it was found wrong."""
        if expression is None:
            return None
        try:
            return parse(expression)
        except BandError as error:
            self.wrong(name, f"{safe_text(expression, 80)!r}: {error}", CURE)
            return None

    def wrong(self, name: str, message: str, cure: str) -> None:
        """Tell of a fault of one key."""
        key = (*self._key, name)
        self._problems.append(Problem(self._origin, line_of(self._text, key), ".".join(key), message, cure))


def _criterion(table: CriterionTable, place: _Place, section: str) -> Criterion:
    metric = METRICS.get(table.metric)
    return Criterion(
        id=table.id,
        title=safe_text(table.title),
        dimension=safe_text(table.dimension) or (MANUAL if table.manual else metric.dimension if metric else ""),
        metric=safe_text(table.metric),
        unit=safe_text(table.unit),
        passes=place.band("pass", table.passes),
        conditional=place.band("conditional", table.conditional),
        requires=tuple(
            found
            for number, one in enumerate(table.requires)
            if (found := _required(one, place.under("requires", str(number)))) is not None
        ),
        where={safe_text(name): safe_text(value) for name, value in table.where.items()},
        min_n=table.min_n,
        max_age_s=seconds(table.max_age) if table.max_age else math.inf,
        decide_on=table.decide_on,
        baseline=_baseline(table.baseline),
        manual=table.manual,
        remedy=safe_text(table.remedy, 2000),
        note=safe_text(table.note, 2000),
        text=section,
        fails=place.band("fail", table.fails),
        statistic=table.statistic or "",
        decides=table.decides,
    )


def _required(table: RequiredTable, place: _Place) -> tuple[str, Band, Band | None] | None:
    metric = METRICS.get(table.metric)
    if metric is not None and table.unit and table.unit != metric.unit:
        place.wrong(
            "unit", f"{table.metric} is in {metric.unit}, not in {safe_text(table.unit, 40)}", "convert the bands"
        )
    passes, conditional = place.band("pass", table.passes), place.band("conditional", table.conditional)
    return None if passes is None else (safe_text(table.metric), passes, conditional)


def _baseline(table: BaselineTable | None) -> Baseline | None:
    return None if table is None else Baseline(table.path, table.sha256, table.margin, table.relative)


def seconds(text: str) -> float:
    """Return a time such as 72h or 7d in seconds; the model has checked its form."""
    return float(text[:-1]) * _SECONDS[text[-1]]


def _sections(text: str) -> dict[int, str]:
    """Return the lines of each `[[criteria]]` table, by its number, as the file has them."""
    found: dict[int, list[str]] = {}
    current: list[str] | None = None
    for line in text.splitlines():
        start = line.strip()
        if start.startswith("[[criteria]]"):
            current = found.setdefault(len(found), [])
        elif start.startswith("[[checklist") or (
            start.startswith("[") and start.endswith("]") and "criteria" not in start
        ):
            current = None
        if current is not None:
            current.append(safe_text(line, 2000))
    return {number: "\n".join(lines).strip() for number, lines in found.items()}


def _explained(item: Any, text: str, origin: str) -> Problem:
    """Return what the model found wrong as one problem with its line and cure."""
    key = tuple(map(str, item["loc"]))
    dotted = safe_text(".".join(key), 200)
    line = line_of(text, key)
    if item["type"] == "extra_forbidden":
        table = next((_TABLES[part] for part in reversed(key[:-1]) if part in _TABLES), ProfileTable)
        known = [field.alias or name for name, field in table.model_fields.items()]
        near = get_close_matches(key[-1], known, n=1)
        cure = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
        return Problem(origin, line, dotted, "unknown key", cure)
    if item["type"] == "missing":
        return Problem(origin, line, dotted, "it is missing", f"add {key[-1]} = …")
    message = str(item["msg"])
    return Problem(origin, line, dotted, message[:1].lower() + message[1:], "correct the value")
