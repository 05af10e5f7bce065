"""The Evaluations tab: what eval logged below the roots, newest first, with and without KPIs, and hostile logs."""

import json
import re

import pytest
from screens import kpibox
from screens.box import NOW, box, snapshot
from screens.conftest import settle, text_of, until

from mens_console.evaluation.history import MAX_ROWS, load
from mens_console.evaluation.metrics import METRICS
from mens_console.screens.evaluations import evaluation_lines


def row(model="r16", at=NOW - 3600, verdict="missed", **scores):
    told = {"weighted_score": 88.5, "json_validity": 99.25, "regression": 1.5, "stability": None, **scores}
    values = [{"metric": name, "value": value, "unit": METRICS[name].unit, "n": 100, "interval": None}
              for name, value in told.items()]  # fmt: skip
    return {
        "schema": "mens-eval-log/1",
        "date": "",
        "at": at,
        "model": {"id": model, "base": "b7", "dataset_version": "d3"},
        "role": "candidate",
        "eval_set": {"name": "web4", "version": "1.1"},
        "verdict": verdict,
        "scores": values,
    }


def logged(folder, *rows, tail=""):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "eval_log.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows) + tail)
    return folder


def plain(history, width=80):
    return ["".join(text for text, _ in line) for line in evaluation_lines(history, NOW, width)]


@pytest.mark.parametrize("with_kpis", [True, False])
async def test_the_tab_shows_the_logs_below_the_roots(console, tmp_path, with_kpis):
    logged(tmp_path / "a" / "b", row(), row("r32", NOW - 60, "met", weighted_score=95.0))
    shown = snapshot(box(), kpi=kpibox.two() if with_kpis else None, roots=(tmp_path,))
    async with console(shown, (80, 24)) as (app, pilot):
        await pilot.press("5", "shift+tab")
        await settle(pilot, 5)
        await until(pilot, lambda: "88.50" in text_of(app))
        text = text_of(app)
        assert text.index("r32") < text.index("r16")
        assert "base b7 · data d3" in text
        await pilot.press("escape")
        await settle(pilot, 5)
        assert "88.50" not in text_of(app)
        assert ("CompilePass@1" in text_of(app)) == with_kpis


async def test_without_a_log_it_says_how_one_is_made(console, tmp_path):
    async with console(snapshot(box(), kpi=kpibox.two(), roots=(tmp_path,)), (80, 24)) as (app, pilot):
        await pilot.press("5", "shift+tab")
        await until(pilot, lambda: "No evaluation is logged" in text_of(app))
        assert "1 log," not in text_of(app)


def test_rows_are_newest_first_with_misses_marked(tmp_path):
    logged(tmp_path / "a", row("old", NOW - 7200))
    logged(tmp_path / "b", row("new", NOW - 60, "met"))
    lines = evaluation_lines(load([tmp_path]), NOW, 120)
    models = [line[0][0].strip() for line in lines if line[0][1] == "strong"]
    assert models == ["new", "old"]
    inks = {text.strip(): ink for text, ink in lines[1]}
    assert (inks["88.50"], inks["99.25"], inks["✔ met"]) == ("bad", "", "good")
    assert "Lost to shipped +1.50 points" in plain(load([tmp_path]), 120)[2]


@pytest.mark.parametrize("width", [30, 80, 200])
def test_lines_fit_and_steer_no_terminal(tmp_path, width):
    logged(tmp_path, row("\x1b[31m\u202e" + "x" * 300), row(verdict="\x1b[2J"))
    for line in plain(load([tmp_path]), width):
        assert len(line) <= max(width, 50)
        assert not re.search("[\x00-\x1f\u202e]", line)


def test_bad_lines_are_counted_and_a_torn_one_is_not(tmp_path):
    bad = [
        "no json",
        "[]",
        '{"schema": "other"}',
        json.dumps({**row(), "at": None}),
        json.dumps({**row(), "scores": 3}),
    ]
    folder = logged(tmp_path, row(), tail="\n".join(bad) + '\n{"schema": "mens-ev')
    history = load([folder, folder])
    assert len(history.rows) == 1
    assert "5 lines are no evaluation" in history.problems[0]


def test_values_in_another_unit_are_left_out(tmp_path):
    odd = row()
    odd["scores"][0]["unit"] = "share"
    (found,) = load([logged(tmp_path, odd)]).rows
    assert "weighted_score" not in found.scores
    assert found.scores["json_validity"] == 99.25


def test_memory_is_bounded_and_links_and_pipes_are_not_read(tmp_path):
    import os

    logged(tmp_path / "many", *[row(at=NOW - i) for i in range(MAX_ROWS + 50)])
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "eval_log.jsonl").symlink_to(tmp_path / "many" / "eval_log.jsonl")
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / "eval_log.jsonl")
    history = load([tmp_path, tmp_path / "none"])
    assert len(history.rows) == MAX_ROWS
    assert len(history.problems) == 2
