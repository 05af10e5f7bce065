"""Processes of this box are matched to runs by what they really do."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mens_console.signals.stages import Begun
from mens_console.store.probe import NoProbe, SystemProbe, lives

HOLD = (
    "import sys,time\nf=open(sys.argv[1],'a') if len(sys.argv)>1 else None\nprint('up',flush=True)\nsys.stdin.read()\n"
)


class Child:
    def __init__(self, *args: str, cwd: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD, *args], cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout.readline() == "up\n"

    def __enter__(self) -> int:
        return self.process.pid

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    return tmp_path / "a", tmp_path / "b"


def test_a_writer_is_found_and_missed_when_gone(runs: tuple[Path, Path]) -> None:
    a, b = runs
    probe = SystemProbe()
    with Child(str(a / "metrics.jsonl"), cwd=a.parent) as pid:
        look = probe.look({a: (), b: ()})
        (found,) = look.by_run[a]
        assert (found.pid, found.reason) == (pid, "writes a file of the run")
        assert look.by_run[b] == ()
        assert probe.alive(found)
    assert not probe.alive(found)
    assert probe.look({a: ()}).by_run[a] == ()


def test_working_in_the_folder_or_being_named_by_it_counts(runs: tuple[Path, Path]) -> None:
    a, b = runs
    with Child(cwd=a) as pid, Child(cwd=a.parent) as other:
        look = SystemProbe().look({a: (), b: (other,)})
        assert [(p.pid, p.reason) for p in look.by_run[a]] == [(pid, "works in the folder")]
        assert [(p.pid, p.reason) for p in look.by_run[b]] == [(other, "is named by the run")]


def test_an_argument_may_name_the_folder_relative_to_where_it_runs(runs: tuple[Path, Path]) -> None:
    a, b = runs
    code = "import sys\nprint('up',flush=True)\nsys.stdin.read()\n"
    with subprocess.Popen(
        [sys.executable, "-c", code, "--output_dir=./b"], cwd=a.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        child.stdout.readline()
        look = SystemProbe().look({a: (), b: ()})
        assert [(p.pid, p.reason) for p in look.by_run[b]] == [(child.pid, "names the folder")]
        assert look.by_run[a] == ()
        child.kill()


def test_a_pager_is_no_trainer(runs: tuple[Path, Path]) -> None:
    a, _ = runs
    (a / "x.log").write_text("hello\n")
    with subprocess.Popen(["tail", "-f", str(a / "x.log")], stdout=subprocess.PIPE) as tail:
        tail.stdout.readline()
        assert SystemProbe().look({a: ()}).by_run[a] == ()
        tail.kill()


def test_cpu_is_known_from_the_second_look(runs: tuple[Path, Path]) -> None:
    a, _ = runs
    probe = SystemProbe()
    with Child(str(a / "m"), cwd=a.parent):
        assert probe.look({a: ()}).by_run[a][0].cpu_percent is None
        assert probe.look({a: ()}).by_run[a][0].cpu_percent >= 0.0
    assert probe.boot_time() > 0


def test_no_probe_claims_nothing(runs: tuple[Path, Path]) -> None:
    look = NoProbe().look({runs[0]: ()})
    assert look.by_run == {runs[0]: ()}
    assert not look.complete
    assert NoProbe().boot_time() == 0.0


def test_a_stage_lives_by_its_own_processes_on_this_host(tmp_path: Path) -> None:
    here, now = os.uname().nodename, time.time()
    with Child(cwd=tmp_path) as pid:
        assert lives(Begun((pid,), here, now)) is True
        assert lives(Begun((999_999_999, pid), "", math.nan)) is True
        assert lives(Begun((pid,), here, now - 3600.0)) is False, "a later process of the same number"
        assert lives(Begun((pid,), f"not-{here}", now)) is None
    assert lives(Begun((pid, -1, 1 << 70), here, now)) is False
