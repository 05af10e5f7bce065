"""`mens-console stage --list`: the stages that were recorded in a run directory and how they went.

It reads `stages.jsonl` alone; judging was done when each stage ended.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final

from mens_console.cli.common import colour, complain
from mens_console.cli.errors import NO, OK, WRONG
from mens_console.cli.status import paint, plain
from mens_console.collectors.stage import NAME
from mens_console.ingest.safeopen import read_small
from mens_console.ingest.text import safe_text
from mens_console.signals.human import size, span
from mens_console.signals.stages import stage_views
from mens_console.store.probe import lives

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mens_console.signals.stages import StageView

SCHEMA: Final = "mens-stages/1"
_CAP: Final = 64 << 20
LOOKS: Final = {
    "pending": ("·", "muted"), "running": ("●", "good"), "done": ("✔", "good"), "underfed": ("◐", "warn"),
    "failed": ("✖", "bad"),
}  # fmt: skip


def listing(folder: str, *, as_json: bool) -> int:
    """Print the stages; 1 if one failed, 2 if none was recorded."""
    path = os.path.join(folder, NAME)  # noqa: PTH118
    try:
        events, bad = read_events(read_small(path, _CAP))
    except FileNotFoundError:
        complain(f"{path}: no stage was recorded there; see mens-console stage --help")
        return WRONG
    views = stage_views(events, lives)
    if as_json:
        import orjson

        print(orjson.dumps(document(folder, views, bad), option=orjson.OPT_INDENT_2).decode())
    else:
        print("\n".join(_lines(views, colours=colour(sys.stdout))))
    if bad:
        complain(f"{path}: {bad} lines could not be read")
    if not views:
        complain(f"{path}: it holds no stage")
        return WRONG
    return NO if any(view.state == "failed" for view in views) else OK


def read_events(text: bytes) -> tuple[list[dict[str, Any]], int]:
    """Return the payloads with their `event` and `ts` (s), and how many whole lines were no event."""
    import json

    events: list[dict[str, Any]] = []
    bad = 0
    *lines, torn = text.split(b"\n")
    for line in [*lines, torn] if torn.endswith(b"}") else lines:
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        payload = row.get("payload") if isinstance(row, dict) else None
        if not isinstance(row, dict) or not isinstance(payload, dict):
            bad += 1
            continue
        stamp = row.get("ts_ms")
        seconds = stamp / 1000.0 if isinstance(stamp, int | float) and abs(stamp) < 1 << 63 else None
        events.append({**payload, "event": row.get("event"), "ts": seconds})
    return events, bad


def document(folder: str, views: Sequence[StageView], bad: int) -> dict[str, Any]:
    """Return the document `mens-stages/1`; a number that is not known is null."""
    return {
        "schema": SCHEMA,
        "run": safe_text(os.path.abspath(folder)),  # noqa: PTH100 (links stay)
        "bad_lines": bad,
        "stages": [
            {
                "id": safe_text(view.id),
                "title": safe_text(view.title),
                "state": view.state,
                "started": _known(view.started),
                "ended": _known(view.ended),
                "wall_s": _known(view.wall_s),
                "cpu_percent": _known(view.cpu_percent),
                "max_rss_bytes": _known(view.max_rss_bytes),
                "max_rss_is_bound": view.rss_is_bound,
                "exit_code": view.exit_code,
                "signal": view.signal,
                "measured": safe_text(view.measured),
                "detail": [safe_text(line) for line in view.detail],
            }
            for view in views
        ],
    }


def _known(value: float) -> float | None:
    return value if value == value else None


def _lines(views: Sequence[StageView], *, colours: bool) -> list[str]:
    ink = paint if colours else plain
    lines = []
    for view in views:
        glyph, tone = LOOKS[view.state]
        head = ink(f"{glyph} {view.state:<8}", tone) + f"  {safe_text(view.id, 20):<11}"
        cpu = f"{view.cpu_percent:.0f} %" if view.cpu_percent == view.cpu_percent else "—"
        memory = ("≤" if view.rss_is_bound else "") + size(view.max_rss_bytes)
        figures = f"{span(view.wall_s):>10}  {cpu:>6}  {memory:>9}"
        told = view.measured or (f"done when {view.signal}" if view.state in ("pending", "running") else "")
        lines.append(f"{head} {figures}  {safe_text(told)}".rstrip())
        lines += [ink(f"    {safe_text(line)}", "muted") for line in view.detail]
    return lines
