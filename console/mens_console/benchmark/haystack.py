"""Prompts of a chosen length: filler that no cache has seen, and the retrieval task of the context ladder. Pure.

An item of the task hides several needles (codes of boxes) at different depths of its text and asks for one of them.
An answer is right if its first number is that code.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import Final

from mens_console.signals.byvalue import ByValue

_NOUNS: Final = (
    "time year people way day man thing woman life child world school state family student group country problem hand "
    "part place case week company system program question work government number night point home water room mother "
    "area money story fact month lot right study book eye job word business issue side kind head house service friend "
    "father power hour game line end member law car city community name president team minute idea body information "
    "back parent face level office door health person art war history party result change morning reason research girl "
    "guy moment air teacher force education"
)
"""Common nouns: nearly every tokenizer holds each of them, with its blank, as one token."""
_WORDS: Final = tuple(_NOUNS.split())
_BOXES: Final = ("red", "blue", "green", "black", "white")
NEEDLES: Final = len(_BOXES)
"""In each item, evenly spread; the items of a rung ask for each of them in turn."""
_SENTENCE: Final = 12
"""Words of a sentence of filler."""
_NUMBER: Final = re.compile(r"\d+")
_THOUGHT: Final = "</think>"


@dataclass(frozen=True, slots=True)
class Item(ByValue):
    """One question of the retrieval task."""

    prompt: str
    code: str
    """The right answer, six digits."""
    depth: float
    """Where it is told, as a share of the text."""

    def answered_by(self, text: str) -> bool:
        """Say whether `text` is the right answer; what a model thinks aloud before it does not count."""
        if "<think>" in text and _THOUGHT not in text:
            return False
        found = _NUMBER.search(text.rpartition(_THOUGHT)[2])
        return found is not None and found.group() == self.code


def question(seed: int, place: str, number: int, words: int, *, at_length: bool = False) -> Item:
    """Return item `number` with `words` words of filler. The same arguments give the same item.

    With `at_length` it also asks to go on, so that a model that stops by itself speaks long enough to be timed.

    Every item begins differently, so that no server can take its beginning from a cache.
    """
    draw = random.Random(f"{seed}/{place}/{number}")  # noqa: S311 (no secret)
    boxes = draw.sample(_BOXES, NEEDLES)
    codes = [str(code) for code in draw.sample(range(100_000, 1_000_000), NEEDLES)]
    asked = number % NEEDLES
    depths = [(one + draw.uniform(0.2, 0.8)) / NEEDLES for one in range(NEEDLES)]
    sentences = _sentences(draw, words)
    for box, code, depth in reversed(list(zip(boxes, codes, depths, strict=True))):
        sentences.insert(int(depth * len(sentences)), f"The code of the {box} box is {code}.")
    wish = (
        "Begin with its six digits, then tell a very long story." if at_length else "Answer with its six digits alone."
    )
    prompt = (
        f"Notes {draw.randrange(10**6):06d}. Among them are the codes of some boxes.\n\n{' '.join(sentences)}\n\n"
        f"Question: what is the code of the {boxes[asked]} box? {wish}\nAnswer:"
    )
    return Item(prompt, codes[asked], depths[asked])


def request(seed: int, number: int, words: int) -> str:
    """Return a prompt that asks for a long text, with `words` words of filler."""
    draw = random.Random(f"{seed}/request/{number}")  # noqa: S311
    return f"{' '.join(_filler(draw, words))}. Tell a very long story with these words."


def _filler(draw: random.Random, words: int) -> list[str]:
    """Return so many words: always the same ones in another order, so that their tokens come to the same number."""
    rounds, rest = divmod(max(words, 0), len(_WORDS))
    chosen = [*(_WORDS * rounds), *_WORDS[:rest]]
    draw.shuffle(chosen)
    return chosen


def _sentences(draw: random.Random, words: int) -> list[str]:
    chosen = _filler(draw, words)
    return [" ".join(chosen[start : start + _SENTENCE]) + "." for start in range(0, len(chosen), _SENTENCE)]
