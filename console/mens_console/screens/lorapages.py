"""What the LoRA screen says besides the pairs: which run of how many, how fresh, and pages for runs without pairs.

Words only; no widget enters here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from mens_console.ingest.text import safe_text
from mens_console.screens.empty import no_runs
from mens_console.screens.rows import ORDERS, ordered
from mens_console.screens.sheet import Line, prose
from mens_console.screens.words import age
from mens_console.signals.human import step

if TYPE_CHECKING:
    from mens_console.store.snapshot import LayersView, RunView, Snapshot

LISTED: Final = 8


def with_adapters(snapshot: Snapshot) -> list[RunView]:
    """Return the runs that tell of adapters or of patterns, the worst first."""
    runs = ordered(snapshot.runs, ORDERS[0], reverse=False)
    return [run for run in runs if run.layers is not None or run.patterns is not None]


def place_text(snapshot: Snapshot, run: RunView | None, *, brief: bool) -> str:
    """Return which of the runs with adapters this is, or that there are some."""
    ids = [one.id for one in with_adapters(snapshot)]
    if run is not None and run.id in ids:
        return f"run {ids.index(run.id) + 1} of {len(ids)}{'' if brief else ' with adapters'}"
    return f"n: the next of {len(ids)} run{'s' * (len(ids) > 1)} with adapters" if ids else ""


def note(snapshot: Snapshot, run: RunView | None, width: int) -> list[Line]:
    """Return what stands in the heatmap's place where there is none."""
    if run is None:
        return no_runs(snapshot, width)
    return no_layers(run, width) if run.layers is None else no_columns(run.layers, width)


def no_layers(run: RunView, width: int) -> list[Line]:
    """Return the page of a run that tells nothing of adapter pairs."""
    width = min(width, 78)
    lines: list[Line] = [(), (("No look at adapter pairs yet.", "strong"),), ()]
    if any(source.path.name == "telemetry.jsonl" for source in run.sources):
        text = "Its telemetry.jsonl is read; the first look at the adapters comes with a step of the optimizer"
        return lines + prose(f"{text}{'.' if run.live else ', and this run is over.'}", width, "muted")
    lines += _told(run.status, width)
    lines.append((("Three lines let a trainer tell which adapters learn:", "muted"),))
    for code, where in (
        ("from mens_console.collectors import MensCallback", ""),
        ("trainer.add_callback(MensCallback())", "Hugging Face Trainer, TRL"),
        ("trainer.train()", ""),
    ):
        lines.append(((f"  {code}", "accent"), (f"   # {where}" if where else "", "muted")))
    lines += [
        (),
        (("In a loop of your own:", "muted"),),
        (("  with watch(model, run_dir, optimizer) as mens: …", "accent"), ("   # from the same module", "muted")),
        (("  mens.backward_done()", "accent"), ("   # after backward(), before the optimizer's step", "muted")),
    ]
    if run.patterns is not None:
        lines += [(), (("Tab shows the accuracy by pattern and length.", "muted"),)]
    return lines


def no_columns(layers: LayersView, width: int) -> list[Line]:
    """Return the page of a run whose pairs are known before any was looked at."""
    pairs = f"{len(layers.table)} adapter pairs are known, {sum(layers.table.frozen)} of them frozen."
    text = "No look has come yet: the first comes with a step of the optimizer."
    return [(), ((pairs, "strong"),), (), *prose(text, min(width, 78), "muted")]


def _told(status: Mapping[str, Any], width: int) -> list[Line]:
    """Return what a status document says in sum, where it names no layers."""
    summary = status.get("lora_summary")
    if not isinstance(summary, Mapping) or not summary:
        return []
    lines = prose("Its status document says in sum, without naming layers:", width, "muted")
    for key, value in list(summary.items())[:LISTED]:
        lines += prose(f"{safe_text(str(key), 40)}: {safe_text(str(value), 60)}", width, "", "  ")
    return [*lines, ()]


def freshness(layers: LayersView, now: float, *, brief: bool = False) -> str:
    """Return when the newest look was taken."""
    seen = age(float(layers.walls[-1]), now) if len(layers.walls) else "—"
    ago = "" if seen == "—" else f", {seen}" + (" ago" if seen != "now" else "")
    return f"{'' if brief else 'newest look at '}step {step(layers.summary.step)}{ago}"
