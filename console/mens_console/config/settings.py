"""The settings that every room reads: one frozen dataclass with a default for everything.

Standard library only, and no reading of files or environment: that is `loader`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mens_console.signals.byvalue import ByValue

if TYPE_CHECKING:
    from mens_console.signals.metricrules import MetricRule

DEFAULT_THEME = "mens-dark"


class Problem(NamedTuple):
    """One thing that is wrong with the configuration. `line` counts from 1; `key` is dotted, empty for the whole."""

    origin: str
    line: int | None
    key: str
    message: str
    cure: str

    def __str__(self) -> str:
        """Return ``file:line: key: what is wrong; what cures it``."""
        place = self.origin if self.line is None else f"{self.origin}:{self.line}"
        return ": ".join(filter(None, (place, self.key, f"{self.message}; {self.cure}")))


class ConfigError(Exception):
    """The operator's own configuration is wrong: the console does not start on half of it."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class NotifySettings(ByValue):
    """Where notifications go, and which.

    `apprise` are addresses as the operator wrote them, ``${VAR}`` still in them; like `heartbeat` they may hold
    secrets, so no representation shows them. `min_severity` is the least that is sent, `resolved` whether ends are
    sent too, `osc9` whether the terminal is told. Alerts within `group_s` seconds are one message. `heartbeat` is
    pinged every `heartbeat_s` seconds for as long as somebody watches.
    """

    apprise: tuple[str, ...] = field(default=(), repr=False)
    min_severity: str = "critical"
    resolved: bool = False
    osc9: bool = False
    group_s: float = 30.0
    heartbeat: str = field(default="", repr=False)
    heartbeat_s: float = 300.0

    def __bool__(self) -> bool:
        """Say whether anything would be told to anybody."""
        return bool(self.apprise or self.osc9 or self.heartbeat)


@dataclass(frozen=True, slots=True)
class Settings(ByValue):
    """Everything that can be set.

    `memory_budget_mb` bounds the points kept in memory (10⁶ bytes each); `ema_alpha` is the weight of the newest loss
    in the streaming average, in (0, 1]; `slow_link` repaints at most once a second; `thresholds` overrides fields of
    alert rules by rule name, and `rules` adds the operator's own. `files` are the configuration files that were used,
    `problems` what was ignored of the untrusted ones.
    """

    roots: tuple[Path, ...] = ()
    theme: str = DEFAULT_THEME
    keymap: Mapping[str, str] = field(default_factory=dict)
    slow_link: bool = False
    bell: bool = True
    memory_budget_mb: int = 512
    follow_symlinks: bool = False
    max_depth: int = 8
    ema_alpha: float = 0.1
    thresholds: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    rules: tuple[MetricRule, ...] = ()
    notify: NotifySettings = NotifySettings()
    files: tuple[Path, ...] = ()
    problems: tuple[str, ...] = ()
