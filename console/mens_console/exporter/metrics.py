"""The table of exported metrics: name, kind, labels, and what each one says.

Everything else is read from this one table: what may be exported, the reference, and what dashboards may ask for. Base
units stand at the end of a name; `_total` only on counters.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

UNITS: Final = ("bytes", "seconds", "ratio", "nats", "celsius", "watts", "hertz")


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: `name` as it is exposed, and the labels of its samples in order."""

    name: str
    kind: Literal["gauge", "counter"]
    help: str
    labels: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        """Return the name of the family: a counter's is without `_total`."""
        return self.name.removesuffix("_total")

    @property
    def unit(self) -> str:
        """Return the base unit that the family's name ends in, "" for a plain number."""
        return next((unit for unit in UNITS if self.family.endswith(f"_{unit}")), "")


def _gauge(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, "gauge", text, labels)


def _counter(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, "counter", text, labels)


_LOG_RUN: Final = ("log", "run")
_GPU: Final = ("gpu", "uuid")

_EXPORTER: Final = (
    _gauge("mens_exporter_info", "1; the version is a label.", "version"),
    _gauge("mens_exporter_engine_up", "1 while the engine that reads and judges works, 0 when it ended or failed."),
    _gauge("mens_exporter_scanning", "1 until every folder was searched and all history was read."),
    _gauge("mens_exporter_problems", "Problems that hinder the engine; `mens-console status` tells them."),
    _gauge("mens_exporter_snapshot_timestamp_seconds", "When the engine last found something changed."),
    _gauge("mens_exporter_omitted", "How many of a kind are left out to bound the number of series.", "kind"),
)
_RUNS: Final = (
    _gauge("mens_runs", "Runs by state, those left out below included.", "state"),
    _gauge("mens_run_info", "1; the run's name is a label.", "run", "name"),
    _gauge("mens_run_state", "1 for the state that the run is in, 0 for the others.", "run", "state"),
    _gauge("mens_run_state_since_timestamp_seconds", "Since when the run is in its state.", "run"),
    _gauge("mens_run_updated_timestamp_seconds", "When the run last wrote something.", "run"),
    _gauge("mens_run_step", "Newest step.", "run"),
    _gauge("mens_run_target_steps", "Steps that the run is to make.", "run"),
    _gauge("mens_run_progress_ratio", "Steps made of those to make; above 1 where the producer overran them.", "run"),
    _gauge("mens_run_epoch", "Epochs made.", "run"),
    _gauge("mens_run_loss", "Newest logged training loss; NaN where the run logged one.", "run"),
    _gauge("mens_run_streaming_ce_nats", "Exponential moving average of the training loss.", "run"),
    _gauge("mens_run_eval_loss", "Newest logged evaluation loss.", "run"),
    _gauge("mens_run_best_eval_loss", "Lowest evaluation loss so far.", "run"),
    _gauge("mens_run_learning_rate", "Newest logged learning rate.", "run"),
    _gauge("mens_run_grad_norm", "Newest logged gradient norm.", "run"),
    _gauge("mens_run_tokens_per_second", "Tokens a second now, of a run that moves.", "run"),
    _gauge("mens_run_steps_per_second", "Steps a second now, of a run that moves.", "run"),
    _gauge("mens_run_eta_seconds", "Time to the last step, of a run that moves.", "run"),
    _gauge("mens_run_eta_low_seconds", "Lower end of the interval of the time to the last step.", "run"),
    _gauge("mens_run_eta_high_seconds", "Upper end of the interval of the time to the last step.", "run"),
    _gauge("mens_run_resumes", "How often the run was resumed.", "run"),
    _gauge("mens_run_checkpoints", "Checkpoints that are there.", "run"),
    _gauge("mens_run_checkpoint_timestamp_seconds", "When the newest checkpoint was written.", "run"),
    _counter("mens_run_nonfinite_losses_total", "Losses that were NaN or infinite.", "run"),
    _counter("mens_run_nonfinite_grads_total", "Gradient norms that were NaN or infinite.", "run"),
    _counter("mens_run_rows_total", "Rows read of the run's files.", "run"),
    _counter("mens_run_bad_rows_total", "Rows of the run's files that could not be read.", "run"),
    _gauge("mens_run_backlog_bytes", "Bytes of history that wait to be read.", "run"),
)
_ALERTS: Final = (
    _gauge("mens_alerts_firing", "Alerts that fire, of runs and the machine; silenced ones do not count.", "severity"),
    _gauge("mens_run_alerts_firing", "Alerts of the run that fire; silenced ones do not count.", "run", "severity"),
    _gauge("mens_rule_alerts_firing", "Alerts that fire by rule.", "rule", "severity"),
    _gauge("mens_alerts_silenced", "Alerts that fire and are silenced, or follow from another one."),
    _gauge("mens_notifier_beat_timestamp_seconds", "When `mens-console watch --notify` last gave a sign of life."),
)
_HEALTH: Final = (
    _gauge("mens_health_log_size_bytes", "Size of the attempt logs.", "log"),
    _gauge("mens_health_log_read_bytes", "How much of the attempt logs was read.", "log"),
    _counter("mens_health_bad_rows_total", "Rows of the attempt logs that are no attempts.", "log"),
    _counter("mens_health_attempts_total", "Generation attempts.", *_LOG_RUN),
    _counter("mens_health_tokens_total", "Prompt and completion tokens of the attempts.", *_LOG_RUN),
    _gauge("mens_health_batches", "Batches begun.", *_LOG_RUN),
    _gauge(
        "mens_health_cost_usd", "Cost of the attempts in US dollars, at the configured price of a token.", *_LOG_RUN
    ),
    _gauge(
        "mens_health_drift", "1 where drift was detected, 0 where not; absent where it cannot be judged.", *_LOG_RUN
    ),
    _gauge("mens_health_batch_index", "Index of the batch below: the newest complete one, else the newest.", *_LOG_RUN),
    _gauge("mens_health_batch_attempts", "Attempts of that batch: what its figures rest on.", *_LOG_RUN),
    _gauge("mens_health_success_ratio", "Attempts with status success, of those of the batch.", *_LOG_RUN),
    _gauge("mens_health_success_or_repaired_ratio", "Attempts that succeeded or were repaired.", *_LOG_RUN),
    _gauge("mens_health_repair_ratio", "Attempts with at least one repair, of those of the batch.", *_LOG_RUN),
    _gauge("mens_health_latency_mean_seconds", "Mean latency of the batch's attempts.", *_LOG_RUN),
    _gauge("mens_health_latency_p95_seconds", "Latency that 95 % of the batch's attempts do not exceed.", *_LOG_RUN),
    _gauge("mens_health_opening_entropy_nats", "Entropy of opening moves, corrected for the sample's size.", *_LOG_RUN),
    _gauge("mens_health_opening_entropy_plain_nats", "The same, of the shares as they are.", *_LOG_RUN),
    _gauge("mens_health_anchor_diversity_ratio", "Distinct anchors over attempts of the batch.", *_LOG_RUN),
    _gauge("mens_health_anchor_rarefied_ratio", "Distinct anchors expected in a draw of equal size.", *_LOG_RUN),
    _gauge("mens_health_validator_score", "Mean score that a validator gave in the batch.", *_LOG_RUN, "validator"),
    _gauge(
        "mens_health_band", "1 for the band that an indicator is in, 0 for the others.", *_LOG_RUN, "indicator", "band"
    ),
    _gauge("mens_health_indicator", "What is judged of an indicator, in its own unit.", *_LOG_RUN, "indicator"),
)
_KPI: Final = (
    _gauge("mens_kpi", "A product KPI of a model, in the unit that mens_kpi_info tells.", "model", "kpi"),
    _gauge("mens_kpi_low", "Lower end of its 95 % interval.", "model", "kpi"),
    _gauge("mens_kpi_high", "Upper end of its 95 % interval.", "model", "kpi"),
    _gauge("mens_kpi_evidence", "Tasks, requests or tokens that it rests on.", "model", "kpi"),
    _gauge("mens_kpi_info", "1; unit, tier and role of a KPI are labels.", "model", "kpi", "unit", "tier", "role"),
    _gauge("mens_kpi_underfed_readers", "Readers for whose field no producer was found."),
)
_GPUS: Final = (
    _gauge("mens_gpu_info", "1; the GPU's name is a label.", *_GPU, "name"),
    _gauge("mens_gpu_up", "1 while the GPU answers; its other gauges are absent while it does not.", *_GPU),
    _gauge("mens_gpu_utilization_ratio", "Time in which a kernel ran.", *_GPU),
    _gauge("mens_gpu_memory_used_bytes", "Memory in use.", *_GPU),
    _gauge("mens_gpu_memory_size_bytes", "Memory that is there.", *_GPU),
    _gauge("mens_gpu_temperature_celsius", "Temperature.", *_GPU),
    _gauge("mens_gpu_slowdown_temperature_celsius", "Temperature at which it slows down.", *_GPU),
    _gauge("mens_gpu_power_watts", "Power drawn.", *_GPU),
    _gauge("mens_gpu_power_limit_watts", "Power that may be drawn.", *_GPU),
    _gauge("mens_gpu_sm_clock_hertz", "Clock of the multiprocessors.", *_GPU),
    _gauge("mens_gpu_memory_clock_hertz", "Clock of the memory.", *_GPU),
    _gauge(
        "mens_gpu_throttled", "1 for each reason that now holds the clocks down, 0 for the others.", *_GPU, "reason"
    ),
    _counter(
        "mens_gpu_ecc_errors_total",
        "Memory errors since the driver was loaded, or over its life.",
        *_GPU,
        "scope",
        "kind",
    ),
    _gauge("mens_gpu_xid_last_code", "Number of the newest XID error that was seen, 0 for none.", *_GPU),
    _gauge(
        "mens_gpu_link_bytes_per_second", "Traffic over PCIe and NVLink, seen from the GPU.", *_GPU, "link", "direction"
    ),
)
_HOST: Final = (
    _gauge("mens_host_cpu_ratio", "Share of all cores that is busy."),
    _gauge("mens_host_cores", "Cores."),
    _gauge("mens_host_load", "Load average over so many minutes.", "minutes"),
    _gauge("mens_host_memory_used_bytes", "Memory that is in use and cannot be reclaimed."),
    _gauge("mens_host_memory_size_bytes", "Memory that is there."),
    _gauge("mens_host_memory_limit_bytes", "Limit of the container or control group, where it is lower."),
    _gauge("mens_host_memory_limit_used_bytes", "What counts against that limit."),
    _gauge("mens_host_swap_used_bytes", "Swap in use."),
    _gauge("mens_host_swap_size_bytes", "Swap that is there."),
    _gauge("mens_host_network_bytes_per_second", "Traffic over all interfaces.", "direction"),
    _gauge("mens_volume_up", "1 while the file system answers; its numbers are as last read while not.", "mount"),
    _gauge("mens_volume_size_bytes", "Size of a file system that holds runs.", "mount"),
    _gauge("mens_volume_used_bytes", "What is taken of it.", "mount"),
    _gauge("mens_volume_free_bytes", "What this user may still write to it.", "mount"),
    _gauge("mens_volume_bytes_per_second", "Traffic of its whole device.", "mount", "direction"),
    _gauge(
        "mens_volume_full_seconds", "Time until it is full at the present rate; absent where it does not fill.", "mount"
    ),
)
_SOAK: Final = (
    _gauge("mens_soak_info", "1; the model under load and the tool that made the load are labels.", "soak", "model",
           "source"),
    _gauge("mens_soak_state", "1 for the state that the soak is in, 0 for the others.", "soak", "state"),
    _gauge("mens_soak_updated_timestamp_seconds", "Time of the newest second that the soak recorded.", "soak"),
    _gauge("mens_soak_elapsed_seconds", "How long it has gone on.", "soak"),
    _gauge("mens_soak_target_seconds", "How long it is to go on.", "soak"),
    _gauge("mens_soak_offered_requests_per_second", "Requests a second by schedule.", "soak"),
    _gauge("mens_soak_achieved_requests_per_second", "Requests a second that ended.", "soak"),
    _gauge("mens_soak_goodput_requests_per_second", "Requests a second that kept their objectives.", "soak"),
    _gauge("mens_soak_output_tokens_per_second", "Generated tokens a second.", "soak"),
    _counter("mens_soak_requests_total", "Requests that ended.", "soak"),
    _counter("mens_soak_errors_total", "Requests that failed, by class.", "soak", "class"),
    _counter("mens_soak_degraded_requests_total", "Requests that took more than twice the normal time.", "soak"),
    _counter("mens_soak_skipped_requests_total", "Requests that were due and never sent.", "soak"),
    _counter("mens_soak_lost_requests_total", "Requests that were sent by a driver that died before they ended.",
             "soak"),
    _counter("mens_soak_probes_total", "Health probes.", "soak"),
    _counter("mens_soak_failed_probes_total", "Health probes without an answer.", "soak"),
    _gauge("mens_soak_uptime_ratio", "The worse of probe and request availability.", "soak"),
    _gauge("mens_soak_error_ratio", "Failed requests of those that ended.", "soak"),
    _gauge("mens_soak_verdict", "1 for the band of a target (uptime, error_rate, failures), 0 for the others.", "soak",
           "target", "band"),
    _gauge("mens_soak_unobserved_seconds", "Time in which nobody drove the soak.", "soak"),
    _gauge("mens_soak_error_budget_left_ratio", "Share of the error budget that is left; below 0 when overdrawn.",
           "soak"),
    _gauge("mens_soak_burn_rate", "Share of the budget that is spent by share of the time that is gone.", "soak"),
    _gauge("mens_soak_incidents", "Incidents so far.", "soak"),
    _gauge("mens_soak_incident_open", "1 while an incident is open.", "soak"),
    _gauge("mens_soak_mtbf_low_seconds", "Lower 95 % bound of the mean time between failures.", "soak"),
    _gauge("mens_soak_latency_seconds", "Percentiles of the whole soak: first token (ttft), raw gaps (itl), end to end "
           "(e2e), since due (scheduled), dispatch lag (lag).", "soak", "latency", "percentile"),
    _gauge("mens_soak_level_bytes", "The last sample of a level: rss, gpu_memory.", "soak", "level"),
    _gauge("mens_soak_level_bytes_per_hour", "How fast a level grows.", "soak", "level"),
    _gauge("mens_soak_limit_seconds", "Time until a level reaches its limit at its present slope.", "soak", "level"),
)  # fmt: skip

METRICS: Final[Mapping[str, Metric]] = MappingProxyType(
    {metric.name: metric for metric in (*_EXPORTER, *_RUNS, *_ALERTS, *_HEALTH, *_KPI, *_SOAK, *_GPUS, *_HOST)}
)
"""Every metric by the name that it is exposed under."""


def describe(metrics: Mapping[str, Metric] = METRICS) -> str:
    """Return the reference of all metrics as a Markdown table."""
    lines = ["| metric | kind | labels | what it says |", "|---|---|---|---|"]
    for metric in metrics.values():
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "—"
        lines.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |")
    return "\n".join(lines)
