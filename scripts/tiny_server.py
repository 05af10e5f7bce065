"""A real engine, tiny: an OpenAI-compatible server that generates with a transformer of random weights on the CPU.

For trying a soak on something that really computes, caches keys and values, and slows down under load. Its model is
made and saved by this script, and its tokens are bytes in and words such as ` w17` out: nothing is downloaded.

    python scripts/tiny_server.py --port 8000 --folder /tmp/tiny-model
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from aiohttp import web
from transformers import AutoModelForCausalLM, DynamicCache, LlamaConfig, LlamaForCausalLM

NAME = "tiny"
CONTEXT = 1024
AT_ONCE = 16
"""Sequences that are worked on in turn; more wait."""


@dataclass
class Sequence:
    """One generation."""

    ids: list[int]
    tokens: int
    cache: DynamicCache = field(default_factory=DynamicCache)
    done: int = 0
    out: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue)
    left: bool = False


def model_of(folder: Path) -> LlamaForCausalLM:
    """Load the model of a folder; make it there first, where it is not there."""
    if not (folder / "config.json").exists():
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=512, hidden_size=128, intermediate_size=352, num_hidden_layers=4, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=CONTEXT, bos_token_id=None, eos_token_id=None,
        )  # fmt: skip
        LlamaForCausalLM(config).save_pretrained(folder)
    return AutoModelForCausalLM.from_pretrained(folder).eval()


class Engine:
    """Goes through its sequences in turn, one token of each at a time, in a thread."""

    def __init__(self, model: LlamaForCausalLM) -> None:
        self.model = model
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []
        self.wake = asyncio.Event()

    async def work(self) -> None:
        """Generate for ever."""
        while True:
            while self.waiting and len(self.running) < AT_ONCE:
                self.running.append(self.waiting.popleft())
            if not self.running:
                self.wake.clear()
                await self.wake.wait()
                continue
            for sequence in list(self.running):
                if not sequence.left:
                    token = await asyncio.to_thread(self.step, sequence)
                    sequence.done += 1
                    sequence.out.put_nowait(f" w{token}")
                if sequence.left or sequence.done >= sequence.tokens:
                    sequence.out.put_nowait(None)
                    self.running.remove(sequence)

    @torch.inference_mode()
    def step(self, sequence: Sequence) -> int:
        """Return the next token, greedily."""
        ids = torch.tensor([sequence.ids])
        logits = self.model(input_ids=ids, past_key_values=sequence.cache, use_cache=True).logits
        token = int(logits[0, -1].argmax())
        sequence.ids = [token]
        return token

    def usage(self) -> float:
        """Return the share of the cache that is in use: positions of all that run, of those that could be."""
        held = sum(sequence.cache.get_seq_length() for sequence in self.running)
        return held / (AT_ONCE * CONTEXT)


async def generate(request: web.Request) -> web.StreamResponse:
    """Answer a chat or a completion, streamed or whole."""
    asked = await request.json()
    chat = request.path.endswith("chat/completions")
    prompt = "\n".join(str(one.get("content", "")) for one in asked["messages"]) if chat else str(asked["prompt"])
    if asked.get("model") != NAME:
        return web.json_response({"error": {"message": f"there is only {NAME}", "type": "not_found"}}, status=404)
    tokens = min(int(asked.get("max_tokens", 16)), CONTEXT // 2)
    ids = list(prompt.encode())[-(CONTEXT - tokens) :] or [0]
    usage = {"prompt_tokens": len(ids), "completion_tokens": tokens, "total_tokens": len(ids) + tokens}
    sequence = Sequence(ids, tokens)
    engine: Engine = request.app["engine"]
    engine.waiting.append(sequence)
    engine.wake.set()
    head = {"id": request.headers.get("X-Request-Id", "none"), "created": int(time.time()), "model": NAME}
    try:
        if not asked.get("stream"):
            text = "".join([word async for word in words(sequence)])
            choice = {"index": 0, "finish_reason": "length"} | (
                {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
            )
            return web.json_response(head | {"choices": [choice], "usage": usage})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        async for word in words(sequence):
            last = "length" if sequence.done >= tokens and sequence.out.qsize() <= 1 else None
            choice = {"index": 0, "finish_reason": last} | ({"delta": {"content": word}} if chat else {"text": word})
            await send(response, head | {"choices": [choice]})
        if (asked.get("stream_options") or {}).get("include_usage"):
            await send(response, head | {"choices": [], "usage": usage})
        await response.write(b"data: [DONE]\n\n")
        return response
    finally:
        sequence.left = True


async def words(sequence: Sequence) -> Any:
    """Yield what is generated, word by word."""
    while (word := await sequence.out.get()) is not None:
        yield word


async def send(response: web.StreamResponse, event: dict[str, Any]) -> None:
    """Send one event."""
    await response.write(b"data: " + json.dumps(event).encode() + b"\n\n")


async def metrics(request: web.Request) -> web.Response:
    """Tell the levels, by vLLM's names."""
    engine: Engine = request.app["engine"]
    told = {
        "vllm:kv_cache_usage_perc": engine.usage(),
        "vllm:num_requests_running": len(engine.running),
        "vllm:num_requests_waiting": len(engine.waiting),
    }
    return web.Response(text="".join(f'{name}{{model_name="{NAME}"}} {value}\n' for name, value in told.items()))


async def begin(app: web.Application) -> None:
    """Begin to work."""
    app["work"] = asyncio.create_task(app["engine"].work())


def main() -> None:
    """Serve until a signal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--folder", type=Path, required=True, help="where the model is, or is put")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    app = web.Application()
    model = model_of(arguments.folder)
    print(f"{sum(one.numel() for one in model.parameters()):,} parameters of random weights in {arguments.folder}")
    app["engine"] = Engine(model)
    app.on_startup.append(begin)
    app.router.add_post("/v1/chat/completions", generate)
    app.router.add_post("/v1/completions", generate)
    app.router.add_get("/v1/models", lambda _: _json({"object": "list", "data": [{"id": NAME, "object": "model"}]}))
    app.router.add_get("/health", lambda _: _json({}))
    app.router.add_get("/metrics", metrics)
    web.run_app(app, host="127.0.0.1", port=arguments.port, access_log=None)


async def _json(content: dict[str, Any]) -> web.Response:
    return web.json_response(content)


if __name__ == "__main__":
    main()
