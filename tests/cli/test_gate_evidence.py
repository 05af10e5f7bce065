"""`gate evidence` on files that tools wrote: what it prints, its exit statuses, and the manifest that it writes."""

import json
import shutil
from pathlib import Path

import jsonschema
import pytest

from mens_console.cli.main import main
from mens_contracts.registry import CONTRACTS

RECORDED = Path(__file__).parents[1] / "gate" / "evidence"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("coverage.json", "junit.xml", "interrogate_crash.txt"):
        (tmp_path / "ev").mkdir(exist_ok=True)
        shutil.copy(RECORDED / name, tmp_path / "ev" / name)
    return tmp_path


def said(capsys, *arguments):
    code = main(["gate", "evidence", *map(str, arguments)])
    return code, capsys.readouterr()


def test_lines_say_what_each_file_gave_and_what_is_wrong(folder, capsys):
    code, told = said(capsys, "ev")
    assert code == 1
    assert "ev/coverage.json  coverage.py" in told.out
    assert "  coverage: 66.6667 % (n=36)" in told.out
    assert "ev/interrogate_crash.txt: interrogate ended with a traceback" in told.out
    assert told.out.rstrip().splitlines()[-1].startswith("3 files, 3 values, digest ")


def test_a_folder_in_which_all_is_well(folder, capsys):
    (folder / "ev" / "interrogate_crash.txt").unlink()
    assert said(capsys, "ev")[0] == 0


def test_no_evidence_is_wrong_use(folder, capsys):
    code, told = said(capsys, "gone")
    assert code == 2
    assert "gone: there is no such file" in told.out


def test_json_fits_its_contract(folder, capsys):
    document = json.loads(said(capsys, "ev", "--json")[1].out)
    jsonschema.Draft202012Validator(CONTRACTS["mens-evidence/1"].schema()).validate(document)
    (value,) = [one for one in document["values"] if one["metric"] == "coverage"]
    assert (value["successes"], value["n"]) == (24, 36)
    assert value["places"][0]["path"] == "ev/coverage.json"


def test_a_manifest_that_was_written_is_kept_to(folder, capsys):
    (folder / "ev" / "interrogate_crash.txt").unlink()
    assert said(capsys, "ev", "--write-manifest", "manifest.json")[0] == 0
    assert said(capsys, "manifest.json")[0] == 0
    (folder / "ev" / "junit.xml").unlink()
    code = main(["gate", "check", "engineering", "ev", "--manifest", "manifest.json", "--json"])
    criteria = {one["id"]: one for one in json.loads(capsys.readouterr().out)["criteria"]}
    assert code == 1
    assert criteria["tests"]["verdict"] == "UNDERFED"
    assert criteria["4.1"]["verdict"] == "FAIL"


def test_a_manifest_does_not_lie_beside_its_evidence(folder, capsys):
    (folder / "other").mkdir()
    code, told = said(capsys, "ev", "--write-manifest", "other/manifest.json")
    assert code == 2
    assert "lies outside of other" in told.err
