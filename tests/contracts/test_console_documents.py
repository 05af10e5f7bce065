"""The documents that commands really print, against the schemas that are committed for them."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from cli.conftest import _nobody_elses_settings, box, cli  # noqa: F401 (fixtures)
from cli.runs import broken, healthy
from contracts.samples import ATTEMPT
from screens.alertbox import returned
from screens.box import NOW

from mens_console.store.digest import digest
from mens_console.store.digestreport import digest_document
from mens_contracts.registry import CONTRACTS

FOLDER = Path(__file__).parents[2] / "contracts"


@pytest.fixture(autouse=True)
def _own_state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def check(document):
    schema = json.loads((FOLDER / CONTRACTS[document["schema"]].schema_file).read_text())
    jsonschema.Draft202012Validator(schema).validate(document)
    return document


def test_status(box, cli):  # noqa: F811
    healthy(box)
    broken(box)
    assert len(check(json.loads(cli("status", box, "--json")[1]))["runs"]) == 2


def test_compare(box, cli):  # noqa: F811
    good, bad = healthy(box), broken(box)
    (good / "adapter_config.json").write_text('{"r": 16}')
    assert check(json.loads(cli("compare", good, bad, "--json", "--all")[1]))["settings"]


def test_alerts(box, cli):  # noqa: F811
    broken(box)
    assert check(json.loads(cli("alerts", "list", box, "--json", "--all")[1]))["alerts"]


def test_what_is_watched(box, cli):  # noqa: F811
    broken(box)
    lines = cli("watch", box, "--once", "--json")[1].splitlines()
    assert [check(json.loads(line))["change"] for line in lines]


def test_stages(box, cli):  # noqa: F811
    command = [sys.executable, "-m", "mens_console.cli.main", "stage", "--run", str(box)]
    assert subprocess.run([*command, "mini", "--", "true"], timeout=60, check=False).returncode == 0
    assert subprocess.run([*command, "export.merge", "--", "false"], timeout=60, check=False).returncode == 1
    found = check(json.loads(cli("stage", "--list", "--run", box, "--json")[1]))
    assert {one["state"] for one in found["stages"]} >= {"failed", "pending"}
    assert cli("contracts", "check", box / "stages.jsonl")[0] == 0


def test_the_digest():
    assert check(digest_document(digest(returned(), NOW - 14_400, NOW)))["ended"]


def test_the_report_on_files(box, cli):  # noqa: F811
    rows = [ATTEMPT, {**ATTEMPT, "latency_ms": "1"}, {**ATTEMPT, "duration_ms": 1, "\x1b[31m": 2}]
    (box / "a.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n[1]\n")
    (box / "b.bin").write_bytes(b"\0" * 100)
    out = cli("contracts", "check", box / "a.jsonl", box / "b.bin", "--json")[1]
    assert [one["verdict"] for one in check(json.loads(out))["files"]] == ["does not fit", "unreadable"]
