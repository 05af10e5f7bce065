"""A release to judge on the gate's screen: a profile, its evidence in files, and how a person types."""

import json
import os
from dataclasses import replace
from pathlib import Path

from screens.box import NOW, box, snapshot
from screens.conftest import settle, text_of, until

from mens_console.gate import drafts

CRITERION = """
[[criteria]]
id = "{id}"
title = "{title}"
dimension = "{dimension}"
metric = "{metric}"
unit = "{unit}"
pass = "{passes}"
{more}
remedy = "{remedy}"
"""
MANUAL = """
[[criteria]]
id = "notes"
title = "Release notes final"
manual = true
remedy = "Finish them."
"""
HEAD = """schema = "mens-gate-profile/1"
id = "small"
title = "A small release"
approvals = {approvals}
unsigned = {unsigned}
"""


def criterion(id, title, dimension, metric, unit, passes, more="", remedy="Repair it."):
    return CRITERION.format(
        id=id, title=title, dimension=dimension, metric=metric, unit=unit, passes=passes, more=more, remedy=remedy
    )


COVERAGE = criterion(
    "4.1", "Code coverage", "engineering", "coverage", "%", ">90", 'conditional = "85..90"\nfail = "<85"',
    "Write tests for what no test runs.",
)  # fmt: skip
COMPLEXITY = criterion(
    "4.3", "Mean complexity", "engineering", "complexity", "per function", "<5", 'conditional = "5..7"\nfail = ">7"'
)
TESTS = criterion("tests", "Tests", "tests", "tests_failed", "tests", "<=0", 'fail = ">0"')
DOCUMENTED = criterion("4.2", "Documented APIs", "engineering", "documented", "%", ">=95", 'fail = "<95"')


class Release:
    """A folder with a profile and evidence."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.evidence = self.folder / "evidence"
        self.evidence.mkdir()

    def profile(self, *criteria, approvals=1, unsigned=False, lenient=False):
        text = HEAD.format(approvals=approvals, unsigned=str(unsigned).lower())
        text += "conditional_passes = true\n" * lenient + "".join(criteria)
        (self.folder / "release.toml").write_text(text)

    def write(self, name, text, age=3600.0):
        path = self.evidence / name
        path.write_text(text)
        os.utime(path, (NOW - age, NOW - age))

    def coverage(self, percent=93.0, age=3600.0):
        lines = round(10 * percent)
        totals = {"num_statements": 1000, "covered_lines": lines, "missing_lines": 1000 - lines,
                  "percent_covered": percent}  # fmt: skip
        file = {"summary": {"num_statements": 1000, "covered_lines": lines, "percent_covered": percent}}
        document = {"meta": {"format": 3, "version": "7.6.1"}, "files": {"a.py": file}, "totals": totals}
        self.write("coverage.json", json.dumps(document), age)

    def complexity(self, mean):
        blocks = [{"type": "function", "name": f"f{i}", "complexity": mean, "lineno": i} for i in range(10)]
        self.write("radon_cc.json", json.dumps({"a.py": blocks}))

    def junit(self, failures):
        cases = "".join(f'<testcase classname="t" name="t{i}" time="0.1">{"<failure/>" * (i < failures)}</testcase>'
                        for i in range(4))  # fmt: skip
        self.write("junit.xml", f'<testsuite name="pytest" errors="0" failures="{failures}" skipped="0" tests="4">'
                   f"{cases}</testsuite>")  # fmt: skip

    def all_verdicts(self):
        """Give one of each verdict."""
        self.profile(COVERAGE, COMPLEXITY, TESTS, DOCUMENTED, MANUAL)
        self.coverage()
        self.complexity(6)
        self.junit(1)

    def good(self, **rules):
        """Give what passes but for a person's mark."""
        self.profile(COVERAGE, MANUAL, **rules)
        self.coverage()

    def conditional(self, *, mean=6, **rules):
        """Give one criterion that is CONDITIONAL, and one that passes."""
        self.profile(COVERAGE, COMPLEXITY, **{"lenient": True} | rules)
        self.coverage()
        self.complexity(mean)

    def chosen(self, release="1.2.0", mark=True):
        """Have it chosen before the console starts; the manual check marked where wished."""
        releases = {"./release.toml": release} if release else {}
        drafts.save_last(drafts.Last("./release.toml", releases, ()))
        if mark and release:
            drafts.save_mark("small", release, drafts.Mark("notes", True, "read them all", "ada", NOW - 60))

    def snapshot(self, **changes):
        return replace(snapshot(box()), roots=(Path("evidence"),), **changes)


async def opened(app, pilot, *keys):
    """Go to the gate and wait for its first verdicts."""
    await pilot.press("9")
    await until(pilot, lambda: app.room.bench.judged is not None or app.room.bench.trouble)
    await pilot.press(*keys)
    await settle(pilot, 5)
    return app.room


async def shows(app, pilot, text):
    """Wait for a text on screen, wherever the lines of it break."""
    try:
        await until(pilot, lambda: text in text_of(app) or text in " ".join(text_of(app).replace("│", " ").split()))
    except AssertionError:
        raise AssertionError(f"{text!r} is not on:\n{text_of(app)}") from None


async def by_hand(pilot, text):
    """Type as fingers do: one key after the other, once there was time to read."""
    await pilot.pause(0.35)
    for char in text:
        await pilot.press(named(char))
        await pilot.pause(0.012)


def named(char):
    return {" ": "space", ".": "full_stop", "-": "minus"}.get(char, char)
