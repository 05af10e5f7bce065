import csv
import io
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from cli.runs import broken, healthy, resumed, rows, write
from hypothesis import given
from hypothesis import strategies as st

from mens_console.cli.export import LONG_HEADER, disarmed, long_rows, number, wide_rows
from mens_console.store.series import SeriesView
from mens_console.store.snapshot import SegmentView


def read(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_one_row_a_step_with_every_value_as_logged(cli, box):
    logged = [*rows(range(1, 40)), {"step": 20, "eval_loss": 1.5}, {"step": 500, "eval_loss": 1.25}]
    write(box / "run", logged)
    code, out, err = cli("export", "run", "--csv", "--in", box)
    assert (code, err) == (0, "")
    table = read(out)
    assert [int(row["step"]) for row in table] == [*range(1, 40), 500]
    assert [float(row["loss"]) for row in table[:-1]] == [row["loss"] for row in logged[:39]]
    assert table[-1]["loss"] == ""
    assert {row["step"]: row["eval_loss"] for row in table if row["eval_loss"]} == {"20": "1.5", "500": "1.25"}
    assert float(table[0]["wall_time"]) == pytest.approx(1_760_000_002.0)


def test_only_the_metrics_asked_for(cli, box):
    healthy(box)
    out = cli("export", "good", "--csv", "--metric", "grad_norm", "--in", box)[1]
    assert out.splitlines()[0] == "step,wall_time,segment,grad_norm"
    code, _, err = cli("export", "good", "--csv", "--metric", "gradnorm", "--in", box)
    assert code == 2
    assert "the nearest: grad_norm" in err


def test_nan_is_a_value_and_absence_is_blank(cli, box):
    broken(box)
    table = read(cli("export", "nan", "--csv", "--in", box)[1])
    assert [row["loss"] for row in table if int(row["step"]) >= 40] == ["NaN"] * 21


def test_segments_and_what_a_resume_went_back_over(cli, box):
    resumed(box)
    table = read(cli("export", "resumed", "--csv", "--in", box)[1])
    assert [row["segment"] for row in table] == ["0"] * 30 + ["1"] * 70
    points = read(cli("export", "resumed", "--csv", "--long", "--metric", "loss", "--in", box)[1])
    assert tuple(points[0]) == LONG_HEADER
    again = [row for row in points if row["rewound"] == "1"]
    assert [int(row["step"]) for row in again] == list(range(31, 51))
    assert {row["segment"] for row in again} == {"0"}
    assert len(points) == 120


def test_a_file_appears_whole_or_not_at_all(cli, box, tmp_path, monkeypatch):
    healthy(box)
    target = tmp_path / "out.csv"
    assert cli("export", "good", "--csv", "--in", box, "-o", target) == (0, "", "")
    whole = target.read_text()
    assert len(whole.splitlines()) == 101

    def torn(view, names):
        yield ("step",)
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr("mens_console.cli.export.wide_rows", torn)
    code, _, err = cli("export", "good", "--csv", "--in", box, "-o", target)
    assert code == 2
    assert "no space left on device" in err
    assert target.read_text() == whole
    assert [path.name for path in Path(tmp_path).glob("out*")] == ["out.csv"]


def test_a_metric_name_is_no_formula(cli, box):
    write(box / "evil", rows(range(1, 9), **{"=cmd|'/c calc'!A1": lambda s: -1.0}))
    out = cli("export", "evil", "--csv", "--in", box)[1]
    header = next(csv.reader(io.StringIO(out)))
    assert "'=cmd|'/c calc'!A1" in header
    assert out.splitlines()[1].endswith("-1")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-x", "@sum", "\t=1", "\r=1"])
def test_formulas_are_disarmed(text):
    assert disarmed(text).startswith("'")


@given(st.text())
def test_no_cell_steers_a_terminal_or_a_spreadsheet(text):
    shown = disarmed(text)
    assert not shown.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert "\x1b" not in shown
    assert "\n" not in shown


@given(st.floats())
def test_numbers_read_back_as_they_were(value):
    back = float(number(value))
    assert back == value or (math.isnan(back) and math.isnan(value))


@given(st.lists(st.dictionaries(st.integers(0, 50), st.floats(allow_nan=False), max_size=20), min_size=1, max_size=4))
def test_wide_and_long_hold_the_same_values(metrics):
    columns = {}
    for i, points in enumerate(metrics):
        steps = np.array(sorted(points), np.int64)
        values = np.array([points[step] for step in steps.tolist()], np.float64)
        columns[f"m{i}"] = SeriesView(f"m{i}", steps, values, np.full(len(steps), np.nan), len(steps))
    run = SimpleNamespace(series=columns, segments=(SegmentView(0, 50, math.nan),))
    header, *table = wide_rows(run, list(columns))
    wide = {(row[0], name): cell for row in table for name, cell in zip(header[3:], row[3:], strict=True) if cell}
    long = {(row[2], row[4]): row[5] for row in list(long_rows(run, list(columns)))[1:]}
    assert wide == long
    assert len(long) == sum(map(len, metrics))


def sampled(folder, name="sampled"):
    """A training of ten steps, with three samples of the machine within step 5."""

    def event(kind, at, **payload):
        return {"ts_ms": int((1_760_000_000 + at) * 1000), "event": kind, "payload": payload}

    lines = [event("train_start", 0, pid=1)] + [event("step", s, step=s, loss=1.0 / s) for s in range(1, 11)]
    lines += [event("system", 5 + i / 10, step=5, gpus=[{"index": 0, "util_percent": 50 + i}]) for i in range(3)]
    return write(folder / name, lines, "telemetry.jsonl")


def test_samples_of_the_machine_are_exported_each_one_with_its_time(cli, box):
    sampled(box)
    points = read(cli("export", "sampled", "--csv", "--long", "--metric", "system/gpu0/util", "--in", box)[1])
    assert [(row["step"], row["value"]) for row in points] == [("5", "50"), ("5", "51"), ("5", "52")]
    assert len({row["wall_time"] for row in points}) == 3
    table = read(cli("export", "sampled", "--csv", "--in", box)[1])
    assert [row["system/gpu0/util"] for row in table] == [""] * 4 + ["52"] + [""] * 5
    assert [row["loss"] == "" for row in table] == [False] * 10
    assert float(table[4]["wall_time"]) == 1_760_000_005.0  # when the step was logged, not when it was sampled


def test_samples_of_the_machine_are_plotted_and_told_by_the_same_names(cli, box):
    sampled(box)
    code, out, err = cli("plot", "sampled", "system/gpu0/util", "--x", "relative", "--in", box)
    assert (code, err) == (0, "")
    assert "system/gpu0/util · last 52 · 3 points" in out
    assert '"system/gpu0/util":' in cli("status", "--json", box)[1].replace('util": ', 'util":')
