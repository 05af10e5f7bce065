"""The rows of the table of alert rules: what each watches, where it begins and ends, and what to do about it.

Data only; the thresholds are the catalogue's, the recommendations one sentence each.
"""

from __future__ import annotations

import math
from typing import Final

from mens_console.signals.ruletypes import Rule, Severity

_INFO, _WARNING, _CRITICAL = Severity.INFO, Severity.WARNING, Severity.CRITICAL
_NAN: Final = ("nan_loss", "hidden_nan")
_LASTING: Final = ("entry", "exit", "for_points")
_RISING: Final = (*_LASTING, "critical")
"""Thresholds that a rule goes by, where these are not entry and exit alone."""
_BY_DRIVER: Final = math.nan
"""Entry and exit of what the driver decides: there is no number to set."""

LOSS: Final = (
    Rule(
        "nan_loss", _CRITICAL, "Loss is NaN or infinite", "a logged loss that is not finite", "points", 1, 1,
        "Stop the run, restart from the last checkpoint before this step with a lower learning rate, and inspect the "
        "batch of this step.",
        ("loss",), latched=True, asks=(),
    ),
    Rule(
        "nan_grad", _CRITICAL, "Gradient norm is NaN or infinite", "a logged gradient norm that is not finite",
        "points", 1, 1,
        "Check the loss scale and the precision (prefer bf16 to fp16), and restart from the last checkpoint before "
        "this step if it repeats.",
        ("grad_norm",), latched=True, inhibited_by=_NAN, asks=(),
    ),
    Rule(
        "hidden_nan", _CRITICAL, "The trainer hides a NaN loss",
        "loss is exactly 0.0 while the gradient norm of the same step is NaN", "points", 1, 1,
        "Treat the run as diverged: set logging_nan_inf_filter to false, then restart from a checkpoint before this "
        "step with a lower learning rate.",
        ("loss", "grad_norm"), latched=True, asks=(),
    ),
    Rule(
        "loss_spike", _WARNING, "Loss spike",
        "one loss ≥ 2 × the median of the last 50; below 3 robust σ of their noise, or 0.01, these count instead",
        "× recent level", 2.0, 1.5,
        "Inspect the batch of this step and lower the gradient clipping threshold if spikes return.",
        ("loss",), recover_s=60.0, inhibited_by=(*_NAN, "loss_explosion", "loss_spike_sustained"),
    ),
    Rule(
        "loss_spike_sustained", _WARNING, "Loss stays high",
        "three losses in a row more than 6 robust standard deviations (1.4826 × MAD, at least 1 % of the level) above "
        "the median of the last 50", "σ (MAD)", 6.0, 3.0,
        "Lower the learning rate or roll back to the checkpoint before the rise if the loss does not come back down.",
        ("loss",), for_points=3, recover_s=60.0, inhibited_by=(*_NAN, "loss_explosion"), asks=_LASTING,
    ),
    Rule(
        "loss_explosion", _CRITICAL, "Loss explodes",
        "one loss ≥ 10 × the median of the last 50, counted as for a spike",
        "× recent level", 10.0, 2.0,
        "Stop the run, go back to the last good checkpoint and lower the learning rate by a factor of 3 to 10.",
        ("loss",), recover_s=60.0, inhibited_by=_NAN,
    ),
    Rule(
        "plateau", _WARNING, "Loss has stopped improving",
        "the best EMA of the loss improves by less than 1 % over 50 steps, and at least 50 logged points after the "
        "first 20, and it does not rise; ends when it improves by 2 % over as many; for information while the means of "
        "the last 8 × 25 points still fall (Mann-Kendall, p 0.03)", "% improvement", 1.0, 2.0,
        "Compare with the eval loss: stop early if that is flat too, otherwise lower the learning rate.",
        ("loss",), for_points=50, inhibited_by=(*_NAN, "loss_explosion", "lr_zero"), asks=_LASTING,
    ),
    Rule(
        "loss_stuck", _INFO, "Loss is stuck high", "plateau while the EMA of the loss is above 1.6", "loss", 1.6, 1.5,
        "Look at the data format, the loss mask and the LoRA rank before spending more steps.",
        ("loss",), inhibited_by=(*_NAN, "loss_explosion", "lr_zero", "plateau"),
    ),
)  # fmt: skip

GAUGES: Final = (
    Rule(
        "grad_exploding", _WARNING, "Gradients explode", "gradient norm above 100", "norm", 100.0, 50.0,
        "Turn on gradient clipping at 1.0 and lower the learning rate or lengthen the warm-up.",
        ("grad_norm",), recover_s=60.0, inhibited_by=(*_NAN, "nan_grad"),
    ),
    Rule(
        "grad_vanishing", _WARNING, "Gradients vanish",
        "gradient norm below 1e-5 for three points (critical below 1e-7)", "norm", 1e-5, 2e-5,
        "Check that the adapter's parameters require gradients, that labels are not all masked, and the loss scale.",
        ("grad_norm",), critical=1e-7, for_points=3, recover_s=60.0, inhibited_by=("hidden_nan",), asks=_RISING,
    ),
    Rule(
        "lr_zero", _WARNING, "Learning rate is zero",
        "learning rate 0 for three points after it was positive (20 points if it never was), before the last 1 % of "
        "the run", "points", 3, 0,
        "Check the scheduler's total steps: nothing is learned from here on.",
        ("learning_rate",), for_points=3, asks=("for_points",),
    ),
    Rule(
        "lr_jump", _WARNING, "Learning rate jumps up",
        "learning rate rises by more than 10 % after the warm-up is over",
        "× previous", 1.1, 1.1,
        "Check that the scheduler's state was restored with the checkpoint; ignore this for cyclic schedules.",
        ("learning_rate",), recover_s=60.0, asks=("entry",),
    ),
    Rule(
        "throughput_degrading", _WARNING, "Throughput degrades",
        "median rate of the last 50 updates below 70 % of the run's usual rate", "× usual", 0.7, 0.85,
        "Look for another process on the GPU, thermal throttling, a slower data loader or longer sequences.",
        ("tokens_per_sec", "steps_per_sec", "wall time"), recover_s=120.0, inhibited_by=("stall",),
    ),
    Rule(
        "entropy_collapse", _WARNING, "Token entropy collapses",
        "EMA of the token entropy below 0.3 × its own early median (the first 20 points, at least 10)",
        "× early median", 0.3, 0.4,
        "Stop at the last checkpoint before the fall and raise the entropy or KL coefficient, or the share of varied "
        "data: the model is certain of what it repeats.",
        ("entropy",), recover_s=120.0, inhibited_by=_NAN,
    ),
)  # fmt: skip

LAYERS: Final = (
    Rule(
        "lora_dead", _WARNING, "LoRA pairs are dead",
        "after the warm-up (3 looks and 10 optimizer steps) a trainable pair does not move, or has no gradient at all, "
        "in three looks in which the model moved; in ten, if it had gradients before (an expert without tokens)",
        "pairs", 1, 1,
        "Check that these modules are in the optimizer and reached by the loss, and that bf16 does not round their "
        "updates away; drop them from target_modules if they are meant to rest.",
        ("lora pairs",), for_points=3, recover_s=60.0, inhibited_by=("lr_zero", *_NAN), asks=("for_points",),
    ),
    Rule(
        "lora_vanishing", _WARNING, "Gradients of LoRA pairs vanish",
        "gradient norm of a pair below 1e-5 in three looks (critical below 1e-7), and the pair is not dead", "norm",
        1e-5, 2e-5,
        "Check the loss scale and lora_alpha / r of these pairs, and whether the loss reaches their layers.",
        ("lora pairs",), critical=1e-7, for_points=3, recover_s=60.0,
        inhibited_by=("lr_zero", "hidden_nan", "grad_vanishing"), asks=_RISING,
    ),
    Rule(
        "lora_exploding", _WARNING, "Gradients of LoRA pairs explode",
        "gradient norm of a pair above 100, or not finite after the warm-up (where nothing moved, in three looks)",
        "norm", 100.0, 50.0,
        "Turn on gradient clipping at 1.0 and lower the learning rate or lora_alpha.",
        ("lora pairs",), recover_s=60.0, inhibited_by=(*_NAN, "nan_grad", "grad_exploding"),
    ),
    Rule(
        "lora_imbalance", _WARNING, "Gradients of LoRA pairs are far apart",
        "largest over smallest gradient norm of the active pairs above 1000 in three looks", "max / min", 1000.0, 500.0,
        "Compare the extreme pairs' layers: rank-stabilised scaling or a learning rate per group evens them out.",
        ("lora pairs",), for_points=3, recover_s=60.0, inhibited_by=(*_NAN, "lora_exploding", "lora_vanishing"),
        asks=_LASTING,
    ),
)  # fmt: skip

EVALUATION: Final = (
    Rule(
        "ece", _WARNING, "Confidence is poorly calibrated",
        "expected calibration error of an evaluation above 0.3", "ECE", 0.3, 0.27,
        "Trust the model's confidence no further: stop earlier, smooth the labels or fit a temperature, and check that "
        "n is large enough for the ECE that it is compared with.",
        ("fixed_eval_ece", "eval_ece", "ece"), asks=_RISING,
    ),
    Rule(
        "eval_json_errors", _WARNING, "JSON errors appear in the evaluation",
        "an evaluation in which not every answer parses as JSON: a validity below 1, or errors above 0", "errors",
        0.0, 0.0,
        "Stop early and add negative tool samples if it repeats; evaluate at temperature 0.",
        ("eval_json_validity", "eval_json_errors"), asks=_RISING,
    ),
    Rule(
        "soak_uptime", _CRITICAL, "Soak uptime is below its floor", "uptime of the soak below 99.5 %", "share",
        0.995, 0.9955,
        "Find what the incidents have in common before going on: a release fails below 99.5 %.",
        ("soak/uptime",), asks=_RISING,
    ),
    Rule(
        "soak_errors", _CRITICAL, "Soak error rate is above its ceiling", "error rate of the soak above 0.5 %", "share",
        0.005, 0.0045,
        "Group the failed requests by error and by minute: a release fails above 0.5 %.",
        ("soak/error_rate",), asks=_RISING,
    ),
    Rule(
        "soak_died", _CRITICAL, "The driver of a soak died", "the process that drives a soak is gone before its end",
        "events", 1, 1,
        "Resume it with `mens-console soak run --resume DIR`: what is recorded stays, and until then nothing is "
        "observed.",
        ("soak: driver",), asks=(),
    ),
)  # fmt: skip

LIFE: Final = (
    Rule(
        "stall", _WARNING, "No progress",
        "silent longer than max(3 × p99 of the run's own logging interval, 60 s) outside evaluation and saving; "
        "critical from 8 minutes", "s", 60.0, 60.0,
        "Look at the process with py-spy or its console output: a hung collective, data loader or disk is the usual "
        "cause.",
        ("arrivals",), critical=480.0, inhibited_by=("crash", "oom", "device_error", "disk_full"),
        asks=("entry", "critical"),
    ),
    Rule(
        "crash", _CRITICAL, "Run crashed", "the process ended, or left an error, without an end marker", "events", 1, 1,
        "Read the last lines of the log, fix the cause and resume from the newest checkpoint.",
        ("process or log",), inhibited_by=("oom", "device_error", "disk_full"), asks=(),
    ),
    Rule(
        "oom", _CRITICAL, "Out of memory", "an out-of-memory error after the last row", "events", 1, 1,
        "Halve the micro-batch and double the accumulation steps, or shorten the longest sequences, then resume from "
        "the newest checkpoint.",
        ("log",), latched=True, asks=(),
    ),
    Rule(
        "device_error", _CRITICAL, "The device reports an error",
        "an error of CUDA, NCCL or MPS in the log, after the last row", "events", 1, 1,
        "Read the line, check the GPU's XID events on the Hardware screen, and resume on another device if it repeats.",
        ("log",), latched=True, inhibited_by=("oom",), asks=(),
    ),
    Rule(
        "disk_full", _CRITICAL, "Disk is full",
        "a no-space error in the log, or less than 1 GB free on the run's volume",
        "GB free", 1.0, 2.0,
        "Delete old checkpoints or set save_total_limit; the next checkpoint cannot be written whole.",
        ("log or volume",),
    ),
    Rule(
        "disk_before_checkpoint", _CRITICAL, "The next checkpoint does not fit",
        "less is free on the checkpoint volume than the next checkpoint takes, or the volume is full before it is due",
        "bytes free", 0.0, 0.0,
        "Free space now or set save_total_limit: a checkpoint that is cut off cannot be resumed from.",
        ("checkpoints", "volume"), recover_s=60.0, inhibited_by=("disk_full",), asks=(),
    ),
    Rule(
        "checkpoint_overdue", _WARNING, "Checkpoint is overdue",
        "the newest checkpoint is older than 2 × the run's own usual interval, in steps and in time", "× interval",
        2.0, 2.0,
        "Check save_strategy, the volume and the log of the trainer: a crash now would cost everything since then.",
        ("checkpoints",), inhibited_by=("stall", "disk_full"),
    ),
)  # fmt: skip

GPUS: Final = (
    Rule(
        "gpu_thermal", _WARNING, "GPU slows down for heat", "the driver slows the clocks for heat", "°C",
        _BY_DRIVER, _BY_DRIVER,
        "Check the fans, the airflow and the neighbours of this GPU, or lower its power limit.",
        ("GPU clock event reasons",), for_s=10.0, recover_s=60.0, asks=(),
    ),
    Rule(
        "gpu_power", _WARNING, "GPU slows down for power", "the hardware slows the clocks for its power supply", "W",
        _BY_DRIVER, _BY_DRIVER,
        "Check the power cables and supplies of this GPU; a software power cap alone is no fault.",
        ("GPU clock event reasons",), for_s=10.0, recover_s=60.0, asks=(),
    ),
    Rule(
        "gpu_ecc", _CRITICAL, "GPU memory has uncorrected errors", "an uncorrected ECC error since the driver was "
        "loaded", "errors", 1, 1,
        "Restart the run from a checkpoint before it, drain the GPU and reset it; replace it if errors return.",
        ("GPU ECC counters",), latched=True, asks=(),
    ),
    Rule(
        "gpu_xid", _CRITICAL, "GPU driver reports an XID error", "an XID event of the driver", "XID",
        _BY_DRIVER, _BY_DRIVER,
        "Look the XID number up in NVIDIA's list; drain and reset the GPU if it is not the application's fault.",
        ("GPU events",), latched=True, asks=(),
    ),
)  # fmt: skip

GENERATION: Final = (
    Rule(
        "repairs_high", _WARNING, "Many attempts need repairs",
        "the band of the repair rate of the newest whole batch: warning from 10 %, critical above 20 %", "share",
        0.10, 0.10,
        "Look at which repairs lead (Health, Enter): fix the prompt or decoding behind the commonest one first.",
        ("attempt log: repairs",), critical=0.20, asks=(),
    ),
    Rule(
        "repairs_rising", _WARNING, "Repairs grow from batch to batch",
        "the repair rate rises by 5 (critical: 10) percentage points a batch, Theil and Sen's slope over 6 batches or "
        "more", "share a batch", 0.05, 0.05,
        "Stop feeding the batches on: compare the newest prompts, adapter and sampler with those of the first batches.",
        ("attempt log: repairs",), critical=0.10, asks=(),
    ),
    Rule(
        "openings_collapse", _WARNING, "Openings repeat",
        "the entropy of opening moves of the newest whole batch: warning at 2.0 nats and less, critical below 1.5",
        "nats", 2.0, 2.0,
        "Raise the temperature or the share of other openings in the prompts; see the distribution on the Health "
        "screen.",
        ("attempt log: opening_move",), critical=1.5, asks=(),
    ),
    Rule(
        "pollyanna_high", _WARNING, "Personas grow too positive",
        "the mean pollyanna score of the newest whole batch: warning above 0.7, critical above 0.85", "score",
        0.7, 0.7,
        "Add constraints that forbid the happy ending, and read ten of the newest outputs yourself.",
        ("attempt log: validator_scores.pollyanna",), critical=0.85, asks=(),
    ),
    Rule(
        "anchors_repeat", _WARNING, "Anchors repeat",
        "distinct anchors per attempt of the newest whole batch: warning at 0.8 and less, critical below 0.6", "ratio",
        0.8, 0.8,
        "Widen the pool of anchors or sample them without replacement within a batch.",
        ("attempt log: anchors_used",), critical=0.6, asks=(),
    ),
    Rule(
        "generation_slow", _WARNING, "Attempts take longer",
        "mean latency of the newest whole batch against the first healthy ones: warning at +20 %, critical at +50 %",
        "relative to the baseline", 0.2, 0.2,
        "Look at the server's queue, the GPU's clocks and the lengths of prompts: more repairs lengthen them.",
        ("attempt log: latency_ms",), critical=0.5, asks=(),
    ),
    Rule(
        "generation_drift", _CRITICAL, "Generation drifts",
        "a shift of an indicator against its pinned baseline that chance does not explain", "shifts", 1, 1,
        "Pause the generation, keep the log, and go back to the last adapter, prompt and sampler that were healthy.",
        ("attempt log",), asks=(),
    ),
)  # fmt: skip

TABLE: Final = (*LOSS, *GAUGES, *LAYERS, *EVALUATION, *LIFE, *GPUS, *GENERATION)
