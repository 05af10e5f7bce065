"""The formats that are read, one module each, and which of them a file belongs to.

A new producer is one new module and one line here; nothing else of the program knows formats by name.

Where several sources of one run carry the same metric at the same step, the lowest precedence stands:

==================  ==========  ==================================================================
format              precedence  why there
==================  ==========  ==================================================================
``jsonl``           10          every row as logged, at full precision, with its own time
``trainer_state``   20          the trainer's own history, complete but rewritten at checkpoints
``csv``             30          every row as logged, rarely with a time
``tfevents``        40          every scalar, but rounded to 32 bits
``training_status`` 50          samples: what stood in the document when it was looked at
``hf_console``      60          four significant digits, steps taken from the progress bar
``log``             90          no series at all
==================  ==========  ==================================================================
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final, cast

from mens_console.ingest.formats.base import Decoder, Format
from mens_console.ingest.formats.elsewhere import recognise_elsewhere

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FORMATS", "Decoder", "Format", "recognise"]


def _format(name: str, precedence: int, decoder: str, *, document: bool = False) -> Format:
    """Declare the format of the module called `name`, which is imported when a file is first looked at."""
    module = f"{__name__}.{'csv_metrics' if name == 'csv' else name}"

    def claims(file_name: str, head: bytes) -> bool:
        return cast("Callable[[str, bytes], bool]", import_module(module).claims)(file_name, head)

    def make() -> Decoder:
        return cast("Callable[[], Decoder]", getattr(import_module(module), decoder))()

    return Format(name, precedence, claims, make, document)


FORMATS: Final[tuple[Format, ...]] = (
    _format("tfevents", 40, "TfeventsDecoder"),
    _format("trainer_state", 20, "TrainerStateDecoder", document=True),
    _format("training_status", 50, "TrainingStatusDecoder", document=True),
    _format("jsonl", 10, "JsonlDecoder"),
    _format("csv", 30, "CsvDecoder"),
    _format("hf_console", 60, "HfConsoleDecoder"),
    _format("log", 90, "LogDecoder"),
)
"""All formats, the most specific recogniser first."""


def recognise(name: str, head: bytes) -> Format | None:
    """Return the format of a file from its first bytes (up to 64 KiB, possibly torn); None when nobody reads it.

    `name` is the file's name without its folder. It helps to tell a log from other text and never decides alone.
    """
    other = recognise_elsewhere(name, head)
    return other or next((candidate for candidate in FORMATS if candidate.claims(name, head)), None)
