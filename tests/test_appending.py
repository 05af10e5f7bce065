"""Appending under a lock: whole and on disk, or nothing of it."""

import fcntl
import os

import pytest

from mens_console.config import appending
from mens_console.config.appending import NotAppendedError, hold, put

FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT


@pytest.fixture
def opened(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"before\n")
    fd = os.open(path, FLAGS)
    yield path, fd
    os.close(fd)


def test_what_was_put_is_there(opened):
    path, fd = opened
    hold(fd)
    put(fd, b"line\n")
    assert path.read_bytes() == b"before\nline\n"


def test_a_lock_that_nobody_lets_go_of_is_a_timeout(opened):
    path, fd = opened
    with path.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(TimeoutError, match="another program holds its lock"):
            hold(fd, 0.05)
    hold(fd)


@pytest.mark.parametrize("fault", ["part", "sync", "back"])
def test_what_fails_is_cut_off_again(opened, monkeypatch, fault):
    path, fd = opened
    write, sync, failed = os.write, os.fsync, []

    def once(_):
        failed.append(1)
        if len(failed) == 1:
            raise OSError(5, "Input/output error")
        sync(fd)

    if fault == "part":
        monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:2]))
    elif fault == "sync":
        monkeypatch.setattr(os, "fsync", once)
    else:
        monkeypatch.setattr(appending, "_read", lambda *_: b"other")
    with pytest.raises(NotAppendedError) as error:
        put(fd, b"line\n")
    assert error.value.left is None
    assert path.read_bytes() == b"before\n"


def test_what_cannot_be_taken_back_is_told(opened, monkeypatch):
    path, fd = opened

    def failing(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", failing)
    monkeypatch.setattr(os, "ftruncate", failing)
    with pytest.raises(NotAppendedError) as error:
        put(fd, b"line\n")
    assert "Input/output" in str(error.value.left)
    assert path.read_bytes() == b"before\nline\n"
