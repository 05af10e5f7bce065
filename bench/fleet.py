"""The fleet's table with a thousand rows, whole and one row, beside Textual's DataTable with the same cells."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from textual.app import App, ComposeResult
from textual.widgets import DataTable

from bench.figure import Figure, Target
from bench.sink import Cost, Sink, frame
from mens_widgets.grid import Cell, Column, Grid, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.context import Context

ROWS = 1000
SIZE = (160, 50)
COLUMNS = (
    Column("state", "STATE", 12), Column("run", "RUN", 16, flex=1), Column("step", "STEP", 16, align="right"),
    Column("bar", "", 10), Column("loss", "LOSS", 8, align="right"), Column("spark", "", 8),
    Column("ce", "CE", 8, align="right"), Column("trend", "", 1), Column("rate", "TOK/S", 8, align="right"),
    Column("eta", "ETA", 7, align="right"), Column("alerts", "ALERTS", 6), Column("age", "AGE", 4, align="right"),
)  # fmt: skip


class Table(App[None]):
    """Nothing but a table, ours or Textual's."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, table: Grid | DataTable[str]) -> None:
        super().__init__(driver_class=Sink)
        self.table = table

    def compose(self) -> ComposeResult:
        """Fill the screen with the table."""
        yield self.table


def cells(run: int, turn: int) -> tuple[str, ...]:
    """Return the text of a row; its loss, average and step move with `turn`."""
    loss = 1.2 + (run * 37 + turn * 11) % 1000 / 5000
    return (
        "● running", f"qwen-lora-r{run}", f"{8120 + turn}/12000", "▓▓▓▓▓▓░░░░", f"{loss:.3f}", "▆▅▅▃▃▂▂▂",
        f"{loss + 0.02:.3f}", "↓", "2.31k/s", "1h12m", "▲1", "2s",
    )  # fmt: skip


def rows(turn: int) -> list[Row]:
    """Return the whole table at a turn."""
    return [_row(i, turn) for i in range(ROWS)]


def _row(run: int, turn: int) -> Row:
    first, *others = cells(run, turn)
    return Row(str(run), (Cell(first, "good"), *others), turn)


def bench_fleet(context: Context) -> Iterator[Figure]:
    """Measure both tables turn by turn in one process, in processor time."""
    whole, one, their_whole, their_one = asyncio.run(_measure(context.pick(30, 8)))
    against = "Textual DataTable"
    yield Figure(
        "fleet of 1000: whole table", "ms CPU",
        [c.ms for c in whole], Target(5.0), [c.ms for c in their_whole], against,
    )  # fmt: skip
    yield Figure(
        "fleet of 1000: one row", "ms CPU", [c.ms for c in one], Target(1.5), [c.ms for c in their_one], against
    )
    yield Figure(
        "fleet of 1000: one row", "bytes", [c.sent for c in one], Target(400), [c.sent for c in their_one], against
    )


async def _measure(turns: int) -> tuple[list[Cost], list[Cost], list[Cost], list[Cost]]:
    grid, table = Grid(COLUMNS), DataTable[str](cursor_type="row")
    ours, theirs = Table(grid), Table(table)
    out: tuple[list[Cost], list[Cost], list[Cost], list[Cost]] = ([], [], [], [])
    async with ours.run_test(headless=False, size=SIZE):
        await frame(ours, lambda: grid.set_rows(rows(0)))
        for turn in range(1, turns + 1):
            fresh = rows(turn)
            out[0].append(await frame(ours, lambda fresh=fresh: grid.set_rows(fresh)))  # type: ignore[misc]
            changed = [*fresh[:10], _row(10, turn + 1), *fresh[11:]]
            out[1].append(await frame(ours, lambda changed=changed: grid.set_rows(changed)))  # type: ignore[misc]
    async with theirs.run_test(headless=False, size=SIZE):
        keys = table.add_columns(*(c.title for c in COLUMNS))
        await frame(theirs, lambda: table.add_rows(cells(i, 0) for i in range(ROWS)))
        for turn in range(1, min(turns, 5) + 1):
            out[2].append(await frame(theirs, lambda turn=turn: _refill(table, turn)))  # type: ignore[misc]
            line = list(table.rows)[10]
            out[3].append(await frame(theirs, lambda turn=turn, line=line: _update(table, line, keys, turn)))  # type: ignore[misc]
    return out


def _refill(table: DataTable[str], turn: int) -> None:
    table.clear()
    table.add_rows(cells(i, turn) for i in range(ROWS))


def _update(table: DataTable[str], line: Any, keys: list[Any], turn: int) -> None:
    for key, text in zip(keys, cells(10, turn + 1), strict=True):
        if table.get_cell(line, key) != text:
            table.update_cell(line, key, text)
