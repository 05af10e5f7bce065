"""The machine as a JSON-ready document, for `status --json` and whoever reads it.

Numbers as they are, null where a sensor tells nothing, with the reason beside it; nothing is judged here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mens_console.ingest.text import safe_text
from mens_console.signals.fill import time_to_full
from mens_console.store.report import moment, number

if TYPE_CHECKING:
    from mens_console.signals.fill import Fill
    from mens_console.signals.gpu import GpuProcess
    from mens_console.signals.machine import GpuSample, HostSample, MachineView, ProcessSample, VolumeSample


def machine_document(view: MachineView) -> dict[str, Any]:
    """Return the whole view. Units are in the names: percent, bytes, per second, °C, W, MHz; times in epoch seconds."""
    return {
        "sampled_at": moment(view.at),
        "interval_s": number(view.interval),
        "gpu_problem": safe_text(view.gpu_problem) or None,
        "gpus_read_at": moment(view.gpus_at),
        "gpus_stale": view.gpus_stale,
        "driver": safe_text(view.driver) or None,
        "cuda": safe_text(view.cuda) or None,
        "gpus": [_gpu(gpu) for gpu in view.gpus],
        "host": None if view.host is None else _host(view.host),
        "volumes": [_volume(volume) for volume in view.volumes],
        "processes": [_process(process) for process in view.processes],
        "problems": [safe_text(problem) for problem in view.problems],
    }


def _gpu(gpu: GpuSample) -> dict[str, Any]:
    ecc = gpu.ecc
    return {
        "index": gpu.index,
        "uuid": safe_text(gpu.uuid),
        "name": safe_text(gpu.name),
        "bus_id": safe_text(gpu.bus_id) or None,
        "read_at": moment(gpu.at),
        "lost": safe_text(gpu.lost) or None,
        "utilisation_percent": number(gpu.utilisation),
        "memory_utilisation_percent": number(gpu.memory_utilisation),
        "memory_used_bytes": gpu.memory_used,
        "memory_total_bytes": gpu.memory_total,
        "temperature_c": number(gpu.temperature),
        "slowdown_at_c": number(gpu.slowdown_at),
        "power_w": number(gpu.power),
        "power_limit_w": number(gpu.power_limit),
        "sm_clock_mhz": number(gpu.sm_clock),
        "sm_clock_max_mhz": number(gpu.sm_clock_max),
        "memory_clock_mhz": number(gpu.memory_clock),
        "memory_clock_max_mhz": number(gpu.memory_clock_max),
        "throttle_reasons": None if gpu.throttle is None else list(gpu.throttle),
        "ecc_volatile_corrected": None if ecc is None else ecc.volatile_corrected,
        "ecc_volatile_uncorrected": None if ecc is None else ecc.volatile_uncorrected,
        "ecc_aggregate_corrected": None if ecc is None else ecc.aggregate_corrected,
        "ecc_aggregate_uncorrected": None if ecc is None else ecc.aggregate_uncorrected,
        "xids": None if gpu.xids is None else [{"code": xid.code, "seen_at": moment(xid.at)} for xid in gpu.xids],
        "pcie_tx_bytes_per_s": number(gpu.pcie_tx),
        "pcie_rx_bytes_per_s": number(gpu.pcie_rx),
        "nvlink_tx_bytes_per_s": number(gpu.nvlink_tx),
        "nvlink_rx_bytes_per_s": number(gpu.nvlink_rx),
        "mig": None
        if gpu.mig is None
        else [
            {
                "index": one.index,
                "uuid": one.uuid,
                "gpu_instance": one.gpu_instance,
                "profile": one.profile,
                "memory_used_bytes": one.memory_used,
                "memory_total_bytes": one.memory_total,
            }
            for one in gpu.mig
        ],
        "processes": None if gpu.processes is None else [_gpu_process(one) for one in gpu.processes],
        "not_available": {name: safe_text(why) for name, why in gpu.missing},
    }


def _gpu_process(process: GpuProcess) -> dict[str, Any]:
    return {
        "pid": process.pid,
        "kind": process.kind,
        "name": safe_text(process.name) or None,
        "run": safe_text(process.run) or None,
        "memory_bytes": process.memory,
        "mig_gpu_instance": process.instance,
    }


def _host(host: HostSample) -> dict[str, Any]:
    return {
        "cores": host.cores,
        "cpu_percent": number(host.cpu_percent),
        "load": None if host.load is None else [number(value) for value in host.load],
        "memory_total_bytes": host.memory_total,
        "memory_available_bytes": host.memory_available,
        "memory_limit_bytes": host.memory_limit,
        "memory_limit_used_bytes": host.limit_used,
        "swap_total_bytes": host.swap_total,
        "swap_used_bytes": host.swap_used,
        "net_received_bytes_per_s": number(host.net_rx),
        "net_sent_bytes_per_s": number(host.net_tx),
    }


def _volume(volume: VolumeSample) -> dict[str, Any]:
    return {
        "mount": safe_text(volume.mount),
        "device": safe_text(volume.device),
        "filesystem": safe_text(volume.kind),
        "network": volume.network,
        "read_at": moment(volume.at),
        "problem": safe_text(volume.problem) or None,
        "runs": [safe_text(run) for run in volume.runs],
        "total_bytes": volume.total,
        "used_bytes": volume.used,
        "free_bytes": volume.free,
        "read_bytes_per_s": number(volume.read_rate),
        "write_bytes_per_s": number(volume.write_rate),
        "fill": None if volume.fill is None else _fill(volume.fill, volume.free),
        "fill_unknown_because": safe_text(volume.fill_reason) or None,
    }


def _fill(fill: Fill, free: int | None) -> dict[str, Any]:
    full = None if free is None else time_to_full(free, fill)
    return {
        "bytes_per_s": number(fill.rate),
        "low": number(fill.low),
        "high": number(fill.high),
        "confidence": 0.95,
        "n": fill.n,
        "window_s": number(fill.window_s),
        "full_in_s": None
        if full is None
        else {"expected": number(full.seconds), "low": number(full.low), "high": number(full.high)},
    }


def _process(process: ProcessSample) -> dict[str, Any]:
    return {
        "pid": process.pid,
        "run": safe_text(process.run),
        "name": safe_text(process.name),
        "parent": process.parent,
        "depth": process.depth,
        "cpu_percent": number(process.cpu_percent),
        "rss_bytes": process.rss,
    }
