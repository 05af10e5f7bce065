import json
import math
from types import SimpleNamespace

import pytest
from cli.runs import broken, healthy, resumed, rows, write
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from support.attempt_logs import write_attempts

from mens_console.cli import status
from mens_console.store.snapshot import LIVE_STATES, Snapshot
from mens_contracts.status import Status

HOSTILE = "x\x1b[31m[bold]evil\u202e"


def test_the_table_shows_the_worst_first_with_its_reason(cli, box):
    healthy(box)
    broken(box)
    code, out, err = cli("status", box)
    assert (code, err) == (1, "")
    lines = out.splitlines()
    assert lines[0].split() == ["state", "run", "step", "loss", "avg", "rate", "ETA", "alerts", "age"]
    assert lines[1].startswith("✖ diverged  nan ")
    assert "60/200" in lines[1]
    assert "NaN" in lines[1]
    assert "✖" in "".join(lines[2:4])
    assert any(line.split()[2:4] == ["good", "100/200"] for line in lines)
    assert "\x1b" not in out


def test_json_is_the_contract(cli, box):
    broken(box)
    resumed(box)
    code, out, _ = cli("status", box, "--json")
    assert code == 1
    document = Status.model_validate_json(out)
    assert [run.id for run in document.runs] == ["nan", "resumed"]
    raw = json.loads(out)
    nan, again = raw["runs"]
    assert nan["loss"] == "NaN"
    assert nan["series"]["loss"]["points"] == 60
    assert again["segments"] == [{"start_step": 1, "end_step": 50}, {"start_step": 31, "end_step": 100}]
    assert again["series"]["loss"]["rewound_points"] == 20


def test_a_run_name_cannot_steer_the_terminal(cli, box):
    healthy(box, HOSTILE)
    code, out, _ = cli("status", box)
    assert code == 0
    assert "x␛[31m[bold]evil‹U+202E›" in out
    for form in ("--json", "--line"):
        shown = cli("status", box, form)[1]
        assert "\x1b" not in shown
        assert "\u202e" not in shown


def test_bad_rows_are_told_with_file_and_line(cli, box):
    write(box / "torn", [*rows(range(1, 20)), "{broken", *rows(range(20, 30))])
    out = cli("status", box)[1]
    assert "1 rows could not be read, first at metrics.jsonl:20: " in out


@pytest.mark.parametrize("form", [[], ["--json"], ["--line"]])
def test_nothing_readable_exits_2_and_teaches(cli, box, form):
    code, out, err = cli("status", box, *form)
    assert code == 2
    assert f"no runs found: searched {box}" in err
    assert "mens-console demo" in err
    if form == ["--json"]:
        assert json.loads(out)["runs"] == []


def test_a_missing_path_is_named(cli, box):
    code, _, err = cli("status", box / "gone")
    assert code == 2
    assert f"{box}/gone: no such file or folder" in err


def test_roots_come_from_the_environment(cli, box, monkeypatch):
    healthy(box)
    monkeypatch.setenv("MENS_RUNS", f"{box}:{box}/none")
    code, out, err = cli("status", "--json")
    assert code == 0
    assert json.loads(out)["roots"] == [str(box)]
    monkeypatch.setenv("MENS_RUNS", f"{box}:/nonexistent-folder")
    assert "/nonexistent-folder: no such file or folder" in cli("status")[2]
    assert err == ""


def test_a_loss_that_nobody_measured_is_no_nan(cli, box):
    log = box / "text" / "train.log"
    log.parent.mkdir()
    log.write_text("Traceback (most recent call last):\nRuntimeError: CUDA error: device-side assert triggered\n")
    out = cli("status", box)[1]
    assert "crashed" in out and "NaN" not in out


def test_long_names_that_begin_alike_stay_apart(cli, box):
    for seed in (1, 2):
        healthy(box, f"meta-llama-3-8b-instruct-lora-r8-alpha16-seed-{seed}")
    out = cli("status", box)[1]
    assert "seed-1 " in out and "seed-2 " in out and "…" in out


def test_colour_only_on_a_terminal(box, monkeypatch, cli):
    healthy(box)
    monkeypatch.setattr(status, "colour", lambda stream: True)
    assert "\x1b[" in cli("status", box)[1]


def view(name="run", state="running", step=8_100, total=12_000, loss=1.204, eta=4320.0, alerts=(), trend="improving"):
    signals = SimpleNamespace(
        streaming_ce=loss,
        trend=SimpleNamespace(direction=trend),
        eta=None if eta is None else SimpleNamespace(seconds=eta),
        tokens_per_sec=None,
        steps_per_sec=None,
    )
    return SimpleNamespace(
        id=name,
        name=name,
        step=step,
        total_steps=total,
        diagnosis=SimpleNamespace(state=state, evidence=()),
        live=state in LIVE_STATES,
        moving=state in LIVE_STATES,
        signals=signals,
        read=lambda metric: loss,
        alerts=alerts,
        updated_at=math.nan,
        sources=(),
    )


def test_the_line_is_the_one_for_a_status_bar():
    runs = [view("llama-r16"), view("b"), view("c"), view("d", "stalled"), view("e", "diverged")]
    # The one that needs a look first is the live one that is worst.
    assert status.line(Snapshot(1, 0.0, tuple(runs))) == "3▶ 1◌ 1✖  d 8.1k/12k 1.204↓ 1h12m"
    assert status.line(Snapshot(1, 0.0, (view("llama-r16"),))) == "1▶  llama-r16 8.1k/12k 1.204↓ 1h12m"
    ended = view("old", "finished", step=500, total=None, loss=None, eta=None, trend="unknown")
    assert status.line(Snapshot(1, 0.0, (ended,))) == "1✔  old 500"
    assert status.line(Snapshot(1, 0.0)) == "no runs"


@given(
    st.lists(
        st.builds(
            view,
            st.text(min_size=0, max_size=80),
            st.sampled_from(["running", "stalled", "killed", "finished", "hung"]),
            st.none() | st.integers(-5, 10**12),
            st.none() | st.integers(0, 10**12),
            st.none() | st.floats(),
            st.none() | st.floats(0, 1e9),
        ),
        max_size=5,
    )
)
def test_the_line_always_fits_and_is_one_line(runs):
    text = status.line(Snapshot(1, 0.0, tuple(runs)))
    assert cell_len(text) <= status.LINE_COLUMNS
    assert len(text.splitlines()) == 1


@given(
    st.permutations([view("a", "hung"), view("b", "finished"), view("c"), view("d", "crashed"), view("e", "stalled")])
)
def test_the_order_does_not_depend_on_where_runs_lie(runs):
    assert [run.id for run in status.worst_first(runs)] == ["d", "a", "e", "c", "b"]


def test_the_table_stays_aligned_with_wide_names():
    runs = (view("訓練" * 30), view("b" * 70), view("c"))
    lines = status.table(Snapshot(1, 0.0, runs), status.plain).splitlines()
    column = [line.index("8100/12000") + cell_len(line) - len(line) for line in lines[1:]]
    assert len(set(column)) == 1


def test_attempt_logs_without_a_run_are_told_of(cli, box):
    write_attempts(box / "generation.log", rows=20)
    _, _, err = cli("status", box)
    assert "1 file of generation, which `mens-console health` and `mens-console kpi` read" in err
    assert "1 attempt log" in cli("alerts", "list", box)[1]
