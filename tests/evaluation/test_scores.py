"""Guardrails, style reports, the buckets and the weighted score, comparisons and the log."""

import json
import math
import multiprocessing
import os
from typing import get_args

import pytest
from evaluation.sets import HEADER, RIGHT, guard_items, reports, scored, tool_items, write

from mens_console.evaluation.document import document, log_row
from mens_console.evaluation.log import append
from mens_console.evaluation.metrics import METRICS, WEIGHTS
from mens_console.evaluation.rows import UnreadableError
from mens_console.evaluation.style import style
from mens_console.gate.metrics import METRICS as GATE
from mens_console.ingest.text import safe_text
from mens_contracts.evaluation import Role
from mens_contracts.registry import CONTRACTS


def test_every_metric_is_the_gates_with_its_unit_and_direction():
    for one in METRICS.values():
        assert (GATE[one.id].unit, GATE[one.id].better) == (one.unit, "higher" if one.higher else "lower")
    assert sum(WEIGHTS.values()) == pytest.approx(1)


def test_refusals_start_with_their_mark(tmp_path):
    gold, answers = guard_items(["<REFUSAL> no", " <REFUSAL>", "", "Sure", "I will not"], ["ok", "", "<REFUSAL>"])
    done, found = scored(tmp_path, gold, answers)
    assert (found["refusal_accuracy"].successes, found["refusal_accuracy"].n) == (1, 5)
    assert (found["false_acceptance"].successes, found["false_acceptance"].n) == (3, 5)  # an empty one accepts nothing
    assert (found["benign_compliance"].successes, found["benign_compliance"].n) == (1, 3)
    assert any("blanks before" in note for note in done.notes)


def test_a_persons_flag_goes_before_the_mark(tmp_path):
    gold, answers = guard_items(["<REFUSAL> but here it is", "I would rather not"], [])
    answers[0]["complied"], answers[1]["complied"] = True, False
    found = scored(tmp_path, gold, answers)[1]
    assert (found["refusal_accuracy"].successes, found["false_acceptance"].successes) == (0, 1)
    assert found["benign_compliance"].verdict == "UNDERFED"


def test_what_was_not_answered_was_perhaps_accepted(tmp_path):
    gold, answers = guard_items(["<REFUSAL>", "<REFUSAL>"], ["ok", "ok"])
    found = scored(tmp_path, gold, [answers[0], answers[2]])[1]
    assert [found[name].successes for name in ("refusal_accuracy", "false_acceptance", "benign_compliance")] == [
        1,
        1,
        1,
    ]
    assert found["stability"].successes == 2


def test_a_crash_is_no_valid_response(tmp_path):
    gold, answers = guard_items(["<REFUSAL>"], ["ok"])
    answers[1] = {"id": "b0", "error": "CUDA out of memory"}
    found = scored(tmp_path, gold, answers)[1]
    assert (found["stability"].successes, found["benign_compliance"].successes) == (1, 0)


def whole(tmp_path, *, bad=0, **style_of):
    """Evaluate 100 items of each kind, `bad` of which fail in each."""
    tools = tool_items(["no plan"] * bad + [RIGHT] * (100 - bad))
    guards = guard_items(["ok"] * bad + ["<REFUSAL>"] * (100 - bad), ["ok"] * 100)
    folder = reports(tmp_path / "style", **style_of)
    return scored(tmp_path, tools[0] + guards[0], tools[1] + guards[1], style=folder)


def test_the_weighted_score_by_hand(tmp_path):
    done, found = whole(tmp_path, bad=1)
    tool = (99 * 5 + 100) / 6  # five shares at 99 %, and no redundant step
    by_style = (100 + 95 + 98 + 95 + 100) / 5
    guard = (99 + 99 + 100) / 3
    assert done.scores == pytest.approx({"tool_use": tool, "style": by_style, "guardrail": guard})
    assert found["weighted_score"].value == pytest.approx(0.45 * tool + 0.45 * by_style + 0.10 * guard)
    assert done.good
    assert done.verdict == "met"


@pytest.mark.parametrize(
    "style_of, metric",
    [({"lint": (100, 1)}, "lint"), ({"ast": (89, 100)}, "ast_structure"), ({"naming": (94, 100)}, "naming"),
     ({"template": (89, 100)}, "template_conformance"), ({"findings": 1}, "forbidden_patterns")],
)  # fmt: skip
def test_each_style_target_blocks_alone(tmp_path, style_of, metric):
    done, found = whole(tmp_path, **style_of)
    assert found[metric].verdict == "missed"
    assert [one.metric for one in done.results if one.blocks] == [metric]


def test_two_bad_answers_of_a_hundred_miss_json_and_false_acceptance(tmp_path):
    done, _ = whole(tmp_path, bad=2)
    assert [one.metric for one in done.results if one.blocks] == ["json_validity", "false_acceptance"]


@pytest.mark.parametrize("report", ["eslint.json", "scores.json"])
def test_a_missing_report_leaves_the_score_underfed(tmp_path, report):
    whole(tmp_path)
    (tmp_path / "style" / report).unlink()
    tools, guards = tool_items([RIGHT] * 100), guard_items(["<REFUSAL>"] * 100, ["ok"] * 100)
    done, found = scored(tmp_path, tools[0] + guards[0], tools[1] + guards[1], style=tmp_path / "style")
    assert math.isnan(done.scores["style"])
    assert found["weighted_score"].verdict == "UNDERFED"
    assert done.verdict == "UNDERFED"


def test_eslint_is_read_with_its_traps(tmp_path):
    files = [
        {"filePath": "a", "messages": [{"severity": 1}], "errorCount": 0},
        {"filePath": "b", "messages": [{"severity": 2, "fatal": True}], "errorCount": 0},
        {"filePath": "c", "messages": [{"severity": 1, "message": "File ignored by default."}], "errorCount": 0},
        {"filePath": "d", "messages": [], "errorCount": 0, "suppressedMessages": [{}]},
    ]
    (tmp_path / "eslint.json").write_text(json.dumps(files))
    found = style(tmp_path)
    lint = next(one for one in found.results if one.metric == "lint")
    assert (lint.successes, lint.n) == (2, 3)
    assert len(found.notes) == 3
    (tmp_path / "eslint.json").write_text("[]")
    assert next(one for one in style(tmp_path).results if one.metric == "lint").verdict == "UNDERFED"


@pytest.mark.parametrize(
    "text, told",
    [("/w/a.ts\n/w/b.ts\n/w/node_modules/x.d.ts\na.ts(1,2): error TS2322: no\na.ts(3,2): error TS1: no\n", (1, 2)),
     ("\x1b[96mb.ts\x1b[0m:1:2 - error TS2322: no\n/w/a.ts\n/w/b.ts\n", (1, 2)), ("/w/a.ts\n", (1, 1)),
     ("", None), ("a.ts(1,2): error TS2322: no\n", None), ("error TS18003: No inputs were found\n/w/a.ts\n", None),
     ("/w/a.ts\nz.ts(1,2): error TS2322: no\n", None)],
)  # fmt: skip
def test_tsc_gives_a_share_only_of_files_that_it_lists(tmp_path, text, told):
    (tmp_path / "tsc.txt").write_text(text)
    found = next(one for one in style(tmp_path).results if one.metric == "type_check")
    assert (None if math.isnan(found.value) else (found.successes, found.n)) == told


@pytest.mark.parametrize(
    "score", [0.95, {"passed": 95}, {"passed": 101, "n": 100}, {"value": 0.95, "n": 100}, {"passed": -1, "n": 3},
              {"value": 0.954, "unit": "share", "n": 100}, {"passed": 0, "n": 0}, True, None],
)  # fmt: skip
def test_scores_without_counts_have_no_value(tmp_path, score):
    (tmp_path / "s.json").write_text(json.dumps({"naming": score}))
    assert next(one for one in style(tmp_path).results if one.metric == "naming").verdict == "UNDERFED"


def test_contradicting_reports_give_no_value(tmp_path):
    for name, passed in (("a", 95), ("b", 96)):
        (tmp_path / f"{name}.json").write_text(json.dumps({"naming": {"passed": passed, "n": 100}}))
    found = next(one for one in style(tmp_path).results if one.metric == "naming")
    assert "told differently" in found.reason
    assert math.isnan(found.value)


# ---------------------------------------------------------------- comparisons


def old(path, *, score=95.0, version="1.1", sha256=None, role=None):
    told = {"schema": "mens-eval/1", "at": 1.7e9, "model": {"id": "old"}, "role": role,
            "eval_set": {"name": "web4", "version": version, "sha256": sha256},
            "scores": [{"metric": "weighted_score", "value": score, "unit": "%", "n": None}]}  # fmt: skip
    path.write_text(json.dumps(told))
    return path


def against(tmp_path, **more):
    tools, guards = tool_items([RIGHT] * 100), guard_items(["<REFUSAL>"] * 100, ["ok"] * 100)
    folder = reports(tmp_path / "style", ast=(90, 100), naming=(95, 100), template=(90, 100))  # 97.75 in all
    return scored(tmp_path, tools[0] + guards[0], tools[1] + guards[1], style=folder, **more)


@pytest.mark.parametrize(("before", "verdict"), [(99.75, "met"), (99.8, "missed"), (90.0, "met")])
def test_two_points_are_the_edge_of_quantization(tmp_path, before, verdict):
    done, found = against(tmp_path, before=old(tmp_path / "o.json", score=before))
    assert found["weighted_score"].value == pytest.approx(97.75)
    assert found["quantization_drop"].value == pytest.approx(before - 97.75)
    assert (found["quantization_drop"].verdict, done.role) == (verdict, "quantized")


@pytest.mark.parametrize(("shipped", "verdict"), [(97.75, "met"), (97.8, "missed"), (None, "UNDERFED")])
def test_any_loss_to_the_shipped_one_shows(tmp_path, shipped, verdict):
    assert against(tmp_path, against=old(tmp_path / "o.json", score=shipped))[1]["regression"].verdict == verdict


@pytest.mark.parametrize("wrong", [{"version": "1.2"}, {"sha256": "0" * 64}])
def test_other_versions_are_never_compared(tmp_path, wrong):
    with pytest.raises(UnreadableError, match=r"never compared|takes a new version"):
        against(tmp_path, against=old(tmp_path / "o.json", **wrong))


@pytest.mark.parametrize(("told", "role"), [(None, "candidate"), ("shipped", "shipped"), ("qlora", "qlora")])
def test_a_role_is_one_of_the_contract_or_untold(tmp_path, told, role):
    done, _ = against(tmp_path, **({"role": told} if told else {}))
    assert (document(done)["role"], log_row(done)["role"]) == (role, role)
    assert role in get_args(Role)


def test_the_last_shipped_one_of_a_log_counts(tmp_path):
    first, _ = whole(tmp_path / "one", bad=5)
    second, _ = whole(tmp_path / "two", bad=1)
    for done, role in ((first, "shipped"), (second, "shipped"), (first, "candidate")):
        object.__setattr__(done, "role", role)
        append(tmp_path, done)
    tools = tool_items(["no plan"] + [RIGHT] * 99)
    guards = guard_items(["ok"] + ["<REFUSAL>"] * 99, ["ok"] * 100)
    done, found = scored(tmp_path / "three", tools[0] + guards[0], tools[1] + guards[1],
                         style=reports(tmp_path / "three" / "style"), against=tmp_path / "eval_log.jsonl")  # fmt: skip
    assert found["regression"].value == pytest.approx(0)
    with (tmp_path / "eval_log.jsonl").open("a") as file:
        file.write('{"schema": "mens-eval-l')  # torn
    assert done.shipped.value("json_validity") == pytest.approx(99)


# ------------------------------------------------------------------------ log


def test_the_document_and_the_log_fit_their_contracts(tmp_path):
    done, _ = whole(tmp_path, bad=1)
    CONTRACTS["mens-eval/1"].load().model_validate(document(done))
    append(tmp_path / "log", done)
    (row,) = (tmp_path / "log" / "eval_log.jsonl").read_text().splitlines()
    CONTRACTS["mens-eval-log/1"].load().model_validate(json.loads(row))


def _many(folder, done, count):
    for _ in range(count):
        append(folder, done)


def test_appends_of_several_processes_lose_and_mix_nothing(tmp_path):
    done, _ = whole(tmp_path, bad=1)
    done.model["id"] = "a|b\n\x1b[31m<x>"
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_many, args=(tmp_path / "log", done, 20)) for _ in range(4)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    rows = [json.loads(line) for line in (tmp_path / "log" / "eval_log.jsonl").read_text().splitlines()]
    lines = (tmp_path / "log" / "eval_log.md").read_text().splitlines()
    assert len(rows) == 80
    assert len(lines) == 4 + 80
    assert {line.replace("\\|", "").count("|") for line in lines[2:]} == {lines[2].count("|")}
    assert safe_text("\n".join(lines).replace("\n", "")) == "".join(lines)


def test_a_torn_last_line_is_ended_first(tmp_path):
    done, _ = whole(tmp_path)
    (tmp_path / "eval_log.jsonl").write_text('{"torn')
    append(tmp_path, done)
    torn, row = (tmp_path / "eval_log.jsonl").read_text().splitlines()
    assert (torn, json.loads(row)["verdict"]) == ('{"torn', "met")


def test_where_the_page_cannot_be_written_the_twin_keeps_what_it_held(tmp_path, monkeypatch):
    done, _ = whole(tmp_path)
    append(tmp_path, done)
    before = (tmp_path / "eval_log.jsonl").read_bytes(), (tmp_path / "eval_log.md").read_bytes()
    real = os.write

    def full(fd, data):
        if data.startswith(b"|"):
            return real(fd, data[:10])
        return real(fd, data)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(UnreadableError, match="disk is full"):
        append(tmp_path, done)
    assert ((tmp_path / "eval_log.jsonl").read_bytes(), (tmp_path / "eval_log.md").read_bytes()) == before


# ------------------------------------------------------------------------ set


@pytest.mark.parametrize(
    "header, folder, named, told",
    [({"eval_set": {"name": "a", "version": "2"}}, "x", "", ("a", "2")),
     ({"version": "2", "tools": {"t": {}}}, "x", "", ("g", "2")),
     ({"eval_set": "a-v1.2"}, "x", "", ("a", "1.2")), (None, "eval_v1.1", "", ("eval", "1.1")),
     (HEADER, "x", "b@3", ("b", "3")), (None, "x", "", None), (None, "x", "b", None)],
)  # fmt: skip
def test_a_set_has_a_version(tmp_path, header, folder, named, told):
    from mens_console.evaluation.gold import read_gold

    (tmp_path / folder).mkdir()
    path = write(tmp_path / folder / "g.jsonl", [*([header] if header else []), {"id": 1, "refuse": True}])
    if told is None:
        with pytest.raises(UnreadableError, match="version"):
            read_gold(path, named=named)
    else:
        gold = read_gold(path, named=named)
        assert (gold.name, gold.version) == told
