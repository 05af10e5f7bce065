"""What is said of a server before hours of it: each way in which it cannot be asked, with its cure."""

import json

import pytest

pytest.importorskip("aiohttp", reason="the extra `load` is not installed")

from load.rawserver import GOOD, Raw, reply

from mens_console.load.client import Client
from mens_console.load.endpoint import endpoint_of
from mens_console.load.fake import FakeServer, knobs_of
from mens_console.load.preflight import preflight

QUICK = {"ttft_ms": 1, "gap_ms": 4, "model": "meta/Llama-3.1-8B"}


async def look(url, model="meta/Llama-3.1-8B", *, rate=None, tokens=4, probe_path="", **client):
    async with Client(endpoint_of(url), model, **client) as one:
        return await preflight(one, "Say something", rate=rate, max_tokens=tokens, probe_path=probe_path), one


async def found(*, raw=None, drip=False, close=True, path="", model="meta/Llama-3.1-8B", client=None, **knobs):
    server = FakeServer(knobs_of({**QUICK, **knobs})) if raw is None else Raw(raw, drip=drip, close=close)
    async with server:
        return (await look(server.url + path, model, **(client or {})))[0]


async def test_a_server_that_is_well_is_measured_without_a_word():
    seen = await found(gap_ms=20)
    assert (seen.problems, seen.warnings) == ([], [])
    assert seen.models == ["meta/Llama-3.1-8B"]
    assert seen.probe_path == "/health"
    assert seen.levels == {"kv_cache": 0.0, "running": 0.0, "waiting": 0.0}
    assert seen.measured.tokens == 4
    assert seen.measured.token_s > 0


async def test_a_rate_beyond_what_one_stream_shows_is_a_warning_and_no_problem():
    async with FakeServer(knobs_of(QUICK)) as server:
        seen, _ = await look(server.url, rate=1000, tokens=64)
    assert seen.ok
    assert any("1000 requests/s × 64 tokens = 64,000 tokens/s" in warning for warning in seen.warnings)


@pytest.mark.parametrize(
    ("model", "cure"),
    [("meta/llama-3.1-8b", "did you mean --model meta/Llama-3.1-8B?"), ("Llama-3.1-8B", "meta/Llama-3.1-8B?"),
     ("gpt", "did you mean --model meta/Llama-3.1-8B?")],
)  # fmt: skip
async def test_a_model_that_is_not_there_names_the_nearest(model, cure):
    (problem,) = (await found(model=model)).problems
    assert problem.startswith(f"{model} is no model of the server, which has meta/Llama-3.1-8B; ")
    assert cure in problem


async def test_a_server_that_does_not_mind_names_is_only_warned_of():
    async def handler(reader, writer):
        body = b'{"data": [{"id": "other"}]}' if server.heads[-1].startswith("GET") else GOOD
        writer.write(reply(body=body))

    async with Raw(handler, close=False) as server:
        seen, _ = await look(server.url)
    assert seen.ok
    assert "which has other; the server answers all the same" in " ".join(seen.warnings)


async def test_nobody_listens_and_nobody_knows_the_name():
    async with Raw(b"") as server:
        pass
    (problem,) = (await look(server.url))[0].problems
    assert problem == f"{server.url}/v1/models: connection refused; start the server, or correct the address and port"
    (problem,) = (await look("http://nowhere.invalid"))[0].problems
    assert "nowhere.invalid: unknown name; correct the address" in problem


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (
            reply(301, Location="https://a.example/v1/models"),
            "redirects to https://a.example/v1/models; redirects are not",
        ),
        (reply(401, b"{}"), "HTTP 401; it wants an API key: set $MENS_API_KEY"),
        (reply(403, b"{}"), "HTTP 403; it wants an API key"),
        (reply(body=b"<html>hi</html>", kind="text/html"), "a page of HTML; that is a web page and no API"),
        (b"220 mail.example ESMTP\r\n", "no HTTP: Bad status line: Expected HTTP/"),
        (b"", "closed the connection without an answer; is the server up, and does it speak plain HTTP"),
    ],
)
async def test_the_first_answer_says_enough(raw, words):
    seen = await found(raw=raw)
    assert len(seen.problems) == 1
    assert words in seen.problems[0]
    assert seen.outcome is None
    assert seen.denied == ("HTTP 40" in words)
    assert seen.early == ("closed the connection" in words)


async def test_who_may_be_waited_for_and_who_wants_a_key():
    unready = await found(errors={503: 1.0})
    assert (unready.early, unready.denied) == (True, False)
    broken = await found(errors={500: 1.0})
    assert (broken.early, broken.denied) == (False, False)
    closed = await found(errors={401: 1.0})
    assert (closed.early, closed.denied) == (False, True)


async def test_an_answer_that_somebody_packed_has_its_cure():
    async def handler(reader, writer):
        get = server.heads[-1].startswith("GET")
        packed = b"" if get else b"Content-Encoding: gzip\r\n"
        body = reply(body=b'{"data": [{"id": "m"}]}' if get else GOOD)
        writer.write(body.replace(b"\r\n", b"\r\n" + packed, 1))

    async with Raw(handler, close=False) as server:
        seen, _ = await look(server.url, "m")
    assert "it answers in gzip, though that was not asked for; turn compression off" in seen.problems[0]


async def test_tls_where_none_is_spoken():
    async def handler(reader, writer):
        raise AssertionError

    async with Raw(handler) as server:
        seen, _ = await look(server.url.replace("http:", "https:"), probe_s=0.5, connect_s=0.3)
    assert f"does it speak TLS ({server.url} otherwise)?" in seen.problems[0]


async def test_a_key_that_is_not_accepted():
    assert "it wants an API key: set $MENS_API_KEY" in (await found(key="sk-right-one")).problems[0]
    wrong = await found(key="sk-right-one", client={"key": "sk-wrong-one"})
    assert "the API key is not accepted; look at $MENS_API_KEY, $OPENAI_API_KEY" in wrong.problems[0]
    assert "sk-" not in str(wrong.problems)
    assert (await found(key="sk-right-one", client={"key": "sk-right-one"})).ok


async def test_a_path_that_is_unknown():
    seen = await found(path="/nowhere")
    assert any(
        "HTTP 404: Not Found; that path is unknown there; give the address with its path" in one
        for one in seen.problems
    )


async def test_the_answer_that_is_measured_has_another_beginning_than_the_first():
    async def handler(reader, writer):
        writer.write(reply(body=b'{"data": [{"id": "m"}]}' if server.heads[-1].startswith("GET") else GOOD))

    async with Raw(handler, close=False) as server:
        await look(server.url, "m")
        prompts = [json.loads(body)["messages"][0]["content"] for body in server.bodies if body]
    assert prompts == ["Say something", "Once more. Say something"]


async def test_a_server_without_chat_is_told_of_completions():
    async def handler(reader, writer):
        head = server.heads[-1]
        if head.startswith("GET"):
            writer.write(reply(body=b'{"data": [{"id": "m"}]}'))
        else:
            writer.write(reply(404, b'{"detail": "Not Found"}'))

    async with Raw(handler, close=False) as server:
        seen, _ = await look(server.url, "m")
    assert seen.problems[0].endswith(", or --api completions")


async def test_no_streaming():
    (problem,) = (await found(stream=False)).problems
    assert "it answers without streaming; only streams show the time" in problem


@pytest.mark.parametrize(
    ("status", "cure"),
    [(307, "redirects are not followed"), (400, "correct what it complains of"), (404, "that path is unknown"),
     (429, "it limits how much"), (500, "look into the server's log"), (503, "wait until it is ready")],
)  # fmt: skip
async def test_a_status_has_its_cure(status, cure):
    (problem,) = (await found(errors={status: 1.0})).problems
    assert problem.startswith("http://127.0.0.1:")
    assert f"/v1/chat/completions: HTTP {status}" in problem
    assert cure in problem


async def test_a_server_that_is_not_there_yet():
    seen = await found(slow_start_s=1000, slow_start="503")
    assert any("/health: the health check says HTTP 503; wait until it is ready" in one for one in seen.problems)


@pytest.mark.parametrize(
    ("what", "words"), [("cut", "the server's log"), ("empty", "--prompts"), ("malformed", "no JSON")]
)
async def test_answers_that_go_wrong(what, words):
    (problem,) = (await found(**{what: 1.0})).problems
    assert words in problem


async def test_no_usage_and_several_tokens_in_a_chunk_are_told():
    seen = await found(usage=False)
    assert seen.ok
    assert "decide nothing" in " ".join(seen.warnings)
    seen = await found(tokens_per_chunk=2, client={"tokens": 16})
    assert "16 tokens came in 8 chunks: gaps are between chunks, not tokens" in " ".join(seen.warnings)


async def test_a_server_without_health_is_asked_for_its_models_instead():
    async def handler(reader, writer):
        head = server.heads[-1]
        if head.startswith("GET /v1/models"):
            writer.write(reply(body=b'{"data": [{"id": "m"}]}'))
        else:
            writer.write(reply(body=GOOD) if head.startswith("POST") else reply(404))

    async with Raw(handler, close=False) as server:
        seen, client = await look(server.url, "m")
        assert seen.ok
        assert seen.probe_path == client.probe_path == "/v1/models"
        seen, _ = await look(server.url, "m", probe_path="/up")
        assert "/up: the health check says HTTP 404; name another with --probe-path" in seen.problems[0]


async def test_a_server_that_does_not_know_stream_options_is_asked_without():
    async def handler(reader, writer):
        if server.heads[-1].startswith("GET"):
            writer.write(reply(body=b'{"data": [{"id": "m"}]}'))
        elif b"stream_options" in server.bodies[-1]:
            writer.write(reply(400, b'{"error": {"message": "Unrecognized request argument: stream_options"}}'))
        else:
            writer.write(reply(body=GOOD))

    async with Raw(handler, close=False) as server:
        seen, client = await look(server.url, "m")
        assert seen.ok
        assert (seen.usage, client.usage) == (False, False)


async def test_chunks_that_are_gathered_on_the_way_are_told():
    async def handler(reader, writer):
        writer.write(reply(body=b'{"data": [{"id": "m"}]}' if server.heads[-1].startswith("GET") else GOOD))

    async with Raw(handler, close=False) as server:
        seen, _ = await look(server.url, "m")
    assert "1 of 2 chunks came together with the one before" in " ".join(seen.warnings)


def test_a_key_over_a_network_in_clear_is_told():
    for url, told in (("http://box.example", True), ("http://127.0.0.2:1", False), ("https://box.example", False)):
        assert Client(endpoint_of(url), "m", key="k").tells_key_in_clear is told
    assert not Client(endpoint_of("http://box.example"), "m").tells_key_in_clear
