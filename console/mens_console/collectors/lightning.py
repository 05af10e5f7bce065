"""The callback for Lightning's Trainer, under either of the names that Lightning is installed by.

It translates the Trainer's events for the watcher and the session; measuring and writing are done elsewhere.
"""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from mens_console.collectors import clipping
from mens_console.collectors.facts import base_model, language_model, lightning_facts, model_facts
from mens_console.collectors.guard import Guard
from mens_console.collectors.plain import number
from mens_console.collectors.session import Session
from mens_console.collectors.text import TokenCount
from mens_console.collectors.torching import bare_optimizer, failure, learning_rate
from mens_console.collectors.watcher import Losses, Watcher

if TYPE_CHECKING:
    from pathlib import Path

    class _Callback:
        """What Lightning's own is to the type checker, which need not have Lightning."""
else:

    def _callback() -> type:
        """Return the base class: of every Lightning that is loaded already, else of the one that is installed."""
        names = ("lightning.pytorch", "pytorch_lightning")
        loaded = [sys.modules[name].Callback for name in names if hasattr(sys.modules.get(name), "Callback")]
        if not loaded:
            for name in names:
                try:
                    loaded = [import_module(name).Callback]
                    break
                except ImportError:
                    continue
        if not loaded:
            raise ImportError("MensLightningCallback needs lightning or pytorch_lightning")
        return type("_Callback", tuple(dict.fromkeys(loaded)), {})

    _Callback = _callback()

_SHARDED: Final = ("FSDP", "DeepSpeed", "ModelParallel")
_TURNS: Final = 64
"""Steps that a look waits for an optimizer that has not stepped."""


class MensLightningCallback(_Callback):
    """Writes what the console reads into `run_dir` (the logger's directory, else the Trainer's `default_root_dir`).

    `effective_rank` measures that of every pair at a tenth of the cadence. A loss on a GPU is read, as the mean since
    the last, at most every `row_every_s` seconds; on a CPU every step is recorded. Other options are the session's:
    `base_model`, `dataset_version`, `config`, `lora_every_s`, `lora_every_steps`, `status_every_s`, `ema_alpha`.
    Only the first process of a distributed training writes; its tokens stand for those of every other.
    """

    def __init__(
        self,
        run_dir: str | Path | None = None,
        *,
        effective_rank: bool = False,
        row_every_s: float = 1.0,
        **options: Any,
    ) -> None:
        super().__init__()
        unknown = sorted(set(options) - set(inspect.signature(Session).parameters))
        if unknown:
            raise TypeError(f"MensLightningCallback has no option {', '.join(unknown)}")
        self.run_dir = run_dir
        self.watcher: Watcher | None = None
        """What watches the training; None before it began and after it ended, and in all processes but the first."""
        self._effective_rank = effective_rank
        self._options = options
        self._row_every_s = row_every_s
        self._tokens = TokenCount()
        self._losses = Losses(row_every_s)
        self._rates: dict[int, float | None] = {}
        self._step = 0
        self._saved: set[str] = set()
        self._scaler: Any = None
        self._module: Any = None
        self._unclipped: set[int] = set()
        """The optimizers whose gradients were looked at before they were clipped."""
        self._turned: set[int] = set()
        """Of several optimizers those that stepped since the look began."""
        self._several = 0
        """How many optimizers there are, 0 where there is but one."""
        self._listens_at: tuple[type, str] | None = None

    # ------------------------------------------------------------------ begin and end

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Open the session."""
        self._close("interrupted")
        if trainer.is_global_zero:
            with Guard()("MensLightningCallback"):
                self._open(trainer, pl_module)

    def _open(self, trainer: Any, pl_module: Any) -> None:
        given = dict(self._options)
        resumed = {"resumed_at_step": trainer.global_step} if trainer.global_step else {}
        given["config"] = {
            **lightning_facts(trainer),
            **model_facts(pl_module),
            **resumed,
            **(given.get("config") or {}),
        }
        given.setdefault("base_model", base_model(pl_module))
        steps = trainer.estimated_stepping_batches
        given.setdefault("total_steps", int(steps) if math.isfinite(steps) and steps > 0 else None)
        given.setdefault("world_size", trainer.world_size)
        strategy = type(trainer.strategy).__name__
        self._tokens, self._losses = TokenCount(), Losses(self._row_every_s)
        self._step, self._saved = trainer.global_step, _checkpoints(trainer)
        self.watcher = Watcher(
            Session(self.run_dir or _folder(trainer), **given),
            pl_module,
            trainer.optimizers[0] if len(trainer.optimizers) == 1 else None,
            effective_rank=self._effective_rank,
            processes=trainer.world_size,
            sharded=strategy if any(name in strategy for name in _SHARDED) else None,
            text=language_model(pl_module),
        )
        self.watcher.begin(trainer.global_step + 1)
        self._several = len(trainer.optimizers) if len(trainer.optimizers) > 1 else 0
        self._unclipped, self._turned, self._rates = set(), set(), {}
        self._scaler, self._module = getattr(trainer.precision_plugin, "scaler", None), pl_module
        if not pl_module.automatic_optimization:  # the module clips by itself, before anybody calls back
            self._listens_at = clipping.place_of(type(pl_module), "clip_gradients")
            clipping.listen(self._before_clipping, self._listens_at)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Record how the training broke off. The exception goes on its way."""
        if isinstance(exception, Exception):
            self._close("crashed", failure(exception))
        else:
            self._close("interrupted")

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Close the session of a training that came to its end."""
        if self.watcher is not None and stage == "fit":
            self._note_checkpoints(trainer, self.watcher)
            self._close("completed")

    def _close(self, status: str, error: str | None = None) -> None:
        if self._listens_at is not None:
            clipping.leave(self._before_clipping, self._listens_at)
        if self.watcher is not None:
            self.watcher.close(status, error)
        self.watcher = self._scaler = self._module = self._listens_at = None

    # ------------------------------------------------------------------ a step

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Count a batch's tokens, where no language model's own calls tell them."""
        watcher = self.watcher
        if watcher is None:
            return
        self._note_checkpoints(trainer, watcher)
        if self._several:
            watcher.refresh()
        if not watcher.hears and isinstance(batch, Mapping):
            with watcher.session.guard("tokens"):
                self._tokens.add(batch)

    def _before_clipping(self, module: Any, optimizer: Any = None, *_: Any, **__: Any) -> None:
        if self.watcher is not None and module is self._module:
            self._unclipped.add(self._which(optimizer))
            self._look(self.watcher, optimizer)

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        """Look at the gradients: accumulated and unscaled, not yet clipped.

        Optimizers that unscale in their own step leave the scale in; the precision plugin's scaler tells.
        """
        watcher, which = self.watcher, self._which(optimizer)
        if watcher is None:
            return
        self._rates[which] = learning_rate(optimizer)
        if which not in self._unclipped:
            self._look(watcher, optimizer)
        self._unclipped.discard(which)
        self._turned.add(which)

    def _look(self, watcher: Watcher, optimizer: Any) -> None:
        """Look at what is about to move; what moves a second time in the step of one look is settled before."""
        if not self._several:
            watcher.look(self._scaler)
        elif self._which(optimizer) in self._turned:
            watcher.settle(optimizer)
        else:
            watcher.look(self._scaler, optimizer)

    def _which(self, optimizer: Any) -> int:
        """Return which of several optimizers it is, in or out of Lightning's wrapper."""
        return id(bare_optimizer(optimizer)) if self._several else 0

    def _rate(self, trainer: Any) -> float | None:
        """Return the rate that the first optimizer stepped at, which has one above 0: one is told, lest it jump."""
        rates = [self._rates.get(self._which(optimizer)) for optimizer in trainer.optimizers]
        known = [rate for rate in rates if rate is not None]
        return next((rate for rate in known if rate > 0.0), known[0] if known else None)

    def _awaits_turns(self, watcher: Watcher) -> bool:
        """Say whether a look waits for those of several optimizers that have not stepped yet: turns may be batches."""
        turned = len(self._turned) >= self._several or self._step - watcher.step >= _TURNS
        return watcher.looked and not turned

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Hand over a step, once the optimizer took it."""
        watcher = self.watcher
        if watcher is None:
            return
        with watcher.session.guard("loss"):
            loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
            self._losses.add(loss, trainer.accumulate_grad_batches if pl_module.automatic_optimization else 1)
        if trainer.global_step == self._step:
            return
        self._step = trainer.global_step
        awaits = self._awaits_turns(watcher)
        if not awaits:
            watcher.after_step()
            self._turned.clear()
        if (watcher.measured and not awaits) or self._losses.due():
            layers, entropy = None if awaits else watcher.layers(), watcher.entropy()
            watcher.session.step(
                self._step,
                loss=self._losses.take(),
                learning_rate=self._rate(trainer),
                grad_norm=None if awaits else watcher.grad_norm(),
                epoch=_epoch(trainer),
                tokens=self._take_tokens(trainer, watcher),
                token_entropy=entropy,
                layers=None if layers is None else replace(layers, step=self._step),
                update_steps=watcher.update_steps,
            )
        if not awaits:
            watcher.begin(self._step + 1)

    def _take_tokens(self, trainer: Any, watcher: Watcher) -> int | None:
        found = watcher.tokens(now=True)
        if watcher.hears:
            self._tokens = TokenCount()
            return found
        return self._tokens.take() * int(trainer.world_size) or None

    # ------------------------------------------------------------------ what else happens

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        """Tell that a validation began."""
        if self.watcher is not None:
            self.watcher.session.phase("evaluating")

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Record what was logged of a validation: of all metrics those that are not named after the training."""
        if self.watcher is not None:
            metrics = {name: number(value) for name, value in trainer.callback_metrics.items()}
            found = {
                name: value for name, value in metrics.items() if value is not None and not name.startswith("train")
            }
            if found:
                self.watcher.session.evaluation(trainer.global_step, found)
            self.watcher.session.phase("training")

    def _note_checkpoints(self, trainer: Any, watcher: Watcher) -> None:
        """Record the checkpoints that were written since the last batch; Lightning tells of none beforehand."""
        written = _checkpoints(trainer)
        for path in sorted(written - self._saved):
            watcher.session.checkpoint(self._step, path)
        self._saved |= written


def _checkpoints(trainer: Any) -> set[str]:
    """Return the newest files of the Trainer's checkpoint callbacks."""
    names = ("_last_checkpoint_saved", "last_model_path", "best_model_path")
    found = (getattr(callback, name, "") for callback in trainer.checkpoint_callbacks for name in names)
    return {str(path) for path in found if path}


def _folder(trainer: Any) -> str:
    """Return the logger's directory, asked for without the collective call that `Trainer.log_dir` makes."""
    logger = trainer.logger
    return str(getattr(logger, "log_dir", None) or getattr(logger, "save_dir", None) or trainer.default_root_dir)


def _epoch(trainer: Any) -> float:
    """Return the epochs behind the training, with a fraction where the length of one is known."""
    batches = trainer.num_training_batches
    done = trainer.fit_loop.epoch_loop.batch_progress.current.ready
    part = done / batches if isinstance(batches, int) and batches > 0 else 0.0
    return float(trainer.current_epoch + part)
