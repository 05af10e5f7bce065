"""The plan of a soak as a file: written once, read by everybody, and never believed unseen."""

from __future__ import annotations

import math
import os
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

from mens_console.ingest.safeopen import explain, read_small
from mens_console.ingest.text import safe_text
from mens_console.soak.durable import replace_durably
from mens_console.soak.types import Plan

if TYPE_CHECKING:
    from pathlib import Path

NAME: Final = "plan.json"
SCHEMA: Final = "mens-soak-plan/1"
_MOST_BYTES: Final = 1 << 20
_FAMILY: Final = "mens-soak-plan/"
_TEXT: Final = 2000
LONGEST_S: Final = 100 * 86_400.0
RATE_MOST: Final = 10_000.0
"""Requests a second; a driver of one process comes nowhere near."""
_RANGES: Final[dict[str, tuple[float, float]]] = {
    "rate": (1e-4, RATE_MOST),
    "duration_s": (1.0, LONGEST_S),
    "started": (0.0, 1e11),
    "timeout_s": (0.1, 3600.0),
    "probe_every_s": (0.1, 3600.0),
    "max_tokens": (1, 10_000_000),
    "prompt_tokens": (0, 10_000_000),
    "slo_ttft_ms": (0.0, 1e9),
    "slo_itl_ms": (0.0, 1e9),
    "uptime_target": (0.0, 1.0),
}


class PlanError(ValueError):
    """A plan that is not there, cannot be read, or is none; the message names the file and a cure."""


def document(plan: Plan) -> dict[str, Any]:
    """Return the plan as JSON, under its schema."""
    return {"schema": SCHEMA} | asdict(plan)


def write(folder: str | Path, plan: Plan) -> None:
    """Write the plan of a new soak; raises `OSError`, and `PlanError` where it asks for what no plan may."""
    _check(plan, NAME)
    data = msgspec.json.format(msgspec.json.encode(document(plan)), indent=2) + b"\n"
    replace_durably(os.fspath(folder), NAME, data)


def read(folder: str | Path) -> Plan:
    """Read the plan of a soak, its texts made safe to show; raises `PlanError`."""
    path = os.path.join(folder, NAME)  # noqa: PTH118 - a name may hold any bytes
    shown = safe_text(path)
    try:
        data = read_small(path, _MOST_BYTES + 1)
    except FileNotFoundError:
        raise PlanError(f"{shown}: there is none, so this is no soak's directory (mens-console soak run)") from None
    except OSError as error:
        raise PlanError(f"{shown}: {explain(error)}") from None
    return _decode(data, shown)


def _decode(data: bytes, shown: str) -> Plan:
    if len(data) > _MOST_BYTES:
        raise PlanError(f"{shown}: larger than 1 MiB, so it is no plan")
    try:
        head = msgspec.json.decode(data)
        schema = head.get("schema") if isinstance(head, dict) else None
        if schema != SCHEMA:
            raise PlanError(_other_schema(schema, shown))
        plan = msgspec.convert(head, Plan)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        what = safe_text(str(error), 200)
        raise PlanError(f"{shown}: it is no plan ({what}); restore it from a copy, for nothing else tells it") from None
    _check(plan, shown)
    return _safe(plan)


def _other_schema(schema: Any, shown: str) -> str:
    if isinstance(schema, str) and schema.startswith(_FAMILY):
        told = safe_text(schema, 60)
        return f"{shown}: written as {told}, and this console reads {SCHEMA}: read it with the console that wrote it"
    return f"{shown}: it is no plan of a soak (its schema is not {SCHEMA})"


def _check(plan: Plan, shown: str) -> None:
    """Refuse what no schedule can be made of; raises `PlanError`."""
    for name, (least, most) in _RANGES.items():
        if not least <= getattr(plan, name) <= most:
            raise PlanError(f"{shown}: {name} is {getattr(plan, name)}, and must lie between {least:g} and {most:g}")
    for name, limit in plan.limits.items():
        if not 0 < limit < math.inf:
            raise PlanError(f"{shown}: limits.{safe_text(name, 60)} is {limit}, and must be greater than 0")


def _safe(plan: Plan) -> Plan:
    """Return the plan with texts that may be shown."""
    texts: dict[str, Any] = {
        name: safe_text(value, _TEXT)
        for name in ("id", "url", "model", "probe_path", "prompts")
        if (value := getattr(plan, name)) is not None
    }
    tags = {safe_text(name, _TEXT): safe_text(value, _TEXT) for name, value in plan.tags.items()}
    limits = {safe_text(name, _TEXT): value for name, value in plan.limits.items()}
    return replace(plan, tags=tags, limits=limits, **texts)
