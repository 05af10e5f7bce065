"""Sketches of persons by an n-gram model over a text of ours, with validators that look at what came out and repairs.

Its temperature is the caller's: cooled down, the same openings, places and happy ends come again and again, and
the validators see that. Scores are measured on the text, nothing is drawn.
"""

from __future__ import annotations

import random
import re
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from recording.ngram import END, NGram
from recording.texts import BAD, ENDS, GOOD, MIDDLES, NAMES, OPENINGS, PLACES, THINGS

CONSTRAINTS = {
    "money": ["rent", "price", "debt", "loaves", "ticket", "envelope", "bank", "receipts", "coins", "crates", "worth"],
    "family_duty": ["sister", "brother", "father", "grandmother", "children", "home", "child", "sends"],
    "time_pressure": ["morning", "late", "shift", "shifts", "noon", "tomorrow", "hours", "five", "again"],
    "health": ["doctor", "knee", "salt", "hurts", "tired", "sleeps", "nights"],
    "migration": ["bus", "ferry", "letters", "language", "translates", "road", "train", "home"],
    "weather": ["rain", "snow", "fog", "winter", "wet", "flood", "cold"],
}
"""Themes by the words that tell of them."""
MOVES = (
    ("dialogue", r"^“"),
    ("direct_question", r"\?$"),
    ("proverb", r"^(They say|My grandmother)"),
    ("weather", r"^(Rain|Snow|Fog)\b"),
    ("childhood_memory", r"^(When I was|As a child)"),
    ("confession", r"^I (have )?never"),
    ("letter", r"^Dear\b"),
    ("situational_hook", r"^At\b"),
    ("sensory_detail", r"^It (smells|sounds)"),
    ("complaint", r"\b(queue|clerk)\b"),
)
REMEMBERED = 40
MOST_TRIES = 2
_PARTS = ("<opening>", "<middle>", "<end>")
_STOP = frozenset({END, *_PARTS})


@dataclass
class Sketch:
    """One attempt as it ended: its text, what was found in it, what was repaired and what still is wrong."""

    text: str
    repairs: list[str]
    scores: dict[str, float]
    opening_move: str
    anchors: list[str]
    constraints: list[str]
    problems: list[str]
    tokens: int


@dataclass
class Studio:
    """The model, the validators and what they remember of the newest sketches."""

    rng: random.Random
    recent: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    tokens: int = 0

    def __post_init__(self) -> None:
        """Train on every sentence, each after the mark of its part."""
        texts = []
        for part, lines in zip(_PARTS, (OPENINGS, MIDDLES, ENDS), strict=True):
            texts += [[part, *line.split()] for line in lines.strip().splitlines()]
        self._model = NGram(3, texts)

    def attempt(self, trait: str, temperature: float) -> Sketch:
        """Generate one sketch of a person who has `trait`, and repair it as far as a few tries do."""
        self.tokens = 0
        sentences = [self._sentence(part, temperature) for part in (_PARTS[0], _PARTS[1], _PARTS[1], _PARTS[2])]
        repairs: list[str] = []
        problems = self._problems(sentences, trait)
        for _ in range(MOST_TRIES):
            if not problems:
                break
            problem, place = problems[0]
            repairs.append(problem)
            sentences[place] = self._sentence(_PARTS[(0, 1, 1, 2)[place]], temperature)
            problems = self._problems(sentences, trait)
        self.recent.append(_key(sentences[0][0]))
        text = " ".join(sentence for sentence, _ in sentences)
        return Sketch(
            text=text,
            repairs=sorted(set(repairs)),
            scores=self._scores(sentences, trait),
            opening_move=_move(sentences[0][0]),
            anchors=[anchor for _, anchors in sentences for anchor in anchors],
            constraints=[theme for theme, words in CONSTRAINTS.items() if set(words) & set(text.lower().split())],
            problems=[problem for problem, _ in problems],
            tokens=self.tokens,
        )

    def _sentence(self, part: str, temperature: float) -> tuple[str, list[str]]:
        """Return a sentence with its names and places filled in, and the places."""
        tokens = self._model.generate([part], 24, temperature, self.rng, _STOP)
        self.tokens += len(tokens)
        words, anchors = [], []
        for token in tokens:
            if token == "ANCHOR":
                anchors.append(f"{self._pick(THINGS, temperature)} · {self._pick(PLACES, temperature)}")
                words.append(anchors[-1])
            else:
                words.append(self._pick(NAMES, temperature) if token == "NAME" else token)
        return " ".join(words), anchors

    def _pick(self, names: Sequence[str], temperature: float) -> str:
        """Return one of some names; what stands first was seen most often, which shows when it is cold."""
        weights = [(1.0 + place) ** (-0.25 / temperature) for place in range(len(names))]
        return self.rng.choices(names, weights)[0]

    def _problems(self, sentences: list[tuple[str, list[str]]], trait: str) -> list[tuple[str, int]]:
        """Return what the validators object to, each with the sentence that is to blame."""
        found = []
        key = _key(sentences[0][0])
        if self.recent.count(key) >= 6:
            found.append(("opening_repetition", 0))
        leaks = [place for place, (text, _) in enumerate(sentences) if trait in text.split()]
        if leaks:
            found.append(("trait_leak", leaks[0]))
        if not any(anchors for _, anchors in sentences):
            found.append(("anchor_missing", 1))
        if _pollyanna(sentences) > 0.86:
            found.append(("pollyanna", 3))
        return found

    def _scores(self, sentences: list[tuple[str, list[str]]], trait: str) -> dict[str, float]:
        words = [word for text, _ in sentences for word in text.split()]
        anchors = [anchor for _, each in sentences for anchor in each]
        seen = self.recent.count(_key(sentences[0][0])) / max(len(self.recent), 1)
        return {
            "trait_leak": float(trait in words),
            "opening_variation": round(1.0 - seen, 2),
            "pollyanna": round(_pollyanna(sentences), 2),
            "anchor_specificity": round(len(set(anchors)) / max(len(anchors), 1), 2),
        }


def _key(opening: str) -> str:
    return " ".join(word for word in opening.split()[:4] if word not in NAMES)


def _move(opening: str) -> str:
    return next((move for move, pattern in MOVES if re.search(pattern, opening)), "portrait")


def _pollyanna(sentences: list[tuple[str, list[str]]]) -> float:
    """Return the share of positive words among those with a feeling, both smoothed by one."""
    words = Counter(word for text, _ in sentences for word in text.lower().split())
    good, bad = sum(words[word] for word in GOOD), sum(words[word] for word in BAD)
    return (good + 1.0) / (good + bad + 2.0)
