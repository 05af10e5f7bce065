"""The sampler: reads GPUs, host, volumes and processes on a thread of its own, and keeps the newest view of them.

It is what the engine asks; nothing of psutil or NVML is loaded before it starts, and it never raises into its caller.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from mens_console.hardware.ring import Ring
from mens_console.hardware.worker import HangsError, Worker
from mens_console.sensors.nvml import load
from mens_console.signals.human import span
from mens_console.signals.machine import GpuSample, MachineView, ProcessSample, VolumeSample

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mens_console.hardware.host import HostReader
    from mens_console.hardware.processes import ProcessReader
    from mens_console.hardware.session import GpuSession, Round
    from mens_console.hardware.volumes import VolumeReader

HURRIED_S: Final = 1.0
"""Between two samples while somebody looks at the machine."""
RESTING_S: Final = 15.0
"""The same while nobody does."""
NVML_PATIENCE_S: Final = 3.0
"""How long a round over the GPUs may take before the view goes on without it."""
UNANSWERED: Final = "the NVIDIA driver has not answered yet"

T = TypeVar("T")


class Sampler:
    """Samples the machine between `start` and `stop`. Every method may be called from any thread and returns at once.

    `binding` returns what answers for NVML; `clock` seconds since the epoch.
    """

    def __init__(
        self,
        *,
        binding: Callable[[], Any] = load,
        clock: Callable[[], float] = time.time,
        pace: tuple[float, float] = (HURRIED_S, RESTING_S),
        patience: float = NVML_PATIENCE_S,
        volumes: Callable[[], VolumeReader] | None = None,
    ) -> None:
        self._binding, self._clock, self._patience = binding, clock, patience
        self._hurried_s, self._resting_s = pace
        self._make_volumes = volumes
        self._latest: MachineView | None = None
        self._volumes_of: Mapping[str, tuple[Path, ...]] = {}
        self._pids: Mapping[int, str] = {}
        self._hurry = False
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._worker = Worker("mens-nvml")
        self._session: GpuSession | None = None
        self._host: HostReader
        self._volumes: VolumeReader
        self._processes: ProcessReader
        self._gpus: tuple[GpuSample, ...] = ()
        self._gpus_at = math.nan
        self._driver = self._cuda = ""
        self._rings: dict[tuple[str, str], Ring] = {}
        self._rev = 0

    # ------------------------------------------------------------------ what the engine asks

    @property
    def latest(self) -> MachineView | None:
        """The newest view, None before the first sample."""
        return self._latest

    def start(self, on_sample: Callable[[], None]) -> None:
        """Sample on a thread of its own; `on_sample` is called there after each sample."""
        if self._thread is None:
            self._stopping = False
            thread = threading.Thread(target=self._loop, args=(on_sample,), name="mens-machine", daemon=True)
            thread.start()
            self._thread = thread  # not before it runs: another thread may be stopping, and would wait for it

    def stop(self) -> None:
        """Stop sampling; what hangs in a driver or a file server is left behind and dies with the program."""
        self._stopping = True
        self._wake.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=2.0 * self._patience)

    def watch(self, volumes: Mapping[str, Path | Sequence[Path]], pids: Mapping[int, str]) -> None:
        """Say which folders (by run id; several where checkpoints lie elsewhere) and processes (to run id) matter."""
        folders = {run: (path,) if isinstance(path, Path) else tuple(path) for run, path in volumes.items()}
        if folders != self._volumes_of or dict(pids) != self._pids:
            self._volumes_of, self._pids = folders, dict(pids)
            if self._hurry:
                self._wake.set()

    def hurry(self, on: bool) -> None:
        """Say whether somebody looks at the machine now."""
        woken = on and not self._hurry
        self._hurry = on
        if woken:
            self._wake.set()

    def once(self) -> MachineView:
        """Take one sample on this thread, without starting: rates are unknown in it, for they take two."""
        self._load()
        view = self._sample()
        self._close()
        return view

    # ------------------------------------------------------------------ the thread

    def _loop(self, on_sample: Callable[[], None]) -> None:
        self._load()
        taken = 0
        while not self._stopping:
            self._wake.clear()
            self._sample()
            taken += 1
            on_sample()
            # The first sample knows no rates, so the second comes soon.
            self._wake.wait(self._hurried_s if self._hurry or taken < 2 else self._resting_s)
        self._close()

    def _load(self) -> None:
        from mens_console.hardware.host import HostReader
        from mens_console.hardware.processes import ProcessReader
        from mens_console.hardware.session import GpuSession
        from mens_console.hardware.volumes import VolumeReader

        self._session, self._worker = GpuSession(self._binding), Worker("mens-nvml")
        self._host, self._processes = HostReader(), ProcessReader()
        self._volumes = self._make_volumes() if self._make_volumes is not None else VolumeReader()

    def _close(self) -> None:
        if self._session is not None and not self._worker.hanging:
            self._guarded([], "GPUs", lambda: self._worker.ask(self._close_session, self._patience), None)
        self._worker.close()
        self._volumes.close()

    def _close_session(self) -> None:
        if self._session is not None:
            self._session.close()

    def _sample(self) -> MachineView:
        now, problems = self._clock(), list[str]()
        gpu_problem = self._read_gpus(now, problems)
        host = self._guarded(problems, "host", lambda: self._host.read(now), None)
        folders, pids = self._volumes_of, self._pids
        no_volumes: tuple[VolumeSample, ...] = ()
        no_processes: tuple[ProcessSample, ...] = ()
        volumes = self._guarded(problems, "volumes", lambda: self._volumes.read(folders, now), no_volumes)
        processes = self._guarded(
            problems, "processes", lambda: self._processes.read(pids, now, looked_at=self._hurry), no_processes
        )
        gpus = tuple(self._with_runs(gpu) for gpu in self._gpus)
        self._rev += 1
        self._latest = MachineView(
            self._rev, now, self._hurried_s if self._hurry else self._resting_s, gpus, self._gpus_at, gpu_problem,
            self._driver, self._cuda, host, volumes, processes, tuple(problems),
        )  # fmt: skip
        return self._latest

    @staticmethod
    def _guarded(problems: list[str], what: str, read: Callable[[], T], otherwise: T) -> T:
        """Return what `read` does; what goes wrong in one part is told and leaves the others standing."""
        try:
            return read()
        except Exception as error:  # noqa: BLE001 (told in the view: a sensor of an odd box must not blind the rest)
            problems.append(f"{what} cannot be read: {type(error).__name__}: {error}")
            return otherwise

    # ------------------------------------------------------------------ GPUs

    def _read_gpus(self, now: float, problems: list[str]) -> str:
        """Bring the GPUs up to date; return what is wrong with them. On a problem they stay as last read."""
        session, looked_at = self._session, self._hurry
        if session is None:
            return UNANSWERED
        try:
            found: Round | None = self._guarded_round(problems, lambda: session.read(now, looked_at=looked_at))
        except HangsError:
            if math.isnan(self._gpus_at):
                return UNANSWERED
            return f"the NVIDIA driver does not answer: GPUs as read {span(max(now - self._gpus_at, 0.0))} ago"
        if found is None:
            return "the GPUs could not be read"
        problems += [f"XID {code} from a GPU that is not known" for code in found.unknown_xids]
        if found.problem:
            return found.problem
        self._gpus_at, self._driver, self._cuda = now, found.driver, found.cuda
        self._gpus = tuple(self._with_history(gpu) for gpu in found.gpus)
        return ""

    def _guarded_round(self, problems: list[str], read: Callable[[], Round]) -> Round | None:
        try:
            return self._worker.ask(read, self._patience)
        except HangsError:
            raise
        except Exception as error:  # noqa: BLE001 (a driver may answer anything; the host is still shown)
            problems.append(f"GPUs cannot be read: {type(error).__name__}: {error}")
            return None

    def _with_history(self, gpu: GpuSample) -> GpuSample:
        share = gpu.memory_share

        def past(name: str, value: float | None) -> Any:
            return self._rings.setdefault((gpu.uuid, name), Ring()).add(gpu.at, value)

        return replace(
            gpu,
            utilisation_history=past("utilisation", gpu.utilisation),
            memory_history=past("memory", None if share is None else 100.0 * share),
            power_history=past("power", gpu.power),
            temperature_history=past("temperature", gpu.temperature),
        )

    def _with_runs(self, gpu: GpuSample) -> GpuSample:
        """Say to which runs the processes on a GPU belong, and what they are called."""
        if not gpu.processes:
            return gpu
        named = (
            replace(p, run=self._pids.get(p.pid) or self._processes.run_of(p.pid), name=self._processes.name_of(p.pid))
            for p in gpu.processes
        )
        return replace(gpu, processes=tuple(named))
