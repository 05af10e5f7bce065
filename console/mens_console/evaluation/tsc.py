"""What `tsc` prints: errors by file, and with `--listFiles` the files that it looked at."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Final

from mens_console.evaluation.score import Result, missing, share

_ERROR: Final = re.compile(r"^(?P<file>[^\s:(][^:(\n]*?)(?:\(\d+,\d+\):|:\d+:\d+ -) error TS\d+:", re.MULTILINE)
_GLOBAL: Final = re.compile(r"^error TS\d+:[^\n]*", re.MULTILINE)
_ANY: Final = re.compile(r"\berror TS\d+:")
_COLOUR: Final = re.compile(r"\x1b\[[\d;]*m")
_LISTED: Final = re.compile(r"^(?P<file>(?:/|[A-Za-z]:[\\/])\S[^\n]*\.(?:[cm]?[jt]sx?))\r?$", re.MULTILINE)


def claims(name: str, text: str) -> bool:
    """Whether a text is what tsc printed; an empty one is, where its file's name says so."""
    return "tsc" in name.lower() or bool(_ANY.search(text))


def type_check(text: str, source: str) -> Result:
    """Return the share of files without an error, of those listed; libraries and declarations are not the model's."""
    plain = _COLOUR.sub("", text)
    if found := _GLOBAL.search(plain):
        return missing("type_check", f"tsc did not run: {found[0][:120]}")
    listed = {found["file"].replace("\\", "/") for found in _LISTED.finditer(plain)}
    own = {one for one in listed if "/node_modules/" not in one and not one.endswith(".d.ts")}
    wrong = {found["file"].strip().replace("\\", "/") for found in _ERROR.finditer(plain)}
    if not own:
        return missing("type_check", "tsc does not say how many files it looked at: run it with --listFiles")
    bad = {one for one in own if any(_is(one, name) for name in wrong)}
    astray = [name for name in wrong if not any(_is(one, name) for one in own)]
    if astray:
        return missing("type_check", f"{len(astray)} files with errors are not among those listed: {astray[0][:80]}")
    return share("type_check", len(own) - len(bad), len(own), source=source)


def _is(whole: str, name: str) -> bool:
    """Whether an absolute path is what an error's relative one names."""
    parts = [one for one in PurePath(name).parts if one not in {".", ".."}]
    return list(PurePath(whole).parts[-len(parts) :]) == parts if parts else False
