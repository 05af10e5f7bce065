"""`mens-console kpi`: exit statuses, the document against its contract, refusals, and lines that fit."""

import json

import pytest
from kpi.rows import attempt, event, failing, summary, write
from rich.cells import cell_len

from mens_contracts.kpi import KpiDocument


def models(box, good=30, bad=12):
    rows = [
        event(f"t{i}", attempt(1, ok=i < passed), model=model, task_set="set 1")
        for model, passed in (("good", good), ("bad", bad))
        for i in range(40)
    ]
    return write(box / "e.jsonl", rows)


def test_worse_in_a_kpi_that_decides_is_a_no(cli, box):
    path = models(box)
    assert cli("kpi", path)[0] == 0
    assert cli("kpi", path, "--model", "good", "--against", "bad")[0] == 0
    status, out, _ = cli("kpi", path, "--model", "bad", "--against", "good")
    assert status == 1
    assert "✖ worse     CompilePass@1" in out


def test_the_document_keeps_to_its_contract(cli, box):
    path = models(box)
    write(box / "other.jsonl", [event(f"x{i}", *failing(3, 3, 3), model="never") for i in range(8)])
    status, out, _ = cli("kpi", box, "--json", "--model", "good", "--against", "bad")
    document = KpiDocument.model_validate_json(out)
    assert status == 0
    assert [one.model for one in document.models] == ["good"]
    assert (document.comparison.base, document.comparison.other) == ("bad", "good")
    assert {delta.verdict for delta in document.comparison.deltas if delta.id == "compile_pass_at_1"} == {"better"}
    assert {source.path for source in document.sources} == {str(path), str(box / "other.jsonl")}
    assert any(feed.state == "underfed" and feed.nearest == "success" for feed in document.feeds)


def test_what_has_no_end_is_null_with_words(cli, box):
    path = write(box / "e.jsonl", [event(f"x{i}", *failing(3, 3, 3)) for i in range(8)])
    values = json.loads(cli("kpi", path, "--json")[1])["models"][0]["values"]
    median = next(value for value in values if value["id"] == "time_to_first_valid_ms")
    assert (median["value"], median["interval"]) == (None, None)
    assert median["reason"].startswith("the median is longer than anybody waited")
    missing = next(value for value in values if value["id"] == "task_success")
    assert (missing["value"], missing["n"]) == (None, 0)


def test_against_a_file_compares_models_of_one_name_by_pairs(cli, box):
    old = write(box / "old" / "e.jsonl", [event(f"t{i}", attempt(1, ok=i < 10)) for i in range(40)])
    new = write(box / "new" / "e.jsonl", [event(f"t{i}", attempt(1, ok=i < 30)) for i in range(40)])
    status, out, _ = cli("kpi", new, "--against", old)
    assert (status, "m against m (" in out, "40 pairs" in out) == (0, True, True)
    assert cli("kpi", old, "--against", new)[0] == 1


def test_different_sets_of_tasks_are_refused_unless_forced(cli, box):
    one = models(box)
    two = write(box / "two" / "s.json", [summary()])
    status, _, err = cli("kpi", one, "--model", "good", "--against", two)
    assert status == 2
    assert "good on task set set 1" in err
    assert "--force" in err
    status, out, err = cli("kpi", one, "--model", "good", "--against", two, "--force")
    assert (status, "compared all the same" in err) == (1, True)
    assert "good against qlora" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--against", "nobody"), "nobody: neither a file nor a model; there are:"),
        (("--model", "nobody"), "nobody: no such model; there are:"),
        (("--model", "good", "--against", "good"), "compared with itself"),
    ],
)
def test_what_cannot_be_compared_is_said_with_what_could(cli, box, words, said):
    status, _, err = cli("kpi", models(box), *words)
    assert status == 2
    assert said in err


def test_nothing_readable_is_two(cli, box):
    status, out, err = cli("kpi", box)
    assert (status, out) == (2, "")
    assert "no KPI records" in err
    assert cli("kpi", box / "gone")[0] == 2
    (box / "b.jsonl").write_bytes(b"\0\1\2 nothing\n" * 9)
    status, _, err = cli("kpi", box / "b.jsonl")
    assert status == 2
    assert f"9 rows could not be read, first at {box / 'b.jsonl'}:1" in err


def test_lines_fit_and_foreign_text_cannot_steer(cli, box):
    rows = [
        event(f"t{i}", attempt(1, ok=False, diagnostics={"x" * 60: 1}), attempt(2), model=name, lane="l" * 90)
        for i in range(9) for name in ("m\x1b[31m" + "w" * 90, "n" * 200)
    ]  # fmt: skip
    status, out, _ = cli("kpi", write(box / "e.jsonl", rows))
    assert status == 0
    assert "\x1b" not in out
    assert max(map(cell_len, out.splitlines())) <= 80
    out = cli("kpi", box / "e.jsonl", "--model", "m", "--against", "n" * 200)[1]
    assert "against" in out
    assert max(map(cell_len, out.splitlines())) <= 80
