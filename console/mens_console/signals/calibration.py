"""How well a model knows what it knows: exact match, cross-entropy, calibration error and what chance would score.

Pure arithmetic on lists of numbers and texts; no model, no clock, no I/O.
"""

from __future__ import annotations

import math
import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

BINS: Final = 15
"""Equal-width bins of the calibration error, as in Guo et al. 2017."""
_NORMAL_FROM: Final = 100.0
_NEGLIGIBLE: Final = 1e-18


def normalised(text: str) -> str:
    """Return `text` as exact match compares it: Unicode NFC, white space at the ends cut and inside collapsed.

    Case and punctuation count: an answer is often code or JSON.
    """
    return " ".join(unicodedata.normalize("NFC", text).split())


def exact_match(
    answers: Iterable[str], references: Iterable[str], normalise: Callable[[str], str] = normalised
) -> float:
    """Return the share of answers that equal their reference after `normalise`, NaN of none.

    Raises ValueError when there are more of one than of the other.
    """
    hits = [normalise(answer) == normalise(reference) for answer, reference in zip(answers, references, strict=True)]
    return sum(hits) / len(hits) if hits else math.nan


def cross_entropy(log_probabilities: Sequence[float]) -> float:
    """Return the mean of `-log p` of the true tokens in nats, NaN of none; a `p` of 0 makes it infinite."""
    return -math.fsum(log_probabilities) / len(log_probabilities) if log_probabilities else math.nan


def _binned(confidences: Sequence[float], bins: int) -> list[list[int]]:
    """Return the places of the confidences in each bin (i/bins, (i+1)/bins]; exactly 0 belongs to the first."""
    if bins < 1:
        raise ValueError(f"a calibration error needs at least one bin, not {bins!r}")
    places: list[list[int]] = [[] for _ in range(bins)]
    for i, p in enumerate(confidences):
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"a confidence lies in [0, 1]: {p!r}")
        places[max(math.ceil(p * bins) - 1, 0)].append(i)
    return places


def expected_calibration_error(confidences: Sequence[float], correct: Sequence[bool], bins: int = BINS) -> float:
    """Return the top-label ECE: Σ over bins of n_b/n · |accuracy_b - mean confidence_b| (Guo et al. 2017).

    `confidences` are the probabilities that the model gave its own answers, `correct` whether they were right; equally
    long. NaN of none. Raises ValueError for a confidence outside [0, 1] or lengths that differ.
    """
    n = len(confidences)
    if n != len(correct):
        raise ValueError(f"{n} confidences but {len(correct)} judgements")
    if not n:
        return math.nan
    gaps = [abs(math.fsum(bool(correct[i]) - confidences[i] for i in bin_)) for bin_ in _binned(confidences, bins)]
    return math.fsum(gaps) / n


def expected_ece(confidences: Sequence[float], bins: int = BINS) -> float:
    """Return the mean ECE of a perfectly calibrated model that states these confidences: what chance alone scores.

    Each answer is an independent Bernoulli draw at its own confidence, so the right answers of a bin follow a Poisson
    binomial law, and the bin adds E|K - Σp| / n. That is summed exactly while the variance of K is under 100, and by
    the normal law σ·√(2/π) beyond, which is then within 0.2 %. NaN of none; ValueError as above.
    """
    n = len(confidences)
    if not n:
        return math.nan
    return math.fsum(_deviation([confidences[i] for i in bin_]) for bin_ in _binned(confidences, bins)) / n


def _deviation(ps: Sequence[float]) -> float:
    """Return E|K - Σp| of a sum K of independent Bernoulli draws with chances `ps`."""
    mean = math.fsum(ps)
    variance = math.fsum(p * (1.0 - p) for p in ps)
    if variance >= _NORMAL_FROM:
        return math.sqrt(2.0 * variance / math.pi)
    # The law of K by adding one draw at a time; `first` is the count that law[0] belongs to. Ends too unlikely to
    # matter are cut, so that ten thousand sure answers cost no more than their spread.
    law, first = [1.0], 0
    for p in ps:
        q = 1.0 - p
        law = [law[0] * q, *(a * q + b * p for a, b in zip(law[1:], law, strict=False)), law[-1] * p]
        while len(law) > 1 and law[0] < _NEGLIGIBLE:
            del law[0]
            first += 1
        while len(law) > 1 and law[-1] < _NEGLIGIBLE:
            law.pop()
    return math.fsum(chance * abs(first + k - mean) for k, chance in enumerate(law))
