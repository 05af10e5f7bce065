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
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments, set_seed  # noqa: E402


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


def main() -> None:
    options = parse()
    torch.set_num_threads(1)
    set_seed(options.seed)
    base = AutoModelForCausalLM.from_pretrained(options.base, dtype=options.dtype)
    adapter = LoraConfig(
        r=options.rank,
        lora_alpha=2 * options.rank,
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
        task_type="CAUSAL_LM",
    )
    model = get_peft_model(base, adapter)
    model.print_trainable_parameters()
    data = torch.load(Path("data") / "reference.pt")
    trainer = Trainer(
        model=model,
        args=arguments(options),
        train_dataset=[{"input_ids": row} for row in data["train"]],
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
