"""`python -m bench`: measure, print a table, and say which targets are missed.

`--anchors` installs what we are compared with; `--quick` uses smaller inputs; `--only NAME` (repeatable) picks some.
Exit 0 whatever the figures are, 2 when a benchmark itself fails.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from bench import report
from bench.anchors import Anchors, cache_folder, install
from bench.context import Context

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.figure import Figure

Benchmark: TypeAlias = Callable[[Context], "Iterable[Figure]"]

BENCHMARKS: Final = {
    "launch": "bench.launch:bench_launch",
    "idle": "bench.live:bench_idle",
    "rows": "bench.live:bench_rows",
    "logs": "bench.logs:bench_logs",
    "flat": "bench.reading:bench_flat_rows",
    "tensorboard": "bench.reading:bench_tensorboard",
    "chart": "bench.chart:bench_chart",
    "fleet": "bench.fleet:bench_fleet",
    "heatmap": "bench.heatmap:bench_heatmap",
    "store": "bench.memory:bench_store",
    "watch": "bench.watching:bench_watching",
    "soak": "bench.soak:bench_soak",
    "attempts": "bench.attempts:bench_attempts",
    "overhead": "bench.overhead:bench_overhead",
}
"""In the order they run."""


@dataclass(slots=True)
class Outcome:
    """What a benchmark gave; `error` is the traceback of one that failed."""

    name: str
    figures: list[Figure]
    seconds: float
    error: str = ""


def load(name: str) -> Benchmark:
    """Return the benchmark of that name."""
    module, _, function = BENCHMARKS[name].partition(":")
    found: Benchmark = getattr(import_module(module), function)
    return found


def measure(name: str, benchmark: Benchmark, anchors: Anchors, *, quick: bool) -> Outcome:
    """Run one benchmark in a folder of its own. Figures it gave before it failed are kept."""
    outcome, start = Outcome(name, [], 0.0), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mens-bench-") as work:
        try:
            for figure in benchmark(Context(Path(work), anchors, quick)):
                outcome.figures.append(figure)
        except Exception:  # noqa: BLE001
            outcome.error = traceback.format_exc()
    outcome.seconds = time.monotonic() - start
    return outcome


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the console beside its anchors.")
    parser.add_argument("--only", action="append", choices=BENCHMARKS, metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="smaller inputs, two minutes at most")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    parser.add_argument("--anchors", action="store_true", help="install the anchors, then measure")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what was asked for and return the exit status."""
    arguments = _arguments(argv)
    folder = cache_folder()
    anchors = install(folder) if arguments.anchors else Anchors(folder)
    outcomes = []
    for name in arguments.only or BENCHMARKS:
        sys.stderr.write(f"measuring {name} …\n")
        outcomes.append(measure(name, load(name), anchors, quick=arguments.quick))
    figures = [figure for outcome in outcomes for figure in outcome.figures]
    sys.stdout.write(report.text(figures, report.machine(), sum(o.seconds for o in outcomes)))
    for outcome in outcomes:
        if outcome.error:
            sys.stdout.write(f"\n{outcome.name} could not be measured:\n{outcome.error}")
    if arguments.json:
        failed = {outcome.name: outcome.error for outcome in outcomes if outcome.error}
        document = {"machine": report.machine(), "figures": [f.document() for f in figures], "failed": failed}
        arguments.json.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return 2 if any(outcome.error for outcome in outcomes) else 0


if __name__ == "__main__":
    raise SystemExit(main())
