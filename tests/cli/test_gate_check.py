"""`gate check`, `diff` and `report` on real files: exit statuses, both faces, and wrong use."""

import json
import os
import time
from html.parser import HTMLParser

import pytest
from rich.cells import cell_len

COVERAGE = {
    "meta": {"format": 3, "version": "7.6.1"},
    "files": {
        "a.py": {"summary": {"num_statements": 100, "covered_lines": 95, "percent_covered": 95.0}},
    },
    "totals": {"num_statements": 100, "covered_lines": 95, "missing_lines": 5, "percent_covered": 95.0},
}
PROFILE = """
schema = "mens-gate-profile/1"
id = "small"
title = "A small one"
conditional_passes = true

[[criteria]]
id = "4.1"
title = "Code coverage"
metric = "coverage"
unit = "%"
pass = ">90"
conditional = "85..90"
fail = "<85"
max_age = "7d"
remedy = "write tests"

[[criteria]]
id = "bugs"
title = "No known critical bugs"
manual = true
"""


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(PROFILE)
    return path


@pytest.fixture
def covered(box):
    """Write a coverage report of `percent`."""

    def write(percent, name="coverage.json"):
        document = json.loads(json.dumps(COVERAGE).replace("95", str(percent)))
        document["totals"]["missing_lines"] = 100 - percent
        (box / name).write_text(json.dumps(document))
        return box

    return write


def marks(box, *, passed=True, name="bugs"):
    path = box.parent / "marks.json"
    at = time.time() - 5
    path.write_text(json.dumps({"marks": [{"criterion": name, "passed": passed, "note": "n", "by": "ann", "at": at}]}))
    return path


def waivers(box, due="2999-01-01"):
    path = box.parent / "waivers.json"
    one = {"criterion": "4.1", "owner": "bob", "due": due, "reason": "soon", "by": "ann", "at": time.time() - 5}
    path.write_text(json.dumps({"waivers": [one]}))
    return path


def test_ready(cli, small, covered):
    status, out, err = cli("gate", "check", small, covered(95), "--release", "1.2")
    assert (status, err) == (0, "")
    assert "✔ PASS         4.1 Code coverage" in out
    assert "bugs is to be marked: No known critical bugs" in out
    assert out.splitlines()[-1].startswith("∅ UNDERFED: ready for a decision")
    assert max(map(cell_len, out.splitlines())) <= 80


@pytest.mark.parametrize(("percent", "verdict"), [(90, "CONDITIONAL"), (85, "CONDITIONAL"), (84, "FAIL")])
def test_not_ready(cli, small, covered, percent, verdict):
    status, out, _ = cli("gate", "check", small, covered(percent), "--json")
    told = json.loads(out)
    assert (status, told["decision_ready"]) == (1, False)
    assert told["criteria"][0]["verdict"] == verdict
    assert told["blockers"][0].startswith(f"4.1 {verdict}: {percent} %")


def test_marks_and_waivers(cli, small, covered, box):
    words = ("gate", "check", small, covered(88), "--json")
    assert cli(*words)[0] == 1
    assert cli(*words, "--waivers", waivers(box))[0] == 0
    assert cli(*words, "--waivers", waivers(box, due="2020-01-01"))[0] == 1
    assert cli(*words, "--waivers", waivers(box), "--marks", marks(box, passed=False))[0] == 1
    status, out, _ = cli(*words, "--waivers", waivers(box), "--marks", marks(box))
    assert (status, json.loads(out)["verdict"]) == (0, "CONDITIONAL")


def test_words_on_a_criterion_that_is_not_there(cli, small, covered, box):
    _, _, err = cli("gate", "check", small, covered(95), "--marks", marks(box, name="bug"))
    assert "small has no criterion bug: what was said of it counts for nothing" in err


def test_no_evidence_is_no_wrong_use(cli, small, box, tmp_path):
    assert cli("gate", "check", small, box)[0] == 1
    status, out, _ = cli("gate", "check", small, tmp_path / "gone")
    assert status == 1
    assert "no such file" in out
    (box / "coverage.json").write_text('{"totals": {"percent_cov')
    assert cli("gate", "check", small, box)[0] == 1


def test_stale_evidence(cli, small, covered):
    folder, old = covered(95), time.time() - 8 * 86_400
    os.utime(folder / "coverage.json", (old, old))
    status, out, _ = cli("gate", "check", small, folder)
    assert status == 1
    assert "stale: measured 8d ago, at most 7d are allowed" in " ".join(out.split())


def test_what_was_there_before_has_to_be_there(cli, small, covered, box, tmp_path):
    (tmp_path / "before.json").write_text(cli("gate", "check", small, covered(95), "--json")[1])
    words = ("gate", "check", small, box, "--manifest", tmp_path / "before.json")
    assert cli(*words)[0] == 0
    (box / "coverage.json").rename(box / "coverage2.json")
    status, out, _ = cli(*words)
    assert status == 1
    assert "listed evidence is gone: coverage of" in " ".join(out.split())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("title = ", "titel = "), "titel"),
        (('metric = "coverage"', 'metric = "coverag"'), "coverag"),
        (('metric = "coverage"\nunit = "%"', 'metric = "construct_coverage"\nunit = "%"'), "may decide nothing"),
        (('fail = "<85"', 'fail = "<80"'), "small.toml:"),
        (("[[criteria]]", "[[criteria]"), "small.toml:"),
    ],
)
def test_a_broken_profile(cli, small, covered, change, words):
    small.write_text(PROFILE.replace(*change, 1))
    status, out, err = cli("gate", "check", small, covered(95))
    assert (status, out) == (2, "")
    assert words in err


def test_wrong_use(cli, small, box):
    for words in (["nope", box], [small, box, "--marks", box / "gone"], [small, box, "--manifest", small]):
        status, out, err = cli("gate", "check", *words)
        assert (status, out) == (2, "")
        assert err.startswith("mens-console: ")
    assert cli("gate", "check", small)[0] == 2


def test_a_template_judges_nothing(cli, box):
    status, _, err = cli("gate", "check", "vox-decision", box)
    assert status == 2
    assert "is a template and judges nothing" in err


def test_diff(cli, small, covered, tmp_path):
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text(cli("gate", "check", small, covered(95), "--json", "--release", "1")[1])
    new.write_text(cli("gate", "check", small, covered(88), "--json", "--release", "2")[1])
    status, out, _ = cli("gate", "diff", old, new)
    assert status == 1
    assert "▼ worse    4.1 Code coverage\n           PASS → CONDITIONAL; 95 → 88 %" in out
    assert max(map(cell_len, out.splitlines())) <= 80
    assert cli("gate", "diff", new, old)[0] == 0
    status, out, _ = cli("gate", "diff", old, small, covered(80), "--json")
    assert (status, json.loads(out)["changes"][0]["new_verdict"]) == (1, "FAIL")
    assert cli("gate", "diff", old, old)[0] == 0


def test_diff_of_what_is_no_document(cli, small, tmp_path):
    wrong = tmp_path / "wrong.json"
    for text, words in (("{}", "no mens-gate/1"), ('{"schema": "mens-gate/1"}', "does not fit"), ("[", ":1: not JSON")):
        wrong.write_text(text)
        status, out, err = cli("gate", "diff", wrong, wrong)
        assert (status, out) == (2, "")
        assert words in err


def test_report(cli, small, covered, tmp_path):
    status, out, _ = cli("gate", "report", small, covered(84), "--release", "1.2")
    assert status == 1
    assert out.startswith("# A small one: 1.2\n\n✖ FAIL, not ready.\n")
    assert "| ✖ FAIL | Code coverage | 84 % | \\>90 | 100 |" in out
    page = tmp_path / "page.html"
    assert cli("gate", "report", small, covered(95), "--html", "-o", page) == (0, "", "")
    tags = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, _: tags.append(tag)
    parser.feed(page.read_text())
    assert "table" in tags
    assert "script" not in tags
    saved = tmp_path / "saved.json"
    saved.write_text(cli("gate", "check", small, covered(95), "--json")[1])
    assert cli("gate", "report", saved)[1].startswith("# A small one: unnamed")
    status, _, err = cli("gate", "report", saved, "-o", tmp_path / "no" / "page.md")
    assert status == 2
    assert "name a file that can be written" in err


def test_diff_against_the_last_decision(cli, small, covered, tmp_path):
    small.write_text(PROFILE.replace("conditional_passes = true", "conditional_passes = true\nunsigned = true"))
    ledger = tmp_path / "ledger.jsonl"
    signing = ("gate", "sign", small, covered(95), "--release", "1", "--ledger", ledger, "--unsigned")
    assert cli(*signing, "--no-go", "the notes are wrong")[0] == 0
    status, out, _ = cli("gate", "diff", ledger, small, covered(95))
    assert status == 0
    assert "(NO-GO of " in out
    assert "▼" not in out
    status, out, _ = cli("gate", "diff", ledger, small, covered(88), "--json")
    told = json.loads(out)
    assert (status, told["changes"][0]["id"], told["changes"][0]["text"]) == (1, "4.1", "PASS → CONDITIONAL")
    assert [one.partition(":")[0] for one in told["evidence"]] == ["changed"]
    ledger.write_bytes(ledger.read_bytes().replace(b'"prev":"e', b'"prev":"f'))
    status, out, err = cli("gate", "diff", ledger, small, covered(88))
    assert (status, out) == (2, "")
    assert "the ledger does not hold" in err
    ledger.write_bytes(b"")
    assert "no decision under small is in it" in cli("gate", "diff", ledger, small, covered(88))[2]


def test_approvals_are_read_from_a_ledger_that_holds(cli, small, covered, box, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    small.write_text(PROFILE.replace("conditional_passes = true", "conditional_passes = true\nunsigned = true"))
    ledger = tmp_path / "ledger.jsonl"
    words = (small, covered(95), "--release", "1", "--marks", marks(box), "--ledger", ledger)
    assert "no ledger yet" in cli("gate", "check", *words)[2]
    assert cli("gate", "sign", *words, "--unsigned", "--no-go", "the notes are wrong")[0] == 0
    status, out, err = cli("gate", "check", *words, "--json")
    assert (status, json.loads(out)["approvals"]) == (0, [])
    assert "stands on this evaluation" in err
    ledger.write_bytes(ledger.read_bytes().replace(b'"prev":"e', b'"prev":"f'))
    assert json.loads(cli("gate", "check", *words, "--json")[1])["approvals"] == []
    assert cli("gate", "check", *words[:-2])[0] == 0
    (tmp_path / "state" / "mens-console" / "gate" / "ledger.jsonl").mkdir(parents=True)
    status, _, err = cli("gate", "check", *words[:-2])
    assert (status, err.startswith("mens-console: no approval counts: ")) == (0, True)


def test_wide_characters_keep_their_place_and_nothing_is_lost(cli, small, box):
    remedy = "编写测试" * 20
    small.write_text(PROFILE.replace("write tests", remedy).replace("A small one", "发布闸门" * 20))
    status, out, _ = cli("gate", "check", small, box)
    assert status == 1
    assert max(map(cell_len, out.splitlines())) <= 80
    assert remedy in "".join(out.split())
