"""A training loop where there is no torch: what its author tells of each step is recorded, and nothing is measured.

The same names as in `loop`, for a program that runs in both worlds; torch is never asked for here.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self

from mens_console.collectors.guard import warn
from mens_console.collectors.plain import number
from mens_console.collectors.session import Session

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


def watch(
    model: Any, run_dir: str | Path, optimizer: Any = None, total_steps: int | None = None, **options: Any
) -> Loop:
    """Return a context manager that records a training loop into `run_dir`; see `loop.watch`."""
    return Loop(model, run_dir, optimizer, total_steps, **options)


class Loop:
    """A loop being recorded, by what `step` is told. Of several processes only the one of RANK 0 writes."""

    monitor = None
    """There is nothing to look at adapters with."""

    def __init__(
        self,
        model: Any,
        run_dir: str | Path,
        optimizer: Any = None,
        total_steps: int | None = None,
        *,
        start_step: int = 0,
        effective_rank: bool = False,
        row_every_s: float = 1.0,
        **options: Any,
    ) -> None:
        del model, optimizer, effective_rank, row_every_s
        rank, size = (os.environ.get(name, "") for name in ("RANK", "WORLD_SIZE"))
        launched = {"rank": int(rank), "world_size": int(size)} if rank.isdigit() and size.isdigit() else {}
        given = {**launched, **options}
        if start_step:
            given["config"] = {"resumed_at_step": start_step, **(given.get("config") or {})}
        self.session = Session(run_dir, total_steps=total_steps, **given)
        self.last_step = start_step
        """The newest step that is over."""

    def __enter__(self) -> Self:
        warn("mens-console: torch is not installed: nothing is measured, only what step() is told is recorded")
        self.session.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Record how the loop ended; an exception goes on its way."""
        if error is None or (isinstance(error, SystemExit) and not error.code):
            self.session.finish()
        elif isinstance(error, Exception):
            self.session.finish("crashed", f"{type(error).__name__}: {error}".rstrip(": "))
        else:
            self.session.finish("interrupted")

    def backward_done(self, scaler: Any = None) -> None:
        """Do nothing: no gradients are looked at."""

    def step(
        self, loss: Any = None, tokens: Any = None, lr: float | None = None, *, grad_norm: Any = None, **more: Any
    ) -> None:
        """Tell that the optimizer stepped: see `loop.Loop.step`."""
        self.last_step += 1
        known = {name: more.pop(name, None) for name in ("epoch", "accuracy", "token_entropy")}
        self.session.step(
            self.last_step,
            loss=number(loss),
            learning_rate=lr,
            grad_norm=number(grad_norm),
            tokens=number(tokens),
            extra=more or None,
            **known,
        )
