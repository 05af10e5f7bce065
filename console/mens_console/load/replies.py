"""What a server says where it does not stream: refusals, redirects, pages, whole documents, lists of models.

Needs aiohttp, and so is imported late, as `client` is.
"""

from __future__ import annotations

import contextlib
from typing import Final

import aiohttp
import orjson

from mens_console.load.endpoint import bare
from mens_console.load.stream import LINE_MOST, StreamError, message_of, shown
from mens_console.load.types import HTTP, MALFORMED

BLANK: Final = b"\xef\xbb\xbf \t\r\n"
"""What may stand before a document."""
UNASKED: Final = "though that was not asked for"
"""Ends what is said of an answer that somebody packed."""


async def bounded(response: aiohttp.ClientResponse, most: int) -> bytes:
    """Return the rest of a body, as far as `most` bytes."""
    parts, size = [], 0
    async for piece in response.content.iter_any():
        parts.append(piece[: most - size])
        size += len(piece)
        if size >= most:
            break
    return b"".join(parts)


async def refusal(response: aiohttp.ClientResponse) -> StreamError:
    """Return what a status other than 200 says, with the place where it redirects to or the server's own words."""
    status = response.status
    said = f"HTTP {status}"
    if 300 <= status < 400 and (place := response.headers.get("Location")):
        return StreamError(HTTP, f"{said} redirects to {shown(bare(place))}", status)
    with contextlib.suppress(aiohttp.ClientError, OSError):
        if told := told_in(await bounded(response, LINE_MOST), response.content_type):
            said = f"{said}: {told}"
    return StreamError(HTTP, said, status)


def told_in(body: bytes, kind: str) -> str:
    """Return the words in the body of a refusal; of a page of HTML only that it is one."""
    if kind == "text/html" or body.lstrip()[:1] == b"<":
        return "a page of HTML"
    try:
        return message_of(orjson.loads(body))
    except orjson.JSONDecodeError:
        return shown(body[:1000])


def no_stream(body: bytes) -> StreamError:
    """Return what is wrong where a body is no stream of events."""
    if body.lstrip(BLANK).startswith(b"<"):
        return StreamError(MALFORMED, "it answers with a page of HTML")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return StreamError(MALFORMED, f"that is no stream of events: {shown(body[:1000])}")
    if isinstance(value, dict) and value.get("error"):
        return StreamError(HTTP, f"an error with status 200: {message_of(value)}")
    if isinstance(value, dict) and "choices" in value:
        return StreamError(MALFORMED, "it answers without streaming")
    return StreamError(MALFORMED, "it answers with JSON and no stream of events")


def model_names(body: bytes) -> list[str] | None:
    """Return the names in a list of models; None where it is none."""
    try:
        listed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    rows = listed.get("data") if isinstance(listed, dict) else None
    if not isinstance(rows, list):
        return None
    return [row["id"] for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)]
