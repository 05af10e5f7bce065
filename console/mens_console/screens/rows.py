"""One run as one row of the fleet table: which columns there are, what they say, and how runs are ordered.

Pure functions from views to cells; no widget is touched.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from mens_console.ingest.text import safe_text
from mens_console.screens.spark import spark_of
from mens_console.screens.words import (
    CALM,
    TREND_GLYPHS,
    TREND_INKS,
    age,
    alert_counts,
    average_of,
    counts_text,
    eta_text,
    look,
    rate_of,
)
from mens_console.signals.human import count, number, rate, step
from mens_widgets.bar import bar
from mens_widgets.grid import Cell, Column, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mens_console.store.snapshot import RunView

TONES: Final = {"good": "good", "warn": "warning", "bad": "critical", "accent": "info", "muted": "muted", "": ""}
SPARK = 8
BAR, STEP, LOSS = 8, 13, 7
"""Cells of the columns whose text is made to fit."""

COLUMNS: Final = (
    Column("state", "state", 12, priority=90),
    Column("run", "run", 14, flex=3, priority=100, cut="middle"),
    Column("step", "step", STEP, align="right", priority=80),
    Column("bar", "progress", BAR, priority=55),
    Column("loss", "loss", LOSS, align="right", priority=85),
    Column("spark", "trend", SPARK, priority=60),
    Column("ce", "CE ema", 10, align="right", priority=45),
    Column("rate", "rate", 9, align="right", priority=40),
    Column("eta", "ETA", 7, align="right", priority=50),
    Column("alerts", "alerts", 6, priority=75),
    Column("age", "age", 4, align="right", priority=70),
    Column("why", "why", 26, flex=5, priority=30),
)


def row_of(run: RunView, now: float) -> Row:
    """Return the row of a run."""
    return Row(run.id, _cells(run, age(run.updated_at, now)), rev_of(run, now))


def rev_of(run: RunView, now: float) -> tuple[int, str]:
    """Return what a row depends on: the run's revision and the text of its age."""
    return run.rev, age(run.updated_at, now)


def _cells(run: RunView, seen: str) -> tuple[Cell | str, ...]:
    state, signals = look(run.diagnosis.state), run.signals
    loss, ce = run.read("loss"), average_of(run)
    direction = str(signals.trend.direction)
    arrow = TREND_GLYPHS.get(direction, " ")
    value, _ = rate_of(run) if run.live else (None, "")
    warnings, criticals = alert_counts(run.alerts)
    quiet = TONES["muted"]
    return (
        Cell(f"{state.glyph} {state.word}", TONES[state.ink]),
        Cell(safe_text(run.name, 200), "strong" if run.live else ""),
        step_cell(run, STEP),
        Cell(bar(run.progress, BAR) if run.progress is not None else "", "info" if run.live else quiet),
        Cell(measured(loss, LOSS), "critical" if loss is not None and not math.isfinite(loss) else ""),
        Cell(spark_of(run.series.get("loss"), SPARK), "info" if run.live else quiet),
        Cell(f"{measured(ce)} {arrow}", TONES[TREND_INKS.get(direction, "")]),
        rate(value),
        eta_text(run),
        Cell(counts_text(warnings, criticals), "critical" if criticals else "warning"),
        Cell(seen, quiet),
        Cell(why(run), quiet),
    )


def measured(value: float | None, room: int = 10) -> str:
    """Return a number for a column: four significant digits, trailing zeros too, so that decimals line up.

    Digits are given up for room, and never a digit of the exponent: 1.23e-05 cut at its end reads as 1.23.
    """
    if value is None or not math.isfinite(value):
        return number(value)
    texts = [_digits(value, digits) for digits in (4, 3, 2)]
    return next((text for text in texts if len(text) <= room), texts[-1])


def _digits(value: float, digits: int) -> str:
    if not 1e-3 <= abs(value) < 1e4:
        return number(value, digits)
    return f"{value:#.{digits}g}".removesuffix(".") if abs(value) < 10**digits else f"{value:.0f}"


def step_cell(run: RunView, room: int) -> str:
    """Return the step and the total in so many cells: the total, and then the step, are rounded where they must."""
    text = step_text(run)
    if len(text) <= room or run.step is None or not run.total_steps:
        return text
    rounded = f"{step(run.step)}/{count(run.total_steps)}"
    return rounded if len(rounded) <= room else f"{count(run.step)}/{count(run.total_steps)}"


def step_text(run: RunView) -> str:
    """Return ``8 120/12 000``; the total alone gives way where the run never said one."""
    if run.step is None:
        return "—"
    return f"{step(run.step)}/{step(run.total_steps)}" if run.total_steps else step(run.step)


def why(run: RunView) -> str:
    """Return the first line of evidence, for runs whose state needs explaining."""
    if run.backlog is not None:
        return f"reading history, {run.backlog.fraction:.0%}"
    if str(run.diagnosis.state) in CALM or not run.diagnosis.evidence:
        return ""
    return safe_text(run.diagnosis.evidence[0], 300)


class Order(NamedTuple):
    """One way to sort: its name for people, the column it shows at, its key, and whether largest come first."""

    name: str
    column: str
    key: Callable[[RunView], tuple[object, ...]]
    reverse: bool = False


def _worst(run: RunView) -> tuple[object, ...]:
    warnings, criticals = alert_counts(run.alerts)
    # Live runs write all the time: who wrote last would shuffle them at every row.
    heard = 0.0 if run.live else -_known(run.updated_at, -math.inf)
    return (look(run.diagnosis.state).rank, -criticals, -warnings, heard, run.id)


def _known(value: float | None, missing: float) -> float:
    return value if value is not None and math.isfinite(value) else missing


ORDERS: Final = (
    Order("worst first", "state", _worst),
    Order("newest first", "age", lambda r: (-_known(r.updated_at, -math.inf), r.id)),
    Order("name", "run", lambda r: (r.name.casefold(), r.id)),
    Order("loss", "loss", lambda r: (_known(r.read("loss"), math.inf), r.id)),
    Order("progress", "step", lambda r: (-_known(r.progress, -1.0), r.id)),
    Order("time left", "eta", lambda r: (_known(r.signals.eta.seconds if r.signals.eta else None, math.inf), r.id)),
)


def ordered(runs: Iterable[RunView], order: Order, *, reverse: bool) -> list[RunView]:
    """Return the runs in an order, or in its reverse."""
    return sorted(runs, key=order.key, reverse=reverse)
