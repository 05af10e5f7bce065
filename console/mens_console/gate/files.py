"""Reading files of evidence: each is hashed and parsed from one reading, and never blocks.

A file that cannot be read, or changed meanwhile, is a problem of that file, never an error.
"""

from __future__ import annotations

import csv
import errno
import hashlib
import os
from dataclasses import dataclass
from typing import Any, Final

from mens_console.gate.finding import Found, find, inside, like_evidence, shown
from mens_console.gate.readers import jsontext, registry
from mens_console.gate.readers.registry import Reader, RowReader, Rows
from mens_console.gate.readers.sheet import Sheet, Source
from mens_console.gate.types import EvidenceFile
from mens_console.ingest.safeopen import NotRegularFileError, explain, open_regular
from mens_console.ingest.text import safe_text

__all__ = ["LARGEST", "LONGEST", "Found", "Read", "find", "inside", "read", "shown"]

LARGEST: Final = 64 << 20
"""Bytes of a document, which is held in memory; rows are read as a stream and may be any size."""
LONGEST: Final = 8 << 20
"""Bytes of one row."""
_READ: Final = 1 << 20
_SHAPE_ERRORS: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError, csv.Error)
_PACKED: Final = (b"\x1f\x8b", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ")


@dataclass(frozen=True, slots=True)
class Read:
    """What became of a file. `sheet` is None where no reader knows it, or it could not be read."""

    file: EvidenceFile
    sheet: Sheet | None = None


def read(found: Found) -> Read | None:
    """Read one file; None where it is none of evidence (met in a folder, and of no kind that could be)."""
    path = shown(found.path)
    if found.problem:
        return Read(EvidenceFile(path, "", 0, 0.0, problem=found.problem))
    try:
        fd, status = open_regular(found.path, follow=found.named)
    except OSError as error:
        return Read(EvidenceFile(path, "", 0, 0.0, problem=_why(error)))
    try:
        return _Reading(path, fd, status, named=found.named).read()
    except OSError as error:
        return Read(EvidenceFile(path, "", status.st_size, status.st_mtime, problem=_why(error)))
    finally:
        os.close(fd)


def _why(error: OSError) -> str:
    if isinstance(error, NotRegularFileError):
        return explain(error)
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return "there is no such file"
    return explain(error).removesuffix(": it is tried again")


class _Reading:
    """One reading of one open file."""

    def __init__(self, path: str, fd: int, status: os.stat_result, *, named: bool) -> None:
        self._path, self._fd, self._status, self._named = path, fd, status, named
        self._hash = hashlib.sha256()
        self._size = 0

    def read(self) -> Read | None:
        head = self._next()
        if not head:
            return self._failed("it is empty") if self._named or self._like_evidence() else None
        if head.startswith(_PACKED):
            why = "it is compressed: unpack it first, the gate reads plain files"
            return self._failed(why) if self._named or self._like_evidence() else None
        if b"\0" in head[:4096]:
            why = "it holds zero bytes, as a crash leaves them, or is binary: no reader knows it"
            return self._failed(why) if self._named or self._like_evidence() else None
        rows = self._row_reader(head)
        if rows is not None:
            return self._rows(head, rows)
        if self._other_rows(head):
            while self._next():
                pass  # for its digest
            return self._unknown("")
        return self._document(head)

    def _other_rows(self, head: bytes) -> bool:
        """Whether it holds one JSON object a line, of a kind that nobody reads: samples of lm-eval, telemetry."""
        line, _, rest = _trimmed(head).partition(b"\n")
        if not (line.startswith(b"{") and rest.lstrip().startswith(b"{")):
            return False
        try:
            return isinstance(jsontext.row(line), dict)
        except ValueError:
            return False

    def _next(self) -> bytes:
        data = os.read(self._fd, _READ)
        self._hash.update(data)
        self._size += len(data)
        return data

    def _like_evidence(self) -> bool:
        return like_evidence(self._path)

    def _failed(self, why: str, kind: str = "", notes: tuple[str, ...] = ()) -> Read:
        return Read(self._file(kind, why, notes))

    def _file(self, kind: str, problem: str, notes: tuple[str, ...] = ()) -> EvidenceFile:
        return EvidenceFile(self._path, self._hash.hexdigest(), self._size, self._status.st_mtime, kind,
                            safe_text(problem, 500), notes)  # fmt: skip

    def _row_reader(self, head: bytes) -> RowReader | None:
        """Return the reader of rows whose first line this is; a document of one line is no such thing."""
        line, newline, rest = _trimmed(head).partition(b"\n")
        if not newline or not line.startswith(b"{"):
            return None
        if not rest.strip() and self._status.st_size <= len(head) and not self._path.endswith((".jsonl", ".ndjson")):
            return None
        try:
            return registry.row_reader(jsontext.row(line))
        except _SHAPE_ERRORS:
            return None

    def _rows(self, head: bytes, reader: RowReader) -> Read:
        rows = reader.begin()
        number, left, data = 0, b"", head
        while data:
            *lines, left = (left + data).split(b"\n")
            for line in lines:
                number += 1
                _feed(rows, line, number)
            if len(left) > LONGEST:
                return self._failed(f"line {number + 1} is longer than {LONGEST >> 20} MiB", reader.tool)
            data = self._next()
        if left.strip():
            _feed(rows, left, number + 1)
        sheet = self._sheet(reader.tool)
        try:
            rows.finish(sheet)
        except _SHAPE_ERRORS as error:
            return self._failed(f"it is not of the shape that {reader.tool} writes ({error!r})", reader.tool)
        return self._done(sheet)

    def _sheet(self, tool: str) -> Sheet:
        return Sheet(Source(self._path, self._hash.hexdigest(), self._status.st_mtime), tool)

    def _document(self, head: bytes) -> Read | None:
        parts = [head]
        while data := self._next():
            parts.append(data)
            if self._size > LARGEST:
                # The rest is not read, so there is no digest of it.
                self._hash = hashlib.sha256()
                why = f"it is {self._status.st_size >> 20} MiB; documents are read up to {LARGEST >> 20} MiB"
                return Read(EvidenceFile(self._path, "", self._status.st_size, self._status.st_mtime, "", why))
        try:
            return self._parse(b"".join(parts))
        except _SHAPE_ERRORS as error:
            # A shape that no reader foresaw: the file is a problem, the command goes on.
            return self._failed(f"its shape is none that a reader knows ({error!r})")

    def _parse(self, data: bytes) -> Read | None:
        begin = _trimmed(data[:_READ])[:1]
        if begin in (b"{", b"["):
            return self._json(data)
        text = data.decode("utf-8", "replace")
        reader = registry.text_reader(text)
        if reader is None:
            return self._unknown("")
        return self._read_by(reader, data if reader.form == "bytes" else text)

    def _json(self, data: bytes) -> Read | None:
        try:
            document = jsontext.parse(data)
        except ValueError as error:
            if not self._named and not self._like_evidence():
                return None
            return self._failed(str(error))
        reader = registry.document_reader(document)
        if reader is None:
            return self._unknown(registry.schema_of(document))
        return self._read_by(reader, document)

    def _read_by(self, reader: Reader, document: Any) -> Read:
        sheet = self._sheet(reader.tool)
        try:
            reader.read(document, sheet)
        except _SHAPE_ERRORS as error:
            return self._failed(f"it is not of the shape that {reader.tool} writes ({error!r})", reader.tool)
        return self._done(sheet)

    def _unknown(self, schema: str) -> Read | None:
        what = f"no reader knows its schema {schema!r}" if schema else "no reader knows what it is"
        if self._named:
            return self._failed(what)
        return self._failed("", notes=(safe_text(what),)) if self._like_evidence() else None

    def _done(self, sheet: Sheet) -> Read:
        after = os.fstat(self._fd)
        if (after.st_size, after.st_mtime_ns) != (self._status.st_size, self._status.st_mtime_ns):
            return self._failed("it changed while it was read: wait until its writer is done", sheet.tool)
        if self._size != self._status.st_size:
            return self._failed("it was not read whole", sheet.tool)
        problem = sheet.problem
        if not (problem or sheet.items or sheet.scores or sheet.notes or sheet.listed or sheet.queries):
            problem = "it holds nothing that a criterion may name"
        return Read(self._file(sheet.tool, problem, tuple(sheet.notes)), None if sheet.problem else sheet)


def _trimmed(head: bytes) -> bytes:
    """Return a file's beginning without a byte order mark and blank lines."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()


def _feed(rows: Rows, line: bytes, number: int) -> None:
    if not line.strip():
        return
    try:
        rows.add(jsontext.row(line), number)
        return
    except _SHAPE_ERRORS:
        pass  # no JSON, or of a shape that no reader foresaw: a line that is none
    rows.add(None, number)
