"""What importing the training side costs a trainer, and what happens where a library is missing."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "numpy", "transformers", "lightning", "textual", "rich", "pydantic", "orjson")


def run(code):
    return subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60, check=True
    ).stdout


def test_importing_the_package_loads_nothing():
    code = f"import sys, mens_console.collectors as c; dir(c); print([n for n in {HEAVY!r} if n in sys.modules])"
    assert run(code).strip() == "[]"


def test_every_name_is_in_the_room_it_is_said_to_be_in():
    import mens_console.collectors as package

    assert set(package.__all__) == set(package._ROOMS)
    assert set(package.__all__) <= set(dir(package))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = package.nothing


@pytest.mark.parametrize(("name", "missing"), [("MensCallback", "transformers"), ("create_lora_monitor", "torch")])
def test_a_library_that_is_missing_is_named(name, missing):
    code = f"""
import sys
sys.modules[{missing!r}] = None
import mens_console.collectors as c
try:
    c.{name}
except ImportError as error:
    print(error.name)
"""
    assert run(code).strip() == missing


@pytest.mark.training
def test_every_name_can_be_loaded():
    pytest.importorskip("torch")
    import mens_console.collectors as package

    assert all(callable(getattr(package, name)) for name in package.__all__)
