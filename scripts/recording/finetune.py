"""One LoRA fine-tune with the stock Trainer of transformers, as a user's script would be; its directory is recorded.

Nothing here knows that it is recorded, except that the box is called `demo-box` and that batches arrive at a pace.
"""

from __future__ import annotations

import argparse
import socket
import time
from pathlib import Path

# TensorBoard names its files after the host, and what ships must not name the machine it was made on.
socket.gethostname = lambda: "demo-box"

import torch  # noqa: E402
from peft import LoraConfig, get_peft_model  # noqa: E402
from transformers import (  # noqa: E402
    AutoModelForCausalLM,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from mens_console.collectors import MensCallback  # noqa: E402
from mens_console.signals.calibration import expected_calibration_error, expected_ece  # noqa: E402

PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


class PacedCollator:
    """Stacks rows of token ids into a batch after waiting `pace` seconds, the way a loader on slow storage does.

    The wait lets several runs share a small CPU without slowing each other down. After `stall_after` batches the
    storage hangs: the call sleeps for an hour.
    """

    def __init__(self, pace: float, stall_after: int | None) -> None:
        self.pace = pace
        self.stall_after = stall_after
        self.batches = 0

    def __call__(self, rows: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
        """Return `input_ids` and `labels`, each of shape (batch, sequence)."""
        self.batches += 1
        hung = self.stall_after is not None and self.batches > self.stall_after
        time.sleep(3600.0 if hung else self.pace)
        ids = torch.stack([row["input_ids"] for row in rows])
        return {"input_ids": ids, "labels": ids.clone()}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", required=True, help="the run's directory, relative to the working directory")
    parser.add_argument("--base", required=True)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--warmup", type=int, default=20)
    parser.add_argument("--schedule", default="cosine")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--eval-every", type=int)
    parser.add_argument("--save-every", type=int)
    parser.add_argument("--keep", type=int, help="checkpoints to keep")
    parser.add_argument("--resume", help="checkpoint to resume from")
    parser.add_argument("--max-grad-norm", type=float, default=1.0)
    parser.add_argument("--dtype", default="float32", help="of the base's weights")
    parser.add_argument("--no-nan-filter", action="store_true")
    parser.add_argument("--pace", type=float, default=0.25, help="seconds a batch waits for its data")
    parser.add_argument("--stall-after", type=int, help="batches after which the data never comes")
    parser.add_argument("--mens", action="store_true", help="watch it with the collectors")
    parser.add_argument("--alpha", type=float, help="LoRA's alpha (default: twice the rank)")
    parser.add_argument("--modules", nargs="*", default=PROJECTIONS, help="what gets an adapter")
    parser.add_argument("--train-head", action="store_true", help="train the output layer too")
    parser.add_argument("--look-every", type=int, default=10, help="steps between two looks at the adapters")
    parser.add_argument("--freeze", nargs="*", default=[], help="layers whose adapters are not trained")
    parser.add_argument("--forget", nargs="*", default=[], help="layers whose adapters the optimizer does not know")
    parser.add_argument("--blocks", type=int, help="train on so many blocks of text only, over and over")
    parser.add_argument("--fixed-eval", type=int, help="steps between two evaluations on a fixed set")
    return parser.parse_args()


def arguments(options: argparse.Namespace) -> TrainingArguments:
    return TrainingArguments(
        output_dir=options.output,
        max_steps=options.steps,
        per_device_train_batch_size=options.batch,
        per_device_eval_batch_size=options.batch,
        learning_rate=options.lr,
        lr_scheduler_type=options.schedule,
        warmup_steps=options.warmup,
        max_grad_norm=options.max_grad_norm,
        logging_steps=1,
        logging_nan_inf_filter=not options.no_nan_filter,
        eval_strategy="steps" if options.eval_every else "no",
        eval_steps=options.eval_every,
        save_strategy="steps" if options.save_every else "no",
        save_steps=options.save_every or 500,
        save_total_limit=options.keep,
        include_num_input_tokens_seen="all",
        report_to="tensorboard",
        seed=options.seed,
        use_cpu=True,
    )


def adapters_of(model: torch.nn.Module, layers: list[str]) -> list[torch.nn.Parameter]:
    """Return the adapter matrices of some layers."""
    marks = tuple(f".layers.{layer}." for layer in layers)
    return [p for name, p in model.named_parameters() if "lora_" in name and any(mark in name for mark in marks)]


class FixedEvaluation(TrainerCallback):
    """Completes held-out text: one token after a prompt, exact or not, every so many steps.

    The pattern of a task is what kind of text the right answer is, its length that of the prompt in tokens.
    """

    def __init__(self, mens: MensCallback, blocks: torch.Tensor, every: int) -> None:
        self.mens = mens
        self.every = every
        self.tasks = [(block, cut) for block in blocks for cut in (4, 8, 16, 32, 63)]

    def on_step_end(self, args, state, control, model=None, **kwargs) -> None:
        """Evaluate when it is time."""
        session = self.mens.watcher.session if self.mens.watcher else None
        if session is None or state.global_step % self.every:
            return
        sure, right, losses = [], [], []
        model.eval()
        with torch.no_grad():
            for cut in sorted({cut for _, cut in self.tasks}):
                blocks = torch.stack([block for block, at in self.tasks if at == cut])
                chances = model(input_ids=blocks[:, :cut]).logits[:, -1].float().softmax(-1)
                best = chances.max(-1)
                answers = blocks[:, cut]
                hits = best.indices == answers
                sure += best.values.tolist()
                right += hits.tolist()
                losses += (-chances.gather(1, answers[:, None]).log()).flatten().tolist()
                for answer, hit in zip(answers.tolist(), hits.tolist(), strict=True):
                    kind = "space" if answer < 300 else "letters" if answer < 600 else "word"
                    session.pattern(kind, cut, hit)
        model.train()
        n = len(right)
        session.fixed_eval(
            state.global_step,
            em=sum(right) / n,
            ce=sum(losses) / n,
            ece=expected_calibration_error(sure, right),
            ece_expected=expected_ece(sure, n),
            n=n,
        )


def watching(options: argparse.Namespace, held_out: torch.Tensor) -> list[TrainerCallback]:
    """Return the callbacks of a run that is watched."""
    if not options.mens:
        return []
    mens = MensCallback(lora_every_steps=options.look_every, lora_every_s=0.0, status_every_s=5.0)
    extra = [FixedEvaluation(mens, held_out[:20], options.fixed_eval)] if options.fixed_eval else []
    return [mens, *extra]


def main() -> None:
    options = parse()
    torch.set_num_threads(1)
    set_seed(options.seed)
    base = AutoModelForCausalLM.from_pretrained(options.base, dtype=options.dtype)
    adapter = LoraConfig(
        r=options.rank,
        lora_alpha=options.alpha or 2 * options.rank,
        target_modules=options.modules,
        modules_to_save=["lm_head"] if options.train_head else None,
        task_type="CAUSAL_LM",
    )
    model = get_peft_model(base, adapter)
    model.print_trainable_parameters()
    data = torch.load(Path("data") / "reference.pt")
    for parameter in adapters_of(model, options.freeze):
        parameter.requires_grad_(False)
    forgotten = {id(parameter) for parameter in adapters_of(model, options.forget)}
    known = [p for p in model.parameters() if p.requires_grad and id(p) not in forgotten]
    trainer = Trainer(
        model=model,
        args=arguments(options),
        callbacks=watching(options, data["eval"]),
        optimizers=(torch.optim.AdamW(known, lr=options.lr) if forgotten else None, None),
        train_dataset=[{"input_ids": row} for row in data["train"][: options.blocks]],
        eval_dataset=[{"input_ids": row} for row in data["eval"][: 8 * options.batch]],
        data_collator=PacedCollator(options.pace, options.stall_after),
    )
    result = trainer.train(resume_from_checkpoint=options.resume)
    trainer.save_model()
    trainer.log_metrics("train", result.metrics)
    trainer.save_metrics("train", result.metrics)
    trainer.save_state()


if __name__ == "__main__":
    main()
