"""The records that every format parser produces and the store consumes.

A parser turns bytes into `Batch`es. Numbers travel as columns (`Columns`), everything else as `Fact`s.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mens_console.signals.byvalue import ByValue

if TYPE_CHECKING:
    from mens_console.signals.pairs import LayerRow, PairTable
    from mens_console.signals.system import SystemSample

NO_TIME: Final = float("nan")
"""Wall time of a row whose producer wrote none (seconds since the epoch otherwise)."""


@dataclass(slots=True)
class Columns:
    """Consecutive rows of one shape: the same metrics, every one present in every row.

    `steps` is int64 (`array("q")`), `walls` float64 seconds since the epoch (`NO_TIME` where unknown), and
    `values[i]` float64, each as long as `steps`. A logged NaN or infinity is a value; an absent key is not a column.
    `names` are canonical (see `aliases`). `rank` is the distributed rank that wrote the rows, None when unsaid.
    """

    names: tuple[str, ...]
    steps: array[int]
    walls: array[float]
    values: tuple[array[float], ...]
    rank: int | None = None

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.steps)


@dataclass(slots=True, frozen=True)
class Fact(ByValue):
    """Something a source says about its run that is not a point of a series.

    Kinds and their values:

    ==================  =========================================================================================
    ``total_steps``     int, steps the run means to make
    ``epoch``           float, progress in epochs at `step`
    ``total_epochs``    float
    ``finished``        str, how the producer said so (``train_runtime``, ``train_complete``, ``status completed``)
    ``started``         str, the producer began (again): ``train_start``
    ``error``           str, message; what kind of end: `detail` in ``oom disk killed traceback device``
    ``checkpoint``      str, path as written; `step` set
    ``config``          dict[str, str], flat settings such as model, learning rate, LoRA rank
    ``pid``             int
    ``host``            str
    ``eta_s``           float, the producer's own estimate
    ``phase``           str, ``training``, ``evaluating``, ``saving`` or ``idle``
    ``status``          dict, the latest whole status document (status writers), values as JSON
    ``patterns``        dict, accuracy by task pattern and answer length (`mens_contracts.telemetry.PatternHeatmap`)
    ``stage``           dict, one event of a pipeline stage (`mens_contracts.stage`)
    ``steps_inferred``  str, why: the source carries no step of its own
    ==================  =========================================================================================
    """

    kind: str
    value: Any
    step: int | None = None
    wall: float = NO_TIME
    detail: str = ""


@dataclass(slots=True, frozen=True)
class BadLine:
    """A line (or record) that could not be read. `line` counts from 1, `offset` is in bytes from the file's start."""

    line: int
    offset: int
    reason: str
    sample: str
    """At most 200 characters, control characters already made visible."""


@dataclass(slots=True)
class Batch:
    """What one `Decoder.feed` understood.

    `rows` counts the producer's rows that carried anything; `bad_rows` those that did not parse, of which `bad`
    keeps samples. With `replace` the batch is the whole content of its source and what came before is void
    (documents rewritten in place, such as `trainer_state.json`). `layers` are looks at adapter pairs, each table before
    the rows that count in its order.
    """

    columns: list[Columns] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    bad: list[BadLine] = field(default_factory=list)
    rows: int = 0
    bad_rows: int = 0
    replace: bool = False
    layers: list[PairTable | LayerRow] = field(default_factory=list)
    spelled: dict[str, str] = field(default_factory=dict)
    """The producer's own names of series that it calls otherwise, by canonical name; each told once a source."""
    system: list[SystemSample] = field(default_factory=list)
    """Samples of the machine. A training that hangs goes on taking them: they are no sign of progress, and no rows."""
    heard: float = NO_TIME
    """When the newest event was written that is neither a row of metrics nor such a sample (s since the epoch)."""
