"""The bands of the six indicators as ladders of edges: the one table that judging, documentation and help go by.

Data and look-up only; what a band needs to count is `healthbands`'s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from mens_console.signals.byvalue import ByValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mens_console.signals.generation import BandName, Indicator

_SAME: Final = 1e-9
"""A value this near an edge, relative to it, stands on it: sums of floats are not exact, tables are."""


@dataclass(frozen=True, slots=True)
class Edge(ByValue):
    """A border between two bands. A value that is exactly `at` belongs to the band that is named."""

    at: float
    belongs: Literal["below", "above"]


@dataclass(frozen=True, slots=True)
class Ladder(ByValue):
    """Bands from the lowest values to the highest and the edges between them (one fewer, rising)."""

    bands: tuple[BandName, ...]
    edges: tuple[Edge, ...]
    unit: str
    definition: str
    """How what is judged is computed."""
    seed: str
    """S1's formula for it."""
    decides: str
    """When a band counts."""
    shown: str = "{:.2f}"
    """How a value reads in a sentence; shares are multiplied by `scale` before."""
    scale: float = 1.0

    def band(self, value: float) -> BandName:
        """Return the band that a value lies in; nodata for NaN."""
        if math.isnan(value):
            return "nodata"
        place = 0
        for edge in self.edges:
            if math.isclose(value, edge.at, rel_tol=_SAME, abs_tol=_SAME):
                place += edge.belongs == "above"
            else:
                place += value > edge.at
        return self.bands[place]

    def between(self, low: float, high: float) -> tuple[Edge, ...]:
        """Return the edges that the interval reaches over: its ends lie on their different sides."""
        first, last = (self.bands.index(self.band(end)) for end in (low, high))
        return self.edges[first:last]

    def text(self, value: float) -> str:
        """Return a value as a sentence says it: ``12.5 %``, ``2.31 nats``."""
        return self.shown.format(value * self.scale)

    def range(self, band: BandName) -> str:
        """Return the values of a band: ``< 10 %``, ``10 % to 20 %``, ``> 2.00 nats``."""
        place = self.bands.index(band)
        low = self.edges[place - 1] if place else None
        high = self.edges[place] if place < len(self.edges) else None
        if low and high:
            return f"{self.text(low.at)} to {self.text(high.at)}"
        if high:
            return f"{'≤' if high.belongs == 'below' else '<'} {self.text(high.at)}"
        return f"{'≥' if low and low.belongs == 'above' else '>'} {self.text(low.at)}" if low else "any"


_ABOVE: Final = ("healthy", "warning", "critical")
_BELOW: Final = ("critical", "warning", "healthy")

LADDERS: Final[Mapping[Indicator, Ladder]] = MappingProxyType(
    {
        "repair_rate": Ladder(
            _ABOVE, (Edge(0.10, "above"), Edge(0.20, "below")), "share",
            "attempts with at least one repair / attempts; Wilson's 95 % interval",
            "attempts with repairs / attempts",
            "when the interval lies within the band; otherwise undecided",
            "{:.3g} %", 100.0,
        ),
        "repair_rate_trend": Ladder(
            _ABOVE, (Edge(5.0, "above"), Edge(10.0, "above")), "pp/batch",
            "Theil and Sen's slope of the repair rates of the last 6 to 12 whole batches, with Sen's 95 % interval",
            "least-squares slope of the repair rates; drift where > 0.5 per batch",
            "by the slope, where the interval excludes 0 (a rise) or a critical rise (stability); otherwise undecided",
            "{:+.3g} pp/batch",
        ),
        "opening_entropy": Ladder(
            _BELOW, (Edge(1.5, "above"), Edge(2.0, "below")), "nats",
            "Shannon entropy of the opening moves with Miller and Madow's correction, natural logarithm",
            "entropy of the opening moves' counts; drift where its slope < -0.1 per batch",
            "by the corrected value, from 50 attempts on",
            "{:.3f} nats",
        ),
        "pollyanna": Ladder(
            ("below_range", "healthy", "warning", "critical"),
            (Edge(0.5, "above"), Edge(0.7, "below"), Edge(0.85, "below")), "score",
            "mean of validator_scores.pollyanna over the attempts that carry it, with Student's 95 % interval",
            "mean of validator_scores.pollyanna; drift where its slope > 0.2 per batch",
            "by the mean, from 50 scores on; with fewer when the interval lies within the band",
            "{:.3f}",
        ),
        "anchor_diversity": Ladder(
            _BELOW, (Edge(0.6, "above"), Edge(0.8, "below")), "ratio",
            "different anchors / attempts, S1's ratio; it falls as a batch grows and can exceed 1",
            "different anchors / attempts",
            "by the ratio; healthy only from 50 attempts on, and where the batch's size is not reached yet only if it "
            "would still be there",
            "{:.3f}",
        ),
        "mean_latency": Ladder(
            _ABOVE, (Edge(0.2, "above"), Edge(0.5, "above")), "of baseline",
            "mean latency / baseline - 1; the baseline is the median of the means of the first 5 healthy batches",
            "mean of latency_ms",
            "by the mean, from 50 latencies on; with fewer when the interval lies within the band",
            "{:+.3g} %", 100.0,
        ),
    }
)  # fmt: skip


def describe() -> str:
    """Return the table of bands as Markdown."""
    lines = [
        "| indicator | healthy | warning | critical | what is judged | a band counts |",
        "|---|---|---|---|---|---|",
    ]
    for name, ladder in LADDERS.items():
        healthy = ladder.range("healthy")
        if "below_range" in ladder.bands:
            healthy += f" (below range, for information: {ladder.range('below_range')})"
        cells = (f"`{name}`", healthy, _edge_words(ladder), ladder.range("critical"), ladder.definition, ladder.decides)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _edge_words(ladder: Ladder) -> str:
    place = ladder.bands.index("warning")
    low, high = ladder.edges[place - 1], ladder.edges[place]
    ends = [
        f"{ladder.text(edge.at)} {'included' if inside else 'excluded'}"
        for edge, inside in ((low, low.belongs == "above"), (high, high.belongs == "below"))
    ]
    return " to ".join(ends)
