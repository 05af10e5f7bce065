"""The mergeable count of some attempts of one group: exact, so that any split and any order of merging gives the same.

Counts are integers; latencies and scores are kept as they are until there are very many, then as counts of values and
as exact sums. What follows from a count is computed in `figures`, nowhere else.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from datetime import datetime
from itertools import chain, repeat
from operator import gt, is_not, mul
from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET, Struct, field
from msgspec.structs import astuple

from mens_console.health.attempt import ABSENT, FIELDS
from mens_console.health.lenient import seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mens_console.health.attempt import Layout, Row

MANY: Final = 1 << 16
"""Values that are kept one by one; more are compacted."""
MOST_VALIDATORS: Final = 1024
"""Validators of one group whose scores are kept."""
CROWD: Final = 1 << 18
"""Different anchors, and personas, that are told apart in one group."""


class Sums(Struct):
    """The scores of one validator: those kept one by one, and the exact sums (of values and of squares) of others."""

    values: list[float] = field(default_factory=list)
    n: int = 0
    total: list[float] = field(default_factory=list)
    squares: list[float] = field(default_factory=list)

    def merge(self, other: Sums) -> None:
        """Add another's scores."""
        self.values.extend(other.values)
        self.n += other.n
        self.total = exact_sum([*self.total, *other.total])
        self.squares = exact_sum([*self.squares, *other.squares])
        if len(self.values) > MANY:
            self.n += len(self.values)
            self.total = exact_sum([*self.total, *self.values])
            self.squares = exact_sum([*self.squares, *map(mul, self.values, self.values)])
            self.values = []

    def moments(self) -> tuple[int, float, float]:
        """Return the number of scores, their sum and the sum of their squares, each rounded once."""
        values = self.values
        total = math.fsum(chain(self.total, values))
        return self.n + len(values), total, math.fsum(chain(self.squares, map(mul, values, values)))


class Partial(Struct):
    """Attempts of one group, counted. `seen` holds (persona, stage, attempt) of the `keyed` attempts with a persona."""

    n: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    stages: dict[str, int] = field(default_factory=dict)
    repaired: int = 0
    repairs: dict[str, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    """Latencies in ms, whole ones as integers."""
    latency_counts: dict[float, int] = field(default_factory=dict)
    """Further latencies, by value."""
    scores: dict[str, Sums] = field(default_factory=dict)
    openings: dict[str, int] = field(default_factory=dict)
    anchors: dict[str, int] = field(default_factory=dict)
    keyed: int = 0
    personas: set[str] = field(default_factory=set)
    seen: set[tuple[str, str | None, int | None]] = field(default_factory=set)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    started: float = math.inf
    ended: float = -math.inf
    first_ts: float | None = None
    """Time of the earliest attempt in file order that has one; `last_ts` of the latest."""
    last_ts: float | None = None
    clock_back: int = 0
    """Attempts older than the one before them, both in here."""
    first: tuple[str, int] | None = None
    measured: dict[str, int] = field(default_factory=dict)
    crowded: set[str] = field(default_factory=set)
    """What was too much and was given up: `anchors`, `personas`, `repeats` of attempts, `validators`."""

    def merge(self, other: Partial) -> None:
        """Add the attempts that follow these in the run. The other is used up."""
        self.n += other.n
        for mine, others in (
            (self.statuses, other.statuses), (self.stages, other.stages), (self.repairs, other.repairs),
            (self.openings, other.openings), (self.anchors, other.anchors), (self.measured, other.measured),
        ):  # fmt: skip
            add_counts(mine, others)
        self.repaired += other.repaired
        self._add_latencies(other)
        for name, sums in other.scores.items():
            if name in self.scores:
                self.scores[name].merge(sums)
            else:
                self.scores[name] = sums
        self.keyed += other.keyed
        self.personas |= other.personas
        self.seen |= other.seen
        self.crowded |= other.crowded
        self.give_up_crowds()
        self.prompt_tokens += other.prompt_tokens
        self.completion_tokens += other.completion_tokens
        self._follow(other)
        if self.first is None:
            self.first = other.first

    def give_up_crowds(self) -> None:
        """Forget what has become too many to tell apart; a whole run can hold millions."""
        if len(self.anchors) > CROWD or "anchors" in self.crowded:
            self.crowded.add("anchors")
            self.anchors = {}
        if len(self.scores) > MOST_VALIDATORS or "validators" in self.crowded:
            self.crowded.add("validators")
            self.scores = {}
        if len(self.personas) > CROWD or "personas" in self.crowded:
            self.crowded.add("personas")
            self.personas = set()
        if len(self.seen) > CROWD or "repeats" in self.crowded:
            self.crowded.add("repeats")
            self.seen = set()

    def _follow(self, other: Partial) -> None:
        self.started, self.ended = min(self.started, other.started), max(self.ended, other.ended)
        self.clock_back += other.clock_back + went_back(self.last_ts, other.first_ts)
        self.first_ts = other.first_ts if self.first_ts is None else self.first_ts
        self.last_ts = self.last_ts if other.last_ts is None else other.last_ts

    def _add_latencies(self, other: Partial) -> None:
        self.latencies.extend(other.latencies)
        add_counts(self.latency_counts, other.latency_counts)
        if len(self.latencies) > MANY:
            add_counts(self.latency_counts, Counter(self.latencies))
            self.latencies = []


def went_back(before: float | None, after: float | None) -> int:
    """Return 1 if the clock ran backwards between two attempts that both have a time, else 0."""
    return int(before is not None and after is not None and after < before)


def add_counts(mine: dict[Any, int], others: dict[Any, int]) -> None:
    """Add counts in place."""
    if not mine:
        mine.update(others)
        return
    get = mine.get
    for key, count in others.items():
        mine[key] = get(key, 0) + count


def exact_sum(values: Iterable[float]) -> list[float]:
    """Return the sum as floats that add up to it without any rounding, the largest first; the same in any order."""
    rest = list(values)
    parts = []
    while rest and (part := math.fsum(rest)):
        parts.append(part)
        rest.append(-part)
    return parts


def count(rows: Sequence[Row], layout: Layout, first: tuple[str, int], *, whole: bool = False) -> Partial:
    """Count attempts of one group, in file order; `first` is the place of the first one. At least one row.

    `whole`: nothing will be merged with it, so what only merging needs may be left out.
    """
    columns = list(zip(*map(astuple, rows), strict=True))
    (
        ts,
        _,
        persona,
        stage,
        attempt,
        status,
        latency,
        prompt,
        completion,
        repairs,
        scores,
        opening,
        given,
        anchors,
        error,
    ) = columns[: len(FIELDS)]
    measured: dict[str, int] = {}
    partial = Partial(len(rows), first=first, measured=measured)
    partial.statuses = _counted("status", status, measured)
    partial.stages = _counted("stage", stage, measured)
    partial.openings = _counted("opening_move", opening, measured)
    partial.latencies = _numbers("latency_ms", latency, measured)
    partial.prompt_tokens = sum(_numbers("prompt_tokens", prompt, measured))
    partial.completion_tokens = sum(_numbers("completion_tokens", completion, measured))
    measured["attempt"] = len(_numbers("", attempt, {}))
    repairs = _present("repairs", repairs, measured)
    partial.repaired = len(repairs) - repairs.count(())
    if partial.repaired:
        partial.repairs = dict(Counter(chain.from_iterable(repairs)))
    partial.anchors = dict(Counter(chain.from_iterable(_present("anchors_used", anchors, measured))))
    _count_scores(partial, _present("validator_scores", scores, measured), layout)
    _count_personas(partial, persona, stage, attempt, whole=whole)
    _count_times(partial, ts)
    measured["constraint_categories"] = sum(map(is_not, given, repeat(ABSENT)))
    measured["error"] = sum(map(is_not, error, repeat(UNSET)))
    partial.give_up_crowds()
    return partial


# Whether a column has gaps is not looked up: that would cost as much as the counting. A sum that fails says it as well.


def _counted(name: str, column: tuple[str | None, ...], measured: dict[str, int]) -> dict[str, int]:
    counts: dict[Any, int] = dict(Counter(column))
    measured[name] = len(column) - counts.pop(None, 0)
    return counts


def _numbers(name: str, column: tuple[Any, ...], measured: dict[str, int]) -> list[Any]:
    try:
        sum(column)
        found = list(column)
    except TypeError:
        found = [value for value in column if value is not None]
    measured[name] = len(found)
    return found


def _present(name: str, column: tuple[Any, ...], measured: dict[str, int]) -> tuple[Any, ...]:
    if not all(map(is_not, column, repeat(None))):
        column = tuple(value for value in column if value is not None)
    measured[name] = len(column)
    return column


def _count_scores(partial: Partial, rows: tuple[Any, ...], layout: Layout) -> None:
    if layout.loose:
        scores: defaultdict[str, list[float]] = defaultdict(list)
        for row in rows:
            for name, score in row.items():
                if score is not None:
                    scores[name].append(score)
        partial.scores = {name: Sums(values) for name, values in scores.items()}
        return
    for name, column in zip(layout.validators, zip(*map(astuple, rows), strict=True), strict=False):
        if values := _numbers("", column, {}):
            partial.scores[name] = Sums(values)


def _count_personas(
    partial: Partial,
    persona: tuple[Any, ...],
    stage: tuple[str | None, ...],
    attempt: tuple[int | None, ...],
    *,
    whole: bool,
) -> None:
    names = set(persona)
    gaps = 0
    if set(map(type, names)) != {str}:
        gaps = persona.count(None)
        persona = tuple(value if value is None else str(value) for value in persona)
        names = set(persona) - {None}
    partial.personas = names
    partial.measured["persona_id"] = len(persona) - gaps
    if whole and len(names) == len(persona) - gaps:
        return
    keys = zip(persona, stage, attempt, strict=True)
    partial.seen = {key for key in keys if key[0] is not None} if gaps else set(keys)
    partial.keyed = len(persona) - gaps


def _count_times(partial: Partial, column: tuple[Any, ...]) -> None:
    if set(map(type, column)) != {datetime}:
        column = tuple(seconds(time) for time in column if time is not None)
    partial.measured["ts"] = len(column)
    if not column:
        return
    try:
        partial.clock_back = sum(map(gt, column, column[1:]))
    except TypeError:  # with and without an offset
        column = tuple(map(seconds, column))
        partial.clock_back = sum(map(gt, column, column[1:]))
    ends = (column[0], column[-1], min(column), max(column)) if partial.clock_back else (column[0], column[-1]) * 2
    partial.first_ts, partial.last_ts, partial.started, partial.ended = (
        time if isinstance(time, float) else seconds(time) for time in ends
    )
