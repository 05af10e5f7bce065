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
    from collections.abc import Iterable, Iterator, Sequence

    from mens_console.health.attempt import Layout, Row

MANY: Final = 1 << 16
"""Values that are kept one by one; more are compacted."""
MOST_VALIDATORS: Final = 1024
"""Validators of one group whose scores are kept."""
_COLUMNS: Final = tuple(FIELDS)
_COUNTERS: Final = ("statuses", "stages", "repairs", "openings", "anchors")
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
        self.n += other.n
        self.total = exact_sum([*self.total, *other.total])
        self.squares = exact_sum([*self.squares, *other.squares])
        self.add(other.values)

    def add(self, values: Sequence[float]) -> None:
        """Add scores."""
        self.values.extend(values)
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
    statuses: dict[str, int] = field(default_factory=Counter)
    stages: dict[str, int] = field(default_factory=Counter)
    repaired: int = 0
    repairs: dict[str, int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    """Latencies in ms, whole ones as integers."""
    latency_counts: dict[float, int] = field(default_factory=dict)
    """Further latencies, by value."""
    scores: dict[str, Sums] = field(default_factory=dict)
    openings: dict[str, int] = field(default_factory=Counter)
    anchors: dict[str, int] = field(default_factory=Counter)
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

    def __post_init__(self) -> None:
        for name in _COUNTERS:  # what was decoded holds plain dictionaries; a Counter counts a column at once
            if type(counted := getattr(self, name)) is not Counter:
                setattr(self, name, Counter(counted))

    def merge(self, other: Partial) -> None:
        """Add the attempts that follow these in the run. The other is used up."""
        self.n += other.n
        for mine, others in (
            (self.statuses, other.statuses), (self.stages, other.stages), (self.repairs, other.repairs),
            (self.openings, other.openings), (self.anchors, other.anchors), (self.measured, other.measured),
        ):  # fmt: skip
            add_counts(mine, others)
        self.repaired += other.repaired
        add_counts(self.latency_counts, other.latency_counts)
        self._add_latencies(other.latencies)
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
            self.anchors = Counter()
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

    def _add_latencies(self, latencies: Sequence[float]) -> None:
        self.latencies.extend(latencies)
        if len(self.latencies) > MANY:
            add_counts(self.latency_counts, Counter(self.latencies))
            self.latencies = []

    # ------------------------------------------------------------------ rows
    #
    # Where a column may have gaps, they are not looked up first: a sum that fails says it, too.

    def add(self, rows: Sequence[Row], layout: Layout) -> None:
        """Add attempts that follow these, all of the layout's type. At least one."""
        columns = dict(zip(_COLUMNS, zip(*map(astuple, rows), strict=True), strict=False))
        full = layout.full_fields
        self.n += len(rows)
        for name, counts in (("status", self.statuses), ("stage", self.stages), ("opening_move", self.openings)):
            counts.update(columns[name])
            self._measure(name, len(rows) - (0 if name in full else counts.pop(None, 0)))  # type: ignore[call-overload]
        self._add_latencies(self._numbers("latency_ms", columns, full))
        self.prompt_tokens += sum(self._numbers("prompt_tokens", columns, full))
        self.completion_tokens += sum(self._numbers("completion_tokens", columns, full))
        self._numbers("attempt", columns, full)
        repairs = self._present("repairs", columns, full)
        if repaired := len(repairs) - repairs.count(()):
            self.repaired += repaired
            self.repairs.update(chain.from_iterable(repairs))
        self.anchors.update(chain.from_iterable(self._present("anchors_used", columns, full)))
        self._add_scores(self._present("validator_scores", columns, full), layout)
        self._add_personas(columns["persona_id"], columns["stage"], columns["attempt"])
        self._add_times(columns["ts"])
        for name, absent in (("constraint_categories", ABSENT), ("error", UNSET)):
            told = len(rows) if name in full else sum(map(is_not, columns[name], repeat(absent)))
            self._measure(name, told)
        self.give_up_crowds()

    def _measure(self, name: str, rows: int) -> None:
        self.measured[name] = self.measured.get(name, 0) + rows

    def _numbers(self, name: str, columns: dict[str, tuple[Any, ...]], full: frozenset[str]) -> Sequence[Any]:
        found: Sequence[Any] = columns[name] if name in full else _without_gaps(columns[name])
        self._measure(name, len(found))
        return found

    def _present(self, name: str, columns: dict[str, tuple[Any, ...]], full: frozenset[str]) -> tuple[Any, ...]:
        column = columns[name]
        if name not in full and not all(map(is_not, column, repeat(None))):
            column = tuple(value for value in column if value is not None)
        self._measure(name, len(column))
        return column

    def _add_scores(self, rows: tuple[Any, ...], layout: Layout) -> None:
        if "validators" in self.crowded:
            return
        for name, values in (_loose if layout.loose else _typed)(rows, layout):
            if (sums := self.scores.get(name)) is None:
                sums = self.scores[name] = Sums()
            sums.add(values)

    def _add_personas(
        self, persona: tuple[Any, ...], stage: tuple[str | None, ...], attempt: tuple[int | None, ...]
    ) -> None:
        names, gaps = set(persona), 0
        if set(map(type, names)) != {str}:
            gaps = persona.count(None)
            persona = tuple(value if value is None else str(value) for value in persona)
            names = set(persona) - {None}
        self._measure("persona_id", len(persona) - gaps)
        self.personas |= names
        keys = zip(persona, stage, attempt, strict=True)
        self.seen.update([key for key in keys if key[0] is not None] if gaps else keys)
        self.keyed += len(persona) - gaps

    def _add_times(self, column: tuple[Any, ...]) -> None:
        if set(map(type, column)) != {datetime}:
            column = tuple(seconds(time) for time in column if time is not None)
        self._measure("ts", len(column))
        if not column:
            return
        try:
            back = sum(map(gt, column, column[1:]))
        except TypeError:  # with and without an offset
            column = tuple(map(seconds, column))
            back = sum(map(gt, column, column[1:]))
        ends = (column[0], column[-1], min(column), max(column)) if back else (column[0], column[-1]) * 2
        first, last, least, most = (time if isinstance(time, float) else seconds(time) for time in ends)
        self.clock_back += back + went_back(self.last_ts, first)
        self.first_ts = first if self.first_ts is None else self.first_ts
        self.last_ts = last
        self.started, self.ended = min(self.started, least), max(self.ended, most)


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


def _typed(rows: tuple[Any, ...], layout: Layout) -> Iterator[tuple[str, Sequence[float]]]:
    """Yield the scores of each validator that has any."""
    for name, column in zip(layout.validators, zip(*map(astuple, rows), strict=True), strict=False):
        if values := column if name in layout.full_scores else _without_gaps(column):
            yield name, values


def _loose(rows: tuple[Any, ...], layout: Layout) -> Iterable[tuple[str, Sequence[float]]]:
    del layout
    found: defaultdict[str, list[float]] = defaultdict(list)
    for row in rows:
        for name, score in row.items():
            if score is not None:
                found[name].append(score)
    return found.items()


def _without_gaps(column: tuple[Any, ...]) -> Sequence[Any]:
    """Return the numbers of a column."""
    try:
        sum(column)
    except TypeError:
        return [value for value in column if value is not None]
    return column


def count(rows: Sequence[Row], layout: Layout, first: tuple[str, int]) -> Partial:
    """Count attempts of one group, in file order; `first` is the place of the first one. At least one row."""
    partial = Partial(first=first)
    partial.add(rows, layout)
    return partial
