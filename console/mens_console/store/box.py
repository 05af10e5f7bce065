"""The machine beside the runs: its newest sample, the alerts about it, and what of it concerns a run.

Sampling is another room's; here samples are only taken in, on the engine's thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mens_console.signals.alerts import AlertReducer
from mens_console.signals.machine import gpu_evidence, machine_observations
from mens_console.store.snapshot import LIVE_STATES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from pathlib import Path

    from mens_console.signals.machine import MachineView, VolumeSample
    from mens_console.signals.rules import Rule
    from mens_console.store.run import RunState

MOST_VOLUMES = 256
"""Folders of runs whose volumes are asked about."""


class MachineSource(Protocol):
    """Who samples the machine, on a thread of its own."""

    def start(self, on_sample: Callable[[], None]) -> None:
        """Sample until stopped; `on_sample` is called after each sample, on the sampler's thread."""
        ...

    def stop(self) -> None:
        """Stop sampling."""
        ...

    def once(self) -> object:
        """Take one sample on this thread."""
        ...

    def watch(self, volumes: Mapping[str, Path], pids: Mapping[int, str]) -> None:
        """Learn the folders of the runs (by run id) and the processes that train them (run id by pid)."""
        ...

    def hurry(self, on: bool) -> None:
        """Sample often, because somebody looks, or seldom."""
        ...

    @property
    def latest(self) -> MachineView | None:
        """The newest sample."""
        ...


class Box:
    """What is known of the machine."""

    def __init__(self, source: MachineSource | None, rules: Mapping[str, Rule]) -> None:
        self.source = source
        self.view: MachineView | None = None
        self.alerts = AlertReducer(rules)
        self._rules = rules
        self._told: object = None

    def attend(self, runs: Iterable[RunState], pids: Mapping[int, str], now: float) -> bool:
        """Tell the sampler what to look at and take its newest sample in; True where anything changed."""
        changed = self.alerts.advance(now)
        if self.source is None:
            return changed
        live = [run for run in runs if run.diagnosis is None or run.diagnosis.state in LIVE_STATES]
        volumes = {run.found.id: run.found.path for run in live[:MOST_VOLUMES]}
        if self._told != (volumes, pids):
            self._told = (volumes, dict(pids))
            self.source.watch(volumes, pids)
        latest = self.source.latest
        if latest is None or (self.view is not None and latest.rev == self.view.rev):
            return changed
        for seen in machine_observations(self.view, latest, self._rules):
            self.alerts.apply(seen)
        self.view = latest
        return True

    def evidence(self, pids: Collection[int]) -> tuple[str, ...]:
        """Return what the GPUs say about a run with these processes."""
        return gpu_evidence(self.view, pids)

    def volume(self, run_id: str) -> VolumeSample | None:
        """Return the volume that a run lies on, None where nobody looked."""
        return self.view.volume_of(run_id) if self.view is not None else None
