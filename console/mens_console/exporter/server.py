"""Answers scrapes on the loopback interface: `GET /metrics`, for who names this machine and knows the token, if any.

Web pages in a browser of the operator's can reach loopback ports too, hence the look at the Host header.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
import sys
from typing import TYPE_CHECKING, Any, Final
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client import CollectorRegistry

IDLE_S: Final = 10.0
"""How long a connection may keep silent before it is dropped."""


class AddressError(ValueError):
    """The address cannot be listened on; the message says why and what can."""


class _Handler(WSGIRequestHandler):
    """Answers one connection, and logs nothing."""

    timeout = IDLE_S

    def log_message(self, *_: object) -> None:
        """Log nothing: scrapes are many."""

    def address_string(self) -> str:
        """Return the peer without asking the resolver for its name."""
        return str(self.client_address[0])


class _Server(ThreadingWSGIServer):
    """A server of one thread a connection, which tells no tracebacks of peers that went away."""

    def server_bind(self) -> None:
        """Bind without asking the resolver for our own name."""
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "localhost", self.server_address[1]
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a peer that hung up; anything else is told as usual."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def address_of(text: str) -> tuple[str, int]:
    """Return host and port of ``127.0.0.1:9464``, ``[::1]:9464`` or ``localhost:9464``.

    Raises `AddressError` where it is none, or leads out of this machine.
    """
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise AddressError(f"{text!r} is no address such as 127.0.0.1:9464")
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError) as error:
        raise AddressError(f"{host}: {getattr(error, 'strerror', None) or error}") from None
    outside = sorted(one for one in found if not _is_loopback(one))
    if outside:
        raise AddressError(
            f"{text} can be reached from other machines, and metrics are served on loopback only: use 127.0.0.1:{port} "
            "and an SSH tunnel, or --textfile for a node_exporter"
        )
    return ("127.0.0.1" if "127.0.0.1" in found else min(found)), int(port)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def names_this_machine(host: str) -> bool:
    """Say whether a Host header names the loopback interface, with or without a port."""
    if host.startswith("["):
        name = host[1:].partition("]")[0]
    else:
        name = host.rpartition(":")[0] if host.count(":") == 1 else host
    return name.lower().rstrip(".") == "localhost" or _is_loopback(name)


def guarded(app: Callable[..., Iterable[bytes]], token: str = "") -> Callable[..., Iterable[bytes]]:
    """Return the app behind the checks: who is asked for, the token, the path, and the method."""
    wanted = f"Bearer {token}".encode()

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        said = str(environ.get("HTTP_AUTHORIZATION", "")).encode("latin-1", "replace")
        if not names_this_machine(str(environ.get("HTTP_HOST", ""))):
            return refuse(start, "403 Forbidden", "ask for localhost: the Host header names another machine")
        if token and not hmac.compare_digest(said, wanted):
            return refuse(start, "401 Unauthorized", "a bearer token is needed", ("WWW-Authenticate", "Bearer"))
        if environ.get("PATH_INFO") != "/metrics":
            return refuse(start, "404 Not Found", "there is only /metrics")
        if environ.get("REQUEST_METHOD") != "GET":
            return refuse(start, "405 Method Not Allowed", "only GET is answered", ("Allow", "GET"))
        return app(environ, start)

    def refuse(start: Callable[..., Any], status: str, why: str, *headers: tuple[str, str]) -> Iterable[bytes]:
        start(status, [("Content-Type", "text/plain; charset=utf-8"), *headers])
        return [f"{why}\n".encode()]

    return answer


def server_of(registry: CollectorRegistry, address: tuple[str, int], token: str = "") -> ThreadingWSGIServer:
    """Return a server that listens on `address`; port 0 takes a free one. Raises `OSError` where it is taken."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    kind = type("_FamilyServer", (_Server,), {"address_family": family})
    return make_server(*address, guarded(make_wsgi_app(registry), token), kind, _Handler)
