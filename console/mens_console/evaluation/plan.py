"""Plans: the tool calls that an answer holds, how they line up with gold, and what their references mean.

A plan is a JSON array of calls, an object that holds one (`calls`, `plan`, `steps`, `tool_calls`), or a single call. A
call names its tool (`tool`, `name`, or `function`) and its arguments (`arguments`, `args`, `parameters`, `input`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mens_console.evaluation.rows import first, parse

_LISTS: Final = ("calls", "tool_calls", "plan", "steps", "actions")
_TOOLS: Final = ("tool", "name", "tool_name", "function", "action")
_ARGUMENTS: Final = ("arguments", "args", "parameters", "params", "input")
REFERENCE: Final = re.compile(r"<RESULTS:([^<>\n]{1,200})>")
_PLACE: Final = re.compile(r"(?P<name>[\w-]+)(?P<path>(?:\.[\w-]+|\[\d{1,6}\])*)")
_STEP: Final = re.compile(r"(?:step|call)?[_-]?(?P<number>\d{1,6})", re.IGNORECASE)
_PART: Final = re.compile(r"\.([\w-]+)|\[(\d+)\]")
MOST_ALIGNED: Final = 200
"""Calls of a plan that are lined up with gold; its length is counted in full all the same."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `result` is what a mocked run of it gives (`UNKNOWN` where the gold answers do not say)."""

    tool: str
    arguments: dict[str, Any]
    id: str = ""
    result: Any = None
    mocked: bool = False


Plan = tuple[Call, ...]


def plan_of(value: Any) -> Plan | None:
    """Return the plan that a parsed answer holds; None where it is none."""
    listed = value if isinstance(value, list) else None
    if isinstance(value, dict):
        listed = next((value[name] for name in _LISTS if isinstance(value.get(name), list)), None)
        if listed is None:
            listed = [value]
    if listed is None:
        return None
    calls = [_call(one) for one in listed]
    return None if any(one is None for one in calls) else tuple(one for one in calls if one is not None)


def _call(value: Any) -> Call | None:
    if not isinstance(value, dict):
        return None
    tool, body = first(value, _TOOLS), value
    inner = value.get("function")
    if isinstance(inner, dict):
        tool, body = inner.get("name"), inner
    arguments = first(body, _ARGUMENTS)
    if isinstance(arguments, str):  # as some servers write them
        try:
            arguments = parse(arguments)
        except ValueError:
            return None
    arguments = {} if arguments is None else arguments
    if not isinstance(tool, str) or not tool or not isinstance(arguments, dict):
        return None
    told = first(value, ("id", "step_id", "step"))
    return Call(tool, arguments, "" if told is None else str(told), value.get("result"), "result" in value)


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal, of the same type: 1 is 1.0, and neither is "1" or true."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


def align(mine: Plan, gold: Plan) -> dict[int, int]:
    """Return which call of gold each call stands for: the most calls of the same tools in the same order.

    Of several ways, the one with the most equal arguments. A call that stands for none is not in it.
    """
    left, right = mine[:MOST_ALIGNED], gold[:MOST_ALIGNED]
    best = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]
    for i in reversed(range(len(left))):
        for j in reversed(range(len(right))):
            with_it = _likeness(left[i], right[j])
            paired = with_it + best[i + 1][j + 1] if with_it else 0
            best[i][j] = max(best[i + 1][j], best[i][j + 1], paired)
    found: dict[int, int] = {}
    i = j = 0
    while i < len(left) and j < len(right):
        with_it = _likeness(left[i], right[j])
        if with_it and best[i][j] == with_it + best[i + 1][j + 1]:
            found[i] = j
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return found


def _likeness(one: Call, other: Call) -> int:
    if one.tool != other.tool:
        return 0
    equal = sum(1 for key, value in other.arguments.items() if key in one.arguments and same(one.arguments[key], value))
    return 100_000 + min(equal, 400)


def texts(value: Any) -> Iterator[str]:
    """Yield every text of a value, however deep; keys of objects are not looked at."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def references(call: Call) -> list[str]:
    """Return what a call refers to, as written between `<RESULTS:` and `>`."""
    return [found for text in texts(call.arguments) for found in REFERENCE.findall(text)]


def target(reference: str, place: int, plan: Sequence[Call], base: int = 1) -> tuple[int, tuple[str | int, ...]] | None:
    """Return the earlier call that a reference of the call at `place` (from 0) means, and the path in its result.

    It is named by its id, by the number of its step (counted from `base`), or by its tool, the latest call of it.
    None where no earlier call is meant.
    """
    earlier = plan[:place]
    parts = _PLACE.fullmatch(reference.strip())
    for name, path in ((reference, ""), (parts["name"], parts["path"])) if parts else ((reference, ""),):
        steps = tuple(key or int(index) for key, index in _PART.findall(path))
        if any(call.id == name for call in plan):
            index = next((i for i, call in enumerate(earlier) if call.id == name), None)
            return None if index is None else (index, steps)
        if number := _STEP.fullmatch(name):
            index = int(number["number"]) - base
            return (index, steps) if 0 <= index < place else None
        latest = [i for i, call in enumerate(earlier) if call.tool == name]
        if latest:
            return latest[-1], steps
    return None


def at(value: Any, path: Sequence[str | int]) -> tuple[bool, Any]:
    """Return whether a path is there in a result, and what stands there."""
    for key in path:
        if isinstance(value, dict) and str(key) in value:
            value = value[str(key)]
        elif isinstance(value, list) and str(key).isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return False, None
    return True, value
