"""What one file of KPI records told: generations and figures by model, versions, and which fields it carried.

It only gathers; rows become generations in `records`, figures become KPIs in `compute`.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mens_console.kpi.table import Names, Rows
from mens_console.signals.byvalue import ByValue

if TYPE_CHECKING:
    from mens_console.ingest.records import BadLine
    from mens_console.kpi.table import Generation

MAX_FIELDS: Final = 512
"""Names of fields that are remembered of one file."""
MAX_MODELS: Final = 256
"""Models told apart in one file; the generations of further ones are counted as rows that cannot be read."""
BAD_KEPT: Final = 20


@dataclass(frozen=True, slots=True)
class Figure(ByValue):
    """A KPI that came computed: its value over `n` of `of` (None where not told), and where it stands.

    `decides` is false for evidence that may not decide. `at` is when it was made, seconds since the epoch.
    """

    kpi: str
    value: float
    n: int | None
    of: str
    source: str
    reason: str = ""
    decides: bool = True
    interval: tuple[float, float] | None = None
    method: str = ""
    at: float = math.nan


@dataclass(frozen=True, slots=True)
class LaneFigures:
    """A lane of a summary: `lane`, the blend it is of, and its figures by name (leakage, compactness_loss, …)."""

    lane: str
    blend: str
    n: int
    figures: dict[str, Figure]


@dataclass(slots=True, eq=False)
class Told:
    """What a file told of one model."""

    rows: Rows
    figures: list[Figure] = field(default_factory=list)
    lanes: list[LaneFigures] = field(default_factory=list)
    versions: set[str] = field(default_factory=set)
    """Eval sets or prompt packs, name and version, that its generations and figures are of."""
    runs: set[str] = field(default_factory=set)
    """Ids of the runs that trained it, where told."""
    also: set[str] = field(default_factory=set)
    """Other names of it."""
    updated: float = math.nan
    kinds: Counter[str] = field(default_factory=Counter)
    """Records by kind."""


@dataclass(slots=True, eq=False)
class Shard:
    """Everything that one file told so far."""

    path: str
    names: Names
    models: dict[str, Told] = field(default_factory=dict)
    training: dict[str, float] = field(default_factory=dict)
    """Newest values of a training's fields, under the names of `training.WANTED`."""
    spelled: dict[str, str] = field(default_factory=dict)
    """By the field of a contract: the other name under which it came, where it did."""
    fields: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    bad_rows: int = 0
    bad: list[BadLine] = field(default_factory=list)
    run: str = ""
    """Id of the run whose telemetry it is, where it is one's."""

    def told(self, model: str) -> Told | None:
        """Return the place of a model; None where there are too many of them."""
        found = self.models.get(model)
        if found is None and len(self.models) < MAX_MODELS:
            found = self.models[model] = Told(Rows(self.names))
        return found

    def saw(self, kind: str, keys: list[str]) -> None:
        """Count a record of a kind and the fields that it carried."""
        self.rows += 1
        self.kinds[kind] += 1
        for key in keys:
            if key in self.fields or len(self.fields) < MAX_FIELDS:
                self.fields[key] += 1

    def add(self, kind: str, model: str, generation: Generation, at: float) -> None:
        """Take a generation; raises ValueError where the file holds too many models."""
        told = self.told(model)
        if told is None:
            raise ValueError(f"more than {MAX_MODELS} models in one file")
        told.rows.add(generation)
        told.kinds[kind] += 1
        told.updated = later(told.updated, at)


def later(one: float, two: float) -> float:
    """Return the later of two times, NaN only where both are unknown."""
    if math.isnan(one) or math.isnan(two):
        return two if math.isnan(one) else one
    return max(one, two)
