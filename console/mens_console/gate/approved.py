"""Who said GO to exactly one evaluation: read from a ledger that holds as a whole, and else nobody did.

It runs OpenSSH where there are signatures to check: call it from a worker.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mens_console.gate.evaluate import with_approvals
from mens_console.gate.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable

    from mens_console.gate.ledger import Chain
    from mens_console.gate.signers import Signers
    from mens_console.gate.types import Evaluation


def approved(
    evaluation: Evaluation, chain: Chain, signers: Callable[[], Signers | None]
) -> tuple[Evaluation, tuple[str, ...]]:
    """Return the evaluation with its approvals, and sentences on words that do not count or speak against it.

    `signers` is asked for only where the ledger has a word on this evaluation. Raises `ToolError` without OpenSSH, and
    whatever `signers` raises.
    """
    if not any(one.decision.digest == evaluation.digest for one in chain.entries):
        return evaluation, ()
    report = verify(chain, signers(), root=Path(), unsigned=evaluation.profile.unsigned)
    if not report.holds:
        return evaluation, (f"no approval counts: {report.problems[0]}",)
    own = [one for one in report.standings if (one.digest, one.release) == (evaluation.digest, evaluation.release)]
    told = tuple(f"NO-GO of {', '.join(one.against)} stands on this evaluation" for one in own if one.against)
    return with_approvals(evaluation, [name for one in own for name in one.approved]), told
