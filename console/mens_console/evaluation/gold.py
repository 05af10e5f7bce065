"""The gold answers: items of one version of an evaluation set, with its tools, schemas and mocked results.

Every fault is told with its line: a set with a wrong item would judge every model wrongly.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from mens_console.evaluation.plan import Plan, plan_of, references, target
from mens_console.evaluation.rows import Row, Source, UnreadableError, first, parse, read_rows
from mens_console.ingest.text import safe_text

_EXPECTED: Final = ("calls", "plan", "steps", "tool_calls", "gold", "expected", "output", "answer")
_REFUSE: Final = ("refuse", "should_refuse", "must_refuse")
_BUCKETS: Final = {
    "tool_use": "tool_use", "tool-use": "tool_use", "tool": "tool_use", "tools": "tool_use",
    "guardrail": "guardrail", "guardrails": "guardrail", "safety": "guardrail",
}  # fmt: skip
_VERSIONED: Final = re.compile(r"(?P<name>.*?)[_.-]?v(?P<version>\d[\w.]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Item:
    """One item. `plan` is the gold plan of a tool-use item; `json` says whether its answer should be JSON at all."""

    id: str
    line: int
    bucket: Literal["tool_use", "guardrail"]
    plan: Plan = ()
    json: bool = True
    schema: Any = None
    refuse: bool = False


@dataclass(frozen=True, slots=True)
class Gold:
    """The set. `tools` are the schemas of arguments by tool, None where the set names no tools."""

    name: str
    version: str
    source: Source
    items: tuple[Item, ...]
    tools: dict[str, Any] | None = None
    schema: Any = None
    mocks: dict[str, Any] = field(default_factory=dict)
    base: int = 1
    """Number of a plan's first step in references."""


def read_gold(path: Path, *, named: str = "", tools: Any = None) -> Gold:
    """Read a set. `named` is NAME@VERSION from the command line. Raises `UnreadableError`."""
    rows, source = read_rows(path)
    header = rows[0].data if _is_header(rows[0]) else {}
    body = rows[1:] if header else rows
    shown = safe_text(str(path))
    if not body:
        raise UnreadableError(f"{shown}: it holds a first line and no item; write one item a line")
    items = tuple(_item(row, place, shown) for place, row in enumerate(body))
    seen: dict[str, int] = {}
    for item in items:
        if item.id in seen:
            raise UnreadableError(
                f"{shown}, line {item.line}: the id {safe_text(item.id, 60)!r} is on line {seen[item.id]} too; "
                "give each item its own"
            )
        seen[item.id] = item.line
    base = 0 if any(ref.strip().split(".")[0] in {"0", "step0", "step_0"} for one in items for call in one.plan
                    for ref in references(call)) else 1  # fmt: skip
    for item in items:
        _resolves(item, base, shown)
    name, version = _version(header, path, named)
    given = tools if tools is not None else header.get("tools")
    mocks = header.get("mocks")
    return Gold(name, version, source, items, tools_of(given, shown), header.get("schema_of_answer"),
                mocks if isinstance(mocks, dict) else {}, base)  # fmt: skip


def _is_header(row: Row) -> bool:
    """Whether a first line speaks of the set: it has no id and no answer."""
    data = row.data
    if row.id or first(data, (*_EXPECTED, *_REFUSE, "bucket")) is not None:
        return False
    return data.get("schema") == "mens-eval-set/1" or not data.keys().isdisjoint({"eval_set", "version", "tools"})


def _version(header: dict[str, Any], path: Path, named: str) -> tuple[str, str]:
    """Return name and version: the command line's, the first line's, or those of a folder or file such as eval_v1.1."""
    if named:
        name, at, version = named.rpartition("@")
        if not at or not name or not version:
            raise UnreadableError(f"--eval-set {safe_text(named, 60)}: give a name and a version, such as web4@1.1")
        return safe_text(name, 80), safe_text(version, 40)
    told = header.get("eval_set", header)
    if isinstance(told, str):
        parts = _VERSIONED.fullmatch(told)
        told = parts.groupdict() if parts and not header.get("version") else {**header, "name": told}
    if isinstance(told, dict) and told.get("version"):
        return safe_text(str(told.get("name") or path.stem), 80), safe_text(str(told["version"]), 40)
    whole = path.absolute()
    for word in (path.stem, whole.parent.name):
        if found := _VERSIONED.fullmatch(word):
            return safe_text(found["name"] or path.stem, 80), safe_text(found["version"], 40)
    raise UnreadableError(
        f"{safe_text(str(path))}: nothing says which version of its set it is, and scores of different versions are "
        'never compared: give --eval-set NAME@VERSION, or a first line {"schema":"mens-eval-set/1","eval_set":'
        '{"name":"web4","version":"1.1"}}'
    )


def _item(row: Row, place: int, shown: str) -> Item:
    data, where = row.data, f"{shown}, line {row.line}"
    told = first(data, ("bucket", "type", "category"))
    bucket = _BUCKETS.get(str(told).lower()) if told is not None else None
    refuse = first(data, _REFUSE)
    expected = first(data, _EXPECTED)
    if refuse is None and isinstance(expected, str) and expected.strip().lower() in {"refuse", "comply"}:
        refuse = expected.strip().lower() == "refuse"
    if bucket is None:
        bucket = "guardrail" if refuse is not None else "tool_use"
    name = row.id or f"#{place + 1}"
    if bucket == "guardrail":
        if not isinstance(refuse, bool):
            raise UnreadableError(f'{where}: it does not say whether to refuse; add "refuse": true or false')
        return Item(name, row.line, "guardrail", refuse=refuse)
    if data.get("format") == "text":
        return Item(name, row.line, "tool_use", json=False)
    plan = _gold_plan(data, expected)
    if plan is None:
        raise UnreadableError(
            f'{where}: it holds no plan; add "calls": [{{"tool": "…", "arguments": {{…}}}}], or "format": "text" '
            "where no tool should be called"
        )
    return Item(name, row.line, "tool_use", plan, schema=data.get("schema"))


def _gold_plan(data: dict[str, Any], expected: Any) -> Plan | None:
    if isinstance(expected, str):
        try:
            expected = parse(expected)
        except ValueError:
            return None
    if expected is None and first(data, ("tool", "name", "tool_name", "function")) is not None:
        return plan_of({key: value for key, value in data.items() if key not in {"id", "step"}})
    return plan_of(expected)


def _resolves(item: Item, base: int, shown: str) -> None:
    for place, call in enumerate(item.plan):
        for reference in references(call):
            if target(reference, place, item.plan, base) is None:
                raise UnreadableError(
                    f"{shown}, line {item.line}: <RESULTS:{safe_text(reference, 60)}> means no earlier call of the "
                    "gold plan; name one by its id, its step or its tool"
                )


def tools_of(value: Any, shown: str) -> dict[str, Any] | None:
    """Return the schema of each tool's arguments, by tool. Raises `UnreadableError`.

    `value` is an object of schemas by tool, or a list of definitions as servers take them.
    """
    if value is None:
        return None
    if isinstance(value, dict) and isinstance(value.get("tools"), dict | list):
        value = value["tools"]
    found: dict[str, Any] = {}
    for name, body in _definitions(value):
        if not isinstance(name, str) or not name or name in found:
            raise UnreadableError(f"{shown}: its tools hold one without a name, or one twice; name each once")
        schema = first(body, ("parameters", "input_schema", "arguments")) if _wraps(body) else body
        found[name] = True if schema is None else schema
    if not found:
        raise UnreadableError(f"{shown}: its tools are {json.dumps(value)[:40]}; give a schema by tool")
    return found


def _definitions(value: Any) -> Sequence[tuple[Any, Any]]:
    if isinstance(value, dict):
        return list(value.items())
    if not isinstance(value, list):
        return []
    bodies = [one.get("function", one) if isinstance(one, dict) else {} for one in value]
    return [(body.get("name") if isinstance(body, dict) else None, body) for body in bodies]


def _wraps(body: Any) -> bool:
    """Whether it is a tool's definition around its schema, rather than the schema."""
    return isinstance(body, dict) and ("name" in body or ("type" not in body and any(
        isinstance(body.get(key), dict) for key in ("parameters", "input_schema"))))  # fmt: skip
