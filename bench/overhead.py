"""What the collectors cost a training: steps with them and without, in turn, in one fine-tune."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from importlib.util import find_spec
from statistics import fmean, median, stdev
from typing import TYPE_CHECKING, Any, Final

from bench.figure import Figure, Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.context import Context

_NEEDED: Final = ("torch", "transformers", "peft", "accelerate")
_BLOCK: Final = 2
_LIMITS: Final = {"default": ("default cadence", 1.0, 320), "every": ("every step", 5.0, 40)}
"""Target in percent and rounds by cadence: the tighter the target, the more rounds the interval takes to decide it."""
_QUICK: Final = 20
_T_95: Final = (
    12.706,
    4.303,
    3.182,
    2.776,
    2.571,
    2.447,
    2.365,
    2.306,
    2.262,
    2.228,
    2.201,
    2.179,
    2.160,
    2.145,
    2.131,
)
"""Student's t for 95 %, by degrees of freedom from 1; beyond the last `_t` approximates."""


def bench_overhead(context: Context) -> Iterator[Figure]:
    """Measure both cadences; each figure is the upper end of the 95 % interval of what steps take longer."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        sys.stderr.write(f"overhead is not measured: {', '.join(missing)} is not installed (make test-training)\n")
        return
    for cadence, (name, limit, enough) in _LIMITS.items():
        rounds = context.pick(enough, _QUICK)
        folder = context.work / cadence
        command = [sys.executable, "-m", "bench.finetune", str(folder), cadence, str(rounds), str(_BLOCK)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the fine-tune failed:\n{done.stderr[-2000:]}")
        found = json.loads(done.stdout)
        looks = (folder / "telemetry.jsonl").read_text().count('"event":"lora",')
        off = [seconds for block in found["blocks"] if not block["on"] for seconds in block["wall"]]
        for kind, target in (("wall", Target(limit)), ("cpu", None)):
            middle, half = longer(found["blocks"], kind)
            note = (
                f"{middle:+.2f} % ± {half:.2f} over {rounds} rounds of {_BLOCK} steps on, off, off, on; "
                f"steps of {median(off) * 1000:.0f} ms, {looks} looks at 56 pairs; one core"
            )
            what = "" if kind == "wall" else ", processor time"
            yield Figure(f"overhead: {name}{what}, upper end", "%", [middle + half], target, note=note)


def longer(blocks: Sequence[dict[str, Any]], kind: str) -> tuple[float, float]:
    """Return by how many percent steps take longer with the collectors, and half the width of its 95 % interval.

    Each round of four blocks gives one ratio of mean step times; their logarithms are averaged. Means, not medians:
    a look at every fiftieth step would never show in a median.
    """
    ratios = []
    for at in range(0, len(blocks) - 3, 4):
        part = blocks[at : at + 4]
        on, off = (fmean([s for block in part if block["on"] is which for s in block[kind]]) for which in (True, False))
        ratios.append(math.log(on / off))
    if len(ratios) < 2:
        raise ValueError("an interval needs at least two rounds")
    middle = fmean(ratios)
    half = _t(len(ratios) - 1) * stdev(ratios) / math.sqrt(len(ratios))
    return 100 * math.expm1(middle), 100 * math.exp(middle) * half


def _t(degrees: int) -> float:
    """Return Student's t for 95 %: from the table, or 1.96 corrected to first order beyond it."""
    return _T_95[degrees - 1] if degrees <= len(_T_95) else 1.96 * (1 + 1.21 / degrees)
