"""A replay: recorded bytes written again under the real engine, on virtual time.

The replay is the engine's clock and its process table. It goes from event to event, with ticks in between on which
time alone passes, so the speed changes when things are shown and never what is concluded.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from mens_console.demo.folders import RUNS, Folder
from mens_console.demo.player import Player, offsets
from mens_console.store.engine import Engine
from mens_console.store.probe import Look, ProcessFact

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from typing import Literal

    from mens_console.config import Settings
    from mens_console.demo.recording import Recording
    from mens_console.signals.alerts import Silence
    from mens_console.store.snapshot import Snapshot

TICK_S = 5.0
"""Virtual seconds between two moments at which silence is judged."""
_BREATH_S = 0.25


class RecordedProbe:
    """The processes as they were recorded: alive from their start to their end on the replay's clock."""

    def __init__(self, player: Player) -> None:
        self._player = player

    def boot_time(self) -> float:
        """Return a moment before anything was recorded."""
        return self._player.epoch - 1.0

    def alive(self, process: ProcessFact) -> bool:
        """Whether the recorded process was alive now."""
        alive = (p for processes in self._player.processes().values() for p in processes)
        return any(p.pid == process.pid and p.ended is None for p in alive)

    def look(self, runs: Mapping[Path, Collection[int]]) -> Look:
        """Find the processes that were alive now."""
        alive = self._player.processes()
        return Look(
            {
                run: tuple(
                    ProcessFact(p.pid, Path(p.command[0]).name, True, "", None, "recorded", p.started)
                    for p in alive.get(run.name, ())
                    if p.ended is None
                )
                for run in runs
            },
            complete=True,
            at=self._player.clock(),
        )


class Replay:
    """Replays recordings under an engine of its own; to a screen it looks like any engine.

    `speed` is virtual seconds per second, `float("inf")` as fast as can be. `skip` virtual seconds are hurried
    through first. The bytes go to a temporary folder that `stop` removes, or the next replay where this one is killed.
    """

    def __init__(
        self,
        recordings: Sequence[Recording],
        settings: Settings,
        *,
        speed: float = 1.0,
        skip: float = 0.0,
        align: Literal["recorded", "start", "end"] = "recorded",
    ) -> None:
        self._folder = Folder()
        into = self._folder.path / RUNS
        starts = offsets(recordings, align)
        self.player = Player(recordings, into, starts=starts)
        self.engine = Engine(
            [into], settings, clock=self.player.clock, probe=RecordedProbe(self.player), watch=False, replay=True
        )
        self.speed = speed
        self._skip = skip
        self._next_tick = TICK_S
        self._stopping = threading.Event()
        self._asked = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def snapshot(self) -> Snapshot:
        """The latest published snapshot."""
        return self.engine.snapshot

    @property
    def settings(self) -> Settings:
        """The engine's settings."""
        return self.engine.settings

    @property
    def roots(self) -> tuple[Path, ...]:
        """Where the replayed runs lie."""
        return self.engine.roots

    def want(self, run_id: str | None, in_sight: Iterable[str] = ()) -> None:
        """Tell which run is being looked at, and which others are in sight."""
        self.engine.want(run_id, in_sight)
        self._asked.set()

    def acknowledge(self, run_id: str, fingerprint: str, note: str = "") -> None:
        """Mark an alert as seen, for as long as the replay lasts."""
        self.engine.acknowledge(run_id, fingerprint, note)
        self._asked.set()

    def silence(self, silence: Silence) -> None:
        """Hear nothing of some alerts for a while of the replay."""
        self.engine.silence(silence)
        self._asked.set()

    def unsilence(self, silence_id: str) -> None:
        """End a silence."""
        self.engine.unsilence(silence_id)
        self._asked.set()

    def look_at_machine(self, on: bool) -> None:
        """Do nothing: a replay shows the machine as it was recorded, not the one that it runs on."""

    def touch(self, at: float) -> None:
        """Do nothing: whoever watches a replay misses nothing on the box."""

    def pace(self, not_before: float) -> None:
        """Do nothing: a replay publishes by its own clock."""

    def start(self, on_publish: Callable[[Snapshot], None]) -> None:
        """Replay on a thread of its own."""
        self.engine.subscribe(on_publish)
        self._thread = threading.Thread(target=self._play, name="replay", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop, and remove the replayed bytes."""
        self._stopping.set()
        self._asked.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=5)
        self.engine.stop()
        self._folder.remove()

    def run_to(self, position: float) -> Snapshot:
        """Replay the moments up to `position` (seconds from the begin) as fast as can be."""
        end = self.player.duration
        while not self._stopping.is_set() and not self.player.finished:
            moment = self._moment()
            if moment > position:
                break
            self._go(moment)
            if moment == end:
                break
        return self.engine.snapshot

    def _moment(self) -> float:
        """Return the next event or tick, whichever comes first, and at last the end."""
        upcoming = self.player.next_time()
        return min(self._next_tick, self.player.duration, self._next_tick if upcoming is None else upcoming)

    def run(self) -> Snapshot:
        """Replay all of it as fast as can be."""
        return self.run_to(self.player.duration)

    def _go(self, moment: float) -> None:
        """Play what happened up to `moment` and let the engine see it at that time."""
        played = self.player.advance(moment)
        while self._next_tick <= moment:
            self._next_tick += TICK_S
        self.engine.hint(self.player.into / p.run / p.event.path for p in played if p.event.path)
        self._see()

    def _see(self) -> None:
        """Let the engine see what there is at this moment, and do what it is asked for."""
        while self.engine.step(self.player.clock()):
            pass

    def _play(self) -> None:
        if self._skip:
            self.run_to(self._skip)
        began, origin = time.monotonic(), self.player.position
        while not self._stopping.is_set():
            if self.speed == float("inf"):
                self.run()
            else:
                self.run_to(origin + (time.monotonic() - began) * self.speed)
            wait = began + (self._moment() - origin) / self.speed - time.monotonic()
            # At its end nothing happens by itself any more, but the operator may still ask for something.
            if self._asked.wait(None if self.player.finished else min(max(wait, 0.0), _BREATH_S)):
                self._asked.clear()
                self._see()
