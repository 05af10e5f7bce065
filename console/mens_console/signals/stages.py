"""The pipeline of a run in stages: what each is for, and what was recorded of it. Pure data and folds over events."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, NamedTuple

from mens_console.signals.byvalue import ByValue

StageState = Literal["pending", "running", "done", "underfed", "failed"]


class Begun(NamedTuple):
    """Who runs a stage: the ids of the command and of what records it, their host ("" unknown), since when (s)."""

    pids: tuple[int, ...]
    host: str
    at: float


Alive = Callable[[Begun], bool | None]
"""Whether one of these processes still runs; None where that cannot be told from here."""


@dataclass(frozen=True, slots=True)
class StageView(ByValue):
    """One stage as it stands.

    `started` and `ended` are seconds since the epoch, NaN where unknown; `wall_s`, `cpu_percent` (of one core) and
    `max_rss_bytes` are the command's, NaN unknown. `signal` says what must be measured for the stage to be done and
    `measured` what was. `detail` are finished lines about sub-steps.
    """

    id: str
    title: str
    state: StageState
    started: float
    ended: float
    wall_s: float
    cpu_percent: float
    max_rss_bytes: float
    exit_code: int | None
    signal: str
    measured: str
    detail: tuple[str, ...] = ()
    rss_is_bound: bool = False
    """Whether `max_rss_bytes` is only known not to be exceeded: the command was smaller than what started it."""


class Stage(NamedTuple):
    """One stage of the pipeline: how long it should take, what must be measured for it to be done, and how."""

    id: str
    title: str
    scale: str
    signal: str
    how: str
    aliases: tuple[str, ...] = ()


STAGES: Final = (
    Stage(
        "dataset", "dataset check", "very short", "no parse errors",
        "`--data FILE` counts the rows that do not parse, or the command tells the fact `parse_errors`",
        ("data", "sanity"),
    ),
    Stage(
        "dryrun", "dry run", "short", "loss at least 20 % lower, no device errors",
        "first and last EMA of the loss that the run logged since the start; device errors in its log",
        ("dry-run", "overfit"),
    ),
    Stage(
        "mini", "mini fine-tune", "medium", "loss stabilises",
        "trend of the loss that the run logged since the start; `json_validity` of samples where the command tells it",
        ("mini-finetune",),
    ),
    Stage(
        "train", "full training", "long", "adapter saved, and the loss has levelled off or all steps were made",
        "a new `adapter_model.safetensors` or `.bin` in the run directory; steps made and trend of the loss",
        ("training", "full"),
    ),
    Stage(
        "evaluation", "evaluation", "short", "JSON validity at least 95 %, lint or AST at least 90 %",
        "the facts `json_validity`, `lint`, `ast` (`--facts REPORT` reads them from a file the command wrote)",
        ("eval", "evaluate"),
    ),
    Stage(
        "export", "merge and quantize", "short to medium", "a .gguf file was made",
        "a new `.gguf` file in the run directory",
        ("quantize", "gguf", "merge"),
    ),
    Stage(
        "deployment", "deployment", "very short to short", "the model answered",
        "`--probe COMMAND` ends well and prints something, or the command tells the fact `answered`",
        ("deploy",),
    ),
    Stage(
        "iteration", "iteration", "short to medium a pass", "evaluation improved without regressions",
        "the facts `eval_improved` and `regressions`",
        ("iterate", "improve"),
    ),
)  # fmt: skip
"""The eight stages of the training pipeline, in order, with their own done-signals (not those of the ship gate)."""

BY_ID: Final = {name: stage for stage in STAGES for name in (stage.id, *stage.aliases)}


def split(name: str) -> tuple[str, str | None]:
    """Return stage id and sub-step of ``export.merge``; an alias becomes the id, an unknown stage stays as it is."""
    stage, _, step = name.partition(".")
    known = BY_ID.get(stage.lower())
    return (known.id if known else stage), step or None


# ---------------------------------------------------------------------- the fold


@dataclass(slots=True)
class _Attempt:
    """One wrapped command: its beginning, its end where there is one, and what it told meanwhile."""

    stage: str
    step: str | None
    parent: str | None
    start: Mapping[str, Any]
    end: Mapping[str, Any] | None = None
    facts: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def started(self) -> float:
        """Seconds since the epoch, NaN where unknown."""
        return _number(self.start.get("started", self.start.get("ts")))


def stage_views(events: Sequence[Mapping[str, Any]], alive: Alive | None = None) -> tuple[StageView, ...]:
    """Return all stages once one of them was recorded, none before.

    `events` are payloads of `stages.jsonl` in order, each with its `event` and `ts` (seconds). Of several attempts at
    one stage the one that still runs counts, else the newest. Without `alive`, what has no end is running.
    """
    attempts = _attempts(events)
    if not attempts:
        return ()
    ids = [stage.id for stage in STAGES]
    ids += [name for name in dict.fromkeys(a.stage for a in attempts) if name not in BY_ID]
    return tuple(_stage(name, [a for a in attempts if a.stage == name], alive) for name in ids)


def _attempts(events: Iterable[Mapping[str, Any]]) -> list[_Attempt]:
    attempts: list[_Attempt] = []
    known: dict[str, _Attempt] = {}
    for event in events:
        kind, name = event.get("event"), event.get("stage")
        if not isinstance(name, str) or not name:
            continue
        stage, step = split(name)
        step = _text(event.get("step")) or step
        key = f"{stage}\0{step}\0{event.get('id')}"
        attempt = known.get(key)
        if attempt is None or (kind == "stage_start" and attempt.end is not None):
            # An end whose beginning was lost still tells how the stage went.
            attempt = known[key] = _Attempt(stage, step, _text(event.get("parent")) or None, event)
            attempts.append(attempt)
        if kind == "stage_end":
            attempt.end = event
        elif kind == "stage_step":
            attempt.facts.append(event)
    return attempts


def _stage(name: str, attempts: list[_Attempt], alive: Alive | None) -> StageView:
    whole = [attempt for attempt in attempts if attempt.step is None]
    chosen = next((a for a in reversed(whole) if _runs(a, alive) is True), whole[-1] if whole else None)
    mine = None if chosen is None else _text(chosen.start.get("id"))
    place = -1 if chosen is None else attempts.index(chosen)
    children = [a for a in attempts if a.step is not None and mine and a.parent == mine]
    apart = [a for i, a in enumerate(attempts) if a.step is not None and i > place and a not in children]
    if apart:
        newest = {a.step: a for a in apart}
        return _together(name, list(newest.values()), alive)
    if chosen is None:
        return _blank(name)
    view = _one(name, chosen, alive)
    told = tuple(line for fact in chosen.facts if (line := _fact_line(fact)))
    number = len(whole)
    again = (f"attempt {number}",) if number > 1 else ()
    return replace(view, detail=(*again, *(_step_line(a, alive) for a in children), *told))


def _blank(name: str) -> StageView:
    stage, nan = BY_ID.get(name), math.nan
    title, signal = (stage.title, stage.signal) if stage else (name, "none is defined for this stage")
    return StageView(name, title, "pending", nan, nan, nan, nan, nan, None, signal, "")


def _runs(attempt: _Attempt, alive: Alive | None) -> bool | None:
    """Say whether an attempt still runs, or is measured; None where it runs on another host, if it does."""
    if attempt.end is not None:
        return False
    told = (attempt.start.get("pid"), attempt.start.get("recorder_pid"))
    pids = tuple(pid for pid in told if isinstance(pid, int) and not isinstance(pid, bool))
    if alive is None or not pids:
        return True
    return alive(Begun(pids, _text(attempt.start.get("host")), attempt.started))


def _one(name: str, attempt: _Attempt, alive: Alive | None) -> StageView:
    end = attempt.end or {}
    state, measured = _verdict(attempt, alive)
    return replace(
        _blank(name),
        state=state,
        started=attempt.started,
        ended=_number(end.get("ts")),
        wall_s=_number(end.get("wall_s")),
        cpu_percent=_number(end.get("cpu_percent")),
        max_rss_bytes=_number(end.get("max_rss_bytes")),
        rss_is_bound=end.get("max_rss_is_bound") is True,
        exit_code=_exit_code(end),
        measured=measured,
    )


def _verdict(attempt: _Attempt, alive: Alive | None) -> tuple[StageState, str]:
    """Return how an attempt went, and what of its done-signal was measured."""
    end = attempt.end
    if end is None:
        runs = _runs(attempt, alive)
        if runs is None:
            return "running", f"as far as is known: it began on {_text(attempt.start.get('host'))}"
        return ("running", "") if runs else ("failed", "ended without a record")
    text, code = _text(end.get("measured")), _exit_code(end)
    if code is None:
        return "underfed", "it is not known how the command ended"
    if code != 0:
        signal = _text(end.get("signal"))
        how = f"killed by {signal}" if signal else _text(end.get("error")) or f"exit {code}"
        return "failed", "; ".join(part for part in (how, text) if part)
    met = end.get("met")
    if met is True:
        return "done", text
    if met is False:
        return "failed", text or "the done-signal was not met"
    part = "not enough" if end.get("values") else "nothing"
    return "underfed", f"exit 0, but {part} measured: {text or 'nobody looked'}"


def _together(name: str, steps: list[_Attempt], alive: Alive | None) -> StageView:
    """Return a stage that was run step by step: figures added up, the worst state, the newest measurement."""
    views = [_one(name, step, alive) for step in steps]
    states = [view.state for view in views]
    state: StageState = "running" if "running" in states else "failed" if "failed" in states else views[-1].state
    # The worst is told where there is one; the newest step saw what all of them left behind.
    teller = next((v for v in views if v.state == state), views[-1]) if state == "failed" else views[-1]
    walls = [view.wall_s for view in views if view.wall_s == view.wall_s]
    busy = [v.cpu_percent * v.wall_s for v in views if v.cpu_percent * v.wall_s == v.cpu_percent * v.wall_s]
    wall = math.fsum(walls) if walls else math.nan
    largest = max(views, key=lambda v: v.max_rss_bytes if v.max_rss_bytes == v.max_rss_bytes else -1.0)
    return replace(
        views[-1],
        state=state,
        started=min((v.started for v in views if v.started == v.started), default=math.nan),
        ended=math.nan if state == "running" else views[-1].ended,
        wall_s=wall,
        cpu_percent=math.fsum(busy) / wall if busy and wall > 0 else math.nan,
        max_rss_bytes=largest.max_rss_bytes,
        rss_is_bound=largest.rss_is_bound,
        exit_code=teller.exit_code,
        measured=teller.measured,
        detail=tuple(_step_line(step, alive) for step in steps),
    )


def _step_line(attempt: _Attempt, alive: Alive | None) -> str:
    state, _ = _verdict(attempt, alive)
    end = attempt.end or {}
    # Of a step only its own end is asked; the done-signal is the stage's.
    word = {"running": "running", "failed": "failed"}.get(state, "exit 0")
    code = _exit_code(end)
    if end and code:
        word = f"exit {code}"
    figures = _text(end.get("time"))
    return " · ".join(part for part in (str(attempt.step), word, figures) if part)


def _fact_line(event: Mapping[str, Any]) -> str:
    facts = event.get("facts")
    if not isinstance(facts, Mapping):
        return ""
    words = [f"{key} {value:.6g}" if isinstance(value, float) else f"{key} {value}" for key, value in facts.items()]
    return ", ".join(words)


def _exit_code(end: Mapping[str, Any]) -> int | None:
    """Return the exit code, 128 + n for signal n as shells say it, None where it is unknown."""
    code = end.get("exit_code")
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value) if isinstance(value, float) or abs(value) < 1 << 63 else math.nan


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
