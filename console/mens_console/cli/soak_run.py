"""`mens-console soak run`: put load on a model server for hours, or go on with that after whatever ended it.

Exit status: 0 it came to its end, or was left running by itself · 2 wrong use, no server, another driver · 130 and 143
stopped by SIGINT and SIGTERM. The signal of a terminal that went away is ignored.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from mens_console.cli.errors import INTERRUPTED, OK, TERMINATED, CommandError
from mens_console.cli.soak_options import add
from mens_console.cli.soak_telling import Telling

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from mens_console.load.endpoint import Endpoint
    from mens_console.load.prompts import Prompts
    from mens_console.soak.recorder import Recorder
    from mens_console.soak.types import Plan

_GLANCE_S: Final = 3.0
"""How long a soak that is there is read to see whether it is over, before its server is asked anything."""
_SAYS_S: Final = 15.0
"""How often a driver without a terminal says how much it has read of what was recorded before."""
_ROW_BYTES: Final = 250
_TOKEN_BYTES: Final = 7
"""What a request takes in the journal, and each gap between its tokens."""
_EXTRA: Final = "it needs aiohttp: pip install 'mens-console[load]'"
_EPILOG: Final = """examples:
  mens-console soak run --url http://127.0.0.1:8000 --model llama-r16 --rate 10 --duration 72h --out soak-r16 --detach
  mens-console soak run --url http://gpu7:8000/v1 --model r16 --rate 4 --arrivals poisson --duration 12h --out s12 \\
      --limit kv_cache=95% --tag gpus=2
  mens-console soak run --resume soak-r16

Requests are sent when they are due, whether or not earlier ones were answered (an open loop), so that a stall of the
server shows in full. Ctrl-C, SIGTERM and `mens-console soak stop` let requests in flight end; a second one does not.
A terminal that goes away ends nothing; `loginctl enable-linger` is needed where systemd ends all of a user's processes
at logout (KillUserProcesses=yes). The API key is read from $MENS_API_KEY or $OPENAI_API_KEY, and kept nowhere.

exit status: 0 it came to its end, or was left running by itself · 2 wrong use, no server, another driver
· 130, 143 stopped by SIGINT, SIGTERM"""


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add(parser)
    parser.epilog = _EPILOG


def run(arguments: argparse.Namespace) -> int:
    """Run it here, or leave it running by itself."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        return _run(arguments)
    finally:
        signal.signal(signal.SIGHUP, before)


def _run(arguments: argparse.Namespace) -> int:
    try:
        import aiohttp  # noqa: F401 (said now, not in the middle)
    except ImportError:
        raise CommandError(f"`mens-console soak run` makes requests: {_EXTRA}") from None
    from mens_console.cli.soak_plan import planned, words

    folder, plan, there, endpoint = planned(arguments)
    if there:
        _refuse_over(folder)
    prompts, key = _prompts(plan), _key(arguments)
    _refuse_held(folder)
    _refuse_blind(plan, arguments, there=there)
    if not arguments.no_preflight:
        from mens_console.cli.soak_preflight import look

        plan = look(plan, endpoint, key, prompts.of, wait_s=arguments.wait, there=there)
    if arguments.detach:
        from mens_console.cli.soak_detach import detach

        return detach(folder, words(folder, plan, there, arguments), arguments.url, as_json=arguments.json)
    job = _Job(folder, plan, there, endpoint, key, prompts)
    return _here(job, arguments)


@dataclass(frozen=True, slots=True)
class _Job:
    """What is to be driven, where, and with what."""

    folder: Path
    plan: Plan
    there: bool
    endpoint: Endpoint
    key: str
    prompts: Prompts


def _refuse_held(folder: Path) -> None:
    """Refuse a directory that is driven already, before the server is asked anything."""
    from mens_console.soak.control import holder

    if (pid := holder(folder)) is not None:
        raise _held(folder, pid)


def _refuse_over(folder: Path) -> None:
    """Refuse a soak that came to its end, before the server is asked anything."""
    from mens_console.soak.record import Record

    record, until = Record(folder), time.monotonic() + _GLANCE_S
    record.poll(time.time())
    while record.more and time.monotonic() < until:  # what takes longer is found out once, by the driver itself
        record.poll(time.time())
    record.close()
    if record.state == "finished":
        raise _over(folder)


def _over(folder: Path) -> CommandError:
    told = f"`mens-console soak report {folder}` tells what it came to, and another needs another --out DIR"
    return CommandError(f"{folder}: this soak has come to its end; {told}")


def _refuse_blind(plan: Plan, arguments: argparse.Namespace, *, there: bool) -> None:
    """Refuse to watch a process that is not there, and say what else will not be known."""
    from mens_console.cli.common import complain
    from mens_console.signals.human import size
    from mens_console.soak.control import start_of

    pid = arguments.watch_pid
    if pid is not None and start_of(pid) is None:
        raise CommandError(f"--watch-pid {pid}: there is no such process on this box")
    if there:
        return
    if "rss" in plan.limits and pid is None:
        complain("--limit rss says nothing without --watch-pid: no process is watched")
    each = _ROW_BYTES + _TOKEN_BYTES * plan.max_tokens
    most = min(arguments.max_disk, int(plan.rate * plan.duration_s * each))
    if (free := _free(arguments.out)) is not None and free < most:
        complain(
            f"{arguments.out}: {size(free)} are free, and single requests may take {size(most)} ({plan.rate:g}/s, "
            f"{each} bytes each before packing); `--max-disk` discards the oldest sooner"
        )


def _free(folder: Path) -> int | None:
    """Return the bytes that are free where a directory is or will be; None where that cannot be known."""
    import shutil

    there = next((one for one in (folder, *folder.absolute().parents) if one.is_dir()), None)
    try:
        return None if there is None else shutil.disk_usage(there).free
    except OSError:
        return None


def _held(folder: Path, pid: str) -> CommandError:
    told = f"`mens-console soak status {folder}` tells how it goes"
    return CommandError(f"{folder}: process {pid} drives it already; {told}")


def _here(job: _Job, arguments: argparse.Namespace) -> int:
    """Be the driver."""
    import asyncio

    from mens_console.soak.control import HeldError, Lock

    job.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        lock = Lock(job.folder)
    except HeldError as error:
        raise _held(job.folder, str(error)) from None
    try:
        plan = _begun(job)
        book = _opened(job.folder, plan, arguments)
        return asyncio.run(_drive(job, plan, book, arguments))
    finally:
        lock.release()


def _opened(folder: Path, plan: Plan, arguments: argparse.Namespace) -> Recorder:
    """Open the record, where what earlier drivers left is read first, and tell how far that is."""
    from mens_console.cli.common import Meter, complain
    from mens_console.soak.recorder import Recorder
    from mens_console.soak.writer import Writer

    said = time.monotonic() + _SAYS_S
    with Meter(sys.stderr) as meter:

        def tell(done: int, total: int) -> None:
            nonlocal said
            meter.tell(done, total)
            if not sys.stderr.isatty() and time.monotonic() >= said:
                said = time.monotonic() + _SAYS_S
                complain(f"reading what was recorded before: {done / 1e6:.0f} of {total / 1e6:.0f} MB")

        book = Recorder(Writer(folder, plan, max_disk=arguments.max_disk, tell=tell))
    if book.ended:
        book.close()
        raise _over(folder)
    return book


async def _drive(job: _Job, plan: Plan, book: Recorder, arguments: argparse.Namespace) -> int:
    from mens_console.cli.soak_left import leave, withdraw
    from mens_console.load.client import Client
    from mens_console.soak.drive import Drive, Terms

    folder = job.folder
    client = Client(
        job.endpoint,
        plan.model,
        key=job.key,
        timeout_s=plan.timeout_s,
        probe_path=plan.probe_path,
        usage=plan.ask_usage,
    )
    async with client:
        telling = Telling(folder, plan, as_json=arguments.json)
        terms = Terms(most_in_flight=arguments.max_in_flight, watch_pid=arguments.watch_pid)
        drive = Drive(folder, plan, book, client, job.prompts.of, telling.look, terms)
        telling.begin(resumed=book.begun)
        withdraw(folder)
        state = await drive.run()
        telling.end(state, drive.look, book.waiting, leave(folder))
    if state == "finished":
        return OK
    return INTERRUPTED if "SIGINT" in drive.why else TERMINATED


def _begun(job: _Job) -> Plan:
    """Write the plan of a new soak, which begins now; or see that the one that is there is still the same."""
    from mens_console.soak.plan import NAME, PlanError, read, write

    try:
        if job.there:
            if read(job.folder) != job.plan:
                raise PlanError(f"{job.folder / NAME}: it was changed meanwhile; try again")
            return job.plan
        if os.path.lexists(job.folder / NAME):
            raise PlanError(f"{job.folder}: another soak was begun there meanwhile; give another --out DIR")
        plan = replace(job.plan, started=time.time())
        write(job.folder, plan)
    except PlanError as error:
        raise CommandError(str(error)) from None
    return plan


def _key(arguments: argparse.Namespace) -> str:
    from mens_console.load.keys import KeyFileError, api_key

    try:
        return api_key(arguments.key_file, os.environ)
    except KeyFileError as error:
        raise CommandError(str(error)) from None


def _prompts(plan: Plan) -> Prompts:
    from pathlib import Path

    from mens_console.load.prompts import PromptError, Prompts, read_prompts

    try:
        own = read_prompts(Path(plan.prompts)) if plan.prompts is not None else ()
    except PromptError as error:
        raise CommandError(str(error)) from None
    return Prompts(tokens=plan.prompt_tokens, seed=plan.seed, own=own)
