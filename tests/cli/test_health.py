"""`mens-console health` on logs of every kind: what it says, in which form, and how it ends."""

import csv
import gzip
import io
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter

import jsonschema
import orjson
import pytest
from scipy import stats

from mens_console.cli.healthdoc import document
from mens_console.cli.healthtell import print_json
from mens_console.health.aggregate import aggregate
from mens_console.signals.generation import INDICATORS
from mens_contracts.health import HealthDocument

MOVES = ["hook", "question", "quote", "weather", "dialogue", "memory", "object", "smell", "argument", "joke"]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def attempts(n, *, run="25K_a", seed=1, fall=None, **fixed):
    """Return rows; `fall` is the attempt from which repairs and one opening move take over."""
    rng = random.Random(seed)
    for i in range(n):
        bad = fall is not None and i >= fall
        repaired = rng.random() < (0.35 if bad else 0.04)
        row = {
            "ts": f"2026-01-31T14:{i // 60 % 60:02}:{i % 60:02}Z", "run_id": run, "persona_id": f"p{i}", "stage": "B",
            "attempt": 1, "status": "repair" if repaired else "success", "latency_ms": rng.randrange(900, 1300),
            "prompt_tokens": 450, "completion_tokens": 320, "repairs": ["trait_leak"] if repaired else [],
            "validator_scores": {"pollyanna": rng.choice((0.55, 0.6, 0.65)), "trait_leak": 0},
            "opening_move": "hook" if bad and rng.random() < 0.8 else rng.choice(MOVES),
            "constraint_categories": [], "anchors_used": [f"piața {rng.randrange(4 * n)}", "zacuscă"], "error": None,
        }  # fmt: skip
        yield row | fixed


def write(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def told(cli, *words):
    status, out, err = cli("health", *words, "--json")
    return status, json.loads(out), err


def test_figures_are_s1s(cli, box):
    rows = [*attempts(650)]
    log = write(box / "generation.log", rows)
    status, found, _ = told(cli, log, "--batch-size", 300)
    assert status == 0
    jsonschema.validate(found, HealthDocument.model_json_schema(by_alias=True))
    assert [one["batch_size"] for one in found["batches"]] == [300, 300, 50]
    for one, start in zip(found["batches"], (0, 300, 600), strict=True):
        part = rows[start : start + 300]
        assert one["repair_rate"] == sum(bool(row["repairs"]) for row in part) / len(part)
        assert one["success_rate"] == sum(row["status"] == "success" for row in part) / len(part)
        assert one["mean_latency_ms"] == pytest.approx(statistics.mean(row["latency_ms"] for row in part))
        moves = Counter(row["opening_move"] for row in part)
        assert one["opening_move_entropy"] == pytest.approx(stats.entropy(list(moves.values())))
        assert one["anchor_diversity"] == len({a for row in part for a in row["anchors_used"]}) / len(part)
        assert one["total_tokens"] == 770 * len(part)
        assert one["cost_usd"] == pytest.approx(770 * len(part) * 0.00045 / 1000)
        assert list(one["bands"]) == list(INDICATORS)
        assert all(band["reason"] for band in one["bands"].values())
    rates = [one["repair_rate"] for one in found["batches"]]
    tier = found["tier"]
    assert (tier["total_personas"], tier["overall_success_rate"]) == (650, pytest.approx(1 - tier["repair_rate"]))
    assert tier["repair_rate_trend"] == pytest.approx(stats.linregress(range(3), rates).slope)
    assert tier["drift_detected"] is None
    assert [one["tier"] for one in found["tiers"]] == ["25K"]
    assert [one["tier"] for one in found["runs"]] == ["25K_a"]


@pytest.mark.parametrize("indent", [True, False])
@pytest.mark.parametrize("rows", [0, 90, 1000])
def test_what_is_printed_batch_by_batch_is_the_document(box, capsys, rows, indent):
    report = aggregate([write(box / "[].log", attempts(rows, run='"[]'))], batch_size=100)
    print_json(report, report.batches, indent=indent)
    expected = orjson.dumps(document(report), option=orjson.OPT_INDENT_2 if indent else 0)
    assert capsys.readouterr().out.encode() == expected + b"\n"


def test_drift_is_named_and_ends_with_1(cli, box):
    log = write(box / "generation.log", attempts(3000, fall=2000))
    status, found, _ = told(cli, log, "--batch-size", 200)
    assert status == 1
    assert found["tier"]["drift_detected"] is True
    assert any(reason.startswith("repair rate rose from") for reason in found["tier"]["drift_reasons"])
    status, out, _ = cli("health", log, "--batch-size", 200)
    assert status == 1
    assert out.startswith("✖ drift, and critical  15 batches of 1 run, 3,000 attempts")
    assert "opening entropy fell from" in out
    assert max(map(len, out.splitlines())) <= 80


def test_a_critical_band_that_holds_ends_with_1_and_an_old_one_does_not(cli, box):
    bad = [*attempts(100, repairs=["x"])]
    good = [*attempts(300, seed=2)]
    assert told(cli, write(box / "a.log", good + bad), "--batch-size", 100)[0] == 1
    status, found, _ = told(cli, write(box / "b.log", bad + good), "--batch-size", 100)
    assert status == 0
    assert found["batches"][0]["bands"]["repair_rate"]["band"] == "critical"


def test_interleaved_runs_are_kept_apart(cli, box):
    one, other = attempts(120, run="25K_a"), attempts(120, run="", seed=3)
    log = write(box / "x.log", [row for pair in zip(one, other, strict=True) for row in pair])
    _, found, _ = told(cli, log, "--batch-size", 60)
    assert [(b["run_id"], b["index"]) for b in found["batches"]] == [("25K_a", 0), ("25K_a", 1), ("", 0), ("", 1)]
    assert found["tier"]["repair_rate_trend"] is None
    assert "(no run id)" in cli("health", log)[1]


def test_of_many_runs_those_in_trouble_are_told_of_and_then_the_newest(cli, box):
    rows = [row for run in range(60) for row in attempts(60, run=f"run{run:02}", fall=0 if run == 5 else None)]
    status, out, _ = cli("health", write(box / "many.log", rows))
    named = [line.split()[1] for line in out.splitlines() if line.startswith("run ")]
    assert (status, named) == (1, ["run05", *(f"run{run}" for run in range(41, 60))])
    assert "… and 40 more runs" in out


def test_what_is_too_much_to_count_is_null_and_said(cli, box, monkeypatch):
    monkeypatch.setattr("mens_console.health.partial.CROWD", 40)
    monkeypatch.setattr("mens_console.health.partial.MOST_VALIDATORS", 1)
    log = write(box / "a.log", attempts(120))
    _, found, _ = told(cli, log, "--batch-size", 60)
    batch = found["batches"][0]
    assert [batch[name] for name in ("personas", "duplicates", "anchors", "anchor_mentions")] == [None] * 4
    assert len(batch["limits"]) == 4
    assert "anchors are not told apart" in batch["bands"]["anchor_diversity"]["reason"]
    assert "validators are not kept" in batch["bands"]["pollyanna"]["reason"]
    assert found["tier"]["personas_at_most"] == 120
    jsonschema.validate(found, HealthDocument.model_json_schema())
    assert "personas are not told apart" in cli("health", log, "--batch-size", 60)[1].replace("\n    ", " ")


def test_missing_fields_are_null_and_nodata(cli, box):
    rows = [{"run_id": "a", "persona_id": i, "latency_ms": 5} for i in range(60)]
    status, found, _ = told(cli, write(box / "x.log", rows))
    one = found["batches"][0]
    assert status == 2, "one batch, nothing of it can be judged"
    for name in ("success_rate", "repair_rate", "opening_move_entropy", "anchor_diversity", "total_tokens", "cost_usd"):
        assert one[name] is None, name
    assert {band["band"] for band in one["bands"].values()} == {"nodata"}
    assert found["tier"]["overall_success_rate"] is None


def test_names_that_drifted_give_the_same_figures_and_are_told(cli, box):
    own = list(attempts(2100))
    names = {"run_id": "run", "persona_id": "uuid", "status": "outcome", "latency_ms": "latency_s", "repairs": "repair",
             "validator_scores": "scores", "opening_move": "opening", "anchors_used": "anchors", "ts": "time",
             "prompt_tokens": "tokens_in", "completion_tokens": "tokens_out"}  # fmt: skip
    drifted = [{names.get(name, name): value for name, value in row.items()} for row in own]
    for row in drifted:
        row["latency_s"] /= 1024  # a power of two: exact, and so is what it is multiplied by
    for row in own:
        row["latency_ms"] = row["latency_ms"] / 1024 * 1000
    plain = told(cli, write(box / "own.log", own))[1]
    found = told(cli, write(box / "drifted.log", own[:50] + drifted[50:]))[1]
    for one, other in zip(plain["batches"], found["batches"], strict=True):
        one.pop("first"), other.pop("first")
        assert one == other
    assert "other names of fields: anchors for anchors_used" in cli("health", box / "drifted.log")[1]


def test_bad_rows_are_counted_shown_and_never_fatal(cli, box):
    log = write(box / "x.log", attempts(100))
    with log.open("ab") as file:
        file.write(b'not json\n[1, 2]\n{"unrelated": 1}\n\xff\xfe\n{"run_id": "25K_a", "persona_id": "to')
    status, found, _ = told(cli, log)
    assert (status, found["bad_rows"], len(found["batches"])) == (0, 5, 1)
    assert {row["line"] for row in found["bad"]} == {101, 102, 103, 104, 105}
    assert "5 rows are no attempts" in cli("health", log)[1]


@pytest.mark.parametrize("rows", [100, 0])
def test_a_last_line_that_its_writers_buffer_cut_is_told_and_counts_later(cli, box, rows):
    log = write(box / "x.log", attempts(rows))
    last = json.dumps(next(attempts(1)) | {"error": "x" * 5000}).encode()
    torn = 4096 - log.stat().st_size % 4096
    with log.open("ab") as file:
        file.write(last[:torn])
    assert log.stat().st_size % 4096 == 0
    _, out, err = cli("health", log)
    assert (f"the last {torn:,} bytes of" in out) if rows else ("its only line is not whole yet" in err)
    found = told(cli, log)[1]
    assert (found["bad_rows"], found["tier"]["total_personas"]) == (0, rows)
    with log.open("ab") as file:
        file.write(last[torn:] + b"\n")
    _, out, err = cli("health", log)
    assert "not whole yet" not in out + err
    assert told(cli, log)[1]["tier"]["total_personas"] == rows + 1


@pytest.mark.parametrize("content", [b"", b"\n\n", b"not json\n", os.urandom(2000)])
def test_nothing_to_judge_ends_with_2(cli, box, content):
    log = box / "x.log"
    log.write_bytes(content)
    status, out, err = cli("health", log)
    assert (status, out) == (2, "")
    assert str(log) in err


def test_logs_that_are_packed_or_of_another_encoding_are_told_the_cure(cli, box):
    text = write(box / "a.log", attempts(200)).read_text(encoding="utf-8")
    (box / "packed.log").write_bytes(gzip.compress(text.encode()))
    (box / "wide.log").write_bytes(text.encode("utf-16"))
    for name, cure in (("packed.log", "name it .gz"), ("wide.log", "write it as UTF-8")):
        status, _, err = cli("health", box / name)
        assert (status, cure in err) == (2, True)


def test_what_cannot_be_read_is_said(cli, box):
    assert cli("health", box / "none.log")[0] == 2
    assert "no such file" in cli("health", box / "none.log")[2]
    (box / "sub").mkdir()
    status, _, err = cli("health", box / "sub")
    assert (status, "holds no attempt log" in err) == (2, True)
    os.mkfifo(box / "pipe")
    status, _, err = cli("health", box / "pipe")
    assert (status, str(box / "pipe") in err) == (2, True)
    assert cli("health", "--follow", "-")[0] == 2
    assert cli("health", box, "--batch-size", "0")[0] == 2


def test_folders_gzip_and_standard_input_are_read_alike(cli, box, monkeypatch):
    rows = [*attempts(250)]
    log = write(box / "runs" / "generation.log", rows) if (box / "runs").mkdir() is None else None
    packed = box / "generation.log.gz"
    packed.write_bytes(gzip.compress(log.read_bytes()))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(log.read_bytes())))
    found = [told(cli, name, "--batch-size", 100)[1] for name in (log, box / "runs", packed, "-")]
    for one in found:
        for batch in one["batches"]:
            del batch["first"]
    assert all(one["batches"] == found[0]["batches"] and one["tier"] == found[0]["tier"] for one in found)
    assert found[3]["sources"][0]["path"] == "-"


def test_a_folder_gives_its_rotated_parts_too_the_oldest_first(cli, box):
    rows = [*attempts(400)]
    folder = box / "rotated"
    folder.mkdir()
    whole = write(box / "whole.log", rows)
    for part, name in enumerate(("generation.log.10", "generation.log.2", "generation.log.1", "generation.log")):
        write(folder / name, rows[part * 100 : part * 100 + 100])
    oldest = folder / "generation.log.10"
    (folder / "generation.log.10.gz").write_bytes(gzip.compress(oldest.read_bytes()))
    oldest.unlink()
    expected, found = (told(cli, path, "--batch-size", 150)[1]["batches"] for path in (whole, folder))
    for batch in (*expected, *found):
        del batch["first"]
    assert found == expected


def test_groups(cli, box):
    rows = [*attempts(120, run="25K_a"), *attempts(120, run="25K_b", seed=2), *attempts(60, run="1M_a", seed=3)]
    for row in rows[::2]:
        row["persona_id"] = "same"
    log = write(box / "x.log", rows)
    for by, names in (("run", {"25K_a", "25K_b", "1M_a"}), ("tier", {"25K", "1M"})):
        found = told(cli, log, "--by", by)[1]["batches"]
        assert {one["run_id"] for one in found} == names
        assert sum(one["batch_size"] for one in found) == 300
    out = cli("health", log, "--by", "persona")[1]
    assert "61 personas, 300 attempts" in out, "ids are those of all runs"
    assert max(map(len, out.splitlines())) <= 80


def test_personas_that_are_counted_together_give_no_verdict(cli, box, monkeypatch):
    monkeypatch.setattr("mens_console.health.tally.MOST_PERSONAS", 2)
    log = write(box / "a.log", attempts(300, fall=0))
    status, found, _ = told(cli, log, "--by", "persona")
    together = [batch for batch in found["batches"] if batch["batch_size"] > 1]
    assert [(one["run_id"], one["batch_size"], one["personas"]) for one in together] == [("(other personas)", 298, 298)]
    assert (status, together[0]["bands"]["repair_rate"]["band"]) == (0, "critical")


def test_csv_is_one_row_a_batch_and_no_formula(cli, box):
    log = write(box / "x.log", attempts(130, run='=cmd|"/c calc"!A0'))
    status, out, _ = cli("health", log, "--batch-size", 100, "--csv")
    rows = [*csv.DictReader(io.StringIO(out))]
    assert (status, len(rows)) == (0, 2)
    assert rows[0]["run_id"].startswith("'=cmd")
    assert not [cell for row in rows for cell in row.values() if cell and cell[0] in "=@"]
    assert (rows[0]["batch_size"], rows[0]["complete"], rows[1]["complete"]) == ("100", "true", "false")
    assert rows[0]["opening_entropy_band"] == "healthy"


def test_hostile_names_do_not_reach_the_terminal(cli, box):
    rows = [*attempts(60, run="\x1b]0;owned\x07\u202eevil")]
    out = cli("health", write(box / "x.log", rows))[1]
    assert "\x1b" not in out
    assert "\u202e" not in out


def wait_for(condition, process):
    end = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, "it ended by itself"
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def test_following_a_folder_counts_on_when_its_log_is_rotated_and_packed(box, tmp_path):
    log, out, err = write(box / "x.jsonl", attempts(250)), tmp_path / "out", tmp_path / "err"
    words = [sys.executable, "-m", "mens_console", "health", str(box), "--follow", "--csv", "--batch-size", "100"]
    with out.open("wb") as file, err.open("wb") as problems:
        process = subprocess.Popen(words, stdout=file, stderr=problems)
    told = lambda: [row["index"] for row in csv.DictReader(io.StringIO(out.read_text()))]  # noqa: E731
    try:
        wait_for(lambda: told() == ["0", "1"], process)
        rotated = log.rename(box / "x.jsonl.1")
        with gzip.open(box / "x.jsonl.1.gz", "wb") as packed:
            packed.write(rotated.read_bytes())
        rotated.unlink()
        write(log, attempts(200, seed=9))
        wait_for(lambda: len(told()) >= 4, process)
        process.send_signal(signal.SIGINT)
        process.wait(30)
        assert told() == ["0", "1", "2", "3"], "each whole batch is told once, whichever file it lies in now"
    finally:
        process.kill()
        process.wait()


def test_a_packed_copy_of_a_log_counts_once_and_is_told_of(cli, box):
    log = write(box / "x.jsonl", attempts(150))
    with gzip.open(box / "x.jsonl.gz", "wb") as packed:
        packed.write(log.read_bytes())
    document, err = told(cli, box)[1:]
    assert sum(batch["batch_size"] for batch in document["batches"]) == 150
    assert "x.jsonl.gz: left out, a packed copy of x.jsonl" in err
    with gzip.open(box / "x.jsonl.gz", "wb") as packed:
        packed.writelines(json.dumps(row).encode() + b"\n" for row in attempts(80, seed=7))
    document, err = told(cli, box)[1:]
    assert sum(batch["batch_size"] for batch in document["batches"]) == 230, "an older log of that name is no copy"
    assert "left out" not in err


def test_following_tells_what_is_new_until_interrupted(box, tmp_path):
    log, out = write(box / "x.log", attempts(250)), tmp_path / "out"
    words = [sys.executable, "-m", "mens_console", "health", str(log), "--follow", "--json", "--batch-size", "100"]
    with out.open("wb") as file:
        process = subprocess.Popen(words, stdout=file, stderr=subprocess.DEVNULL)
    documents = lambda: [json.loads(line) for line in out.read_text().splitlines()]  # noqa: E731
    try:
        wait_for(lambda: out.read_text().count("\n") == 1, process)
        assert [one["index"] for one in documents()[0]["batches"]] == [0, 1, 2]
        with log.open("a") as file:
            file.writelines(json.dumps(row) + "\n" for row in attempts(100, seed=9))
        wait_for(lambda: out.read_text().count("\n") >= 2 and documents()[-1]["tier"]["total_personas"] == 350, process)
        new = [one["index"] for document in documents()[1:] for one in document["batches"]]
        assert set(new) == {2, 3}, "only what changed"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    finally:
        process.kill()
        process.wait()
