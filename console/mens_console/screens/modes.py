"""Which screen each mode opens; what one stands on is loaded when it is first shown: the shell paints at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mens_console.screens.fleet import FleetScreen

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.screen import Screen

    from mens_console.screens.room import Room


def run_screen() -> Room:
    """Return the screen of one run; what its charts stand on is loaded when it is first shown."""
    from mens_console.screens.run import RunScreen

    return RunScreen()


def lora_screen() -> Room:
    """Return the screen of a run's adapters."""
    from mens_console.screens.lora import LoraScreen

    return LoraScreen()


def compare_screen() -> Room:
    """Return the screen of runs side by side."""
    from mens_console.screens.compare import CompareScreen

    return CompareScreen()


def logs_screen() -> Room:
    """Return the screen of the logs."""
    from mens_console.screens.logs import LogsScreen

    return LogsScreen()


def alerts_screen() -> Room:
    """Return the screen of the alerts."""
    from mens_console.screens.alerts import AlertsScreen

    return AlertsScreen()


def hardware_screen() -> Room:
    """Return the screen of the machine."""
    from mens_console.screens.hardware import HardwareScreen

    return HardwareScreen()


def health_screen() -> Room:
    """Return the screen of the attempt logs."""
    from mens_console.screens.health import HealthScreen

    return HealthScreen()


def kpi_screen() -> Room:
    """Return the screen of the product KPIs."""
    from mens_console.screens.kpi import KpiScreen

    return KpiScreen()


def soak_screen() -> Room:
    """Return the screen of the soaks."""
    from mens_console.screens.soak import SoakScreen

    return SoakScreen()


def gate_screen() -> Room:
    """Return the screen of the gate."""
    from mens_console.screens.gate import GateScreen

    return GateScreen()


MODES: Final[dict[str, str | Callable[[], Screen[None]]]] = {
    "fleet": FleetScreen, "run": run_screen, "lora": lora_screen, "health": health_screen, "kpi": kpi_screen,
    "soak": soak_screen, "hardware": hardware_screen, "alerts": alerts_screen, "gate": gate_screen,
    "logs": logs_screen, "compare": compare_screen,
}  # fmt: skip
