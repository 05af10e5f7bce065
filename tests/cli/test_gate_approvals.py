"""Approvals that `gate check` reads from a ledger, given with real keys of a real agent."""

import argparse
import json
import time

import pytest
from cli.test_gate_check import PROFILE, covered, marks  # noqa: F401 (a fixture)
from gate.signing import Desk, agent, needs_openssh

from mens_console.cli.gate_judging import judged
from mens_console.gate import ledger, signoff

pytestmark = needs_openssh


@pytest.fixture
def desk(tmp_path):
    (tmp_path / "desk").mkdir()
    with agent() as one:
        yield Desk(tmp_path / "desk", one)


def test_a_go_counts_for_what_it_was_given_to(cli, covered, box, tmp_path, desk):  # noqa: F811
    profile = tmp_path / "small.toml"
    rules = f'conditional_passes = true\napprovals = 2\nallowed_signers = "{desk.allowed}"'
    profile.write_text(PROFILE.replace("conditional_passes = true", rules))
    words = {"profile": str(profile), "paths": [covered(95)], "release": "1", "marks": marks(box), "waivers": None}
    asked = argparse.Namespace(**words, manifest=None)
    evaluation = judged(asked)
    for who in ("ada", "bob"):
        made = signoff.draft(
            evaluation, "GO", chain=ledger.load(desk.ledger), now=time.time(), key=desk.key(who),
            signers=desk.signers(), typed=f"GO 1 {evaluation.digest[:6]}",
        )  # fmt: skip
        signoff.sign_off(
            made, desk.key(who), desk.signers(), desk.ledger, again=lambda: judged(asked), environ=desk.agent.environ
        )
        check = ("gate", "check", profile, box, "--release", "1", "--marks", asked.marks, "--ledger", desk.ledger)
        status, out, _ = cli(*check, "--json")
        told = json.loads(out)
        assert (status, told["approvals"][-1]) == (0, f"{who}@example.org")
    assert (told["approvals"], told["pending"]) == (["ada@example.org", "bob@example.org"], [])
    assert cli(*check)[1].splitlines()[-1] == "✔ PASS: ready for a decision, nothing is missing"
    covered(94)
    assert json.loads(cli(*check, "--json")[1])["approvals"] == []
    covered(95)
    desk.allow(bob="")
    status, out, err = cli(*check, "--json")
    assert json.loads(out)["approvals"] == []
    assert "no approval counts: " in err


def test_a_ledger_that_is_not_there_yet_holds_no_approval(cli, covered, box, tmp_path):  # noqa: F811
    """The verdict is the same as without it, with a note; nothing is green by it."""
    profile = tmp_path / "small.toml"
    profile.write_text(PROFILE)
    check = ("gate", "check", profile, covered(95), "--release", "1", "--marks", marks(box), "--json")
    status, out, _ = cli(*check)
    named = cli(*check, "--ledger", tmp_path / "later.jsonl")
    assert named[0] == status
    assert "no ledger yet, so no approval counts" in named[2]
    assert (json.loads(named[1])["approvals"], json.loads(out)["approvals"]) == ([], [])
    assert not (tmp_path / "later.jsonl").exists()
