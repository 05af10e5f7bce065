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
from mens_console.signals.human import some

if TYPE_CHECKING:
    from collections.abc import Callable

    from mens_console.benchmark.asking import Client, Progress
    from mens_console.benchmark.batches import Speed
    from mens_console.benchmark.memory import GpuWatch
    from mens_console.benchmark.plan import Plan


class Bench:
    """Measures a server. `watch` looks at GPU memory during the runs at batch 1, and has been started."""

    def __init__(self, plan: Plan, told: Callable[[Progress], None], watch: GpuWatch | None = None) -> None:
        self._plan, self._told, self._watch = plan, told, watch
        self._words = 1
        self.measured = Measured(plan, time.time())

    async def run(self, client: Client) -> None:
        """Measure everything; `measured` tells what became of it. Nothing is raised but what cancels it."""
        asker = Asker(client)
        try:
            await self._parts(asker)
        except GaveUpError as error:
            self.measured.fail(f"given up: {error}")
        finally:
            self._finish(asker)

    async def _parts(self, asker: Asker) -> None:
        await self._begin(asker)
        batches = sorted(set(self._plan.batches))
        if 1 in batches:
            await self._batch(asker, 1)
        await self._latencies(asker)
        for batch in batches:
            if batch > 1:
                await self._batch(asker, batch)
        await self._ladder(asker)

    async def _begin(self, asker: Asker) -> None:
        measured, plan = self.measured, self._plan
        fitted, note = await short_prompts(asker, plan)
        self._words = fitted.words
        measured.note(note)
        if not asker.ignore_eos:
            measured.note("the server does not take ignore_eos: answers end where the model ends them")
        measured.warmup = await warm_up(asker, plan, self._words, self._told)
        if measured.warmup < plan.warmup:
            measured.fail(f"{plan.warmup - measured.warmup} of {plan.warmup} warm-up generations failed")
            await self._still_there(asker, failing=not measured.warmup)

    async def _batch(self, asker: Asker, batch: int) -> None:
        watch = self._watch if batch == 1 else None
        speed = await measure(asker, self._plan, batch, self._words, self._told, watch)
        self.measured.speeds.append(speed)
        if watch is not None:
            self._memory(speed, watch)
        self._tell(speed)
        await self._still_there(asker, failing=not speed.rates and speed.failed > 0)

    def _tell(self, speed: Speed) -> None:
        name, runs = f"batch {speed.batch}", speed.failed + speed.short + len(speed.rates)
        if speed.failed:
            told = "; ".join(f"{reason} ({some(count, 'time')})" for reason, count in speed.reasons.most_common(2))
            self.measured.fail(f"{name}: {speed.failed} of {runs} runs had a failed request and do not count: {told}")
        if speed.given_up:
            self.measured.fail(f"{name}: given up after {runs} of {self._plan.runs} runs")
        if speed.short:
            self.measured.fail(
                f"{name}: {speed.short} of {runs} runs stopped short of {self._plan.tokens} tokens and do not count; "
                "ask for fewer (--tokens), or let the server take ignore_eos"
            )

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

    async def _latencies(self, asker: Asker) -> None:
        if not self._plan.requests:
            return
        latent, short = await latencies(asker, self._plan, self._words, self._told)
        measured = self.measured
        measured.latent = latent
        if latent.failed:
            measured.fail(f"latency: {latent.failed} of {latent.asked} requests failed")
        if latent.asked < self._plan.requests:
            measured.fail(f"latency: given up after {latent.asked} of {self._plan.requests} requests")
        if short:
            measured.note(f"latency: {short} of {latent.asked} answers had less than 100 tokens")
        await self._still_there(asker, failing=latent.asked < self._plan.requests)

    async def _still_there(self, asker: Asker, *, failing: bool) -> None:
        """Go on to the next part only where the server still answers."""
        if failing:
            await asker.must_answer(request(self._plan.seed, 70_000_000, self._words))

    async def _ladder(self, asker: Asker) -> None:
        ladder = Ladder(asker, self._plan, self._told)
        self.measured.steps = ladder.done
        try:
            await ladder.climb()
        finally:
            self.measured.note(ladder.ended)
            for step in ladder.done:
                if step.failed and not step.refused:
                    self.measured.fail(f"context {step.tokens}: {some(step.failed, 'request')} failed")

    def _finish(self, asker: Asker) -> None:
        measured, plan = self.measured, self._plan
        measured.ended = time.time()
        _chunks(measured)
        measured.note(f"prompts were drawn with --seed {plan.seed}")
        if not plan.gpus_told:
            measured.note("nobody told how many GPUs serve: one is assumed (--gpus N)")
        if plan.quick:
            measured.note("a quick look: too few runs, requests and items for a verdict")
        for reason, count in asker.failures.most_common(5):
            measured.note(f"{some(count, 'request')} failed with {reason}")


def _chunks(measured: Measured) -> None:
    """Tell where gaps between chunks are no gaps between tokens, once for all parts."""
    parts = {f"batch {one.batch}": one.latent for one in measured.speeds}
    if measured.latent is not None:
        parts["latency"] = measured.latent
    parts |= {f"context {one.tokens}": one.latent for one in measured.steps}
    for name, one in parts.items():
        if one.split:
            measured.fail(f"{name}: {one.chunks} chunks hold {one.tokens} tokens: gaps between them are none of tokens")
    many = {name: one for name, one in parts.items() if one.chunks and one.tokens > 1.05 * one.chunks + one.asked}
    if many:
        mean = sum(one.tokens for one in many.values()) / sum(one.chunks for one in many.values())
        measured.note(
            f"tokens came {mean:.1f} to a chunk ({', '.join(many)}): gaps are those between chunks, "
            "which are longer than between tokens"
        )
    crowded = {name: one for name, one in parts.items() if one.crowded}
    if crowded:
        told = ", ".join(f"{name} {one.at_once} of {len(one.gaps)}" for name, one in crowded.items())
        measured.note(
            f"chunks came in one piece with the one before ({told}): those gaps were not seen and are left out, and "
            "the ones beside them are longer than between tokens"
        )
