"""From a run's series to what a chart draws: curves, rewound pieces, marks, and which panels there are.

Only views go in and only chart data comes out; nothing is computed and no widget is touched.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from mens_console.screens.compared import APART, COUNTERS
from mens_console.screens.systempanels import groups
from mens_console.signals.system import PREFIX, is_system
from mens_widgets.face import Trace
from mens_widgets.xaxis import Mark

if TYPE_CHECKING:
    from mens_console.store.snapshot import RunView
    from mens_widgets.curve import Axis


class Panel(NamedTuple):
    """One chart of a run: its key and title, the metrics drawn in it, and their unit."""

    key: str
    title: str
    metrics: tuple[str, ...]
    unit: str = ""

    @property
    def exact(self) -> bool:
        """Whether smoothing would only blur it: schedules, and the few points of an evaluation."""
        return self.key in ("learning_rate", "epoch") or self.key.startswith(("eval_", "fixed_eval_", PREFIX))


PANELS: Final = (
    Panel("loss", "loss", ("loss", "eval_loss"), "nats"),
    Panel("streaming_ce", "streaming CE", ("streaming_ce",), "nats"),
    Panel("learning_rate", "learning rate", ("learning_rate",)),
    Panel("grad_norm", "gradient norm", ("grad_norm",)),
    Panel("tokens_per_sec", "throughput", ("tokens_per_sec", "tokens_per_sec_avg"), "tok/s"),
    Panel("steps_per_sec", "throughput", ("steps_per_sec",), "step/s"),
    Panel("entropy", "token entropy", ("entropy",), "nats"),
    Panel("fixed_eval_ce", "fixed eval CE", ("fixed_eval_ce",), "nats"),
    Panel("fixed_eval_em", "fixed eval EM", ("fixed_eval_em",), "ratio"),
    Panel("fixed_eval_ece", "fixed eval ECE", ("fixed_eval_ece", "fixed_eval_ece_expected"), "ratio"),
    Panel("accuracy", "accuracy", ("accuracy", "eval_accuracy", "accuracy_last_20", "accuracy_last_50"), "ratio"),
    Panel("mean_token_accuracy", "token accuracy", ("mean_token_accuracy",), "ratio"),
    Panel("loss_variance", "loss variance", ("loss_variance",), "nats²"),
)
"""In this order; any other series follows by name, on a panel of its own."""

TITLE: Final = 30
_TIMINGS: Final = ("_runtime", "_per_second", "_duration")

HIDDEN: Final = COUNTERS | {"fixed_eval_n"}
"""Series that only count up, or never change: facts of the run, but nothing to look at."""


def panels_of(run: RunView) -> list[Panel]:
    """Return the panels this run has data for, in the order they are shown: the machine's after the training's."""
    everything = {name for name, series in run.series.items() if series.points}
    have = {name for name in everything if not is_system(name)}
    if "tokens_per_sec" in have:
        have.discard("steps_per_sec")
    shown = [
        panel._replace(metrics=metrics)
        for panel in PANELS
        if (metrics := tuple(name for name in panel.metrics if name in have))
    ]
    used = {name for panel in PANELS for name in panel.metrics} | HIDDEN
    others = sorted(have - used, key=_interest)
    here = [name for name in others if not name.startswith(APART) and not name.endswith(_TIMINGS)]
    # Series with a screen of their own, and how long evaluations took, would flood the pages; a run that has nothing
    # else shows them all the same.
    shown += [Panel(name, short(name), (name,)) for name in (here or ([] if shown else others))]
    machine = [(next(iter(group.curves)), group) for group in groups(everything - have)]
    return shown + [Panel(key, group.title, tuple(group.curves), group.unit) for key, group in machine]


def _interest(name: str) -> tuple[int, str]:
    """Put metrics of the whole run first, then those of parts of it (``…/layer.0``), then how long things took."""
    return (2 if name.endswith(_TIMINGS) else 1 if "/" in name else 0, name)


def short(name: str) -> str:
    """Return a name that leaves room for the value beside it; what tells long names apart is their end."""
    return name if len(name) <= TITLE else "…" + name[1 - TITLE :]


def traces_of(run: RunView, panel: Panel) -> list[Trace]:
    """Return a panel's curves: rewound pieces beneath, then one line a metric."""
    series = [run.series[name] for name in panel.metrics if name in run.series]
    if panel.key.startswith(PREFIX):
        called = {name: label for group in groups(panel.metrics) for name, label in group.curves.items()}
        series = [replace(one, name=called.get(one.name, one.name)) for one in series]
    pieces = [Trace(piece, rewound=True) for one in series for piece in one.rewound]
    return pieces + [Trace(one) for one in series]


def marks_of(run: RunView) -> list[Mark]:
    """Return what happened, at its place on each axis it has a place on."""
    start = start_wall(run)
    return [Mark(mark.kind, _places(mark.step, mark.wall, start), mark.text) for mark in run.marks]


def _places(step: int, wall: float, start: float) -> dict[Axis, float]:
    places: dict[Axis, float] = {"step": float(step)}
    if math.isfinite(wall):
        places["wall"] = wall
        if math.isfinite(start):
            places["relative"] = wall - start
    return places


def start_wall(run: RunView) -> float:
    """Return when the training's first row was logged, NaN where no source told."""
    firsts = [float(one.walls[0]) for name, one in run.series.items() if len(one.walls) and not is_system(name)]
    return min((wall for wall in firsts if math.isfinite(wall)), default=math.nan)
