"""The frozen view of a run: what screens and headless commands may see of its state."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, TypeAlias

from mens_console.ingest.records import NO_TIME
from mens_console.signals.diagnosis import Diagnosis
from mens_console.signals.stages import stage_views
from mens_console.store.snapshot import Mark, Progress, RunView, SegmentView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mens_console.signals.alerts import AlertView
    from mens_console.signals.stages import Alive
    from mens_console.store.run import RunState
    from mens_console.store.series import SeriesView

Alerts: TypeAlias = "tuple[AlertView, ...]"
_READING = Diagnosis("waiting", NO_TIME, ("its history is being read",))
MAX_MARKS = 200


def view(
    run: RunState,
    now: float,
    dress: Callable[[Alerts, float], Alerts] = lambda alerts, _: alerts,
    alive: Alive | None = None,
) -> RunView:
    """Build the view of a run as it stands; `now` in seconds since the epoch, for what depends on it.

    `dress` adds to its alerts what the operator did about them; `alive` tells whether a stage's process lives.
    """
    run.rev += 1
    series = {name: run.frame.view(name) for name in run.frame.names}
    series |= run.samples.views(_began(series))
    segments = tuple(SegmentView(start.step, end, start.wall) for start, end in run.frame.segments())
    sources = sorted(run.sources.values(), key=lambda source: os.fspath(source.path))
    step, ahead = _ahead(run)
    return RunView(
        id=run.found.id,
        name=run.found.name,
        path=run.found.path,
        place=run.place,
        rev=run.rev,
        revs=dict(run.revs),
        diagnosis=run.diagnosis or _READING,
        signals=run.signals.summary(now, run.facts.total_steps, run.checkpoint_facts()),
        step=run.step if step is None else step,
        total_steps=run.facts.total_steps,
        epoch=_epoch(run, series),
        total_epochs=run.facts.total_epochs,
        series=series,
        segments=segments,
        marks=tuple(_marks(run, segments))[:MAX_MARKS],
        alerts=dress(run.signals.alerts.views, now),
        sources=tuple(s.view() for s in sources),
        logs=tuple(s.path for s in sources if not s.format.document and s.format.name in ("log", "hf_console")),
        checkpoints=run.found.checkpoints,
        config={**run.found.facts, **run.facts.config, **run.facts.notes()},
        status=run.facts.status,
        updated_at=run.updated_at,
        backlog=_backlog(run),
        preview=ahead,
        cold=run.cold,
        layers=run.looks.view(),
        patterns=run.facts.patterns,
        next_checkpoint=run.next_checkpoint,
        stages=stage_views(run.facts.stages, alive=alive),
        spelled=dict(run.facts.spelled),
    )


def _began(series: Mapping[str, SeriesView]) -> float:
    """Return when the first row was logged, NaN where no source told."""
    firsts = [float(one.walls[0]) for one in series.values() if len(one.walls)]
    return min((wall for wall in firsts if math.isfinite(wall)), default=NO_TIME)


def _backlog(run: RunState) -> Progress | None:
    """Return how much of the history was read, None once all of it is."""
    if not run.history:
        return None
    sources = run.sources.values()
    return Progress(sum(s.done for s in sources), sum(s.size for s in sources))


def _ahead(run: RunState) -> tuple[int | None, dict[str, float]]:
    """Return the newest step and values of the preview, while there is one."""
    newest: dict[str, float] = {}
    step = None
    for columns in run.preview.columns if run.preview is not None else ():
        if not columns.rank:
            step = columns.steps[-1]
            newest.update(zip(columns.names, (column[-1] for column in columns.values), strict=True))
    return step, newest


def _epoch(run: RunState, series: Mapping[str, SeriesView]) -> float | None:
    logged = series.get("epoch")
    if logged is not None and len(logged.values) and math.isfinite(logged.last):
        return logged.last
    return run.facts.epoch


def _marks(run: RunState, segments: tuple[SegmentView, ...]) -> Iterator[Mark]:
    for segment in segments[1:]:
        yield Mark("resume", segment.start_step, segment.start_wall, f"resumed at step {segment.start_step}")
    told = {c.step: c.mtime for c in run.found.checkpoints}
    told |= {step: wall for step, (_, wall) in run.facts.checkpoints.items() if step not in told}
    for step in sorted(told):
        yield Mark("checkpoint", step, told[step], f"checkpoint-{step}")
    for slowed in run.samples.slowed:
        yield Mark("throttle", slowed.step, slowed.wall, slowed.text)
    nan = run.signals.nan
    if nan is not None:
        yield Mark("nan", nan.since_step, NO_TIME, "NaN from here")
    for alert in run.signals.alerts.views:
        if alert.since_step is not None and (alert.active or alert.held):
            yield Mark("alert", alert.since_step, alert.since, alert.message)
