"""`mens-console gate lint [FILE…]`: what is wrong with profiles, with file, line, key and cure.

Exit status: 0 nothing · 1 something is wrong with one that can be read · 2 one cannot be read.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mens_console.cli.errors import NO, OK, WRONG

if TYPE_CHECKING:
    import argparse

    from mens_console.config.settings import Problem


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="TOML files, or ids of shipped profiles (default: all that are shipped; templates of them are only told)",
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Lint the profiles and print what was found."""
    from mens_console.gate.profiles import shipped

    found = [_look(name) for name in arguments.files or shipped()]
    if arguments.json:
        print(json.dumps({"profiles": [_document(one) for one in found]}, indent=2, ensure_ascii=False))
    else:
        print("\n".join(line for one in found for line in _lines(one, named=bool(arguments.files))))
    if any(not one.readable for one in found):
        return WRONG
    wrong = [one for one in found if one.problems and (arguments.files or not one.template)]
    return NO if wrong else OK


class _Looked:
    """One profile and what is wrong with it."""

    def __init__(
        self, name: str, problems: list[Problem], *, id: str = "", template: bool = False, readable: bool = True
    ) -> None:
        self.name, self.problems, self.id, self.template, self.readable = name, problems, id, template, readable


def _look(name: str) -> _Looked:
    from mens_console.gate.lint import lint
    from mens_console.gate.profiles import ProfileError, load

    try:
        profile = load(name)
    except ProfileError as error:
        return _Looked(name, list(error.problems), readable=error.readable)
    return _Looked(name, lint(profile), id=profile.id, template=profile.template)


def _lines(one: _Looked, *, named: bool) -> list[str]:
    from mens_console.ingest.text import safe_text

    name = safe_text(one.name, 200)
    if not one.problems:
        return [f"{name}: nothing is wrong"]
    if one.template and not named:
        told = f"a template, {len(one.problems)} things to fill in (`mens-console gate lint {name}` names them)"
        return [f"{name}: {told}"]
    return [safe_text(str(problem), 1000) for problem in one.problems]


def _document(one: _Looked) -> dict[str, Any]:
    return {
        "profile": one.name,
        "id": one.id or None,
        "template": one.template,
        "readable": one.readable,
        "problems": [
            {"path": each.origin, "line": each.line, "key": each.key, "message": each.message, "cure": each.cure}
            for each in one.problems
        ],
    }
