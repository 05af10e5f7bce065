"""What is known of the machine at one moment: GPUs, host, volumes; and what about it deserves an alert. No I/O."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MachineView:
    """The machine as last sampled, at `at` (seconds since the epoch)."""

    rev: int
    at: float
