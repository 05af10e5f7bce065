"""Evaluations made so far: the rows of every `eval_log.jsonl` below some folders, newest first, in bounded memory.

No link is followed below a folder, and a line that cannot be read is counted, never guessed at.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mens_console.evaluation.compare import LOG_SCHEMA
from mens_console.evaluation.log import TWIN
from mens_console.evaluation.metrics import METRICS
from mens_console.evaluation.rows import parse
from mens_console.ingest.safeopen import explain, open_regular, read_at
from mens_console.ingest.text import safe_text
from mens_console.signals.byvalue import ByValue

MAX_DEPTH: Final = 8
MAX_FOLDERS: Final = 20_000
MAX_ROWS: Final = 200
TAIL_BYTES: Final = 4 << 20
"""What is read of each log, from its end."""


@dataclass(frozen=True, slots=True)
class Past(ByValue):
    """One evaluation of a log. `scores` are by metric in its unit; one without a value is not in it."""

    path: str
    at: float
    model: str
    role: str
    base: str
    dataset: str
    eval_set: str
    verdict: str
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class History:
    """What all logs hold, newest first, at most `MAX_ROWS`; `problems` are in words."""

    rows: tuple[Past, ...] = ()
    logs: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def load(roots: Iterable[Path]) -> History:
    """Read the logs below the roots. Raises nothing."""
    rows: list[Past] = []
    problems: list[str] = []
    logs = list(dict.fromkeys(path for root in roots for path in _find(os.fspath(root))))
    for path in logs:
        try:
            found, bad = _read(path)
        except OSError as error:
            problems.append(f"{safe_text(path, 200)}: {explain(error)}")
            continue
        rows += found
        if bad:
            problems.append(f"{safe_text(path, 200)}: {bad} lines are no evaluation, and were left out")
    rows.sort(key=lambda one: one.at, reverse=True)
    return History(tuple(rows[:MAX_ROWS]), tuple(logs), tuple(problems))


def _find(root: str) -> Iterator[str]:
    for seen, (folder, folders, files) in enumerate(os.walk(root), 1):
        depth = folder[len(root) :].count(os.sep)
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if depth < MAX_DEPTH else []
        if TWIN in files:
            yield os.path.abspath(Path(folder) / TWIN)  # noqa: PTH100 (links stay)
        if seen >= MAX_FOLDERS:
            return


def _read(path: str) -> tuple[list[Past], int]:
    """Return the evaluations at the end of a log, and how many lines are none. Raises OSError."""
    fd, status = open_regular(path)
    try:
        start = max(status.st_size - TAIL_BYTES, 0)
        data = read_at(fd, start, TAIL_BYTES)
    finally:
        os.close(fd)
    whole = data.rpartition(b"\n")[0]  # what is being written is no bad line
    lines = whole.decode("utf-8", "replace").split("\n")[1 if start else 0 :]
    told = [_past(line, path) for line in lines if line.strip()]
    found = [one for one in told if one is not None]
    return found[-MAX_ROWS:], len(told) - len(found)


def _past(line: str, path: str) -> Past | None:
    try:
        row = parse(line)
    except ValueError:
        return None
    if not isinstance(row, dict) or row.get("schema") != LOG_SCHEMA or not isinstance(row.get("scores"), list):
        return None
    at = row.get("at")
    if isinstance(at, bool) or not isinstance(at, int | float) or not 0 < at < 1e11:
        return None
    scores = {one["metric"]: float(one["value"]) for one in row["scores"] if _is_score(one)}
    model, eval_set = _words(row.get("model")), _words(row.get("eval_set"))
    return Past(path, float(at), model.get("id", ""), _text(row.get("role")), model.get("base", ""),
                model.get("dataset_version", ""), f"{eval_set.get('name', '')} {eval_set.get('version', '')}".strip(),
                _text(row.get("verdict")), scores)  # fmt: skip


def _is_score(score: Any) -> bool:
    if not isinstance(score, dict) or score.get("metric") not in METRICS:
        return False
    value = score.get("value")
    fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return fits and score.get("unit") == METRICS[score["metric"]].unit


def _words(value: Any) -> dict[str, str]:
    return {key: _text(one) for key, one in value.items()} if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return safe_text(value, 120) if isinstance(value, str) else ""
