"""Whether a stage's done-signal is met, judged from evidence that somebody else gathered.

Pure functions; no file, process or clock. What was not measured is never met.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mens_console.signals.byvalue import ByValue
from mens_console.signals.ema import Ema
from mens_console.signals.human import number, percent, size, step
from mens_console.signals.trend import TrendEstimator

DROP: Final = 0.2
"""Share by which the loss of a dry run must fall; 'drops fast' of the stage table, made a number."""
LEAST_POINTS: Final = 10
FIRST_POINTS: Final = 3
"""Losses whose median stands for where the dry run began, so that one odd batch does not decide."""
JSON_TARGET: Final = 0.95
STYLE_TARGET: Final = 0.90
"""Targets of the stage table, not of the ship gate."""


@dataclass(frozen=True, slots=True)
class Measured(ByValue):
    """What was measured of a done-signal: `met` is None where it could not be; `text` says what, or what was missing.

    `values` are the figures behind it.
    """

    met: bool | None
    text: str
    values: Mapping[str, float | int | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FileFact:
    """A regular file that a stage made: its path for display and its bytes."""

    path: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Training(ByValue):
    """What a run logged since a stage began.

    `losses` with their `steps` in order (`problem` says why there are none); `device_errors` is None where there is no
    log to look in.
    """

    steps: Sequence[int] = ()
    losses: Sequence[float] = ()
    problem: str = ""
    step: int | None = None
    total_steps: int | None = None
    plateau: bool = False
    device_errors: int | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that may be asked after a stage; what nobody looked at stays None."""

    facts: Mapping[str, Any] = field(default_factory=dict)
    rows: int | None = None
    parse_errors: int | None = None
    first_error: str = ""
    training: Training | None = None
    files: Sequence[FileFact] | None = None
    """New files of the kind that the stage makes."""
    stale: Sequence[FileFact] = ()
    """Files of that kind that were there before, or are empty."""
    answered: bool | None = None
    answer: str = ""


def judge(stage: str, evidence: Evidence) -> Measured:
    """Return whether the done-signal of a stage (an id of `STAGES`) is met by this evidence."""
    judged = _JUDGES.get(stage)
    return judged(evidence) if judged else Measured(None, f"no done-signal is defined for {stage}")


# ---------------------------------------------------------------------- facts


def _share(facts: Mapping[str, Any], name: str) -> float | None:
    """Return a share in [0, 1]; figures over 1 are percentages. None where it is missing or no such figure."""
    value = facts.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        return None
    return float(value) if value <= 1 else value / 100


def _whole(facts: Mapping[str, Any], name: str) -> int | None:
    value = facts.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _flag(facts: Mapping[str, Any], name: str) -> bool | None:
    value = facts.get(name)
    return value if isinstance(value, bool) else None


# ---------------------------------------------------------------------- the stages


def _dataset(evidence: Evidence) -> Measured:
    errors, rows = evidence.parse_errors, evidence.rows
    if errors is None:
        errors, rows = _whole(evidence.facts, "parse_errors"), _whole(evidence.facts, "rows")
    if errors is None:
        return Measured(None, "no `--data FILE` was given and no fact `parse_errors` told")
    of = "" if rows is None else f" in {step(rows)} rows"
    values = {"parse_errors": errors} | ({} if rows is None else {"rows": rows})
    if rows == 0 and not errors:
        return Measured(False, "the data has no rows", values)
    where = f", first {evidence.first_error}" if errors and evidence.first_error else ""
    return Measured(errors == 0, f"{step(errors)} parse errors{of}{where}", values)


def _finite(training: Training) -> list[float]:
    return [loss for loss in training.losses if math.isfinite(loss)]


def _no_losses(training: Training | None) -> Measured | None:
    """Return why the losses say nothing, None where they do."""
    if training is None:
        return Measured(None, "nobody looked at the run's losses")
    n = len(training.losses)
    if n < LEAST_POINTS:
        why = training.problem or f"only {n} losses were logged, {LEAST_POINTS} are needed"
        return Measured(None, why, {"n": n})
    return None


def _dryrun(evidence: Evidence) -> Measured:
    training = evidence.training
    if (missing := _no_losses(training)) is not None:
        return missing
    assert training is not None
    if not math.isfinite(training.losses[-1]):
        return Measured(False, f"the loss ends in {number(training.losses[-1])}", {"n": len(training.losses)})
    losses = _finite(training)
    first = sorted(losses[:FIRST_POINTS])[min(FIRST_POINTS, len(losses)) // 2]
    ema = Ema()
    ema.update_many(list(range(len(losses))), losses)
    drop = (first - ema.value) / abs(first) if first else math.nan
    errors = training.device_errors if training.device_errors is not None else _whole(evidence.facts, "device_errors")
    values = {"first": first, "last": ema.value, "drop": drop, "n": len(losses)}
    text = f"loss {number(first)} → {number(ema.value)} ({_signed(-drop)}, n={len(losses)})"
    if errors is None:
        text += ", no log to look for device errors in"
    else:
        values["device_errors"] = errors
        text += f", {errors} device errors"
    return Measured(drop >= DROP and not errors, text, values)


def _signed(share: float) -> str:
    return "—" if not math.isfinite(share) else f"{share * 100:+.3g} %"


def _mini(evidence: Evidence) -> Measured:
    training = evidence.training
    if (missing := _no_losses(training)) is not None:
        return missing
    assert training is not None
    direction, text = _direction(training)
    if direction == "unknown":
        return Measured(None, text)
    met = direction in ("improving", "stable")
    values: dict[str, float | int | str] = {"trend": direction, "n": len(training.losses)}
    validity = _share(evidence.facts, "json_validity")
    if validity is not None:
        values["json_validity"] = validity
        text += f", JSON of samples {percent(validity)} valid"
        met = met and validity >= JSON_TARGET
    return Measured(met, text, values)


def _direction(training: Training) -> tuple[str, str]:
    """Return where the loss is heading, ``broken`` where it is not a number, and the sentence about it."""
    if training.losses and not math.isfinite(training.losses[-1]):
        return "broken", f"the loss ends in {number(training.losses[-1])}"
    estimator = TrendEstimator()
    estimator.update_many(list(training.steps), list(training.losses))
    trend = estimator.trend
    n = len(training.losses)
    if trend.direction == "unknown":
        return "unknown", f"too few losses for a trend (n={n})"
    return str(trend.direction), f"loss {trend.direction} at {number(_finite(training)[-1])} (n={n})"


def _train(evidence: Evidence) -> Measured:
    made, training = evidence.files, evidence.training
    if made is None:
        return Measured(None, "the run directory could not be searched for an adapter")
    if not made:
        return Measured(None, "no new adapter file" + _stale(evidence))
    text, values = _made(made)
    if training is None:
        return Measured(None, f"{text}; nobody looked at the run's losses", values)
    total, at = training.total_steps, training.step
    if total and at is not None and at >= total:
        return Measured(True, f"{text}; all {step(total)} steps made", {**values, "step": at, "total_steps": total})
    direction, sentence = _direction(training)
    values["trend"] = direction
    if direction == "broken":
        return Measured(False, f"{text}; {sentence}", values)
    if training.plateau or direction == "stable":
        return Measured(True, f"{text}; {'loss plateaued' if training.plateau else sentence}", values)
    so_far = f"step {step(at)} of {step(total)}" if total and at is not None else "the number of steps is unknown"
    why = training.problem if direction == "unknown" and training.problem else sentence
    return Measured(None, f"{text}; {why}, {so_far}", values)


def _made(files: Sequence[FileFact]) -> tuple[str, dict[str, float | int | str]]:
    total = sum(one.bytes for one in files)
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return f"{files[0].path}{more}, {size(total)}", {"file": files[0].path, "files": len(files), "bytes": total}


def _stale(evidence: Evidence) -> str:
    if not evidence.stale:
        return ""
    first = evidence.stale[0]
    return f" ({first.path} is {'empty' if not first.bytes else 'older than this stage'})"


def _evaluation(evidence: Evidence) -> Measured:
    wanted = {"json_validity": ("JSON", JSON_TARGET), "lint": ("lint", STYLE_TARGET), "ast": ("AST", STYLE_TARGET)}
    told = {name: value for name in wanted if (value := _share(evidence.facts, name)) is not None}
    text = ", ".join(f"{wanted[name][0]} {percent(value)}" for name, value in told.items())
    missed = [name for name, value in told.items() if value < wanted[name][1]]
    if missed:
        targets = ", ".join(f"{wanted[name][0]} needs {percent(wanted[name][1])}" for name in missed)
        return Measured(False, f"{text}; {targets}", told)
    missing = ["json_validity"] * ("json_validity" not in told)
    missing += ["lint or ast"] * ("lint" not in told and "ast" not in told)
    if missing:
        return Measured(None, f"{text + '; ' if text else ''}no fact {' and no '.join(missing)}", told)
    return Measured(True, text, told)


def _export(evidence: Evidence) -> Measured:
    if evidence.files is None:
        return Measured(None, "the run directory could not be searched for a .gguf file")
    if not evidence.files:
        return Measured(None, "no new .gguf file" + _stale(evidence))
    text, values = _made(evidence.files)
    return Measured(True, text, values)


def _deployment(evidence: Evidence) -> Measured:
    if evidence.answered is not None:
        word = "the model answered" if evidence.answered else "the model did not answer"
        return Measured(evidence.answered, f"{word}: {evidence.answer}" if evidence.answer else word)
    answered = _flag(evidence.facts, "answered")
    if answered is None:
        return Measured(None, "no `--probe COMMAND` was given and no fact `answered` told")
    return Measured(answered, "the model answered" if answered else "the model did not answer")


def _iteration(evidence: Evidence) -> Measured:
    improved, worse = _flag(evidence.facts, "eval_improved"), _whole(evidence.facts, "regressions")
    if improved is False or worse:
        parts = ["evaluation did not improve"] * (improved is False) + [f"{worse} regressions"] * bool(worse)
        return Measured(False, ", ".join(parts))
    missing = ["eval_improved"] * (improved is None) + ["regressions"] * (worse is None)
    if missing:
        return Measured(None, f"no fact {' and no '.join(missing)}")
    return Measured(True, "evaluation improved, no regressions")


_JUDGES: Final[dict[str, Callable[[Evidence], Measured]]] = {
    "dataset": _dataset,
    "dryrun": _dryrun,
    "mini": _mini,
    "train": _train,
    "evaluation": _evaluation,
    "export": _export,
    "deployment": _deployment,
    "iteration": _iteration,
}
