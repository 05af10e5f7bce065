"""The runs that are recorded: what each shows, when it begins, and what is done to it; no code that does it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scenario:
    """One run of the recorded box.

    `begins` is in seconds after the first run's begin. `arguments` go to `finetune.py`. With `kill_at` (a step) the
    process gets SIGKILL once its progress bar shows that step, and `resume` (a checkpoint) is started `pause` seconds
    later. With `silence` the recording ends, the process still alive, when nothing was written for so many seconds.
    """

    scenario: str
    name: str
    summary: str
    begins: float
    arguments: tuple[str, ...]
    kill_at: int | None = None
    resume: str = ""
    pause: float = 10.0
    silence: float | None = None


def _arguments(line: str) -> tuple[str, ...]:
    return tuple(line.split())


SCENARIOS = (
    Scenario(
        "healthy",
        "llama-lora-r8",
        "warm-up and cosine, an evaluation and a checkpoint every 100 steps, the two newest checkpoints kept",
        0.0,
        _arguments(
            "--base base/llama-6l --rank 8 --lr 3e-3 --steps 600 --batch 16 --eval-every 100 --save-every 100 --keep 2"
        ),
    ),
    Scenario(
        "killed-resumed",
        "qwen-lora-r16",
        "SIGKILL at step 250, resumed from the checkpoint of step 200",
        8.0,
        _arguments("--base base/qwen-4l --rank 16 --lr 3e-3 --steps 400 --batch 16 --save-every 100 --seed 11"),
        kill_at=250,
        resume="checkpoint-200",
    ),
    Scenario(
        "stalled",
        "llama-lora-r4-lr1e-3",
        "the data stops coming after 260 batches: the process lives and writes nothing more",
        64.0,
        _arguments(
            "--base base/llama-6l --rank 4 --lr 1e-3 --steps 500 --batch 8 --save-every 100 --keep 1 --seed 5"
            " --stall-after 260"
        ),
        silence=90.0,
    ),
    Scenario(
        "diverged",
        "llama-lora-r16-lr2e-1",
        "learning rate 0.2 on a float16 base: the loss climbs, then reads 0.0 while the gradient norm is NaN",
        24.0,
        _arguments(
            "--base base/llama-6l --dtype float16 --rank 16 --lr 2e-1 --steps 320 --warmup 300 --batch 8 --seed 3"
            " --save-every 100 --pace 0.2"
        ),
    ),
    Scenario(
        "diverged-unfiltered",
        "qwen-lora-r8-lr5e-1",
        "learning rate 0.5 on a float16 base with the Trainer's NaN filter off: the loss itself reads NaN",
        60.0,
        _arguments(
            "--base base/qwen-4l --dtype float16 --rank 8 --lr 5e-1 --steps 200 --warmup 200 --batch 8 --seed 3"
            " --no-nan-filter --pace 0.2"
        ),
    ),
    Scenario(
        "finished",
        "qwen-lora-r4",
        "a short run that ends cleanly with its summary",
        40.0,
        _arguments(
            "--base base/qwen-4l --rank 4 --lr 3e-3 --steps 300 --batch 16 --eval-every 100 --pace 0.2 --seed 2"
        ),
    ),
    Scenario(
        "adapters",
        "llama-lora-r8-watched",
        "with the collectors: adapters, token entropy, a fixed evaluation and accuracy by pattern and length",
        12.0,
        _arguments(
            "--base base/llama-6l --rank 8 --lr 3e-3 --steps 400 --batch 16 --eval-every 100 --save-every 100 --keep 2"
            " --seed 21 --mens --fixed-eval 25"
        ),
    ),
    Scenario(
        "dead-layers",
        "llama-lora-r8-two-dead",
        "with the collectors: two layers' adapters are frozen, and two others the optimizer does not know",
        20.0,
        _arguments(
            "--base base/llama-6l --rank 8 --lr 3e-3 --steps 300 --batch 8 --seed 22 --mens --freeze 0 1 --forget 3 4"
        ),
    ),
    Scenario(
        "exploding",
        "qwen-lora-r8-alpha4096",
        "with the collectors: an alpha of 4096 and no clipping, gradients explode",
        30.0,
        _arguments(
            "--base base/qwen-4l --rank 8 --alpha 4096 --lr 2e-3 --steps 200 --batch 8 --seed 23 --mens"
            " --max-grad-norm 0"
        ),
    ),
    Scenario(
        "plateau",
        "qwen-lora-r8-lr1e-6",
        "with the collectors: a learning rate too small to learn anything",
        36.0,
        _arguments(
            "--base base/qwen-4l --rank 8 --lr 1e-6 --schedule constant --warmup 0 --steps 300 --batch 16 --seed 24"
            " --mens"
        ),
    ),
    Scenario(
        "entropy-collapse",
        "llama-lora-r8-overfit",
        "with the collectors: eight blocks of text over and over, learned by heart until nothing is uncertain",
        44.0,
        _arguments(
            "--base base/llama-6l --rank 8 --lr 3e-3 --warmup 150 --steps 400 --batch 8 --blocks 8 --seed 25 --mens"
            " --modules q_proj v_proj --train-head --look-every 4 --pace 0.15"
        ),
    ),
)
