"""Alerts in every standing that an operator meets, on made-up runs and a made-up machine."""

import math
from dataclasses import replace

from screens.box import CHECKPOINT, NOW, run, snapshot

from mens_console.signals.alerts import AlertState, AlertView, Silence, fingerprint
from mens_console.signals.rules import RULES, Severity
from mens_console.store.snapshot import NotifierView, SegmentView


def alert(rule, entity, state="firing", *, ago=300.0, step=120, **changes):
    """Build an alert of the table's rule that began `ago` seconds before `NOW`."""
    row = RULES.get(rule)
    base = AlertView(
        fingerprint=fingerprint(rule, entity),
        rule=rule,
        entity=entity,
        severity=row.severity if row else Severity.CRITICAL,
        state=AlertState(state),
        since=NOW - ago,
        since_step=step,
        last_seen=NOW - min(ago, 12.0),
        last_step=None if step is None else step + 40,
        count=41,
        value=3.4,
        threshold=row.entry if row else 1.0,
        unit=row.unit if row else "",
        message=f"{row.title if row else rule}, as seen at step {step}",
        recommendation=row.recommendation if row else "Look at it.",
        evidence=(f"seen at step {step}: 3.4", "median of the last 50: 1.1"),
        latched=bool(row and row.latched),
        resolved_at=NOW - 60.0 if state == "resolved" else math.nan,
    )
    return replace(base, **changes)


SILENCE = Silence("51e4ce01", "loss_spike", "qwen-lora-r16", "ada", "known bad shard", NOW - 600, NOW + 3000)


def troubled(**changes):
    """Return a snapshot with one alert of each standing."""
    qwen, small, bad = "qwen-lora-r16", "mini-ft-07", "lr-3e-2"
    runs = [
        run(qwen, total=12_000, alerts=(
            alert("loss_spike", qwen, silenced_until=SILENCE.end, ago=500),
            alert("plateau", qwen, "recovering", ago=7200, step=80, count=1200, flaps=3, value=1.4),
            alert("grad_exploding", qwen, "resolved", ago=90_000, step=10),
            alert("lr_jump", qwen, "pending", ago=20, step=199, count=2),
        )),
        run(small, "stalled", age=660, alerts=(
            alert("stall", small, ago=600, step=None, value=660.0, threshold=60.0, count=40,
                  severity=Severity.CRITICAL, message="Run is silent: no new row for 11 m"),
            alert("throughput_degrading", small, ago=4000, nodata=True, acknowledged=True, acknowledged_by="grace"),
            alert("grad_vanishing", small, ago=1000, nodata=True, value=2e-6),
        )),
        run(bad, "diverged", steps=90, total=3000, nan_from=60, age=40, alerts=(
            alert("nan_loss", bad, ago=70, step=61, value=math.nan, message="loss is NaN", count=30),
            alert("nan_grad", bad, ago=68, step=62, value=math.nan, inhibited_by="nan_loss", count=29),
            alert("loss_explosion", bad, ago=90, step=58, value=14.2, acknowledged=True, acknowledged_by="ada"),
        )),
    ]  # fmt: skip
    box = (alert("gpu_xid", "gpu:GPU-1f2e", ago=120, step=None, message="GPU 0: XID 79, it fell off the bus"),)
    base = snapshot(runs, box_alerts=box, silences=(SILENCE,), notifier=NotifierView(77, "gpubox", NOW - 12, ("/box",)))
    return replace(base, **changes)


def returned(left_ago=7200.0):
    """Return a box to which somebody comes back: runs ended, began and resumed, alerts came and went."""
    done = run("done", "finished", steps=400, total=400, age=1800)
    done = replace(
        done, diagnosis=replace(done.diagnosis, since=NOW - 1800), segments=(SegmentView(1, 400, NOW - 9e4),)
    )
    broken = run("broken", "out_of_memory", steps=90, evidence=("CUDA out of memory after step 90",), alerts=(
        alert("oom", "broken", ago=3000, step=90),
        alert("plateau", "broken", "resolved", ago=9000, resolved_at=NOW - 3600),
        alert("loss_spike", "broken", "resolved", ago=5000, step=50, resolved_at=NOW - 4900),
        alert("nan_grad", "broken", ago=2900, inhibited_by="oom"),
        alert("grad_exploding", "broken", ago=90_000),
    ))  # fmt: skip
    broken = replace(broken, diagnosis=replace(broken.diagnosis, since=NOW - 3000), segments=done.segments)
    young = replace(run("young"), segments=(SegmentView(1, 120, NOW - 4000), SegmentView(101, 200, NOW - 2000)))
    going = replace(run("going"), segments=done.segments)
    saved = [CHECKPOINT(path=None, step=100 * i, bytes=48_000_000, mtime=NOW - 1000 * i) for i in (1, 2, 3, 20)]
    young = replace(young, checkpoints=tuple(saved))
    return snapshot([done, broken, young, going], left_at=NOW - left_ago)
