"""One request to the fake server: waited for, answered well or badly as the knobs and the script say, and noted.

The server calls `serve` for each request of a connection; sockets and the times when it is down are the server's.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import time
from typing import TYPE_CHECKING, Any

from mens_console.load.fake import generation as said
from mens_console.load.fake.http import BadRequestError, answer, chunk, json_answer, stream_head

if TYPE_CHECKING:
    from collections.abc import Callable

    from mens_console.load.fake.figures import Figures
    from mens_console.load.fake.http import Request
    from mens_console.load.fake.knobs import Knobs
    from mens_console.load.fake.script import Script
    from mens_console.load.fake.truth import Truth

_BY_CHANCE = ("errors", "cut", "empty", "malformed", "reset")


class _BreakError(Exception):
    """The connection ends here, on purpose."""


class Serving:
    """Answers requests; `now` tells the seconds since the server began."""

    def __init__(
        self, knobs: Knobs, script: Script, figures: Figures, truth: Truth, now: Callable[[], float], seed: int
    ) -> None:
        self.knobs = knobs
        self.script = script
        self.figures = figures
        self.truth = truth
        self.now = now
        self.seed = seed
        self._count = 0

    async def serve(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request, and say whether the connection goes on."""
        self._count += 1
        one = _One(self, self._count, request, reader, writer)
        try:
            await one.answer()
            await writer.drain()
        except _BreakError:
            return False
        except ConnectionError:
            if one.row["did"] != "malformed":  # whoever gets such an answer may well leave
                one.row["did"] = "left"
            return False
        except asyncio.CancelledError:
            one.row["did"] = "broken"
            raise
        finally:
            self.figures.end(one.number)
            self.truth.add(one.row)
        return request.keep_alive


class _One:
    """One request while it is answered."""

    def __init__(
        self,
        serving: Serving,
        number: int,
        request: Request,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._of = serving
        self.number = number
        self._request = request
        self._reader = reader
        self._writer = writer
        self._dice = random.Random(f"{serving.seed}/{number}")  # noqa: S311 (no secret)
        self._at = serving.now()
        self.row: dict[str, Any] = {
            "n": number, "id": request.headers.get("x-request-id"), "path": request.path, "at": round(self._at, 6),
            "first": None, "last": None, "did": "ok", "status": None, "tokens": 0, "chunks": 0, "gaps": [],
        }  # fmt: skip

    async def answer(self) -> None:
        """Write the answer to whatever is asked for."""
        of, path, method = self._of, self._request.path, self._request.method
        if away := of.script.now(self._at, "unavailable"):
            self._whole(away[0].status, _error(away[0].status, "the model is not there yet"), did="unavailable")
        elif method == "POST" and path in ("/v1/chat/completions", "/v1/completions"):
            await self._generation()
        elif method != "GET":
            self._whole(404, _error(404, "Not Found"), did="refused")
        elif path == "/health":
            await self._stalled(health=True)
            self._whole(200, None)
        elif not self._allowed():
            self._whole(401, _error(401, "Unauthorized"), did="refused")
        elif path == "/v1/models":
            self._whole(200, self._models())
        elif path == "/metrics" and (text := of.figures.text()):
            await self._stalled(health=True)
            self._whole(200, text)
        else:
            self._whole(404, _error(404, "Not Found"), did="refused")

    def _allowed(self) -> bool:
        key = self._of.knobs.key
        return not key or self._request.headers.get("authorization") == f"Bearer {key}"

    def _models(self) -> dict[str, Any]:
        knobs = self._of.knobs
        model = {"id": knobs.model, "object": "model", "owned_by": "mens-console", "max_model_len": knobs.context}
        return {"object": "list", "data": [model]}

    def _whole(self, status: int, value: Any, *, did: str = "ok") -> None:
        """Answer in one piece: nothing, text, or JSON."""
        self.row |= {"did": did, "status": status, "first": self._moment(), "last": self._moment()}
        keep = self._request.keep_alive
        if value is None or isinstance(value, str):
            self._writer.write(answer(status, (value or "").encode(), "text/plain; charset=utf-8", keep_alive=keep))
        else:
            more = {"Location": "http://127.0.0.1:9/elsewhere"} if 300 <= status < 400 else None
            self._writer.write(json_answer(status, value, keep_alive=keep, more=more))

    def _moment(self) -> float:
        return round(self._of.now(), 6)

    async def _generation(self) -> None:
        of = self._of
        if not self._allowed():
            self._whole(401, _error(401, "Unauthorized"), did="refused")
            return
        try:
            ask = said.ask_of(self._request.path, self._request.body, of.knobs)
        except BadRequestError as error:
            self._whole(error.status, _error(error.status, str(error)), did="refused")
            return
        self._leak()
        if not await of.figures.begin(self.number, ask.prompt_tokens):
            self._whole(503, _error(503, "the queue is full"), did="unavailable")
            return
        fate = said.fate_of(self._dice, of.knobs, of.script.now(self._at, *_BY_CHANCE))
        if fate.kind == "reset":
            self._break("reset")
        if fate.kind == "error":
            await self._stalled()
            self._whole(fate.status, _error(fate.status, "it went wrong, as told"), did="error")
        elif ask.stream:
            await self._stream(ask, fate)
        else:
            await self._at_once(ask, fate)

    def _leak(self) -> None:
        of = self._of
        of.figures.leak(of.knobs.leak_bytes, of.knobs.leak_kv)
        for entry in of.script.now(self._at, "leak"):
            of.figures.leak(entry.bytes, entry.kv)

    async def _at_once(self, ask: said.Ask, fate: said.Fate) -> None:
        words, finish = said.words_of(ask, self._dice, self._of.knobs)
        due = self._of.now() + self._first(ask)
        for _ in range(1, math.ceil(len(words) / self._of.knobs.tokens_per_chunk)):
            due += self._gap()
        if fate.kind == "stall":
            due += self._of.knobs.stall_s
        await self._wait(due)
        if fate.kind == "cut":
            self._break("cut")
        if fate.kind == "malformed":
            self._whole(200, "{ that is no JSON", did="malformed")
            return
        words = [] if fate.kind == "empty" else words
        self._of.figures.grow(self.number, len(words))
        self.row |= {"tokens": len(words), "chunks": 1}
        self._whole(200, said.whole(ask, self._name(ask), int(time.time()), " ".join(words), len(words), finish))
        self.row["did"] = fate.kind

    async def _stream(self, ask: said.Ask, fate: said.Fate) -> None:
        """Write an answer word by word; each is due at a time that no earlier delay shifts, save stalls."""
        knobs, name, created = self._of.knobs, self._name(ask), int(time.time())
        words, finish = said.words_of(ask, self._dice, knobs)
        parts = [] if fate.kind == "empty" else list(said.groups(words, knobs.tokens_per_chunk))
        odd_at = self._dice.randrange(len(parts)) if parts and fate.kind in ("cut", "malformed", "stall") else -1
        due = self._of.now() + self._first(ask)
        self.row |= {"status": 200, "did": fate.kind}
        self._writer.write(stream_head(name))
        if ask.chat:
            self._event(said.event(ask, name, created, None, None))
        before = 0.0
        for number, (text, count) in enumerate(parts):
            due = (await self._wait(due)) if number == 0 else (await self._wait(due + self._gap()))
            if number == odd_at:
                due = await self._odd(fate.kind, due)
            self._of.figures.grow(self.number, count)
            self._event(said.event(ask, name, created, text, None))
            before = self._note(count, before)
            await self._out()
        if not parts:
            await self._wait(due)
        self._event(said.event(ask, name, created, None, "stop" if fate.kind == "empty" else finish))
        if ask.usage:
            tokens = self.row["tokens"]
            made = said.event(ask, name, created, None, None) | {"choices": [], "usage": said.usage(ask, tokens)}
            self._event(made)
        self._writer.write(chunk(b"data: [DONE]\n\n") + chunk(b""))
        if self.row["first"] is None:
            self.row["first"] = self.row["last"] = self._moment()

    async def _odd(self, kind: str, due: float) -> float:
        if kind == "cut":
            self._break("cut")
        if kind == "malformed":
            self._writer.write(chunk(b'data: {"choices": [{"delta": {"con\n\n'))
            return due
        return await self._wait(due + self._of.knobs.stall_s)

    def _note(self, count: int, before: float) -> float:
        now = self._moment()
        self.row["tokens"] += count
        self.row["chunks"] += 1
        self.row["last"] = now
        if self.row["first"] is None:
            self.row["first"] = now
        else:
            self.row["gaps"].append(round((now - before) * 1000, 2))
        return now

    def _event(self, value: dict[str, Any]) -> None:
        self._writer.write(chunk(b"data: " + json.dumps(value).encode() + b"\n\n"))

    async def _out(self) -> None:
        if self._reader.at_eof() or self._writer.is_closing():
            raise ConnectionResetError
        await self._writer.drain()

    def _name(self, ask: said.Ask) -> str:
        return f"{'chatcmpl' if ask.chat else 'cmpl'}-{self.number}"

    def _slower(self) -> float:
        return math.prod(entry.factor for entry in self._of.script.now(self._of.now(), "slow"))

    def _first(self, ask: said.Ask) -> float:
        knobs = self._of.knobs
        usual = knobs.ttft_ms + knobs.prefill_ms * ask.prompt_tokens / 1000
        return usual / 1000 * math.exp(self._dice.gauss(0, knobs.ttft_spread)) * self._slower()

    def _gap(self) -> float:
        knobs = self._of.knobs
        return knobs.gap_ms / 1000 * math.exp(self._dice.gauss(0, knobs.gap_spread)) * self._slower()

    async def _wait(self, due: float) -> float:
        """Wait until it is due and nothing stands still; return when it was due at last."""
        while True:
            now = self._of.now()
            if now < due:
                await asyncio.sleep(due - now)
                continue
            until = self._of.script.until(now, "stall")
            if until <= now:
                return due
            due = max(due, until)

    async def _stalled(self, *, health: bool = False) -> None:
        """Wait while everything stands still (`health`: only what stops health checks, too)."""
        while (until := self._of.script.until(now := self._of.now(), "stall", health=health)) > now:
            await asyncio.sleep(until - now)

    def _break(self, did: str) -> None:
        """End the connection without the rest of the answer: at once for a reset, after what was written for a cut."""
        self.row |= {"did": did, "last": self._moment()}
        if did == "reset":
            self._writer.transport.abort()
        raise _BreakError


def _error(status: int, message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "Error", "param": None, "code": status}}
