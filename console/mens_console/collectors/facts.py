"""What a run was started with, as flat words and numbers, from the objects of the training libraries.

Named fields only, so that no token, key or address can slip into a file; no library is imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mens_console.collectors.adapters import unwrap
from mens_console.collectors.plain import number

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch

_LANGUAGE_MODELS: Final = frozenset({"PreTrainedModel", "PeftModel"})
Facts = dict[str, str | int | float | bool]

_ARGUMENTS: Final = (
    "learning_rate", "lr_scheduler_type", "warmup_steps", "warmup_ratio", "weight_decay", "optim", "adam_beta1",
    "adam_beta2", "adam_epsilon", "max_grad_norm", "num_train_epochs", "max_steps", "per_device_train_batch_size",
    "per_device_eval_batch_size", "gradient_accumulation_steps", "gradient_checkpointing", "bf16", "fp16", "tf32",
    "torch_compile", "label_smoothing_factor", "neftune_noise_alpha", "group_by_length", "logging_steps",
    "eval_strategy", "eval_steps", "save_strategy", "save_steps", "save_total_limit", "seed", "data_seed",
    "max_length", "packing", "padding_free", "completion_only_loss", "assistant_only_loss", "loss_type", "beta",
)  # fmt: skip
_LIGHTNING: Final = (
    "accumulate_grad_batches", "gradient_clip_val", "gradient_clip_algorithm", "max_epochs", "max_steps",
    "num_devices", "num_nodes", "log_every_n_steps",
)  # fmt: skip
_MODEL: Final = (
    "model_type", "vocab_size", "hidden_size", "n_embd", "d_model", "num_hidden_layers", "n_layer", "num_layers",
    "num_attention_heads",
)  # fmt: skip
_PEFT: Final = (
    "peft_type", "r", "lora_alpha", "lora_dropout", "target_modules", "bias", "use_rslora", "use_dora", "task_type",
    "init_lora_weights",
)  # fmt: skip


def trainer_facts(arguments: Any) -> Facts:
    """Return the hyperparameters in a `TrainingArguments` or one of its subclasses."""
    return _named(arguments, _ARGUMENTS)


def lightning_facts(trainer: Any) -> Facts:
    """Return the settings of a Lightning Trainer and of its optimizer."""
    facts = _named(trainer, _LIGHTNING)
    facts["precision"] = str(trainer.precision)
    for optimizer in trainer.optimizers[:1]:
        facts["optim"] = type(optimizer).__name__
        rate = optimizer.param_groups[0].get("lr")
        if isinstance(rate, int | float):
            facts["learning_rate"] = float(rate)
    return facts


def model_facts(model: torch.nn.Module) -> Facts:
    """Return the architecture, the adapters' configuration and the numbers of parameters of a model."""
    model = unwrap(model)
    total = trainable = 0
    for parameter in model.parameters():
        total += parameter.numel()
        trainable += parameter.numel() if parameter.requires_grad else 0
    facts: Facts = {"parameters": total, "trainable_parameters": trainable}
    for module in model.modules():
        if (config := getattr(module, "config", None)) is not None and hasattr(config, "model_type"):
            facts |= _named(config, _MODEL)
            architectures = getattr(config, "architectures", None)
            facts["architecture"] = architectures[0] if architectures else type(module).__name__
            break
    for module in model.modules():
        configs = getattr(module, "peft_config", None)
        if isinstance(configs, dict) and configs:
            facts |= {
                f"lora_{name.removeprefix('lora_')}": v
                for name, v in _named(next(iter(configs.values())), _PEFT).items()
            }
            break
    return facts


def base_model(model: torch.nn.Module) -> str:
    """Return the name or path that a model was loaded from, "" where it does not say."""
    for module in unwrap(model).modules():
        name = getattr(getattr(module, "config", None), "_name_or_path", None) or getattr(module, "name_or_path", None)
        if isinstance(name, str) and name:
            return name
    return ""


def numbers(values: Any, without: Iterable[str] = ()) -> dict[str, float]:
    """Return the entries of a mapping of metrics that are numbers, of any library; booleans are none."""
    left_out = frozenset(without)
    found = {name: number(value) for name, value in dict(values or {}).items() if name not in left_out}
    return {str(name): value for name, value in found.items() if value is not None}


def _named(source: Any, names: Iterable[str]) -> Facts:
    found: Facts = {}
    for name in names:
        value = getattr(source, name, None)
        value = getattr(value, "value", value)
        if isinstance(value, str | int | float):
            found[name] = value
        elif isinstance(value, list | tuple | set | frozenset) and all(isinstance(item, str) for item in value):
            found[name] = " ".join(sorted(value))
    return found


def language_model(model: torch.nn.Module) -> torch.nn.Module | None:
    """Return the module that is called with the batches of a language model: `model` itself or one inside it."""
    for module in (model, *unwrap(model).modules()):
        if any(kind.__name__ in _LANGUAGE_MODELS for kind in type(unwrap(module)).__mro__):
            return module
    return None
