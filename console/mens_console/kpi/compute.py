"""The KPIs of one model: of its generations where there are any, else of the newest figures that others computed.

Formulas are explained, each with an example, in docs/kpis.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from mens_console.kpi.definitions import KPIS, Definition
from mens_console.kpi.lanes import lanes_of
from mens_console.signals.human import one_of, some
from mens_console.signals.intervals import Estimate, clustered_share, mean_interval, median, pass_at_k, ratio_of_sums
from mens_console.signals.kpivalues import Category, KpiValue, ModelKpis
from mens_console.signals.patterns import wilson
from mens_contracts.diagnostics import IDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mens_console.kpi.shard import Figure, LaneFigures
    from mens_console.kpi.table import Table

MAX_K: Final = 10
_WANTED: Final = {
    "first": "compile_pass of the first output",
    "final": "compile_pass",
    "canonical": "canonical_pass of the first output",
    "task_success": "task_success",
    "semantic": "semantic_task_success",
    "valid_ms": "time_to_first_valid_ms",
    "tokens": "output_tokens together with generate_ms",
    "stalled": "diagnostics of three outputs, or repair_stalled",
    "repairs": "attempts of tasks that compile in the end",
    "strictness": "strictness",
}
_FED_BY_TRAINING: Final = {
    "val_loss_last_epoch": "val_loss or eval_loss in the telemetry of the run",
    "no_supervised_skip_rate": "skip_no_supervised_positions in the telemetry of the run",
    "truncation_fraction": "truncation_fraction in the telemetry of the run",
}


@dataclass(slots=True, eq=False)
class Evidence:
    """All that was told of one model: its generations as a table, figures of others, and where they stand."""

    model: str
    table: Table
    figures: Sequence[Figure] = ()
    lanes: Sequence[LaneFigures] = ()
    versions: frozenset[str] = frozenset()
    source: str = ""
    """Names the files of its generations."""
    updated: float = math.nan
    also: frozenset[str] = field(default_factory=frozenset)


def model_kpis(evidence: Evidence) -> ModelKpis:
    """Return all KPIs of a model; what nothing feeds is NaN with the reason."""
    values = [kpi_value(definition, evidence) for definition in KPIS]
    sampled = sampled_pass(evidence)
    if sampled is not None:
        at = next(i for i, value in enumerate(values) if value.tier == 2)
        values.insert(at, sampled)
    table = evidence.table
    return ModelKpis(
        evidence.model,
        tuple(values),
        categories(table.diagnostics, table.afflicted),
        lanes_of(evidence.table, evidence.lanes, evidence.source),
        table.task_count,
        evidence.updated,
    )


def kpi_value(definition: Definition, evidence: Evidence) -> KpiValue:
    """Return one KPI: from items where they tell it, else the newest figure, else what is missing."""
    told = sorted((f for f in evidence.figures if f.kpi == definition.id), key=lambda f: (f.at != f.at, -f.at))
    value = _of_items(definition, evidence)
    if value is not None:
        others = [f"{_short(f.value)} is told in {f.source}" for f in told if not _agrees(f, value)]
        return replace(value, reason="; ".join(filter(None, [value.reason, *others[:2]])))
    if told:
        return _of_figure(definition, told[0])
    return definition.blank(_missing(definition, evidence))


def _missing(definition: Definition, evidence: Evidence) -> str:
    """Say what would feed a KPI that nothing feeds."""
    if definition.id in _FED_BY_TRAINING:
        return f"UNDERFED: wants {_FED_BY_TRAINING[definition.id]}"
    wants = _WANTED.get(definition.column)
    if wants is None:
        return "not told"
    count = len(evidence.table)
    return f"UNDERFED: wants {wants}" + (f"; none of {count} generations tells it" if count else "")


def _agrees(figure: Figure, value: KpiValue) -> bool:
    return math.isclose(figure.value, value.value, rel_tol=5e-3, abs_tol=5e-4)


def _of_items(definition: Definition, evidence: Evidence) -> KpiValue | None:
    """Return a KPI computed from generations, None where none of them tells it."""
    table = evidence.table
    if definition.id == "whitespace_tokens":
        return _uncounted(definition, evidence)
    if not definition.column or not (~np.isnan(table.columns[definition.column])).any():
        return None
    value = _ESTIMATORS[definition.kind](definition, table)
    return None if value is None else replace(value, source=evidence.source)


def _of(table: Table) -> str:
    return "tasks" if table.named else "generations"


def _untold(table: Table, column: str) -> str:
    silent = int(np.isnan(table.columns[column]).sum())
    return f"{silent} of {len(table)} generations do not tell it" if silent else ""


def _share(definition: Definition, table: Table) -> KpiValue:
    tasks, shares, trials = table.per_task(definition.column)
    estimate = clustered_share(shares.tolist(), trials)
    method = "Wilson"
    if trials > len(tasks):
        method = f"Wilson at {estimate.worth:.0f} independent of {trials} generations"
    return replace(
        definition.blank(_untold(table, definition.column)),
        value=estimate.value,
        n=len(tasks),
        of=_of(table),
        interval=estimate.interval,
        method=method,
    )


def _median(definition: Definition, table: Table) -> KpiValue:
    tasks, values, _ = table.per_task_median(definition.column)
    estimate = median(values.tolist())
    never = int(np.isinf(values).sum())
    reasons = [_untold(table, definition.column)]
    if never:
        valid = median(values[np.isfinite(values)].tolist()).value
        among = f"; the median of the others is {_short(valid)} ms" if valid == valid else ""
        of = one_of(len(tasks), _of(table))
        reasons.insert(0, f"{never} of {len(tasks)} {of} never became valid and count as longest{among}")
    return replace(
        definition.blank("; ".join(filter(None, [*reasons, _few(estimate)]))),
        value=estimate.value,
        n=len(tasks),
        of=_of(table),
        interval=estimate.interval,
        method="order statistics",
    )


def _rate(definition: Definition, table: Table) -> KpiValue | None:
    """Return tokens a second of the requests whose tokens were truly counted; of all, undeciding, where none were."""
    columns = table.columns
    usable = (columns["tokens"] >= 0) & (columns["seconds"] > 0)
    true = usable & (columns["counted"] == 1)
    if not usable.any():
        return None
    chosen, decides = (true, True) if true.any() else (usable, False)
    estimate = ratio_of_sums(columns["tokens"][chosen].tolist(), columns["seconds"][chosen].tolist())
    reasons = [] if decides else ["tokens counted by whitespace or in an untold way: they may not decide"]
    left = int((usable & ~true).sum())
    if decides and left:
        reasons.append(f"{some(left, 'request')} left out, whose tokens the model's tokenizer did not count")
    if estimate.interval is None:
        reasons.append("no interval: two requests that differ are the least")
    return replace(
        definition.blank("; ".join(reasons)),
        value=estimate.value,
        n=int(chosen.sum()),
        of="requests",
        interval=estimate.interval,
        method="jackknife",
        decides=decides,
    )


def _mean(definition: Definition, table: Table) -> KpiValue:
    tasks, values, _ = table.per_task(definition.column)
    estimate = mean_interval(values.tolist())
    reason = "" if estimate.interval else "no interval: all are equal" if len(tasks) > 1 else "no interval: one alone"
    return replace(
        definition.blank(reason),
        value=estimate.value,
        n=len(tasks),
        of=f"passing {_of(table)}",
        interval=estimate.interval and (max(estimate.interval[0], 0.0), estimate.interval[1]),
        method="Student's t",
    )


_ESTIMATORS: Final = {"share": _share, "median": _median, "rate": _rate, "mean": _mean}


def _few(estimate: Estimate) -> str:
    return "" if estimate.interval else "no interval: six are the least"


def _uncounted(definition: Definition, evidence: Evidence) -> KpiValue | None:
    """Return the tokens that the model's own tokenizer did not count."""
    columns = evidence.table.columns
    uncounted = (columns["counted"] == 0) & (columns["tokens"] >= 0)
    if not uncounted.any():
        return None
    return replace(
        definition.blank("a weak stand-in for tokens"),
        value=float(columns["tokens"][uncounted].sum()),
        n=int(uncounted.sum()),
        of="requests",
        source=evidence.source,
        decides=False,
    )


def _of_figure(definition: Definition, figure: Figure) -> KpiValue:
    """Return a KPI that somebody else computed. A share has Wilson's interval where its n is told and fits it."""
    interval, method, reason = figure.interval, figure.method, figure.reason
    if interval is None:
        interval, method, why = share_interval(figure) if definition.kind == "share" else (None, "", "")
        if interval is None:
            reason = "; ".join(filter(None, [reason, why or "no interval: a figure without its items"]))
    return replace(
        definition.blank(reason),
        value=figure.value,
        n=figure.n or 0,
        of=figure.of if figure.n else "",
        interval=interval,
        method=method,
        source=figure.source,
        decides=figure.decides,
    )


def share_interval(figure: Figure) -> tuple[tuple[float, float] | None, str, str]:
    """Return the interval of a told share, its method, and why there is none.

    A share that is no whole number of its n, as far as it was rounded, contradicts it, and the n earns no interval.
    """
    share, n = figure.value, figure.n
    if not 0 <= share <= 1:
        return None, "", "no interval: it is no share"
    if not n:
        return None, "", "no interval: its n is not told"
    decimals = len(repr(share).partition(".")[2])
    if abs(share * n - round(share * n)) > n * 0.5 * 10.0**-decimals + 1e-9:
        return None, "", f"no interval: {_short(share)} of {n} is no whole number of tasks"
    return wilson(round(share * n), n), "Wilson", ""


def sampled_pass(evidence: Evidence) -> KpiValue | None:
    """Return pass@k by the unbiased estimator where all tasks have two samples or more.

    k is half of what the task with the fewest samples has, 2 at least: at k = n it says no more than yes or no a task.
    """
    column = evidence.table.columns["first"]
    known = ~np.isnan(column)
    tasks, places = np.unique(evidence.table.tasks[known], return_inverse=True)
    if not len(tasks):
        return None
    samples = np.bincount(places, minlength=len(tasks)).astype(int)
    passes = np.bincount(places, weights=column[known], minlength=len(tasks)).astype(int)
    if samples.min() < 2:
        return None
    k = min(max(int(samples.min()) // 2, 2), MAX_K)
    shares = [pass_at_k(int(n), int(c), k) for n, c in zip(samples, passes, strict=True)]
    estimate = clustered_share(shares, int(samples.sum()))
    return KpiValue(
        "pass_at_k",
        f"pass@{k} (sampled)",
        2,
        "share",
        "higher",
        estimate.value,
        len(tasks),
        "tasks",
        estimate.interval,
        f"Wilson at {estimate.worth:.0f} independent of {samples.sum()} generations",
        evidence.source,
        definition=f"probability that one of {k} first outputs of a task compiles, by the unbiased estimator",
    )


def categories(diagnostics: Mapping[str, int], afflicted: Mapping[str, int]) -> tuple[Category, ...]:
    """Return the histogram: the classes of the taxonomy in its order, then what producers named besides."""
    if not diagnostics:
        return ()
    others = sorted(diagnostics.keys() - set(IDS), key=lambda name: (-diagnostics[name], name))
    names = [*IDS[:-1], *others, IDS[-1]]
    return tuple(Category(name, diagnostics.get(name, 0), afflicted.get(name, 0)) for name in names)


def _short(value: float) -> str:
    return f"{value:.4g}"
