import re
import subprocess
import sys
from pathlib import Path

import pytest

from mens_console.cli.parser import COMMANDS
from mens_console.ingest.formats import FORMATS

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("script", ["generate_docs.py", "export_schemas.py", "export_dashboards.py"])
def test_what_is_generated_is_current(script):
    if script == "generate_docs.py" and sys.version_info >= (3, 13):
        pytest.skip("newer Pythons print the help of commands in other words")
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / script), "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), target


def test_every_page_is_listed_and_leads_on():
    readme = (ROOT / "README.md").read_text()
    for page in sorted((ROOT / "docs").glob("*.md")):
        assert f"](docs/{page.name})" in readme, page.name
        assert re.search(r"\]\((?!https:|#)[^)]+\.md", page.read_text()), f"{page.name} is a dead end"


def test_the_readme_names_every_command_and_format():
    text = (ROOT / "README.md").read_text() + (ROOT / "docs/headless.md").read_text()
    for name in COMMANDS:
        assert f"mens-console {name}" in text
    for entry in FORMATS:
        assert f"| `{entry.name}` |" in text


def test_make_has_every_target_that_is_told_of():
    text = (ROOT / "Makefile").read_text()
    for page in PAGES:
        for target in re.findall(r"\bmake ([a-z]+) {2,}#", page.read_text()):
            assert re.search(rf"^{target}:", text, re.MULTILINE), target
