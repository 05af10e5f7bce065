"""What the Run screen says beside its charts: figures, evaluations, accuracy, checkpoints and advice, stages.

Pure functions from views to lines and steps; what state a run is in, and its files, are in `facts`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from mens_console.ingest.text import safe_text
from mens_console.screens.hardwarefacts import forecast_of
from mens_console.screens.sheet import LABEL, Line, fact, heading, long_fact, prose
from mens_console.screens.words import TREND_GLYPHS, TREND_INKS, age, clock_text, rate_of
from mens_console.signals.human import count, number, percent, size, span, step
from mens_console.signals.rules import RULES
from mens_widgets.stepper import Step

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from mens_console.screens.words import Ink
    from mens_console.signals.machine import VolumeSample
    from mens_console.signals.stages import StageView
    from mens_console.signals.throughput import Throughput
    from mens_console.signals.trend import Trend
    from mens_console.store.snapshot import RunView

CHECKPOINTS: Final = 4
RISING: Final = {"improving": "↑", "stable": "→", "degrading": "↓"}
"""Arrows of what should rise; those of what should fall are in `words`."""
_NOTES: Final = 3


def note(label: str, text: str, width: int, ink: Ink = "muted") -> list[Line]:
    """Return a label and a sentence beside it, broken at words."""
    pieces = prose(text, max(width - LABEL - 1, 8), ink)
    return [(*fact(label if not i else "", ""), *piece) for i, piece in enumerate(pieces)]


# ---------------------------------------------------------------------- figures


def figures_lines(run: RunView, width: int) -> list[Line]:
    """Return the figures of training itself that an operator looks for first."""
    signals = run.signals
    lines: list[Line] = []
    loss, logged = run.read("loss"), run.last("loss")
    if loss is not None:
        note = "nats, newest" if math.isfinite(loss) or logged != 0.0 else "newest, logged as 0"
        lines.append(fact("loss", number(loss), "strong" if math.isfinite(loss) else "bad", note))
    if signals.streaming_ce is not None and math.isfinite(signals.streaming_ce):
        lines.append(fact("streaming CE", number(signals.streaming_ce), "", "EMA of the loss"))
    lines += _trend_lines(signals.trend, width)
    lines += _variance_lines(run)
    for label, name in (("lr", "learning_rate"), ("grad norm", "grad_norm")):
        value = run.last(name)
        if value is not None:
            lines.append(fact(label, number(value), "" if math.isfinite(value) else "bad"))
    entropy = run.last("entropy")
    if entropy is not None:
        smooth = f", EMA {number(signals.entropy)}" if math.isfinite(signals.entropy) else ""
        lines.append(fact("entropy", number(entropy), "" if math.isfinite(entropy) else "bad", f"nats a token{smooth}"))
    return lines + throughput_lines(run)


def _trend_lines(trend: Trend, width: int) -> list[Line]:
    direction = str(trend.direction)
    if direction == "unknown":
        return [fact("trend", "—", "muted", f"too few points (n={trend.n})")] if trend.n else []
    text = f"{trend.slope:+.2g} per 1000 steps, 95 %: {trend.low:+.2g} … {trend.high:+.2g}"
    glyph = TREND_GLYPHS[direction]
    return [fact("trend", f"{glyph} {direction}", TREND_INKS.get(direction, "")), *note("", text, width)]


def _variance_lines(run: RunView) -> list[Line]:
    variance = run.signals.loss_variance
    if not math.isfinite(variance.var):
        return []
    return [fact("variance", number(variance.var), "", f"sd {number(variance.std, 3)}, n={variance.n}")]


def throughput_lines(run: RunView) -> list[Line]:
    """Return throughput now, on average and which way, in tokens where they are counted."""
    value, unit = rate_of(run)
    if value is None:
        return []
    told: Throughput = run.signals.tokens if unit == "tok/s" else run.signals.steps
    direction = str(told.trend.direction)
    ink = TREND_INKS.get(direction, "")
    trend = f"{RISING[direction]} {direction}" if direction in RISING else ""
    now = fact("throughput", f"{count(value)} {unit}", "strong")
    lines: list[Line] = [(*now, (f"  {trend}", ink)) if trend else now]
    if math.isfinite(told.average):
        lines.append(fact("  average", f"{count(told.average)} {unit}", "", f"last n={told.n}"))
    return lines


# ---------------------------------------------------------------------- evaluations and accuracy


def evaluation_lines(run: RunView, width: int) -> list[Line]:
    """Return evaluations: the newest and best loss, and the one on the fixed set with what its ECE is to be held to."""
    lines: list[Line] = []
    value = run.last("eval_loss")
    if value is not None:
        at = run.series["eval_loss"].last_step if "eval_loss" in run.series else None
        where = "" if at is None else f"nats, at step {step(at)}"
        lines.append(fact("eval loss", number(value), "" if math.isfinite(value) else "bad", where))
    best = run.signals.best_eval
    if best is not None:
        lines.append(fact("best eval", number(best[1]), "good", f"at step {step(best[0])}"))
    return lines + _fixed_lines(run, width)


def _fixed_lines(run: RunView, width: int) -> list[Line]:
    fixed = run.signals.fixed_eval
    if fixed is None:
        return []
    items = f"n={step(fixed.n)}" if fixed.n is not None else "n unknown"
    lines = [fact("fixed eval", f"step {step(fixed.step)}", "", items)]
    if math.isfinite(fixed.em):
        lines.append(fact("  EM", percent(fixed.em), "strong", "exact match"))
    if math.isfinite(fixed.ce):
        direction = str(fixed.trend)
        trend = f"nats  {TREND_GLYPHS[direction]} {direction}" if direction in TREND_GLYPHS else "nats"
        lines.append(fact("  CE", number(fixed.ce), "", trend))
    if math.isfinite(fixed.ece):
        alone = f"a calibrated model would score {number(fixed.ece_expected, 2)} at this n"
        held = alone if math.isfinite(fixed.ece_expected) else "what a calibrated model would score is unknown"
        most = RULES["ece"].entry
        over = fixed.ece > most
        lines.append(fact("  ECE", number(fixed.ece, 3), "warn" if over else "", f"▲ over {most:g}" if over else ""))
        lines += note("", held, width)
    return lines


def accuracy_lines(run: RunView) -> list[Line]:
    """Return accuracy over the last 20 and 50 points with its trend, and the newest of tokens."""
    lines: list[Line] = []
    told = run.signals.accuracy
    if told is not None:
        direction = str(told.trend)
        trend = f"  {RISING[direction]} {direction}" if direction in RISING else ""
        short, long = min(told.n, 20), min(told.n, 50)
        first = fact("accuracy", percent(told.last20), "strong", f"last {short}")
        lines.append((*first, (trend, TREND_INKS.get(direction, ""))))
        if long > short:
            lines.append(fact("", percent(told.last50), "", f"last {long}"))
    value = run.last("mean_token_accuracy")
    if value is not None:
        lines.append(fact("token acc.", percent(value), "" if math.isfinite(value) else "bad"))
    return lines


# ---------------------------------------------------------------------- checkpoints


def checkpoint_lines(
    run: RunView, volume: VolumeSample | None, now: float, width: int, zone: tzinfo | None = None
) -> list[Line]:
    """Return the newest checkpoints with their sizes, which one to keep and why, and whether the next one fits."""
    if not run.checkpoints:
        return []
    newest = sorted(run.checkpoints, key=lambda c: c.step)[-CHECKPOINTS:]
    total = sum(checkpoint.bytes for checkpoint in run.checkpoints)
    lines = heading(f"Checkpoints  {len(run.checkpoints)}, {size(total)}")
    advice = run.signals.advice
    for checkpoint in reversed(newest):
        keep = advice is not None and advice.step == checkpoint.step
        ink: Ink = "good" if keep else ""
        line = fact(f"▾ {step(checkpoint.step)}", size(checkpoint.bytes), ink, age(checkpoint.mtime, now))
        lines.append((*line, ("  ★ keep", "good")) if keep else line)
    return lines + _advice_lines(run, width) + (_forecast_lines(run, volume, now, width, zone) if run.moving else [])


def _advice_lines(run: RunView, width: int) -> list[Line]:
    advice = run.signals.advice
    if advice is None:
        return []
    lines = prose(f"keep {step(advice.step)}: {safe_text(advice.reason, 200)}", width, "good", "★ ")
    for text in advice.evidence[:_NOTES]:
        lines += prose(safe_text(text, 200), width, "muted", "· ")
    for text in advice.warnings[:_NOTES]:
        lines += prose(safe_text(text, 200), width, "warn", "▲ ")
    return lines


def _forecast_lines(
    run: RunView, volume: VolumeSample | None, now: float, width: int, zone: tzinfo | None
) -> list[Line]:
    found = forecast_of(run, volume, now)
    due = [f"step {step(found.step)}"] if found.step is not None else []
    if math.isfinite(found.at):
        due.append(f"at ~{clock_text(found.at, zone)}" if found.at > now else "due now")
    if math.isfinite(found.bytes):
        due.append(f"about {size(found.bytes)}")
    lines = long_fact("next", ", ".join(due), width) if due else []
    if math.isfinite(found.free):
        lines.append(fact("disk free", size(found.free)))
    if found.fits == "fits":
        return [*lines, (("✔ the next checkpoint fits", "good"),)]
    if found.fits == "does not fit":
        return lines + prose(f"the next checkpoint does not fit: {safe_text(found.reason, 200)}", width, "bad", "✖ ")
    why = safe_text(found.reason, 200) or "the volume was not looked at"
    return lines + prose(f"not known whether the next one fits: {why}", width, "muted", "? ")


# ---------------------------------------------------------------------- stages

STAGE_LOOKS: Final[dict[str, tuple[str, Ink, str]]] = {
    "pending": ("·", "muted", "muted"),
    "running": ("●", "accent", "info"),
    "done": ("✔", "good", "good"),
    "underfed": ("◐", "warn", "warning"),
    "failed": ("✖", "bad", "critical"),
}
"""Glyph, ink of a line, tone of the stepper."""


def stage_steps(stages: Sequence[StageView]) -> list[Step]:
    """Return the stages as steps; the one that runs is where the run stands, else the one that was last at work."""
    begun = [stage for stage in stages if stage.state != "pending"]
    running = [stage for stage in begun if stage.state == "running"]
    newest = max(running or begun, key=lambda s: s.started if s.started == s.started else -math.inf, default=None)
    return [
        Step(
            safe_text(stage.id, 20), STAGE_LOOKS[stage.state][0], stage.state, STAGE_LOOKS[stage.state][2],
            current=stage is newest, plain=stage.state == "pending",
        )
        for stage in stages
    ]  # fmt: skip


def stage_lines(stages: Sequence[StageView], now: float, width: int) -> list[Line]:
    """Return each stage that began: state, wall time, CPU, peak memory, and what was measured of its done-signal."""
    if not stages:
        return []
    lines = heading("Stages")
    for stage in stages:
        if stage.state != "pending":
            lines += _stage(stage, now, width)
    pending = [safe_text(stage.id, 20) for stage in stages if stage.state == "pending"]
    return lines + (prose(f"pending: {', '.join(pending)}", width, "muted", "· ") if pending else [])


def _stage(stage: StageView, now: float, width: int) -> list[Line]:
    glyph, ink, _ = STAGE_LOOKS[stage.state]
    figures = []
    if math.isfinite(stage.wall_s):
        figures.append(span(stage.wall_s))
    elif stage.state == "running" and math.isfinite(stage.started):
        seen = age(stage.started, now)
        figures.append("just begun" if seen == "now" else f"for {seen}")
    if math.isfinite(stage.cpu_percent):
        figures.append(f"CPU {stage.cpu_percent:.0f} %")
    if math.isfinite(stage.max_rss_bytes):
        figures.append(f"{'≤' * stage.rss_is_bound}{size(stage.max_rss_bytes)}")
    head, told = f"{glyph} {safe_text(stage.id, 20)} {stage.state}", " · ".join(figures)
    if told and len(head) + len(told) + 2 > width:
        lines: list[Line] = [((head, ink),), *prose(told, width, "muted", "  ")]
    else:
        lines = [((head, ink), (f"  {told}" if told else "", "muted"))]
    words = stage.measured or f"done when: {stage.signal}"
    lines += prose(safe_text(words, 300), width, "" if stage.measured else "muted", "  ")
    for text in stage.detail[-CHECKPOINTS:]:
        lines += prose(safe_text(text, 200), width, "muted", "  · ")
    return lines
