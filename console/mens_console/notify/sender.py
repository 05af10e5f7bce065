"""A process of its own that hands one message to Apprise and says how it went; it is killed when it takes too long.

Services, their proxies and their log lines stay in here: only a fixed set of reasons comes back, never an address.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

INSTALL: Final = "Apprise is not installed: pip install 'mens-console[notify]'"
UNKNOWN: Final = "no address that Apprise knows; see https://github.com/caronc/apprise for how each service is written"
_ANSWERED: Final = re.compile(r"\berror\s*=\s*(\d{3})\b|\berror (\d{3})\b", re.IGNORECASE)
_TYPES: Final = {"info": "info", "warning": "warning", "critical": "failure"}


class _Lines(logging.Handler):
    """Keeps what Apprise logs; it may name addresses, so nothing of it is passed on as it is."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        self.lines.append(record.getMessage())


def main() -> int:
    """Read one order (JSON) from standard input and write its outcome (JSON) to standard output."""
    order = json.load(sys.stdin)
    outcome = check(order["check"]) if "check" in order else send(order)
    sys.stdout.write(json.dumps(outcome))
    return 0


def _apprise(urls: Iterable[str]) -> tuple[Any, list[bool], _Lines]:
    """Return an Apprise with these addresses, and which of them it knows. Raises ImportError where it is missing."""
    import apprise

    lines = _Lines()
    logger = logging.getLogger("apprise")
    logger.addHandler(lines)
    logger.propagate = False
    asset = apprise.AppriseAsset(app_id="mens-console", app_desc="mens-console", storage_mode="memory")
    sender = apprise.Apprise(asset=asset)
    # A single address each: a comma or a space in it must not make two of it.
    known = []
    for url in urls:
        service = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
        known.append(service is not None and bool(sender.add(service)))
    return sender, known, lines


def check(urls: list[str]) -> dict[str, Any]:
    """Return a reason for each address that cannot be used, "" for the others."""
    try:
        _, known, _ = _apprise(urls)
    except ImportError:
        return {"why": [INSTALL for _ in urls]}
    return {"why": ["" if one else UNKNOWN for one in known]}


def send(order: dict[str, Any]) -> dict[str, Any]:
    """Send one message to one address."""
    try:
        sender, known, lines = _apprise([order["url"]])
    except ImportError:
        return {"ok": False, "why": INSTALL}
    if not all(known):
        return {"ok": False, "why": UNKNOWN}
    kind = _TYPES.get(order["severity"], "info")
    sent = bool(sender.notify(title=order["subject"], body=order["body"], notify_type=kind, body_format="text"))
    return {"ok": sent, "why": "" if sent else reason(lines.lines)}


def reason(lines: Iterable[str]) -> str:
    """Return why a delivery failed, in words of our own, as far as Apprise's log tells."""
    for line in lines:
        if answered := _ANSWERED.search(line):
            return f"the service answered {answered[1] or answered[2]}"
        if "onnection" in line:
            return "the service could not be reached, or did not answer in time"
    return "the service refused it"


if __name__ == "__main__":
    raise SystemExit(main())
