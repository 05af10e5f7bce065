"""A benchmark's report, `mens-bench/1`: throughput by batch and GPUs, latencies, memory, and the context that holds.

Read without the contract's model, so that a report with a field missing still tells what it can.
"""

from __future__ import annotations

import math
from typing import Any, Final

from mens_console.gate.readers.numbers import at, count, number, pointer, tidy
from mens_console.gate.readers.own import latency, memory
from mens_console.gate.readers.serving import outcome, throughput
from mens_console.gate.readers.sheet import Sheet

SCHEMA: Final = "mens-bench/1"
_UNTRUE: Final = frozenset({"", "whitespace", "unknown"})
_PARTS: Final = ("throughput", "latency", "memory", "context")
_MOST_LOSS: Final = 0.05
_LIMITS: Final = ((32_000, 200.0), (16_000, 100.0), (0, 250.0))
"""From so many tokens on, the milliseconds a token that a rung may take: 16K under 100, 32K under 200, else 250."""


def claims(document: Any) -> bool:
    """Whether it is a benchmark's report."""
    return bool(at(document, "schema") == SCHEMA)


def read(document: dict[str, Any], sheet: Sheet) -> None:
    """Read all that it tells."""
    sheet.taken(document.get("ended"))
    damaged = [name for name in _PARTS if not _whole(document.get(name, []))]
    if damaged:
        sheet.problem = f"/{damaged[0]} is no list of measurements: what was measured there is lost"
        return
    tags = document.get("tags")
    for name, value in sorted(tags.items() if isinstance(tags, dict) else ()):
        sheet.tag(name, value)
    sheet.tag("model", at(document, "target", "model"))
    sheet.tags["source"] = "bench"
    for place, one in enumerate(_list(document, "throughput")):
        _throughput(one, place, sheet)
    for place, one in enumerate(_list(document, "latency")):
        _latency(one, place, sheet)
    for place, one in enumerate(_list(document, "memory")):
        memory(sheet, one, pointer("memory", place))
    if _list(document, "context"):
        _context(_list(document, "context"), sheet)


def _whole(part: Any) -> bool:
    return isinstance(part, list) and all(isinstance(one, dict) for one in part)


def _list(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    value = document.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _throughput(one: dict[str, Any], place: int, sheet: Sheet) -> None:
    runs = [number(value) for value in one.get("runs") or []]
    mean, failed = number(one.get("mean")), count(one.get("failed_runs")) or 0
    trouble = ""
    if any(not math.isfinite(run) or run < 0 for run in runs):
        trouble = "a run of it is no number, or negative"
    elif one.get("mean") is not None and not math.isfinite(mean):
        trouble = f"its mean is no number: {str(one['mean'])[:40]!r}"
    elif runs and abs(sum(runs) / len(runs) - mean) > 1e-6 * max(mean, 1.0) + 0.05:
        trouble = f"its mean {mean:g} is not that of its runs, {sum(runs) / len(runs):g}"
    elif one.get("n") is not None and count(one["n"]) != len(runs):
        trouble = f"it says n = {one.get('n')}, and has {len(runs)} runs"
    elif untrue := _untrue(one):
        trouble = f"its tokens are counted by {untrue}, which may decide nothing"
    if runs and not trouble:
        mean = tidy(math.fsum(runs) / len(runs))
    throughput(sheet, mean, pointer("throughput", place, "mean"), batch=count(one.get("batch")),
               used=count(one.get("gpus")), n=len(runs), samples=runs, trouble=trouble,
               note=_left_out(failed, count(one.get("short_runs")) or 0))  # fmt: skip


def _untrue(one: dict[str, Any]) -> str:
    """Return who counted tokens where that is no tokenizer: blanks, or nobody who is told."""
    told = one.get("tokenizer")
    if isinstance(told, str) and told not in _UNTRUE:
        return ""
    return told if isinstance(told, str) and told else "nobody who is told"


def _left_out(failed: int, short: int) -> str:
    """Say which runs have no place in the mean."""
    told = [f"{failed} runs with a failed request"] if failed else []
    told += [f"{short} runs that stopped short"] if short else []
    return f"{' and '.join(told)} are left out" if told else ""


def _latency(one: dict[str, Any], place: int, sheet: Sheet) -> None:
    tags = {name: str(found) for name in ("batch", "gpus") if (found := count(one.get(name)))}
    asked, failed = count(one.get("requests")), count(one.get("failed"))
    done = asked - failed if asked is not None and failed is not None and failed <= asked else None
    kept = dict(sheet.tags)
    sheet.tags.update(tags)
    trouble = outcome(done, failed, sheet, pointer("latency", place, "failed"))
    for name in ("ttft", "itl"):
        block = one.get(f"{name}_ms") if not trouble else None
        latency(sheet, name, block, pointer("latency", place, f"{name}_ms"), most=done if name == "ttft" else None)
    sheet.tags = kept


def _limit(tokens: int) -> float:
    return next(limit for least, limit in _LIMITS if tokens >= least)


def _holds(rung: dict[str, Any], tokens: int) -> str:
    """Return why a rung does not hold ("" where it does), "?" first where that was not measured."""
    loss, pace = number(rung.get("quality_loss")), number(rung.get("ms_per_token"))
    if not math.isfinite(loss) or not count(rung.get("quality_n")):
        return f"?no quality at {tokens}"
    if not math.isfinite(pace) or pace <= 0 or not count(rung.get("ms_per_token_n")):
        return f"?no time per token at {tokens}"
    if loss > _MOST_LOSS:
        return f"{100 * loss:.1f} % loss at {tokens}"
    limit = _limit(tokens)
    over = pace > limit if limit == _LIMITS[-1][1] else pace >= limit
    return f"{pace:g} ms a token at {tokens}, {limit:g} are allowed" if over else ""


def _context(rungs: list[dict[str, Any]], sheet: Sheet) -> None:
    """Add the longest rung up to which all hold. Its n are the items of its retrieval task."""
    held, n, why = 0, None, ""
    before: tuple[int, int | None] = (0, None)
    known = sorted((tokens, place) for place, one in enumerate(rungs) if (tokens := count(one.get("tokens"))))
    for tokens, place in known:
        why = _holds(rungs[place], tokens)
        if not why and (untrue := _untrue(rungs[place])):
            why = f"?tokens at {tokens} are counted by {untrue}"
        if why:
            held, n = before if tokens == held else (held, n)  # the same rung was measured twice, and broke once
            break
        if tokens > held:
            before = held, n
        held, n = tokens, count(rungs[place].get("quality_n"))
    unknown = why.startswith("?")
    trouble = why.removeprefix("?") if unknown and not held else ""
    sheet.add("context_tokens", held, "tokens", "/context", n=n, trouble=trouble, note=why.removeprefix("?"))
