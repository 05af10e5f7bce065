"""What the screens ask of whatever publishes snapshots: an engine, a replay, or what a test made up.

Only a type; nothing is done here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mens_console.signals.alerts import Silence
    from mens_console.store.snapshot import Snapshot


class Source(Protocol):
    """What the screens need of an engine, or of a replay."""

    @property
    def snapshot(self) -> Snapshot:
        """The latest snapshot."""
        ...

    def start(self, on_publish: Callable[[Snapshot], None]) -> None:
        """Publish on a thread of its own."""
        ...

    def stop(self) -> None:
        """Stop publishing."""
        ...

    def want(self, run_id: str | None, in_sight: Iterable[str] = ()) -> None:
        """Tell which run is being looked at, and which others are in sight."""
        ...

    def acknowledge(self, run_id: str, fingerprint: str, note: str = "") -> None:
        """Mark an alert as seen; `run_id` is "" for those of the machine."""
        ...

    def silence(self, silence: Silence) -> None:
        """Hear nothing of some alerts for a while."""
        ...

    def unsilence(self, silence_id: str) -> None:
        """End a silence."""
        ...

    def look_at_machine(self, on: bool) -> None:
        """Tell whether somebody looks at the machine."""
        ...

    def touch(self, at: float) -> None:
        """Tell that somebody touched the console (s): who touches nothing for long is not there."""
        ...

    def pace(self, not_before: float) -> None:
        """Tell when the next frame may come (monotonic seconds): nothing has to be published before."""
        ...
