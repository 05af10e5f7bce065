"""Made-up LoRA runs: looks at adapter pairs, judged by the real signals and kept by the real store."""

import math
from array import array

import numpy as np
from screens.box import NOW, run

from mens_console.signals.layers import LayerSignals
from mens_console.signals.pairs import LayerRow, PairTable
from mens_console.store.layers import LayerHistory

ATTENTION = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj")
MLP = ("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")
PREFIX = "base_model.model.model.layers"


def table(layers=28, modules=ATTENTION, frozen=(), prefix=PREFIX):
    """Return the pairs of a model, in order of the layers; `frozen` are (layer, module) that are not trained."""
    places = [(layer, module) for layer in range(layers) for module in modules]
    names = tuple(f"{prefix}.{layer}.{module}" for layer, module in places)
    return PairTable(names, tuple(place in frozen for place in places), (16,) * len(names))


def looks(pairs, n=120, every=10, seed=3, dead=(), vanishing=(), exploding=(), unused=(), rank=True, steps=None):
    """Return rows as a collector writes them: gradient norms that fall and differ by depth, and their movements."""
    rng = np.random.default_rng(seed)
    size = len(pairs)
    depth = np.linspace(0.0, 1.0, size)
    level = 0.05 * np.exp(-2.0 * depth + rng.normal(0, 0.5, size))
    steps = [every * (i + 1) for i in range(n)] if steps is None else steps
    rows = []
    for i, step in enumerate(steps):
        grad = level * np.exp(-1.5 * i / n + rng.normal(0, 0.25, size)) * (1 + 6 * (abs(i - 2 * n // 3) < 2))
        update, ratio = grad * 2e-3, grad * 4e-5
        grad[list(vanishing)] = 3e-6 * np.exp(rng.normal(0, 0.3, len(vanishing)))
        if i > n // 2:
            grad[list(exploding)] = 250.0 * np.exp(rng.normal(0, 0.3, len(exploding)))
        grad_a, grad_b = grad * 0.8, grad * 0.6
        if i == 0:
            grad_a[:] = 0.0
        if i > n // 3:
            for column in (grad, grad_a, grad_b, update, ratio):
                column[list(dead)] = 0.0
        for place in (*unused, *np.flatnonzero(pairs.frozen)):
            for column in (grad, grad_a, grad_b):
                column[place] = math.nan
            update[place] = ratio[place] = 0.0
        values = {"grad": grad, "grad_a": grad_a, "grad_b": grad_b, "update": update, "ratio": ratio}
        if rank:
            values["rank"] = np.clip(1 + 5 * i / n + rng.normal(0, 0.3, size), 1, 16)
        columns = {name: array("d", column.tolist()) for name, column in values.items()}
        rows.append(LayerRow(step, NOW - 2.0 - (len(steps) - i) * 10, columns, 2e-4))
    return rows


def layers_of(pairs, rows):
    """Return what the store publishes of these looks."""
    history, signals = LayerHistory(), LayerSignals("run")
    signals.table(history.know(pairs))
    for row in rows:
        history.take(row, pairs)
        signals.observe(row)
    return history.view(signals.states, signals.summary())


PATTERNS = {
    "step": 1200,
    "patterns": ["add two numbers", "chained tools", "[b]refusal[/b]", "json\x1b[31m repair"],
    "lengths": ["≤8", "9-16", "17-32", "33-64"],
    "correct": [[98, 61, 20, 3], [40, 22, 9, 0], [30, 29, 4, 0], [12, 3, 0, 0]],
    "n": [[100, 70, 31, 4], [52, 40, 30, 12], [30, 30, 4, 0], [20, 15, 11, 0]],
}


def lora_run(name="qwen-lora-r16", pairs=None, rows=None, **changes):
    """Return a run with adapters: 28 layers of four, four of them dead, one vanishing, one exploding, two frozen."""
    if pairs is None:
        pairs = table(frozen={(0, ATTENTION[0]), (0, ATTENTION[1])})
    if rows is None:
        rows = looks(pairs, dead=(13, 41, 42, 107), vanishing=(60,), exploding=(77,), unused=(3,))
    return run(name, total=12_000, layers=layers_of(pairs, rows), patterns=PATTERNS, **changes)
