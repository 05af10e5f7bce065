"""The product KPIs as values: which tier they belong to, what they may be used for, and what a report of them holds.

Types alone: records are read in `mens_console.kpi`, the figures computed there too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from mens_console.signals.byvalue import ByValue

Role = Literal["decides", "explains", "context only"]
ROLES: Final[Mapping[int, Role]] = {1: "decides", 2: "explains", 3: "context only"}


@dataclass(frozen=True, slots=True)
class KpiValue(ByValue):
    """One KPI of one model: `value` over `n` of `of` (tasks, requests, tokens), with its 95 % interval.

    `value` is NaN where nothing feeds it; `reason` then says what is missing, and otherwise what weakens it. `decides`
    is false for a tier 1 KPI whose evidence may not decide (token counts by whitespace). `source` names the records.
    """

    id: str
    name: str
    tier: int
    unit: str
    better: Literal["higher", "lower", "neither"]
    value: float = math.nan
    n: int = 0
    of: str = ""
    interval: tuple[float, float] | None = None
    method: str = ""
    source: str = ""
    reason: str = ""
    decides: bool = True
    definition: str = ""

    @property
    def role(self) -> Role:
        """What it may be used for."""
        role = ROLES[self.tier]
        return role if role != "decides" or self.decides else "context only"


@dataclass(frozen=True, slots=True)
class Category:
    """How often a class of diagnostics occurred, and in how many tasks."""

    name: str
    diagnostics: int
    tasks: int


@dataclass(frozen=True, slots=True)
class Lane:
    """Contamination of one lane: shares of its outputs with prose in code, its compactness, its repair burden."""

    name: str
    n: int
    leakage: KpiValue
    compactness_loss: KpiValue
    repair_burden: KpiValue


@dataclass(frozen=True, slots=True)
class ModelKpis(ByValue):
    """The KPIs of one model or condition."""

    model: str
    values: tuple[KpiValue, ...]
    categories: tuple[Category, ...] = ()
    lanes: tuple[Lane, ...] = ()
    tasks: int = 0
    updated: float = math.nan

    def get(self, kpi: str) -> KpiValue | None:
        """Return one KPI by its id."""
        return next((value for value in self.values if value.id == kpi), None)


@dataclass(frozen=True, slots=True)
class KpiDelta(ByValue):
    """A KPI of one model against another's: the difference, its 95 % interval, and whether items were paired."""

    id: str
    base: float
    other: float
    difference: float
    interval: tuple[float, float] | None
    n: int
    paired: bool
    verdict: Literal["better", "worse", "undecided", "nodata"]
    method: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Feed:
    """Who feeds a reader: the field a panel or criterion wants, the producer's field that came, under which alias.

    `state` is `fed`, `alias` (another name is known to mean it) or `underfed`, where `nearest` is the most similar
    field that was seen in `source`, if any.
    """

    reader: str
    wants: str
    state: Literal["fed", "alias", "underfed"]
    field: str = ""
    source: str = ""
    rows: int = 0
    nearest: str = ""


@dataclass(frozen=True, slots=True)
class KpiSource(ByValue):
    """One file of KPI records as far as it was read."""

    path: str
    kind: str
    rows: int
    bad_rows: int = 0
    problem: str | None = None
    updated: float = math.nan


@dataclass(frozen=True, slots=True)
class KpiReport(ByValue):
    """The KPIs of all models found, newest first, the files they came from, and who feeds which reader."""

    models: tuple[ModelKpis, ...] = ()
    sources: tuple[KpiSource, ...] = ()
    feeds: tuple[Feed, ...] = ()
    problems: tuple[str, ...] = ()
    rev: int = 0
    extra: Mapping[str, float] = field(default_factory=dict)
    compare: Callable[[str, str], tuple[KpiDelta, ...]] | None = field(default=None, compare=False, repr=False)
    """Compares the model named second with the one named first, item by item where both were given the same items.

    It works on what the report was made of, costs up to a second, and may be called on any thread.
    """
    conflict: Callable[[str, str], str] | None = field(default=None, compare=False, repr=False)
    """Says why two models ought not to be compared (their evidence is of different sets of tasks), or ""."""
