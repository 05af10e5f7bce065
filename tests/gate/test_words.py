"""Marks and waivers from files: every way in which they can be wrong ends in file, entry and cure."""

import json
import os

import pytest

from mens_console.gate.words import WordsError, read_marks, read_waivers

MARK = {"criterion": "bugs", "passed": True, "note": "looked", "by": "ann", "at": 1_700_000_000}
WAIVER = {"criterion": "1.1", "owner": "bob", "due": "2026-01-31", "reason": "soon", "by": "ann", "at": "2026-01-01"}


def test_marks(tmp_path):
    path = tmp_path / "marks.json"
    path.write_text(json.dumps({"marks": [MARK, MARK | {"at": "2026-01-31T14:30:00+01:00", "passed": False}]}))
    one, two = read_marks(path)
    assert (one.criterion, one.passed, one.at) == ("bugs", True, 1_700_000_000.0)
    assert (two.passed, two.at) == (False, 1_769_866_200.0)
    path.write_text(json.dumps([MARK]))
    assert read_marks(path) == (one,)


def test_waivers_end_with_their_day(tmp_path):
    path = tmp_path / "waivers.json"
    path.write_text(json.dumps({"waivers": [WAIVER]}))
    (one,) = read_waivers(path)
    assert one.due == 1_769_904_000.0  # 2026-02-01T00:00Z
    assert one.at == 1_767_225_600.0


def test_toml(tmp_path):
    path = tmp_path / "waivers.toml"
    path.write_text(
        '[[waivers]]\ncriterion = "1.1"\nowner = "bob"\ndue = 2026-01-31\nreason = "soon"\nby = "ann"\n'
        "at = 2026-01-01T00:00:00Z\n"
    )
    assert read_waivers(path)[0].due == 1_769_904_000.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"passed": "yes"}, "marks 1: passed: it is 'yes'; write true or false"),
        ({"passed": 1}, "write true or false"),
        ({"note": " "}, "note: it is ' '"),
        ({"by": None}, "by: it is None"),
        ({"at": "soon"}, "at: it is 'soon'; write a date"),
        ({"at": True}, "write a date"),
        ({"at": 1e400}, "write a date"),
        ({"at": "2026-02-30"}, "write a date"),
        ({"pass": True}, "unknown key 'pass'; there are criterion, passed, note, by, at"),
    ],
)
def test_wrong_entries(tmp_path, change, words):
    path = tmp_path / "marks.json"
    path.write_text(json.dumps({"marks": [MARK | change]}))
    with pytest.raises(WordsError) as error:
        read_marks(path)
    assert str(error.value).startswith(str(path))
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", ":1: not JSON"),
        (b'{"marks": [\n{"criterion": }]}', ":2: not JSON"),
        (b"[1]", "marks 1: it is no object"),
        (b'{"mark": []}', "holds no list of marks"),
        (b"7", "holds no list of marks"),
        (b'\n\xff"', ":2: it is not UTF-8"),
        (b'[{"by": "a", "by": "b"}]', "the key 'by' stands twice"),
        (b"[" * 100_000, "cannot be read"),
        (b" " * 2_000_000, "larger than 1 MiB"),
    ],
)
def test_wrong_files(tmp_path, text, words):
    path = tmp_path / "marks.json"
    path.write_bytes(text)
    with pytest.raises(WordsError) as error:
        read_marks(path)
    assert words in str(error.value)


def test_what_is_no_file(tmp_path):
    with pytest.raises(WordsError, match="no such file"):
        read_marks(tmp_path / "gone.json")
    with pytest.raises(WordsError, match="no regular file"):
        read_marks(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WordsError, match="no regular file"):
        read_marks(tmp_path / "pipe")
