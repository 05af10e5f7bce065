"""The wheel that users install, built without a network and looked into."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from mens_contracts.registry import CONTRACTS

ROOT = Path(__file__).resolve().parent.parent
RECORDINGS = "mens_console/demo/recordings/"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = out.glob("*.whl")
    return zipfile.ZipFile(path)


def test_packages_with_types_and_nothing_else(wheel):
    names = set(wheel.namelist())
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"mens_console", "mens_widgets", "mens_contracts"}
    for package in ("mens_console", "mens_widgets", "mens_contracts"):
        assert f"{package}/py.typed" in names
    assert not [
        name for name in names if "tests" in Path(name).parts or Path(name).name.startswith(("test_", "conftest"))
    ]


def test_the_recordings_are_inside_and_small(wheel):
    recordings = [info for info in wheel.infolist() if info.filename.startswith(RECORDINGS)]
    assert len([info for info in recordings if info.filename.endswith(".mrec")]) >= 5
    assert sum(info.file_size for info in recordings) < 3_000_000


def test_every_schema_is_inside(wheel):
    inside = {Path(name).name: wheel.read(name) for name in wheel.namelist() if name.endswith(".schema.json")}
    outside = {path.name: path.read_bytes() for path in (ROOT / "contracts").rglob("*.schema.json")}
    assert inside == outside
    assert "mens_contracts/schemas/eval/runtime-generation-kpi.schema.json" in wheel.namelist()
    assert {f"mens_contracts/schemas/{one.schema_file}" for one in CONTRACTS.values()} <= set(wheel.namelist())


def test_every_profile_of_the_gate_is_inside(wheel):
    folder = "console/mens_console/gate/profiles"
    outside = {path.name: path.read_bytes() for path in (ROOT / folder).glob("*.toml")}
    inside = {Path(name).name: wheel.read(name) for name in wheel.namelist() if name.endswith(".toml")}
    assert len(outside) == 6
    assert inside == outside


def test_every_source_file_is_inside(wheel):
    names = set(wheel.namelist())
    for folder in ("console/mens_console", "widgets/mens_widgets", "contracts/mens_contracts"):
        base = ROOT / folder
        for path in base.rglob("*.py"):
            assert str(path.relative_to(base.parent)) in names


def test_metadata(wheel):
    info = next(name.partition("/")[0] for name in wheel.namelist() if ".dist-info/" in name)
    metadata = wheel.read(f"{info}/METADATA").decode()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"Version: {project['version']}\n" in metadata
    assert "License-Expression: Apache-2.0" in metadata
    assert "# mens-console" in metadata
    assert f"{info}/licenses/LICENSE" in wheel.namelist()
    assert "mens-console = mens_console.cli.main:main" in wheel.read(f"{info}/entry_points.txt").decode()


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock", "requirements-build.lock"])
def test_locks_pin_everything_by_hash_and_name_no_host(name):
    text = (ROOT / name).read_text()
    pins = re.findall(r"^([a-z0-9_.-]+)==\S+( ;[^\\\n]*)? \\\n    --hash=sha256:", text, re.MULTILINE)
    assert len(pins) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE)) > 0
    assert "://" not in text


def test_the_locks_agree():
    def pins(name):
        return dict(re.findall(r"^([a-z0-9_.-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE))

    dev = pins("requirements-dev.lock")
    for name in ("requirements.lock", "requirements-build.lock"):
        assert {p: v for p, v in pins(name).items() if p in dev and dev[p] != v} == {}


def test_the_version_stands_in_the_changelog():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text()
