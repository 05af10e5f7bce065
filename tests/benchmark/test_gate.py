"""Reports of benchmarks as the gate reads them: criteria 1.1 to 1.7 with their values, n and samples."""

import asyncio
import json
import time

import pytest
from benchmark.benched import benched, benched_by
from benchmark.test_ladder import code_in
from benchmark.test_measured import answered
from benchmark.test_memory import Gpus

from mens_console.benchmark.memory import GpuWatch
from mens_console.gate.evaluate import evaluate
from mens_console.gate.evidence import gather
from mens_console.gate.profiles import load
from mens_console.hardware.session import GpuSession
from mens_console.ingest.checking.check import Checker

FAST = {"ttft_ms": 3.0, "gap_ms": 0.5}
FULL = {"batches": (1, 4, 8, 16), "runs": 5, "tokens": 12, "requests": 300, "answer_tokens": 6, "warmup": 10}


def judged(folder, profile="phase3-release"):
    """Return the judgements by criterion."""
    now = time.time()
    found = evaluate(load(profile), gather([folder], now=now), release="3.0", now=now)
    return {one.criterion.id: one for one in found.judgements}


def write(folder, name, document):
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(json.dumps(document))
    return path


@pytest.fixture(scope="module")
def whole():
    """A report with all of it, on one GPU, and the server's own rows."""
    gpus = Gpus(1)
    gpus.hold(0, 8_410_000_000)
    watch = GpuWatch((), GpuSession(lambda: gpus), every_s=0.01)
    watch.start()
    try:
        return asyncio.run(benched(FAST, watch=watch, watch_gpu=True, context=(4096, 8192, 16_384), **FULL))
    finally:
        watch.stop()


async def test_every_performance_criterion_has_its_value_and_n(whole, tmp_path):
    document, measured, _ = whole
    assert measured.failures == []
    write(tmp_path / "evidence", "one.json", document)
    for gpus in (2, 4):
        more, _, _ = await benched(FAST, gpus=gpus, batches=(1,), runs=5, tokens=12, requests=0)
        write(tmp_path / "evidence", f"{gpus}.json", more)
    for profile in ("phase3-release", "phase3-sprint"):
        found = judged(tmp_path / "evidence", profile)
        runs = {one["batch"]: one for one in document["throughput"]}
        for criterion, batch in (("1.1", 1), ("1.3-batch4", 4), ("1.3-batch8", 8), ("1.3-batch16", 16)):
            one = found[criterion]
            assert (one.verdict != "UNDERFED", one.n) == (True, 5), one.reason  # how fast is this box's to say
            assert one.value == pytest.approx(runs[batch]["mean"])
            assert list(one.items[0].samples) == runs[batch]["runs"]
        assert [found[f"1.2-{gpus}gpu"].n for gpus in (2, 4)] == [5, 5]
        assert (found["1.4"].verdict != "UNDERFED", found["1.4"].n) == (True, 300), found["1.4"].reason
        assert found["1.5"].n == document["latency"][0]["itl_ms"]["n"] == len(measured.latent.seen)
        assert (found["1.6"].verdict, found["1.6"].value, found["1.6"].n) == ("PASS", 8.41, 5)
        assert (found["1.7"].verdict, found["1.7"].value) == ("PASS", 16_384)


async def test_the_report_is_clean_by_its_contract(whole, tmp_path):
    path = write(tmp_path / "evidence", "one.json", whole[0])
    report = Checker(str(path), None, lambda done, total: None).run()
    assert (report.contract.id, report.fits) == ("mens-bench/1", True), report
    assert [dict(tally.unknown) for tally in report.tallies.values()] == [{}]


async def test_answers_that_go_wrong_beyond_8k_give_8k(tmp_path):
    document, _, _ = await benched(
        {**FAST, "recall": 8192}, batches=(), requests=0, items=10, context=(4096, 8192, 16_384, 32_768)
    )
    write(tmp_path / "evidence", "bench.json", document)
    for profile in ("phase3-release", "phase3-sprint"):
        one = judged(tmp_path / "evidence", profile)["1.7"]
        assert (one.verdict, one.value, one.n) == ("CONDITIONAL", 8192, 10)
        assert "100.0 % loss at 16384" in one.reason + "".join(item.note for item in one.items)


async def test_one_wrong_answer_of_twenty_holds_and_two_do_not(tmp_path):
    for wrong, verdict, value in ((1, "PASS", 16_384), (2, "CONDITIONAL", 8192)):

        def answer(number, id, prompt, tokens, wrong=wrong):
            place = int(id.rpartition("-")[2]) if id[-1].isdigit() else 0
            right = not id.startswith("context16384-") or place % 20 >= wrong
            return answered(id, tokens, prompt_tokens=len(prompt.split()), text=code_in(prompt) if right else "1")

        document, _, _ = await benched_by(answer, batches=(), requests=0, items=20, context=(8192, 16_384))
        folder = tmp_path / str(wrong)
        write(folder, "bench.json", document)
        one = judged(folder)["1.7"]
        assert (one.verdict, one.value, one.n) == (verdict, value, 20)


async def test_a_server_whose_window_ends_at_8k_gives_8k(tmp_path):
    document, _, _ = await benched(
        {**FAST, "context": 8192}, batches=(), requests=0, context=(4096, 8192, 16_384), items=5
    )
    write(tmp_path / "evidence", "bench.json", document)
    one = judged(tmp_path / "evidence")["1.7"]
    assert (one.verdict, one.value) == ("CONDITIONAL", 8192)


async def test_tokens_by_blanks_decide_nothing(tmp_path):
    document, _, _ = await benched({**FAST, "usage": False}, runs=5, requests=0, context=(1024, 2048))
    write(tmp_path / "evidence", "bench.json", document)
    found = judged(tmp_path / "evidence")
    assert found["1.1"].verdict == "UNDERFED"
    assert "whitespace" in found["1.1"].reason
    assert found["1.7"].verdict == "UNDERFED"


async def test_runs_that_do_not_count_leave_too_few(tmp_path):
    document, _, _ = await benched({**FAST, "errors": {500: 0.5}}, runs=6, requests=20)
    write(tmp_path / "evidence", "bench.json", document)
    counted = document["throughput"][0]["n"]
    assert 0 < counted < 5
    found = judged(tmp_path / "evidence")
    assert found["1.1"].verdict == "UNDERFED"
    assert f"{counted}, at least 5" in found["1.1"].reason


async def test_memory_that_was_not_read_is_no_evidence(tmp_path):
    gpus = Gpus(1)
    gpus.hold(0, 1)
    gpus._box.lose(0, 0.0)
    watch = GpuWatch((), GpuSession(lambda: gpus), every_s=0.01)
    watch.start()
    try:
        document, _, _ = await benched(FAST, runs=1, requests=0, watch=watch, watch_gpu=True)
    finally:
        watch.stop()
    assert document["memory"][0]["peak_bytes"] is None
    write(tmp_path / "evidence", "bench.json", document)
    assert judged(tmp_path / "evidence")["1.6"].verdict == "UNDERFED"


async def test_runs_that_stopped_short_are_told_where_they_are_left_out(tmp_path):
    def answer(number, id, prompt, tokens):
        stops = id.startswith("batch1-") and number % 3 == 0
        return answered(id, tokens - stops, finish="stop" if stops else "length")

    document, _, _ = await benched_by(answer, runs=9, requests=0)
    assert document["throughput"][0]["short_runs"] == 3
    write(tmp_path / "evidence", "bench.json", document)
    one = judged(tmp_path / "evidence", "phase3-sprint")["1.1"]
    assert one.n == 6
    assert one.items[0].note == "3 runs that stopped short are left out"
