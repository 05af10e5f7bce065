"""What the Health and KPI screens say when nothing feeds them: what was looked for, and the lines that write it.

Words only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mens_console.ingest.text import safe_text
from mens_console.screens.sheet import Line, prose

if TYPE_CHECKING:
    from mens_console.store.snapshot import Snapshot

ATTEMPTS = (
    "Health reads logs with one JSON object a line for each generation attempt: repairs, validator scores, opening "
    "move, anchors, latency, tokens. From them it tells whether the feel collapses."
)
RECORDS = (
    "KPIs come from records of generate-and-repair loops (mens_generation_event_v1, vox_runtime_generation_kpi_v1) and "
    "from benchmark and scorecard summaries."
)


def no_attempts(snapshot: Snapshot, width: int) -> list[Line]:
    """Return the page of a box without attempt logs."""
    width = min(width, 76)
    looking = "Looking for attempt logs…" if snapshot.scanning else "No attempt log found yet."
    lines: list[Line] = [(), ((looking, "strong"),), (), *prose(ATTEMPTS, width)]
    lines += [
        (),
        (("Three lines write such a log, from as many processes as you like:", "muted"),),
        (("  from mens_console.collectors import AttemptLogger", "accent"),),
        (('  attempts = AttemptLogger("runs/personas/attempts.jsonl", run_id="25K_a")', "accent"),),
        (('  attempts.log(persona_id=7, stage="B", attempt=1, status="success", …)', "accent"),),
        (),
        (("A log elsewhere, growing or complete:", "muted"),),
        (("  mens-console /path/to/logs", "accent"), ("   or, without the screen:", "muted")),
        (("  mens-console health /path/to/attempts.jsonl", "accent"),),
        (),
    ]
    return lines + _searched(snapshot, width)


def no_kpis(snapshot: Snapshot, width: int) -> list[Line]:
    """Return the page of a box without KPI records."""
    width = min(width, 76)
    looking = "Looking for KPI records…" if snapshot.scanning else "No KPI record found yet."
    lines: list[Line] = [(), ((looking, "strong"),), (), *prose(RECORDS, width)]
    lines += [
        (),
        (("Around a generate-and-repair loop:", "muted"),),
        (("  from mens_console.collectors import GenerationRecorder", "accent"),),
        (('  recorder = GenerationRecorder("runs/code/events.jsonl")', "accent"),),
        (('  with recorder.task("task-17", model="m1", lane="code") as task: …', "accent"),),
        (),
        (("Records elsewhere:", "muted"),),
        (("  mens-console /path/to/records", "accent"), ("   or, without the screen:", "muted")),
        (("  mens-console kpi /path/to/records", "accent"),),
        (),
    ]
    return lines + _searched(snapshot, width)


def _searched(snapshot: Snapshot, width: int) -> list[Line]:
    lines: list[Line] = [(("Searched, with everything below:", "muted"),)]
    lines += [((f"  {safe_text(str(root), width)}", ""),) for root in snapshot.roots] or [(("  nothing", "warn"),)]
    for problem in snapshot.problems[:4]:
        lines += prose(safe_text(problem), width, "warn", "! ")
    return lines
