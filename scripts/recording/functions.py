"""Small functions by an n-gram model over a text of ours, compiled, checked and repaired from where they broke.

Whether an output compiles, what is wrong with it and whether it computes the right thing is found by Python itself:
`ast`, `compile`, a look at its names, and calls with arguments whose results are known.
"""

from __future__ import annotations

import ast
import builtins
import io
import random
import tokenize
from collections import Counter
from dataclasses import dataclass

from recording.ngram import END, NGram
from recording.texts import SOURCE

ARGUMENTS = {
    "values": ([3, 1, 2], [5], [4, 8, 6, 7]), "prices": ([10, 20], [5], [1, 2, 3]), "left": ([1, 2], [3], [0, 4]),
    "words": (["ab", "cde"], ["x"], ["q", "rs"]), "right": ([5, 6], [7], [8, 9]), "word": ("ab", "c", ""),
    "year": (1900, 2000, 2024),
}  # fmt: skip
NUMBERS = (2, 7, 0)
CHATTER = "Here is the function you asked for :"
CHATTY = 5
"""Of so many training texts one has chatter and fences around it."""
MOST = 120
_NEWLINE, _IN, _OUT = "<n>", "<in>", "<out>"
_BUILTINS = {name: getattr(builtins, name) for name in ("len", "sum", "min", "max", "abs", "range", "sorted")}


@dataclass(frozen=True)
class Problem:
    """What a look at an output found: the message, and the line it is on."""

    message: str
    line: int


@dataclass(frozen=True)
class Reference:
    """A function of the text, to which what is generated is compared."""

    name: str
    parameters: tuple[str, ...]
    source: str


def references() -> list[Reference]:
    """Return the functions of the text, in order."""
    tree = ast.parse(SOURCE)
    found = []
    for node in tree.body:
        assert isinstance(node, ast.FunctionDef)
        lines = SOURCE.splitlines()[node.lineno - 1 : node.end_lineno]
        found.append(Reference(node.name, tuple(argument.arg for argument in node.args.args), "\n".join(lines) + "\n"))
    return found


def tokens_of(source: str) -> list[str]:
    """Return source as tokens, line ends and indentation among them."""
    marks = {tokenize.NEWLINE: _NEWLINE, tokenize.NL: _NEWLINE, tokenize.INDENT: _IN, tokenize.DEDENT: _OUT}
    found = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.ENDMARKER and (token.type != tokenize.NL or token.line.strip().startswith("#")):
            found.append(marks.get(token.type, token.string))
    return found


def text_of(tokens: list[str]) -> str:
    """Return tokens as source, as far as they are some: what they break stays broken."""
    depth, line, lines = 0, [], []
    for token in tokens:
        if token == _NEWLINE:
            lines.append("    " * depth + " ".join(line))
            line = []
        elif token in (_IN, _OUT):
            depth = max(depth + (1 if token == _IN else -1), 0)
        else:
            line.append(token)
    return "\n".join([*lines, *(["    " * depth + " ".join(line)] if line else [])]) + "\n"


class Writer:
    """A model of one order that writes and repairs functions."""

    def __init__(self, order: int, rng: random.Random) -> None:
        self._rng = rng
        texts = []
        for place, one in enumerate(references()):
            body = tokens_of(one.source)
            texts.append([f"<{one.name}>", *body])
            if place % CHATTY == 0:
                texts.append([f"<{one.name}>", *CHATTER.split(), _NEWLINE, "```", _NEWLINE, *body, "```", _NEWLINE])
        self._model = NGram(order, texts)
        self._stop = frozenset({END, *(text[0] for text in texts)})

    def write(self, name: str, temperature: float) -> list[str]:
        """Return the tokens of a first output."""
        return self._model.generate([f"<{name}>"], MOST, temperature, self._rng, self._stop)

    def repair(self, name: str, tokens: list[str], problem: Problem, temperature: float) -> list[str]:
        """Return the tokens of a next output: what stands before the line with the problem, and a new rest."""
        line, kept = 1, []
        for token in tokens:
            if line >= problem.line:
                break
            kept.append(token)
            line += token == _NEWLINE
        new = self._model.generate([f"<{name}>", *kept], MOST - len(kept), temperature, self._rng, self._stop)
        return kept + new


def check(text: str, reference: Reference) -> list[Problem]:
    """Return what keeps an output from being the function that was asked for: nothing where it compiles as that."""
    try:
        tree = ast.parse(text)
        compile(tree, "<output>", "exec")
    except SyntaxError as error:
        return [Problem(error.msg, error.lineno or 1), *_unbalanced(text)]
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    if len(tree.body) != 1 or len(functions) != 1 or functions[0].name != reference.name:
        return [Problem(f"expected one statement, the function {reference.name}", 1)]
    found = [Problem(f"name '{name}' is not defined", line) for name, line in _undefined(functions[0])]
    parameters = tuple(argument.arg for argument in functions[0].args.args)
    if len(parameters) != len(reference.parameters):
        found.insert(
            0, Problem(f"{reference.name} takes {len(reference.parameters)} arguments, not {len(parameters)}", 1)
        )
    return found


def _unbalanced(text: str) -> list[Problem]:
    pairs = (("(", ")"), ("[", "]"))
    return [
        Problem(f"unbalanced {opening}{closing}: {text.count(opening)} open, {text.count(closing)} close", 2)
        for opening, closing in pairs
        if text.count(opening) != text.count(closing)
    ]


def _undefined(function: ast.FunctionDef) -> list[tuple[str, int]]:
    """Return the names that are read and never bound, each with its first line."""
    names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
    bound = {argument.arg for argument in function.args.args} | _BUILTINS.keys()
    bound |= {node.id for node in names if isinstance(node.ctx, ast.Store)}
    lines: dict[str, int] = {}
    for node in names:
        if node.id not in bound:
            lines[node.id] = min(lines.get(node.id, node.lineno), node.lineno)
    return sorted(lines.items(), key=lambda each: each[1])


def canonical(text: str, reference: Reference) -> bool:
    """Say whether the output's canonical form (`ast.unparse`) validates and is its own canonical form."""
    form = ast.unparse(ast.parse(text))
    return not check(form, reference) and ast.unparse(ast.parse(form)) == form


def behaves(text: str, reference: Reference) -> bool:
    """Say whether the function gives what the reference gives, for three sets of arguments."""
    return all(_call(text, reference, n) == _call(reference.source, reference, n) for n in range(3))


def shape(text: str, reference: Reference) -> bool:
    """Say whether the function has the reference's kinds of statements and expressions, as often."""
    return _kinds(text) == _kinds(reference.source)


def _kinds(text: str) -> Counter[str]:
    return Counter(type(node).__name__ for node in ast.walk(ast.parse(text)))


def _call(text: str, reference: Reference, n: int) -> tuple[str, object]:
    scope: dict[str, object] = {"__builtins__": _BUILTINS}
    arguments = [
        ARGUMENTS[name][n] if name in ARGUMENTS else NUMBERS[n] + place
        for place, name in enumerate(reference.parameters)
    ]
    try:
        exec(compile(text, "<output>", "exec"), scope)
        function = scope[reference.name]
        assert callable(function)
        return "result", function(*arguments)
    except Exception as error:
        return "error", type(error).__name__
