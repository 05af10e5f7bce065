"""What is exported of a snapshot: names, values, labels, gaps, and bounds."""

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from exporter.boxes import ODD, batch, full, health, machine
from hypothesis import given
from hypothesis import strategies as st
from screens.box import NOW, run, snapshot

from mens_console.exporter.labels import MAX_LABEL, label
from mens_console.exporter.metrics import METRICS, UNITS, describe
from mens_console.exporter.quality import MAX_LOG_RUNS
from mens_console.ingest.text import safe_text
from mens_console.signals.alerts import AlertReducer, Observation, Signal
from mens_console.signals.generation import Judged

pytest.importorskip("prometheus_client", reason="the extra `exporter` is not installed")

from prometheus_client import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from mens_console.exporter.collect import SnapshotCollector, registry_of, samples


def told(view, **how):
    """What is exported, as the library's own parser reads it back: value by (name, label values)."""
    text = openmetrics(registry_of(SnapshotCollector(lambda: view, **how))).decode()
    return {
        (one.name, *(one.labels[name] for name in METRICS[one.name].labels)): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def test_the_table_keeps_the_conventions():
    for name, metric in METRICS.items():
        assert re.fullmatch(r"mens_[a-z0-9]+(_[a-z0-9]+)*", name)
        assert name.endswith("_total") == (metric.kind == "counter")
        assert metric.help.endswith(".") and "\n" not in metric.help
        assert not re.search(r"_(ms|mb|gb|percent|pct|milliseconds|mhz)(_|$)", name)
        if metric.unit:
            assert metric.unit in UNITS and metric.family.endswith(metric.unit)
        assert f"`{name}`" in describe()


def test_every_sample_is_in_the_table_with_its_labels():
    view = full()
    seen = set()
    for name, labels, value in samples(view):
        assert len(labels) == len(METRICS[name].labels), name
        assert isinstance(value, float)
        assert (name, labels) not in seen
        seen.add((name, labels))
    told_names = {name for name, _ in seen}
    absent = set(METRICS) - told_names
    assert absent <= {
        "mens_rule_alerts_firing", "mens_notifier_beat_timestamp_seconds", "mens_host_memory_limit_bytes",
        "mens_host_memory_limit_used_bytes", "mens_run_best_eval_loss",
    }  # fmt: skip


def test_a_soak_is_told_as_far_as_it_is_known():
    view = full()
    found = told(view)
    failing, _, foreign = view.soaks
    report = failing.report
    assert found["mens_soak_uptime_ratio", failing.id] == report.uptime < 0.995
    assert found["mens_soak_errors_total", failing.id, "connect"] == report.failed["connect"]
    assert found["mens_soak_verdict", failing.id, "uptime", "fail"] == 1.0
    assert found["mens_soak_verdict", failing.id, "uptime", "pass"] == 0.0
    assert found["mens_soak_incident_open", failing.id] == 1.0
    p95 = report.latencies["ttft"].quantile(0.95)
    assert found["mens_soak_latency_seconds", failing.id, "ttft", "95"] == pytest.approx(p95 / 1e3)
    assert ("mens_soak_probes_total", foreign.id) not in found, "a file of another tool tells of no probe"
    assert found["mens_soak_requests_total", foreign.id] == 520


def test_values_of_a_run_are_those_of_the_snapshot():
    view = full()
    found = told(view)
    one = view.get("qwen-lora-r16")
    assert found["mens_run_step", one.id] == 200
    assert found["mens_run_target_steps", one.id] == 12_000
    assert found["mens_run_loss", one.id] == one.last("loss")
    assert found["mens_run_eval_loss", one.id] == one.last("eval_loss")
    assert found["mens_run_tokens_per_second", one.id] == one.signals.tokens_per_sec
    assert found["mens_run_eta_seconds", one.id] == one.signals.eta.seconds
    assert found["mens_run_checkpoint_timestamp_seconds", one.id] == NOW - 102
    assert found["mens_run_state", one.id, "running"] == 1
    assert found["mens_run_state", one.id, "hung"] == 0
    assert sum(v for k, v in found.items() if k[:2] == ("mens_run_state", one.id)) == 1
    assert found["mens_run_bad_rows_total", "resumed"] == 1
    assert found["mens_run_resumes", "resumed"] == 1
    assert found["mens_runs", "stalled"] == 1


def test_what_is_not_known_is_absent_and_a_logged_nan_is_nan():
    found = told(full())
    assert math.isnan(found["mens_run_loss", "lr-3e-2"])
    assert found["mens_run_nonfinite_losses_total", "lr-3e-2"] == 30
    assert ("mens_run_streaming_ce_nats", "lr-3e-2") not in found
    assert ("mens_run_loss", "just-started") not in found
    assert ("mens_run_step", "just-started") not in found
    assert ("mens_run_tokens_per_second", "mini-ft-07") not in found  # stalled: what it did before is no rate now
    assert ("mens_health_drift", "logs/attempts", "(no run id)") not in found
    assert ("mens_health_latency_mean_seconds", "logs/attempts", "(no run id)") not in found
    assert ("mens_kpi", "qwen", "stall_rate") not in found
    assert found["mens_kpi_evidence", "qwen", "stall_rate"] == 0


def test_base_units():
    view = full()
    found = told(view)
    of = ("0", view.machine.gpus[0].uuid)
    assert found["mens_gpu_utilization_ratio", *of] == pytest.approx(0.93)
    assert found["mens_gpu_sm_clock_hertz", *of] == 1.755e9
    assert found["mens_gpu_memory_used_bytes", *of] == 61_200_000_000
    assert found["mens_host_cpu_ratio",] == pytest.approx(0.18)
    assert found["mens_health_latency_p95_seconds", "logs/attempts", "25K_a"] == 1.5
    assert found["mens_gpu_throttled", *of, "sw_power_cap"] == 1
    assert found["mens_gpu_throttled", *of, "hw_thermal"] == 0
    assert found["mens_gpu_ecc_errors_total", *of, "aggregate", "corrected"] == 12


def test_a_gpu_that_does_not_answer_is_down_and_has_no_readings():
    view = full()
    found = told(view)
    uuid = view.machine.gpus[1].uuid
    assert found["mens_gpu_up", "1", uuid] == 0
    assert ("mens_gpu_temperature_celsius", "1", uuid) not in found
    stale = replace(view, machine=machine(at=NOW + 1e4))
    assert told(stale)["mens_gpu_up", "0", view.machine.gpus[0].uuid] == 0


def test_health_is_that_of_the_newest_complete_batch():
    of = ("logs/attempts", "25K_a")
    found = told(full())
    assert found["mens_health_batch_index", *of] == 0
    assert found["mens_health_batch_attempts", *of] == 1000
    assert found["mens_health_repair_ratio", *of] == 0.125
    assert found["mens_health_opening_entropy_nats", *of] == 1.95
    assert found["mens_health_band", *of, "repair_rate", "warning"] == 1
    assert found["mens_health_band", *of, "repair_rate", "healthy"] == 0
    assert found["mens_health_band", *of, "pollyanna", "nodata"] == 1
    assert found["mens_health_attempts_total", *of] == 1500
    assert found["mens_health_drift", *of] == 1
    assert found["mens_health_bad_rows_total", "logs/attempts"] == 2


def test_a_repair_rate_without_evidence_is_no_zero():
    nothing = batch(repaired=0, measured={"repairs": 0})
    found = told(replace(full(), health=(health((Judged(nothing, {}),)),)))
    assert ("mens_health_batch_attempts", "logs/attempts", "25K_a") in found
    assert ("mens_health_repair_ratio", "logs/attempts", "25K_a") not in found


def test_runs_are_cut_to_the_newest_and_it_is_said():
    runs = [run(f"r{i}", "finished", age=10.0 * i) for i in range(8)] + [run("old-but-hung", "hung", age=9_000.0)]
    found = told(snapshot(runs), most_runs=3)
    assert {key[1] for key in found if key[0] == "mens_run_state"} == {"r0", "r1", "old-but-hung"}
    assert found["mens_exporter_omitted", "runs"] == 6
    assert found["mens_runs", "finished"] == 8


def test_runs_of_a_log_are_bounded_too():
    rows = tuple(Judged(batch(f"r{i}", ended=float(i)), {}) for i in range(MAX_LOG_RUNS + 5))
    found = told(replace(full(), health=(health(rows),)))
    assert found["mens_exporter_omitted", "log_runs"] == 5
    kept = {key[2] for key in found if key[0] == "mens_health_batch_index"}
    assert len(kept) == MAX_LOG_RUNS and f"r{MAX_LOG_RUNS + 4}" in kept and "r0" not in kept


def test_silenced_alerts_do_not_count_as_firing():
    reducer = AlertReducer()
    reducer.apply(Observation("nan_loss", "r", Signal.BREACH, NOW, 5))
    loud = reducer.views
    (quiet,) = (replace(one, silenced_until=NOW + 60) for one in loud)
    found = told(snapshot([run("r", alerts=loud), run("s", alerts=(quiet,))]))
    assert found["mens_alerts_firing", "critical"] == 1
    assert found["mens_alerts_silenced",] == 1
    assert found["mens_run_alerts_firing", "r", "critical"] == 1
    assert found["mens_run_alerts_firing", "s", "critical"] == 0
    assert found["mens_rule_alerts_firing", "nan_loss", "critical"] == 1


def test_odd_names_survive_the_round_trip():
    found = told(full())
    (name,) = {key[1] for key in found if key[0] == "mens_run_step" and key[1].startswith('a "quoted"')}
    assert name == label(ODD) and len(name) <= MAX_LABEL and "\n" not in name and "\u202e" not in name
    assert found["mens_health_validator_score", "logs/attempts", "25K_a", label(ODD)] == 0.5


@given(st.text(max_size=300), st.text(max_size=300))
def test_labels_are_bounded_and_two_texts_stay_two(one, other):
    assert len(label(one)) <= MAX_LABEL and label(one) == label(one)
    assert safe_text(label(one)) == label(one)
    label(one).encode()
    assert (label(one) == label(other)) == (one == other)


def test_two_runs_of_one_name_do_not_break_the_scrape():
    found = told(snapshot([run("same"), run("same", "hung")]))
    assert sum(key[0] == "mens_run_step" for key in found) == 1


def test_nothing_but_ours_is_in_the_registry():
    text = generate_latest(registry_of(SnapshotCollector(full))).decode()
    names = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if not line.startswith("#")}
    assert names <= set(METRICS)


def test_an_engine_that_ended_is_down():
    assert told(snapshot([]), engine_up=lambda: False)["mens_exporter_engine_up",] == 0


def test_the_reference_is_on_its_page():
    page = Path(__file__).resolve().parents[2] / "docs/exporter.md"
    assert describe() in page.read_text()
