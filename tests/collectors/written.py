"""What the tests of the writers share: reading back what they wrote, and running a program that writes."""

import json
import subprocess
import sys
import threading
import time


def rows(path):
    """Every line of a file of events, which must all be whole."""
    data = path.read_bytes()
    assert not data or data.endswith(b"\n")
    return [json.loads(line) for line in data.splitlines() if line]


def events(path, event):
    return [row["payload"] for row in rows(path) if row["event"] == event]


def document(path):
    return json.loads(path.read_bytes())


def program(code, *args, check=True, timeout=60):
    """Run a program of its own; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", code, *map(str, args)], capture_output=True, text=True, timeout=timeout
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done


def wait_for(condition, seconds=10.0):
    """Wait for something that another thread is about to do."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        pause.wait(0.005)


def still(writer):
    """Stop a writer's thread from ever being asked, so that the test decides when the work is done."""
    writer._background.wake = lambda: None
    return writer


class Clock:
    def __init__(self, now=1_790_000_000.0):
        self.now = now

    def __call__(self):
        return self.now
