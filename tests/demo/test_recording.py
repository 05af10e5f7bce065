"""The container: everything that is not a whole, valid recording is refused with its reason."""

from __future__ import annotations

import json
import lzma
import tempfile
from pathlib import Path
from typing import Any

import pytest
from demo.synthetic import BEGAN, appended, recording
from hypothesis import given, settings
from hypothesis import strategies as st

from mens_console.demo.recording import (
    MAX_CONTENT,
    MAX_HEADER,
    Event,
    Recording,
    RecordingError,
    check_path,
)


def raw(path: Path, header: dict[str, Any] | None = None, *lines: bytes) -> Path:
    said = {
        "format": "mens-recording/1",
        "name": "run",
        "scenario": "test",
        "summary": "",
        "started_at": BEGAN,
        "duration": 10.0,
        "events": len(lines),
        "files": {"log": 3},
        "left_out": [],
        "processes": [],
        "producer": {},
    }
    path.write_bytes(lzma.compress(json.dumps({**said, **(header or {})}).encode() + b"\n" + b"".join(lines)))
    return path


def event(content: bytes = b"", **facts: Any) -> bytes:
    return json.dumps(facts).encode() + b"\n" + content


HOSTILE = [
    "/etc/passwd",
    "../up",
    "a/../../up",
    "a/..",
    ".",
    "",
    "a//b",
    "a/",
    "./a",
    "a\\b",
    "a\nb",
    "\x1b[2J",
    "a\0b",
]


@pytest.mark.parametrize("path", HOSTILE)
def test_hostile_paths_are_refused(tmp_path, path):
    with pytest.raises(ValueError, match="path"):
        check_path(path)
    with pytest.raises(RecordingError, match="path"):
        Recording.open(raw(tmp_path / "r.mrec", {"files": {path: 1}}))
    with pytest.raises(RecordingError, match="path"):
        Recording.open(raw(tmp_path / "r.mrec", {"name": path}))
    stream = raw(tmp_path / "r.mrec", None, event(t=0, kind="delete", path=path))
    with pytest.raises(RecordingError, match="does not list"):
        list(Recording.open(stream).events())


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"format": "mens-recording/2"}, "format is 'mens-recording/2'"),
        ({"name": "a/b"}, "not one folder"),
        ({"name": 5}, "name is 5"),
        ({"summary": "\x1b]0;x\x07"}, "summary is"),
        ({"duration": -1}, "duration is -1"),
        ({"duration": True}, "duration is True"),
        ({"started_at": float("inf")}, "started_at is inf"),
        ({"events": 1.5}, "events is 1.5"),
        ({"files": []}, "files is not an object"),
        ({"files": {"log": -1}}, "log is -1"),
        ({"files": {"a": 1, "a/b": 1}}, "a is a file and a folder"),
        ({"left_out": "log"}, "left_out is not a list"),
        ({"left_out": [1]}, "left_out is 1"),
        ({"processes": [7]}, "a process is not an object"),
        ({"processes": [{"pid": 1, "command": ["x"], "started": "now"}]}, "started is 'now'"),
        ({"producer": {"python": 3}}, "python is 3"),
    ],
)
def test_a_wrong_header_is_named(tmp_path, said, reason):
    with pytest.raises(RecordingError, match=reason) as refused:
        Recording.open(raw(tmp_path / "wrong.mrec", said))
    assert "wrong.mrec: " in str(refused.value)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([event(t=1, kind="rename", path="log")], "unknown kind of event 'rename'"),
        ([event(kind="delete", path="log")], "t is None"),
        ([event(t=11, kind="delete", path="log")], "out of order"),
        ([event(t=2, kind="process", pid=1), event(t=1, kind="process", pid=1)], "out of order"),
        ([event(t=1, kind="process", pid="1")], "pid is '1'"),
        ([event(t=1, kind="delete", path="log")], "does not exist"),
        ([event(b"abc\n", t=1, kind="append", path="log", offset=7, size=3)], "appended to at 7 but is 0"),
        ([event(b"abc", t=1, kind="append", path="log", offset=0, size=3)], "content of log is torn"),
        ([event(b"abcd\n", t=1, kind="append", path="log", offset=0, size=3)], "content of log is torn"),
        ([event(t=1, kind="write", path="log", size=MAX_CONTENT + 1)], "size is"),
        ([event(t=1, kind="write", path="log", size=MAX_CONTENT)], "torn"),
        ([event(t=1, kind="stand_in", path="log", size=1 << 50)], "size is"),
        ([b"not json\n"], "not JSON"),
        ([b"[1]\n"], "not a JSON object"),
        ([b"[" * 60_000 + b"\n"], "mrec: "),
        ([b" " * 70_000 + b"\n"], "longer than"),
        ([event(t=1, kind="process", pid=1) + b"more"], "something follows"),
    ],
)
def test_a_wrong_event_is_named(tmp_path, lines, reason):
    with pytest.raises(RecordingError, match=reason):
        list(Recording.open(raw(tmp_path / "r.mrec", None, *lines)).events())


def test_content_is_bounded_over_all_events(tmp_path, monkeypatch):
    monkeypatch.setattr("mens_console.demo.recording.MAX_CONTENT", 5)
    write = event(b"abc\n", t=1, kind="write", path="log", size=3)
    with pytest.raises(RecordingError, match="more than 5 bytes"):
        list(Recording.open(raw(tmp_path / "r.mrec", None, write, write)).events())


def test_other_files_are_refused_with_a_reason(tmp_path):
    with pytest.raises(RecordingError, match="No such file"):
        Recording.open(tmp_path / "absent")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(RecordingError, match="xz"):
        Recording.open(tmp_path / "text")
    (tmp_path / "empty").touch()
    with pytest.raises(RecordingError, match="cut short"):
        Recording.open(tmp_path / "empty")
    (tmp_path / "keys").write_bytes(lzma.compress(b'{"format": "mens-recording/1"}\n'))
    with pytest.raises(RecordingError, match="header lacks duration, events"):
        Recording.open(tmp_path / "keys")
    (tmp_path / "long").write_bytes(lzma.compress(b" " * (MAX_HEADER + 2)))
    with pytest.raises(RecordingError, match="longer than"):
        Recording.open(tmp_path / "long")
    assert "unknown kind" not in str(raw(tmp_path / "r.mrec"))


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_cut_or_flipped_file_is_an_error_and_never_a_surprise(data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.mrec"
        recording(path, [appended(0.5, b"abc"), Event(1.0, "process", pid=4), appended(2.0, bytes(range(99)), 3)])
        content = path.read_bytes()
        at = data.draw(st.integers(0, len(content) - 1))
        flip = bytes([content[at] ^ data.draw(st.integers(1, 255))])
        path.write_bytes(data.draw(st.sampled_from([content[:at], content[:at] + flip + content[at + 1 :]])))
        with pytest.raises(RecordingError):
            list(Recording.open(path).events())


def test_an_unsafe_path_cannot_be_written_either(tmp_path):
    with pytest.raises(ValueError, match="plain relative"):
        recording(tmp_path / "r", [appended(0.0, b"", path="/etc/passwd")])
