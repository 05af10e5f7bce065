"""The criteria of a gate as rows: by dimension, the worst first. Pure functions from judgements to lines."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.cells import cell_len

from mens_console.gate.evaluate import unmarked
from mens_console.gate.wording import condition, edges, figure
from mens_console.ingest.text import safe_text
from mens_console.screens.words import age
from mens_console.signals.human import step
from mens_widgets.text import fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mens_console.gate.types import Criterion, Evaluation, Judgement
    from mens_console.screens.sheet import Line
    from mens_console.screens.words import Ink


class VerdictLook(NamedTuple):
    """How a verdict shows."""

    glyph: str
    word: str
    ink: Ink


VERDICT_LOOKS: Final = {
    "FAIL": VerdictLook("✖", "FAIL", "bad"),
    "UNDERFED": VerdictLook("∅", "UNDERFED", "warn"),
    "CONDITIONAL": VerdictLook("▲", "CONDITIONAL", "warn"),
    "PASS": VerdictLook("✔", "PASS", "good"),
    "WAIVED": VerdictLook("△", "WAIVED", "warn"),
    "TO MARK": VerdictLook("□", "TO MARK", "accent"),
}
"""Verdicts, and what stands in place of one: a CONDITIONAL that somebody answers for, a check nobody marked yet."""
_RANKS: Final = ("FAIL", "UNDERFED", "CONDITIONAL", "TO MARK", "WAIVED", "PASS")
VERDICT_CELLS: Final = 13
VALUE, ASKED, SAMPLE, AGE = 18, 14, 9, 4
"""The most cells that columns take."""
_SHORT: Final = {"tokens/s": "tok/s", "tokens": "tok", "per function": ""}
"""Units as a row has room for them."""
TITLE: Final = 18
"""Cells that a title has before other columns do."""


class Rows(NamedTuple):
    """Lines, and the line on which each criterion stands."""

    lines: list[Line]
    places: dict[str, int]


def shown_as(judged: Judgement) -> VerdictLook:
    """Return how a judgement shows: its verdict, or that it is waived or waits for a person."""
    return VERDICT_LOOKS[_rank_name(judged)]


def _rank_name(judged: Judgement) -> str:
    if judged.waived is not None:
        return "WAIVED"
    return "TO MARK" if unmarked(judged) else judged.verdict


def grouped(evaluation: Evaluation) -> list[tuple[str, list[Judgement]]]:
    """Return the judgements by dimension, the dimension with the worst first, and the worst first in each.

    What decides nothing comes last.
    """
    groups: dict[str, list[Judgement]] = {}
    for one in evaluation.judgements:
        groups.setdefault(one.criterion.dimension, []).append(one)
    ordered = [(name, sorted(found, key=_rank)) for name, found in groups.items()]
    return sorted(ordered, key=lambda pair: _rank(pair[1][0]))


def _rank(judged: Judgement) -> tuple[bool, int]:
    return not judged.criterion.decides, _RANKS.index(_rank_name(judged))


def ids(evaluation: Evaluation) -> list[str]:
    """Return the criteria in the order of the rows."""
    return [one.criterion.id for _, found in grouped(evaluation) for one in found]


def counts(evaluation: Evaluation) -> Line:
    """Return how many criteria that decide have each verdict."""
    named = [_rank_name(one) for one in evaluation.judgements if one.criterion.decides]
    pieces: list[tuple[str, Ink]] = []
    for name in _RANKS:
        if number := named.count(name):
            look = VERDICT_LOOKS[name]
            pieces.append((f"  {look.glyph} {number} {look.word}", look.ink))
    return tuple(pieces)


class Columns(NamedTuple):
    """Cells of each column; 0 where there is no room for it."""

    title: int
    value: int
    asked: int
    sample: int
    age: int


def criteria_rows(evaluation: Evaluation, chosen: str, now: float, width: int) -> Rows:
    """Return all rows at this width; what gives way first is the age, then n, then what is asked."""
    columns = _columns(evaluation, width)
    lines: list[Line] = [_heads(columns)]
    places: dict[str, int] = {}
    for name, found in grouped(evaluation):
        lines.append(((f" {safe_text(name, 60) or 'other'}", "accent"),))
        for judged in found:
            places[judged.criterion.id] = len(lines)
            lines.append(_row(judged, now, columns, chosen=judged.criterion.id == chosen))
    return Rows(lines, places)


def _columns(evaluation: Evaluation, width: int) -> Columns:
    """Give each column what its widest cell takes, within bounds, and the title the rest."""
    every = evaluation.judgements
    value = min(max((cell_len(value_text(one, short=True)) for one in every), default=5), VALUE)
    asked = min(max((cell_len(asked_text(one.criterion)) for one in every), default=5), ASKED)
    sample = min(max((len(_sample(one)) for one in every), default=1), SAMPLE)
    left = width - 2 - VERDICT_CELLS - 1 - max(value, 5) - 1
    shown = []
    for cells in (max(asked, 5), max(sample, 1), AGE):
        fits = left - cells - 1 >= TITLE
        shown.append(cells * fits)
        left -= (cells + 1) * fits
    return Columns(max(left, 4), max(value, 5), *shown)


def _sample(judged: Judgement) -> str:
    return step(judged.n) if judged.n is not None and judged.n >= 0 else "—"


def _tail(columns: Columns, asked: str, sample: str, aged: str) -> str:
    parts = [fit(asked, columns.asked)] * bool(columns.asked)
    parts += [fit(sample, columns.sample, "right")] * bool(columns.sample)
    parts += [fit(aged, columns.age, "right")] * bool(columns.age)
    return "".join(f" {part}" for part in parts)


def _heads(columns: Columns) -> Line:
    text = f"  {'verdict':<{VERDICT_CELLS}} {fit('criterion', columns.title)} {'value':>{columns.value}}"
    return ((text + _tail(columns, "asked", "n", "age"), "muted"),)


def _row(judged: Judgement, now: float, columns: Columns, *, chosen: bool) -> Line:
    look, one = shown_as(judged), judged.criterion
    ink = look.ink if one.decides else "muted"
    return (
        ("› " if chosen else "  ", "accent"),
        (fit(f"{look.glyph} {look.word}", VERDICT_CELLS) + " ", ink),
        (fit(called(one), columns.title) + " ", "strong" if chosen else "" if one.decides else "muted"),
        (fit(value_text(judged, short=True), columns.value, "right"), ink if judged.verdict != "PASS" else ""),
        (_tail(columns, asked_text(one), _sample(judged), oldest_text(judged, now)), "muted"),
    )


def called(one: Criterion) -> str:
    """Return id and title of a criterion."""
    return safe_text(one.id if one.id == one.title else f"{one.id} {one.title}", 200)


def value_text(judged: Judgement, *, short: bool = False) -> str:
    """Return a criterion's value with its unit, — where it has none; `short` as a row has room for it."""
    if not math.isfinite(judged.value):
        return "—"
    number = figure(judged.value, edges(judged.criterion.passes, judged.criterion.conditional))
    unit = _SHORT.get(judged.unit, judged.unit) if short else judged.unit
    return safe_text(f"{number} {unit}".rstrip(), 60)


def asked_text(one: Criterion) -> str:
    """Return what a criterion asks for, in short."""
    baseline = one.baseline
    if one.manual and one.passes is None:
        return "a mark"
    if baseline is not None and baseline.margin is not None:
        size = f"{100 * baseline.margin:g} %" if baseline.relative else f"{baseline.margin:g}"
        return f"-{size} of base"
    return "—" if one.passes is None else safe_text(condition(one.passes), 40)


def oldest_text(judged: Judgement, now: float) -> str:
    """Return the age of the oldest evidence that a verdict rests on, or of the mark; — where it is not known."""
    times = [item.at for item in judged.items if math.isfinite(item.at)]
    if judged.mark is not None:
        times.append(judged.mark.at)
    return age(min(times), now) if times else "—"


def approvals_text(evaluation: Evaluation) -> str:
    """Return how many of the people that are needed said GO to exactly this."""
    return f"{len(evaluation.approvals)} of {evaluation.profile.approvals}"


def _approvals(evaluation: Evaluation, *, complete: bool) -> list[Line]:
    """Return who said GO already, and whether another person's word is missing; nothing where nobody did.

    Enough of them are `complete` only where nothing else in the ledger speaks against it.
    """
    said = evaluation.approvals
    if not said and evaluation.profile.approvals < 2:
        return []
    names = ": " + ", ".join(safe_text(name, 60) for name in said) if said else ""
    missing = evaluation.profile.approvals - len(said)
    whole = complete and missing <= 0
    more = f"; {missing} more to sign (s), each another person" if missing > 0 else "; a GO is complete" * whole
    return [((f"   approvals {approvals_text(evaluation)}{names}{more}", "good" if whole else "warn"),)]


def ready_lines(
    evaluation: Evaluation, obstacles: Sequence[str], width: int, most: int, against: str = ""
) -> list[Line]:
    """Return whether a GO can be said, and what stands in its way, in at most `most` lines.

    `against` is what the ledger says besides: a NO-GO that stands, or why no approval counts.
    """
    look = VERDICT_LOOKS[evaluation.verdict]
    verdict = (f" {look.glyph} {look.word} ", look.ink)
    if not obstacles:
        text = "nothing stands in the way of a GO: s opens sign-off"
        head: list[Line] = [(verdict, *counts(evaluation)), ((f" ✔ {text}", "good"),)]
        odd: list[Line] = [((fit(f" ! {safe_text(against, 400)}", width), "bad"),)] if against else []
        return [*head, *odd, *_approvals(evaluation, complete=not against)][:most]
    marks = sum(unmarked(one) for one in evaluation.judgements if one.criterion.decides)
    blocking = len(obstacles) - marks if marks <= len(obstacles) else len(obstacles)
    told = [f"{blocking} block" + "s" * (blocking == 1)] * bool(blocking) + [f"{marks} to mark"] * bool(marks)
    why = (f" no GO yet: {', '.join(told)}  ", "bad" if blocking else "warn")
    lines: list[Line] = [(verdict, why, *counts(evaluation))]
    room = max(most - 1, 0)
    shown = obstacles if len(obstacles) <= room else obstacles[: max(room - 1, 0)]
    lines += [((fit(f"   - {safe_text(one, 400)}", width), ""),) for one in shown]
    if len(shown) < len(obstacles):
        lines.append(((f"   and {len(obstacles) - len(shown)} more: the rows above tell each", "muted"),))
    return lines[:most]
