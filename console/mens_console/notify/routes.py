"""Where messages go: Apprise addresses of the operator, and the operator's own terminal.

An address holds secrets: only its scheme and a short hash ever leave this module.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from hashlib import blake2s
from typing import TYPE_CHECKING, Any, Final, Protocol, TextIO

from mens_console.notify.osc import osc9
from mens_console.notify.sender import INSTALL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mens_console.notify.messages import Message

BELL: Final = "bell"
OSC9: Final = "osc 9"
LIMIT_S: Final = 20.0
"""An attempt that takes longer has failed."""
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]{0,20}", re.IGNORECASE)


class DeliveryError(Exception):
    """A message could not be delivered; the text says why, and holds no address."""


class Route(Protocol):
    """One way out. `name` may be shown and logged."""

    name: str

    def send(self, message: Message) -> None:
        """Deliver a message; returns when it is delivered. Raises `DeliveryError`."""
        ...

    def cancel(self) -> None:
        """Give up the attempt that another thread is making, if any."""
        ...


class AppriseRoute:
    """One Apprise address. Each attempt is a process of its own, which is killed after `limit_s` seconds."""

    def __init__(self, url: str, *, limit_s: float = LIMIT_S) -> None:
        self.name = name_of(url)
        self._url = url
        self._limit_s = limit_s
        self._child: subprocess.Popen[bytes] | None = None
        self._is_cancelled = False

    def send(self, message: Message) -> None:
        """Deliver a message. Raises `DeliveryError`."""
        order = {
            "url": self._url,
            "subject": message.subject,
            "body": message.body,
            "severity": str(message.severity),
        }
        outcome = self._ask(order)
        if not outcome.get("ok"):
            raise DeliveryError(str(outcome.get("why") or "it failed"))

    def _ask(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        if self._is_cancelled:
            raise DeliveryError("given up")
        try:
            with _start() as child:
                self._child = child
                if self._is_cancelled:
                    child.kill()
                try:
                    out, _ = child.communicate(json.dumps(order).encode(), timeout=self._limit_s)
                except subprocess.TimeoutExpired:
                    child.kill()
                    raise DeliveryError(f"no answer within {self._limit_s:g} s") from None
        except OSError as error:
            raise DeliveryError(f"no process could be started: {(error.strerror or str(error)).lower()}") from None
        finally:
            self._child = None
        if self._is_cancelled:
            raise DeliveryError("given up")
        return _outcome(out, child.returncode)

    def cancel(self) -> None:
        """Kill the attempt under way, and make no other."""
        self._is_cancelled = True
        child = self._child
        if child is not None:
            child.kill()


class TerminalRoute:
    """The terminal behind a descriptor: a bell, or a notification by OSC 9."""

    def __init__(self, name: str, fd: int, *, tmux: bool = False) -> None:
        self.name = name
        self._fd = fd
        self._tmux = tmux

    def send(self, message: Message) -> None:
        """Write the bell or the escape sequence. Raises `DeliveryError`."""
        text = "\a" if self.name == BELL else osc9(message.subject, self._tmux)
        try:
            os.write(self._fd, text.encode())
        except OSError as error:
            raise DeliveryError(f"the terminal is gone: {(error.strerror or str(error)).lower()}") from None

    def cancel(self) -> None:
        """Do nothing: a write does not wait."""


def terminal_routes(stream: TextIO, environ: Mapping[str, str], *, bell: bool, osc9: bool) -> list[TerminalRoute]:
    """Return the ways to tell whoever sits before `stream`: none where it is no terminal."""
    if not stream.isatty():
        return []
    tmux = bool(environ.get("TMUX"))
    wanted = ([BELL] if bell else []) + ([OSC9] if osc9 else [])
    return [TerminalRoute(name, stream.fileno(), tmux=tmux) for name in wanted]


def _start() -> subprocess.Popen[bytes]:
    # -P: nothing may be imported from where we happen to stand. The message goes through a pipe, because arguments
    # are for everybody to read; a session of its own keeps Ctrl-C at the terminal from killing a delivery.
    hidden = {"MENS_NOTIFY"}
    env = {name: value for name, value in os.environ.items() if name not in hidden and not name.startswith("PYTHON")}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "mens_console.notify.sender"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        cwd="/", env=env, start_new_session=True,
    )  # fmt: skip


def _outcome(out: bytes, status: int) -> Mapping[str, Any]:
    try:
        found = json.loads(out)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise DeliveryError(f"the sending process failed (exit status {status})")
    return found


def name_of(url: str) -> str:
    """Return what an address is called where anybody may look: its scheme and six hex digits of its hash."""
    scheme, found, _ = url.partition("://")
    # What is no address may be a secret from its first letter on.
    shown = scheme.lower() if found and _SCHEME.fullmatch(scheme) else "apprise"
    return f"{shown} {blake2s(url.encode('utf-8', 'surrogatepass'), digest_size=3).hexdigest()}"


def resolved(address: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return an address with each ``${VAR}`` replaced, and what is wrong with it ("" if nothing is)."""
    missing = [name for name in _VARIABLE.findall(address) if not environ.get(name)]
    if missing:
        return address, f"${missing[0]} is not set; export it where this runs"
    return _VARIABLE.sub(lambda found: environ[found[1]], address), ""


def is_installed() -> bool:
    """Say whether the extra that sends notifications is there, without importing it."""
    try:
        return importlib.util.find_spec("apprise") is not None
    except (ImportError, ValueError):
        return False


def apprise_routes(
    addresses: Sequence[str], environ: Mapping[str, str], *, limit_s: float = LIMIT_S
) -> tuple[list[AppriseRoute], list[str]]:
    """Return the routes that can be used, and a line for each address that cannot.

    Addresses are checked by Apprise in a process of its own (0.3 s); nothing is sent.
    """
    if not addresses:
        return [], []
    if not is_installed():
        return [], [INSTALL]
    routes, problems = [], []
    urls = []
    for number, address in enumerate(addresses, 1):
        url, wrong = resolved(address, environ)
        if wrong:
            problems.append(f"notify address {number} ({name_of(address)}): {wrong}")
        else:
            urls.append((number, url))
    whys = _check([url for _, url in urls], limit_s) if urls else []
    for (number, url), why in zip(urls, whys, strict=True):
        if why:
            problems.append(f"notify address {number} ({name_of(url)}): {why}")
        else:
            routes.append(AppriseRoute(url, limit_s=limit_s))
    return routes, problems


def _check(urls: list[str], limit_s: float) -> list[str]:
    """Return what is wrong with each address; "" where nothing is, or where it cannot be told beforehand."""
    try:
        with _start() as child:
            try:
                out, _ = child.communicate(json.dumps({"check": urls}).encode(), timeout=limit_s)
            except subprocess.TimeoutExpired:
                child.kill()
                return ["" for _ in urls]
        whys = [str(why) for why in _outcome(out, child.returncode)["why"]]
    except (OSError, DeliveryError, KeyError, TypeError):
        return ["" for _ in urls]
    return whys if len(whys) == len(urls) else ["" for _ in urls]
