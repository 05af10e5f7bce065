"""The callback for transformers' Trainer and everything built on it, TRL's trainers among them.

It translates the Trainer's events for the watcher and the session; measuring and writing are done elsewhere.
"""

from __future__ import annotations

import atexit
import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mens_console.collectors import clipping
from mens_console.collectors.adapters import unwrap
from mens_console.collectors.facts import base_model, model_facts, numbers, trainer_facts
from mens_console.collectors.guard import Guard
from mens_console.collectors.session import Session
from mens_console.collectors.torching import clip_factor, unclipped
from mens_console.collectors.watcher import Watcher

if TYPE_CHECKING:
    from mens_console.signals.pairs import LayerRow

    class TrainerCallback:
        """What transformers' own is to the type checker, which need not have transformers."""
else:
    from transformers import TrainerCallback

_SHARDED: Final = {"DEEPSPEED": "DeepSpeed", "FSDP": "FSDP", "MEGATRON_LM": "Megatron-LM"}
_TAKEN: Final = ("loss", "learning_rate", "grad_norm", "entropy", "mean_token_accuracy", "epoch", "step")


@dataclass(slots=True)
class _Over:
    """A step that is over and may yet be logged."""

    step: int
    epoch: float | None
    layers: LayerRow | None = None
    grad_norm: float | None = None
    clipped: bool = False
    tokens: int | None = None
    token_entropy: float | None = None


class MensCallback(TrainerCallback):
    """Writes what the console reads into `run_dir` (the Trainer's `output_dir` where it is not given).

    `effective_rank` measures that of every pair at a tenth of the cadence. Other options are the session's:
    `base_model`, `dataset_version`, `config`, `lora_every_s`, `lora_every_steps`, `status_every_s`, `ema_alpha`.
    Only the first process of a distributed training writes; its tokens stand for those of every other.
    """

    def __init__(self, run_dir: str | Path | None = None, *, effective_rank: bool = False, **options: Any) -> None:
        unknown = sorted(set(options) - set(inspect.signature(Session).parameters))
        if unknown:
            raise TypeError(f"MensCallback has no option {', '.join(unknown)}")
        self.run_dir = run_dir
        self.watcher: Watcher | None = None
        """What watches the training; None before it began and after it ended, and in all processes but the first."""
        self._effective_rank = effective_rank
        self._options = options
        self._over: _Over | None = None
        self._model: Any = None
        self._max_norm = 0.0
        self._clipped = self._entropy_logged = self._evaluating = False
        self._tokens_before: float | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Open the session; a training that began before and never ended is closed as interrupted."""
        self._close("interrupted")
        if state.is_world_process_zero:
            with Guard()("MensCallback"):
                self._open(args, state, kwargs["model"], kwargs.get("optimizer"))

    def _open(self, args: Any, state: Any, model: Any, optimizer: Any) -> None:
        given = dict(self._options)
        resumed = {"resumed_at_step": state.global_step} if state.global_step else {}
        given["config"] = {**trainer_facts(args), **model_facts(model), **resumed, **(given.get("config") or {})}
        given.setdefault("base_model", base_model(model))
        given.setdefault("total_steps", state.max_steps if state.max_steps > 0 else None)
        given.setdefault("total_epochs", state.num_train_epochs or args.num_train_epochs)
        given.setdefault("world_size", args.world_size)
        self._max_norm = float(args.max_grad_norm or 0.0)
        self._model = unwrap(model)
        self._entropy_logged = self._evaluating = False
        self._tokens_before = None if resumed else 0.0
        self.watcher = Watcher(
            Session(self.run_dir or args.output_dir, **given),
            model,
            optimizer,
            effective_rank=self._effective_rank,
            processes=args.world_size,
            sharded=_sharded(),
            text=model,
            traced=bool(args.torch_compile),
        )
        clipping.listen(self._before_clipping, clipping.accelerates())
        atexit.register(self._flush)  # runs before the session's own, which closes what a crash left open

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Close the session."""
        self._close("completed")

    def _close(self, status: str) -> None:
        """End the session, if there is one; that of a program that ends without is ended by the session itself."""
        if self.watcher is None:
            return
        self._flush()
        clipping.leave(self._before_clipping, clipping.accelerates())
        atexit.unregister(self._flush)
        self.watcher.close(status)
        self.watcher = self._model = None

    # ------------------------------------------------------------------ a step

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Find out what this step is asked for."""
        self._flush()
        self._clipped = False
        if self.watcher is not None:
            self.watcher.begin(state.global_step + 1, text=not self._entropy_logged)

    def _before_clipping(self, accelerator: Any, *_: Any, **__: Any) -> None:
        if self.watcher is not None and not self.watcher.measured and self._is_ours(accelerator):
            self.watcher.look(getattr(accelerator, "scaler", None))

    def _is_ours(self, accelerator: Any) -> bool:
        """Say whether this accelerator trains the model watched, and not that of another Trainer in this process."""
        prepared = getattr(accelerator, "_models", None)
        return not prepared or any(unwrap(model) is self._model for model in prepared)

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Look at gradients that were clipped without accelerate."""
        if self.watcher is not None and not self.watcher.measured:
            self._clipped = self._max_norm > 0.0
            self.watcher.look()

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Measure what the step moved."""
        if self.watcher is not None:
            self.watcher.after_step(skipped=bool(getattr(kwargs.get("optimizer"), "step_was_skipped", False)))

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Gather what the step gave; it is handed over with its log, if it is about to be logged."""
        watcher = self.watcher
        if watcher is None:
            return
        self._over = _Over(state.global_step, state.epoch, watcher.layers(), clipped=self._clipped)
        self._over.grad_norm = None if self._clipped else watcher.grad_norm()
        self._over.tokens = watcher.tokens(now=bool(control.should_log))
        self._over.token_entropy = watcher.entropy()
        if not control.should_log:
            self._flush()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Complete the step that was just taken; a log at an epoch's end comes after its last step was handed over."""
        if self.watcher is None or not logs or "loss" not in logs:
            return
        self._entropy_logged |= "entropy" in logs
        self._over = self._over or _Over(state.global_step, state.epoch)
        told = self._told_tokens(state, logs)
        if not self.watcher.hears:
            self._over.tokens = told
        self._flush(logs)

    def _told_tokens(self, state: Any, logs: dict[str, Any]) -> int | None:
        """Return the tokens since the last log, by the count that TRL logs or that transformers can be told to keep."""
        total = numbers(logs).get("num_tokens") or float(state.num_input_tokens_seen or 0)
        before, self._tokens_before = self._tokens_before, total
        return None if before is None or total <= before else int(total - before)

    def _flush(self, logs: dict[str, Any] | None = None) -> None:
        """Hand over the step that is over, with what was logged of it."""
        over, self._over = self._over, None
        if self.watcher is None or over is None:
            return
        logged, extra, layers = numbers(logs), numbers(logs, _TAKEN), over.layers
        if layers is not None and over.clipped:
            factor = clip_factor(logged.get("grad_norm"), self._max_norm)
            layers = layers if factor is None else unclipped(layers, factor)
            extra |= {"clipped": 1.0} if factor is None else {}
        self.watcher.session.step(
            over.step,
            loss=logged.get("loss"),
            learning_rate=logged.get("learning_rate"),
            grad_norm=logged.get("grad_norm", over.grad_norm),
            epoch=over.epoch,
            tokens=over.tokens,
            token_entropy=logged.get("entropy", over.token_entropy),
            accuracy=logged.get("mean_token_accuracy"),
            layers=layers,
            update_steps=self.watcher.update_steps,
            extra=extra or None,
        )

    # ------------------------------------------------------------------ what else happens

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        """Record an evaluation."""
        self._flush()
        if self.watcher is not None:
            self._evaluating = False
            self.watcher.session.evaluation(state.global_step, numbers(metrics, ("epoch",)))
            self.watcher.session.phase("training")

    def on_prediction_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Tell that an evaluation began, at its first batch."""
        if self.watcher is not None and not self._evaluating:
            self._evaluating = True
            self._flush()
            self.watcher.session.phase("evaluating")

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Record the checkpoint that was just written."""
        self._flush()
        if self.watcher is not None:
            step = state.global_step
            self.watcher.session.checkpoint(step, Path(args.output_dir) / f"checkpoint-{step}")


def _sharded() -> str | None:
    """Return how accelerate spreads the model's parameters, None where every process has them whole."""
    from accelerate.state import AcceleratorState

    return _SHARDED.get(AcceleratorState().distributed_type.name)
