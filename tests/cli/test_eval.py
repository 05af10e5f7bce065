"""`mens-console eval` as a command: exit status, files, table, faults, and what the gate makes of its document."""

import json

import pytest
from evaluation.sets import HEADER, RIGHT, guard_items, reports, tool_items, write

from mens_console.cli.main import main
from mens_console.gate.evaluate import evaluate as judge
from mens_console.gate.evidence import gather
from mens_console.gate.profiles import load


def made(folder, *, bad_tools=0, accepted=0, over_refused=0, header=HEADER, **style_of):
    """Write a set of 100 items of each kind with answers, so many of which are wrong; return the command line."""
    folder.mkdir(parents=True, exist_ok=True)
    tools = tool_items(["no plan"] * bad_tools + [RIGHT] * (100 - bad_tools))
    guards = guard_items(
        ["ok"] * accepted + ["<REFUSAL>"] * (100 - accepted),
        ["<REFUSAL>"] * over_refused + ["ok"] * (100 - over_refused),
    )
    predictions = write(folder / "answers.jsonl", tools[1] + guards[1])
    gold = write(folder / "gold.jsonl", [header, *tools[0], *guards[0]])
    style = reports(folder / "style", **style_of)
    return ["eval", str(predictions), "--gold", str(gold), "--style", str(style), "--out", str(folder / "out")]


@pytest.mark.parametrize(("over_refused", "code"), [(2, 0), (3, 1)])
def test_the_exit_status_is_the_verdict(tmp_path, capsys, over_refused, code):
    assert main(made(tmp_path, bad_tools=1, accepted=1, over_refused=over_refused)) == code
    out = capsys.readouterr().out
    assert ("every required target is met" in out) == (code == 0)
    assert ("nearly look like forbidden" in out) == (code == 1)
    assert max(len(line) for line in out.splitlines() if not line.startswith("written to")) <= 80


def test_json_is_the_document_that_was_written(tmp_path, capsys):
    assert main([*made(tmp_path), "--json", "--base-model", "b", "--dataset-version", "d7", "--model", "m"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "out" / "answers.eval.json").read_text())
    assert (printed["model"]["base"], printed["model"]["dataset_version"]) == ("b", "d7")
    page = (tmp_path / "out" / "eval_log.md").read_text()
    assert "| m | candidate | b | d7 | web4 1.1 | met |" in page


def test_without_a_style_folder_it_is_underfed_and_not_good(tmp_path, capsys):
    line = made(tmp_path)
    del line[4:6]
    assert main([*line, "--no-log"]) == 1
    assert "6 without a value" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [('{"id": "t0", "output": "x"}\n{"id": "t1",', "line 2"), ('{"id": "t0"}', "line 1"), ("[]", "line 1"),
     ("", "empty"),
     ('{"id": "zz", "output": ""}', "none of its ids"), ('{"output": "x"}', "no id"),
     ('{"id":"t0","output":"x","model":"a"}\n{"id":"t1","output":"x","model":"b"}', "each model alone"),
     ('{"id":"t0","output":"x"}\n{"id":"t0","output":"y"}', "line 2")],
)  # fmt: skip
def test_bad_answers_are_told_with_file_and_line(tmp_path, capsys, text, told):
    line = made(tmp_path)
    (tmp_path / "answers.jsonl").write_text(text)
    assert main(line) == 2
    error = capsys.readouterr().err
    assert "answers.jsonl" in error
    assert told in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("broken", ["predictions", "gold", "style", "against", "tools"])
def test_what_is_not_there_is_told(tmp_path, capsys, broken):
    line = made(tmp_path)
    if broken == "predictions":
        line[1] = str(tmp_path / "none")
    else:
        line += [f"--{broken}", str(tmp_path / "none")]
    assert main(line) == 2
    assert f"{tmp_path / 'none'}: no such" in capsys.readouterr().err


def test_another_version_is_refused(tmp_path, capsys):
    assert main(made(tmp_path)) == 0
    newer = made(tmp_path, header={**HEADER, "eval_set": {"name": "web4", "version": "1.2"}})
    assert main([*newer, "--against", str(tmp_path / "out" / "answers.eval.json")]) == 2
    assert "never compared" in capsys.readouterr().err


# ------------------------------------------------------------------- the gate

NINE = ("json-validity", "schema-match", "tool-selection", "lint", "ast-structure", "naming", "refusal-accuracy",
        "false-acceptance", "weighted-score")  # fmt: skip


def verdicts(folder):
    """Return the verdict of the ship gate on each of its nine conditions, and whether a decision may be made."""
    document = json.loads((folder / "out" / "answers.eval.json").read_text())
    manifest = gather([folder / "out"], now=document["at"] + 60)
    done = judge(load("web4-ship"), manifest, release="r", now=document["at"] + 60)
    return {one.criterion.id: one.verdict for one in done.judgements if one.criterion.id in NINE}, done.ready


@pytest.mark.parametrize(
    ("wrong", "fails"),
    [
        ({}, set()),
        ({"bad_tools": 1, "accepted": 1}, set()),
        ({"bad_tools": 2}, {"json-validity"}),
        ({"bad_tools": 4}, {"json-validity", "schema-match"}),
        ({"bad_tools": 11}, {"json-validity", "schema-match", "tool-selection"}),
        ({"accepted": 2}, {"false-acceptance"}),
        ({"accepted": 3}, {"false-acceptance", "refusal-accuracy"}),
        ({"lint": (100, 1)}, {"lint"}),
        ({"ast": (89, 100), "naming": (94, 100)}, {"ast-structure", "naming"}),
        ({"lint": (100, 30), "ast": (70, 100), "naming": (70, 100), "template": (70, 100)},
         {"lint", "ast-structure", "naming", "weighted-score"}),  # style 76 %, so the score is 89.2 %
    ],
)  # fmt: skip
def test_the_gate_gives_the_verdicts_counted_by_hand(tmp_path, wrong, fails):
    main(made(tmp_path, **wrong))
    found, ready = verdicts(tmp_path)
    assert found.keys() == set(NINE)
    assert {name for name, verdict in found.items() if verdict != "PASS"} == fails
    assert all(found[name] == "FAIL" for name in fails)
    assert ready == (not fails)


def test_the_gate_is_not_fed_by_an_evaluation_without_style(tmp_path):
    line = made(tmp_path)
    del line[4:6]
    main(line)
    found, _ = verdicts(tmp_path)
    underfed = {"lint", "ast-structure", "naming", "weighted-score"}
    assert {name for name, verdict in found.items() if verdict == "UNDERFED"} == underfed
