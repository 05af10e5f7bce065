"""The run summary: where a run comes from, and what the console takes from it."""

import hashlib
import json
import os
import subprocess
import sys

import pytest
from collectors.written import Clock, document, program, still

from mens_console.collectors import provenance
from mens_console.collectors.guard import CollectorWarning
from mens_console.collectors.summary import RunSummary, settings
from mens_console.ingest.runfacts import RunFacts
from mens_contracts.run_summary import RunSummary as Contract


def test_start_and_end(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py", "--lr", "1e-4", "--hub-token", "hf_abcdefghijklmnop"])
    clock = Clock()
    config = {"lr": 1e-4, "args": {"hub_token": "x", "modules": ["q", "v"]}, "none": None}
    summary = RunSummary(
        tmp_path / "run", config=config, base_model="tiny/llama", dataset_version="v3", clock=clock
    )  # fmt: skip
    still(summary).start(total_steps=10, world_size=2)
    summary._write()
    path = tmp_path / "run" / "run_summary.json"
    begun = document(path)
    Contract.model_validate(begun)
    assert (begun["status"], begun["ended_at"]) == ("running", None)
    assert begun["config"] == {"lr": 1e-4, "args/hub_token": "***", "args/modules": "q, v"}
    assert begun["argv"] == ["train.py", "--lr", "1e-4", "--hub-token", "***"]
    assert begun["pid"] == os.getpid()

    clock.now += 60.0
    (tmp_path / "run" / "telemetry.jsonl").write_bytes(b"12345")
    checkpoint = tmp_path / "run" / "checkpoint-10"
    checkpoint.mkdir()
    (checkpoint / "adapter_config.json").write_bytes(b"{}")
    (checkpoint / "adapter_model.safetensors").write_bytes(bytes(provenance.SMALL + 1))
    summary.checkpoint(checkpoint)
    assert summary.finish("completed", final_metrics={"loss": float("nan")}, best_eval={"step": 3, "eval_loss": 0.5})
    ended = document(path)
    Contract.model_validate(ended)
    assert ended["run_id"] == begun["run_id"] == summary.run_id
    assert (ended["status"], ended["ended_at"]) == ("completed", clock.now)
    assert ended["final_metrics"] == {"loss": "NaN"}
    assert ended["environment_digest"] == begun["environment_digest"] == provenance.environment_digest()
    assert ended["pointers"] == [
        {"path": "telemetry.jsonl", "bytes": 5, "sha256": None},
        {"path": "checkpoint-10/adapter_config.json", "bytes": 2, "sha256": hashlib.sha256(b"{}").hexdigest()},
        {"path": "checkpoint-10/adapter_model.safetensors", "bytes": provenance.SMALL + 1, "sha256": None},
    ]


def test_the_console_takes_its_facts(tmp_path):
    summary = still(RunSummary(tmp_path, base_model="tiny", dataset_version="v3"))
    summary.start()
    summary.finish("completed")
    facts = RunFacts(lambda: 0.0).facts([str(tmp_path)])
    assert facts["pid"] == str(os.getpid())
    assert facts["host"] == os.uname().nodename
    assert facts["base_model"] == "tiny"
    assert facts["dataset_version"] == "v3"
    assert facts["git_sha"] == document(tmp_path / "run_summary.json")["git_sha"] or "git_sha" not in facts
    assert facts["argv"].split()[0] in sys.argv[0]


def test_a_resumed_run_remembers_the_attempt_before(tmp_path):
    first = still(RunSummary(tmp_path))
    first.start()
    first.finish("crashed", error="boom")
    second = still(RunSummary(tmp_path))
    second.start()
    second._write()
    found = document(tmp_path / "run_summary.json")
    Contract.model_validate(found)
    assert found["previous"]["run_id"] == first.run_id != second.run_id
    assert found["previous"]["status"] == "crashed"


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"schema":"other"}'])
def test_what_stood_there_before_may_be_anything(tmp_path, content):
    (tmp_path / "run_summary.json").write_bytes(content)
    summary = still(RunSummary(tmp_path))
    assert summary.finish("completed")
    assert document(tmp_path / "run_summary.json")["previous"] is None


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    summary = still(RunSummary(tmp_path / "file" / "run"))
    with pytest.warns(CollectorWarning, match="not a directory"):
        assert not summary.finish("completed")


def test_settings_hide_secrets_and_nothing_else():
    config = {
        "HF_TOKEN": "abc", "api_key": "abc", "pad_token": "<pad>", "tokenizer": "t", "max_tokens": 4096,
        "url": "https://user:pw@host/x", "note": "sk-abcdefghijklmnop", "flag": True, "rate": 0.1,
        "deep": {"a": {"b": {"c": 1}}}, "odd": object, "many": list(range(100)),
    }  # fmt: skip
    found = settings(config)
    assert (found["HF_TOKEN"], found["api_key"], found["url"], found["note"]) == (
        "***",
        "***",
        "https://***@host/x",
        "***",
    )
    assert (found["pad_token"], found["tokenizer"], found["max_tokens"]) == ("<pad>", "t", 4096)
    assert (found["flag"], found["rate"]) == (True, 0.1)
    assert not any(name.startswith(("deep", "many")) for name in found)
    assert settings(None) == {}


def git(folder, *words):
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(folder), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_commit_and_dirty_flag(tmp_path):
    assert provenance.commit(str(tmp_path)) == (None, None)
    git(tmp_path, "init", "-q")
    assert provenance.commit(str(tmp_path)) == (None, None)
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-qm", "one")
    assert provenance.commit(str(tmp_path)) == (git(tmp_path, "rev-parse", "HEAD"), False)
    (tmp_path / "a").write_text("2")
    assert provenance.commit(str(tmp_path))[1] is True


def test_a_git_that_hangs_or_is_missing_costs_nothing(tmp_path, monkeypatch):
    slow = tmp_path / "git"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(provenance, "GIT_S", 0.2)
    assert provenance.commit(str(tmp_path)) == (None, None)
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert provenance.commit(str(tmp_path)) == (None, None)


def test_versions_of_what_is_loaded(monkeypatch):
    fake = type(sys)("peft")
    fake.__version__ = "9.9"
    monkeypatch.setitem(sys.modules, "peft", fake)
    monkeypatch.delitem(sys.modules, "trl", raising=False)
    found = provenance.versions()
    assert found["peft"] == "9.9"
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert "trl" not in found


def test_pointers_follow_no_links_and_leave_the_run(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "config.json").write_text("{}")
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.json").symlink_to(outside / "config.json")
    os.mkfifo(run / "adapter_config.json")
    assert provenance.pointers(str(run), str(outside)) == []


SCRIPT = """
import json, sys
from mens_console.collectors.summary import RunSummary
s = RunSummary(sys.argv[1])
s.start()
print(s.finish("completed"))
"""


def test_the_commit_is_that_of_the_program(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "train.py").write_text(SCRIPT)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    out = tmp_path / "out"
    subprocess.run([sys.executable, str(tmp_path / "train.py"), str(out)], check=True, cwd="/")
    found = json.loads((out / "run_summary.json").read_text())
    assert found["git_sha"] == git(tmp_path, "rev-parse", "HEAD")
    assert found["git_dirty"] is False
    assert program(SCRIPT, tmp_path / "other").stdout.strip() == "True"
