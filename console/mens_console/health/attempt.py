"""One generation attempt as it is counted: the typed rows that lines are decoded into, and what their fields may hold.

The types grow with the log: validators and fields that no contract names are learned, so that every later row is read
at full speed. No reading and no counting here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias, get_args

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType, defstruct

from mens_console.health.spelling import FIELD_OF, Other, told
from mens_console.health.spelling import others as other_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_LIMIT: Final = 2**53
"""Numbers beyond are no measurement: nothing that is counted here comes near."""
Number: TypeAlias = Annotated[int, Meta(ge=-_LIMIT, le=_LIMIT)] | Annotated[float, Meta(ge=-_LIMIT, le=_LIMIT)] | None
Whole: TypeAlias = Annotated[int, Meta(ge=-_LIMIT, le=_LIMIT)] | None
Score: TypeAlias = Annotated[float, Meta(ge=-_LIMIT, le=_LIMIT)] | None
Texts: TypeAlias = tuple[str, ...] | None
LATEST: Final = 1e19
"""Of a time as a number, in nanoseconds."""
Time: TypeAlias = datetime | Annotated[float, Meta(ge=-LATEST, le=LATEST)] | None

FIELDS: Final[dict[str, Any]] = {
    "ts": Time,
    "run_id": str | int | None,
    "persona_id": str | int | None,
    "stage": str | None,
    "attempt": Whole,
    "status": str | None,
    "latency_ms": Number,
    "prompt_tokens": Whole,
    "completion_tokens": Whole,
    "repairs": Texts,
    "validator_scores": dict[str, Score] | None,
    "opening_move": str | None,
    "constraint_categories": Raw,
    "anchors_used": Texts,
    "error": str | None | UnsetType,
}
"""The fields of an attempt in the order of the contract, and what each may hold; Raw: only that it is there."""
PLACES: Final = {name: place for place, name in enumerate(FIELDS)}
TELLING: Final = tuple(
    PLACES[name] for name in FIELDS if name not in {"ts", "run_id", "constraint_categories", "error"}
)
"""A row that carries none of these, readably, is no attempt: a time, a run and a message are in any log."""
_TELLING_NAMES: Final = frozenset(name for name, place in PLACES.items() if place in TELLING)
_SCORE: Final = "validator_scores."
ABSENT: Final = Raw()
NOTHING: Final[dict[str, Any]] = dict.fromkeys(FIELDS) | {"constraint_categories": ABSENT, "error": UNSET}
"""What stands for a field that a row does not carry. An error is most often null, which is there all the same."""
WORDS: Final[dict[str, Callable[[Any], Any]]] = {
    "run_id": lambda word: word | None if word else None,
    "stage": lambda word: word | None if word else None,
    "status": lambda word: word | None if word else None,
    "repairs": lambda word: _several(word) | None,
    "opening_move": lambda word: word | None if word else None,
}
"""Fields that hold few different words, and their type with a word's. A run id can be a number, which is no word."""
_MOST_WORDS: Final = 64
_MOST_NAMES: Final = 256
_LONGEST_NAME: Final = 256

_ODD: Final = re.compile(r'[\x00-\x1f"\\]')

Row: TypeAlias = Struct
"""Any type that `Layout` makes; its fields are `FIELDS`, scores a struct by validator, then the learned ones."""


class OpenRow(
    defstruct("OpenRow", [(name, kind, NOTHING[name]) for name, kind in FIELDS.items()], gc=False)  # type: ignore[misc]
):
    """A row of any validators and of any further fields, which are skipped."""


@dataclass(slots=True)
class Layout:
    """The typed row of one log, as far as its validators, its further fields and its recurring words are known.

    `row` and `scores` are the types; `decoder` refuses what they do not foresee, so that it can be learned.
    """

    validators: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    full: bool = False
    """More further fields were met than are counted by name (256)."""
    loose: bool = False
    """The validators are too many, or too oddly named, for a type: scores are dictionaries, which costs a fifth."""
    words: dict[str, tuple[str, ...] | None] = field(default_factory=lambda: dict.fromkeys(WORDS, ()))
    """What the fields of few words were seen to hold: words decoded to one object each are counted twice as fast. None
    where there are too many."""
    gaps: frozenset[str] | None = None
    """Fields that some row lacks, `_SCORE` and the name for a validator. What is no gap every row has: the decoder sees
    to it, so that nobody has to look. None before anything was learned: any of them may lack."""
    row: Any = field(init=False)
    scores: Any = field(init=False)
    decoder: msgspec.json.Decoder[Any] = field(init=False)
    full_fields: frozenset[str] = field(init=False)
    """Fields that every row of this type has, with a value."""
    full_scores: frozenset[str] = field(init=False)
    """Validators of which every row with scores has one."""
    telling: bool = field(init=False)
    """Whether each row carries a field of an attempt."""
    run: str | None = field(init=False)
    """The run of all rows of this type; None where they may be of several."""
    others: tuple[Other, ...] = field(init=False)
    """Other names that rows of this type may tell a field by that they may lack."""

    def __post_init__(self) -> None:
        gaps = self.gaps
        unmet = {name for name, words in self.words.items() if words == () and name != "repairs"}
        self.full_fields = frozenset() if gaps is None else frozenset(FIELDS) - gaps - unmet
        known = () if gaps is None or self.loose else self.validators
        self.full_scores = frozenset(name for name in known if _SCORE + name not in (gaps or ()))
        self.telling = not self.full_fields.isdisjoint(_TELLING_NAMES)
        runs = self.words["run_id"] if "run_id" in self.full_fields else None
        self.run = runs[0] if runs is not None and len(runs) == 1 else None
        self.others = other_names(FIELDS, self.unknown, self.full_fields)
        self._prepare()

    def _prepare(self) -> None:
        """Make the types."""
        scores = [(name, *_needed(Score, None, needed=name in self.full_scores)) for name in self.validators]
        self.scores = dict[str, Score] if self.loose else _struct("Scores", scores, closed=True)
        kinds = {**FIELDS, "validator_scores": self.scores | None, **_kinds(self.words)}
        fields = [
            (name, *_needed(kind, NOTHING[name], needed=name in self.full_fields)) for name, kind in kinds.items()
        ]
        further = [(name, Raw, ABSENT) for name in self.unknown]
        self.row = _struct("Attempt", fields + further, closed=not self.full)
        self.decoder = msgspec.json.Decoder(self.row)

    def learn(self, rows: Sequence[dict[str, Any]]) -> Layout:
        """Return a layout that foresees what these rows hold: this one where nothing is new or nothing more may be.

        Rows are values by field, scores a dictionary.
        """
        validators: set[str] = set()
        unknown: set[str] = set()
        words: dict[str, set[str]] = {name: set() for name, known in self.words.items() if known is not None}
        for values in rows:
            validators.update(told(values, "validator_scores", None) or ())
            unknown.update(values.keys() - FIELDS.keys())
            for name, met in words.items():
                met.update(_words(values.get(name)))
        numbered = any(type(values.get("run_id")) is int for values in rows)
        learned = Layout.__new__(Layout)
        learned.validators, learned.loose = _more(self.validators, validators)
        learned.loose |= self.loose or not all(map(_usable, validators))
        learned.unknown, learned.full = _more(self.unknown, unknown)
        learned.full |= self.full
        if learned.full:  # an open type says nothing of the names it passes over: those that tell a field must be known
            learned.unknown = (*learned.unknown, *(name for name in FIELD_OF if name not in learned.unknown))
        learned.words = {name: _vocabulary(known, words.get(name, ())) for name, known in self.words.items()}
        if numbered:
            learned.words["run_id"] = None
        learned.gaps = (self.gaps or frozenset()).union(*(_gaps(values, learned.validators) for values in rows))
        if all(
            getattr(learned, name) == getattr(self, name)
            for name in ("validators", "unknown", "full", "loose", "words", "gaps")
        ):
            return self
        learned.__post_init__()
        return learned

    def build(self, values: dict[str, Any]) -> Row:
        """Return a row of readable values by field; the scores are those of the known validators."""
        values = {**values, **{name: told(values, name, nothing) for name, nothing in NOTHING.items()}}
        scores: dict[str, float] | None = values["validator_scores"]
        if scores is not None and not self.loose:
            values["validator_scores"] = self.score(scores)
        known = [values.get(name, nothing) for name, nothing in NOTHING.items()]
        row: Row = _made(self.row, [*known, *(values.get(name, ABSENT) for name in self.unknown)])
        return row

    def score(self, scores: dict[str, float]) -> Any:
        """Return the scores of the known validators as rows have them."""
        return _made(self.scores, (scores.get(name) for name in self.validators))


def _made(kind: Any, values: Iterable[Any]) -> Any:
    return kind(**{f"f{place}": value for place, value in enumerate(values)})


def _gaps(values: dict[str, Any], validators: Iterable[str]) -> set[str]:
    """Return what a row lacks; of validators only where it has scores."""
    gaps = {name for name, nothing in NOTHING.items() if values.get(name, nothing) is nothing}
    scores = values.get("validator_scores")
    return gaps if scores is None else gaps | {_SCORE + name for name in validators if scores.get(name) is None}


def _needed(kind: Any, nothing: Any, *, needed: bool) -> tuple[Any, ...]:
    """Return a field's type and default: without either what stands for its absence, where it is needed."""
    if not needed:
        return kind, nothing
    some = [one for one in get_args(kind) if one is not type(nothing)]
    return (reduce(or_, some) if type(nothing) in get_args(kind) else kind,)


def few_type(names: Iterable[str], words: dict[str, tuple[str, ...] | None]) -> Any:
    """Return the type of rows of which only these fields are read, whatever else they carry."""
    kinds = {**FIELDS, **_kinds(words)}
    return defstruct("Few", [(name, kinds[name], NOTHING[name]) for name in dict.fromkeys(names)], gc=False)


def _kinds(vocabulary: dict[str, tuple[str, ...] | None]) -> dict[str, Any]:
    """Return the types of the fields whose words are known."""
    known = {name: words for name, words in vocabulary.items() if words is not None}
    return {name: WORDS[name](Literal[words] if words else None) for name, words in known.items()}


def _several(kind: Any) -> Any:
    return tuple[kind, ...] if kind else tuple[()]


def _words(value: Any) -> tuple[str, ...]:
    return (value,) if type(value) is str else value if type(value) is tuple else ()


def _vocabulary(known: tuple[str, ...] | None, met: Iterable[str]) -> tuple[str, ...] | None:
    """Return the words with those met; None where they are too many, or so long that they hardly recur."""
    if known is None:
        return None
    together = (*known, *sorted(set(met) - set(known)))
    return together if len(together) <= _MOST_WORDS and all(map(_usable, together)) else None


def _more(known: tuple[str, ...], met: set[str]) -> tuple[tuple[str, ...], bool]:
    """Return the names with those met, and whether some had to be left out."""
    new = sorted(filter(_usable, met - set(known)))
    room = _MOST_NAMES - len(known)
    return (*known, *new[:room]), len(new) > room


def _usable(name: str) -> bool:
    """Whether a typed row can have a field of that name."""
    return len(name) <= _LONGEST_NAME and not _ODD.search(name)


def _struct(name: str, fields: Sequence[tuple[Any, ...]], *, closed: bool) -> Any:
    # Foreign names are no identifiers: the attributes are numbered, and only their encoded names are foreign.
    numbered: Any = [(f"f{place}", *kind) for place, (_, *kind) in enumerate(fields)]
    renamed = {f"f{place}": foreign for place, (foreign, *_) in enumerate(fields)}
    return defstruct(name, numbered, rename=renamed, forbid_unknown_fields=closed, gc=False, kw_only=True)
