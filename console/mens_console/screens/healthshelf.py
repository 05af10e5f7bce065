"""The batches of some attempt logs as rows of a table: order and filter, built only where they are seen.

Pure views; what a batch's figures mean is `signals`'. Nothing here costs the number of batches while the order is the
file's, so that twenty thousand of them are followed live.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import TYPE_CHECKING, Final, NamedTuple, overload

from mens_console.ingest.text import safe_text
from mens_console.screens.bands import band_look, latency_text, severity, state_text, worst
from mens_console.screens.query import Terms
from mens_console.signals.human import count
from mens_widgets.grid import Cell, Column, LazyRows, Row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mens_console.signals.generation import BatchFigures, HealthReport, Indicator, Judged

NO_RUN: Final = "(no run id)"
ORDERS: Final = ("newest first", "oldest first", "worst first")
RUN_COLUMN: Final = Column("run", "run", 9, flex=1, priority=91, cut="middle")
COLUMNS: Final = (
    Column("batch", "batch", 6, align="right", priority=100),
    Column("state", "state", 13, priority=95),
    Column("n", "n", 5, align="right", priority=90),
    Column("success", "success", 7, align="right", priority=84),
    Column("repairs", "repairs", 7, priority=89),
    Column("trend", "trend pp", 8, priority=30),
    Column("entropy", "entropy", 7, priority=88),
    Column("moves", "e^H", 4, align="right", priority=25),
    Column("pollyanna", "polly", 6, priority=87),
    Column("anchors", "anchors", 7, priority=86),
    Column("latency", "latency", 9, priority=60),
    Column("p95", "p95", 9, align="right", priority=28),
    Column("tokens", "tokens", 7, align="right", priority=10),
    Column("cost", "cost", 8, align="right", priority=20),
)


class Span(NamedTuple):
    """The batches of one run in a report: from `start` to before `end`."""

    run: str
    start: int
    end: int


def run_name(run_id: str, limit: int = 60) -> str:
    """Return a run id as it is shown."""
    return safe_text(run_id, limit) if run_id else NO_RUN


def spans(batches: Sequence[Judged]) -> list[Span]:
    """Return where each run's batches stand; costs the number of runs and the logarithm of that of batches."""
    found: list[Span] = []
    start, total = 0, len(batches)
    while start < total:
        run, step = batches[start].batch.run_id, 1
        while start + step < total and batches[start + step].batch.run_id == run:
            step *= 2
        low, high = start + step // 2, min(start + step, total)  # low is of the run, high is not or is the end
        while low + 1 < high:
            middle = (low + high) // 2
            low, high = (middle, high) if batches[middle].batch.run_id == run else (low, middle)
        found.append(Span(run, start, high))
        start = high
    return found


class Places:
    """Positions of the wanted runs' batches in the order they are shown, without a list where none is needed."""

    def __init__(self, report: HealthReport, order: int, query: Terms) -> None:
        self.spans = [one for one in spans(report.batches) if query.hold(lambda _, one=one: (run_name(one.run, 200),))]  # type: ignore[misc]
        self.total = sum(one.end - one.start for one in self.spans)
        self._starts = [0]
        for one in self.spans:
            self._starts.append(self._starts[-1] + one.end - one.start)
        self._reverse = order == 0
        self._order: list[int] | None = None
        self._known: dict[int, int] | None = None
        if order == 2 or len(self.spans) > 1:
            self._order = self._sorted(report.batches, order)

    def _sorted(self, batches: Sequence[Judged], order: int) -> list[int]:
        wanted = [i for one in self.spans for i in range(one.start, one.end)]
        if order == 2:
            return sorted(wanted, key=lambda i: (severity(batches[i].bands.values()), -i))
        ended = [one if (one := batches[i].batch.ended) == one else -math.inf for i in wanted]
        # Runs are in order already, and the sort finds that out: this is a merge of them.
        ranked = [wanted[i] for i in sorted(range(len(wanted)), key=ended.__getitem__)]
        return ranked[::-1] if order == 0 else ranked

    def at(self, place: int) -> int:
        """Return the position in the report of what is shown at a place."""
        if self._order is not None:
            return self._order[place]
        return self._nth(self.total - 1 - place if self._reverse else place)

    def _nth(self, n: int) -> int:
        span = bisect_right(self._starts, n) - 1
        return self.spans[span].start + n - self._starts[span]

    def place(self, position: int) -> int | None:
        """Return where a position of the report is shown."""
        if self._order is not None:
            if self._known is None:
                self._known = {one: i for i, one in enumerate(self._order)}
            return self._known.get(position)
        for start, span in zip(self._starts, self.spans, strict=False):
            if span.start <= position < span.end:
                place = start + position - span.start
                return self.total - 1 - place if self._reverse else place
        return None


class BatchRows(LazyRows):
    """The rows of a report in an order, those that match a query."""

    def __init__(self, report: HealthReport, order: int, query: Terms, *, named: bool) -> None:
        self.report, self.named = report, named
        self.places = Places(report, order, query)
        self._built: dict[int, Row] = {}

    def __len__(self) -> int:
        """Return how many batches are shown."""
        return self.places.total

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> list[Row]: ...
    def __getitem__(self, place: int | slice) -> Row | list[Row]:
        """Return a row, or some."""
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        place += len(self) if place < 0 else 0
        if not 0 <= place < len(self):
            raise IndexError(place)
        row = self._built.get(place)
        if row is None:
            row = self._built[place] = row_of(self.judged(place), named=self.named)
        return row

    def judged(self, place: int) -> Judged:
        """Return what is shown at a place."""
        return self.report.batches[self.places.at(place)]

    def span_of(self, run_id: str) -> Span | None:
        """Return where a shown run's batches stand in the report."""
        return next((one for one in self.places.spans if one.run == run_id), None)

    def find(self, key: str | None) -> int | None:
        """Return the position in the report of a shown batch by its key."""
        index, _, run = (key or "").partition(" ")
        if not index.isdecimal():
            return None
        for span in (one for one in self.places.spans if one.run == run):
            # Batches of a run are numbered without gaps, so the place follows from the first one's number.
            position = span.start + int(index) - self.report.batches[span.start].batch.index
            if span.start <= position < span.end and self.report.batches[position].batch.index == int(index):
                return position
        return None

    def place(self, key: str) -> int | None:
        """Return where the batch with this key is shown."""
        position = self.find(key)
        return None if position is None else self.places.place(position)


def key_of(batch: BatchFigures) -> str:
    """Return what a batch's row is known by."""
    return f"{batch.index} {batch.run_id}"


def row_of(judged: Judged, *, named: bool) -> Row:
    """Return the row of a batch; `named` puts its run first."""
    batch, bands = judged.batch, judged.bands
    band, _ = worst(bands)
    entropy = batch.opening_entropy_corrected
    cells: tuple[Cell | str, ...] = (
        f"{batch.index}" if batch.complete else f"{batch.index}…",
        Cell(state_text(bands), band_look(band).tone),
        str(batch.n),
        _share(batch.success_rate) if batch.measured.get("status", batch.n) else "—",
        _banded(judged, "repair_rate", _share(batch.repair_rate), 5),
        _banded(judged, "repair_rate_trend", _trend(judged), 5),
        _banded(judged, "opening_entropy", _decimal(entropy)),
        Cell(_moves(entropy), "muted"),
        _banded(judged, "pollyanna", _decimal(_pollyanna(judged))),
        _banded(judged, "anchor_diversity", _decimal(batch.anchor_diversity)),
        _banded(judged, "mean_latency", latency_text(batch.latency_mean), 7),
        Cell(latency_text(batch.latency_p95), "muted"),
        Cell(_tokens(batch), "muted"),
        Cell(cost_text(batch.cost_usd), "muted"),
    )
    if named:
        cells = (cells[0], Cell(run_name(batch.run_id), ""), *cells[1:])
    return Row(key_of(batch), cells, cells)


def columns(*, named: bool) -> tuple[Column, ...]:
    """Return the columns of the table."""
    return (COLUMNS[0], RUN_COLUMN, *COLUMNS[1:]) if named else COLUMNS


def cost_text(dollars: float) -> str:
    """Return dollars: ``$0.352``, ``$12.40``."""
    if not math.isfinite(dollars):
        return "—"
    return f"${dollars:.3f}" if dollars < 1 else f"${dollars:,.2f}"


def _banded(judged: Judged, indicator: Indicator, text: str, cells: int = 4) -> Cell:
    """Return a glyph and a figure that stands right in its `cells`, so that figures stand below each other."""
    band = judged.bands.get(indicator)
    look = band_look("nodata" if band is None else band.band)
    return Cell(f"{look.glyph} {text:>{cells}}", look.tone)


def _share(value: float) -> str:
    if not math.isfinite(value):
        return "—"
    return f"{value * 100:.1f}%" if value < 0.9995 else "100%"


def _decimal(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "—"


def _moves(entropy: float) -> str:
    return f"{math.exp(entropy):.1f}" if math.isfinite(entropy) and entropy < 50 else "—"


def _pollyanna(judged: Judged) -> float:
    band, score = judged.bands.get("pollyanna"), judged.batch.scores.get("pollyanna")
    return score.mean if score is not None else band.value if band is not None else math.nan


def _trend(judged: Judged) -> str:
    band = judged.bands.get("repair_rate_trend")
    if band is None or not math.isfinite(band.value):
        return "—"
    return f"{band.value if band.unit.startswith('pp') else band.value * 100:+.1f}"


def _tokens(batch: BatchFigures) -> str:
    told = batch.measured.get("prompt_tokens", 1) or batch.measured.get("completion_tokens", 1)
    return count(batch.total_tokens) if told else "—"
