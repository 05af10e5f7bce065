"""The product KPIs: id, name, tier, unit, which way is better, and how each is computed, in one table.

Definitions alone; the catalogue of what decides, explains and only gives context is the first seed's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from mens_console.signals.kpivalues import KpiValue


@dataclass(frozen=True, slots=True)
class Definition:
    """One KPI. `kind` says how it is estimated; `column` is the table's column that it reads, if it reads one."""

    id: str
    name: str
    tier: Literal[1, 2, 3]
    unit: str
    better: Literal["higher", "lower", "neither"]
    kind: Literal["share", "median", "rate", "mean", "figure"]
    column: str
    definition: str

    def blank(self, reason: str = "") -> KpiValue:
        """Return the KPI as nothing feeds it."""
        return KpiValue(
            self.id, self.name, self.tier, self.unit, self.better, reason=reason, definition=self.definition
        )


KPIS: Final = (
    Definition(
        "compile_pass_at_1", "CompilePass@1", 1, "share", "higher", "share", "first",
        "share of tasks whose first output compiles; of several samples of a task the mean, which is the unbiased "
        "pass@1",
    ),
    Definition(
        "compile_pass_at_n", "CompilePass@N", 1, "share", "higher", "share", "final",
        "share of tasks with an output that compiles within the repair budget",
    ),
    Definition(
        "canonical_pass_at_1", "CanonicalPass@1", 1, "share", "higher", "share", "canonical",
        "share of tasks whose first output compiles, and compiles in its canonical form too",
    ),
    Definition(
        "task_success", "TaskSuccess (golden)", 1, "share", "higher", "share", "task_success",
        "share of tasks that pass their golden behavioural checks",
    ),
    Definition(
        "semantic_task_success", "TaskSuccess (shape)", 1, "share", "higher", "share", "semantic",
        "share of tasks with the expected shape at the level of IR, routes and components",
    ),
    Definition(
        "time_to_first_valid_ms", "TimeToFirstValidMs", 1, "ms", "lower", "median", "valid_ms",
        "median over tasks of the time from the request to the verdict on the first valid output; a task that never "
        "became valid counts as longer than any other",
    ),
    Definition(
        "serve_tokens_per_sec", "ServeTokensPerSec", 1, "tokens/s", "higher", "rate", "tokens",
        "tokens of all outputs by the model's own tokenizer over the seconds spent on generating them",
    ),
    Definition(
        "repair_stall_rate", "RepairStallRate", 1, "share", "lower", "share", "stalled",
        "share of tasks that end invalid after two repairs or more of which neither of the last two reduced the "
        "diagnostics",
    ),
    Definition(
        "repair_depth_mean", "RepairDepthMean", 2, "repairs", "lower", "mean", "repairs",
        "mean number of repairs over the tasks that eventually compile",
    ),
    Definition(
        "strictness_failure_rate", "StrictnessFailureRate", 2, "share", "lower", "share", "strictness",
        "share of tasks with an output that holds prose, fences or narration beside the code",
    ),
    Definition(
        "val_loss_last_epoch", "ValLossLastEpoch", 2, "nats", "lower", "figure", "",
        "newest validation loss that the training logged",
    ),
    Definition(
        "no_supervised_skip_rate", "NoSupervisedSkipRate", 2, "share", "lower", "figure", "",
        "sequences skipped because no token of them is supervised, over the sequences seen",
    ),
    Definition(
        "truncation_fraction", "TruncationFraction", 2, "share", "lower", "figure", "",
        "share of the training data that the context's length cut off",
    ),
    Definition(
        "train_loss", "train loss", 3, "nats", "lower", "figure", "", "newest training loss that was logged"
    ),
    Definition(
        "corpus_parse_rate", "corpus parse rate", 3, "share", "higher", "figure", "",
        "share of the training corpus that parses: quality of the data, not of the model",
    ),
    Definition(
        "construct_coverage", "construct coverage", 3, "share", "higher", "figure", "",
        "share of the language's constructs that the corpus holds: breadth of the data",
    ),
    Definition(
        "whitespace_tokens", "whitespace tokens", 3, "tokens", "neither", "figure", "",
        "tokens counted by blanks or in an untold way: they say nothing of the model's real speed",
    ),
    Definition(
        "quality_proxy", "quality_proxy", 3, "", "neither", "figure", "", "demoted: it belongs to the corpus"
    ),
)  # fmt: skip
BY_ID: Final = {one.id: one for one in KPIS}
TIER_1: Final = tuple(one.id for one in KPIS if one.tier == 1)
DEMOTED: Final = frozenset({"quality_proxy", "construct_coverage", "strictness_failure_rate", "train_loss"})
"""What may not decide, whatever a profile says: corpus proxies, strictness alone, raw loss."""
