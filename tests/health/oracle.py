"""S1's aggregation as its code says it, row by row in plain Python: what the fold is compared with.

Rows are dictionaries of clean values. Slow, and independent of the fold's modules.
"""

import math
import statistics
from collections import Counter


def batches(rows, size):
    """Return (run, index) → rows, in order."""
    seen, out = Counter(), {}
    for row in rows:
        run = row.get("run_id", "")
        out.setdefault((run, seen[run] // size), []).append(row)
        seen[run] += 1
    return out


def figures(rows):
    n = len(rows)
    latencies = sorted(row["latency_ms"] for row in rows)
    openings = Counter(row["opening_move"] for row in rows)
    mentions = [anchor for row in rows for anchor in row["anchors_used"]]
    keys = [(row["persona_id"], row["stage"], row["attempt"]) for row in rows]
    names = {name for row in rows for name in row["validator_scores"]}
    scores = {name: [r["validator_scores"][name] for r in rows if name in r["validator_scores"]] for name in names}
    return {
        "n": n,
        "personas": len({row["persona_id"] for row in rows}),
        "success": sum(row["status"] == "success" for row in rows),
        "success_or_repaired": sum(row["status"] in ("success", "repair") for row in rows),
        "repaired": sum(bool(row["repairs"]) for row in rows),
        "repairs": dict(Counter(kind for row in rows for kind in row["repairs"])),
        "statuses": dict(Counter(row["status"] for row in rows)),
        "stages": dict(Counter(row["stage"] for row in rows)),
        "latency_mean": statistics.mean(latencies),
        "latency_p95": latencies[math.ceil(n * 95 / 100) - 1],
        "latency_deviation": statistics.stdev(latencies) if n > 1 else math.nan,
        "scores": {
            k: (len(v), statistics.mean(v), statistics.stdev(v) if len(v) > 1 else math.nan) for k, v in scores.items()
        },
        "openings": dict(openings),
        "opening_entropy": -sum(c / n * math.log(c / n) for c in openings.values()) + 0.0,
        "anchors": len(set(mentions)),
        "anchor_mentions": len(mentions),
        "anchor_diversity": len(set(mentions)) / n,
        "prompt_tokens": sum(row["prompt_tokens"] for row in rows),
        "completion_tokens": sum(row["completion_tokens"] for row in rows),
        "duplicates": n - len(set(keys)),
    }
