"""What a batch is made of, as bars: repairs, opening moves, statuses, stages, scores; and what could not be read.

Pure functions from views to lines.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from mens_console.ingest.text import safe_text
from mens_console.screens.feeds import feed_lines
from mens_console.screens.hardwarerows import ago
from mens_console.screens.healthlines import section, tier_lines
from mens_console.screens.sheet import Line, prose
from mens_console.screens.words import age
from mens_console.signals.human import size, step
from mens_console.store.feeds import MEANT
from mens_widgets.bar import bar
from mens_widgets.text import fit, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mens_console.screens.healthverdict import Verdict
    from mens_console.signals.generation import BatchFigures, HealthReport, LogSource
    from mens_console.signals.kpivalues import Feed

MOST: Final = 12
"""Names that a distribution shows; the rest is summed up."""
FIELDS: Final = 20
LEAST_PATH: Final = 16
"""Cells that a path keeps, however long what is said of it."""
MOST_RUNS: Final = 30


def distribution(counts: Mapping[str, int], of: int, width: int, ink: str = "accent", most: int = MOST) -> list[Line]:
    """Return the largest counts as bars of their share `of` all, largest first; the rest in one line."""
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    label = max(8, min(24, width - 21))
    gauge = max(4, min(24, width - label - 15))
    lines: list[Line] = []
    for name, n in ranked[:most]:
        share = n / of if of else math.nan
        lines.append(
            (
                (fit(safe_text(name, 60) or '""', label) + " ", ""),
                (bar(min(share, 1.0), gauge), ink),
                (f" {step(n):>6} {_percent(share):>6}", "muted"),
            )
        )
    if rest := ranked[most:]:
        total = sum(n for _, n in rest)
        lines.append(((fit(f"{len(rest)} more", label) + " " * (gauge + 1) + f" {step(total):>6}", "muted"),))
    return lines


def _percent(share: float) -> str:
    return f"{share * 100:.1f}%" if math.isfinite(share) else "—"


def batch_lines(batch: BatchFigures, width: int) -> list[Line]:
    """Return the distributions of a batch."""
    told = batch.measured.get("repairs", batch.n)
    repairs = distribution(batch.repairs, batch.n, width, "warn")
    if not repairs:
        repairs = [(("none needed" if told else "no row tells of repairs", "muted"),)]
    moves = distribution(batch.openings, sum(batch.openings.values()), width)
    lines = [*section(f"Repairs · {step(batch.repaired)} of {step(batch.n)} attempts", repairs)]
    lines += section(
        f"Opening moves · {step(len(batch.openings))} kinds", moves or [(("no row tells of an opening move", "muted"),)]
    )
    lines += section("Status", distribution(batch.statuses, batch.n, width, "accent"))
    lines += section("Stage", distribution(batch.stages, batch.n, width, "accent"))
    return [
        *lines,
        *section("Validator scores", score_lines(batch, width)),
        *section("Anchors", anchor_lines(batch, width)),
    ]


def score_lines(batch: BatchFigures, width: int) -> list[Line]:
    """Return each validator's mean score, deviation and number."""
    label = max(8, min(24, width - 24))
    return [
        (
            (fit(safe_text(name, 60), label) + " ", ""),
            (f"{score.mean:6.3f}" if math.isfinite(score.mean) else "     —", "strong"),
            (f" ± {score.deviation:.3f}" if math.isfinite(score.deviation) else "        ", "muted"),
            (f"  n {step(score.n)}", "muted"),
        )
        for name, score in sorted(batch.scores.items())[:FIELDS]
    ]


def anchor_lines(batch: BatchFigures, width: int) -> list[Line]:
    """Return how many distinct anchors there are, and in a draw of fixed size."""
    if not batch.anchor_mentions:
        return [(("no row tells of an anchor", "muted"),)]
    text = f"{step(batch.anchors)} distinct in {step(batch.anchor_mentions)} mentions"
    if math.isfinite(batch.anchor_rarefied):
        text += f"; {batch.anchor_rarefied:.2f} distinct a mention in draws of {step(batch.rarefied_to)}"
    return prose(text, width)


def run_lines(report: HealthReport, width: int, most: int) -> list[Line]:
    """Return the drift verdict of each run, the worst first, `most` lines of them."""
    rank = {True: 0, None: 1, False: 2}
    lines: list[Line] = []
    for tier in sorted(report.runs, key=lambda one: rank[one.drift]):
        if len(lines) >= most:
            break
        lines += tier_lines(tier, width)
    return lines[:most]


def reason_lines(report: HealthReport, answer: Verdict, width: int) -> list[Line]:
    """Return every reason of the verdict, and what is computed of each run and tier."""
    lines: list[Line] = [(("Why", "accent"),)]
    for text, ink in answer.reasons:
        lines += prose(text, width, ink, "  ")
    shown = sorted(report.runs, key=lambda one: {True: 0, None: 1, False: 2}[one.drift])[:MOST_RUNS]
    for title, tiers in (("Everything", (report.tier,)), ("Tiers", report.tiers), ("Runs", shown)):
        if len(tiers) > 1 or title != "Tiers":
            lines += section(title, [line for one in tiers[:MOST_RUNS] for line in tier_lines(one, width)])
    return lines


# ---------------------------------------------------------------------- what was not read


def bad_lines(report: HealthReport, feeds: Sequence[Feed], now: float, width: int) -> list[Line]:
    """Return the files with what is wrong in them, unknown fields, what feeds what, and samples of bad rows."""
    lines: list[Line] = [(("Files", "accent"),)]
    for source in report.sources:
        lines += _source(source, now, width)
    lines += section("Bad rows", _samples(report, width))
    lines += section("Contract drift", feed_lines(feeds, width))
    return lines


def _source(source: LogSource, now: float, width: int) -> list[Line]:
    share = "" if source.done >= source.size else f", read {source.done / source.size:.0%}"
    text = f"  {step(source.rows)} rows · {size(source.size)}{share} · written {ago(age(source.updated, now))}"
    bad: tuple[str, str] = (f" · {step(source.bad_rows)} bad", "warn") if source.bad_rows else ("", "")
    lines: list[Line] = [((safe_text(source.path, 300), "strong"),), ((text, "muted"), bad)]
    if source.problem:
        lines += prose(safe_text(source.problem, 300), width, "bad", "  ! ")
    if known := sorted(name for name in source.unknown_fields if name in MEANT):
        named = ", ".join(f"{name} for {MEANT[name]}" for name in known[:FIELDS])
        more = f" and {len(known) - FIELDS} more" if len(known) > FIELDS else ""
        lines += prose(f"other names of fields: {named}{more}", width, "muted", "  · ")
    odd = [(name, n) for name, n in source.unknown_fields.items() if name not in MEANT]
    if odd:
        ranked = sorted(odd, key=lambda pair: (-pair[1], pair[0]))
        named = ", ".join(f"{safe_text(name, 40)} ({step(n)})" for name, n in ranked[:FIELDS])
        more = f" and {len(ranked) - FIELDS} more" if len(ranked) > FIELDS else ""
        lines += prose(f"fields that no formula reads: {named}{more}", width, "muted", "  · ")
    return lines


def _samples(report: HealthReport, width: int) -> list[Line]:
    if not report.bad_rows:
        return [(("none: every line is an attempt", "muted"),)]
    lines: list[Line] = [((f"{step(report.bad_rows)} lines are no attempt; {len(report.bad)} of them:", ""),)]
    for row in report.bad:
        place = f" line {step(row.line)}" if row.line is not None else f" byte {step(row.offset)}"
        why = f"  {safe_text(row.why, 200)}"
        path = shorten(safe_text(row.path, 200), max(width - cell_len(place + why) - 2, LEAST_PATH))
        lines.append((("  " + path, ""), (place, "strong"), (why, "warn")))
        lines.append(((fit("    " + safe_text(row.sample, 400), width), "muted"),))
    return lines
