"""What one request came to, as a command line or a server reports it. Contract `vox_runtime_generation_kpi_v1`.

The contract is closed: it is somebody else's, and carries neither task, lane, durations nor how tokens were counted.
What has those is the event of `mens_contracts.event`, from which such a record is derived.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from mens_contracts.common import ClosedModel, Count

ID = "vox_runtime_generation_kpi_v1"
SCHEMA_ID = "https://vox-lang.org/schemas/eval/runtime-generation-kpi.schema.json"
SURFACES = ("vox-cli", "mcp")
"""The only surfaces that the closed contract knows."""


class RuntimeGenerationKpi(ClosedModel):
    """One request: whether what came out was valid, and what it took."""

    model_config = ConfigDict(json_schema_extra={"$id": SCHEMA_ID})

    schema_: Literal["vox_runtime_generation_kpi_v1"] = Field(alias="schema")
    schema_version: Literal[1]
    surface: Literal["vox-cli", "mcp"] = Field(description="what served the request")
    success: bool = Field(description="whether the request gave its caller an output")
    validate_requested: bool = Field(description="whether outputs were to be validated at all")
    compile_pass: bool | None = Field(description="the last output compiles; null where it was not validated")
    canonical_pass: bool | None = Field(description="it validates in its canonical form too; null: not looked at")
    attempts: Annotated[int, Field(ge=1)] = Field(description="outputs generated, the first one included")
    repair_stalled: bool = Field(description="the last two repairs left no fewer diagnostics")
    time_to_first_valid_ms: Count | None = Field(
        description="from the request to the first valid output, milliseconds; null where none was"
    )
    output_tokens: Count = Field(description="tokens of all outputs; by which tokenizer is not told")
    surface_contract_failures: Count = Field(description="outputs that broke the surface's own format")
    strictness_failures: Count | None = Field(default=None, description="outputs with prose or fences around the code")
    canonicalization_failures: Count | None = Field(
        default=None, description="valid outputs without a valid canonical form"
    )
    failure_category: str | None = Field(default=None, description="class of the diagnostic that it failed on")
