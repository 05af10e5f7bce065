"""Accuracy by task pattern and answer length: from the payload to the cells of a matrix, and a cell in words.

Counts come from files that anybody may have written; nothing of them is trusted to fit together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mens_console.ingest.text import safe_text
from mens_console.screens.sheet import fact, heading, prose
from mens_console.signals.human import percent, step
from mens_console.signals.patterns import wilson
from mens_widgets.matrix import Share

if TYPE_CHECKING:
    from mens_console.screens.sheet import Line

FEW: Final = 20
"""Answers below which a share is called uncertain in words."""
_LABEL: Final = 40
ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class PatternTable:
    """Right answers and answers, rows by pattern and columns by length; totals stand in the last row and column."""

    patterns: tuple[str, ...]
    lengths: tuple[str, ...]
    correct: tuple[tuple[int, ...], ...]
    n: tuple[tuple[int, ...], ...]
    step: int | None

    def cells(self) -> list[list[Share]]:
        """Return the cells: the share in per cent, n beside it, shaded by the lower end of its 95 % interval."""
        return [
            [_share(k, n) for k, n in zip(correct, counts, strict=True)]
            for correct, counts in zip(self.correct, self.n, strict=True)
        ]

    def lines(self, row: int, column: int, width: int) -> list[Line]:
        """Return one cell in words, its interval and its row's and column's figures."""
        name, length = self.patterns[row], self.lengths[column]
        lines = [*prose(f"{name} · length {length}", width, "strong"), *_words(self, row, column, width)]
        worst = self._worst()
        if worst:
            lines += heading("Weakest, by the upper end of the interval")
        for share, n, pattern, at in worst:
            lines.append(((f"{share:4.0%} ", "warn"), (f"{pattern} · {at}", ""), (f"  n={n}", "muted")))
        note = "Shades follow the lower end of the 95 % interval (Wilson), so that few answers stay dark."
        return [*lines, (), *prose(note, width, "muted")]

    def _worst(self, most: int = 5) -> list[tuple[float, int, str, str]]:
        found = [
            (wilson(k, n)[1], k / n, n, self.patterns[i], self.lengths[j])
            for i, (correct, counts) in enumerate(zip(self.correct[:-1], self.n[:-1], strict=True))
            for j, (k, n) in enumerate(zip(correct[:-1], counts[:-1], strict=True))
            if n
        ]
        return [entry[1:] for entry in sorted(found)[:most]]


def table_of(payload: Mapping[str, Any] | None) -> PatternTable | None:
    """Return the table of a `pattern_heatmap` payload, None where it does not hold one."""
    if payload is None:
        return None
    patterns, lengths = payload.get("patterns"), payload.get("lengths")
    if not _is_list(patterns) or not _is_list(lengths) or not patterns or not lengths:
        return None
    shape = (len(patterns), len(lengths))
    correct, n = _counts(payload.get("correct"), shape), _counts(payload.get("n"), shape)
    if (
        correct is None
        or n is None
        or any(k > m for a, b in zip(correct, n, strict=True) for k, m in zip(a, b, strict=True))
    ):
        return None
    at = payload.get("step")
    return PatternTable(
        (*(safe_text(str(name), _LABEL) for name in patterns), ALL),
        (*(safe_text(str(name), _LABEL) for name in lengths), ALL),
        _with_totals(correct),
        _with_totals(n),
        at if isinstance(at, int) else None,
    )


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _counts(value: Any, shape: tuple[int, int]) -> list[list[int]] | None:
    if not _is_list(value) or len(value) != shape[0]:
        return None
    rows = [list(row) for row in value if _is_list(row) and len(row) == shape[1]]
    whole = all(isinstance(cell, int) and not isinstance(cell, bool) and cell >= 0 for row in rows for cell in row)
    return rows if len(rows) == shape[0] and whole else None


def _with_totals(rows: list[list[int]]) -> tuple[tuple[int, ...], ...]:
    wide = [(*row, sum(row)) for row in rows]
    return (*wide, tuple(sum(column) for column in zip(*wide, strict=True)))


def _share(correct: int, n: int) -> Share:
    if not n:
        return Share()
    return Share(f"{correct / n:.0%}".replace("%", " %"), f"n={n}", wilson(correct, n)[0])


def _words(table: PatternTable, row: int, column: int, width: int) -> list[Line]:
    k, n = table.correct[row][column], table.n[row][column]
    if not n:
        return prose("No answer of this kind was seen: nothing is known, which is not 0 %.", width, "muted")
    low, high = wilson(k, n)
    lines: list[Line] = [
        fact("accuracy", percent(k / n), "strong", f"{k} of {n} right"),
        fact("95 %", f"{percent(low)} … {percent(high)}"),
    ]
    if n < FEW:
        lines += prose(f"Fewer than {FEW} answers: the interval is wide, look again later.", width, "warn", "! ")
    lines.append(fact("pattern", percent(_ratio(table, row, -1)), "", f"all lengths, n={table.n[row][-1]}"))
    lines.append(fact("length", percent(_ratio(table, -1, column)), "", f"all patterns, n={table.n[-1][column]}"))
    lines.append(fact("all", percent(_ratio(table, -1, -1)), "", f"n={table.n[-1][-1]}, step {step(table.step)}"))
    return lines


def _ratio(table: PatternTable, row: int, column: int) -> float:
    return table.correct[row][column] / table.n[row][column]
