"""GPUs in words: the summary of the header line, one line a GPU, one block a GPU, and everything about one of them.

Pure functions from views to lines; the host, the volumes and the processes are in `hardwarefacts`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from mens_console.ingest.text import safe_text
from mens_console.screens.sheet import Line
from mens_console.screens.words import age
from mens_console.signals.gpu import THERMAL
from mens_console.signals.human import size
from mens_console.signals.machine import IDLE_PERCENT
from mens_widgets.bar import bar
from mens_widgets.sparkline import BLOCKS
from mens_widgets.text import fit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mens_console.screens.words import Ink
    from mens_console.signals.gpu import GpuProcess, GpuSample, History
    from mens_console.signals.machine import MachineView

Piece = tuple[str, "Ink"]

NA: Final = "N/A"
RECENT_XID_S: Final = 3600.0
"""An XID that is older is still shown, but no longer in red: the alert keeps it until it is acknowledged."""
HELD_S: Final = 20.0
"""A measurement stands for so long in a sparkline: the sampler rests for 15 s when nobody looks."""
BLOCK: Final = 3
"""Lines that a block takes."""
WIDE: Final = 100


# ---------------------------------------------------------------------- the header line of every screen


def gpu_line(view: MachineView | None, *, short: bool = False) -> str:
    """Return ``GPU 3/8 busy 71 °C`` (the hottest), with the worst that is wrong; "" where there is no GPU."""
    if view is None or not view.gpus:
        return ""
    if view.gpus_stale:
        return f"GPU ◌ silent for {age(view.gpus_at, view.at)}"
    busy = sum(gpu.utilisation is not None and gpu.utilisation >= IDLE_PERCENT for gpu in view.gpus)
    unknown = all(gpu.utilisation is None for gpu in view.gpus)
    text = f"GPU {'?' if unknown else busy}/{len(view.gpus)}" + ("" if short else " busy")
    known = [gpu.temperature for gpu in view.gpus if gpu.temperature is not None]
    text += f" {max(known):.0f} °C" if known and not short else ""
    bad = [piece for gpu in view.gpus for piece in flags(gpu, view.at, short=True) if piece[1] in ("bad", "warn")]
    bad.sort(key=lambda piece: piece[1] != "bad")
    return text + (f" {bad[0][0]}" if bad else "")


def gpu_ink(view: MachineView | None) -> Ink:
    """Return the ink of `gpu_line`: that of the worst that is wrong with any GPU."""
    if view is None or view.gpus_stale:
        return "warn"
    inks = {ink for gpu in view.gpus for _, ink in flags(gpu, view.at)}
    return "bad" if "bad" in inks else "warn" if "warn" in inks else "muted"


# ---------------------------------------------------------------------- what is wrong


def flags(gpu: GpuSample, now: float, *, short: bool = False) -> list[Piece]:
    """Return what an operator must know of a GPU, the worst first: glyph, word and ink of each."""
    tail = "" if short else ", slowed"
    found: list[Piece] = []
    if gpu.lost:
        found.append(("✖ lost", "bad"))
    if gpu.ecc is not None and gpu.ecc.volatile_uncorrected:
        found.append((f"✖ ECC {gpu.ecc.volatile_uncorrected}" + ("" if short else " uncorrected"), "bad"))
    if gpu.xids:
        newest = gpu.xids[-1]
        more = f" +{len(gpu.xids) - 1}" if len(gpu.xids) > 1 and not short else ""
        found.append((f"✖ XID {newest.code}{more}", "bad" if now - newest.at < RECENT_XID_S else "muted"))
    slowed = set(gpu.throttle or ())
    if slowed & THERMAL:
        found.append((f"▲ hot{tail}", "warn"))
    if "hw_power_brake" in slowed or ("hw_slowdown" in slowed and not slowed & THERMAL):
        found.append((f"▲ power{tail}", "warn"))
    if "sw_power_cap" in slowed:
        found.append(("· power cap", "muted"))
    if gpu.mig is not None:
        found.append((f"· MIG {len(gpu.mig)}", "muted"))
    return found


# ---------------------------------------------------------------------- pieces


def level(history: History, now: float, seconds: float, width: int, top: float) -> str:
    """Return the last `seconds` as blocks from 0 to `top`, by time: a cell without a measurement stays blank."""
    if width <= 0:
        return ""
    sums, counts, last = [0.0] * width, [0] * width, [0.0] * width
    per_s = width / seconds
    for at, value in zip(history.at, history.values, strict=True):
        if value is None or value - value != 0.0:
            continue
        place = width - 1 - int((now - at) * per_s)
        if 0 <= place < width:
            sums[place] += value
            counts[place] += 1
            last[place] = value
    drawn, held, left = [], 0.0, 0
    for total, n, newest in zip(sums, counts, last, strict=True):
        if n:
            drawn.append(_block(total / n, top))
            held, left = newest, int(HELD_S * per_s)
        else:
            drawn.append(_block(held, top) if left > 0 else " ")
            left -= 1
    return "".join(drawn)


def _block(value: float, top: float) -> str:
    return BLOCKS[min(max(int(8 * value / top) if top > 0 else 0, 0), 7)]


def short_name(name: str) -> str:
    """Return a GPU's name without what every name begins with."""
    for lead in ("NVIDIA ", "GeForce ", "Tesla "):
        name = name.removeprefix(lead)
    return safe_text(name, 60)


def percent(value: float | None) -> str:
    """Return ``87 %``, or N/A."""
    return NA if value is None else f"{value:.0f} %"


def degrees(value: float | None) -> str:
    """Return ``72 °C``, or N/A."""
    return NA if value is None else f"{value:.0f} °C"


def watts(gpu: GpuSample) -> str:
    """Return ``612/700 W``, with what is unknown left out."""
    if gpu.power is None:
        return NA
    return f"{gpu.power:.0f}/{gpu.power_limit:.0f} W" if gpu.power_limit is not None else f"{gpu.power:.0f} W"


def gigabytes(gpu: GpuSample, digits: int = 1) -> str:
    """Return ``61.2/85.9 GB``, or N/A. GB are 10⁹ bytes."""
    if gpu.memory_used is None:
        return NA
    total = f"{gpu.memory_total / 1e9:.{digits}f}" if gpu.memory_total is not None else "?"
    return f"{gpu.memory_used / 1e9:.{digits}f}/{total} GB"


def clock(now: float | None, most: float | None) -> str:
    """Return ``1755/1980 MHz``, or N/A."""
    if now is None:
        return NA
    return f"{now:.0f}/{most:.0f} MHz" if most is not None else f"{now:.0f} MHz"


def heat(gpu: GpuSample) -> Ink:
    """Return the ink of a temperature: a warning from 5 °C below where the GPU slows itself down."""
    near = gpu.temperature is not None and gpu.slowdown_at is not None and gpu.temperature >= gpu.slowdown_at - 5.0
    return "warn" if near else ""


def _share(percent_: float | None) -> float | None:
    return None if percent_ is None else percent_ / 100.0


def _quiet(text: str) -> Ink:
    return "muted" if text == NA else ""


# ---------------------------------------------------------------------- the list


def title_line(view: MachineView, now: float, width: int) -> Line:
    """Return how many GPUs there are, which driver, and how old the sample is."""
    if not view.gpus:
        return (("GPUs", "accent"), (f"  {sampled(view, now)}", "muted"))
    busy = sum(gpu.utilisation is not None and gpu.utilisation >= IDLE_PERCENT for gpu in view.gpus)
    unknown = sum(gpu.utilisation is None for gpu in view.gpus)
    text = f"  {len(view.gpus)}, {busy} busy" + (f", {unknown} not measured" if unknown else "")
    software = f" · driver {safe_text(view.driver, 24)}" if view.driver else ""
    software += f" · CUDA {safe_text(view.cuda, 12)}" if view.cuda else ""
    software = "" if width < WIDE else software
    seen: Piece = (f" · {sampled(view, now)}", "muted")
    if view.gpus_stale or gone_stale(view, now):
        seen = (f" · ◌ stale: last read {ago(age(view.gpus_at, now))}", "warn")
    return (("GPUs", "accent"), (text, ""), (software, "muted"), seen)


def gone_stale(view: MachineView, now: float) -> bool:
    """Say whether the sampler itself has been silent for too long."""
    return now - view.at > view.stale_after


def sampled(view: MachineView, now: float) -> str:
    """Return how old a view is, and how often it is renewed."""
    if gone_stale(view, now):
        return f"◌ stale: sampled {ago(age(view.at, now))}"
    return f"sampled {ago(age(view.at, now))}, every {view.interval:.0f} s"


def ago(text: str) -> str:
    """Return an age as a time in the past."""
    return text if text in ("now", "—") else f"{text} ago"


def gpu_row(gpu: GpuSample, now: float, width: int, *, chosen: bool) -> Line:
    """Return a GPU in one line, at 80 columns and more."""
    gauge, name = _row_widths(width)
    lead: Piece = (f"{'›' if chosen else ' '} {gpu.index:<2}", "strong" if chosen else "")
    pieces: list[Piece] = [lead, (fit(short_name(gpu.name), name) + " ", "strong" if chosen else "")]
    if gpu.lost:
        return (*pieces, (f"✖ {safe_text(gpu.lost, 200)}", "bad"))
    memory = gigabytes(gpu, 0)
    pieces += [
        (bar(_share(gpu.utilisation), gauge), "accent"),
        (f"{percent(gpu.utilisation):>6} ", _quiet(percent(gpu.utilisation))),
        (bar(gpu.memory_share, gauge), "accent"),
        (f"{memory:>9} ", _quiet(memory)),
        (f"{degrees(gpu.temperature):>6} ", heat(gpu) or _quiet(degrees(gpu.temperature))),
        (f"{watts(gpu):>9} ", _quiet(watts(gpu))),
    ]
    room = width - sum(cell_len(text) for text, _ in pieces)
    found = flags(gpu, now, short=width < WIDE)
    spark = min(24, room - 14)
    if spark >= 6:
        pieces.append((level(gpu.utilisation_history, now, 600.0, spark, 100.0) + " ", "muted"))
        room -= spark + 1
    for i, (text, ink) in enumerate(found):
        gap, rest = " " if i else "", f"+{len(found) - i}"
        spare = cell_len(rest) + 1 if i + 1 < len(found) else 0
        if cell_len(gap + text) + spare > room:
            pieces.append((gap + rest if i else fit(text, max(room, 0)), ink))
            break
        pieces.append((gap + text, ink))
        room -= cell_len(gap + text)
    return tuple(pieces)


def _row_widths(width: int) -> tuple[int, int]:
    """Return the cells of a bar and of the name."""
    return (6, 14 + max(0, min(4, width - 84))) if width < WIDE else (10, min(26, width - 86))


def row_heads(width: int) -> Line:
    """Return the titles of `gpu_row`'s columns."""
    gauge, name = _row_widths(width)
    text = "  # " + fit("name", name) + " " + fit("in use", gauge + 7) + fit("memory", gauge + 10)
    return (
        (text + f"{'temp':>6} {'power':>9} ", "muted"),
        ("last 10 min, faults" if width >= WIDE else "faults", "muted"),
    )


def gpu_block(gpu: GpuSample, now: float, width: int, *, chosen: bool, named: Callable[[str], str]) -> list[Line]:
    """Return a GPU in three lines: what it is and what is wrong, its bars with history, who uses it."""
    first: list[Piece] = [
        (f"{'›' if chosen else ' '} GPU {gpu.index}  ", "accent" if chosen else "strong"),
        (short_name(gpu.name), "strong"),
    ]
    for text, ink in flags(gpu, now):
        first += [("  ", ""), (text, ink)]
    if gpu.lost:
        return [tuple(first), (("    ", ""), (safe_text(gpu.lost, 200), "bad")), (("    " + identity(gpu), "muted"),)]
    facts = [(f"  {degrees(gpu.temperature)}", heat(gpu) or _quiet(degrees(gpu.temperature))), (f"  {watts(gpu)}", "")]
    facts.append((f"  SM {clock(gpu.sm_clock, gpu.sm_clock_max)}", "muted"))
    if width >= WIDE:
        facts.append((f"  mem {clock(gpu.memory_clock, gpu.memory_clock_max)}", "muted"))
    return [_spread(first, facts, width), _bars(gpu, now, width), users_line(gpu, width, named)]


def _bars(gpu: GpuSample, now: float, width: int) -> Line:
    memory = gigabytes(gpu)
    spare = width - 47  # what the words and numbers of this line take
    gauge = max(6, min(20, spare // 5))
    spark = max(4, min(40, (spare - 2 * gauge) // 3))
    top = gpu.power_limit or max((value for value in gpu.power_history.values if value is not None), default=1.0)
    return (
        ("    use ", "muted"), (bar(_share(gpu.utilisation), gauge), "accent"),
        (f"{percent(gpu.utilisation):>6} ", _quiet(percent(gpu.utilisation))),
        (level(gpu.utilisation_history, now, 600.0, spark, 100.0), "muted"),
        ("  memory ", "muted"), (bar(gpu.memory_share, gauge), "accent"), (f"{memory:>14} ", _quiet(memory)),
        (level(gpu.memory_history, now, 600.0, spark, 100.0), "muted"),
        ("  power ", "muted"), (level(gpu.power_history, now, 600.0, spark, top), "muted"),
    )  # fmt: skip


def users_line(gpu: GpuSample, width: int, named: Callable[[str], str]) -> Line:
    """Return who uses a GPU, and what goes over its links."""
    if gpu.processes is None:
        text = f"processes {NA}" + (f" ({why})" if (why := gpu.why_missing("processes")) else "")
    elif not gpu.processes:
        text = "no process"
    else:
        text = " · ".join(process_text(process, named) for process in gpu.processes)
    links = links_text(gpu)
    room = max(8, width - 6 - cell_len(links))
    return (("    ", ""), (fit(text, room), "" if gpu.processes else "muted"), (f"  {links}", "muted"))


def process_text(process: GpuProcess, named: Callable[[str], str]) -> str:
    """Return ``qwen-lora (4121) 61.0 GB``."""
    who = named(process.run) if process.run else process.name or "not visible from here"
    return f"{who} ({process.pid}) {size(process.memory) if process.memory is not None else NA}"


def links_text(gpu: GpuSample) -> str:
    """Return what a GPU sends (↑) and receives (↓) over PCIe and NVLink, where it tells."""
    parts = []
    for name, sent, received in (("PCIe", gpu.pcie_tx, gpu.pcie_rx), ("NVLink", gpu.nvlink_tx, gpu.nvlink_rx)):
        if sent is not None or received is not None:
            parts.append(f"{name} ↑{bytes_rate(sent)} ↓{bytes_rate(received)}")
    return "  ".join(parts)


def bytes_rate(value: float | None) -> str:
    """Return ``1.2 GB/s``, or N/A."""
    return NA if value is None else f"{size(value)}/s"


def identity(gpu: GpuSample) -> str:
    """Return what names a GPU for ever."""
    return " · ".join(part for part in (gpu.uuid, gpu.bus_id) if part)


def _spread(left: Sequence[Piece], right: Sequence[Piece], width: int) -> Line:
    """Return pieces at both ends of a line; where both do not fit, those at the right are dropped from their end."""
    kept = list(right)
    used = sum(cell_len(text) for text, _ in left)
    while kept and used + sum(cell_len(text) for text, _ in kept) > width:
        kept.pop()
    gap = width - used - sum(cell_len(text) for text, _ in kept)
    return (*left, (" " * max(0, gap), ""), *kept)
