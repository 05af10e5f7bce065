"""One request being recorded and its attempts: times them, and keeps what it is told of their outputs and verdicts.

Nothing is derived over attempts and nothing is written here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Self

from mens_console.collectors.classify import histogram
from mens_console.collectors.guard import LOGGER
from mens_console.collectors.plain import number, text
from mens_console.collectors.strictness import extras

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

MOST_ATTEMPTS: Final = 10_000
WHITESPACE: Final = "whitespace"


class Task:
    """One request, from its coming to its last verdict. Ending it writes it, once, also when it raised."""

    def __init__(
        self, write: Callable[[Task], None], facts: dict[str, Any], *, strict: bool, clock: Callable[[], float]
    ) -> None:
        self.facts = facts
        self.attempts: list[Attempt] = []
        self.task_success: bool | None = None
        self.semantic_task_success: bool | None = None
        self.error: str | None = None
        self.duration_ms = 0.0
        self._write = write
        self._strict = strict
        self._clock = clock
        self._began = clock()
        self._ended = False

    def attempt(self) -> Attempt:
        """Begin the next output, or repair: `with task.attempt() as attempt: …`."""
        before = self.attempts[-1].row["diagnostics"] if self.attempts else None
        one = Attempt(len(self.attempts) + 1, before, self.elapsed_ms, strict=self._strict)
        if len(self.attempts) < MOST_ATTEMPTS:
            self.attempts.append(one)
        return one

    def checked(self, *, task_success: bool | None = None, semantic_task_success: bool | None = None) -> None:
        """Note what golden behavioural checks said of the last output, and those of its expected shape."""
        self.task_success = self.task_success if task_success is None else bool(task_success)
        if semantic_task_success is not None:
            self.semantic_task_success = bool(semantic_task_success)

    def elapsed_ms(self) -> float:
        """Return the milliseconds since the request came, to the microsecond."""
        return round(max(self._clock() - self._began, 0.0) * 1000, 3)

    def end(self, error: BaseException | str | None = None) -> None:
        """End the request and write it; only the first call does anything.

        Its duration reaches to the last verdict, so that checks made after it do not count.
        """
        if self._ended:
            return
        self._ended = True
        if error is not None:
            self.error = error if isinstance(error, str) else f"{type(error).__name__}: {text(error)}"
        if not self.attempts:
            with_none = self.attempt()
            with_none.end(self.error or "no output was generated")
        for one in self.attempts:
            one.end()
            one.look_through()
        last = self.attempts[-1].row
        self.duration_ms = round(last["start_ms"] + last["duration_ms"], 3)
        self._write(self)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the request; what was raised goes on its way."""
        self.end(error)


class Attempt:
    """One output: `output` when the model has answered, `validated` when there is a verdict. `row` is as written."""

    def __init__(
        self, place: int, before: dict[str, int] | None, elapsed_ms: Callable[[], float], *, strict: bool
    ) -> None:
        self._elapsed_ms = elapsed_ms
        self._strict = strict
        self._answered: float | None = None
        self._output: str | None = None
        self._tokens: tuple[int | None, str | None] = None, None
        self._ended = False
        self.tokenizer: str | None = None
        """How its tokens were counted; None where there is no output."""
        self.row: dict[str, Any] = {
            "attempt": place,
            "start_ms": elapsed_ms(),
            "generate_ms": 0.0,
            "validate_ms": None,
            "duration_ms": 0.0,
            "first_token_ms": None,
            "prompt_tokens": None,
            "output_tokens": None,
            "output_bytes": None,
            "code_bytes": None,
            "compile_pass": None,
            "canonical_pass": None,
            "diagnostics_before": before,
            "diagnostics": None,
            "strictness": None,
            "surface_contract_failed": None,
            "error": None,
        }

    def first_token(self) -> None:
        """Note that the first token came, where the output is streamed."""
        if self.row["first_token_ms"] is None:
            self.row["first_token_ms"] = self._since_start()

    def output(
        self,
        output: str,
        *,
        tokens: int | None = None,
        prompt_tokens: int | None = None,
        tokenizer: str | None = None,
        surface_contract_failed: bool | None = None,
    ) -> None:
        """Note the output, as soon as the model has answered.

        `tokens` are those of the output by `tokenizer`: "model" for the model's own one, "other" for another. Without
        them words between blanks are counted, and told to be that ("whitespace"); such a count decides nothing.
        """
        if self._ended:
            return
        self._answered = self._elapsed_ms()
        self._output = output if isinstance(output, str) else text(output)
        self._tokens = _whole(tokens), tokenizer
        self.row["generate_ms"] = self._since_start(self._answered)
        self.row["prompt_tokens"] = _whole(prompt_tokens)
        self.row["surface_contract_failed"] = surface_contract_failed

    def validated(
        self, passed: bool, *, diagnostics: Iterable[Any] | None = None, canonical: bool | None = None
    ) -> None:
        """Note the verdict: whether it compiles, what the validator said, whether its canonical form validates too.

        Diagnostics are messages, exceptions, or objects or mappings with `message`, `code` or `category`. An output
        that fails without saying why has unknown diagnostics, not none.
        """
        if self._ended:
            return
        now = self._elapsed_ms()
        if self._answered is not None:
            self.row["validate_ms"] = round(now - self._answered, 3)
        self.row["compile_pass"] = bool(passed)
        self.row["canonical_pass"] = None if canonical is None else bool(canonical)
        self.row["diagnostics"] = _counted(diagnostics, passed=bool(passed))
        self.end()
        self.row["duration_ms"] = self._since_start(now)

    def end(self, error: BaseException | str | None = None) -> None:
        """End the attempt; only the first call does anything."""
        if self._ended:
            return
        self._ended = True
        self.row["duration_ms"] = self._since_start(None if self._answered is None else self._answered)
        if self._answered is None:
            self.row["generate_ms"] = self.row["duration_ms"]
        if error is not None:
            self.row["error"] = error if isinstance(error, str) else f"{type(error).__name__}: {text(error)}"

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the attempt; what was raised goes on its way."""
        self.end(error)

    def _since_start(self, now: float | None = None) -> float:
        return round((self._elapsed_ms() if now is None else now) - float(self.row["start_ms"]), 3)

    def look_through(self) -> None:
        """Measure the output. It is done when the request has ended, so that it is in nobody's time."""
        if self._output is None:
            return
        output, self._output = self._output, None
        self.row["output_bytes"] = len(output.encode("utf-8", "replace"))
        tokens, tokenizer = self._tokens
        if tokens is None:
            tokens, tokenizer = len(output.split()), WHITESPACE
        self.row["output_tokens"], self.tokenizer = tokens, tokenizer or "unknown"
        if self._strict:
            found = extras(output)
            self.row["strictness"], self.row["code_bytes"] = list(found.kinds), found.code_bytes


def _counted(diagnostics: Any, *, passed: bool) -> dict[str, int] | None:
    """Return diagnostics by class, None where they are unknown."""
    if isinstance(diagnostics, str | Mapping | BaseException):
        diagnostics = (diagnostics,)
    try:
        found = histogram(() if diagnostics is None else diagnostics)
    except Exception as error:  # noqa: BLE001 - foreign objects may do anything, and the generation is not to blame
        LOGGER.debug("diagnostics cannot be read", exc_info=error)
        return None
    return found if found or passed else None


def _whole(value: object) -> int | None:
    found = number(value)
    return int(found) if found is not None and 0 <= found < 1 << 53 else None
