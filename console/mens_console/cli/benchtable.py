"""A benchmark as lines of at most 80 columns: each figure with spread and n, beside the lines of the profiles.

It says nothing of whether they are met: that is the gate's to say.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Final

from mens_console.benchmark.lines import lines as target_lines
from mens_console.ingest.text import safe_text
from mens_console.signals.human import duration
from mens_console.signals.patterns import wilson

if TYPE_CHECKING:
    from collections.abc import Callable

    Ink = Callable[[str, str], str]

WIDTH: Final = 80
_NONE: Final = "—"
_PARTS: Final = (("weights", "weights_bytes"), ("cache", "kv_cache_bytes"), ("activations", "activations_bytes"))


def lines(document: dict[str, Any], ink: Ink, written: str = "") -> list[str]:
    """Return the table of a `mens-bench/1`. `written` is its file, for the last line."""
    target = document["target"]
    took = duration(document["ended"] - document["started"])
    head = f"{ink(safe_text(target['model'], 40), 'strong')}  {safe_text(target['url'], 60)}, {took}"
    shown = [head, "", ink(_row("", "measured", "n", ("release", "sprint")), "muted")]
    for one in document["throughput"]:
        shown += _throughput(one)
    for one in document["latency"]:
        shown += _latency(one, first=one is document["latency"][0])
    for one in document["memory"]:
        shown += _memory(one)
    for number, one in enumerate(document["context"]):
        shown.append(_rung(one, first=not number))
    if len(shown) == 3:  # the head alone
        shown.append("  nothing was measured")
    for note in document["notes"]:
        shown += [ink(part, "muted") for part in _wrapped(f"· {note}")]
    return [*shown, *([f"written to {safe_text(written)}"] if written else [])]


def _row(name: str, measured: str, n: str, drawn: tuple[str, str] = ("", "")) -> str:
    return f"{name:<15}{measured:<26}{n:<19}{drawn[0]:<10}{drawn[1]}".rstrip()


def _drawn(metric: str) -> tuple[str, str]:
    return target_lines().get(metric, ("", ""))


def _throughput(one: dict[str, Any]) -> list[str]:
    batch, gpus = one["batch"], one["gpus"]
    name = f"{'1.1' if batch == 1 and gpus == 1 else '1.2' if batch == 1 else '1.3'} batch {batch}"
    metric = f"throughput_batch_{batch}" if batch > 1 and gpus == 1 else "throughput_single"
    if gpus > 1:
        metric = f"throughput_gpus_{gpus}" if batch == 1 else ""
    measured = _NONE
    if one["mean"] is not None:
        spread = f" ± {one['sd']:.2f}" if one["sd"] is not None else ""
        measured = f"{one['mean']:.1f}{spread} tok/s"
        measured += "" if one["tokenizer"] == "server" else ", by blanks"
    shown = [_row(name, measured, f"{one['n']} runs", _drawn(metric))]
    if "efficiency" in one:
        shown.append(_row("", f"{100 * one['efficiency']:.0f} % efficiency", f"on {gpus} GPUs"))
    return shown


def _latency(one: dict[str, Any], *, first: bool) -> list[str]:
    done = one["requests"] - one["failed"]
    shown = []
    for number, name, key, of in (("1.4", "TTFT", "ttft", f"{done} requests"), ("1.5", "gap", "itl", "gaps")):
        block = one[f"{key}_ms"]
        n = of if key == "ttft" else f"{block['n']} gaps"
        if one["batch"] > 1:
            told = _percentiles(block)
            shown.append(_row(f"    {name} at {one['batch']}", told, n))
            continue
        for level in ("p50", "p99"):
            value = _NONE if block[level] is None else f"{block[level]:.1f} ms"
            if level == "p50" and block["n"] and block["p95"] is not None:
                value += f" (P95 {block['p95']:.1f})"
            shown.append(_row(f"{number if level == 'p50' else '   '} {name} {level.upper()}", value, n,
                              _drawn(f"{key}_{level}") if first else ("", "")))  # fmt: skip
    if "time_to_complete_ms" in one:
        shown.append(_row("    all done", f"{one['time_to_complete_ms'] / 1000:.2f} s, median of runs", ""))
    return shown


def _percentiles(block: dict[str, Any]) -> str:
    return f"{block['p50']:.1f} ms, P99 {block['p99']:.1f}" if block["n"] else _NONE


def _memory(one: dict[str, Any]) -> list[str]:
    runs, peak = one["runs"], one["peak_bytes"]
    measured = _NONE if peak is None else f"{peak / 1e9:.2f} GB"
    if runs and min(runs) < peak:
        measured += f" (least {min(runs) / 1e9:.2f})"
    shown = [_row("1.6 GPU memory", measured, f"{len(runs)} runs", _drawn("gpu_memory_peak"))]
    parts = [f"{word} {one[key] / 1e9:.2f} GB" for word, key in _PARTS if one.get(key) is not None]
    return [*shown, _row("", ", ".join(parts), "by the server")] if parts else shown


def _rung(one: dict[str, Any], *, first: bool) -> str:
    name = f"{'1.7' if first else '   '} {one['tokens']} tok"
    if one["quality"] is None:
        return _row(name, "failed" if one["failed"] else _NONE, "")
    right = round(one["quality"] * one["quality_n"])
    low, high = wilson(right, one["quality_n"])
    pace = _NONE if one["ms_per_token"] is None else f"{one['ms_per_token']:.1f} ms"
    measured = f"{100 * one['quality']:.0f} % [{100 * low:.0f}, {100 * high:.0f}], {pace}"
    n = f"{one['quality_n']} items/{one['ms_per_token_n']} gaps"
    return _row(name, measured, n, _drawn("context_tokens") if first else ("", ""))


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(safe_text(text), WIDTH, initial_indent="  ", subsequent_indent="    ")
