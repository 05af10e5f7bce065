"""Requests to an OpenAI-compatible server, measured as their bytes arrive.

`async with Client(endpoint, "name") as client: outcome = await client.ask("…", max_tokens=128, id="1")`. No method
raises because of what a server does. Needs aiohttp, the extra `load`, and so is imported late.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import aiohttp
import orjson

from mens_console.ingest.text import safe_text
from mens_console.load.endpoint import bare
from mens_console.load.failures import LOCAL, failure_of
from mens_console.load.keys import hide
from mens_console.load.metrics import levels_of
from mens_console.load.replies import bounded, model_names
from mens_console.load.request import Request, Way
from mens_console.load.stream import Answer
from mens_console.load.types import TIMEOUT, Probe

if TYPE_CHECKING:
    from types import TracebackType

    from mens_console.load.endpoint import Endpoint
    from mens_console.load.types import Outcome

CONNECT_S: Final = 5.0
TIMEOUT_S: Final = 60.0
PROBE_S: Final = 5.0
HEALTH: Final = "/health"
KEEP_ALIVE_S: Final = 2.0
"""A connection that was idle for longer is not used again: servers close theirs after 5 s, and a request that is sent
at that moment would fail by no fault of theirs."""
_BODY_MOST: Final = 16 << 20
_ASKED: Final = {"Accept-Encoding": "identity", "User-Agent": "mens-console"}


class Reply(NamedTuple):
    """What a plain request came to: a status with body and headers, or a class of error with a few words."""

    status: int | None
    body: bytes
    kind: str
    """Content-Type, without parameters."""
    place: str
    """Where it redirects to."""
    error: str | None
    detail: str
    took_s: float


class Client:
    """One server, one model; as many requests at a time as are asked for.

    `timeout_s` is the whole time that a request may take, from sending to the last byte. `extra` is added to the body
    of every generation; None as a value takes a field away. Environment proxies are used only if `trust_env`.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        model: str,
        *,
        key: str = "",
        timeout_s: float = TIMEOUT_S,
        connect_s: float = CONNECT_S,
        probe_path: str = "",
        probe_s: float = PROBE_S,
        usage: bool = True,
        extra: dict[str, Any] | None = None,
        trust_env: bool = False,
    ) -> None:
        self.endpoint = endpoint
        self.model = _sound(model)
        self.timeout_s = timeout_s
        self.connect_s = connect_s
        self.probe_path = probe_path or HEALTH
        self.probe_s = probe_s
        self._look_connect_s = min(connect_s, 0.8 * probe_s)
        self.usage = usage
        """Whether the server is asked to count tokens; one that refuses the question may be asked without."""
        self._extra = extra or {}
        self._authorization = f"Bearer {key}" if key else endpoint.basic
        self._secrets = tuple(one for one in (key, *endpoint.secrets) if one)
        self._trust_env = trust_env
        self._streams: aiohttp.ClientSession | None = None
        self._looks: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Begin; connections are made as they are needed."""
        raise_file_limit()
        again = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S, ttl_dns_cache=60)
        self._streams = self._session(again, self.connect_s)
        # A look at the server's health is a new connection each time: an old one would hide that it takes no more.
        once = aiohttp.TCPConnector(limit=0, force_close=True, ttl_dns_cache=60)
        self._looks = self._session(once, self._look_connect_s)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        """Close all connections."""
        for session in (self._streams, self._looks):
            if session is not None:
                await session.close()

    @property
    def has_key(self) -> bool:
        """Whether it shows a key, or user and password."""
        return bool(self._authorization)

    @property
    def tells_key_in_clear(self) -> bool:
        """Whether that goes over a network unencrypted."""
        host = self.endpoint.host
        return (
            self.has_key
            and not self.endpoint.encrypted
            and host not in ("localhost", "::1")
            and not host.startswith("127.")
        )

    def _session(self, connector: aiohttp.TCPConnector, connect_s: float) -> aiohttp.ClientSession:
        headers = dict(_ASKED)
        if self._authorization:
            headers["Authorization"] = self._authorization
        return aiohttp.ClientSession(
            connector=connector,
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=connect_s, sock_connect=connect_s),
            auto_decompress=False,
            trust_env=self._trust_env,
        )

    async def ask(
        self, prompt: str, *, max_tokens: int, id: str, keep_text: bool = False, ignore_eos: bool = False
    ) -> Outcome:
        """Ask for a generation and measure it. `ignore_eos` tells vLLM and SGLang to go on to the last token."""
        body = self._body(prompt, max_tokens, ignore_eos=ignore_eos)
        return await Request(self._way(), id, Answer(keep_text=keep_text)).run(orjson.dumps(body))

    def _body(self, prompt: str, max_tokens: int, *, ignore_eos: bool) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self.model, "max_tokens": max_tokens, "temperature": 0.0, "stream": True}
        if self.endpoint.api == "chat":
            body["messages"] = [{"role": "user", "content": _sound(prompt)}]
        else:
            body["prompt"] = _sound(prompt)
        if self.usage:
            body["stream_options"] = {"include_usage": True}
        if ignore_eos:
            body["ignore_eos"] = True
        return {name: value for name, value in (body | self._extra).items() if value is not None}

    async def probe(self) -> Probe:
        """Look whether the server is there, over a new connection."""
        reply = await self.get(self.endpoint.beside(self.probe_path))
        if reply.error is not None:
            return Probe(False, reply.took_s, reply.detail, reply.detail.startswith(LOCAL))
        assert reply.status is not None
        ok = 200 <= reply.status < 300
        return Probe(ok, reply.took_s, "" if ok else f"HTTP {reply.status}")

    async def scrape(self) -> dict[str, float]:
        """Return the levels that the server tells under /metrics: `kv_cache`, `running`, `waiting`; none where none."""
        reply = await self.get(self.endpoint.beside("/metrics"))
        return levels_of(reply.body.decode("utf-8", "replace")) if reply.status == 200 else {}

    async def models(self) -> list[str] | None:
        """Return the names of the models that the server has; None where it does not list them."""
        reply = await self.get(self.endpoint.models)
        return model_names(reply.body) if reply.status == 200 else None

    async def get(self, url: str) -> Reply:
        """Ask for a small document, for `probe_s` at most."""
        assert self._looks is not None, "use it as a context"
        begun = time.perf_counter()
        status = None
        try:
            async with asyncio.timeout(self.probe_s), self._looks.get(url, allow_redirects=False) as response:
                status = response.status
                body = await bounded(response, _BODY_MOST)
                kind, place = response.content_type, bare(response.headers.get("Location", ""))
            took = time.perf_counter() - begun
            return Reply(status, body, kind, self.clean(place), None, "", took)
        except TimeoutError as error:
            own = isinstance(error, aiohttp.ServerTimeoutError)
            told = (
                failure_of(error, status, self._look_connect_s)
                if own
                else (TIMEOUT, f"no answer within {self.probe_s:g} s")
            )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            told = failure_of(error, status, self._look_connect_s)
        return Reply(status, b"", "", "", told[0], self.clean(told[1]), time.perf_counter() - begun)

    def clean(self, text: str) -> str:
        """Return what may be recorded and shown of what a server said."""
        return hide(safe_text(text, 400), self._secrets)

    def _way(self) -> Way:
        assert self._streams is not None, "use it as a context"
        return Way(self._streams, self.endpoint.generate, self.timeout_s, self.connect_s, self.clean)


def _sound(text: str) -> str:
    """Return `text` without what no JSON can hold: bytes of a command line that are no UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def raise_file_limit() -> None:
    """Let this process open as many files as it may: requests that wait for a stalled server are files, too."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
