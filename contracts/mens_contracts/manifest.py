"""The evidence that a decision rests on, promised beforehand: files, digests, and metrics. Schema `mens-manifest/1`.

What is listed and not there, or has another digest, leaves its metrics without evidence.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mens_contracts.common import Count, OpenModel

ID = "mens-manifest/1"


class ListedFile(OpenModel):
    """One file of evidence."""

    path: str = Field(min_length=1, description="relative to the manifest, and within its folder")
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of its bytes, hexadecimal")]
    size: Count | None = Field(default=None, description="bytes")
    metrics: list[str] = Field(description="ids of the gate's metrics that it gives")


class EvidenceManifest(OpenModel):
    """The document."""

    schema_: Literal["mens-manifest/1"] = Field(alias="schema")
    taken_at: float | None = Field(default=None, description="seconds since the epoch")
    files: list[ListedFile]
