"""Tiny models with adapters, batches, and gradients computed another way: whole batches, float64, plain autograd."""

import copy
import math

import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

VOCABULARY = 48
LAYERS = 2


def llama(**options):
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4, "num_key_value_heads": 2}
    config = LlamaConfig(vocab_size=VOCABULARY, num_hidden_layers=LAYERS, max_position_embeddings=64, **shape)
    return adapted(LlamaForCausalLM(config), ["q_proj", "v_proj", "down_proj"], **options)


def plain_llama():
    """The same model without adapters, all of it trainable."""
    return llama().unload().requires_grad_(True)


def llama_pairs():
    """Return the names of the pairs of `llama`."""
    parts = ("self_attn.q_proj", "self_attn.v_proj", "mlp.down_proj")
    return [f"model.layers.{i}.{part}" for i in range(LAYERS) for part in parts]


def gpt2(**options):
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=VOCABULARY, n_embd=32, n_layer=LAYERS, n_head=4, n_positions=64, bos_token_id=0, eos_token_id=0
    )
    config.resid_pdrop = config.embd_pdrop = config.attn_pdrop = 0.0
    return adapted(GPT2LMHeadModel(config), ["c_attn", "wte"], fan_in_fan_out=True, **options)


def t5(**options):
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=VOCABULARY, d_model=32, d_kv=8, d_ff=48, num_layers=LAYERS, num_heads=4, dropout_rate=0.0,
        decoder_start_token_id=0, pad_token_id=0,
    )  # fmt: skip
    return adapted(T5ForConditionalGeneration(config), ["q", "v"], task_type="SEQ_2_SEQ_LM", **options)


def adapted(model, targets, *, r=4, warm=True, **options):
    """Adapt `model`; with `warm` B is not zero, as after some training, so that A has gradients too."""
    model = get_peft_model(model, LoraConfig(r=r, lora_alpha=8, target_modules=targets, **options))
    if warm:
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if "lora_B" in name or "lora_embedding_A" in name:
                    parameter.normal_(0, 0.05)
    return model


def rows(n, length=12, seed=1, padded=True):
    """Return examples as a Trainer takes them; every second one ends in padding of a third of its length."""
    generator = torch.Generator().manual_seed(seed)
    found = []
    for i in range(n):
        ids = torch.randint(1, VOCABULARY, (length,), generator=generator)
        mask = torch.ones_like(ids)
        if padded and i % 2:
            mask[-(length // 3) :] = 0
        found.append({"input_ids": ids, "attention_mask": mask, "labels": ids.masked_fill(mask == 0, -100)})
    return found


def batch(examples):
    return {name: torch.stack([row[name] for row in examples]) for name in examples[0]}


def module_of(parameter_name):
    """Return the module path of a peft parameter without what peft puts around it, and which side it is."""
    path, _, rest = parameter_name.partition(".lora_")
    return path.removeprefix("base_model.model."), "b" if "B" in rest.split(".")[0] else "a"


def reference(model, loss_of):
    """Return {module: {"a": norm, "b": norm, "grad": norm}} of the gradient of `loss_of(a float64 copy of model)`."""
    twin = copy.deepcopy(model).double()
    named = [(name, p) for name, p in twin.named_parameters() if p.requires_grad]
    gradients = torch.autograd.grad(loss_of(twin), [p for _, p in named], allow_unused=True)
    found = {}
    for (name, _), gradient in zip(named, gradients, strict=True):
        if ".lora_" in name and gradient is not None:
            module, side = module_of(name)
            found.setdefault(module, {})[side] = math.sqrt(float((gradient * gradient).sum()))
    for norms in found.values():
        norms["grad"] = math.hypot(*norms.values())
    return found


def mean_loss(*batches):
    """Return the loss of a step that accumulates `batches`: the mean of their mean losses."""
    return lambda model: sum(model(**part).loss for part in batches) / len(batches)
