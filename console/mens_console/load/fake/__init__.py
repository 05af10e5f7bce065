"""A model server that only pretends: it streams words as an OpenAI-compatible server does, and goes wrong as told.

Standard library alone, a process of its own or inside a test's event loop; nothing here measures anything.
"""

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
