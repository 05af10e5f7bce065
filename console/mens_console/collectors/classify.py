"""Which class of the taxonomy a compiler's or validator's message belongs to: one table of patterns.

The classes are `mens_contracts.diagnostics`'s. Messages are looked at in lower case, their first 500 characters.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from mens_contracts.diagnostics import OTHER, category_of

_TABLE: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("invalid_import", (
        r"no module named", r"can(not|'t) import", r"unresolved (import|module|reference|name)", r"module not found",
        r"cannot find (module|name|crate|package)", r"could not find [`'\"]?\w+[`'\"]? in",
        r"unknown (import|module|package|crate)", r"circular import", r"relative import", r"importerror",
        r"modulenotfound", r"nameerror", r"name ['\"`]?\w+['\"`]? is not defined", r"undeclared",
        r"undefined (name|variable|symbol|identifier)", r"not found in this scope", r"import .{0,60}not ",
        r"\b(f401|f821|e0432|e0433|e0425|ts2307|ts2304)\b", r"\breportmissingimports?\b",
    )),
    ("indentation_layout", (
        r"indent", r"dedent", r"inconsistent use of tabs", r"mixed tabs", r"taberror", r"offside", r"\blayout\b",
        r"\be1\d\d\b", r"expected (an? )?(indented )?block", r"trailing whitespace",
    )),
    ("actor_workflow_misuse", (
        r"\bactors?\b", r"\bworkflows?\b", r"\bactivit(y|ies)\b", r"\bmailbox", r"\bspawn(ed|ing)?\b",
        r"\bsupervisor\b", r"\bdurable\b", r"not (properly )?in (a )?loop", r"\bsignal handler",
        r"outside (of )?(an? |the )?(async|generator|coroutine|loop|function)",
    )),
    ("route_schema_mismatch", (
        r"\broutes?\b", r"\bendpoint\b", r"\bschema\b", r"\bhttp (method|status)", r"(path|query) parameter",
        r"request body", r"response (body|type|model)", r"(missing|unknown|unexpected) (field|property|key)\b",
        r"missing required (field|property|key)", r"required property",
        r"additional propert", r"no such (table|column)", r"message shape",
    )),
    ("type_mismatch", (
        r"\btypes?\b", r"typeerror", r"mismatch", r"incompatible", r"not assignable",
        r"cannot (convert|coerce|unify)",
        r"expected (an? )?(int|float|str|string|bool|boolean|number|list|dict|option|result|unit)\b",
        r"has no (attribute|method|member|field)", r"unsupported operand", r"argument.{0,40}(missing|expected|given)",
        r"(takes|missing) .{0,40}arguments?\b", r"wrong number of arguments", r"return value",
        r"not (callable|subscriptable|iterable)", r"\b(e0308|ts2322|ts2345)\b",
    )),
    ("syntax_punctuation", (
        r"syntax", r"unexpected", r"unterminated", r"unclosed", r"unmatched", r"unbalanced", r"never closed",
        r"expected ['\"`(\[{:;,)\]}]", r"expected (an? )?(expression|identifier|statement|token|colon|comma)",
        r"expected (an? )?(semicolon|bracket|brace|paren|end|eof|one of|pattern|newline|keyword|name)",
        r"missing (an? )?(comma|colon|semicolon|parenthes|bracket|brace|quote)", r"pars(e error|ing)", r"delimiter",
        r"invalid (character|token|decimal|literal|escape|non-printable)", r"\beof\b", r"end of (file|input)",
        r"forgot (a|the)\b", r"perhaps you", r"punctuation", r"cannot assign to", r"\bstray\b", r"\bts1\d\d\d\b",
        r"extra (closing|token|comma)",
    )),
)  # fmt: skip
"""Classes and the patterns that tell them; the first that is found counts."""
_PATTERNS: Final = tuple((category, re.compile("|".join(patterns))) for category, patterns in _TABLE)
_MOST: Final = 500
_NAMES: Final = ("category", "kind", "class")


def classify(message: object, code: str = "") -> str:
    """Return the class that a message (and the error's code, where there is one) belongs to, "other" for none."""
    return _classified(f"{code} {message}"[:_MOST].lower())


@lru_cache(maxsize=4096)
def _classified(message: str) -> str:
    return next((category for category, pattern in _PATTERNS if pattern.search(message)), OTHER)


def histogram(diagnostics: Iterable[Any]) -> dict[str, int]:
    """Return how many of the diagnostics belong to each class.

    One is a message, an exception, or an object or mapping with `message`, and perhaps `code`. Where it says its
    `category`, that counts: a name that the taxonomy does not know stays as it is.
    """
    return dict(Counter(map(_category, diagnostics)))


def _category(diagnostic: Any) -> str:
    if isinstance(diagnostic, str):
        return classify(diagnostic)
    if isinstance(diagnostic, BaseException):
        return classify(diagnostic, type(diagnostic).__name__)
    for name in _NAMES:
        said = _told(diagnostic, name)
        if isinstance(said, str) and said:
            return category_of(said)
    message = _told(diagnostic, "message") or _told(diagnostic, "msg")
    return classify(diagnostic if message is None else message, str(_told(diagnostic, "code") or ""))


def _told(diagnostic: Any, name: str) -> Any:
    return diagnostic.get(name) if isinstance(diagnostic, Mapping) else getattr(diagnostic, name, None)
