"""A screen on top of another that answers once, however often a key bounces."""

from __future__ import annotations

from typing import ClassVar, Generic, TypeVar

from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from mens_console.screens.steady import Steady

Answer = TypeVar("Answer")


class OnceScreen(Steady, ModalScreen[Answer], Generic[Answer]):
    """A modal screen: a second answer, on its way while the first one closed it, would close what lies beneath."""

    BINDINGS: ClassVar[list[BindingType]] = [
        # The app's own keys do not reach through a modal screen; Ctrl-C is pressed by whoever wants out.
        Binding("ctrl+c", "app.help_quit", show=False, system=True),
    ]

    def dismiss(self, result: Answer | None = None) -> AwaitComplete:
        """Close with an answer, unless it is closed already, or something lies on top of it."""
        if self.app.screen is not self:
            return AwaitComplete()
        return super().dismiss(result)
