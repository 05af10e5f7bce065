"""A JSON Schema as functions that say, field by field, where a value differs from it.

Only what our own schemas use is understood; anything else raises `UnsupportedSchemaError` when a schema is compiled,
never when a value is looked at. Objects with the same keys share one plan, so that most rows cost their values alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mens_contracts.aliases import factor, spellings
from mens_contracts.nearest import DRIFTED, nearest
from mens_contracts.scalars import Test, UnsupportedSchemaError, got_of, listed, scalar, want_of
from mens_contracts.tally import LINES, Spot, Tally, shown

Check = Callable[[Any, dict[str, Any]], None]
"""Looks at a value that stands in an object, and tells the tally what is wrong with it."""
Where = Callable[[dict[str, Any], str], int]
"""The line of a field of an object (of the object itself for "")."""

_PLANS: Final = 256
_WIDEST: Final = 500
"""Keys of an object above which its plan is not kept."""
_ANNOTATIONS: Final = frozenset({"title", "description", "default", "$schema", "$id", "$defs", "discriminator"})
_UNDERSTOOD: Final = _ANNOTATIONS | {
    "type", "enum", "const", "anyOf", "oneOf", "$ref", "properties", "required", "additionalProperties", "items",
    "minimum", "maximum", "minLength", "minItems", "maxItems", "pattern",
}  # fmt: skip


def compile_schema(schema: Mapping[str, Any], contract: str, tally: Tally, where: Where) -> Compiled:
    """Return what looks at values of the schema; findings go to `tally`, lines come from `where`."""
    return Compiled(schema, contract, tally, where)


class Compiled:
    """A schema ready to look at values. `look` at each object, `finish` at the end."""

    def __init__(self, schema: Mapping[str, Any], contract: str, tally: Tally, where: Where) -> None:
        self._defs: Mapping[str, Any] = schema.get("$defs", {})
        self._contract = contract
        self._aliases = spellings(contract)
        self._tally = tally
        self._where = where
        self._objects: list[_Object] = []
        self._check = self._compile(schema, "", "", True)

    def look(self, value: dict[str, Any]) -> None:
        """Look at one object."""
        self._tally.objects += 1
        self._check(value, value)

    def finish(self) -> None:
        """Tell the tally what is still counted by plan."""
        for one in self._objects:
            one.flush()

    # ------------------------------------------------------------------ building

    def _compile(self, schema: Mapping[str, Any], path: str, name: str, required: bool) -> Check:
        about = schema.get("description", "")
        schema = self._resolved(schema)
        if "discriminator" in schema:
            return self._variants(schema, path)
        parts = self._options(schema)
        inner = {kind: part for part in parts if (kind := part.get("type")) in ("object", "array")}
        if sum(part.get("type") in inner for part in parts) > len(inner):
            raise UnsupportedSchemaError(f"{path}: several kinds of object or list without a discriminator")
        test = self._test([part for part in parts if part.get("type") not in inner])
        want = want_of(parts, self._defs)
        found = self._tally.field_at(path, want, required=required, about=about) if path else None
        containers: dict[type, Check] = {}
        if "object" in inner:
            containers[dict] = self._object(inner["object"], path)
        if "array" in inner:
            containers[list] = self._list(inner["array"], path, name, required)
        where = self._where

        def check(value: Any, holder: dict[str, Any]) -> None:
            if (inside := containers.get(type(value))) is not None:
                inside(value, holder)
            elif not test(value) and found is not None:
                found.add_wrong(got_of(value, parts), where(holder, name), value)

        def leaf(value: Any, holder: dict[str, Any]) -> None:
            if not test(value) and found is not None:
                found.add_wrong(got_of(value, parts), where(holder, name), value)

        return check if containers else leaf

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" in schema:
            return self._resolved(self._defs[str(schema["$ref"]).rpartition("/")[2]])
        if odd := set(schema) - _UNDERSTOOD:
            raise UnsupportedSchemaError(f"not understood: {', '.join(sorted(odd))}")
        return schema

    def _options(self, schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        if "anyOf" not in schema:
            return [schema]
        return [part for one in schema["anyOf"] for part in self._options(self._resolved(one))]

    def _test(self, parts: list[Mapping[str, Any]]) -> Test:
        tests = [scalar(part) for part in parts]
        if len(tests) == 1:
            return tests[0]
        if len(tests) == 2:
            first, second = tests
            return lambda value: first(value) or second(value)
        return lambda value: any(test(value) for test in tests)

    def _object(self, schema: Mapping[str, Any], path: str) -> Check:
        further = schema.get("additionalProperties", True)
        names = schema.get("properties", {})
        if isinstance(further, dict) and not names:
            child = self._compile(further, f"{path}.*", "", False)

            def entries(value: dict[str, Any], holder: dict[str, Any]) -> None:
                for one in value.values():
                    child(one, value)

            return entries
        required = set(schema.get("required", ()))
        prefix = f"{path}." if path and not path.endswith(":") else path
        children = {name: self._compile(one, prefix + name, name, name in required) for name, one in names.items()}
        closed = further is False
        made = _Object(prefix, children, closed, self._contract, self._aliases, self._tally, self._where)
        self._objects.append(made)
        return made.look

    def _list(self, schema: Mapping[str, Any], path: str, name: str, required: bool) -> Check:
        child = self._compile(schema.get("items", {}), f"{path}[]", name, False)
        least, most = schema.get("minItems", 0), schema.get("maxItems", math.inf)
        found = self._tally.field_at(path, "list", required=required)
        where = self._where

        def look(value: list[Any], holder: dict[str, Any]) -> None:
            if not least <= len(value) <= most:
                got = f"fewer than {least} items" if len(value) < least else f"more than {most} items"
                found.add_wrong(got, where(holder, name), value)
            for one in value:
                child(one, holder)

        return look

    def _variants(self, schema: Mapping[str, Any], path: str) -> Check:
        told = schema["discriminator"]["propertyName"]
        options = {
            value: self._compile({"$ref": ref}, f"{path}{value}:", "", True)
            for value, ref in schema["discriminator"]["mapping"].items()
        }
        found = self._tally.field_at(f"{path}{told}", listed(sorted(options)), required=True)
        where = self._where

        def look(value: Any, holder: dict[str, Any]) -> None:
            found.objects += 1
            which = value.get(told)
            if told not in value:
                found.missing.add(1, [where(value, "")])
            elif isinstance(which, str) and which in options:
                options[which](value, holder)
            else:
                found.add_wrong("not one of them", where(value, told), which)

        return look


@dataclass(slots=True)
class _Plan:
    """What an object with certain keys is looked at for, and how many there were."""

    children: list[tuple[str, Check]]
    missing: list[str]
    aliased: list[tuple[str, str]]
    unknown: list[str]
    samples: dict[str, str]
    count: int = 0
    lines: list[int] = field(default_factory=list)


class _Object:
    """One kind of object in a schema."""

    def __init__(
        self,
        prefix: str,
        children: Mapping[str, Check],
        closed: bool,
        contract: str,
        aliases: Mapping[str, str],
        tally: Tally,
        where: Where,
    ) -> None:
        self._prefix, self._children, self._closed = prefix, children, closed
        self._contract, self._aliases = contract, aliases
        self._tally, self._where = tally, where
        self._plans: dict[tuple[str, ...], _Plan] = {}

    def look(self, value: dict[str, Any], holder: dict[str, Any]) -> None:
        keys = tuple(value)
        plan = self._plans.get(keys)
        if plan is None:
            if len(self._plans) >= _PLANS or len(keys) > _WIDEST:
                self.flush()
            plan = self._plans[keys] = self._plan(value)
        plan.count += 1
        if plan.count <= LINES:
            plan.lines.append(self._where(value, ""))
        for name, check in plan.children:
            check(value[name], value)

    def _plan(self, value: dict[str, Any]) -> _Plan:
        own = [(name, self._children[name]) for name in value if name in self._children]
        missing = {name: None for name in self._children if name not in value}
        aliased: list[tuple[str, str]] = []
        unknown: list[str] = []
        for name in value:
            if name in self._children:
                continue
            meant = self._aliases.get(name, "")
            if meant in missing:
                aliased.append((name, meant))
                del missing[meant]
                if factor(self._contract, name) == 1.0:
                    own.append((name, self._children[meant]))
            else:
                unknown.append(name)
        samples = {name: shown(value[name]) for name in (*unknown, *(name for name, _ in aliased))}
        return _Plan(own, list(missing), aliased, unknown, samples)

    def flush(self) -> None:
        """Count what the plans stand for, and forget them."""
        fields = self._tally.fields
        for plan in self._plans.values():
            for name in self._children:
                if (found := fields.get(self._prefix + name)) is not None:
                    found.objects += plan.count
            for name in plan.missing:
                fields[self._prefix + name].missing.add(plan.count, plan.lines)
            for name, meant in plan.aliased:
                spot = fields[self._prefix + meant].aliased.setdefault(name[:200], Spot())
                spot.add(plan.count, plan.lines, plan.samples[name])
            for name in plan.unknown:
                self._flush_unknown(plan, name)
        self._plans.clear()

    def _flush_unknown(self, plan: _Plan, name: str) -> None:
        path = self._prefix + name[:200]
        found = self._tally.unknown_at(path, refused=self._closed)
        if found is None:
            self._tally.unlisted += plan.count
            return
        near, likeness = nearest(name, self._children)
        found.nearest = self._prefix + near if near else ""
        found.instead = found.instead and near in plan.missing and likeness >= DRIFTED
        found.spot.add(plan.count, plan.lines, plan.samples[name])
