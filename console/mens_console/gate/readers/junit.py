"""Test results as JUnit XML, by counting the test cases themselves.

The parser knows no entities and no document types: a file that declares one is refused before it is parsed.
"""

from __future__ import annotations

import re
from typing import Final
from xml.parsers import expat

from mens_console.gate.readers.sheet import Sheet

_ROOT: Final = re.compile(r"<testsuites?[\s>/]")
_BAD: Final = ("failure", "error")
_COUNTS: Final = ("tests", "failures", "errors")


def claims(text: str) -> bool:
    """Whether it is JUnit XML, by its first element."""
    return text.lstrip("\ufeff \r\n\t").startswith("<") and bool(_ROOT.search(text[:4096]))


class _RefusedError(ValueError):
    """The document declares what the parser does not take."""


class _Counter:
    """Counts test cases while they are parsed; a case that failed and errored counts once."""

    def __init__(self) -> None:
        self.cases = self.failed = self.skipped = 0
        self.told = 0
        """Tests that the outermost suites say they hold."""
        self.told_bad = 0
        self.root: dict[str, int] = {}
        """What the whole says of itself, where it does."""
        self.outside = 0
        """Failures of a whole suite, such as a fixture or a module that could not be imported."""
        self.times: list[str] = []
        self.names: list[str] = []
        self._case: str | None = None
        self._bad = self._skipped = False
        self._depth_told: list[bool] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "testcase":
            self._case = f"{attributes.get('classname', '')}.{attributes.get('name', '')}"
            self._bad = self._skipped = False
        elif name in _BAD and self._case is not None:
            self._bad = True
        elif name == "skipped" and self._case is not None:
            self._skipped = True
        elif name in _BAD:
            self.outside += 1
        elif name == "testsuite":
            self._suite(attributes)
        elif name == "testsuites":
            self.root = {key: _whole(attributes[key]) for key in _COUNTS if key in attributes}

    def _suite(self, attributes: dict[str, str]) -> None:
        if attributes.get("timestamp"):
            self.times.append(attributes["timestamp"])
        nested = any(self._depth_told)
        self._depth_told.append("tests" in attributes)
        if not nested and "tests" in attributes:
            self.told += _whole(attributes["tests"])
            self.told_bad += _whole(attributes.get("failures", "0")) + _whole(attributes.get("errors", "0"))

    def end(self, name: str) -> None:
        if name == "testcase" and self._case is not None:
            self.cases += 1
            self.failed += self._bad
            self.skipped += self._skipped and not self._bad
            if self._bad and len(self.names) < 5:
                self.names.append(self._case)
            self._case = None
        elif name == "testsuite" and self._depth_told:
            self._depth_told.pop()


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0


def _refuse(*_: object) -> None:
    raise _RefusedError("it declares a document type or entities, which are not read: remove them")


def read(data: bytes, sheet: Sheet) -> None:
    """Read how many tests ran, and how many of them failed or could not be run."""
    counter = _Counter()
    parser = expat.ParserCreate()
    parser.StartElementHandler = counter.start
    parser.EndElementHandler = counter.end
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        sheet.problem = f"its XML is damaged: {error}"
        return
    except (ValueError, LookupError) as error:
        sheet.problem = str(error)
        return
    _tell(counter, sheet)


def _tell(counter: _Counter, sheet: Sheet) -> None:
    for one in sorted(counter.times, reverse=True):
        sheet.taken(one)  # the oldest suite dates them all
    ran = counter.cases - counter.skipped
    trouble = ""
    told = max(counter.told, counter.root.get("tests", 0))
    told_bad = max(counter.told_bad, counter.root.get("failures", 0) + counter.root.get("errors", 0))
    if told > counter.cases:
        trouble = f"its suites say {told} tests, and it holds {counter.cases}"
    elif ran <= 0:
        trouble = "no test ran" + (f": all {counter.skipped} were skipped" if counter.skipped else "")
    failed = max(counter.failed + counter.outside, told_bad)
    note = f"{counter.skipped} skipped" + (f"; failed: {', '.join(counter.names)}" if counter.names else "")
    sheet.add("tests_failed", failed, "tests", "/testsuites", n=ran, trouble=trouble, note=note)
    sheet.add("tests_run", ran, "tests", "/testsuites", n=ran, trouble=trouble, note=note)
