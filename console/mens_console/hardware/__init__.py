"""The machine: GPUs through NVML and the host through psutil, sampled on a thread of their own."""
