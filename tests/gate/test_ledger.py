"""The ledger attacked: edited, cut, reordered, rewritten, copied, torn, and written to by a full disk."""

import base64
import fcntl
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading

import pytest
from gate.signing import Desk, agent, needs_openssh
from hypothesis import given, settings
from hypothesis import strategies as st

from mens_console.gate import append, ledger, signoff, verify
from mens_console.gate.dsse import DsseError, envelope, pae, unpae
from mens_console.gate.ledger import TORN, LedgerError
from mens_console.gate.signers import load

pytestmark = needs_openssh


@pytest.fixture(scope="module")
def real_agent():
    with agent() as one:
        yield one


@pytest.fixture
def desk(tmp_path, real_agent):
    return Desk(tmp_path, real_agent)


@pytest.fixture
def three(desk):
    """Three records: bob's NO-GO, ada's GO on newer evidence, bob's GO."""
    desk.sign("NO-GO", "bob")
    (desk.evidence / "junit.xml").write_text("<testsuite tests='4' failures='0'/>")
    desk.sign(who="ada")
    desk.sign(who="bob")
    return desk


def check(desk, **more):
    return verify.verify(ledger.load(desk.ledger), desk.signers(), root=desk.folder, **more)


def lines(desk):
    return desk.ledger.read_bytes().splitlines(keepends=True)


def rewrite(desk, made):
    desk.ledger.write_bytes(b"".join(made))


def chained(made):
    """Give lines the hashes and numbers that a right ledger has, as one who rewrites it would."""
    out, hasher = [], hashlib.sha256()
    for number, raw in enumerate(made, 1):
        record = json.loads(raw) | {"prev": hasher.hexdigest(), "entry": number}
        out.append(json.dumps(record, sort_keys=True, separators=(",", ":")).encode() + b"\n")
        hasher.update(out[-1])
    return out


def payload(raw, name="decision"):
    return json.loads(base64.b64decode(json.loads(raw)["envelopes"][name]["payload"]))


def with_payload(raw, change, name="decision"):
    record = json.loads(raw)
    document = change(payload(raw, name))
    data = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    record["envelopes"][name]["payload"] = base64.b64encode(data).decode()
    return json.dumps(record, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def to_go(document):
    predicate = document["predicate"]
    go = {"decision": "GO", "phrase": f"GO {predicate['release']} {predicate['digest'][:6]}"}
    return document | {"predicate": predicate | go}


# ---------------------------------------------------------------------- what holds


def test_a_ledger_as_written_holds_and_its_head_is_its_hash(three):
    report = check(three, expect_head=hashlib.sha256(three.ledger.read_bytes()).hexdigest())
    assert report.holds and report.notes == (
        f"{three.ledger}:1: evidence {three.evidence / 'junit.xml'} is not what was decided on any more",
    )
    assert [one.text for one in report.standings] == ["GO"]
    assert report.chain.entries[2].prev == hashlib.sha256(b"".join(lines(three)[:2])).hexdigest()
    assert three.ledger.stat().st_mode & 0o777 == 0o600


def test_an_earlier_head_is_found_and_what_came_since_is_told(three):
    head = ledger.load(three.ledger).entries[0].head
    report = check(three, expect_head=head[:16])
    assert report.holds and any("2 record(s) were added after the head" in note for note in report.notes)
    assert check(three, expect_head=verify.EMPTY).holds


def test_without_people_nothing_holds(three):
    report = verify.verify(ledger.load(three.ledger), None, root=three.folder)
    assert not report.holds and "were not checked" in report.problems[0] and report.standings == ()


# ---------------------------------------------------------------------- attacks on bytes


def edited(made):
    return [made[0].replace(b'"status":"SIGNED"', b'"status": "SIGNED"'), *made[1:]]


def dropped_first(made):
    return made[1:]


def dropped_middle(made):
    return [made[0], made[2]]


def swapped(made):
    return [made[1], made[0], made[2]]


def doubled(made):
    return [*made, made[2]]


def blank_line(made):
    return [made[0], b"\n", *made[1:]]


def carriage_return(made):
    return [made[0][:-1] + b"\r\n", *made[1:]]


def inserted(made):
    return [made[0], made[0], *made[1:]]


def binary(made):
    return [made[0], b"\x00\xff" + made[1], made[2]]


def marked_torn(made):
    return [made[0], made[1][:-1] + TORN, made[2]]


def last_marked_torn(made):
    return [made[0], made[1], made[2][:-1] + TORN]


def other_prev(made):
    """Change what the last line alone says, and nobody signed."""
    record = json.loads(made[2])
    return [*made[:2], json.dumps(record | {"prev": "0" * 64}).encode() + b"\n"]


def other_number(made):
    record = json.loads(made[2])
    return [*made[:2], json.dumps(record | {"entry": 4}).encode() + b"\n"]


def no_object(made):
    return [*made, b"[]\n"]


PLAIN = (
    edited, dropped_first, dropped_middle, swapped, doubled, blank_line, carriage_return, inserted, binary, marked_torn,
    last_marked_torn, no_object, other_prev, other_number,
)  # fmt: skip


@pytest.mark.parametrize("attack", PLAIN, ids=lambda one: one.__name__)
def test_what_was_done_to_the_bytes_is_found(three, attack):
    rewrite(three, attack(lines(three)))
    report = check(three)
    assert not report.holds and all(str(three.ledger) in problem for problem in report.problems)
    with pytest.raises(signoff.SignOffError, match="nothing is added to a ledger that is not whole"):
        three.sign()


@pytest.mark.parametrize("attack", [dropped_first, dropped_middle, swapped, doubled, inserted])
def test_hashes_made_anew_do_not_help(three, attack):
    rewrite(three, chained(attack(lines(three))))
    assert not check(three).holds


def test_a_no_go_turned_into_a_go_is_found_with_all_hashes_made_anew(three):
    made = lines(three)
    rewrite(three, chained([with_payload(made[0], to_go)]))
    report = check(three)
    assert not report.holds and "is not of these bytes" in report.problems[0] and report.standings == ()


def test_records_cut_off_are_found_by_a_head_kept_elsewhere(three):
    head = ledger.load(three.ledger).head
    rewrite(three, lines(three)[:2])
    assert check(three).holds  # nobody can tell without the head
    report = check(three, expect_head=head)
    assert not report.holds and "it never had the head" in report.problems[0]
    three.ledger.unlink()
    assert not check(three, expect_head=head).holds


@pytest.mark.parametrize("data", [b"", None])
def test_a_ledger_without_records_is_not_called_whole(desk, data):
    if data is not None:
        desk.ledger.write_bytes(data)
    report = check(desk, expect_head=verify.EMPTY)
    assert report.problems == (f"{desk.ledger}: it holds no record: nothing was decided, or all of it was cut off",)


@pytest.mark.parametrize("head", ["", "zz" * 32, "abc"])
def test_a_head_that_is_none_never_passes_unnoticed(three, head):
    assert check(three, expect_head=head).holds is (head == "")


@pytest.fixture(scope="module")
def written(tmp_path_factory, real_agent):
    """Return a ledger of three records, as bytes."""
    made = Desk(tmp_path_factory.mktemp("written"), real_agent)
    for who in ("ada", "bob", "ada"):
        made.sign(who=who)
    return made.ledger.read_bytes()


@given(at=st.integers(0, 1 << 16), value=st.integers(0, 255), length=st.integers(0, 40))
@settings(max_examples=300, deadline=None)
def test_any_bytes_in_place_of_others_are_found_or_change_no_decision(written, at, value, length):
    at %= len(written)
    made = written[:at] + bytes([value]) + written[at + length :]
    if made == written:
        return
    found = ledger.chain(made, "ledger.jsonl")
    ours = ledger.chain(written, "ledger.jsonl")
    assert found.head != ours.head
    if found.whole and not found.tail:  # only the last line can pass, for no hash follows it; its signatures are next
        assert [one.head for one in found.entries[:2]] == [one.head for one in ours.entries[:2]]
        assert len(found.entries) in (2, 3) and found.entries[2:3] != ours.entries[2:3]


@given(data=st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_no_bytes_at_all_are_an_error(data):
    found = ledger.chain(data, "ledger.jsonl")
    assert found.entries == () and (not data or found.problems or found.tail)


# ---------------------------------------------------------------------- attacks on records


def test_a_record_of_another_ledger_does_not_hold_here(three, tmp_path):
    other = tmp_path / "other.jsonl"
    other.write_bytes(b"".join(chained([lines(three)[1]])))
    found = ledger.load(other)
    assert "made for another place of a ledger: it was copied here" in found.problems[0]


def test_a_signature_replayed_on_another_decision_does_not_hold(three):
    made = lines(three)
    three.sign("NO-GO", "ada", reason="withdrawn")
    records = [json.loads(raw) for raw in lines(three)]
    signature = records[1]["envelopes"]["decision"]["signatures"]
    records[3]["envelopes"]["decision"]["signatures"] = signature
    rewrite(three, [*made, json.dumps(records[3]).encode() + b"\n"])
    report = check(three)
    assert [problem.split(": ")[1] for problem in report.problems] == ["the signature of its decision does not hold"]


def test_payloads_swapped_between_the_two_envelopes_do_not_hold(three):
    record = json.loads(lines(three)[0])
    both = record["envelopes"]
    both["decision"], both["results"] = both["results"], both["decision"]
    rewrite(three, [json.dumps(record).encode() + b"\n"])
    assert "is not an in-toto v1 Statement of the type" in check(three).problems[0]


def test_results_of_another_record_do_not_hold(three):
    made = lines(three)
    record, other = json.loads(made[0]), json.loads(made[1])
    record["envelopes"]["results"] = other["envelopes"]["results"]
    rewrite(three, [json.dumps(record).encode() + b"\n"])
    assert "are not those that were decided on" in check(three).problems[0]


@pytest.mark.parametrize("take", ["one", "both"])
def test_signatures_taken_away_are_found(three, take):
    record = json.loads(lines(three)[1])
    for name in ("decision", "results") if take == "both" else ("results",):
        record["envelopes"][name]["signatures"] = []
    record["status"] = "UNSIGNED" if take == "both" else "SIGNED"
    rewrite(three, [lines(three)[0], json.dumps(record).encode() + b"\n"])
    assert "signatures are not by the key" in check(three, unsigned=True).problems[0]


def test_an_unsigned_go_that_its_profile_forbids_is_no_record(three):
    def unsigned(document):
        predicate = document["predicate"]
        return document | {"predicate": predicate | {"by": predicate["by"] | {"key": None}}}

    record = json.loads(with_payload(lines(three)[0], lambda document: to_go(unsigned(document))))
    for one in record["envelopes"].values():
        one["signatures"] = []
    rewrite(three, [json.dumps(record | {"status": "UNSIGNED"}).encode() + b"\n"])
    assert "UNSIGNED, which its profile does not let in" in check(three, unsigned=True).problems[0]


def test_an_unsigned_record_holds_only_for_one_who_lets_it(desk):
    desk.rules = {"unsigned": True}
    desk.sign(who=None)
    assert "UNSIGNED: nobody vouches" in check(desk).problems[0] and check(desk).standings == ()
    report = check(desk, unsigned=True)
    assert report.holds and "UNSIGNED" in report.notes[-1] and report.standings[0].text == "GO (UNSIGNED)"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"ada": 'valid-before="20200101"', "bob": ""}, "the key has expired"),
        ({"bob": ""}, "nobody known signed"),
        ({"ada": 'namespaces="git"', "bob": ""}, "does not let the key sign in the namespace"),
    ],
)
def test_a_key_that_may_not_sign_any_more_vouches_for_nothing(three, options, reason):
    three.allow(**options)
    report = check(three)
    assert len(report.problems) == 1 and reason in report.problems[0]
    assert [one.text for one in report.standings] == ["GO"] and report.standings[0].approved == ("bob@example.org",)


def test_a_revoked_key_vouches_for_nothing(three, tmp_path):
    revoked = tmp_path / "krl"
    subprocess.run(["ssh-keygen", "-k", "-q", "-f", str(revoked), str(tmp_path / "ada.pub")], check=True)
    report = verify.verify(ledger.load(three.ledger), load(three.allowed, revoked), root=tmp_path)
    assert "was revoked" in report.problems[0] and len(report.problems) == 1


def test_the_same_name_with_another_key_is_nobody_known(three):
    three.keys["ada"].unlink()
    three.allowed.write_text(f"ada@example.org {three.public('bob')}\n")
    assert len(check(three).problems) == 3


# ---------------------------------------------------------------------- evidence


def test_evidence_that_a_standing_decision_rests_on_must_be_the_same(three):
    (three.evidence / "coverage.json").write_text("{}")
    report = check(three)
    assert not report.holds and "coverage.json is not what was decided on any more" in report.problems[0]
    (three.evidence / "coverage.json").unlink()
    report = check(three)
    assert report.holds and any("coverage.json is not on disk any more" in note for note in report.notes)


def test_evidence_that_became_a_pipe_is_not_waited_for(three):
    (three.evidence / "coverage.json").unlink()
    os.mkfifo(three.evidence / "coverage.json")
    assert check(three).checked[1].files("gone") == (str(three.evidence / "coverage.json"),)


# ---------------------------------------------------------------------- torn lines and disks


def test_a_torn_last_line_is_no_record_and_the_next_one_goes_on(three):
    head = ledger.load(three.ledger).entries[1].head
    whole = lines(three)
    rewrite(three, [*whole[:2], whole[2][:700]])
    report = check(three)
    assert not report.holds and "the last line was not finished" in report.problems[0] and len(report.checked) == 2
    done = three.sign(who="bob")
    assert done.status == "SIGNED"
    assert three.ledger.read_bytes().startswith(b"".join(whole[:2]) + whole[2][:700] + TORN)
    report = check(three, expect_head=head)
    assert report.holds and any("a line of 700 bytes was not finished" in note for note in report.notes)


def test_a_line_that_lacks_only_its_newline_never_becomes_a_record(three):
    three.ledger.write_bytes(three.ledger.read_bytes()[:-1])
    assert len(ledger.load(three.ledger).entries) == 2
    three.sign("NO-GO", "ada", reason="later")
    assert [one.decision.by.principal for one in ledger.load(three.ledger).entries[2:]] == ["ada@example.org"]


def test_a_torn_line_cannot_be_taken_out_later(three):
    three.ledger.write_bytes(three.ledger.read_bytes() + b'{"schema"')
    three.sign()
    rewrite(three, [raw for raw in lines(three) if not raw.endswith(TORN)])
    assert not check(three).holds


@pytest.mark.parametrize("room", [0, 1, 700])
def test_a_full_disk_leaves_the_ledger_as_it_was_and_no_go(three, room):
    made = three.draft(who="ada")
    from mens_console.gate import ssh

    signatures = tuple(ssh.sign(one, three.key(), three.agent.environ) for one in made.paes)
    before, signers = three.ledger.read_bytes(), three.signers()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (max(len(before) + room, 8192), limit[1]))
    try:
        with pytest.raises(LedgerError, match=r"could not be written .*nothing was recorded and nothing lost"):
            signoff.record(made, signatures, signers, three.ledger, again=three.judged)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)
    assert three.ledger.read_bytes() == before
    assert signoff.record(made, signatures, signers, three.ledger, again=three.judged).status == "SIGNED"


def test_a_disk_that_does_not_confirm_is_no_record(three, monkeypatch):
    before = three.ledger.read_bytes()
    real, calls = os.fsync, []

    def failing(fd):
        calls.append(fd)
        if len(calls) == 1:
            raise OSError(5, "Input/output error")
        real(fd)

    monkeypatch.setattr(append.os, "fsync", failing)
    with pytest.raises(LedgerError, match=r"input/output error.*nothing was recorded"):
        three.sign()
    assert three.ledger.read_bytes() == before


def test_a_ledger_that_is_damaged_between_draft_and_record_takes_nothing(three):
    made = three.draft(who="ada")
    rewrite(three, edited(lines(three)))
    before = three.ledger.read_bytes()
    with pytest.raises(LedgerError, match="nothing is added to a ledger that is not whole"):
        signoff.sign_off(
            made, three.key(), three.signers(), three.ledger, again=three.judged, environ=three.agent.environ
        )
    assert three.ledger.read_bytes() == before


def test_what_would_be_no_valid_record_is_not_written(three):
    before = three.ledger.read_bytes()
    for line in (b"{}\n", before.splitlines(keepends=True)[-1], b"", b"\n\n"):
        with pytest.raises(LedgerError, match="would not be valid"):
            append.append(three.ledger, line, ledger.load(three.ledger).following)
    assert three.ledger.read_bytes() == before


def test_a_lock_that_is_held_is_a_sentence(three, monkeypatch):
    monkeypatch.setattr(append, "PATIENCE_S", 0.1)
    with three.ledger.open() as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(LedgerError, match="another program holds its lock"):
            three.sign()
    assert three.sign().status == "SIGNED"


@pytest.mark.parametrize("kind", ["folder", "fifo", "link"])
def test_a_ledger_that_is_no_file_is_refused(desk, kind):
    if kind == "folder":
        desk.ledger.mkdir()
    elif kind == "fifo":
        os.mkfifo(desk.ledger)
    else:
        desk.ledger.symlink_to(desk.folder / "nowhere")
    with pytest.raises(LedgerError, match=str(desk.ledger)):
        desk.sign()


def test_many_who_record_at_once_make_one_chain(desk):
    desk.rules = {"unsigned": True}
    script = f"""
import sys
sys.path.insert(0, {str(os.path.dirname(os.path.dirname(__file__)))!r})
from pathlib import Path
from gate.signing import NOW, judged
from mens_console.gate import ledger, signoff
path = Path({str(desk.ledger)!r})
look = lambda: judged({str(desk.evidence)!r}, unsigned=True)
done = 0
while done < 5:
    made = signoff.draft(look(), "NO-GO", chain=ledger.load(path), now=NOW, key=None, signers=None, reason="busy")
    try:
        signoff.record(made, None, None, path, again=look)
    except ledger.LedgerError as error:
        assert "meanwhile" in str(error), error
    else:
        done += 1
"""
    workers = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(3)]
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0, 0]
    found = ledger.load(desk.ledger)
    assert found.whole and len(found.entries) == 15


def test_threads_of_one_process_exclude_each_other(desk):
    desk.rules = {"unsigned": True}
    made, errors = desk.draft(who=None), []
    barrier = threading.Barrier(4)

    def work():
        barrier.wait()
        try:
            signoff.record(made, None, None, desk.ledger, again=desk.judged)
        except LedgerError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ledger.load(desk.ledger).entries) == 1 and len(errors) == 3


# ---------------------------------------------------------------------- DSSE


def test_the_pae_is_the_published_one():
    assert pae(b"hello world", "http://example.com/HelloWorld") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    for data in (b"", b" ", b"DSSEv1 0  0 ", "ü".encode(), b"\n" * 7):
        assert unpae(pae(data)) == data


@pytest.mark.parametrize(
    "change", [b"x", b"-1", b"DSSEv1 28 application/vnd.in-toto+json 9 abc", b"DSSEv1 999999999 a"]
)
def test_what_is_no_pae_is_refused(change):
    with pytest.raises(DsseError):
        unpae(change)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"payloadType": "text/plain", "payload": "", "signatures": []},
        {"payloadType": "application/vnd.in-toto+json", "payload": "a", "signatures": []},
        {"payloadType": "application/vnd.in-toto+json", "payload": "YR==", "signatures": []},
        {"payloadType": "application/vnd.in-toto+json", "payload": "", "signatures": [1]},
        {"payloadType": "application/vnd.in-toto+json", "payload": "", "signatures": [{"sig": 1}]},
    ],
)
def test_what_is_no_envelope_is_refused(document):
    with pytest.raises(DsseError):
        envelope(document)


def test_where_no_file_can_be_made_it_is_said_so(tmp_path):
    from pathlib import Path

    from mens_console.gate.append import append
    from mens_console.gate.ledger import LedgerError

    with pytest.raises(LedgerError, match=r"nothing can be recorded there: .*; name another \(--ledger FILE\)"):
        append(Path("/proc/ledger.jsonl"), b"{}\n", "0" * 64)
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match=r"nothing can be recorded there: (not a directory|file exists)"):
        append(tmp_path / "file" / "ledger.jsonl", b"{}\n", "0" * 64)
