"""A small LoRA fine-tune on one core that switches its collectors on and off in blocks; run as a program.

`python -m bench.finetune FOLDER every|default ROUNDS BLOCK` prints JSON: for each block whether the collectors were on,
and the seconds of each of its steps, of the wall and of this process's processor time.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM, PrinterCallback, Trainer, TrainingArguments

from mens_console.collectors import clipping
from mens_console.collectors.huggingface import MensCallback

if TYPE_CHECKING:
    from collections.abc import Iterator

STEP_S: Final = 0.22
"""What a step is to take, a little over the 200 ms that the target speaks of."""
WARM: Final = 6
_LENGTH: Final = 128
_VOCABULARY: Final = 4096
_CADENCES: Final[dict[str, dict[str, Any]]] = {"default": {}, "every": {"lora_every_s": 0.0, "lora_every_steps": 1}}
_SHAPE: Final[dict[str, Any]] = {
    "hidden_size": 256,
    "intermediate_size": 688,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
}


class Clock:
    """Seconds that pass only while the collectors are on, so that they look as often as in a training of their own."""

    def __init__(self) -> None:
        self._start = time.time()
        self._off = 0.0
        self._stopped: float | None = None

    def __call__(self) -> float:
        """Return seconds since the epoch, less those that passed unseen."""
        return (time.time() if self._stopped is None else self._stopped) - self._off

    def run(self, *, on: bool) -> None:
        """Let time pass or stand still."""
        if on and self._stopped is not None:
            self._off += time.time() - self._stopped
            self._stopped = None
        elif not on and self._stopped is None:
            self._stopped = time.time()


class Switched(MensCallback):
    """The callback as it is, taken off the training for every other block. Blocks go on, off, off, on."""

    def __init__(self, folder: str, block: int, **options: Any) -> None:
        self.clock = Clock()
        super().__init__(folder, clock=self.clock, **options)
        self.marks: list[tuple[float, float]] = []
        self._block = block
        self._is_on = True

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Switch where a block begins, and note the time."""
        step = state.global_step - WARM
        if step >= 0 and step % self._block == 0:
            self._switch(on=self.is_on(step // self._block))
        self.marks.append((time.perf_counter(), time.process_time()))
        if self._is_on:
            super().on_step_begin(args, state, control, **kwargs)

    @staticmethod
    def is_on(block: int) -> bool:
        """Return whether the collectors are on in a block."""
        return block % 4 in {0, 3}

    def _switch(self, *, on: bool) -> None:
        if on is self._is_on or self.watcher is None or self.watcher.probe is None:
            return
        self._is_on = on
        self.clock.run(on=on)
        if on:
            clipping.listen(self._before_clipping, clipping.accelerates())
            self.watcher.probe.attach()
        else:
            clipping.leave(self._before_clipping, clipping.accelerates())
            self.watcher.probe.detach()


def _only_when_on(name: str) -> Any:
    event = getattr(MensCallback, name)

    def told(self: Switched, *args: Any, **kwargs: Any) -> None:
        if self._is_on:
            event(self, *args, **kwargs)

    return told


for _name in ("on_pre_optimizer_step", "on_optimizer_step", "on_step_end", "on_log"):
    setattr(Switched, _name, _only_when_on(_name))


def model() -> torch.nn.Module:
    """Return a Llama of 8 layers with adapters of rank 8 on its 56 projections."""
    torch.manual_seed(0)
    base = LlamaForCausalLM(LlamaConfig(vocab_size=_VOCABULARY, num_hidden_layers=8, **_SHAPE))
    names = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    found: torch.nn.Module = get_peft_model(base, LoraConfig(r=8, lora_alpha=16, target_modules=names))
    return found


def examples(n: int) -> list[dict[str, torch.Tensor]]:
    """Return rows of random tokens."""
    ids = torch.randint(0, _VOCABULARY, (n, _LENGTH))
    mask = torch.ones(_LENGTH, dtype=torch.long)
    return [{"input_ids": row, "attention_mask": mask, "labels": row} for row in ids]


def batch_size(adapted: torch.nn.Module) -> int:
    """Return how many rows make a step long enough on this machine."""
    rows = examples(4)
    part = {name: torch.stack([row[name] for row in rows]) for name in rows[0]}
    seconds = []
    for _ in range(4):
        start = time.process_time()
        adapted(**part).loss.backward()
        seconds.append(time.process_time() - start)
    adapted.zero_grad()
    return max(1, round(4 * STEP_S / min(seconds)))


def train(folder: str, cadence: str, rounds: int, block: int) -> dict[str, Any]:
    """Train through `rounds` times four blocks of `block` steps and return what each step took."""
    torch.set_num_threads(1)
    adapted = model()
    size = batch_size(adapted)
    steps = WARM + 4 * rounds * block + 1
    arguments = TrainingArguments(
        output_dir=folder, max_steps=steps, per_device_train_batch_size=size, logging_steps=1, save_strategy="no",
        learning_rate=1e-4, use_cpu=True, report_to="none", disable_tqdm=True,
    )  # fmt: skip
    callbacks: list[Any] = [Switched(folder, block, **_CADENCES[cadence])]
    trainer = Trainer(model=adapted, args=arguments, train_dataset=examples(size * 64), callbacks=callbacks)
    trainer.remove_callback(PrinterCallback)
    with contextlib.redirect_stdout(sys.stderr):
        trainer.train()
    return {"batch": size, "blocks": list(blocks(callbacks[0].marks, block))}


def blocks(marks: list[tuple[float, float]], block: int) -> Iterator[dict[str, Any]]:
    """Yield each block's steps from the moments at which all steps began."""
    for i, start in enumerate(range(WARM, len(marks) - block, block)):
        times = marks[start : start + block + 1]
        yield {
            "on": Switched.is_on(i),
            "wall": [b[0] - a[0] for a, b in pairwise(times)],
            "cpu": [b[1] - a[1] for a, b in pairwise(times)],
        }


if __name__ == "__main__":
    folder, cadence, rounds, block = sys.argv[1:]
    sys.stdout.write(json.dumps(train(folder, cadence, int(rounds), int(block))))
