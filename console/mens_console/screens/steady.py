"""A screen that takes the terminal's size and no older one.

A screen posts itself the size that it was just laid out in, and hands it on to those beneath. When the terminal is
resized faster than that, two sizes chase each other through the queues for good; so an older one is dropped here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events
from textual.message_pump import MessagePump

if TYPE_CHECKING:
    from textual.message import Message


class Steady(MessagePump):
    """For screens that fill the terminal, before their own class: they are told of no size but the terminal's."""

    def post_message(self, message: Message) -> bool:
        """Take a message, unless it is a size that the terminal does not have any more."""
        if isinstance(message, events.Resize) and message.size != self.app.size:
            return False
        return super().post_message(message)
