"""`mens-console status`: how every run is doing, worst first, as a table, one line, or the JSON document.

It prints what the snapshot says; it judges nothing.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from mens_console.cli.common import colour, complain, load, settings_from, why_none
from mens_console.cli.errors import NO, OK, WRONG
from mens_console.ingest.text import safe_text
from mens_console.screens.words import (
    CALM,
    TREND_GLYPHS,
    age,
    alert_counts,
    average_of,
    counts_text,
    eta_text,
    firing,
    look,
    rate_of,
)
from mens_console.signals.human import count, number
from mens_widgets.text import shorten

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from mens_console.store.snapshot import RunView, Snapshot

LINE_COLUMNS: Final = 60
"""What a status bar leaves us."""
_HEADINGS: Final = ("state", "run", "step", "loss", "avg", "", "rate", "ETA", "alerts", "age")
_RIGHT: Final = frozenset({2, 3, 4, 6, 7, 9})
_NAME_COLUMNS: Final = 40
_INKS: Final = {"bad": "31", "warn": "33", "good": "32", "accent": "36", "muted": "2", "strong": "1"}


def run(arguments: argparse.Namespace) -> int:
    """Print the status of all runs and soaks; 1 if a critical alert fires, 2 if there are none."""
    settings = settings_from(arguments)
    snapshot = load(settings, machine=arguments.json, soaks=None if arguments.line else True)
    soak_wrong = False
    if arguments.json:
        import orjson

        from mens_console.store.report import status_document

        print(orjson.dumps(status_document(snapshot), option=orjson.OPT_INDENT_2).decode())
    elif arguments.line:
        text, soak_wrong = _line_with_soaks(snapshot)
        print(text)
    elif snapshot.runs:
        print(table(snapshot, paint if colour(sys.stdout) else plain))
    if snapshot.soaks and not (arguments.json or arguments.line):
        from mens_console.cli.soaklines import soak_lines

        print("\n".join(soak_lines(snapshot.soaks, paint if colour(sys.stdout) else plain)))
    for problem in snapshot.problems:
        if problem not in settings.problems:  # those were told when they were read
            complain(problem)
    if not (snapshot.runs or snapshot.soaks):
        complain(f"no runs found: {why_none(snapshot)}")
        return WRONG
    wrong = soak_wrong or any(map(is_critical, snapshot.runs)) or alert_counts(snapshot.box_alerts)[1]
    return NO if wrong else OK


def is_critical(view: RunView) -> bool:
    """Say whether a critical alert of the run fires."""
    return alert_counts(view.alerts)[1] > 0


def worst_first(runs: Sequence[RunView]) -> list[RunView]:
    """Sort by state, then by what fires, then the latest heard of first."""

    def key(view: RunView) -> tuple[int, int, int, float, str]:
        warnings, criticals = alert_counts(view.alerts)
        heard = view.updated_at if view.updated_at == view.updated_at else 0.0
        return look(view.diagnosis.state).rank, -criticals, -warnings, -heard, view.id

    return sorted(runs, key=key)


def table(snapshot: Snapshot, ink: Callable[[str, str], str]) -> str:
    """Return the aligned table; below each run that is not well stands why, and what fires."""
    from rich.cells import cell_len, set_cell_size

    runs = worst_first(snapshot.runs)
    rows = [_cells(view, snapshot.at) for view in runs]
    widths = [max(cell_len(row[i]) for row in [_HEADINGS, *rows]) for i in range(len(_HEADINGS))]
    widths[1] = min(widths[1], _NAME_COLUMNS)

    def aligned(row: Sequence[str]) -> list[str]:
        return [
            " " * (width - cell_len(cell)) + cell if i in _RIGHT else set_cell_size(cell, width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]

    lines = [ink("  ".join(aligned(_HEADINGS)).rstrip(), "muted")]
    for view, row in zip(runs, rows, strict=True):
        cells = aligned(row)
        cells[0] = ink(cells[0], look(view.diagnosis.state).ink)
        lines.append("  ".join(cells).rstrip())
        lines += [ink(f"    {text}", "muted") for text in _reasons(view)]
    return "\n".join(lines)


def _cells(view: RunView, now: float) -> tuple[str, ...]:
    state = look(view.diagnosis.state)
    rate, unit = rate_of(view)
    return (
        f"{state.glyph} {state.word}",
        shorten(safe_text(view.name), _NAME_COLUMNS),
        steps(view),
        number(view.read("loss")),
        number(average_of(view)),
        TREND_GLYPHS.get(view.signals.trend.direction, ""),
        f"{count(rate)} {unit}" if rate is not None else "—",
        eta_text(view),
        counts_text(*alert_counts(view.alerts)),
        age(view.updated_at, now),
    )


def steps(view: RunView) -> str:
    """Return ``8.12k/12.0k``, with what is unknown left out."""
    made = "—" if view.step is None else _short(view.step)
    return f"{made}/{_short(view.total_steps)}" if view.total_steps else made


def _short(step: int) -> str:
    """Return a step exactly up to five digits, then in three significant ones."""
    return str(step) if abs(step) < 100_000 else count(step)


def _reasons(view: RunView) -> list[str]:
    lines = [] if view.diagnosis.state in CALM else [safe_text(text) for text in view.diagnosis.evidence[:1]]
    told = set(lines)
    for alert in firing(view.alerts)[:3]:
        if safe_text(alert.message) in told:
            continue
        lines.append(f"{counts_text(*alert_counts([alert])) or 'i'} {safe_text(alert.message)}")
    bad = sum(source.bad_rows for source in view.sources)
    if bad:
        first = next((source for source in view.sources if source.bad), None)
        where = f", first at {first.path.name}:{first.bad[0].line}: {first.bad[0].reason}" if first else ""
        lines.append(safe_text(f"{bad} rows could not be read{where}"))
    lines += [safe_text(f"{source.path.name}: {source.problem}") for source in view.sources if source.problem]
    return lines


def _line_with_soaks(snapshot: Snapshot) -> tuple[str, bool]:
    """Return the short line with the soak that needs looking at first, and whether something is wrong with that one."""
    if not snapshot.soaks:
        return line(snapshot), False
    from rich.cells import cell_len, set_cell_size

    from mens_console.cli.soakshort import short

    seen = short(snapshot.soaks, snapshot.at, named=not snapshot.runs)
    if seen is None or (seen.over and snapshot.runs):
        return line(snapshot), False
    if not snapshot.runs:
        return set_cell_size(seen.text, min(cell_len(seen.text), LINE_COLUMNS)).rstrip(), seen.wrong
    return f"{line(snapshot, LINE_COLUMNS - cell_len(seen.text) - 2)}  {seen.text}", seen.wrong


def line(snapshot: Snapshot, columns: int = LINE_COLUMNS) -> str:
    """Return counts by kind of state and the run that needs looking at first, in at most so many columns."""
    from rich.cells import cell_len, set_cell_size

    runs = worst_first(snapshot.runs)
    if not runs:
        return "no runs"
    kinds = {"▶": 0, "◌": 0, "✖": 0, "✔": 0}
    for view in runs:
        kinds[_kind(view)] += 1
    head = " ".join(f"{n}{glyph}" for glyph, n in kinds.items() if n)
    shown = next((view for view in runs if view.live), runs[0])
    loss = number(view_loss) if (view_loss := shown.read("loss")) is not None else ""
    trend = TREND_GLYPHS.get(shown.signals.trend.direction, "")
    made = f"{_terse(shown.step)}/{_terse(shown.total_steps)}" if shown.total_steps else _terse(shown.step)
    left = eta_text(shown)
    tail = " ".join(part for part in (made, f"{loss}{trend}", "" if left == "—" else left) if part)
    room = max(columns - cell_len(head) - cell_len(tail) - 3, 1)
    name = shorten(safe_text(shown.name), room)
    text = f"{head}  {name} {tail}".rstrip()
    return text if cell_len(text) <= columns else set_cell_size(text, columns).rstrip()


def _kind(view: RunView) -> str:
    """Return the glyph under which the line counts a run: going, silent, failed, or ended well."""
    rank = look(view.diagnosis.state).rank
    if rank <= look("killed").rank:
        return "✖"
    if rank in (look("stalled").rank, look("unknown").rank):
        return "◌"
    return "✔" if rank == look("finished").rank else "▶"


def _terse(step: int | None) -> str:
    if step is None:
        return "—"
    return (
        str(step)
        if abs(step) < 1000
        else f"{step / 1000:.1f}".removesuffix(".0") + "k"
        if abs(step) < 1e6
        else count(step)
    )


def plain(text: str, _: str) -> str:
    """Return the text without colour."""
    return text


def paint(text: str, ink: str) -> str:
    """Return the text in one of the terminal's own sixteen colours."""
    code = _INKS.get(ink)
    return f"\x1b[{code}m{text}\x1b[0m" if code else text
