"""What the fake server works on, and tells of it under /metrics in the names of real servers."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mens_console.load.fake.knobs import Knobs

_NAMES: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "vllm": (
        ("vllm:kv_cache_usage_perc", "kv"), ("vllm:num_requests_running", "running"),
        ("vllm:num_requests_waiting", "waiting"), ("vllm:generation_tokens_total", "tokens"),
    ),
    "vllm-old": (
        ("vllm:gpu_cache_usage_perc", "kv"), ("vllm:num_requests_running", "running"),
        ("vllm:num_requests_waiting", "waiting"), ("vllm:generation_tokens_total", "tokens"),
    ),
    "sglang": (
        ("sglang:token_usage", "kv"), ("sglang:num_running_reqs", "running"),
        ("sglang:num_queue_reqs", "waiting"), ("sglang:generation_tokens_total", "tokens"),
    ),
}  # fmt: skip


class Figures:
    """Requests at work and in the queue, the KV cache, and memory that is really lost."""

    def __init__(self, knobs: Knobs) -> None:
        self._knobs = knobs
        self._held: dict[int, int] = {}
        self._queue: deque[tuple[int, int, asyncio.Future[None]]] = deque()
        self._lost: list[bytes] = []
        self._kv_lost = 0.0
        self.tokens = 0

    @property
    def running(self) -> int:
        """Requests that are worked on."""
        return len(self._held)

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._queue)

    @property
    def kv(self) -> float:
        """Share of the KV cache that is used or lost, at most 1."""
        return min(sum(self._held.values()) / max(self._knobs.kv_tokens, 1) + self._kv_lost, 1.0)

    async def begin(self, number: int, tokens: int) -> bool:
        """Wait for a place, first come first served, and hold so many tokens; False where the queue is full."""
        most = self._knobs.concurrency
        if most and len(self._held) >= most:
            if self._knobs.queue and len(self._queue) >= self._knobs.queue:
                return False
            place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._queue.append((number, tokens, place))
            try:
                await place
            except asyncio.CancelledError:
                self._queue = deque(one for one in self._queue if one[0] != number)
                self.end(number)
                raise
            return True
        self._held[number] = tokens
        return True

    def grow(self, number: int, tokens: int) -> None:
        """Hold more tokens for a request."""
        self._held[number] += tokens
        self.tokens += tokens

    def end(self, number: int) -> None:
        """Give the place of a request to the next one."""
        if self._held.pop(number, None) is not None:
            self._next()

    def _next(self) -> None:
        while self._queue:
            number, tokens, place = self._queue.popleft()
            if not place.done():
                self._held[number] = tokens
                place.set_result(None)
                return

    def leak(self, size: int, kv: float) -> None:
        """Lose so many bytes for good, and that share of the KV cache."""
        if size:
            self._lost.append(b"\xa5" * size)  # written to, so that they are resident
        self._kv_lost += kv

    def text(self) -> str:
        """Return the figures as Prometheus text; empty where there are none."""
        values = {"kv": self.kv, "running": self.running, "waiting": self.waiting, "tokens": self.tokens}
        lines: list[str] = []
        for name, what in _NAMES.get(self._knobs.metrics, ()):
            lines.append(f"# TYPE {name} {'counter' if what == 'tokens' else 'gauge'}")
            lines.append(f'{name}{{engine="0",model_name="{self._knobs.model}"}} {float(values[what])}')
        return "\n".join(lines) + "\n" if lines else ""
