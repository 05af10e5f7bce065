"""The document `mens-gate/1` of an evaluation: the same facts as on the screen, as plain JSON values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from mens_console.gate.choose import TOLD_DIFFERENTLY
from mens_console.gate.evaluate import checklist
from mens_console.gate.metrics import METRICS
from mens_console.gate.wording import condition
from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mens_console.gate.types import Band, Criterion, Evaluation, EvidenceFile, Item, Judgement, Mark, Waiver

SCHEMA: Final = "mens-gate/1"


def gate_document(evaluation: Evaluation) -> dict[str, Any]:
    """Return the whole document."""
    profile, manifest = evaluation.profile, evaluation.manifest
    files = {one.path: one for one in manifest.files}
    counting = {id(one.waived) for one in evaluation.judgements if one.waived is not None}
    return {
        "schema": SCHEMA,
        "profile": safe_text(profile.id),
        "release": safe_text(evaluation.release),
        "evidence_digest": manifest.digest,
        "approvals": [safe_text(one) for one in evaluation.approvals],
        "waivers": [_waiver(one, counts=id(one) in counting) for one in evaluation.waivers],
        "decision_ready": evaluation.ready,
        "verdict": evaluation.verdict,
        "blockers": [safe_text(one) for one in evaluation.blockers],
        "criteria": [_criterion(one, files) for one in evaluation.judgements],
        "generated_at": evaluation.at,
        "digest": evaluation.digest,
        "profile_title": safe_text(profile.title),
        "profile_sha256": profile.sha256,
        "approvals_needed": profile.approvals,
        "pending": [safe_text(one) for one in evaluation.pending],
        "marks": [_mark(one) for one in evaluation.marks],
        "checklist": [
            {"title": safe_text(title), "verdict": verdict, "criteria": [safe_text(one) for one in check.criteria]}
            for (title, verdict), check in zip(checklist(evaluation), profile.checklist, strict=True)
        ],
        "problems": problems(evaluation),
    }


def problems(evaluation: Evaluation) -> list[str]:
    """Return what could not be read, and why; each once.

    What concerns a metric that the profile does not name is left out, and so are contradictions: which of them matter
    only a criterion knows, and it says so.
    """
    manifest = evaluation.manifest
    asked = {name for one in evaluation.profile.criteria for name in (one.metric, *(part[0] for part in one.requires))}
    others = tuple(f": {name}: " for name in METRICS if name not in asked)
    told = [one for one in manifest.problems if not any(other in one for other in others)]
    told += [f"{one.path}: {one.problem}" for one in manifest.files if one.problem]
    return list(dict.fromkeys(safe_text(one) for one in told if f" {TOLD_DIFFERENTLY}: " not in one))


def _criterion(judged: Judgement, files: Mapping[str, EvidenceFile]) -> dict[str, Any]:
    one = judged.criterion
    return {
        "id": safe_text(one.id),
        "title": safe_text(one.title),
        "dimension": safe_text(one.dimension),
        "verdict": judged.verdict,
        "reason": safe_text(judged.reason),
        **_figures(judged),
        **_conditions(one, one.passes, one.conditional),
        "evidence": [entry for item in judged.items for entry in _evidence(item, files)],
        "remedy": safe_text(one.remedy),
        "metric": safe_text(one.metric),
        "decides": one.decides,
        "manual": one.manual,
        "waived": judged.waived is not None,
        "needed_n": judged.needed_n,
        "requires": [
            {
                "metric": safe_text(metric),
                "verdict": part.verdict,
                "reason": safe_text(part.reason),
                **_figures(part),
                **_conditions(None, passes, conditional),
            }
            for (metric, passes, conditional), part in zip(one.requires, judged.also, strict=False)
        ],
    }


def _figures(judged: Judgement) -> dict[str, Any]:
    interval = judged.interval
    return {
        "value": number(judged.value),
        "unit": safe_text(judged.unit),
        "statistic": judged.statistic,
        "n": judged.n if judged.n is not None and judged.n >= 0 else None,
        "interval": None if interval is None else [number(interval[0]), number(interval[1])],
    }


def _conditions(criterion: Criterion | None, passes: Band | None, conditional: Band | None) -> dict[str, str | None]:
    """Return both bands in words; where a margin decides instead, that is the condition."""
    text = None if passes is None else condition(passes)
    baseline = None if criterion is None else criterion.baseline
    if baseline is not None and baseline.margin is not None:
        size = f"{100 * baseline.margin:g} % of it" if baseline.relative else f"{baseline.margin:g}"
        against = f"at most {size} worse than {baseline.path}"
        text = against if text is None else f"{text}, {against}"
    return {
        "pass": None if text is None else safe_text(text),
        "conditional": None if conditional is None else safe_text(condition(conditional)),
    }


def _evidence(item: Item, files: Mapping[str, EvidenceFile]) -> list[dict[str, Any]]:
    """Return one entry a place: a derived value has several, each with what was derived."""
    places = item.sources or ((item.path, item.sha256, item.pointer),)
    note = "; ".join(part for part in (item.note, item.trouble) if part)
    return [
        {
            "path": safe_text(path),
            "sha256": sha256,
            "mtime": number(files[path].mtime) if path in files else None,
            "pointer": safe_text(pointer),
            "metric": safe_text(item.metric),
            "value": number(item.value),
            "unit": safe_text(item.unit),
            "n": item.n if item.n is not None and item.n >= 0 else None,
            "at": number(item.at),
            "tool": safe_text(item.tool),
            "tags": {safe_text(name): safe_text(value) for name, value in sorted(item.tags.items())},
            "note": safe_text(note),
        }
        for path, sha256, pointer in places
    ]


def _waiver(one: Waiver, *, counts: bool) -> dict[str, Any]:
    told = {"criterion": one.criterion, "owner": one.owner, "reason": one.reason, "by": one.by}
    return {key: safe_text(text) for key, text in told.items()} | {
        "due": number(one.due),
        "at": number(one.at),
        "counts": counts,
    }


def _mark(one: Mark) -> dict[str, Any]:
    told = {"criterion": one.criterion, "note": one.note, "by": one.by}
    return {key: safe_text(text) for key, text in told.items()} | {"passed": one.passed, "at": number(one.at)}


def number(value: float) -> float | None:
    """Return a number that JSON has, None for NaN and what is infinite."""
    return value if math.isfinite(value) else None
