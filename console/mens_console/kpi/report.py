"""What files of KPI records say in all: models with their KPIs, where they come from, and who feeds which reader."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from mens_console.collectors.generation import KPI_FILE
from mens_console.kpi import training
from mens_console.kpi.compare import conflict, deltas
from mens_console.kpi.compute import Evidence, model_kpis
from mens_console.kpi.feeds import kpi_feeds
from mens_console.kpi.records import EVENT
from mens_console.kpi.shard import later
from mens_console.kpi.table import NO_TASK, joined
from mens_console.signals.kpivalues import KpiDelta, KpiReport, KpiSource, ModelKpis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mens_console.kpi.shard import Figure, Shard, Told
    from mens_console.kpi.source import Source
    from mens_console.kpi.table import Names, Rows

PROBLEMS: Final = 20
RICHEST: Final = ("event", "scorecard row", "item")
"""Kinds of records with tasks, those that tell most of a request first."""


@dataclass(slots=True, eq=False)
class Gathered:
    """The evidence of all models and what was said of it, at one moment."""

    evidence: dict[str, Evidence] = field(default_factory=dict)
    kpis: dict[str, ModelKpis] = field(default_factory=dict)

    def find(self, name: str) -> str | None:
        """Return the model of that name, of another name of it, or of the only one that begins so."""
        if name in self.evidence:
            return name
        also = [model for model, one in self.evidence.items() if name in one.also]
        if len(also) == 1:
            return also[0]
        begun = [model for model in self.evidence if model.startswith(name)]
        return begun[0] if len(begun) == 1 else None

    def compare(self, base: str, other: str) -> tuple[KpiDelta, ...]:
        """Return how the model `other` differs from `base`; nothing where either is unknown.

        Different sets of tasks are compared all the same: `conflict` says whether they may be.
        """
        one, two = self.find(base), self.find(other)
        if one is None or two is None:
            return ()
        return deltas(self.evidence[one], self.evidence[two], self.kpis[one], self.kpis[two])

    def conflict(self, base: str, other: str) -> str:
        """Say why two models must not be compared, "" where nothing speaks against it."""
        one, two = self.find(base), self.find(other)
        return "" if one is None or two is None else conflict(self.evidence[one], self.evidence[two])


def gather(sources: Sequence[Source], names: Names, known: Gathered | None = None) -> Gathered:
    """Return the evidence of every model of the sources. What did not change since `known` is not computed again."""
    gathered = Gathered()
    told: dict[str, list[tuple[Shard, Told]]] = {}
    derived = derived_from_events(sources)
    for source in sources:
        for shard in source.shards if source.path not in derived else ():
            for model, one in shard.models.items():
                told.setdefault(model, []).append((shard, one))
    figures = _training(sources, told)
    for model in [*told, *(run for run in figures if run not in told)]:
        evidence = _evidence(model, told.get(model, []), figures.get(model, []), names)
        before = known.evidence.get(model) if known is not None else None
        if known is not None and before is not None and _same(before, evidence):
            gathered.evidence[model], gathered.kpis[model] = before, known.kpis[model]
        else:
            gathered.evidence[model], gathered.kpis[model] = evidence, model_kpis(evidence)
    return gathered


def derived_from_events(sources: Sequence[Source]) -> frozenset[str]:
    """Return the files of runtime records that the recorder derived from the events beside them: the same requests."""
    folders = {PurePath(one.path).parent for one in sources if any(shard.kinds.get(EVENT) for shard in one.shards)}
    return frozenset(
        one.path for one in sources if PurePath(one.path).name == KPI_FILE and PurePath(one.path).parent in folders
    )


def _same(one: Evidence, two: Evidence) -> bool:
    return (
        len(one.table) == len(two.table)
        and one.source == two.source
        and one.figures == two.figures
        and one.versions == two.versions
        and one.updated == two.updated
        and len(one.lanes) == len(two.lanes)
    )


def _evidence(model: str, told: Sequence[tuple[Shard, Told]], figures: Sequence[Figure], names: Names) -> Evidence:
    files = [shard.path for shard, one in told if len(one.rows.tasks)]
    updated = math.nan
    for _, one in told:
        updated = later(updated, one.updated)
    return Evidence(
        model,
        joined(_once([one for _, one in told]), names),
        (*(figure for _, one in told for figure in one.figures), *figures),
        tuple(lane for _, one in told for lane in one.lanes),
        frozenset().union(*(one.versions for _, one in told)),
        ", ".join(dict.fromkeys(files)),
        updated,
        frozenset().union(*(one.also for _, one in told)),
    )


def _once(told: Sequence[Told]) -> list[Rows]:
    """Return the generations of a model's files, each task by the kind of record that tells most of it.

    An evaluation often leaves events, scorecard rows and a benchmark's items beside each other: the same requests.
    """
    found: list[Rows] = []
    richer: set[int] = set()
    for kind in (*RICHEST, ""):
        own = [one.rows.without(richer) for one in told if _kind(one) == kind]
        found += own
        if kind:
            richer.update(task for rows in own for task in rows.tasks if task != NO_TASK)
    return found


def _kind(told: Told) -> str:
    """Return the richest kind of record with tasks that a file holds of a model, "" for none."""
    return next((kind for kind in RICHEST if told.kinds.get(kind)), "")


def _training(sources: Sequence[Source], told: dict[str, list[tuple[Shard, Told]]]) -> dict[str, list[Figure]]:
    """Return what trainings tell, by model: the one trained by that run, the only one there is, or the run itself."""
    found: dict[str, list[Figure]] = {}
    runs: dict[str, list[Figure]] = {}
    for source in sources:
        for shard in source.shards:
            if shard.training:
                runs.setdefault(shard.run, []).extend(training.figures(shard.training, shard.path, source.updated))
    for run, figures in runs.items():
        models = [model for model, parts in told.items() if model == run or any(run in one.runs for _, one in parts)]
        if not models and len(runs) == 1 and len(told) == 1:
            models = list(told)
        for model in models or [run or "(training)"]:
            found.setdefault(model, []).extend(figures)
    return found


def make_report(sources: Sequence[Source], gathered: Gathered, rev: int) -> KpiReport:
    """Return the report: models newest first, those of no known time last and by name."""

    def key(kpis: ModelKpis) -> tuple[bool, float, str]:
        unknown = math.isnan(kpis.updated)
        return unknown, 0.0 if unknown else -kpis.updated, kpis.model

    derived = derived_from_events(sources)
    models = tuple(sorted(gathered.kpis.values(), key=key))
    return KpiReport(
        models,
        tuple(_source(source, derived=source.path in derived) for source in sources),
        kpi_feeds([shard for source in sources if source.path not in derived for shard in source.shards]),
        tuple(source.problem for source in sources if source.problem)[:PROBLEMS],
        rev,
        compare=partial(Gathered.compare, gathered),
        conflict=partial(Gathered.conflict, gathered),
    )


def _source(source: Source, *, derived: bool) -> KpiSource:
    kinds: dict[str, int] = {}
    for shard in source.shards:
        for kind, count in shard.kinds.items():
            kinds[kind] = kinds.get(kind, 0) + count
    bad = sum(shard.bad_rows for shard in source.shards)
    first = next((shard.bad[0] for shard in source.shards if shard.bad), None)
    why = (
        None
        if first is None
        else f"{bad} row{'s' * (bad > 1)} could not be read, first at {source.path}:{first.line}: {first.reason}"
    )
    return KpiSource(
        source.path,
        (", ".join(sorted(kinds)) or "nothing readable") + (", derived from the events beside it" if derived else ""),
        sum(shard.rows for shard in source.shards),
        bad,
        source.problem or why,
        source.updated,
    )
