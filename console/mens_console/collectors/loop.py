"""A training loop of one's own, watched in three lines: `watch`, `backward_done` and `step`.

It tells the watcher when what happens; measuring and writing are done elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from mens_console.collectors.adapters import is_module
from mens_console.collectors.facts import base_model, language_model, model_facts
from mens_console.collectors.guard import Guard, warn
from mens_console.collectors.session import Session
from mens_console.collectors.text import TokenCount
from mens_console.collectors.torching import bare_optimizer, failure, learning_rate, world
from mens_console.collectors.watcher import Losses, Watcher

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    import torch

    from mens_console.collectors.lora import LoraMonitor


def watch(
    model: torch.nn.Module, run_dir: str | Path, optimizer: Any = None, total_steps: int | None = None, **options: Any
) -> Loop:
    """Return a context manager that records a training loop into `run_dir`.

    ::

        with watch(model, "runs/one", optimizer, total_steps=1000) as mens:
            for batch in batches:
                loss = model(**batch).loss
                loss.backward()
                mens.backward_done()  # all of the step's gradients are there, and not yet clipped
                optimizer.step()
                mens.step(loss=loss)
                optimizer.zero_grad()

    Options are those of `Loop` and of the session (`base_model`, `dataset_version`, `config`, `lora_every_s`, …).
    """
    return Loop(model, run_dir, optimizer, total_steps, **options)


class Loop:
    """A loop being recorded. Steps count on from `start_step`, the optimizer steps that a resumed run has behind it.

    A loss on a GPU is read at most every `row_every_s` seconds, so that the loop seldom waits for it; what is recorded
    then is the mean of the losses since. On a CPU, and where the loss is a plain number, every step is recorded.
    Under a process group only rank 0 writes, and its tokens stand for those of every other.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        run_dir: str | Path,
        optimizer: Any = None,
        total_steps: int | None = None,
        *,
        start_step: int = 0,
        effective_rank: bool = False,
        row_every_s: float = 1.0,
        **options: Any,
    ) -> None:
        rank, processes = world()
        given = {"rank": rank, "world_size": processes, **options}
        self._leads = given["rank"] == 0
        self._is_module = is_module(model)
        if self._leads and self._is_module:
            resumed = {"resumed_at_step": start_step} if start_step else {}
            with Guard()("configuration"):
                given["config"] = {**model_facts(model), **resumed, **(given.get("config") or {})}
                given.setdefault("base_model", base_model(model))
        self.session = Session(run_dir, total_steps=total_steps, **given)
        self.last_step = start_step
        """The newest step that is over."""
        self._model, self._optimizer = model, bare_optimizer(optimizer)
        self._effective_rank = effective_rank
        self._processes = int(given["world_size"])
        self._watcher: Watcher | None = None
        self._rate: float | None = None
        """What the step is made at: a scheduler may have gone on by the time that the step is told."""
        self._given: TokenCount | None = None
        self._losses = Losses(row_every_s)
        self._warned = False

    @property
    def monitor(self) -> LoraMonitor | None:
        """Return the monitor of the LoRA pairs, None where there are none (yet) or the loop is not entered."""
        return None if self._watcher is None else self._watcher.monitor or None

    def __enter__(self) -> Self:
        if self._leads:
            self._watcher = Watcher(
                self.session,
                self._model,
                self._optimizer,
                effective_rank=self._effective_rank,
                processes=self._processes,
                text=language_model(self._model) if self._is_module else None,
            )
            self._watcher.begin(self.last_step + 1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Record how the loop ended; an exception goes on its way."""
        if self._watcher is None:
            return
        if error is None or (isinstance(error, SystemExit) and not error.code):
            self._watcher.close("completed")
        elif isinstance(error, Exception):
            self._watcher.close("crashed", failure(error))
        else:
            self._watcher.close("interrupted")

    def backward_done(self, scaler: Any = None) -> None:
        """Tell that the step's gradients are complete: after the last backward pass, before clipping and the step.

        `scaler` is the GradScaler, if there is one, whether it unscaled the gradients already or not.
        """
        if self._watcher is not None:
            with self.session.safely("the learning rate"):
                self._rate = learning_rate(self._optimizer)
            self._watcher.look(scaler)

    def step(
        self,
        loss: Any = None,
        tokens: Any = None,
        lr: float | None = None,
        *,
        grad_norm: Any = None,
        accuracy: float | None = None,
        epoch: float | None = None,
        token_entropy: float | None = None,
        **extra: float,
    ) -> None:
        """Tell that the optimizer stepped. `tokens` are this process's since the last step.

        Without `tokens` those are counted that a language model was called with; without `lr` it is the optimizer's,
        as it was when the gradients were complete.
        The norm of the gradient and the entropy of the predictions are measured now and then where they are not given.
        """
        self.last_step += 1
        watcher = self._watcher
        if watcher is None:
            return
        self._expect_look(watcher)
        watcher.after_step()
        rate, self._rate = self._rate, None
        with self.session.safely("a step"):
            if lr is None:
                lr = learning_rate(self._optimizer) if rate is None else rate
            if tokens is not None:
                self._given = self._given or TokenCount()
                self._given.put(tokens)
            self._losses.add(loss)
            if watcher.measured or self._losses.due():
                layers, entropy = watcher.layers(), watcher.entropy()
                self.session.step(
                    self.last_step,
                    loss=self._losses.take(),
                    learning_rate=lr,
                    grad_norm=watcher.grad_norm() if grad_norm is None else grad_norm,
                    epoch=epoch,
                    tokens=self._tokens(watcher),
                    token_entropy=entropy if token_entropy is None else token_entropy,
                    accuracy=accuracy,
                    layers=layers,
                    update_steps=watcher.update_steps,
                    extra=extra or None,
                )
        watcher.begin(self.last_step + 1)

    def _expect_look(self, watcher: Watcher) -> None:
        if not self._warned and watcher.missed_look():
            self._warned = True
            warn("mens-console: LoRA layers are not measured: call backward_done() after the backward pass")

    def _tokens(self, watcher: Watcher) -> int | None:
        """Return what the caller counted, where it ever did, else what the model was called with."""
        if self._given is None:
            return watcher.tokens(now=True)
        return self._given.take() * self._processes
