"""What can be set of the fake server: how fast it is, and what share of its answers goes wrong and how.

One table for the command line, for `[knobs]` of a script, and for tests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

DIALECTS: Final = ("vllm", "vllm-old", "sglang", "none")
STARTS: Final = ("refuse", "503")


class KnobError(ValueError):
    """A knob is unknown, or cannot be set so; `key` names it."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(reason)
        self.key = key


def _knob(default: Any, says: str, *, most: float = math.inf, one_of: tuple[str, ...] = ()) -> Any:
    return field(default=default, metadata={"says": says, "most": most, "one_of": one_of})


def _share(says: str) -> Any:
    return _knob(0.0, f"share of the answers {says}", most=1.0)


@dataclass(frozen=True, slots=True)
class Knobs:
    """How the server behaves. Shares lie in 0 … 1. A token is a word here."""

    model: str = _knob("fake-model", "name of the model it has")
    ttft_ms: float = _knob(50.0, "median time to the first token, milliseconds")
    ttft_spread: float = _knob(0.1, "spread of that: times e to the power of a normal deviate times this", most=3.0)
    prefill_ms: float = _knob(0.0, "more of that for each 1000 tokens of the prompt, milliseconds")
    gap_ms: float = _knob(10.0, "median gap between chunks, milliseconds")
    gap_spread: float = _knob(0.1, "spread of that, as above", most=3.0)
    tokens_per_chunk: int = _knob(1, "tokens in one chunk")
    answer_tokens: int = _knob(0, "tokens after which it stops by itself; 0: as many as were asked for")
    errors: Mapping[int, float] = field(
        default_factory=dict, metadata={"says": "shares of the answers that are an error, by HTTP status: 500=0.01"}
    )
    cut: float = _share("whose stream breaks off")
    empty: float = _share("that end without a token")
    malformed: float = _share("with an event that is no JSON")
    stall: float = _share("that stand still half-way")
    stall_s: float = _knob(5.0, "how long those stand still, seconds")
    slow_start_s: float = _knob(0.0, "seconds after its start in which it does not serve yet")
    slow_start: str = _knob("refuse", "what it does until then: refuse connections, or answer 503", one_of=STARTS)
    leak_bytes: int = _knob(0, "bytes of memory really lost with each request")
    leak_kv: float = _knob(0.0, "share of the KV cache lost with each request, as its gauge tells it", most=1.0)
    concurrency: int = _knob(0, "requests that are worked on at a time, others wait; 0: all")
    queue: int = _knob(0, "requests that may wait, others are answered 503; 0: all")
    context: int = _knob(131_072, "tokens of prompt and answer at most; others are answered 400")
    recall: int = _knob(0, "tokens of context up to which it finds what it is asked for; 0: always")
    kv_tokens: int = _knob(262_144, "tokens that its KV cache holds, for the gauge")
    metrics: str = _knob("vllm", "whose names /metrics uses", one_of=DIALECTS)
    usage: bool = _knob(True, "tell the usage where it was asked for")
    stream: bool = _knob(True, "stream where it was asked for")
    key: str = _knob("", "the API key that it wants; none where empty")

    @property
    def going_wrong(self) -> float:
        """The share of the answers that go wrong by chance."""
        return sum(self.errors.values()) + self.cut + self.empty + self.malformed + self.stall


def knobs_of(values: Mapping[str, Any], base: Knobs | None = None) -> Knobs:
    """Return `base` with those values set. Raises `KnobError`."""
    known = {one.name: one for one in fields(Knobs)}
    checked: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            raise KnobError(name, f"there is no knob {name}; there are: {', '.join(known)}")
        checked[name] = _errors(value) if name == "errors" else _checked(name, known[name], value)
    made = replace(base or Knobs(), **checked)
    if made.going_wrong > 1 + 1e-9:
        raise KnobError(
            next(iter(values)), f"the shares of what goes wrong add up to {made.going_wrong:g}, more than 1"
        )
    return made


def _checked(name: str, knob: Any, value: Any) -> Any:
    kind, one_of = type(knob.default), knob.metadata["one_of"]
    if kind in (bool, str):
        if not isinstance(value, kind) or (one_of and value not in one_of):
            wanted = " or ".join(one_of) or ("true or false" if kind is bool else "text")
            raise KnobError(name, f"{name} is {value!r}; give {wanted}")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or (kind is int and value != int(value)):
        raise KnobError(name, f"{name} is {value!r}; give a {'whole ' if kind is int else ''}number")
    if not 0 <= value <= knob.metadata["most"] or value == math.inf:
        limit = (
            f"between 0 and {knob.metadata['most']:g}" if knob.metadata["most"] < math.inf else "that is not negative"
        )
        raise KnobError(name, f"{name} is {value}; give a number {limit}")
    if name == "tokens_per_chunk" and not value:
        raise KnobError(name, "tokens_per_chunk is 0; give 1 or more")
    return kind(value)


def _errors(value: Any) -> dict[int, float]:
    try:
        made = {int(status): float(share) for status, share in dict(value).items()}
    except (TypeError, ValueError):
        raise KnobError("errors", f"errors is {value!r}; give shares by status, such as 500 = 0.01") from None
    for status, share in made.items():
        if not 300 <= status <= 599 or not 0 <= share <= 1:
            raise KnobError("errors", f"errors has {status} = {share:g}; give a status from 300 to 599, a share to 1")
    return made
