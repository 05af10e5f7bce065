"""Batches of generation attempts made by hand, whole and healthy unless said otherwise."""

import math
from dataclasses import replace

from mens_console.signals.diversity import entropy, miller_madow
from mens_console.signals.generation import BatchFigures, ScoreFigures

VARIED = {f"move {i}": 100 for i in range(10)}


def batch(index=0, *, n=1000, repaired=None, repairs=None, openings=None, pollyanna=None, latency=None, **others):
    """Return a batch. `repairs` is a share, `pollyanna` a mean or (n, mean, deviation), `latency` likewise."""
    repaired = round(n * (0.05 if repairs is None else repairs)) if repaired is None else repaired
    openings = VARIED if openings is None else openings
    counts = list(openings.values())
    score = pollyanna if isinstance(pollyanna, tuple) else (n, 0.6 if pollyanna is None else pollyanna, 0.0)
    told = latency if isinstance(latency, tuple) else (n, 1000.0 if latency is None else latency, 0.0)
    made = BatchFigures(
        run_id="25K_a", index=index, n=n, personas=n, complete=True, success=n - repaired, success_or_repaired=n,
        repaired=repaired, repairs={}, statuses={}, latency_n=told[0], latency_mean=told[1], latency_p95=told[1],
        latency_deviation=told[2], scores={"pollyanna": ScoreFigures(*score)} if score[0] else {}, openings=openings,
        opening_entropy=entropy(counts), opening_entropy_corrected=miller_madow(counts), anchors=round(0.9 * n),
        anchor_mentions=2 * n, anchor_diversity=0.9, anchor_rarefied=0.7, rarefied_to=500, prompt_tokens=450 * n,
        completion_tokens=320 * n, cost_usd=0.77 * n * 0.00045, started=math.nan, ended=math.nan, first=("log", 0),
    )  # fmt: skip
    return replace(made, **others)
