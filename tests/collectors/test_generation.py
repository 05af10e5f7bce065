"""Events and the records derived from them say what happened, by a clock that the tests turn."""

import json
import warnings
from pathlib import Path

import jsonschema
import pytest
from collectors.written import rows

from mens_console.collectors.derived import Attempts, runtime_kpi
from mens_console.collectors.generation import KPI_FILE, GenerationRecorder
from mens_console.collectors.guard import CollectorWarning
from mens_contracts.event import EventAttempt, GenerationEvent
from mens_contracts.runtime_kpi import RuntimeGenerationKpi

SCHEMA = Path(__file__).parents[2] / "contracts" / "eval" / "runtime-generation-kpi.schema.json"


class Watch:
    """Seconds that pass when told."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def pass_ms(self, ms):
        self.now += ms / 1000


@pytest.fixture
def watch():
    return Watch()


@pytest.fixture
def recorder(tmp_path, watch):
    with GenerationRecorder(
        tmp_path / "events.jsonl", model="mens-7b", task_set="sums-1", clock=lambda: 1_769_869_921.5, monotonic=watch
    ) as made:
        yield made


def written(recorder):
    """The events and the records, each valid against its contract."""
    events = rows(Path(recorder.path))
    records = rows(Path(recorder.path).with_name(KPI_FILE))
    for event in events:
        GenerationEvent.model_validate(event)
        assert {name for row in event["attempts"] for name in row} == EventAttempt.model_fields.keys()
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    for record in records:
        RuntimeGenerationKpi.model_validate(record)
        validator.validate(record)
    return events, records


def attempt(task, watch, output="x = 1\n", *, passed=False, diagnostics=(), generate=100, validate=10, **told):
    canonical = told.pop("canonical", None)
    with task.attempt() as one:
        watch.pass_ms(generate)
        one.output(output, **told)
        watch.pass_ms(validate)
        one.validated(passed, diagnostics=diagnostics, canonical=canonical)


def test_a_request_that_is_repaired_once(recorder, watch):
    with recorder.task("add", max_attempts=3, sample=0) as task:
        watch.pass_ms(5)
        attempt(
            task,
            watch,
            "def f(:\n",
            diagnostics=["expected ')'", "name 'x' is not defined"],
            tokens=7,
            tokenizer="model",
        )
        watch.pass_ms(20)
        attempt(task, watch, passed=True, canonical=True, generate=50, tokens=5, prompt_tokens=40, tokenizer="model")
        watch.pass_ms(1000)
        task.checked(task_success=True, semantic_task_success=False)
    (event,), (record,) = written(recorder)
    first, second = event["attempts"]
    assert (first["start_ms"], first["generate_ms"], first["validate_ms"], first["duration_ms"]) == (
        5.0,
        100.0,
        10.0,
        110.0,
    )
    assert (second["start_ms"], second["duration_ms"]) == (135.0, 60.0)
    assert first["diagnostics"] == second["diagnostics_before"] == {"syntax_punctuation": 1, "invalid_import": 1}
    assert (first["diagnostics_before"], second["diagnostics"]) == (None, {})
    assert event["time_to_first_valid_ms"] == event["duration_ms"] == 195.0, "checks made afterwards are not in it"
    assert event["ts"] == "2026-01-31T14:32:01.305Z"
    facts = ("task_id", "model", "task_set", "lane", "surface", "sample", "max_attempts", "success", "compile_pass")
    assert [event[name] for name in facts] == ["add", "mens-7b", "sums-1", "code", "vox-cli", 0, 3, True, True]
    assert (event["task_success"], event["semantic_task_success"]) == (True, False)
    assert (event["tokenizer"], event["output_tokens"], event["prompt_tokens"]) == ("model", 12, None)
    assert (event["repair_stalled"], event["failure_category"]) == (None, None)
    assert record == {
        "schema": "vox_runtime_generation_kpi_v1", "schema_version": 1, "surface": "vox-cli", "success": True,
        "validate_requested": True, "compile_pass": True, "canonical_pass": True, "attempts": 2,
        "repair_stalled": False, "time_to_first_valid_ms": 195, "output_tokens": 12, "surface_contract_failures": 0,
        "strictness_failures": 0, "canonicalization_failures": 0, "failure_category": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("counts", "stalled"),
    [
        ((3,), None),
        ((3, 3), None),
        ((3, 3, 3), True),
        ((3, 4, 4), True),
        ((3, 2, 2), False),
        ((3, 4, 3), False),
        ((3, 3, 2), False),
        ((9, 3, 3, 3), True),
        ((3, 3, 3, 2), False),
        ((3, 3, 0), False),
        ((3, None, 3), None),
    ],
)
def test_a_stall_is_two_repairs_that_left_no_fewer_diagnostics(recorder, watch, counts, stalled):
    with recorder.task("t") as task:
        for count in counts:
            attempt(task, watch, passed=count == 0, diagnostics=None if count is None else ["expected ':'"] * count)
    (event,), (record,) = written(recorder)
    assert event["repair_stalled"] is stalled
    assert record["repair_stalled"] is bool(stalled)


def test_a_request_that_never_becomes_valid(recorder, watch):
    with recorder.task("t") as task:
        attempt(task, watch, diagnostics=["expected ':'"])
        attempt(task, watch, diagnostics=["bad type", "wrong type", "expected ':'"])
    (event,), (record,) = written(recorder)
    assert (event["success"], event["compile_pass"], event["time_to_first_valid_ms"]) == (False, False, None)
    assert event["failure_category"] == record["failure_category"] == "type_mismatch"
    assert record["time_to_first_valid_ms"] is None


def test_words_are_counted_where_no_tokenizer_did_and_said_to_be_words(recorder, watch):
    with recorder.task("a") as task:
        attempt(task, watch, "one two  three\n", passed=True)
    with recorder.task("b") as task:
        attempt(task, watch, tokens=3, tokenizer="model")
        attempt(task, watch, "four words are here", passed=True)
    with recorder.task("c") as task:
        attempt(task, watch, tokens=3, passed=True)
    events, _ = written(recorder)
    assert [(e["tokenizer"], e["output_tokens"]) for e in events] == [
        ("whitespace", 3),
        ("whitespace", 7),
        ("unknown", 3),
    ]


def test_strictness_is_looked_at_in_the_lane_of_code_alone(recorder, watch):
    fenced = "Here you are, as you wished:\n```\nx = 1\n```\n"
    with recorder.task("a") as task:
        attempt(task, watch, fenced, diagnostics=["expected ':'"])
        attempt(task, watch, passed=True)
    with recorder.task("b", lane="docs") as task:
        attempt(task, watch, fenced, passed=True)
    (code, docs), (one, two) = written(recorder)
    assert [row["strictness"] for row in code["attempts"]] == [["prose", "markdown_fence"], []]
    assert code["attempts"][0]["code_bytes"] == len("x = 1\n")
    assert (docs["attempts"][0]["strictness"], docs["attempts"][0]["code_bytes"]) == (None, None)
    assert (one["strictness_failures"], two["strictness_failures"]) == (1, None)


def test_looking_through_an_output_is_in_nobodys_time(tmp_path, monkeypatch, watch):
    from mens_console.collectors import request

    real = request.extras
    monkeypatch.setattr(request, "extras", lambda output: (watch.pass_ms(5000), real(output))[1])
    recorder = GenerationRecorder(tmp_path / "e.jsonl", monotonic=watch)
    with recorder.task("a") as task:
        attempt(task, watch, passed=True)
    assert rows(tmp_path / "e.jsonl")[0]["duration_ms"] == 110.0


def test_a_model_that_raises_is_recorded_and_raises_on(recorder, watch):
    with pytest.raises(TimeoutError), recorder.task("a") as task, task.attempt():
        watch.pass_ms(30)
        raise TimeoutError("30 s")
    with pytest.raises(KeyError), recorder.task("b"):
        raise KeyError("x")
    (one, two), (record, _) = written(recorder)
    assert one["attempts"][0]["error"] == one["error"] == "TimeoutError: 30 s"
    assert (one["success"], one["compile_pass"], one["attempts"][0]["generate_ms"]) == (False, None, 30.0)
    assert (one["output_tokens"], one["tokenizer"], record["output_tokens"]) == (0, "unknown", 0)
    assert len(two["attempts"]) == 1
    assert two["error"] == "KeyError: 'x'"


def test_a_request_that_is_not_validated_succeeds_with_any_output(recorder, watch):
    with recorder.task("a", validate=False) as task, task.attempt() as one:
        watch.pass_ms(10)
        one.first_token()
        watch.pass_ms(10)
        one.first_token()
        one.output("x")
    (event,), (record,) = written(recorder)
    assert (event["success"], event["compile_pass"], event["validate_requested"]) == (True, None, False)
    assert event["attempts"][0]["first_token_ms"] == 10.0
    assert (record["compile_pass"], record["time_to_first_valid_ms"]) == (None, None)


def test_a_failure_without_reasons_has_unknown_diagnostics(recorder, watch):
    with recorder.task("a") as task:
        attempt(task, watch, diagnostics=())
        attempt(task, watch, diagnostics="expected ':'")
        attempt(task, watch, diagnostics=17)
    (event,), _ = written(recorder)
    assert [row["diagnostics"] for row in event["attempts"]] == [None, {"syntax_punctuation": 1}, None]


def test_what_broke_the_surface_and_the_canonical_form_is_counted(recorder, watch):
    with recorder.task("a") as task:
        attempt(task, watch, diagnostics=["x"], surface_contract_failed=True)
        attempt(task, watch, passed=True, canonical=False, surface_contract_failed=False)
    _, (record,) = written(recorder)
    assert (record["surface_contract_failures"], record["canonicalization_failures"]) == (1, 1)
    assert record["canonical_pass"] is False


def test_a_surface_that_the_closed_contract_knows_not_has_no_record(tmp_path, watch):
    recorder = GenerationRecorder(tmp_path / "e.jsonl", surface="playground", monotonic=watch)
    with recorder.task("a", model="m") as task:
        attempt(task, watch, passed=True)
    assert recorder.close()
    (event,) = rows(tmp_path / "e.jsonl")
    GenerationEvent.model_validate(event)
    assert [file.name for file in tmp_path.iterdir()] == ["e.jsonl"]
    assert runtime_kpi(event) is None


def test_records_can_go_elsewhere_or_nowhere(tmp_path, watch):
    for kpi_path in (None, tmp_path / "deep" / "kpi.jsonl"):
        recorder = GenerationRecorder(tmp_path / "e.jsonl", kpi_path=kpi_path, monotonic=watch)
        with recorder.task("a") as task:
            attempt(task, watch, passed=True)
    assert len(rows(tmp_path / "e.jsonl")) == 2
    assert len(rows(tmp_path / "deep" / "kpi.jsonl")) == 1
    assert not (tmp_path / KPI_FILE).exists()


def test_it_is_written_once_and_what_comes_late_is_left_out(recorder, watch):
    task = recorder.task("a")
    attempt(task, watch, passed=True)
    task.end()
    task.end()
    task.attempts[0].validated(False)
    task.attempts[0].output("y")
    (event,), _ = written(recorder)
    assert event["attempts"][0]["compile_pass"] is True


def test_nothing_is_raised_into_the_generation(recorder, watch):
    class Nasty:
        def __str__(self):
            raise RuntimeError("no")

    with recorder.task(Nasty(), model=Nasty(), odd={"a": Nasty()}) as task, task.attempt() as one:
        one.output(Nasty(), tokens=Nasty())
        one.validated(False, diagnostics=[Nasty()])
    (event,) = rows(Path(recorder.path))
    assert event["odd"] == {"a": "<unprintable Nasty>"}
    assert event["attempts"][0]["diagnostics"] is None


def test_a_full_disk_is_told_once(tmp_path, watch):
    (tmp_path / "e.jsonl").symlink_to("/dev/full")
    recorder = GenerationRecorder(tmp_path / "e.jsonl", kpi_path=None, monotonic=watch)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for _ in range(3):
            with recorder.task("a") as task:
                attempt(task, watch, passed=True)
    assert [warning.category for warning in told] == [CollectorWarning]
    (tmp_path / "e.jsonl").unlink()
    watch.pass_ms(60_000)
    assert recorder.close()
    assert len(rows(tmp_path / "e.jsonl")) == 3


def test_derived_facts_are_those_of_the_rows_alone():
    row = dict.fromkeys(("prompt_tokens", "output_tokens", "diagnostics", "canonical_pass"))
    first = {**row, "compile_pass": False, "output_bytes": 3, "start_ms": 0.0, "duration_ms": 10.0}
    second = {**first, "compile_pass": True, "start_ms": 12.0, "duration_ms": 8.5}
    facts = Attempts([first, second], validated=True).facts()
    assert facts["time_to_first_valid_ms"] == 20.5
    assert (facts["output_tokens"], facts["tokenizer"]) == (None, "unknown")
