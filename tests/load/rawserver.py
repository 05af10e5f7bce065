"""A server that is only a socket: it reads one request after the other and writes the bytes that a test gives it."""

import asyncio
import contextlib
import json


class Raw:
    """Writes `reply` to each request: bytes at once, one by one (`drip`), or what a coroutine does with the writer."""

    def __init__(self, reply, *, drip=False, close=True, ssl=None):
        self.reply, self.drip, self.close_after, self.ssl = reply, drip, close, ssl
        self.heads = []
        self.bodies = []
        self.left = asyncio.Event()
        self._open = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.ssl)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"{'https' if self.ssl else 'http'}://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader, writer):
        self._open.add(asyncio.current_task())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.heads.append(head)
                length = next((int(h[15:]) for h in head.split("\r\n") if h.lower().startswith("content-length:")), 0)
                self.bodies.append(await reader.readexactly(length))
                await self._answer(reader, writer)
                if self.close_after:
                    break
        writer.close()
        self._open.discard(asyncio.current_task())

    async def _answer(self, reader, writer):
        if not isinstance(self.reply, bytes):
            await self.reply(reader, writer)
        elif self.drip:
            for at in range(len(self.reply)):
                writer.write(self.reply[at : at + 1])
                await writer.drain()
                await asyncio.sleep(0)
        else:
            writer.write(self.reply)
            await writer.drain()

    @property
    def asked(self):
        return json.loads(self.bodies[-1])


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def reply(status=200, body=b"", kind="text/event-stream", **headers):
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


def chat(text=None, *, finish=None, **delta):
    if text is not None:
        delta["content"] = text
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def said(text, finish=None):
    return {"choices": [{"index": 0, "text": text, "finish_reason": finish}]}


def usage(prompt, output):
    return {"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": output}}


def sse(*events, end="\n\n", begin="data: "):
    texts = (one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in events)
    return "".join(f"{begin}{one}{end}" for one in texts).encode()


GOOD = sse(chat("", role="assistant"), chat("Hello"), chat(" world"), chat(finish="stop"), usage(7, 3), "[DONE]")
