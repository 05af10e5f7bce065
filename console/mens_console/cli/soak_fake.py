"""`mens-console soak fake-server`: a model server that only pretends, on loopback, with faults to order.

The server is `load.fake`; here its knobs become options, and it runs until a signal ends it.
"""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from mens_console.cli.errors import OK, CommandError
from mens_console.cli.values import natural

if TYPE_CHECKING:
    import argparse

    from mens_console.load.fake import FakeServer, Knobs, Script

_OWN = ("errors", "key")
"""Knobs whose option differs from their name."""
_EPILOG: Final = """examples:
  mens-console soak fake-server --port 8000 --ttft-ms 40 --gap-ms 15 --log truth.ndjson
  mens-console soak fake-server --script bad-night.toml
  mens-console soak run --url http://127.0.0.1:8000 --model fake-model --rate 5 --duration 10m --out try   # beside it

exit status: 0 it was ended · 2 wrong use, or the port is taken"""


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options: one for each knob, and where it listens."""
    from mens_console.load.fake.knobs import Knobs

    parser.epilog = _EPILOG
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="where it listens (default 127.0.0.1)")
    parser.add_argument("--port", type=natural, default=0, metavar="N", help="the port (default: any that is free)")
    parser.add_argument("--any-host", action="store_true", help="allow an address that others can reach")
    parser.add_argument("--seed", type=natural, default=0, metavar="N", help="of all that is drawn (default 0)")
    parser.add_argument("--script", type=Path, metavar="FILE", help="TOML: what is wrong when, and knobs")
    parser.add_argument("--log", type=Path, metavar="FILE", help="what it did, one JSON object a request")
    group = parser.add_argument_group("knobs (also [knobs] of the script; options come first)")
    group.add_argument(
        "--errors", action="append", metavar="STATUS=SHARE", help="share of the answers that are an error (again)"
    )
    group.add_argument("--key-file", type=Path, metavar="FILE", help="the API key that it wants (default: none)")
    for knob in fields(Knobs):
        if knob.name in _OWN:
            continue
        name, says = f"--{knob.name.replace('_', '-')}", knob.metadata["says"]
        if isinstance(knob.default, bool):
            negated = f"--no-{name[2:]}"
            group.add_argument(negated, dest=knob.name, action="store_false", default=None, help=f"do not {says}")
            continue
        group.add_argument(
            name,
            type=type(knob.default),
            choices=knob.metadata["one_of"] or None,
            metavar=None if knob.metadata["one_of"] else {str: "NAME", int: "N", float: "X"}[type(knob.default)],
            help=f"{says} (default {knob.default})".replace("%", "%%"),
        )


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; the URL is printed as one line of JSON as soon as the port is ours."""
    import asyncio

    from mens_console.load.fake import FakeServer, Truth

    knobs, script = _asked(arguments)
    if arguments.port > 65_535:
        raise CommandError(f"--port {arguments.port}: a port is at most 65535")
    log = _log(arguments.log)
    try:
        server = FakeServer(
            knobs,
            script,
            seed=arguments.seed,
            host=arguments.host,
            port=arguments.port,
            truth=Truth(log, keep=False),
            any_host=arguments.any_host,
        )
    except ValueError as error:
        raise CommandError(f"--host {error} (--any-host)") from None
    try:
        asyncio.run(_serve(server))
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise CommandError(f"{arguments.host}:{arguments.port}: {why}; choose another --host or --port") from None
    finally:
        if log is not None:
            log.close()
    return OK


async def _serve(server: FakeServer) -> None:
    import asyncio
    import contextlib
    import os
    import signal

    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    async with server:
        told = {"url": server.url, "api": f"{server.url}/v1", "model": server.knobs.model, "pid": os.getpid()}
        with contextlib.suppress(BrokenPipeError):  # whoever read it may have left
            print(json.dumps(told), flush=True)
        await ended.wait()


def _asked(arguments: argparse.Namespace) -> tuple[Knobs, Script]:
    from mens_console.load.fake import KnobError, Knobs, Script, ScriptError, knobs_of, read_script

    knobs, script = Knobs(), Script()
    try:
        if arguments.script is not None:
            knobs, script = read_script(arguments.script)
        return knobs_of(_chosen(arguments), knobs), script
    except ScriptError as error:
        raise CommandError(str(error)) from None
    except KnobError as error:
        raise CommandError(f"--{error.key.replace('_', '-')}: {error}") from None


def _chosen(arguments: argparse.Namespace) -> dict[str, Any]:
    from mens_console.load.fake.knobs import Knobs

    names = [knob.name for knob in fields(Knobs) if knob.name not in _OWN]
    chosen = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
    if arguments.errors:
        pairs = [one.partition("=") for one in arguments.errors]
        chosen["errors"] = {status: share for status, _, share in pairs}
    if arguments.key_file is not None:
        chosen["key"] = _key(arguments.key_file)
    return chosen


def _key(path: Path) -> str:
    try:
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = (getattr(error, "strerror", None) or "it is not ASCII").lower()
        raise CommandError(f"--key-file {path}: {why}") from None
    if not key.isprintable() or not key or " " in key:
        raise CommandError(f"--key-file {path}: one line without blanks is needed")
    return key


def _log(path: Path | None) -> TextIO | None:
    try:
        return None if path is None else path.open("w", encoding="utf-8")
    except OSError as error:
        raise CommandError(f"--log {path}: {(error.strerror or str(error)).lower()}") from None
