"""Real drivers on real fake servers: processes that are begun, watched through their files, and always ended."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from mens_console.soak.control import told
from mens_console.soak.record import Record

MODEL = "fake-model"
PATIENCE_S = 60.0
LONG_S = 3600
"""A plan that no test sees the end of, however slow the box: it is stopped."""
COMMAND = [sys.executable, "-P", "-m", "mens_console", "soak"]


def wait_for(what, condition, patience_s=PATIENCE_S):
    """Return what `condition` comes to as soon as it is true."""
    until = time.monotonic() + patience_s
    while not (value := condition()):
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.02)
    return value


class Box:
    """What a test starts, ended with it."""

    def __init__(self, folder):
        self.folder = folder
        self.processes = []
        self.environ = {
            **os.environ,
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "XDG_CONFIG_HOME": str(folder / "config"),
        }

    def begin(self, *words, **options):
        process = subprocess.Popen(
            [*COMMAND, *map(str, words)], env=self.environ, cwd=self.folder, text=True,
            stdin=subprocess.DEVNULL, **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
        )  # fmt: skip
        self.processes.append(process)
        return process

    def do(self, *words):
        """Run a command to its end; return its status, output and complaints."""
        process = self.begin(*words)
        out, err = process.communicate(timeout=PATIENCE_S)
        return process.returncode, out, err

    def server(self, *words, port=0):
        """Begin a fake server; return it and its URL when it listens."""
        process = self.begin("fake-server", "--port", port, "--log", self.folder / "truth.ndjson", *words)
        return process, json.loads(process.stdout.readline())["url"]

    def drive(self, url, *words, rate=20, seconds=LONG_S, out="soak"):
        """Begin a driver; return it and its directory when it has said so."""
        folder = self.folder / out
        process = self.begin(
            "run", "--url", url, "--model", MODEL, "--rate", rate, "--duration", f"{seconds}s", "--out", folder,
            "--max-tokens", 4, "--no-preflight", *words,
        )  # fmt: skip
        wait_for("the driver", lambda: told(folder).get("pid") == process.pid or process.poll() is not None)
        return process, folder

    def resume(self, folder, *words):
        """Go on with a soak; return its driver when it has said so."""
        process = self.begin("run", "--resume", folder, *words)
        wait_for("the driver", lambda: told(folder).get("pid") == process.pid or process.poll() is not None)
        return process

    def stop(self, process, folder):
        """Ask a driver to end; return its status, output and complaints."""
        status, _, err = self.do("stop", folder)
        assert status == 0, err
        out, err = process.communicate(timeout=PATIENCE_S)
        return process.returncode, out, err

    def truth(self):
        """Return what the fake server wrote down of each generation."""
        rows = [json.loads(line) for line in (self.folder / "truth.ndjson").read_text().splitlines()]
        return [row for row in rows if str(row.get("path", "")).endswith("completions")]

    def close(self):
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.communicate()


def record_of(folder):
    record = Record(folder)
    record.poll(time.time())
    while record.more:
        record.poll(time.time())
    return record


def rows_of(folder):
    """Return every row of the journal, each of which must be whole but for one that is being written."""
    texts = [path.read_text() for path in sorted(Path(folder).glob("journal-*"))]
    return [json.loads(line) for text in texts for line in text[: text.rfind("\n") + 1].splitlines()]


def starved(record):
    """Whether a box that is too busy kept the driver itself from running, of which it says so and counts nothing."""
    return any(event.kind in ("held", "gap") and event.end - event.begin > 5 for event in record.events)


def adds_up(record):
    """Whether each minute accounts for all that was due in it."""
    return all(minute.due == minute.ended + minute.lost + minute.skipped for minute in record.minutes)


def agrees(box, folder):
    """Compare the record with the server's own: nothing sent twice, nothing lost, nothing made up."""
    record, rows = record_of(folder), rows_of(folder)
    served = Counter(row["id"] for row in box.truth() if not row["id"].startswith("preflight"))
    ended = Counter(f"{record.plan.id}-{row['id'][0]}-{row['id'][1]}" for row in rows if row["k"] == "r")
    sent = Counter(f"{record.plan.id}-{row['id'][0]}-{row['id'][1]}" for row in rows if row["k"] == "s")
    assert {*served.values(), *ended.values(), *sent.values()} <= {1}
    assert served.keys() <= sent.keys()
    assert ended.keys() <= sent.keys()
    assert adds_up(record)
    assert sum(minute.ended for minute in record.minutes) == len(ended)
    assert sum(minute.lost for minute in record.minutes) == len(sent) - len(ended)
    assert record.problems == ()
    return record, served, ended
