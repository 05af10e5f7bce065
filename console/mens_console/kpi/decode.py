"""Bytes of any file of KPI records into a shard: lines or a whole document, each row by what it says it is.

Nothing is opened here. A row that is no record is counted with its line and the reason.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from mens_console.ingest.formats.base import Format
from mens_console.ingest.formats.jsontext import objects, parse
from mens_console.ingest.formats.lines import BOM, Lines
from mens_console.ingest.formats.values import visible
from mens_console.ingest.records import BadLine, Batch
from mens_console.kpi import records, summaries, training
from mens_console.kpi.shard import BAD_KEPT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mens_console.kpi.shard import Shard

_VERSIONED: Final = re.compile(r"(.+)_v(\d+)")
_SUMMARY: Final = re.compile(rb'"(vox_mens_scorecard_summary|mens_benchmark_summary)_v')
_KNOWN: Final = {
    "mens_generation_event", "vox_runtime_generation_kpi", "vox_mens_scorecard_summary", "mens_benchmark_summary",
}  # fmt: skip


def take(row: Mapping[str, Any], shard: Shard) -> None:
    """Take one record of any kind. Raises ValueError with the reason where it is none."""
    schema = row.get("schema")
    schema = schema if isinstance(schema, str) else ""
    handler = _HANDLERS.get(schema) or _by_fields(row)
    if handler is not None:
        handler(row, shard)
        return
    versioned = _VERSIONED.fullmatch(schema)
    if versioned and versioned[1] in _KNOWN:
        raise ValueError(f"{visible(schema, 60)}: this program reads version 1")
    if not training.take(row, shard):
        raise ValueError(f"no KPI record{f' (schema {visible(schema, 60)})' if schema else ''}")


def _event(row: Mapping[str, Any], shard: Shard) -> None:
    model, one, at, tasks = records.generation_event(row, shard.spelled)
    shard.add("event", model, one, at)
    told = shard.models[model]
    if tasks:
        told.versions.add(f"task set {tasks}")
    run = row.get("run_id")
    if isinstance(run, str) and len(told.runs) < 64:
        told.runs.add(run)
    inner = {
        f"attempts[].{name}" for attempt in row["attempts"] if isinstance(attempt, dict) for name in _keys(attempt)
    }
    shard.saw(records.EVENT, [*_keys(row), *sorted(inner)])


def _runtime(row: Mapping[str, Any], shard: Shard) -> None:
    one = records.runtime(row, shard.spelled)
    name = row.get("model")
    shard.add(
        "runtime record", visible(name, 200) if isinstance(name, str) and name else stem(shard.path), one, float("nan")
    )
    shard.saw(records.RUNTIME, _keys(row))


def _scorecard(row: Mapping[str, Any], shard: Shard) -> None:
    condition, one = records.scorecard(row, shard.spelled)
    shard.add("scorecard row", condition, one, float("nan"))
    shard.saw(records.SCORECARD, _keys(row))


def _summary(row: Mapping[str, Any], shard: Shard) -> None:
    summaries.scorecard_summary(row, shard)
    conditions = summaries.objects_in(row.get("conditions"))
    shard.saw(summaries.SUMMARY, [*_keys(row), *dict.fromkeys(key for one in conditions for key in _keys(one))])


def _benchmark(row: Mapping[str, Any], shard: Shard) -> None:
    summaries.benchmark_summary(row, shard)
    parts = [f"{name}.{key}" for name, part in row.items() if isinstance(part, dict) for key in _keys(part)]
    shard.saw(records.BENCHMARK, [*_keys(row), *parts])


def _baseline(row: Mapping[str, Any], shard: Shard) -> None:
    summaries.baseline(row, shard, stem(shard.path))
    shard.saw("baseline", _keys(row))


_HANDLERS: Final[dict[str, Callable[[Mapping[str, Any], Shard], None]]] = {
    records.EVENT: _event,
    records.RUNTIME: _runtime,
    records.BENCHMARK: _benchmark,
    summaries.SUMMARY: _summary,
}


def _by_fields(row: Mapping[str, Any]) -> Callable[[Mapping[str, Any], Shard], None] | None:
    """Return who takes a row without a schema of ours."""
    if "condition_id" in row and ("compile_pass_1" in row or "compile_pass_n" in row):
        return _scorecard
    if row.get("schema") is None and any(
        name in row for name in ("compile_pass_at_1", "compile_pass_at_n", "pass_at_1")
    ):
        return _baseline
    return None


def _keys(row: Mapping[str, Any]) -> list[str]:
    """Return the fields that a record tells; null tells nothing."""
    return [visible(key, 100) for key, value in row.items() if value is not None]


def stem(path: str) -> str:
    """Return what a file is called without its endings; its folder's name where that says nothing."""
    name = PurePath(path).name.split(".")[0]
    return name or PurePath(path).parent.name or path


class LineDecoder:
    """JSON Lines into a shard of its own."""

    def __init__(self, make: Callable[[], Shard]) -> None:
        self._shard = make()
        self._lines = Lines()

    def feed(self, data: bytes, at: float, *, final: bool = False) -> tuple[int, Batch]:
        """Take whole lines; see `ingest.formats.base.Decoder`. The batch only counts."""
        del at
        batch = Batch()
        before = self._shard.rows
        used, lines = self._lines.take(data, batch, final=final)
        for index, line in enumerate(lines):
            if line and not line.isspace() and line.strip() != BOM:
                self._line(line, index, batch)
        if not final and used < len(data) and _is_whole(data[used:]):
            self._lines.extend(data[used:])
            self._line(data[used:], len(lines), batch)
            used = len(data)
        batch.rows = self._shard.rows - before
        _note(self._shard, batch)
        return used, batch

    def _line(self, line: bytes, index: int, batch: Batch) -> None:
        rows, trouble = objects(line)
        for row in rows:
            try:
                take(row, self._shard)
            except (ValueError, OverflowError) as error:
                trouble = trouble or str(error)
        if trouble:
            self._lines.bad(batch, index, trouble)


def _is_whole(rest: bytes) -> bool:
    """Say whether an unterminated last line is a whole object all the same: one-line documents have no newline."""
    rest = rest.strip()
    return rest.endswith(b"}") and len(rest) < 1 << 20 and not objects(rest)[1]


class DocumentDecoder:
    """A whole JSON document, an object or a list of them; each reading fills a shard of its own."""

    def __init__(self, make: Callable[[], Shard]) -> None:
        self._make = make

    def feed(self, data: bytes, at: float, *, final: bool = False) -> tuple[int, Batch]:
        """Take the document; nothing is consumed while it is torn, unless it is final."""
        del at
        batch = Batch()
        try:
            value = parse(data)
        except ValueError as error:
            if not final:
                return 0, batch
            value = []
            self._bad(batch, f"not JSON: {error}")
        shard = self._make()
        for row in value if isinstance(value, list) else [value]:
            if not isinstance(row, dict):
                self._bad(batch, "not a JSON object")
                continue
            try:
                take(row, shard)
            except (ValueError, OverflowError) as error:
                self._bad(batch, str(error))
        batch.rows = shard.rows
        _note(shard, batch)
        return len(data), batch

    @staticmethod
    def _bad(batch: Batch, why: str) -> None:
        batch.bad_rows += 1
        batch.bad.append(BadLine(1, 0, visible(why), ""))


def _note(shard: Shard, batch: Batch) -> None:
    shard.bad_rows += batch.bad_rows
    shard.bad += batch.bad[: max(BAD_KEPT - len(shard.bad), 0)]


def format_of(head: bytes, make: Callable[[], Shard]) -> Format:
    """Return how a file that begins so is read: by lines, unless its first line is no whole object.

    `make` gives the shard of each generation of the file.
    """
    head = head.removeprefix(BOM).lstrip()
    first, newline, after = head.partition(b"\n")
    rows, trouble = objects(first.strip())
    document = bool(newline) and first[:1] in (b"{", b"[") and bool(trouble) and not rows
    document = document and not first.rstrip().endswith(b"}")
    if not after.strip() and _SUMMARY.search(first, 0, 4096):
        document = True  # on one line, which may be longer than any line of a log
    decoder = DocumentDecoder if document else LineDecoder
    return Format("kpi", 99, lambda *_: True, partial(decoder, make), document=document)
