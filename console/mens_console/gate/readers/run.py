"""Records of a run: its `run_summary.json`, and `stages.jsonl`.

A summary tells the last losses, which only explain. Stages have done-signals of their own, which are no criteria of a
gate: they are recognised, and what became of them is noted.
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
    """Reads `stages.jsonl`: how each stage ended last."""

    ended: dict[str, tuple[Any, Any, str]] = field(default_factory=dict)
    last: float = 0.0
    bad: int = 0

    def add(self, row: Any, line: int) -> None:
        """Take one event."""
        del line
        if not claims_stage(row):
            self.bad += 1
            return
        self.last = max(self.last, number(row.get("ts_ms")) / 1000 or 0.0)
        if row["event"] == "stage_end":
            end = row["payload"]
            name = str(end["stage"]) + (f"/{end['step']}" if end.get("step") else "")
            self.ended[name] = (end.get("exit_code"), end.get("met"), str(end.get("measured") or ""))

    def finish(self, sheet: Sheet) -> None:
        """Note what became of each stage."""
        if self.last > 0:
            sheet.taken(self.last)
        for name, (code, met, measured) in self.ended.items():
            word = "met" if met is True else "not met" if met is False else "not measured"
            sheet.note(f"stage {name}: exit code {code}, done-signal {word}{f' ({measured})' if measured else ''}")
        if self.bad:
            sheet.note(f"{self.bad} lines are no events of stages")
