"""What importing the training side costs a trainer, and what happens where a library is missing."""

import subprocess
import sys

import pytest
from collectors.written import events, program

from mens_console.collectors.guard import CollectorWarning

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


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        # where torch is missing too, torch is named first
        pytest.param("MensCallback", "transformers", marks=pytest.mark.training),
        ("MensCallback", "torch"),
    ],
)
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


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
from mens_console.collectors import create_lora_monitor, watch

monitor = create_lora_monitor(model := object())
monitor.collect_gradients()
print(monitor.get_summary()["total"], monitor.get_layer_stats())
try:
    with watch(model, sys.argv[1], total_steps=9) as mens:
        for step in range(3):
            mens.backward_done()
            mens.step(loss=2.0 - step, tokens=10, lr=0.1, accuracy=0.5, mine=4.0)
        raise ValueError("gone")
except ValueError:
    print("went on")
"""


def test_without_torch_what_is_told_is_recorded_and_one_warning_says_so(tmp_path):
    done = program(WITHOUT_TORCH, tmp_path / "run")
    assert done.stdout.splitlines() == ["0 {}", "went on"]
    assert done.stderr.count("torch is not installed") == 1
    assert done.stderr.count("LoRA layers are not measured") == 1
    steps = events(tmp_path / "run" / "telemetry.jsonl", "step")
    assert [(row["loss"], row["learning_rate"], row["accuracy"], row["mine"]) for row in steps] == [
        (2.0, 0.1, 0.5, 4.0), (1.0, 0.1, 0.5, 4.0), (0.0, 0.1, 0.5, 4.0),
    ]  # fmt: skip
    assert steps[-1]["num_tokens"] == 30
    (end,) = events(tmp_path / "run" / "telemetry.jsonl", "train_end")
    assert (end["status"], end["error"]) == ("crashed", "ValueError: gone")


@pytest.mark.training
def test_a_model_that_is_no_module_is_told_once_and_trained(tmp_path):
    pytest.importorskip("torch")
    from mens_console.collectors import watch

    with pytest.warns(CollectorWarning, match="not a torch.nn.Module") as told, watch(object(), tmp_path) as mens:
        mens.backward_done()
        mens.step(loss=1.0)
    assert len(told) == 1
    assert [row["loss"] for row in events(tmp_path / "telemetry.jsonl", "step")] == [1.0]


@pytest.mark.training
def test_every_name_can_be_loaded():
    pytest.importorskip("torch")
    import mens_console.collectors as package

    assert all(callable(getattr(package, name)) for name in package.__all__)
