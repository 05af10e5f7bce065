"""Soak and benchmark reports, by the committed schemas and an independent validator."""

import json
from pathlib import Path

import jsonschema
import pytest
from contracts.load_samples import BENCH, SOAK, changed

from mens_contracts.bench import BenchReport
from mens_contracts.registry import CONTRACTS
from mens_contracts.soak import SoakReport

FOLDER = Path(__file__).parents[2] / "contracts"


def fits(document):
    schema = json.loads((FOLDER / CONTRACTS[document["schema"]].schema_file).read_text())
    return jsonschema.Draft202012Validator(schema).is_valid(document)


def test_the_samples_are_reports():
    assert fits(SOAK)
    assert fits(BENCH)
    assert SoakReport.model_validate(SOAK).availability.probes == 25_920
    assert BenchReport.model_validate(BENCH).context[1].quality_n == 100


def test_what_nobody_measured_is_null():
    for path in (("mttr_s",), ("mtbf_s",), ("error_rate",), ("availability", "probe"), ("ttft_ms", "p99"), ("ended",)):
        assert fits(changed(SOAK, path, None)), path
    assert fits(changed(BENCH, ("throughput", 0, "sd"), None))
    assert fits(changed(BENCH, ("context", 0, "quality"), None))


def test_more_is_kept():
    report = SoakReport.model_validate(SOAK | {"kv_blocks": 12})
    assert fits(SOAK | {"kv_blocks": 12})
    assert report.model_extra == {"kv_blocks": 12}


@pytest.mark.parametrize(
    ("document", "path", "value"),
    [
        (SOAK, ("schema",), "mens-soak/2"),
        (SOAK, ("availability", "probes"), ...),
        (SOAK, ("availability", "probe"), 99.95),
        (SOAK, ("error_rate",), -0.1),
        (SOAK, ("errors", "timeout"), -1),
        (SOAK, ("ttft_ms", "n"), ...),
        (SOAK, ("ttft_ms", "p50"), "71"),
        (SOAK, ("ttft_ms", "counts"), [[70.0]]),
        (SOAK, ("requests",), 1.5),
        (SOAK, ("minutes", 0, "at"), ...),
        (BENCH, ("throughput", 0, "runs"), [-1.0]),
        (BENCH, ("throughput", 0, "n"), ...),
        (BENCH, ("throughput", 0, "gpus"), 0),
        (BENCH, ("latency", 0, "itl_ms"), ...),
        (BENCH, ("context", 0, "quality"), 98.0),
        (BENCH, ("memory", 0, "peak_bytes"), -1),
        (BENCH, ("target", "model"), ...),
    ],
)
def test_what_the_schemas_refuse(document, path, value):
    wrong = changed(document, path, value)
    schema = json.loads((FOLDER / CONTRACTS[document["schema"]].schema_file).read_text())
    assert not jsonschema.Draft202012Validator(schema).is_valid(wrong)
