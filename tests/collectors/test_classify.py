"""Messages of real compilers and validators find their class; what is no class is "other"."""

import ast
import subprocess
import sys

import pytest

from mens_console.collectors import classify as room
from mens_console.collectors.classify import classify, histogram
from mens_contracts.diagnostics import IDS


@pytest.mark.parametrize(
    ("message", "category"),
    [
        ("'(' was never closed", "syntax_punctuation"),
        ("expected ':'", "syntax_punctuation"),
        ("error: expected `;`, found `}`", "syntax_punctuation"),
        ("';' expected. ts1005", "syntax_punctuation"),
        ("unterminated string literal (detected at line 1)", "syntax_punctuation"),
        ("expected an indented block after 'if' statement on line 1", "indentation_layout"),
        ("unindent does not match any outer indentation level", "indentation_layout"),
        ("TabError: inconsistent use of tabs and spaces in indentation", "indentation_layout"),
        ("error[E0308]: mismatched types: expected `u32`, found `&str`", "type_mismatch"),
        ("Type 'string' is not assignable to type 'number'. TS2322", "type_mismatch"),
        ('Incompatible return value type (got "int", expected "str")', "type_mismatch"),
        ("f() missing 1 required positional argument: 'x'", "type_mismatch"),
        ("No module named 'numpyy'", "invalid_import"),
        ("error[E0432]: unresolved import `std::foo`", "invalid_import"),
        ("Cannot find module './x' or its corresponding type declarations. TS2307", "invalid_import"),
        ("name 'total' is not defined", "invalid_import"),
        ("route /users/{id} has no handler for path parameter id", "route_schema_mismatch"),
        ("response does not match the schema: missing property 'name'", "route_schema_mismatch"),
        ("actor Counter has no receive for message Inc", "actor_workflow_misuse"),
        ("activity called outside of a workflow", "actor_workflow_misuse"),
        ("'await' outside async function", "actor_workflow_misuse"),
        ("'break' outside loop", "actor_workflow_misuse"),
        ("the moon is full", "other"),
        ("", "other"),
    ],
)
def test_a_message_finds_its_class(message, category):
    assert classify(message) == category


def test_every_class_can_be_found_and_is_the_contracts():
    assert {category for category, _ in room._TABLE} | {"other"} == set(IDS)


@pytest.mark.parametrize(
    ("code", "category"),
    [
        ("if x\n    pass", "syntax_punctuation"),
        ("f(1, 2", "syntax_punctuation"),
        ("if x:\npass", "indentation_layout"),
        ("  x = 1", "indentation_layout"),
        ("x = 'a", "syntax_punctuation"),
        ("1 = x", "syntax_punctuation"),
    ],
)
def test_what_this_python_says(code, category):
    with pytest.raises(SyntaxError) as raised:
        ast.parse(code)
    assert histogram([raised.value]) == {category: 1}
    assert histogram([raised.value.msg]) == {category: 1}


@pytest.mark.parametrize(
    ("code", "category"),
    [
        ("import no_such_module", "invalid_import"),
        ("print(nowhere)", "invalid_import"),
        ("1 + 'a'", "type_mismatch"),
        ("len(3)", "type_mismatch"),
    ],
)
def test_the_last_line_of_a_traceback(code, category):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert classify(done.stderr.splitlines()[-1]) == category


class Report:
    message = "';' expected"
    code = "TS1005"


def test_a_diagnostic_comes_in_many_forms():
    found = histogram(
        [
            "expected ':'",
            {"message": "No module named x"},
            {"msg": "expected ':'", "category": "Type Error"},
            {"message": "whatever", "category": "borrow checker"},
            Report(),
            ImportError("x"),
            {"code": "E0308", "message": "no"},
            {},
            17,
        ]
    )
    assert found == {
        "syntax_punctuation": 2, "invalid_import": 2, "type_mismatch": 2, "borrow_checker": 1, "other": 2,
    }  # fmt: skip
