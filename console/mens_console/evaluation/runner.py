"""The mock runner: carries a plan out on the results that the gold answers give, without calling anything.

What it cannot know (the result of a call that gold does not have, nor a mock of its tool) is opaque: a reference to it
resolves, and equals only another reference to the same place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from mens_console.evaluation.plan import REFERENCE, Plan, align, at, same, target

UNRESOLVED: Final = "‹unresolved›"


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of a plan.

    `pairs` tell which call of gold each call stands for; `resolved` and `unresolved` count references; `arguments` are
    those of each call with its references put into words that compare.
    """

    pairs: dict[int, int]
    resolved: int
    unresolved: int
    arguments: tuple[dict[str, Any], ...]


def run(plan: Plan, gold: Plan, mocks: Mapping[str, Any], base: int = 1) -> Ran:
    """Carry a plan out; `mocks` are results by tool, for calls that gold gives none for."""
    pairs = align(plan, gold)
    counts = [0, 0]

    def resolve(text: str, place: int) -> str:
        found = target(text, place, plan, base)
        if found is not None:
            known, result = _result(plan, gold, found[0], pairs, mocks)
            if not known or at(result, found[1])[0]:
                counts[0] += 1
                step = pairs.get(found[0])
                path = "".join(f"/{key}" for key in found[1])
                return f"‹result {f'extra {found[0]}' if step is None else step}{path}›"
        counts[1] += 1
        return f"{UNRESOLVED}{text}"

    made = tuple(_filled(call.arguments, place, resolve) for place, call in enumerate(plan))
    return Ran(pairs, counts[0], counts[1], made)


def _result(plan: Plan, gold: Plan, index: int, pairs: dict[int, int], mocks: Mapping[str, Any]) -> tuple[bool, Any]:
    stands_for = pairs.get(index)
    if stands_for is not None and gold[stands_for].mocked:
        return True, gold[stands_for].result
    tool = plan[index].tool
    return tool in mocks, mocks.get(tool)


def _filled(value: Any, place: int, resolve: Any) -> Any:
    if isinstance(value, str):
        return REFERENCE.sub(lambda match: resolve(match[1], place), value)
    if isinstance(value, dict):
        return {key: _filled(one, place, resolve) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, place, resolve) for one in value]
    return value


def judged(mine: Ran, gold: Ran, steps: int) -> tuple[int, int]:
    """Return how many arguments are equal, and how many there are in gold or, beyond it, in the calls paired with it.

    A call of gold that no call stands for has all of its arguments wrong.
    """
    stands = {step: index for index, step in mine.pairs.items()}
    right = total = 0
    for step in range(steps):
        wanted = gold.arguments[step]
        given = mine.arguments[stands[step]] if step in stands else {}
        total += len(wanted.keys() | given.keys())
        right += sum(1 for key, value in wanted.items() if key in given and same(given[key], value))
    return right, total
