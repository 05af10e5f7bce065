"""Which of several models a score belongs to: the baseline, its quantized form, or that one fine-tuned (QLoRA).

A file's own `role` says it; else a word in its name or folder does, or how the model was loaded. Pure.
"""

from __future__ import annotations

import re
from typing import Any, Final

from mens_console.gate.readers.numbers import at

BASELINE, QUANTIZED, QLORA = "baseline", "quantized", "qlora"
ROLES: Final = (BASELINE, QUANTIZED, QLORA)
_WORDS: Final = (
    (QLORA, re.compile(r"qlora", re.IGNORECASE)),
    (
        QUANTIZED,
        re.compile(
            r"quant|(?<![a-z0-9])(int[48]|[48]-?bit|w[48]a(8|16)|q[2-8](_\w+)?|gptq|awq|nf4|gguf|fp8)(?![a-z0-9])",
            re.IGNORECASE,
        ),
    ),
    (
        BASELINE,
        re.compile(r"base-?line|(?<![a-z0-9])(fp32|float32|fp16|bf16|reference)(?![a-z0-9])", re.IGNORECASE),
    ),
)
_UNQUANTIZED: Final = re.compile(r"un-?quant|non-?quant|not-?quant|before-?quant|pre-?quant", re.IGNORECASE)
_LOADED: Final = re.compile(r"load_in_[48]bit=True|quantization=\w|gptq|awq|autogptq=|gguf_file=", re.IGNORECASE)


def role_of(document: Any, path: str) -> tuple[str, str]:
    """Return the role of a file ("" where nothing tells it), and why it cannot be believed.

    The name and the two folders above are looked at, the nearest first: lm-eval puts one of the model's name between.
    A baseline by name that was loaded quantized is none.
    """
    told = next((value for value in (at(document, "role"), at(document, "tags", "role")) if isinstance(value, str)), "")
    loaded = bool(_LOADED.search(_arguments(document)))
    role = told.lower() if told.lower() in ROLES else _by_name(path)
    if told and told.lower() not in ROLES:
        return "", f"its role {told[:40]!r} is none of {', '.join(ROLES)}"
    if role == BASELINE and loaded:
        return BASELINE, "it is called a baseline, and its model was loaded quantized"
    return role or _by_model(_arguments(document), loaded=loaded), ""


def _by_name(path: str) -> str:
    for part in reversed(path.replace("\\", "/").split("/")[-3:]):
        if _UNQUANTIZED.search(part):
            return BASELINE
        for role, words in _WORDS:
            if words.search(part):
                return role
    return ""


def _by_model(arguments: str, *, loaded: bool) -> str:
    """Return the role that the model's own path tells; that something is a baseline is never concluded from there."""
    named = next((role for role, words in _WORDS if role != BASELINE and words.search(arguments)), "")
    return named or (QUANTIZED if loaded else "")


def _arguments(document: Any) -> str:
    """Return how the model was loaded, as text."""
    told = at(document, "config", "model_args")
    if isinstance(told, dict):
        return ",".join(f"{key}={value}" for key, value in told.items())
    return told if isinstance(told, str) else ""
