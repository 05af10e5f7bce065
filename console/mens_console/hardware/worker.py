"""Calls that may never return, on a daemon thread of their own; whoever asks waits for so long and no longer.

What is called is the asker's business. A driver or a file server that hangs holds this thread, and nothing else.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class HangsError(Exception):
    """The call, or an earlier one, has not come back in time."""


class _Call(Generic[T]):
    def __init__(self, function: Callable[[], T]) -> None:
        self.function = function
        self.done = threading.Event()
        self.result: T | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result = self.function()
        except BaseException as error:  # noqa: BLE001 (it is raised again where the call was asked for)
            self.error = error
        self.done.set()


class Worker:
    """One thread that makes one call at a time; it begins with the first call and sleeps between them."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread: threading.Thread | None = None
        self._wake = threading.Condition()
        self._next: _Call[Any] | None = None
        self._running: _Call[Any] | None = None
        self._closed = False

    @property
    def hanging(self) -> bool:
        """Whether a call that nobody waits for any more is still out."""
        return self._running is not None and not self._running.done.is_set()

    def ask(self, function: Callable[[], T], timeout: float) -> T:
        """Return what `function` returns, or raise what it raises; `HangsError` after `timeout` seconds.

        While an earlier call hangs no other is begun: this raises at once. The late result of a call is dropped.
        """
        if self.hanging:
            raise HangsError(f"{self._name}: an earlier call has not come back")
        call = _Call(function)
        self._running = call
        with self._wake:
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name=self._name, daemon=True)
                self._thread.start()
            self._next = call
            self._wake.notify()
        if not call.done.wait(timeout):
            raise HangsError(f"{self._name}: no answer for {timeout:g} s")
        if call.error is not None:
            raise call.error
        return call.result  # type: ignore[return-value]

    def close(self) -> None:
        """End the thread once it is free; one that hangs dies with the program."""
        with self._wake:
            self._closed = True
            self._wake.notify()

    def _loop(self) -> None:
        while True:
            with self._wake:
                while self._next is None and not self._closed:
                    self._wake.wait()
                if self._next is None:
                    return
                call, self._next = self._next, None
            call.run()
