"""The sampler: its own thread, its pace, what a hanging driver does to it, and what it makes of the parts."""

import os
import subprocess
import sys
import threading

import pytest
from hardware.documented import ALL, TRACES, replay

from mens_console.hardware.sampler import UNANSWERED, Sampler
from mens_console.hardware.trace import Replay
from mens_console.signals.machine import machine_observations
from mens_console.signals.rules import RULES
from mens_console.store.machinereport import machine_document

WAIT_S = 20.0


class Samples:
    """Collects views as they come; `after(n)` waits for the n-th."""

    def __init__(self, sampler):
        self.sampler, self.views, self.came = sampler, [], threading.Condition()

    def __call__(self):
        with self.came:
            self.views.append(self.sampler.latest)
            self.came.notify_all()

    def after(self, n):
        with self.came:
            assert self.came.wait_for(lambda: len(self.views) >= n, WAIT_S)
            return self.views[n - 1]


@pytest.fixture
def started():
    running = []

    def start(**options):
        sampler = Sampler(**{"binding": lambda: replay(TRACES / "no_driver.json"), **options})
        samples = Samples(sampler)
        running.append(sampler)
        return sampler, samples

    yield start
    for sampler in running:
        sampler.stop()


def test_nothing_heavy_is_loaded_before_the_start():
    code = "import sys; from mens_console.hardware.sampler import Sampler; Sampler(); " \
        "print([m for m in ('psutil', 'pynvml', 'numpy', 'textual') if m in sys.modules])"  # fmt: skip
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_without_a_driver_everything_else_works(started, tmp_path):
    sampler, samples = started(pace=(0.01, 60.0))
    assert sampler.latest is None
    sampler.watch({"run": tmp_path}, {os.getpid(): "run"})
    sampler.start(samples)
    view = samples.after(2)
    assert view.gpu_problem == "no NVIDIA driver: libnvidia-ml.so.1 was not found"
    assert view.gpus == ()
    assert view.host.cpu_percent is not None
    assert [volume.runs for volume in view.volumes] == [("run",)]
    assert (view.processes[0].pid, view.processes[0].run) == (os.getpid(), "run")
    assert view.problems == ()
    assert (view.rev, view.interval) == (2, 60.0)


def test_somebody_who_looks_gets_samples_at_once_and_often(started):
    sampler, samples = started(pace=(0.01, 3600.0))
    sampler.start(samples)
    samples.after(2)
    sampler.hurry(True)
    assert samples.after(6).interval == 0.01


def test_stop_ends_the_thread_and_may_be_called_twice(started):
    sampler, samples = started(pace=(0.01, 3600.0))
    sampler.start(samples)
    samples.after(1)
    thread = sampler._thread
    sampler.stop()
    assert not thread.is_alive()
    sampler.stop()
    sampler.start(samples)  # and it may be started anew
    samples.after(len(samples.views) + 2)
    assert sampler.latest.gpu_problem.startswith("no NVIDIA driver")


def test_stop_between_the_thread_and_its_start(started, monkeypatch):
    sampler, samples = started(pace=(0.01, 3600.0))

    class Late(threading.Thread):
        def start(self):
            sampler.stop()  # as another thread does meanwhile
            super().start()

    monkeypatch.setattr("mens_console.hardware.sampler.threading.Thread", Late)
    sampler.start(samples)
    sampler._thread.join(30)
    assert not sampler._thread.is_alive()


def test_gpus_have_histories_and_their_processes_runs(started):
    clock = iter(range(100, 10_000))
    me = os.getpid()
    document = ALL["dgx"]()
    for key, answers in document["calls"].items():
        if "ComputeRunningProcesses" in key:
            for row in answers[0][1]["value"]:
                row["pid"] = me
    sampler, samples = started(
        binding=lambda: Replay(document, lambda: 0.0), clock=lambda: float(next(clock)), pace=(0.01, 0.01)
    )
    sampler.watch({}, {me: "qwen"})
    sampler.start(samples)
    view = samples.after(4)
    gpu = view.gpus[2]
    assert (view.driver, view.cuda, len(view.gpus)) == ("550.90.07", "12.4", 8)
    assert gpu.utilisation_history.values == (93.0,) * 4
    assert gpu.utilisation_history.at == (100.0, 101.0, 102.0, 103.0)
    assert gpu.power_history.values[0] == pytest.approx(612.347)
    assert (gpu.processes[0].run, bool(gpu.processes[0].name)) == ("qwen", True)


def test_a_driver_that_hangs_leaves_the_last_values_stamped_and_the_host_alive(started):
    gate, hangs = threading.Event(), threading.Event()
    inner = replay(TRACES / "dgx.json")

    class Module:
        NVMLError = inner.NVMLError

        def __getattr__(self, name):
            if name == "nvmlDeviceGetUtilizationRates" and hangs.is_set():
                gate.wait()
            return getattr(inner, name)

    now = [1000.0]
    sampler, samples = started(binding=Module, clock=lambda: now[0], pace=(0.01, 0.01), patience=0.2)
    sampler.start(samples)
    assert samples.after(1).gpus_at == 1000.0
    hangs.set()
    now[0] = 1040.0
    count = len(samples.views)
    view = samples.after(count + 3)
    assert view.gpu_problem == "the NVIDIA driver does not answer: GPUs as read 40 s ago"
    assert (view.at, view.gpus_at, view.gpus[0].at) == (1040.0, 1000.0, 1000.0)
    assert view.gpus_stale
    assert view.host.at == 1040.0
    assert {str(one.signal) for one in machine_observations(None, view, RULES)} == {"nodata"}
    hangs.clear()
    gate.set()
    with samples.came:
        assert samples.came.wait_for(lambda: samples.views[-1].gpu_problem == "", WAIT_S)
    assert not sampler.latest.gpus_stale


def test_a_driver_that_never_answered_is_said_to(started):
    gate = threading.Event()
    sampler, samples = started(binding=gate.wait, pace=(0.01, 0.01), patience=0.02)
    sampler.start(samples)
    view = samples.after(2)
    assert (view.gpu_problem, view.gpus) == (UNANSWERED, ())
    gate.set()


def test_a_part_that_breaks_is_told_and_leaves_the_others(started):
    class Broken:
        def read(self, folders, now):
            raise RuntimeError("an odd box")

        def close(self):
            pass

    sampler, samples = started(pace=(0.01, 60.0), volumes=Broken)
    sampler.start(samples)
    view = samples.after(2)
    assert view.problems == ("volumes cannot be read: RuntimeError: an odd box",)
    assert view.volumes == ()
    assert view.host is not None


def test_a_binding_that_breaks_is_told(started):
    def broken():
        raise RuntimeError("not NVML at all")

    sampler, samples = started(binding=broken, pace=(0.01, 60.0))
    sampler.start(samples)
    view = samples.after(1)
    assert view.gpu_problem == "the GPUs could not be read"
    assert view.problems == ("GPUs cannot be read: RuntimeError: not NVML at all",)


def test_one_sample_without_a_thread_for_headless_commands(tmp_path):
    sampler = Sampler(binding=lambda: replay(TRACES / "consumer.json"))
    sampler.watch({"run": tmp_path}, {})
    view = sampler.once()
    assert view.gpus[0].name == "NVIDIA GeForce RTX 4090"
    assert view.host.cpu_percent is None


def test_an_ecc_error_goes_from_the_driver_to_the_alert():
    clock = [0.0]
    module = replay(TRACES / "ecc.json", lambda: clock[0])
    from mens_console.hardware.session import GpuSession
    from mens_console.signals.machine import MachineView

    session, before, told = GpuSession(lambda: module), None, []
    for at in (0.0, 12.0, 16.0, 24.0):
        clock[0] = at
        view = MachineView(1, at, 4.0, session.read(at).gpus, gpus_at=at)
        told.append([(o.rule, o.value) for o in machine_observations(before, view, RULES) if str(o.signal) == "breach"])
        before = view
    assert told == [[], [("gpu_ecc", 1), ("gpu_xid", 48), ("gpu_xid", 63)], [], [("gpu_ecc", 2)]]


# ---------------------------------------------------------------------- the document


def test_the_document_keeps_what_is_missing_apart_from_zero():
    import orjson
    from screens.machine import view1, view8, viewnone

    document = orjson.loads(orjson.dumps(machine_document(view8())))
    lost, well, mig = document["gpus"][5], document["gpus"][0], document["gpus"][4]
    assert lost["lost"].startswith("the GPU is lost")
    assert lost["utilisation_percent"] is None
    assert lost["throttle_reasons"] is None
    assert (well["utilisation_percent"], well["ecc_volatile_uncorrected"], well["throttle_reasons"]) == (
        93.0, 0, ["sw_power_cap"],
    )  # fmt: skip
    assert well["processes"][0]["run"] == "qwen-lora-r16"
    assert mig["not_available"] == {"utilisation": "not measured while MIG is on"}
    assert [one["profile"] for one in mig["mig"]] == ["1g.10gb"] * 3
    data, scratch = document["volumes"]
    assert data["fill"]["full_in_s"]["low"] < data["fill"]["full_in_s"]["expected"]
    assert scratch["fill"] is None
    assert scratch["fill_unknown_because"]
    assert machine_document(view1())["gpus"][0]["ecc_volatile_corrected"] is None
    nothing = machine_document(viewnone())
    assert nothing["gpu_problem"] == "no NVIDIA driver: libnvidia-ml.so.1 was not found"
    assert (nothing["gpus"], nothing["gpus_read_at"], nothing["driver"]) == ([], None, None)
