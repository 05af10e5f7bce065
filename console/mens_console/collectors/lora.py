"""The LoRA monitor: gradient norms, movements and states of a model's adapter pairs, under the names users call.

Measuring is the sweep's, judging the signals'; nothing is written here and nothing of the model is changed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from mens_console.collectors.adapters import find_adapters, is_module, made_of, others, renamed
from mens_console.collectors.guard import warn
from mens_console.signals.layers import LayerSignals
from mens_console.signals.pairs import LayerRow, PairState, PairTable
from mens_console.signals.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch

    from mens_console.collectors.adapters import Adapter
    from mens_console.collectors.sweep import Sweep
    from mens_console.signals.rules import Rule

_NONE: Final = "the model has no LoRA adapters"


def create_lora_monitor(
    model: torch.nn.Module,
    *,
    optimizer: Any = None,
    effective_rank: bool = False,
    rules: Mapping[str, Rule] = RULES,
) -> LoraMonitor:
    """Return the monitor of a model's LoRA pairs; warn once where there are none yet, or none can be measured.

    `optimizer` lets steps be counted, skipped ones be told, and the learning rate be known. `effective_rank` measures
    that of BA too, at every tenth look.
    """
    return LoraMonitor(model, optimizer=optimizer, effective_rank=effective_rank, rules=rules)


class LoraMonitor:
    """Gradient norms, update magnitudes and states of a model's LoRA pairs.

    Call `collect_gradients` after the backward pass and before clipping and the optimizer step; `after_step` right
    after the step, so that the movement is that step's alone. Without it, the movement is all since the previous look,
    and `update_steps` tells over how many steps. Gradients are those that are there: accumulated, and averaged over
    processes under DDP.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        *,
        optimizer: Any = None,
        effective_rank: bool = False,
        rules: Mapping[str, Rule] = RULES,
    ) -> None:
        self.update_steps = 1
        """How many optimizer steps the movement of the newest row spans."""
        self.grad_norm = math.nan
        """Norm of the whole model's gradient (pairs and every other trainable parameter) at the newest row."""
        self.skipped = False
        """Whether the newest row's optimizer step is known not to have happened."""
        found = _measurable(model)
        self._adapters = found or []
        self._model = None if found is None else model
        self._optimizer = optimizer
        self._made_of = made_of(model) if self._adapters else ()
        if found == []:
            warn(f"mens-console: LoRA layers are not measured: {_NONE}. Adapters that are added later will be.")
        self._sweep_of: Callable[[list[Adapter]], Sweep] = lambda pairs: _sweep(model, pairs, optimizer, effective_rank)
        self._sweep = self._sweep_of(self._adapters) if self._adapters else None
        self._signals = LayerSignals("", rules)
        self._rename()
        self._looks = 0
        self._step = 0
        self._row: LayerRow | None = None
        self._pending = False
        self._warned = False

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self._adapters)

    @property
    def pairs(self) -> PairTable:
        """Return the table that rows count in; a new one after pairs were frozen or thawed, or came or went."""
        return self._table

    def table(self) -> list[dict[str, Any]]:
        """Return the pairs for telemetry: name, r, scaling, which sides are trainable, and the elements of both."""
        sides = [] if self._sweep is None else self._sweep.trainable()
        return [
            {
                "name": pair.name,
                "r": pair.r,
                "scaling": pair.scaling,
                "trainable_a": a,
                "trainable_b": b,
                "size": pair.size,
            }
            for pair, a, b in zip(self._adapters, sides[::2], sides[1::2], strict=True)
        ]

    def refresh(self) -> None:
        """Notice which pairs are frozen now. A look does, unless several optimizers take turns and freeze others."""
        if self._sweep is not None and self._sweep.refresh():
            self._rename()

    def present(self) -> bool:
        """Return whether there is anything to look at; adapters that came to a model without any are noticed here."""
        if self._sweep is None and self._model is not None and made_of(self._model):
            self._renew(self._model)
        return self._sweep is not None

    def look(self, grad_scale: Any = None, step: int | None = None, optimizer: Any = None) -> bool:
        """Take the norms of all gradients and weights and copy the weights; nothing waits for the device.

        Return whether there are adapters to look at: a model without them is only asked whether it has some by now,
        which takes 0.5 ms on 1000 modules.

        `grad_scale` is what the gradients are still multiplied by: a number, or the GradScaler (one that unscaled them
        already is noticed). `step` is the optimizer step that the gradients belong to; looks are counted where it is
        not said. A second look at the same step replaces the first, whose weights stay those that the step starts from.
        Where several optimizers take turns in one step, look before each with that one as `optimizer`, and `refresh`
        before the first.
        """
        if self._model is None:
            return False
        changed = made_of(self._model) != self._made_of
        if self._pending and (changed or step != self._step):
            self._judge()
        if changed:
            self._renew(self._model)
        if self._sweep is None:
            return False
        if optimizer is None:
            self.refresh()
        self._looks += 1
        again = self._pending and step is not None and step == self._step
        self._step = self._looks if step is None else step
        self._sweep.look(grad_scale, again=again, optimizer=optimizer)
        self._row, self._pending = None, True
        return True

    def gradients(self, grad_scale: Any = None) -> list[torch.Tensor]:
        """Return the norms of all gradients of a model without adapters, on their devices; none where it has some."""
        if self._model is None or self._sweep is not None:
            return []
        from mens_console.collectors.torching import whole_gradient

        return whole_gradient(others(self._model, []), grad_scale, self._optimizer)

    def settle(self, optimizer: Any) -> None:
        """Take the movement of one of several optimizers before it steps a second time in this step."""
        if self._sweep is not None:
            self._sweep.settle(optimizer)

    def after_step(self, *, skipped: bool = False) -> None:
        """Compare the weights with those of the look: the movement of one optimizer step.

        `skipped` says that the step did not happen (a GradScaler found infinities). Weights that all stayed exactly
        where they were count as skipped, too, if the optimizer given never stepped, or if a gradient under a
        GradScaler was not finite. The movement of a skipped step is NaN.
        """
        if self._sweep is not None:
            self._sweep.after_step(skipped=skipped)
            self._row = None

    def row(self) -> LayerRow | None:
        """Return the newest look, None where there was none since the last row. Waits for the device once."""
        if not self._pending:
            return None
        self._judge()
        return self._row

    def collect_gradients(self, grad_scale: Any = None, step: int | None = None) -> dict[str, float]:
        """Look, and return the gradient norm of each pair that has one; infinite where it is not finite."""
        self.look(grad_scale, step)
        row = self._fetch()
        if row is None:
            return {}
        return {name: norm for name, norm in zip(self._table.names, row.values["grad"], strict=True) if norm == norm}

    def get_layer_stats(self) -> dict[str, dict[str, Any]]:
        """Return for each pair what the newest look measured, and its state."""
        self._judge()
        row, states = self._row, self._signals.states
        if row is None:
            return {name: {"state": str(state)} for name, state in zip(self._table.names, states, strict=True)}
        named = {"grad": "grad_norm", "update": "update_magnitude", "ratio": "update_ratio", "rank": "effective_rank"}
        return {
            name: {
                **{named.get(metric, metric): column[i] for metric, column in row.values.items()},
                "state": str(states[i]),
            }
            for i, name in enumerate(self._table.names)
        }

    def get_summary(self) -> dict[str, Any]:
        """Return how many pairs do what, who does most, and max / min of the gradient norm over active pairs.

        `active_layers`, `dead_layers` and `total_layers` are S4's names for three of the counts.
        """
        self._judge()
        summary = self._signals.summary()
        counts = {str(state): summary.counts.get(state, 0) for state in PairState}
        names, states = self._table.names, self._signals.states
        return {
            "step": summary.step,
            "total": summary.total,
            **counts,
            "total_layers": summary.total,
            "active_layers": counts["active"],
            "dead_layers": counts["dead"],
            "dead_names": [name for name, state in zip(names, states, strict=True) if state is PairState.DEAD],
            "imbalance": summary.imbalance,
            "top_layers": [{"name": names[place], "share": share} for place, share in summary.top],
        }

    def close(self) -> None:
        """Let go of the optimizer and of the copies of the weights."""
        if self._sweep is not None:
            self._sweep.close()
        self._model = None

    def _renew(self, model: torch.nn.Module) -> None:
        """Watch the pairs that the model has now: adapters were added, deleted, or merged and begun anew."""
        if self._sweep is not None:
            self._sweep.close()
        self._made_of = made_of(model)
        found = _measurable(model)
        if found is None:
            self._model = None
        elif not found and self._adapters:
            warn(f"mens-console: LoRA layers are not measured any more: {_NONE} now")
        self._adapters = renamed(found or [], self._adapters)
        self._sweep = self._sweep_of(self._adapters) if self._adapters else None
        self._row, self._pending = None, False
        self._rename()

    def _rename(self) -> None:
        pairs = self._adapters
        frozen = () if self._sweep is None else self._sweep.frozen()
        self._table = PairTable(tuple(pair.name for pair in pairs), frozen, tuple(pair.r for pair in pairs))
        self._signals.table(self._table)

    def _fetch(self) -> LayerRow | None:
        """Return the newest look as a row; the transfer happens here."""
        if self._row is None and self._sweep is not None and (found := self._sweep.fetch()) is not None:
            self._row = LayerRow(self._step, found.wall, found.columns, found.learning_rate)
            self.update_steps, self.grad_norm, self.skipped = found.update_steps, found.grad_norm, found.skipped
            if not self._warned and not all(self._table.frozen) and math.isnan(found.grad_norm):
                self._warned = True
                warn("mens-console: no LoRA adapter has a gradient: look after the backward pass and before zero_grad")
        return self._row

    def _judge(self) -> None:
        """Hand the newest look to the signals, once."""
        if self._pending and (row := self._fetch()) is not None:
            self._pending = False
            self._signals.observe(row)


def _sweep(model: torch.nn.Module, pairs: list[Adapter], optimizer: Any, effective_rank: bool) -> Sweep:
    from mens_console.collectors.sweep import Sweep  # torch is there if pairs are

    return Sweep(pairs, others(model, pairs), optimizer, effective_rank=effective_rank)


def _measurable(model: Any) -> list[Adapter] | None:
    """Return the model's pairs, which may be none yet; None, with a warning, where they cannot be measured."""
    if not is_module(model):
        warn("mens-console: LoRA layers are not measured: the model is not a torch.nn.Module")
        return None
    from mens_console.collectors.torching import sharding

    pairs = find_adapters(model)
    spread = sharding(model, pairs)
    if spread is not None:
        warn(f"mens-console: LoRA layers are not measured: the adapters are under {spread}")
        return None
    return pairs
