"""The taxonomy of diagnostics as a document. Contract `mens_diagnostic_taxonomy_v1`; the table is `diagnostics`'s."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mens_contracts.common import OpenModel
from mens_contracts.diagnostics import CATEGORIES, ID

KnownCategory = Literal[
    "syntax_punctuation",
    "indentation_layout",
    "type_mismatch",
    "invalid_import",
    "route_schema_mismatch",
    "actor_workflow_misuse",
    "other",
]


class Category(OpenModel):
    """One class of diagnostics."""

    id: Annotated[KnownCategory | str, Field(description="the set is open; a reader keeps ids that it does not know")]
    title: str
    description: str = ""
    aliases: list[str] = Field(default=[], description="names that mean the same class")


class DiagnosticTaxonomy(OpenModel):
    """All classes; every taxonomy has one called other."""

    schema_: Literal["mens_diagnostic_taxonomy_v1"] = Field(alias="schema")
    schema_version: Literal[1] = 1
    categories: list[Category] = Field(min_length=1)


def document() -> dict[str, object]:
    """Return our own taxonomy as such a document."""
    rows = [
        {"id": one.id, "title": one.title, "description": one.description, "aliases": list(one.aliases)}
        for one in CATEGORIES
    ]
    return {"schema": ID, "schema_version": 1, "categories": rows}
