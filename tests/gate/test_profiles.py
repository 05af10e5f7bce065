"""Profiles as files: what is read, and how what is wrong is told with file, line, key and cure."""

import hashlib
import json
import os
import tomllib
from pathlib import Path

import jsonschema
import pytest

from mens_console.gate.profiles import FOLDER, ProfileError, load, shipped

SCHEMA = json.loads((Path(__file__).parents[2] / "contracts/gate/mens-gate-profile-1.schema.json").read_text())
REMEDY = 'remedy = "Measure again."'
HEAD = 'schema = "mens-gate-profile/1"\nid = "mine"\ntitle = "Mine"\n'
ONE = """
[[criteria]]
id = "1.1"
title = "Throughput"
metric = "throughput_single"
unit = "tokens/s"
pass = ">=115"
conditional = "105..115"
min_n = 5
max_age = "36h"
remedy = "Measure again."
where = { batch = "1" }
requires = [{ metric = "ttft_p99", unit = "ms", pass = "<150", conditional = "150..200" }]
"""


@pytest.fixture
def written(tmp_path):
    def write(text, name="mine.toml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def refused(path):
    with pytest.raises(ProfileError) as told:
        load(path)
    return told.value


def test_a_profile_is_read_whole(written):
    path = written(HEAD + ONE)
    profile = load(path)
    (one,) = profile.criteria
    assert (profile.id, profile.approvals, profile.conditional_passes, profile.path) == ("mine", 1, False, str(path))
    assert profile.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert profile.text == HEAD + ONE
    assert (one.dimension, one.min_n, one.max_age_s, one.where) == ("performance", 5, 36 * 3600, {"batch": "1"})
    assert one.passes.holds(115)
    assert one.conditional.holds(105)
    ((name, passes, conditional),) = one.requires
    assert (name, passes.holds(149), passes.holds(150), conditional.holds(200)) == ("ttft_p99", True, False, True)
    assert one.text == ONE.strip()


def test_the_digest_is_of_the_bytes_and_not_of_the_text(written):
    raw = b"\xef\xbb\xbf" + (HEAD + ONE).replace("\n", "\r\n").encode()
    assert load(written(raw)).sha256 == hashlib.sha256(raw).hexdigest()


def test_each_criterion_keeps_its_own_lines(written):
    text = HEAD + ONE + ONE.replace("1.1", "1.2") + '\n[[checklist]]\ntitle = "All"\ncriteria = ["1.1"]\n'
    first, second = load(written(text)).criteria
    assert 'id = "1.1"' in first.text
    assert second.text == ONE.replace("1.1", "1.2").strip()


@pytest.mark.parametrize("name", shipped())
def test_what_is_shipped_fits_its_schema(name):
    profile = load(name)
    assert profile.id == name
    assert profile.path == str(FOLDER / f"{name}.toml")
    assert len(profile.criteria) == profile.text.count("[[criteria]]")
    assert all(one.remedy for one in profile.criteria)
    jsonschema.Draft202012Validator(SCHEMA).validate(tomllib.loads(profile.text))


@pytest.mark.parametrize(
    ("change", "line", "key", "said", "cure"),
    [
        (('min_n = 5', 'min_m = 5'), 12, "criteria.0.min_m", "unknown key", "did you mean min_n?"),
        (('pass = ">=115"', 'passes = ">=115"'), 10, "criteria.0.passes", "unknown key", "did you mean pass?"),
        (('title = "Mine"', 'title = "Mine"\napproval = 2'), 4, "approval", "unknown key", "did you mean approvals?"),
        (('title = "Mine"', 'title = "Mine"\napprovals = 0'), 4, "approvals", "greater than or equal to 1", "correct"),
        (('title = "Mine"', 'title = "Mine"\napprovals = true'), 4, "approvals", "valid integer", "correct"),
        (('min_n = 5', 'min_n = 0'), 12, "criteria.0.min_n", "greater than or equal to 1", "correct"),
        (('min_n = 5', 'min_n = "5"'), 12, "criteria.0.min_n", "valid integer", "correct"),
        (('"36h"', '"36"'), 13, "criteria.0.max_age", "pattern", "correct"),
        (('">=115"', '"=>115"'), 10, "criteria.0.pass", "'=>115'", "write a band such as >=115"),
        (('"105..115"', '"115..105"'), 11, "criteria.0.conditional", "no value lies in it", "write a band"),
        (('"150..200"', '"150-200"'), 16, "criteria.0.requires.0.conditional", "is no condition", "write a band"),
        (('unit = "ms"', 'unit = "s"'), 16, "criteria.0.requires.0.unit", "ttft_p99 is in ms, not in s", "convert"),
        (('id = "1.1"\n', ''), 5, "criteria.0.id", "missing", "add id"),
        (('id = "1.1"', 'id = "a b"'), 6, "criteria.0.id", "pattern", "correct"),
        (('schema = "mens-gate-profile/1"', 'schema = "mens-gate-profile/2"'), 1, "schema", "mens-gate-profile/1", ""),
        ((REMEDY, 'baseline = { margin = -1.0 }'), 14, "criteria.0.baseline.margin", "equal to 0", ""),
        ((REMEDY, 'baseline = { margin = nan }'), 14, "criteria.0.baseline.margin", "finite", ""),
        ((REMEDY, 'baseline = { sha256 = "ABC" }'), 14, "criteria.0.baseline.sha256", "pattern", ""),
        ((REMEDY, 'decide_on = "bounds"'), 14, "criteria.0.decide_on", "'point' or 'bound'", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_line_and_key(written, change, line, key, said, cure):
    text = HEAD + ONE
    assert change[0] in text
    path = written(text.replace(*change, 1))
    error = refused(path)
    assert error.readable
    (problem,) = error.problems
    assert (problem.origin, problem.line, problem.key) == (str(path), line, key)
    assert said in problem.message
    assert cure in problem.cure


def test_all_that_is_wrong_is_told_at_once(written):
    error = refused(written((HEAD + ONE).replace(">=115", "x").replace("105..115", "y").replace("<150", "z")))
    assert [one.key for one in error.problems] == [
        "criteria.0.pass", "criteria.0.conditional", "criteria.0.requires.0.pass",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"id = \n", "not TOML"),
        (b'id = "\xff"\n', "not UTF-8"),
        (b'id = "a"\nid = "b"\n', "not TOML"),
        (b"x = " + b"[" * 5000, "not TOML"),
        (b"min_n = " + b"9" * 5000, "not TOML"),
        (b"#" * 70_000, "larger than"),
    ],
)
def test_what_is_no_toml(written, text, said):
    error = refused(written(text))
    assert not error.readable
    assert said in str(error)


def test_empty_is_no_profile(written):
    assert {one.key for one in refused(written("")).problems} == {"schema", "id", "title", "criteria"}


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.toml")
    assert "not a regular file" in str(refused(tmp_path / "pipe.toml"))
    assert "no such file" in str(refused(tmp_path / "none.toml"))
    assert "not a regular file" in str(refused(tmp_path)) or "directory" in str(refused(tmp_path))


def test_a_name_that_is_not_shipped():
    assert "did you mean phase3-release?" in str(refused("phase3-relase"))
    assert "shipped are engineering" in str(refused("zzz"))


def test_hostile_text_loses_its_control_sequences(written):
    text = (HEAD + ONE).replace('title = "Throughput"', 'title = "a\\u001b[31mb\\u0007"')
    assert "\x1b" not in load(written(text)).criteria[0].title


def test_tables_below_a_criterion_have_lines_of_their_own(written):
    below = '\n[criteria.baseline]\npath = "b.json"\nmargin = -1.0\n'
    below += '\n[[criteria.requires]]\nmetric = "ttft_p99"\npass = "x"\n'
    first = ONE.replace("requires = ", "# ").replace('remedy = "Measure again."\n', "")
    text = HEAD + first + first.replace("1.1", "1.2") + below
    (problem,) = refused(written(text)).problems
    assert (problem.key, text.splitlines()[problem.line - 1]) == ("criteria.1.baseline.margin", "margin = -1.0")
    text = text.replace("-1.0", "1.0")
    (problem,) = refused(written(text)).problems
    assert (problem.key, text.splitlines()[problem.line - 1]) == ("criteria.1.requires.0.pass", 'pass = "x"')
    text = text.replace('"x"', '"<150"')
    profile = load(written(text))
    assert profile.criteria[1].text.endswith('pass = "<150"')
    assert "baseline" not in profile.criteria[0].text
