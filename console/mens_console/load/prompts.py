"""What is asked: prompts of about so many tokens that no cache has seen, or those of a file. Pure but for that file.

The built-in ones are plain English words, drawn anew from the first word on: a server that keeps prefixes in a cache
finds nothing of them there, so that its time to the first token is not flattered. A common word is about one token.
"""

from __future__ import annotations

import os
import random
import stat
from typing import TYPE_CHECKING, Any, Final

import orjson

from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FILE_MOST: Final = 256 << 20
"""Bytes of a file of prompts."""
PROMPT_MOST: Final = 1 << 20
"""Bytes of one prompt."""
COUNT_MOST: Final = 100_000
_KEYS: Final = ("prompt", "text", "input", "question", "instruction")
_VOCABULARY: Final = (
    "the time people way water day part work place year home world school house hand head city night country road "
    "story friend father mother child door room table book letter paper window garden river field tree light morning "
    "evening summer winter spring music money market business office company question answer problem reason result "
    "number line group system program point case fact idea word name life side power interest force history war law "
    "language voice face body heart mind air fire earth stone wood metal glass food bread fish horse bird dog game "
    "team player king doctor teacher student woman man boy girl old new good great little long high small large early "
    "young important different public able open clear simple strong ready warm cold quiet deep wide heavy green red "
    "blue black white go come take make give find tell ask work seem feel try leave call keep let begin help show hear "
    "play run move live hold bring write sit stand lose pay meet lead learn change watch follow stop speak read spend "
    "grow walk win teach offer remember consider appear buy serve send build stay fall cut reach raise pass sell"
)
WORDS: Final = tuple(_VOCABULARY.split())
_SENTENCE: Final = 11
_TASK: Final = "Continue this text at length."
_STRIDE: Final = 100_003
"""Between the numbers of two minutes, so that a file's prompts are gone through in another order each minute."""


class PromptError(ValueError):
    """A file of prompts cannot be used; the message names file, line and cure."""


class Prompts:
    """A prompt for every request, the same for the same seed and place in the schedule."""

    def __init__(self, *, tokens: int = 64, seed: int = 0, own: Sequence[str] = ()) -> None:
        self._tokens = tokens
        self._seed = seed
        self._own = own

    def of(self, minute: int, number: int) -> str:
        """Return the prompt of request `number` of a minute."""
        if self._own:
            return self._own[(minute * _STRIDE + number) % len(self._own)]
        return synthetic(f"{self._seed}/{minute}/{number}", self._tokens)


def synthetic(seed: str, tokens: int) -> str:
    """Return a text of about `tokens` tokens that asks to be continued. The same arguments give the same text."""
    draw = random.Random(seed)  # noqa: S311 (no secret)
    task = _TASK.split()
    # Each sentence has its words and a full stop, and the task's last stop is a token, too.
    words = max(round((tokens - len(task) - 1) * _SENTENCE / (_SENTENCE + 1)), 1)
    chosen = draw.choices(WORDS, k=words)
    sentences = [" ".join(chosen[at : at + _SENTENCE]).capitalize() + "." for at in range(0, words, _SENTENCE)]
    return f"{' '.join(sentences)}\n\n{_TASK}"


def read_prompts(path: Path) -> tuple[str, ...]:
    """Return the prompts of a file: JSON Lines (a string, or an object with `prompt`), or one a line.

    Raises `PromptError`.
    """
    raw = _read(path)
    lines = raw.removeprefix(b"\xef\xbb\xbf").splitlines()
    first = next((line.strip() for line in lines if line.strip()), b"")
    found = tuple(_prompts(path, lines, is_json=first[:1] in (b"{", b'"')))
    if not found:
        raise PromptError(f"{path}: there is no prompt in it; write one a line, or JSON Lines with prompt")
    return found


def _read(path: Path) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as file:  # noqa: PTH123 (a descriptor)
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise PromptError(f"{path}: not a regular file; name a file of prompts")
            raw = file.read(FILE_MOST + 1)
    except OSError as error:
        raise PromptError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    if len(raw) > FILE_MOST:
        raise PromptError(f"{path}: larger than {FILE_MOST >> 20} MiB; take a part of it")
    return raw


def _prompts(path: Path, lines: list[bytes], *, is_json: bool) -> Iterator[str]:
    count = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        count += 1
        where = f"{path}, line {number}"
        if count > COUNT_MOST:
            raise PromptError(f"{where}: more than {COUNT_MOST} prompts; take a part of them")
        if len(line) > PROMPT_MOST:
            raise PromptError(f"{where}: longer than {PROMPT_MOST >> 20} MiB; shorten it")
        try:
            text = _of_json(orjson.loads(line), where) if is_json else line.decode("utf-8")
        except orjson.JSONDecodeError as error:
            raise PromptError(f"{where}: no JSON ({error.msg}); correct that line") from None
        except UnicodeDecodeError:
            raise PromptError(f"{where}: it is not UTF-8; save the file as UTF-8") from None
        if not text.strip():
            raise PromptError(f"{where}: the prompt is empty; fill or remove that line")
        yield text


def _of_json(value: Any, where: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        for key in _KEYS:
            if isinstance(value.get(key), str):
                return str(value[key])
        keys = safe_text(", ".join(map(str, value)), 100)
        raise PromptError(f"{where}: no text under {', '.join(_KEYS)} (it has {keys or 'nothing'}); rename its key")
    raise PromptError(f'{where}: neither a string nor an object; write {{"prompt": "…"}}')
