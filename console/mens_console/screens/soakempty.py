"""What the Soak screen says when there is no soak: what it would show, and how to begin one in two lines.

Words only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mens_console.ingest.text import safe_text
from mens_console.screens.sheet import Line, prose

if TYPE_CHECKING:
    from mens_console.store.snapshot import Snapshot, SoakView


def no_soaks(snapshot: Snapshot, width: int) -> list[Line]:
    """Return the page of a box without soaks."""
    width = min(width, 76)
    looking = "Looking for soaks…" if snapshot.scanning else "No soak found yet."
    about = (
        "A soak is steady load on a model server for hours. From it this screen tells availability, errors, time "
        "between failures, latencies by the minute and what leaks."
    )
    lines: list[Line] = [(), ((looking, "strong"),), (), *prose(about, width), ()]
    lines += [
        (("Begin one; it goes on when this terminal is gone:", "muted"),),
        (("  mens-console soak run --url http://127.0.0.1:8000 --model NAME \\", "accent"),),
        (("      --rate 10 --duration 72h --out runs/soak --detach", "accent"),),
        (),
    ]
    other = "Results of guidellm, vLLM bench serve, aiperf, locust and k6 below the roots are shown here too."
    lines += [*prose(other, width, "muted"), (), (("Searched, with everything below:", "muted"),)]
    lines += [((f"  {safe_text(str(root), width)}", ""),) for root in snapshot.roots] or [(("  nothing", "warn"),)]
    for problem in snapshot.problems[:4]:
        lines += prose(safe_text(problem), width, "warn", "! ")
    return lines


def unread(view: SoakView, width: int) -> list[Line]:
    """Return what is said of a soak of which nothing is known yet."""
    name = safe_text(str(view.path), 200)
    if view.problem:
        said = prose(safe_text(view.problem, 400), width, "warn", " ")
        return [(), ((f" {safe_text(view.id, 80)} cannot be read", "bad"),), *said, ((f" {name}", "muted"),)]
    return [(), ((f" Reading {name}…", "strong"),), ((" hours of minutes take about a second", "muted"),)]
