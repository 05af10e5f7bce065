"""Screen 7: what it shows at three sizes, every key, and the words for what is missing or wrong."""

import math
from dataclasses import replace

import pytest
from screens.box import CHECKPOINT, NOW, box, run, snapshot
from screens.conftest import settle, text_of
from screens.machine import AT, gpu, history, view1, view8, viewnone
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from mens_console.screens.hardware import HardwareScreen
from mens_console.screens.hardwaredetail import gpu_detail
from mens_console.screens.hardwarefacts import checkpoint_lines, host_lines, process_rows, volume_lines
from mens_console.screens.hardwarerows import flags, gpu_ink, gpu_line, gpu_row, level, title_line
from mens_console.signals.fill import Fill
from mens_console.signals.gpu import EccCounts, GpuProcess, History, XidEvent
from mens_console.signals.machine import HostSample, MachineView, VolumeSample
from mens_widgets.grid import Grid

SIZES = [(80, 24), (120, 40), (200, 50)]
VIEWS = {"eight": view8, "one": view1, "none": viewnone}


class Screen(SingleFileSnapshotExtension):
    _write_mode = WriteMode.TEXT
    file_extension = "txt"


def plain(lines):
    return "\n".join("".join(text for text, _ in line).rstrip() for line in lines)


async def opened(app, pilot, *keys):
    await pilot.press("7", *keys)
    await settle(pilot, 5)
    return app.room


# ---------------------------------------------------------------------- pictures in text


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
@pytest.mark.parametrize("name", VIEWS)
async def test_text(console, name, size, request):
    saved = request.getfixturevalue("snapshot")
    async with console(snapshot(box(), machine=VIEWS[name]()), size) as (app, pilot):
        await opened(app, pilot)
        assert _body(app) == saved(extension_class=Screen)


@pytest.mark.parametrize("keys", [("j", "enter"), ("p",), ("v",)], ids=lambda keys: "-".join(keys))
async def test_text_of_the_parts(console, keys, request):
    saved = request.getfixturevalue("snapshot")
    async with console(snapshot(box(), machine=view8()), (80, 24)) as (app, pilot):
        await opened(app, pilot, *keys)
        assert _body(app) == saved(extension_class=Screen)


def _body(app):
    """Return the screen without the header, which tells of every screen that there is."""
    return "\n".join(text_of(app).split("\n")[1:])


# ---------------------------------------------------------------------- keys


async def test_every_key(console):
    async with console(snapshot(box(), machine=view8()), (120, 40)) as (app, pilot):
        room = await opened(app, pilot)
        assert isinstance(room, HardwareScreen)
        for key, chosen in (("j", 1), ("down", 2), ("k", 1), ("up", 0), ("k", 0), ("G", 7), ("j", 7), ("g", 0)):
            await pilot.press(key)
            await settle(pilot)
            assert f"› GPU {chosen} " in text_of(app), key
        await pilot.press("end", "enter")
        await settle(pilot)
        assert "GPU 7  NVIDIA H100" in text_of(app)
        await pilot.press("k")
        await settle(pilot)
        assert "GPU 6  NVIDIA H100" in text_of(app)  # the part below follows
        await pilot.press("enter")
        await settle(pilot)
        assert "Host" in text_of(app)
        await pilot.press("v")
        await settle(pilot)
        assert "Host" not in text_of(app)
        await pilot.press("escape")
        await settle(pilot)
        assert "Host" in text_of(app)
        await pilot.press("p")
        await settle(pilot)
        assert "pt_data_worker" in text_of(app)
        await pilot.press("p")
        await settle(pilot)
        assert "pt_data_worker" not in text_of(app)
        await pilot.press("escape")
        await settle(pilot)
        assert app.room.MODE == "fleet"


async def test_the_part_below_scrolls(console):
    async with console(snapshot(box(), machine=view8()), (80, 24)) as (app, pilot):
        await opened(app, pilot, "v")
        assert "Volumes of the runs" in text_of(app)
        await pilot.press("J")
        await settle(pilot)
        assert "Volumes of the runs" not in text_of(app)
        await pilot.press("K")
        await settle(pilot)
        assert "Volumes of the runs" in text_of(app)


async def test_a_process_leads_to_its_run(console):
    async with console(snapshot(box(), machine=view8()), (120, 40)) as (app, pilot):
        await opened(app, pilot, "p")
        grid = app.room.query_one(Grid)
        assert grid.has_focus
        grid.cursor_key = "5100"
        await pilot.press("enter")
        await settle(pilot)
        assert (app.room.MODE, app.chosen) == ("run", "mini-ft-07")


async def test_a_gpu_leads_to_its_run_and_a_stranger_to_none(console):
    async with console(snapshot(box(), machine=view8()), (120, 40)) as (app, pilot):
        await opened(app, pilot, "r")
        assert (app.room.MODE, app.chosen) == ("run", "qwen-lora-r16")
        await opened(app, pilot, "G", "r")
        assert app.room.MODE == "hardware"
        assert "That belongs to no known run" in text_of(app)


async def test_a_click_chooses_a_gpu(console):
    async with console(snapshot(box(), machine=view8()), (80, 24)) as (app, pilot):
        await opened(app, pilot)
        await pilot.click("#gpus", offset=(5, 4))
        await settle(pilot)
        assert "› 2 " in text_of(app)
        await pilot.click("#gpus", offset=(5, 0))  # the title is no GPU
        await settle(pilot)
        assert "› 2 " in text_of(app)


async def test_without_a_gpu_the_keys_say_so_and_host_and_volumes_stand(console):
    async with console(snapshot(box(), machine=viewnone()), (80, 24)) as (app, pilot):
        await opened(app, pilot, "enter", "j", "G", "r")
        shown = text_of(app)
        assert "no NVIDIA driver: libnvidia-ml.so.1 was not found" in shown
        assert "There is no GPU to look at" in shown
        assert "/data" in shown
        assert "memory" in shown


async def test_before_the_first_sample_and_in_a_replay(console):
    async with console(snapshot(box()), (80, 24)) as (app, pilot):
        await opened(app, pilot, "enter", "p", "v", "j", "r", "G", "g")
        assert "The machine has not been sampled yet." in text_of(app)
    async with console(snapshot(box(), replay=True), (80, 24)) as (app, pilot):
        await opened(app, pilot)
        assert "A replay shows no hardware." in text_of(app)


async def test_many_gpus_scroll_with_the_cursor(console):
    gpus = tuple(gpu(i) for i in range(16))
    async with console(snapshot(box(), machine=view8(gpus=gpus)), (80, 24)) as (app, pilot):
        await opened(app, pilot, "G")
        assert "› 15" in text_of(app)
        await pilot.press("g")
        await settle(pilot)
        assert "› 0 " in text_of(app)
        assert "16, 16 busy" in text_of(app)


async def test_the_sampler_hurries_while_this_is_looked_at(console):
    looks = []
    async with console(snapshot(box(), machine=view8()), (80, 24)) as (app, pilot):
        app.engine.look_at_machine = looks.append
        await opened(app, pilot)
        assert looks == [True]
        await pilot.press("1")
        await settle(pilot)
        assert looks == [True, False]


async def test_new_samples_show_and_an_old_one_is_marked(console):
    now = [NOW]
    async with console(snapshot(box(), machine=view1()), (120, 40), clock=lambda: now[0]) as (app, pilot):
        await opened(app, pilot)
        assert "sampled now, every 1 s" in text_of(app)
        now[0] = NOW + 60
        app.paint()
        await settle(pilot)
        assert "◌ stale: last read 1m ago" in text_of(app)
        fewer = replace(view1(), at=now[0], gpus_at=now[0], gpus=(gpu(0, utilisation=12.0),))
        app.engine.publish(snapshot(box(), rev=2, machine=fewer))
        await settle(pilot, 5)
        app.paint()
        await settle(pilot)
        assert " 12 %" in text_of(app)
        assert "stale" not in text_of(app)


async def test_hostile_names_stay_text(console):
    nasty = "[bold]\x1b[31mred"
    hostile = gpu(0, processes=(GpuProcess(9, "compute", 1, run="a[/]\x07b", name=nasty),))
    async with console(snapshot([run("x")], machine=view8(gpus=(hostile,))), (120, 40)) as (app, pilot):
        await opened(app, pilot)
        shown = text_of(app)
        assert "\x1b" not in shown
        assert "a[/]␇b" in shown


async def test_the_header_of_every_screen_tells_of_the_gpus(console):
    async with console(snapshot(box(), machine=view8()), (200, 50)) as (app, _):
        assert "GPU 4/8 busy 88 °C ✖ ECC 2" in text_of(app).split("\n")[0]
    async with console(snapshot(box(), machine=viewnone()), (200, 50)) as (app, _):
        assert "GPU" not in text_of(app).split("\n")[0]


# ---------------------------------------------------------------------- words


def test_the_line_of_the_header():
    assert gpu_line(None) == ""
    assert gpu_line(viewnone()) == ""
    assert gpu_line(view1()) == "GPU 1/1 busy 64 °C"
    assert gpu_line(view1(), short=True) == "GPU 1/1"
    assert gpu_line(view8(), short=True) == "GPU 4/8 ✖ ECC 2"
    blind = view8(gpus=(gpu(0, utilisation=None, temperature=None),))
    assert gpu_line(blind) == "GPU ?/1 busy"
    assert gpu_line(view8(gpus_at=AT - 120.0)) == "GPU ◌ silent for 2m"
    assert (gpu_ink(view8()), gpu_ink(view1()), gpu_ink(view8(gpus_at=AT - 120.0))) == ("bad", "muted", "warn")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ["· power cap"]),
        ({"throttle": ()}, []),
        ({"throttle": None}, []),
        ({"throttle": ("sw_thermal",)}, ["▲ hot, slowed"]),
        ({"throttle": ("hw_slowdown",)}, ["▲ power, slowed"]),
        ({"throttle": ("hw_thermal", "hw_slowdown", "hw_power_brake")}, ["▲ hot, slowed", "▲ power, slowed"]),
        ({"throttle": (), "ecc": EccCounts(9, 1, 9, 1)}, ["✖ ECC 1 uncorrected"]),
        ({"throttle": (), "ecc": EccCounts(9, 0, 9, 4)}, []),
        ({"throttle": (), "xids": (XidEvent(AT - 5, 31), XidEvent(AT, 43))}, ["✖ XID 43 +1"]),
        ({"throttle": (), "lost": "gone"}, ["✖ lost"]),
    ],
)
def test_what_is_wrong_in_words(changes, words):
    assert [text for text, _ in flags(gpu(0, **changes), AT)] == words


def test_an_old_xid_is_still_shown_but_no_longer_red():
    old = gpu(0, throttle=(), xids=(XidEvent(AT - 7200, 79),))
    assert flags(old, AT) == [("✖ XID 79", "muted")]


def test_a_missing_sensor_is_never_zero():
    bare = replace(
        gpu(0), utilisation=None, memory_utilisation=None, memory_used=None, temperature=None, power=None,
        sm_clock=None, memory_clock=None, throttle=None, ecc=None, xids=None, pcie_tx=None, pcie_rx=None,
        nvlink_tx=None, nvlink_rx=None, processes=None, missing=(("power", "no permission"),),
    )  # fmt: skip
    row = plain([gpu_row(bare, AT, 80, chosen=False)])
    assert row.count("N/A") == 4
    assert "0" not in row.replace("H100 80GB", "").replace("  0 ", "")
    detail = plain(gpu_detail(bare, AT, 100, str))
    assert "power        N/A  no permission" in detail
    assert detail.count("N/A") == 14
    assert "0 %" not in detail


@pytest.mark.parametrize("width", [78, 80, 90, 100, 120, 200])
def test_rows_fit_their_width(width):
    for one in view8().gpus:
        row = gpu_row(one, AT, width, chosen=True)
        assert sum(len(text) for text, _ in row) <= max(width, 80) or one.lost


def test_a_sparkline_goes_by_time_and_leaves_gaps():
    past = History((5.0, 45.0, 65.0, 95.0), (100.0, None, 0.0, 50.0))
    assert level(past, 100.0, 100.0, 10, 100.0) == "███   ▁▁▁▅"
    drawn = level(History((5.0, 95.0), (100.0, 0.0)), 100.0, 100.0, 10, 100.0)
    assert drawn[0] == "█"
    assert drawn[9] == "▁"
    assert drawn[4:8] == "    "  # more than twenty seconds without a sample are no line
    assert level(History(), 100.0, 100.0, 4, 100.0) == "    "
    assert level(history(50.0), AT, 600.0, 0, 100.0) == ""


def test_titles_tell_the_age():
    assert "sampled now, every 1 s" in plain([title_line(view8(), AT + 1, 120)])
    assert "◌ stale: last read 10m ago" in plain([title_line(view8(), AT + 600, 120)])
    assert "stale" in plain([title_line(view8(gpus_at=AT - 60.0), AT + 1, 120)])
    assert "◌ stale" in plain([title_line(viewnone(), AT + 600, 120)])


def test_a_container_limit_is_told_apart_from_the_host():
    limited = HostSample(
        AT, memory_total=10**12, memory_available=5 * 10**11, memory_limit=64 * 10**9, limit_used=10**9
    )
    shown = plain(host_lines(limited, AT, 100))
    assert "1.00 GB of 64.0 GB  limit of this container or control group, lower than the host's" in shown
    assert "CPU" in shown
    assert "N/A" in shown
    assert plain(host_lines(None, AT, 100)) == "host  N/A"


# ---------------------------------------------------------------------- volumes


def volume(**changes):
    base = VolumeSample(
        "/dev/x", "/data", "/dev/x", "ext4", AT, ("qwen",), total=10**12, used=5 * 10**11, free=5 * 10**11,
    )  # fmt: skip
    return replace(base, **changes)


def with_checkpoints(*sizes, every=600.0, **changes):
    found = tuple(
        CHECKPOINT(path=f"checkpoint-{i}", step=40 * (i + 1), bytes=size, mtime=NOW - every * (len(sizes) - i))
        for i, size in enumerate(sizes)
    )
    return run("qwen", checkpoints=found, **changes)


def fitting(run_, volume_):
    return plain(checkpoint_lines(run_, volume_, NOW, 200))


def test_the_next_checkpoint_fits_does_not_or_nobody_knows():
    one = with_checkpoints(1_200_000_000, 1_200_000_000, 1_200_000_000, steps=130)
    slow = Fill(1e6, 0.9e6, 1.1e6, 100, 3600.0)
    assert fitting(one, volume(fill=slow)).startswith("  ✔ next checkpoint of qwen (1.20 GB at ~")
    assert fitting(one, volume(fill=slow)).endswith("fits")
    assert "✖ next checkpoint of qwen" in fitting(one, volume(free=10**9))
    assert "does not fit: " in fitting(one, volume(free=10**9))
    nothing = fitting(with_checkpoints(), volume(fill=slow))
    assert nothing.startswith("  ? next checkpoint of qwen: unknown whether it fits, because no checkpoint was written")
    assert "because the free space is not known" in fitting(one, volume(free=None))


def test_when_a_volume_is_full():
    filling = Fill(5e7, 4e7, 6e7, 100, 3600.0)
    shown = plain(volume_lines(volume(fill=filling), [], AT, 100))
    assert "▲ full in 2h46m (2h18m … 3h28m)" in shown
    assert "at +3.00 GB/min, 95 %: +2.40 GB/min … +3.60 GB/min, n=100 over 1 h" in shown
    undecided = plain(volume_lines(volume(fill=Fill(1e6, -1e6, 3e6, 100, 3600.0)), [], AT, 100))
    assert "no certain filling: +60.0 MB/min" in undecided
    assert "full in" not in undecided
    assert "empties" in plain(volume_lines(volume(fill=Fill(-2e6, -3e6, -1e6, 100, 3600.0)), [], AT, 100))
    young = plain(volume_lines(volume(fill_reason="seen for 30 s with n=3; it takes 2 min"), [], AT, 100))
    assert "fill rate not known: seen for 30 s with n=3; it takes 2 min" in young


def test_a_silent_volume_never_read_shows_no_numbers():
    silent = volume(total=None, used=None, free=None, at=math.nan, problem="does not answer")
    shown = plain(volume_lines(silent, [], AT, 100))
    assert "·········· N/A" in shown
    assert "◌ does not answer" in shown


def test_only_a_few_live_runs_are_told_of():
    runs = [run(f"r{i}") for i in range(5)] + [run("over", "finished")]
    shown = plain(volume_lines(volume(), runs, AT, 100))
    assert "and 2 more live runs" in shown
    assert "over" not in shown


def test_a_checkpoint_that_does_not_fit_is_told_before_all_others():
    runs = [run(f"r{i}") for i in range(5)]
    runs += [replace(with_checkpoints(1e9, 1e9), name="light"), replace(with_checkpoints(9e11, 9e11), name="heavy")]
    shown = plain(volume_lines(volume(), runs, NOW, 200))
    told = [line.split()[4] for line in shown.splitlines() if "next checkpoint of" in line]
    assert told[:2] == ["heavy", "light"]
    assert len(told) == 3


def test_process_rows_keep_families_together_and_strangers_last():
    rows = process_rows(view8(), str)
    assert [row.key for row in rows] == ["4121", "4188", "4190", "5100", "7001"]
    first, stranger = rows[0].cells, rows[-1].cells
    assert first[3] == "0,1,2,3"
    assert first[4].text == "244 GB"
    assert stranger[1].text == "no run"
    hidden = MachineView(1, AT, gpus=(gpu(0, processes=(GpuProcess(99, "compute", None),)),))
    cells = process_rows(hidden, str)[0].cells
    assert (cells[2], cells[4].text) == ("not visible", "N/A")
