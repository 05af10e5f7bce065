"""What somebody probably meant by a metric that nobody knows."""

from __future__ import annotations

from difflib import get_close_matches

from mens_console.gate.metrics import METRICS


def nearest_metric(name: str) -> str:
    """Return the cure of an unknown metric: the nearest ids, or where all of them are told."""
    word = name.lower().replace("-", "_").replace(" ", "_").replace("@", "_at_")
    near = get_close_matches(word, METRICS, n=3, cutoff=0.6) or [one for one in METRICS if word and word in one][:3]
    if near:
        return f"did you mean {' or '.join(near)}?"
    return "metrics are told by `mens-console gate list --metrics`"
