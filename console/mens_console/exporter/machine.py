"""Samples of the machine: GPUs, host and volumes. A sensor that tells nothing has no sample, never a zero."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from mens_console.exporter.labels import Samples, label, told
from mens_console.signals.fill import time_to_full
from mens_console.signals.gpu import THROTTLE_WORDS

if TYPE_CHECKING:
    from mens_console.signals.gpu import GpuSample
    from mens_console.signals.machine import HostSample, MachineView, VolumeSample

MAX_VOLUMES: Final = 50
_MEGA: Final = 1e6


def machine_samples(view: MachineView | None) -> Samples:
    """Yield what is known of the machine; nothing before the first sample of it."""
    if view is None:
        return
    for gpu in view.gpus:
        yield from _gpu(gpu, answers=not gpu.lost and not view.gpus_stale)
    if view.host is not None:
        yield from _host(view.host)
    for volume in view.volumes[:MAX_VOLUMES]:
        yield from _volume(volume)
    yield "mens_exporter_omitted", ("volumes",), float(max(len(view.volumes) - MAX_VOLUMES, 0))


def _gpu(gpu: GpuSample, *, answers: bool) -> Samples:
    of = (str(gpu.index), label(gpu.uuid))
    yield "mens_gpu_info", (*of, label(gpu.name)), 1.0
    yield "mens_gpu_up", of, float(answers)
    if not answers:
        return
    yield from told("mens_gpu_utilization_ratio", of, _times(gpu.utilisation, 0.01))
    yield from told("mens_gpu_memory_used_bytes", of, gpu.memory_used)
    yield from told("mens_gpu_memory_size_bytes", of, gpu.memory_total)
    yield from told("mens_gpu_temperature_celsius", of, gpu.temperature)
    yield from told("mens_gpu_slowdown_temperature_celsius", of, gpu.slowdown_at)
    yield from told("mens_gpu_power_watts", of, gpu.power)
    yield from told("mens_gpu_power_limit_watts", of, gpu.power_limit)
    yield from told("mens_gpu_sm_clock_hertz", of, _times(gpu.sm_clock, _MEGA))
    yield from told("mens_gpu_memory_clock_hertz", of, _times(gpu.memory_clock, _MEGA))
    if gpu.throttle is not None:
        for reason in THROTTLE_WORDS:
            yield "mens_gpu_throttled", (*of, reason), float(reason in gpu.throttle)
    yield from _errors(gpu, of)
    for link, direction, rate in (
        ("pcie", "transmit", gpu.pcie_tx),
        ("pcie", "receive", gpu.pcie_rx),
        ("nvlink", "transmit", gpu.nvlink_tx),
        ("nvlink", "receive", gpu.nvlink_rx),
    ):
        yield from told("mens_gpu_link_bytes_per_second", (*of, link, direction), rate)


def _errors(gpu: GpuSample, of: tuple[str, ...]) -> Samples:
    if gpu.ecc is not None:
        for scope, kind, number in (
            ("volatile", "corrected", gpu.ecc.volatile_corrected),
            ("volatile", "uncorrected", gpu.ecc.volatile_uncorrected),
            ("aggregate", "corrected", gpu.ecc.aggregate_corrected),
            ("aggregate", "uncorrected", gpu.ecc.aggregate_uncorrected),
        ):
            yield from told("mens_gpu_ecc_errors_total", (*of, scope, kind), number)
    if gpu.xids is not None:
        yield "mens_gpu_xid_last_code", of, float(gpu.xids[-1].code if gpu.xids else 0)


def _host(host: HostSample) -> Samples:
    yield from told("mens_host_cpu_ratio", (), _times(host.cpu_percent, 0.01))
    yield from told("mens_host_cores", (), host.cores)
    for minutes, load in zip(("1", "5", "15"), host.load or (), strict=False):
        yield "mens_host_load", (minutes,), load
    yield from told("mens_host_memory_used_bytes", (), host.memory_used)
    yield from told("mens_host_memory_size_bytes", (), host.memory_total)
    yield from told("mens_host_memory_limit_bytes", (), host.memory_limit)
    yield from told("mens_host_memory_limit_used_bytes", (), host.limit_used)
    yield from told("mens_host_swap_used_bytes", (), host.swap_used)
    yield from told("mens_host_swap_size_bytes", (), host.swap_total)
    yield from told("mens_host_network_bytes_per_second", ("receive",), host.net_rx)
    yield from told("mens_host_network_bytes_per_second", ("transmit",), host.net_tx)


def _volume(volume: VolumeSample) -> Samples:
    of = (label(volume.mount),)
    yield "mens_volume_up", of, float(not volume.problem)
    yield from told("mens_volume_size_bytes", of, volume.total)
    yield from told("mens_volume_used_bytes", of, volume.used)
    yield from told("mens_volume_free_bytes", of, volume.free)
    yield from told("mens_volume_bytes_per_second", (*of, "read"), volume.read_rate)
    yield from told("mens_volume_bytes_per_second", (*of, "write"), volume.write_rate)
    if volume.fill is not None and volume.free is not None:
        full = time_to_full(volume.free, volume.fill).seconds
        if math.isfinite(full):
            yield "mens_volume_full_seconds", of, full


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
