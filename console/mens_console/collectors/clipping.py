"""The moment before accelerate clips gradients: transformers' Trainer calls back only after it has clipped them.

A thin wrapper around `Accelerator.clip_grad_norm_`, there only while somebody listens; it changes no argument.
"""

from __future__ import annotations

import functools
from threading import RLock
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

Listener = "Callable[[Any], None]"

_LOCK: Final = RLock()
_listeners: list[Callable[[Any], None]] = []
_original: list[Any] = []


def listen(listener: Callable[[Any], None]) -> None:
    """Have `listener` called with the accelerator each time before it clips. It must not raise."""
    from accelerate import Accelerator

    with _LOCK:
        _listeners.append(listener)
        if not _original:
            _original.append(Accelerator.clip_grad_norm_)
            Accelerator.clip_grad_norm_ = _told(Accelerator.clip_grad_norm_)


def leave(listener: Callable[[Any], None]) -> None:
    """Stop calling `listener`; after the last one the method is what it was."""
    from accelerate import Accelerator

    with _LOCK:
        if listener in _listeners:
            _listeners.remove(listener)
        if not _listeners and _original and getattr(Accelerator.clip_grad_norm_, "mens_console", False):
            Accelerator.clip_grad_norm_ = _original.pop()


def _told(clip: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(clip)
    def clip_grad_norm_(self: Any, *args: Any, **kwargs: Any) -> Any:
        for listener in tuple(_listeners):
            listener(self)
        return clip(self, *args, **kwargs)

    clip_grad_norm_.mens_console = True  # type: ignore[attr-defined]
    return clip_grad_norm_
