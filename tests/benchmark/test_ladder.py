"""The context ladder: lengths by the server's count, quality with n and loss, where it ends and why."""

from statistics import median

import pytest
from benchmark.benched import asked_as, benched, benched_by
from benchmark.test_measured import answered

from mens_console.load.types import Outcome

ALONE = {"batches": (), "requests": 0}


def code_in(prompt):
    """Return the right answer to an item."""
    name = prompt.rpartition("the code of the ")[2].split(" ")[0]
    return prompt.partition(f"The code of the {name} box is ")[2][:6]


def rungs(document):
    return {one["tokens"]: one for one in document["context"]}


async def test_every_rung_has_its_length_its_items_and_its_gaps():
    document, measured, rows = await benched(context=(2048, 1024), items=6, **ALONE)
    assert [one["tokens"] for one in document["context"]] == [1024, 2048]
    for tokens, rung in rungs(document).items():
        assert (rung["quality"], rung["quality_n"], rung["quality_loss"], rung["failed"]) == (1.0, 6, 0.0, 0)
        assert abs(rung["prompt_tokens"] - tokens) <= 0.02 * tokens
        assert rung["tokenizer"] == "server"
        made = asked_as(rows, f"context{tokens}")
        assert len(made) == 6
        (step,) = [one for one in measured.steps if one.tokens == tokens]
        assert len(step.latent.gaps) == sum(len(row["gaps"]) for row in made) > 6 * 8
        assert rung["ms_per_token_n"] == len(step.latent.seen)
        assert rung["ms_per_token"] == pytest.approx(1000 * median(step.latent.seen), abs=0.001)
    assert measured.failures == []


async def test_a_window_of_exactly_the_rung_takes_prompt_and_answer():
    document, measured, _ = await benched(knobs={"context": 4096}, context=(4096,), items=2, **ALONE)
    assert rungs(document)[4096]["quality"] == 1.0
    assert measured.failures == []


async def test_it_ends_where_the_server_refuses_the_length():
    document, measured, _ = await benched(knobs={"context": 2048}, context=(1024, 2048, 4096, 8192), **ALONE)
    found = rungs(document)
    assert list(found) == [1024, 2048, 4096]
    refused = found[4096]
    assert (refused["quality"], refused["quality_n"], refused["quality_loss"]) == (None, 0, None)
    assert (refused["ms_per_token"], refused["ms_per_token_n"], refused["failed"]) == (None, 0, 1)
    told = next(one for one in document["notes"] if "ladder ends" in one)
    assert "ends at 4096: the server refuses" in told
    assert "maximum context length is 2048" in told
    assert told.endswith("not tried: 8192")
    assert measured.failures == []  # that is where the ladder's top was found


async def test_it_ends_where_too_much_is_lost():
    document, _, _ = await benched(knobs={"recall": 2048}, context=(1024, 2048, 4096, 8192), **ALONE)
    assert {tokens: one["quality_loss"] for tokens, one in rungs(document).items()} == {1024: 0.0, 2048: 0.0, 4096: 1.0}
    assert any("loses 100.0 % of the shortest rung's quality" in one for one in document["notes"])


async def test_loss_is_a_share_of_the_shortest_rungs_quality():
    def answer(number, id, prompt, tokens):
        place = int(id.rpartition("-")[2]) if id[-1].isdigit() else 0
        right = place % 5 != 0 if id.startswith("context1024") else place % 5 < 2
        return answered(id, tokens, prompt_tokens=len(prompt.split()), text=code_in(prompt) if right else "000000")

    document, _, _ = await benched_by(answer, context=(1024, 2048), items=20, **ALONE)
    found = rungs(document)
    assert (found[1024]["quality"], found[2048]["quality"]) == (0.8, 0.4)
    assert found[2048]["quality_loss"] == pytest.approx(0.5)


async def test_a_failed_request_answers_nothing_rightly():
    def answer(number, id, prompt, tokens):
        if id.startswith("context1024-") and int(id.rpartition("-")[2]) % 4 == 0:
            return Outcome(id, "http", 500, "HTTP 500: no")
        code = code_in(prompt)
        return answered(id, tokens, prompt_tokens=len(prompt.split()), text=code)

    document, measured, _ = await benched_by(answer, context=(1024,), items=20, **ALONE)
    rung = rungs(document)[1024]
    assert (rung["quality"], rung["quality_n"], rung["failed"], rung["quality_loss"]) == (0.75, 20, 5, 0.25)
    assert "context 1024: 5 requests failed" in measured.failures


async def test_failures_of_the_shortest_rung_do_not_make_others_look_better():
    def answer(number, id, prompt, tokens):
        place = int(id.rpartition("-")[2]) if id[-1].isdigit() else 0
        if id.startswith("context1024-") and place % 20 == 0:
            return Outcome(id, "http", 500, "HTTP 500: no")
        right = not id.startswith("context2048-") or place % 10
        return answered(id, tokens, prompt_tokens=len(prompt.split()), text=code_in(prompt) if right else "1")

    document, _, _ = await benched_by(answer, context=(1024, 2048), items=20, **ALONE)
    found = rungs(document)
    assert (found[1024]["quality"], found[1024]["quality_loss"]) == (0.95, pytest.approx(0.05))
    assert (found[2048]["quality"], found[2048]["quality_loss"]) == (0.9, pytest.approx(0.1))  # of 1.0, not of 0.95


async def test_a_rung_that_only_fails_has_no_quality_and_ends_it():
    def answer(number, id, prompt, tokens):
        if id.startswith("context2048-"):
            return Outcome(id, "timeout", None, "no token within 600 s")
        code = code_in(prompt)
        return answered(id, tokens, prompt_tokens=len(prompt.split()), text=code)

    document, measured, client = await benched_by(answer, context=(1024, 2048, 4096), items=20, **ALONE)
    found = rungs(document)
    assert list(found) == [1024, 2048]
    assert (found[2048]["quality"], found[2048]["quality_n"], found[2048]["failed"]) == (None, 0, 3)
    assert any("3 of 3 requests failed, the last ones with timeout" in one for one in document["notes"])
    assert measured.failures
    assert sum(one["id"].startswith("context2048-") for one in client.asked) == 3


async def test_a_server_that_cuts_long_prompts_has_no_such_rung():
    def answer(number, id, prompt, tokens):
        code = code_in(prompt)
        return answered(id, tokens, prompt_tokens=min(len(prompt.split()), 1500), text=code)

    document, _, _ = await benched_by(answer, context=(1024, 2048), **ALONE)
    found = rungs(document)
    assert found[1024]["quality"] == 1.0
    assert found[2048]["quality"] is None
    assert any("no prompt of" in one and "the server counts" in one for one in document["notes"])


async def test_nothing_can_be_lost_where_nothing_was_right():
    document, _, _ = await benched_by(
        lambda number, id, prompt, tokens: answered(id, tokens, prompt_tokens=len(prompt.split()), text="no idea"),
        context=(1024, 2048), **ALONE,
    )  # fmt: skip
    rung = rungs(document)[1024]
    assert (rung["quality"], rung["quality_loss"]) == (0.0, None)
    assert list(rungs(document)) == [1024]
    assert any("nothing can be lost" in one for one in document["notes"])


async def test_a_model_that_stops_by_itself_is_asked_to_go_on_at_each_item():
    def answer(number, id, prompt, tokens):
        code = code_in(prompt)
        long = "very long story" in prompt
        said = tokens if long and id.startswith("context") else min(tokens, 2)
        return answered(id, said, prompt_tokens=len(prompt.split()), text=f"{code} once upon", finish="stop")

    document, _, _ = await benched_by(answer, context=(1024,), requests=2, batches=())
    rung = rungs(document)[1024]
    assert rung["quality"] == 1.0
    assert rung["ms_per_token_n"] > 5 * 5


async def test_tokens_that_come_by_threes_do_not_take_no_time():
    def answer(number, id, prompt, tokens):
        gaps = tuple(0.03 if place % 3 == 2 else 0.0 for place in range(tokens - 1))
        code = code_in(prompt)
        return answered(id, tokens, gaps_s=gaps, prompt_tokens=len(prompt.split()), text=code)

    document, _, _ = await benched_by(answer, context=(1024,), **ALONE)
    assert rungs(document)[1024]["ms_per_token"] == 30.0
    assert any("came in one piece" in one and "not seen" in one for one in document["notes"])


async def test_a_slow_rung_ends_it():
    def answer(number, id, prompt, tokens):
        code = code_in(prompt)
        gap = 0.3 if id.startswith("context2048") else 0.2
        return answered(id, tokens, gap=gap, prompt_tokens=len(prompt.split()), text=code)

    document, _, _ = await benched_by(answer, context=(1024, 2048, 4096), **ALONE)
    assert list(rungs(document)) == [1024, 2048]
    assert any("300 ms a token are over 250" in one for one in document["notes"])
