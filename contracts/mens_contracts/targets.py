"""Contracts of rows as the tables of data stores: a BigQuery schema, an Elasticsearch index. Pure functions.

A log is loaded as it is, without a step that rewrites it, and a row that lacks a field or carries an unknown one is
loaded all the same; so no column is required, and a map of open names (validator scores) is:

- in BigQuery a column of type JSON: names need not be known beforehand, and `FLOAT64(validator_scores.pollyanna)`
  reads one. A repeated record of name and score would be typed, but the log would have to be rewritten first.
- in Elasticsearch an object whose members become doubles as they come: `flattened` would take any name too, but keeps
  values as keywords, of which there is no mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Schema = Mapping[str, Any]
_BIGQUERY: Final = {"string": "STRING", "integer": "INTEGER", "number": "FLOAT", "boolean": "BOOLEAN"}
_ELASTIC: Final = {"integer": "long", "number": "double", "boolean": "boolean"}
_LONGEST_KEYWORD: Final = 8191
"""Characters above which a keyword is kept but not indexed: Lucene's limit of 32766 bytes, four bytes each."""
_MOST_FIELDS: Final = 2000


def bigquery(schema: Schema) -> list[dict[str, Any]]:
    """Return the table schema that `bq load --schema` and `bq mk --table` take."""
    defs = schema.get("$defs", {})
    return [_column(name, field, defs) for name, field in schema.get("properties", {}).items()]


def _column(name: str, field: Schema, defs: Schema) -> dict[str, Any]:
    about = field.get("description", "")
    kind, part = _plain(field, defs)
    mode = "NULLABLE"
    if kind == "array":
        kind, part = _plain(part.get("items", {}), defs)
        mode = "REPEATED"
        if kind == "array":  # BigQuery has no list of lists
            kind, mode = "any", "NULLABLE"
    column: dict[str, Any] = {"name": name, "mode": mode}
    if kind == "object" and part.get("properties"):
        column["type"] = "RECORD"
        column["fields"] = [_column(key, one, defs) for key, one in part["properties"].items()]
    elif kind == "time":
        column["type"] = "TIMESTAMP"
    else:
        column["type"] = _BIGQUERY.get(kind, "JSON")
    return column | ({"description": about[:1024]} if about else {})


def elasticsearch(schema: Schema) -> dict[str, Any]:
    """Return the body of `PUT /<index>`: what is unknown is kept in `_source` and not indexed."""
    maps: list[str] = []
    properties = _properties(schema, schema.get("$defs", {}), "", maps)
    templates = [
        {f"{path}_members": {"path_match": f"{path}.*", "mapping": {"type": kind, "ignore_malformed": True}}}
        for path, kind in (one.split(" ") for one in maps)
    ]
    return {
        "settings": {"index": {"mapping": {"total_fields": {"limit": _MOST_FIELDS}}}},
        "mappings": {"dynamic": False, "dynamic_templates": templates, "properties": properties},
    }


def _properties(schema: Schema, defs: Schema, prefix: str, maps: list[str]) -> dict[str, Any]:
    return {
        name: _property(field, defs, f"{prefix}{name}", maps) for name, field in schema.get("properties", {}).items()
    }


def _property(field: Schema, defs: Schema, path: str, maps: list[str]) -> dict[str, Any]:
    kind, part = _plain(field, defs)
    if kind == "array":  # every field may hold several values; objects in a list stay together only if nested
        kind, part = _plain(part.get("items", {}), defs)
        if kind == "object" and part.get("properties"):
            return {"type": "nested", "dynamic": False, "properties": _properties(part, defs, f"{path}.", maps)}
    if kind == "object" and part.get("properties"):
        return {"dynamic": False, "properties": _properties(part, defs, f"{path}.", maps)}
    if kind == "object":
        inner, _ = _plain(part.get("additionalProperties", {}), defs)
        if inner not in _ELASTIC:
            return {"type": "flattened"}
        maps.append(f"{path} {_ELASTIC[inner]}")
        return {"type": "object", "dynamic": True}
    if kind == "time":
        return {"type": "date", "ignore_malformed": True}
    if kind == "boolean":
        return {"type": "boolean"}
    if kind in _ELASTIC:
        return {"type": _ELASTIC[kind], "ignore_malformed": True}
    if kind == "string":
        return {"type": "keyword", "ignore_above": _LONGEST_KEYWORD}
    return {"type": "object", "enabled": False}


def _plain(field: Schema, defs: Schema) -> tuple[str, Schema]:
    """Return what a field is without null, and that part of its schema; text where it may be text or something else.

    "any" is what cannot be said in one type, "time" text that begins with a date and a time.
    """
    while "$ref" in field:
        field = defs[str(field["$ref"]).rpartition("/")[2]]
    if "anyOf" in field:
        parts = [_plain(one, defs) for one in field["anyOf"]]
        kinds = {kind: part for kind, part in parts if kind != "null"}
        if len(kinds) == 1:
            return next(iter(kinds.items()))
        if kinds.keys() <= {"string", "integer", "number", "boolean"}:
            numbers = kinds.keys() <= {"integer", "number"}
            return ("number" if numbers else "string"), field
        return "any", field
    if "const" in field or "enum" in field:
        first = field.get("enum", [field.get("const")])[0]
        return ("string" if isinstance(first, str) else "integer"), field
    if field.get("type") == "string" and str(field.get("pattern", "")).startswith(r"^\d{4}-"):
        return "time", field
    return str(field.get("type", "any")), field
