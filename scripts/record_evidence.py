"""Record what real tools write of a small project, for the tests of the gate's readers.

    python scripts/record_evidence.py --tools VENV/bin [--lm-eval VENV/bin] [--out tests/gate/evidence]

VENV holds pytest, pytest-cov, radon, interrogate and sphinx (`pip install pytest pytest-cov radon interrogate sphinx`).
The project has a function over a complexity of 8, undocumented functions, a failing, an erroring and a skipped test.
Recorded too: a file that does not parse, and a module that Sphinx cannot import. Half a minute, no network.

The other VENV holds lm-eval. Its `dummy` model guesses at tasks of our own that bear the names of MMLU (a group),
HellaSwag and ARC Easy; twice, with two seeds, as a baseline and a quantized model would be.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

CORE = '''"""Marks of a school."""


def grade(points, limits=(50, 60, 70, 80, 90), bonus=0, strict=False):
    """Return a mark."""
    if points is None:
        return "none"
    if points < 0 or points > 100:
        raise ValueError(points)
    if bonus and not strict:
        points = min(points + bonus, 100)
    for limit, mark in zip(limits, "EDCBA"):
        if points < limit and mark == "E":
            return "F"
        if points < limit:
            return chr(ord(mark) + 1)
    return "A"


def mean(marks):
    return sum(marks) / len(marks)


class Sheet:
    """Marks of one person."""

    def __init__(self):
        self.marks = []

    def add(self, mark):
        """Add a mark, and tell how many there are."""
        if mark:
            self.marks.append(mark)
        return len(self.marks)
'''
TESTS = """import pytest

from school import core


@pytest.mark.parametrize("points", [95, 85, None])
def test_grade(points):
    assert core.grade(points)


def test_mean():
    assert core.mean([1, 2]) == 1


def test_broken(no_such_fixture):
    assert core


@pytest.mark.skip(reason="later")
def test_later():
    assert core
"""
BROKEN = "def broken(:\n"
CONF = """extensions = ["sphinx.ext.autodoc", "sphinx.ext.coverage"]
coverage_statistics_to_report = True
coverage_modules = ["MODULES"]
"""
INDEX = """School
======

.. autofunction:: school.core.grade
"""


TASK = """task: NAME
dataset_path: json
dataset_kwargs:
  data_files: {test: NAME.jsonl, dev: NAME.jsonl}
test_split: test
fewshot_split: dev
output_type: multiple_choice
doc_to_text: "{{q}}"
doc_to_choice: "{{choices}}"
doc_to_target: answer
num_fewshot: SHOTS
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: acc_norm, aggregation: mean, higher_is_better: true}
metadata: {version: 1.0}
"""
GROUP = """group: mmlu
task: [mmlu_a, mmlu_b]
aggregate_metric_list:
  - {metric: acc, weight_by_size: True}
metadata: {version: 2}
"""
TASKS = (("mmlu_a", 60, 5), ("mmlu_b", 40, 5), ("hellaswag", 50, 0), ("arc_easy", 50, 0))
UNTOLD = ("pretty_env_info", "git_hash", "upper_git_hash")
"""What lm-eval says of the box."""


def run(folder: Path, argv: list[str], env: dict[str, str]) -> str:
    """Run a tool in the project and return what it printed; its exit code says how its tests went, and is no error."""
    done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=120)
    return done.stdout + done.stderr


def lay_out(folder: Path) -> None:
    """Write the project's files."""
    for name, text in {
        "school/__init__.py": "",
        "school/core.py": CORE,
        "tests/test_core.py": TESTS,
        "docs/conf.py": CONF,
        "docs/index.rst": INDEX,
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def record(tools: Path, out: Path) -> None:
    """Run every tool on the project, and keep what each wrote."""
    out.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="school-"))
    lay_out(folder)
    env = {"PATH": f"{tools}{os.pathsep}/usr/bin:/bin", "PYTHONPATH": str(folder), "LANG": "C.UTF-8", "COLUMNS": "80"}
    run(folder, [str(tools / "pytest"), "-q", "--cov=school", "--cov-branch", "--cov-report=json:coverage.json",
                 "--junitxml=junit.xml", "-p", "no:cacheprovider"], env)  # fmt: skip
    (out / "radon_cc.json").write_text(run(folder, [str(tools / "radon"), "cc", "-j", "school"], env))
    (out / "interrogate.txt").write_text(run(folder, [str(tools / "interrogate"), "-v", "school"], env))
    for name, modules in (("sphinx_python.txt", "school"), ("sphinx_absent.txt", "school.absent")):
        (folder / "docs" / "conf.py").write_text(CONF.replace("MODULES", modules))
        run(folder, [str(tools / "sphinx-build"), "-q", "-E", "-b", "coverage", "docs", "built"], env)
        shutil.copy(folder / "built" / "python.txt", out / name)
    for name in ("coverage.json", "junit.xml"):
        shutil.copy(folder / name, out / name)
    (folder / "school" / "broken.py").write_text(BROKEN)
    (out / "radon_broken.json").write_text(run(folder, [str(tools / "radon"), "cc", "-j", "school"], env))
    (out / "interrogate_crash.txt").write_text(run(folder, [str(tools / "interrogate"), "-v", "school"], env))
    for path in out.iterdir():
        text = path.read_text().replace(str(folder), "/home/user/school").replace(str(tools.parent), "/home/user/venv")
        path.write_text(text.replace(f'hostname="{platform.node()}"', 'hostname="box"'))
    shutil.rmtree(folder)


def record_lm_eval(tools: Path, out: Path) -> None:
    """Run lm-eval's dummy model with two seeds, and keep both results."""
    folder = Path(tempfile.mkdtemp(prefix="tasks-"))
    for name, items, shots in TASKS:
        rows = ({"q": f"{name} {i}?", "choices": ["a", "b", "c", "d"], "answer": i % 4} for i in range(items))
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (folder / f"{name}.yaml").write_text(TASK.replace("NAME", name).replace("SHOTS", str(shots)))
    (folder / "mmlu.yaml").write_text(GROUP)
    env = dict(os.environ) | {"HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    for role, seed in (("baseline", 1), ("quantized", 5)):
        run(folder, [str(tools / "lm_eval"), "--model", "dummy", "--tasks", "mmlu,hellaswag,arc_easy", "--include_path",
                     str(folder), "--output_path", role, "--seed", str(seed)], env)  # fmt: skip
        found = next((folder / role).rglob("results_*.json"))
        document = {key: value for key, value in json.loads(found.read_text()).items() if key not in UNTOLD}
        text = json.dumps(document, indent=1).replace(str(folder), "/home/user/tasks")
        (out / f"lm_eval_{role}.json").write_text(text + "\n")
    shutil.rmtree(folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=Path, required=True)
    parser.add_argument("--lm-eval", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "tests" / "gate" / "evidence")
    given = parser.parse_args()
    record(given.tools.absolute(), given.out.absolute())
    if given.lm_eval:
        record_lm_eval(given.lm_eval.absolute(), given.out.absolute())
