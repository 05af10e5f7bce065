"""Snapshots to export: the made-up box with everything a label or a value can be."""

import math
from dataclasses import replace
from pathlib import Path

from screens import soakbox
from screens.box import box, run, snapshot
from screens.machine import gpu, host, volumes

from mens_console.signals.generation import (
    Band,
    BatchFigures,
    HealthReport,
    Judged,
    LogSource,
    ScoreFigures,
    TierFigures,
)
from mens_console.signals.kpivalues import Feed, KpiReport, KpiValue, ModelKpis
from mens_console.signals.machine import MachineView
from mens_console.store.snapshot import HealthView

ODD = 'a "quoted" \\ back\nslash \u202e' + "é" * 200


def batch(run_id="25K_a", index=0, *, n=1000, complete=True, **changes):
    base = BatchFigures(
        run_id=run_id, index=index, n=n, personas=n // 3, complete=complete, success=n * 9 // 10,
        success_or_repaired=n * 95 // 100, repaired=n // 8, repairs={"json": n // 8}, statuses={"success": n * 9 // 10},
        latency_n=n, latency_mean=812.0, latency_p95=1500.0, latency_deviation=200.0,
        scores={"clarity": ScoreFigures(n, 0.81, 0.1), ODD: ScoreFigures(n, 0.5)}, openings={"hi": n},
        opening_entropy=1.9, opening_entropy_corrected=1.95, anchors=700, anchor_mentions=n,
        anchor_diversity=0.7, anchor_rarefied=0.75,
        rarefied_to=500, prompt_tokens=1000, completion_tokens=2000, cost_usd=0.00135, started=1.0, ended=2.0 + index,
        first=("a.jsonl", 0),
    )  # fmt: skip
    return replace(base, **changes)


def tier(name, **changes):
    base = TierFigures(name, (name,), 2, 1500, 700, 0.9, 0.95, 0.125, 4500, 0.002, drift=True)
    return replace(base, **changes)


def health(rows=None, **changes):
    judged = rows or (
        Judged(batch(), {"repair_rate": Band("warning", 0.125, 1000)}),
        Judged(batch(index=1, n=500, complete=False), {}),
        Judged(batch("", n=40, complete=False, latency_mean=math.nan), {}),
    )
    base = HealthReport(
        3, 1000, judged, tier("all"), runs=(tier("25K_a"), tier("", drift=None)),
        sources=(LogSource("a.jsonl", 1000, 800, 1540, 2, updated=5.0),), bad_rows=2,
    )  # fmt: skip
    return HealthView("logs/attempts", "attempts", (Path("a.jsonl"),), replace(base, **changes), 3)


def kpis():
    values = (
        KpiValue("compile_rate", "compiles", 1, "ratio", "higher", 0.9, 40, "tasks", (0.8, 0.95)),
        KpiValue("stall_rate", "stalls", 2, "ratio", "lower", reason="nothing feeds it"),
    )
    return KpiReport((ModelKpis("qwen", values),), feeds=(Feed("panel", "ttfv_ms", "underfed"),))


def machine(**changes):
    lost = gpu(1, lost="has fallen off the bus", temperature=40.0)
    base = MachineView(1, gpu(0).at, 1.0, (gpu(0), lost), gpu(0).at, host=host(), volumes=volumes())
    return replace(base, **changes)


def full(**changes):
    runs = [*box(), run(ODD, checkpoints=())]
    soaks = (soakbox.view(soakbox.failing()), soakbox.view(soakbox.young(), ODD), soakbox.view(soakbox.imported()))
    return snapshot(runs, health=(health(),), kpi=kpis(), machine=machine(), soaks=soaks, **changes)
