"""An evaluation as lines of at most 80 columns: buckets, metrics with n and interval, and what to do about misses."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, Final

from mens_console.evaluation.metrics import METRICS, TITLES, WEIGHTS, Bucket
from mens_console.evaluation.score import MET, MISSED
from mens_console.ingest.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from mens_console.evaluation.evaluate import Evaluated
    from mens_console.evaluation.score import Result

    Ink = Callable[[str, str], str]

WIDTH: Final = 80
_MARKS: Final = {MET: ("✔", "good"), MISSED: ("✖", "bad")}


def lines(done: Evaluated, ink: Ink, written: str = "") -> list[str]:
    """Return the table. `written` is the file of the document, for the last line."""
    name = safe_text(done.model["id"], 34)
    of = safe_text(f"{done.gold.name} {done.gold.version}, {len(done.gold.items)} items", WIDTH - 36)
    shown = [f"{ink(name, 'strong')}  {of}"]
    facts = [f"base {done.model.get('base', 'not told')}", f"dataset {done.model.get('dataset_version', 'not told')}",
             f"as {done.role}"]  # fmt: skip
    shown += [ink(part, "muted") for part in _wrapped(", ".join(facts), 2)]
    for bucket, title in TITLES.items():
        shown += ["", ink(_title(bucket, title, done), "accent")]
        for result in done.results:
            if result.spec.bucket == bucket:
                shown += _result(result, ink)
    if math.isfinite(done.tokens_per_s):
        shown.append(f"    {'Throughput':<19} {done.tokens_per_s:>7.1f} tok/s, tracked only")
    shown += _compared(done, ink)
    for note in done.notes:
        shown += [ink(part, "muted") for part in _wrapped(f"· {note}", 2)]
    return [*shown, "", *_verdict(done, ink), *([f"written to {safe_text(written)}"] if written else [])]


def _title(bucket: Bucket, title: str, done: Evaluated) -> str:
    if bucket not in WEIGHTS:
        return f"  {title}"
    score = done.scores[bucket]
    told = "UNDERFED" if math.isnan(score) else f"{score:.2f} %"
    return f"  {title}  {told}, weight {WEIGHTS[bucket]:.2f}"


def _result(result: Result, ink: Ink) -> list[str]:
    spec = result.spec
    mark, tone = _MARKS.get(result.verdict, ("—", "warn"))
    name = spec.title if spec.required else f"{spec.title} *"
    if math.isnan(result.value):
        head = f"  {mark} {name:<20} {'—':>9}  {'':<14} {spec.bar:<11}".rstrip()
        return [ink(head, tone), *(ink(part, "muted") for part in _wrapped(f"UNDERFED: {result.reason}", 6))]
    unit = " %" if spec.unit == "%" else ""
    interval = f"[{result.interval[0]:.1f}, {result.interval[1]:.1f}]" if result.interval else ""
    n = f"n={result.n} {spec.of}" if result.n else ""
    digits = 0 if spec.unit == "findings" else 2
    head = f"  {mark} {name:<20} {f'{result.value:.{digits}f}{unit}':>9}  {interval:<14} {spec.bar:<11} {n}".rstrip()
    notes = [result.reason] if result.reason else []
    if result.verdict == MISSED:
        notes.append(spec.remedy)
    return [ink(head, tone), *(ink(part, "muted") for part in _wrapped("; ".join(notes), 6))]


def _compared(done: Evaluated, ink: Ink) -> list[str]:
    """Return what each metric gained or lost since the older evaluations."""
    shown: list[str] = []
    for older, words in ((done.before, "before quantization"), (done.shipped, "last shipped")):
        if older is None:
            continue
        shown += ["", ink(f"  against {older.model}, {words}"[:WIDTH], "accent")]
        changed = False
        for result in done.results:
            before = older.value(result.metric)
            change = result.value - before
            if math.isnan(change) or abs(change) < 0.005 or result.metric in {"quantization_drop", "regression"}:
                continue
            worse = (change < 0) == METRICS[result.metric].higher
            changed = True
            head = f"    {result.spec.title:<20} {before:>9.2f} → {result.value:<9.2f} {change:+.2f}"
            shown.append(ink(f"{head} {'worse' if worse else 'better'}", "bad" if worse else "good"))
        shown += [] if changed else [ink("    no metric that both have changed", "muted")]
    return shown


def _verdict(done: Evaluated, ink: Ink) -> list[str]:
    blocking = [one for one in done.results if one.blocks]
    if not blocking:
        return [ink("every required target is met", "good")]
    groups = ((MISSED, "missed"), ("UNDERFED", "without a value"))
    told = [f"{len(names)} {words}: {', '.join(names)}" for verdict, words in groups
            if (names := [one.spec.title for one in blocking if one.verdict == verdict])]  # fmt: skip
    return [ink(part, "bad") for part in _wrapped("; ".join(told), 0)]


def _wrapped(text: str, indent: int) -> list[str]:
    pad = " " * indent
    return textwrap.wrap(safe_text(text), WIDTH, initial_indent=pad, subsequent_indent=pad) if text else []
