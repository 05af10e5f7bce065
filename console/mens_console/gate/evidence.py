"""Gathering evidence: every file under the given paths read once, into a manifest that says what is there and what not.

Nothing here raises for what a file holds or how it is named; nothing here decides.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from mens_console.gate import asking, files
from mens_console.gate.derive import settle
from mens_console.gate.pooling import order, places
from mens_console.gate.readers import prometheus
from mens_console.gate.readers.prometheus import Answer, Server
from mens_console.gate.readers.promised import SCHEMA
from mens_console.gate.readers.sheet import Sheet
from mens_console.gate.types import EvidenceFile, Item, Manifest
from mens_console.ingest.text import safe_text

_NOT_ASKED: Final = "it asks a server, and lies in a folder: name the file itself to let it ask"
_CHANGED: Final = "it is not the file that the manifest lists: its digest is another one"


def gather(
    paths: Iterable[str | os.PathLike[str]],
    *,
    now: float,
    listed: Sequence[tuple[str, str]] = (),
    ask: Callable[[Server, str], Answer] = asking.ask,
) -> Manifest:
    """Read all evidence of files and folders (s since the epoch: `now`, which only tells what is from the future).

    `listed` are (metric, path) of items that must be there; manifest files among the paths add theirs, and the files
    that they name are read too. `ask` puts a query to a Prometheus server, for files of queries that were named by
    themselves: one that lies in a folder is never let ask.
    """
    done: dict[str, files.Read] = {}
    promised: dict[str, str] = {}
    must = [(metric, files.shown(path)) for metric, path in listed]
    waiting = list(files.find([os.fspath(path) for path in paths]))
    while waiting:
        one = waiting.pop()
        whole = os.path.realpath(one.path)
        reading = files.read(one) if whole not in done else None
        if reading is not None:
            reading = _asked(reading, ask, named=one.named)
            done[whole] = reading
            if reading.sheet is not None and reading.sheet.listed:
                waiting += _promises(reading.sheet, promised, must)
    return _manifest([done[key] for key in sorted(done)], promised, must, now)


def _asked(reading: files.Read, ask: Callable[[Server, str], Answer], *, named: bool) -> files.Read:
    """Put a file's queries to its server, and its answers on its sheet."""
    sheet = reading.sheet
    if sheet is None or sheet.server is None:
        return reading
    if not named:
        file = dataclasses.replace(reading.file, problem=_NOT_ASKED)
        return files.Read(file)
    dead = ""
    for query in sheet.queries:
        value = Answer(problem=dead) if dead else ask(sheet.server, query.promql)
        n = ask(sheet.server, query.n) if query.n and not value.problem else None
        dead = value.problem
        prometheus.take(sheet, query, value, n)
    return reading


def _promises(sheet: Sheet, promised: dict[str, str], must: list[tuple[str, str]]) -> list[files.Found]:
    """Take what a manifest file lists, and return the files to read."""
    folder = os.path.realpath(Path(sheet.source.path).parent)
    wanted: dict[str, files.Found] = {}
    for metric, path, digest in sheet.listed:
        whole = files.shown(str(Path(sheet.source.path).parent / path))
        promised[whole] = digest
        must.append((metric, whole))
        wanted[whole] = files.inside(whole, folder)
    return list(wanted.values())


def _manifest(
    readings: Sequence[files.Read], promised: dict[str, str], must: Sequence[tuple[str, str]], now: float
) -> Manifest:
    kept: list[EvidenceFile] = []
    items: list[Item] = []
    scores: list[Item] = []
    for reading in readings:
        file, sheet = reading.file, reading.sheet
        changed = promised.get(file.path, file.sha256) != file.sha256
        if changed and not file.problem:
            file = dataclasses.replace(file, problem=_CHANGED)
        kept.append(file)
        if sheet is not None and not changed:
            items += sheet.items
            scores += sheet.scores
    settled, told = settle(items, scores, now)
    files_of = tuple(sorted(kept, key=lambda one: (one.path, one.sha256)))
    problems = [f"{safe_text(one.path)}: {one.problem}" for one in files_of if one.problem]
    problems += [_trouble(one) for one in settled if one.trouble and "told differently" not in one.trouble]
    return Manifest(
        files=files_of,
        items=tuple(settled),
        digest=digest(files_of, settled, must),
        taken_at=now,
        listed=tuple(sorted(set(must))),
        problems=tuple(dict.fromkeys([*problems, *sorted(told)])),
    )


def _trouble(item: Item) -> str:
    return f"{safe_text(item.path)} {item.pointer}: {item.metric}: {item.trouble}"


def digest(kept: Sequence[EvidenceFile], items: Sequence[Item], listed: Sequence[tuple[str, str]]) -> str:
    """Return the SHA-256 over what the evidence says, whatever the order and the folder it lies in.

    Over the digests of the files, the values with their tags, and what was promised. Times and places of files are not
    in it, so that a copy of the evidence elsewhere has the same digest.
    """
    document: dict[str, Any] = {
        "files": sorted([one.sha256, one.kind] if one.sha256 else ["", _name(one.path)] for one in kept),
        "items": sorted(
            [one.metric, _text(one.value), one.unit, sorted(f"{sha} {place}" for _, sha, place in places(one)),
             sorted([str(name), str(value)] for name, value in one.tags.items())]
            for one in sorted(items, key=order)
        ),
        "listed": sorted([metric, _name(path)] for metric, path in set(listed)),
    }  # fmt: skip
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _name(path: str) -> str:
    return Path(path).name.encode("utf-8", "backslashreplace").decode()


def _text(value: float) -> str:
    return "nan" if math.isnan(value) else repr(float(value))


def manifest_document(manifest: Manifest, folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Return a manifest file's document (`mens-manifest/1`) for a folder: files, digests, and the metrics they give.

    ValueError where evidence lies outside of the folder, for such a manifest could not be moved with it.
    """
    root = os.path.realpath(folder)
    metrics: dict[str, set[str]] = {}
    for item in manifest.items:
        for path, _, _ in places(item) if item.tool != "derived" else ():
            metrics.setdefault(path, set()).add(item.metric)
    entries = []
    for one in manifest.files:
        if not metrics.get(one.path):
            continue
        whole = os.path.realpath(one.path)
        if not whole.startswith(root.rstrip(os.sep) + os.sep):
            raise ValueError(f"{safe_text(one.path)} lies outside of {safe_text(str(folder))}: put it into that folder")
        entries.append(
            {"path": os.path.relpath(whole, root), "sha256": one.sha256, "size": one.size,
             "metrics": sorted(metrics[one.path])}
        )  # fmt: skip
    return {"schema": SCHEMA, "taken_at": manifest.taken_at, "files": sorted(entries, key=lambda one: str(one["path"]))}
