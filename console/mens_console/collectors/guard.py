"""What keeps a failing collector from stopping the training: it is switched off with one warning, the rest goes on.

Nothing here measures anything; KeyboardInterrupt and SystemExit always pass.
"""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_P = ParamSpec("_P")
_T = TypeVar("_T")

LOGGER: Final = logging.getLogger("mens_console.collectors")
LOGGER.addHandler(logging.NullHandler())  # else every warning would be on the terminal twice


class CollectorWarning(UserWarning):
    """A collector is off, or what it writes is lost for a while."""


def warn(message: str, *, quiet: bool = False) -> None:
    """Tell the user and the log; `quiet` leaves out the user. Where warnings are errors, it stays a log line."""
    LOGGER.warning("%s", message)
    if quiet:
        return
    try:
        warnings.warn(message, CollectorWarning, stacklevel=3)
    except Warning:  # `-W error` is no reason to end a training
        LOGGER.debug("warnings are errors here")


class Guard:
    """Which collectors are off. `with guard("lora"): …` switches one off when anything is raised inside."""

    def __init__(self) -> None:
        self._off: dict[str, str] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Run a block for the collector `name`; what it raises ends there."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever a collector does wrong, the training is not to blame
            self.fail(name, error)

    def run(self, name: str, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T | None:
        """Call `function` for the collector `name`; return None if it is off, or now."""
        if name in self._off:
            return None
        try:
            return function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - as above
            self.fail(name, error)
            return None

    def off(self, name: str) -> bool:
        """Say whether the collector `name` is off."""
        return name in self._off

    def reason(self, name: str) -> str:
        """Return why `name` is off, "" while it is on."""
        return self._off.get(name, "")

    def fail(self, name: str, error: BaseException) -> None:
        """Switch `name` off because of `error`, and warn, once."""
        if name in self._off:
            return
        try:
            what = str(error)
        except Exception:  # noqa: BLE001 - a foreign __str__ may do anything
            what = ""
        why = self._off[name] = f"{type(error).__name__}: {what}" if what else type(error).__name__
        LOGGER.debug("collector %s failed", name, exc_info=error)
        warn(f"mens-console: the collector {name!r} is off for the rest of this run: {why}. Training goes on.")
