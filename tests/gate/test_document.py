"""The document, the report and the difference of evaluations: whole, by contract, and safe whatever they are told."""

import copy
import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import markdown_it
import pytest
from gate.made import NOW, band, criterion, item, manifest, mark, profile, waiver
from hypothesis import given, settings
from hypothesis import strategies as st

from mens_console.gate.diff import gate_diff
from mens_console.gate.document import gate_document
from mens_console.gate.evaluate import evaluate
from mens_console.gate.rendering import escaped, html, markdown
from mens_console.gate.report import report
from mens_console.gate.types import Baseline, Check, EvidenceFile
from mens_console.ingest.text import safe_text
from mens_contracts.registry import CONTRACTS

FOLDER = Path(__file__).parents[2] / "contracts"
CRITERIA = (
    criterion("throughput_single", ">=115", "105..115", remedy="profile prefill"),
    replace(criterion("ttft_p50", "<100"), requires=(("ttft_p99", band("<150"), None),), decide_on="bound"),
    criterion("task_success", None, baseline=Baseline("base.json", "b" * 64, 5.0)),
    replace(criterion("bugs", None), metric="", manual=True, title="No known bugs"),
)


def checked(document):
    schema = json.loads((FOLDER / CONTRACTS[document["schema"]].schema_file).read_text())
    jsonschema.Draft202012Validator(schema).validate(document)
    return json.loads(json.dumps(document, allow_nan=False))


def evaluated(*items, more=None, **given):
    checks = (Check("all met", ("throughput_single", "bugs")), Check("signed"))
    one = profile(*CRITERIA, checklist=checks, conditional_passes=True, **(more or {}))
    return evaluate(one, manifest(*items), release="3.0", now=NOW, **given)


def document(*items, **given):
    return checked(gate_document(evaluated(*items, **given)))


def rate(value, **more):
    return item("throughput_single", value, "tokens/s", **more)


def test_the_document_is_what_the_contract_says():
    told = document(
        rate(110.0, samples=(109.0, 111.0)),
        item("ttft_p50", 80.0, "ms", counts=((80.0, 100),)),
        item("ttft_p99", 80.0, "ms", counts=((80.0, 100),)),
        marks=[mark("bugs")],
        waivers=[waiver("throughput_single"), waiver("ttft_p50", due=NOW - 1)],
        approvals=["ann"],
    )
    assert (told["profile"], told["release"], told["approvals"], told["verdict"]) == (
        "release",
        "3.0",
        ["ann"],
        "UNDERFED",
    )
    assert [one["counts"] for one in told["waivers"]] == [True, False]
    first, second, third, fourth = told["criteria"]
    assert (first["verdict"], first["waived"], first["value"], first["n"]) == ("CONDITIONAL", True, 110.0, 2)
    assert (first["pass"], first["conditional"]) == (">=115", "105..115")
    assert first["interval"] == pytest.approx([110 - 6.3138, 110 + 6.3138], abs=1e-3)
    assert first["evidence"][0]["path"] == "a.json"
    assert first["evidence"][0]["mtime"] == NOW - 60
    assert second["verdict"] == "CONDITIONAL"
    assert second["requires"][0]["interval"] == [80.0, None]
    assert second["requires"][0]["pass"] == "<150"
    assert second["needed_n"] == 299
    assert third["pass"] == "at most 5 worse than base.json"
    assert (fourth["verdict"], fourth["pass"], fourth["value"]) == ("PASS", None, None)
    assert told["checklist"] == [
        {"title": "all met", "verdict": "CONDITIONAL", "criteria": ["throughput_single", "bugs"]},
        {"title": "signed", "verdict": None, "criteria": []},
    ]


def test_a_derived_value_names_all_its_places():
    places = (("fp32.json", "f" * 64, "/a"), ("int4.json", "4" * 64, "/b"))
    told = document(rate(120.0, sources=places))
    assert [one["path"] for one in told["criteria"][0]["evidence"]] == ["fp32.json", "int4.json"]


def test_numbers_that_json_lacks_are_null():
    told = document(rate(float("nan")), item("ttft_p50", float("inf"), "ms", at=float("nan")))
    assert told["criteria"][0]["value"] is None
    assert told["criteria"][1]["value"] is None
    assert told["criteria"][1]["verdict"] == "FAIL"


class Page(HTMLParser):
    """Collects what a browser would see: tags and text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


HOSTILE = '<script>alert(1)</script><img src=x onerror="x()">|`[a](javascript:x)`\n# head\x1b[31m\u202e'


def hostile():
    files = (EvidenceFile(HOSTILE, "s" * 64, 1, NOW, "x", HOSTILE),)
    bad = replace(CRITERIA[0], title=HOSTILE, dimension=HOSTILE, remedy=HOSTILE)
    one = replace(profile(bad, CRITERIA[3]), title=HOSTILE)
    evidence = manifest(rate(90.0, path=HOSTILE, tags={HOSTILE: HOSTILE}, note=HOSTILE), files=files)
    found = evaluate(one, evidence, release=HOSTILE, now=NOW, marks=[mark("bugs", note=HOSTILE, by=HOSTILE)])
    return checked(gate_document(found))


def test_a_page_holds_no_markup_but_its_own():
    told = hostile()
    page = Page(html(report(told), told["release"]))
    assert set(page.tags) <= {"html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "ul", "li",
                              "table", "tr", "th", "td"}  # fmt: skip
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("src", "href")]
    assert "<script>alert(1)</script>" in page.text  # told as text
    assert "\x1b" not in page.text
    assert "\u202e" not in page.text


def test_markdown_holds_no_markup_but_its_own():
    text = markdown(report(hostile()))
    page = Page(markdown_it.MarkdownIt("gfm-like", {"linkify": False}).render(text))
    assert set(page.tags) <= {"h1", "h2", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td"}
    assert "<script>alert(1)</script>" in page.text
    assert "\x1b" not in page.text


@settings(deadline=None)
@given(st.text(max_size=60))
def test_markdown_shows_the_text_itself(text):
    shown = safe_text(text).strip()
    rendered = markdown_it.MarkdownIt("gfm-like", {"linkify": False}).render("- " + escaped(text))
    page = Page(rendered)
    assert set(page.tags) <= {"ul", "li"}
    assert " ".join(page.text.split()) == " ".join(shown.split())


def test_a_report_does_not_round_a_value_over_its_edge():
    assert "| ▲ CONDITIONAL | throughput\\_single | 114.99999 tokens/s | \\>=115 |" in markdown(
        report(document(rate(114.99999)))
    )


def test_an_empty_report_says_so():
    text = markdown(report(document()))
    assert "None was read." in text
    assert "- throughput\\_single: nothing gives throughput\\_single: no evidence was read." in text


def change(old, new, name="throughput_single"):
    told = checked(gate_diff(old, new))
    return next(one for one in told["changes"] if one["id"] == name), told


def test_a_verdict_that_got_worse():
    one, told = change(document(rate(120.0)), document(rate(110.0)))
    assert (one["change"], one["text"]) == ("worse", "PASS → CONDITIONAL; 120 → 110 tokens/s")
    assert told["worse"]
    assert told["changes"][0]["id"] == "throughput_single"


def test_a_verdict_that_got_better():
    one, told = change(document(rate(90.0)), document(rate(120.0)))
    assert one["change"] == "better"
    assert not told["worse"]


def test_lost_evidence_is_no_progress():
    one, _ = change(document(rate(90.0)), document())
    assert (one["change"], one["text"]) == ("same", "FAIL → UNDERFED; has no value any more")
    assert change(document(rate(120.0)), document())[0]["change"] == "worse"


def test_a_value_within_the_bounds_of_both_is_no_change():
    runs = {"samples": (118.0, 120.0, 122.0)}
    near = document(rate(121.0, samples=(119.0, 121.0, 123.0)))
    one, told = change(document(rate(120.0, **runs)), near)
    assert (one["change"], one["text"]) == ("same", "120 → 121 tokens/s, within the bounds of both")
    assert not told["worse"]
    far = document(rate(140.0, samples=(138.0, 140.0, 142.0)))
    assert change(document(rate(120.0, **runs)), far)[0]["change"] == "better"
    one, told = change(far, document(rate(120.0, **runs)))
    assert one["change"] == "worse"
    assert told["worse"]


def test_other_eval_sets_are_not_compared():
    old, new = (document(rate(value, tags={"eval_set": name})) for value, name in ((140.0, "v1"), (120.0, "v2")))
    one, told = change(old, new)
    assert (one["change"], one["text"]) == ("same", "eval set v1 is not compared with v2")
    assert not told["worse"]


def test_what_is_no_longer_judged_counts_as_worse():
    old = document(rate(120.0))
    new = copy.deepcopy(old)
    del new["criteria"][0]
    one, told = change(old, new)
    assert one["change"] == "removed"
    assert told["worse"]
    assert change(new, old)[0]["change"] == "added"


def test_notes_and_files():
    old = document(rate(120.0))
    new = document(rate(120.0, sha256="n" * 64), more={"sha256": "q" * 64})
    new["criteria"][0]["pass"] = ">=100"
    _, told = change(old, new)
    assert told["evidence"] == ["changed: a.json"]
    assert told["notes"] == [
        "the profile release was changed in between",
        "throughput_single asked for >=115 or 105..115, now for >=100 or 105..115",
    ]
    assert not told["worse"]
