"""The benchmarks' own arithmetic and plumbing. No figure is judged here: that is for a quiet machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench import __main__ as bench  # noqa: E402
from bench import data, live, reading, report, soak  # noqa: E402
from bench.anchors import Anchors, cache_folder  # noqa: E402
from bench.context import Context, interleaved, timed  # noqa: E402
from bench.figure import Figure, Target  # noqa: E402
from bench.leet_writer import Log  # noqa: E402
from bench.process import Usage, usage  # noqa: E402
from bench.terminal import Frame, Terminal, has_chart, settled  # noqa: E402

samples = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=20)


@given(samples, st.floats(0.001, 1e6))
def test_a_limit_and_its_opposite_are_not_both_missed(ours, limit):
    low, high = (Figure("x", "s", ours, Target(limit, at_least=way)).verdict for way in (False, True))
    assert "met" in {low, high}
    assert {low, high} <= {"met", "missed"}


@given(samples, samples, st.floats(0.01, 10))
def test_a_relative_target_is_the_anchors_median_times_its_factor(ours, anchor, factor):
    figure = Figure("x", "s", ours, Target(factor, of_anchor=True), anchor, "a")
    assert (figure.verdict == "met") == (figure.value <= factor * figure.anchor_value)
    assert Figure("x", "s", ours, Target(factor, of_anchor=True)).verdict == "no anchor"


@given(samples)
def test_the_spread_surrounds_the_median(ours):
    low, high = Figure("x", "s", ours).spread
    assert min(ours) <= low <= high <= max(ours)


@pytest.mark.parametrize("ours", [[], [float("nan")], [1.0, float("inf")]])
def test_a_figure_without_a_measurement_is_refused(ours):
    with pytest.raises(ValueError, match="finite"):
        Figure("x", "s", ours)


def test_the_report_names_what_is_missed_and_aligns_its_columns():
    figures = [
        Figure("fast", "ms", [1.0, 2.0, 3.0], Target(5.0), [10.0], "other"),
        Figure("slow", "ms", [70.0], Target(5.0), note="one run only"),
        Figure("bare", "B", [1234.0]),
    ]
    lines = report.table(figures)
    assert len({len(line) for line in lines}) == 1
    text = report.text(figures, report.machine(), 1.0)
    assert "1 of 2 targets missed:" in text
    assert "✖ slow: 70.0 ms, target ≤ 5 ms" in text
    assert "slow: one run only" in text


def test_generated_metrics_are_the_same_every_time(tmp_path):
    one, two = (data.write_metrics(tmp_path / name / "metrics.jsonl", 50, seed=3) for name in "ab")
    assert one.read_bytes() == two.read_bytes()
    rows = [orjson.loads(line) for line in one.read_bytes().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, 51))
    assert all(set(data.METRICS) < set(row) for row in rows)


@pytest.mark.parametrize(
    ("write", "name", "points"),
    [
        (lambda path: data.write_metrics(path, 300), "jsonl", 300 * len(data.METRICS)),
        (lambda path: data.write_tfevents(path, 500), "tfevents", 500),
    ],
)
def test_what_is_generated_is_read_whole(tmp_path, write, name, points):
    path = write(tmp_path / "file")
    assert reading.read_all(path, reading.format_named(name)).resident_points == points
    assert reading.read_through_child(path, reading.format_named(name)).resident_points == points


def test_a_generated_log_ends_in_a_whole_line(tmp_path):
    content = data.write_log(tmp_path / "train.log", 100_000).read_bytes()
    assert content.endswith(b"\n")
    assert len(content) > 100_000


def test_calls_are_measured_in_turn():
    order = []
    samples = interleaved(3, lambda: order.append("a") or 1.0, lambda: order.append("b") or 2.0)
    assert "".join(order) == "ababab"
    assert samples == [[1.0] * 3, [2.0] * 3]
    seconds, result = timed(lambda: 7, cpu=True)
    assert (result, seconds >= 0) == (7, True)


@given(st.floats(-50, 50), st.floats(-1000, 1000))
def test_the_regression_finds_a_straight_line(slope, start):
    x = [float(i) for i in range(100)]
    found, half = soak.regress(x, [start + slope * i for i in x])
    assert found == pytest.approx(slope, abs=1e-6)
    assert half == pytest.approx(0.0, abs=1e-6)


def test_markers_rise_and_keep_three_decimals():
    values = [live.marker(turn) for turn in range(300)]
    assert values == sorted(set(values))
    assert all(f"{value:.3f}"[-1] != "0" for value in values)


def _frame(at, *lines):
    return Frame(at, ["clock", *lines])


def test_settled_is_the_last_lasting_change():
    frames = [_frame(0.1, "", "-"), _frame(0.5, "all", "-"), _frame(3.0, "all", "/"), _frame(4.0, "all", "|")]
    assert settled(frames, 2.9) == 0.5
    assert settled(frames[:2], 2.0) == 0.5
    assert has_chart(["loss", "⣀⡤"], "loss")
    assert not has_chart(["loss", "--"], "loss")
    assert not has_chart(["⣀⡤"], "loss")


def test_latencies_count_a_row_as_seen_with_any_later_one(tmp_path):
    values = [live.marker(turn) for turn in range(3)]
    script = f"print('{values[0]:.3f}', flush=True); input(); print('{values[2]:.3f}', flush=True); input()"
    with Terminal([sys.executable, "-c", script], cwd=tmp_path, columns=40, rows=5) as terminal:
        terminal.wait_bytes(5)
        first = terminal.chunks[-1][0] - terminal.started
        received = terminal.received
        terminal.send(b"\n")
        terminal.wait_bytes(received + 7)
        out = live.latencies(terminal, [first - 0.001, first, first])
    assert len(out) == 3
    assert out[1] == out[2]


def test_a_terminal_says_when_something_was_shown(tmp_path):
    script = "print('hello', flush=True); input(); print('bye', flush=True)"
    with Terminal([sys.executable, "-c", script], cwd=tmp_path, columns=40, rows=5) as terminal:
        first = terminal.wait(lambda text: "hello" in text)
        assert terminal.usage.rss > 0
        terminal.send(b"\n")
        assert terminal.wait(lambda text: "bye" in text) > first
        with pytest.raises(TimeoutError, match="bye"):
            terminal.wait(lambda text: "never" in text, timeout=0.05)
    assert terminal.received == sum(len(chunk) for _, chunk in terminal.chunks)


def test_usage_grows_and_a_gone_process_is_told():
    before = usage(os.getpid())
    used = usage(os.getpid()).since(before)
    assert used.cpu_s >= 0
    assert used.wakes >= 0
    assert used.rss > 1_000_000
    assert Usage(3.0, 5, 7).since(Usage(1.0, 2, 3)) == Usage(2.0, 3, 7)
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    with pytest.raises(ProcessLookupError):
        usage(done.pid)


class _Record:
    def __init__(self, size: int) -> None:
        self.num, self.size = 0, size

    def SerializeToString(self) -> bytes:
        return bytes([self.num]) * self.size


def test_transaction_logs_are_cut_into_blocks(tmp_path):
    path = tmp_path / "run.wandb"
    Log(path).add(*(_Record(size) for size in (10, 40_000, 20_000)))
    content, at, whole = path.read_bytes(), 7, []
    part = b""
    while at < len(content):
        room = 32768 - at % 32768
        if room < 7:
            at += room
            continue
        length, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        part += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in {1, 4}:
            whole.append(part)
            part = b""
    assert [len(record) for record in whole] == [10, 40_000, 20_000]


def test_anchors_that_are_not_installed_are_none(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    anchors = Anchors(cache_folder())
    assert (anchors.python, anchors.toolong, anchors.leet, anchors.leet_run) == (None, None, None, None)
    with pytest.raises(FileNotFoundError, match="--anchors"):
        anchors.leet_command(tmp_path)


def test_a_benchmark_that_fails_keeps_its_figures_and_the_status_says_so(tmp_path, monkeypatch, capsys):
    def broken(context: Context):
        (context.work / "input").write_text("x")
        yield Figure("before", "s", [context.pick(2, 1)])
        raise RuntimeError("no luck")

    monkeypatch.setattr(bench, "load", lambda _name: broken)
    out = tmp_path / "figures.json"
    assert bench.main(["--only", "chart", "--quick", "--json", str(out)]) == 2
    assert "no luck" in capsys.readouterr().out
    document = json.loads(out.read_text())
    assert document["figures"][0]["ours"] == 1
    assert "no luck" in document["failed"]["chart"]
    monkeypatch.setattr(bench, "load", lambda _name: lambda _context: [Figure("slow", "s", [9.0], Target(1.0))])
    assert bench.main(["--only", "chart"]) == 0


@pytest.mark.parametrize("name", list(bench.BENCHMARKS))
def test_every_benchmark_can_be_loaded(name):
    assert callable(bench.load(name))


@given(st.floats(0, 1e9), st.floats(1, 30))
def test_a_measurement_at_rest_fits_between_two_minutes(now, seconds):
    start = now + live.until_room(now, seconds)
    assert start // 60 == (start + seconds) // 60
