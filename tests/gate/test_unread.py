"""Evidence that nobody can read: damaging a file must never win what deleting a promised one does not."""

from pathlib import Path

import pytest
from gate.made import criterion, manifest, profile
from gate.shapes import NOW, write

from mens_console.gate.evaluate import evaluate
from mens_console.gate.evidence import gather
from mens_console.gate.metrics import GIVEN_BY
from mens_console.gate.readers.registry import DOCUMENTS, ROWS, TEXTS
from mens_console.gate.types import EvidenceFile

RECORDED = Path(__file__).parent / "evidence"
TESTS = criterion("tests_failed", "<=0", unit="tests")
GOOD = '<testsuites><testsuite tests="1" failures="0"><testcase name="a"/></testsuite></testsuites>'
BAD = '<testsuites><testsuite tests="1" failures="1"><testcase name="b"><failure/></testcase></testsuite></testsuites>'


def judged(folder, *more):
    return evaluate(profile(TESTS), gather([str(folder), *more], now=NOW), release="1", now=NOW)


def test_a_whole_shard_beside_a_failing_one_fails(tmp_path):
    write(tmp_path, "a.xml", GOOD)
    write(tmp_path, "b.xml", BAD)
    assert judged(tmp_path).verdict == "FAIL"


@pytest.mark.parametrize(
    ("damaged", "why"),
    [
        (BAD[:60].encode(), "damaged"),
        (b"", "it is empty"),
        (b"\0" * 512, "zero bytes"),
        (b"\x1f\x8b\x08\x00rest", "compressed"),
    ],
)
def test_a_damaged_shard_blocks_and_is_named_with_the_cure(tmp_path, damaged, why):
    write(tmp_path, "a.xml", GOOD)
    (tmp_path / "b.xml").write_bytes(damaged)
    evaluation = judged(tmp_path)
    assert (evaluation.verdict, evaluation.ready) == ("UNDERFED", False)
    (blocker,) = evaluation.blockers
    assert "b.xml UNDERFED: " in blocker
    assert why in blocker
    assert "repair it, or take it away" in blocker


def test_a_file_that_is_named_and_missing_blocks(tmp_path):
    write(tmp_path, "a.xml", GOOD)
    evaluation = judged(tmp_path, str(tmp_path / "b.xml"))
    assert evaluation.verdict == "UNDERFED"
    assert "there is no such file" in evaluation.blockers[0]


def test_a_file_that_no_reader_knows_blocks_nothing(tmp_path):
    write(tmp_path, "a.xml", GOOD)
    write(tmp_path, "settings.json", '{"editor": "vi"}')
    assert judged(tmp_path).ready


def test_a_link_out_of_the_folder_blocks_where_it_is_named_as_evidence_is(tmp_path):
    folder, elsewhere = tmp_path / "evidence", tmp_path / "data"
    elsewhere.mkdir()
    write(folder, "a.xml", GOOD)
    (folder / "data").symlink_to(elsewhere)
    assert judged(folder).ready
    write(elsewhere, "b.xml", BAD)
    (folder / "b.xml").symlink_to(elsewhere / "b.xml")
    assert "symbolic link" in judged(folder).blockers[0]


def test_what_can_give_nothing_that_is_asked_for_blocks_nothing(tmp_path):
    write(tmp_path, "a.xml", GOOD)
    write(tmp_path, "interrogate.txt", "interrogate\nTraceback (most recent call last)\n")
    assert judged(tmp_path).ready
    both = profile(TESTS, criterion("documented", ">=1", unit="%", decides=False))
    assert evaluate(both, gather([str(tmp_path)], now=NOW), release="1", now=NOW).ready
    both = profile(TESTS, criterion("documented", ">=1", unit="%"))
    evaluation = evaluate(both, gather([str(tmp_path)], now=NOW), release="1", now=NOW)
    assert any("interrogate.txt UNDERFED" in one for one in evaluation.blockers)


def test_a_profile_that_asks_for_marks_alone_is_not_blocked_by_files(tmp_path):
    write(tmp_path, "b.xml", BAD[:60])
    write(tmp_path, "b.json", "{")
    marks = profile(criterion("", None, id="notes", manual=True))
    assert evaluate(marks, gather([str(tmp_path)], now=NOW), release="1", now=NOW).ready


@pytest.mark.parametrize("tool", sorted(GIVEN_BY))
def test_readers_give_what_the_table_says_of_them(tmp_path, tool):
    manifest = gather([str(path) for path in RECORDED.iterdir() if path.is_file()], now=NOW)
    for item in manifest.items:
        assert item.tool != tool or item.metric in GIVEN_BY[tool]
    assert {one.tool for one in (*DOCUMENTS, *TEXTS, *ROWS)} >= {tool}


def test_a_failure_stays_one_beside_what_cannot_be_read(tmp_path):
    write(tmp_path, "a.xml", BAD)
    write(tmp_path, "b.xml", "")
    assert judged(tmp_path).verdict == "FAIL"


def test_a_promised_file_that_is_damaged_counts_as_the_same_one_taken_away():
    whole = manifest(files=(EvidenceFile("b.json", "s", 1, NOW, "", "cut short"),), listed=[("coverage", "b.json")])
    gone = manifest(files=(), listed=[("coverage", "b.json")])
    verdicts = [evaluate(profile(TESTS), one, release="1", now=NOW).blockers for one in (whole, gone)]
    assert [len(one) for one in verdicts] == [1, 1]
    assert all(one[0].startswith("tests_failed UNDERFED") for one in verdicts)
