"""What a screen says when it has nothing to show: what was looked at, and what to do next.

Words only; no widget and no run enters here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mens_console.ingest.text import safe_text
from mens_console.screens.sheet import Line, prose

if TYPE_CHECKING:
    from mens_console.store.snapshot import Snapshot

FILES = (
    "*.jsonl with a step in each row · trainer_state.json · TensorBoard event files · metrics.csv · "
    "training_status.json · console logs of Hugging Face Trainer"
)


def no_runs(snapshot: Snapshot, width: int) -> list[Line]:
    """Return the page of a box without runs."""
    width = min(width, 76)
    if snapshot.scanning and not snapshot.problems:
        lines: list[Line] = [(), (("Looking for runs…", "strong"),), ()]
    else:
        lines = [(), (("No training run found yet.", "strong"),), ()]
    lines.append((("Searched, with everything below:", "muted"),))
    lines += [((f"  {safe_text(str(root), width)}", ""),) for root in snapshot.roots] or [(("  nothing", "warn"),)]
    for problem in snapshot.problems:
        lines += prose(safe_text(problem), width, "warn", "! ")
    lines += _elsewhere(snapshot, width)
    lines += [(), (("A run shows up here by itself as soon as one of these is written:", "muted"),)]
    lines += prose(FILES, width, "", "  ")
    lines += [(), (("Somewhere else?", "muted"),), (("  mens-console /path/to/runs", "accent"),)]
    lines += [(("Set it for good:", "muted"),), (("  export MENS_RUNS=/path/to/runs", "accent"),)]
    lines += [(("Look around with recorded runs:", "muted"),), (("  mens-console demo", "accent"),)]
    return lines


def _elsewhere(snapshot: Snapshot, width: int) -> list[Line]:
    """Return on which other screens there is something to see."""
    logs = len(snapshot.health)
    found = [f"Attempt logs found in {logs} folder{'s' * (logs > 1)}: 4 shows their health"] if logs else []
    found += ["KPI records found: 5 shows them"] if snapshot.kpi is not None else []
    soaks = len(snapshot.soaks)
    found += [f"{soaks} soak{'s' * (soaks > 1)} found: 6 shows {'them' if soaks > 1 else 'it'}"] if soaks else []
    return [(), *(line for text in found for line in prose(text, width, "accent"))] if found else []


def no_rows(width: int, *, text_alone: bool = False) -> list[Line]:
    """Return what the charts' place says of a run that has logged nothing; `text_alone`: its files are logs."""
    width = min(width, 76)
    if text_alone:
        told = (
            "All that is known of this run is plain text: 0 shows and searches it, and it is read for errors. No curve"
        )
        told += " is read from sentences."
        cure = "For curves, let the training write what is read (any of these is enough):"
        return [
            (),
            (("A log, and no metrics.", "strong"),),
            (),
            *prose(told, width, "muted"),
            (),
            *prose(cure, width, "muted"),
            *prose('one JSON object a row: {"step": 10, "loss": 2.31}, in a *.jsonl', width, "", "  "),
            *prose("a metrics.csv, or TensorBoard events", width, "", "  "),
            *prose("MensCallback or watch() of mens_console.collectors, in three lines", width, "", "  "),
        ]
    return [
        (),
        (("No metric row yet.", "strong"),),
        (),
        *prose("The run is known from its files, but none of them holds a step with a number so far.", width, "muted"),
        *prose(
            "Trainers write their first row after logging_steps steps; a small value shows life sooner.", width, "muted"
        ),
        (),
        (("0 shows the run's log streams.", "muted"),),
    ]


def no_logs(snapshot: Snapshot, width: int) -> list[Line]:
    """Return the page of a box without log streams."""
    roots = ", ".join(safe_text(str(root)) for root in snapshot.roots) or "nothing"
    return [
        (),
        (("No log stream found.", "strong"),),
        (),
        *prose(f"Looked below {roots} for *.log, *.out, *.err, nohup.out and the like.", min(width, 76), "muted"),
        *prose("Keep a trainer's output with:  python train.py 2>&1 | tee run/train.log", min(width, 76), "muted"),
    ]
