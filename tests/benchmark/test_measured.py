"""What a benchmark tells of the fake server, against that server's own record, and of servers that are odd."""

from statistics import fmean, stdev

import numpy as np
import pytest
from benchmark.benched import Requests, asked_as, benched, benched_by, plan

from mens_console.benchmark.bench import Bench
from mens_console.load.client import Client
from mens_console.load.types import Outcome


def of(document, part, **keys):
    """Return the one entry of a part of a document with these values."""
    found = [one for one in document[part] if all(one[key] == value for key, value in keys.items())]
    assert len(found) == 1, found
    return found[0]


def answered(id, tokens, *, gap=0.001, **more):
    """Return what a good server's answer comes to."""
    gaps = (gap,) * (tokens - 1)
    fields = {"ttft_s": 0.004, "gaps_s": gaps, "e2e_s": 0.004 + sum(gaps), "prompt_tokens": 50, "output_tokens": tokens,
              "tokens_by": "server", "chunks": tokens, "finish": "length"}  # fmt: skip
    return Outcome(id, **(fields | more))


async def test_throughput_is_all_tokens_over_the_time_until_all_are_done():
    document, _, rows = await benched(batches=(1, 4), runs=3, tokens=40)
    for batch in (1, 4):
        told = of(document, "throughput", batch=batch)
        made = asked_as(rows, f"batch{batch}")
        assert len(made) == 3 * batch
        assert {row["tokens"] for row in made} == {40}
        assert (told["n"], told["failed_runs"], told["short_runs"], told["tokenizer"]) == (3, 0, 0, "server")
        assert told["mean"] == pytest.approx(fmean(told["runs"]))
        assert told["sd"] == pytest.approx(stdev(told["runs"]))
        made.sort(key=lambda row: row["at"])
        for number, rate in enumerate(told["runs"]):
            run = made[batch * number : batch * (number + 1)]
            server_s = max(row["last"] for row in run) - min(row["at"] for row in run)
            # The client's time holds the server's; what is between them is the box's, and bounded loosely.
            assert batch * 40 / (server_s + 5) < rate <= batch * 40 / server_s


async def test_latencies_are_the_servers_own_and_every_gap_is_kept():
    document, measured, rows = await benched(knobs={"gap_ms": 4.0}, requests=8, answer_tokens=30)
    told = of(document, "latency", batch=1)
    made = asked_as(rows, "latency")
    assert (told["requests"], told["failed"]) == (8, 0)
    assert told["ttft_ms"]["n"] == 8
    assert len(measured.latent.gaps) == 8 * 29
    assert told["itl_ms"]["n"] == sum(often for _, often in told["itl_ms"]["counts"]) == len(measured.latent.seen)
    for level, share in (("p50", 50), ("p95", 95), ("p99", 99)):
        expected = 1000 * np.percentile(measured.latent.seen, share, method="inverted_cdf")
        assert told["itl_ms"][level] == pytest.approx(expected, abs=0.001)
    server_ms = sum(gap for row in made for gap in row["gaps"])
    assert 1000 * sum(measured.latent.gaps) == pytest.approx(server_ms, abs=8 * 1000)  # what lies between is the box's
    assert all(one > 0 for one in measured.latent.ttft)
    assert told["ttft_ms"]["max"] <= told["e2e_ms"]["max"]


async def test_the_warm_up_comes_first_and_is_in_no_figure():
    document, measured, rows = await benched(warmup=3, batches=(1,), runs=1, requests=2)
    order = [str(row["id"]).rpartition("-")[0] for row in rows]
    assert document["warmup"] == 3 == order.count("warmup")
    assert order.index("batch1") > max(place for place, one in enumerate(order) if one == "warmup")
    assert len(rows) == order.count("bench") + 3 + 1 + 2
    assert measured.failures == []


async def test_prompts_have_their_length_by_the_servers_count():
    prompts = []

    class Kept(Client):
        async def ask(self, prompt, **more):
            outcome = await super().ask(prompt, **more)
            prompts.append((more["id"].rpartition("-")[0], outcome.prompt_tokens))
            return outcome

    await benched(client=Kept, batches=(1,), context=(1024,))
    assert {tokens for part, tokens in prompts if part in ("batch1", "latency", "warmup")} == {50}
    assert all(1004 <= tokens <= 1024 for part, tokens in prompts if part == "context1024")


async def test_a_run_with_a_failed_request_is_no_run():
    def answer(number, id, prompt, tokens):
        return Outcome(id, "http", 500, "HTTP 500: no") if number % 3 == 0 else answered(id, tokens)

    document, measured, _ = await benched_by(answer, runs=6, batches=(1, 4), requests=30, warmup=0)
    told = of(document, "throughput", batch=1)
    assert (told["n"], told["failed_runs"]) == (4, 2)
    assert len(told["runs"]) == 4
    of_four = of(document, "throughput", batch=4)
    assert (of_four["n"], of_four["mean"], of_four["sd"], of_four["failed_runs"]) == (0, None, None, 6)
    latency = of(document, "latency", batch=1)
    assert (latency["requests"], latency["failed"], latency["ttft_ms"]["n"]) == (30, 10, 20)
    assert any("2 of 6 runs had a failed request" in one for one in measured.failures)


async def test_a_run_that_stops_short_is_no_run_and_says_so():
    document, measured, _ = await benched_by(
        lambda number, id, prompt, tokens: answered(id, min(tokens, 12), finish="stop"), runs=3, tokens=40
    )
    told = of(document, "throughput", batch=1)
    assert (told["runs"], told["mean"], told["n"], told["failed_runs"], told["short_runs"]) == ([], None, 0, 0, 3)
    assert any("3 of 3 runs stopped short of 40 tokens" in one for one in measured.failures)


async def test_a_server_is_asked_not_to_stop_where_it_takes_that():
    _, measured, rows = await benched(knobs={"answer_tokens": 7}, tokens=40)
    assert {row["tokens"] for row in asked_as(rows, "batch1")} == {40}
    assert measured.failures == []


async def test_a_server_that_refuses_ignore_eos_or_usage_is_asked_without():
    def answer(number, id, prompt, tokens):
        if client.asked[-1]["ignore_eos"] or client.usage:
            return Outcome(id, "http", 400, "HTTP 400: unknown field")
        return answered(id, tokens, prompt_tokens=None, tokens_by="whitespace")

    client = Requests(answer)
    bench = Bench(plan(), lambda progress: None)
    await bench.run(client)
    assert not any(one["ignore_eos"] for one in client.asked[4:])
    assert bench.measured.failures == []
    assert any("does not take ignore_eos" in one for one in bench.measured.notes)
    assert len(bench.measured.speeds[0].rates) == 2


async def test_without_usage_tokens_are_blanks_and_flagged():
    document, _, rows = await benched(knobs={"usage": False}, batches=(1, 4), context=(1024,))
    assert {one["tokenizer"] for one in document["throughput"]} == {"whitespace"}
    rung = of(document, "context", tokens=1024)
    assert (rung["tokenizer"], rung["prompt_tokens"], rung["quality"]) == ("whitespace", None, 1.0)
    assert any("does not count tokens" in one for one in document["notes"])
    assert rows


async def test_several_tokens_in_a_chunk_are_told_and_all_of_them_counted():
    document, measured, rows = await benched(knobs={"tokens_per_chunk": 5}, tokens=40, requests=4, answer_tokens=20)
    assert {row["tokens"] for row in asked_as(rows, "batch1")} == {40}
    told = of(document, "throughput", batch=1)
    assert (told["n"], told["tokens_per_run"]) == (2, 40)
    assert len(measured.latent.gaps) == 4 * 3  # between chunks
    assert any("tokens came 5.0 to a chunk (batch 1, latency)" in one for one in document["notes"])


async def test_chunks_smaller_than_tokens_leave_no_gap_between_tokens():
    def answer(number, id, prompt, tokens):
        return answered(id, tokens, chunks=4 * tokens, gaps_s=(0.001,) * (4 * tokens - 1))

    document, measured, _ = await benched_by(answer, requests=4)
    itl = of(document, "latency", batch=1)["itl_ms"]
    assert (itl["n"], itl["p50"]) == (0, None)
    assert any("gaps between them are none of tokens" in one for one in measured.failures)


async def test_batches_tell_their_latencies_and_when_all_were_done():
    document, measured, rows = await benched(batches=(4,), runs=3, requests=0, tokens=10)
    told = of(document, "latency", batch=4)
    assert (told["requests"], told["ttft_ms"]["n"], len(measured.speeds[0].latent.gaps)) == (12, 12, 12 * 9)
    took = sorted(40 / rate for rate in of(document, "throughput", batch=4)["runs"])
    assert told["time_to_complete_ms"] == pytest.approx(1000 * took[1], rel=0.001)
    made = asked_as(rows, "batch4")
    assert told["time_to_complete_ms"] > 1000 * min(row["last"] - row["at"] for row in made)


async def test_efficiency_is_against_one_gpu_at_the_same_batch():
    document, _, _ = await benched(gpus=2, batches=(1, 4), runs=1, requests=0, single={1: 100.0})
    told = of(document, "throughput", batch=1)
    assert told["gpus"] == 2
    assert told["efficiency"] == pytest.approx(told["mean"] / 200.0)
    assert "efficiency" not in of(document, "throughput", batch=4)


async def test_a_server_that_was_never_there_ends_it_with_a_sentence():
    document, measured, client = await benched_by(
        lambda number, id, prompt, tokens: Outcome(id, "connect", None, "nobody listens there")
    )
    assert measured.empty
    assert len(client.asked) < 10
    assert measured.failures == ["given up: the server fails at a prompt of 13 words: connect: nobody listens there"]
    assert (document["throughput"], document["latency"], document["context"]) == ([], [], [])


async def test_a_server_that_dies_leaves_what_was_measured_and_is_not_asked_for_ever():
    def answer(number, id, prompt, tokens):
        if id.startswith("batch4") or answer.dead:
            answer.dead = True
            return Outcome(id, "connect", None, "nobody listens there")
        return answered(id, tokens)

    answer.dead = False
    document, measured, client = await benched_by(answer, batches=(1, 4, 8), runs=5, context=(1024,))
    assert of(document, "throughput", batch=1)["n"] == 5
    assert of(document, "latency", batch=1)["failed"] == 0
    told = of(document, "throughput", batch=4)
    assert (told["n"], told["mean"], told["failed_runs"]) == (0, None, 3)
    assert [one["batch"] for one in document["throughput"]] == [1, 4]
    assert document["context"] == []
    assert "given up: the server does not answer: connect: nobody listens there" in measured.failures
    assert len(client.asked) < 50


async def test_a_batch_that_fails_does_not_end_what_a_living_server_still_does():
    def answer(number, id, prompt, tokens):
        return Outcome(id, "http", 500, "HTTP 500: no memory") if id.startswith("batch4") else answered(id, tokens)

    document, _, _ = await benched_by(answer, batches=(4, 8))
    assert of(document, "throughput", batch=4)["n"] == 0
    assert of(document, "throughput", batch=8)["n"] == 2


@pytest.mark.parametrize(("zeros", "n", "p50"), [(4, 99, 10.0), (60, 39, 10.0)])
async def test_gaps_that_nobody_saw_do_not_make_a_server_fast(zeros, n, p50):
    def answer(number, id, prompt, tokens):
        return answered(id, tokens, gaps_s=(0.0,) * zeros + (0.01,) * (tokens - 1 - zeros))

    document, measured, _ = await benched_by(answer, requests=1, answer_tokens=100)
    itl = of(document, "latency", batch=1)["itl_ms"]
    assert (itl["n"], itl["p50"]) == (n, p50)
    assert any("60 of 99" in one for one in measured.notes) is (zeros == 60)


async def test_failures_are_counted_by_what_was_wrong():
    def answer(number, id, prompt, tokens):
        failed = Outcome(id, "timeout", 200, f"not done within 2 s, after {number} chunks")
        return failed if id.startswith("latency") and number % 2 else answered(id, tokens)

    document, _, _ = await benched_by(answer, requests=6)
    assert "3 requests failed with timeout: not done within 2 s" in document["notes"]
