"""In which order ranges of a log are counted by workers, and how many attempts of each run come before each.

A worker tells at once how many lines its range has, long before it has decoded them. While a log holds one run and no
bad lines, that is how many attempts the next range comes after; it is checked when the range is counted, and what was
counted wrongly is counted again. Otherwise workers count the attempts of each run first. Pure; sends nothing itself.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mens_console.health.frames import Folded

First: TypeAlias = Literal["lines", "runs", "nothing"]
"""What a worker counts before it counts by batch."""
_MISTAKES: Final = 4
"""Ranges that came after other attempts than their lines told; after so many more, lines are not believed any more."""


class Order(NamedTuple):
    """Count a range now: `before` are the attempts of each run before it. Where not `sure`, other runs are a surprise.

    `again`: it was counted before, on a wrong guess.
    """

    number: int
    before: dict[str, int]
    sure: bool
    again: bool = False


@dataclass(slots=True)
class _Range:
    start: int
    end: int
    told: Mapping[str, int] | None = None
    """Attempts by run; what its lines may hold, where not `exact`."""
    exact: bool = False
    before: dict[str, int] | None = None
    """What it was counted with."""
    result: Folded | None = None
    strange: bool = False


class Plan:
    """The ranges of one log that are being counted. `phases` are the attempts of each run before the first.

    `batches`: attempts are grouped by batches of their run; otherwise nothing has to be known before a range.
    """

    def __init__(self, phases: Mapping[str, int], *, batches: bool = True) -> None:
        self._passed = Counter(phases)
        self._batches = batches
        self._guess = next(iter(phases)) if len(phases) == 1 else None
        self._mistakes = 0
        self._ranges: dict[int, _Range] = {}
        self._added = self._begun = self._out = 0

    @property
    def pending(self) -> int:
        """Ranges that were added and not handed out."""
        return self._added - self._out

    def add(self, start: int, end: int) -> tuple[int, First]:
        """Add the range that follows; return its number, and what is to be told of it first."""
        number, self._added = self._added, self._added + 1
        self._ranges[number] = _Range(start, end)
        if not self._batches:
            self._begun = self._added
            return number, "nothing"
        return number, "runs" if self._guess is None else "lines"

    def begun(self, number: int) -> bool:
        """Whether a range is being counted, or was."""
        return number < self._begun

    def tell_lines(self, number: int, lines: int) -> None:
        """Note how many lines a range has."""
        self._ranges[number].told = {self._guess or "": lines}

    def tell_runs(self, number: int, attempts: Mapping[str, int]) -> None:
        """Note how many attempts of each run a range has."""
        self._ranges[number].told, self._ranges[number].exact = attempts, True

    def tell_strange(self, number: int) -> None:
        """Note that a range holds another run than was guessed: there is no guessing any more."""
        self._ranges[number].strange = True
        self._guess = None

    def tell_counted(self, number: int, result: Folded) -> None:
        """Note what was counted."""
        self._ranges[number].result = result

    def orders(self) -> Iterator[Order]:
        """Yield what can be counted now; to be asked after `ready`."""
        if (wrong := self._ranges.get(self._out)) is not None and self._batches and self._is_wrong(wrong):
            names = self._passed if wrong.result is None else wrong.result.read.attempts
            wrong.before = {name: self._passed[name] for name in names}
            wrong.result, wrong.strange = None, False
            self._mistakes += 1
            if self._mistakes > _MISTAKES:
                self._guess = None
            yield Order(self._out, wrong.before, sure=True, again=True)
        while (range_ := self._ranges.get(self._begun)) is not None and range_.told is not None:
            before, sure = self._before(self._begun)
            if range_.exact:  # what it holds is known, so nothing else has to be told
                before, sure = {name: before.get(name, 0) for name in range_.told}, True
            range_.before = before
            self._begun += 1
            yield Order(self._begun - 1, before, sure)

    def _is_wrong(self, range_: _Range) -> bool:
        """Whether a range, the next to be handed out, was counted after other attempts than there were."""
        if range_.strange:
            return True
        if range_.result is None or range_.before is None:
            return False
        return any(range_.before.get(name, 0) != self._passed[name] for name in range_.result.read.attempts)

    def _before(self, number: int) -> tuple[dict[str, int], bool]:
        before, sure = Counter(self._passed), True
        for earlier in range(self._out, number):
            range_ = self._ranges[earlier]
            if range_.result is not None:
                before.update(range_.result.read.attempts)
            else:
                before.update(range_.told or {})
                sure &= range_.exact
        return dict(before), sure

    def ready(self) -> Iterator[tuple[int, int, Folded]]:
        """Hand out the ranges that are counted, in order: where they begin and end, and what they hold."""
        while (range_ := self._ranges.get(self._out)) is not None and range_.result is not None:
            if self._batches and self._is_wrong(range_):
                return
            del self._ranges[self._out]
            self._out += 1
            self._passed.update(range_.result.read.attempts)
            yield range_.start, range_.end, range_.result
