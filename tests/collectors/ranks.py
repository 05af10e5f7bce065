"""A training on two processes, run by `torch.distributed.run`: `ranks.py loop|trainer FOLDER`."""

import sys

import torch
from collectors import small
from torch.nn.parallel import DistributedDataParallel

from mens_console.collectors import MensCallback, watch

STEPS, ACCUMULATED, SIZE = 3, 2, 2


def loop(folder):
    """Two batches a step on each rank, synchronised at the second one, clipped."""
    torch.distributed.init_process_group("gloo")
    rank = torch.distributed.get_rank()
    model = DistributedDataParallel(small.llama(), static_graph=False)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    with watch(model, folder, optimizer, total_steps=STEPS, lora_every_s=0.0, lora_every_steps=1) as mens:
        for step in range(STEPS):
            first, second = (small.batch(small.rows(SIZE, seed=seed)) for seed in seeds(step, rank))
            with model.no_sync():
                (model(**first).loss / 2).backward()
            (model(**second).loss / 2).backward()
            mens.backward_done()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
            optimizer.step()
            optimizer.zero_grad()
            mens.step(loss=1.0)
    torch.distributed.barrier()  # gloo may hang where one process takes its group down long before the other
    torch.distributed.destroy_process_group()


def seeds(step, rank):
    return [100 * step + 10 * rank + i for i in range(ACCUMULATED)]


def trainer(folder):
    from transformers import Trainer, TrainingArguments

    arguments = TrainingArguments(
        output_dir=folder, max_steps=STEPS, per_device_train_batch_size=SIZE, use_cpu=True, report_to="none",
        gradient_accumulation_steps=ACCUMULATED, logging_steps=1, save_strategy="no", learning_rate=0.1,
        lr_scheduler_type="constant", optim="sgd", max_grad_norm=1e-3, disable_tqdm=True,
        train_sampling_strategy="sequential", ddp_find_unused_parameters=False,
    )  # fmt: skip
    callback = MensCallback(lora_every_s=0.0, lora_every_steps=1)
    Trainer(small.llama(), arguments, train_dataset=small.rows(32), callbacks=[callback]).train()


if __name__ == "__main__":
    {"loop": loop, "trainer": trainer}[sys.argv[1]](sys.argv[2])
