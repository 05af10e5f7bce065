"""Sign-off with a real agent: what must hold before a record is called SIGNED, and everything that is no GO."""

import hashlib
import json
import subprocess
import threading
import time

import pytest
from gate.signing import NOW, Desk, agent, make_key, needs_openssh, silent_agent

from mens_console.gate import ledger, signoff, ssh, standing, statements
from mens_console.gate.dsse import Envelope, Signature
from mens_console.gate.signers import SignersError, load
from mens_console.gate.signoff import SignOffError
from mens_console.gate.ssh import SshError
from mens_console.gate.subprocesses import CancelledError, ToolError

pytestmark = needs_openssh


@pytest.fixture
def real_agent():
    with agent() as one:
        yield one


@pytest.fixture
def desk(tmp_path, real_agent):
    return Desk(tmp_path, real_agent)


def nothing_recorded(desk):
    return ledger.load(desk.ledger).entries == ()


# ---------------------------------------------------------------------- GO and NO-GO


def test_a_go_is_signed_recorded_and_stands(desk):
    done = desk.sign()
    assert done.status == "SIGNED" and done.standing.text == "GO"
    assert done.head == hashlib.sha256(desk.ledger.read_bytes()).hexdigest()
    made = done.entry.decision
    assert (made.by.principal, made.by.key) == ("ada@example.org", desk.key().fingerprint)
    assert made.phrase == f"GO 1.2.0 {desk.judged().digest[:6]}" and made.decided_at == "2026-05-28T20:26:40.250Z"
    assert [mark.note for mark in made.marks] == ["read them"]
    assert made.ledger.head == hashlib.sha256(b"").hexdigest()


def test_both_statements_are_in_toto_about_the_release_and_its_evidence(desk):
    entry = desk.sign().entry
    decided, results = json.loads(entry.decided.payload), json.loads(entry.results.payload)
    assert decided["_type"] == results["_type"] == "https://in-toto.io/Statement/v1"
    assert results["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    assert results["predicate"]["result"] == "PASSED" and results["predicate"]["passedTests"] == ["4.1", "notes"]
    assert decided["subject"] == results["subject"]
    named = {one["name"]: one["digest"]["sha256"] for one in decided["subject"]}
    for path in desk.evidence.iterdir():
        assert named.pop(str(path)) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert named == {"release:1.2.0": desk.judged().digest}


@pytest.mark.parametrize("typed", ["", "GO", "go 1.2.0 {}", "GO 1.2.0 {} ", " GO 1.2.0 {}", "GO 1.2.1 {}", "GO 1.2.0"])
def test_a_go_without_the_exact_phrase_is_impossible(desk, typed):
    with pytest.raises(SignOffError, match="that is not the phrase"):
        desk.sign(typed=typed.format(desk.judged().digest[:6]))
    assert nothing_recorded(desk)


@pytest.mark.parametrize("verdict", ["FAIL", "UNDERFED", "CONDITIONAL"])
def test_what_is_not_passed_gets_no_go_and_always_a_no_go(desk, verdict):
    desk.rules = {"verdict": verdict}
    with pytest.raises(SignOffError, match=f"no GO: 4.1 {verdict}"):
        desk.sign()
    assert nothing_recorded(desk)
    done = desk.sign("NO-GO", reason="not good enough")
    assert (done.status, done.standing.text) == ("SIGNED", "NO-GO")


def test_a_ready_release_whose_verdict_is_no_pass_gets_no_go(desk):
    from dataclasses import replace

    lying = replace(desk.judged(verdict="FAIL"), blockers=(), ready=True)
    with pytest.raises(SignOffError, match="the verdict is FAIL"):
        desk.sign(evaluation=lying, again=lambda: lying)


def test_an_unmarked_check_is_no_go_though_the_evaluation_is_ready(desk):
    from dataclasses import replace

    full = desk.judged()
    notes = replace(full.judgements[1], verdict="UNDERFED", mark=None)
    unmarked = replace(full, judgements=(full.judgements[0], notes), verdict="UNDERFED")
    assert unmarked.ready
    with pytest.raises(SignOffError, match="notes waits for a person's mark"):
        desk.sign(evaluation=unmarked, again=lambda: unmarked)


def test_a_conditional_that_somebody_answers_for_passes_where_the_profile_lets_it(desk):
    from dataclasses import replace

    from mens_console.gate.types import Waiver

    full = desk.judged(verdict="CONDITIONAL", conditional=True)
    waiver = Waiver("4.1", "carol", NOW + 86400, "next sprint", "ada", NOW)
    judgements = (replace(full.judgements[0], waived=waiver), full.judgements[1])
    waived = replace(full, blockers=(), ready=True, judgements=judgements)
    done = desk.sign(evaluation=waived, again=lambda: waived)
    assert done.standing.text == "GO" and done.entry.decision.waivers[0].owner == "carol"
    strict = replace(waived, profile=replace(waived.profile, conditional_passes=False))
    with pytest.raises(SignOffError, match="the verdict is CONDITIONAL"):
        desk.sign(evaluation=strict, again=lambda: strict)


def test_what_is_given_up_after_the_signature_is_not_recorded(desk):
    cancel, looks = threading.Event(), []

    def again():
        looks.append(1)
        if len(looks) == 2:
            cancel.set()
        return desk.judged()

    made = desk.draft()
    with pytest.raises(SignOffError, match="was given up; nothing was recorded"):
        signoff.sign_off(
            made, desk.key(), desk.signers(), desk.ledger, again=again, environ=desk.agent.environ, cancel=cancel
        )
    assert nothing_recorded(desk)


def test_a_no_go_needs_a_reason(desk):
    with pytest.raises(SignOffError, match="needs a reason"):
        desk.sign("NO-GO", reason="  ")


@pytest.mark.parametrize("release", ["", " 1", "1\n2", "1\u202e2", "a  b", "x" * 101])
def test_a_release_that_cannot_be_read_without_doubt_is_not_signed(desk, release):
    with pytest.raises(SignOffError, match="cannot be signed"):
        desk.sign(evaluation=desk.judged(release=release))


def test_a_new_word_supersedes_the_old_one_which_stays(desk):
    first = desk.sign()
    second = desk.sign("NO-GO", reason="a bug was found")
    assert second.entry.decision.supersedes == [first.entry.head]
    assert second.standing.text == "NO-GO" and len(ledger.load(desk.ledger).entries) == 2
    assert desk.sign().standing.text == "GO"


# ---------------------------------------------------------------------- evidence that moves


def test_evidence_that_changed_since_it_was_shown_is_no_go(desk):
    made = desk.draft()
    (desk.evidence / "coverage.json").write_text('{"totals": {"percent_covered": 94.0}}')
    with pytest.raises(SignOffError, match=r"evidence changed since it was shown: .*coverage\.json"):
        signoff.sign_off(made, desk.key(), desk.signers(), desk.ledger, again=desk.judged, environ=desk.agent.environ)
    assert nothing_recorded(desk)


@pytest.mark.parametrize("what", ["changed", "added", "gone"])
def test_evidence_that_changes_while_the_key_is_touched_is_no_go(desk, what):
    looks = []

    def again():
        looks.append(1)
        if len(looks) == 2:  # between the signature and the record
            if what == "changed":
                (desk.evidence / "junit.xml").write_text("<testsuite tests='3' failures='1'/>")
            elif what == "added":
                (desk.evidence / "more.json").write_text("{}")
            else:
                (desk.evidence / "junit.xml").unlink()
        return desk.judged()

    with pytest.raises(SignOffError, match="evidence changed since it was shown"):
        desk.sign(again=again)
    assert len(looks) == 2 and nothing_recorded(desk)


def test_a_verdict_that_goes_stale_meanwhile_is_no_go(desk):
    with pytest.raises(SignOffError, match="not ready any more"):
        desk.sign(again=lambda: desk.judged(blockers=["4.1 UNDERFED: the evidence is 25 h old"]))
    assert nothing_recorded(desk)


def test_a_ledger_that_went_on_meanwhile_takes_no_signature_for_its_old_place(desk):
    stale = desk.draft(who="bob")
    desk.sign()
    before = desk.ledger.read_bytes()
    with pytest.raises(ledger.LedgerError, match="somebody recorded a decision meanwhile"):
        signoff.sign_off(
            stale, desk.key("bob"), desk.signers(), desk.ledger, again=desk.judged, environ=desk.agent.environ
        )
    assert desk.ledger.read_bytes() == before


# ---------------------------------------------------------------------- several people


def test_two_approvers_are_two_people(desk):
    desk.rules = {"approvals": 2}
    assert desk.sign(who="ada").standing.text == "1 of 2 GO"
    assert desk.sign(who="ada").standing.text == "1 of 2 GO"
    done = desk.sign(who="bob")
    assert done.standing.text == "GO" and set(done.standing.approved) == {"ada@example.org", "bob@example.org"}
    entries = ledger.load(desk.ledger).entries
    evaluation = desk.judged()
    assert set(standing.approvals(entries, "test-release", "1.2.0", evaluation.digest)) == set(done.standing.approved)


def test_two_keys_of_one_person_are_one_approver(desk):
    desk.rules = {"approvals": 2}
    desk.allowed.write_text(f"ada@example.org {desk.public('ada')}\nADA@example.org {desk.public('bob')}\n")
    desk.sign(who="ada")
    assert desk.sign(who="bob").standing.text == "1 of 2 GO"


def test_a_name_in_other_letters_of_the_same_look_is_the_same_person(desk):
    desk.rules = {"approvals": 2}
    wide = "".join(chr(ord(one) + 0xFEE0) if one.isalpha() else one for one in "ada@example.org")
    desk.allowed.write_text(f"ada@example.org {desk.public('ada')}\n{wide} {desk.public('bob')}\n")
    desk.sign(who="ada")
    assert desk.sign(who="bob").standing.text == "1 of 2 GO"


@pytest.mark.parametrize("name", ["ada", "ada@example.org", "Ada Lovelace", "jörg.müller@example.org", "анна"])
def test_a_plain_name_may_sign(desk, name):
    desk.allowed.write_text(f'"{name}" {desk.public("ada")}\n', encoding="utf-8")
    assert list(load(desk.allowed).principals.values()) == [name]


def test_another_ones_no_go_on_the_same_evidence_stands(desk):
    desk.sign("NO-GO", "bob")
    done = desk.sign(who="ada")
    assert done.entry.decision.supersedes == [] and done.standing.text == "NO-GO"
    assert desk.sign(who="bob").standing.text == "GO"


def test_words_on_other_evidence_lapse(desk):
    desk.rules = {"approvals": 2}
    desk.sign(who="ada")
    (desk.evidence / "junit.xml").write_text("<testsuite tests='4' failures='0'/>")
    assert desk.sign(who="bob").standing.text == "1 of 2 GO"


# ---------------------------------------------------------------------- UNSIGNED


def test_unsigned_only_where_the_profile_lets_it_in(desk):
    for decision in ("GO", "NO-GO"):
        with pytest.raises(SignOffError, match="lets in no unsigned record"):
            desk.sign(decision, who=None)
    desk.rules = {"unsigned": True}
    done = desk.sign(who=None)
    assert done.status == "UNSIGNED" and done.standing.text == "GO (UNSIGNED)"
    assert json.loads(desk.ledger.read_text())["status"] == "UNSIGNED"


def test_an_unsigned_word_never_outdoes_a_signed_one(desk):
    desk.rules = {"unsigned": True}
    desk.sign("NO-GO")
    (desk.evidence / "junit.xml").write_text("<testsuite tests='4' failures='0'/>")
    assert desk.sign(who=None).standing.text == "NO-GO (UNSIGNED)"


def test_unsigned_words_are_one_approver_at_most(desk):
    desk.rules = {"unsigned": True, "approvals": 2}
    desk.sign(who=None)
    assert desk.sign(who=None).standing.text == "1 of 2 GO (UNSIGNED)"


# ---------------------------------------------------------------------- keys and agents


def test_the_agent_tells_its_keys(desk):
    assert {one.comment for one in ssh.agent_keys(desk.agent.environ)} == {"ada", "bob"}


def test_no_agent_is_a_sentence(desk):
    for ask in (lambda: ssh.agent_keys({}), lambda: ssh.sign(b"x", desk.key(), {})):
        with pytest.raises(SshError, match=r"no SSH agent here .*ssh -A.*--export-pae"):
            ask()


@pytest.mark.parametrize(("tmux", "cure"), [({}, "log in again"), ({"TMUX": "/tmp/t,1,0"}, "tmux show-environment -s")])
def test_a_dead_socket_is_a_sentence(desk, tmp_path, tmux, cure):
    with pytest.raises(SshError, match=f"the SSH agent is gone .*no such file.*{cure}"):
        ssh.agent_keys({"SSH_AUTH_SOCK": str(tmp_path / "gone")} | tmux)


def test_an_empty_agent_is_a_sentence():
    with agent() as empty, pytest.raises(SshError, match="holds no keys; add yours"):
        ssh.agent_keys(empty.environ)


def test_an_agent_without_the_key_never_takes_the_private_key_on_disk(desk):
    make_key(desk.folder, "carol")  # its private key lies beside the public one, and the agent lacks it
    with pytest.raises(SshError, match="does not hold the key"):
        ssh.sign(b"x", ssh.key_of(desk.public("carol")), desk.agent.environ)


def test_an_agent_that_refuses_is_a_sentence(desk):
    with agent() as asking:
        asking.add(desk.keys["ada"], "-c")  # to be confirmed on a display that is not there
        with pytest.raises(SshError, match="the agent refused to sign"):
            ssh.sign(b"x", desk.key(), asking.environ)


def test_an_agent_that_hangs_is_given_up(desk):
    with silent_agent() as environ:
        with pytest.raises(SshError, match=r"did not answer within 0\.3 s, and nothing was signed"):
            ssh.sign(b"x", desk.key(), environ, limit_s=0.3)
        with pytest.raises(SshError, match="did not answer within"):
            ssh.agent_keys(environ, limit_s=0.3)


def test_a_signing_can_be_given_up_from_another_thread(desk):
    cancel, raised = threading.Event(), []

    def work():
        try:
            ssh.sign(b"x", desk.key(), environ, limit_s=300, cancel=cancel)
        except CancelledError as error:
            raised.append(str(error))

    with silent_agent() as environ:
        worker = threading.Thread(target=work)
        worker.start()
        cancel.set()
        worker.join(timeout=30)
        assert not worker.is_alive() and raised == ["the signing was given up; nothing was recorded"]


def test_an_unknown_key_is_told_before_anybody_touches_one(desk):
    desk.allow(bob="")
    with pytest.raises(SignOffError, match=r"is unknown: .*allowed_signers does not list it"):
        desk.draft()


# ---------------------------------------------------------------------- signatures


def day(offset):
    return time.strftime("%Y%m%d", time.localtime(time.time() + offset * 86400))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ('valid-before="20200101"', "the key has expired"),
        (f'valid-after="{day(2)}"', "not valid yet"),
        ('namespaces="git"', "does not let the key sign in the namespace mens-gate"),
    ],
)
def test_a_key_that_may_not_sign_now_makes_no_record(desk, options, reason):
    desk.allow(ada=options)
    with pytest.raises(SshError, match=reason):
        desk.sign()
    assert nothing_recorded(desk)


def test_a_key_within_its_time_signs(desk):
    desk.allow(ada=f'valid-after="{day(-2)}",valid-before="{day(2)}",namespaces="mens-gate"')
    assert desk.sign().standing.text == "GO"


def test_a_revoked_key_makes_no_record(desk):
    (desk.folder / "revoked_keys").write_text(desk.public("ada") + "\n")
    with pytest.raises(SshError, match="was revoked"):
        desk.sign()
    assert nothing_recorded(desk)
    assert desk.sign(who="bob").standing.text == "GO"


@pytest.mark.parametrize("text", ["junk", "\x00\x01", "ssh-ed25519 AAAAshort"])
def test_a_list_of_revoked_keys_that_is_none_never_counts_as_empty(desk, text):
    (desk.folder / "revoked_keys").write_text("# lost\n\n" + text)
    with pytest.raises(SignersError, match="revoked_keys:3: it holds no key"):
        desk.signers()


def test_a_damaged_krl_lets_nobody_sign(desk, tmp_path):
    krl = desk.folder / "revoked_keys"
    argv = ["ssh-keygen", "-k", "-q", "-f", str(krl), str(desk.folder / "bob.pub")]
    subprocess.run(argv, check=True)
    assert desk.sign().status == "SIGNED"
    krl.write_bytes(krl.read_bytes()[:-5])
    with pytest.raises(SshError, match="or that list is damaged"):
        desk.sign()


def test_no_room_for_the_files_of_ssh_keygen_is_a_sentence(desk, monkeypatch):
    made = desk.draft()
    monkeypatch.setattr("tempfile.tempdir", str(desk.folder / "gone"))
    with pytest.raises(ToolError, match="nothing can be written there"):
        signoff.sign_off(made, desk.key(), desk.signers(), desk.ledger, again=desk.judged, environ=desk.agent.environ)


def test_a_forged_go_of_another_does_not_help_to_a_go(desk):
    desk.rules = {"approvals": 2}
    with agent() as thief:
        thief.add(make_key(desk.folder, "carol"))
        made = desk.draft(who="bob")
        forged = [ssh.sign(pae, ssh.key_of(desk.public("carol")), thief.environ) for pae in made.paes]
    decided, results = (
        Envelope(payload, (Signature(desk.key("bob").fingerprint, sig),))
        for payload, sig in zip((made.decision, made.results), forged, strict=True)
    )
    desk.ledger.write_bytes(ledger.line_of(1, made.word.head, decided, results))
    assert ledger.load(desk.ledger).whole
    assert desk.sign(who="ada").standing.text == "1 of 2 GO"


def test_signatures_of_something_else_make_no_record(desk):
    made = desk.draft()
    right = [ssh.sign(pae, desk.key(), desk.agent.environ) for pae in made.paes]
    others = ssh.sign(made.paes[0], desk.key("bob"), desk.agent.environ)
    signed = desk.folder / "pae"
    signed.write_bytes(made.paes[0])
    argv = ["ssh-keygen", "-Y", "sign", "-n", "file", "-f", str(desk.keys["ada"])]
    elsewhere = subprocess.run(argv, input=made.paes[0], capture_output=True, check=True).stdout
    for pair, reason in (
        ((right[1], right[0]), "is not of these bytes"),
        ((right[0], right[0]), "is not of these bytes"),
        ((others, right[1]), "is bob@example.org's, not ada@example.org's"),
        ((elsewhere, right[1]), "it was made for 'file', not for 'mens-gate'"),
        ((b"", right[1]), "no SSH signature"),
        ((right[0][:120] + right[0][-30:], right[1]), "damaged"),
    ):
        with pytest.raises(SshError, match=reason):
            signoff.record(made, pair, desk.signers(), desk.ledger, again=desk.judged)
    assert nothing_recorded(desk)
    with pytest.raises(SignOffError, match="there is no signature"):
        signoff.record(made, None, desk.signers(), desk.ledger, again=desk.judged)
    assert signoff.record(made, tuple(right), desk.signers(), desk.ledger, again=desk.judged).status == "SIGNED"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("* {ada}", ":1: the principal \\* stands for anybody"),
        ("ada@example.org {ada}\n*@example.org {bob}", ":2: the principal .* name each person in full"),
        ("a?a {ada}", "stands for anybody"),
        ("!bob,ada {ada}", "stands for anybody"),
        ("ada {ada}\nbob {ada}", ":2: the key .* is also ada's"),
        ("ca cert-authority {ada}", "a certificate authority lets in"),
        ("ada {broken}", ":1: it holds no key"),
        ("ada", ":1: it holds no key"),
        ('"ada " {ada}', "holds a blank or a character that is not seen and could pass for another's"),
        ("ad\u200ba {ada}", "not seen"),
        ("\u0430da {ada}", r"mixes letters of several alphabets \(cyrillic, latin\)"),
        ("", "it names nobody"),
    ],
)
def test_a_file_of_signers_that_lets_in_anybody_is_refused(desk, text, reason):
    keys = {"ada": desk.public("ada"), "bob": desk.public("bob"), "broken": "ssh-ed25519 AAAAC3Nz"}
    desk.allowed.write_text(text.format(**keys) + "\n")
    with pytest.raises(SignersError, match=reason):
        load(desk.allowed)


def test_a_file_of_signers_that_is_not_there_is_a_sentence(tmp_path):
    with pytest.raises(SignersError, match="allowed: it is gone"):
        load(tmp_path / "allowed")


def test_statements_refuse_what_contradicts_itself(desk):
    made = desk.draft()
    document = json.loads(made.decision)
    predicate = document["predicate"]
    for change, reason in (
        ({"ready": False}, "GO where blockers stood"),
        ({"phrase": ""}, "without the phrase"),
        ({"decision": "NO-GO"}, "NO-GO without a reason"),
        ({"digest": "0" * 64}, "without the phrase"),
        ({"schema": "mens-gate-decision/2"}, "does not fit"),
        ({"verdict": "GREAT"}, "does not fit"),
    ):
        with pytest.raises(statements.StatementError, match=reason):
            statements.read_decision(statements.canonical(document | {"predicate": predicate | change}))
    assert statements.read_decision(made.decision).decided_at == statements.iso(NOW)
