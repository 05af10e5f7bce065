"""Samples of the machine: what is written, from traces of boxes with GPUs, and what a fault in it may do: nothing."""

import os
import threading
import warnings
from types import SimpleNamespace

import pytest
from collectors.written import events, program, rows, wait_for
from hardware.documented import ALL, TRACES, replay

from mens_console.collectors import gpus as gpus_module
from mens_console.collectors.gpus import RETRY_S, Allocator, Gpus, allocators
from mens_console.collectors.guard import CollectorWarning, Guard
from mens_console.collectors.session import Session
from mens_console.collectors.system import Machine, SystemSampler
from mens_console.hardware.trace import Replay
from mens_console.signals.system import FIGURES
from mens_contracts.telemetry import GpuUse, HostUse, ProcessUse, TelemetryRow, WorkersUse

GIB = 1 << 30


def gpus(name, value=None, counts=(), clock=lambda: 0.0):
    module = replay(TRACES / f"{name}.json", clock) if isinstance(name, str) else Replay(name, clock)
    return Gpus(lambda: module, lambda: list(counts), lambda: value), module


# ------------------------------------------------------------------ GPUs


def test_only_the_gpus_that_the_process_may_use_are_read():
    reader, module = gpus("dgx", "5,2")
    told = reader.read(0.0)
    assert [gpu["index"] for gpu in told] == [5, 2]
    assert told[0] == {
        "index": 5,
        "uuid": "GPU-00000005-1111-2222-3333-444444444444",
        "util_percent": 93.0,
        "memory_used_bytes": 61_203_283_968,
        "memory_total_bytes": (80 << 30) - (371 << 20),
        "power_watts": pytest.approx(612.35),
        "temperature_celsius": 65.0,
        "sm_clock_mhz": 1755.0,
        "memory_clock_mhz": 2619.0,
        "throttle": ["sw_power_cap"],
    }
    assert not any('("@0"' in key and "Utilization" in key for key in module.asked)
    assert not any("RegisterEvents" in key or "EccErrors" in key for key in module.asked)


def test_a_choice_that_names_nothing_leaves_the_gpus_alone_and_is_not_asked_for_again():
    reader, module = gpus("dgx", "")
    assert reader.read(0.0) == reader.read(15.0) == []
    assert module.asked["nvmlDeviceGetCount()"] == 1


def test_peaks_of_pytorch_stand_with_their_gpu():
    uuid = "{:08d}-1111-2222-3333-444444444444".format
    counts = [Allocator(uuid(6), 5 * GIB, 7 * GIB), Allocator(uuid(1), 2 * GIB, None)]
    told = gpus("dgx", "0,1", counts)[0].read(0.0)  # CUDA counts the fastest first
    assert [gpu["index"] for gpu in told] == [6, 1]
    assert (told[0]["allocated_peak_bytes"], told[0]["reserved_peak_bytes"]) == (5 * GIB, 7 * GIB)
    assert told[1]["allocated_peak_bytes"] == 2 * GIB
    assert "reserved_peak_bytes" not in told[1]


def test_peaks_that_fit_no_gpu_are_not_told_of_one():
    told = gpus("dgx", "0,1", [Allocator("", GIB, GIB)])[0].read(0.0)
    assert [gpu["index"] for gpu in told] == [0, 1]
    assert not any("allocated_peak_bytes" in gpu for gpu in told)


def test_of_a_gpu_in_slices_only_the_slice_has_memory():
    (one,) = gpus("mig", "MIG-00000001-1111-2222-3333-444444444444")[0].read(0.0)
    assert (one["index"], one["mig_instance"], one["memory_used_bytes"]) == (0, 2, GIB)
    assert one["uuid"].startswith("MIG-")
    assert one["temperature_celsius"] == 60.0
    assert "util_percent" not in one
    (whole,) = gpus("mig")[0].read(0.0)
    assert "memory_used_bytes" not in whole  # of the slices of others, too


def test_clocks_that_are_lowered_say_why():
    now = [0.0]
    reader, _ = gpus("throttling", clock=lambda: now[0])
    assert reader.read(0.0)[0]["throttle"] == ["sw_power_cap"]
    now[0] = 12.0
    assert reader.read(12.0)[0]["throttle"] == ["hw_slowdown", "hw_thermal"]


def test_a_lost_gpu_tells_only_which_it_is():
    now = [0.0]
    reader, _ = gpus("lost", clock=lambda: now[0])
    count = len(reader.read(0.0))
    now[0] = 3600.0
    told = reader.read(3600.0)
    assert len(told) == count
    assert any(set(gpu) <= {"index", "uuid"} for gpu in told)


def test_a_driver_that_goes_away_is_asked_again_much_later():
    document = ALL["consumer"]()
    for key, answers in document["calls"].items():
        if "Utilization" in key:
            answers.append([10.0, {"error": 1}])
            answers.append([400.0, answers[0][1]])
    now = [0.0]
    reader, module = gpus(document, clock=lambda: now[0])
    assert reader.read(0.0)
    now[0] = 15.0
    assert reader.read(15.0) == []
    opened = module.asked["nvmlInit()"]
    assert reader.read(30.0) == []
    assert module.asked["nvmlInit()"] == opened
    now[0] = 15.0 + RETRY_S + 100.0
    assert reader.read(now[0])


def test_a_box_without_a_driver_or_the_binding_says_nothing_and_is_asked_seldom():
    def missing():
        raise ImportError("no pynvml")

    asked = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Gpus(missing, list, lambda: None).read(0.0) == []
        reader, module = gpus("no_driver")
        for at in range(0, 150, 15):
            asked.append(reader.read(float(at)))
    assert asked == [[]] * 10
    assert module.asked["nvmlInit()"] == 1
    only = Gpus(missing, lambda: [Allocator("", GIB, None)], lambda: None)
    assert only.read(0.0) == [{"index": 0, "allocated_peak_bytes": GIB}]


def fake_torch(**cuda):
    return {"torch": SimpleNamespace(cuda=SimpleNamespace(**cuda))}


def test_pytorch_is_not_woken_and_its_errors_are_its_own(monkeypatch):
    def broken(place):
        raise RuntimeError("CUDA error: device-side assert triggered")

    def refuse(*args):
        raise AssertionError("CUDA would have been started")

    monkeypatch.setattr(gpus_module, "sys", SimpleNamespace(modules={}))
    assert allocators() == []
    modules = fake_torch(is_initialized=lambda: False, device_count=refuse, memory_stats_as_nested_dict=refuse)
    monkeypatch.setattr(gpus_module, "sys", SimpleNamespace(modules=modules))
    assert allocators() == []
    modules = fake_torch(is_initialized=lambda: True, device_count=lambda: 1, memory_stats_as_nested_dict=broken)
    monkeypatch.setattr(gpus_module, "sys", SimpleNamespace(modules=modules))
    assert allocators() == []
    stats = {"allocated_bytes": {"all": {"peak": 5, "current": 1}}, "reserved_bytes": {"all": {}}}
    modules = fake_torch(
        is_initialized=lambda: True, device_count=lambda: 1, memory_stats_as_nested_dict=lambda place: stats,
        get_device_properties=lambda place: SimpleNamespace(uuid="abc"),
    )  # fmt: skip
    monkeypatch.setattr(gpus_module, "sys", SimpleNamespace(modules=modules))
    assert allocators() == [Allocator("abc", 5, None)]


def test_the_contract_and_the_table_of_series_know_the_same_fields():
    models = {"process": ProcessUse, "workers": WorkersUse, "host": HostUse, "gpu": GpuUse}
    beside = {"index", "uuid", "mig_instance", "throttle"}
    for part, model in models.items():
        assert {figure.field for figure in FIGURES[part]} == set(model.model_fields) - beside


# ------------------------------------------------------------------ the thread


class FakeMachine:
    def __init__(self, fault=None):
        self.fault, self.reads, self.closed = fault, 0, threading.Event()

    def read(self, now):
        self.reads += 1
        if self.fault is not None and self.reads > 2:
            raise self.fault
        return {"host": {"load1": 1.0}}

    def close(self):
        self.closed.set()


def test_samples_come_on_their_own_and_say_at_which_step():
    told, machine = [], FakeMachine()
    sampler = SystemSampler(
        told.append, every_s=0.0, step=lambda: 7 if len(told) else None, guard=Guard(), machine=lambda: machine
    )
    sampler.start()
    wait_for(lambda: len(told) > 2)
    sampler.stop(10.0)
    assert told[0] == {"host": {"load1": 1.0}}  # before the first step there is none to name
    assert told[1] == {"step": 7, "host": {"load1": 1.0}}
    assert machine.closed.is_set()
    assert sampler.samples == len(told)


def test_a_fault_ends_the_samples_with_one_warning_and_nothing_else():
    told, guard = [], Guard()
    sampler = SystemSampler(
        told.append, every_s=0.0, step=lambda: 1, guard=guard, machine=lambda: FakeMachine(OSError("the sensor burnt"))
    )
    with pytest.warns(CollectorWarning, match="'system' is off .*the sensor burnt"):
        sampler.start()
        wait_for(lambda: guard.off("system"))
        sampler.stop(10.0)
    assert len(told) == 1


def test_a_driver_that_hangs_holds_nothing_up(tmp_path):
    code = """
import sys, threading
from mens_console.collectors import gpus
from mens_console.collectors.session import Session

def hang(self, now):
    print("hanging", flush=True)
    threading.Event().wait()

gpus.Gpus.read = hang
session = Session(sys.argv[1], system_every_s=0.1)
session.start()
session.step(1, loss=1.0)
session.finish()
print("done")
"""
    assert program(code, tmp_path / "run").stdout.split()[-1] == "done"
    assert [row["event"] for row in rows(tmp_path / "run" / "telemetry.jsonl")] == ["train_start", "step", "train_end"]


FORKS = """
import os, sys, time
from mens_console.collectors.session import Session

session = Session(sys.argv[1], system_every_s=0.1)
session.start()
path = os.path.join(sys.argv[1], "telemetry.jsonl")
step = 0
def samples():
    return open(path).read().count('"event":"system"') if os.path.exists(path) else 0
while samples() < 2:
    step += 1
    session.step(step, loss=1.0)
    time.sleep(0.05)
child = os.fork()
if not child:
    session.step(step + 1, loss=9.0)
    session.finish("crashed")
    os._exit(0)
os.waitpid(child, 0)
before = samples()
while samples() <= before:
    time.sleep(0.05)
session.finish()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_real_training_is_sampled_before_and_after_a_fork(tmp_path):
    program(FORKS, tmp_path)
    path = tmp_path / "telemetry.jsonl"
    told = events(path, "system")
    assert len(told) > 2
    for row in rows(path):
        TelemetryRow.model_validate(row)
    assert told[-1]["process"]["rss_bytes"] > 1_000_000
    assert told[-1]["host"]["memory_total_bytes"] > 0
    assert {row["status"] for row in events(path, "train_end")} == {"completed"}


def test_a_pace_without_end_is_once_a_day():
    sampler = SystemSampler(list, every_s=float("inf"), step=lambda: 1, guard=Guard(), machine=FakeMachine)
    sampler.start()
    sampler.stop(10.0)
    assert sampler._every_s == 86_400.0
    assert not sampler._thread.is_alive()


@pytest.mark.parametrize("every_s", [0, 0.0, -1.0, float("nan")])
def test_zero_turns_it_off(tmp_path, every_s):
    session = Session(tmp_path, system_every_s=every_s)
    session.start()
    names = {thread.name for thread in threading.enumerate()}
    session.finish()
    assert "mens-system" not in names


def test_a_short_training_tells_nothing_of_the_machine(tmp_path):
    session = Session(tmp_path)
    session.step(1, loss=1.0)
    session.finish()
    assert events(tmp_path / "telemetry.jsonl", "system") == []


def test_this_box_can_be_read():
    machine = Machine()
    machine.read(0.0)
    told = machine.read(1.0)
    machine.close()
    TelemetryRow.model_validate({"ts_ms": 1, "event": "system", "payload": told})
    assert told["process"]["rss_bytes"] > 0
