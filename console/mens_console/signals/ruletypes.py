"""What a rule of the table is made of, and the severities. The rows stand in `ruletable`; no values of runs enter."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mens_console.signals.byvalue import ByValue


class Severity(StrEnum):
    """How bad; `rank` orders them, worst highest."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Return 0 for info, 1 for warning, 2 for critical."""
        return _RANKS[self]


_RANKS: Final = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}


@dataclass(frozen=True, slots=True)
class Rule(ByValue):
    """One rule of the table.

    `entry` and `exit` are in `unit`; the condition holds from `entry` on and ends past `exit`, so that a value at the
    edge does not flap. `critical` is the threshold from which the severity rises. The condition must hold for `for_s`
    seconds of event time and `for_points` points before the alert fires. A `latched` alert ends only when it is
    acknowledged or a new run begins. Past its exit threshold it is *recovering* for `recover_s` seconds before it is
    resolved. While one of the rules `inhibited_by` fires on the same entity, this one is shown but does not ring.
    A rule that is not `enabled` never fires. `needs` names the metrics or facts without which there is no data.
    `asks` are the thresholds that its detector goes by, of those that every rule has a field for; the others of them
    only describe the rule.
    """

    id: str
    severity: Severity
    title: str
    condition: str
    unit: str
    entry: float
    exit: float
    recommendation: str
    needs: tuple[str, ...]
    critical: float | None = None
    for_s: float = 0.0
    for_points: int = 1
    latched: bool = False
    recover_s: float = 0.0
    inhibited_by: tuple[str, ...] = ()
    enabled: bool = True
    asks: tuple[str, ...] = ("entry", "exit")

    @property
    def settable(self) -> tuple[str, ...]:
        """Return the fields whose override makes a difference."""
        return (*self.asks, "for_s", *([] if self.latched else ["recover_s"]), "severity", "enabled")
