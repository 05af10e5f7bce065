"""A benchmark of the fake server, small enough for a test, and the same server on a thread for the command line."""

import asyncio
import contextlib
import threading

from mens_console.benchmark.bench import Bench
from mens_console.benchmark.document import document
from mens_console.benchmark.plan import Plan
from mens_console.load.client import Client
from mens_console.load.endpoint import endpoint_of
from mens_console.load.fake import FakeServer, Knobs

QUICK = {"ttft_ms": 4.0, "gap_ms": 1.0, "ttft_spread": 0.0, "gap_spread": 0.0}
SMALL = {"runs": 2, "tokens": 20, "requests": 5, "answer_tokens": 12, "warmup": 1, "batches": (1,), "context": (),
         "items": 5, "gpus_told": True}  # fmt: skip


def plan(url="http://127.0.0.1:1/v1/chat/completions", **more):
    return Plan(url=url, model="fake-model", **(SMALL | more))


async def benched(knobs=None, *, watch=None, client=None, single=None, **more):
    """Return the document, what was measured, and the server's own rows of the requests."""
    async with FakeServer(Knobs(**(QUICK | (knobs or {})))) as server:
        endpoint = endpoint_of(server.url)
        bench = Bench(plan(endpoint.url, **more), lambda progress: None, watch)
        async with (client or Client)(endpoint, "fake-model", timeout_s=30) as asking:
            await bench.run(asking)
        return document(bench.measured, "0.1.0", single), bench.measured, server.truth.requests


def asked_as(rows, part):
    """Return the rows of the requests that one part made, by their ids."""
    return [row for row in rows if str(row["id"]).rpartition("-")[0] == part]


class Requests:
    """A client that answers by a function of the number of the request, for what the fake server does not do."""

    usage = True

    def __init__(self, answer):
        self._answer, self.asked = answer, []

    async def ask(self, prompt, *, max_tokens, id, keep_text=False, ignore_eos=False):
        self.asked.append({"prompt": prompt, "tokens": max_tokens, "id": id, "ignore_eos": ignore_eos})
        number = len(self.asked)
        await asyncio.sleep(0)
        return self._answer(number, id, prompt, max_tokens)


async def benched_by(answer, **more):
    """Return the document and what was measured of a client that answers by a function."""
    client = Requests(answer)
    bench = Bench(plan(**more), lambda progress: None)
    await bench.run(client)
    return document(bench.measured, "0.1.0"), bench.measured, client


@contextlib.contextmanager
def served(**knobs):
    """Yield a fake server that runs on a thread of its own."""
    loop, made, begun = asyncio.new_event_loop(), [], threading.Event()
    done = asyncio.Event()

    async def serve():
        async with FakeServer(Knobs(**(QUICK | knobs))) as server:
            made.append(server)
            begun.set()
            await done.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert begun.wait(10)
    try:
        yield made[0]
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(10)
        loop.close()
