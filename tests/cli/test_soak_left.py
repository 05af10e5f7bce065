"""The report that a driver leaves where it drove."""

import json

from support.soaks import Scene, write_soak

from mens_console.cli import soak_left


def soak(into):
    write_soak(into / "soak", Scene(hours=0.1, rate=1.0))
    return into / "soak"


def test_the_report_of_a_soak_that_ended_is_what_the_command_prints(tmp_path, capsysbinary):
    from mens_console.cli.main import main

    folder = soak(tmp_path)
    assert soak_left.leave(folder) == ""
    main(["soak", "report", str(folder), "--json"])
    assert (folder / "report.json").read_bytes() == capsysbinary.readouterr().out
    assert json.loads((folder / "report.json").read_text())["schema"] == "mens-soak/1"
    assert not list(folder.glob(".report*"))


def test_a_report_that_cannot_be_written_is_told_and_leaves_nothing_behind(tmp_path):
    folder = soak(tmp_path)
    (folder / "report.json").mkdir()
    assert "directory" in soak_left.leave(folder)
    assert not list(folder.glob(".report*"))


def test_a_soak_that_goes_on_takes_its_report_back(tmp_path):
    folder = soak(tmp_path)
    soak_left.leave(folder)
    soak_left.withdraw(folder)
    soak_left.withdraw(folder)
    assert not (folder / "report.json").exists()
