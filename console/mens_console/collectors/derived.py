"""What follows from the attempts of one request: time to the first valid output, stall, tokens, and the closed record.

Pure functions of rows as they are written; nothing is timed or written here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

RUNTIME_KPI: Final = "vox_runtime_generation_kpi_v1"
SURFACES: Final = ("vox-cli", "mcp")
"""The only surfaces that the closed contract knows."""
_TRUEST: Final = ("model", "other", "whitespace", "unknown")


@dataclass(frozen=True, slots=True)
class Attempts:
    """The rows of one request's attempts, in order; at least one. `tokenizers` counted the tokens of their outputs."""

    rows: Sequence[Mapping[str, Any]]
    validated: bool
    tokenizers: Collection[str] = ()

    def facts(self) -> dict[str, Any]:
        """Return the event's derived fields."""
        last = self.rows[-1]
        valid = next((row for row in self.rows if row["compile_pass"]), None)
        answered = last["output_bytes"] is not None
        failed = last["compile_pass"] is False
        return {
            "time_to_first_valid_ms": None if valid is None else round(valid["start_ms"] + valid["duration_ms"], 3),
            "success": last["compile_pass"] is True if self.validated else answered,
            "compile_pass": last["compile_pass"],
            "canonical_pass": last["canonical_pass"],
            "repair_stalled": self.stalled(),
            "tokenizer": self.tokenizer(),
            "prompt_tokens": self.total("prompt_tokens"),
            "output_tokens": self.total("output_tokens"),
            "failure_category": most(last["diagnostics"]) if failed else None,
        }

    def stalled(self) -> bool | None:
        """Say whether neither of the last two repairs left fewer diagnostics than there were before it.

        None where fewer than two repairs were made or an output's diagnostics are unknown. A request that ends with a
        valid output has not stalled.
        """
        if len(self.rows) < 3:
            return None
        if self.rows[-1]["compile_pass"]:
            return False
        counts = [None if row["diagnostics"] is None else sum(row["diagnostics"].values()) for row in self.rows[-3:]]
        known: list[int] = [count for count in counts if count is not None]
        return None if len(known) < 3 else known[1] >= known[0] and known[2] >= known[1]

    def total(self, name: str) -> int | None:
        """Return the sum over attempts that have an output, None where one of these was not counted."""
        counts = [row[name] for row in self.rows if row["output_bytes"] is not None]
        return None if None in counts else sum(counts)

    def tokenizer(self) -> str:
        """Return how tokens were counted, by the weakest way of any attempt."""
        ways = sorted(self.tokenizers) or ["unknown"]
        return max(ways, key=lambda way: _TRUEST.index(way) if way in _TRUEST else 1)


def most(diagnostics: Mapping[str, int] | None) -> str | None:
    """Return the class of most diagnostics, the first by name among equals; None where there are none."""
    return max(sorted(diagnostics), key=lambda name: diagnostics[name]) if diagnostics else None


def runtime_kpi(event: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the `vox_runtime_generation_kpi_v1` of an event; None for a surface that the closed contract knows not.

    That contract has no null for stall, tokens and failures of the surface's format: what the event does not know is
    false and 0 there, which is why the event is the one to read.
    """
    if event["surface"] not in SURFACES:
        return None
    rows = event["attempts"]
    first_valid = event["time_to_first_valid_ms"]
    looked_at = [row["strictness"] for row in rows if row["strictness"] is not None]
    canonical = [row["canonical_pass"] for row in rows if row["compile_pass"] and row["canonical_pass"] is not None]
    return {
        "schema": RUNTIME_KPI,
        "schema_version": 1,
        "surface": event["surface"],
        "success": event["success"],
        "validate_requested": event["validate_requested"],
        "compile_pass": event["compile_pass"],
        "canonical_pass": event["canonical_pass"],
        "attempts": len(rows),
        "repair_stalled": bool(event["repair_stalled"]),
        "time_to_first_valid_ms": None if first_valid is None else round(first_valid),
        "output_tokens": event["output_tokens"] or 0,
        "surface_contract_failures": sum(bool(row["surface_contract_failed"]) for row in rows),
        "strictness_failures": sum(map(bool, looked_at)) if looked_at else None,
        "canonicalization_failures": canonical.count(False) if canonical else None,
        "failure_category": event["failure_category"],
    }
