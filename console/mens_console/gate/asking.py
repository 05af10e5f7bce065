"""Asking a Prometheus server: one GET a query, within a time and a size, to the host that was named and no other.

A redirect is not followed. The token comes from `MENS_PROMETHEUS_TOKEN` alone, and goes out only encrypted or to this
very box; proxies of the environment are not used.
"""

from __future__ import annotations

import http.client
import math
import os
import socket
import ssl
import threading
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlencode, urlsplit

from mens_console.gate.readers.prometheus import Answer, Server
from mens_console.ingest.text import safe_text

LARGEST: Final = 1 << 20
"""Bytes of an answer; one number takes some hundred."""
TOKEN: Final = "MENS_PROMETHEUS_TOKEN"  # noqa: S105 - its name, not itself


def ask(server: Server, promql: str) -> Answer:
    """Return the answer to one query; never raises for what the network or the server does."""
    parts = urlsplit(server.url)
    connection = _connection(parts, server.timeout_s)
    # A server may send a byte at a time for ever: the whole exchange has one time, not each read.
    ender = threading.Timer(server.timeout_s, _cut, (connection,))
    ender.daemon = True
    ender.start()
    try:
        return _exchange(connection, parts, server, promql)
    except (OSError, http.client.HTTPException, ValueError) as error:
        late = isinstance(error, TimeoutError) or not ender.is_alive()
        why = f"no answer within {server.timeout_s:g} s" if late else safe_text(str(error) or type(error).__name__, 200)
        return Answer(problem=f"{_host(parts)}: {why}")
    finally:
        ender.cancel()
        connection.close()


def _connection(parts: SplitResult, timeout_s: float) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    if parts.scheme == "https":
        return http.client.HTTPSConnection(host, parts.port, timeout=timeout_s, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, parts.port, timeout=timeout_s)


def _cut(connection: http.client.HTTPConnection) -> None:
    sock = connection.sock
    if sock is not None:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it is closed already


def _exchange(connection: http.client.HTTPConnection, parts: SplitResult, server: Server, promql: str) -> Answer:
    fields = {"query": promql} | ({} if math.isnan(server.time) else {"time": f"{server.time:.3f}"})
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    token = os.environ.get(TOKEN, "")
    if token:
        if not _private(parts):
            return Answer(problem=f"{_host(parts)}: {TOKEN} is set and the address is not https: it is not sent")
        headers["Authorization"] = f"Bearer {token}"
    connection.request("GET", f"{parts.path.rstrip('/')}/api/v1/query?{urlencode(fields)}", headers=headers)
    response = connection.getresponse()
    if 300 <= response.status < 400:
        return Answer(problem=f"{_host(parts)}: it redirects elsewhere, which is not followed: name the address itself")
    body = response.read(LARGEST + 1)
    if len(body) > LARGEST:
        return Answer(problem=f"{_host(parts)}: its answer is over {LARGEST >> 20} MiB")
    if response.status != 200:
        said = safe_text(body[:200].decode("utf-8", "replace").strip())
        return Answer(problem=f"{_host(parts)}: HTTP {response.status}{f': {said}' if said else ''}")
    return Answer(body)


def _private(parts: SplitResult) -> bool:
    if parts.scheme == "https" or parts.hostname == "localhost":
        return True
    try:
        return ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def _host(parts: SplitResult) -> str:
    return safe_text(parts.netloc, 100)
