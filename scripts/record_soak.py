"""Record the soak that `mens-console demo` replays: an hour of real load on the fake server, with faults by a script.

    python scripts/record_soak.py --out DIR

The demo opens fifty minutes into it, so what was written until then is one moment of the recording, and the last ten
minutes are recorded as they pass. Wall times are moved by one constant, to the day of the other recordings; the
machine's name and boot are left out. Takes the hour, a few percent of a core, and no network.
"""

from __future__ import annotations

import argparse
import json
import platform
import signal
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Final

from mens_console.demo.recorder import Recorder
from mens_console.demo.recording import Recording, shipped

NAME: Final = "soak-llama-r8"
SUMMARY: Final = "an hour of one request a second: an outage, a burst of errors, slow minutes, a stall, growing memory"
BEFORE_S: Final = 3000.0
MINUTES: Final = 60
POLL_S: Final = 0.5
SETTLE_S: Final = 5.0
FAULTS: Final = """
[knobs]
model = "llama-lora-r8"
ttft_ms = 62.0
ttft_spread = 0.25
gap_ms = 17.0
gap_spread = 0.2
leak_bytes = 9000
leak_kv = 0.00004

[[at]]
from = 1020
to = 1110
what = "down"

[[at]]
from = 1860
to = 1900
what = "errors"
status = 503
rate = 0.75

[[at]]
from = 2460
to = 2580
what = "slow"
factor = 3.0

[[at]]
from = 3240
to = 3290
what = "stall"
health = true
"""
DRIVER: Final = """
import socket, sys, time
real, shift = time.time, float(sys.argv.pop(1))
time.time = lambda: real() + shift
socket.gethostname = lambda: "training-box"
from mens_console.soak import control
control.boot_id = lambda: "recorded"
from mens_console.cli.main import main
sys.exit(main())
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder that receives the recording")
    options = parser.parse_args()
    earliest = min(Recording.open(path).header.started_at for path in shipped())
    shift = earliest + 20.0 - (time.time() + BEFORE_S)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "faults.toml"
        script.write_text(FAULTS)
        console = [sys.executable, "-m", "mens_console"]
        server = subprocess.Popen([*console, "soak", "fake-server", "--script", str(script)], stdout=subprocess.PIPE)
        try:
            record(Path(folder) / NAME, server, shift, options.out / "soak.mrec")
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()


def record(run_dir: Path, server: subprocess.Popen[bytes], shift: float, into: Path) -> None:
    """Drive the soak in `run_dir`, and write what its last minutes wrote to `into`."""
    assert server.stdout is not None
    url = json.loads(server.stdout.readline())["url"]
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(shift), "soak", "run", "--url", url, "--model", "llama-lora-r8",
         "--rate", "1", "--duration", f"{MINUTES}m", "--max-tokens", "16", "--prompt-tokens", "32",
         "--watch-pid", str(server.pid), "--out", str(run_dir)],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    time.sleep(BEFORE_S)
    recorder = Recorder(run_dir, clock=lambda: time.time() + shift)
    recorder.process_started(driver.pid, ("mens-console", "soak", "run"))
    while driver.poll() is None:
        recorder.poll()
        time.sleep(POLL_S)
    recorder.process_ended(driver.pid, driver.returncode)
    time.sleep(SETTLE_S)
    recorder.poll()
    producer = {"python": platform.python_version(), "aiohttp": version("aiohttp")}
    header = recorder.save(into, scenario="soak", summary=SUMMARY, producer=producer)
    print(f"{into}: {header.events} events in {header.duration:.0f} s, {into.stat().st_size} bytes")


if __name__ == "__main__":
    main()
