"""What is said of a rate, against the arithmetic done by hand."""

import pytest

from mens_console.load.capacity import Measured, capacity_warnings, measured
from mens_console.load.types import Outcome

SEEN = Measured(ttft_s=0.2, token_s=0.02, tokens=11)


def test_little_and_the_tokens_by_hand():
    # 101 tokens take 0.2 + 100 × 0.02 = 2.2 s, so 10/s keep 22 in flight, and offer 1010 tokens/s against 45.9.
    (warning,) = capacity_warnings(SEEN, 10, 101, 60, files=10_000)
    for words in ("10 requests/s × 101 tokens = 1,010 tokens/s",
                  "46 tokens/s (101 tokens in 2.20 s, by the 11 of one answer)",
                  "about 22.0 requests will be in flight at once (10/s × 2.20 s)"):  # fmt: skip
        assert words in warning


def test_what_one_stream_can_do_is_no_warning():
    assert capacity_warnings(SEEN, 1 / 2.3, 101, 60, files=10_000) == []
    assert len(capacity_warnings(SEEN, 1 / 2.1, 101, 60, files=10_000)) == 1


def test_an_answer_that_is_longer_than_the_time_limit():
    first, _ = capacity_warnings(SEEN, 1, 1001, 20, files=10_000)
    assert "1001 tokens takes 20.2 s even alone" in first


def test_files_that_a_stall_would_need():
    assert "10/s × 60 s = 600 requests wait at once" in capacity_warnings(SEEN, 10, 2, 60, files=600)[-1]
    assert capacity_warnings(SEEN, 0.1, 2, 60, files=600) == []


def test_what_an_answer_shows():
    outcome = Outcome("a", ttft_s=0.5, e2e_s=1.5, output_tokens=11, tokens_by="server", chunks=6)
    seen = measured(outcome)
    assert seen == Measured(0.5, pytest.approx(0.1), 11)
    assert seen.tokens_per_s == pytest.approx(11 / 1.5)
    by_blanks = Outcome("a", ttft_s=0.5, e2e_s=1.5, output_tokens=3, tokens_by="whitespace", chunks=6)
    assert measured(by_blanks).token_s == pytest.approx(0.2)
    assert measured(Outcome("a", error="timeout")) is None
    assert measured(Outcome("a", ttft_s=0.5, e2e_s=0.5, output_tokens=1, tokens_by="server", chunks=1)) is None
