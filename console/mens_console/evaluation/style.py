"""The style bucket from the reports of real tools: ESLint's JSON, `tsc`, and scores of structure, names and templates.

Nothing is linted here. A report that does not say how many files it looked at gives no value: no finding in nothing is
no evidence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mens_console.evaluation.metrics import METRICS
from mens_console.evaluation.rows import Source, UnreadableError, parse, read_bytes
from mens_console.evaluation.score import Result, missing, share
from mens_console.evaluation.stylescores import ALIASES, scores
from mens_console.evaluation.tsc import claims as claims_tsc
from mens_console.evaluation.tsc import type_check
from mens_console.ingest.text import safe_text

_MOST: Final = 500
_STYLE: Final = tuple(one.id for one in METRICS.values() if one.bucket == "style")


@dataclass(slots=True)
class Reports:
    """What a folder of reports gives."""

    results: list[Result] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def style(path: Path | None) -> Reports:
    """Read all reports below a folder, or one file; without any, each metric says what it wants."""
    reports = Reports()
    lint: dict[str, bool] = {}
    lint_files: list[str] = []
    for file in _files(path) if path is not None else ():
        data = read_bytes(file)
        taken = _read(file, data, reports, lint, lint_files)
        if taken:
            reports.sources.append(Source(str(file), hashlib.sha256(data).hexdigest()))
        else:
            reports.notes.append(f"{safe_text(str(file), 200)} is no report that is known, and was left aside")
    if lint_files:
        clean = sum(lint.values())
        reports.results.append(share("lint", clean, len(lint), source=", ".join(lint_files[:3]),
                                     nothing="ESLint looked at no file"))  # fmt: skip
    reports.results = [_one(name, [one for one in reports.results if one.metric == name], path) for name in _STYLE]
    return reports


def _files(path: Path) -> Sequence[Path]:
    shown = safe_text(str(path))
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UnreadableError(f"{shown}: no such folder; give --style the folder with the reports of the style tools")
    found = sorted(one for one in path.rglob("*") if one.is_file() and not one.is_symlink())
    if len(found) > _MOST:
        raise UnreadableError(f"{shown}: it holds {len(found)} files; give a folder with reports alone")
    return found


def _read(file: Path, data: bytes, reports: Reports, lint: dict[str, bool], lint_files: list[str]) -> bool:
    """Take a file's figures; return whether it is a report."""
    text = data.decode("utf-8-sig", "replace")
    try:
        document = parse(text)
    except ValueError as error:
        if text.lstrip()[:1] in ("{", "[") and file.suffix == ".json":
            raise UnreadableError(
                f"{safe_text(str(file))}: it is no JSON ({safe_text(str(error), 100)}); let its tool write it anew"
            ) from None
        if claims_tsc(file.name, text):
            reports.results.append(type_check(text, str(file)))
            return True
        return False
    if _is_eslint(document, file.name):
        lint_files.append(str(file))
        reports.notes += _eslint(document, str(file), lint)
        return True
    found = scores(document, str(file))
    reports.results += found
    return bool(found)


def _is_eslint(document: Any, name: str) -> bool:
    if not isinstance(document, list):
        return False
    if not document:
        return "eslint" in name.lower()
    return all(
        isinstance(one, dict) and "filePath" in one and isinstance(one.get("messages"), list) for one in document
    )


def _eslint(document: list[dict[str, Any]], file: str, clean: dict[str, bool]) -> list[str]:
    """Note for each file whether it is without errors; a file that is told twice must be clean both times."""
    ignored = warned = suppressed = 0
    for one in document:
        messages = [message for message in one["messages"] if isinstance(message, dict)]
        if any("File ignored" in str(message.get("message")) for message in messages):
            ignored += 1
            continue
        listed = sum(1 for message in messages if message.get("severity") == 2 or message.get("fatal") is True)
        told = [one.get(key) for key in ("errorCount", "fatalErrorCount")]
        errors = max([listed, *(count for count in told if isinstance(count, int))])
        name = str(one["filePath"])
        clean[name] = clean.get(name, True) and errors == 0
        warned += errors == 0 and any(message.get("severity") == 1 for message in messages)
        suppressed += bool(one.get("suppressedMessages"))
    told_of = ((ignored, "were ignored by ESLint, and are not in it"), (warned, "pass with warnings"),
               (suppressed, "hold comments that switch rules off"))  # fmt: skip
    return [f"{count} files of {safe_text(file, 120)} {words}" for count, words in told_of if count]


def _one(name: str, found: Sequence[Result], path: Path | None) -> Result:
    """Return the one result of a metric; none where reports contradict one another."""
    if not found:
        names = ", ".join(sorted(alias for alias, metric in ALIASES.items() if metric == name))
        want = {"lint": "ESLint's JSON (eslint -f json)", "type_check": "the output of tsc --noEmit --listFiles"}
        return missing(name, f"no report of it: --style takes {want.get(name, f'a JSON of scores with {names}')}"
                       if path is not None else "no --style folder was given")  # fmt: skip
    if len({(one.value, one.n, one.successes) for one in found if one.value == one.value}) > 1:
        sides = ", ".join(f"{one.value:g} in {safe_text(one.source, 60)}" for one in found[:3])
        return missing(name, f"told differently: {sides}; keep the report that counts")
    return next((one for one in found if one.value == one.value), found[0])
