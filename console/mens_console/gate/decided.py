"""An earlier decision of a ledger as what a new evaluation is compared with. Pure: whether it is signed is not asked.

A decision tells the verdict on every criterion and the digest of every file, no values; FAIL and UNDERFED are one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from mens_console.gate.statements import subjects

if TYPE_CHECKING:
    from mens_console.gate.ledger import Chain, Entry

_VERDICTS: Final = (("passedTests", "PASS"), ("warnedTests", "CONDITIONAL"), ("failedTests", "FAIL"))


def newest(chain: Chain, profile: str) -> Entry | None:
    """Return the last decision under a profile, on whatever release."""
    return next((one for one in reversed(chain.entries) if one.decision.profile.id == profile), None)


def decided_document(entry: Entry) -> dict[str, Any]:
    """Return what `gate_diff` compares with: the verdicts, without values, conditions and places in files."""
    made = entry.decision
    predicate = json.loads(entry.results.payload).get("predicate")
    told = predicate if isinstance(predicate, dict) else {}
    criteria: list[dict[str, Any]] = [
        {"id": name, "title": name, "verdict": verdict, "value": None, "unit": "", "interval": None, "evidence": []}
        for key, verdict in _VERDICTS
        for name in told.get(key) or ()
        if isinstance(name, str)
    ]
    return {
        "profile": made.profile.id,
        "profile_sha256": made.profile.sha256,
        "release": f"{made.release} ({made.decision} of {made.by.principal}, {made.decided_at})",
        "digest": made.digest,
        "verdict": made.verdict,
        "decision_ready": made.ready,
        "criteria": criteria,
        "files": {one.name: one.sha256 for one in subjects(entry.decided.payload)[1:]},
    }
