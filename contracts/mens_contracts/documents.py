"""The smaller documents that commands print with `--json`: comparisons, stages, alerts, what happened meanwhile.

Times are seconds since the epoch; null is unknown. Numbers that are not finite are the strings "NaN", "Infinity" and
"-Infinity" where the type says so. Fields are only added.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mens_contracts.common import Count, OpenModel
from mens_contracts.status import Alert, Number, Severity, State


class ComparedRun(OpenModel):
    """A run and the letter it goes by."""

    letter: str
    id: str
    name: str
    path: str
    state: State


class ComparedFigure(OpenModel):
    """One figure of all runs, in the order of `runs`."""

    id: str
    label: str
    unit: str
    better: Literal["low", "high", ""] = Field(description="which end is the good one")
    values: list[Number | int | str | None]
    notes: list[str]
    best: list[str] = Field(description="letters of the best runs")


class ComparedSetting(OpenModel):
    """One key of the configuration, in the order of `runs`; null where a run does not say."""

    key: str
    differs: bool
    values: list[str | None]


class Compare(OpenModel):
    """`mens-console compare --json`."""

    schema_: Literal["mens-compare/1"] = Field(alias="schema")
    runs: list[ComparedRun]
    metrics: list[str] = Field(description="logged by two of the runs or more")
    figures: list[ComparedFigure]
    settings: list[ComparedSetting]


class StageRow(OpenModel):
    """One stage; it is done only when `measured` met `signal`."""

    id: str
    title: str
    state: Literal["pending", "running", "done", "underfed", "failed"]
    started: float | None
    ended: float | None
    wall_s: float | None
    cpu_percent: float | None = Field(description="100 is one core")
    max_rss_bytes: float | None
    max_rss_is_bound: bool = False
    exit_code: int | None
    signal: str
    measured: str
    detail: list[str] = Field(default=[])


class Stages(OpenModel):
    """`mens-console stage --list --json`."""

    schema_: Literal["mens-stages/1"] = Field(alias="schema")
    run: str = Field(description="its directory")
    bad_lines: Count = Field(description="of stages.jsonl, not read")
    stages: list[StageRow]


class ListedAlert(Alert):
    """An alert as in mens-status/1, and the run it is about."""

    run: str
    path: str


class AlertList(OpenModel):
    """`mens-console alerts list --json`."""

    schema_: Literal["mens-alert-list/1"] = Field(alias="schema")
    generated_at: float
    alerts: list[ListedAlert] = Field(description="the worst first")


class WatchEvent(OpenModel):
    """One line of `mens-console watch --json`: something happened to an alert."""

    schema_: Literal["mens-watch-event/1"] = Field(alias="schema")
    at: float
    change: Literal["standing", "firing", "escalated", "recovering", "resolved", "acknowledged"]
    severity: Severity
    state: Literal["pending", "firing", "recovering", "resolved"]
    run: str
    name: str
    path: str
    entity: str
    rule: str
    fingerprint: str
    message: str
    value: Number | None
    threshold: Number | None
    unit: str
    since: float | None
    since_step: int | None
    last_seen: float | None = None
    last_step: int | None = None
    first_seen: float | None = Field(default=None, description="when the first episode began")
    first_step: int | None = None
    count: Count
    flaps: Count
    acknowledged: bool
    held: bool = Field(default=False, description="resolved by nothing but the end of its run, up to which it held")
    silenced_until: float | None = Field(description="null: not silenced, or until the run ends")
    inhibited_by: str
    recommendation: str


class RunNews(OpenModel):
    """A run that ended, began or resumed."""

    id: str
    name: str
    state: State
    at: float | None
    step: int | None
    evidence: str


class AlertNews(OpenModel):
    """An alert that fired or was resolved."""

    run: str = Field(description='"" for the machine')
    entity: str
    fingerprint: str
    rule: str
    severity: Severity
    state: Literal["pending", "firing", "recovering", "resolved"]
    at: float | None
    resolved_at: float | None
    message: str
    acknowledged: bool
    name: str = Field(default="", description='the run\'s name, "" for the machine')
    count: Count = Field(default=1, description="observations of the condition, over all episodes")
    held: bool = Field(default=False, description="resolved by nothing but the end of its run, up to which it held")
    since: float | None = Field(default=None, description="when this episode began")
    last_seen: float | None = None
    recalled: bool = Field(default=False, description="only the daemon saw it: nothing in the files tells of it")


class CheckpointNews(OpenModel):
    """A checkpoint that was written."""

    run: str
    step: int
    bytes: int | None
    at: float | None


class SentMessages(OpenModel):
    """Messages about alerts, counted for each route."""

    delivered: Count
    lost: Count
    routes: list[str] = Field(description="those that did not take every message")


class Digest(OpenModel):
    """What happened since the operator left: `mens-console alerts since --json`."""

    schema_: Literal["mens-digest/1"] = Field(alias="schema")
    left_at: float | None
    now: float | None
    ended: list[RunNews]
    begun: list[RunNews]
    resumed: list[RunNews]
    fired: list[AlertNews]
    resolved: list[AlertNews]
    checkpoints: list[CheckpointNews]
    quiet: Count = Field(description="alerts left out because they are silenced or follow from another")
    going: Count = Field(description="live runs of which there is nothing to tell")
    still: Count = Field(default=0, description="alerts that were on before and are on unchanged")
    messages: SentMessages | None = None
