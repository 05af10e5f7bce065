"""Label values that are safe to publish: bounded in length, free of control characters, and never two for one.

A value that had to be changed carries a digest of what it was, so that two long names stay two series.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2s
from typing import Final, TypeAlias

from mens_console.ingest.text import safe_text

MAX_LABEL: Final = 128
"""Characters of a label's value."""
_DIGEST: Final = 3

Sample: TypeAlias = tuple[str, tuple[str, ...], float]
"""Name of a metric, its label values in the table's order, and the value."""
Samples: TypeAlias = Iterable[Sample]


def label(text: str) -> str:
    """Return foreign text as a label's value, of at most `MAX_LABEL` characters; the same text always the same."""
    shown = safe_text(text)
    if shown == text and len(text) <= MAX_LABEL:
        return text
    digest = blake2s(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST).hexdigest()
    return f"{shown[: MAX_LABEL - len(digest) - 1]}~{digest}"


def told(name: str, labels: tuple[str, ...], value: float | None) -> Samples:
    """Yield the sample, or nothing where the value is unknown (None or NaN): a gap is honest, a zero is not."""
    if value is not None and value == value:
        yield name, labels, float(value)


def one_of(name: str, labels: tuple[str, ...], state: str, states: Iterable[str]) -> Samples:
    """Yield 1 for the state that holds and 0 for every other, so that a series ends at its next scrape."""
    seen = False
    for other in states:
        seen |= other == state
        yield name, (*labels, other), float(other == state)
    if not seen:
        yield name, (*labels, label(state)), 1.0
