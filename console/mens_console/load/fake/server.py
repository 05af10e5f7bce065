"""The fake server: who listens, who is connected, and when it goes down; what an answer is made of is `serving`'s.

`async with FakeServer(Knobs(), script) as server: … server.url`. Loopback by default.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import time
from typing import TYPE_CHECKING, Self

from mens_console.load.fake.figures import Figures
from mens_console.load.fake.http import HEAD_MOST, BadRequestError, json_answer, read_request
from mens_console.load.fake.script import Script, with_slow_start
from mens_console.load.fake.serving import Serving
from mens_console.load.fake.truth import Truth

if TYPE_CHECKING:
    from types import TracebackType

    from mens_console.load.fake.knobs import Knobs


class FakeServer:
    """Listens as soon as it is started, and follows its script from then on.

    Raises `ValueError` for a host that is not this machine alone, unless `any_host`.
    """

    def __init__(
        self,
        knobs: Knobs,
        script: Script | None = None,
        *,
        seed: int = 0,
        host: str = "127.0.0.1",
        port: int = 0,
        truth: Truth | None = None,
        any_host: bool = False,
    ) -> None:
        if not any_host and not is_loopback(host):
            raise ValueError(f"{host} can be reached from elsewhere; use 127.0.0.1, or say that any host may")
        self.knobs = knobs
        self.host, self.port = host, port
        self.script = with_slow_start(script or Script(), knobs)
        self.truth = truth if truth is not None else Truth()
        self.figures = Figures(knobs)
        self.started = 0.0
        """When it began, by `time.perf_counter`."""
        self._seed = seed
        self._server: asyncio.Server | None = None
        self._reserved: socket.socket | None = None
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._timeline: asyncio.Task[None] | None = None
        self._serving: Serving | None = None

    @property
    def url(self) -> str:
        """Where it is, without a path."""
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"

    @property
    def now(self) -> float:
        """Seconds since it began."""
        return time.perf_counter() - self.started

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        """End."""
        await self.close()

    async def start(self) -> None:
        """Take the port, and listen unless the script says that it is down at first. Raises `OSError`."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        # A socket that is bound and never listens keeps the port ours while the server is down.
        self._reserved = self._bound(family)
        self.port = self._reserved.getsockname()[1]
        self.started = time.perf_counter()
        self._serving = Serving(self.knobs, self.script, self.figures, self.truth, lambda: self.now, self._seed)
        self.truth.add({"event": "began", "at": 0.0, "epoch": time.time(), "url": self.url})
        downs = self.script.downs()
        if not downs or downs[0][0] > 0:
            await self._listen()
        self._timeline = asyncio.create_task(self._follow(downs))

    async def close(self) -> None:
        """Stop listening and end every connection."""
        if self._timeline is not None:
            self._timeline.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._timeline
        await self._stop()
        if self._reserved is not None:
            self._reserved.close()

    def _bound(self, family: socket.AddressFamily) -> socket.socket:
        # With the protocol named, asyncio sends what is written at once (TCP_NODELAY), as real servers do.
        made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((self.host, self.port))
        except BaseException:
            made.close()
            raise
        made.setblocking(False)
        return made

    async def _listen(self) -> None:
        assert self._reserved is not None
        try:
            sock = self._bound(self._reserved.family)
        except OSError:  # where two may not share a port, the one that kept it gives way
            self._reserved.close()
            sock = self._bound(self._reserved.family)
        self._server = await asyncio.start_server(self._connected, sock=sock, limit=HEAD_MOST, backlog=1024)

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        tasks = list(self._open)
        for task, writer in list(self._open.items()):
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, downs: list[tuple[float, float]]) -> None:
        for begin, end in downs:
            await asyncio.sleep(begin - self.now)
            self.truth.add({"event": "down", "at": round(self.now, 6)})
            await self._stop()
            await asyncio.sleep(end - self.now)
            await self._listen()
            self.truth.add({"event": "up", "at": round(self.now, 6)})

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None and self._serving is not None
        self._open[task] = writer
        try:
            await self._converse(reader, writer, self._serving)
        except (ConnectionError, asyncio.CancelledError):
            pass  # the peer left, or the server goes down: either is in the truth
        finally:
            self._open.pop(task, None)
            writer.close()

    @staticmethod
    async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, serving: Serving) -> None:
        while True:
            try:
                request = await read_request(reader)
            except BadRequestError as error:
                writer.write(json_answer(error.status, {"error": {"message": str(error)}}, keep_alive=False))
                await writer.drain()
                return
            if request is None or not await serving.serve(request, reader, writer):
                return


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach that address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
