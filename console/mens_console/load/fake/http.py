"""The little of HTTP/1.1 that the fake server speaks: requests read, answers and chunks written.

Nothing here knows what is asked for. Bounded: 64 KiB of head, 32 MiB of body.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

HEAD_MOST: Final = 65_536
BODY_MOST: Final = 32 << 20


class BadRequestError(Exception):
    """What came is no request that is read here; `status` answers it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """One request. Names of headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    keep_alive: bool


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """Return the next request of a connection, None where it ended. Raises `BadRequestError`."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError:
        raise BadRequestError(431, "the head of the request is too long") from None
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise BadRequestError(400, "that is no HTTP/1 request")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    body = await _body(reader, headers)
    wish = headers.get("connection", "").lower()
    keep = wish == "keep-alive" if words[2] == "HTTP/1.0" else wish != "close"
    return Request(words[0], words[1].partition("?")[0], headers, body, keep)


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    try:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return await _chunked(reader)
        length = int(headers.get("content-length", "0") or 0)
        if length > BODY_MOST or length < 0:
            raise BadRequestError(413, "the request is too long")
        return await reader.readexactly(length)
    except (ValueError, asyncio.IncompleteReadError):
        raise BadRequestError(400, "the body of the request is not what its head says") from None


async def _chunked(reader: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    total = 0
    while size := int((await reader.readline()).split(b";")[0], 16):
        total += size
        if total > BODY_MOST:
            raise BadRequestError(413, "the request is too long")
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readline()
    return b"".join(parts)


def head(status: int, headers: dict[str, str]) -> bytes:
    """Return the status line and the headers."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Status"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def answer(status: int, body: bytes, kind: str, *, keep_alive: bool, more: dict[str, str] | None = None) -> bytes:
    """Return a whole answer."""
    headers = {"Content-Type": kind, "Content-Length": str(len(body)), **(more or {})}
    return head(status, {**headers, "Connection": "keep-alive" if keep_alive else "close"}) + body


def json_answer(status: int, value: Any, *, keep_alive: bool, more: dict[str, str] | None = None) -> bytes:
    """Return a whole answer in JSON."""
    return answer(status, json.dumps(value).encode(), "application/json", keep_alive=keep_alive, more=more)


def stream_head(request_id: str) -> bytes:
    """Return the head of a stream of events, whose body is `chunk`s."""
    return head(
        200,
        {
            "Content-Type": "text/event-stream; charset=utf-8",
            "Cache-Control": "no-cache",
            "Transfer-Encoding": "chunked",
            "X-Request-Id": request_id,
        },
    )


def chunk(data: bytes) -> bytes:
    """Return one chunk of a body; the last one is empty."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"
