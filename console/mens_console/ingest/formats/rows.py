"""Rows of any producer folded into columns: the fast way for clean blocks, cell by cell for the rest.

Knows shapes and values; where rows came from and how they were spelled in bytes stays outside.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from mens_console.ingest import aliases
from mens_console.ingest.formats.plan import Plan, make_plan
from mens_console.ingest.formats.values import number, seconds_of, step_of, visible, wall_of
from mens_console.ingest.records import Batch, Columns, Fact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MAX_DEPTH: Final = 3
MAX_METRICS: Final = 256
_BLOCK: Final = 64
_MAX_PLANS: Final = 4096

Keys = tuple[str, ...]


class Mixed(Exception):  # noqa: N818 - a way out of the fast path, not an error
    """A block whose cells need to be looked at one by one."""


def flatten(row: Mapping[str, Any], depth: int = MAX_DEPTH, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested mappings with keys joined by "/", down to `depth` levels; lists are left out."""
    for key, value in row.items():
        if isinstance(value, dict):
            if depth > 1:
                yield from flatten(value, depth - 1, f"{prefix}{key}/")
        elif not isinstance(value, list):
            yield prefix + key, value


class Rows:
    """Folds the rows of one source, in order, into the `Columns` and row facts of batches.

    Call `add` for each run of equally shaped rows, then `finish` once per batch.
    """

    def __init__(self, axis_reason: str = "rows carry no step: numbered in order", *, null_is_nan: bool = True) -> None:
        self.last_step: int | None = None
        self._null_is_nan = null_is_nan
        self._axis_reason = axis_reason
        self._has_steps = False
        self._has_loss = False
        self._inferred = False
        self._is_numbered = False
        """Whether rows without a step are numbered in order, because their epochs do not tell them apart."""
        self._last_epoch: int | None = None
        self._plans: dict[tuple[Keys, bool], Plan] = {}
        self._spelled: set[str] = set()
        """Series of which it was told how the producer spells them."""
        self._latest: dict[str, Fact] = {}
        self._said: dict[str, Any] = {}
        self._open: dict[int | None, Columns] = {}
        self._batch = Batch()
        self._at = 0.0

    def state(self) -> dict[str, Any]:
        """Return what is remembered of earlier rows, as JSON values."""
        seen = [self._has_steps, self._has_loss, self._inferred, self._is_numbered]
        return {"last_step": self.last_step, "last_epoch": self._last_epoch, "seen": seen, "said": dict(self._said)}

    def restore(self, state: dict[str, Any]) -> None:
        """Remember what `state` did."""
        self.last_step, self._last_epoch = state["last_step"], state["last_epoch"]
        self._has_steps, self._has_loss, self._inferred, self._is_numbered = state["seen"]
        self._said = dict(state["said"])

    def begin(self, batch: Batch, at: float) -> None:
        """Direct what follows into `batch`; rows without a time of their own get `at`."""
        self._batch, self._at = batch, at
        self._open = {}

    def add(self, keys: Keys, cells: Sequence[Sequence[Any]], bad: Callable[[int, str], None], first: int = 0) -> None:
        """Fold rows that share `keys`; `cells[i]` is the column under `keys[i]`.

        `bad(index, reason)` is told of rows that cannot be placed, `index` counting from `first`.
        """
        if not cells:
            return
        plan = self._plan(keys)
        try:
            self._add_fast(plan, cells)
        except (Mixed, TypeError, OverflowError, ValueError):
            count = len(cells[0])
            if count > _BLOCK:
                for start in range(0, count, _BLOCK):
                    block = [column[start : start + _BLOCK] for column in cells]
                    self.add(keys, block, bad, first + start)
                return
            for index, row in enumerate(zip(*cells, strict=True)):
                self._add_row(keys, row, bad, first + index)

    def finish(self) -> None:
        """Put the newest of the facts that every row repeats (ETA, epoch) into the batch."""
        for columns in reversed(self._batch.columns):
            if "epoch" in columns.names:
                epoch = columns.values[columns.names.index("epoch")][-1]
                self._latest["epoch"] = Fact("epoch", epoch, columns.steps[-1], columns.walls[-1])
                break
        self._batch.facts.extend(self._latest.values())
        self._latest = {}

    def _plan(self, keys: Keys) -> Plan:
        plan = self._plans.get((keys, self._has_loss))
        if plan is None:
            if len(self._plans) >= _MAX_PLANS:
                self._plans.clear()
            plan = self._plans[keys, self._has_loss] = make_plan(keys, has_loss=self._has_loss)
            for index, name in plan.columns:
                if name not in self._spelled and len(self._spelled) < MAX_METRICS:
                    self._spelled.add(name)
                    if keys[index] != name:
                        self._batch.spelled[name] = visible(keys[index])
        return plan

    # The fast path: whole columns at a time.

    def _add_fast(self, plan: Plan, cells: Sequence[Sequence[Any]]) -> None:
        if not plan.steps:
            raise Mixed
        steps = array("q", cells[plan.steps[0]])
        if min(steps) < 0 or type(cells[plan.steps[0]][0]) is bool:
            raise Mixed
        ranks = None if plan.rank is None else cells[plan.rank]
        if ranks is not None and not all(type(rank) is int and rank >= 0 for rank in ranks):
            raise Mixed
        walls = self._walls(plan, cells, len(steps))
        names: list[str] = []
        values: list[array[float]] = []
        for place, (index, name) in enumerate(plan.columns):
            column = _column(cells[index], name, may_vanish=place not in plan.null_is_nan)
            if column is not None:
                names.append(name)
                values.append(column)
        for index, kind in plan.facts:
            self._facts(kind, cells[index], steps)
        self._emit(tuple(names), steps, walls, values, ranks)
        self._note(plan, steps[-1])

    def _walls(self, plan: Plan, cells: Sequence[Sequence[Any]], count: int) -> array[float]:
        for index in plan.times:
            column = cells[index]
            if type(column[0]) is float and min(column) >= 1e8 and max(column) < 1e11:
                return array("d", column)
            walls = [wall_of(cell) for cell in column]
            if all(wall is not None for wall in walls):
                return array("d", walls)  # type: ignore[arg-type]
            if any(wall is not None for wall in walls):
                raise Mixed
        return array("d", [self._at]) * count

    def _emit(
        self,
        names: Keys,
        steps: array[int],
        walls: array[float],
        values: Sequence[array[float]],
        ranks: Sequence[int] | None,
    ) -> None:
        if not names:
            return
        self._batch.rows += len(steps)
        distinct = [None] if ranks is None else list(dict.fromkeys(ranks))
        if len(distinct) == 1:
            self._append(distinct[0], names, steps, walls, values)
            return
        for rank in distinct:
            chosen = [index for index, other in enumerate(ranks or ()) if other == rank]
            self._append(
                rank,
                names,
                array("q", [steps[index] for index in chosen]),
                array("d", [walls[index] for index in chosen]),
                [array("d", [column[index] for index in chosen]) for column in values],
            )

    def _append(
        self,
        rank: int | None,
        names: Keys,
        steps: array[int],
        walls: array[float],
        values: Sequence[array[float]],
    ) -> None:
        """Grow the newest columns of `rank` when their shape is the same, so that mixed rows make no confetti."""
        grown = self._open.get(rank)
        if grown is not None and grown.names == names:
            grown.steps.extend(steps)
            grown.walls.extend(walls)
            for mine, new in zip(grown.values, values, strict=True):
                mine.extend(new)
            return
        columns = Columns(names, steps, walls, tuple(values), rank)
        self._open[rank] = columns
        self._batch.columns.append(columns)

    def _note(self, plan: Plan, step: int) -> None:
        self.last_step = step
        self._has_steps = self._has_steps or bool(plan.steps)
        self._has_loss = self._has_loss or plan.sets_loss

    def _facts(self, kind: str, cells: Sequence[Any], steps: Sequence[int]) -> None:
        if kind == "checkpoint":
            for cell, step in zip(cells, steps, strict=True):
                if type(cell) is str and cell:
                    self._say(Fact(kind, visible(cell, 1000), step, self._at))
            return
        cell = next((cell for cell in reversed(cells) if cell is not None), None)
        if kind == "total_steps":
            total = step_of(cell)
            if total:
                self._say(Fact(kind, total))
        elif kind == "total_epochs":
            epochs = number(cell)
            if epochs is not None and epochs > 0:
                self._say(Fact(kind, epochs))
        else:
            left = seconds_of(cell)
            if left is not None:
                self._latest[kind] = Fact(kind, left, steps[-1], self._at)

    def _say(self, fact: Fact) -> None:
        """Pass a fact on when it says something new."""
        if self._said.get(fact.kind) != fact.value:
            self._said[fact.kind] = fact.value
            self._batch.facts.append(fact)

    # The careful path: one row at a time.

    def _add_row(self, keys: Keys, row: Sequence[Any], bad: Callable[[int, str], None], index: int) -> None:
        plan = self._plan(keys)
        if any(type(cell) is dict for cell in row):
            flat = dict(flatten(dict(zip(keys, row, strict=True))))
            keys, row = tuple(flat), list(flat.values())
            plan = self._plan(keys)
        step = self._step(plan, keys, row)
        if step is None:
            if plan.steps:
                bad(index, f"no usable step in {visible(keys[plan.steps[0]], 40)!r}")
            return
        names, values = _metrics(plan, row, null_is_nan=self._null_is_nan)
        wall = next((wall for place in plan.times if (wall := wall_of(row[place])) is not None), self._at)
        rank = None if plan.rank is None else step_of(row[plan.rank])
        for place, kind in plan.facts:
            self._facts(kind, [row[place]], [step])
        self._emit(
            names,
            array("q", [step]),
            array("d", [wall]),
            [array("d", [value]) for value in values],
            None if rank is None else [rank],
        )
        self._note(plan, step)

    def _step(self, plan: Plan, keys: Keys, row: Sequence[Any]) -> int | None:
        """Find the row's step; a row that measures something but carries none follows the others, or is numbered."""
        for place in plan.steps:
            if row[place] is not None:
                return step_of(row[place])
        if plan.steps or not plan.measures:
            return None
        if self._has_steps:
            return self.last_step
        names = {name for _, name in plan.columns}
        epoch = next((step_of(row[keys.index(key)]) for key in ("epoch", "current_epoch") if key in keys), None)
        if "loss" not in names and (self.last_step is not None or "eval_loss" not in names):
            return self.last_step if self._is_numbered or epoch is None else epoch
        if not self._inferred:
            self._inferred = True
            self._batch.facts.append(Fact("steps_inferred", self._axis_reason))
        self._is_numbered |= epoch is None or ("loss" in names and epoch == self._last_epoch)
        if epoch is None or self._is_numbered:
            return (self.last_step or 0) + 1
        self._last_epoch = epoch if "loss" in names else self._last_epoch
        return epoch


def _column(cells: Sequence[Any], name: str, *, may_vanish: bool) -> array[float] | None:
    """Return a column of numbers, None when no cell of it is one; raise `Mixed` when only some are."""
    try:
        column = array("d", cells)
    except TypeError:
        kinds = set(map(type, cells))
        if kinds == {str}:
            return _text_column(cells, name)
        if (kinds == {type(None)} and may_vanish) or kinds == {list}:
            return None
        raise Mixed from None
    # An array takes booleans for numbers. Looking at both ends finds a column of flags at no cost per cell.
    if type(cells[0]) is bool or type(cells[-1]) is bool:
        if set(map(type, cells)) == {bool}:
            return None
        raise Mixed
    return column


def _text_column(cells: Sequence[str], name: str) -> array[float] | None:
    values = [_metric(cell, name) for cell in cells]
    if None not in values:
        return array("d", values)  # type: ignore[arg-type]
    if all(value is None for value in values):
        return None
    raise Mixed


def _metric(cell: Any, name: str) -> float | None:
    if name in aliases.DURATION_NAMES:
        return seconds_of(cell)
    value = number(cell)
    if value == 0.0 and name == "tokens_per_sec" and type(cell) is str:
        return None
    return value


def _metrics(plan: Plan, row: Sequence[Any], *, null_is_nan: bool) -> tuple[Keys, list[float]]:
    """Return names and values of what the row measured."""
    cells = [_metric(row[index], name) for index, name in plan.columns]
    for place in plan.null_is_nan if null_is_nan else ():
        if cells[place] is None and row[plan.columns[place][0]] is None and _trains(plan, cells, place):
            cells[place] = float("nan")
    present = [(name, cell) for (_, name), cell in zip(plan.columns, cells, strict=True) if cell is not None]
    present = present[:MAX_METRICS]
    return tuple(name for name, _ in present), [cell for _, cell in present]


def _trains(plan: Plan, cells: Sequence[float | None], place: int) -> bool:
    """Say whether the row reports a training step by what it carries beside the cell at `place`."""
    carried = [name for at, (_, name) in enumerate(plan.columns) if at != place and cells[at] is not None]
    if not carried and len(plan.columns) == 1:
        return plan.columns[place][1] == "loss"
    return any(name in aliases.TRAIN_ROW_NAMES for name in carried) and not any(map(aliases.is_evaluation, carried))
