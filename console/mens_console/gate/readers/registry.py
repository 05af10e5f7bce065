"""Every reader in one table. A new producer is a module and a line here.

`recognise` decides by content; the order matters where two shapes are alike, the stricter first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from mens_console.gate.readers import (
    aiperf,
    bench,
    documented,
    engineering,
    evaluation,
    guidellm,
    health,
    junit,
    kpi,
    lmeval,
    load,
    memory,
    prometheus,
    promised,
    run,
    soak,
    vllm,
)
from mens_console.gate.readers.sheet import Sheet

Form = Literal["json", "text", "bytes", "rows"]


class Rows(Protocol):
    """Reads a file of one JSON object a line, in bounded memory."""

    def add(self, row: Any, line: int) -> None:
        """Take a line; `row` is None where it is no JSON."""

    def finish(self, sheet: Sheet) -> None:
        """Put what was read on the sheet."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader of one shape. `claims` is given the parsed document, the text, or the first row."""

    tool: str
    form: Form
    claims: Callable[[Any], bool]
    read: Callable[[Any, Sheet], None]


@dataclass(frozen=True, slots=True)
class RowReader:
    """A reader of rows; `begin` makes a new one for each file."""

    tool: str
    claims: Callable[[Any], bool]
    begin: Callable[[], Rows]


DOCUMENTS: Final = (
    Reader("mens-manifest", "json", promised.claims, promised.read),
    Reader("mens-soak", "json", soak.claims, soak.read),
    Reader("mens-bench", "json", bench.claims, bench.read),
    Reader("mens-eval", "json", evaluation.claims, evaluation.read),
    Reader("mens-health", "json", health.claims, health.read),
    Reader("mens-kpi", "json", kpi.claims, kpi.read),
    Reader("mens-run-summary", "json", run.claims_summary, run.read_summary),
    Reader("mens-nvml-trace", "json", memory.claims_trace, memory.read_trace),
    Reader("torch-memory", "json", memory.claims_snapshot, memory.read_snapshot),
    Reader("lm-eval", "json", lmeval.claims, lmeval.read),
    Reader("vllm", "json", vllm.claims, vllm.read),
    Reader("guidellm", "json", guidellm.claims, guidellm.read),
    Reader("aiperf", "json", aiperf.claims, aiperf.read),
    Reader("k6", "json", load.claims_k6, load.read_k6),
    Reader("locust", "json", load.claims_locust_json, load.read_locust_json),
    Reader("coverage.py", "json", engineering.claims_coverage, engineering.read_coverage),
    Reader("radon", "json", engineering.claims_radon, engineering.read_radon),
)
TEXTS: Final = (
    Reader("junit", "bytes", junit.claims, junit.read),
    Reader("nvidia-smi", "text", memory.claims_smi, memory.read_smi),
    Reader("prometheus", "text", prometheus.claims, prometheus.read),
    Reader("sphinx", "text", documented.claims_sphinx, documented.read_sphinx),
    Reader("interrogate", "text", documented.claims_interrogate, documented.read_interrogate),
    Reader("locust", "text", load.claims_locust, load.read_locust),
)
ROWS: Final = (
    RowReader("vllm", vllm.claims, vllm.Results),
    RowReader("aiperf", aiperf.claims_record, aiperf.Records),
    RowReader("mens-stage", run.claims_stage, run.Stages),
    RowReader("gpu-memory", memory.claims_row, memory.MemoryRows),
)


def document_reader(document: Any) -> Reader | None:
    """Return the reader of a parsed JSON document."""
    return next((one for one in DOCUMENTS if one.claims(document)), None)


def text_reader(text: str) -> Reader | None:
    """Return the reader of a text."""
    return next((one for one in TEXTS if one.claims(text)), None)


def row_reader(row: Any) -> RowReader | None:
    """Return the reader of a file whose first whole line is `row`."""
    return next((one for one in ROWS if one.claims(row)), None)


def schema_of(document: Any) -> str:
    """Return what a document says it is, for a sentence about one that no reader knows."""
    if isinstance(document, Mapping):
        told = document.get("schema")
        return told[:60] if isinstance(told, str) else ""
    return ""
