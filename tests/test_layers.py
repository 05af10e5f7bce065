"""What may be loaded by what, asked of a fresh interpreter, and of the sources."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("console/mens_console", "widgets/mens_widgets", "contracts/mens_contracts")
SIGNALS = sorted(path.stem for path in (ROOT / "console/mens_console/signals").glob("[!_]*.py"))
HEAVY = ("textual", "rich", "plotext", "numpy", "torch")


def loaded(module, names):
    code = f"import sys, {module}; print(*[n for n in {names!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.split()


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("mens_contracts.status", HEAVY),
        *((f"mens_console.signals.{name}", (*HEAVY, "pydantic", "orjson", "psutil")) for name in SIGNALS),
        ("mens_console.config", (*HEAVY, "pydantic", "orjson")),
        ("mens_console.config.loader", (*HEAVY, "pydantic", "orjson")),
        ("mens_console.ingest.formats", (*HEAVY, "pydantic")),
        ("mens_console.ingest.discover", (*HEAVY, "pydantic")),
        ("mens_console.store.engine", ("textual", "rich", "plotext", "pydantic", "watchdog", "torch")),
        ("mens_console.demo.replay", ("textual", "rich", "plotext", "pydantic", "watchdog", "torch")),
    ],
)  # fmt: skip
def test_what_is_light_stays_light(module, names):
    assert loaded(module, names) == []


def test_the_package_itself_is_empty():
    assert (ROOT / "console/mens_console/__init__.py").read_text() == ""


def test_source_folders_hold_packages_only():
    for folder in ("console", "widgets", "contracts"):
        assert not list((ROOT / folder).glob("*.py"))


@pytest.mark.parametrize("folder", SOURCES)
def test_every_module_says_what_room_it_is(folder):
    silent = [
        str(path.relative_to(ROOT))
        for path in (ROOT / folder).rglob("*.py")
        if path.read_text() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []
