"""One generation attempt as it is counted: the typed rows that lines are decoded into, and what their fields may hold.

The types grow with the log: validators and fields that no contract names are learned, so that every later row is read
at full speed. No reading and no counting here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import Meta, Raw, Struct, defstruct

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
    "error": Raw,
}
"""The fields of an attempt in the order of the contract, and what each may hold; Raw: only that it is there."""
PLACES: Final = {name: place for place, name in enumerate(FIELDS)}
TELLING: Final = tuple(
    PLACES[name] for name in FIELDS if name not in {"ts", "run_id", "constraint_categories", "error"}
)
"""A row that carries none of these, readably, is no attempt: a time, a run and a message are in any log."""
ABSENT: Final = Raw()
_MOST_NAMES: Final = 256
_LONGEST_NAME: Final = 256

Row: TypeAlias = Struct
"""Any type that `Layout` makes; its fields are `FIELDS`, scores a struct by validator, then the learned ones."""


class OpenRow(
    defstruct("OpenRow", [(name, kind, ABSENT if kind is Raw else None) for name, kind in FIELDS.items()], gc=False)  # type: ignore[misc]
):
    """A row of any validators and of any further fields, which are skipped."""


@dataclass(slots=True)
class Layout:
    """The typed row of one log, as far as its validators and further fields are known.

    `row` and `scores` are the types, `decoder` refuses what they do not foresee, so that it can be learned.
    """

    validators: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    full: bool = False
    """Names were met beyond the bound (256 of each kind, 256 characters long): those are not counted one by one."""
    row: Any = field(init=False)
    scores: Any = field(init=False)
    decoder: msgspec.json.Decoder[Any] = field(init=False)

    def __post_init__(self) -> None:
        self.scores = _struct("Scores", [(name, Score, None) for name in self.validators], closed=not self.full)
        known = [(name, kind, ABSENT if kind is Raw else None) for name, kind in FIELDS.items()]
        known[PLACES["validator_scores"]] = ("validator_scores", self.scores | None, None)
        further = [(name, Raw, ABSENT) for name in self.unknown]
        self.row = _struct("Attempt", known + further, closed=not self.full)
        self.decoder = msgspec.json.Decoder(self.row)

    def learn(self, validators: set[str], unknown: set[str]) -> Layout:
        """Return a layout that foresees these names too: this one where nothing is new or nothing more may be."""
        new_validators = sorted(filter(_usable, validators - set(self.validators)))
        new_unknown = sorted(filter(_usable, unknown - set(self.unknown)))
        room = _MOST_NAMES - len(self.validators), _MOST_NAMES - len(self.unknown)
        odd = not all(map(_usable, validators | unknown))
        full = self.full or odd or len(new_validators) > room[0] or len(new_unknown) > room[1]
        names = (*self.validators, *new_validators[: room[0]]), (*self.unknown, *new_unknown[: room[1]])
        if names == (self.validators, self.unknown) and full == self.full:
            return self
        return Layout(*names, full)

    def build(self, values: dict[str, Any]) -> Row:
        """Return a row of readable values by field; the scores are those of the known validators."""
        scores: dict[str, float] | None = values.get("validator_scores")
        if scores is not None:
            values["validator_scores"] = self.scores(*(scores.get(name) for name in self.validators))
        absent = (ABSENT if kind is Raw else None for kind in FIELDS.values())
        known = (values.get(name, nothing) for name, nothing in zip(FIELDS, absent, strict=True))
        row: Row = self.row(*known, *(values.get(name, ABSENT) for name in self.unknown))
        return row


def _usable(name: str) -> bool:
    return len(name) <= _LONGEST_NAME


def _struct(name: str, fields: list[tuple[str, Any, Any]], *, closed: bool) -> Any:
    # Foreign names are no identifiers: the attributes are numbered, and only their encoded names are foreign.
    numbered = [(f"f{place}", kind, default) for place, (_, kind, default) in enumerate(fields)]
    renamed = {f"f{place}": foreign for place, (foreign, _, _) in enumerate(fields)}
    return defstruct(name, numbered, rename=renamed, forbid_unknown_fields=closed, gc=False)
