"""What to do about a server that cannot be asked: a sentence for each way in which the first requests fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mens_console.load.failures import LOCAL
from mens_console.load.keys import VARIABLES
from mens_console.load.replies import UNASKED
from mens_console.load.types import CONNECT, CUT, EMPTY, HTTP, MALFORMED, TIMEOUT, TLS

if TYPE_CHECKING:
    from mens_console.load.client import Client, Reply
    from mens_console.load.types import Outcome


def cure_of_reply(client: Client, reply: Reply) -> str | None:
    """Say what keeps the list of models from being read; None where it came, or where only the list is missing."""
    if reply.error is not None:
        return sentence(client, client.endpoint.models, reply.error, reply.detail, None)
    status = reply.status or 0
    if 300 <= status < 400:
        return sentence(client, client.endpoint.models, HTTP, f"HTTP {status} redirects to {reply.place}", status)
    if status in (401, 403):
        return sentence(client, client.endpoint.models, HTTP, f"HTTP {status}", status)
    if status == 200 and (reply.kind == "text/html" or reply.body.lstrip()[:1] == b"<"):
        return sentence(client, client.endpoint.models, MALFORMED, "it answers with a page of HTML", status)
    return None


def cure_of(client: Client, outcome: Outcome) -> str:
    """Say why a generation failed, and what cures it."""
    return sentence(client, client.endpoint.url, outcome.error or "", outcome.detail, outcome.status)


def sentence(client: Client, url: str, error: str, detail: str, status: int | None) -> str:
    """Return `url: what is wrong; cure`."""
    if error == HTTP:
        return f"{url}: {detail}; {_of_status(client, status or 0, detail)}"
    return f"{url}: {detail}; {_of_class(client, error, detail)}"


def _of_class(client: Client, error: str, detail: str) -> str:
    endpoint = client.endpoint
    other = endpoint.origin.replace("https:", "http:", 1) if endpoint.encrypted else f"https{endpoint.origin[4:]}"
    if error == CONNECT and detail.startswith(LOCAL):
        return "free some, or raise that limit"
    if error == CONNECT and "unknown name" in detail:
        return "correct the address, or this machine's resolver"
    if error == CONNECT and "refused" in detail:
        return "start the server, or correct the address and port"
    if error == CONNECT:
        return (
            f"is the server up, and does it speak {'TLS' if endpoint.encrypted else 'plain HTTP'} ({other} otherwise)?"
        )
    if error == TLS and "certificate" in detail:
        return "let it be trusted with SSL_CERT_FILE=its-ca.pem, or correct the address"
    if error == TLS:
        return f"does it speak TLS? else {other}"
    if error == MALFORMED and "no HTTP" in detail:
        return f"is that a model server? did you mean {other}?"
    if error == MALFORMED and "HTML" in detail:
        return "that is a web page and no API; give the server's own address, such as http://127.0.0.1:8000"
    if error == MALFORMED and "without streaming" in detail:
        return "only streams show the time to the first token and between tokens; use a server that streams"
    if error == MALFORMED and detail.endswith(UNASKED):
        return "turn compression off in what stands before it; it gathers tokens"
    return {
        TIMEOUT: "is the model loaded? a longer --timeout waits longer",
        CUT: "look into the server's log for why the stream ended",
        EMPTY: "does the model take such prompts? --prompts gives your own",
    }.get(error, "is that an OpenAI-compatible server?")


def _of_status(client: Client, status: int, detail: str) -> str:
    if 300 <= status < 400:
        return "redirects are not followed, so that no key goes elsewhere: give that place as the address"
    if status in (401, 403):
        if client.has_key:
            return f"the API key is not accepted; look at ${VARIABLES[0]}, ${VARIABLES[1]} or the key's file"
        return f"it wants an API key: set ${VARIABLES[0]}"
    if status == 404 and "model" in detail.lower():
        return "correct --model"
    if status == 404:
        other = ", or --api completions" if client.endpoint.api == "chat" else ""
        return f"that path is unknown there; give the address with its path, such as http://127.0.0.1:8000/v1{other}"
    if status in (400, 422) and "chat template" in detail.lower():
        return "the model has no chat template: --api completions"
    if status == 429:
        return "it limits how much is asked; wait, or lift that limit"
    if status in (502, 503, 504):
        return "is the model loaded? wait until it is ready"
    if status >= 500:
        return "look into the server's log"
    return "correct what it complains of"
