"""A made-up machine beside the made-up box: eight GPUs with one of each trouble, one GPU of a workstation, or none."""

import math
from dataclasses import replace

from screens.box import NOW

from mens_console.signals.fill import fill_rate
from mens_console.signals.gpu import EccCounts, GpuProcess, GpuSample, History, MigInstance, XidEvent
from mens_console.signals.machine import HostSample, MachineView, ProcessSample, VolumeSample

GB = 10**9
AT = NOW - 1.0


def history(level, swing=8.0, n=120, seconds=600.0):
    at = tuple(AT - seconds + seconds * i / n for i in range(1, n + 1))
    return History(at, tuple(max(level + swing * math.sin(i / 7), 0.0) for i in range(n)))


def gpu(index, **changes):
    use = changes.pop("use", 93.0)
    base = GpuSample(
        index=index, uuid=f"GPU-0000000{index}-aaaa-bbbb-cccc-dddddddddddd", name="NVIDIA H100 80GB HBM3", at=AT,
        bus_id=f"00000000:{0x18 + 8 * index:02X}:00.0", utilisation=use, memory_utilisation=41.0,
        memory_used=61_200_000_000, memory_total=85_520_809_984, temperature=64.0 + index, slowdown_at=87.0,
        power=612.0, power_limit=700.0, sm_clock=1755.0, sm_clock_max=1980.0, memory_clock=2619.0,
        memory_clock_max=2619.0, throttle=("sw_power_cap",), ecc=EccCounts(3, 0, 12, 0), xids=(), pcie_tx=1.2e9,
        pcie_rx=0.4e9, nvlink_tx=88e9, nvlink_rx=87e9, mig=None,
        processes=(GpuProcess(4121, "compute", 61_000_000_000, run="qwen-lora-r16", name="python"),),
        missing=(("mig", "MIG is off"),),
        utilisation_history=history(use), memory_history=history(71.0, 1.0), power_history=history(610.0, 60.0),
        temperature_history=history(64.0, 2.0),
    )  # fmt: skip
    return replace(base, **changes)


def idle(index, **changes):
    return gpu(
        index, use=0.0, memory_used=524_288_000, power=71.0, temperature=31.0, throttle=("gpu_idle",), processes=(),
        utilisation_history=history(0.0, 0.0), memory_history=history(0.6, 0.0), power_history=history(71.0, 1.0),
        pcie_tx=0.0, pcie_rx=0.0, nvlink_tx=0.0, nvlink_rx=0.0, **changes,
    )  # fmt: skip


def host(**changes):
    base = HostSample(
        at=AT, cores=112, cpu_percent=18.0, load=(20.5, 19.25, 18.0), memory_total=2_164_000_000_000,
        memory_available=1_500_000_000_000, swap_total=0, swap_used=0, net_rx=1.4e6, net_tx=300e3,
        cpu_history=history(18.0, 4.0), memory_history=history(30.0, 1.0),
    )  # fmt: skip
    return replace(base, **changes)


def volumes():
    fill, reason = fill_rate([(60.0 * i, 2.1e12 + 4.0e9 * i + 1e9 * (i % 3)) for i in range(30)])
    return (
        VolumeSample(
            "/dev/nvme0n1p1", "/data", "/dev/nvme0n1p1", "ext4", AT, ("qwen-lora-r16", "mini-ft-07"),
            total=4 * 10**12, used=2_220_000_000_000, free=1_780_000_000_000, read_rate=2.5e6, write_rate=71e6,
            fill=fill, fill_reason=reason,
        ),
        VolumeSample(
            "nas:/scratch", "/scratch", "nas:/scratch", "nfs4", NOW - 900, ("just-started",), network=True,
            total=10**13, used=9_960_000_000_000, free=40_000_000_000,
            fill_reason="seen for 30 s with n=3; it takes 2 min",
            problem="does not answer; the numbers are as last read",
        ),
    )  # fmt: skip


def processes():
    return (
        ProcessSample(4121, "qwen-lora-r16", "python", 0, 1, 412.0, 38 * GB),
        ProcessSample(4188, "qwen-lora-r16", "pt_data_worker", 1, 4121, 61.0, 2 * GB),
        ProcessSample(4190, "qwen-lora-r16", "pt_data_worker", 1, 4121, None, None),
        ProcessSample(5100, "mini-ft-07", "python", 0, 1, 0.0, 9 * GB),
    )


def view8(**changes):
    mig = tuple(
        MigInstance(i, f"MIG-0000000{i}", 7 + i, "1g.10gb", 2_000_000_000 * i, 10_200_547_328) for i in range(3)
    )
    gpus = (
        gpu(0),
        gpu(1, temperature=88.0, throttle=("hw_slowdown", "hw_thermal"), sm_clock=1095.0, power=455.0),
        gpu(2, ecc=EccCounts(14, 2, 30, 5), xids=(XidEvent(NOW - 240, 63), XidEvent(NOW - 60, 48))),
        gpu(3, throttle=("hw_slowdown", "hw_power_brake"), power=210.0),
        gpu(
            4, utilisation=None, memory_utilisation=None, mig=mig, use=0.0, throttle=(),
            utilisation_history=History(history(0.0).at, (None,) * 120),
            missing=(("utilisation", "not measured while MIG is on"),),
            processes=(GpuProcess(7001, "compute", 4_000_000_000, 8, "", "vllm"),),
        ),
        GpuSample(
            5, "GPU-00000005-aaaa-bbbb-cccc-dddddddddddd", "NVIDIA H100 80GB HBM3", AT,
            lost="the GPU is lost: it has fallen off the bus or does not answer", xids=(XidEvent(NOW - 30, 79),),
        ),
        idle(6),
        idle(7),
    )  # fmt: skip
    base = MachineView(
        rev=7, at=AT, interval=1.0, gpus=gpus, gpus_at=AT, driver="550.90.07", cuda="12.4", host=host(),
        volumes=volumes(), processes=processes(),
    )  # fmt: skip
    return replace(base, **changes)


def view1(**changes):
    one = gpu(
        0, name="NVIDIA GeForce RTX 4090", memory_total=25_757_220_864, memory_used=21_400_000_000, power=431.0,
        power_limit=450.0, ecc=None, nvlink_tx=None, nvlink_rx=None, throttle=(), sm_clock=2520.0, sm_clock_max=3105.0,
        memory_clock=10251.0, memory_clock_max=10501.0, power_history=history(431.0, 10.0),
        processes=(
            GpuProcess(4121, "compute", None, run="qwen-lora-r16", name="python"),
            GpuProcess(1800, "graphics", 90_000_000, name="Xorg"),
        ),
        missing=tuple((name, "not supported by this GPU") for name in ("ecc", "mig", "nvlink_tx", "nvlink_rx")),
    )  # fmt: skip
    return view8(gpus=(one,), **changes)


def viewnone(**changes):
    return view8(
        gpus=(), gpus_at=math.nan, gpu_problem="no NVIDIA driver: libnvidia-ml.so.1 was not found", driver="", cuda="",
        **changes,
    )  # fmt: skip
