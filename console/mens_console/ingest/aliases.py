"""The one table of field names: what producers call a thing, and what this program calls it.

Only names live here: no parsing, no values, no files.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Alias:
    """One canonical series, its unit, and the spellings that feed it.

    Where one row carries several spellings the first of `spellings` wins; the others stay series of their own under
    their own names, so nothing a producer wrote is lost.
    """

    name: str
    unit: str
    spellings: tuple[str, ...]
    note: str = ""


STEP_KEYS: Final = (
    "global_step",
    "train/global_step",
    "trainer/global_step",
    "step",
    "current_step",
    "current_steps",
    "optimizer_step",
    "steps",
    "iteration",
    "iter",
    "_step",
)
"""Step axis, best first. A row that has both `global_step` and `step` (or `steps`) counts the latter within its epoch;
`step` goes before `optimizer_step`, which then is a series; `_step` counts log calls and comes last."""

WEAK_STEP_KEYS: Final = frozenset({"steps", "iteration", "iter", "_step"})
"""Step keys that other kinds of log use too: they claim a file only together with a metric of training."""

TIME_KEYS: Final = ("ts_ms", "ts", "wall_time", "timestamp", "_timestamp", "time", "created_at")
RANK_KEYS: Final = ("rank", "local_rank", "process_index")
TOTAL_STEPS_KEYS: Final = ("total_steps", "max_steps", "num_training_steps", "planned_steps")
TOTAL_EPOCHS_KEYS: Final = ("total_epochs", "num_train_epochs", "num_epochs", "max_epochs")
ETA_KEYS: Final = ("remaining_time", "eta_seconds_remaining", "eta_seconds", "eta_s", "eta")
CHECKPOINT_KEYS: Final = ("checkpoint", "checkpoint_path", "best_model_checkpoint")

METRICS: Final = (
    Alias(
        "loss",
        "nats",
        ("loss", "train/loss", "loss/train", "training_loss", "train_mean_nll", "train_loss_step", "train_loss"),
        "`train_loss` only where the source has no other loss, and never in a final summary row",
    ),
    Alias(
        "eval_loss",
        "nats",
        (
            *("eval_loss", "eval/loss", "val_loss", "val/loss", "validation_loss", "validation/loss"),
            *("valid_loss", "valid/loss", "loss/val", "loss/valid", "loss/validation", "loss/eval"),
        ),
    ),
    Alias(
        "learning_rate", "", ("learning_rate", "lr", "train/learning_rate", "train/lr"), "`lr-AdamW` and its like too"
    ),
    Alias(
        "grad_norm",
        "",
        ("grad_norm", "gradient_norm", "train/grad_norm", "total_norm", "global_grad_norm"),
        "a mapping of layers becomes `grad_norm/<layer>`",
    ),
    Alias(
        "tokens_per_sec",
        "tokens/s",
        (
            *("tokens_per_sec", "tokens_per_second", "train_tokens_per_second"),
            *("train/train_tokens_per_second", "throughput"),
        ),
        "`throughput` as the text `0.00` means that the producer measured none",
    ),
    Alias(
        "steps_per_sec",
        "steps/s",
        ("steps_per_sec", "steps_per_sec_ema", "steps_per_second", "train_steps_per_second"),
    ),
    Alias("epoch", "epochs", ("epoch", "train/epoch", "current_epoch")),
    Alias("entropy", "nats/token", ("entropy", "token_entropy", "train/entropy")),
    Alias(
        "num_tokens",
        "tokens",
        ("num_tokens", "num_input_tokens_seen", "train/num_input_tokens_seen", "total_tokens", "tokens_seen"),
    ),
    Alias("accuracy", "ratio", ("accuracy", "acc", "train_accuracy", "train_acc")),
    Alias("elapsed_s", "s", ("elapsed_s", "elapsed_time", "elapsed", "elapsed_seconds")),
    Alias(
        "streaming_ce_reported",
        "nats",
        ("streaming_ce",),
        "the producer's own average; this program computes its own as `streaming_ce`",
    ),
)

DURATION_NAMES: Final = frozenset({"elapsed_s"})
TRAIN_ROW_NAMES: Final = frozenset({"loss", "learning_rate", "grad_norm", "tokens_per_sec", "num_tokens"})
"""A row that carries a value of one of these reports a training step, so `null` as its loss is NaN, not absence."""

KNOWN_METRICS: Final = TRAIN_ROW_NAMES | {"eval_loss", "steps_per_sec", "entropy", "accuracy"}

RESULTS: Final = KNOWN_METRICS - {"learning_rate", "num_tokens"}
"""Metrics that are measured, never configured: a row with one of them is a row even without a step."""

_SUMMARY: Final = {"num_input_tokens_seen": "num_tokens", "epoch": "epoch"}
_BY_SPELLING: Final = {spelling: alias.name for alias in METRICS for spelling in alias.spellings}
_PRIORITY: Final = {spelling: place for alias in METRICS for place, spelling in enumerate(alias.spellings)}


@lru_cache(maxsize=8192)
def canonical(key: str, *, summary: bool = False) -> str:
    """Return the canonical series name of a producer's `key`; an unknown key is its own name.

    In a `summary` row (the averages of a whole run, as HF Trainer logs last) no value is a point of the series it is
    named after, so only the epoch and the token count are translated.
    """
    if summary:
        return _SUMMARY.get(key, key)
    lowered = key.lower()
    known = _BY_SPELLING.get(lowered)
    if known is not None:
        return known
    head, slash, rest = key.partition("/")
    if slash and rest:
        if head.lower() in {"train", "training"}:
            # The TensorBoard writer of HF Trainer files the summary's `train_loss` under `train/train_loss`.
            return rest if rest.startswith("train_") else canonical(rest)
        if head.lower() in {"metrics", "logs"}:
            return canonical(rest)
        if head.lower() in {"eval", "test"}:
            return f"{head.lower()}_{rest}"
    if lowered.startswith("lr-") and not slash:
        return "learning_rate"
    return key


def priority(key: str) -> int:
    """Return the place of `key` among the spellings of its canonical name, 0 first; unknown spellings come last."""
    return _PRIORITY.get(key.lower(), 99)


def is_loss(key: str) -> bool:
    """Say whether `key` may carry a training or evaluation loss."""
    return canonical(key) in {"loss", "eval_loss"}


def is_evaluation(name: str) -> bool:
    """Say whether the canonical `name` is measured on held-out data (valid tokens are those that are no padding)."""
    return name.startswith(("eval_", "val_", "val/", "valid_", "test_")) and name != "valid_tokens"


def describe() -> list[Alias]:
    """Return the whole table, axes included, for documents and for `doctor`."""
    return [
        Alias("step", "steps", STEP_KEYS, "the axis"),
        Alias("wall time", "s since the epoch", TIME_KEYS, "seconds to nanoseconds by magnitude, or ISO 8601"),
        Alias("rank", "", RANK_KEYS),
        Alias("total steps", "steps", TOTAL_STEPS_KEYS),
        Alias("total epochs", "epochs", TOTAL_EPOCHS_KEYS),
        Alias("time left", "s", ETA_KEYS, "the producer's own estimate"),
        *METRICS,
    ]


def nearest(name: str, seen: Iterable[str], limit: int = 3) -> list[str]:
    """Return up to `limit` of the names in `seen` that look most like `name`, for a panel that nothing feeds.

    A spelling of the same series comes first, then names that contain `name`, then similar ones.
    """
    names = sorted(set(seen) - {name})
    wanted = name.lower()
    same = [other for other in names if canonical(other) == name]
    inside = [other for other in names if wanted in other.lower()]
    lowered = {other.lower(): other for other in names}
    similar = [lowered[match] for match in get_close_matches(wanted, list(lowered), n=limit, cutoff=0.6)]
    return list(dict.fromkeys([*same, *inside, *similar]))[:limit]
