"""An evaluation against an older one: only of the same version of the same set, else it is refused.

The older one is a document `mens-eval/1` or the log of evaluations, of which the last shipped one counts.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any, Final, Literal

from mens_console.evaluation.gold import Gold
from mens_console.evaluation.metrics import METRICS
from mens_console.evaluation.rows import Source, UnreadableError, parse, read_bytes
from mens_console.evaluation.score import Result, missing
from mens_console.ingest.text import safe_text

SCHEMA: Final = "mens-eval/1"
LOG_SCHEMA: Final = "mens-eval-log/1"


class Older:
    """An older evaluation that may be compared with: same set, same version, same gold answers."""

    def __init__(self, path: Path, gold: Gold, *, shipped: bool) -> None:
        data = read_bytes(path)
        self.source = Source(str(path), hashlib.sha256(data).hexdigest())
        self._shown = safe_text(str(path))
        self.document = self._document(data.decode("utf-8-sig", "replace"), gold, shipped=shipped)
        self._must_fit(gold)
        model = self.document.get("model")
        self.model = safe_text(str(model.get("id", "?")) if isinstance(model, dict) else "?", 80)

    def value(self, metric: str) -> float:
        """Return a score in the metric's unit; NaN where the older evaluation had none."""
        for score in self.document["scores"]:
            if isinstance(score, dict) and score.get("metric") == metric:
                value, unit = score.get("value"), score.get("unit")
                if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                    return math.nan
                if unit == METRICS[metric].unit:
                    return float(value)
                return 100.0 * value if unit == "share" and METRICS[metric].unit == "%" else math.nan
        return math.nan

    def lost(self, metric: Literal["quantization_drop", "regression"], now: Result) -> Result:
        """Return what the weighted score lost since, in points; negative where it gained."""
        before = self.value("weighted_score")
        if math.isnan(before):
            return missing(metric, f"{self._shown} has no weighted score")
        if math.isnan(now.value):
            return missing(metric, "this evaluation has no weighted score")
        return Result(metric, before - now.value, source=self.source.path, reason=f"{before:.4g} − {now.value:.4g}")

    def _document(self, text: str, gold: Gold, *, shipped: bool) -> dict[str, Any]:
        try:
            document = parse(text)
        except ValueError:
            return self._logged(text, gold, shipped=shipped)
        if isinstance(document, dict) and document.get("schema") == LOG_SCHEMA:
            return self._logged(text, gold, shipped=shipped)
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            raise UnreadableError(
                f"{self._shown}: it is no evaluation ({SCHEMA}); give what `eval` wrote (*.eval.json)"
            )
        return document

    def _logged(self, text: str, gold: Gold, *, shipped: bool) -> dict[str, Any]:
        rows: list[dict[str, Any]] = []
        lines = [line for line in text.split("\n") if line.strip()]
        for number, line in enumerate(lines, 1):
            try:
                row = parse(line)
            except ValueError:
                if number == len(lines) and rows:
                    break  # a torn last line is normal in a log
                raise UnreadableError(f"{self._shown}, line {number}: it is no JSON; give a *.eval.json") from None
            if isinstance(row, dict) and row.get("schema") == LOG_SCHEMA:
                rows.append(row)
        role = "shipped" if shipped else "baseline"
        last = [row for row in rows if row.get("role") == role]
        same = [row for row in last if _set(row) == (gold.name, gold.version)]
        if not last:
            raise UnreadableError(
                f"{self._shown}: no evaluation in it has the role {role}; log one with --role {role}, or give its own "
                "*.eval.json"
            )
        return (same or last)[-1]

    def _must_fit(self, gold: Gold) -> None:
        told = self.document.get("eval_set")
        if _set(self.document) != (gold.name, gold.version):
            name, version = _set(self.document)
            raise UnreadableError(
                f"{self._shown} is of {safe_text(name, 60)} {safe_text(version, 40)}, this is of {gold.name} "
                f"{gold.version}: scores of different versions are never compared; evaluate the older model on this one"
            )
        digest = told.get("sha256") if isinstance(told, dict) else None
        if digest and digest != gold.source.sha256:
            raise UnreadableError(
                f"{self._shown} is of {gold.name} {gold.version} with other gold answers (their digest differs): a set "
                "that changes takes a new version"
            )
        if not isinstance(self.document.get("scores"), list):
            raise UnreadableError(f"{self._shown}: it holds no scores; give what `eval` wrote (*.eval.json)")


def _set(document: dict[str, Any]) -> tuple[str, str]:
    told = document.get("eval_set")
    return (str(told.get("name")), str(told.get("version"))) if isinstance(told, dict) else ("?", "?")
