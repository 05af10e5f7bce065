"""Gaps counted many at once: the same histogram as one by one, however they are cut and whenever it is looked at."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mens_console.load.histogram import Histogram
from mens_console.soak import gaps as module
from mens_console.soak.gaps import Gaps

GAP = st.one_of(
    st.integers(0, 80_000).map(lambda hundredths: round(hundredths / 100, 2)),
    st.sampled_from([0.0, 0.01, 655.35, 655.36, 1e6, 2_678_400_000.0]),
    st.floats(0, 5e5, allow_nan=False),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.lists(GAP, max_size=60), st.booleans()), max_size=8), st.integers(1, 50))
def test_what_is_counted_at_once_is_what_is_counted_one_by_one(requests, most):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "_MOST", most)
        plain, made = Histogram(), Histogram()
        waiting = Gaps(made)
        for values, look in requests:
            for value in values:
                plain.add(value)
            waiting.add(values)
            if look:
                waiting.settle()
                assert made.counts == plain.counts
        waiting.settle()
    assert (made.counts, made.n, made.least, made.greatest) == (plain.counts, plain.n, plain.least, plain.greatest)
    assert made.total == pytest.approx(plain.total)
    for q in (0.01, 0.5, 0.99, 1.0):
        assert made.quantile(q) == plain.quantile(q)
