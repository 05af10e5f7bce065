"""The lines that the shipped profiles draw for what a benchmark measures, as they are written there. No verdicts."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from mens_console.gate.profiles import load

PROFILES: Final = ("phase3-release", "phase3-sprint")


@lru_cache(maxsize=1)
def lines() -> dict[str, tuple[str, str]]:
    """Return by metric what passes in the release and the sprint profile: `>=120`, "" where one draws no line."""
    by_profile = [_of(name) for name in PROFILES]
    names = set().union(*by_profile)
    return {name: (by_profile[0].get(name, ""), by_profile[1].get(name, "")) for name in names}


def _of(profile: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in load(profile).criteria:
        if one.passes is not None:
            found[one.metric] = one.passes.text
        for name, band, _ in one.requires:
            found[name] = band.text
    return found
