"""The lines of `stages.jsonl`: what `mens-console stage` records of each stage of a run. Schema `mens-stage/1`.

Numbers that are not finite are the strings "NaN", "Infinity" and "-Infinity". Fields are only added; unknown ones are
ignored by readers.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

Number = float | Literal["NaN", "Infinity", "-Infinity"]
Fact = str | bool | int | Number | None


class _Model(BaseModel):
    model_config = ConfigDict(extra="allow")


class _Named(_Model):
    """What every payload says: which stage, which step of it, and which attempt."""

    stage: str = Field(
        description="dataset, dryrun, mini, train, evaluation, export, deployment or iteration; others are kept"
    )
    step: str | None = Field(default=None, description="step of the stage, such as merge; absent for the whole stage")
    id: str = Field(description="the same in all events of one command")
    parent: str | None = Field(default=None, description="id of the stage that this step was run in")


class StageStart(_Named):
    """A command began."""

    argv: list[str] = Field(description="its command line, secrets replaced by ***")
    pid: int | None = Field(description="its process; null where it could not be started")
    recorder_pid: int
    host: str
    started: float = Field(description="seconds since the epoch")


class StageStep(_Named):
    """The command told facts about itself (one JSON object a line, in the file that MENS_STAGE_FACTS names)."""

    facts: dict[str, Fact]


class StageEnd(_Named):
    """A command ended, or could not be started (`error`)."""

    exit_code: int = Field(description="128 + n where signal n ended it; 127 not found, 126 not runnable")
    signal: str | None = Field(default=None, description="name of the signal that ended it")
    error: str | None = Field(default=None, description="why it could not be started")
    wall_s: Number | None = Field(default=None, description="elapsed seconds of a monotonic clock")
    user_s: Number | None = Field(default=None, description="CPU seconds, with the children it waited for")
    system_s: Number | None = None
    cpu_percent: Number | None = Field(default=None, description="CPU seconds per elapsed second; 100 is one core")
    max_rss_bytes: int | None = Field(default=None, description="largest resident size of it or of one such child")
    max_rss_is_bound: bool = Field(default=False, description="it is at most that: smaller than what started it")
    time: str | None = Field(default=None, description="the line of GNU time: wall=%E cpu=%P mem=%MKB")
    met: bool | None = Field(
        default=None, description="whether the done-signal was measured as met; null: not measured"
    )
    measured: str = Field(default="", description="what was measured, or what was missing, in words")
    values: dict[str, Fact] = Field(default={}, description="the figures behind it")


class StageStartEvent(_Model):
    """Envelope of a start."""

    ts_ms: int
    event: Literal["stage_start"]
    payload: StageStart


class StageStepEvent(_Model):
    """Envelope of facts."""

    ts_ms: int
    event: Literal["stage_step"]
    payload: StageStep


class StageEndEvent(_Model):
    """Envelope of an end."""

    ts_ms: int
    event: Literal["stage_end"]
    payload: StageEnd


class StageEvent(RootModel[Annotated[StageStartEvent | StageStepEvent | StageEndEvent, Field(discriminator="event")]]):
    """One line of `stages.jsonl`."""
