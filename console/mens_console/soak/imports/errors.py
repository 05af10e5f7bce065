"""What went wrong with somebody else's request, in the classes of our own; nothing is guessed beyond plain names."""

from __future__ import annotations

import re
from typing import Any, Final

from mens_console.gate.readers.numbers import count
from mens_console.load.types import CONNECT, CUT, EMPTY, HTTP, MALFORMED, TIMEOUT, TLS

UNCLASSED: Final = "unclassed"
"""It failed, and the file does not say how."""
CANCELLED: Final = "cancelled"
"""The load tool itself gave it up."""
_NAMES: Final = (
    (CANCELLED, re.compile(r"cancel", re.IGNORECASE)),
    (TIMEOUT, re.compile(r"time[d_ -]{0,2}out", re.IGNORECASE)),
    (TLS, re.compile(r"\bssl|\btls\b|certificate", re.IGNORECASE)),
    (CUT, re.compile(r"disconnected|incomplete.?read|payload.?error|remote.?protocol|chunked", re.IGNORECASE)),
    (CONNECT, re.compile(r"connect|refused|unreachable|name or service|getaddrinfo|dns", re.IGNORECASE)),
    (MALFORMED, re.compile(r"json.?decode|invalid json|unicode.?decode", re.IGNORECASE)),
    (EMPTY, re.compile(r"no.?response|empty", re.IGNORECASE)),
)
_STATUS: Final = re.compile(r"(?:status|error|http)\D{0,12}([345]\d\d)\b", re.IGNORECASE)
_LOOKED_AT: Final = 300
"""Characters of a message: what follows is a traceback or a body, which may name anything."""


def error_class(status: Any = None, *texts: Any) -> str:
    """Return the class of a failure, by its HTTP status, else by the first of the texts that names one."""
    code = count(status)
    short = [text[:_LOOKED_AT] for text in texts if isinstance(text, str)]
    if code is not None and 300 <= code < 600 and code != 499:
        return HTTP
    for text in short:
        for name, pattern in _NAMES:
            if pattern.search(text):
                return name
        if _STATUS.search(text):
            return HTTP
    return UNCLASSED
