"""Code is left alone; words around it, between it and instead of it are found."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mens_console
from mens_console.collectors.strictness import extras

CODE = "def add(a, b):\n    return a + b\n"


@pytest.mark.parametrize(
    ("output", "kinds"),
    [
        (CODE, ()),
        ("", ()),
        ("\n\n", ()),
        (f"```python\n{CODE}```\n", ("markdown_fence",)),
        (f"~~~\n{CODE}~~~", ("markdown_fence",)),
        (f"Here is the function `add(a, b)` you asked for:\n\n{CODE}", ("prose",)),
        (f"Here’s the code:\n```\n{CODE}```\nEnjoy!", ("prose", "markdown_fence")),
        (f"{CODE}\nHope this helps!", ("prose",)),
        (f"Sure, this adds two numbers.\n{CODE}", ("prose",)),
        (f"The function below adds two numbers\n{CODE}", ("prose",)),
        ("I cannot write that program for you.", ("prose",)),
        (f"{CODE}\nNow we define its sibling.\n\n{CODE}", ("narration",)),
        (f"import os\n\nStep 2: read the file\n{CODE}", ("narration",)),
        (f"<think>\nadd them\n</think>\n{CODE}", ("prose", "narration")),
        (f"<|assistant|>\n{CODE}", ("narration",)),
        (f"Sure!\n{CODE}", ("prose",)),
        (f"{CODE}\nDone.", ("prose",)),
        (f"Here you go\n{CODE}", ("prose",)),
        (f"OK, so the user wants to add.\n{CODE}", ("prose",)),
        (f"Fixed version below\n{CODE}", ("prose",)),
        (f"1. Define the function\n2. Return the sum\n{CODE}", ("prose",)),
        (f"以下是代码：\n{CODE}\n这个函数返回两个数的和。", ("prose",)),
        (f"다음은 요청하신 코드입니다:\n{CODE}", ("prose",)),
        (f"{CODE}\nWait, that is wrong.\n{CODE}", ("narration",)),
        (f"Certainly! Here it is.\n{CODE}\nThis function adds.\n{CODE}\nLet me know.", ("prose", "narration")),
    ],
)
def test_what_an_output_holds_beside_code(output, kinds):
    assert extras(output).kinds == kinds


@pytest.mark.parametrize(
    "code",
    [
        '"""Here is what this module does, in one sentence."""\n',
        'def f():\n    """Add.\n\n    Here is how it works: it adds two numbers.\n    """\n',
        "# This function adds two numbers together.\nx = 1\n",
        "/*\nThis function adds two numbers.\n*/\nint x;\n",
        "// Note that this is a comment.\n",
        "SELECT name FROM users WHERE active\n",
        "while there is not done:\n    pass\n",
        'answer: str = "x"\noutput = 3\nexample: [1, 2]\n',
        "component Counter() {\n  view: <div>Hello there my friend.</div>\n}\n",
        "route GET /users/{id} -> User\n",
        "for f in a b; do\n  echo $f\ndone\n",
        "<Button>\n  Click me to see the whole list now.\n</Button>\n",
        "1.5\n2. * x\n",
        "print('以下是代码：')\n名 = 1\n",
        "fixed version = 3\n",
        "let's = 1;\n",
    ],
)
def test_code_comments_and_quoted_text_are_no_words(code):
    assert extras(code).kinds == ()
    assert extras(code).code_bytes == len(code.replace("\n\n", "\n").encode())


def test_real_modules_are_nothing_but_code():
    """A third of this package's own modules, with all their docstrings: a false alarm in fifty is what it may cost.

    It looks at lines and knows no grammar: a docstring that holds a listing may still mislead it.
    """
    modules = sorted(Path(mens_console.__file__).parent.rglob("*.py"))[::3]
    assert len(modules) > 40
    flagged = {module.name: found for module in modules if (found := extras(module.read_text("utf-8")).kinds)}
    assert len(flagged) <= len(modules) / 50, flagged


def test_only_the_code_is_counted():
    assert extras(f"Here it is, as you wished:\n```python\n{CODE}```\nEnjoy!").code_bytes == len(CODE)
    assert extras("# ș\n").code_bytes == 5


@given(st.text(max_size=400))
def test_any_text_is_looked_through(output):
    found = extras(output)
    assert 0 <= found.code_bytes <= len(output.encode("utf-8", "replace")) + output.count("\n") + 1


@pytest.mark.parametrize(
    "output", ["`" * 300_000, "<think>" * 40_000, "A a " * 100_000 + "=", " " * 500_000, '"""' * 90_000]
)
def test_hostile_output_ends(output):
    assert extras(output) is not None


def test_what_is_called_code_here_is_what_python_takes():
    for code in ("x = 1\n", CODE, "for i in range(3):\n    print(i)\n"):
        ast.parse(code)
        assert extras(code).kinds == ()
