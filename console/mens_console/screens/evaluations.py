"""The Evaluations tab of screen 5: what `mens-console eval` logged below the roots, newest first.

Pure functions from a history to lines, and the desk that reads it anew off the screen's thread.
"""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING, Final

from mens_console.evaluation.history import History, load
from mens_console.evaluation.metrics import METRICS
from mens_console.screens.hardwarerows import ago
from mens_console.screens.sheet import prose
from mens_console.screens.words import age
from mens_widgets.text import fit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mens_console.evaluation.history import Past
    from mens_console.screens.sheet import Line
    from mens_console.screens.words import Ink

EVERY_S: Final = 10.0
"""How old the history may be before it is read again while it is looked at."""
_VERDICTS: Final[dict[str, tuple[str, Ink]]] = {
    "met": ("✔ met", "good"),
    "missed": ("✖ missed", "bad"),
    "UNDERFED": ("∅ UNDERFED", "warn"),
}
_FIGURES: Final = (
    ("weighted_score", "score"), ("json_validity", "JSON"), ("tool_selection", "tools"), ("lint", "lint"),
    ("refusal_accuracy", "refuse"), ("false_acceptance", "f.acc."), ("schema_match", "schema"),
    ("argument_correctness", "args"), ("ast_structure", "AST"), ("naming", "names"),
)  # fmt: skip
_CELL: Final = 7
_NONE: Final = (
    "No evaluation is logged below the folders that are watched. `mens-console eval ANSWERS --gold GOLD --out DIR` "
    "scores a model and appends to DIR/eval_log.jsonl."
)


class Desk:
    """Keeps the history of the roots; `refresh` reads it again where it is old."""

    def __init__(self) -> None:
        self.history: History | None = None
        self._read_at = -math.inf
        self._busy = False

    @property
    def due(self) -> bool:
        """Whether it should be read again."""
        return not self._busy and time.monotonic() - self._read_at >= EVERY_S

    async def refresh(self, roots: Sequence[Path]) -> bool:
        """Read the logs in another thread; return whether anything changed."""
        self._busy = True
        try:
            found = await asyncio.to_thread(load, roots)
        finally:
            self._busy = False
            self._read_at = time.monotonic()
        changed = found != self.history
        self.history = found
        return changed


def evaluation_lines(history: History | None, now: float, width: int) -> list[Line]:
    """Return the tab: a row for each evaluation, and below it what it was made of."""
    if history is None:
        return [(("reading the logs of evaluations…", "muted"),)]
    lines: list[Line] = []
    if history.rows:
        figures = _FIGURES[: max(1, (width - _first(width) - 12) // _CELL)]
        heads = "".join(f"{title:>{_CELL}}" for _, title in figures)
        lines.append(((f"{fit('model', _first(width))}{heads}  verdict", "muted"),))
        for row in history.rows:
            lines += _row(row, figures, now, width)
    else:
        lines += prose(_NONE, width, "muted")
    for problem in history.problems[:5]:
        lines += prose(f"! {problem}", width, "warn")
    return lines


def _first(width: int) -> int:
    return 18 if width < 100 else 30


def _row(row: Past, figures: Sequence[tuple[str, str]], now: float, width: int) -> list[Line]:
    cells: list[tuple[str, Ink]] = [(fit(row.model or "(no name)", _first(width) - 1) + " ", "strong")]
    for metric, _ in figures:
        value = row.scores.get(metric)
        if value is None:
            cells.append((f"{'—':>{_CELL}}", "muted"))
        else:
            cells.append((f"{value:>{_CELL}.2f}", "" if METRICS[metric].meets(value) else "bad"))
    cells.append(("  ", ""))
    cells.append(_VERDICTS.get(row.verdict, ("—", "muted")))
    told = [row.eval_set, row.role, f"base {row.base or 'not told'}", f"data {row.dataset or 'not told'}",
            ago(age(row.at, now))]  # fmt: skip
    told += [f"{METRICS[name].title} {row.scores[name]:+.2f} points" for name in ("quantization_drop", "regression")
             if name in row.scores]  # fmt: skip
    return [tuple(cells), ((fit("  " + " · ".join(one for one in told if one), width), "muted"),)]
