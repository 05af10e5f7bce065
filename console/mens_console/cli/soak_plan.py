"""From the words of `mens-console soak run` to a plan: a new one, or the one that its directory holds.

A plan is never changed: what is said beside it must agree with it.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mens_console.cli.errors import CommandError
from mens_console.cli.soak_options import NEEDED
from mens_console.ingest.text import safe_text
from mens_console.load.endpoint import EndpointError, endpoint_of
from mens_console.soak.plan import NAME, PlanError, read
from mens_console.soak.types import Plan

if TYPE_CHECKING:
    import argparse

    from mens_console.load.endpoint import Endpoint

_OPTIONS: Final = {
    "model": "--model",
    "rate": "--rate",
    "duration_s": "--duration",
    "arrivals": "--arrivals",
    "seed": "--seed",
    "api": "--api",
    "max_tokens": "--max-tokens",
    "prompt_tokens": "--prompt-tokens",
    "prompts": "--prompts",
    "timeout_s": "--timeout",
    "slo_ttft_ms": "--slo-ttft",
    "slo_itl_ms": "--slo-itl",
    "uptime_target": "--uptime-target",
    "gpus": "--gpus",
    "probe_path": "--probe-path",
    "ask_usage": "--no-usage",
    "limits": "--limit",
    "tags": "--tag",
    "url": "--url",
}
"""How what a plan holds is said; the process to watch may have another number after a restart."""


def planned(arguments: argparse.Namespace) -> tuple[Path, Plan, bool, Endpoint]:
    """Return the directory, the plan, whether it is there already, and the server. Raises `CommandError`."""
    if arguments.resume is not None and arguments.out is not None:
        raise CommandError("--resume DIR names the directory already; leave out --out")
    folder: Path = arguments.resume or arguments.out or Path()
    if arguments.resume is not None or (arguments.out is not None and os.path.lexists(folder / NAME)):
        plan = _there(folder, arguments)
        return folder, plan, True, _server(arguments.url or plan.url, plan.api)
    missing = [f"--{name}" for name in NEEDED if getattr(arguments, name) is None]
    if missing:
        raise CommandError(f"a new soak needs {', '.join(missing)} too; `mens-console soak run --help` tells more")
    return folder, *_new(folder, arguments)


def words(folder: Path, plan: Plan, there: bool, arguments: argparse.Namespace) -> list[str]:
    """Return the command line of a driver that does the same; the address goes by `URL_VARIABLE`."""
    where = os.path.abspath(folder)  # noqa: PTH100 (links stay)
    told = [f"--max-in-flight={arguments.max_in_flight}", f"--max-disk={arguments.max_disk}"]
    if arguments.key_file is not None:
        told.append(f"--key-file={arguments.key_file}")
    if arguments.watch_pid is not None:
        told.append(f"--watch-pid={arguments.watch_pid}")
    if there:
        return [f"--resume={where}", *told]
    told += [
        f"--out={where}", f"--model={plan.model}", f"--rate={plan.rate!r}", f"--duration={plan.duration_s!r}s",
        f"--arrivals={plan.arrivals}", f"--seed={plan.seed}", f"--api={plan.api}", f"--max-tokens={plan.max_tokens}",
        f"--prompt-tokens={plan.prompt_tokens}", f"--timeout={plan.timeout_s!r}s",
        f"--slo-ttft={plan.slo_ttft_ms!r}ms", f"--slo-itl={plan.slo_itl_ms!r}ms",
        f"--uptime-target={plan.uptime_target!r}", f"--probe-path={plan.probe_path}",
    ]  # fmt: skip
    told += [f"--prompts={plan.prompts}"] if plan.prompts is not None else []
    told += [] if plan.ask_usage else ["--no-usage"]
    told += [f"--gpus={plan.gpus}"] if plan.gpus is not None else []
    told += [f"--limit={name}={limit!r}" for name, limit in plan.limits.items()]
    return told + [f"--tag={name}={value}" for name, value in plan.tags.items()]


def _server(url: str, api: Any) -> Endpoint:
    try:
        return endpoint_of(url, api)
    except EndpointError as error:
        raise CommandError(str(error)) from None


def _new(folder: Path, arguments: argparse.Namespace) -> tuple[Plan, bool, Endpoint]:
    """Make a plan; it begins when a driver says so."""
    if os.path.lexists(folder) and not folder.is_dir():
        raise CommandError(f"{folder}: it is no folder; give another --out DIR")
    if folder.is_dir() and any(folder.glob("journal-*")):
        raise CommandError(f"{folder}: it holds a journal, but no {NAME}; restore that, or give another --out DIR")
    endpoint = _server(arguments.url, arguments.api)
    blank = Plan(
        id=secrets.token_hex(6), url=endpoint.url, model=arguments.model, rate=arguments.rate,
        duration_s=arguments.duration, started=0.0, api=endpoint.api, watch_pid=arguments.watch_pid,
    )  # fmt: skip
    return replace(blank, **_said(arguments, endpoint)), False, endpoint


def _there(folder: Path, arguments: argparse.Namespace) -> Plan:
    """Return the plan of a directory; what was said beside it must be what it holds."""
    try:
        plan = read(folder)
    except PlanError as error:
        raise CommandError(str(error)) from None
    said = _said(arguments, _server(arguments.url, arguments.api or plan.api) if arguments.url else None)
    for name, value in said.items():
        held = getattr(plan, name)
        if value != held:
            raise CommandError(
                f"{folder} holds a soak with {_OPTIONS[name]} {_shown(held)}, and {_shown(value)} was asked for; "
                f"go on with it (`mens-console soak run --resume {folder}`), or give another --out DIR"
            )
    return plan


def _said(arguments: argparse.Namespace, endpoint: Endpoint | None) -> dict[str, Any]:
    """Return what was said of the plan, as it holds it."""
    prompts: Path | None = arguments.prompts
    told = {
        "url": None if endpoint is None else endpoint.url,
        "api": arguments.api,
        "model": arguments.model,
        "rate": arguments.rate,
        "duration_s": arguments.duration,
        "arrivals": arguments.arrivals,
        "seed": arguments.seed,
        "max_tokens": arguments.max_tokens,
        "prompt_tokens": arguments.prompt_tokens,
        "prompts": None if prompts is None else os.path.abspath(prompts.expanduser()),  # noqa: PTH100 (links stay)
        "timeout_s": arguments.timeout,
        "slo_ttft_ms": _ms(arguments.slo_ttft),
        "slo_itl_ms": _ms(arguments.slo_itl),
        "uptime_target": arguments.uptime_target,
        "gpus": arguments.gpus,
        "probe_path": arguments.probe_path,
        "ask_usage": arguments.ask_usage,
        "limits": dict(arguments.limits) or None,
        "tags": dict(arguments.tags) or None,
    }
    return {name: value for name, value in told.items() if value is not None}


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000.0, 6)


def _shown(value: Any) -> str:
    text = ", ".join(f"{name}={one}" for name, one in value.items()) if isinstance(value, dict) else value
    return safe_text(str("none" if text in (None, "") else text), 120)
