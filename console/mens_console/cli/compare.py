"""`mens-console compare RUN RUN…`: runs side by side in the plain terminal, or as the document `mens-compare/1`.

What is said of them is `screens.compared`'s; here it is only found and printed.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from mens_console.cli.common import colour, complain, one_run
from mens_console.cli.errors import OK, CommandError
from mens_console.cli.status import paint, plain
from mens_console.ingest.text import safe_text
from mens_console.screens.compared import LETTERS, MOST, UNSAID, document, figures, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mens_console.store.snapshot import RunView

_CELL = 24


def run(arguments: argparse.Namespace) -> int:
    """Print the comparison of the runs, the first six of them."""
    if len(arguments.runs) < 2:
        raise CommandError("compare needs two runs or more: mens-console compare RUN RUN …")
    if len(arguments.runs) > MOST:
        complain(f"{len(arguments.runs)} runs were named; the first {MOST} are compared")
    runs = [_run(name, arguments) for name in arguments.runs[:MOST]]
    if len({view.path for view in runs}) < len(runs):
        raise CommandError("a run was named twice; name different ones")
    if arguments.json:
        import orjson

        print(orjson.dumps(document(runs, every=arguments.all), option=orjson.OPT_INDENT_2).decode())
    else:
        print("\n".join(table(runs, paint if colour(sys.stdout) else plain, every=arguments.all)))
    return OK


def _run(name: str, arguments: argparse.Namespace) -> RunView:
    return one_run(argparse.Namespace(**{**vars(arguments), "run": name}))


def table(runs: Sequence[RunView], ink: Callable[[str, str], str], *, every: bool) -> list[str]:
    """Return the lines: the runs by letter, their figures, and the settings that differ."""
    lines = [f"{letter}  {safe_text(run.name)}" for letter, run in zip(LETTERS, runs, strict=False)]
    rows: list[tuple[str, list[str], list[bool]]] = []
    for row in figures(runs):
        label = f"{row.label} ({row.unit})" if row.unit not in ("", "s") else row.label
        texts = [f"{cell.text}{' ' * bool(cell.note)}{cell.note}" for cell in row.cells]
        rows.append((label, texts, [cell.best for cell in row.cells]))
    split = len(rows)
    for one in settings(runs, every=every):
        texts = [UNSAID if value is None else safe_text(value, 200) for value in one.values]
        rows.append((safe_text(one.key, 60), texts, [False] * len(runs)))
    lines += ["", *_aligned(rows, len(runs), split, ink)]
    if len(rows) == split:
        lines.append("  no setting differs" if any(run.config for run in runs) else "  no run told its settings")
    return lines


def _aligned(
    rows: Sequence[tuple[str, list[str], list[bool]]], runs: int, split: int, ink: Callable[[str, str], str]
) -> list[str]:
    from rich.cells import cell_len, set_cell_size

    first = max(cell_len(label) for label, _, _ in rows)
    widths = [min(max(cell_len(texts[i]) for _, texts, _ in rows) + 2, _CELL) for i in range(runs)]

    def cell(text: str, width: int) -> str:
        return set_cell_size(text, width) if cell_len(text) <= width else set_cell_size(text, width - 1) + "…"

    lines = [ink(" " * first + "  " + "  ".join(LETTERS[i].ljust(widths[i]) for i in range(runs)).rstrip(), "muted")]
    for number, (label, texts, best) in enumerate(rows):
        if number == split:
            lines.append(ink("settings", "accent"))
        parts = []
        for text, width, good in zip(texts, widths, best, strict=True):
            padded = cell(f"{text} ★" if good else text, width)
            parts.append(ink(padded, "good") if good else padded)
        lines.append(f"{cell(label, first)}  {'  '.join(parts)}".rstrip())
    return lines
