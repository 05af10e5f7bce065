"""Scores of style checkers (tree-sitter structure, names, templates, forbidden patterns) as JSON.

`{"scores": {"ast_structure": {"passed": 95, "n": 100}, "forbidden_patterns": {"findings": 0, "n": 100}}}`, with or
without `scores` around it; or `{"metric": "naming", "items": [{"name": "UserCard", "passed": true}]}`.
"""

from __future__ import annotations

import math
from typing import Any, Final

from mens_console.evaluation.score import Result, missing, share

ALIASES: Final = {
    "lint": "lint",
    "ast_structure": "ast_structure", "ast": "ast_structure", "ast_structure_match": "ast_structure",
    "naming": "naming", "naming_conventions": "naming",
    "template_conformance": "template_conformance", "template": "template_conformance",
    "forbidden_patterns": "forbidden_patterns", "forbidden": "forbidden_patterns",
    "type_check": "type_check", "compile": "type_check",
}  # fmt: skip
_PASSED: Final = ("passed", "successes", "pass")
_ALL: Final = ("n", "total", "files", "checked")


def scores(document: Any, source: str) -> list[Result]:
    """Return all results that a document of scores holds; none where it is no such document."""
    if not isinstance(document, dict):
        return []
    metric = ALIASES.get(str(document.get("metric")))
    if metric is not None:
        items = next(
            (document[key] for key in ("items", "results", "files") if isinstance(document.get(key), list)), None
        )
        return [_items(metric, items, source) if items is not None else _score(metric, document, source)]
    inner = document.get("scores")
    table = inner if isinstance(inner, dict) else document
    return [_score(ALIASES[key], value, source) for key, value in table.items() if key in ALIASES]


def _items(metric: str, items: list[Any], source: str) -> Result:
    """Count items that passed; forbidden patterns are findings in items."""
    if metric == "forbidden_patterns":
        told = [_whole(one.get("findings")) if isinstance(one, dict) else None for one in items]
        counts = [one for one in told if one is not None]
        if len(counts) < len(told):
            return missing(metric, f"{len(told) - len(counts)} of its items tell no findings")
        return _findings(sum(counts), sum(one > 0 for one in counts), len(counts), source)
    passed = [one.get("passed") if isinstance(one, dict) else None for one in items]
    odd = sum(not isinstance(one, bool) for one in passed)
    if odd:
        return missing(metric, f"{odd} of its items do not say whether they passed")
    return share(metric, sum(passed), len(passed), source=source, nothing="it looked at nothing")  # type: ignore[arg-type]


def _score(metric: str, value: Any, source: str) -> Result:
    if not isinstance(value, dict):
        return missing(metric, 'a bare number says neither its unit nor its n; write {"passed": 95, "n": 100}')
    n = next((found for key in _ALL if (found := _whole(value.get(key))) is not None), None)
    if metric == "forbidden_patterns":
        findings = _whole(value.get("findings", value.get("value")))
        if findings is None or not n:
            return missing(metric, "it does not say how many findings there are in how many files")
        return _findings(findings, _whole(value.get("files_with_findings")), n, source)
    passed = next((found for key in _PASSED if (found := _whole(value.get(key))) is not None), None)
    if passed is None and n:
        passed = _of_rate(value, n)
    if passed is None or n is None:
        return missing(metric, 'it does not say how many of how many passed; write {"passed": 95, "n": 100}')
    if passed > n:
        return missing(metric, f"it says {passed} of {n}")
    return share(metric, passed, n, source=source, nothing="it looked at nothing")


def _of_rate(value: dict[str, Any], n: int) -> int | None:
    """Return the count that a rate with a unit stands for; None where it is none of n."""
    rate, unit = value.get("value"), value.get("unit")
    if isinstance(rate, bool) or not isinstance(rate, int | float) or unit not in {"%", "share"}:
        return None
    passed = rate * n / (100 if unit == "%" else 1)
    near = round(passed) if math.isfinite(passed) else -1
    return near if near >= 0 and abs(passed - near) < 0.01 * max(1.0, n / 1000) else None


def _findings(findings: int, files: int | None, n: int, source: str) -> Result:
    """Return a count of findings; its ratio is the share of files without any (the worst case where that is untold)."""
    with_some = min(findings, n) if files is None else files
    if with_some > n or with_some > findings or (findings and not with_some):
        return missing("forbidden_patterns", f"it says {findings} findings in {with_some} of {n} files")
    return Result("forbidden_patterns", float(findings), n, None, None, 1 - with_some / n, source)


def _whole(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        return None
    return int(value) if value == int(value) else None
