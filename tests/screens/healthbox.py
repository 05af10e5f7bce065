"""Made-up attempt logs: judged batches of a run that holds, one whose feel collapses, and what is odd or hostile."""

import math
from dataclasses import replace
from pathlib import Path

from screens.box import NOW

from mens_console.signals.generation import (
    BadRow,
    Band,
    BatchFigures,
    HealthReport,
    Judged,
    LogSource,
    ScoreFigures,
    Slope,
    TierFigures,
)
from mens_console.store.snapshot import HealthView

NAN = math.nan
HOSTILE = "\x1b[31mrun[/red]\u202e 試験\n"


def batch(index, run="25K_20260131", *, n=1000, repairs=0.06, entropy=2.31, anchors=0.91, latency=1250.0, **changes):
    """A batch of `n` attempts, whole when that is a thousand."""
    repaired = round(repairs * n)
    figures = BatchFigures(
        run_id=run, index=index, n=n, personas=n - 2, complete=n >= 1000,
        success=n - repaired - 12, success_or_repaired=n - 12, repaired=repaired,
        repairs={"opening_repetition": repaired // 2, "trait_leak": repaired // 3, "length": repaired // 6},
        statuses={"success": n - repaired - 12, "repair": repaired, "fail": 12},
        latency_n=n, latency_mean=latency, latency_p95=latency * 1.9, latency_deviation=latency / 4,
        scores={"pollyanna": ScoreFigures(n, 0.61, 0.1), "trait_leak": ScoreFigures(n, 0.02, 0.14)},
        openings={"situational_hook": n // 4, "dialogue": n // 5, "proverb": n // 6, "weather": n // 8, "letter": 9},
        opening_entropy=entropy - 0.01, opening_entropy_corrected=entropy,
        anchors=round(anchors * n), anchor_mentions=2 * n, anchor_diversity=anchors, anchor_rarefied=0.83,
        rarefied_to=200, prompt_tokens=450 * n, completion_tokens=320 * n, cost_usd=770 * n * 0.00045 / 1000,
        started=NOW - 9000 + 300 * index, ended=NOW - 8700 + 300 * index, first=("/box/a.jsonl", 540_000 * index),
        stages={"B": n // 2, "C": n - n // 2},
    )  # fmt: skip
    return replace(figures, **changes)


def judged(figures, *, trend=0.1, pollyanna=0.61, baseline=1250.0):
    """Bands that follow the figures, roughly as the real judge gives them."""
    scores = {**figures.scores, "pollyanna": ScoreFigures(figures.n, pollyanna, 0.1)}
    figures = replace(figures, scores=scores)
    n, rate = figures.n, figures.repair_rate
    half = 1.96 * math.sqrt(max(rate * (1 - rate), 0) / n) if n else NAN
    slow = figures.latency_mean / baseline - 1

    def band(value, edges, worse_up=True, **more):
        place = sum(value >= edge if worse_up else value <= edge for edge in edges)
        name = ("healthy", "warning", "critical")[place]
        return Band(name, value, n, reason=f"{value:.3g} lies in {name}", **more)

    return Judged(
        figures,
        {
            "repair_rate": band(rate, (0.1, 0.2), interval=(rate - half, rate + half), unit="share"),
            "repair_rate_trend": band(trend, (5, 10), interval=(trend - 0.4, trend + 0.4), unit="pp/batch", seed=0.001)
            if figures.index >= 5
            else Band("nodata", reason=f"6 whole batches are needed, there are {figures.index + 1}"),
            "opening_entropy": band(figures.opening_entropy_corrected, (2.0, 1.5), worse_up=False, unit="nats",
                                    seed=figures.opening_entropy),
            "pollyanna": band(pollyanna, (0.7, 0.85), interval=(pollyanna - 0.006, pollyanna + 0.006), unit="score"),
            "anchor_diversity": band(figures.anchor_diversity, (0.8, 0.6), worse_up=False, unit="ratio"),
            "mean_latency": band(slow, (0.2, 0.5), interval=(slow - 0.02, slow + 0.02), unit="of baseline"),
        },
    )  # fmt: skip


def tier(name, batches, drift=False, reasons=(), **changes):
    n = sum(one.batch.n for one in batches)
    ok = sum(one.batch.success for one in batches)
    figures = TierFigures(
        tier=name, runs=(name,), batches=len(batches), attempts=n, personas_at_most=n - 2,
        success_rate=ok / n if n else NAN, success_or_repaired_rate=0.988 if n else NAN,
        repair_rate=sum(one.batch.repaired for one in batches) / n if n else NAN,
        total_tokens=sum(one.batch.total_tokens for one in batches),
        cost_usd=sum(one.batch.cost_usd for one in batches),
        repair_rate_trend=Slope(0.012, 0.013, (0.009, 0.018), len(batches)),
        latency_trend=Slope(4.0, 3.8, (-1.0, 8.0), len(batches)),
        opening_entropy_trend=Slope(-0.04, -0.041, (-0.05, -0.03), len(batches)),
        pollyanna_trend=Slope(0.001, 0.0008, (-0.001, 0.002), len(batches)),
        drift=drift, drift_reasons=tuple(reasons), notes=("S1's three rules see no drift",),
        latency_baseline_ms=1250.0, baseline_batches=(0, 1, 2, 3, 4),
    )  # fmt: skip
    return replace(figures, **changes)


def source(path="/box/personas/attempts.jsonl", **changes):
    return replace(LogSource(path, 13_000_000, 13_000_000, 24_412, 0, updated=NOW - 3), **changes)


def report(runs, **changes):
    """`runs`: run id → (judged batches, drift, reasons)."""
    tiers = tuple(tier(name, list(rows), drift, why) for name, (rows, drift, why) in runs.items())
    batches = tuple(one for rows, _, _ in runs.values() for one in rows)
    drifts = [one.drift for one in tiers]
    whole = tier("all", batches, True if True in drifts else None if None in drifts or not drifts else False)
    made = HealthReport(1, 1000, batches, whole, tiers[:1], tiers, (source(),), at=NOW)
    return replace(made, **changes)


def view(made, name="attempts.jsonl", rev=1):
    return HealthView(f"/box/{name}", name, (Path("/box") / name,), made, rev)


def holding(batches=24):
    rows = [judged(batch(i, repairs=0.05 + 0.01 * (i % 3))) for i in range(batches)]
    return report({"25K_20260131": (rows, False, ())})


REASONS = (
    "opening entropy fell from 2.31 to 1.32 nats at batch 14 (CUSUM 9.1 over 5)",
    "repair rate rises by 1.3 pp a batch [0.9, 1.8] over 24 batches",
)


def collapsing(batches=24):
    """Entropy falls, repairs rise, the newest batch is not whole yet."""
    rows = []
    for i in range(batches):
        bad = max(0, i - 12) / 12
        made = batch(
            i, repairs=0.06 + 0.19 * bad, entropy=2.31 - bad, anchors=0.91 - 0.25 * bad, latency=1250 + 160 * bad
        )
        rows.append(judged(made, trend=0.2 + 1.1 * bad, pollyanna=0.61 + 0.13 * bad))
    last = batch(batches, n=412, repairs=0.26, entropy=1.3, anchors=0.7, latency=1400.0, duplicates=3, clock_back=1)
    return report({"25K_20260131": ([*rows, judged(last, trend=1.3, pollyanna=0.75)], True, REASONS)})


def several():
    good = [judged(batch(i, "100K_b")) for i in range(8)]
    bad = collapsing().batches
    young = [judged(batch(0, "25K_new", n=40))]
    return report(
        {"100K_b": (good, False, ()), "25K_20260131": (bad, True, REASONS), "25K_new": (young, None, ())},
        sources=(
            source(bad_rows=3, unknown_fields={"temperature": 24_000, HOSTILE: 2}),
            source("/box/personas/old.jsonl", problem="permission denied: make it readable", done=0, rows=0),
        ),
        bad_rows=3,
        bad=(BadRow("/box/personas/attempts.jsonl", 17, 900, "not JSON", '{"ts": "2026\x1b[2J'),
             BadRow("/box/personas/attempts.jsonl", None, 12_345, "no field of an attempt", "[1, 2]")),
    )  # fmt: skip


def hostile():
    scores = {HOSTILE: ScoreFigures(3, 0.5, 0.1), "pollyanna": ScoreFigures(3, 0.6)}
    made = replace(
        batch(0, HOSTILE, repairs=0.3), scores=scores, repairs={HOSTILE: 200, "[bold]x[/]": 100},
        openings={HOSTILE: 500, "": 3}, statuses={HOSTILE: 1000}, stages={"段階" * 20: 1000},
    )  # fmt: skip
    one = judged(made)
    bands = {**one.bands, "repair_rate": Band("critical", 0.3, 1000, (0.27, 0.33), reason=HOSTILE, definition=HOSTILE)}
    rows = [Judged(made, bands)]
    return report({HOSTILE: (rows, True, (HOSTILE,)), "b": ([judged(batch(0, "b"))], False, ())},
                  sources=(source(HOSTILE, problem=HOSTILE, unknown_fields={HOSTILE: 1}),), bad_rows=1,
                  bad=(BadRow(HOSTILE, 1, 0, HOSTILE, HOSTILE * 50),))  # fmt: skip


def unknown():
    """Nothing was measured: every number is NaN, every mapping empty."""
    made = BatchFigures(
        run_id="", index=0, n=7, personas=0, complete=False, success=0, success_or_repaired=0, repaired=0, repairs={},
        statuses={}, latency_n=0, latency_mean=NAN, latency_p95=NAN, latency_deviation=NAN, scores={}, openings={},
        opening_entropy=NAN, opening_entropy_corrected=NAN, anchors=0, anchor_mentions=0, anchor_diversity=NAN,
        anchor_rarefied=NAN, rarefied_to=0, prompt_tokens=0, completion_tokens=0, cost_usd=NAN, started=NAN, ended=NAN,
        first=("x", 0), measured={"repairs": 0, "prompt_tokens": 0, "completion_tokens": 0, "status": 0},
    )  # fmt: skip
    none = TierFigures("", ("",), 1, 7, 0, NAN, NAN, NAN, 0, NAN)
    return HealthReport(
        1, 1000, (Judged(made, {}),), replace(none, tier="all"), (none,), (none,), (source(updated=NAN),)
    )


def nothing():
    return HealthReport(1, 1000, (), TierFigures("all", (), 0, 0, 0, NAN, NAN, NAN, 0, 0.0), sources=(source(rows=0),))
