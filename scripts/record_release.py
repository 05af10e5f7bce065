"""Record the evidence that the gate of `mens-console demo` judges: two benchmarks on the fake server, and this project.

    make test gate && python scripts/record_release.py --out DIR

The benchmarks really run, as if on one GPU and on two; coverage, tests, complexity and documentation are those that
`make test gate` left in `build/evidence`. All of it was there before the demo opens: it is one moment of the recording.
Wall times are moved by one constant, to the day of the other recordings; the machine's name and folder are left out.
Takes a quarter of an hour, and no network.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Final

from mens_console.demo.recorder import Recorder
from mens_console.demo.recording import Recording, shipped

NAME: Final = "release-llama-r8"
SUMMARY: Final = "evidence of a release: benchmarks on one GPU and on two, coverage, tests, complexity, documentation"
MODEL: Final = "llama-lora-r8"
EVIDENCE: Final = Path("build/evidence")
BEFORE_S: Final = 3600.0
"""How long before the other recordings the evidence was measured."""
SERVERS: Final = {
    1: ("--gap-ms", "7.6", "--concurrency", "2"),
    2: ("--gap-ms", "5.5", "--concurrency", "4"),
}
"""What a server is like, by the GPUs that it is said to have."""
LIKE_BOTH: Final = (
    "--model", MODEL, "--ttft-ms", "62", "--ttft-spread", "0.15", "--gap-spread", "0.2", "--prefill-ms", "2",
    "--recall", "20000",
)  # fmt: skip
MEASURED: Final = {
    1: ("--requests", "300"),
    2: ("--batches", "1", "--requests", "300", "--context", "none"),
}
SHIFTED: Final = """
import sys, time
real, shift = time.time, float(sys.argv.pop(1))
time.time = lambda: real() + shift
from mens_console.cli.main import main
sys.exit(main())
"""
HOST: Final = "training-box"
_HOST: Final = re.compile(r'(hostname=")[^"]*')
_STAMP: Final = re.compile(r'((?:timestamp"?[=:] ?)")(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?)')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder that receives the recording")
    options = parser.parse_args()
    earliest = min(Recording.open(path).header.started_at for path in shipped())
    shift = earliest - BEFORE_S - time.time()
    with tempfile.TemporaryDirectory() as folder:
        run_dir = Path(folder) / NAME
        run_dir.mkdir()
        for gpus in SERVERS:
            measure(gpus, run_dir, shift)
        for name in ("coverage.json", "junit.xml", "junit-e2e.xml", "radon.json", "interrogate.txt"):
            move_in_time(EVIDENCE / name, run_dir / name, shift)
        record(run_dir, earliest - time.time(), options.out / "release.mrec")


def measure(gpus: int, run_dir: Path, shift: float) -> None:
    """Run the benchmark on a server of so many GPUs."""
    console = [sys.executable, "-m", "mens_console"]
    server = subprocess.Popen(
        [*console, "soak", "fake-server", *LIKE_BOTH, *SERVERS[gpus]], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        url = json.loads(server.stdout.readline())["url"]
        of_one = ["--single-gpu", str(run_dir / "bench-1gpu.json")] if gpus > 1 else []
        subprocess.run(
            [sys.executable, "-c", SHIFTED, str(shift), "bench", "--url", url, "--model", MODEL, "--gpus", str(gpus),
             *of_one, *MEASURED[gpus], "--seed", "7", "--out", str(run_dir / f"bench-{gpus}gpu.json")],
            check=True,
        )  # fmt: skip
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


def move_in_time(source: Path, target: Path, shift: float) -> None:
    """Copy evidence; what it says of its own time is moved, and where it was measured is not told."""

    def moved(found: re.Match[str]) -> str:
        return found[1] + (datetime.fromisoformat(found[2]) + timedelta(seconds=shift)).isoformat()

    if not source.exists():
        sys.exit(f"{source} is not there: make test gate")
    text = source.read_text().replace(f"{Path.cwd()}/", "")
    target.write_text(_HOST.sub(rf"\g<1>{HOST}", _STAMP.sub(moved, text)))


def record(run_dir: Path, shift: float, into: Path) -> None:
    """Write what lies in `run_dir` to `into`, as one moment."""
    recorder = Recorder(run_dir, clock=lambda: time.time() + shift)
    recorder.poll()
    time.sleep(0.1)
    recorder.poll()
    producer = {"python": platform.python_version(), "aiohttp": version("aiohttp")}
    header = recorder.save(into, scenario="release", summary=SUMMARY, producer=producer)
    print(f"{into}: {header.events} events, {into.stat().st_size} bytes")


if __name__ == "__main__":
    main()
