"""Whether a server can be asked as planned, before hours of it: what is wrong, what cures it, and one answer measured.

Problems keep a soak from starting, warnings do not. Needs aiohttp through its client, and so is imported late.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from mens_console.ingest.text import safe_text
from mens_console.load.capacity import Measured, capacity_warnings, measured
from mens_console.load.client import HEALTH
from mens_console.load.cures import cure_of, cure_of_reply
from mens_console.load.replies import model_names
from mens_console.load.types import CONNECT, HTTP, TIMEOUT, Outcome

if TYPE_CHECKING:
    from mens_console.load.client import Client, Reply

MEASURED_TOKENS: Final = 128
"""Tokens of the answer that is measured, at most."""
_BUFFERED: Final = 0.5
"""Share of chunks that came together with the one before, from which on somebody on the way gathers them."""
_LISTED: Final = 8
_DENIED: Final = (401, 403)
_NOT_READY: Final = (502, 503, 504)


@dataclass(slots=True)
class Preflight:
    """What was found."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    models: list[str] | None = None
    """Those that the server lists; None where it does not."""
    probe_path: str = HEALTH
    """Where health is looked at, beside the API."""
    usage: bool = True
    """Whether the server counts tokens when asked to."""
    outcome: Outcome | None = None
    """The last generation that was tried."""
    measured: Measured | None = None
    levels: dict[str, float] = field(default_factory=dict)
    """What it tells under /metrics."""
    early: bool = False
    """Whether the server may only be not ready yet, so that waiting may cure it."""
    denied: bool = False
    """Whether the server wants a key, or another one: all that is asked would be refused."""

    @property
    def ok(self) -> bool:
        """Whether nothing keeps the plan from being carried out."""
        return not self.problems


async def preflight(
    client: Client, prompt: str, *, rate: float | None = None, max_tokens: int = 128, probe_path: str = ""
) -> Preflight:
    """Look at the server's models and health, and make it generate; `client` is set to what was found out.

    `rate` is the planned requests a second, None where none are. Nothing is raised, whatever the server does.
    """
    found = Preflight()
    reply = await client.get(client.endpoint.models)
    if (problem := cure_of_reply(client, reply)) is not None:
        found.problems.append(problem)
        found.early = reply.error in (CONNECT, TIMEOUT)
        found.denied = reply.status in _DENIED
        return found
    _models(reply, found)
    await _health(client, found, probe_path)
    await _generate(client, prompt, found, min(max_tokens, MEASURED_TOKENS))
    if found.ok and found.outcome is not None:
        found.levels = await client.scrape()
        found.warnings += _about(found.outcome)
        found.measured = measured(found.outcome)
        if found.measured is not None and rate is not None:
            found.warnings += capacity_warnings(found.measured, rate, max_tokens, client.timeout_s)
    if client.tells_key_in_clear:
        found.warnings.append(
            f"the API key goes to {client.endpoint.host} unencrypted; use https, or a tunnel (ssh -L)"
        )
    return found


async def misnamed(client: Client) -> str:
    """Say which of the server's models was meant; "" where it lists the name, or lists none."""
    reply = await client.get(client.endpoint.models)
    listed = model_names(reply.body) if reply.status == 200 else None
    if not listed or client.model in listed:
        return ""
    return f"{_unlisted(client.model, listed)}; {_nearest(client.model, listed)}"


def _models(reply: Reply, found: Preflight) -> None:
    found.models = model_names(reply.body) if reply.status == 200 else None
    if found.models is None:
        found.warnings.append(
            f"the server lists no models (HTTP {reply.status}), so the name could not be checked there"
        )


async def _health(client: Client, found: Preflight, wanted: str) -> None:
    """Find where health can be looked at: where the operator says, under /health, or in the list of models."""
    client.probe_path = wanted or HEALTH
    probe = await client.probe()
    if not probe.ok and not wanted and probe.detail in ("HTTP 404", "HTTP 405") and found.models is not None:
        client.probe_path = f"/{client.endpoint.prefix.rpartition('/')[2]}/models"
        found.warnings.append(f"there is no {HEALTH}; its list of models is asked for as health check")
        probe = await client.probe()
    found.probe_path = client.probe_path
    if probe.ok:
        return
    at = client.endpoint.beside(client.probe_path)
    cure = "name another with --probe-path" if probe.detail == "HTTP 404" else "wait until it is ready"
    found.problems.append(f"{at}: the health check says {probe.detail}; {cure}")
    found.early = probe.detail.startswith("HTTP 5") or not probe.detail.startswith("HTTP ")


async def _generate(client: Client, prompt: str, found: Preflight, tokens: int) -> None:
    """Ask twice: the first wakes the server up, the second, which begins otherwise, is measured without its cache."""
    outcome = await client.ask(prompt, max_tokens=tokens, id="preflight-1")
    if outcome.error == HTTP and outcome.status in (400, 422) and "stream_options" in outcome.detail:
        client.usage = found.usage = False
        outcome = await client.ask(prompt, max_tokens=tokens, id="preflight-2")
    if outcome.error is None:
        outcome = await client.ask(f"Once more. {prompt}", max_tokens=tokens, id="preflight-3")
    found.outcome = outcome
    listed = found.models or []
    if outcome.error is None:
        if listed and client.model not in listed:
            found.warnings.append(f"{_unlisted(client.model, listed)}; the server answers all the same")
        return
    found.denied = outcome.error == HTTP and outcome.status in _DENIED
    found.early = found.early or (outcome.error == HTTP and outcome.status in _NOT_READY)
    if listed and client.model not in listed:
        found.problems.append(f"{_unlisted(client.model, listed)}; {_nearest(client.model, listed)}")
    else:
        found.problems.append(cure_of(client, outcome))


def _unlisted(model: str, listed: list[str]) -> str:
    shown = ", ".join(safe_text(one, 80) for one in listed[:_LISTED])
    more = f" and {len(listed) - _LISTED} more" if len(listed) > _LISTED else ""
    return f"{safe_text(model, 80)} is no model of the server, which has {shown}{more}"


def _nearest(model: str, listed: list[str]) -> str:
    short = {one.rpartition("/")[2].lower(): one for one in reversed(listed)}
    near = get_close_matches(model, listed, 1, 0.5)
    near = near or [short[one] for one in get_close_matches(model.rpartition("/")[2].lower(), short, 1, 0.5)]
    if near or len(listed) == 1:
        return f"did you mean --model {safe_text((near or listed)[0], 80)}?"
    return "choose one of them with --model"


def _about(outcome: Outcome) -> list[str]:
    """Say what must be known of the figures that such answers give."""
    warnings = []
    if outcome.tokens_by != "server":
        warnings.append("the server tells no usage: tokens are counted by blanks, and such counts decide nothing")
    elif outcome.output_tokens and outcome.output_tokens > 1.05 * outcome.chunks + 1:
        warnings.append(
            f"{outcome.output_tokens} tokens came in {outcome.chunks} chunks: gaps are between chunks, not tokens"
        )
    if outcome.chunks > 1 and outcome.shared / (outcome.chunks - 1) > _BUFFERED:
        warnings.append(
            f"{outcome.shared} of {outcome.chunks} chunks came together with the one before: something gathers them on "
            "the way (a proxy, or the server's socket), and gaps are not the model's; ask the server directly"
        )
    return warnings
