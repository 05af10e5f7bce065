"""A model server that only pretends: it streams words as an OpenAI-compatible server does, and goes wrong as told.

Standard library alone, a process of its own or inside a test's event loop; nothing here measures anything. What the
package offers is loaded when it is used, so that a command's help, which needs the knobs alone, stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mens_console.load.fake.knobs import KnobError, Knobs, knobs_of
    from mens_console.load.fake.script import Entry, Script, ScriptError, parse_script, read_script
    from mens_console.load.fake.server import FakeServer
    from mens_console.load.fake.truth import Truth

__all__ = [
    "Entry",
    "FakeServer",
    "KnobError",
    "Knobs",
    "Script",
    "ScriptError",
    "Truth",
    "knobs_of",
    "parse_script",
    "read_script",
]

_WHERE: Final = {
    "knobs": ("KnobError", "Knobs", "knobs_of"),
    "script": ("Entry", "Script", "ScriptError", "parse_script", "read_script"),
    "server": ("FakeServer",),
    "truth": ("Truth",),
}


def __getattr__(name: str) -> Any:
    """Load what is asked for by its name."""
    for module, names in _WHERE.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
