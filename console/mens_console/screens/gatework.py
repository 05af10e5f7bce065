"""Work of the gate off the screen's thread: it may read gigabytes or wait for a person, and must not hold the exit."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.widget import Widget


class Finished(Message):
    """Work is done. `take` brings its result to the screen; it is called on the screen's thread."""

    def __init__(self, take: Callable[[], None]) -> None:
        super().__init__()
        self.take = take


def in_background(
    screen: Widget, name: str, work: Callable[[], Callable[[], None]], failed: Callable[[Exception], None]
) -> None:
    """Run `work` on a thread of its own; what it returns is called on the screen's thread, `failed` where it raises.

    The thread is a daemon: leaving the program does not wait for it.
    """

    def run() -> None:
        try:
            take = work()
        except Exception as error:  # noqa: BLE001 (whatever it is, the operator is told)
            problem = error

            def take() -> None:
                failed(problem)

        with contextlib.suppress(RuntimeError):  # the program is gone meanwhile
            screen.post_message(Finished(take))

    threading.Thread(target=run, name=f"gate-{name}", daemon=True).start()
