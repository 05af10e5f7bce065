"""Every contract in one table: its id, model and schema file, and how a file of it is recognised.

Models are loaded only when asked for, so that looking something up costs nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Literal

from mens_contracts.aliases import spellings

if TYPE_CHECKING:
    from pydantic import BaseModel

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_LEAST_SHARE: Final = 0.4
"""Share of `known_by` that a row without an id must carry to be taken for a row of the contract."""


@dataclass(frozen=True, slots=True)
class Contract:
    """One contract.

    `form` is `rows` where a file holds one JSON object a line, `document` where it is one. `tagged` says whether each
    object names the contract in its field `schema`; otherwise it is known by the fields `known_by`, and by its `event`
    where there are `events`.
    """

    id: str
    title: str
    model: str
    """Module and class, within mens_contracts."""
    schema_file: str
    """Below contracts/ in the sources, below mens_contracts/schemas/ in the wheel."""
    form: Literal["rows", "document"]
    files: str
    """Where it is found, in words."""
    tagged: bool = True
    known_by: tuple[str, ...] = ()
    events: tuple[str, ...] = ()

    def load(self) -> type[BaseModel]:
        """Return the model."""
        module, _, name = self.model.partition(":")
        model: type[BaseModel] = getattr(import_module(f"mens_contracts.{module}"), name)
        return model

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema, as it is committed."""
        return {"$schema": DIALECT, **self.load().model_json_schema(by_alias=True)}


_ATTEMPT_FIELDS: Final = (
    "ts", "run_id", "persona_id", "stage", "attempt", "status", "latency_ms", "prompt_tokens", "completion_tokens",
    "repairs", "validator_scores", "opening_move", "constraint_categories", "anchors_used",
)  # fmt: skip
_SCORECARD_FIELDS: Final = (
    "condition_id", "backend", "task_id", "compile_pass_1", "compile_pass_n", "canonical_pass", "voxelized_strictness",
    "semantic_task_success", "hir_error_count", "tokens_in", "tokens_out",
)  # fmt: skip

CONTRACTS: Final[Mapping[str, Contract]] = {
    one.id: one
    for one in (
        Contract(
            "mens_generation_attempt_v1",
            "one attempt of a generation run, one line each",
            "attempt:GenerationAttempt",
            "eval/generation-attempt.schema.json",
            "rows",
            "attempt logs: `generation.log`, `attempts.jsonl`",
            tagged=False,
            known_by=_ATTEMPT_FIELDS,
        ),
        Contract(
            "mens_generation_event_v1",
            "one generation request with all its attempts and repairs",
            "event:GenerationEvent",
            "eval/generation-event.schema.json",
            "rows",
            "`generation_events.jsonl`",
        ),
        Contract(
            "vox_runtime_generation_kpi_v1",
            "what one generation request came to; closed",
            "runtime_kpi:RuntimeGenerationKpi",
            "eval/runtime-generation-kpi.schema.json",
            "rows",
            "runtime KPI records of a command line or server",
        ),
        Contract(
            "mens_benchmark_summary_v1",
            "how one model did on one benchmark",
            "benchmark:BenchmarkSummary",
            "eval/benchmark-summary.schema.json",
            "document",
            "benchmark artefacts",
        ),
        Contract(
            "mens_scorecard_event_v1",
            "one task of a scorecard under one condition",
            "scorecard:ScorecardEvent",
            "eval/mens-scorecard-event.schema.json",
            "rows",
            "rows of a scorecard run",
            tagged=False,
            known_by=_SCORECARD_FIELDS,
        ),
        Contract(
            "vox_mens_scorecard_summary_v1",
            "a scorecard run by condition",
            "scorecard:ScorecardSummary",
            "eval/mens-scorecard-summary.schema.json",
            "document",
            "scorecard summaries",
        ),
        Contract(
            "mens_lane_metrics_v1",
            "leakage, compactness and repair burden of one lane",
            "lanes:LaneMetrics",
            "eval/lane-metrics.schema.json",
            "document",
            "inside benchmark summaries, or alone",
            known_by=("lane", "leakage", "compactness_loss", "repair_burden"),
        ),
        Contract(
            "mens_diagnostic_taxonomy_v1",
            "the classes of diagnostics and their other names",
            "taxonomy:DiagnosticTaxonomy",
            "eval/diagnostic-taxonomy.schema.json",
            "document",
            "`contracts/eval/diagnostic-taxonomy.json`",
        ),
        Contract(
            "mens-health/1",
            "health of attempt logs by batch, tier and run",
            "health:HealthDocument",
            "eval/mens-health-1.schema.json",
            "document",
            "`mens-console health --json`",
        ),
        Contract(
            "mens-kpi/1",
            "product KPIs with their evidence",
            "kpi:KpiDocument",
            "eval/mens-kpi-1.schema.json",
            "document",
            "`mens-console kpi --json`",
        ),
        Contract(
            "mens-soak/1",
            "what hours of load on a server came to",
            "soak:SoakReport",
            "gate/mens-soak-1.schema.json",
            "document",
            "soak reports, as evidence for the gate",
        ),
        Contract(
            "mens-bench/1",
            "throughput, latency, memory and context length of a server",
            "bench:BenchReport",
            "gate/mens-bench-1.schema.json",
            "document",
            "benchmarks, as evidence for the gate",
        ),
        Contract(
            "mens-eval/1",
            "scores of one model on one version of an evaluation set",
            "evaluation:Evaluation",
            "gate/mens-eval-1.schema.json",
            "document",
            "evaluations, as evidence for the gate",
        ),
        Contract(
            "mens-eval-log/1",
            "evaluations as they were made, one line each",
            "evaluation:LoggedEvaluation",
            "gate/mens-eval-log-1.schema.json",
            "rows",
            "`eval_log.jsonl`, beside `eval_log.md`",
        ),
        Contract(
            "mens-manifest/1",
            "the evidence that a decision rests on, promised beforehand",
            "manifest:EvidenceManifest",
            "gate/mens-manifest-1.schema.json",
            "document",
            "beside evidence, for `mens-console gate`",
        ),
        Contract(
            "mens-evidence/1",
            "files of evidence and every value that was read from them",
            "evidence:Evidence",
            "gate/mens-evidence-1.schema.json",
            "document",
            "`mens-console gate evidence --json`",
        ),
        Contract(
            "mens-gate-decision/1",
            "one person's GO or NO-GO, the predicate of an in-toto Statement",
            "gate_records:GateDecision",
            "gate/mens-gate-decision-1.schema.json",
            "document",
            "inside the signed envelopes of a ledger",
        ),
        Contract(
            "mens-gate-ledger/1",
            "decisions, each with the hash of all before it",
            "gate_records:LedgerLine",
            "gate/mens-gate-ledger-1.schema.json",
            "rows",
            "`ledger.jsonl`",
        ),
        Contract(
            "mens-gate-records/1",
            "the decisions of a ledger, and whether they hold",
            "gate_records:GateRecords",
            "gate/mens-gate-records-1.schema.json",
            "document",
            "`mens-console gate ledger --json`, `gate verify --json`",
        ),
        Contract(
            "mens-run-summary/1",
            "what a run is and what became of it",
            "run_summary:RunSummary",
            "run/mens-run-summary-1.schema.json",
            "document",
            "`run_summary.json`",
        ),
        Contract(
            "mens-telemetry/1",
            "what a training writes while it runs",
            "telemetry:TelemetryRow",
            "run/mens-telemetry-1.schema.json",
            "rows",
            "`telemetry.jsonl`",
            tagged=False,
            known_by=("ts_ms", "event", "payload"),
        ),
        Contract(
            "mens-training-status/1",
            "newest state of a training",
            "training_status:TrainingStatus",
            "run/mens-training-status-1.schema.json",
            "document",
            "`training_status.json`",
            tagged=False,
            known_by=("status", "current_step", "pid", "host", "timestamp"),
        ),
        Contract(
            "mens-stage/1",
            "stages of a run, as they begin and end",
            "stage:StageEvent",
            "run/mens-stage-1.schema.json",
            "rows",
            "`stages.jsonl`",
            tagged=False,
            known_by=("ts_ms", "event", "payload"),
            events=("stage_start", "stage_step", "stage_end"),
        ),
        Contract(
            "mens-stages/1",
            "stages of a run and how they went",
            "documents:Stages",
            "run/mens-stages-1.schema.json",
            "document",
            "`mens-console stage --list --json`",
        ),
        Contract(
            "mens-status/1",
            "every run of a box",
            "status:Status",
            "run/mens-status-1.schema.json",
            "document",
            "`mens-console status --json`",
        ),
        Contract(
            "mens-gate/1",
            "a release judged by a profile",
            "gate:GateDocument",
            "gate/mens-gate-1.schema.json",
            "document",
            "`mens-console gate check --json`",
        ),
        Contract(
            "mens-gate-diff/1",
            "how two judgements of a release differ",
            "gate:GateDiff",
            "gate/mens-gate-diff-1.schema.json",
            "document",
            "`mens-console gate diff --json`",
        ),
        Contract(
            "mens-compare/1",
            "runs side by side",
            "documents:Compare",
            "run/mens-compare-1.schema.json",
            "document",
            "`mens-console compare --json`",
        ),
        Contract(
            "mens-alert-list/1",
            "alerts, the worst first",
            "documents:AlertList",
            "run/mens-alert-list-1.schema.json",
            "document",
            "`mens-console alerts list --json`",
        ),
        Contract(
            "mens-watch-event/1",
            "what happens to alerts, one line each",
            "documents:WatchEvent",
            "run/mens-watch-event-1.schema.json",
            "rows",
            "`mens-console watch --json`",
        ),
        Contract(
            "mens-digest/1",
            "what happened since the operator left",
            "documents:Digest",
            "run/mens-digest-1.schema.json",
            "document",
            "the digest that screens show",
        ),
        Contract(
            "mens-contract-check/1",
            "how files differ from their contracts",
            "checked:ContractCheck",
            "run/mens-contract-check-1.schema.json",
            "document",
            "`mens-console contracts check --json`",
        ),
    )
}


def by_fields(names: Collection[str], events: Iterable[object] = ()) -> Contract | None:
    """Return the contract that rows with these fields, and values of `event`, are most likely of; None: of none.

    Other names of a field count almost as much as its own; of equals the first in the table wins.
    """
    told = {one for one in events if isinstance(one, str)}
    best: tuple[float, Contract] | None = None
    for contract in CONTRACTS.values():
        if not contract.known_by:
            continue
        score = _score(contract, names)
        if contract.events:
            score = score + 0.1 if told & set(contract.events) else 0.0
        if score >= _LEAST_SHARE and (best is None or score > best[0]):
            best = score, contract
    return best[1] if best else None


def _score(contract: Contract, names: Collection[str]) -> float:
    """Return the share of the fields that a contract is known by which occur in `names`."""
    own = {field for field in contract.known_by if field in names}
    other = {field for name, field in spellings(contract.id).items() if name in names} & set(contract.known_by) - own
    return (len(own) + 0.9 * len(other)) / len(contract.known_by)
