"""What KPIs of tier 2 and 3 want of a training: its newest losses, and what it skipped and cut off.

Reads single rows of telemetry by the names that producers use; curves and steps are other rooms'.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from mens_console.ingest import aliases
from mens_console.ingest.formats.values import number
from mens_console.kpi.shard import Figure
from mens_console.signals.patterns import wilson
from mens_contracts.aliases import factor, spellings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mens_console.kpi.shard import Shard

CONTRACT: Final = "mens-telemetry/1"
SKIPPED: Final = "skip_no_supervised_positions"
SHORT: Final = "skip_short_seq"
WANTED: Final = (
    "val_loss", "loss", "no_supervised_skip_rate", SKIPPED, SHORT, "micro_steps_executed", "step", "global_step",
    "truncation_fraction", "supervised_ratio_pct", "tokens_per_sec", "val_steps", "parse_rate", "corpus_parse_rate",
    "construct_coverage", "quality_proxy",
)  # fmt: skip
_SPELLINGS: Final = spellings(CONTRACT)


def take(row: Mapping[str, Any], shard: Shard) -> bool:
    """Keep the newest values of what a row tells; False where it tells nothing of a training."""
    inner = row.get("payload")
    enveloped = isinstance(inner, dict) and isinstance(row.get("event"), str)
    row = inner if isinstance(inner, dict) and enveloped else row
    found = enveloped  # an event that tells none of these is telemetry all the same
    for key, cell in row.items():
        name = _named(key)
        if name is None:
            continue
        value = number(cell)
        if value is None:
            continue
        found = True
        shard.training[name] = value * factor(CONTRACT, key)
        if name != key:
            shard.spelled.setdefault(name, key)
    if found:
        shard.saw("telemetry", [key for key in row if isinstance(key, str)])
    return found


def _named(key: str) -> str | None:
    """Return the name of `WANTED` that a producer's key means."""
    if key in WANTED:
        return key
    known = _SPELLINGS.get(key)
    if known in WANTED:
        return known
    return {"loss": "loss", "eval_loss": "val_loss"}.get(aliases.canonical(key))


def figures(told: Mapping[str, float], path: str, at: float) -> list[Figure]:
    """Return the KPIs that a training's newest values tell."""
    found = []
    if (value := told.get("val_loss", math.nan)) == value:
        steps = told.get("val_steps")
        n = None if steps is None else int(steps)
        found.append(Figure("val_loss_last_epoch", value, n, "eval steps" if n else "", path, at=at))
    if (value := told.get("loss", math.nan)) == value:
        found.append(Figure("train_loss", value, None, "", path, at=at))
    found += _skips(told, path, at)
    for name, kpi in (
        ("truncation_fraction", "truncation_fraction"),
        ("corpus_parse_rate", "corpus_parse_rate"),
        ("parse_rate", "corpus_parse_rate"),
        ("construct_coverage", "construct_coverage"),
        ("quality_proxy", "quality_proxy"),
    ):
        if math.isfinite(value := told.get(name, math.nan)):
            found.append(Figure(kpi, value, None, "", path, at=at))
    return found


def _skips(told: Mapping[str, float], path: str, at: float) -> list[Figure]:
    """Return the rate at which sequences were skipped because no token of them is supervised.

    Of the counters, where there are any: skipped / (skipped + too short + micro steps), as the producer does it.
    """
    skipped = told.get(SKIPPED, math.nan)
    steps = next(
        (
            told[name]
            for name in ("micro_steps_executed", "global_step", "step")
            if math.isfinite(told.get(name, math.nan))
        ),
        math.nan,
    )
    if skipped >= 0 and steps >= 0:
        seen = skipped + max(told.get(SHORT, 0.0), 0.0) + steps
        if seen > 0:
            interval = wilson(skipped, seen)
            return [
                Figure(
                    "no_supervised_skip_rate", skipped / seen, int(seen), "sequences", path,
                    interval=interval, method="Wilson", at=at,
                )
            ]  # fmt: skip
    rate = told.get("no_supervised_skip_rate", math.nan)
    return [Figure("no_supervised_skip_rate", rate, None, "", path, at=at)] if math.isfinite(rate) else []
