"""What a server tells of the GPU memory that it holds: weights and KV cache, in bytes. Pure.

SGLang tells them under `/server_info` (`/get_server_info` before 0.5), in GiB of its first worker. vLLM and llama.cpp
tell shares of the cache and no sizes; what nobody tells is absent here.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

PATHS: Final = ("/server_info", "/get_server_info")
_NAMES: Final = {"weight": "weights", "kvcache": "kv_cache"}
_GIB: Final = 1 << 30
_MOST_GIB: Final = 1 << 20


def parts_of(body: bytes, gpus: int) -> dict[str, int]:
    """Return bytes by part, summed over the GPUs: each worker of tensor parallel holds as much as the first.

    Nothing where the answer is none of SGLang's, or does not say how many workers share the model.
    """
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    states = told.get("internal_states") if isinstance(told, dict) else None
    if not isinstance(states, list) or not states or not isinstance(told.get("tp_size"), int):
        return {}
    if told["tp_size"] * len(states) != gpus:
        return {}
    usage = [one.get("memory_usage") if isinstance(one, dict) else None for one in states]
    found: dict[str, int] = {}
    for key, name in _NAMES.items():
        sizes = [_gib(one.get(key)) if isinstance(one, dict) else math.nan for one in usage]
        if all(map(math.isfinite, sizes)):
            found[name] = round(math.fsum(sizes) * told["tp_size"] * _GIB)
    return found


def _gib(value: Any) -> float:
    """Return a size in GiB, NaN for what is none; a size of nothing is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _MOST_GIB:
        return math.nan
    return float(value)
