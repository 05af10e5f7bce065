"""Which load tool wrote a file, by its first bytes: guidellm, vLLM, aiperf, locust or k6. Nothing is parsed here."""

from __future__ import annotations

import re
from typing import Final

from mens_console.ingest.formats.lines import BOM

_LOCUST: Final = (b"Request Count", b"Failure Count", b"Name")
_OBJECT: Final[tuple[tuple[str, tuple[bytes, ...]], ...]] = (
    ("aiperf", (b'"request_start_ns"', b'"metadata"', b'"metrics"')),
    ("guidellm", (b'"guidellm_version"',)),
    ("guidellm", (b'"benchmarks"', b'"time_to_first_token_ms"')),
    ("vllm", (b'"num_prompts"', b'"request_rate"', b'"completed"', b'"output_throughput"')),
    ("aiperf", (b'"request_count"', b'"output_token_throughput"')),
    ("aiperf", (b'"request_count"', b'"input_config"')),
    ("k6", (b'"metrics"', b'"http_req_failed"', b'"passes"')),
)
"""Tool and what must stand in the beginning of an object of its own; the stricter first."""
POINT: Final = re.compile(
    rb'\{(?:"metric":"http_req\w*","type":"Point","data":\{"time":|"type":"Point","data":\{"time":)'
)
"""A line of k6's `--out json`, of which some are of requests."""
_ENTRIES: Final = re.compile(rb"\[\s*\{")


def load_tool(head: bytes) -> str | None:
    """Return the tool whose results begin so (up to 64 KiB are needed), or None."""
    head = head.removeprefix(BOM).lstrip()
    if head.startswith(b"{"):
        if b'"metric":"http_req' in head and POINT.search(head):
            return "k6"
        return next((tool for tool, marks in _OBJECT if all(mark in head for mark in marks)), None)
    if _ENTRIES.match(head):
        return "locust" if b'"num_requests"' in head and b'"num_failures"' in head else None
    first = head.partition(b"\n")[0]
    return "locust" if all(name in first for name in _LOCUST) and b"," in first else None
