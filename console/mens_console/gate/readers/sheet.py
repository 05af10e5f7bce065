"""The sheet that a reader fills in for one file: values that were checked and brought to their metric's unit.

What cannot be right (NaN, negative, over 100 %, an unknown unit) stays on the sheet without its value and says so: a
criterion can then tell why nothing feeds it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mens_console.gate.metrics import METRICS
from mens_console.gate.readers.numbers import number, tidy, when
from mens_console.gate.readers.units import factor
from mens_console.gate.types import Item, Metric, Paired
from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    from mens_console.gate.readers.prometheus import Query, Server

_TEXT: Final = 200
_SIGNED: Final = frozenset({"points", "points/batch"})
"""Units of differences, which may be negative."""
_SIGNED_METRICS: Final = frozenset({"quantization_loss", "health_latency_change", "plan_minimality", "quality_proxy"})


@dataclass(frozen=True, slots=True)
class Source:
    """The file that is read: `path` as it is shown, digest of the bytes that are parsed, mtime (s since the epoch)."""

    path: str
    sha256: str
    mtime: float


@dataclass(slots=True)
class Sheet:
    """What one file gives. `problem` says why it gives nothing; `notes`, what was left aside."""

    source: Source
    tool: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    """Tags of all of its items."""
    at: float = math.nan
    undated: bool = False
    """A date stands there that nobody can read: then the file's own time says nothing either."""
    items: list[Item] = field(default_factory=list)
    scores: list[Item] = field(default_factory=list)
    """Scores of other benchmarks, under ids of their own: what a mean over benchmarks is taken of."""
    notes: list[str] = field(default_factory=list)
    problem: str = ""
    listed: list[tuple[str, str, str]] = field(default_factory=list)
    """(metric, path, sha256) of what a manifest file promises."""
    server: Server | None = None
    queries: tuple[Query, ...] = ()
    """What is to be asked of a server before the sheet is whole."""

    def taken(self, value: Any) -> None:
        """Note when it was measured, in any shape a producer writes; a time without a zone is never after the mtime.

        Where none is told the file's own time dates it. One that cannot be read leaves it undated: a copy is as young
        as whoever made it.
        """
        told, zoned = when(value)
        if math.isfinite(told):
            self.at = told if zoned else min(told, self.source.mtime)
        elif value not in {None, ""} if isinstance(value, str | None) else True:
            self.undated = True
            self.note(f"its date cannot be read, so that nothing tells when it was measured: {str(value)[:40]!r}")

    def tag(self, name: str, value: Any) -> None:
        """Note a tag of all items; nothing for what is no text or number."""
        if isinstance(value, str | int | float) and not isinstance(value, bool) and value != "":
            text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
            self.tags[name] = safe_text(text, _TEXT)

    def add(
        self,
        metric: str,
        value: Any,
        unit: str,
        pointer: str,
        *,
        n: int | None = None,
        successes: int | None = None,
        samples: Sequence[float] = (),
        counts: Mapping[float, int] | None = None,
        interval: tuple[float, float] | None = None,
        tags: Mapping[str, str] | None = None,
        note: str = "",
        trouble: str = "",
        keep: bool = False,
        paired: Paired | None = None,
    ) -> None:
        """Put a value of `METRICS` on the sheet, in its own unit; `samples`, `counts`, `interval` are in `unit`.

        A value in trouble is NaN, unless `keep` says that it is true as far as it goes (failures of a soak cut short).
        """
        known = METRICS[metric]
        times = factor(unit, known.unit)
        found = number(value) * times if times is not None else math.nan
        if times not in {None, 1.0}:
            found = tidy(found)
        wrong = _wrong(known, value, unit, found, times, n, successes)
        gone = bool(wrong or (trouble and not keep))
        wrong = trouble or wrong
        times = times or 1.0
        self.items.append(
            Item(
                metric=metric,
                value=math.nan if gone else found,
                unit=known.unit,
                path=self.source.path,
                sha256=self.source.sha256,
                pointer=safe_text(pointer, _TEXT),
                tool=self.tool,
                n=n,
                successes=None if gone else successes,
                samples=() if gone else tuple(one * times for one in samples),
                counts=() if gone or not counts else tuple((key * times, counts[key]) for key in sorted(counts)),
                interval=None if gone or interval is None else (interval[0] * times, interval[1] * times),
                tags=dict(sorted({**self.tags, **(tags or {})}.items())),
                at=self._dated(),
                note=safe_text(note, _TEXT * 2),
                trouble=safe_text(wrong, _TEXT * 2),
                paired=None if gone else paired,
            )
        )

    def score(self, name: str, share: float, pointer: str, n: int | None = None, trouble: str = "") -> None:
        """Note the score of a benchmark (0 to 1), of which means over benchmarks are taken; NaN in trouble.

        One that is there and has no usable value stays: a mean over the others would leave out what may be the worst.
        """
        where = self.source
        if not trouble and not 0 <= share <= 1:
            trouble = f"its value is no share: {share:g}"
        share = math.nan if trouble else share
        item = Item(f"score {safe_text(name, _TEXT)}", tidy(share * 100), "%", where.path, where.sha256, pointer,
                    self.tool, n=n, tags=dict(sorted(self.tags.items())), at=self._dated(),
                    trouble=safe_text(trouble, _TEXT * 2))  # fmt: skip
        self.scores.append(item)

    def _dated(self) -> float:
        """Return when it was measured (s since the epoch), NaN where that cannot be known."""
        if self.undated:
            return math.nan
        return self.at if math.isfinite(self.at) else self.source.mtime

    def note(self, text: str) -> None:
        """Say what was left aside."""
        self.notes.append(safe_text(text, _TEXT * 2))


def _wrong(
    metric: Metric, raw: Any, unit: str, value: float, times: float | None, n: int | None, successes: int | None
) -> str:
    """Return why a value cannot be used, or nothing."""
    if times is None:
        return f"its unit {unit!r} is none of {metric.title}, which is in {metric.unit}"
    if n is not None and n <= 0:
        return "it rests on nothing: n is 0"
    if not math.isfinite(value):
        return f"its value is no finite number: {str(raw)[:40]!r}"
    if value < 0 and metric.unit not in _SIGNED and metric.id not in _SIGNED_METRICS:
        return f"its value is negative: {str(raw)[:40]}"
    if value == 0 and metric.statistic == "quantile":
        return "it is exactly 0 ms, which no server answers in: nothing was measured"
    if metric.statistic == "share" and value > 100.0 + 1e-9:
        return f"its value is over 100 %: {value:g}"
    if metric.statistic == "count" and value != int(value):
        return f"it counts, and is no whole number: {value:g}"
    if successes is not None and (n is None or not 0 <= successes <= n):
        return f"it says {successes} of {n}"
    return ""
