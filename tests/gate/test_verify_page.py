"""The commands of docs/gate-verify.md, run as they stand there, on ledgers that hold and on ledgers that do not."""

import base64
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from gate.signing import Desk, agent, needs_openssh

PAGE = Path(__file__).resolve().parents[2] / "docs" / "gate-verify.md"
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
TOOLS = [tool for tool in ("bash", "jq", "sha256sum", "base64", "sed") if not shutil.which(tool)]
pytestmark = [needs_openssh, pytest.mark.skipif(bool(TOOLS), reason=f"not installed: {', '.join(TOOLS)}")]
WRONG = re.compile(r"BROKEN|NOT SIGNED|ANOTHER|NO RIGHT GO|DO NOT TRUST|FAILED|torn")


@pytest.fixture(scope="module")
def real_agent():
    with agent() as one:
        yield one


@pytest.fixture
def desk(tmp_path, real_agent):
    made = Desk(tmp_path, real_agent)
    made.sign("NO-GO", "bob")
    made.sign(who="ada")
    made.sign(who="bob")
    return made


def run(desk):
    """Run all blocks in one shell, as somebody who pastes them would; return what they print."""
    environ = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    done = subprocess.run(
        ["bash", "-c", "\n".join(BLOCKS)], cwd=desk.folder, env=environ, capture_output=True, text=True, timeout=120
    )
    return done.stdout + done.stderr


def test_there_are_commands_on_the_page():
    assert len(BLOCKS) == 4 and all("mens-console" not in block for block in BLOCKS)


def test_a_ledger_that_holds(desk):
    told = run(desk)
    assert not WRONG.search(told), told
    assert [told.count(one) for one in ("chain holds", 'Good "mens-gate" signature for ')] == [3, 6]
    assert "NO-GO 1.2.0 by bob@example.org" in told and "GO 1.2.0 by ada@example.org" in told
    assert told.count(": OK") == 2
    assert f"{desk.head()}  ledger.jsonl" in told


def test_a_torn_line_is_told_and_breaks_nothing(desk):
    whole = desk.ledger.read_bytes()
    desk.ledger.write_bytes(whole + b'{"schema":"mens-g')
    assert "the last line is torn, no record" in run(desk)
    desk.sign()
    told = run(desk)
    assert told.count("chain holds") == 4 and "line 4: torn, no record" in told
    assert not WRONG.search(told.replace("torn", "")), told


def edit(desk, number, change):
    lines = desk.ledger.read_bytes().splitlines(keepends=True)
    record = json.loads(lines[number])
    change(record)
    lines[number] = json.dumps(record, separators=(",", ":"), sort_keys=True).encode() + b"\n"
    desk.ledger.write_bytes(b"".join(lines))


def to_go(record):
    document = json.loads(base64.b64decode(record["envelopes"]["decision"]["payload"]))
    document["predicate"]["decision"] = "GO"
    data = json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
    record["envelopes"]["decision"]["payload"] = base64.b64encode(data).decode()


def without_signatures(record):
    for one in record["envelopes"].values():
        one["signatures"] = []


@pytest.mark.parametrize(
    ("number", "change", "told"),
    [
        (0, to_go, "line 2: CHAIN BROKEN"),
        (2, to_go, None),  # it says GO already
        (0, to_go, "line 1: decision NOT SIGNED by bob@example.org"),
        (0, to_go, "NO RIGHT GO"),
        (2, without_signatures, "line 3: results NOT SIGNED by bob@example.org"),
    ],
)
def test_what_was_edited_is_found(desk, number, change, told):
    edit(desk, number, change)
    found = run(desk)
    assert (told in found) if told else not WRONG.search(found)


def test_what_was_dropped_or_moved_is_found(desk):
    lines = desk.ledger.read_bytes().splitlines(keepends=True)
    desk.ledger.write_bytes(lines[1] + lines[0] + lines[2])
    assert run(desk).count("CHAIN BROKEN") == 3
    desk.ledger.write_bytes(lines[1] + lines[2])
    assert run(desk).count("CHAIN BROKEN") == 2


def test_results_of_another_decision_are_found(desk):
    (desk.evidence / "junit.xml").write_text("<testsuite tests='9' failures='0'/>")
    desk.sign()
    other = json.loads(desk.ledger.read_text().splitlines()[3])["envelopes"]["results"]
    edit(desk, 2, lambda record: record["envelopes"].update(results=other))
    assert "line 3: RESULTS OF ANOTHER DECISION" in run(desk)


@pytest.mark.parametrize("options", ['valid-before="20200101"', 'namespaces="git"'])
def test_a_key_that_may_not_sign_now_is_found(desk, options):
    desk.allow(ada=options, bob="")
    told = run(desk)
    assert told.count("NOT SIGNED by ada@example.org") == 2 and told.count("Good") == 4


def test_a_wildcard_is_found(desk):
    desk.allowed.write_text(f"*@example.org {desk.public('ada')}\n")
    assert "DO NOT TRUST these lines" in run(desk)


def test_evidence_that_changed_is_found(desk):
    (desk.evidence / "junit.xml").write_text("<testsuite tests='1' failures='1'/>")
    told = run(desk)
    assert "junit.xml: FAILED" in told and "coverage.json: OK" in told
