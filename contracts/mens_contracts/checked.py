"""What `mens-console contracts check --json` prints: schema `mens-contract-check/1`. Fields are only added."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mens_contracts.common import Count, OpenModel

Lines = Annotated[
    list[Count], Field(max_length=3, description="the first lines where, from 1; 0 where lines are not known")
]


class Found(OpenModel):
    """How often something was found, and where first."""

    count: Count
    lines: Lines


class Named(Found):
    """The same of a name or a kind of value."""

    name: str
    sample: str = Field(default="", description="the first such value, shortened")


class CheckedField(OpenModel):
    """One field of the contract, `a.b` inside objects, `[]` in lists, `.*` in maps; rows of an event begin `event:`."""

    field: str
    wants: str
    required: bool
    objects: Count = Field(description="objects in which it could stand")
    present: Count = Field(description="those that carry it under its own name; 0 of what lists and maps hold")
    missing: Found
    aliased: list[Named] = Field(description="other names that it came under")
    wrong: list[Named] = Field(description="values that are not what it wants, by what they are")


class UnknownField(Named):
    """A field that the contract does not know: kept, unless the contract is closed."""

    nearest: str = Field(description='the known field that it is most like, "" where none is')
    drifted: bool = Field(description="that field is missing wherever this one stands, and the names are much alike")
    refused: bool = Field(description="the contract is closed")


class CheckedContract(OpenModel):
    """The objects of one contract in a file."""

    contract: str
    objects: Count
    fields: list[CheckedField]
    unknown: list[UnknownField]
    unknown_unlisted: Count = Field(description="objects' unknown fields beyond the first 1000 names")


class CheckedFile(OpenModel):
    """One file."""

    path: str
    contract: str | None
    verdict: Literal["fits", "does not fit", "unreadable"]
    problem: str = Field(description="why nothing, or not everything, can be said of it")
    rows: Count
    bad_lines: list[Named]
    notes: list[str]
    contracts: list[CheckedContract]


class ContractCheck(OpenModel):
    """The document."""

    schema_: Literal["mens-contract-check/1"] = Field(alias="schema")
    files: list[CheckedFile]
