"""What a model server tells of itself in Prometheus text: its KV cache and its queue, whoever's names it uses. Pure."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from typing import Final

_NAMES: Final = {
    "vllm:kv_cache_usage_perc": "kv_cache",
    "vllm:gpu_cache_usage_perc": "kv_cache",
    "sglang:token_usage": "kv_cache",
    "llamacpp:kv_cache_usage_ratio": "kv_cache",
    "vllm:num_requests_running": "running",
    "sglang:num_running_reqs": "running",
    "llamacpp:requests_processing": "running",
    "vllm:num_requests_waiting": "waiting",
    "sglang:num_queue_reqs": "waiting",
    "llamacpp:requests_deferred": "waiting",
}
"""By name of the gauge: vLLM's since 0.9 and before, SGLang's, llama.cpp's. Caches are shares in 0 … 1."""
_RENAMED: Final = {"vllm:gpu_cache_usage_perc": "vllm:kv_cache_usage_perc"}
"""Old names, which are passed over where the new one is there, too."""
_SAMPLE: Final = re.compile(r"([a-zA-Z_:][\w:]*)\s*")
_LABEL: Final = re.compile(r'\s*,?\s*([a-zA-Z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*)"')
_RANKS: Final = frozenset({"tp_rank", "pp_rank", "moe_ep_rank"})
"""Labels by which workers of one engine differ: they tell the same figure several times over."""


def levels_of(text: str) -> dict[str, float]:
    """Return what is told: `kv_cache` (share of the fullest engine), `running` and `waiting` (requests of all engines).

    What is missing, or no number, is left out.
    """
    found: dict[str, dict[frozenset[tuple[str, str]], float]] = defaultdict(dict)
    for line in text.split("\n"):
        match = _SAMPLE.match(line)
        if match is None or match[1] not in _NAMES:
            continue
        labels, rest = _labels(line[match.end() :])
        value = _number(rest)
        if labels is None or value is None or (_NAMES[match[1]] == "kv_cache" and value > 1):
            continue
        engine = frozenset(pair for pair in labels.items() if pair[0] not in _RANKS)
        found[match[1]][engine] = max(value, found[match[1]].get(engine, 0.0))
    levels: dict[str, float] = {}
    for name, engines in found.items():
        if _RENAMED.get(name) in found:
            continue
        what = _NAMES[name]
        told = max(engines.values()) if what == "kv_cache" else sum(engines.values())
        levels[what] = max(told, levels.get(what, 0.0))
    return levels


def _labels(rest: str) -> tuple[dict[str, str] | None, str]:
    """Return the labels of a sample and what follows them; None where they do not end."""
    if not rest.startswith("{"):
        return {}, rest
    at, labels = 1, {}
    while match := _LABEL.match(rest, at):
        labels[match[1]] = match[2]
        at = match.end()
    tail = re.compile(r"\s*,?\s*\}").match(rest, at)
    return (None, "") if tail is None else (labels, rest[tail.end() :])


def _number(rest: str) -> float | None:
    """Return the value of a sample, which a time may follow; None where it is none, infinite, or less than nothing."""
    words = rest.split()
    try:
        value = float(words[0])
    except (IndexError, ValueError):
        return None
    return value if 0 <= value < math.inf else None
