"""Charts and facts of the machine on the Run screen."""

from dataclasses import replace

import numpy as np
import pytest
from screens.box import NOW, run, series
from screens.box import snapshot as told
from screens.conftest import settle, text_of
from screens.test_snapshots import Screen

from mens_console.screens.compared import figures, lasted, metrics_of, unit
from mens_console.screens.curves import panels_of, start_wall, traces_of
from mens_console.screens.facts import side_lines
from mens_console.screens.systempanels import groups, machine_lines
from mens_console.signals.system import FIGURES, PREFIX, THROTTLED
from mens_console.store.snapshot import Mark

GPU = ("util", "memory_gb", "memory_total_gb", "power_w", "temp_c", "sm_clock_mhz", "reserved_peak_gb", THROTTLED)


def sampled(gpus=1, *, box=True):
    """A run with samples of so many GPUs, and of its process and host."""
    one = run("hot-run")
    at = np.repeat(np.arange(10, 201, 10), 2)  # twice within each step
    walls = NOW - 400 + 10.0 * np.arange(len(at))
    names = [f"{PREFIX}gpu{i}/{name}" for i in range(gpus) for name in GPU]
    if box:
        names += [f"{PREFIX}{part}/{f.name}" for part in ("process", "workers", "host") for f in FIGURES[part]]
    scale = {"memory_total_gb": 80.0, "memory_gb": 60.0, "reserved_peak_gb": 55.0, THROTTLED: 0.0, "rss_gb": 9.0}
    more = {name: series(name, at, np.full(len(at), scale.get(name.split("/")[2], 40.0)), walls) for name in names}
    mark = Mark("throttle", 120, NOW - 90.0, "GPU 0: hardware thermal slowdown")
    return replace(one, series={**one.series, **more}, marks=(*one.marks, mark))


def words(lines):
    return "\n".join("".join(text for text, _ in line) for line in lines)


def test_the_machine_comes_after_the_training_in_groups_with_units():
    panels = panels_of(sampled())
    first = next(i for i, panel in enumerate(panels) if panel.key.startswith(PREFIX))
    assert not any(panel.key.startswith(PREFIX) for panel in panels[:first])
    assert {panel.title for panel in panels[:first]} >= {"loss", "throughput"}
    assert [(panel.title, panel.unit) for panel in panels[first:]] == [
        ("GPU util", "%"), ("GPU memory", "GB"), ("GPU power", "W"), ("GPU temperature", "°C"),
        ("GPU slowed down", "ratio"), ("GPU SM clock", "MHz"), ("process CPU", "%"), ("process memory", "GB"),
        ("host CPU", "%"), ("host memory", "GB"), ("host waits", "%"), ("disk", "MB/s"), ("network", "MB/s"),
        ("load", ""),
    ]  # fmt: skip
    assert all(panel.exact for panel in panels[first:])


def test_curves_of_one_chart_are_told_apart():
    one = sampled(2)
    panels = {panel.title: panel for panel in panels_of(one)}
    assert [trace.curve.name for trace in traces_of(one, panels["GPU util"])] == ["gpu0", "gpu1"]
    assert [trace.curve.name for trace in traces_of(one, panels["process memory"])] == ["process", "workers"]
    alone = sampled(1)
    memory = next(panel for panel in panels_of(alone) if panel.title == "GPU memory")
    assert [trace.curve.name for trace in traces_of(alone, memory)] == ["in use", "reserved peak"]


@pytest.mark.parametrize(("gpus", "titles"), [(6, ["GPU util"]), (8, ["GPU 0–3 util", "GPU 4–7 util"])])
def test_many_gpus_share_as_few_charts_as_are_legible(gpus, titles):
    found = [group for group in groups(sampled(gpus).series) if group.title.endswith("util")]
    assert [group.title for group in found] == titles
    assert sum(len(group.curves) for group in found) == gpus


def test_what_another_producer_calls_alike_keeps_a_chart_of_its_own():
    one = run("other")
    name = "system/gpu.0.memory"
    one = replace(one, series={**one.series, name: series(name, [1, 2], [3.0, 4.0])})
    assert panels_of(one)[-1].metrics == (name,)
    assert machine_lines(one, 50) == []


def test_the_training_begins_where_its_rows_do():
    one = sampled()
    assert start_wall(one) == float(one.series["loss"].walls[0])


def test_facts_name_the_most_memory_and_what_slowed_a_gpu():
    text = words(side_lines(sampled(2), NOW, 60))
    assert "GPU 0        60.0 GB  of 80.0 GB\n  PyTorch    55.0 GB  reserved at its peak" in text
    assert "process      9.0 GB  workers 9.0 GB" in text
    assert "↯ GPU 0: hardware thermal slowdown, from step 120 on" in text
    assert "n=40 samples, 10 s apart" in text


def test_a_run_without_samples_says_nothing_of_the_machine():
    assert machine_lines(run("old"), 60) == []
    assert not any(panel.key.startswith(PREFIX) for panel in panels_of(run("old")))


def test_a_cpu_alone_has_no_gpu_anywhere():
    one = sampled(0)
    assert not any("GPU" in panel.title for panel in panels_of(one))
    assert "GPU" not in words(machine_lines(replace(one, marks=()), 60))


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)], ids=lambda size: "x".join(map(str, size)))
async def test_charts_of_the_machine_on_the_run_screen(console, snapshot, size):
    async with console(told([sampled(2)]), size) as (app, pilot):
        await pilot.press("2", "slash", *"gpu", "enter")
        await settle(pilot, 5)
        assert text_of(app) == snapshot(extension_class=Screen)


def test_runs_are_compared_by_what_they_took_of_the_machine():
    rows = {row.id: row for row in figures([sampled(2), run("old")])}
    assert [cell.text for cell in rows["gpu_memory_peak"].cells] == ["60", "—"]
    assert (rows["gpu_util_mean"].cells[0].text, rows["gpu_util_mean"].cells[0].note) == ("40", "n=80")
    assert [cell.value for cell in rows["rss_peak"].cells] == [9.0, None]
    assert "gpu_memory_peak" not in {row.id for row in figures([run("old"), run("older")])}
    assert "system/gpu0/util" in metrics_of([sampled(1), sampled(2)])
    assert (unit("system/gpu0/util"), unit("loss"), unit("x")) == ("%", "nats", "")
    assert lasted(sampled(1)) == lasted(replace(run("hot-run"), marks=()))
