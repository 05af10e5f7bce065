"""What a configuration file may say: the contract, and the source of its exported JSON Schema.

Loaded only when a file exists (pydantic is slow to import); no file is read here.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

FiniteFloat = Annotated[float, Field(allow_inf_nan=False)]


class Threshold(BaseModel):
    """Overrides of one alert rule. What is left out keeps the rule's own value."""

    model_config = ConfigDict(extra="forbid")

    entry: FiniteFloat | None = Field(None, description="the alert begins beyond this, in the rule's unit")
    exit: FiniteFloat | None = Field(None, description="the alert ends on the other side of this")
    critical: FiniteFloat | None = Field(None, description="from here on the severity is critical")
    for_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = Field(
        None, description="seconds that it must last before it fires"
    )
    for_points: Annotated[int, Field(ge=1)] | None = Field(
        None, description="logged points that it must last before it fires"
    )


class RunsConfig(BaseModel):
    """A `mens-console.toml` beside the runs. Others may have written it, so it sets only thresholds and looks."""

    model_config = ConfigDict(extra="forbid")

    theme: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(None, description="colour theme")
    ema_alpha: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="weight of the newest loss in the streaming average"
    )
    thresholds: dict[str, Threshold] = Field({}, description="overrides of alert rules, by rule name")


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
