"""What `mens-console gate evidence --json` prints: every file that was looked at, and every value read from it.

Schema `mens-evidence/1`. Null is a value that could not be used; its `trouble` says why. Times are seconds since the
epoch. Fields are only added.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mens_contracts.common import Count, Interval, OpenModel

ID = "mens-evidence/1"


class LookedAt(OpenModel):
    """One file."""

    path: str
    sha256: str = Field(description='of the bytes that were read; "" where it could not be read')
    size: Count = Field(description="bytes")
    mtime: float | None
    kind: str = Field(description='the tool that wrote it; "" where no reader knows it')
    problem: str = Field(description="why it gives nothing")
    notes: list[str] = Field(description="what was left aside, and why")


class Place(OpenModel):
    """Where a value comes from."""

    path: str
    sha256: str
    pointer: str = Field(description="a JSON pointer, or a line")


class Value(OpenModel):
    """One value of a metric."""

    metric: str
    value: float | None
    unit: str
    n: Count | None
    successes: Count | None
    interval: Interval | None = Field(description="the producer's own, 95 %")
    tool: str
    tags: dict[str, str]
    at: float | None = Field(description="when it was measured; the mtime where the file does not say it")
    note: str
    trouble: str = Field(description="why it may not count")
    places: list[Place]


class Evidence(OpenModel):
    """The document."""

    schema_: Literal["mens-evidence/1"] = Field(alias="schema")
    taken_at: float
    digest: str = Field(description="of what the evidence says, whatever its order and folder")
    files: list[LookedAt]
    values: list[Value]
    problems: list[str]
