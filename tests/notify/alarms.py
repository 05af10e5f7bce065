"""Alerts, snapshots and a chat service for the tests of notifications."""

import http.server
import json
import math
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

from mens_console.notify.messages import Message
from mens_console.notify.sightings import History
from mens_console.signals.alerts import AlertState, AlertView, fingerprint
from mens_console.signals.rules import Severity
from mens_console.store.snapshot import Snapshot

NOW = 1_760_000_000.0
FIRING, RESOLVED = AlertState.FIRING, AlertState.RESOLVED
CRITICAL, WARNING = Severity.CRITICAL, Severity.WARNING


def alert(rule="nan_loss", state=FIRING, severity=CRITICAL, step=120, since=NOW, entity="llama", **more):
    view = AlertView(
        fingerprint(rule, entity), rule, entity, severity, state, since, step, since, step, 1, math.nan, 1.0, "points",
        f"{rule} happened", "do this",
    )  # fmt: skip
    return replace(view, **more)


def run(*alerts, name="llama", heard=NOW, backlog=None):
    return SimpleNamespace(
        id=name, name=name, path=Path("/runs") / name, alerts=alerts, updated_at=heard, backlog=backlog
    )


def snapshot(*runs, box=(), **more):
    return Snapshot(1, NOW, runs, scanning=False, box_alerts=box, **more)


def rounds(baseline=NOW - 100):
    """Return a function that looks at runs, one after another."""
    history = History(baseline)
    return lambda *runs, box=(): history.look(snapshot(*runs, box=box))


def message(subject="CRITICAL llama", body="loss is NaN"):
    return Message("alerts", subject, body, CRITICAL, ("0123456789ab",))


@contextmanager
def service(answer=200, hang=False):
    """Yield a chat service: its port, and what it was told."""
    told = []
    release = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            told.append((self.path, json.loads(self.rfile.read(int(self.headers["content-length"])))))
            if hang:
                release.wait(30)
            self.send_response(answer)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield SimpleNamespace(port=server.server_port, told=told, url=f"json://127.0.0.1:{server.server_port}")
    finally:
        release.set()
        server.shutdown()
        server.server_close()
