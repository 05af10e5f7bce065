"""Records of a run: its `run_summary.json`, and `stages.jsonl`.

A summary tells the last losses, which only explain. Stages have done-signals of their own: how many of them were
measured as met is a figure that a profile may ask for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from mens_console.gate.readers.numbers import at, number, pointer
from mens_console.gate.readers.sheet import Sheet

_SUMMARIES: Final = ("mens-run-summary/1", "vox_mens_run_summary_v1")
_METRICS: Final = (
    ("val_loss_last_epoch", "nats", ("eval_loss", "val_loss", "validation_loss")),
    ("validation_loss", "nats", ("eval_loss", "val_loss", "validation_loss")),
    ("train_loss", "nats", ("loss", "train_loss")),
    ("no_supervised_skip_rate", "share", ("no_supervised_skip_rate",)),
    ("truncation_fraction", "share", ("truncation_fraction",)),
    ("construct_coverage", "share", ("construct_coverage",)),
    ("corpus_parse_rate", "share", ("corpus_parse_rate", "parse_rate")),
    ("quality_proxy", "share", ("quality_proxy",)),
)
_EVENTS: Final = frozenset({"stage_start", "stage_step", "stage_end"})


def claims_summary(document: Any) -> bool:
    """Whether it is the summary of a run."""
    return at(document, "schema") in _SUMMARIES


def read_summary(document: dict[str, Any], sheet: Sheet) -> None:
    """Read what it measured last."""
    sheet.taken(document.get("ended_at") or document.get("started_at"))
    sheet.tag("model", document.get("base_model"))
    sheet.tag("run", document.get("run_id"))
    status = document.get("status", "completed")
    trouble = "" if status == "completed" else f"the run is not completed: {str(status)[:40]}"
    figures = document.get("final_metrics")
    figures = figures if isinstance(figures, dict) else document
    where = "final_metrics" if figures is not document else ""
    for metric, unit, names in _METRICS:
        name = next((one for one in names if figures.get(one) is not None), "")
        if name:
            place = pointer(where, name) if where else pointer(name)
            sheet.add(metric, figures[name], unit, place, n=1, trouble=trouble)
    if not sheet.items:
        sheet.note("it holds no figure that a criterion may name")


def claims_stage(row: Any) -> bool:
    """Whether a line is an event of a stage."""
    return at(row, "event") in _EVENTS and isinstance(at(row, "payload", "stage"), str)


@dataclass(slots=True)
class Stages:
    """Reads `stages.jsonl`: how the last attempt at each stage ended. Steps are told, and count in their stage."""

    latest: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The newest event of each stage or step that was begun or ended; its payload."""
    last: float = 0.0
    bad: int = 0

    def add(self, row: Any, line: int) -> None:
        """Take one event."""
        del line
        if not claims_stage(row):
            self.bad += 1
            return
        self.last = max(self.last, number(row.get("ts_ms")) / 1000 or 0.0)
        if row["event"] != "stage_step":
            told = row["payload"]
            name = str(told["stage"]) + (f"/{told['step']}" if told.get("step") else "")
            self.latest[name] = {**told, "ended": row["event"] == "stage_end"}

    def finish(self, sheet: Sheet) -> None:
        """Count the stages that are done and those that are not, and tell what became of each."""
        if self.last > 0:
            sheet.taken(self.last)
        for name, told in self.latest.items():
            sheet.note(_told(name, told))
        states = {name: _state(told) for name, told in self.latest.items() if not told.get("step")}
        unsaid = [name for name, state in states.items() if state is None]
        trouble = ""
        if self.bad:
            trouble = f"{self.bad} lines are no events of stages: a stage may have ended in them"
        elif not states:
            trouble = "it tells of no stage"
        undone = sum(state is not True for state in states.values())
        silent = f"nothing measured whether they are done: {', '.join(unsaid)}" if len(unsaid) == undone > 0 else ""
        sheet.add("stages_open", undone, "stages", "every line", n=len(states) or None, trouble=trouble or silent)
        sheet.add("stages_done", len(states) - undone, "stages", "every line", n=len(states) or None, trouble=trouble)


def _state(told: dict[str, Any]) -> bool | None:
    """Return whether a stage is done; None where it ended well and nothing measured whether that is so."""
    if not told["ended"] or told.get("exit_code") != 0 or told.get("met") is False:
        return False
    return True if told.get("met") is True else None


def _told(name: str, told: dict[str, Any]) -> str:
    if not told["ended"]:
        return f"stage {name}: begun, and no end of it is told"
    met, measured = told.get("met"), str(told.get("measured") or "")
    word = "met" if met is True else "not met" if met is False else "not measured"
    return f"stage {name}: exit code {told.get('exit_code')}, done-signal {word}{f' ({measured})' if measured else ''}"
