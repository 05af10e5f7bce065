"""The report as Markdown, as HTML and as a page of the terminal: whole, escaped, and no wider than asked for."""

import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from rich.cells import cell_len
from soak.handmade import Record, minute, plan, quick

from mens_console.cli.soakpage import page
from mens_console.cli.status import paint, plain
from mens_console.gate.rendering import html, markdown
from mens_console.soak.analyse import Analyst
from mens_console.soak.drawings import _level, groups
from mens_console.soak.report import MOST_INCIDENTS, report, title
from mens_console.soak.types import Event, Minute, ProbeAt

EVIL = '<script>alert(1)</script> [x](http://evil) | \x1b[2J "quoted"'


def found(**more):
    minutes = [minute(i, rate=2, down=[(130, 250)], levels={"rss": 8e9 + i * 1e7}) for i in range(60)]
    told = {"minutes": minutes, "now_s": 3600.0, "plan": plan(limits={"rss": 16e9}), "state": "finished"}
    return Analyst("/data/soak").update(Record(**told | more))


def hostile():
    bad = Minute(0, probes=[ProbeAt(i * 10.0, False, None, EVIL) for i in range(6)], closed=True)
    return found(
        minutes=[bad, *[quick(i) for i in range(1, 9)]],
        plan=plan(model=EVIL, url=f"http://x/{EVIL}", tags={EVIL: EVIL}),
        events=[Event(5.0, EVIL, EVIL)],
        problems=[EVIL],
        why=EVIL,
    )


class Page(HTMLParser):
    """Counts tags and gathers what is shown."""

    def __init__(self):
        super().__init__()
        self.tags, self.text = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


def parsed(text):
    made = Page()
    made.feed(text)
    return made


def test_html_is_one_file_without_script_and_with_pictures():
    one = found()
    text = html(report(one), title(one))
    made = parsed(text)
    names = {tag for tag, _ in made.tags}
    assert "script" not in names
    assert not names & {"img", "link", "iframe", "object", "a"}
    assert sum(tag == "svg" for tag, _ in made.tags) == 4
    assert not [value for _, attributes in made.tags for name, value in attributes.items() if name in ("src", "href")]
    shown = " ".join(made.text)
    for words in ("Soak of llama-7b", "✖ FAIL", "100 % of requests fail: connection refused", "growing", "0:02:10"):
        assert words in shown


def test_what_others_wrote_is_text_in_every_face():
    one = hostile()
    made = parsed(html(report(one), title(one)))
    assert "script" not in {tag for tag, _ in made.tags}
    assert "<script>alert(1)</script>" in " ".join(made.text)
    text = markdown(report(one))
    assert "<script>" not in text
    assert not re.search(r"(?<!\\)\]\(", text)
    for shown in (text, "\n".join(page(report(one), 80, plain)), html(report(one), title(one))):
        assert "\x1b" not in shown


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("make", [found, hostile])
def test_a_page_is_no_wider_than_the_terminal(width, make):
    lines = page(report(make()), width, plain)
    assert max(map(cell_len, lines)) <= width
    assert not [line for line in lines if line != line.rstrip()]


def test_colour_adds_nothing_but_colour():
    one = report(found())
    drawn = "\n".join(page(one, 100, paint))
    assert "\x1b[" in drawn
    assert re.sub(r"\x1b\[[0-9;]*m", "", drawn) == "\n".join(page(one, 100, plain))


def test_the_page_says_what_was_found():
    text = re.sub(" +", " ", "\n".join(page(report(found()), 120, plain)))
    for words in (
        "✖ FAIL uptime 96.66 %",
        "12 failed probes of 360",
        "mean time to repair",
        "▲ growing RSS",
        "600 MB (600 MB to 600 MB)",
        "0:02:10 2 m",
    ):
        assert words in text, words


def test_nothing_yet_is_not_fine():
    text = "\n".join(page(report(found(minutes=[], now_s=0.0, state="starting")), 80, plain))
    assert "✔" not in text
    assert text.count("○ no data") >= 2


def test_many_incidents_are_cut_and_said_to_be():
    probes = [[ProbeAt(i * 60.0 + j * 10, j > 2, 1.0) for j in range(6)] for i in range(150)]
    one = found(minutes=[Minute(i, probes=probes[i], closed=True) for i in range(150)], now_s=9000.0)
    assert len(one.incidents) == 150
    text = markdown(report(one))
    assert f"The newest {MOST_INCIDENTS} of 150." in text
    assert text.count("probes fail") == MOST_INCIDENTS


def test_columns_take_minutes_together_by_time():
    column, width = groups([quick(i) for i in (0, 1, 2, 700)], 240)
    assert (width, column.tolist()) == (3, [0, 0, 0, 233])
    column, width = groups([quick(7)], 240)
    assert (width, column.tolist()) == (1, [0])


def test_the_darkest_shade_is_that_of_the_most():
    """Whatever the greatest count is: rounding must not lift it beyond the last shade."""
    for most in range(1, 3000):
        level = _level(np.array([0, 1, most]), math.log1p(most), 6)
        assert (level[0], level[2]) == (0, 6)
        assert 1 <= level[1] <= 6
