"""Runs side by side: which metrics they share, how each did, what differs in their settings.

Pure functions from views to rows and words, for the Compare screen and its headless twin; no widget enters here.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mens_console.ingest.text import safe_text
from mens_console.screens.systempanels import mean_gpu_util, peak_gpu_gb, peak_rss_gb
from mens_console.screens.words import alert_counts, counts_text, look
from mens_console.signals.human import count, duration, number, step
from mens_console.signals.system import is_system, unit_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mens_console.screens.words import Ink
    from mens_console.store.snapshot import RunView

LETTERS: Final = "ABCDEF"
MOST: Final = len(LETTERS)
UNSAID: Final = "—"
_ORDER: Final = (
    "loss", "eval_loss", "streaming_ce", "learning_rate", "grad_norm", "tokens_per_sec", "steps_per_sec", "entropy",
    "accuracy", "mean_token_accuracy", "eval_accuracy",
)  # fmt: skip
"""Metrics that are offered first; the others follow by name."""
COUNTERS: Final = frozenset({"epoch", "step", "total_steps", "total_flos", "num_tokens", "num_input_tokens_seen"})
"""Series that only count up."""
TOKENS: Final = ("num_tokens", "num_input_tokens_seen")
APART: Final = ("soak/", "lora/")
"""Beginnings of series that have a screen of their own."""
UNITS: Final = {
    "loss": "nats", "eval_loss": "nats", "streaming_ce": "nats", "entropy": "nats", "token_entropy": "nats",
    "tokens_per_sec": "tok/s", "steps_per_sec": "step/s", "fixed_eval_ce": "nats",
}  # fmt: skip
_IDENTITY: Final = frozenset({"host", "hostname", "argv", "command", "git_sha"})
"""Settings that are a run's own and say little about it: listed last."""
_NAMES: Final = frozenset(
    {
        "output_dir", "logging_dir", "log_dir", "save_dir", "run_name", "run_id", "wandb_run_id", "hub_model_id", "pid",
        "started_at",
    }
)  # fmt: skip
"""Settings that name a run, and so differ between any two: left out unless all are asked for."""


def unit(metric: str) -> str:
    """Return the unit of a metric, "" where none is known."""
    return UNITS.get(metric) or unit_of(metric)


def metrics_of(runs: Sequence[RunView], least: int = 2) -> list[str]:
    """Return the metrics that at least `least` of the runs logged, the most asked for first."""
    have: dict[str, int] = {}
    for run in runs:
        for name, series in run.series.items():
            if series.points and name not in COUNTERS and not name.startswith(APART) and "@rank" not in name:
                have[name] = have.get(name, 0) + 1
    shared = [name for name, times in have.items() if times >= least]
    return sorted(shared, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), "/" in name, name))


class Cell(NamedTuple):
    """One value in words; `best` where no other run of the row did better and one did worse."""

    text: str
    value: float | int | str | None = None
    note: str = ""
    ink: Ink = ""
    best: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of all runs, one cell a run. `better` says which end is the good one, "" where neither is."""

    id: str
    label: str
    unit: str
    cells: tuple[Cell, ...]
    better: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of the configuration, one value a run, None where a run does not say."""

    key: str
    values: tuple[str | None, ...]

    @property
    def differs(self) -> bool:
        """Whether any two runs say different things; to say nothing is different from saying something."""
        return len(set(self.values)) > 1

    @property
    def names(self) -> bool:
        """Whether it only names the run, or where it writes."""
        return re.split(r"[./]", self.key)[-1] in _NAMES


# ---------------------------------------------------------------------- figures


def figures(runs: Sequence[RunView]) -> list[Row]:
    """Return how each run did: state and newest or best values, the best of each row marked."""
    rows = [
        Row("state", "state", "", tuple(_state(run) for run in runs)),
        _row("loss", "loss", "nats", runs, _loss, "low"),
        _row("streaming_ce", "streaming CE", "nats", runs, lambda run: _known(run.signals.streaming_ce), "low"),
        _row("eval_loss", "eval loss", "nats", runs, _last("eval_loss"), "low"),
        _row("best_eval", "best eval", "nats", runs, _best_eval, "low"),
        _rates(runs),
        Row("steps", "steps", "", tuple(_steps(run) for run in runs)),
        _row("duration", "duration", "s", runs, lambda run: _known(lasted(run)), text=duration),
        _row("gpu_util_mean", "GPU util, mean", "%", runs, mean_gpu_util),
        _row("gpu_memory_peak", "GPU memory, most", "GB", runs, peak_gpu_gb),
        _row("rss_peak", "process memory, most", "GB", runs, peak_rss_gb),
        _alerts(runs),
    ]
    return [
        row for row in rows if row.id in ("state", "steps", "alerts") or any(c.value is not None for c in row.cells)
    ]


def _row(
    name: str,
    label: str,
    unit: str,
    runs: Sequence[RunView],
    value: Callable[[RunView], tuple[float, str] | float | None],
    better: str = "",
    text: Callable[[float], str] = number,
) -> Row:
    cells = []
    for run in runs:
        got = value(run)
        figure, note = got if isinstance(got, tuple) else (got, "")
        bad = figure is not None and not math.isfinite(figure)
        cells.append(Cell(UNSAID if figure is None else text(figure), figure, note, "bad" if bad else ""))
    return Row(name, label, unit, mark_best(cells, better), better)


def mark_best(cells: Sequence[Cell], better: str) -> tuple[Cell, ...]:
    """Mark the best finite values, unless all are equal or only one run has any; "low" or "high" is `better`.

    NaN was measured and is worse than any number; what was never logged does not count.
    """
    measured = [c.value for c in cells if isinstance(c.value, int | float)]
    finite = [value for value in measured if math.isfinite(value)]
    if not better or len(measured) < 2 or not finite or len(set(measured)) < 2:
        return tuple(cells)
    best = min(finite) if better == "low" else max(finite)
    return tuple(cell._replace(best=True) if cell.value == best else cell for cell in cells)


def _known(value: float) -> float | None:
    return value if value == value else None


def _last(metric: str) -> Callable[[RunView], tuple[float, str] | None]:
    def last(run: RunView) -> tuple[float, str] | None:
        value = run.last(metric)
        series = run.series.get(metric)
        if value is None:
            return None
        at = series.last_step if series is not None else None
        return value, "" if at is None or at == run.step else f"@{step(at)}"

    return last


def _loss(run: RunView) -> tuple[float, str] | None:
    """Return the newest loss; one that its trainer put in the place of a NaN is told as what it hides."""
    found = _last("loss")(run)
    if found is not None and math.isfinite(found[0]) and not math.isfinite(run.signals.streaming_ce):
        return math.nan, f"logged as {number(found[0])}"
    return found


def _best_eval(run: RunView) -> tuple[float, str] | None:
    best = run.signals.best_eval
    return None if best is None else (best[1], f"@{step(best[0])}")


def _state(run: RunView) -> Cell:
    state = look(run.diagnosis.state)
    return Cell(f"{state.glyph} {state.word}", str(run.diagnosis.state), "", state.ink)


def _rates(runs: Sequence[RunView]) -> Row:
    """Return throughput in the unit that all runs have: tokens a second, else steps a second."""
    tokens = [run.signals.tokens for run in runs]
    by_token = all(one.n for one in tokens) or not any(run.signals.steps.n for run in runs)
    chosen = tokens if by_token else [run.signals.steps for run in runs]
    values = [_known(one.average) if one.n else None for one in chosen]
    cells = [Cell(UNSAID if value is None else count(value), value) for value in values]
    unit = "tok/s" if by_token else "step/s"
    return Row("tokens_per_sec" if by_token else "steps_per_sec", "mean rate", unit, mark_best(cells, "high"), "high")


def _steps(run: RunView) -> Cell:
    if run.step is None:
        return Cell(UNSAID)
    return Cell(step(run.step), run.step, f"of {step(run.total_steps)}" if run.total_steps else "")


def _alerts(runs: Sequence[RunView]) -> Row:
    cells = []
    for warnings, criticals in (alert_counts(run.alerts) for run in runs):
        text = counts_text(warnings, criticals) or "none"
        cells.append(Cell(text, text, "", "bad" if criticals else "warn" if warnings else ""))
    return Row("alerts", "alerts", "", tuple(cells))


def lasted(run: RunView) -> float:
    """Return the seconds from the first row's time to the newest, NaN where no source told times."""
    first, last = math.inf, -math.inf
    for name, series in run.series.items():
        if len(series.walls) and not is_system(name):
            begin, end = float(series.walls[0]), float(series.walls[-1])
            first, last = (min(first, begin), max(last, end)) if begin == begin and end == end else (first, last)
    return last - first if last >= first else math.nan


# ---------------------------------------------------------------------- settings


def settings(runs: Sequence[RunView], *, every: bool = False) -> list[Setting]:
    """Return the settings that differ between runs and do not only name them, or `every` one; a run's own come last."""
    keys = dict.fromkeys(key for run in runs for key in run.config)
    found = [Setting(key, tuple(run.config.get(key) for run in runs)) for key in keys]
    chosen = [one for one in found if every or (one.differs and not one.names)]
    return sorted(chosen, key=lambda one: (one.names, one.key in _IDENTITY, not one.differs))


def wanted(ids: Iterable[str], runs: Callable[[str], RunView | None]) -> tuple[list[RunView], int, int]:
    """Return the runs to compare, six at most, how many more there would be, and how many are gone."""
    ids = list(dict.fromkeys(ids))
    there = [run for run_id in ids if (run := runs(run_id)) is not None]
    return there[:MOST], max(0, len(there) - MOST), len(ids) - len(there)


# ---------------------------------------------------------------------- the document


def document(runs: Sequence[RunView], *, every: bool = False) -> dict[str, Any]:
    """Return the document `mens-compare/1`: the same rows as on the screen, as plain JSON values."""
    return {
        "schema": "mens-compare/1",
        "runs": [
            {
                "letter": letter,
                "id": safe_text(run.id),
                "name": safe_text(run.name),
                "path": safe_text(str(run.path)),
                "state": str(run.diagnosis.state),
            }
            for letter, run in zip(LETTERS, runs, strict=False)
        ],
        "metrics": [safe_text(name) for name in metrics_of(runs)],
        "figures": [
            {
                "id": row.id,
                "label": row.label,
                "unit": row.unit,
                "better": row.better,
                "values": [_plain(cell.value) for cell in row.cells],
                "notes": [cell.note for cell in row.cells],
                "best": [letter for letter, cell in zip(LETTERS, row.cells, strict=False) if cell.best],
            }
            for row in figures(runs)
        ],
        "settings": [
            {
                "key": safe_text(one.key),
                "differs": one.differs,
                "values": [None if value is None else safe_text(value) for value in one.values],
            }
            for one in settings(runs, every=every)
        ],
    }


def _plain(value: float | str | None) -> float | int | str | None:
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
