"""What a configuration file may say: the contract, and the source of its exported JSON Schema.

Loaded only when a file exists (pydantic is slow to import); no file is read here.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

FiniteFloat = Annotated[float, Field(allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Severity = Literal["info", "warning", "critical"]
Sentence = Annotated[str, Field(min_length=1, max_length=300)]
Address = Annotated[str, Field(min_length=1, max_length=2000)]


class Threshold(BaseModel):
    """Overrides of one alert rule. What is left out keeps the rule's own value."""

    model_config = ConfigDict(extra="forbid")

    entry: FiniteFloat | None = Field(None, description="the alert begins beyond this, in the rule's unit")
    exit: FiniteFloat | None = Field(None, description="the alert ends on the other side of this")
    critical: FiniteFloat | None = Field(None, description="from here on the severity is critical")
    for_s: Seconds | None = Field(None, description="seconds that it must last before it fires")
    for_points: Annotated[int, Field(ge=1)] | None = Field(
        None, description="logged points that it must last before it fires"
    )
    recover_s: Seconds | None = Field(None, description="seconds past its exit before it is resolved")
    severity: Severity | None = Field(None, description="how bad it is from its entry on")
    enabled: bool | None = Field(None, description="false: this rule never fires")


class RunsConfig(BaseModel):
    """A `mens-console.toml` beside the runs. Others may have written it, so it sets only thresholds and looks."""

    model_config = ConfigDict(extra="forbid")

    theme: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(None, description="colour theme")
    ema_alpha: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="weight of the newest loss in the streaming average"
    )
    thresholds: dict[str, Threshold] = Field({}, description="overrides of alert rules, by rule name")


class CustomRule(BaseModel):
    """An alert rule of the operator's own: a metric above or below a value."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,39}$")] = Field(
        description="its name: small letters, digits and underscores"
    )
    metric: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        description="name of the series that it watches"
    )
    above: FiniteFloat | None = Field(None, description="it fires above this; either this or `below`")
    below: FiniteFloat | None = Field(None, description="it fires below this; either this or `above`")
    exit: FiniteFloat | None = Field(None, description="it ends on the other side of this (default: where it begins)")
    for_points: Annotated[int, Field(ge=1, le=100_000)] = Field(1, description="logged points that it must last")
    for_s: Seconds = Field(0.0, description="seconds that it must last")
    severity: Severity = Field("warning", description="how bad it is")
    title: Sentence | None = Field(None, description="what the alert says (default: the metric and its limit)")
    recommendation: Sentence | None = Field(None, description="one sentence: what to do when it fires")

    @model_validator(mode="after")
    def _has_one_side(self) -> Self:
        """Refuse both sides or none, and an exit that would end the alert while it holds."""
        limit = self.above if self.above is not None else self.below
        if limit is None or (self.above is not None and self.below is not None):
            raise PydanticCustomError("side", "say either above or below, and not both")
        if self.exit is not None and (self.exit > limit if self.above is not None else self.exit < limit):
            raise PydanticCustomError("exit", "exit lies on the side where the rule fires")
        return self


class NotifyConfig(BaseModel):
    """Where notifications go, and which. Addresses stand only here and in $MENS_NOTIFY, never beside the runs."""

    model_config = ConfigDict(extra="forbid")

    apprise: Annotated[list[Address], Field(max_length=32)] | None = Field(
        None,
        description="Apprise addresses; ${VAR} is taken from the environment, so that secrets stay out of the file",
    )
    min_severity: Severity | None = Field(None, description="the least that is sent (default critical)")
    resolved: bool | None = Field(None, description="tell of ends too")
    osc9: bool | None = Field(None, description="notify through the terminal (OSC 9)")
    group_s: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] | None = Field(
        None, description="alerts within so many seconds are one message (default 30)"
    )
    heartbeat: Address | None = Field(
        None, description="Apprise address that is pinged while `watch --notify` lives (a dead man's switch)"
    )
    heartbeat_s: Annotated[float, Field(ge=10, le=86_400, allow_inf_nan=False)] | None = Field(
        None, description="seconds between two pings (default 300)"
    )


class UserConfig(RunsConfig):
    """The operator's own `config.toml`."""

    roots: list[str] = Field([], description="folders or files to look for runs in; ~ is expanded")
    keymap: dict[str, str] = Field({}, description="key bindings by binding id, keys separated by commas")
    slow_link: bool | None = Field(None, description="repaint at most once a second")
    bell: bool | None = Field(None, description="ring the terminal bell for critical alerts")
    memory_budget_mb: Annotated[int, Field(ge=64, le=1_048_576)] | None = Field(
        None, description="points kept in memory, in 10^6 bytes"
    )
    follow_symlinks: bool | None = Field(None, description="follow symbolic links that lead outside the roots")
    max_depth: Annotated[int, Field(ge=1, le=64)] | None = Field(None, description="folders searched below a root")
    rules: Annotated[list[CustomRule], Field(max_length=200)] | None = Field(
        None, description="alert rules of your own, one `[[rules]]` table each (docs/alerts.md)"
    )
    notify: NotifyConfig | None = Field(
        None, description="where notifications go; $MENS_NOTIFY replaces its addresses (docs/alerts.md)"
    )
