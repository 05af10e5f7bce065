"""One file against its contract: every object is looked at once, and what differs is counted.

Memory does not grow with the file: rows are read one by one; only a document is read whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from mens_console.ingest.checking.places import Places
from mens_console.ingest.checking.recognise import UnknownContractError, recognise, sample
from mens_console.ingest.checking.stream import CHUNK, LONGEST, Stream, UnreadableError
from mens_console.ingest.formats.jsontext import objects
from mens_contracts.registry import CONTRACTS
from mens_contracts.shapes import Compiled
from mens_contracts.tally import Spot, Tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from mens_contracts.registry import Contract

LARGEST_DOCUMENT: Final = 256 << 20
_TOLD_EVERY: Final = 2000
BOM: Final = b"\xef\xbb\xbf"


@dataclass(slots=True)
class FileReport:
    """What was found in one file. `problem` says why nothing could be said of it, or why it ended early."""

    path: str
    contract: Contract | None = None
    problem: str = ""
    rows: int = 0
    tallies: dict[str, Tally] = field(default_factory=dict)
    """By contract: a file of rows may hold rows of several."""
    bad: dict[str, Spot] = field(default_factory=dict)
    """Lines that hold no object, by the reason; and those that are no strict JSON."""
    notes: list[str] = field(default_factory=list)

    @property
    def fits(self) -> bool:
        """Whether everything in it is as its contract wants."""
        return not self.problem and not self.bad and not any(tally.faults for tally in self.tallies.values())


class Checker:
    """Looks at one file; `contract` is what it should be of, None: it is recognised."""

    def __init__(self, path: str, contract: Contract | None, progress: Callable[[int, int], None]) -> None:
        self._report = FileReport(path, contract)
        self._given = contract
        self._progress = progress
        self._compiled: dict[str, Compiled] = {}
        self._line = 0
        self._places: Places | None = None

    def run(self) -> FileReport:
        """Return what was found; never raises for what is in the file."""
        report = self._report
        try:
            stream = Stream(report.path)
        except UnreadableError as error:
            report.problem = str(error)
            return report
        try:
            self._read(stream)
        except (UnreadableError, UnknownContractError) as error:
            report.problem = str(error)
        finally:
            stream.close()
        for one in self._compiled.values():
            one.finish()
        return report

    def _read(self, stream: Stream) -> None:
        head = stream.head
        if not head.strip():
            raise UnreadableError(stream.ended_early or "it is empty: there is nothing to look at")
        if b"\0" in head[:4096]:
            raise UnreadableError("it is binary, not JSON")
        if head.startswith(BOM):
            self._report.notes.append("it begins with a byte order mark; strict JSON readers refuse that")
        whole = len(head) < CHUNK
        rows = sample(head, whole=whole)
        if not rows or self._is_document(rows, whole=whole):
            self._document(stream)
        else:
            self._rows(stream, rows)
        if stream.ended_early:
            self._report.notes.append(stream.ended_early)
            if "damaged" in stream.ended_early:
                self._report.problem = stream.ended_early

    def _is_document(self, rows: list[dict[str, Any]], *, whole: bool) -> bool:
        """Whether the only object of a file is a document on one line."""
        if not whole or len(rows) > 1:
            return False
        contract = self._given or recognise(rows)
        return contract.form == "document"

    # ------------------------------------------------------------------ rows

    def _rows(self, stream: Stream, first: list[dict[str, Any]]) -> None:
        report = self._report
        contract = report.contract = self._given or recognise(first)
        look = self._looker(contract)
        for line, is_whole in stream.lines():
            self._line += 1
            if not self._line % _TOLD_EVERY:
                self._progress(stream.place, stream.size)
            if line is None:
                self._bad(f"longer than {LONGEST >> 20} MiB, not read")
                continue
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError:
                self._loose(line, contract, is_whole=is_whole)
                continue
            if type(row) is not dict:
                self._bad("not a JSON object")
            elif (named := row.get("schema")) is None or named == contract.id:
                report.rows += 1
                look(row)
            else:
                self._other(row, contract)
        if not report.rows:
            raise UnreadableError("no line of it is a JSON object")

    def _loose(self, line: bytes, contract: Contract, *, is_whole: bool) -> None:
        """Look at a line that is no strict JSON."""
        if self._line == 1:
            line = line.removeprefix(BOM)
        if not line.strip():
            return
        found, trouble = objects(line)
        if trouble and not is_whole:
            self._report.notes.append(f"line {self._line}, the last one, is torn: it is not counted")
            return
        if trouble:
            self._bad(trouble.partition(" at column")[0], line)
        elif len(found) > 1:
            self._bad("several objects on one line", line)
        elif not _is_strict(line):
            self._bad("not strict JSON: NaN, Infinity or broken UTF-8", line)
        for row in found:
            self._other(row, contract)

    def _other(self, row: dict[str, Any], contract: Contract) -> None:
        """Look at a row that may be of another contract than the file."""
        self._report.rows += 1
        named = row.get("schema")
        other = CONTRACTS.get(named) if isinstance(named, str) and self._given is None else None
        self._looker(other or contract)(row)

    def _bad(self, why: str, line: bytes = b"") -> None:
        spot = self._report.bad.setdefault(why, Spot())
        spot.add(1, [self._line], line[:120].decode("utf-8", "replace"))

    # ------------------------------------------------------------------ documents

    def _document(self, stream: Stream) -> None:
        data = stream.whole(LARGEST_DOCUMENT)
        if data is None:
            raise UnreadableError(f"it is one document of more than {LARGEST_DOCUMENT >> 20} MiB, which is not read")
        try:
            self._places = Places(data)
        except ValueError as error:
            raise UnreadableError(f"it is no JSON: {error}") from None
        value = self._places.value
        rows = [value] if isinstance(value, dict) else value if isinstance(value, list) else []
        rows = [row for row in rows if isinstance(row, dict)]
        if not rows:
            raise UnreadableError("it holds no JSON object")
        contract = self._report.contract = self._given or recognise(rows)
        if isinstance(value, list):
            self._report.notes.append("it is one JSON array; readers want one object a line: jq -c '.[]' FILE")
        elif contract.form == "rows" and data.strip().count(b"\n"):
            self._report.notes.append("one object over several lines; readers want one object a line: jq -c . FILE")
        for row in rows:
            self._other(row, contract)

    def _looker(self, contract: Contract) -> Callable[[dict[str, Any]], None]:
        made = self._compiled.get(contract.id)
        if made is None:
            tally = self._report.tallies[contract.id] = Tally()
            made = self._compiled[contract.id] = Compiled(contract.schema(), contract.id, tally, self._where)
        return made.look

    def _where(self, holder: dict[str, Any], key: str) -> int:
        return self._line if self._places is None else self._places.line(holder, key)


def _is_strict(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def check_file(
    path: str, contract: Contract | None = None, progress: Callable[[int, int], None] = lambda done, total: None
) -> FileReport:
    """Return what differs from its contract in one file; `progress` is told bytes done and in all."""
    return Checker(path, contract, progress).run()
