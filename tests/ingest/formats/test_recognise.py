import json
import random
import subprocess
import sys

import pytest

from mens_console.ingest.formats import FORMATS, recognise


@pytest.mark.parametrize(
    ("name", "head", "expected"),
    [
        ("telemetry.jsonl", b'{"ts_ms": 1, "event": "step", "payload": {"step": 1, "loss": 2.0}}\n', "jsonl"),
        ("trainer_log.jsonl", b'{"current_steps": 5, "total_steps": 10, "loss": 2.0}\n', "jsonl"),
        ("whatever.txt", b'{"step": 1, "loss": 2.0}\n', "jsonl"),
        ("trainer_state.json", b'{"global_step": 1, "log_history": [', "trainer_state"),
        ("metrics.csv", b"epoch,step,loss\n", "csv"),
        ("training_status.json", b'{"status": "training", "current_step": 4}', "training_status"),
        ("training_status.json", b'{"status": "queued", "position": 4}', None),
        ("train.log", b"{'loss': 1.0, 'epoch': 0.1}\n", "hf_console"),
        ("train.log", b"hello\n", "log"),
        ("app.jsonl", b'{"level": "info", "message": "x", "step": 3}\n', "log"),
        ("attempts.jsonl", b'{"attempts": 2, "success": true}\n', None),
        ("events.out.tfevents.1.host", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", None),
        ("config.json", json.dumps({"hidden_size": 64}, indent=2).encode(), None),
        ("metrics.jsonl", b"", None),
    ],
)
def test_content_decides(name, head, expected):
    found = recognise(name, head)
    assert (found and found.name) == expected


def test_binary_junk_is_nothing():
    chance = random.Random(3)
    for name in ("x.jsonl", "train.log", "events.out.tfevents.1", "metrics.csv", "trainer_state.json"):
        for _ in range(50):
            assert recognise(name, chance.randbytes(2048)) is None


def test_the_registry():
    assert len({form.name for form in FORMATS}) == len(FORMATS)
    by_precedence = sorted(FORMATS, key=lambda form: form.precedence)
    assert [form.name for form in by_precedence] == [
        *("jsonl", "trainer_state", "csv", "tfevents", "training_status", "hf_console", "log")
    ]
    assert {form.name for form in FORMATS if form.document} == {"trainer_state", "training_status"}
    for form in FORMATS:
        assert form.decoder().feed(b"", 0.0)[0] == 0


def test_importing_the_registry_loads_no_reader():
    heavy = ("numpy", "orjson", "pydantic")
    code = f"import sys, mens_console.ingest.formats; print([name for name in {heavy} if name in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
