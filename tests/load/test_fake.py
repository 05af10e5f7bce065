"""The fake server against its own word: what it says it did is what a client sees, and it goes wrong when told."""

import asyncio
import io
import json
import random

import psutil
import pytest

pytest.importorskip("aiohttp", reason="the extra `load` is not installed")

from mens_console.load.client import Client
from mens_console.load.endpoint import endpoint_of
from mens_console.load.fake import Entry, FakeServer, Knobs, Script, Truth, knobs_of
from mens_console.load.fake.generation import fate_of, found_in

QUICK = {"ttft_ms": 2, "gap_ms": 1}


def server_of(script=(), *, seed=0, truth=None, **knobs):
    return FakeServer(knobs_of({**QUICK, **knobs}), Script(tuple(script)), seed=seed, truth=truth)


def client_of(server, model="fake-model", **more):
    return Client(endpoint_of(server.url, more.pop("api", None)), model, **more)


def jump(server, at):
    """Make it that second after the server began."""
    server.started -= at - server.now


async def ended(server):
    """Return the record of the first generation, once it has ended."""
    while not server.truth.requests:
        await asyncio.sleep(0.005)
    return server.truth.requests[0]


@pytest.mark.parametrize("api", ["chat", "completions"])
async def test_its_record_is_what_a_client_sees(api):
    async with server_of(ttft_ms=30, gap_ms=10) as server, client_of(server, api=api) as client:
        outcomes = [await client.ask("one two three", max_tokens=12, id=f"r-{n}", keep_text=True) for n in range(3)]
        rows = server.truth.requests
    assert [row["id"] for row in rows] == ["r-0", "r-1", "r-2"]
    for outcome, row in zip(outcomes, rows, strict=True):
        assert (outcome.error, row["did"], row["status"]) == (None, "ok", 200)
        assert (outcome.prompt_tokens, outcome.output_tokens, outcome.chunks) == (3, 12, 12)
        assert (row["tokens"], row["chunks"], len(row["gaps"])) == (12, 12, 11)
        assert len(outcome.text.split()) == 12
        assert outcome.ttft_s >= row["first"] - row["at"]
        assert outcome.finish == "length"


async def test_the_same_seed_gives_the_same_words_and_fates():
    async def said(seed):
        knobs = {"cut": 0.2, "empty": 0.2, "malformed": 0.2, "errors": {500: 0.2}}
        async with server_of(seed=seed, **knobs) as server, client_of(server) as client:
            outcomes = [await client.ask("a", max_tokens=3, id=str(n), keep_text=True) for n in range(40)]
        return [(outcome.error, outcome.status, outcome.text) for outcome in outcomes]

    first = await said(1)
    assert first == await said(1)
    assert first != await said(2)
    assert {error for error, _, _ in first} == {None, "cut", "empty", "malformed", "http"}


async def test_every_request_has_the_class_of_what_the_server_did_to_it():
    knobs = {"cut": 0.15, "empty": 0.15, "malformed": 0.15, "errors": {500: 0.1, 302: 0.05}}
    script = [Entry(1000.0, 2000.0, "reset", rate=0.5), Entry(2000.0, 3000.0, "unavailable")]
    classes = {"ok": None, "reset": "connect", "unavailable": "http", "error": "http"}
    outcomes = []
    async with server_of(script, **knobs) as server, client_of(server) as client:
        for at in (0, 1000, 2000):
            jump(server, at)
            asked = (client.ask("a", max_tokens=6, id=f"{at}-{n}") for n in range(60))
            outcomes += await asyncio.gather(*asked)
        while len(server.truth.requests) < len(outcomes):
            await asyncio.sleep(0.005)
        did = {row["id"]: row["did"] for row in server.truth.requests}
    assert len(did) == len(outcomes) == 180
    assert [outcome.error for outcome in outcomes] == [classes.get(did[o.id], did[o.id]) for o in outcomes]
    assert set(did.values()) == {"ok", "cut", "empty", "malformed", "error", "reset", "unavailable"}


def test_shares_are_kept():
    knobs = knobs_of({"cut": 0.1, "empty": 0.05, "errors": {500: 0.2, 429: 0.1}})
    dice = random.Random(0)
    kinds = [fate_of(dice, knobs, []) for _ in range(20_000)]
    for kind, status, share in (("cut", 200, 0.1), ("empty", 200, 0.05), ("error", 500, 0.2), ("error", 429, 0.1)):
        seen = sum(fate.kind == kind and fate.status == status for fate in kinds) / len(kinds)
        assert seen == pytest.approx(share, abs=0.012)


@pytest.mark.parametrize("what", ["cut", "empty", "malformed", "reset"])
async def test_answers_go_wrong_while_the_script_says_so(what):
    async with server_of([Entry(0.0, 1000.0, what)]) as server, client_of(server) as client:
        outcome = await client.ask("a", max_tokens=8, id="1")
        assert (await ended(server))["did"] == what
    assert outcome.error == {"reset": "connect"}.get(what, what)


async def test_a_script_is_over_when_it_is_over():
    script = [Entry(0.0, 1000.0, "errors", status=418), Entry(1000.0, 2000.0, "unavailable")]
    async with server_of(script) as server, client_of(server) as client:
        assert (await client.ask("a", max_tokens=1, id="1")).status == 418
        assert (await client.probe()).ok
        jump(server, 1000)
        assert (await client.ask("a", max_tokens=1, id="2")).status == 503
        assert (await client.probe()).detail == "HTTP 503"
        jump(server, 2000)
        assert (await client.ask("a", max_tokens=1, id="3")).error is None
    assert [row["did"] for row in server.truth.requests] == ["error", "unavailable", "ok"]


def events(server):
    return [row["event"] for row in server.truth.rows if "event" in row]


async def test_down_closes_the_socket_breaks_what_runs_and_comes_back_at_the_same_place():
    falls = server_of([Entry(1.0, 1.4, "down"), Entry(1.3, 1.5, "down")], gap_ms=20)
    async with falls as server, client_of(server) as client:
        assert (await client.probe()).ok
        assert (await client.ask("a", max_tokens=1000, id="long")).error == "cut"
        assert events(server) == ["began", "down"]
        refused = 0
        while events(server)[-1] == "down":  # nobody else gets the port, and no caller reaches itself on it
            outcome, probe = await client.ask("a", max_tokens=1, id="x"), await client.probe()
            if events(server)[-1] == "down":
                assert (outcome.error, outcome.detail, probe.detail) == ("connect", *["connection refused"] * 2)
                refused += 1
        assert refused
        assert (await client.probe()).ok
        assert (await client.ask("a", max_tokens=1, id="y")).error is None
    down, up = (row["at"] for row in server.truth.rows if row.get("event") in ("down", "up"))
    assert down >= 1.0
    assert up >= 1.5
    assert [(row["id"], row["did"]) for row in server.truth.requests if row["did"] != "ok"] == [("long", "broken")]


async def test_a_stall_holds_every_answer_and_only_if_told_its_health():
    script = [Entry(100.0, 100.4, "stall"), Entry(200.0, 260.0, "stall", health=True)]
    async with server_of(script, gap_ms=20) as server, client_of(server, probe_s=5) as client:
        running = asyncio.create_task(client.ask("a", max_tokens=40, id="long"))
        while not server.figures.running:
            await asyncio.sleep(0.005)
        jump(server, 100)
        late = asyncio.create_task(client.ask("a", max_tokens=1, id="late"))
        assert (await client.probe()).ok
        outcome, other = await running, await late
        assert outcome.error is other.error is None
        assert max(*outcome.gaps_s, outcome.ttft_s) > 0.3
        jump(server, 200)
        client.probe_s = 0.2
        assert not (await client.probe()).ok


async def test_stalls_by_chance_and_slowness():
    async with server_of(stall=1.0, stall_s=0.3) as server, client_of(server) as client:
        outcome = await client.ask("a", max_tokens=8, id="1")
        assert (await ended(server))["did"] == "stall"
    assert outcome.e2e_s >= 0.3
    slow = server_of([Entry(0, 1000, "slow", factor=50)], ttft_spread=0, gap_spread=0)
    async with slow as server, client_of(server) as client:
        outcome = await client.ask("a", max_tokens=3, id="1")
    assert outcome.e2e_s >= 0.002 * 50 + 2 * 0.001 * 50


async def test_a_slow_start_refuses_or_answers_503():
    async with server_of(slow_start_s=0.5) as server, client_of(server) as client:
        probe = await client.probe()
        assert probe.detail == "connection refused" or "up" in events(server)
        while "up" not in events(server):
            await asyncio.sleep(0.01)
        assert (await client.probe()).ok
    async with server_of(slow_start_s=1000, slow_start="503") as server, client_of(server) as client:
        assert (await client.probe()).detail == "HTTP 503"


async def test_a_leak_is_really_lost_and_told():
    size = 33 << 20  # more than malloc ever takes from what was freed before
    leaking = server_of([Entry(0, 1000, "leak", bytes=size, kv=0.1)], leak_bytes=size, leak_kv=0.05)
    process = psutil.Process()
    async with leaking as server, client_of(server) as client:
        await client.ask("a", max_tokens=1, id="first")
        before = process.memory_info().rss
        for number in range(3):
            await client.ask("a", max_tokens=1, id=str(number))
        assert process.memory_info().rss - before > 0.8 * 3 * 2 * size
        assert (await client.scrape())["kv_cache"] == pytest.approx(0.6)


@pytest.mark.parametrize("dialect", ["vllm", "vllm-old", "sglang"])
async def test_requests_that_wait_their_turn_are_told_in_every_dialect(dialect):
    knobs = {"concurrency": 2, "queue": 3, "gap_ms": 15, "metrics": dialect, "kv_tokens": 100}
    async with server_of(**knobs) as server, client_of(server) as client:
        tasks = [asyncio.create_task(client.ask("a b", max_tokens=20, id=str(n))) for n in range(6)]
        while server.figures.waiting < 3 or sum(task.done() for task in tasks) < 1:
            await asyncio.sleep(0.005)
        levels = await client.scrape()
        assert (levels["running"], levels["waiting"]) == (2.0, 3.0)
        assert 0 < levels["kv_cache"] <= 1
        outcomes = await asyncio.gather(*tasks)
        assert sorted(str(outcome.status) for outcome in outcomes) == ["200"] * 5 + ["503"]
        assert await client.scrape() == {"kv_cache": 0.0, "running": 0.0, "waiting": 0.0}


async def test_a_request_that_is_given_up_leaves_the_queue():
    async with server_of(concurrency=1, gap_ms=20) as server:
        async with client_of(server) as client:
            first = asyncio.create_task(client.ask("a", max_tokens=30, id="1"))
            while not server.figures.running:
                await asyncio.sleep(0.005)
            async with client_of(server, timeout_s=0.1) as hasty:
                assert (await hasty.ask("a", max_tokens=1, id="2")).error == "timeout"
            assert (await first).error is None
            assert (await client.ask("a", max_tokens=1, id="3")).error is None
        assert server.figures.running == 0


async def test_a_client_that_leaves_is_told_as_such():
    async with server_of(gap_ms=10) as server, client_of(server, timeout_s=0.1) as client:
        assert (await client.ask("a", max_tokens=500, id="1")).error == "timeout"
        assert (await ended(server))["did"] == "left"


PROMPT = "Some words. The code of the {0} box is {1}. More words. The code of the blue box is 222222. " + "x " * 50
QUESTION = "\nQuestion: what is the code of the red box? Answer with its six digits alone."


def test_what_is_hidden_in_a_prompt_is_found_or_not_quite():
    prompt = PROMPT.format("red", 111111) + QUESTION
    assert found_in(prompt, right=True) == "111111"
    assert found_in(prompt, right=False) == "111112"
    assert found_in(prompt.replace("?", "."), right=True) is None
    assert found_in("What is the time?", right=True) is None
    assert found_in("The magic number of Lisbon is 4711. What is the magic number of Lisbon?", right=True) == "4711"
    assert found_in("The secret word for Oslo is: tulip. Which word?", right=False) == "pilut-not"


async def test_it_remembers_up_to_a_length():
    async with server_of(recall=100) as server, client_of(server) as client:
        near, far = ("y " * count + PROMPT.format("red", 111111) + QUESTION for count in (2, 200))
        assert (await client.ask(near, max_tokens=9, id="1", keep_text=True)).text == "111111"
        assert (await client.ask(far, max_tokens=9, id="2", keep_text=True)).text == "111112"


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 400, "no JSON"),
        (b"[]", 400, "no JSON object"),
        ({"model": "other"}, 404, "The model `other` does not exist."),
        ({"messages": []}, 400, "messages are missing"),
        ({"messages": [{"role": "user"}]}, 400, "no content"),
        ({"messages": [{"content": "a"}], "max_tokens": 0}, 400, "at least 1"),
        ({"messages": [{"content": "a"}], "max_tokens": 100}, 400, "maximum context length is 50 tokens"),
    ],
)
async def test_wrong_requests_are_refused_as_real_servers_do(body, status, words):
    async with server_of(context=50) as server, client_of(server) as client:
        async with client._streams.post(
            f"{server.url}/v1/chat/completions", data=body if isinstance(body, bytes) else json.dumps(body)
        ) as response:
            assert response.status == status
            assert words in (await response.json())["error"]["message"]
        assert (await ended(server))["did"] == "refused"


async def test_an_answer_that_is_not_streamed():
    async with server_of() as server, client_of(server) as client:
        body = {"messages": [{"content": [{"type": "text", "text": "a b"}]}], "max_completion_tokens": 5}
        async with client._streams.post(f"{server.url}/v1/chat/completions", json=body) as response:
            told = await response.json()
    assert len(told["choices"][0]["message"]["content"].split()) == 5
    assert told["usage"] == {"prompt_tokens": 2, "completion_tokens": 5, "total_tokens": 7}


async def test_it_stops_by_itself_unless_that_is_to_be_ignored():
    async with server_of(answer_tokens=4, tokens_per_chunk=3) as server, client_of(server) as client:
        short = await client.ask("a", max_tokens=10, id="1")
        full = await client.ask("a", max_tokens=10, id="2", ignore_eos=True)
    assert (short.output_tokens, short.chunks, short.finish) == (4, 2, "stop")
    assert (full.output_tokens, full.chunks, full.finish) == (10, 4, "length")


@pytest.mark.parametrize(
    "raw",
    [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"x" * 99_999,
     b"POST /v1/completions HTTP/1.1\r\nContent-Length: -4\r\n\r\n",
     b"POST /v1/completions HTTP/1.1\r\nContent-Length: 9999999999\r\n\r\n", b"DELETE /v1/models HTTP/1.1\r\n\r\n",
     b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"GET /etc/passwd HTTP/1.0\r\n\r\n"],
)  # fmt: skip
async def test_what_is_no_request_is_answered_and_it_lives_on(raw):
    async with server_of() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(raw)
        writer.write_eof()
        assert (await reader.read()).startswith(b"HTTP/1.1 4")
        writer.close()
        async with client_of(server) as client:
            assert (await client.probe()).ok


async def test_a_request_in_chunks_is_read():
    body = json.dumps({"prompt": "a", "max_tokens": 2}).encode()
    head = b"POST /v1/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    async with server_of() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(head + b"5\r\n" + body[:5] + b"\r\n%x\r\n" % len(body[5:]) + body[5:] + b"\r\n0\r\n\r\n")
        assert b'"completion_tokens": 2' in await reader.read()
        writer.close()


def test_it_listens_to_this_machine_alone_unless_told():
    for host in ("0.0.0.0", "192.0.2.1", "::", "box.example"):
        with pytest.raises(ValueError, match="reached from elsewhere"):
            FakeServer(Knobs(), host=host)
    FakeServer(Knobs(), host="0.0.0.0", any_host=True)


async def test_a_port_that_is_taken_is_an_error():
    async with server_of() as server:
        with pytest.raises(OSError, match="in use"):
            await FakeServer(Knobs(), port=server.port).start()


async def test_its_record_can_be_a_file():
    stream = io.StringIO()
    async with server_of(truth=Truth(stream, keep=False)) as server, client_of(server) as client:
        await client.ask("a", max_tokens=2, id="r-7")
        assert server.truth.rows == []
    rows = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert rows[0]["event"] == "began"
    assert (rows[1]["id"], rows[1]["path"], rows[1]["tokens"]) == ("r-7", "/v1/chat/completions", 2)
