"""What a format is: a recogniser by content, and a decoder that turns growing bytes into records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from mens_console.ingest.records import Batch


class Decoder(Protocol):
    """The state of reading one file from byte 0. One decoder reads one generation of one file, in order, once."""

    def feed(self, data: bytes, at: float, *, final: bool = False) -> tuple[int, Batch]:
        """Decode as many whole records as `data` holds.

        `data` begins at the first byte that was not consumed yet; `at` is when it was seen (seconds since the epoch),
        for rows that carry no time of their own and were seen to arrive (it is `NO_TIME` for history). Returns how
        many bytes were consumed, and the records. Bytes of a torn last record are not consumed: they come again,
        longer. With `final` nobody is writing any more, so a last record without its newline is read too.
        """
        ...


@dataclass(frozen=True, slots=True)
class Format:
    """One producer's format.

    `document` formats are rewritten in place: `feed` is given the whole file each time it changed, and its batch
    says `replace`, unless the format samples a status over time. `precedence` decides, lower first, whose value
    stands where several sources of one run carry the same metric at the same step.
    """

    name: str
    precedence: int
    claims: Callable[[str, bytes], bool]
    """(file name, first bytes of the file, up to 64 KiB and possibly torn) → does the file belong to this format?"""
    decoder: Callable[[], Decoder]
    document: bool = False
