"""The session of one training: what the training loop calls, tied to everything that is written of a run.

It asks the collectors and hands rows to the writers; it measures nothing itself, never raises, and never waits for
the disk. Its reader is `mens_console.ingest`.
"""

from __future__ import annotations

import atexit
import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from mens_console.collectors.attempt import Attempt
from mens_console.collectors.background import EXIT_S
from mens_console.collectors.cadence import LookCadence
from mens_console.collectors.guard import Guard, warn
from mens_console.collectors.plain import number, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mens_console.signals.pairs import LayerRow, PairTable

_PHASES: Final = ("training", "evaluating", "saving")
_EVALUATED: Final = ("eval_", "eval/", "val_", "val/", "valid_", "validation_", "test_", "test/")


class Session:
    """Writes `telemetry.jsonl`, `training_status.json` and `run_summary.json` of one training into `run_dir`.

    Call `step` once an optimizer step with whatever is known of it. On any rank but 0, and in a forked child, every
    method does nothing. Nothing raises or waits for the disk: a collector that fails is switched off with one warning
    and the rest goes on. `finish` ends it; a program that ends without is told as crashed or interrupted.

    `config` is written without its secrets. `status_every_s` paces the status document and the alert rules; looks at
    adapters are due when `lora_every_steps` steps and `lora_every_s` seconds have passed. The machine is sampled
    every `system_every_s` seconds on a thread of its own, never with 0. `clock` gives seconds since the epoch.
    """

    def __init__(
        self,
        run_dir: str | os.PathLike[str],
        *,
        total_steps: int | None = None,
        total_epochs: float | None = None,
        config: Mapping[str, object] | None = None,
        base_model: str = "",
        dataset_version: str = "",
        rank: int = 0,
        world_size: int = 1,
        ema_alpha: float = 0.1,
        status_every_s: float = 5.0,
        lora_every_s: float = 10.0,
        lora_every_steps: int = 10,
        system_every_s: float = 15.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.guard = Guard()
        """`with session.guard("name"): …` switches that collector off when anything is raised inside."""
        self._on = rank == 0
        self._clock = clock
        self._layers = LookCadence(lora_every_steps, lora_every_s)
        self._text = LookCadence(lora_every_steps, lora_every_s)
        self._attempt: Attempt | None = None
        self._pid = 0
        self._ended = self._late = False
        self._told: set[str] = set()
        self._raised_before: BaseException | None = None
        self._open: Callable[[], Attempt] = lambda: Attempt(
            run_dir,
            guard=self.guard,
            clock=clock,
            total_steps=total_steps,
            total_epochs=total_epochs,
            config=config,
            base_model=base_model,
            dataset_version=dataset_version,
            world_size=world_size,
            ema_alpha=ema_alpha,
            status_every_s=status_every_s,
            system_every_s=system_every_s,
        )

    # ------------------------------------------------------------------ begin and end

    def start(self, pairs: PairTable | None = None, table: list[dict[str, Any]] | None = None) -> None:
        """Begin, or make known that the adapter pairs are others now.

        `pairs` are the adapter pairs that looks count in; `table` says more of each (name, r, scaling, trainable_a,
        trainable_b, size). After `finish` it begins a new attempt in the same directory.
        """
        if not self._on:
            return
        with self.safely("the start"):
            if self._attempt is None or self._pid != os.getpid():
                self._attempt, self._pid = self._open(), os.getpid()
                self._ended = self._late = False
                self._raised_before = getattr(sys, "last_value", None)
                self._attempt.begin()
                atexit.register(self._at_exit)
            if pairs is not None:
                self.guard.run("lora", self._attempt.know_pairs, pairs, table)

    def finish(self, status: str = "completed", error: str | None = None) -> None:
        """End: `completed`, `crashed` or `interrupted`. Waits for the files, at most five seconds in all."""
        attempt = self._mine()
        if attempt is None:
            return
        self._attempt, self._ended = None, True
        atexit.unregister(self._at_exit)
        with self.safely("the end"):
            attempt.end(status, error, time.monotonic() + EXIT_S)

    def _at_exit(self) -> None:
        """Tell of a training that never came to its end: an exception that ended the program, or whatever else did."""
        attempt = self._mine()
        if attempt is None:
            return
        raised = getattr(sys, "last_value", None)
        if raised is None or raised is self._raised_before or isinstance(raised, KeyboardInterrupt):
            self.finish("completed" if attempt.complete else "interrupted")
        else:
            self.finish("crashed", f"{type(raised).__name__}: {raised}")

    @contextmanager
    def safely(self, what: str) -> Iterator[None]:
        """Let nothing out; what could not be recorded is told once."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - an argument may be anything, and the training is not to blame
            if what not in self._told:
                self._told.add(what)
                why = f"{type(error).__name__}: {text(error)}"
                warn(f"mens-console: {what} could not be recorded: {why}. Training goes on; later ones are tried.")

    def _mine(self) -> Attempt | None:
        """Return the attempt that this process writes, None where it writes none."""
        if self._attempt is None or self._pid != os.getpid():
            return None
        return self._attempt

    def _running(self) -> Attempt | None:
        """Return the attempt, begun if need be; after the end there is none, which is told once."""
        if not self._on:
            return None
        if self._ended:
            if not self._late:
                self._late = True
                warn("mens-console: the session is finished; what is reported to it now is not written")
            return None
        if self._attempt is None:
            self.start()
        return self._mine()

    # ------------------------------------------------------------------ what to measure

    def off(self, name: str) -> bool:
        """Say whether the collector `name` was switched off."""
        return self.guard.off(name)

    def wants_layers(self, step: int) -> bool:
        """Say whether a look at the adapters is due at `step`; always at the first three."""
        return self._on and not self._ended and not self.off("lora") and self._layers.due(step, self._clock())

    def wants_text(self, step: int) -> bool:
        """Say whether the predictions of `step` should be measured (token entropy, accuracy), at the same cadence."""
        return self._on and not self._ended and self._text.due(step, self._clock())

    # ------------------------------------------------------------------ what was measured

    def step(
        self,
        step: int,
        *,
        loss: float | None = None,
        learning_rate: float | None = None,
        grad_norm: float | None = None,
        epoch: float | None = None,
        tokens: float | None = None,
        token_entropy: float | None = None,
        accuracy: float | None = None,
        layers: LayerRow | None = None,
        update_steps: int = 1,
        extra: Mapping[str, float] | None = None,
    ) -> None:
        """Report one optimizer step, as far as it is known.

        Loss and token entropy are in nats, `tokens` those processed since they were last reported, `accuracy` a share,
        `layers` a look at the adapters whose movement spans `update_steps` optimizer steps, `extra` further series.
        A step of which nothing is measured leaves no row. A step before the last one begins another attempt (a resume).
        """
        attempt = self._running()
        if attempt is None:
            return
        with self.safely("a step"):
            known = {
                "loss": number(loss),
                "learning_rate": number(learning_rate),
                "grad_norm": number(grad_norm),
                "epoch": number(epoch),
                "token_entropy": number(token_entropy),
                "accuracy": number(accuracy),
            }
            further = {} if extra is None else {str(name): number(value) for name, value in extra.items()}
            attempt.step(int(step), known, further, number(tokens))
            if layers is not None:
                self.guard.run("lora", attempt.look, layers, known["learning_rate"], update_steps)
            attempt.beat()

    def evaluation(self, step: int, metrics: Mapping[str, float]) -> None:
        """Report an evaluation that just ended.

        Names that do not say so (`eval_`, `val_`, `test_`) get `eval_`, lest an evaluation's loss be taken for the
        training's.
        """
        attempt = self._running()
        if attempt is not None:
            with self.safely("an evaluation"):
                known = {str(name): value for name, given in metrics.items() if (value := number(given)) is not None}
                named = {name: value for name, value in known.items() if name.startswith(_EVALUATED)}
                unnamed = {f"eval_{name}": value for name, value in known.items() if name not in named}
                attempt.evaluation(int(step), unnamed | named)

    def fixed_eval(
        self,
        step: int,
        *,
        em: float | None = None,
        ce: float | None = None,
        ece: float | None = None,
        n: int = 0,
        ece_expected: float | None = None,
    ) -> None:
        """Report an evaluation on the fixed set: exact match, cross-entropy (nats per token), calibration error, of n.

        `ece_expected` is what a perfectly calibrated model would score at that n. None and NaN are not measured.
        """
        attempt = self._running()
        if attempt is not None:
            with self.safely("a fixed evaluation"):
                figures = {"em": em, "ce": ce, "ece": ece, "ece_expected": ece_expected}
                known = {name: number(value) for name, value in figures.items()}
                attempt.fixed_eval(int(step), {k: None if v is None or v != v else v for k, v in known.items()}, int(n))

    def pattern(self, pattern: str, length: int, correct: bool) -> None:
        """Count one answer of `length` to a task of `pattern`."""
        attempt = self._running()
        if attempt is not None:
            with self.safely("an answer"):
                attempt.patterns.update(pattern, length, correct)

    def checkpoint(self, step: int, path: str | os.PathLike[str]) -> None:
        """Report a checkpoint that was just written."""
        attempt = self._running()
        if attempt is not None:
            with self.safely("a checkpoint"):
                attempt.checkpoint(int(step), os.fsdecode(path))

    def phase(self, name: str) -> None:
        """Say what the training does now: `training`, `evaluating` or `saving`; only training counts as throughput."""
        attempt = self._running()
        if attempt is not None and name in _PHASES:
            with self.safely("a phase"):
                attempt.phase(name)
