"""The `trainer_state.json` that HF Trainer leaves in a run and in each of its checkpoints.

A document: every reading is the whole of it, and replaces what the file said before.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import Any

from mens_console.ingest.formats.jsontext import parse
from mens_console.ingest.formats.plan import summarises
from mens_console.ingest.formats.rows import Rows
from mens_console.ingest.formats.values import number, step_of, visible, visible_bytes
from mens_console.ingest.records import BadLine, Batch, Fact

_HISTORY = re.compile(rb'"log_history"\s*:\s*\[')
_OWN = re.compile(rb'"(global_step|max_steps|is_world_process_zero)"\s*:')
_CONFIG = ("train_batch_size", "logging_steps", "eval_steps", "save_steps", "num_train_epochs", "max_steps")


def claims(name: str, head: bytes) -> bool:
    """Say whether `head` begins an object with a log history and a trainer's own counters."""
    del name
    return head.lstrip()[:1] == b"{" and bool(_HISTORY.search(head)) and bool(_OWN.search(head))


def torn_document(data: bytes, error: ValueError, *, final: bool) -> tuple[int, Batch]:
    """Answer for a document that does not parse: it is being written, unless nobody writes any more."""
    if not final or not data.strip():
        return 0, Batch()
    sample = BadLine(1, 0, f"not JSON: {visible(str(error), 120)}", visible_bytes(data[:800]))
    return len(data), Batch(bad=[sample], bad_rows=1)


class TrainerStateDecoder:
    """Reads whole documents; nothing is remembered between two of them."""

    def feed(self, data: bytes, at: float, *, final: bool = False) -> tuple[int, Batch]:
        """Decode the whole document, or nothing while it is torn."""
        try:
            state = parse(data)
        except ValueError as error:
            return torn_document(data, error, final=final)
        if not isinstance(state, dict) or not isinstance(state.get("log_history"), list):
            return len(data), Batch(replace=True)
        batch = Batch(replace=True)
        history = [row for row in state["log_history"] if isinstance(row, dict) and row]
        self._fold(history, at, batch)
        batch.facts += _facts(state)
        if any(summarises(tuple(row)) for row in history):
            batch.facts.append(Fact("finished", "train_runtime", step_of(state.get("global_step"))))
        return len(data), batch

    @staticmethod
    def _fold(history: list[dict[str, Any]], at: float, batch: Batch) -> None:
        rows = Rows()
        rows.begin(batch, at)
        start = 0
        for keys, group in groupby(history, tuple):
            cells = list(zip(*map(dict.values, group), strict=True))

            def bad(index: int, reason: str, start: int = start) -> None:
                batch.bad_rows += 1
                if len(batch.bad) < 20:
                    at_row = start + index
                    batch.bad.append(BadLine(at_row + 1, 0, f"log_history[{at_row}]: {reason}", ""))

            rows.add(keys, cells, bad)
            start += len(cells[0])


def _facts(state: dict[str, Any]) -> list[Fact]:
    facts = []
    step = step_of(state.get("global_step"))
    total = step_of(state.get("max_steps"))
    if total:
        facts.append(Fact("total_steps", total))
    epochs = number(state.get("num_train_epochs"))
    if epochs:
        facts.append(Fact("total_epochs", epochs))
    epoch = number(state.get("epoch"))
    if epoch is not None and step is not None:
        facts.append(Fact("epoch", epoch, step))
    best = state.get("best_model_checkpoint")
    if isinstance(best, str) and best:
        facts.append(Fact("checkpoint", visible(best, 1000), step_of(state.get("best_global_step")), detail="best"))
    config = {key: str(state[key]) for key in _CONFIG if isinstance(state.get(key), int | float)}
    if config:
        facts.append(Fact("config", config))
    return facts
