"""What the keys of one row shape mean: which is the step, the time, the rank, a fact, a series.

A plan is made once per shape and used for every row of it; no values of rows are kept here.
"""

from __future__ import annotations

from dataclasses import dataclass

from mens_console.ingest import aliases
from mens_console.ingest.formats.values import visible

_FACT_KEYS = {
    **dict.fromkeys(aliases.TOTAL_STEPS_KEYS, "total_steps"),
    **dict.fromkeys(aliases.TOTAL_EPOCHS_KEYS, "total_epochs"),
    **dict.fromkeys(aliases.ETA_KEYS, "eta_s"),
    **dict.fromkeys(aliases.CHECKPOINT_KEYS, "checkpoint"),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """Positions in a row of one shape; all are indices into its keys."""

    steps: tuple[int, ...]
    """Step keys, best first; the losers are also columns."""
    times: tuple[int, ...]
    rank: int | None
    facts: tuple[tuple[int, str], ...]
    columns: tuple[tuple[int, str], ...]
    """Series: position and canonical, printable name."""
    null_is_nan: tuple[int, ...]
    """Places in `columns` where `null` in a training row is a NaN that the JSON writer could not spell."""
    is_summary: bool
    measures: bool
    """Does the shape carry a metric of training, so that it is a row even without a step?"""
    sets_loss: bool
    """Does the shape carry a loss under another name than `train_loss`?"""


def summarises(keys: tuple[str, ...]) -> bool:
    """Say whether a row closes a run with averages over all of it, as HF Trainer's last one does."""
    present = set(keys)
    return (
        bool(present & {"train_loss", "total_flos"})
        and "train_runtime" in present
        and not any(aliases.canonical(key) == "loss" for key in present - {"train_loss"})
    )


def make_plan(keys: tuple[str, ...], *, has_loss: bool) -> Plan:
    """Work out the plan of rows with `keys`; `has_loss` when the source showed a loss of its own before."""
    place = {key: index for index, key in reversed(list(enumerate(keys)))}
    steps = tuple(place[key] for key in aliases.STEP_KEYS if key in place)
    times = tuple(place[key] for key in aliases.TIME_KEYS if key in place)
    rank = next((place[key] for key in aliases.RANK_KEYS if key in place), None)
    facts = tuple((index, _FACT_KEYS[key]) for index, key in enumerate(keys) if key in _FACT_KEYS)
    nameless = (index for index, key in enumerate(keys) if not key.strip())
    axis = {*steps[:1], *times, *(index for index, _ in facts), *(() if rank is None else (rank,)), *nameless}
    is_summary = summarises(keys)
    columns = _columns(keys, axis, is_summary=is_summary, has_loss=has_loss)
    names = [name for _, name in columns]
    return Plan(
        steps=steps,
        times=times,
        rank=rank,
        facts=facts,
        columns=columns,
        null_is_nan=tuple(at for at, name in enumerate(names) if name in {"loss", "grad_norm"}),
        is_summary=is_summary,
        measures=any(name in aliases.RESULTS for name in names),
        sets_loss=any(name == "loss" and keys[index] != "train_loss" for index, name in columns),
    )


def _columns(keys: tuple[str, ...], axis: set[int], *, is_summary: bool, has_loss: bool) -> tuple[tuple[int, str], ...]:
    """Name the series of a shape: each canonical name goes to its best spelling, the rest keep their own."""
    named: dict[str, int] = {}
    own: list[tuple[int, str]] = []
    for index in sorted(set(range(len(keys))) - axis, key=lambda index: aliases.priority(keys[index])):
        key = keys[index]
        name = aliases.canonical(key, summary=is_summary or (has_loss and key == "train_loss"))
        if name in named:
            own.append((index, key))
        else:
            named[name] = index
    for index, key in own:
        named.setdefault(key, index)
    printable = {visible(name): index for name, index in named.items()}
    return tuple(sorted((index, name) for name, index in printable.items()))
