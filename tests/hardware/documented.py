"""NVML traces written from NVIDIA's documentation (nvml.h, the NVML API reference), not recorded on any GPU.

`python tests/hardware/documented.py` writes them to `traces/`; a test holds them together. Values are of the kind and
in the units that the reference gives: mW, °C, MHz, bytes, KB/s (`nvmlDeviceGetPcieThroughput`), KiB (NVLink fields).
"""

import json
from pathlib import Path

from mens_console.hardware.trace import SCHEMA, Replay, call_key

TRACES = Path(__file__).with_name("traces")
ORIGIN = "written from the documentation"
NOT_SUPPORTED, NOT_FOUND, UNINITIALIZED, LIBRARY_NOT_FOUND = 3, 6, 1, 12
NO_PERMISSION, FUNCTION_NOT_FOUND, LOST, MISMATCH, UNKNOWN = 4, 13, 15, 18, 999
EVENTS = "@events"
GIB, MIB = 1 << 30, 1 << 20


def value(answer):
    return {"value": answer}


def error(code):
    return {"error": code}


def always(answer):
    return [[0.0, answer]]


def replay(path, clock=lambda: 0.0):
    return Replay(json.loads(Path(path).read_text()), clock)


class Box:
    """Calls and their answers; later answers of a call replace earlier ones from their time on."""

    def __init__(self, gpus, driver="550.90.07", cuda=12040):
        self.calls = {}
        self.tell("nvmlInit", value(None))
        self.tell("nvmlShutdown", value(None))
        self.tell("nvmlSystemGetDriverVersion", value(driver))
        self.tell("nvmlSystemGetCudaDriverVersion", value(cuda))
        self.tell("nvmlDeviceGetCount", value(gpus))
        self.tell("nvmlEventSetCreate", value(EVENTS))
        self.tell("nvmlEventSetFree", value(None), EVENTS)

    def tell(self, name, answer, *arguments, at=0.0, **options):
        answers = self.calls.setdefault(call_key(name, arguments, options), [])
        answers[:] = [entry for entry in answers if entry[0] < at]
        answers.append([at, answer])

    def data_centre_gpu(self, index, name="NVIDIA H100 80GB HBM3", pid=4121):
        """An SXM GPU with ECC, NVLink and field values, at work."""
        gpu = f"@{index}"
        self.identity(index, name, f"00000000:{0x18 + 0x11 * index:02X}:00.0")
        tell = lambda call, answer, *rest, **options: self.tell(call, answer, gpu, *rest, **options)  # noqa: E731
        tell("nvmlDeviceRegisterEvents", value(None), 8, EVENTS)
        tell("nvmlDeviceGetTemperatureThreshold", value(87), 1)
        for kind, most, now in ((1, 1980, 1755), (2, 2619, 2619)):
            tell("nvmlDeviceGetMaxClockInfo", value(most), kind)
            tell("nvmlDeviceGetClockInfo", value(now), kind)
        tell("nvmlDeviceGetUtilizationRates", value({"gpu": 93, "memory": 41}))
        memory = {"version": 0x02000028, "total": 80 * GIB - 371 * MIB, "reserved": 542 * MIB, "used": 61_203_283_968}
        tell("nvmlDeviceGetMemoryInfo", value({**memory, "free": memory["total"] - memory["used"]}), version=0x02000028)
        tell("nvmlDeviceGetTemperature", value(60 + index), 0)
        tell("nvmlDeviceGetPowerUsage", value(612_345 + index))
        tell("nvmlDeviceGetEnforcedPowerLimit", value(700_000))
        tell("nvmlDeviceGetCurrentClocksEventReasons", value(0x4))
        tell("nvmlDeviceGetEccMode", value([1, 1]))
        for kind in (0, 1):
            for counter in (0, 1):
                tell("nvmlDeviceGetTotalEccErrors", value(3 * (not kind) * (counter + 1)), kind, counter)
        self.links(index, 0.0, 0, 0)
        self.links(index, 5.0, 6_000_000_000, 440_000_000)
        tell("nvmlDeviceGetMigMode", value([0, 0]))
        self.processes(index, [(pid, 60_000_000_000)])

    def identity(self, index, name, bus):
        gpu = f"@{index}"
        self.tell("nvmlDeviceGetHandleByIndex", value(gpu), index)
        self.tell("nvmlDeviceGetUUID", value(f"GPU-0000000{index}-1111-2222-3333-444444444444"), gpu)
        self.tell("nvmlDeviceGetName", value(name), gpu)
        self.tell("nvmlDeviceGetPciInfo", value({"busId": bus, "domain": 0, "device": 0}), gpu)

    def links(self, index, at, pcie_bytes, nvlink_kib):
        """Set the counters behind the PCIe (bytes) and NVLink (KiB) fields; half as much is received."""
        gpu = f"@{index}"
        self.tell(
            "nvmlDeviceGetFieldValues", value([field(197, 0, pcie_bytes), field(198, 0, pcie_bytes // 2)]),
            gpu, [[197, 0], [198, 0]], at=at,
        )  # fmt: skip
        every = 0xFFFFFFFF
        self.tell(
            "nvmlDeviceGetFieldValues", value([field(138, every, nvlink_kib), field(139, every, nvlink_kib // 2)]),
            gpu, [[138, every], [139, every]], at=at,
        )  # fmt: skip

    def processes(self, index, compute, graphics=(), at=0.0, instance=0xFFFFFFFF):
        for kind, rows in (("Compute", compute), ("Graphics", graphics)):
            answer = [
                {"pid": pid, "usedGpuMemory": memory, "gpuInstanceId": instance, "computeInstanceId": instance}
                for pid, memory in rows
            ]
            self.tell(f"nvmlDeviceGet{kind}RunningProcesses", value(answer), f"@{index}", at=at)

    def event(self, at, index, xid):
        data = {"device": f"@{index}", "eventType": 8, "eventData": xid, "gpuInstanceId": 0, "computeInstanceId": 0}
        self.calls.setdefault(call_key("nvmlEventSetWait", (EVENTS, 0), {}), []).append([at, value(data)])

    def lose(self, index, at):
        """From `at` on every call about this GPU answers that it is lost, as nvml.h says of NVML_ERROR_GPU_IS_LOST."""
        for key, answers in self.calls.items():
            if f'("@{index}"' in key:
                answers.append([at, error(LOST)])

    def document(self, about):
        return {"schema": SCHEMA, "origin": ORIGIN, "about": about, "calls": self.calls}


def field(number, scope, count, failed=0):
    return {
        "fieldId": number, "scopeId": scope, "timestamp": 0, "latencyUsec": 0, "valueType": 3, "nvmlReturn": failed,
        "value": {"ullVal": count},
    }  # fmt: skip


def dgx():
    box = Box(8)
    for index in range(8):
        box.data_centre_gpu(index)
    return box.document("eight data-centre GPUs at work, with ECC, NVLink and PCIe counters")


def consumer():
    """A workstation's card: no ECC, no NVLink, no counters behind fields, memory of processes not told."""
    box = Box(1)
    box.data_centre_gpu(0, "NVIDIA GeForce RTX 4090")
    box.identity(0, "NVIDIA GeForce RTX 4090", "00000000:01:00.0")
    for name, *arguments in (
        ("nvmlDeviceGetEccMode",), ("nvmlDeviceGetMigMode",),
        ("nvmlDeviceGetMaxClockInfo", 2), ("nvmlDeviceRegisterEvents", 8, EVENTS),
    ):  # fmt: skip
        box.tell(name, error(NOT_SUPPORTED), "@0", *arguments)
    fields = [key for key in box.calls if key.startswith("nvmlDeviceGetFieldValues")]
    for key in fields:
        del box.calls[key]
    refused = value([field(197, 0, 0, NOT_SUPPORTED), field(198, 0, 0, NOT_SUPPORTED)])
    box.tell("nvmlDeviceGetFieldValues", refused, "@0", [[197, 0], [198, 0]])
    every = 0xFFFFFFFF
    for scope in (every, *range(18)):
        refused = value([field(138, scope, 0, NOT_SUPPORTED), field(139, scope, 0, NOT_SUPPORTED)])
        box.tell("nvmlDeviceGetFieldValues", refused, "@0", [[138, scope], [139, scope]])
    box.tell("nvmlDeviceGetPcieThroughput", value(1_250_000), "@0", 0)
    box.tell("nvmlDeviceGetPcieThroughput", value(48_000), "@0", 1)
    # `usedGpuMemory` is NVML_VALUE_NOT_AVAILABLE where the driver's model hides it; the binding makes it None.
    box.processes(0, [(4121, None)], [(1800, 94_371_840), (4121, None)])
    box.tell("nvmlDeviceGetCurrentClocksEventReasons", value(0x1), "@0")
    return box.document("a consumer card without ECC, NVLink, MIG, events and field counters")


def mig():
    """One GPU cut into seven slices: no utilisation, processes by instance only."""
    box = Box(1)
    box.data_centre_gpu(0, "NVIDIA A100-SXM4-80GB")
    box.tell("nvmlDeviceGetMigMode", value([1, 1]), "@0")
    box.tell("nvmlDeviceGetUtilizationRates", error(NOT_SUPPORTED), "@0")
    box.tell("nvmlDeviceGetComputeRunningProcesses", error(NO_PERMISSION), "@0")
    box.tell("nvmlDeviceGetMaxMigDeviceCount", value(7), "@0")
    for index in range(7):
        if index >= 2:
            box.tell("nvmlDeviceGetMigDeviceHandleByIndex", error(NOT_FOUND), "@0", index)
            continue
        one = f"@0.{index}"
        box.tell("nvmlDeviceGetMigDeviceHandleByIndex", value(one), "@0", index)
        box.tell("nvmlDeviceGetUUID", value(f"MIG-0000000{index}-1111-2222-3333-444444444444"), one)
        box.tell("nvmlDeviceGetName", value(f"NVIDIA A100-SXM4-80GB MIG {3 - index}g.{40 - 20 * index}gb"), one)
        box.tell("nvmlDeviceGetGpuInstanceId", value(1 + index), one)
        total = (40 - 20 * index) * 1000 * MIB
        box.tell("nvmlDeviceGetMemoryInfo", value({"total": total, "free": total - GIB, "used": GIB}), one)
        shape = {
            "multiprocessorCount": 14 * (3 - index), "gpuInstanceSliceCount": 3 - index,
            "computeInstanceSliceCount": 3 - index, "memorySizeMB": (40 - 20 * index) * 1000,
        }  # fmt: skip
        box.tell("nvmlDeviceGetAttributes_v2", value(shape), one)
        rows = [{"pid": 7001 + index, "usedGpuMemory": GIB, "gpuInstanceId": 1 + index, "computeInstanceId": 0}]
        box.tell("nvmlDeviceGetComputeRunningProcesses", value(rows), one)
    return box.document("a data-centre GPU in MIG mode with a 3g.40gb and a 2g.20gb instance")


def throttling():
    """A GPU that gets hot at 10 s, is braked for power at 20 s and well again at 30 s; another is at its power cap."""
    box = Box(2)
    box.data_centre_gpu(0)
    box.data_centre_gpu(1)
    reasons = "nvmlDeviceGetCurrentClocksEventReasons"
    box.tell("nvmlDeviceGetTemperature", value(89), "@0", 0, at=10.0)
    box.tell(reasons, value(0x8 | 0x40), "@0", at=10.0)
    box.tell("nvmlDeviceGetClockInfo", value(1095), "@0", 1, at=10.0)
    box.tell(reasons, value(0x8 | 0x80), "@0", at=20.0)
    box.tell("nvmlDeviceGetTemperature", value(70), "@0", 0, at=20.0)
    box.tell(reasons, value(0x0), "@0", at=30.0)
    return box.document("thermal slowdown, then a power brake, then neither; beside it a software power cap")


def ecc():
    """An uncorrected error at 10 s (XID 48, then 63), one more at 20 s."""
    box = Box(1)
    box.data_centre_gpu(0)
    for at, count in ((10.0, 1), (20.0, 2)):
        box.tell("nvmlDeviceGetTotalEccErrors", value(count), "@0", 1, 0, at=at)
        box.tell("nvmlDeviceGetTotalEccErrors", value(4 + count), "@0", 1, 1, at=at)
    box.event(10.0, 0, 48)
    box.event(10.0, 0, 63)
    return box.document("uncorrected ECC errors with their XIDs")


def lost():
    """The second of two GPUs falls off the bus at 10 s."""
    box = Box(2)
    box.data_centre_gpu(0)
    box.data_centre_gpu(1)
    box.lose(1, 10.0)
    box.event(10.0, 1, 79)
    return box.document("a GPU that falls off the bus while it is watched")


def upgrade():
    """The driver is replaced at 10 s and its library no longer matches until 100 s."""
    box = Box(1)
    box.data_centre_gpu(0)
    for answers in box.calls.values():
        answers.append([10.0, error(UNINITIALIZED)])
    init = call_key("nvmlInit", (), {})
    box.calls[init] = [[0.0, value(None)], [10.0, error(MISMATCH)], [100.0, value(None)]]
    for key, answers in box.calls.items():
        if key != init:
            answers.append([100.0, answers[0][1]])
    box.tell("nvmlSystemGetDriverVersion", value("560.35.03"), at=100.0)
    return box.document("a driver that is replaced while it is watched")


def no_driver():
    return {
        "schema": SCHEMA, "origin": ORIGIN, "about": "no driver",
        "calls": {call_key("nvmlInit", (), {}): always(error(LIBRARY_NOT_FOUND))},
    }  # fmt: skip


ALL = {
    "dgx": dgx, "consumer": consumer, "mig": mig, "throttling": throttling, "ecc": ecc, "lost": lost,
    "upgrade": upgrade, "no_driver": no_driver,
}  # fmt: skip


def text_of(document):
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    for name, build in ALL.items():
        (TRACES / f"{name}.json").write_text(text_of(build()))
