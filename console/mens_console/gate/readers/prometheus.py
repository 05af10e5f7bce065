"""Queries of a Prometheus server as evidence: a TOML file of schema `mens-prometheus/1`, and the server's answers.

```toml
schema = "mens-prometheus/1"
url = "https://prometheus.example:9090"
time = 2026-01-31T12:00:00Z        # when the queries are evaluated; now, where it is missing
timeout_s = 10

[[query]]
metric = "error_rate"
unit = "%"
promql = "100 * sum(increase(requests_error_total[72h])) / sum(increase(requests_total[72h]))"
n = "sum(increase(requests_total[72h]))"
tags = { source = "prometheus" }
```

Pure: it reads the questions and the answers; asking is somebody else's.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from mens_console.gate.metrics import METRICS
from mens_console.gate.readers import jsontext
from mens_console.gate.readers.numbers import at, number
from mens_console.gate.readers.sheet import Sheet
from mens_console.ingest.text import safe_text

SCHEMA: Final = "mens-prometheus/1"
MOST_QUERIES: Final = 32
LONGEST_S: Final = 30.0
_USUAL_S: Final = 10.0
_LONGEST_QUERY: Final = 4000
_KEYS: Final = frozenset({"schema", "url", "time", "timeout_s", "query"})
_QUERY_KEYS: Final = frozenset({"metric", "unit", "promql", "n", "tags"})


@dataclass(frozen=True, slots=True)
class Server:
    """Where to ask: `time` is when queries are evaluated (s since the epoch, NaN: now)."""

    url: str
    time: float = math.nan
    timeout_s: float = _USUAL_S


@dataclass(frozen=True, slots=True)
class Query:
    """One question: PromQL for the value, and for what it rests on."""

    place: int
    metric: str
    unit: str
    promql: str
    n: str = ""
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said to one query: the body of its answer, or why there is none."""

    body: bytes = b""
    problem: str = ""


def claims(text: str) -> bool:
    """Whether it is a file of queries."""
    return f'schema = "{SCHEMA}"' in text[:4096] or f"schema = '{SCHEMA}'" in text[:4096]


def read(text: str, sheet: Sheet) -> None:
    """Check the file, and keep its questions on the sheet."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        sheet.problem = f"it is no TOML: {error}"
        return
    try:
        server, queries = parse(document)
    except ValueError as error:
        sheet.problem = str(error)
        return
    sheet.server, sheet.queries = server, queries


def parse(document: dict[str, Any]) -> tuple[Server, tuple[Query, ...]]:
    """Return what a file asks; ValueError names the key that is wrong, and the cure."""
    _known(document, _KEYS, "")
    url = document.get("url")
    if not isinstance(url, str):
        raise ValueError("url: it is missing, such as http://127.0.0.1:9090")  # noqa: TRY004 - one kind of error
    _check_url(url)
    asked = document.get("query")
    if not isinstance(asked, list) or not 0 < len(asked) <= MOST_QUERIES:
        raise ValueError(f"query: there must be 1 to {MOST_QUERIES} tables [[query]]")
    timeout = number(document.get("timeout_s", _USUAL_S))
    if not 0 < timeout <= LONGEST_S:
        raise ValueError(f"timeout_s: it must lie between 0 and {LONGEST_S:g}")
    return Server(url, _time(document.get("time")), timeout), tuple(
        _query(one, place) for place, one in enumerate(asked)
    )


def _known(table: dict[str, Any], keys: frozenset[str], where: str) -> None:
    for key in table:
        if key not in keys:
            raise ValueError(f"{where}{safe_text(key, 60)}: no such key; there are {', '.join(sorted(keys))}")


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("url: it must begin with http:// or https:// and name a host")
    if parts.username or parts.password:
        raise ValueError("url: no user or password in it; a token is taken from MENS_PROMETHEUS_TOKEN")
    if parts.query or parts.fragment:
        raise ValueError("url: the address of the server alone, without ? and #")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("url: printable ASCII only")


def _time(value: Any) -> float:
    if value is None:
        return math.nan
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.timestamp()
    raise ValueError("time: it must be a time with its zone, such as 2026-01-31T12:00:00Z")


def _query(table: Any, place: int) -> Query:
    where = f"query[{place}]."
    if not isinstance(table, dict):
        raise ValueError(f"query[{place}]: it must be a table [[query]]")  # noqa: TRY004
    _known(table, _QUERY_KEYS, where)
    metric, unit, promql, n = (table.get(name, "") for name in ("metric", "unit", "promql", "n"))
    if metric not in METRICS:
        raise ValueError(f"{where}metric: the gate knows no {safe_text(str(metric), 60)!r}")
    if not isinstance(unit, str) or not unit:
        raise ValueError(f"{where}unit: it is missing; the metric is in {METRICS[metric].unit}")
    for name, text in (("promql", promql), ("n", n)):
        if not isinstance(text, str) or len(text) > _LONGEST_QUERY or (name == "promql" and not text.strip()):
            raise ValueError(f"{where}{name}: it must be PromQL of at most {_LONGEST_QUERY} characters")
    tags = table.get("tags", {})
    if not isinstance(tags, dict) or not all(isinstance(one, str) for one in tags.values()):
        raise ValueError(f"{where}tags: names and texts only")
    return Query(place, metric, unit, promql, n, {safe_text(k, 60): safe_text(v, 200) for k, v in tags.items()})


def take(sheet: Sheet, query: Query, value: Answer, n: Answer | None) -> None:
    """Put an answer on the sheet; what is no single number is a value that is none, with the reason."""
    found, when, trouble = _single(value)
    count: int | None = None
    if n is not None and not trouble:
        whole, _, trouble = _single(n)
        count = round(whole) if math.isfinite(whole) and whole >= 0 else None
    sheet.at = when
    sheet.add(query.metric, found, query.unit, f"query[{query.place}]", n=count, trouble=trouble,
              tags={"source": "prometheus", **query.tags}, note=query.promql)  # fmt: skip
    sheet.at = math.nan


def _single(answer: Answer) -> tuple[float, float, str]:
    """Return value and time of an answer that is one number, or why it is not."""
    if answer.problem:
        return math.nan, math.nan, answer.problem
    try:
        document = jsontext.parse(answer.body)
    except ValueError as error:
        return math.nan, math.nan, f"the answer: {error}"
    if at(document, "status") != "success":
        why = at(document, "error")
        return math.nan, math.nan, f"the server refused the query: {safe_text(str(why), 200)}"
    kind, result = at(document, "data", "resultType"), at(document, "data", "result")
    if kind == "vector" and isinstance(result, list):
        if len(result) != 1:
            why = "no series" if not result else f"{len(result)} series: aggregate them to one, with sum() or max()"
            return math.nan, math.nan, f"the query gives {why}"
        result = at(result, 0, "value")
    elif kind != "scalar":
        return math.nan, math.nan, f"the query gives a {safe_text(str(kind), 40)}, not one number"
    value, when = number(at(result, 1)), number(at(result, 0))
    if not math.isfinite(value):
        return value, when, f"the query gives {safe_text(str(at(result, 1)), 40)}: nothing was counted, or divided by 0"
    return value, when, ""
