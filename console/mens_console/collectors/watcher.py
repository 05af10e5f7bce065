"""What every integration does at a step: ask the session what is wanted, look, compare, and hand over.

The training libraries are unknown here; each integration says when what happens.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, Final

import torch

from mens_console.collectors.guard import warn
from mens_console.collectors.lora import LoraMonitor
from mens_console.collectors.text import TextProbe
from mens_console.collectors.torching import compiled, scales, to_host

if TYPE_CHECKING:
    from mens_console.collectors.session import Session
    from mens_console.signals.pairs import LayerRow

_UNHEARD: Final = 3
"""Steps in a row without a call of the model, before that is told."""


class Watcher:
    """A model under a session, in the one process that writes. Nothing raises.

    `optimizer` lets skipped steps be told; `processes` is how many there are like this one, whose tokens stand for
    theirs. `sharded` says how the adapters are spread, if the integration knows that they are. `text` is the language
    model in `model`, None where it has none.
    """

    def __init__(
        self,
        session: Session,
        model: torch.nn.Module,
        optimizer: Any = None,
        *,
        effective_rank: bool = False,
        processes: int = 1,
        sharded: str | None = None,
        text: torch.nn.Module | None = None,
        traced: bool = False,
    ) -> None:
        self.session = session
        self.monitor: LoraMonitor | None = None
        self.probe: TextProbe | None = None
        self.step = 0
        self.looked = False
        """Whether this step's gradients were looked at."""
        self.wants_layers = False
        self._whole: list[torch.Tensor] = []
        """The norms of this step's gradients, where the model has no adapters."""
        self._scaled = False
        self._processes = processes
        self._unheard, self._told = 0, False
        self.hears = False
        """Whether the language model's own calls tell its tokens."""
        with session.guard("lora"):
            if sharded is not None:
                warn(f"mens-console: LoRA layers are not measured: the adapters are under {sharded}")
            else:
                self.monitor = LoraMonitor(model, optimizer=optimizer, effective_rank=effective_rank)
        self._known = self.monitor.pairs if self.monitor else None
        session.start(self._known, self.monitor.table() if self.monitor else None)
        if text is not None and (traced or compiled(text)):
            warn(
                "mens-console: a compiled model is not looked into: no token entropy, tokens only if the trainer tells"
            )
        elif text is not None:
            with session.guard("tokens"):
                self.probe = TextProbe(text, session.guard)
                self.probe.attach()

    @property
    def measured(self) -> bool:
        """Return whether there is something of this step's gradients that is worth a row."""
        return self.looked or bool(self._whole)

    @property
    def update_steps(self) -> int:
        """Return how many optimizer steps the newest movement spans."""
        return 1 if self.monitor is None else self.monitor.update_steps

    def begin(self, step: int, *, text: bool = True) -> None:
        """Find out what `step` is asked for; `text` says whether its entropy would be new."""
        self.step, self.looked, self._whole = step, False, []
        session = self.session
        self.wants_layers = self.monitor is not None and not session.off("lora") and session.wants_layers(step)
        if self.probe is not None:
            self.probe.arm(wanted=text and not session.off("token_entropy") and session.wants_text(step))

    def look(self, scale: Any = None, optimizer: Any = None) -> None:
        """Look at the gradients, if this step is asked for; `scale` is what they are still multiplied by.

        `optimizer` is the one that is about to step, where several take turns.
        """
        if self.wants_layers and self.monitor is not None:
            self.looked = True
            with self.session.guard("lora"):
                self.wants_layers = self.looked = self.monitor.look(scale, self.step, optimizer)
                self._whole, self._scaled = self.monitor.gradients(scale), scales(scale)
                self._tell_pairs(self.monitor)

    def missed_look(self) -> bool:
        """Say whether this step should have been looked at, for adapters are there, and was not."""
        if self.wants_layers and not self.looked and self.monitor is not None:
            with self.session.guard("lora"):
                return self.monitor.present()
        return False

    def refresh(self) -> None:
        """Notice what is frozen before several optimizers take turns, each of which may freeze what is not its own."""
        if self.wants_layers and not self.looked and self.monitor is not None:
            with self.session.guard("lora"):
                self.monitor.refresh()

    def settle(self, optimizer: Any) -> None:
        """Take the movement of one of several optimizers: it is about to step once more."""
        if self.looked and self.monitor is not None:
            with self.session.guard("lora"):
                self.monitor.settle(optimizer)

    def after_step(self, *, skipped: bool = False) -> None:
        """Compare the weights with what they were at the look."""
        if self.looked and self.monitor is not None:
            with self.session.guard("lora"):
                self.monitor.after_step(skipped=skipped)

    def layers(self) -> LayerRow | None:
        """Return this step's look; waits for the device."""
        if self.looked and self.monitor is not None:
            with self.session.guard("lora"):
                return self.monitor.row()
        return None

    def _tell_pairs(self, monitor: LoraMonitor) -> None:
        """Make known that the pairs are others than before."""
        if monitor.pairs is not self._known and (len(monitor) or self._known is not None):
            self._known = monitor.pairs
            self.session.start(self._known, monitor.table())

    def grad_norm(self) -> float | None:
        """Return the norm of the whole gradient at this step's look, None where there was none. Waits for the device.

        A step that a loss scaler skipped tells nothing: infinities are how it finds its scale.
        """
        if self._whole:
            with self.session.guard("lora"):
                total = math.hypot(*to_host(self._whole))
                return total if math.isfinite(total) else None if self._scaled else math.inf
        if not self.looked or self.monitor is None or self.monitor.skipped or math.isnan(self.monitor.grad_norm):
            return None
        return self.monitor.grad_norm

    def tokens(self, *, now: bool) -> int | None:
        """Return the tokens of all processes since the last answer; None where `now` is not worth waiting for them.

        None, too, where the model was not called since, which is told once.
        """
        if self.probe is not None and (now or self.looked or self.probe.free):
            with self.session.guard("tokens"):
                found = self.probe.tokens()
                self.hears = found is not None
                if found is not None:
                    self._unheard = 0
                    return found * self._processes
                self._tell_unheard()
        return None

    def _tell_unheard(self) -> None:
        """Warn once the model was not called in so many steps in a row; a module may leave out single batches."""
        self._unheard += 1
        if self._unheard >= _UNHEARD and not self._told:
            self._told = True
            warn(
                "mens-console: the model that is watched is not called, or not with tokens, or was compiled: "
                "no token entropy, tokens only if the trainer tells"
            )

    def entropy(self) -> float | None:
        """Return the entropy of this step's predictions, once, None where it was not measured."""
        return None if self.probe is None else self.probe.entropy()

    def close(self, status: str, error: str | None = None) -> None:
        """Leave the model as it was, and end the session."""
        with self.session.guard("lora"):
            if self.probe is not None:
                self.probe.detach()
            if self.monitor is not None:
                self.monitor.close()
        self.session.finish(status, error)


class Losses:
    """The mean of the losses since the last row, kept on their device so that a loop seldom waits for it."""

    def __init__(self, row_every_s: float) -> None:
        self._row_every_s = row_every_s
        self._row_at = time.monotonic() - row_every_s
        self._sum: torch.Tensor | None = None
        self._n = 0

    def add(self, loss: Any, times: float = 1.0) -> None:
        """Add a loss, a number or a tensor of any shape; `times` undoes a division by the accumulated batches."""
        if loss is None:
            return
        value = loss.detach().mean() if isinstance(loss, torch.Tensor) else torch.tensor(float(loss))
        value = value.double() if value.device.type == "cpu" else value.float()
        value = value * times
        self._sum = value if self._sum is None else self._sum + value.to(self._sum.device)
        self._n += 1

    def due(self) -> bool:
        """Return whether a row may be written now: always on a CPU, at most every `row_every_s` seconds elsewhere."""
        waits = self._sum is not None and self._sum.device.type != "cpu"
        return not waits or time.monotonic() - self._row_at >= self._row_every_s

    def take(self) -> float | None:
        """Return the mean, None without a loss. Waits for the device."""
        found = None if self._sum is None else float(self._sum) / self._n
        self._sum, self._n, self._row_at = None, 0, time.monotonic()
        return found
