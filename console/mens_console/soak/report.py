"""The report on a soak, of the blocks that are written as Markdown, as HTML, or as a page in the terminal.

Made of an analysis alone. Every figure has its n or its interval; what nobody measured is a dash.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mens_console.gate.rendering import Block, Bullets, Heading, Paragraph, Table
from mens_console.signals.human import count, number, percent, rate, size, some, step
from mens_console.soak import wording
from mens_console.soak.document import notes, peak_of
from mens_console.soak.drawings import drawings
from mens_console.soak.verdicts import Verdict, errors, failures, uptime
from mens_console.soak.wording import NONE, hours, lost_by, ms, place

if TYPE_CHECKING:
    from mens_console.soak.types import Analysis, Incident

MOST_INCIDENTS: Final = 100
"""Incidents that are listed, the newest; the JSON has all."""
MOST_EVENTS: Final = 40


def title(found: Analysis) -> str:
    """Return what the soak is called."""
    model = found.plan.model if found.plan else found.tags.get("model", "")
    return f"Soak of {model}" if model else f"Soak recorded by {found.source}"


def report(found: Analysis) -> list[Block]:
    """Return the blocks of the report."""
    return [
        *_head(found),
        *_targets(found),
        *_reliability(found),
        *_latencies(found),
        *_told(found),
        *_load(found),
        *_errors(found),
        *_incidents(found),
        *_leaks(found),
        *_drawn(found),
        *_events(found),
        *_notes(found),
    ]


def _drawn(found: Analysis) -> list[Block]:
    pictures = drawings(found)
    return [Heading(2, "Through time"), *pictures] if pictures else []


def _head(found: Analysis) -> list[Block]:
    plan = found.plan
    state = wording.STATES.get(found.state, found.state)
    gone = f"{hours(found.now_s)} of {hours(found.target_s)}" if found.target_s is not None else hours(found.now_s)
    why = f": {found.why.rstrip('.')}" if found.why else ""
    blocks: list[Block] = [Heading(1, title(found)), Paragraph(f"{state}, {gone}{why}.")]
    facts = [f"recorded by {found.source} in {found.path}", f"began {wording.moment(found.started)}"]
    if found.ended is not None:
        facts.append(f"ended {wording.moment(found.ended)}")
    if plan is not None:
        facts.append(
            f"{plan.url}, {plan.api}: {number(plan.rate)} requests/s by a {plan.arrivals} schedule, "
            f"{plan.prompt_tokens} tokens in, at most {plan.max_tokens} out; time limit {number(plan.timeout_s)} s"
        )
    facts += [f"{name}: {value}" for name, value in sorted(found.tags.items())]
    return [*blocks, Bullets(facts)]


def _targets(found: Analysis) -> list[Block]:
    judged = (
        ("uptime", uptime(found), "≥ 99.9 %, fails < 99.5 %", "up"),
        ("error rate", errors(found), "< 0.1 %, fails > 0.5 %", "down"),
        ("failures", failures(found), "≤ 1 in 72 h, fails from 4", ""),
    )
    rows = [
        [wording.BANDS[one.band], name, NONE if one.value is None else _value(one, what), wording.bounds(one, what),
         _of(one), line]
        for name, one, line, what in judged
    ]  # fmt: skip
    said = [f"{name}: {one.reason}" for name, one, _, _ in judged if one.reason]
    table = Table(["verdict", "target", "value", "bounds", "of", "asked for"], rows)
    note = Paragraph("Bounds are one-sided at 95 % on either end. Uptime is the worse of probes and requests.")
    return [Heading(2, "Targets"), table, *([Bullets(said)] if said else []), note]


def _value(one: Verdict, what: str) -> str:
    if what == "":
        return str(int(one.value or 0))
    return wording.up(one.value) if what == "up" else wording.down(one.value)


def _of(one: Verdict) -> str:
    return f"{step(one.n)} {one.of}" if one.low is not None else one.of or NONE


def _reliability(found: Analysis) -> list[Block]:
    bad = sum(found.failed.values())
    by_probe = f"{some(found.probes_failed, 'failed probe')} of {step(found.probes)}"
    by_request = f"{some(bad, 'failed request')} of {step(found.requests)}"
    rows = [
        [
            "availability by probe",
            wording.up(found.probe_availability),
            by_probe if found.probes else "no probe was made",
        ],
        [
            "availability by request",
            wording.up(found.request_availability),
            by_request if found.requests else "no request ended",
        ],
        ["not observed", *_unobserved(found)],
    ]
    failed = len(found.incidents)
    if found.mtbf_lower_bound_s is not None:
        closed = sum(one.closed is not None for one in found.incidents)
        rows += [
            ["mean time to repair", hours(found.mttr_s), f"{some(closed, 'incident')} that closed"],
            ["mean time between failures", hours(found.mtbf_s), some(failed, "failure")],
            ["… its 95 % lower bound", hours(found.mtbf_lower_bound_s), "2T/χ²: T is the observed time"],
            ["… what would show 1000 h", hours(found.mtbf_needs_s), f"observed with {some(failed, 'failure')}"],
        ]
    elif failed:
        rows.append(["mean time to repair", hours(found.mttr_s), "incidents that its requests show"])
    rows += _budget(found)
    return [Heading(2, "Reliability"), Table(["figure", "value", "of"], rows)]


def _unobserved(found: Analysis) -> tuple[str, str]:
    if found.plan is None and not found.unobserved_s:
        return NONE, "the file does not tell"
    return hours(found.unobserved_s), "the driver did not run: neither up nor down"


def _budget(found: Analysis) -> list[list[str]]:
    one = found.budget
    if one is None:
        return []
    used = f"{hours(one.used_s)} used of {hours(one.allowed_s)} at {wording.up(one.target)}"
    return [
        ["error budget left", f"{100 * one.left:,.1f} %".replace(",", " "), used],
        ["burn rate", _times(one.burn), f"{_times(one.burn_hour)} in the last hour; 1 × is just enough"],
    ]


def _times(burn: float | None) -> str:
    return NONE if burn is None else f"{number(burn, 3)} ×"


def _latencies(found: Analysis) -> list[Block]:
    rows = []
    for name, words in wording.LATENCIES.items():
        one = found.latencies.get(name)
        if one is not None and one.n:
            told = [ms(one.quantile(share)) for share in (0.5, 0.95, 0.99, 0.999)]
            rows.append([words, count(one.n), *told, ms(one.greatest)])
    if not rows:
        return []
    table = Table(["latency", "n", "p50", "p95", "p99", "p99.9", "max"], rows)
    said = (
        "Of answers that succeeded; the dispatch lag is of all that ended. Percentiles are exact to 1 % (histograms)."
    )
    return [Heading(2, "Latencies"), table, Paragraph(said)]


def _told(found: Analysis) -> list[Block]:
    """Return percentiles as another tool told them, with what they are percentiles of."""
    told = found.extra.get("told") or {}
    rows = [
        [str(name), *(ms(one.get(key)) for key in ("p50", "p95", "p99")), str(one.get("meaning", ""))]
        for name, one in told.items()
    ]
    return [Heading(2, "As the tool told it"), Table(["latency", "p50", "p95", "p99", "what"], rows)] if rows else []


def _load(found: Analysis) -> list[Block]:
    slow = "no normal is known yet" if found.normal_ms is None else f"over 2 × {ms(found.normal_ms)}"
    who = ", ".join(f"{step(n)} by {name}" for name, n in sorted(found.counted_by.items()))
    rows = [
        ["offered", _rate(found.offered_rate), "requests/s by schedule"],
        ["achieved", _rate(found.achieved_rate), "ended a second of observed time"],
        ["goodput", _rate(found.goodput), _good(found)],
        ["degraded", NONE if found.degraded is None else step(found.degraded), slow],
        ["output tokens", rate(found.output_tokens_per_s), _counted(found, who)],
    ]
    if found.plan is not None or found.lost or found.skipped:
        lost = f"{step(found.lost)}, {step(found.skipped)}"
        why = "; ".join(f"{step(n)} {what}" for what, n in lost_by(found.lost, found.lost_by))
        why = (why if found.lost_by else "") or "sent, and their driver ended or was held up"
        told = f"{why}; due while none ran" if found.plan else "sent and cut off; due and never sent"
        rows.append(["lost, skipped", lost, told])
    if "complete_s" in found.extra:
        drained = hours(float(found.extra["drain_s"]))
        rows.append(["time to complete all", hours(float(found.extra["complete_s"])), f"{drained} after the last send"])
    if found.gpu_peak_bytes is not None:
        rows.append(["GPU memory, peak", size(found.gpu_peak_bytes), f"of {peak_of(found)}"])
    return [Heading(2, "Load"), Table(["figure", "value", "of"], rows)]


def _counted(found: Analysis, who: str) -> str:
    if who:
        return f"counted {who}"
    return "nobody counted them" if found.output_tokens_per_s is None else "as the tool told it"


def _rate(value: float | None) -> str:
    return NONE if value is None else f"{number(value)}/s"


def _good(found: Analysis) -> str:
    if found.plan is None or found.good is None:
        return "as the tool told it" if found.goodput is not None else "no objectives are known"
    plan = found.plan
    return f"{step(found.good)} with first token ≤ {ms(plan.slo_ttft_ms)}, mean gap ≤ {ms(plan.slo_itl_ms)}"


def _errors(found: Analysis) -> list[Block]:
    if not found.failed:
        return []
    rows = [
        [name, step(n), percent(n / found.requests) if found.requests else NONE]
        for name, n in sorted(found.failed.items(), key=lambda pair: -pair[1])
    ]
    return [Heading(2, "Errors"), Table(["class", "requests", "share of all"], rows)]


def _incidents(found: Analysis) -> list[Block]:
    if not found.incidents:
        return []
    rows = [_incident(one) for one in found.incidents[-MOST_INCIDENTS:]]
    blocks: list[Block] = [Heading(2, "Incidents")]
    if len(found.incidents) > len(rows):
        blocks.append(Paragraph(f"The newest {len(rows)} of {len(found.incidents)}."))
    return [*blocks, Table(["opened", "lasted", "probes", "requests", "cause"], rows)]


def _incident(one: Incident) -> list[str]:
    lasted = "open" if one.closed is None else hours(one.closed - one.opened)
    return [place(one.opened), lasted, step(one.probes_failed), step(one.requests_failed), one.cause]


def _leaks(found: Analysis) -> list[Block]:
    rows = [
        [wording.LEAKS[one.verdict], wording.LEVELS.get(one.name, one.name), wording.level(one.last, one.unit),
         wording.slope(one), wording.limit(one), step(one.n)]
        for one in found.leaks
    ]  # fmt: skip
    if not rows:
        return []
    said = [f"{wording.LEVELS.get(one.name, one.name)}: {one.note}" for one in found.leaks if one.note]
    table = Table(["verdict", "level", "last", "slope an hour (95 %)", "limit", "n"], rows)
    return [Heading(2, "What should stay level"), table, *([Bullets(said)] if said else [])]


def _events(found: Analysis) -> list[Block]:
    told = found.events[-MOST_EVENTS:]
    if not told:
        return []
    heading = "Events" if len(told) == len(found.events) else f"Events, the newest {len(told)} of {len(found.events)}"
    return [Heading(2, heading), Table(["at", "event", "what"], [[place(one.at), one.kind, one.text] for one in told])]


def _notes(found: Analysis) -> list[Block]:
    said = notes(found)
    return [Heading(2, "What to know"), Bullets(said)] if said else []
