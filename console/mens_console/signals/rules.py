"""The table of alert rules: what each watches, from when it fires, when it lets go, and what to do about it.

Data only, and its documentation; the detectors and the reducer read it. No values of runs enter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final


class Severity(StrEnum):
    """How bad; `rank` orders them, worst highest."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Return 0 for info, 1 for warning, 2 for critical."""
        return _RANKS[self]


_RANKS: Final = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the table.

    `entry` and `exit` are in `unit`; the condition holds from `entry` on and ends past `exit`, so that a value at the
    edge does not flap. `critical` is the threshold from which the severity rises. The condition must hold for `for_s`
    seconds of event time and `for_points` points before the alert fires. A `latched` alert ends only when it is
    acknowledged or a new run begins. Past its exit threshold it is *recovering* for `recover_s` seconds before it is
    resolved. While one of the rules `inhibited_by` fires on the same entity, this one is shown but does not ring.
    A rule that is not `enabled` never fires. `needs` names the metrics or facts without which there is no data.
    """

    id: str
    severity: Severity
    title: str
    condition: str
    unit: str
    entry: float
    exit: float
    recommendation: str
    needs: tuple[str, ...]
    critical: float | None = None
    for_s: float = 0.0
    for_points: int = 1
    latched: bool = False
    recover_s: float = 0.0
    inhibited_by: tuple[str, ...] = ()
    enabled: bool = True


_INFO, _WARNING, _CRITICAL = Severity.INFO, Severity.WARNING, Severity.CRITICAL

_TABLE: Final = (
    Rule(
        "nan_loss", _CRITICAL, "Loss is NaN or infinite", "a logged loss that is not finite", "points", 1, 1,
        "Stop the run, restart from the last checkpoint before this step with a lower learning rate, and inspect the "
        "batch of this step.",
        ("loss",), latched=True,
    ),
    Rule(
        "nan_grad", _CRITICAL, "Gradient norm is NaN or infinite", "a logged gradient norm that is not finite",
        "points", 1, 1,
        "Check the loss scale and the precision (prefer bf16 to fp16), and restart from the last checkpoint before "
        "this step if it repeats.",
        ("grad_norm",), latched=True,
    ),
    Rule(
        "hidden_nan", _CRITICAL, "The trainer hides a NaN loss",
        "loss is exactly 0.0 while the gradient norm of the same step is NaN", "points", 1, 1,
        "Treat the run as diverged: set logging_nan_inf_filter to false, then restart from a checkpoint before this "
        "step with a lower learning rate.",
        ("loss", "grad_norm"), latched=True,
    ),
    Rule(
        "loss_spike", _WARNING, "Loss spike", "one loss ≥ 2 × the median of the last 50", "× recent level", 2.0, 1.5,
        "Inspect the batch of this step and lower the gradient clipping threshold if spikes return.",
        ("loss",),
    ),
    Rule(
        "loss_spike_sustained", _WARNING, "Loss stays high",
        "three losses in a row more than 6 robust standard deviations (1.4826 × MAD, at least 1 % of the level) above "
        "the median of the last 50", "σ (MAD)", 6.0, 3.0,
        "Lower the learning rate or roll back to the checkpoint before the rise if the loss does not come back down.",
        ("loss",), for_points=3,
    ),
    Rule(
        "loss_explosion", _CRITICAL, "Loss explodes", "one loss ≥ 10 × the median of the last 50",
        "× recent level", 10.0, 2.0,
        "Stop the run, go back to the last good checkpoint and lower the learning rate by a factor of 3 to 10.",
        ("loss",),
    ),
    Rule(
        "plateau", _WARNING, "Loss has stopped improving",
        "the best EMA of the loss improves by less than 1 % over 50 steps, and at least 50 logged points; ends when it "
        "improves by 2 % over as many", "% improvement", 1.0, 2.0,
        "Compare with the eval loss: stop early if that is flat too, otherwise lower the learning rate.",
        ("loss",), for_points=50,
    ),
    Rule(
        "loss_stuck", _INFO, "Loss is stuck high", "plateau while the EMA of the loss is above 1.6", "loss", 1.6, 1.5,
        "Look at the data format, the loss mask and the LoRA rank before spending more steps.",
        ("loss",),
    ),
    Rule(
        "grad_exploding", _WARNING, "Gradients explode", "gradient norm above 100", "norm", 100.0, 50.0,
        "Turn on gradient clipping at 1.0 and lower the learning rate or lengthen the warm-up.",
        ("grad_norm",),
    ),
    Rule(
        "grad_vanishing", _WARNING, "Gradients vanish",
        "gradient norm below 1e-5 for three points (critical below 1e-7)", "norm", 1e-5, 2e-5,
        "Check that the adapter's parameters require gradients, that labels are not all masked, and the loss scale.",
        ("grad_norm",), critical=1e-7, for_points=3,
    ),
    Rule(
        "lr_zero", _WARNING, "Learning rate is zero",
        "learning rate 0 for three points after it was positive (20 points if it never was), before the last 1 % of "
        "the run", "points", 3, 0,
        "Check the scheduler's total steps: nothing is learned from here on.",
        ("learning_rate",), for_points=3,
    ),
    Rule(
        "lr_jump", _WARNING, "Learning rate jumps up",
        "learning rate rises by more than 10 % after the warm-up is over",
        "× previous", 1.1, 1.1,
        "Check that the scheduler's state was restored with the checkpoint; ignore this for cyclic schedules.",
        ("learning_rate",),
    ),
    Rule(
        "throughput_degrading", _WARNING, "Throughput degrades",
        "median rate of the last 50 updates below 70 % of the run's usual rate", "× usual", 0.7, 0.85,
        "Look for another process on the GPU, thermal throttling, a slower data loader or longer sequences.",
        ("tokens_per_sec", "steps_per_sec", "wall time"),
    ),
    Rule(
        "stall", _WARNING, "No progress",
        "silent longer than max(3 × p99 of the run's own logging interval, 60 s) outside evaluation and saving; "
        "critical from 8 minutes", "s", 60.0, 60.0,
        "Look at the process with py-spy or its console output: a hung collective, data loader or disk is the usual "
        "cause.",
        ("arrivals",), critical=480.0,
    ),
    Rule(
        "crash", _CRITICAL, "Run crashed", "the process ended, or left an error, without an end marker", "events", 1, 1,
        "Read the last lines of the log, fix the cause and resume from the newest checkpoint.",
        ("process or log",),
    ),
    Rule(
        "oom", _CRITICAL, "Out of memory", "an out-of-memory error after the last row", "events", 1, 1,
        "Halve the micro-batch and double the accumulation steps, or shorten the longest sequences, then resume from "
        "the newest checkpoint.",
        ("log",), latched=True,
    ),
    Rule(
        "disk_full", _CRITICAL, "Disk is full",
        "a no-space error in the log, or less than 1 GB free on the run's volume",
        "GB free", 1.0, 2.0,
        "Delete old checkpoints or set save_total_limit; the next checkpoint cannot be written whole.",
        ("log or volume",),
    ),
)  # fmt: skip

RULES: Final[Mapping[str, Rule]] = MappingProxyType({rule.id: rule for rule in _TABLE})
"""Every rule that is implemented, by id, in the order of the documentation."""


def adjusted(overrides: Mapping[str, Mapping[str, float]]) -> tuple[Mapping[str, Rule], tuple[str, ...]]:
    """Return the rules with fields overridden by rule id, and a sentence for each override that names no rule."""
    rules = dict(RULES)
    problems = []
    for name, fields in overrides.items():
        if name in rules:
            changed: dict[str, Any] = dict(fields)
            rules[name] = replace(rules[name], **changed)
        else:
            near = get_close_matches(name, rules, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            problems.append(f"thresholds.{name}: there is no such rule{hint}")
    return MappingProxyType(rules), tuple(problems)


def describe(rules: Mapping[str, Rule] = RULES) -> str:
    """Return the reference of all rules as a Markdown document (`docs/thresholds.md` is this text)."""
    lines = [
        "# Alert rules and thresholds",
        "",
        "Generated from the table that the detectors use. *Latched* alerts end only when acknowledged or when a new "
        "run begins.",
        "",
        "| rule | severity | fires when | entry | exit | for | needs |",
        "|---|---|---|---|---|---|---|",
    ]
    for rule in rules.values():
        severity = rule.severity + (f", critical at {rule.critical:g}" if rule.critical is not None else "")
        hold = [f"{rule.for_points} points"] if rule.for_points > 1 else []
        hold += [f"{rule.for_s:g} s"] if rule.for_s else []
        ends = "latched" if rule.latched else f"{rule.exit:g}"
        lines.append(
            f"| `{rule.id}` | {severity} | {rule.condition} | {rule.entry:g} {rule.unit} | {ends} "
            f"| {', '.join(hold) or '—'} | {', '.join(rule.needs)} |"
        )
    lines += ["", "## What to do", ""]
    lines += [f"- **{rule.title}** (`{rule.id}`): {rule.recommendation}" for rule in rules.values()]
    return "\n".join(lines) + "\n"
