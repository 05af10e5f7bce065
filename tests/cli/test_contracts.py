"""`mens-console contracts`: what is agreed, and who keeps to it."""

import json
from pathlib import Path

import pytest
from contracts.samples import ATTEMPT

from mens_contracts.registry import CONTRACTS

FOLDER = Path(__file__).parents[2] / "contracts"


@pytest.fixture
def log(box):
    def write(*rows, name="attempts.jsonl"):
        path = box / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return write


def test_the_list_names_all(cli):
    status, out, _ = cli("contracts", "list")
    assert status == 0 and [line.split()[0] for line in out.splitlines()] == list(CONTRACTS)
    listed = json.loads(cli("contracts", "list", "--json")[1])
    assert {one["id"]: one["form"] for one in listed}["mens_generation_attempt_v1"] == "rows"


@pytest.mark.parametrize("name", CONTRACTS)
def test_each_can_be_shown(cli, name):
    status, out, _ = cli("contracts", "show", name)
    assert status == 0 and "required" in out
    assert json.loads(cli("contracts", "show", name, "--json")[1]) == CONTRACTS[name].schema()


def test_fields_and_aliases_are_shown(cli):
    out = cli("contracts", "show", "mens_generation_attempt_v1")[1]
    latency, alias = (line for line in out.splitlines() if line.startswith("latency_ms "))
    assert "required  whole number ≥ 0" in latency and "latency_s (× 1000)" in alias


@pytest.mark.parametrize("words", [("show", "mens-helth/1"), ("check", "x", "--contract", "mens-helth/1")])
def test_a_wrong_id_has_a_near_one(cli, words):
    status, out, err = cli("contracts", *words)
    assert (status, out) == (2, "") and "the nearest is mens-health/1" in err


def test_a_log_that_fits(cli, log):
    status, out, _ = cli("contracts", "check", log(ATTEMPT, {**ATTEMPT, "extra": 1}))
    assert status == 0 and "✓ fits" in out and "2 objects" in out
    assert "? extra: unknown, in 1 object (line 2)" in out


def test_a_log_whose_names_have_drifted(cli, log):
    row = {key: value for key, value in ATTEMPT.items() if key not in ("latency_ms", "prompt_tokens", "run_id")}
    row |= {"duration_ms": 5, "promptTokns": 3, "attempt": "1"}
    status, out, _ = cli("contracts", "check", log(ATTEMPT, row, row))
    assert status == 1 and "✗ does not fit" in out
    assert "✗ latency_ms: comes as duration_ms in 2 objects (line 2, 3), such as 5" in out
    assert '✗ attempt: number as text in 2 values (line 2, 3), such as "1"; wants whole number ≥ 1' in out
    assert "✗ run_id: missing in 2 of 3 objects (line 2, 3)" in out
    assert (
        "✗ promptTokns: unknown, in 2 objects (line 2, 3), such as 3; prompt_tokens is missing there: is it that?"
        in out
    )


def test_optional_fields_that_nobody_writes_are_one_line(cli, log):
    row = {key: value for key, value in ATTEMPT.items() if key not in ("error", "anchors_used")}
    status, out, _ = cli("contracts", "check", log(row, row))
    assert status == 0 and "· optional, and in none of them: anchors_used, error" in out
    assert (
        "· error: absent in 1 of 2 objects (line 1); it is optional" in cli("contracts", "check", log(row, ATTEMPT))[1]
    )


def test_the_worst_file_decides(cli, log):
    good, bad = log(ATTEMPT), log({"status": "x"}, name="bad.jsonl")
    assert cli("contracts", "check", good, bad, "--contract", "mens_generation_attempt_v1")[0] == 1
    assert cli("contracts", "check", good, bad)[0] == 2
    assert cli("contracts", "check", good)[0] == 0


def test_the_document_counts_by_field(cli, log):
    out = cli("contracts", "check", "--json", log(ATTEMPT, {**ATTEMPT, "status": "ok", "lantency_ms": 1}))[1]
    (file,) = json.loads(out)["files"]
    (found,) = file["contracts"]
    fields = {one["field"]: one for one in found["fields"]}
    assert fields["status"]["wrong"] == [{"name": "not one of them", "count": 1, "lines": [2], "sample": '"ok"'}]
    assert fields["latency_ms"]["present"] == 2 and fields["latency_ms"]["missing"] == {"count": 0, "lines": []}
    (unknown,) = found["unknown"]
    assert (unknown["name"], unknown["nearest"], unknown["drifted"]) == ("lantency_ms", "latency_ms", False)


def test_hostile_names_and_values_are_shown_as_text(cli, box, log):
    path = log({**ATTEMPT, "\x1b[31mred\u202e": "\x1b]0;x\x07", "status": "\x1b[2J"})
    for words in ((), ("--json",)):
        out = cli("contracts", "check", path, *words)[1]
        assert "\x1b" not in out and "\u202e" not in out and "\x07" not in out


def test_export_writes_what_is_committed(cli, box):
    assert cli("contracts", "export", box / "new" / "folder")[0] == 0
    for one in CONTRACTS.values():
        made = json.loads((box / "new" / "folder" / one.schema_file).read_text())
        assert made == json.loads((FOLDER / one.schema_file).read_text())


@pytest.mark.parametrize("target", ["bigquery", "elasticsearch"])
def test_export_of_tables(cli, box, target):
    status, out, _ = cli("contracts", "export", box, "--target", target)
    names = sorted(Path(line).name for line in out.splitlines())
    assert status == 0 and f"generation-attempt.{target}.json" in names and f"generation-event.{target}.json" in names
    assert not [name for name in names if "health" in name or "telemetry" in name]
    text = (box / f"generation-attempt.{target}.json").read_text()
    assert "validator_scores" in text and json.loads(text)


def test_a_document_makes_no_table(cli, box):
    status, _, err = cli("contracts", "export", box, "--target", "bigquery", "--contract", "mens-health/1")
    assert status == 2 and "no rows" in err and not list(box.iterdir())


def test_help_has_examples_and_exit_codes(cli):
    out = cli("contracts", "--help")[1]
    assert "mens-console contracts check generation.log" in out and "2 wrong use, or one cannot be read" in out
