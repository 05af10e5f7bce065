"""The programs we are compared with, in an environment of their own under the cache folder.

Installed when asked (`--anchors`), found if there, never required.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PACKAGES: Final = ("wandb==0.31.0", "tensorboard==2.21.0", "setuptools<81", "toolong==1.5.0")
LEET_ROWS: Final = 100_000
HOW: Final = "not installed: python -m bench --anchors"


def cache_folder() -> Path:
    """Return where the anchors live between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mens-console-bench"


@dataclass(frozen=True, slots=True)
class Anchors:
    """What is there to compare with; each is None where it is not installed."""

    folder: Path

    @property
    def python(self) -> Path | None:
        """The interpreter that can import the anchors' packages."""
        return _there(self.folder / "venv" / "bin" / "python")

    @property
    def toolong(self) -> Path | None:
        """Toolong, the log viewer."""
        return _there(self.folder / "venv" / "bin" / "tl")

    @property
    def less(self) -> Path | None:
        """The pager of the system."""
        found = shutil.which("less")
        return Path(found) if found else None

    @property
    def leet(self) -> Path | None:
        """W&B LEET's own program, without the Python command in front of it."""
        return next(iter(sorted(self.folder.glob("venv/lib/python*/site-packages/wandb/bin/wandb-core"))), None)

    @property
    def leet_run(self) -> Path | None:
        """A recorded offline run of `LEET_ROWS` rows."""
        return next(iter(sorted(self.folder.glob("leet/wandb/offline-run-*/*.wandb"))), None)

    def leet_typed(self, run: Path) -> list[str | Path]:
        """Return the command that an operator types to open `run`."""
        if self.python is None:
            raise FileNotFoundError(HOW)
        return [self.python.with_name("wandb"), "leet", "run", run]

    def leet_command(self, run: Path) -> list[str | Path]:
        """Return what that command runs, without the Python process that waits in front of it or telemetry."""
        if self.leet is None:
            raise FileNotFoundError(HOW)
        return [self.leet, "leet", "run", "--no-observability", "--run-file", run, run.parent.parent]


def _there(path: Path) -> Path | None:
    return path if path.exists() else None


def install(folder: Path) -> Anchors:
    """Make the environment and the recorded run. Raises `CalledProcessError` where pip or wandb fails."""
    anchors = Anchors(folder)
    if anchors.python is None:
        venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    if anchors.leet_run is None:
        home = folder / "leet"
        home.mkdir(parents=True, exist_ok=True)
        writer = Path(__file__).with_name("leet_writer.py")
        subprocess.run([python, writer, "record", str(LEET_ROWS)], cwd=home, check=True, stdout=sys.stderr)
    return anchors
