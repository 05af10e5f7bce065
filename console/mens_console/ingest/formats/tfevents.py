"""TensorBoard event files: TFRecords of Event messages, scalars as simple values or as tensors, read as they grow.

Only scalars and the settings that trainers file as text; images, graphs and histograms are stepped over.
"""

from __future__ import annotations

import struct
from array import array
from typing import Any, Final

from mens_console.ingest import aliases
from mens_console.ingest.formats.jsontext import parse
from mens_console.ingest.formats.protobuf import fields, masked_crc32c, signed, tensor_scalar, tensor_text, varint
from mens_console.ingest.formats.rows import flatten
from mens_console.ingest.formats.values import MAX_STEP, visible, visible_bytes
from mens_console.ingest.records import BadLine, Batch, Columns, Fact

MAX_RECORD: Final = 1 << 20
"""Bytes of the largest record that is decoded: scalars and settings are far smaller, images may be larger."""

_MAX_LENGTH: Final = 1 << 30
"""Bytes that no record has: who says so wants the rest of the file to be waited for."""

_HEADER: Final = struct.Struct("<QI")
_DOUBLE: Final = struct.Struct("<d")
_FLOAT: Final = struct.Struct("<f")
_MAX_MEMO: Final = 8192
_MAX_CONFIG: Final = 256
_MAX_SAMPLES: Final = 20


def claims(name: str, head: bytes) -> bool:
    """Say whether `head` begins with a TFRecord that frames an Event; a pointer file or a gzip does not."""
    del name
    if len(head) < _HEADER.size:
        return False
    length, crc = _HEADER.unpack_from(head)
    if not 9 <= length <= MAX_RECORD or masked_crc32c(head[:8]) != crc:
        return False
    return head[12:13] in {b"\x09", b""}


class _Row:
    """Rows being gathered: scalars that follow each other at one step are one row, timed by the first of them."""

    __slots__ = ("_flat", "_names", "_steps", "_walls", "batch", "current", "emitted", "step", "wall")

    def __init__(self) -> None:
        self.step = -1
        self.wall = 0.0
        self.current: dict[str, float] = {}
        self.emitted: set[str] = set()
        """Names of the current row that an earlier batch already carries."""
        self.batch = Batch()
        self._names: tuple[str, ...] = ()
        self._steps: array[int] = array("q")
        self._walls: array[float] = array("d")
        self._flat: list[float] = []

    def begin(self, step: int, wall: float) -> None:
        """End the current row and begin one at `step`."""
        self._close()
        self.step, self.wall = step, wall
        self.emitted = set()
        self.batch.rows += 1

    def pause(self) -> None:
        """Hand over what is there, though the row may go on in the next batch."""
        self.emitted.update(self.current)
        self._close()
        self._flush()

    def _close(self) -> None:
        if not self.current:
            return
        names = tuple(self.current)
        if names != self._names:
            self._flush()
            self._names = names
        self._steps.append(self.step)
        self._walls.append(self.wall)
        self._flat.extend(self.current.values())
        self.current = {}

    def _flush(self) -> None:
        if self._steps:
            width = len(self._names)
            values = tuple(array("d", self._flat[place::width]) for place in range(width))
            self.batch.columns.append(Columns(self._names, self._steps, self._walls, values))
        self._steps, self._walls, self._flat = array("q"), array("d"), []
        self._names = ()


class TfeventsDecoder:
    """Reads one event file in order.

    The checksum of every record's length is verified, so that a damaged length cannot make the reader wait for 2**60
    bytes. The checksum of the data costs 0.1 µs a byte here; it is verified for records that are read field by field
    (the first of each tag, tensors, text), and where a message does not decode, to say why. The bulk of a healthy
    file, scalars shaped like one that was verified, is read at the price of a dictionary look-up.
    """

    def __init__(self) -> None:
        self._row = _Row()
        self._lengths: dict[int, int] = {}
        self._shapes: dict[bytes, str] = {}
        self._records = 0
        self._offset = 0
        self._skip = 0
        self._is_dead = False

    def state(self) -> dict[str, Any]:
        """Return what the decoder remembers, as JSON values; what it learned of shapes it learns again."""
        return {"records": self._records, "offset": self._offset, "skip": self._skip, "dead": self._is_dead}

    def restore(self, state: dict[str, Any]) -> None:
        """Become the decoder that `state` came from."""
        self._records, self._offset = int(state["records"]), int(state["offset"])
        self._skip, self._is_dead = int(state["skip"]), bool(state["dead"])

    def feed(self, data: bytes, at: float, *, final: bool = False) -> tuple[int, Batch]:
        """Decode the whole records of `data`; after a damaged length nothing more of the file can be found."""
        del at
        batch = self._row.batch = Batch()
        position = 0
        if self._skip:
            position = min(self._skip, len(data))
            self._skip -= position
        if self._is_dead:
            position = len(data)
        elif not self._skip:
            position = self._walk(data, position, batch)
        self._row.pause()
        self._facts(batch)
        if final and (position < len(data) or self._skip) and not self._is_dead:
            self._bad(batch, position, "the last record is cut", data[position:])
            position, self._skip = len(data), 0
        self._offset += position
        return position, batch

    def _walk(self, data: bytes, position: int, batch: Batch) -> int:
        end = len(data)
        lengths = self._lengths
        while position + 12 <= end:
            length, crc = _HEADER.unpack_from(data, position)
            if lengths.get(length) != crc and not self._length_is_sound(data, position, length, crc):
                self._is_dead = True
                self._bad(batch, position, "a record's length is damaged: the rest cannot be read", data[position:])
                return end
            after = position + length + 16
            if length > _MAX_LENGTH:
                self._is_dead = True
                self._bad(batch, position, f"a record of {length} bytes: the rest cannot be read", data[position:])
                return end
            if length > MAX_RECORD:
                self._records += 1
                self._skip = max(0, after - end)
                position = min(after, end)
                continue
            if after > end:
                break
            self._records += 1
            self._record(data[position + 12 : after - 4], position, data[after - 4 : after], batch)
            position = after
        return position

    def _length_is_sound(self, data: bytes, position: int, length: int, crc: int) -> bool:
        if masked_crc32c(data[position : position + 8]) != crc:
            return False
        if len(self._lengths) < _MAX_MEMO:
            self._lengths[length] = crc
        return True

    def _record(self, event: bytes, position: int, crc: bytes, batch: Batch) -> None:
        # The fast way: `09 wall [10 step] <the same bytes for each scalar of this tag> value`.
        if event[:1] == b"\x09":
            step, place = 0, 9
            if event[9:10] == b"\x10":
                byte = event[10] if len(event) > 10 else 0x80
                if byte < 0x80:
                    step, place = byte, 11
                else:
                    step, place = _step_varint(event)
            name = self._shapes.get(event[place:-4])
            if name is not None and step <= MAX_STEP:
                row = self._row
                if step != row.step or name in row.current or name in row.emitted:
                    row.begin(step, _DOUBLE.unpack_from(event, 1)[0])
                row.current[name] = _FLOAT.unpack_from(event, len(event) - 4)[0]
                return
        self._read(event, position, crc, batch)

    def _read(self, event: bytes, position: int, crc: bytes, batch: Batch) -> None:
        """Read an event field by field, verified."""
        if masked_crc32c(event) != int.from_bytes(crc, "little"):
            self._bad(batch, position, "the checksum of a record does not match its data", event)
            return
        try:
            wall, step, summaries = _event(event)
            scalars = [scalar for summary in summaries for scalar in self._summary(summary, batch)]
        except (ValueError, struct.error) as error:
            self._bad(batch, position, f"a record is not an event: {error}", event)
            return
        if not 0 <= step <= MAX_STEP:
            if scalars:
                self._bad(batch, position, f"step {step}", event)
            return
        row = self._row
        for name, value, _ in scalars:
            if step != row.step or name in row.current or name in row.emitted:
                row.begin(step, wall)
            row.current[name] = value
        if len(scalars) == 1 and scalars[0][2]:
            self._learn(event, scalars[0][0])

    def _learn(self, event: bytes, name: str) -> None:
        """Remember what surrounds the step and the value of a scalar of this tag."""
        if event[:1] != b"\x09" or event[-5:-4] != b"\x15" or len(self._shapes) >= _MAX_MEMO:
            return
        place = _step_varint(event)[1] if event[9:10] == b"\x10" else 9
        self._shapes[event[place:-4]] = name

    def _summary(self, summary: bytes, batch: Batch) -> list[tuple[str, float, bool]]:
        """Return name, value and "is a simple value" of each scalar; settings become facts on the way."""
        found = []
        for number, _, value in fields(summary):
            if number != 1 or not isinstance(value, bytes):
                continue
            tag, simple, tensor = "", None, b""
            for inner, wire, part in fields(value):
                if inner == 1 and isinstance(part, bytes):
                    tag = part.decode("utf-8", "replace")
                elif inner == 2 and wire == 5 and isinstance(part, bytes):
                    simple = _FLOAT.unpack(part)[0]
                elif inner == 8 and isinstance(part, bytes):
                    tensor = part
            name = visible(aliases.canonical(tag))
            if name != tag:
                batch.spelled[name] = visible(tag)
            if simple is not None:
                found.append((name, simple, True))
            elif tensor:
                scalar = tensor_scalar(tensor)
                if scalar is not None:
                    found.append((name, scalar, False))
                elif tag.endswith("/text_summary"):
                    _config(tag.removesuffix("/text_summary"), tensor_text(tensor), batch)
        return found

    def _facts(self, batch: Batch) -> None:
        for columns in reversed(batch.columns):
            if "epoch" in columns.names:
                epoch = columns.values[columns.names.index("epoch")][-1]
                batch.facts.append(Fact("epoch", epoch, columns.steps[-1], columns.walls[-1]))
                return

    def _bad(self, batch: Batch, position: int, reason: str, sample: bytes) -> None:
        batch.bad_rows += 1
        if len(batch.bad) < _MAX_SAMPLES:
            text = visible_bytes(sample[:200], 80)
            batch.bad.append(BadLine(self._records + 1, self._offset + position, reason, text))


def _step_varint(event: bytes) -> tuple[int, int]:
    """Return the step at byte 10 of an event and the place after it; a step no event can have when it is cut."""
    try:
        return varint(event, 10)
    except ValueError:
        return MAX_STEP + 1, len(event)


def _event(event: bytes) -> tuple[float, int, list[bytes]]:
    """Return wall time, step and summaries of an Event message."""
    wall, step, summaries = float("nan"), 0, []
    for number, wire, value in fields(event):
        if number == 1 and wire == 1 and isinstance(value, bytes):
            wall = _DOUBLE.unpack(value)[0]
        elif number == 2 and isinstance(value, int):
            step = signed(value & (1 << 64) - 1)
        elif number == 5 and isinstance(value, bytes):
            summaries.append(value)
    return wall, step, summaries


def _config(section: str, text: str | None, batch: Batch) -> None:
    """Keep the settings that HF Trainer files as JSON text (`args`, `model_config`)."""
    if text is None or not text.lstrip().startswith("{"):
        return
    try:
        settings = parse(text.encode())
    except ValueError:
        return
    config = {
        visible(f"{section}/{key}", 100): visible(str(value))
        for key, value in flatten(settings)
        if value is not None and value != ""
    }
    batch.facts.append(Fact("config", dict(list(config.items())[:_MAX_CONFIG])))
