"""Answers against JSON Schemas, by the library `jsonschema`, with nothing fetched and no pattern that never ends.

Patterns are given no more than `PATIENCE_S` an answer: `re` looks for signals while it searches, so that an alarm stops
it. Off the main thread there is no alarm, and sets with patterns are refused there.
"""

from __future__ import annotations

import contextlib
import re
import signal
import threading
from collections.abc import Iterator
from typing import Any, Final

from mens_console.evaluation.gold import Gold, Item
from mens_console.evaluation.plan import Plan
from mens_console.evaluation.rows import DEEPEST, UnreadableError, depth
from mens_console.ingest.text import safe_text

PATIENCE_S: Final = 2.0
_PATIENCE: Final = 3
"""Answers that may run out of time before the schema itself is called too slow."""


class _SlowError(Exception):
    """An answer took too long."""


class Schemas:
    """The validators of a set, compiled once. `slow` are the items that ran out of time; each counts as no match."""

    def __init__(self, gold: Gold) -> None:
        self._shown = safe_text(gold.source.path)
        self._tools = {
            name: self._compile(schema, f"{self._shown}: the schema of the tool {safe_text(name, 40)!r}")
            for name, schema in (gold.tools or {}).items()
        }
        self._named = gold.tools is not None
        self._whole = None
        if gold.schema is not None:
            self._whole = self._compile(gold.schema, f"{self._shown}: the schema of its answers")
        self._items = {
            item.id: self._compile(item.schema, f"{self._shown}, line {item.line}: its schema")
            for item in gold.items
            if item.schema is not None
        }
        self.slow: list[str] = []

    def covers(self, item: Item) -> bool:
        """Whether anything says what an answer to the item should look like."""
        return self._named or self._whole is not None or item.id in self._items

    def knows(self, tool: str) -> bool:
        """Whether the set has the tool; true where it names none."""
        return not self._named or tool in self._tools

    def matches(self, item: Item, value: Any, plan: Plan | None) -> bool:
        """Whether an answer fits the item's schema, that of all answers, and those of the tools it calls."""
        whole = [one for one in (self._whole, self._items.get(item.id)) if one is not None]
        if self._named and (plan is None or not all(self.knows(call.tool) for call in plan)):
            return False
        pairs = [(one, value) for one in whole]
        if self._named and plan is not None:
            pairs += [(self._tools[call.tool], call.arguments) for call in plan]
        try:
            with _limited(PATIENCE_S):
                return all(self._valid(validator, one) for validator, one in pairs)
        except _SlowError:
            self.slow.append(item.id)
            if len(self.slow) >= _PATIENCE:
                raise UnreadableError(
                    f"{self._shown}: {len(self.slow)} answers took over {PATIENCE_S:g} s each to validate; make its "
                    "patterns simpler (no repetition inside a repetition)"
                ) from None
            return False

    def _compile(self, schema: Any, what: str) -> Any:
        from jsonschema import exceptions, validators
        from referencing import Registry

        if not isinstance(schema, dict | bool) or depth(schema) > DEEPEST:
            raise UnreadableError(f"{what} is no JSON Schema: it must be an object, and not nested too deeply")
        for text in _references(schema):
            if not text.startswith("#"):
                raise UnreadableError(
                    f"{what} refers to {safe_text(text, 80)!r}; nothing is fetched: put it under $defs"
                )
        kind = validators.validator_for(schema, default=validators.validator_for({"$schema": _DIALECT}))
        try:
            kind.check_schema(schema)
        except exceptions.SchemaError as error:
            raise UnreadableError(f"{what} is no JSON Schema: {safe_text(error.message, 160)}; mend it") from None
        except RecursionError:
            raise UnreadableError(f"{what} is nested too deeply; make it simpler") from None
        if _patterns(schema) and threading.current_thread() is not threading.main_thread():
            raise UnreadableError(f"{what} holds a pattern, which is only tested in a program's main thread")
        return kind(schema, registry=Registry())

    def _valid(self, validator: Any, value: Any) -> bool:
        from referencing.exceptions import Unresolvable

        try:
            return bool(validator.is_valid(value))
        except Unresolvable as error:
            raise UnreadableError(
                f"{self._shown}: a schema refers to {safe_text(str(error.ref), 80)!r}, which it does not hold; mend it"
            ) from None
        except re.error as error:
            raise UnreadableError(f"{self._shown}: a schema holds a wrong pattern ({error}); mend it") from None
        except RecursionError:
            raise UnreadableError(f"{self._shown}: a schema refers to itself without end; mend it") from None


_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def _objects(schema: Any) -> Iterator[dict[str, Any]]:
    waiting = [schema]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def _references(schema: Any) -> Iterator[str]:
    for one in _objects(schema):
        yield from (one[key] for key in ("$ref", "$dynamicRef", "$recursiveRef") if isinstance(one.get(key), str))


def _patterns(schema: Any) -> bool:
    return any("pattern" in one or "patternProperties" in one for one in _objects(schema))


@contextlib.contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise `_SlowError` in the block after a while; in the main thread, where nothing else set an alarm."""
    if threading.current_thread() is not threading.main_thread() or signal.getitimer(signal.ITIMER_REAL)[0]:
        yield
        return

    def stop(*_: object) -> None:
        raise _SlowError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
