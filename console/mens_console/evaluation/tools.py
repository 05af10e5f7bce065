"""The tool-use bucket: JSON, schema, tools, arguments, steps, chains and a mocked run, item by item against gold.

An item without an answer, or whose answer is no plan, fails every share that it counts in; it is never left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mens_console.evaluation.gold import Gold, Item
from mens_console.evaluation.plan import Plan, plan_of, references, same
from mens_console.evaluation.predictions import Answer, Predictions
from mens_console.evaluation.rows import DEEPEST, depth, parse
from mens_console.evaluation.runner import Ran, judged, run
from mens_console.evaluation.schemas import Schemas
from mens_console.evaluation.score import Result, share, surplus

NOTHING = "the set holds no such item"


@dataclass(slots=True)
class _Count:
    """Successes of trials."""

    right: int = 0
    n: int = 0

    def add(self, right: bool | int, n: int = 1) -> None:
        self.right += int(right)
        self.n += n


@dataclass(slots=True)
class _Tally:
    """What is counted over the items."""

    json: _Count = field(default_factory=_Count)
    schema: _Count = field(default_factory=_Count)
    tools: _Count = field(default_factory=_Count)
    arguments: _Count = field(default_factory=_Count)
    chains: _Count = field(default_factory=_Count)
    sim: _Count = field(default_factory=_Count)
    steps: list[tuple[int, int]] = field(default_factory=list)
    no_plan: int = 0
    given: int = 0
    uncovered: int = 0


def tool_use(gold: Gold, predictions: Predictions) -> tuple[list[Result], list[str]]:
    """Return the results of the bucket, and notes on what weakens them. Raises `UnreadableError` for a bad schema."""
    schemas = Schemas(gold)
    tally = _Tally()
    for item in gold.items:
        if item.bucket == "tool_use":
            _judge(item, predictions.answers[item.id], gold, schemas, tally)
    notes = []
    if tally.given:
        notes.append(f"{tally.given} answers came parsed: whether the model's own text was JSON is not known")
    if schemas.slow:
        notes.append(f"{len(schemas.slow)} answers ran out of time at a pattern, and count as no match")
    return _results(tally, predictions.source.path), notes


def _results(tally: _Tally, source: str) -> list[Result]:
    schema = "no schema: name the tools in the set's first line, by --tools, or a schema an item"
    if not tally.uncovered:
        schema = NOTHING
    part = f"{tally.uncovered} items have no schema, and are not in it" if tally.uncovered and tally.schema.n else ""
    plans = f"{tally.no_plan} answers are no plan, and have no steps to count" if tally.no_plan else ""
    counts = (
        ("json_validity", tally.json, "", NOTHING),
        ("schema_match", tally.schema, part, schema),
        ("tool_selection", tally.tools, "", NOTHING),
        ("argument_correctness", tally.arguments, "", "no call of the gold plans has an argument"),
        ("chaining_consistency", tally.chains, "", "no plan of the set refers to a result"),
        ("sim_pass", tally.sim, "", NOTHING),
    )
    results = [
        share(name, count.right, count.n, source=source, reason=reason, nothing=nothing)
        for name, count, reason, nothing in counts
    ]
    steps = surplus(tally.steps, source=source, reason=plans, nothing="no answer is a plan" if plans else NOTHING)
    return [*results[:4], steps, *results[4:]]


def _judge(item: Item, answer: Answer, gold: Gold, schemas: Schemas, tally: _Tally) -> None:
    valid, value = _value(answer)
    plan = plan_of(value) if valid else None
    if not item.json:  # no tool should be called: a plan with calls is the mistake
        tally.tools.add(answer.valid and not plan)
        return
    tally.given += answer.value is not None
    tally.json.add(valid)
    fits = valid
    if schemas.covers(item):
        fits = valid and schemas.matches(item, value, plan)
        tally.schema.add(fits)
    else:
        tally.uncovered += 1
    tally.tools.add(plan is not None and [call.tool for call in plan] == [call.tool for call in item.plan])
    wanted = run(item.plan, item.plan, gold.mocks, gold.base)
    mine = run(plan or (), item.plan, gold.mocks, gold.base)
    right, total = judged(mine, wanted, len(item.plan))
    tally.arguments.add(right, total)
    if plan is None:
        tally.no_plan += 1
    else:
        tally.steps.append((len(plan), len(item.plan)))
    chains = any(references(call) for call in item.plan)
    if chains or mine.resolved or mine.unresolved:
        tally.chains.add(mine.unresolved == 0 and (mine.resolved > 0 or not chains))
    tally.sim.add(fits and plan is not None and _runs(plan, item.plan, mine, wanted, schemas))


def _value(answer: Answer) -> tuple[bool, Any]:
    """Return whether an answer is JSON, and its value."""
    if answer.missing or answer.crashed:
        return False, None
    if answer.value is not None:
        return depth(answer.value) <= DEEPEST, answer.value
    try:
        return True, parse(answer.text)
    except ValueError:
        return False, None


def _runs(plan: Plan, gold: Plan, mine: Ran, wanted: Ran, schemas: Schemas) -> bool:
    """Whether a plan can be carried out whole, and does all that gold does, in its order and with its arguments."""
    if mine.unresolved or (plan and not gold) or not all(schemas.knows(call.tool) for call in plan):
        return False
    stands = {step: index for index, step in mine.pairs.items()}
    return len(stands) == len(gold) and _all_same(
        [mine.arguments[stands[step]] for step in range(len(gold))], list(wanted.arguments)
    )


def _all_same(mine: Sequence[dict[str, Any]], gold: Sequence[dict[str, Any]]) -> bool:
    return all(same(one, other) for one, other in zip(mine, gold, strict=True))
