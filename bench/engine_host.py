"""The engine alone in a process, for what it costs without a screen: `python -m bench.engine_host ROOT`.

Prints a line of JSON whenever the number of runs changes, the first reading ends, or a line comes on standard input.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from mens_console.config import Settings
from mens_console.store.engine import Engine

if TYPE_CHECKING:
    from mens_console.store.snapshot import Snapshot


class Host:
    """Prints what the engine publishes."""

    def __init__(self) -> None:
        self._known = (-1, True)
        self._lock = threading.Lock()

    def published(self, snapshot: Snapshot) -> None:
        """Tell what changed, if it is the number of runs or the end of the first reading."""
        known = (len(snapshot.runs), snapshot.scanning)
        if known != self._known:
            self._known = known
            self.tell(snapshot)

    def tell(self, snapshot: Snapshot) -> None:
        """Print the size of what the snapshot shows."""
        series = [series for run in snapshot.runs for series in run.series.values()]
        said = {
            "runs": len(snapshot.runs),
            "scanning": snapshot.scanning,
            "points": sum(len(one.values) for one in series),
        }
        with self._lock:
            sys.stdout.write(json.dumps(said) + "\n")
            sys.stdout.flush()


def main() -> None:
    """Watch until standard input ends."""
    host, roots = Host(), (Path(sys.argv[1]),)
    engine = Engine(roots, Settings(roots=roots))
    engine.start(host.published)
    for _ in sys.stdin:
        host.tell(engine.snapshot)
    engine.stop()


if __name__ == "__main__":
    main()
