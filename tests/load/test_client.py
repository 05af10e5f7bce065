"""The client against servers that answer oddly, a byte at a time, too late, or not at all."""

import asyncio
import errno
import json
import socket
import ssl
import subprocess
import time

import pytest

pytest.importorskip("aiohttp", reason="the extra `load` is not installed")

from load.rawserver import GOOD, HEAD, Raw, chat, reply, said, sse, usage

from mens_console.load.client import Client
from mens_console.load.endpoint import endpoint_of
from mens_console.load.types import Probe


async def ask(server, *, api="chat", path="/v1", keep_text=True, client=None, **asked):
    async with Client(endpoint_of(server.url + path, api), "m", **(client or {})) as one:
        return await one.ask("Say hello", max_tokens=16, id="r-1", keep_text=keep_text, **asked)


async def outcome_of(raw, **more):
    async with Raw(raw, **{key: more.pop(key) for key in ("drip", "close") if key in more}) as server:
        return await ask(server, **more)


async def test_what_is_sent_and_what_is_told():
    async with Raw(reply(body=GOOD)) as server:
        outcome = await ask(server, client={"key": "sk-abc"}, ignore_eos=True)
        assert server.asked == {
            "model": "m", "max_tokens": 16, "temperature": 0.0, "stream": True, "ignore_eos": True,
            "stream_options": {"include_usage": True}, "messages": [{"role": "user", "content": "Say hello"}],
        }  # fmt: skip
        head = server.heads[0]
    assert head.startswith("POST /v1/chat/completions HTTP/1.1")
    for line in ("X-Request-Id: r-1", "Accept-Encoding: identity", "Authorization: Bearer sk-abc"):
        assert line in head
    assert (outcome.error, outcome.status, outcome.text, outcome.finish) == (None, 200, "Hello world", "stop")
    assert (outcome.prompt_tokens, outcome.output_tokens, outcome.tokens_by, outcome.chunks) == (7, 3, "server", 2)
    assert 0 < outcome.ttft_s <= outcome.e2e_s
    assert len(outcome.gaps_s) == 1


async def test_completions_are_asked_for_with_a_prompt_and_extras_win():
    async with Raw(reply(body=sse(said("a b"), said(" c", "stop")))) as server:
        outcome = await ask(
            server, api="completions", client={"usage": False, "extra": {"temperature": None, "top_k": 1}}
        )
        assert server.asked == {"model": "m", "max_tokens": 16, "stream": True, "top_k": 1, "prompt": "Say hello"}
        assert server.heads[0].startswith("POST /v1/completions ")
    assert (outcome.output_tokens, outcome.tokens_by, outcome.chunks) == (3, "whitespace", 2)


CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(GOOD)
    + GOOD + b"\r\n0\r\n\r\n"
)  # fmt: skip


OPEN = HEAD.replace(b"Connection: close", b"Content-Length: 9999")
"""Of an answer that is longer than what is sent of it."""


@pytest.mark.parametrize(
    "raw",
    [
        HEAD + GOOD,
        HEAD + GOOD.replace(b"\n", b"\r\n"),
        HEAD + GOOD.replace(b"data: ", b"data:"),
        HEAD + b": ping\n\n" + GOOD.replace(b"\n\n", b"\n\n: ping\n\n"),
        HEAD.replace(b"text/event-stream", b"text/plain") + GOOD,
        HEAD.replace(b"Content-Type: text/event-stream\r\n", b"") + b"\xef\xbb\xbf" + GOOD,
        CHUNKED,
        reply(body=GOOD),
    ],
)
async def test_a_good_answer_is_the_same_in_every_form_and_byte_by_byte(raw):
    for drip in (False, True):
        outcome = await outcome_of(raw, drip=drip)
        assert (outcome.error, outcome.text, outcome.output_tokens, outcome.chunks) == (None, "Hello world", 3, 2)


async def test_utf8_that_is_split_between_reads_is_whole_again():
    outcome = await outcome_of(HEAD + sse(chat("Grüße 👋🏽"), chat(" 世界", finish="stop"), "[DONE]"), drip=True)
    assert outcome.text == "Grüße 👋🏽 世界"


async def test_without_done_a_reason_to_finish_is_enough():
    raw = HEAD + sse(chat("a"), chat(finish="length"), usage(1, 1))
    outcome = await outcome_of(raw)
    assert (outcome.error, outcome.finish, outcome.output_tokens, outcome.tokens_by) == (None, "length", 1, "server")


async def test_without_a_reason_done_is_enough():
    assert (await outcome_of(HEAD + sse(chat("a"), "[DONE]"))).error is None


async def test_text_is_kept_only_where_it_is_asked_for():
    assert (await outcome_of(reply(body=GOOD), keep_text=False)).text == ""


async def test_events_of_one_read_have_a_gap_of_nothing_and_are_told():
    outcome = await outcome_of(reply(body=sse(chat("a"), chat("b"), chat("c", finish="stop"), "[DONE]")))
    assert outcome.gaps_s == (0.0, 0.0)
    assert outcome.shared == 2
    assert outcome.detail == "2 of 3 chunks came in one read with the one before"


async def test_each_event_has_the_time_at_which_it_came():
    async def slowly(_, writer):
        writer.write(HEAD + sse(chat("", role="assistant")))
        for word in "abc":
            await asyncio.sleep(0.03)
            writer.write(sse(chat(word)))
        writer.write(sse(chat(finish="stop"), "[DONE]"))

    outcome = await outcome_of(slowly)
    assert outcome.ttft_s >= 0.03
    assert outcome.e2e_s >= 0.09
    assert len(outcome.gaps_s) == 2
    assert outcome.shared == 0 or 0.0 in outcome.gaps_s
    assert outcome.e2e_s == pytest.approx(outcome.ttft_s + sum(outcome.gaps_s))


@pytest.mark.parametrize(
    ("raw", "error", "status", "words"),
    [
        (HEAD + sse(chat("a")), "cut", 200, "ended after 1 chunk"),
        (HEAD + sse(chat("a")) + b'data: {"choices": [{"de', "cut", 200, "ended after 1 chunk"),
        (HEAD, "cut", 200, "before anything was said"),
        (CHUNKED[: CHUNKED.index(b"world")], "cut", 200, "in the middle of the answer"),
        (reply(body=GOOD).partition(b"world")[0], "cut", 200, "in the middle of the answer"),
        (HEAD + sse(chat("", role="assistant"), chat(finish="stop"), "[DONE]"), "empty", 200, "no text had come"),
        (HEAD + sse(chat("a")) + b"data: {oops\n\n", "malformed", 200, "no JSON: {oops"),
        (HEAD + sse(chat("a"), '{"error": {"message": "CUDA error", "code": 500}}'), "http", 500, "CUDA error"),
        (HEAD + sse('{"error": {"message": "busy"}}'), "http", 200, "inside the stream: busy"),
        (reply(body=b'{"error": {"message": "no"}}', kind="application/json"), "http", 200, "with status 200: no"),
        (reply(body=b'\n{"choices": [{"message": {"content": "a"}}]}'), "malformed", 200, "without streaming"),
        (reply(body=b'{"ok": true}', kind="application/json"), "malformed", 200, "JSON and no stream"),
        (reply(body=b"<!doctype html><title>nginx</title>", kind="text/html"), "malformed", 200, "a page of HTML"),
        (reply(body=b"hello there\n", kind="text/plain"), "malformed", 200, "belongs to no event: hello there"),
        (reply(body=b"\x1f\x8b", Content_Encoding="gzip"), "malformed", 200, "answers in gzip"),
        (HEAD + b"data: " + b"x" * (3 << 20), "malformed", 200, "a line of more than 1048576 bytes"),
        (reply(500, b'{"error": {"message": "it\\nbroke\\u001b[2J"}}'), "http", 500, "HTTP 500: it␊broke␛[2J"),
        (reply(404, b'{"detail": "Not Found"}'), "http", 404, "HTTP 404: Not Found"),
        (reply(422, b'{"detail": [{"loc": ["body"], "msg": "field required"}]}'), "http", 422, "422: field required"),
        (reply(503, b"<html>" + b"x" * 99_999, kind="text/html"), "http", 503, "HTTP 503: a page of HTML"),
        (reply(429, b""), "http", 429, "HTTP 429"),
        (reply(204), "http", 204, "HTTP 204"),
        (reply(307, Location="https://u:pw@elsewhere.example/v1?token=1"), "http", 307, "to https://elsewhere.example/v1"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "malformed", None, "that is no HTTP"),
        (b"\x15\x03\x01\x00\x02\x02\x16\r\n\r\n", "malformed", None, "that is no HTTP"),
        (b"", "connect", None, "closed the connection without an answer"),
    ],
)  # fmt: skip
async def test_what_goes_wrong_has_its_class(raw, error, status, words):
    for drip in (False, len(raw) < 5000):
        outcome = await outcome_of(raw, drip=drip)
        assert (outcome.error, outcome.status) == (error, status), outcome
        assert words in outcome.detail
        assert outcome.detail.isprintable()
        assert outcome.e2e_s > 0


async def test_a_body_that_is_not_sent_as_http_has_it_is_malformed():
    raw = HEAD.replace(b"Connection: close", b"Transfer-Encoding: chunked") + b"5\r\ndata:\r\nzz\r\n"
    for drip in (False, True):
        outcome = await outcome_of(raw, drip=drip)
        assert (outcome.error, outcome.chunks) == ("malformed", 0)


async def test_a_redirect_is_never_followed():
    async with Raw(reply(body=GOOD)) as other, Raw(reply(307, Location=f"{other.url}/v1")) as server:
        outcome = await ask(server, client={"key": "sk-secret"})
        assert (outcome.error, outcome.status) == ("http", 307)
        assert other.heads == []


async def test_secrets_that_a_server_repeats_are_not_recorded():
    body = b'{"error": {"message": "Incorrect API key: sk-very-secret, tenant=blue"}}'
    async with Raw(reply(401, body)) as server:
        outcome = await ask(server, path="/v1?tenant=blue", client={"key": "sk-very-secret"})
        assert "POST /v1/chat/completions?tenant=blue " in server.heads[0]
    assert outcome.detail == "HTTP 401: Incorrect API key: ‹secret›, ‹secret›"


async def test_user_and_password_of_the_address_are_sent_and_not_told():
    async with Raw(reply(401, b"bad: hunter22")) as server:
        async with Client(endpoint_of(server.url.replace("//", "//me:hunter22@")), "m") as client:
            outcome = await client.ask("a", max_tokens=1, id="1")
        assert "Authorization: Basic bWU6aHVudGVyMjI=" in server.heads[0]
    assert outcome.detail == "HTTP 401: bad: ‹secret›"


async def test_nobody_listens():
    async with Raw(b"") as server:
        pass
    outcome = await ask(server)
    assert (outcome.error, outcome.status, outcome.detail) == ("connect", None, "connection refused")
    assert not outcome.local
    assert outcome.ttft_s is None


async def test_names_that_are_no_utf8_are_sent_all_the_same():
    async with Raw(reply(body=GOOD)) as server:
        async with Client(endpoint_of(server.url), "m\udcff") as client:
            assert (await client.ask("a\udc80", max_tokens=1, id="1")).error is None
        assert (server.asked["model"], server.asked["messages"][0]["content"]) == ("m?", "a?")


async def test_what_is_used_up_on_this_side_is_told_as_such(monkeypatch):
    def none_left(*_, **__):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket, "socket", none_left)
    async with Client(endpoint_of("http://127.0.0.1:9"), "m") as client:
        outcome = await client.ask("a", max_tokens=1, id="1")
        probe = await client.probe()
    assert (outcome.error, outcome.detail) == ("connect", "on this side: too many files are open here (ulimit -n)")
    assert outcome.local
    assert (probe.ok, probe.local) == (False, True)


async def test_a_name_that_is_unknown():
    async with Client(endpoint_of("http://nowhere.invalid"), "m") as client:
        outcome = await client.ask("a", max_tokens=1, id="1")
    assert (outcome.error, outcome.detail) == ("connect", "nowhere.invalid: unknown name")


async def test_a_reset_before_a_status_is_a_connection_and_after_it_a_cut():
    async def reset(_, writer):
        writer.transport.abort()

    async def later(_, writer):
        writer.write(HEAD + sse(chat("a")))
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.transport.abort()

    assert (await outcome_of(reset)).error == "connect"
    outcome = await outcome_of(later)
    assert (outcome.error, outcome.chunks) == ("cut", 1)


async def test_a_reset_after_all_was_said_is_no_failure():
    async def handler(_, writer):
        writer.write(
            HEAD.replace(b"Connection: close", b"Content-Length: 9999") + sse(chat("a", finish="stop"), usage(1, 1))
        )
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.transport.abort()

    outcome = await outcome_of(handler)
    assert (outcome.error, outcome.output_tokens) == (None, 1)


async def forever(_, writer):
    await asyncio.sleep(3600)


async def test_silence_is_a_timeout():
    outcome = await outcome_of(forever, client={"timeout_s": 0.1})
    assert (outcome.error, outcome.status, outcome.detail) == ("timeout", None, "no answer within 0.1 s")
    assert outcome.e2e_s >= 0.1


async def test_a_stream_that_trickles_for_ever_is_a_timeout():
    async def trickle(_, writer):
        writer.write(HEAD)
        while True:
            writer.write(sse(chat("a")))
            await writer.drain()
            await asyncio.sleep(0.01)

    outcome = await outcome_of(trickle, client={"timeout_s": 0.3})
    assert outcome.error == "timeout"
    assert outcome.chunks > 1
    assert outcome.ttft_s is not None
    assert outcome.detail == f"not done within 0.3 s, after {outcome.chunks} chunks"


async def test_pings_alone_do_not_hold_off_the_timeout():
    async def ping(_, writer):
        writer.write(HEAD)
        while True:
            writer.write(b": ping\n\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    outcome = await outcome_of(ping, client={"timeout_s": 0.2})
    assert (outcome.error, outcome.detail) == ("timeout", "no token within 0.2 s")


@pytest.mark.parametrize("last", [sse("[DONE]"), b""])
async def test_a_server_that_keeps_the_connection_open_after_its_end_is_not_waited_for(last):
    async def handler(reader, writer):
        writer.write(OPEN + sse(chat("a", finish="stop")) + last)
        await reader.read()

    outcome = await outcome_of(handler)
    assert (outcome.error, outcome.text) == (None, "a")
    assert outcome.e2e_s == outcome.ttft_s


async def test_a_connection_is_used_again_and_a_probe_is_always_a_new_one():
    connections = []

    async def handler(_, writer):
        connections.append(writer.get_extra_info("peername")[1])
        writer.write(CHUNKED)

    async with Raw(handler, close=False) as server, Client(endpoint_of(server.url), "m") as client:
        for _ in range(3):
            assert (await client.ask("a", max_tokens=1, id="1")).error is None
        assert len(set(connections)) == 1
        assert (await client.probe()).ok
        assert (await client.probe()).ok
        assert len(set(connections)) == 3


async def test_cancelling_closes_the_connection():
    gone, came = asyncio.Event(), asyncio.Event()

    async def handler(reader, writer):
        writer.write(HEAD + sse(chat("a")))
        came.set()
        await reader.read()
        gone.set()

    async with Raw(handler) as server, Client(endpoint_of(server.url), "m") as client:
        task = asyncio.create_task(client.ask("a", max_tokens=1, id="1"))
        await came.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(gone.wait(), 10)


async def test_many_requests_at_once_do_not_wait_for_each_other():
    there, all_there = [], asyncio.Event()

    async def handler(_, writer):
        there.append(1)
        if len(there) == 150:
            all_there.set()
        await all_there.wait()
        writer.write(reply(body=GOOD))

    async with Raw(handler) as server, Client(endpoint_of(server.url), "m", timeout_s=30) as client:
        outcomes = await asyncio.gather(*(client.ask("a", max_tokens=1, id=str(one)) for one in range(150)))
    assert {outcome.error for outcome in outcomes} == {None}
    assert len({outcome.id for outcome in outcomes}) == 150


async def test_proxies_of_the_environment_are_not_used_unless_wanted(monkeypatch):
    async with Raw(reply(503)) as proxy, Raw(reply(body=GOOD)) as server:
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        assert (await ask(server)).error is None
        assert proxy.heads == []
        assert (await ask(server, client={"trust_env": True})).status == 503


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=somewhere.example -keyout key.pem -out cert.pem"
    )
    try:
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("openssl cannot make a certificate here")
    return folder


async def test_a_certificate_that_nobody_signed_is_a_tls_error(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    async with Raw(reply(body=GOOD), ssl=context) as server:
        outcome = await ask(server)
        async with Client(endpoint_of(server.url), "m") as client:
            probe = await client.probe()
    assert outcome.error == "tls"
    assert outcome.detail == "the certificate is not accepted: self-signed certificate"
    assert (probe.ok, probe.detail) == (False, outcome.detail)


async def test_plain_http_where_tls_is_expected():
    async def handler(reader, writer):
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(handler, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with Client(endpoint_of(f"https://127.0.0.1:{port}"), "m") as client:
            outcome = await client.ask("a", max_tokens=1, id="1")
    assert outcome.error == "tls"
    assert any(words in outcome.detail for words in ("wrong version", "packet length", "record layer"))


@pytest.mark.parametrize(
    ("raw", "ok", "detail"),
    [(reply(200), True, ""), (reply(204), True, ""), (reply(503, b"loading"), False, "HTTP 503"),
     (reply(302, Location="/login"), False, "HTTP 302"),
     (b"", False, "the server closed the connection without an answer"), (b"nonsense\r\n\r\n", False, None)],
)  # fmt: skip
async def test_a_probe_says_whether_it_is_well(raw, ok, detail):
    async with Raw(raw) as server, Client(endpoint_of(server.url), "m") as client:
        probe = await client.probe()
        assert server.heads[0].startswith("GET /health ")
    assert probe.ok is ok
    assert detail is None or probe.detail == detail
    assert probe.took_s > 0


async def test_a_probe_has_its_own_time_limit():
    async with Raw(forever) as server, Client(endpoint_of(server.url), "m", probe_s=0.1, probe_path="/up") as client:
        probe = await client.probe()
    assert isinstance(probe, Probe)
    assert (probe.ok, probe.detail) == (False, "no answer within 0.1 s")


async def test_levels_and_models():
    async with (
        Raw(reply(body=b"vllm:kv_cache_usage_perc 0.25\n")) as server,
        Client(endpoint_of(server.url), "m") as client,
    ):
        assert await client.scrape() == {"kv_cache": 0.25}
        assert await client.models() is None
    body = json.dumps({"data": [{"id": "a"}, {"id": 3}, 7, {"id": "b"}]}).encode()
    async with Raw(reply(body=body)) as server, Client(endpoint_of(server.url), "m") as client:
        assert await client.models() == ["a", "b"]
    async with Raw(reply(404)) as server, Client(endpoint_of(server.url), "m") as client:
        assert await client.scrape() == {}
        assert await client.models() is None


async def test_times_are_of_a_clock_that_nobody_sets(monkeypatch):
    monkeypatch.setattr(time, "time", lambda: pytest.fail("the wall clock was asked"))
    assert (await outcome_of(reply(body=GOOD))).error is None
