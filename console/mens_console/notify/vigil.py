"""Watches snapshots until it is told to end: says what changed, passes rounds on, and gives signs of life.

The engine publishes on its own thread; everything here happens on the thread that calls `run`.
"""

from __future__ import annotations

import queue
import time
from typing import TYPE_CHECKING, Final

from mens_console.notify.heartbeat import BEAT_S
from mens_console.notify.sightings import History, Round, Transitions

if TYPE_CHECKING:
    from collections.abc import Callable

    from mens_console.notify.dispatch import Dispatcher
    from mens_console.notify.sightings import Transition
    from mens_console.store.snapshot import Snapshot

GAP_S: Final = 1.0
"""Between two looks: a run that logs fast must not keep a daemon busy."""
SETTLE_S: Final = 60.0
"""How long the first look waits for everything to have been read; a hanging folder must not hold it for ever."""
_FAULT: Final = "internal error"
"""How the engine's own failures begin among the problems of a snapshot."""


class Vigil:
    """Looks at what the engine publishes.

    `on_transition` and `on_problem` are called with what is news; `is_alive` says whether the engine still works.
    """

    def __init__(
        self,
        history: History,
        *,
        on_transition: Callable[[Transition], None],
        on_problem: Callable[[str], None],
        dispatcher: Dispatcher | None = None,
        is_alive: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._history = history
        self._transitions = Transitions()
        self._on_transition, self._on_problem = on_transition, on_problem
        self._dispatcher = dispatcher
        self._is_alive = is_alive
        self._clock = clock
        # Both the engine's thread and signal handlers put into it: of the queues, only this one may be put into while
        # the very same thread is taking from it.
        self._inbox: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._is_called = False
        self._latest: Snapshot | None = None
        self._round: Round | None = None
        self._told: tuple[str, ...] = ()
        self._beat_problem = ""
        self._begun = time.monotonic()
        self._settled = False

    def offer(self, snapshot: Snapshot) -> None:
        """Take a new snapshot; called by the engine, on its thread."""
        self._latest = snapshot
        if not self._is_called:
            self._is_called = True
            self._inbox.put(True)

    def end(self) -> None:
        """End `run` soon; may be called from anywhere, a signal handler too."""
        self._inbox.put(False)

    def run(self) -> None:
        """Watch until `end`."""
        beat_at = time.monotonic()
        while True:
            if time.monotonic() >= beat_at:
                beat_at = time.monotonic() + BEAT_S
                self._beat()
            if not self._is_called and not self._wait(beat_at - time.monotonic()):
                return
            if self._is_called:
                self._is_called = False
                self.look()
                if not self._rest():
                    return

    def _wait(self, until_beat: float) -> bool:
        """Wait for a snapshot, a message that is due or the next beat; False at the end."""
        due = self._dispatcher.due_at - self._clock() if self._dispatcher is not None else until_beat
        try:
            return self._inbox.get(timeout=max(min(until_beat, due), 0.0))
        except queue.Empty:
            if self._dispatcher is not None:
                self._dispatcher.send(self._clock())
            return True

    def _rest(self) -> bool:
        """Let a moment pass, so that many snapshots are one look; False at the end."""
        until = time.monotonic() + GAP_S
        while (left := until - time.monotonic()) > 0:
            try:
                if not self._inbox.get(timeout=left):
                    return False
            except queue.Empty:
                return True
        return True

    def look(self) -> Round | None:
        """Look at the newest snapshot, now; None until there is one worth a look."""
        snapshot = self._latest
        if snapshot is None:
            return None
        self._tell_problems(snapshot)
        self._settled = self._settled or not snapshot.scanning or time.monotonic() - self._begun > SETTLE_S
        if not self._settled:
            return None
        self._round = look = self._history.look(snapshot)
        for transition in self._transitions.step(look):
            self._on_transition(transition)
        if self._dispatcher is not None:
            self._dispatcher.step(self._clock(), look)
        return look

    def _tell_problems(self, snapshot: Snapshot) -> None:
        for problem in snapshot.problems:
            if problem not in self._told:
                self._on_problem(problem)
        self._told = snapshot.problems

    def _beat(self) -> None:
        """Look again, because time alone ends silences, and give a sign of life."""
        dispatcher = self._dispatcher
        if dispatcher is None:
            return
        now = self._clock()
        if self._round is not None:
            dispatcher.step(now, self._round)
        blind = next((problem for problem in self._told if problem.startswith(_FAULT)), "")
        if not self._is_alive():
            blind = "the engine has ended: nothing is watched"
        wrong = dispatcher.beat(now, blind) or blind
        if wrong and wrong != self._beat_problem:
            self._on_problem(wrong)
        self._beat_problem = wrong
