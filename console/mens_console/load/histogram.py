"""Latencies counted in buckets whose width is a fixed share of their value, so that counts of any minutes add up.

The buckets are DDSketch's (Masson, Rim and Lee 2019) with logarithmic mapping: a value read from one is off by at most
`RELATIVE_ERROR` of itself.
"""

from __future__ import annotations

import math
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from ddsketch.mapping import LogarithmicMapping

if TYPE_CHECKING:
    from collections.abc import Iterable

RELATIVE_ERROR: Final = 0.01
LEAST_MS: Final = 0.001
"""Milliseconds; what is shorter counts as this."""
_mapping: Final = LogarithmicMapping(RELATIVE_ERROR)


class Histogram:
    """Counts by bucket, with the exact number, sum, least and greatest. Milliseconds."""

    __slots__ = ("counts", "greatest", "least", "n", "total")

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()
        self.n = 0
        self.total = 0.0
        self.least = math.inf
        self.greatest = -math.inf

    def add(self, milliseconds: float) -> None:
        """Count one value; raises ValueError for NaN, infinity or less than nothing."""
        if not 0 <= milliseconds < math.inf:
            raise ValueError(f"{milliseconds} is no latency")
        self.counts[key(milliseconds)] += 1
        self.n += 1
        self.total += milliseconds
        self.least = min(self.least, milliseconds)
        self.greatest = max(self.greatest, milliseconds)

    def merge(self, other: Histogram) -> None:
        """Count all that another counted, too."""
        self.counts.update(other.counts)
        self.n += other.n
        self.total += other.total
        self.least = min(self.least, other.least)
        self.greatest = max(self.greatest, other.greatest)

    def quantile(self, q: float) -> float | None:
        """Return the least value that a share `q` in (0, 1] does not exceed, within `RELATIVE_ERROR`; None if empty."""
        if not self.n:
            return None
        rank, seen = max(math.ceil(q * self.n - 1e-9), 1), 0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen >= rank:
                return min(max(value(bucket), self.least), self.greatest)
        return self.greatest

    @property
    def mean(self) -> float | None:
        """The exact mean; None if empty."""
        return self.total / self.n if self.n else None

    def buckets(self) -> list[tuple[float, int]]:
        """Return the value and count of every bucket, ascending."""
        return [(value(bucket), self.counts[bucket]) for bucket in sorted(self.counts)]

    def row(self) -> dict[str, Any]:
        """Return it as JSON: keys of buckets ascending (`k`) beside their counts (`c`), and what is exact."""
        if not self.n:
            return {"n": 0}
        keys = sorted(self.counts)
        return {
            "n": self.n, "sum": round(self.total, 3), "min": round(self.least, 4), "max": round(self.greatest, 4),
            "k": keys, "c": [self.counts[one] for one in keys],
        }  # fmt: skip

    @classmethod
    def of_row(cls, row: Any) -> Histogram:
        """Read what `row` wrote; raises ValueError where it is nothing of the kind."""
        made = cls()
        try:
            made.n = _whole(row["n"])
            if made.n:
                made.total, made.least, made.greatest = float(row["sum"]), float(row["min"]), float(row["max"])
                made.counts.update(dict(zip(map(_whole, row["k"]), map(_whole, row["c"]), strict=True)))
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"no histogram ({error!r})") from None
        if made.counts.total() != made.n or min(made.counts.values(), default=1) < 1:
            raise ValueError("its counts do not come to its n")
        return made

    @classmethod
    def of_values(cls, values: Iterable[float]) -> Histogram:
        """Return a histogram of some milliseconds."""
        made = cls()
        for one in values:
            made.add(one)
        return made


def key(milliseconds: float) -> int:
    """Return the bucket of a value."""
    return int(_mapping.key(max(milliseconds, LEAST_MS)))


@lru_cache(maxsize=8192)
def value(bucket: int) -> float:
    """Return the milliseconds that a bucket stands for."""
    return float(_mapping.value(bucket))


def _whole(number: Any) -> int:
    if isinstance(number, bool) or not isinstance(number, int):
        raise TypeError(f"{number!r} is no count")
    return number
