"""Made-up KPI reports: two models, one of them better, one that is hardly fed, and what is hostile or missing."""

import math
from dataclasses import replace

from screens.box import NOW

from mens_console.signals.kpivalues import (
    Category,
    Feed,
    KpiDelta,
    KpiReport,
    KpiSource,
    KpiValue,
    Lane,
    ModelKpis,
)

NAN = math.nan
HOSTILE = "\x1b[31mm[/red]\u202e 試験\n"
EVENTS = "events.jsonl"


def value(kpi, name, tier, unit, better, number=NAN, n=0, of="tasks", half=None, **changes):
    ends = (number - half, number + half) if half is not None else None
    made = KpiValue(kpi, name, tier, unit, better, number, n, of, ends, "Wilson" if ends else "", EVENTS if n else "")
    return replace(made, **changes)


def values(shift=0.0):
    return (
        value("compile_pass_1", "CompilePass@1", 1, "share", "higher", 0.713 + shift, 240, half=0.057,
              definition="tasks whose first attempt is valid / tasks"),
        value("compile_pass_n", "CompilePass@N", 1, "share", "higher", 0.871 + shift, 240, half=0.043),
        value("canonical_pass_1", "CanonicalPass@1", 1, "share", "higher", reason="no event tells of canonicalization"),
        value("task_success", "TaskSuccess", 1, "share", "higher", 0.642 + shift, 120, half=0.085),
        value("time_to_first_valid_ms", "TimeToFirstValidMs", 1, "ms", "lower", 1840.0 - 900 * shift, 209, half=160.0,
              method="median, order statistics", of="valid tasks"),
        value("serve_tokens_per_sec", "ServeTokensPerSec", 1, "tok/s", "higher", 52.1, 518, of="requests", half=3.4,
              decides=False, reason="tokens were counted by whitespace; such counts may not decide"),
        value("repair_stall_rate", "RepairStallRate", 1, "share", "lower", 0.092, 98, half=0.058),
        value("repair_depth_mean", "RepairDepthMean", 2, "repairs", "lower", 0.61, 209, half=0.09),
        value("strictness_failure_rate", "StrictnessFailureRate", 2, "share", "lower", 0.031, 518, of="outputs",
              half=0.015),
        value("val_loss_last_epoch", "ValLossLastEpoch", 2, "nats", "lower", 1.204, 1, of="epoch"),
        value("no_supervised_skip_rate", "NoSupervisedSkipRate", 2, "share", "lower",
              reason="no run publishes supervised tokens"),
        value("truncation_fraction", "TruncationFraction", 2, "share", "lower", 0.004, 12_000, of="rows", half=0.001),
        value("train_loss", "train loss", 3, "nats", "lower", 0.93, 1, of="run"),
        value("whitespace_tokens", "whitespace token counts", 3, "tokens", "neither", 81_000.0, 518, of="outputs"),
    )  # fmt: skip


def lane(name, leak):
    return Lane(
        name, 120,
        value("leakage", "prose leakage", 2, "share", "lower", leak, 120, half=0.02),
        value("compactness", "compactness loss", 2, "share", "lower", reason="no event of before the blend"),
        value("burden", "repair burden", 2, "repairs", "lower", 0.7, 120, half=0.1),
    )  # fmt: skip


def model(name="vox-qlora-r16", shift=0.0, **changes):
    categories = (Category("syntax punctuation", 61, 44), Category("type mismatch", 38, 30),
                  Category("indentation/layout", 17, 16), Category("other", 4, 4))  # fmt: skip
    made = ModelKpis(name, values(shift), categories, (lane("code", 0.021), lane("docs", 0.3)), 240, NOW - 40)
    return replace(made, **changes)


FEEDS = (
    Feed("Run: throughput", "tokens_per_sec", "underfed", source="telemetry.jsonl", nearest="steps_per_sec_ema"),
    Feed("Run: loss", "loss", "fed", "loss", "telemetry.jsonl", 8120),
    Feed("KPI: CompilePass@1", "attempts[].valid", "alias", "compile_ok", EVENTS, 240),
    Feed("KPI: CanonicalPass@1", "canonical", "underfed"),
)
SOURCES = (
    KpiSource("/box/code/events.jsonl", "mens_generation_event_v1", 240, 1, updated=NOW - 40),
    KpiSource("/box/code/bench.json", "mens_benchmark_summary_v1", 1, problem="permission denied: make it readable"),
)


def compare(base, other):
    """Deltas as the engine gives them; the first KPI is better, the last undecided."""
    if HOSTILE in (base, other):
        raise ValueError(f"{HOSTILE}: another version of the eval set")
    return (
        KpiDelta("compile_pass_1", 0.713, 0.793, 0.08, (0.031, 0.129), 240, True, "better", "paired, Newcombe"),
        KpiDelta("compile_pass_n", 0.871, 0.951, 0.08, (-0.01, 0.13), 240, True, "undecided", "paired, Newcombe"),
        KpiDelta("canonical_pass_1", NAN, NAN, NAN, None, 0, False, "nodata", reason="neither is fed"),
        KpiDelta("time_to_first_valid_ms", 1840.0, 1990.0, 150.0, (20.0, 280.0), 209, True, "worse", "paired"),
        KpiDelta("repair_stall_rate", 0.092, 0.081, -0.011, (-0.05, 0.03), 98, False, "undecided", "Newcombe"),
    )


def two(**changes):
    made = KpiReport((model(), model("vox-qlora-r8", -0.08)), SOURCES, FEEDS, (), 1, compare=compare)
    return replace(made, **changes)


def unknown():
    """Every value is NaN."""
    none = tuple(replace(one, value=NAN, n=0, interval=None, source="", reason="nothing feeds it") for one in values())
    return KpiReport((ModelKpis("m", none),), SOURCES[:1], tuple(replace(f, state="underfed") for f in FEEDS), (), 1)


def hostile():
    bad = tuple(
        replace(one, name=HOSTILE, of=HOSTILE, source=HOSTILE, reason=HOSTILE, definition=HOSTILE) for one in values()
    )
    one = ModelKpis(HOSTILE, bad, (Category(HOSTILE, 3, 1),), (replace(lane("x", 0.1), name=HOSTILE),), 1, NOW)
    feeds = (Feed(HOSTILE, HOSTILE, "underfed", HOSTILE, HOSTILE, 1, HOSTILE), Feed(HOSTILE, HOSTILE, "alias", HOSTILE))
    sources = (KpiSource(HOSTILE, HOSTILE, 1, 1, HOSTILE, NOW),)
    return KpiReport((one, model("plain")), sources, feeds, (HOSTILE,), 1, compare=compare)


def infinite():
    """Every KPI is infinite."""
    return replace(two(), models=(model("inf", values=tuple(replace(one, value=math.inf) for one in values())),))
