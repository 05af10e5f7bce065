"""The filter of a table: what the operator types after ``/``, and whether a run matches it.

Pure text and views; no widget enters here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mens_console.screens.words import firing, look

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mens_console.store.snapshot import RunView

FIELDS = ("state", "name", "path", "alert", "format")


@dataclass(frozen=True, slots=True)
class _Term:
    field: str
    text: str
    wanted: bool


class Terms:
    """Terms that must all hold: ``word``, ``field:text``, and either with a leading ``-`` to exclude."""

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        self._terms = tuple(_term(word) for word in self.text.lower().split())

    def __bool__(self) -> bool:
        """Whether anything is filtered at all."""
        return bool(self._terms)

    def hold(self, values: Callable[[str], Iterable[str]]) -> bool:
        """Return whether every term is in one of the `values` of its field ("" for a plain word), or in none."""
        return all(
            any(term.text in value.lower() for value in values(term.field)) == term.wanted for term in self._terms
        )


class Query(Terms):
    """Terms about a run.

    ``word`` looks in name, path, state and configuration; ``state:stalled``, ``name:``, ``path:``, ``alert:`` (rule or
    severity), ``format:`` and ``<config key>:`` look in one place; a leading ``-`` excludes.
    """

    def matches(self, run: RunView) -> bool:
        """Return whether a run is wanted."""
        return self.hold(lambda field: _values(field, run))


def _term(word: str) -> _Term:
    wanted = not (word.startswith("-") and len(word) > 1)
    field, colon, text = word.removeprefix("-" if not wanted else "").partition(":")
    return _Term(field, text, wanted) if colon else _Term("", field, wanted)


def _values(field: str, run: RunView) -> list[str]:
    state = [str(run.diagnosis.state), look(run.diagnosis.state).word]
    match field:
        case "state":
            return [*state, "live"] if run.live else state
        case "name":
            return [run.name]
        case "path":
            return [str(run.path)]
        case "alert":
            return [text for a in firing(run.alerts) for text in (a.rule, str(a.severity))]
        case "format":
            return [source.format for source in run.sources]
        case "":
            return [run.name, str(run.path), *state, *(f"{key}={value}" for key, value in run.config.items())]
        case _:
            return [value for key, value in run.config.items() if key.lower() == field]
