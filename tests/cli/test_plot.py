import re

import numpy as np
import pytest
from cli.runs import broken, healthy, resumed, rows, write
from hypothesis import given
from hypothesis import strategies as st

from mens_console.cli.plotting import charts, tick_text, ticks, trace
from mens_console.store.series import SeriesView


def series(values, *, walls=None):
    steps = np.arange(len(values), dtype=np.int64) * 10
    walls = 1.7e9 + steps * 1.0 if walls is None else walls
    return SeriesView("loss", steps, np.asarray(values, np.float64), np.asarray(walls, np.float64), len(values))


def test_a_chart_has_title_axes_and_fits(cli, box):
    healthy(box)
    code, out, err = cli("plot", "good", "loss", "grad_norm", "--in", box, "--width", 70, "--height", 12)
    assert (code, err) == (0, "")
    assert "good · loss · last" in out
    assert "good · grad_norm · last" in out
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 70
    assert len(out.splitlines()) == 24
    assert re.search("[\u2801-\u28ff]", out)


@pytest.mark.parametrize("axis", ["step", "relative", "wall"])
def test_axes(cli, box, axis):
    healthy(box)
    code, out, _ = cli("plot", box / "good", "loss", "--x", axis, "--log")
    assert code == 0
    last = out.splitlines()[-1]
    assert re.search({"step": r"\b80\b", "relative": r"\d+m|\d+s", "wall": r"\d\d:\d\d:\d\d"}[axis], last)


def test_without_times_only_steps_can_be_drawn(cli, box):
    write(box / "bare", ({k: v for k, v in row.items() if k != "ts"} for row in rows(range(1, 20))))
    assert cli("plot", "bare", "loss", "--in", box)[0] == 0
    code, _, err = cli("plot", "bare", "loss", "--in", box, "--x", "wall")
    assert code == 2
    assert "use --x step" in err


def test_nan_is_left_out_and_counted(cli, box):
    broken(box)
    assert "21 not finite, left out" in cli("plot", "nan", "loss", "--in", box)[1]


def test_an_unknown_series_names_the_nearest(cli, box):
    healthy(box)
    code, _, err = cli("plot", "good", "los", "--in", box)
    assert code == 2
    assert "los: good has no such series; the nearest: loss" in err
    assert "it has: " in cli("plot", "good", "zzzz", "--in", box)[2]


def test_a_series_is_found_by_the_name_that_the_trainer_gave_it(cli, box):
    write(box / "own", ({"step": s, "train/loss": 2.0, "val_loss": 3.0} for s in range(20)))
    code, out, err = cli("plot", "own", "train/loss", "val_loss", "--in", box)
    assert (code, err) == (0, "") and "own · loss · last 2" in out and "own · eval_loss · last 3" in out
    code, out, _ = cli("export", "own", "--metric", "val_loss", "--metric", "loss", "--in", box)
    assert code == 0 and out.splitlines()[:2] == ["step,wall_time,segment,eval_loss,loss", "0,,0,3,2"]


def test_runs_are_found_by_path_id_name_and_beginning(cli, box):
    healthy(box / "team", "llama-r8")
    resumed(box / "team", "llama-r16")
    for name in (box / "team/llama-r8", "team/llama-r8", "llama-r8", box / "team/llama-r8/metrics.jsonl"):
        assert cli("plot", name, "loss", "--in", box)[0] == 0
    assert "could be:\n  team/llama-r16\n  team/llama-r8\n" in cli("plot", "llama", "loss", "--in", box)[2]
    assert "holds 2 runs; name one of them:" in cli("plot", box, "loss")[2]
    assert "the nearest:\n  team/llama-r" in cli("plot", "lama-r", "loss", "--in", box)[2]
    assert "there are:\n  team/llama-r16\n" in cli("plot", "0", "loss", "--in", box)[2]


def test_nothing_to_choose_from(cli, box):
    code, _, err = cli("plot", "x", "loss", "--in", box)
    assert code == 2
    assert f"x: no runs were found; searched {box}" in err
    assert f"{box}: no run is there" in cli("plot", box, "loss")[2]


def test_many_candidates_are_cut(cli, box):
    for i in range(15):
        healthy(box, f"run-{i:02}")
    err = cli("plot", "run", "loss", "--in", box)[2]
    assert err.count("run-") == 12
    assert "… and 3 more" in err


def test_a_short_series_is_drawn_point_by_point_with_its_gaps():
    drawn = trace(series([3.0, 2.0, np.nan, 1.0, np.inf, 0.5]), "step", 40)
    assert drawn.ys.tolist() == [3.0, 2.0, 1.0, 0.5]
    assert drawn.breaks == (2, 3)
    assert drawn.dropped == 2


def test_a_long_series_keeps_its_spike_and_breaks_at_nan():
    values = np.ones(50_000)
    values[30_000] = 99.0
    values[10_000:12_000] = np.nan
    drawn = trace(series(values), "wall", 60)
    assert 99.0 in drawn.range_ys
    assert len(drawn.xs) <= 120
    assert len(drawn.breaks) == 1
    assert drawn.dropped == 2000


def test_a_log_axis_drops_what_is_not_positive():
    drawn = trace(series([1.0, 0.0, -1.0, 10.0]), "step", 40, log=True)
    assert drawn.ys.tolist() == [1.0, 10.0]
    assert drawn.dropped == 2


@pytest.mark.parametrize("values", [[], [np.nan], [5.0], [0.0, 0.0]])
def test_little_to_draw_is_no_fault(values):
    for log in (False, True):
        text = charts([("m\x1b[1m", series(values))], axis="step", width=50, height=8, log=log, colour=False)
        assert "m␛[1m" in text
        assert "\x1b" not in text


def test_colour_when_asked_for():
    text = charts([("loss", series([3, 2, 1]))], axis="step", width=50, height=8, log=False, colour=True)
    assert "\x1b[" in text


@given(st.floats(-1e12, 1e12), st.floats(0, 1e12))
def test_ticks_are_inside_and_rising(low, span):
    found = ticks(low, low + span)
    assert found == sorted(found)
    assert 1 <= len(found) <= 12 or span < abs(low) * 1e-12
    slack = span * 1e-6 + abs(low) * 1e-9
    assert all(low - slack <= x <= low + span + slack for x in found)


def test_a_span_too_small_to_divide_has_one_tick():
    assert ticks(0.0, 5e-324) == [0.0]


def test_ticks_read_as_their_axis():
    assert tick_text(1200.0, "step", 1e4) == "1200"
    assert tick_text(1.2e6, "step", 1e7) == "1.20M"
    assert tick_text(90.0, "relative", 600) == "1m30s"
    assert re.fullmatch(r"\d\d-\d\d \d\d:\d\d", tick_text(1.7e9, "wall", 1e6))
