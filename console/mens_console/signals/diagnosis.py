"""What is the matter with a run, and why: one state with the evidence lines that say so.

A pure function of an `Evidence`; it looks nothing up, reads no clock and remembers nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mens_console.signals.alerts import Observation, Signal
from mens_console.signals.byvalue import ByValue
from mens_console.signals.human import number, percent, plain, rate, size, span
from mens_console.signals.human import step as step_text
from mens_console.signals.rules import RULES, Severity
from mens_console.signals.system import is_tight, memory_lines, slow_lines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mens_console.signals.evidence import ErrorFact, Evidence, ProcessFact, State
    from mens_console.signals.rules import Rule

SLOW_SHARE: Final = 0.5
SLOW_MIN_N: Final = 20
DIVERGED_POINTS: Final = 20
DIVERGED_FACTOR: Final = 3.0
_BUSY_CPU: Final = 50.0
_IDLE_CPU: Final = 2.0
_GB: Final = 1e9
_GRACE_S: Final = 5.0
"""A run that just wrote may still be read: its last rows and its end marker come before its process is missed."""
_PHASE_PATIENCE: Final = 4.0
"""An evaluation of a live process may take this many times the silence that is critical otherwise."""

_ERROR_STATES: Final[dict[str, State]] = {
    "oom": "out_of_memory",
    "disk": "disk_full",
    "killed": "killed",
    "traceback": "crashed",
    "device": "crashed",
}
_ERROR_ORDER: Final = {kind: place for place, kind in enumerate(("oom", "disk", "device", "traceback", "killed"))}
_ERROR_WORDS: Final = {
    "oom": "out of memory",
    "disk": "no space left on device",
    "killed": "killed",
    "traceback": "error",
    "device": "device error",
}
_SEVERITIES: Final[dict[State, Severity]] = {
    "slow": Severity.WARNING,
    "stalled": Severity.WARNING,
    "unknown": Severity.WARNING,
    "hung": Severity.CRITICAL,
    "killed": Severity.CRITICAL,
    "crashed": Severity.CRITICAL,
    "out_of_memory": Severity.CRITICAL,
    "disk_full": Severity.CRITICAL,
    "diverged": Severity.CRITICAL,
}


@dataclass(frozen=True, slots=True)
class Diagnosis(ByValue):
    """State of a run, since when (seconds, NaN unknown), the lines that say why, and how bad that is."""

    state: State
    since: float
    evidence: tuple[str, ...]
    severity: Severity = Severity.INFO


def diagnose(e: Evidence) -> Diagnosis:
    """Judge a run by the evidence.

    Asked in this order, the first answer stands: an error after the last row · no row yet · a loss that is NaN or
    has been above 3 × its best for 20 points · an end marker, or all steps made and silence · a phase that explains
    the silence · silence beyond the learned cadence, judged by what is known of the process · a process known to be
    gone · half the usual rate · running. Nothing is remembered, so a run that speaks again is running again.
    """
    for judge in (_by_error, _by_rows, _by_loss, _by_end, _by_gone_process, _by_phase, _by_silence, _by_rate):
        found = judge(e)
        if found is not None:
            return found
    return _answer(e, "running", e.last_sign, [_silence_line(e), *_process_lines(e)])


def _answer(e: Evidence, state: State, since: float, lines: list[str]) -> Diagnosis:
    extra = list(e.more)
    if e.disk_free_bytes is not None and e.disk_free_bytes < _GB:
        extra.append(f"{size(e.disk_free_bytes)} left on the run's volume")
    evidence = tuple(plain(line) for line in (*lines, *extra) if line)
    return Diagnosis(state, since, evidence, _SEVERITIES.get(state, Severity.INFO))


def _by_error(e: Evidence) -> Diagnosis | None:
    late = [error for error in e.errors if error.after_last_row]
    if not late or (_alive(e) and e.silence_s <= e.cadence.stall_after_s and not _fatal(late)):
        return None
    error = min(late, key=lambda found: _ERROR_ORDER.get(found.kind, len(_ERROR_ORDER)))
    lines = [_error_line(error), *_memory(e, error.kind), _silence_line(e), *_progress_lines(e), *_process_lines(e)]
    since = error.wall if math.isfinite(error.wall) else e.last_sign
    return _answer(e, _ERROR_STATES.get(error.kind, "crashed"), since, lines)


def _memory(e: Evidence, kind: str) -> tuple[str, ...]:
    """Return how full memory was; of what was killed without a word only where that may have been why."""
    if kind == "oom":
        return memory_lines(e.sample, e.last_row_wall)
    return memory_lines(e.sample, e.last_row_wall, gpus=False) if kind == "killed" and is_tight(e.sample) else ()


def _fatal(errors: list[ErrorFact]) -> bool:
    """Say whether an error ends a run by itself; a traceback may have been caught by the trainer."""
    return any(error.kind in ("oom", "disk", "killed") for error in errors)


def _by_rows(e: Evidence) -> Diagnosis | None:
    if e.rows:
        return None
    if e.end is not None and not e.end.stale:
        return _by_end(e)
    gone = _by_gone_process(e)
    if gone is not None:
        return gone
    lines = ["no metric row yet", *_process_lines(e)]
    if e.silence_s >= e.cadence.critical_after_s and (_gone(e) or _before_boot(e)):
        return _answer(e, "unknown", e.last_sign, [*lines, f"nothing was written for {span(e.silence_s)}"])
    return _answer(e, "waiting", e.last_sign, lines)


def _by_loss(e: Evidence) -> Diagnosis | None:
    lines: list[str] = []
    if e.nan is not None and e.nan.count > 0:
        what = "0.0 with a NaN gradient norm (a hidden NaN)" if e.nan.hidden else "not finite"
        points = f"{e.nan.count} point{'s' if e.nan.count > 1 else ''} in a row"
        lines.append(f"loss is {what} since step {step_text(e.nan.since_step)}, {points}")
    elif e.loss is not None and e.loss.points_above >= DIVERGED_POINTS:
        times = e.loss.recent / e.loss.best if e.loss.best > 0.0 else math.inf
        lines.append(
            f"loss {number(e.loss.recent)} is {times:.3g} × its best level {number(e.loss.best)}, "
            f"above {DIVERGED_FACTOR:g} × for {e.loss.points_above} points"
        )
    else:
        return None
    if e.end is not None and not e.end.stale:
        lines.append(f"it finished too: {e.end.text}")
    return _answer(e, "diverged", e.last_sign, [*lines, _silence_line(e), *_process_lines(e)])


def _by_end(e: Evidence) -> Diagnosis | None:
    if e.end is not None and not e.end.stale:
        since = e.end.wall if math.isfinite(e.end.wall) else e.last_sign
        return _answer(e, "finished", since, [f"end marker: {e.end.text}", *_progress_lines(e)])
    if e.step is None or not e.total_steps or e.step < e.total_steps:
        return None
    if e.silence_s <= e.cadence.stall_after_s and not _gone(e):
        return None
    lines = ["all steps are made, without an end marker", *_progress_lines(e), _silence_line(e)]
    return _answer(e, "finished", e.last_sign, [*lines, *_process_lines(e)])


def _by_gone_process(e: Evidence) -> Diagnosis | None:
    """Judge a run whose process was seen alive and is no more, without waiting for its usual silence."""
    if not (e.pid_seen_alive_earlier and _gone(e)) or e.silence_s <= _GRACE_S:
        return None
    lines = ["its process was alive earlier and is gone, without an end marker", *_process_lines(e)]
    return _answer(e, "killed", e.last_sign, [*lines, *_memory(e, "killed"), *_progress_lines(e), _silence_line(e)])


def _by_phase(e: Evidence) -> Diagnosis | None:
    if e.phase not in ("saving", "evaluating") or _gone(e):
        return None
    lasted = e.now - e.phase_since if math.isfinite(e.phase_since) else e.silence_s
    if lasted > e.cadence.critical_after_s * (_PHASE_PATIENCE if _alive(e) else 1.0):
        return None
    word: State = "saving" if e.phase == "saving" else "evaluating"
    doing = "saving a checkpoint" if word == "saving" else "evaluating"
    return _answer(e, word, e.phase_since, [f"{doing} for {span(lasted)}", _silence_line(e), *_process_lines(e)])


def _by_silence(e: Evidence) -> Diagnosis | None:
    silence = e.silence_s
    if silence <= e.cadence.stall_after_s or (math.isnan(silence) and _alive(e)):
        return None
    since = e.last_sign
    lines = [_silence_line(e), *_process_lines(e)]
    if _alive(e):
        state: State = "stalled"
        if silence >= e.cadence.critical_after_s:
            state = "hung"
            lines.append(_cpu_verdict(e))
        return _answer(e, state, since, [*lines, *_progress_lines(e)])
    if _gone(e) or _before_boot(e):
        if not (e.total_steps or e.pid_seen_alive_earlier):
            lines.append("it states neither an end nor a total of steps: it may have finished or been killed")
            return _answer(e, "unknown", since, [*lines, *_progress_lines(e)])
        lines += ["it ended without an end marker", *_memory(e, "killed")]
        return _answer(e, "killed", since, [*lines, *_progress_lines(e)])
    return _answer(e, "unknown", since, [*lines, *_missing(e), *_progress_lines(e)])


def _by_rate(e: Evidence) -> Diagnosis | None:
    r = e.rate
    if r is None or r.n < SLOW_MIN_N or not r.now < SLOW_SHARE * r.usual:
        return None
    share = percent(r.now / r.usual)
    line = f"{rate(r.now)} {r.unit} over the last {r.n} updates, {share} of the usual {rate(r.usual)}"
    why = slow_lines(e.lately) if e.lately is not None else ()
    return _answer(e, "slow", e.last_sign, [line, *why, _silence_line(e), *_process_lines(e)])


def _alive(e: Evidence) -> bool:
    return any(p.alive and p.status != "zombie" for p in e.processes or ())


def _gone(e: Evidence) -> bool:
    """Say whether no process can be running: known ones ended, or a complete look at the right box found none."""
    if e.processes is None or _alive(e):
        return False
    if e.processes or e.pid_seen_alive_earlier:
        return True
    return e.process_scan_complete and e.host_matches is not False


def _before_boot(e: Evidence) -> bool:
    return e.processes is not None and not e.last_write_after_boot and e.host_matches is not False


def _missing(e: Evidence) -> list[str]:
    if e.host_matches is False:
        return ["it runs on another host, whose processes cannot be seen from here"]
    if e.processes is None:
        return ["processes were not looked at"]
    return ["no process was matched, but not every process of this box could be read"]


def _silence_line(e: Evidence) -> str:
    if math.isnan(e.silence_s):
        return "nothing says when the last row was written"
    c = e.cadence
    if e.silence_s <= c.stall_after_s:
        line = f"last row {span(e.silence_s)} ago"
    else:
        line = f"no new row for {span(e.silence_s)}"
    if c.n:
        return f"{line}; usual gap {span(c.p50)} (p99 {span(c.p99)}, n={c.n})"
    return f"{line}; its usual gap is not known yet"


def _process_lines(e: Evidence) -> list[str]:
    if e.processes is None:
        return []
    if e.processes:
        return [_process_line(p) for p in sorted(e.processes, key=lambda p: (not p.alive, p.pid))[:4]]
    if not e.last_write_after_boot and e.host_matches is not False:
        return ["the box was booted after its last write"]
    if e.process_scan_complete and e.host_matches is not False:
        return ["no process on this box has its files open or names its folder"]
    return []


def _process_line(p: ProcessFact) -> str:
    name = f" {p.name}" if p.name else ""
    if not p.alive:
        return f"pid {p.pid}{name} is gone"
    parts = [f"pid {p.pid}{name} alive"]
    if p.status:
        parts.append(p.status)
    if p.cpu_percent is not None:
        parts.append(f"CPU {p.cpu_percent:.0f} %")
    return ", ".join(parts) + (f" ({p.reason})" if p.reason else "")


def _cpu_verdict(e: Evidence) -> str:
    loads = [p.cpu_percent for p in e.processes or () if p.alive and p.cpu_percent is not None]
    if not loads:
        return "alive for a long time without progress"
    if max(loads) <= _IDLE_CPU:
        return "idle: it waits for something that does not come"
    return "busy without progress: it spins" if max(loads) >= _BUSY_CPU else "hardly working, without progress"


def _progress_lines(e: Evidence) -> list[str]:
    if e.step is None:
        return []
    if not e.total_steps:
        return [f"last step {step_text(e.step)}"]
    return [f"step {step_text(e.step)} of {step_text(e.total_steps)}"]


def _error_line(error: ErrorFact) -> str:
    where = f" after step {step_text(error.at_step)}" if error.at_step is not None else ""
    return f"{_ERROR_WORDS.get(error.kind, 'error')}{where}: {error.message}"


LIVENESS_RULES: Final = ("stall", "crash", "oom", "device_error", "disk_full")
_ENDED: Final = frozenset({"crash", "oom", "disk_full"})
_ENDINGS: Final[dict[State, str]] = {
    "killed": "crash",
    "crashed": "crash",
    "out_of_memory": "oom",
    "disk_full": "disk_full",
}


def liveness_observations(
    entity: str, e: Evidence, d: Diagnosis, rules: Mapping[str, Rule] = RULES
) -> list[Observation]:
    """Say what a diagnosis means for the rules of `LIVENESS_RULES`, at time `e.now`.

    An error of the device is told with its own line, beside whatever the diagnosis is.
    """
    held: dict[str, Severity | None] = {}
    if d.state in ("stalled", "hung"):
        held["stall"] = Severity.CRITICAL if e.silence_s >= e.cadence.critical_after_s else None
    if d.state in _ENDINGS:
        held[_ENDINGS[d.state]] = None
    device = [error for error in e.errors if error.kind == "device"]
    if device:
        held["device_error"] = None
    rule = rules["disk_full"]
    free = e.disk_free_bytes / _GB if e.disk_free_bytes is not None else math.nan
    if free < rule.entry and d.state not in ("finished", "killed", "crashed"):
        held["disk_full"] = None
    found: list[Observation] = []
    for name in LIVENESS_RULES:
        value = {"stall": e.silence_s, "disk_full": free, "device_error": float(len(device))}.get(name, 1.0)
        limit = {"stall": e.cadence.stall_after_s, "disk_full": rule.entry}.get(name)
        if name in held:
            lines = tuple(plain(_error_line(error)) for error in device) if name == "device_error" else d.evidence
            text = f"{rules[name].title}: {lines[0]}" if lines else ""
            # What ended a run happened when it was last heard of, not when somebody looked.
            when = e.last_sign if name in _ENDED and math.isfinite(e.last_sign) else e.now
            patience = e.cadence.critical_after_s if held[name] is Severity.CRITICAL else e.cadence.stall_after_s
            began = e.last_sign + patience if name == "stall" else math.nan
            found.append(
                Observation(
                    name, entity, Signal.BREACH, when, e.step, value, limit, held[name], text, lines, standing=True,
                    began=began,
                )
            )  # fmt: skip
            continue
        silent = name == "stall" and d.state == "unknown"
        between = name == "disk_full" and free <= rule.exit
        signal = Signal.NODATA if silent or between else Signal.CLEAR
        found.append(Observation(name, entity, signal, e.now, e.step, value, limit))
    return found
