"""`mens-console gate sign|verify|ledger`, with a real agent, and a real terminal where a person types."""

import fcntl
import json
import os
import pty
import select
import subprocess
import sys
import termios
import time

import pytest
from gate.signing import Desk, agent, make_key, needs_openssh, silent_agent

from mens_console.gate import ledger
from mens_console.gate.fingers import BURST_S, FAST, PAUSE_S, REACTION_S
from mens_contracts.gate_records import GateRecords, LedgerLine

pytestmark = needs_openssh
PROFILE = """
schema = "mens-gate-profile/1"
id = "tiny-release"
title = "A tiny release"
description = "for tests"
approvals = {approvals}
conditional_passes = false
unsigned = {unsigned}
allowed_signers = "allowed_signers"

[[criteria]]
id = "4.1"
title = "Code coverage"
metric = "coverage"
unit = "%"
pass = ">90"
conditional = "85..90"
fail = "<85"
remedy = "Write tests."

[[criteria]]
id = "notes"
title = "Release notes final"
manual = true
remedy = "Finish them."
"""
MARKS = {"marks": [{"criterion": "notes", "passed": True, "note": "read", "by": "ada", "at": "2026-01-01T14:00:00Z"}]}


@pytest.fixture(scope="module")
def real_agent():
    with agent() as one:
        yield one


@pytest.fixture
def desk(tmp_path, monkeypatch, real_agent):
    subprocess.run(["ssh-add", "-q", "-D"], env=os.environ | real_agent.environ, check=True, capture_output=True)
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.delenv("MENS_LEDGER", raising=False)
    monkeypatch.setenv("SSH_AUTH_SOCK", real_agent.socket)
    made = Desk(tmp_path, real_agent)
    (made.evidence / "junit.xml").unlink()
    cover(made, 93)
    profile(made)
    (tmp_path / "marks.json").write_text(json.dumps(MARKS))
    monkeypatch.chdir(tmp_path)
    return made


def profile(desk, approvals=1, unsigned="false"):
    (desk.folder / "release.toml").write_text(PROFILE.format(approvals=approvals, unsigned=unsigned))


def cover(desk, percent):
    totals = {"covered_lines": percent, "num_statements": 100, "percent_covered": float(percent), "missing_lines": 0}
    files = {"a.py": {"summary": totals}}
    document = {"meta": {"format": 3, "version": "7.6.1"}, "files": files, "totals": totals}
    (desk.evidence / "coverage.json").write_text(json.dumps(document))


WORDS = ("gate", "sign", "release.toml", "evidence", "--release", "1.2.0", "--marks", "marks.json", "--ledger")
ADA = ("ledger.jsonl", "--key", "ada@example.org")


def phrase(cli):
    said = cli("gate", "check", *WORDS[2:-1], "--json")[1]
    return f"GO 1.2.0 {json.loads(said)['digest'][:6]}"


def at_terminal(*words, answer, before="", burst=""):
    """Run a command at a terminal; return status and what it said.

    `before` is there before it asks; once it asks, `burst` comes at once, and then `answer` key by key as fingers do:
    each after the last was echoed, and after a while in which nothing came.
    """
    master, slave = pty.openpty()
    if before:
        os.write(master, before.encode())
    argv = [sys.executable, "-P", "-m", "mens_console", *map(str, words)]
    streams = {"stdin": slave, "stdout": slave, "stderr": slave}
    take = lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # noqa: E731 (so that ^C reaches it)
    process = subprocess.Popen(argv, **streams, start_new_session=True, preexec_fn=take)
    os.close(slave)
    said, until, answered = "", time.monotonic() + 60, False
    while time.monotonic() < until:
        if select.select([master], [], [], 0.1)[0]:
            try:
                data = os.read(master, 65536)
            except OSError:  # the other end is closed
                break
            said += data.decode("utf-8", "replace")
        if not answered and "    > " in said:
            answered = True
            if burst:
                time.sleep(REACTION_S + 0.1)
                os.write(master, burst.encode())
                said += until_said(master, FAST)
            said += by_hand(master, answer)
    status = process.wait(timeout=30)
    os.close(master)
    return status, said


def until_said(master, wanted):
    said = ""
    while wanted not in said.replace("\r\n", "\n") and select.select([master], [], [], 30)[0]:
        said += os.read(master, 65536).decode("utf-8", "replace")
    return said


def by_hand(master, answer):
    """Type an answer, each key after the one before was echoed; one that holds a sequence comes as it is."""
    time.sleep(max(REACTION_S, PAUSE_S) + 0.1)
    if "\x1b" in answer:
        os.write(master, answer.encode())
        return ""
    said = ""
    for key in answer:
        os.write(master, key.encode())
        time.sleep(0.75 * BURST_S)
        if key.isprintable():
            said += until_said(master, key)
    return said


def recorded(desk):
    return len(ledger.load(desk.ledger).entries)


# ---------------------------------------------------------------------- at the terminal


def test_a_go_typed_at_a_terminal_is_signed_and_holds(desk, cli):
    status, said = at_terminal(*WORDS, *ADA, answer=phrase(cli) + "\n")
    assert status == 0 and "SIGNED  GO  1.2.0" in said and f"head      {desk.head()}" in said
    status, out, _ = cli("gate", "verify", "ledger.jsonl", "--allowed-signers", "allowed_signers")
    assert status == 0 and "SIGNED, signature holds" in out and "1 same of 1" in out
    assert "1.2.0  tiny-release  GO  GO by ada@example.org" in out


def test_what_was_typed_before_it_was_asked_for_does_not_count(desk, cli):
    status, said = at_terminal(*WORDS, *ADA, before="no\n", answer=phrase(cli) + "\n")
    assert status == 0 and "SIGNED" in said


def test_what_comes_faster_than_anybody_types_does_not_count_and_the_question_stays(desk, cli):
    wanted = phrase(cli)
    status, said = at_terminal(*WORDS, *ADA, burst=wanted + "\n", answer="x\x7f" + wanted + "\n")
    assert status == 0 and FAST in said and "SIGNED  GO  1.2.0" in said and recorded(desk) == 1


def test_a_burst_alone_signs_nothing(desk, cli):
    status, said = at_terminal(*WORDS, *ADA, burst=phrase(cli) + "\n", answer="\n")
    assert status == 1 and "that is not the phrase" in said and recorded(desk) == 0


@pytest.mark.parametrize(
    ("answer", "status", "told"),
    [
        ("{}x\n", 1, "that is not the phrase"),
        ("\n", 1, "that is not the phrase"),
        ("\x04", 1, "that is not the phrase"),
        ("\x1b[200~{}\x1b[201~\n", 2, "pasted text is no word of yours"),
        ("\x03", 130, "Type"),
    ],
)
def test_everything_else_is_no_go(desk, cli, answer, status, told):
    found, said = at_terminal(*WORDS, *ADA, answer=answer.format(phrase(cli)))
    assert found == status and told in said and recorded(desk) == 0


def test_without_a_terminal_there_is_no_go(desk, cli, monkeypatch):
    with open("/dev/null") as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        status, out, err = cli(*WORDS, *ADA)
    assert (status, out) == (2, "") and "a GO is typed by a person" in err and recorded(desk) == 0


# ---------------------------------------------------------------------- NO-GO, and what blocks


def test_a_release_that_fails_gets_no_go_but_always_a_no_go(desk, cli):
    cover(desk, 60)
    status, out, err = cli(*WORDS, *ADA)
    assert (status, out) == (1, "") and "4.1 FAIL" in err and "a NO-GO is always possible" in err
    status, out, _ = cli(*WORDS, *ADA, "--no-go", "coverage fell")
    assert status == 0 and "SIGNED  NO-GO  1.2.0" in out
    listed = json.loads(cli("gate", "ledger", "ledger.jsonl", "--json")[1])
    assert listed["records"][0]["reason"] == "coverage fell" and listed["standings"][0]["outcome"] == "NO-GO"
    assert cli(*WORDS, *ADA, "--no-go", " ")[0] == 1


def test_a_check_that_nobody_marked_is_no_go(desk, cli):
    words = [word for word in WORDS if word not in ("--marks", "marks.json")]
    status, _, err = cli(*words, *ADA)
    assert status == 1 and "notes waits for a person's mark" in err


@pytest.mark.parametrize("damage", ["missing", "empty", "nan", "torn"])
def test_bad_evidence_is_no_go(desk, cli, damage):
    path = desk.evidence / "coverage.json"
    if damage == "missing":
        path.unlink()
    else:
        path.write_text({"empty": "", "nan": path.read_text().replace("93.0", "NaN"), "torn": '{"meta": {'}[damage])
    status, out, err = cli(*WORDS, *ADA)
    assert (status, out) == (1, "") and "no GO" in err and recorded(desk) == 0


def test_a_release_has_to_be_named(desk, cli):
    words = [word for word in WORDS if word not in ("--release", "1.2.0")]
    status, _, err = cli(*words, *ADA)
    assert status == 2 and "--release" in err


@pytest.mark.parametrize("option", ["--ledger", "--export-pae"])
def test_what_is_written_may_not_lie_in_the_evidence(desk, cli, option):
    status, _, err = cli(*WORDS[:-1], "--key", "ada@example.org", option, "evidence/x")
    assert status == 2 and "lies in the evidence evidence and would change it" in err


# ---------------------------------------------------------------------- keys


def test_several_keys_are_a_choice_and_an_unknown_one_is_told(desk, cli):
    status, _, err = cli(*WORDS, "ledger.jsonl", "--no-go", "x")
    assert status == 2 and "holds 2 keys that may sign" in err and "bob@example.org" in err
    make_key(desk.folder, "carol")
    desk.agent.add(desk.folder / "carol")
    status, _, err = cli(*WORDS, "ledger.jsonl", "--no-go", "x", "--key", "carol.pub")
    assert status == 1 and "is unknown" in err
    assert cli(*WORDS, "ledger.jsonl", "--no-go", "x", "--key", "nobody")[0] == 2
    assert cli(*WORDS, "ledger.jsonl", "--no-go", "x", "--key", desk.key("bob").fingerprint)[0] == 0


@pytest.mark.parametrize(("tmux", "cure"), [("", "ssh -A"), ("/tmp/tmux", "tmux show-environment -s SSH_AUTH_SOCK")])
def test_a_dead_agent_is_a_sentence(desk, cli, monkeypatch, tmux, cure):
    monkeypatch.setenv("SSH_AUTH_SOCK", str(desk.folder / "gone"))
    monkeypatch.setenv("TMUX", tmux)
    status, out, err = cli(*WORDS, *ADA, "--no-go", "x")
    assert (status, out) == (1, "") and "the SSH agent is gone" in err and cure in err and recorded(desk) == 0


def test_an_agent_that_hangs_is_a_sentence(desk, cli, monkeypatch):
    from mens_console.gate import ssh

    monkeypatch.setattr(ssh.agent_keys, "__kwdefaults__", {"limit_s": 0.3, "cancel": None})
    with silent_agent() as environ:
        monkeypatch.setenv("SSH_AUTH_SOCK", environ["SSH_AUTH_SOCK"])
        status, _, err = cli(*WORDS, *ADA, "--no-go", "x")
    assert status == 1 and "did not answer within" in err and recorded(desk) == 0


@pytest.mark.parametrize(
    ("text", "told"), [("* {}", "stands for anybody"), ("{}", "holds no key"), (None, "it is gone")]
)
def test_a_file_of_signers_that_will_not_do_is_a_sentence(desk, cli, text, told):
    if text is None:
        desk.allowed.unlink()
    else:
        desk.allowed.write_text(text.format(desk.public("ada")) + "\n")
    status, out, err = cli(*WORDS, *ADA, "--no-go", "x")
    assert (status, out) == (2, "") and told in err and "allowed_signers" in err


def test_without_openssh_nothing_is_signed_and_nothing_holds(desk, cli, monkeypatch):
    from mens_console.gate import subprocesses

    assert cli(*WORDS, *ADA, "--no-go", "x")[0] == 0
    monkeypatch.setattr(subprocesses, "FOLDERS", ("/nowhere",))
    status, out, err = cli(*WORDS, *ADA, "--no-go", "x")
    assert (status, out) == (1, "") and "ssh-add is not installed" in err and "apt install openssh-client" in err
    status, out, err = cli("gate", "verify", "ledger.jsonl", "--allowed-signers", "allowed_signers")
    assert (status, out) == (2, "") and "ssh-keygen is not installed" in err


def test_without_people_nobody_signs(desk, cli):
    text = (desk.folder / "release.toml").read_text()
    (desk.folder / "release.toml").write_text(text.replace('allowed_signers = "allowed_signers"', ""))
    status, _, err = cli(*WORDS, *ADA, "--no-go", "x")
    assert status == 2 and "nobody says whose signatures count" in err


# ---------------------------------------------------------------------- signed elsewhere


def export(cli, *words):
    status, said = at_terminal(*WORDS, *ADA, "--export-pae", "go.pae", *words, answer=phrase(cli) + "\n")
    assert status == 0 and "nothing is recorded yet" in said
    return said


def sign_elsewhere(desk, key="ada"):
    """Run the printed command where there is no agent."""
    environ = {"PATH": os.environ["PATH"]}
    argv = ["ssh-keygen", "-Y", "sign", "-n", "mens-gate", "-f", str(desk.keys[key]), "go.pae", "go.pae.results"]
    subprocess.run(argv, env=environ, check=True, capture_output=True, cwd=desk.folder)


def test_the_laptop_signs_and_the_box_records(desk, cli, monkeypatch):
    monkeypatch.delenv("SSH_AUTH_SOCK")
    said = export(cli)
    assert "ssh-keygen -Y sign -n mens-gate -f ~/.ssh/id_ed25519 go.pae go.pae.results" in said
    assert "rm -f go.pae.sig go.pae.results.sig" in said and recorded(desk) == 0
    sign_elsewhere(desk)
    status, out, _ = cli(*WORDS, *ADA, "--import", "go.pae.sig")
    assert status == 0 and "SIGNED  GO  1.2.0" in out
    status, _, err = cli(*WORDS, *ADA, "--import", "go.pae.sig")
    assert status == 1 and "the ledger is not where it was" in err and recorded(desk) == 1


def test_a_no_go_can_be_signed_elsewhere_and_holds_whatever_the_evidence_does(desk, cli):
    assert cli(*WORDS, *ADA, "--export-pae", "go.pae", "--no-go", "the soak runs")[0] == 0
    sign_elsewhere(desk)
    cover(desk, 60)
    status, out, _ = cli(*WORDS, *ADA, "--import", "go.pae.sig")
    assert status == 0 and "SIGNED  NO-GO" in out


def test_an_old_signature_is_never_taken_for_a_new_one(desk, cli):
    export(cli)
    sign_elsewhere(desk)
    status, _, err = cli(*WORDS, *ADA, "--export-pae", "go.pae", "--no-go", "x")
    assert status == 1 and "an old signature lies there" in err


def test_nothing_else_is_overwritten_by_an_export(desk, cli):
    (desk.folder / "go.pae").write_text("my notes")
    status, _, err = cli(*WORDS, *ADA, "--export-pae", "go.pae", "--no-go", "x")
    assert status == 1 and "something else is there" in err
    assert (desk.folder / "go.pae").read_text() == "my notes"


def change_evidence(desk):
    cover(desk, 99)


def other_key(desk):
    for path in desk.folder.glob("go.pae*.sig"):
        path.unlink()
    sign_elsewhere(desk, "bob")


def swap_signatures(desk):
    one, two = desk.folder / "go.pae.sig", desk.folder / "go.pae.results.sig"
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def edit_payload(desk):
    path = desk.folder / "go.pae"
    path.write_bytes(path.read_bytes().replace(b'"reason":""', b'"reason":"x"'))


def say_another(desk):
    """Let the exported decision say something else, its lengths right, and sign that."""
    from mens_console.gate.dsse import pae, unpae

    path = desk.folder / "go.pae"
    path.write_bytes(pae(unpae(path.read_bytes()).replace(b'"approvals":1', b'"approvals":0')))
    for one in desk.folder.glob("go.pae*.sig"):
        one.unlink()
    sign_elsewhere(desk)


def other_results(desk):
    (desk.folder / "go.pae.results").write_bytes((desk.folder / "go.pae").read_bytes())


def no_signature(desk):
    (desk.folder / "go.pae.results.sig").unlink()


def empty_signature(desk):
    (desk.folder / "go.pae.sig").write_bytes(b"")


def expire(desk):
    desk.allow(ada='valid-before="20200101"', bob="")


def drop_mark(desk):
    (desk.folder / "marks.json").write_text(json.dumps({"marks": []}))


@pytest.mark.parametrize(
    ("attack", "told"),
    [
        (change_evidence, "changed since this was exported"),
        (drop_mark, "changed since this was exported"),
        (other_key, "is bob@example.org's, not ada@example.org's"),
        (swap_signatures, "is not of these bytes"),
        (edit_payload, "its length is not the one that it tells"),
        (say_another, "what was signed is not what would be signed now"),
        (other_results, "does not belong to go.pae"),
        (no_signature, "go.pae.results.sig: it is not there"),
        (empty_signature, "no SSH signature"),
        (expire, "what was signed is not what would be signed now"),
    ],
    ids=lambda one: getattr(one, "__name__", None),
)
def test_what_came_back_wrong_is_no_go(desk, cli, attack, told):
    export(cli)
    sign_elsewhere(desk)
    attack(desk)
    status, out, err = cli(*WORDS, *ADA, "--import", "go.pae.sig")
    assert (status, out) == (1, "") and told in err and recorded(desk) == 0


# ---------------------------------------------------------------------- unsigned, listed, verified


def test_unsigned_only_where_the_profile_lets_it_in_and_it_says_so(desk, cli):
    status, _, err = cli(*WORDS, "ledger.jsonl", "--unsigned", "--no-go", "x")
    assert status == 1 and "lets in no unsigned record" in err and recorded(desk) == 0
    profile(desk, unsigned="true")
    status, said = at_terminal(*WORDS, "ledger.jsonl", "--unsigned", answer=phrase(cli) + "\n")
    assert status == 0 and "UNSIGNED  GO  1.2.0" in said and "GO (UNSIGNED)" in said
    assert "UNSIGNED" in cli("gate", "ledger", "ledger.jsonl")[1]
    assert cli("gate", "verify", "ledger.jsonl")[0] == 1
    status, out, _ = cli("gate", "verify", "ledger.jsonl", "--allow-unsigned")
    assert status == 0 and "1 UNSIGNED" in out and "whoever can write the file can have written it" in out


def test_two_people_make_a_go_of_two(desk, cli):
    profile(desk, approvals=2)
    status, said = at_terminal(*WORDS, *ADA, answer=phrase(cli) + "\n")
    assert status == 0 and "1 of 2 GO" in said
    status, said = at_terminal(*WORDS, "ledger.jsonl", "--key", "bob.pub", answer=phrase(cli) + "\n")
    assert status == 0 and "so far    GO of ada@example.org on this evaluation" in said
    assert "GO by ada@example.org, bob@example.org" in said and "of 2" not in said


def test_documents_keep_to_their_contracts(desk, cli):
    for who in ("ada", "bob"):
        assert cli(*WORDS, "ledger.jsonl", "--key", f"{who}.pub", "--no-go", "x")[0] == 0
    for line in desk.ledger.read_text().splitlines():
        LedgerLine.model_validate_json(line)
    listed = json.loads(cli("gate", "ledger", "ledger.jsonl", "--json")[1])
    checked = json.loads(cli("gate", "verify", "ledger.jsonl", "--allowed-signers", "allowed_signers", "--json")[1])
    for document in (listed, checked):
        GateRecords.model_validate(document)
    assert (listed["verified"], listed["holds"], checked["holds"]) == (False, None, True)
    assert {one["signature"] for one in listed["records"]} == {"not checked"}
    assert "says NO-GO" in cli("gate", "ledger", "ledger.jsonl")[1]
    assert {one["signature"] for one in checked["records"]} == {"holds"}
    assert cli("gate", "ledger", "ledger.jsonl", "--head")[1].strip() == listed["head"] == desk.head()
    assert cli("contracts", "check", "ledger.jsonl")[0] == 0


def test_a_ledger_that_does_not_hold_tells_of_no_go(desk, cli):
    assert at_terminal(*WORDS, *ADA, answer=phrase(cli) + "\n")[0] == 0
    words = ("gate", "verify", "ledger.jsonl", "--allowed-signers", "allowed_signers")
    whole = desk.ledger.read_bytes()
    for data in (whole[:-9], whole + whole, whole.replace(b'"torn":0', b'"torn":1'), b"{}\n", b"\xff\n"):
        desk.ledger.write_bytes(data)
        status, out, _ = cli(*words)
        assert status == 1 and "DOES NOT HOLD" in out and "GO by" not in out
        assert json.loads(cli(*words, "--json")[1])["standings"] == []
    desk.ledger.write_bytes(whole)
    assert cli(*words, "--expect-head", "0" * 64)[0] == 1
    assert cli(*words, "--expect-head", desk.head()[:12].upper())[0] == 0


@pytest.mark.parametrize("action", ["verify", "ledger"])
def test_a_ledger_that_is_not_there_or_no_file_is_a_sentence(desk, cli, action):
    status, out, err = cli("gate", action, "nothing.jsonl")
    assert (status, out) == (2, "") and "nothing.jsonl: there is no ledger" in err
    status, out, err = cli("gate", action, desk.folder)
    assert (status, out) == (2, "") and "not a regular file" in err


def test_a_ledger_is_named_alone_or_as_an_option(desk, cli):
    assert at_terminal(*WORDS, *ADA, answer=phrase(cli) + "\n")[0] == 0
    for action in ("verify", "ledger"):
        more = ("--allowed-signers", "allowed_signers") if action == "verify" else ()
        alone = cli("gate", action, "ledger.jsonl", *more)
        assert alone[0] == 0
        assert cli("gate", action, "--ledger", "ledger.jsonl", *more) == alone
        assert cli("gate", action, "ledger.jsonl", "--ledger", "ledger.jsonl", *more) == alone
        status, _, err = cli("gate", action, "ledger.jsonl", "--ledger", "other.jsonl", *more)
        assert (status, "two ledgers are named" in err) == (2, True)


def test_it_is_told_where_evidence_was_looked_for(desk, cli, tmp_path):
    assert at_terminal(*WORDS, *ADA, answer=phrase(cli) + "\n")[0] == 0
    words = ("gate", "verify", "ledger.jsonl", "--allowed-signers", "allowed_signers")
    assert "was looked for" not in cli(*words)[1]
    (tmp_path / "elsewhere").mkdir()
    out = cli(*words, "--evidence", tmp_path / "elsewhere")[1]
    assert f"evidence was looked for below {tmp_path / 'elsewhere'}; --evidence DIR" in out
