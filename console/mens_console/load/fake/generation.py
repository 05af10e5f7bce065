"""What the fake server is asked for and what it says: words, one a token, and the answer to a question on its prompt.

Pure: a request's fate and words follow from the seed and its number alone.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mens_console.load.fake.http import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mens_console.load.fake.knobs import Knobs
    from mens_console.load.fake.script import Entry

DEFAULT_TOKENS: Final = 128
_MOST_TOKENS: Final = 1_000_000
_VOCABULARY: Final = (
    "river stone winter garden window letter paper silver morning evening market bridge forest copper harbour engine "
    "table candle number mountain summer village station signal carpet button ladder pepper orange basket circle "
    "metal cotton planet island doctor farmer teacher pilot driver quiet bright narrow heavy gentle"
)
_WORDS: Final = tuple(_VOCABULARY.split())
_NEEDLE: Final = re.compile(
    r"\b(?:number|code|word|key|value|password|city|magic|secret)\b[\w ]{0,20}? (?:for|of) (?:the )?"
    r"([\w-]+(?: [\w-]+)?) is:? ?[\"'`]?([\w-]+)",
    re.IGNORECASE,
)
"""What is hidden in a prompt: "the magic number of Lisbon is 4711", "the code of the red box is 123456"."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A generation that was asked for."""

    chat: bool
    prompt: str
    prompt_tokens: int
    tokens: int
    """How many it may say."""
    exact: bool
    """Whether it may not stop before that (`ignore_eos`)."""
    stream: bool
    usage: bool
    model: str


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one answer: `kind` is ok, error, cut, empty, malformed, stall or reset."""

    kind: str
    status: int = 200


def ask_of(path: str, body: bytes, knobs: Knobs) -> Ask:
    """Return what is asked for. Raises `BadRequestError` with the status that a real server gives."""
    try:
        asked = json.loads(body)
    except ValueError:
        raise BadRequestError(400, "the body is no JSON") from None
    if not isinstance(asked, dict):
        raise BadRequestError(400, "the body is no JSON object")
    chat = path.endswith("/chat/completions")
    model = asked.get("model")
    if model not in (None, "", knobs.model):
        raise BadRequestError(404, f"The model `{model}` does not exist.")
    prompt = _prompt(asked, chat=chat)
    tokens = asked.get("max_tokens", asked.get("max_completion_tokens"))
    if tokens is None:
        tokens = DEFAULT_TOKENS
    if isinstance(tokens, bool) or not isinstance(tokens, int) or not 1 <= tokens <= _MOST_TOKENS:
        raise BadRequestError(400, f"max_tokens is {tokens!r}; it must be at least 1")
    count = len(prompt.split())
    if count + tokens > knobs.context:
        raise BadRequestError(
            400,
            f"This model's maximum context length is {knobs.context} tokens. However, you requested {count + tokens} "
            f"tokens ({count} in the prompt, {tokens} in the completion).",
        )
    options = asked.get("stream_options")
    usage = isinstance(options, dict) and options.get("include_usage") is True
    stream = asked.get("stream") is True and knobs.stream
    exact = asked.get("ignore_eos") is True
    return Ask(chat, prompt, count, tokens, exact, stream, usage and knobs.usage, knobs.model)


def _prompt(asked: dict[str, Any], *, chat: bool) -> str:
    if not chat:
        prompt = asked.get("prompt")
        if isinstance(prompt, list):
            prompt = " ".join(map(str, prompt))
        if not isinstance(prompt, str):
            raise BadRequestError(400, "prompt is missing")
        return prompt
    messages = asked.get("messages")
    if not isinstance(messages, list) or not messages:
        raise BadRequestError(400, "messages are missing")
    said: list[str] = []
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, list):
            content = " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
        if not isinstance(content, str):
            raise BadRequestError(400, "a message has no content")
        said.append(content)
    return "\n".join(said)


def fate_of(dice: random.Random, knobs: Knobs, wrong: Sequence[Entry]) -> Fate:
    """Draw what becomes of an answer: by the script's entries of now first, then by the knobs' shares."""
    for entry in wrong:
        if dice.random() < entry.rate:
            return Fate("error" if entry.what == "errors" else entry.what, entry.status)
    drawn, reached = dice.random(), 0.0
    for status, share in knobs.errors.items():
        reached += share
        if drawn < reached:
            return Fate("error", status)
    for kind in ("cut", "empty", "malformed", "stall"):
        reached += getattr(knobs, kind)
        if drawn < reached:
            return Fate(kind)
    return Fate("ok")


def words_of(ask: Ask, dice: random.Random, knobs: Knobs) -> tuple[list[str], str]:
    """Return the words of an answer, and why it stops: `stop` or `length`."""
    found = found_in(ask.prompt, right=not knobs.recall or ask.prompt_tokens <= knobs.recall)
    if found is not None:
        words = found.split()[: ask.tokens]
        if not ask.exact:
            return words, "stop"
        return [*words, *dice.choices(_WORDS, k=ask.tokens - len(words))], "length"
    tokens, why = ask.tokens, "length"
    if knobs.answer_tokens and knobs.answer_tokens < tokens and not ask.exact:
        tokens, why = knobs.answer_tokens, "stop"
    return dice.choices(_WORDS, k=tokens), why


def found_in(prompt: str, *, right: bool) -> str | None:
    """Answer a question on something hidden in the prompt ("the magic number of X is Y"); None where none is asked."""
    needles = list(_NEEDLE.finditer(prompt))
    if not needles or "?" not in (question := prompt[needles[-1].end() :][-2000:]):
        return None
    by_name = {match[1].split()[0].lower(): match[2] for match in needles}
    asked = [value for name, value in by_name.items() if re.search(rf"\b{re.escape(name)}\b", question.lower())]
    value = asked[-1] if asked else needles[-1][2]
    if right:
        return value
    return str(int(value) + 1) if value.isdigit() and value.isascii() else f"{value[::-1]}-not"


def groups(words: Sequence[str], size: int) -> Iterator[tuple[str, int]]:
    """Yield what goes into each chunk, and how many tokens that is; all but the first begin with a blank."""
    for begin in range(0, len(words), size):
        part = words[begin : begin + size]
        yield ("" if not begin else " ") + " ".join(part), len(part)


def event(ask: Ask, request_id: str, created: int, text: str | None, finish: str | None) -> dict[str, Any]:
    """Return one event of a stream; without text the first of a chat, which names the role alone."""
    choice: dict[str, Any] = {"index": 0, "logprobs": None, "finish_reason": finish}
    if not ask.chat:
        choice["text"] = text or ""
    elif text is None:
        choice["delta"] = {} if finish else {"role": "assistant", "content": ""}
    else:
        choice["delta"] = {"content": text}
    kind = "chat.completion.chunk" if ask.chat else "text_completion"
    return {"id": request_id, "object": kind, "created": created, "model": ask.model, "choices": [choice]}


def whole(ask: Ask, request_id: str, created: int, text: str, tokens: int, finish: str) -> dict[str, Any]:
    """Return an answer that is not streamed."""
    said = {"message": {"role": "assistant", "content": text}} if ask.chat else {"text": text}
    choice = {"index": 0, "logprobs": None, "finish_reason": finish, **said}
    kind = "chat.completion" if ask.chat else "text_completion"
    made = {"id": request_id, "object": kind, "created": created, "model": ask.model, "choices": [choice]}
    return {**made, "usage": usage(ask, tokens)}


def usage(ask: Ask, tokens: int) -> dict[str, int]:
    """Return the usage of an answer."""
    return {
        "prompt_tokens": ask.prompt_tokens, "completion_tokens": tokens, "total_tokens": ask.prompt_tokens + tokens
    }  # fmt: skip
