"""The events of a stream, from bytes in pieces of any size, and what they say of a generation. Pure: no clock.

`Lines` takes bytes and gives the data of events (the standard's event stream, and what servers make of it); `Answer`
takes those with the time at which they came, and says in the end what the request came to.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import orjson

from mens_console.ingest.text import safe_text
from mens_console.load.types import CUT, EMPTY, HTTP, MALFORMED

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE_MOST: Final = 1 << 20
"""Bytes of one line, and of one event."""
TEXT_MOST: Final = 8 << 20
"""Characters of text that are kept."""
DONE: Final = b"[DONE]"
CHUNKS_MOST: Final = 1 << 18
COUNT_MOST: Final = 1_000_000_000
"""Tokens of one answer that a server may claim; what says more is no count."""
_BOM: Final = b"\xef\xbb\xbf"
_FIELD: Final = re.compile(rb"[A-Za-z][\w-]*:|:|(?:data|event|id|retry)$")
"""A comment, or a field of an event; those that are unknown are passed over, as the standard has it."""
_GAVE_UP: Final = ("abort", "error")
"""Reasons to finish by which servers say that they did not."""
_SHOWN: Final = 200


class StreamError(Exception):
    """What comes is no stream of events, or the server says that it failed. `kind` is the class of error."""

    def __init__(self, kind: str, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status


class Lines:
    """Bytes in, the data of each event out."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._size = 0
        self._after_cr = False
        self._begun = False
        self._is_error = False

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the data of the events that this piece of the stream ends. Raises `StreamError`."""
        if self._after_cr and piece:
            self._after_cr = False
            piece = piece.removeprefix(b"\n")
        if not self._begun:
            piece = bytes(self._rest) + piece
            self._rest.clear()
            self._begun = len(piece) >= len(_BOM) or not _BOM.startswith(piece)
            if not self._begun:
                self._rest += piece
                return []
            piece = piece.removeprefix(_BOM)
        if b"\n" not in piece and b"\r" not in piece:
            self._keep(piece)
            return []
        whole = bytes(self._rest) + piece
        self._rest.clear()
        return list(self._events(whole))

    def _keep(self, part: bytes) -> None:
        self._rest += part
        if len(self._rest) > LINE_MOST:
            raise StreamError(MALFORMED, f"a line of more than {LINE_MOST} bytes")

    def _events(self, whole: bytes) -> Iterator[bytes]:
        self._after_cr = whole.endswith(b"\r")
        *lines, rest = whole.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            yield from self._line(line)
        self._keep(rest)

    def _line(self, line: bytes) -> Iterator[bytes]:
        if not line:
            yield from self._dispatch()
        elif line.startswith(b"data:"):
            value = line[5:]
            self._size += len(value)
            if self._size > LINE_MOST:
                raise StreamError(MALFORMED, f"an event of more than {LINE_MOST} bytes")
            self._data.append(value.removeprefix(b" "))
        elif line.startswith(b"event:"):
            self._is_error = line[6:].strip() == b"error"
        elif not _FIELD.match(line):
            raise _no_event(line)

    def _dispatch(self) -> list[bytes]:
        data, self._data, self._size = self._data, [], 0
        is_error, self._is_error = self._is_error, False
        if is_error and data:
            raise _failed(b"\n".join(data))
        if len(data) < 2:
            return data
        joined = b"\n".join(data)
        return [joined] if _json(joined) is not None else data  # else a server ends its events with one line feed

    def end(self) -> list[bytes]:
        """Return what the stream ended with, though no empty line followed: whole data only, never half of it.

        Raises `StreamError`.
        """
        rest = bytes(self._rest)
        self._rest.clear()
        found = list(self._dispatch())
        value = rest[5:].strip() if rest.startswith(b"data:") else b""
        if value == DONE or _json(value) is not None:
            found.append(value)
        return found


def _json(value: bytes) -> Any:
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return None


def _no_event(line: bytes) -> StreamError:
    value = _json(line)
    if isinstance(value, dict) and value.get("error"):
        return _failed(line)
    return StreamError(MALFORMED, f"a line that belongs to no event: {shown(line)}")


def _failed(data: bytes) -> StreamError:
    value = _json(data)
    told = message_of(value) if isinstance(value, dict) else shown(data)
    return StreamError(HTTP, f"an error inside the stream: {told}", _status(value))


def shown(value: bytes | str) -> str:
    """Return the beginning of what a server said, safe to show."""
    text = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
    return safe_text(text.strip(), _SHOWN)


class Answer:
    """What the events of one generation say. Times are seconds on any one clock."""

    def __init__(self, *, keep_text: bool = False) -> None:
        self.first: float | None = None
        self.last: float | None = None
        self.gaps: list[float] = []
        self.chunks = 0
        self.words = 0
        self.finish = ""
        self.done = False
        self.choices = 0
        """Events that had a choice in them."""
        self.shared = 0
        """Events with text that came in the same read as the one before them, so that the gap reads 0."""
        self.prompt_tokens: int | None = None
        self.output_tokens: int | None = None
        self._keep = keep_text
        self._text: list[str] = []
        self._length = 0
        self._in_word = False

    @property
    def text(self) -> str:
        """What was said, as far as it was to be kept."""
        return "".join(self._text)

    @property
    def whole(self) -> bool:
        """Whether the server said that it was done."""
        return self.done or bool(self.finish)

    def take(self, data: bytes, at: float) -> None:
        """Take in the data of an event. Raises `StreamError`."""
        if data.strip() == DONE:
            self.done = True
            return
        try:
            event = orjson.loads(data)
        except orjson.JSONDecodeError:
            raise StreamError(MALFORMED, f"an event that is no JSON: {shown(data)}") from None
        if not isinstance(event, dict):
            raise StreamError(MALFORMED, f"an event that is no JSON object: {shown(data)}")
        if event.get("error") or event.get("object") == "error":
            raise _failed(data)
        self._usage(event.get("usage"))
        choices = event.get("choices")
        if isinstance(choices, list) and choices:
            if not isinstance(choices[0], dict):
                raise StreamError(MALFORMED, f"an event whose choice is no object: {shown(data)}")
            self.choices += 1
            self._choice(choices[0], at)

    def _choice(self, choice: dict[str, Any], at: float) -> None:
        if isinstance(reason := choice.get("finish_reason"), str) and reason:
            self.finish = safe_text(reason, 40)
        if text := _text_of(choice):
            self._said(text, at)

    def _said(self, text: str, at: float) -> None:
        if self.last is None:
            self.first = at
        else:
            self.gaps.append(at - self.last)
            self.shared += at == self.last
        self.last = at
        self.chunks += 1
        if self.chunks > CHUNKS_MOST:
            raise StreamError(MALFORMED, f"more than {CHUNKS_MOST} chunks in one answer")
        pieces = text.split()
        joins = self._in_word and not text[0].isspace()
        self.words += len(pieces) - (1 if pieces and joins else 0)
        self._in_word = not text[-1].isspace()
        if self._keep and self._length < TEXT_MOST:
            self._text.append(text[: TEXT_MOST - self._length])
            self._length += len(text)

    def _usage(self, usage: Any) -> None:
        if not isinstance(usage, dict):
            return
        self.prompt_tokens = _count(usage.get("prompt_tokens"), self.prompt_tokens)
        self.output_tokens = _count(usage.get("completion_tokens"), self.output_tokens)

    def verdict(self) -> tuple[str | None, str]:
        """Say what the generation came to, now that the stream has ended: the class of error, and what was wrong."""
        if not self.whole:
            if not self.choices:
                return CUT, "the stream ended before anything was said"
            return CUT, f"the stream ended after {_chunks(self.chunks)}, before the server said that it was done"
        if self.finish in _GAVE_UP:
            return CUT, f"the server gave it up after {_chunks(self.chunks)} (finish_reason {self.finish})"
        if self.chunks:
            return None, ""
        tokens = "1 token" if self.output_tokens == 1 else f"{self.output_tokens} tokens"
        counted = f", though the server counts {tokens}" if self.output_tokens else ""
        return EMPTY, f"the server was done and no text had come{counted}"


def _chunks(count: int) -> str:
    return "1 chunk" if count == 1 else f"{count} chunks"


def _text_of(choice: dict[str, Any]) -> str:
    """Return the text in a choice: said, thought, or the arguments of a tool."""
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        delta = choice.get("message")
    if not isinstance(delta, dict):
        text = choice.get("text")
        return text if isinstance(text, str) else ""
    found = [_plain(delta.get(name)) for name in ("reasoning_content", "content")]
    if not found[0]:
        found[0] = _plain(delta.get("reasoning"))
    calls = delta.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            found += [_plain(function.get("name")), _plain(function.get("arguments"))]
    return "".join(found)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(value: Any, before: int | None) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= COUNT_MOST else before


def _status(event: Any) -> int | None:
    if not isinstance(event, dict):
        return None
    error = event.get("error")
    code = error.get("code") if isinstance(error, dict) else event.get("code")
    return code if isinstance(code, int) and 100 <= code <= 599 else None


def message_of(value: Any) -> str:
    """Return the message in a server's account of an error, in the forms that servers use."""
    if isinstance(value, dict):
        for name in ("error", "message", "detail", "msg"):
            if value.get(name):
                return message_of(value[name])
        return shown(orjson.dumps(value, default=str))
    if isinstance(value, list) and value:
        return message_of(value[0])
    return shown(str(value))
