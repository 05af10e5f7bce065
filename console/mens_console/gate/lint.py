"""What is wrong with a profile although it can be read: what it leaves open, and what it may never decide on.

`lint(profile)` returns problems with line, key and cure; none: the profile may judge. Nothing of evidence is looked at.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mens_console.config.settings import Problem
from mens_console.config.toml import line_of
from mens_console.gate import statistics
from mens_console.gate.bands import faults
from mens_console.gate.metrics import METRICS
from mens_console.gate.nearest import nearest_metric
from mens_console.gate.signers import SignersError
from mens_console.gate.signers import load as load_signers
from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mens_console.gate.types import Band, Criterion, Metric, Profile

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_NEVER_NEGATIVE: Final = frozenset({"share", "count", "quantile", "mean"})
Found = tuple[tuple[str, ...], str, str]
"""Key below the criterion or the profile, what is wrong, and the cure."""


def lint(profile: Profile) -> list[Problem]:
    """Return everything that is wrong with a profile, in the order of the file."""
    found = list(_whole(profile))
    for number, criterion in enumerate(profile.criteria):
        found += [
            (("criteria", str(number), *key), f"{criterion.id}: {message}", cure)
            for key, message, cure in _criterion(criterion)
        ]
    if profile.template and not found:
        found.append((("template",), "it is filled in, and a template judges nothing", "take template = true out"))
    return [
        Problem(profile.path or profile.id, line_of(profile.text, key), _dotted(key), message, cure)
        for key, message, cure in found
    ]


def _dotted(key: tuple[str, ...]) -> str:
    return ".".join(part for part in key if part)


def _whole(profile: Profile) -> Iterator[Found]:
    """Look at what concerns the profile itself."""
    if not any(one.decides for one in profile.criteria):
        yield ("criteria",), "no criterion decides: everything would pass", "add [[criteria]] tables"
    if profile.approvals < 1:
        yield ("approvals",), f"{profile.approvals} approvals: nobody would have to say GO", "ask for 1 or more"
    ids = Counter(one.id for one in profile.criteria)
    numbers = {one.id: number for number, one in enumerate(profile.criteria)}
    for name, times in ids.items():
        if times > 1:
            key = ("criteria", str(numbers[name]), "id")
            yield key, f"{times} criteria have the id {name}", "give each its own"
    for number, check in enumerate(profile.checklist):
        for name in check.criteria:
            if name not in ids:
                key = ("checklist", str(number), "criteria")
                yield key, f"no criterion has the id {safe_text(name, 64)}", f"ids are {', '.join(ids)}"
    yield from _signers(profile)


def _signers(profile: Profile) -> Iterator[Found]:
    """Look at who may sign."""
    told = profile.allowed_signers
    if not told:
        return
    if "*" in told:
        yield ("allowed_signers",), "`*` lets anybody sign", "name a file that lists each person in full"
        return
    path = Path(profile.path or ".").parent / told
    if not path.exists():
        yield ("allowed_signers",), f"{path}: no such file", "name a file that lists who may sign, as ssh-keygen has it"
        return
    try:
        load_signers(path)
    except SignersError as error:
        yield ("allowed_signers",), str(error), "correct that file, or name another"


def _criterion(one: Criterion) -> Iterator[Found]:
    """Look at one criterion."""
    if one.manual and not one.metric:
        if one.requires or one.baseline is not None or one.passes is not None or one.conditional is not None:
            yield ("manual",), "a person marks it, and its bands are of no metric", "name the metric, or take them out"
        return
    if not one.metric:
        yield ("metric",), "it asks for nothing", "name a metric with its bands, or say manual = true"
        return
    metric = METRICS.get(one.metric)
    if metric is None:
        yield ("metric",), f"unknown metric {safe_text(one.metric, 64)}", nearest_metric(one.metric)
        return
    yield from _kind(one, metric)
    yield from _tier(one, metric, ("metric",))
    if one.baseline is not None:
        yield from _baseline(one)
    if one.passes is not None:
        yield from _bands(one, metric, one.passes)
    elif one.conditional is not None or one.fails is not None:
        yield (), "it has bands, and none says what passes", "add pass = …"
    elif one.baseline is None:
        yield (), "it asks for nothing of its metric", "add pass = …, or a baseline with a margin"
    yield from _required(one)


def _kind(one: Criterion, metric: Metric) -> Iterator[Found]:
    """Units and kinds are part of a criterion: points are not percent."""
    if not one.unit:
        yield ("unit",), f"its bands have no unit, and {metric.id} is in {metric.unit}", f'add unit = "{metric.unit}"'
    elif one.unit != metric.unit:
        said = f"{metric.id} is in {metric.unit}, and its bands are in {safe_text(one.unit, 40)}"
        yield ("unit",), said, f"convert the bands to {metric.unit}"
    if one.statistic and one.statistic != metric.statistic:
        said = f"{metric.id} is a {metric.statistic}, no {one.statistic}"
        yield ("statistic",), said, "take it out, or name another metric"


def _tier(one: Criterion, metric: Metric, key: tuple[str, ...]) -> Iterator[Found]:
    """Context decides nothing, and neither does what was demoted."""
    if not one.decides or not (metric.tier == 3 or metric.demoted):
        return
    reason = "is context only (tier 3)" if metric.tier == 3 else "was demoted"
    yield key, f"{metric.id} {reason} and may decide nothing", "say decides = false, or decide on a KPI of tier 1"


def _baseline(one: Criterion) -> Iterator[Found]:
    """Say where a baseline can be moved, or nothing tells how much worse than it still passes."""
    baseline = one.baseline
    if baseline is None:
        return
    if not baseline.path:
        yield ("baseline", "path"), "its baseline has no file", "name the evidence of what it is compared with"
    if not _DIGEST.fullmatch(baseline.sha256):
        cure = "add sha256 = …, what `sha256sum` prints for the file"
        yield ("baseline", "sha256"), "its baseline is not pinned by digest", cure
    if baseline.margin is None:
        if one.passes is None:
            unit = METRICS[one.metric].unit
            said = "it has no margin, so nothing says how much worse still passes"
            yield ("baseline", "margin"), said, f"add margin = …, in {unit} (or relative = true and a share)"
    elif not (math.isfinite(baseline.margin) and baseline.margin >= 0):
        yield ("baseline", "margin"), f"a margin of {baseline.margin:g}", "0 or more, and finite"
    elif baseline.relative and baseline.margin >= 1:
        said = f"a relative margin of {baseline.margin:g} lets everything pass"
        yield ("baseline", "margin"), said, "0.05 is 5 % of the baseline"


def _required(one: Criterion) -> Iterator[Found]:
    """Look at what must hold as well."""
    for number, (name, passes, conditional) in enumerate(one.requires):
        key = ("requires", str(number))
        metric = METRICS.get(name)
        if metric is None:
            yield (*key, "metric"), f"unknown metric {safe_text(name, 64)}", nearest_metric(name)
            continue
        yield from _tier(one, metric, (*key, "metric"))
        whole = metric.statistic == "count"
        for said in faults(passes, conditional, better=metric.better, limits=limits(metric), whole=whole, part=True):
            yield (*key, "pass"), f"{name}: {said}", "close the gap, or move the edge"
        yield from _reach(one, metric, passes, (*key, "pass"))


def _bands(one: Criterion, metric: Metric, passes: Band) -> Iterator[Found]:
    """Look for gaps, overlaps and edges that no sample of this size clears."""
    whole = metric.statistic == "count"
    for said in faults(passes, one.conditional, one.fails, better=metric.better, limits=limits(metric), whole=whole):
        yield ("pass",), said, "close the gap, or move the edge"
    yield from _reach(one, metric, passes, ("pass",))


def limits(metric: Metric) -> tuple[float, float]:
    """Return the least and the largest value that a metric can have."""
    if metric.statistic == "share":
        return 0.0, 100.0 if metric.unit == "%" else 1.0
    low = 0.0 if metric.statistic in _NEVER_NEGATIVE or metric.unit in ("h", "GB", "tokens", "score") else -math.inf
    return low, math.inf


def _reach(one: Criterion, metric: Metric, passes: Band, key: tuple[str, ...]) -> Iterator[Found]:
    """Where bounds decide, `min_n` values must be able to pass, were they all as good as can be."""
    if one.decide_on != "bound":
        return
    least = least_n(metric, passes)
    if least is None:
        said = f"no sample shows {passes.text or 'this'} of {metric.id} by a bound"
        yield key, said, 'say decide_on = "point", or move the edge'
    elif one.min_n < least:
        said = f"{passes.text or 'its edge'} of {metric.id} cannot be shown by {one.min_n}: {least} are needed at best"
        yield ("min_n",), said, f"ask for min_n = {least} or more"


def least_n(metric: Metric, passes: Band) -> int | None:
    """Return the fewest values whose 95 % bound can lie in the band, all of them good; None where no number does.

    For a share that is n with no failure (Clopper and Pearson): 299 for at least 99 %. For a quantile it is the number
    from which it has a bound at all: 299 for P99. For a mean it is 2.
    """
    if metric.statistic == "share":
        whole = limits(metric)[1]
        share = passes.low / whole if metric.better == "higher" else 1 - passes.high / whole
        if share >= 1 - 1e-12:  # 100 % of a sample never shows 100 %
            return None
        return 1 if share <= 0 else statistics.trials_for_share(1.0, share)
    if metric.statistic == "quantile":
        share = metric.quantile if metric.better == "lower" else 1 - metric.quantile
        return statistics.values_for_quantile(1.0, share)
    return 2 if metric.statistic == "mean" else 1
