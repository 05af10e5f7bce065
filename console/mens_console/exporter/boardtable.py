"""What the three dashboards show: data only, one line a panel with its queries and their legends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: `queries` are pairs of PromQL and legend, `unit` one of Grafana's names of units.

    `steps` are where its colour changes: to worse as the value rises, or to better where it is not `rising`.
    """

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    kind: Literal["timeseries", "stat", "gauge", "table"] = "timeseries"
    steps: tuple[float, ...] = ()
    rising: bool = True
    description: str = ""


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard. `variables` are pairs of a label to choose by and the metric that its values come from."""

    name: str
    title: str
    description: str
    panels: tuple[Panel, ...]
    variables: tuple[tuple[str, str], ...]


def choose(expr: str) -> str:
    """Return the query with `RUN`, `LOG` and `GPU` in braces replaced by the choices made above the panels."""
    for word, choices in _CHOICES.items():
        expr = expr.replace("{" + word, "{" + choices)
    return expr


_CHOICES: Final = {"RUN": 'run=~"$run"', "LOG": 'log=~"$log", run=~"$run"', "GPU": 'gpu=~"$gpu"'}

PERFORMANCE: Final = Board(
    "performance",
    "performance",
    "How fast runs train and generate, and what the machine gives them.",
    (
        Panel("Throughput", "short", (("mens_run_tokens_per_second{RUN}", "{{run}}"),), description="Tokens a second."),
        Panel("Steps a second", "short", (("mens_run_steps_per_second{RUN}", "{{run}}"),)),
        Panel(
            "Soak latency",
            "s",
            (('mens_soak_latency_seconds{latency=~"ttft|itl|e2e"}', "{{soak}} {{latency}} p{{percentile}}"),),
            description="Percentiles of the whole soak.",
        ),
        Panel(
            "Time left",
            "s",
            (
                ("mens_run_eta_seconds{RUN}", "{{run}}"),
                ("mens_run_eta_low_seconds{RUN}", "{{run}} low"),
                ("mens_run_eta_high_seconds{RUN}", "{{run}} high"),
            ),
        ),
        Panel(
            "Generation latency",
            "s",
            (
                ("mens_health_latency_mean_seconds", "{{log}} {{run}} mean"),
                ("mens_health_latency_p95_seconds", "{{log}} {{run}} p95"),
            ),
            description="Of the newest complete batch of each attempt log.",
        ),
        Panel("Generated tokens a second", "short", (("rate(mens_health_tokens_total[5m])", "{{log}} {{run}}"),)),
        Panel("Progress", "percentunit", (("mens_run_progress_ratio{RUN}", "{{run}}"),), kind="gauge"),
        Panel("GPU utilization", "percentunit", (("mens_gpu_utilization_ratio{GPU}", "GPU {{gpu}}"),)),
        Panel(
            "GPU memory",
            "bytes",
            (
                ("mens_gpu_memory_used_bytes{GPU}", "GPU {{gpu}}"),
                ("mens_gpu_memory_size_bytes{GPU}", "GPU {{gpu}} size"),
            ),
        ),
        Panel(
            "GPU power",
            "watt",
            (("mens_gpu_power_watts{GPU}", "GPU {{gpu}}"), ("mens_gpu_power_limit_watts{GPU}", "GPU {{gpu}} limit")),
        ),
        Panel("GPU clocks", "hertz", (("mens_gpu_sm_clock_hertz{GPU}", "GPU {{gpu}}"),)),
        Panel("GPU links", "Bps", (("mens_gpu_link_bytes_per_second{GPU}", "GPU {{gpu}} {{link}} {{direction}}"),)),
        Panel(
            "Host",
            "percentunit",
            (("mens_host_cpu_ratio", "CPU"), ("mens_host_memory_used_bytes / mens_host_memory_size_bytes", "memory")),
        ),
    ),
    (("run", "mens_run_step"), ("gpu", "mens_gpu_up")),
)

RELIABILITY: Final = Board(
    "reliability",
    "reliability",
    "What fails, what is about to, and whether anybody would be told.",
    (
        Panel(
            "Alerts",
            "short",
            (
                ('mens_alerts_firing{severity="critical"}', "critical"),
                ('mens_alerts_firing{severity="warning"}', "warning"),
            ),
            kind="stat",
            steps=(1.0,),
        ),
        Panel("Alerts by rule", "short", (("mens_rule_alerts_firing", "{{rule}} {{severity}}"),)),
        Panel(
            "Soak availability",
            "percentunit",
            (("mens_soak_uptime_ratio", "{{soak}}"),),
            steps=(0.995, 0.999),
            rising=False,
            description="The worse of probe and request availability.",
        ),
        Panel("Soak errors", "percentunit", (("mens_soak_error_ratio", "{{soak}}"),), steps=(0.001, 0.005)),
        Panel("Soak error budget left", "percentunit", (("mens_soak_error_budget_left_ratio", "{{soak}}"),)),
        Panel(
            "Soak incidents",
            "short",
            (("mens_soak_incidents", "{{soak}}"), ("mens_soak_incident_open", "{{soak}} open")),
            steps=(2.0, 4.0),
        ),
        Panel("Runs by state", "short", (("mens_runs > 0", "{{state}}"),)),
        Panel(
            "Silence of live runs",
            "s",
            (
                (
                    "time() - mens_run_updated_timestamp_seconds{RUN} and on (run) "
                    'mens_run_state{state=~"running|slow|stalled|hung"} == 1',
                    "{{run}}",
                ),
            ),
        ),
        Panel(
            "Losses that are NaN or infinite, per hour",
            "short",
            (("increase(mens_run_nonfinite_losses_total{RUN}[1h])", "{{run}}"),),
        ),
        Panel(
            "Attempts that failed, of 1",
            "percentunit",
            (("1 - mens_health_success_or_repaired_ratio", "{{log}} {{run}}"),),
            description="Neither succeeded nor repaired, in the newest complete batch.",
        ),
        Panel(
            "Rows that could not be read, per hour",
            "short",
            (
                ("increase(mens_run_bad_rows_total{RUN}[1h])", "{{run}}"),
                ("increase(mens_health_bad_rows_total[1h])", "{{log}}"),
            ),
        ),
        Panel("GPUs that answer", "short", (("mens_gpu_up", "GPU {{gpu}}"),), kind="stat", steps=(1.0,), rising=False),
        Panel(
            "GPU temperature",
            "celsius",
            (
                ("mens_gpu_temperature_celsius", "GPU {{gpu}}"),
                ("mens_gpu_slowdown_temperature_celsius", "GPU {{gpu}} slows down"),
            ),
        ),
        Panel(
            "GPU slowdowns",
            "short",
            (('mens_gpu_throttled{reason!~"gpu_idle|sw_power_cap|app_clocks"} == 1', "GPU {{gpu}} {{reason}}"),),
        ),
        Panel(
            "Uncorrected memory errors",
            "short",
            (
                ('mens_gpu_ecc_errors_total{kind="uncorrected"}', "GPU {{gpu}} {{scope}}"),
                ("mens_gpu_xid_last_code", "GPU {{gpu}} last XID"),
            ),
        ),
        Panel(
            "Time until volumes are full",
            "s",
            (("mens_volume_full_seconds", "{{mount}}"),),
            steps=(3600.0, 86400.0),
            rising=False,
        ),
        Panel("Free space", "bytes", (("mens_volume_free_bytes", "{{mount}}"),)),
        Panel("Newest checkpoint's age", "s", (("time() - mens_run_checkpoint_timestamp_seconds{RUN}", "{{run}}"),)),
        Panel(
            "Who watches the watcher",
            "s",
            (
                ("time() - mens_notifier_beat_timestamp_seconds", "last beat of `watch --notify`"),
                ("1 - mens_exporter_engine_up", "engine down"),
            ),
        ),
    ),
    (("run", "mens_run_step"),),
)

QUALITY: Final = Board(
    "quality",
    "quality",
    "Whether training converges, whether generation stays healthy, and how close the model is to the product's goals.",
    (
        Panel(
            "Training loss",
            "short",
            (("mens_run_loss{RUN}", "{{run}}"), ("mens_run_streaming_ce_nats{RUN}", "{{run}} average")),
        ),
        Panel(
            "Evaluation loss",
            "short",
            (("mens_run_eval_loss{RUN}", "{{run}}"), ("mens_run_best_eval_loss{RUN}", "{{run}} best")),
        ),
        Panel("Gradient norm", "short", (("mens_run_grad_norm{RUN}", "{{run}}"),)),
        Panel(
            "Bands that are critical or warn",
            "short",
            (('mens_health_band{LOG, band=~"critical|warning"} == 1', "{{log}} {{run}} {{indicator}}: {{band}}"),),
        ),
        Panel("Drift", "short", (("mens_health_drift{LOG}", "{{log}} {{run}}"),), kind="stat", steps=(1.0,)),
        Panel("Repair rate", "percentunit", (("mens_health_repair_ratio{LOG}", "{{log}} {{run}}"),), steps=(0.1, 0.2)),
        Panel(
            "Opening moves",
            "short",
            (("mens_health_opening_entropy_nats{LOG}", "{{log}} {{run}}"),),
            steps=(1.5, 2.0),
            rising=False,
            description="Entropy in nats.",
        ),
        Panel(
            "Anchors",
            "percentunit",
            (
                ("mens_health_anchor_diversity_ratio{LOG}", "{{log}} {{run}}"),
                ("mens_health_anchor_rarefied_ratio{LOG}", "{{log}} {{run}} rarefied"),
            ),
        ),
        Panel(
            "Scores of validators", "short", (("mens_health_validator_score{LOG}", "{{log}} {{run}} {{validator}}"),)
        ),
        Panel(
            "Success",
            "percentunit",
            (
                ("mens_health_success_ratio{LOG}", "{{log}} {{run}}"),
                ("mens_health_success_or_repaired_ratio{LOG}", "{{log}} {{run}} or repaired"),
            ),
        ),
        Panel(
            "Product KPIs",
            "short",
            (
                ("mens_kpi", "{{model}} {{kpi}}"),
                ("mens_kpi_low", "{{model}} {{kpi}} low"),
                ("mens_kpi_high", "{{model}} {{kpi}} high"),
            ),
            kind="table",
            description="In the unit that mens_kpi_info tells.",
        ),
        Panel(
            "Readers without a producer",
            "short",
            (("mens_kpi_underfed_readers", "underfed"),),
            kind="stat",
            steps=(1.0,),
        ),
    ),
    (("run", "mens_run_step"), ("log", "mens_health_batches")),
)

BOARDS: Final = (PERFORMANCE, RELIABILITY, QUALITY)
