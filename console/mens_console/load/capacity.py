"""What a planned rate means for a server that was measured with one request: a warning with its arithmetic. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mens_console.load.types import Outcome

_FILES: Final = 64
"""Files that a driver has open besides its connections, at most."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One answer, alone on the server."""

    ttft_s: float
    token_s: float
    """Seconds a token after the first."""
    tokens: int

    def takes(self, tokens: int) -> float:
        """Return the seconds that an answer of so many tokens takes, alone."""
        return self.ttft_s + max(tokens - 1, 0) * self.token_s

    @property
    def tokens_per_s(self) -> float:
        """Return the tokens a second of that answer, from sending to its last token."""
        return self.tokens / self.takes(self.tokens)


def measured(outcome: Outcome) -> Measured | None:
    """Return what one answer shows; None where it had fewer than two tokens."""
    if outcome.ttft_s is None or outcome.e2e_s is None or not outcome.output_tokens or outcome.chunks < 2:
        return None
    tokens = outcome.output_tokens if outcome.tokens_by == "server" else outcome.chunks
    if tokens < 2:
        return None
    return Measured(outcome.ttft_s, (outcome.e2e_s - outcome.ttft_s) / (tokens - 1), tokens)


def capacity_warnings(
    seen: Measured, rate: float, tokens: int, timeout_s: float, files: int | None = None
) -> list[str]:
    """Say what `rate` requests a second of `tokens` tokens each ask of a server that showed `seen`.

    By Little's law rate × seconds a request are in flight at once. `files` is how many this process may open.
    """
    takes = seen.takes(tokens)
    offered, in_flight, alone = rate * tokens, rate * takes, tokens / takes
    by = "" if seen.tokens == tokens else f", by the {seen.tokens} of one answer"
    warnings = []
    if takes > timeout_s:
        warnings.append(
            f"an answer of {tokens} tokens takes {takes:.1f} s even alone ({seen.ttft_s:.2f} s to the first token, "
            f"{seen.token_s * 1000:.1f} ms for each other one), longer than the time limit of {timeout_s:g} s: "
            "fewer tokens, or a longer --timeout"
        )
    if offered > alone:
        warnings.append(
            f"{rate:g} requests/s × {tokens} tokens = {offered:,.0f} tokens/s, and one stream alone showed "
            f"{alone:,.0f} tokens/s ({tokens} tokens in {takes:.2f} s{by}): about {in_flight:,.1f} requests will be in "
            f"flight at once ({rate:g}/s × {takes:.2f} s), more if they slow each other down. A server that cannot "
            f"work on {in_flight:,.0f} at a time falls behind, and its queue grows until requests time out; "
            "`mens-console bench` shows what it can do"
        )
    files = most_files() if files is None else files
    if files and rate * timeout_s + _FILES > files:
        warnings.append(
            f"should the server stall, {rate:g}/s × {timeout_s:g} s = {rate * timeout_s:,.0f} requests wait at once, "
            f"and this process may open {files} files: raise the limit (ulimit -Hn), or the rate is not kept up"
        )
    return warnings


def most_files() -> int:
    """Return how many files this process may open at most; 0 where that is unknown or without end."""
    try:
        import resource
    except ImportError:
        return 0
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return 0 if hard == resource.RLIM_INFINITY else hard
