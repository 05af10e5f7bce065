"""The one fold over attempts: which group each belongs to, and the count of every group. Pure functions of rows.

A batch is N consecutive attempts of one run, so a row's batch follows from how many attempts of its run came before:
its phase. Whoever reads a piece of a log counts its attempts by run first (`counts`), learns the phases from the pieces
before it, and folds then (`fold`); partials of one group are merged in the order of the pieces.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol, TypeAlias

from mens_console.health.partial import Partial, count
from mens_console.signals.tiers import tier_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mens_console.health.attempt import Row
    from mens_console.health.rows import Block

By: TypeAlias = Literal["batch", "persona", "run", "tier"]


MOST_RUNS: Final = 10_000
"""Runs that are counted one by one: each takes some 14 KB. Others are counted together."""


class Group(NamedTuple):
    """What attempts are counted together: a run's batch of that index, or, by anything else, all of that name."""

    name: str
    batch: int


class Counted(NamedTuple):
    """The count of the attempts of one group in one piece of a log."""

    group: Group
    partial: Partial


def run_of(row: Row) -> str:
    """Return the run id of a row; "" where it has none."""
    run: str | int | None = row.f1  # type: ignore[attr-defined]
    return run if type(run) is str else "" if run is None else str(run)


def counts(rows: Sequence[Row]) -> dict[str, int]:
    """Return the number of attempts of each run."""
    if not rows:
        return {}
    found = Counter([row.f1 for row in rows])  # type: ignore[attr-defined]
    named: dict[str, int] = {}
    for run, times in found.items():
        name = run if type(run) is str else "" if run is None else str(run)
        named[name] = named.get(name, 0) + times
    return named


def fold(block: Block, path: str, phases: Mapping[str, int], *, batch_size: int, by: By = "batch") -> Iterator[Counted]:
    """Count the attempts of a block by group, in the order in which groups begin (of one run: in file order).

    `phases` tells for each run how many of its attempts came before the block; a run that it lacks begins here.
    """
    for name, places in _split(block, by):
        rows = block.rows if places is None else [block.rows[place] for place in places]
        begin, total = 0, len(rows)
        phase = phases.get(name, 0) if by == "batch" else 0
        while begin < total:
            index, within = divmod(phase, batch_size) if by == "batch" else (0, 0)
            end = min(begin + batch_size - within, total) if by == "batch" else total
            first = block.offset(begin if places is None else places[begin])
            part = rows if end - begin == total else rows[begin:end]
            yield Counted(Group(name, index), count(part, block.layout, (path, first)))
            phase += end - begin
            begin = end


class Growing(Protocol):
    """A run that is counted as its attempts come: all so far, and the count of the batch that grows."""

    attempts: int
    open: Partial | None
    last_ts: float | None


def grow(
    block: Block,
    path: str,
    run_named: Callable[[str], Growing],
    *,
    batch_size: int,
    by: By = "batch",
    named: Callable[[str], str] = str,
) -> Iterator[str]:
    """Count the attempts of a block into the batches that grow; as `fold`, without merging.

    Yields the name of each run whose growing batch came to its end: it must be taken away (`open` set to None).
    `named` tells under which name a group is counted; it is asked in the order in which groups appear.
    """
    for name, places in _split(block, by, named):
        rows = block.rows if places is None else [block.rows[place] for place in places]
        run = run_named(name)
        begin, total = 0, len(rows)
        while begin < total:
            end = min(begin + batch_size - run.attempts % batch_size, total) if by == "batch" else total
            partial = run.open
            if partial is None:
                first = block.offset(begin if places is None else places[begin])
                partial = run.open = Partial(first=(path, first), last_ts=run.last_ts)
            partial.add(rows if end - begin == total else rows[begin:end], block.layout)
            run.last_ts = partial.last_ts
            run.attempts += end - begin
            if by == "batch" and not run.attempts % batch_size:
                yield name
            begin = end


def _split(block: Block, by: By, named: Callable[[str], str] = str) -> list[tuple[str, list[int] | None]]:
    """Return the names of the groups and the places of their rows; None for all of them."""
    rows = block.rows
    if by != "persona":
        found = {row.f1 for row in rows} if block.layout.run is None else {block.layout.run}  # type: ignore[attr-defined]
        if len(found) == 1:
            name = run_of(rows[0]) if rows else ""
            return [(named(tier_name(name) if by == "tier" else name), None)] if rows else []
    group_of = _persona_of if by == "persona" else run_of
    places: dict[str, list[int]] = {}
    names: dict[str, str] = {}
    for place, row in enumerate(rows):
        group = group_of(row)
        if group not in names:
            names[group] = named(tier_name(group) if by == "tier" else group)
        name = names[group]
        if name in places:
            places[name].append(place)
        else:
            places[name] = [place]
    return list(places.items())


def _persona_of(row: Row) -> str:
    persona: str | int | None = row.f2  # type: ignore[attr-defined]
    return persona if type(persona) is str else "" if persona is None else str(persona)
