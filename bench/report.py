"""Figures as an aligned table, and in words which targets are missed."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.figure import Figure

_PACKAGES: Final = ("mens-console", "textual", "numpy", "orjson", "plotext")
_SCALES: Final = ((100.0, 0), (10.0, 1), (1.0, 2), (0.0, 3))
_MARKS: Final = {"met": "✓ met", "missed": "✖ missed", "no anchor": "? no anchor", "shown": "· shown"}


def machine() -> dict[str, str]:
    """Return what the figures were measured on."""
    packages = {}
    for package in _PACKAGES:
        try:
            packages[package] = version(package)
        except PackageNotFoundError:
            packages[package] = "not installed"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cores": str(cores),
        "cpu": _cpu(),
        "load": f"{os.getloadavg()[0]:.2f}",
        "system": platform.platform(),
        "python": platform.python_version(),
        **packages,
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def number(value: float) -> str:
    """Return about three digits."""
    digits = next(digits for floor, digits in _SCALES if abs(value) >= floor)
    return f"{value:,.{digits}f}"


def table(figures: Sequence[Figure]) -> list[str]:
    """Return one aligned line a figure, below a header."""
    head = ("what", "target", "ours", "spread", "n", "anchor", "anchor is", "ours/anchor", "verdict")
    lines = [head, *(_cells(figure) for figure in figures)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    text = set(range(len(head))) - {2, 3, 4, 5, 7}
    return [
        "  ".join(c.ljust(w) if i in text else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True)))
        for line in lines
    ]


def _cells(figure: Figure) -> tuple[str, ...]:
    low, high = figure.spread
    anchor = figure.anchor_value
    return (
        figure.name,
        figure.target.text(figure.unit) if figure.target else "—",
        f"{number(figure.value)} {figure.unit}",
        f"{number(low)}–{number(high)}",
        str(len(figure.ours)),
        "—" if anchor is None else f"{number(anchor)} {figure.unit}",
        figure.anchor_name or "—",
        f"{figure.value / anchor:.2f}" if anchor else "—",
        _MARKS[figure.verdict],
    )


def text(figures: Sequence[Figure], on: dict[str, str], seconds: float) -> str:
    """Return the whole report."""
    lines = [*table(figures), ""]
    notes = [f"  {figure.name}: {figure.note}" for figure in figures if figure.note]
    lines += ["notes", *notes, ""] if notes else []
    lines.append("medians; spread = quartiles (extremes below four measurements); anchors interleaved in the same run")
    lines.append(f"machine: {', '.join(f'{key} {value}' for key, value in on.items())}; {seconds:.0f} s in all")
    missed = [figure for figure in figures if figure.verdict == "missed"]
    judged = sum(figure.verdict in {"met", "missed"} for figure in figures)
    lines.append(f"{len(missed)} of {judged} targets missed" + (":" if missed else ""))
    for figure in missed:
        target = figure.target.text(figure.unit) if figure.target else ""
        lines.append(f"  ✖ {figure.name}: {number(figure.value)} {figure.unit}, target {target}")
    return "\n".join(lines) + "\n"
