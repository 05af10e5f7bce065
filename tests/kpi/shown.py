"""The console blocks of docs/kpis.md, run again; as a program it writes them anew."""

import contextlib
import io
import re
from pathlib import Path

from mens_console.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/kpis.md"
BLOCK = re.compile(r"```console\n\$ mens-console (.*)\n((?:(?!```).*\n)*)```")


def output(words):
    """Return what the command line prints, its ages left out."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        main(words.split())
    return re.sub(r", newest \S+ ago", "", out.getvalue())


if __name__ == "__main__":
    PAGE.write_text(
        BLOCK.sub(lambda found: f"```console\n$ mens-console {found[1]}\n{output(found[1])}```", PAGE.read_text())
    )
