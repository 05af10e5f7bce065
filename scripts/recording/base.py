"""Makes the small base models and the token streams that the recorded fine-tunes start from; downloads nothing.

The text is Python's own: library source teaches the base, the language reference is what LoRA then learns.
"""

from __future__ import annotations

import argparse
import pydoc_data.topics
import sysconfig
from pathlib import Path

import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    Qwen3Config,
    Qwen3ForCausalLM,
    Trainer,
    TrainingArguments,
)

SEQUENCE = 64
VOCABULARY = 1024
SOURCE_FILES = 60
SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 176,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
}


def library_source() -> str:
    """Return the text of the standard library's first `SOURCE_FILES` modules by name."""
    modules = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))[:SOURCE_FILES]
    return "\n".join(module.read_text(encoding="utf-8", errors="replace") for module in modules)


def blocks(tokenizer: ByteLevelBPETokenizer, text: str) -> torch.Tensor:
    """Return `text` as int64 token ids, shape (blocks, SEQUENCE); the rest that fills no block is dropped."""
    ids = torch.tensor(tokenizer.encode(text).ids)
    whole = len(ids) // SEQUENCE * SEQUENCE
    return ids[:whole].view(-1, SEQUENCE)


def pretrain(model: PreTrainedModel, data: torch.Tensor, where: Path, steps: int) -> None:
    """Train `model` on `data` for `steps` steps, so that an adapter has something to adapt, and save it."""
    arguments = TrainingArguments(
        output_dir=str(where),
        max_steps=steps,
        per_device_train_batch_size=16,
        learning_rate=2e-3,
        warmup_steps=20,
        logging_steps=50,
        save_strategy="no",
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
    )
    Trainer(model=model, args=arguments, train_dataset=[{"input_ids": row, "labels": row} for row in data]).train()
    model.save_pretrained(where)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1200, help="steps of pretraining for each base")
    options = parser.parse_args()
    torch.manual_seed(1)
    source, reference = library_source(), "\n".join(pydoc_data.topics.topics.values())
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator([source, reference], vocab_size=VOCABULARY, show_progress=False)
    learned = blocks(tokenizer, reference)
    held_out = len(learned) // 10
    Path("data").mkdir()
    torch.save({"train": learned[held_out:], "eval": learned[:held_out]}, "data/reference.pt")
    code = blocks(tokenizer, source)
    pretrain(LlamaForCausalLM(LlamaConfig(**SHAPE, num_hidden_layers=6)), code, Path("base/llama-6l"), options.steps)
    qwen = Qwen3ForCausalLM(Qwen3Config(**SHAPE, num_hidden_layers=4, head_dim=16))
    pretrain(qwen, code, Path("base/qwen-4l"), options.steps)


if __name__ == "__main__":
    main()
