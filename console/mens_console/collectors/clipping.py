"""The moment before gradients are clipped, where a library tells of it only afterwards, if at all.

A thin wrapper around its method that clips, there only while somebody listens; it changes no argument.
"""

from __future__ import annotations

import functools
from threading import RLock
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

Listener = "Callable[..., None]"

_LOCK: Final = RLock()
_listeners: dict[tuple[type, str], list[Callable[..., None]]] = {}
_originals: dict[tuple[type, str], Any] = {}


def place_of(kind: type, method: str) -> tuple[type, str]:
    """Return the class that `kind` has a method from, and its name. Raises StopIteration where it has none."""
    return next(one for one in kind.__mro__ if method in vars(one)), method


def accelerates() -> tuple[type, str]:
    """Return where accelerate clips: transformers' Trainer calls back only after that."""
    from accelerate import Accelerator

    return place_of(Accelerator, "clip_grad_norm_")


def listen(listener: Callable[..., None], place: tuple[type, str]) -> None:
    """Have `listener` called with the object, and what it was given, each time before it clips. It must not raise."""
    owner, method = place
    with _LOCK:
        _listeners.setdefault(place, []).append(listener)
        if place not in _originals:
            _originals[place] = getattr(owner, method)
            setattr(owner, method, _told(_originals[place], place))


def leave(listener: Callable[..., None], place: tuple[type, str]) -> None:
    """Stop calling `listener`; after the last one the method is what it was."""
    owner, method = place
    with _LOCK:
        listeners = _listeners.get(place, [])
        if listener in listeners:
            listeners.remove(listener)
        if not listeners and place in _originals and getattr(getattr(owner, method), "mens_console", False):
            setattr(owner, method, _originals.pop(place))


def _told(clip: Callable[..., Any], place: tuple[type, str]) -> Callable[..., Any]:
    @functools.wraps(clip)
    def told(self: Any, *args: Any, **kwargs: Any) -> Any:
        for listener in tuple(_listeners.get(place, ())):
            listener(self, *args, **kwargs)
        return clip(self, *args, **kwargs)

    told.mens_console = True  # type: ignore[attr-defined]
    return told
