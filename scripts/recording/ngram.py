"""An interpolated n-gram model in plain Python: small enough to read, slow enough to have a latency.

It is trained on texts of tokens and generates with a temperature, as larger ones do; no recording happens here.
"""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

END = "</s>"


class NGram:
    """Counts of tokens after each context of up to `order` − 1 tokens."""

    def __init__(self, order: int, texts: Iterable[Sequence[str]], *, backoff: float = 0.06) -> None:
        self.order = order
        self._backoff = backoff
        self._counts: list[dict[tuple[str, ...], Counter[str]]] = [defaultdict(Counter) for _ in range(order)]
        for text in texts:
            tokens = [*text, END]
            for place, token in enumerate(tokens):
                for length in range(min(order - 1, place) + 1):
                    self._counts[length][tuple(tokens[place - length : place])][token] += 1
        self.vocabulary = sorted(self._counts[0][()])

    def distribution(self, context: Sequence[str]) -> list[float]:
        """Return the probability of every token of the vocabulary, long contexts first, the rest by backing off."""
        shares = [1e-7] * len(self.vocabulary)
        weight = 1.0
        for length in range(min(self.order - 1, len(context)), -1, -1):
            found = self._counts[length].get(tuple(context[len(context) - length :]))
            if not found:
                continue
            total = sum(found.values())
            kept = weight * (1.0 - self._backoff) if length else weight
            shares = [
                share + kept * found.get(token, 0) / total for share, token in zip(shares, self.vocabulary, strict=True)
            ]
            weight -= kept
        return shares

    def generate(
        self, prompt: Sequence[str], most: int, temperature: float, rng: random.Random, stop: frozenset[str]
    ) -> list[str]:
        """Return at most `most` tokens after the prompt, up to a stop token, which is not among them."""
        tokens = list(prompt)
        for _ in range(most):
            logits = [math.log(share) / temperature for share in self.distribution(tokens[1 - self.order :])]
            top = max(logits)
            weights = [math.exp(logit - top) for logit in logits]
            token = rng.choices(self.vocabulary, weights)[0]
            if token in stop:
                break
            tokens.append(token)
        return tokens[len(prompt) :]
