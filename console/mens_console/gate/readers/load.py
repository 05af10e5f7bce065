"""Load tests: locust's CSV and JSON, and k6's summary. They give the share of failed requests.

k6's `http_req_failed` counts a failed request as a pass of that rate: `passes` 0, `fails` 2890 is no failure.
"""

from __future__ import annotations

import csv
import io
import math
from typing import Any, Final

from mens_console.gate.readers.numbers import at, count, number, pointer
from mens_console.gate.readers.sheet import Sheet

STATS: Final = ("Type", "Name", "Request Count", "Failure Count")
HISTORY: Final = ("Timestamp", "User Count", "Total Request Count", "Total Failure Count")
_TAGS: Final = {"source": "load"}


def columns(text: str) -> list[str]:
    """Return the names in the first row of a CSV."""
    try:
        return next(csv.reader(io.StringIO(text.lstrip("\ufeff"))), [])
    except csv.Error:
        return []


def claims_locust(text: str) -> bool:
    """Whether it is locust's `_stats.csv` or `_stats_history.csv`, by its columns."""
    found = columns(text[: text.find("\n") + 1] or text)
    return any(all(name in found for name in names) for names in (STATS, HISTORY))


def read_locust(text: str, sheet: Sheet) -> None:
    """Read the row of all requests together: the one, or the newest of a history."""
    names = columns(text[: text.find("\n") + 1])
    history = all(name in names for name in HISTORY)
    asked_name, failed_name = HISTORY[2:] if history else STATS[2:]
    asked = failed = None
    line = single = 0
    try:
        reader = csv.DictReader(io.StringIO(text.lstrip("\ufeff")))
        for row in reader:
            if None in row.values():
                sheet.note(f"line {reader.line_num} is cut off, and left aside")  # half a number reads as a smaller one
            elif row.get("Name") == "Aggregated":
                asked, failed, line = count(row.get(asked_name)), count(row.get(failed_name)), reader.line_num
                if history:
                    sheet.taken(number(row.get("Timestamp")))
            elif not history:
                single += count(row.get(failed_name)) or 0
    except csv.Error as error:
        sheet.problem = f"its CSV is damaged: {error}"
        return
    if not line:
        sheet.problem = "it has no row of all requests together (Aggregated): the run was cut off before its end"
        return
    trouble = f"its rows hold {single} failures, and it counts {failed} of all" if single > (failed or 0) else ""
    _errors(sheet, asked, failed, f"line {line}", trouble)


def claims_locust_json(document: Any) -> bool:
    """Whether it is what `locust --json` prints."""
    return isinstance(document, list) and bool(document) and all(
        isinstance(one, dict) and "num_requests" in one and "num_failures" in one for one in document
    )  # fmt: skip


def read_locust_json(document: list[dict[str, Any]], sheet: Sheet) -> None:
    """Sum the requests of all entries."""
    asked = [count(one["num_requests"]) for one in document]
    failed = [count(one["num_failures"]) for one in document]
    times = [number(one.get("last_request_timestamp")) for one in document]
    sheet.taken(max(filter(math.isfinite, times), default=None))  # an entry without requests has none
    _errors(sheet, None if None in asked else sum(one or 0 for one in asked),
            None if None in failed else sum(one or 0 for one in failed), pointer())  # fmt: skip


def claims_k6(document: Any) -> bool:
    """Whether it is k6's summary, flat or nested."""
    return isinstance(at(document, "metrics", "http_req_failed"), dict)


def read_k6(document: dict[str, Any], sheet: Sheet) -> None:
    """Read the rate of failed requests and the counts behind it."""
    failed, good, trouble = k6_failed(document)
    asked = failed + good if failed is not None and good is not None else None
    nested = isinstance(at(document, "metrics", "http_req_failed", "values"), dict)
    place = pointer("metrics", "http_req_failed", *(("values",) if nested else ()))
    _errors(sheet, asked, failed, place, trouble)


def k6_failed(document: dict[str, Any]) -> tuple[int | None, int | None, str]:
    """Return how many requests failed and how many did not, and why the two cannot be right ("" where they can)."""
    block = document["metrics"]["http_req_failed"]
    block = block["values"] if isinstance(block.get("values"), dict) else block
    failed, good = count(block.get("passes")), count(block.get("fails"))
    rate = number(block.get("rate", block.get("value")))
    asked = failed + good if failed is not None and good is not None else None
    if asked and failed is not None and abs(failed / asked - rate) > 1e-6:
        return failed, good, f"its rate {rate:g} is not {failed} of {asked}"
    return failed, good, ""


def _errors(sheet: Sheet, asked: int | None, failed: int | None, place: str, trouble: str = "") -> None:
    if asked is None or failed is None:
        sheet.add("error_rate", None, "%", place, tags=_TAGS, trouble="it does not count its requests and failures")
        return
    share = 100 * failed / asked if asked else None
    sheet.add("error_rate", share, "%", place, n=asked, successes=failed, tags=_TAGS, trouble=trouble)
