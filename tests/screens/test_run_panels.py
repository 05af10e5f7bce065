"""The Run screen's facts: stages, evaluations, accuracy, throughput, checkpoints with advice and forecast."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from screens.adapters import lora_run
from screens.box import CHECKPOINT, NOW, run, series, snapshot
from screens.conftest import settle, text_of
from screens.test_snapshots import SIZES, Picture, Screen

from mens_console.screens.curves import panels_of
from mens_console.screens.panels import (
    accuracy_lines,
    checkpoint_lines,
    evaluation_lines,
    figures_lines,
    stage_lines,
    stage_steps,
)
from mens_console.screens.run import RunScreen
from mens_console.signals.accuracy import AccuracyFact, FixedEvalFact
from mens_console.signals.advice import Advice
from mens_console.signals.machine import MachineView, VolumeSample
from mens_console.signals.stages import stage_views
from mens_widgets.stepper import Stepper

GB = 10**9


def recorded():
    """Four stages that began: one done, one that nothing was measured of, one that failed, one that runs."""

    def start(stage, at, pid=1):
        return {"event": "stage_start", "ts": NOW - at, "stage": stage, "id": stage, "pid": pid, "started": NOW - at}

    def end(stage, at, wall, **more):
        figures = {"wall_s": wall, "cpu_percent": 98.4, "max_rss_bytes": 7.6 * GB, "exit_code": 0}
        return {"event": "stage_end", "ts": NOW - at, "stage": stage, "id": stage, **figures, **more}

    return stage_views(
        [
            start("dataset", 9000), end("dataset", 8990, 9.2, met=True, measured="0 parse errors in 31 200 rows"),
            start("dryrun", 8900),
            end("dryrun", 8700, 200, met=None, measured="only 3 losses were logged, 10 are needed"),
            start("mini", 8600), end("mini", 8000, 600, exit_code=137, signal="SIGKILL", max_rss_is_bound=True),
            start("train", 7000, 42),
        ]
    )  # fmt: skip


def full():
    """A run with everything that there is to say."""
    one = run("qwen-lora-r16", total=12_000)
    at = np.arange(1, 201)
    sparse = np.arange(20, 201, 20)
    more = {
        "eval_loss": series("eval_loss", sparse, 1.2 + 1 / sparse),
        "entropy": series("entropy", at, 1.9 - at / 400),
        "accuracy": series("accuracy", at, 0.3 + at / 500),
        "fixed_eval_em": series("fixed_eval_em", sparse, sparse / 400),
        "fixed_eval_ce": series("fixed_eval_ce", sparse, 2 - sparse / 400),
        "fixed_eval_ece": series("fixed_eval_ece", sparse, 0.35 - sparse / 2000),
        "fixed_eval_ece_expected": series("fixed_eval_ece_expected", sparse, np.full(10, 0.09)),
        "fixed_eval_n": series("fixed_eval_n", sparse, np.full(10, 100.0)),
        "lora/layers.0.q_proj": series("lora/layers.0.q_proj", at, at / 1.0),
        "soak/ttft_ms": series("soak/ttft_ms", at, at / 1.0),
    }
    signals = replace(
        one.signals,
        entropy=1.41,
        best_eval=(200, 1.205),
        accuracy=AccuracyFact(0.68, 0.61, "improving", 50),
        fixed_eval=FixedEvalFact(0.5, 1.5, 0.34, 0.09, 100, "improving", 200),
        advice=Advice(
            150, "checkpoint-150", "best eval loss 1.205 at step 150",
            ("the loss reached a plateau at step 160",), ("no evaluation after step 160",),
        ),
    )  # fmt: skip
    saved = tuple(
        CHECKPOINT(path=one.path / f"checkpoint-{n}", step=n, bytes=1.2 * GB, mtime=NOW - 202 + n)
        for n in (50, 100, 150)
    )
    return replace(one, series={**one.series, **more}, signals=signals, checkpoints=saved, stages=recorded())


def machine(free=100 * GB):
    volume = VolumeSample("v", "/box", "/dev/sda1", "ext4", NOW, ("qwen-lora-r16",), total=500 * GB, used=1, free=free)
    return MachineView(1, NOW, volumes=(volume,))


def words(lines):
    return "\n".join("".join(text for text, _ in line) for line in lines)


# ---------------------------------------------------------------------- words


def test_the_fixed_evaluation_says_what_its_calibration_is_held_to():
    text = words(evaluation_lines(full(), 60))
    assert re.search(r"EM +50 %", text) and re.search(r"CE +1\.5  nats  ↓ improving", text)
    assert re.search(r"ECE +0\.34  ▲ over 0\.3", text)
    assert "a calibrated model would score 0.09" in text and "n=100" in text
    assert re.search(r"best eval +1\.205  at step 200", text)


def test_what_was_not_measured_is_not_said():
    bare = replace(full().signals, fixed_eval=FixedEvalFact(0.5, math.nan, 0.2, math.nan, None, "unknown", 7))
    text = words(evaluation_lines(replace(full(), signals=bare), 60))
    assert "CE  " not in text.replace("ECE", "") and "n unknown" in text and "is unknown" in text
    assert words(evaluation_lines(run("plain"), 60)) == "" and accuracy_lines(run("plain")) == []


def test_accuracy_and_throughput_tell_their_trend():
    assert re.search(r"accuracy +68 %  last 20  ↑ improving", words(accuracy_lines(full())))
    assert re.search(r" +61 %  last 50", words(accuracy_lines(full())))
    few = replace(full().signals, accuracy=AccuracyFact(0.5, 0.5, "unknown", 3))
    assert words(accuracy_lines(replace(full(), signals=few))).count("last") == 1
    text = words(figures_lines(full(), 60))
    assert re.search(r"throughput +2\.\d+k tok/s", text) and "last n=50" in text
    assert "variance" in text and "sd" in text and "nats a token, EMA 1.41" in text


def test_the_checkpoint_to_keep_and_why():
    text = words(checkpoint_lines(full(), machine().volumes[0], NOW, 60))
    assert "Checkpoints  3, 3.60 GB" in text and re.search(r"▾ 150 +1\.20 GB  50s  ★ keep", text)
    assert "★ keep 150: best eval loss 1.205 at step 150" in text
    assert "· the loss reached a plateau" in text and "▲ no evaluation after step 160" in text


@pytest.mark.parametrize(
    ("free", "said"), [(100 * GB, "✔ the next checkpoint fits"), (GB, "✖ the next checkpoint does not fit")]
)
def test_the_forecast_of_the_disk(free, said):
    text = words(checkpoint_lines(full(), machine(free).volumes[0], NOW, 60))
    assert said in text and "step 200, due now, about 1.20 GB" in text
    assert re.search(r"disk free +" + ("100 GB" if free > GB else "1.00 GB"), text)
    ended = replace(full(), diagnosis=replace(full().diagnosis, state="finished"))
    assert "next" not in words(checkpoint_lines(ended, None, NOW, 60))


def test_nobody_looked_at_the_volume():
    assert "? not known whether the next one fits" in words(checkpoint_lines(full(), None, NOW, 60))
    assert checkpoint_lines(run("none"), None, NOW, 60) == []


def test_stages_tell_their_figures_and_what_was_measured():
    text = words(stage_lines(recorded(), NOW, 60))
    assert "✔ dataset done  9.2 s · CPU 98 % · 7.60 GB" in text and "0 parse errors in 31 200 rows" in text
    assert "◐ dryrun underfed  3 m 20 s" in text
    assert "exit 0, but nothing measured: only 3 losses were logged" in text.replace("\n ", "")
    assert "✖ mini failed" in text and "≤7.60 GB" in text and "killed by SIGKILL" in text
    assert "● train running  for 1h" in text and "done when: adapter saved" in text
    assert "· pending: evaluation, export, deployment, iteration" in text
    assert stage_lines((), NOW, 60) == [] and stage_steps(()) == []
    assert [step.title for step in stage_steps(recorded()) if step.current] == ["train"]


@pytest.mark.parametrize("width", [20, 44, 80])
def test_lines_stay_inside(width):
    from rich.cells import cell_len

    one = full()
    for line in stage_lines(one.stages, NOW, width):
        text = "".join(text for text, _ in line)
        assert cell_len(text) <= max(width, 22), text


def test_charts_of_the_new_series_and_none_of_those_with_a_screen_of_their_own():
    panels = panels_of(full())
    assert [(panel.title, panel.unit) for panel in panels if panel.key.startswith("fixed")] == [
        ("fixed eval CE", "nats"), ("fixed eval EM", "ratio"), ("fixed eval ECE", "ratio"),
    ]  # fmt: skip
    keys = {name for panel in panels for name in panel.metrics}
    assert {"entropy", "accuracy", "tokens_per_sec", "fixed_eval_ece_expected"} <= keys
    assert not any(name.startswith(("lora/", "soak/")) for name in keys) and "fixed_eval_n" not in keys
    assert all(panel.exact for panel in panels if panel.key.startswith("fixed_eval"))
    only = replace(full(), series={"soak/ttft_ms": full().series["soak/ttft_ms"]})
    assert [panel.key for panel in panels_of(only)] == ["soak/ttft_ms"]


def test_hostile_words_of_a_stage_are_shown_as_text():
    stages = stage_views([{"event": "stage_start", "stage": "x\x1b[2J", "id": "a", "ts": NOW, "pid": 1}])
    assert "\x1b" not in words(stage_lines(stages, NOW, 60)) and "\x1b" not in stage_steps(stages)[-1].title


# ---------------------------------------------------------------------- the screen


async def shown(app, pilot, *keys):
    app.open_run("qwen-lora-r16")
    await settle(pilot, 5)
    await pilot.press(*keys)
    await settle(pilot, 5)


async def test_the_stepper_stands_only_where_stages_were_recorded(console):
    async with console(snapshot([full(), run("plain")]), (80, 24)) as (app, pilot):
        await shown(app, pilot)
        assert "● train running" in text_of(app) and app.room.query_one(Stepper).size.height == 2
        await pilot.press("n")
        await settle(pilot, 5)
        assert (
            app.chosen == "plain"
            and "train running" not in text_of(app)
            and app.room.query_one(Stepper).size.height == 0
        )


async def test_facts_take_the_place_of_the_charts(console):
    async with console(snapshot([full()], machine=machine()), (80, 24)) as (app, pilot):
        await shown(app, pilot)
        assert "streaming CE" not in text_of(app)
        await pilot.press("i")
        await settle(pilot, 5)
        assert "streaming CE" in text_of(app)
        await pilot.press("J", "J")
        await settle(pilot)
        assert "0 parse errors" in text_of(app) or "Stages" in text_of(app)
        await pilot.press("escape")
        await settle(pilot, 5)
        assert isinstance(app.screen, RunScreen) and not app.room.has_class("-facts")
        assert app.focused is not None
        await pilot.press("i", "i", "escape")
        await settle(pilot, 5)
        assert not isinstance(app.screen, RunScreen)


async def test_the_adapters_stand_in_one_line_at_the_bottom(console):
    with_layers = replace(full(), layers=lora_run().layers)
    async with console(snapshot([with_layers, run("plain")]), (80, 24)) as (app, pilot):
        await shown(app, pilot)
        line = text_of(app).splitlines()[-3]
        assert line.startswith("LoRA") and "×4" in line.replace(" ", "")
        await pilot.press("n")
        await settle(pilot, 5)
        assert app.chosen == "plain" and "LoRA  " not in text_of(app).splitlines()[-3]


VIEWS = {"panels": (), "panels_facts": ("i",), "panels_deeper": ("i", "J", "J")}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
@pytest.mark.parametrize("view", VIEWS)
async def test_text(console, snapshot, view, size):
    from screens.box import snapshot as of

    async with console(of([full()], machine=machine()), size) as (app, pilot):
        await shown(app, pilot, *VIEWS[view])
        assert text_of(app) == snapshot(extension_class=Screen)


async def test_picture(console, snapshot):
    from screens.box import snapshot as of

    async with console(of([full()], machine=machine()), (120, 40)) as (app, pilot):
        await shown(app, pilot, "J")
        picture = re.sub(r"@font-face\s*{[^}]*}|terminal-\d+", "", app.export_screenshot(title="mens-console"))
        assert picture == snapshot(extension_class=Picture)
