"""Tables of fields from the contracts, for docs/telemetry.md: what the models say, and nothing beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel

_WORDS = {"string": "text", "number": "number", "integer": "integer", "boolean": "boolean", "null": "null"}
_NOT_FINITE = ["NaN", "Infinity", "-Infinity"]


def events(model: type[BaseModel]) -> str:
    """Return a section for each event of a union of envelopes, in the order of the model."""
    schema = model.model_json_schema(by_alias=True)
    parts = schema["$defs"]
    sections = []
    for option in schema["oneOf"]:
        envelope = parts[_name(option)]
        event = envelope["properties"]["event"]["const"]
        payload = parts[_name(envelope["properties"]["payload"])]
        sections.append(_section(f"### `{event}`", payload, parts))
    return "\n\n".join(sections)


def document(model: type[BaseModel]) -> str:
    """Return the table of a document's fields, and of what lies inside it."""
    schema = model.model_json_schema(by_alias=True)
    return _section("", schema, schema.get("$defs", {}))


def _section(heading: str, schema: dict[str, Any], parts: dict[str, Any]) -> str:
    """Return a heading with what the model says of itself, the table of its fields, and those of the objects in it."""
    lines = [heading, "", _text(schema), ""] if heading else []
    lines += _table(schema)
    for name in _inner(schema, parts):
        lines += ["", f"In each `{name}`: {_lower(_text(parts[name]))}", "", *_table(parts[name])]
    return "\n".join(lines)


def _table(schema: dict[str, Any]) -> list[str]:
    required = set(schema.get("required", ()))
    lines = ["| field | type | always there | what |", "|---|---|---|---|"]
    for name, field in schema.get("properties", {}).items():
        what = field.get("description", "").replace("***", "`***`")
        lines.append(f"| `{name}` | {_listed(_kinds(field))} | {'yes' if name in required else ''} | {what} |")
    return lines


def _kinds(field: dict[str, Any]) -> list[str]:
    """Return the kinds of values that a field takes; that a number may be told as text goes without saying."""
    if "anyOf" in field:
        kinds = [kind for option in field["anyOf"] if option.get("enum") != _NOT_FINITE for kind in _kinds(option)]
        return [kind for kind in dict.fromkeys(kinds) if kind != "integer" or "number" not in kinds]
    if "$ref" in field:
        return [f"`{_name(field)}`"]
    if "enum" in field or "const" in field:
        return [f"`{value}`" for value in field.get("enum", [field.get("const")])]
    if field.get("type") == "array":
        return [f"list of {_inside(field['items'])}"]
    if field.get("type") == "object":
        inner = field.get("additionalProperties")
        return [f"object of {_inside(inner)}" if isinstance(inner, dict) else "object"]
    least = f" ≥ {field['minimum']}" if "minimum" in field else ""
    return [_WORDS[field["type"]] + least]


def _inside(field: dict[str, Any]) -> str:
    kinds = _kinds(field)
    return f"({_listed(kinds)})" if len(kinds) > 1 else kinds[0]


def _listed(kinds: list[str]) -> str:
    *most, last = kinds
    return f"{', '.join(most)} or {last}" if most else last


def _inner(schema: dict[str, Any], parts: dict[str, Any]) -> list[str]:
    """Return the names of the objects that a model holds, at any depth, in order."""
    found: list[str] = []

    def walk(node: Any) -> None:
        if isinstance(node, list):
            for one in node:
                walk(one)
        elif isinstance(node, dict):
            if "$ref" in node and (name := _name(node)) not in found:
                found.append(name)
                walk(parts[name])
            for one in node.values():
                walk(one)

    walk(schema.get("properties", {}))
    return found


def _name(node: dict[str, Any]) -> str:
    return str(node["$ref"]).rpartition("/")[2]


def _text(schema: dict[str, Any]) -> str:
    return " ".join(schema.get("description", "").split())


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
