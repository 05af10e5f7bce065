"""The classes of diagnostics that KPIs are told by: one table with the names that validators use. No pydantic in here.

The set is open: what a producer names otherwise is kept under its own name where that reads as a name, and is "other"
where it says nothing. `mens_contracts.taxonomy` is the same table as a document.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

ID: Final = "mens_diagnostic_taxonomy_v1"
OTHER: Final = "other"


@dataclass(frozen=True, slots=True)
class Category:
    """A class of diagnostics: its id, what it is, and other names that mean it."""

    id: str
    title: str
    description: str
    aliases: tuple[str, ...] = ()


CATEGORIES: Final = (
    Category(
        "syntax_punctuation",
        "syntax punctuation",
        "a bracket, comma, colon or other mark is missing, or is one too many",
        ("syntax", "syntax_error", "parse", "parse_error", "punctuation", "unexpected_token", "unbalanced", "lex"),
    ),
    Category(
        "indentation_layout",
        "indentation/layout",
        "blocks are indented or laid out as the language does not allow",
        ("indentation", "indent", "layout", "whitespace", "indentation_error", "offside", "block_layout"),
    ),
    Category(
        "type_mismatch",
        "type mismatch",
        "a value has not the type that its place wants",
        ("type", "type_error", "typecheck", "type_check", "types", "mismatched_types", "type_mismatches"),
    ),
    Category(
        "invalid_import",
        "invalid import",
        "what is imported or named does not exist",
        ("import", "import_error", "imports", "unresolved_import", "unknown_module", "module_not_found", "name_error"),
    ),
    Category(
        "route_schema_mismatch",
        "route/schema mismatch",
        "a route, message or record has not the shape that was declared for it",
        ("route", "schema", "route_schema", "schema_mismatch", "route_mismatch", "contract_mismatch"),
    ),
    Category(
        "actor_workflow_misuse",
        "actor/workflow misuse",
        "an actor, workflow or activity is used as it must not be",
        ("actor", "workflow", "actor_misuse", "workflow_misuse", "actor_workflow", "activity", "lifecycle"),
    ),
    Category(OTHER, "other", "none of these", ("unknown", "misc", "uncategorized", "unclassified", "none")),
)
IDS: Final = tuple(one.id for one in CATEGORIES)
_KNOWN: Final = {name: one.id for one in CATEGORIES for name in (one.id, *one.aliases)}


@lru_cache(maxsize=4096)
def category_of(name: str) -> str:
    """Return the id of the class that a producer's name means, the name itself (in snake case) where none is known.

    A name without a letter or digit, or longer than 64 characters, is "other".
    """
    plain = "_".join("".join(letter if letter.isalnum() else " " for letter in name.casefold()).split())
    for known in (plain, plain.removesuffix("_error"), plain.removesuffix("_errors"), plain.removesuffix("s")):
        if known in _KNOWN:
            return _KNOWN[known]
    return plain if 0 < len(plain) <= 64 else OTHER
