"""`mens-console bench --url URL --model NAME`: throughput, latency, memory and context length of a model server.

Exit status: 0 measured · 1 something failed · 2 wrong use · 130 interrupted and 143 terminated, with what was finished.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mens_console.cli.benchmeter import BenchMeter
from mens_console.cli.benchoptions import plan_of
from mens_console.cli.common import colour, complain
from mens_console.cli.errors import INTERRUPTED, NO, OK, TERMINATED, CommandError
from mens_console.cli.status import paint, plain

if TYPE_CHECKING:
    import argparse

    from mens_console.benchmark.bench import Bench
    from mens_console.benchmark.plan import Plan
    from mens_console.load.client import Client
    from mens_console.load.endpoint import Endpoint

_PAIR: Final = re.compile(r"\[\s+([^\s,\[\]{}]+),\s+([^\s,\[\]{}]+)\s+\]")
"""A value and its count, which are put on one line."""
_ODD: Final = re.compile(r"[^\w.-]+")


def run(arguments: argparse.Namespace) -> int:
    """Measure, print and write."""
    from mens_console.load.endpoint import EndpointError, endpoint_of

    try:
        endpoint = endpoint_of(arguments.url, arguments.api)
    except EndpointError as error:
        raise CommandError(f"--url: {error}") from None
    plan = plan_of(arguments, endpoint.url, endpoint.api)
    single, note = _single(arguments)
    path = _destination(arguments)
    client = _client(endpoint, arguments)
    bench, ended = _measure(plan, client)
    measured = bench.measured
    measured.note(note)
    for failure in measured.failures:
        complain(failure)
    if measured.empty:
        complain("nothing was measured to its end; no report was written")
        return ended or NO
    told = _tell(_document(measured, single), path, arguments)
    return ended or (NO if measured.failures or not told else OK)


def _single(arguments: argparse.Namespace) -> tuple[dict[int, float], str]:
    from mens_console.benchmark.earlier import EarlierError, single_gpu

    if arguments.single_gpu is None:
        return {}, ""
    try:
        return single_gpu(arguments.single_gpu, arguments.model)
    except EarlierError as error:
        raise CommandError(f"--single-gpu: {error}") from None


def _destination(arguments: argparse.Namespace) -> Path | None:
    """Return the file to write, None for none; what cannot be written is told before an hour was spent on it."""
    path: Path | None = arguments.out
    if path is None:
        if arguments.json:
            return None
        name = _ODD.sub("-", arguments.model).strip("-.")[-60:] or "model"
        path = Path(f"bench-{name}-{time.strftime('%Y%m%d-%H%M%S')}.json")
    if path.is_dir():
        raise CommandError(f"{path}: it is a folder; give --out a file")
    if os.path.lexists(path) and not arguments.force:
        raise CommandError(f"{path}: it is there already; give another --out, or --force to write over it")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise CommandError(f"{path.parent}: nothing can be written there; give another --out")
    return path


def _client(endpoint: Endpoint, arguments: argparse.Namespace) -> Client:
    from mens_console.load.keys import KeyFileError, api_key

    try:
        from mens_console.load.client import Client
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "aiohttp":
            raise
        raise CommandError("aiohttp is not installed; pip install 'mens-console[load]'") from None
    try:
        key = api_key(arguments.key_file, os.environ)
    except KeyFileError as error:
        raise CommandError(str(error)) from None
    return Client(endpoint, arguments.model, key=key, timeout_s=arguments.timeout)


def _measure(plan: Plan, client: Client) -> tuple[Bench, int]:
    """Run the benchmark; return it with 0, or the exit status of what ended it early."""
    from mens_console.benchmark.bench import Bench
    from mens_console.benchmark.memory import GpuWatch

    watch = GpuWatch(plan.gpu_indexes) if plan.watch_gpu else None
    ended = OK
    with BenchMeter(sys.stderr, plan.parts()) as meter:
        bench = Bench(plan, meter.tell, watch)
        if watch is not None:
            watch.start()
        try:
            asyncio.run(_with(client, bench))
        except KeyboardInterrupt:
            ended = INTERRUPTED
        except asyncio.CancelledError:
            ended = TERMINATED
        finally:
            if watch is not None:
                watch.stop()
    if ended:
        word = "interrupted" if ended == INTERRUPTED else "terminated"
        bench.measured.note(f"{word} during {meter.part}: what was not finished is not here")
    return bench, ended


async def _with(client: Client, bench: Bench) -> None:
    task = asyncio.current_task()
    assert task is not None
    for name in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(name) is not signal.SIG_IGN:  # `nohup` stays what it is
            asyncio.get_running_loop().add_signal_handler(name, task.cancel)
    async with client:
        bench.measured.parts = await _parts(client, bench.measured.plan.gpus)
        await bench.run(client)
        if bench.measured.empty:
            await _suggest(client, bench)


async def _suggest(client: Client, bench: Bench) -> None:
    """Name the model that was meant, where the server does not know the one that was asked for."""
    from mens_console.load.preflight import misnamed

    if hint := await misnamed(client):
        bench.measured.fail(hint)


async def _parts(client: Client, gpus: int) -> dict[str, int]:
    """Return what the server tells of its GPU memory; most tell nothing."""
    from mens_console.benchmark.parts import PATHS, parts_of

    for path in PATHS:
        reply = await client.get(client.endpoint.beside(path))
        if reply.status is None:
            break
        if reply.status == 200:
            return parts_of(reply.body, gpus)
    return {}


def _document(measured: Any, single: dict[int, float]) -> dict[str, Any]:
    from importlib.metadata import version

    from mens_console.benchmark.document import document

    return document(measured, version("mens-console"), single)


def _tell(document: dict[str, Any], path: Path | None, arguments: argparse.Namespace) -> bool:
    """Write the report and print it; one that cannot be written is printed whole, so that it is not lost, and False."""
    from mens_console.cli.benchtable import lines

    text = _PAIR.sub(r"[\1, \2]", json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
    written = ""
    if path is not None:
        try:
            written = _write(path, text, force=arguments.force)
        except OSError as error:
            complain(f"{path}: it could not be written ({(error.strerror or str(error)).lower()}); the report follows")
            print(text)
            return False
    if arguments.json:
        print(text)
    else:
        print("\n".join(lines(document, paint if colour(sys.stdout) else plain, written)))
    return True


def _write(path: Path, text: str, *, force: bool) -> str:
    """Write the report; it appears whole or not at all, and over nothing that came there meanwhile."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("x", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        if os.path.lexists(path) and not force:
            raise FileExistsError(17, "something was put there meanwhile")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return str(path)
