"""Readers of the console's own documents, of memory traces, and of a Prometheus server that answers oddly."""

import json
import math
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import jsonschema
import pytest
from gate.shapes import NOW, only, read, values, write

from mens_console.gate.evidence import gather, manifest_document
from mens_console.gate.readers.prometheus import Answer
from mens_contracts.registry import CONTRACTS

EVAL = {
    "schema": "mens-eval/1", "at": 1.8e9, "model": {"id": "adapter-7"}, "role": "candidate",
    "eval_set": {"name": "tools", "version": "2026-01", "sha256": None, "items": 200},
    "scores": [
        {"metric": "json_validity", "value": 99.5, "unit": "%", "n": 200, "successes": 199},
        {"metric": "weighted_score", "value": 0.931, "unit": "share", "n": None},
        {"metric": "lint", "value": None, "unit": "%", "n": None, "reason": "no report of a linter was given"},
    ],
}  # fmt: skip


def fits(document, name):
    jsonschema.Draft202012Validator(CONTRACTS[name].schema()).validate(document)


def scored(value, role, version="2026-01", name="m"):
    score = {"metric": "weighted_score", "value": value, "unit": "%", "n": 200}
    return EVAL | {
        "role": role,
        "model": {"id": name},
        "scores": [score],
        "eval_set": {"name": "t", "version": version},
    }


def test_an_evaluation_keeps_set_version_and_counts(tmp_path):
    fits(EVAL, "mens-eval/1")
    manifest = read(tmp_path, e__json=EVAL)
    item = only(manifest, "json_validity")
    assert (item.value, item.n, item.successes, item.tags["eval_set"]) == (99.5, 200, 199, "tools 2026-01")
    assert only(manifest, "lint").trouble == "no report of a linter was given"


BUCKETS = {
    name: {"value": value, "unit": "%", "weight": weight}
    for name, value, weight in (("tool_use", 96.0, 0.45), ("style", 92.0, 0.45), ("guardrail", 99.0, 0.10))
}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, "no weighted score without lint"),
        ({"scores": EVAL["scores"][:2], "buckets": BUCKETS | {"style": BUCKETS["style"] | {"value": None}}}, "all of"),
        ({"scores": EVAL["scores"][:2], "buckets": BUCKETS}, "its buckets come to 94.5 %"),
        ({"scores": EVAL["scores"][:2], "buckets": BUCKETS | {"style": BUCKETS["style"] | {"value": 88.9}}}, ""),
        ({"scores": EVAL["scores"][:2]}, ""),
        ({"scores": [*EVAL["scores"][:2], EVAL["scores"][2] | {"metric": "sim_pass"}]}, ""),
        ({"scores": [*EVAL["scores"][:2], EVAL["scores"][2] | {"required": False}]}, ""),
        ({"scores": [*EVAL["scores"][:2], EVAL["scores"][2] | {"value": "none"}]}, "no weighted score without lint"),
    ],
)
def test_a_weighted_score_is_what_its_own_document_comes_to(tmp_path, change, why):
    item = only(read(tmp_path, e__json=EVAL | change), "weighted_score")
    assert why in item.trouble
    assert bool(item.trouble) == bool(why)
    assert why or item.value == pytest.approx(93.1)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"eval_set": {"name": "tools"}}, "which version"),
        ({"role": "winner"}, "role 'winner'"),
        ({"scores": [EVAL["scores"][0] | {"successes": 150}]}, "150 of 200"),
        ({"scores": [EVAL["scores"][0] | {"unit": "marks"}]}, "'marks'"),
        ({"scores": [EVAL["scores"][0] | {"n": 0, "successes": 0}]}, "n is 0"),
    ],
)
def test_an_evaluation_that_cannot_be_believed(tmp_path, change, why):
    item = only(read(tmp_path, e__json=EVAL | change), "json_validity")
    assert math.isnan(item.value)
    assert why in item.trouble


def test_drop_and_regression_follow_from_two_evaluations(tmp_path):
    roles = {"baseline": 94.0, "quantized": 92.5, "shipped": 95.0, "candidate": 94.5}
    for role, value in roles.items():
        write(tmp_path, f"{role}.json", scored(value, role))
    manifest = gather([str(tmp_path)], now=NOW)
    assert only(manifest, "quantization_drop").value == pytest.approx(1.5)
    assert only(manifest, "regression").value == pytest.approx(0.5)


def test_evaluations_of_other_versions_are_not_compared(tmp_path):
    manifest = read(tmp_path, a__json=scored(95, "shipped", "1"), b__json=scored(94, "candidate", "2"))
    assert values(manifest, "regression") == []


def kpi(**more):
    value = {"id": "compile_pass_at_1", "tier": 1, "unit": "share", "value": 0.8, "n": 50, "interval": [0.66, 0.9],
             "decides": True, "reason": ""}  # fmt: skip
    return {"schema": "mens-kpi/1", "generated_at": 1.8e9, "models": [{"model": "m", "values": [value | more]}]}


def test_a_kpi_comes_with_its_counts(tmp_path):
    item = only(read(tmp_path, k__json=kpi()), "compile_pass_at_1")
    assert (item.value, item.unit, item.n, item.successes) == (80.0, "%", 50, 40)
    assert item.interval == pytest.approx((66.0, 90.0))
    assert item.tags == {"model": "m"}


def test_a_kpi_that_may_not_decide_is_none(tmp_path):
    item = only(
        read(tmp_path, k__json=kpi(id="serve_tokens_per_sec", unit="tokens/s", decides=False, reason="by blanks")),
        "serve_tokens_per_sec",
    )
    assert math.isnan(item.value)
    assert item.trouble == "by blanks"


def test_the_time_to_the_first_valid_output_goes_by_the_gate_s_name(tmp_path):
    document = kpi(id="time_to_first_valid_ms", unit="ms", value=812.0, interval=None)
    assert only(read(tmp_path, k__json=document), "time_to_first_valid").value == 812.0


def attempts(folder, rows, repaired):
    lines = [
        {"ts": f"2026-01-01T00:{place // 60:02d}:{place % 60:02d}Z", "run_id": "r", "persona_id": f"p{place}",
         "stage": "draft", "attempt": 1, "status": "success", "latency_ms": 100 + place % 7, "prompt_tokens": 5,
         "completion_tokens": 9, "repairs": ["x"] if place % 100 < repaired else [], "opening_move": f"m{place % 12}",
         "validator_scores": {"pollyanna": 0.6}, "constraint_categories": [], "anchors_used": [f"a{place}"]}
        for place in range(rows)
    ]  # fmt: skip
    return write(folder, "generation.log", "".join(json.dumps(line) + "\n" for line in lines))


def test_health_is_read_as_the_command_prints_it(tmp_path, capsys):
    from mens_console.cli.main import main

    log = attempts(tmp_path / "log", 900, repaired=4)
    main(["health", "--json", "--batch-size", "300", str(log)])
    manifest = read(tmp_path / "gate", health__json=capsys.readouterr().out)
    item = only(manifest, "health_repair_rate")
    assert (item.value, item.n) == (pytest.approx(4.0), 300)
    assert item.interval == pytest.approx((2.303, 6.860), abs=0.001)
    assert only(manifest, "health_pollyanna").value == pytest.approx(0.6)
    assert only(manifest, "health_anchor_diversity").value == pytest.approx(1.0)
    assert only(manifest, "health_opening_entropy").value == pytest.approx(math.log(12), abs=0.05)
    assert "6 whole batches" in only(manifest, "health_repair_trend").trouble


def test_a_run_that_crashed_tells_no_loss(tmp_path):
    document = {"schema": "mens-run-summary/1", "status": "completed", "final_metrics": {"loss": 1.5, "eval_loss": 1.6}}
    manifest = read(tmp_path / "a", s__json=document)
    assert values(manifest) == {"train_loss": 1.5, "val_loss_last_epoch": 1.6, "validation_loss": 1.6}
    crashed = read(tmp_path / "b", s__json=document | {"status": "crashed"})
    assert all(math.isnan(one.value) for one in crashed.items)
    hidden = read(tmp_path / "c", s__json=document | {"final_metrics": {"loss": "NaN"}})
    assert math.isnan(only(hidden, "train_loss").value)


def stage(name, met=True, code=0, event="stage_end", **more):
    return {"ts_ms": 1.8e12, "event": event, "payload": {"stage": name, "exit_code": code, "met": met, **more}}


def rows_of(*events):
    return "".join(json.dumps(one) + "\n" for one in events)


@pytest.mark.parametrize(
    ("events", "undone", "done", "why"),
    [
        ([stage("train"), stage("evaluation")], 0, 2, ""),
        ([stage("train"), stage("evaluation", met=False)], 1, 1, ""),
        ([stage("train"), stage("evaluation", code=1)], 1, 1, ""),
        ([stage("train"), stage("evaluation", met=None)], None, 1, "whether they are done: evaluation"),
        ([stage("train", met=False), stage("evaluation", met=None)], 2, 0, ""),
        ([stage("train"), stage("train", event="stage_start")], 1, 0, ""),
        ([stage("train", met=False), stage("train")], 0, 1, ""),
        ([stage("export"), stage("export", met=False, step="merge")], 0, 1, ""),
        ([stage("export", step="merge")], None, None, "it tells of no stage"),
    ],
)  # fmt: skip
def test_stages_are_done_where_that_was_measured_at_their_last_attempt(tmp_path, events, undone, done, why):
    manifest = read(tmp_path, stages__jsonl=rows_of(*events))
    left = only(manifest, "stages_open")
    assert why in left.trouble
    for metric, expected in (("stages_open", undone), ("stages_done", done)):
        value = only(manifest, metric).value
        assert math.isnan(value) if expected is None else value == expected


def test_a_line_that_is_no_event_may_be_the_end_of_a_stage(tmp_path):
    manifest = read(tmp_path, stages__jsonl=rows_of(stage("train")) + '{"ts_ms": 18, "event": "stage_e')
    assert "no events of stages" in only(manifest, "stages_open").trouble
    assert "no events of stages" in only(manifest, "stages_done").trouble


def test_stages_are_known_by_their_rows(tmp_path):
    end = {"ts_ms": 1.8e12, "event": "stage_end",
           "payload": {"stage": "train", "exit_code": 0, "met": None, "measured": ""}}  # fmt: skip
    (file,) = read(tmp_path, stages__jsonl=json.dumps(end) + "\n").files
    assert (file.kind, file.problem) == ("mens-stage", "")
    assert "not measured" in file.notes[0]


@pytest.mark.parametrize(
    ("name", "text", "peak"),
    [
        ("t.jsonl", '{"step": 1, "gpu_memory_peak_bytes": 8e9}\n{"step": 2, "gpu_memory_peak_bytes": 9.1e9}\n', 9.1),
        ("t.jsonl", '{"step": 1, "max_memory_allocated": 2000000000}\n{"step": 2}\n', 2.0),
        ("t.json", '{"peak_memory_gib": 8}', 8 * 2**30 / 1e9),
        ("t.json", '{"reserved_bytes.all.peak": 7000000000, "allocated_bytes.all.peak": 6}', 7.0),
        ("all_results.json", '{"before_init_mem_gpu": 1e9, "init_mem_gpu_alloc_delta": 2e9, '
         '"train_mem_gpu_alloc_delta": 1e8, "train_mem_gpu_peaked_delta": 4e8}', 3.5),
        ("trace.json", '{"schema": "mens_console_nvml_trace_v1", "calls": {"nvmlDeviceGetMemoryInfo(\\"@0\\")": '
         '[[0.0, {"value": {"used": 1000000000}}], [1.0, {"value": {"used": 3000000000}}]]}}', 3.0),
    ],
)  # fmt: skip
def test_peak_memory_is_in_gb_of_a_thousand_million_bytes(tmp_path, name, text, peak):
    write(tmp_path, name, text)
    assert only(gather([str(tmp_path)], now=NOW), "gpu_memory_peak").value == pytest.approx(peak)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"gpu_memory_peak": 9.0}, "does not say its unit"),
        ({"gpu_memory_peak_gb": -1}, "negative"),
        ({"gpu_memory_peak_gb": "NaN"}, "no number"),
        ({"gpu_memory_peak_gb": 0}, "0 bytes"),
    ],
)
def test_memory_that_cannot_be_believed(tmp_path, row, why):
    item = only(read(tmp_path, m__json=row), "gpu_memory_peak")
    assert math.isnan(item.value)
    assert why in item.trouble


def test_a_manifest_file_fits_its_contract(tmp_path):
    fits(manifest_document(read(tmp_path, e__json=EVAL), tmp_path), "mens-manifest/1")


# ---------------------------------------------------------------------- Prometheus


QUERIES = """schema = "mens-prometheus/1"
url = "URL"
time = 2026-01-31T12:00:00Z
timeout_s = 2
[[query]]
metric = "error_rate"
unit = "share"
promql = "sum(rate(errors[1h])) / sum(rate(requests[1h]))"
n = "sum(increase(requests[1h]))"
"""


def vector(*values):
    return {"status": "success", "data": {"resultType": "vector", "result": [
        {"metric": {}, "value": [1.8e9, value]} for value in values]}}  # fmt: skip


def asked(tmp_path, answer, text=QUERIES):
    """Gather a file of queries that are answered by `answer(promql)`, a document or an `Answer`."""

    def ask(server, promql):
        found = answer(promql)
        return found if isinstance(found, Answer) else Answer(json.dumps(found).encode())

    path = write(tmp_path, "prometheus.toml", text.replace("URL", "http://127.0.0.1:1"))
    return gather([str(path)], now=NOW, ask=ask)


def test_a_query_gives_a_value_and_what_it_rests_on(tmp_path):
    item = only(asked(tmp_path, lambda promql: vector("2000" if "increase" in promql else "0.0005")), "error_rate")
    assert (item.value, item.unit, item.n, item.at) == (pytest.approx(0.05), "%", 2000, 1.8e9)
    assert item.tags["source"] == "prometheus"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (vector(), "no series"),
        (vector("1", "2"), "2 series"),
        (vector("NaN"), "nothing was counted"),
        (vector("+Inf"), "nothing was counted"),
        (vector("1.2"), "over 100 %"),
        (vector("-1"), "negative"),
        ({"status": "error", "error": "parse error"}, "parse error"),
        ({"status": "success", "data": {"resultType": "matrix", "result": []}}, "matrix"),
        (Answer(b"<html>"), "not whole JSON"),
        (Answer(problem="dead"), "dead"),
        ([], "refused"),
    ],
)
def test_an_answer_that_is_no_single_number(tmp_path, answer, why):
    item = only(asked(tmp_path, lambda _: answer), "error_rate")
    assert math.isnan(item.value)
    assert why in item.trouble


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('"URL"', '"ftp://x"', "http://"),
        ('"URL"', '"http://me:secret@x"', "MENS_PROMETHEUS_TOKEN"),
        ('"URL"', '"http://x/?a=1"', "without ?"),
        ("timeout_s = 2", "timeout_s = 900", "timeout_s"),
        ('"share"', '""', "unit"),
        ("error_rate", "uptme", "metric"),
        ("promql =", "prmql =", "no such key"),
        ("12:00:00Z", "12:00:00", "zone"),
    ],
)
def test_a_file_of_queries_with_a_mistake_asks_nothing(tmp_path, old, new, why):
    def ask(_):
        raise AssertionError("it was asked")

    manifest = asked(tmp_path, ask, QUERIES.replace(old, new))
    assert not manifest.items
    assert why in manifest.problems[0]


def test_a_file_of_queries_in_a_folder_is_not_let_ask(tmp_path):
    def ask(server, promql):
        raise AssertionError("it was asked")

    write(tmp_path, "prometheus.toml", QUERIES.replace("URL", "http://127.0.0.1:1"))
    manifest = gather([str(tmp_path)], now=NOW, ask=ask)
    assert "name the file itself" in manifest.problems[0]


class Odd(BaseHTTPRequestHandler):
    """Answers by the first word of the path."""

    seen: list[dict] = []

    def do_GET(self):
        Odd.seen.append(dict(self.headers) | {"path": self.path})
        kind = self.path.split("/")[1]
        if kind == "elsewhere":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:1/")
            self.end_headers()
            return
        self.send_response(503 if kind == "down" else 200)
        self.end_headers()
        if kind == "huge":
            self.wfile.write(b" " * (3 << 20))
        elif kind == "slow":
            self.server.gate.wait(20)
        else:
            self.wfile.write(json.dumps(vector("5000" if "increase" in self.path else "0.001")).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    http = HTTPServer(("127.0.0.1", 0), Odd)
    http.gate = threading.Event()
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    Odd.seen = []
    yield http
    http.gate.set()
    http.shutdown()
    thread.join()
    http.server_close()


def over(server, tmp_path, kind, **more):
    text = QUERIES.replace("URL", f"http://127.0.0.1:{server.server_port}/{kind}").replace(
        "timeout_s = 2", "timeout_s = 1"
    )
    return only(gather([str(write(tmp_path, "p.toml", text))], now=NOW), "error_rate")


def test_a_server_is_asked_over_http(server, tmp_path, monkeypatch):
    monkeypatch.setenv("MENS_PROMETHEUS_TOKEN", "abc")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert over(server, tmp_path, "good").value == pytest.approx(0.1)
    assert Odd.seen[0]["Authorization"] == "Bearer abc"
    assert "/good/api/v1/query?query=sum" in Odd.seen[0]["path"]
    assert "time=1769860800.000" in Odd.seen[0]["path"]


@pytest.mark.parametrize(
    ("kind", "why"),
    [("elsewhere", "redirects"), ("huge", "over 1 MiB"), ("slow", "no answer within 1 s"), ("down", "HTTP 503")],
)
def test_a_server_that_is_odd_is_a_sentence(server, tmp_path, kind, why):
    item = over(server, tmp_path, kind)
    assert math.isnan(item.value)
    assert why in item.trouble


def test_a_token_does_not_leave_unencrypted(tmp_path, monkeypatch):
    monkeypatch.setenv("MENS_PROMETHEUS_TOKEN", "abc")
    text = QUERIES.replace("URL", "http://prometheus.invalid:9090")
    item = only(gather([str(write(tmp_path, "p.toml", text))], now=NOW), "error_rate")
    assert "not https" in item.trouble


SMI = (
    "timestamp, index, memory.used [MiB]\n2026/01/01 00:00:00.000, 0, 8000 MiB\n2026/01/01 00:00:01.000, 0, 9000 MiB\n"
)


@pytest.mark.parametrize(
    ("text", "peak"),
    [(SMI, 9000 * 2**20 / 1e9), (SMI + "2026/01/01 00:00:01.000, 1, 1000 MiB\n", 10_000 * 2**20 / 1e9)],
)
def test_nvidia_smi_is_summed_over_the_gpus(tmp_path, text, peak):
    assert only(read(tmp_path, smi__csv=text), "gpu_memory_peak").value == pytest.approx(peak)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (SMI.replace("9000 MiB", "[N/A]"), "line 3"),
        ("memory.used [MiB]\n8000 MiB\n", "of which GPU"),
        (SMI.replace("[MiB]", "[pages]"), "'pages'"),
        ("index, memory.used [MiB]\n", "no row"),
    ],
)
def test_nvidia_smi_that_tells_no_memory(tmp_path, text, why):
    item = only(read(tmp_path, smi__csv=text), "gpu_memory_peak")
    assert math.isnan(item.value)
    assert why in item.trouble


def test_columns_that_are_damaged_are_a_problem(tmp_path):
    manifest = read(tmp_path, smi__csv=SMI.replace("memory.used [MiB]", '"memory.used [MiB] x'))
    assert not manifest.items
    assert "list of columns" in manifest.problems[0]
