"""A benchmark from warm-up to the last rung, part by part. What was finished stays, whatever ends it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mens_console.benchmark.asking import Asker, GaveUpError
from mens_console.benchmark.batches import measure
from mens_console.benchmark.haystack import request
from mens_console.benchmark.ladder import Ladder
from mens_console.benchmark.measured import Measured
from mens_console.benchmark.single import latencies, short_prompts, warm_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from mens_console.benchmark.asking import Client, Progress
    from mens_console.benchmark.batches import Speed
    from mens_console.benchmark.memory import GpuWatch
    from mens_console.benchmark.plan import Plan


class Bench:
    """Measures a server through a client. `watch` looks at GPU memory during the runs at batch 1."""

    def __init__(
        self, client: Client, plan: Plan, told: Callable[[Progress], None], watch: GpuWatch | None = None
    ) -> None:
        self._asker = Asker(client)
        self._plan, self._told, self._watch = plan, told, watch
        self._words = 1
        self.measured = Measured(plan, time.time())

    async def run(self) -> None:
        """Measure everything. Nothing is raised but what cancels it; `measured` tells what became of it."""
        measured, plan = self.measured, self._plan
        try:
            fitted, note = await short_prompts(self._asker, plan)
            self._words = fitted.words
            measured.note(note)
            if not self._asker.ignore_eos:
                measured.note("the server does not take ignore_eos: answers end where the model ends them")
            measured.warmup = await warm_up(self._asker, plan, self._words, self._told)
            if measured.warmup < plan.warmup:
                measured.fail(f"{plan.warmup - measured.warmup} of {plan.warmup} warm-up generations failed")
            batches = sorted(set(plan.batches))
            for batch in [one for one in batches if one == 1]:
                await self._batch(batch)
            await self._latencies()
            for batch in [one for one in batches if one > 1]:
                await self._batch(batch)
            await self._ladder()
        except GaveUpError as error:
            measured.fail(f"given up: {error}")
        finally:
            self._finish()

    async def _batch(self, batch: int) -> None:
        watch = self._watch if batch == 1 else None
        speed = await measure(self._asker, self._plan, batch, self._words, self._told, watch)
        self.measured.speeds.append(speed)
        if watch is not None:
            self._memory(speed, watch)
        self._tell(speed)
        await self._still_there(failing=not speed.rates and speed.failed > 0)

    def _tell(self, speed: Speed) -> None:
        name, runs = f"batch {speed.batch}", speed.failed + speed.short + len(speed.rates)
        if speed.failed:
            told = "; ".join(f"{reason} ({count} times)" for reason, count in speed.reasons.most_common(2))
            self.measured.fail(f"{name}: {speed.failed} of {runs} runs had a failed request and do not count: {told}")
        if speed.given_up:
            self.measured.fail(f"{name}: given up after {runs} of {self._plan.runs} runs")
        if speed.short:
            self.measured.fail(
                f"{name}: {speed.short} of {runs} runs stopped short of {self._plan.tokens} tokens and do not count; "
                "ask for fewer (--tokens), or let the server take ignore_eos"
            )
        _chunks(self.measured, name, speed.latent.tokens, speed.latent.chunks, split=speed.latent.split)

    def _memory(self, speed: Speed, watch: GpuWatch) -> None:
        measured = self.measured
        measured.watched = True
        measured.peaks = [one for one in speed.peaks if one is not None]
        if watch.problem or not measured.peaks:
            measured.fail(f"GPU memory: {watch.problem or 'no GPU could be read'}")
        elif not self._plan.gpu_indexes and watch.gpus != self._plan.gpus:
            measured.note(
                f"GPU memory is that of all {watch.gpus} GPUs of this box, and {self._plan.gpus} serve by what was "
                "told: name those (--watch-gpu 0,1)"
            )
        if measured.peaks:
            measured.note("GPU memory is all that the GPUs held, other programs' too")

    async def _latencies(self) -> None:
        if not self._plan.requests:
            return
        latent, short = await latencies(self._asker, self._plan, self._words, self._told)
        measured = self.measured
        measured.latent = latent
        if latent.failed:
            measured.fail(f"latency: {latent.failed} of {latent.asked} requests failed")
        if latent.asked < self._plan.requests:
            measured.fail(f"latency: given up after {latent.asked} of {self._plan.requests} requests")
        if short:
            measured.note(f"latency: {short} of {latent.asked} answers had less than 100 tokens")
        _chunks(measured, "latency", latent.tokens, latent.chunks, split=latent.split)
        await self._still_there(failing=latent.asked < self._plan.requests)

    async def _still_there(self, *, failing: bool) -> None:
        """Go on to the next part only where the server still answers."""
        if failing:
            await self._asker.must_answer(request(self._plan.seed, 70_000_000, self._words))

    async def _ladder(self) -> None:
        ladder = Ladder(self._asker, self._plan, self._told)
        self.measured.steps = ladder.done
        await ladder.climb()
        self.measured.note(ladder.ended)
        for step in ladder.done:
            if step.failed and not step.refused:
                self.measured.fail(f"context {step.tokens}: {step.failed} requests failed")

    def _finish(self) -> None:
        measured, plan = self.measured, self._plan
        measured.ended = time.time()
        if not plan.gpus_told:
            measured.note("nobody told how many GPUs serve: one is assumed (--gpus N)")
        if plan.quick:
            measured.note("a quick look: too few runs, requests and items for a verdict")
        for reason, count in self._asker.failures.most_common(5):
            measured.note(f"{count} requests failed with {reason}")


def _chunks(measured: Measured, name: str, tokens: int, chunks: int, *, split: bool) -> None:
    """Tell where gaps between chunks are no gaps between tokens."""
    if split:
        measured.fail(f"{name}: {chunks} chunks hold {tokens} tokens: gaps between them are none between tokens")
    elif chunks and tokens > 1.05 * chunks + 1:
        measured.note(
            f"{name}: {tokens / chunks:.1f} tokens came in a chunk on average; gaps are those between chunks, which "
            "are longer than between tokens"
        )
