"""The NVML adapter against traces written from the documentation, and against the real binding of this box."""

import json

import pytest
from hardware.documented import ALL, LOST, NOT_SUPPORTED, ORIGIN, TRACES, Box, error, replay, text_of, value

from mens_console.hardware.session import FIRST_RETRY_S, GpuSession
from mens_console.hardware.trace import Recorder, Replay, TraceGapError, main, record
from mens_console.sensors.gpu import throttle_names
from mens_console.sensors.nvml import NO_BINDING, NO_DRIVER, NO_GPU
from mens_console.signals.gpu import EccCounts, GpuProcess, XidEvent


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Watched:
    """A session over a trace, read at the times that a test says."""

    def __init__(self, name_or_document):
        self.clock = Clock()
        if isinstance(name_or_document, str):
            self.module = replay(TRACES / f"{name_or_document}.json", self.clock)
        else:
            self.module = Replay(name_or_document, self.clock)
        self.session = GpuSession(lambda: self.module)

    def read(self, at, **options):
        self.clock.now = at
        return self.session.read(at, **options)


@pytest.mark.parametrize("name", ALL)
def test_traces_are_those_that_the_documentation_gives_and_say_so(name):
    text = (TRACES / f"{name}.json").read_text()
    assert text == text_of(ALL[name]())
    assert json.loads(text)["origin"] == ORIGIN


def test_every_sensor_of_a_data_centre_gpu():
    box = Watched("dgx")
    first = box.read(0.0)
    assert (first.problem, first.driver, first.cuda, len(first.gpus)) == ("", "550.90.07", "12.4", 8)
    gpu = box.read(5.0).gpus[3]
    assert (gpu.index, gpu.name, gpu.bus_id) == (3, "NVIDIA H100 80GB HBM3", "00000000:4B:00.0")
    assert gpu.uuid == "GPU-00000003-1111-2222-3333-444444444444"
    assert gpu.entity == f"gpu:{gpu.uuid}"
    assert (gpu.utilisation, gpu.memory_utilisation) == (93.0, 41.0)
    assert (gpu.memory_used, gpu.memory_total) == (61_203_283_968, (80 << 30) - (371 << 20))
    assert (gpu.temperature, gpu.slowdown_at) == (63.0, 87.0)
    assert gpu.power == pytest.approx(612.348)
    assert gpu.power_limit == 700.0
    assert (gpu.sm_clock, gpu.sm_clock_max, gpu.memory_clock, gpu.memory_clock_max) == (1755, 1980, 2619, 2619)
    assert gpu.throttle == ("sw_power_cap",)
    assert gpu.ecc == EccCounts(3, 0, 6, 0)
    assert gpu.xids == ()
    assert (gpu.pcie_tx, gpu.pcie_rx) == (1.2e9, 0.6e9)
    assert (gpu.nvlink_tx, gpu.nvlink_rx) == (88e6 * 1024, 44e6 * 1024)
    assert gpu.mig is None
    assert gpu.processes == (GpuProcess(4121, "compute", 60_000_000_000),)
    assert dict(gpu.missing) == {"mig": "MIG is off"}


def test_rates_take_two_samples():
    gpu = Watched("dgx").read(0.0).gpus[0]
    assert gpu.pcie_tx is None
    assert gpu.why_missing("nvlink_rx") == "no second sample yet"


def test_a_counter_that_began_anew_gives_no_rate():
    document = ALL["dgx"]()
    key = next(key for key in document["calls"] if key.startswith('nvmlDeviceGetFieldValues("@0", [[197'))
    document["calls"][key].reverse()
    for entry, at in zip(document["calls"][key], (0.0, 5.0), strict=True):
        entry[0] = at
    box = Watched(document)
    box.read(0.0)
    gpu = box.read(5.0).gpus[0]
    assert gpu.pcie_tx is None
    assert gpu.nvlink_tx == 88e6 * 1024


def test_slow_sensors_are_read_seldom_and_fixed_facts_once():
    box = Watched("dgx")
    for at in range(9):
        box.read(float(at))
    asked = box.module.asked
    assert asked['nvmlDeviceGetName("@0")'] == 1
    assert asked['nvmlDeviceGetTemperatureThreshold("@0", 1)'] == 1
    assert asked['nvmlDeviceGetTemperature("@0", 0)'] == 9
    assert asked['nvmlDeviceGetTotalEccErrors("@0", 1, 0)'] == 3  # at 0, 4 and 8 s
    assert asked['nvmlDeviceGetComputeRunningProcesses("@0")'] == 3


def test_what_a_consumer_card_does_not_tell_is_none_with_its_reason():
    box = Watched("consumer")
    box.read(0.0)
    gpu = box.read(4.0).gpus[0]
    unsupported = "not supported by this GPU"
    for name in ("ecc", "mig", "xids", "nvlink_tx", "nvlink_rx", "memory_clock_max"):
        assert getattr(gpu, name) is None, name
        assert gpu.why_missing(name) == unsupported, name
    assert gpu.utilisation == 93.0
    assert gpu.throttle == ("gpu_idle",)
    assert (gpu.pcie_tx, gpu.pcie_rx) == (1.25e9, 48e6)
    assert gpu.processes == (GpuProcess(1800, "graphics", 94_371_840), GpuProcess(4121, "compute", None))


def test_what_is_not_supported_is_asked_once():
    box = Watched("consumer")
    for at in (0.0, 4.0, 8.0):
        box.read(at)
    assert box.module.asked['nvmlDeviceGetEccMode("@0")'] == 1
    assert box.module.asked['nvmlDeviceGetMigMode("@0")'] == 1
    assert max(count for key, count in box.module.asked.items() if "FieldValues" in key) == 1


def test_what_blocks_is_left_out_while_nobody_looks():
    box = Watched("consumer")
    gpu = box.read(0.0, looked_at=False).gpus[0]
    assert gpu.pcie_tx is None
    assert gpu.why_missing("pcie_tx") == "measured only while somebody looks"
    assert not any("PcieThroughput" in key for key in box.module.asked)


def test_mig_shows_its_instances_and_their_processes():
    box = Watched("mig")
    box.read(0.0)
    gpu = box.read(4.0).gpus[0]
    assert gpu.utilisation is None
    assert gpu.why_missing("utilisation") == "not measured while MIG is on"
    assert [(one.index, one.gpu_instance, one.profile) for one in gpu.mig] == [(0, 1, "3g.39gb"), (1, 2, "2g.20gb")]
    assert gpu.mig[0].memory_used == 1 << 30
    assert gpu.processes == (
        GpuProcess(7001, "compute", 1 << 30, instance=1),
        GpuProcess(7002, "compute", 1 << 30, instance=2),
    )


def test_throttle_reasons_by_name():
    box = Watched("throttling")
    assert box.read(0.0).gpus[0].throttle == ("sw_power_cap",)
    hot = box.read(10.0).gpus[0]
    assert (hot.throttle, hot.temperature, hot.sm_clock) == (("hw_slowdown", "hw_thermal"), 89.0, 1095.0)
    assert box.read(20.0).gpus[0].throttle == ("hw_slowdown", "hw_power_brake")
    assert box.read(30.0).gpus[0].throttle == ()


@pytest.mark.parametrize(
    ("bits", "names"),
    [
        (0, ()),
        (0x1, ("gpu_idle",)),
        (0x4 | 0x20, ("sw_power_cap", "sw_thermal")),
        (0x100000, ("unknown",)),
        (0x40 | 0x100000, ("hw_thermal", "unknown")),
    ],
)
def test_bits_of_the_throttle_mask(bits, names):
    assert throttle_names(bits) == names


def test_the_older_name_of_the_throttle_question_is_asked_where_the_newer_is_not_known():
    document = ALL["throttling"]()
    for gpu in "01":
        new = f'nvmlDeviceGetCurrentClocksEventReasons("@{gpu}")'
        old = new.replace("Event", "Throttle")
        document["calls"][old] = document["calls"][new]
        document["calls"][new] = [[0.0, error(13)]]
    box = Watched(document)
    assert box.read(0.0).gpus[0].throttle == ("sw_power_cap",)
    assert box.read(10.0).gpus[0].throttle == ("hw_slowdown", "hw_thermal")
    assert box.module.asked['nvmlDeviceGetCurrentClocksEventReasons("@0")'] == 1


def test_ecc_counts_and_xids_arrive_with_their_time_and_once():
    box = Watched("ecc")
    assert box.read(0.0).gpus[0].ecc == EccCounts(3, 0, 6, 0)
    gpu = box.read(12.0).gpus[0]
    assert gpu.ecc == EccCounts(3, 1, 6, 5)
    assert gpu.xids == (XidEvent(12.0, 48), XidEvent(12.0, 63))
    assert box.read(24.0).gpus[0].xids == gpu.xids


def test_ecc_that_is_switched_off_is_not_zero_errors():
    document = ALL["ecc"]()
    document["calls"]['nvmlDeviceGetEccMode("@0")'] = [[0.0, value([0, 0])]]
    gpu = Watched(document).read(0.0).gpus[0]
    assert gpu.ecc is None
    assert gpu.why_missing("ecc") == "ECC is off"


def test_a_gpu_that_falls_off_the_bus_leaves_the_others_standing():
    box = Watched("lost")
    box.read(0.0)
    found = box.read(10.0)
    assert found.problem == ""
    first, second = found.gpus
    assert first.utilisation == 93.0
    assert second.lost == "the GPU is lost: it has fallen off the bus or does not answer"
    assert second.uuid == "GPU-00000001-1111-2222-3333-444444444444"
    assert second.bus_id == "00000000:29:00.0"
    assert second.xids == (XidEvent(10.0, 79),)
    assert second.utilisation is None
    before = sum(count for key, count in box.module.asked.items() if '("@1"' in key)
    box.read(11.0)
    assert sum(count for key, count in box.module.asked.items() if '("@1"' in key) == before  # not asked at once


def test_a_lost_gpu_that_comes_back_is_read_again():
    document = ALL["lost"]()
    for key, answers in document["calls"].items():
        if '("@1"' in key:
            answers.append([60.0, answers[0][1]])
    box = Watched(document)
    assert box.read(10.0).gpus[1].lost
    gpu = box.read(60.0).gpus[1]
    assert (gpu.lost, gpu.utilisation) == ("", 93.0)


def test_a_gpu_that_answers_nothing_but_unknown_errors_is_lost_too():
    document = ALL["lost"]()
    for answers in document["calls"].values():
        for entry in answers:
            if entry[1] == error(LOST):
                entry[1] = error(999)
    gpu = Watched(document).read(10.0).gpus[1]
    assert gpu.lost == "the GPU does not answer: unknown error of the driver"


def test_a_gpu_that_supports_nothing_is_not_lost():
    document = ALL["consumer"]()
    for key in document["calls"]:
        if key.startswith("nvmlDeviceGet") and not key.startswith(("nvmlDeviceGetCount", "nvmlDeviceGetHandle")):
            document["calls"][key] = [[0.0, error(NOT_SUPPORTED)]]
    for call in ("nvmlDeviceGetMemoryInfo", "nvmlDeviceGetCurrentClocksThrottleReasons"):
        document["calls"]['nvmlDeviceGetTemperatureV("@0", 0)'] = [[0.0, error(NOT_SUPPORTED)]]
        document["calls"][f'{call}("@0")'] = [[0.0, error(NOT_SUPPORTED)]]
    gpu = Watched(document).read(0.0).gpus[0]
    assert gpu.lost == ""
    assert gpu.temperature is gpu.power is gpu.memory_used is gpu.throttle is None


def test_one_sensor_that_fails_leaves_the_others():
    document = ALL["dgx"]()
    document["calls"]['nvmlDeviceGetPowerUsage("@0")'] = [[0.0, error(999)], [4.0, value(500_000)]]
    box = Watched(document)
    gpu = box.read(0.0).gpus[0]
    assert gpu.power is None
    assert gpu.why_missing("power") == "unknown error of the driver"
    assert gpu.temperature == 60.0
    assert box.read(4.0).gpus[0].power == 500.0  # what merely failed is asked again


def test_the_driver_is_replaced_while_it_is_watched():
    box = Watched("upgrade")
    assert box.read(0.0).driver == "550.90.07"
    gone = box.read(10.0)
    assert gone.problem == "the NVIDIA driver went away: the library was shut down"
    again = box.read(10.0 + FIRST_RETRY_S)
    assert "the driver was updated and its library no longer matches" in again.problem
    inits = box.module.asked["nvmlInit()"]
    assert box.read(16.0).problem == again.problem
    assert box.module.asked["nvmlInit()"] == inits  # it waits before it tries again
    back = box.read(400.0)
    assert (back.problem, back.driver, back.gpus[0].utilisation) == ("", "560.35.03", 93.0)


def test_no_driver_no_gpu_no_binding_are_one_sentence_each():
    assert Watched("no_driver").read(0.0).problem == NO_DRIVER
    assert Watched(Box(0).document("no GPU")).read(0.0).problem == NO_GPU

    def missing():
        raise ImportError

    assert GpuSession(missing).read(0.0).problem == NO_BINDING


def test_gpus_that_are_added_later_are_found():
    document = ALL["dgx"]()
    document["calls"]["nvmlDeviceGetCount()"] = [[0.0, value(0)], [50.0, value(8)]]
    box = Watched(document)
    assert box.read(0.0).problem == NO_GPU
    assert len(box.read(60.0).gpus) == 8


def test_a_clock_that_is_set_back_puts_nothing_off():
    box = Watched("dgx")
    box.read(1e6)
    asked = box.module.asked['nvmlDeviceGetEccMode("@0")']
    box.read(10.0)
    assert box.module.asked['nvmlDeviceGetEccMode("@0")'] == asked + 1


def test_the_real_binding_here():
    """Whatever this box has: either GPUs are read, or one sentence says why not."""
    session = GpuSession()
    found = session.read(0.0)
    session.close()
    assert bool(found.gpus) != bool(found.problem)
    assert not found.problem.endswith(".")
    assert "\n" not in found.problem


def test_a_recording_replays_to_the_same_samples():
    clock = Clock()
    original = Watched("ecc")
    recorder = Recorder(original.module, original.clock)
    session = GpuSession(lambda: recorder)
    expected = []
    for at in (0.0, 5.0, 12.0, 24.0):
        original.clock.now = at
        expected.append(session.read(at))
    again = Replay(json.loads(json.dumps(recorder.document("a test"))), clock)
    session = GpuSession(lambda: again)
    for at, found in zip((0.0, 5.0, 12.0, 24.0), expected, strict=True):
        clock.now = at
        assert session.read(at) == found


def test_a_trace_answers_nothing_that_was_not_asked():
    with pytest.raises(TraceGapError):
        replay(TRACES / "dgx.json").nvmlDeviceGetName("@99")


def test_recording_reads_everything_in_every_round():
    box = Watched("dgx")
    times = iter((0.0, 5.0, 10.0))

    def rest(seconds):
        assert seconds == 1.0
        box.clock.now = next(times, 0.0)
        raise StopIteration

    with pytest.raises(StopIteration):
        record(box.module, 60.0, rest)
    assert box.module.asked['nvmlDeviceGetTotalEccErrors("@7", 1, 1)'] == 1


def test_the_recorder_without_a_driver_says_so(tmp_path, monkeypatch, capsys):
    module = replay(TRACES / "no_driver.json")
    monkeypatch.setattr("mens_console.hardware.trace.load", lambda: module)
    assert main([str(tmp_path / "out.json"), "--seconds", "0", "--origin", "a box without GPUs"]) == 1
    assert "NVML could not be opened" in capsys.readouterr().err
    written = json.loads((tmp_path / "out.json").read_text())
    assert written["origin"] == "a box without GPUs"
    assert written["calls"]["nvmlInit()"][0][1]["error"] == 12
