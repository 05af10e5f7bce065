"""`mens-console gate list`: the profiles that are shipped, or with `--metrics` what a profile may name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mens_console.cli.errors import OK

if TYPE_CHECKING:
    import argparse

    from mens_console.gate.types import Metric, Profile


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--metrics", action="store_true", help="the metrics that criteria may name, instead")
    parser.add_argument("--json", action="store_true", help="print them as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the profiles, or the metrics."""
    return _metrics(as_json=arguments.json) if arguments.metrics else _profiles(as_json=arguments.json)


def _profiles(*, as_json: bool) -> int:
    from mens_console.gate.profiles import load, shipped
    from mens_console.gate.wording import summary

    profiles = [load(path) for path in shipped().values()]
    if as_json:
        print(json.dumps({"profiles": [_facts(one) for one in profiles]}, indent=2, ensure_ascii=False))
        return OK
    width = max(len(one.id) for one in profiles)
    for one in profiles:
        print(f"{one.id:<{width}}  {one.title}: {summary(one)}")
    return OK


def _facts(one: Profile) -> dict[str, Any]:
    return {
        "id": one.id,
        "title": one.title,
        "description": one.description,
        "criteria": len(one.criteria),
        "deciding": sum(criterion.decides for criterion in one.criteria),
        "manual": sum(criterion.manual for criterion in one.criteria),
        "approvals": one.approvals,
        "conditional_passes": one.conditional_passes,
        "unsigned": one.unsigned,
        "template": one.template,
        "sha256": one.sha256,
        "path": one.path,
    }


def _metrics(*, as_json: bool) -> int:
    from mens_console.gate.metrics import METRICS

    if as_json:
        print(json.dumps({"metrics": [_metric(one) for one in METRICS.values()]}, indent=2, ensure_ascii=False))
        return OK
    width = max(map(len, METRICS))
    dimension = ""
    for one in METRICS.values():
        if one.dimension != dimension:
            dimension = one.dimension
            print(dimension)
        told = f"  {one.id:<{width}}  {one.title} [{one.unit}], {one.better} is better, {kind(one)}"
        print(told + (f": {one.definition}" if one.definition else ""))
    return OK


def kind(metric: Metric) -> str:
    """Return what kind of figure a metric is, with its tier where it is a product KPI."""
    figure = f"P{metric.quantile * 100:g}" if metric.statistic == "quantile" else metric.statistic
    tier = f", tier {metric.tier}" if metric.tier is not None else ""
    return figure + tier + (", demoted" if metric.demoted else "")


def _metric(one: Metric) -> dict[str, Any]:
    return {
        "id": one.id,
        "title": one.title,
        "dimension": one.dimension,
        "unit": one.unit,
        "better": one.better,
        "statistic": one.statistic,
        "quantile": one.quantile if one.statistic == "quantile" else None,
        "tier": one.tier,
        "demoted": one.demoted,
        "definition": one.definition,
    }
