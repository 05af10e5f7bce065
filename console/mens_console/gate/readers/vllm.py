"""vLLM's `bench serve --save-result`: one JSON object, or one a line.

With `--save-detailed` it keeps every gap, so that bounds are exact.

It exits 0 with every request failed and its latencies 0.00, so `completed` and `failed` are judged first. Its ITL are
raw gaps; its TPOT are means per request and feed nothing here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, Final

from mens_console.gate.readers.numbers import count, number, pointer
from mens_console.gate.readers.serving import gpus, histogram, ordered, outcome, partial, quantiles, throughput
from mens_console.gate.readers.sheet import Sheet

_NEEDED: Final = ("completed", "output_throughput")
_BESIDE: Final = ("num_prompts", "max_concurrency", "request_rate", "mean_ttft_ms", "median_ttft_ms", "p99_ttft_ms")
"""What a result tells as well; one of them is enough, for results are cut down before they are kept."""
_MOST: Final = 1000
"""Results in one file."""
_RATE: Final = 0.01
"""Share by which a throughput may differ from tokens / time: both are written in full."""


def claims(document: Any) -> bool:
    """Whether it is a result of `vllm bench serve`."""
    if not isinstance(document, dict):
        return False
    return all(name in document for name in _NEEDED) and any(name in document for name in _BESIDE)


def read(document: dict[str, Any], sheet: Sheet) -> None:
    """Read throughput, TTFT and raw gaps."""
    sheet.taken(document.get("date"))
    sheet.tag("model", document.get("model_id"))
    sheet.tags["source"] = "bench"
    done, failed = finished(document)
    used, batch = gpus(document), count(document.get("max_concurrency"))
    for name, value in (("batch", batch), ("gpus", used)):
        sheet.tag(name, value)
    trouble = outcome(done, failed, sheet, "/failed")
    note = partial(done, failed)
    for name in ("ttft", "itl"):
        _latency(document, name, done, sheet, trouble=trouble, note=note)
    rate = document.get("output_throughput")
    throughput(sheet, rate, "/output_throughput", batch=batch, used=used, n=1, trouble=trouble or _hurried(document),
               note=note, samples=_one(rate))  # fmt: skip


def finished(document: dict[str, Any]) -> tuple[int | None, int | None]:
    """Return how many requests completed and how many failed, as far as it is told."""
    done, failed = count(document.get("completed")), count(document.get("failed"))
    asked = count(document.get("num_prompts"))
    if done is None or asked is None or asked < done:
        return done, failed
    return done, max(failed or 0, asked - done)  # one of which nothing is told (and all, before `failed`) has failed


def _hurried(document: dict[str, Any]) -> str:
    """Return why a throughput is none: it is not its own tokens over its own time."""
    rate, seconds = number(document.get("output_throughput")), number(document.get("duration"))
    tokens = count(document.get("total_output_tokens"))
    if tokens is None or not 0 < seconds < math.inf or not abs(tokens / seconds - rate) > _RATE * rate:
        return ""
    return f"it says {rate:g} tokens/s, and {tokens} tokens in {seconds:g} s are {tokens / seconds:.4g}"


@dataclass(slots=True)
class Results:
    """Reads what `--append-result` leaves: one result a line, each a run of its own."""

    rows: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    bad: int = 0

    def add(self, row: Any, line: int) -> None:
        """Take one result."""
        if claims(row) and len(self.rows) < _MOST:
            self.rows.append((line, row))
        else:
            self.bad += 1

    def finish(self, sheet: Sheet) -> None:
        """Read every result; a line that is none leaves all of them in doubt."""
        if self.bad:
            sheet.problem = f"{self.bad} of its lines are no results of vLLM, or it holds over {_MOST}"
            return
        for line, row in self.rows:
            begun = len(sheet.items)
            sheet.tags.clear()
            read(row, sheet)
            sheet.items[begun:] = [replace(one, pointer=f"line {line}: {one.pointer}") for one in sheet.items[begun:]]


def _one(value: Any) -> tuple[float, ...]:
    return (float(value),) if isinstance(value, int | float) and not isinstance(value, bool) else ()


def _latency(document: dict[str, Any], name: str, done: int | None, sheet: Sheet, *, trouble: str, note: str) -> None:
    """Add the P50 and P99 of one latency: from its single values where they were kept, else as the tool told them."""
    kept = document.get(f"{name}s")
    trouble = trouble or _lost(kept, name, done)
    if isinstance(kept, list) and kept and not trouble:
        flat = chain.from_iterable(one if isinstance(one, list) else (one,) for one in kept)
        # A failed request's TTFT is 0.0 in the list.
        counts, bad = histogram((one for one in flat if name != "ttft" or one != 0), 1000.0)
        trouble = f"{bad} of its values are no numbers or negative" if bad else ""
        quantiles(sheet, name, counts, "ms", pointer(f"{name}s"), trouble=trouble, note=note)
        return
    median, high = document.get(f"median_{name}_ms"), document.get(f"p99_{name}_ms")
    trouble = trouble or ordered(median, high) or _hollow(document, name, median)
    if name == "itl":
        note = "; ".join(filter(None, (note, "n counts requests: the gaps themselves were not kept (--save-detailed)")))
    sheet.add(f"{name}_p50", median, "ms", f"/median_{name}_ms", n=done, trouble=trouble, note=note)
    if high is None:
        sheet.note(f"no P99 of {name.upper()}: --metric-percentiles 99 keeps it")
        return
    sheet.add(f"{name}_p99", high, "ms", f"/p99_{name}_ms", n=done, trouble=trouble, note=note)


def _lost(kept: Any, name: str, done: int | None) -> str:
    """Say that the single values are not those of all requests that completed: what is lacking may be the slowest."""
    if kept is None or kept == []:
        return ""
    if not isinstance(kept, list):
        return f"its {name}s are no list of values"
    there = sum(one != 0 for one in kept) if name == "ttft" else len(kept)
    return f"{name}s are kept of {there} requests, and {done} completed" if done is not None and there < done else ""


def _hollow(document: dict[str, Any], name: str, median: Any) -> str:
    """Return why a latency of exactly 0 is none."""
    if median == 0:
        return "it is exactly 0 ms: nothing was measured"
    tokens, done = count(document.get("total_output_tokens")), count(document.get("completed"))
    if name == "itl" and tokens is not None and done is not None and tokens <= done:
        return "no request generated a second token"
    return ""
