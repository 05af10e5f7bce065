"""`mens-console kpi`: the product KPIs of models from what generation and benchmarks recorded, alone or compared.

It prints what `mens_console.kpi` computed; how that looks is `kpitable`'s.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mens_console.cli.common import colour, complain
from mens_console.cli.errors import NO, OK, WRONG, CommandError
from mens_console.cli.kpitable import comparison_lines, report_lines
from mens_console.cli.status import paint, plain
from mens_console.ingest.text import safe_text
from mens_console.kpi.compare import conflict, deltas, with_growth, worse
from mens_console.kpi.definitions import TIER_1
from mens_console.kpi.follow import read_all
from mens_console.kpi.table import Names

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from mens_console.kpi.compute import Evidence
    from mens_console.kpi.report import Gathered
    from mens_console.signals.kpivalues import KpiDelta, KpiReport, ModelKpis

_LISTED = 12


def run(arguments: argparse.Namespace) -> int:
    """Print KPIs; 1 where a KPI of tier 1 is worse than the other model's, 2 where nothing could be read."""
    paths = arguments.paths or [Path()]
    for path in paths:
        if not os.path.lexists(path):
            raise CommandError(
                f"{path}: no such file or folder; name a file of KPI records, or a folder that holds some"
            )
    names, now = Names(), time.time()
    follower = read_all(paths, now, names)
    report, gathered = follower.report, follower.gathered
    follower.close()
    for problem in follower.unlisted:
        complain(problem)
    for source in report.sources:
        if source.problem:
            complain(source.problem)
    if not report.models:
        complain(f"no KPI records in {', '.join(map(str, paths))}: {_CURE}")
        return WRONG
    comparison = None
    if arguments.against is not None:
        comparison = _compare(arguments, gathered, names, now)
        report = _with(report, comparison[2])
    report = _chosen(report, gathered, arguments.model if comparison is None else comparison[2].model)
    if arguments.json:
        _print_json(report, now, comparison)
    else:
        ink = paint if colour(sys.stdout) else plain
        lines = [] if comparison is None else comparison_lines(*comparison[:2], comparison[3], ink)
        print("\n".join([*lines, *report_lines(report, now, ink)]))
    return NO if comparison is not None and worse(comparison[3], TIER_1) else OK


_CURE = (
    "they are written by mens_console.collectors.generation, by a scorecard (summary.json, events.all.jsonl) or as "
    "vox_runtime_generation_kpi_v1"
)


def _print_json(report: KpiReport, now: float, comparison: Comparison | None) -> None:
    import orjson

    from mens_console.kpi.document import kpi_document

    compared = None if comparison is None else (comparison[0], comparison[1], comparison[3])
    print(orjson.dumps(kpi_document(report, now, compared), option=orjson.OPT_INDENT_2).decode())


Comparison = tuple[str, str, "ModelKpis", "tuple[KpiDelta, ...]"]
"""Base, other, the other's KPIs with what only a comparison tells, and the differences."""


def _compare(arguments: argparse.Namespace, gathered: Gathered, names: Names, now: float) -> Comparison:
    """Compare the model that is meant with the one of --against. Raises `CommandError` where that may not be."""
    against, base_of = arguments.against, gathered
    if os.path.lexists(Path(against).expanduser()):
        follower = read_all([Path(against).expanduser()], now, names)
        base_of = follower.gathered
        for source in follower.report.sources:
            if source.problem:
                complain(source.problem)
        follower.close()
        if not base_of.kpis:
            raise CommandError(f"{against}: no KPI records are in it; {_CURE}")
        other = _one(gathered, arguments.model, "compared; name it with --model")
        base = other if len(base_of.kpis) > 1 and other in base_of.kpis else _one(base_of, None, f"in {against}")
    else:
        found = gathered.find(against)
        if found is None:
            raise CommandError(f"{safe_text(against)}: neither a file nor a model; there are:", _models(gathered.kpis))
        base = found
        rest = [model for model in gathered.kpis if model != base]
        if arguments.model is None and len(rest) != 1:
            raise CommandError(f"which model is compared with {safe_text(base)}? name it with --model:", _models(rest))
        other = rest[0] if arguments.model is None else _one(gathered, arguments.model, "")
    one, two = base_of.evidence[base], gathered.evidence[other]
    _may_be_compared(one, two, force=arguments.force)
    kpis = with_growth(gathered.kpis[other], one, two)
    name = base if base != other else f"{base} ({against})"
    return name, other, kpis, deltas(one, two, base_of.kpis[base], gathered.kpis[other])


def _may_be_compared(base: Evidence, other: Evidence, *, force: bool) -> None:
    if base is other:
        raise CommandError(f"{safe_text(base.model)} would be compared with itself; name two models")
    why = conflict(base, other)
    if why and not force:
        raise CommandError(
            f"different tasks: {why}; evaluate both on one version, or compare all the same with --force"
        )
    if why:
        complain(f"compared all the same (--force): {why}")


def _one(gathered: Gathered, name: str | None, where: str) -> str:
    """Return the model of that name, or the only one there is."""
    if name is not None:
        found = gathered.find(name)
        if found is None:
            raise CommandError(f"{safe_text(name)}: no such model; there are:", _models(gathered.kpis))
        return found
    if len(gathered.kpis) > 1:
        raise CommandError(f"{len(gathered.kpis)} models {where}:", _models(gathered.kpis))
    return next(iter(gathered.kpis))


def _models(models: Sequence[str] | dict[str, ModelKpis]) -> tuple[str, ...]:
    listed = [safe_text(model) for model in models]
    return (*listed[:_LISTED], *([f"… and {len(listed) - _LISTED} more"] if len(listed) > _LISTED else []))


def _with(report: KpiReport, kpis: ModelKpis) -> KpiReport:
    return replace(report, models=tuple(kpis if one.model == kpis.model else one for one in report.models))


def _chosen(report: KpiReport, gathered: Gathered, name: str | None) -> KpiReport:
    """Return the report with the model that was asked for, or all of them."""
    if name is None:
        return report
    model = _one(gathered, name, "")
    return replace(report, models=tuple(one for one in report.models if one.model == model))
