"""Record the runs that `mens-console demo` replays: small, real LoRA fine-tunes, all on one box at one time.

    python scripts/record_demo.py --out DIR

Needs mens-console and its `recording` dependency group (torch, transformers, peft, accelerate, tensorboard); takes
ten minutes and most of two CPU cores, no GPU and no network. Writes SCENARIO.mrec per run into DIR. Programs run
in a temporary directory with relative paths only, and a recording that names this machine is refused.
"""

from __future__ import annotations

import argparse
import getpass
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Final

from recording.scenarios import SCENARIOS, Scenario

from mens_console.demo.recorder import Recorder
from mens_console.demo.recording import Event

POLL: Final = 0.02
SETTLE: Final = 3.0
"""Seconds that are recorded after a run's last process ended."""
PROGRAMS: Final = Path(__file__).parent / "recording"
ENVIRONMENT: Final = {
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONWARNINGS": "ignore",  # a warning begins with the absolute path of the file that gives it
}
PACKAGES: Final = ("torch", "transformers", "peft", "accelerate", "tensorboard")


class Take:
    """One run being recorded: its processes and its recorder. `step` is called in turn, many times a second."""

    def __init__(self, scenario: Scenario, where: Path) -> None:
        self.scenario = scenario
        self.done = False
        self._where = where
        self._run_dir = where / scenario.name
        self._run_dir.mkdir()
        self._log = self._run_dir / "train.log"
        self.recorder = Recorder(self._run_dir)
        self._changed_at = time.monotonic()
        self._ended_at: float | None = None
        self._resumed = False
        self._start(scenario.arguments)

    def step(self) -> None:
        """Record what changed, and do to the run what its scenario says."""
        now = time.monotonic()
        if self.recorder.poll():
            self._changed_at = now
        if self._ended_at is None:
            self._watch(now)
        elif self.scenario.resume and not self._resumed:
            if now - self._ended_at >= self.scenario.pause:
                self._resumed = True
                resume = ("--resume", f"{self.scenario.name}/{self.scenario.resume}")
                self._start((*self.scenario.arguments, *resume))
        elif now - self._ended_at >= SETTLE:
            self.done = True

    def stop(self) -> None:
        """End what still runs."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._tee.wait()

    def _start(self, arguments: tuple[str, ...]) -> None:
        """Start `python finetune.py … 2>&1 | tee -a NAME/train.log`."""
        command = ("finetune.py", "--output", self.scenario.name, *arguments)
        self._process = subprocess.Popen(
            [sys.executable, *command],
            cwd=self._where,
            env={**os.environ, **ENVIRONMENT},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._tee = subprocess.Popen(["tee", "-a", self._log], stdin=self._process.stdout, stdout=subprocess.DEVNULL)
        assert self._process.stdout is not None
        self._process.stdout.close()  # tee alone reads it
        self.recorder.process_started(self._process.pid, ("python", *command))
        self._ended_at = None

    def _watch(self, now: float) -> None:
        returncode = self._process.poll()
        if returncode is not None:
            self.recorder.process_ended(self._process.pid, returncode)
            self._ended_at = now
        elif self.scenario.kill_at and not self._resumed and self._shows(self.scenario.kill_at):
            self._process.send_signal(signal.SIGKILL)
        elif self.scenario.silence is not None and now - self._changed_at >= self.scenario.silence:
            self.done = True

    def _shows(self, step: int) -> bool:
        return self._log.exists() and f" {step}/".encode() in self._log.read_bytes()


def prepare(where: Path) -> None:
    """Put the programs and the base models into `where`."""
    for program in ("base.py", "finetune.py"):
        shutil.copy(PROGRAMS / program, where)
    subprocess.run([sys.executable, "base.py"], cwd=where, env={**os.environ, **ENVIRONMENT}, check=True)


def record(where: Path, only: list[str]) -> list[Take]:
    """Run the scenarios, each from its own moment on, until the last is done; all of them unless some are named."""
    began = time.monotonic()
    wanted = [scenario for scenario in SCENARIOS if not only or scenario.scenario in only]
    waiting = sorted(wanted, key=lambda scenario: scenario.begins)
    takes: list[Take] = []
    try:
        while waiting or not all(take.done for take in takes):
            if waiting and time.monotonic() - began >= waiting[0].begins:
                takes.append(Take(waiting.pop(0), where))
            for take in takes:
                if not take.done:
                    take.step()
                    if take.done:
                        print(f"{time.monotonic() - began:6.1f} s  {take.scenario.scenario} done", flush=True)
            time.sleep(POLL)
    finally:
        for take in takes:
            take.stop()
    return takes


def traces(events: list[Event], where: Path) -> set[str]:
    """Return what in the recorded content or paths names this machine: its folders, its host, its user."""
    names = {str(where), str(Path.home()), str(Path(sys.prefix).resolve()), f".{socket.gethostname()}."}
    names |= {f"_{socket.gethostname()}/", f"/home/{getpass.getuser()}"}
    found = {name for event in events for name in names if name.encode() in event.path.encode() + event.data}
    absolute = re.compile(rb"""(?:^|[\s"'=(])(/(?:[\w.-]{3,}/)+[\w.-]{3,})""")
    found |= {match.decode() for event in events for match in absolute.findall(event.data)}
    return found


def save(take: Take, out: Path, where: Path) -> bool:
    """Write the recording of `take` into `out`, unless it names this machine; return whether it was written."""
    scenario = take.scenario
    if found := traces(take.recorder.events, where):
        print(f"{scenario.scenario}: refused, it names this machine: {sorted(found)}", file=sys.stderr)
        return False
    producer = {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
    path = out / f"{scenario.scenario}.mrec"
    header = take.recorder.save(path, scenario=scenario.scenario, summary=scenario.summary, producer=producer)
    print(f"{path}: {header.events} events in {header.duration:.0f} s, {path.stat().st_size} bytes")
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder that receives the recordings")
    parser.add_argument("--only", nargs="*", default=[], metavar="SCENARIO", help="record these alone")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        prepare(where)
        written = [save(take, options.out, where) for take in record(where, options.only)]
    if not all(written):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
