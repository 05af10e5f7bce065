"""What needs no server: percentiles with their counts, prompts of a length, the task's items, who counted."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mens_console.benchmark.asking import stopped_short, tokenizer, why
from mens_console.benchmark.haystack import NEEDLES, question, request
from mens_console.benchmark.lengths import Fitted, UnreachableError, fit
from mens_console.benchmark.spread import counted, latency, mean_and_sd
from mens_console.load.types import HTTP, Outcome

SECONDS = st.lists(st.floats(0, 10, allow_nan=False), min_size=1, max_size=200)


@settings(deadline=None)
@given(SECONDS)
def test_percentiles_are_those_of_the_counted_values(seconds):
    block = latency(counted(seconds))
    values = [round(1000 * one, 3) for one in seconds]
    for level, share in (("p50", 50), ("p95", 95), ("p99", 99)):
        assert block[level] == np.percentile(values, share, method="inverted_cdf")
    assert block["n"] == len(seconds) == sum(often for _, often in block["counts"])
    assert block["mean"] == pytest.approx(np.mean(values), abs=0.001)
    if len(values) > 1:
        assert block["sd"] == pytest.approx(np.std(values, ddof=1), abs=0.002)


def test_nothing_measured_is_null_and_never_zero():
    block = latency(counted([]))
    assert (block["n"], block["p50"], block["p99"], block["counts"]) == (0, None, None, [])
    assert mean_and_sd([]) == (None, None)
    assert mean_and_sd([3.0]) == (3.0, None)


@settings(deadline=None)
@given(st.integers(0, 3000), st.integers(0, 40))
def test_an_item_has_its_words_and_each_needle_once(words, number):
    item, bare = question(7, "4096", number, words), question(7, "4096", number, 0)
    assert len(item.prompt.split()) == words + len(bare.prompt.split())
    assert item.prompt.count("The code of the") == NEEDLES
    assert item.prompt.count(item.code) == 1
    assert question(7, "4096", number, words) == item


def test_needles_lie_at_the_depths_that_the_items_tell():
    for number in range(20):
        item = question(3, "8192", number, 5000)
        told = item.prompt.index(item.code) / len(item.prompt)
        assert told == pytest.approx(item.depth, abs=0.03)
    depths = sorted(question(3, "8192", number, 5000).depth for number in range(NEEDLES))
    assert [int(one * NEEDLES) for one in depths] == list(range(NEEDLES))


def test_no_two_prompts_begin_alike_and_all_of_a_length_have_the_same_words():
    prompts = [request(0, number, 200) for number in range(50)]
    assert len({one[:30] for one in prompts}) == 50
    assert len({tuple(sorted(one.replace(".", "").split())) for one in prompts}) == 1
    assert len({one[:12] for one in (question(0, "4096", number, 900).prompt for number in range(50))}) == 50


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("{code}", True), (" The code of the red box is {code}.", True), ("**{code}**", True), ("{code}1", False),
        ("", False), ("no idea", False), ("999999 or {code}", False), ("1{code}", False),
        ("<think>maybe 111111</think>{code}", True), ("<think>{code}", False),
    ],
)  # fmt: skip
def test_an_answer_is_right_if_its_first_number_is_the_code(text, right):
    item = question(0, "4096", 2, 100)
    assert item.answered_by(text.format(code=item.code)) is right


@settings(deadline=None)
@given(st.integers(60, 40_000), st.floats(0.3, 4), st.integers(0, 60))
async def test_a_length_is_found_on_any_line(target, rate, around):
    asked = []

    async def count(words):
        asked.append(words)
        return round(around + rate * words)

    slack = max(round(0.01 * target), math.ceil(rate))
    if target - slack <= around + rate:
        return
    fitted = await fit(count, target - slack, target + slack)
    assert abs(round(around + rate * fitted.words) - target) <= slack
    assert fitted.tokens == round(around + rate * fitted.words)
    assert len(asked) <= 7


async def test_a_first_try_is_far_below_the_length_so_that_it_is_not_refused():
    asked = []

    async def count(words):
        asked.append(words)
        return 2 * words

    await fit(count, 990, 1010)
    assert max(asked) * 2 <= 1010


async def test_a_server_that_cuts_prompts_gives_no_longer_one():
    async def count(words):
        return min(words, 2048)

    with pytest.raises(UnreachableError, match=r"the server counts .*2048 for"):
        await fit(count, 4000, 4096)


async def test_what_comes_nearest_is_told_where_words_are_too_long_to_hit_it():
    async def count(words):
        return 10 + 8 * words

    with pytest.raises(UnreachableError) as raised:
        await fit(count, 52, 54)
    assert raised.value.nearest in (Fitted(5, 50), Fitted(6, 58))


async def test_a_server_that_counts_nothing_is_told_apart():
    async def count(words):
        return None

    assert await fit(count, 990, 1010) == Fitted(1010, None)


def test_one_count_by_blanks_makes_all_of_them_such():
    assert tokenizer(Counter({"server": 5})) == "server"
    assert tokenizer(Counter({"server": 5, "whitespace": 1})) == "whitespace"
    assert tokenizer(Counter({"chunks": 1})) == "whitespace"
    assert tokenizer(Counter()) == "unknown"


@pytest.mark.parametrize(
    ("by", "tokens", "finish", "short"),
    [
        ("server", 99, "length", True), ("server", 100, "stop", False), ("server", 101, "", False),
        ("whitespace", 60, "length", False), ("whitespace", 160, "stop", True), ("whitespace", 60, "", False),
    ],
)  # fmt: skip
def test_who_counts_decides_whether_an_answer_stopped_short(by, tokens, finish, short):
    outcome = Outcome("a", output_tokens=tokens, tokens_by=by, chunks=tokens, finish=finish)
    assert stopped_short(outcome, 100) is short


def test_a_failure_is_told_once():
    assert why(Outcome("a", HTTP, 503, "HTTP 503: the queue is full")) == "HTTP 503: the queue is full"
    assert why(Outcome("a", HTTP, 503)) == "http 503"
    assert why(Outcome("a", "timeout", None, "no token within 60 s")) == "timeout: no token within 60 s"
