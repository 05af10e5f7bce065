"""Folders of replays: those of the dead are removed, those of the living and of others are not."""

import os
import shutil
import subprocess
import sys
import tempfile
import time

import pytest

from mens_console.demo.folders import PREFIX, Folder, clean

HOLDER = "from mens_console.demo.folders import Folder; f = Folder(); print(f.path, flush=True); input()"


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


@pytest.fixture
def killed(place):
    process = subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process, place / os.path.basename(process.stdout.readline().strip())
    finally:
        process.kill()
        process.communicate()


def test_what_a_killed_replay_left_is_removed_and_not_while_it_lives(killed):
    process, folder = killed
    later = time.time() + 3600
    assert folder.is_dir()
    assert clean(later) == []
    process.kill()
    process.wait()
    assert clean(later) == [folder]
    assert not folder.exists()


def test_a_folder_that_is_being_made_is_left_alone(place):
    (place / f"{PREFIX}new").mkdir()
    (place / f"{PREFIX}young").mkdir()
    (place / f"{PREFIX}young" / "owner.lock").touch()
    assert clean() == []


def test_what_older_versions_left_is_removed_after_days(place):
    (place / f"{PREFIX}old" / "runs").mkdir(parents=True)
    assert clean(time.time() + 86_400) == []
    assert clean(time.time() + 3 * 86_400) == [place / f"{PREFIX}old"]


def test_what_holds_anything_else_or_is_a_link_is_not_ours(place):
    (place / f"{PREFIX}a" / "thesis").mkdir(parents=True)
    (place / "kept" / "runs").mkdir(parents=True)
    (place / f"{PREFIX}b").symlink_to(place / "kept")
    (place / f"{PREFIX}c").touch()
    assert clean(time.time() + 9e6) == []
    assert (place / "kept" / "runs").is_dir()


def test_a_folder_is_removed_once_and_when_it_is_forgotten(place):
    one = Folder()
    path = one.path
    one.remove()
    path.mkdir()
    one.remove()
    assert path.is_dir()
    shutil.rmtree(path)
    other = Folder().path
    assert not other.exists()
