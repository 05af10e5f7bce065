"""Why a request could not be made, or its answer not be read: the HTTP library's errors in the words of `types`.

Needs aiohttp, and so is imported late, as `client` is.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from typing import Final

import aiohttp

from mens_console.ingest.text import safe_text
from mens_console.load.types import CONNECT, CUT, MALFORMED, TIMEOUT, TLS

_OURS: Final = {
    errno.EMFILE: "too many files are open here (ulimit -n)",
    errno.ENFILE: "too many files are open on this machine",
    errno.EADDRNOTAVAIL: "no local port is left here",
    errno.ENOBUFS: "no buffers are left here",
}
"""What is not the server's fault."""
LOCAL: Final = "on this side: "
"""Begins the detail of a failure that is not the server's fault."""


def failure_of(error: Exception, status: int | None, connect_s: float) -> tuple[str, str]:
    """Return the class of error and a few words. `status` is None while none had come."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return TLS, _certificate(error.certificate_error)
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return TLS, _tls(error)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return CONNECT, f"no connection within {connect_s:g} s"
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, socket.gaierror):
        return CONNECT, f"{safe_text(error.host, 100)}: unknown name"
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return TIMEOUT, "no answer in time"
    if isinstance(error, aiohttp.ClientResponseError):
        return MALFORMED, f"that is no HTTP: {_line(str(error.message))}"
    if isinstance(error, aiohttp.ClientPayloadError):
        return _payload(error)
    if status is not None:
        return CUT, f"the connection broke: {_reason(error)}"
    return CONNECT, _reason(error)


def _line(message: str) -> str:
    """Return what a parser said, without the picture that it draws below."""
    told = " ".join(line.strip(" ^") for line in message.splitlines())
    return safe_text(" ".join(told.split()), 120)


def _payload(error: Exception) -> tuple[str, str]:
    told = str(error.__cause__ or error)
    if "Not enough data" in told or "not completed" in str(error):
        return CUT, "the connection ended in the middle of the answer"
    return MALFORMED, f"the answer is not sent as HTTP has it: {safe_text(told, 120)}"


def _certificate(error: Exception) -> str:
    reason = getattr(error, "verify_message", "") or str(error)
    return f"the certificate is not accepted: {safe_text(reason, 120)}"


def _tls(error: Exception) -> str:
    inner = getattr(error, "os_error", None) or error
    reason = getattr(inner, "reason", None) or getattr(inner, "strerror", None) or str(inner)
    return safe_text(str(reason).replace("_", " ").lower(), 120)


def _reason(error: Exception) -> str:
    inner = getattr(error, "os_error", None) or error
    number = getattr(inner, "errno", None)
    if number in _OURS:
        return LOCAL + _OURS[number]
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the server closed the connection without an answer"
    if number == errno.ECONNREFUSED or isinstance(inner, ConnectionRefusedError):
        return "connection refused"
    if number == errno.ECONNRESET or isinstance(inner, ConnectionResetError):
        return "connection reset"
    told = getattr(inner, "strerror", None) or str(inner) or type(error).__name__
    return safe_text(told.lower(), 120)
