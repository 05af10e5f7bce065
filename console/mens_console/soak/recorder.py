"""What the driver's parts record through: one writer, and a sign of life where nothing else was written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mens_console.soak import rows

if TYPE_CHECKING:
    from mens_console.soak.writer import Writer

SILENT_S: Final = 1.0


class Recorder:
    """Records rows through a soak's writer; a disk that refuses them is told in `problem`, and nothing is raised."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._fault = ""
        self._newest = writer.folding.now_s
        self.begun = writer.resumed
        """Whether an earlier driver recorded anything."""
        self.ended = writer.folding.ending == "end" or writer.folding.complete
        """Whether an earlier driver came to the plan's end."""

    @property
    def now_s(self) -> float:
        """How far the record goes, seconds in the soak."""
        return self._writer.folding.now_s

    @property
    def problem(self) -> str:
        """What is wrong with the disk; "" while all is well."""
        return self._writer.problem or self._fault

    @property
    def waiting(self) -> int:
        """Rows that the disk has not taken yet."""
        return self._writer.journal.waiting

    def again(self) -> None:
        """Try again what waits."""
        self._add()

    def write(self, *new: rows.Row) -> None:
        """Record rows, in one go."""
        self._add(*new)
        self._newest = max(self._newest, *(row.at for row in new))

    def _add(self, *new: rows.Row) -> None:
        try:
            self._writer.add(*new)
        except Exception as error:  # noqa: BLE001 - a soak of days survives what nobody thought of, and tells it
            self._fault = f"a fault of the record: {type(error).__name__}: {error}"

    def beat(self, now: float) -> None:
        """Record that the driver lives, where it recorded nothing else for a second; and try again what waits."""
        if now - self._newest >= SILENT_S:
            self.write(rows.Beat(round(now, 6)))
        elif self._writer.problem is not None:
            self.again()

    def close(self) -> None:
        """Write what waits if the disk takes it, and let go."""
        self._writer.close()
