"""Draw the real console over the shipped recordings into screenshots/, as SVG, and as PNG where cairosvg is installed.

The replay is stopped at one moment of its own time, so that the pictures change only when the console does. No machine
was recorded: that of the Hardware picture is the made-up one that the tests of that screen look at.
"""

from __future__ import annotations

import argparse
import asyncio
import html
import os
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass, replace
from datetime import UTC
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TEXTUAL_COLOR_SYSTEM", "truecolor")  # asked for when textual is loaded: a picture has colours

from mens_console.config import Settings
from mens_console.demo.recording import Recording, shipped
from mens_console.demo.replay import Replay
from mens_console.screens.app import ConsoleApp
from mens_console.signals.alerts import Silence
from mens_console.store.snapshot import Snapshot

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "screenshots"
MOMENT_S = 450.0
CELL_W, CELL_H, BASELINE = 12.2, 24.4, 18.5
"""Of a character in the exported picture, in its own units."""
SIZES = ((80, 24), (120, 40), (200, 50))
RUN = "llama-lora-r8"
COMPARED = ("llama-lora-r8", "llama-lora-r4-lr1e-3", "llama-lora-r16-lr2e-1")


class View(NamedTuple):
    """What a picture shows: the keys that lead there from the fleet, and the run that is chosen."""

    keys: tuple[str, ...]
    run: str = RUN


VIEWS = {
    "fleet": View(("1",)),
    "run": View(("2",)),
    "lora": View(("3",), "llama-lora-r8-two-dead"),
    "patterns": View(("3", "tab"), "llama-lora-r8-watched"),
    "health": View(("4",)),
    "kpi": View(("5",)),
    "soak": View(("6",)),
    "alerts": View(("8",)),
    "gate": View(("9",)),
    "compare": View(("1", "c")),
    "logs": View(("0",)),
    "help": View(("1", "question_mark")),
}
MACHINE_VIEWS = {"hardware": View(("7",))}


class Still:
    """A replay that stands still at one moment."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    def start(self, on_publish: Callable[[Snapshot], None]) -> None:  # noqa: D102
        on_publish(self.snapshot)

    def stop(self) -> None:  # noqa: D102
        pass

    def want(self, run_id: str | None, in_sight: Iterable[str] = ()) -> None:  # noqa: D102
        pass

    def touch(self, at: float) -> None: ...  # noqa: D102

    def look_at_machine(self, on: bool) -> None:  # noqa: D102
        pass

    def pace(self, not_before: float) -> None:  # noqa: D102
        pass

    def acknowledge(self, run_id: str, fingerprint: str, note: str = "") -> None:  # noqa: D102
        pass

    def silence(self, silence: Silence) -> None:  # noqa: D102
        pass

    def unsilence(self, silence_id: str) -> None:  # noqa: D102
        pass


def moved(value: Any, by: float) -> Any:
    """Return a view of the machine with every time in it `by` seconds later."""
    if isinstance(value, tuple):
        return tuple(moved(one, by) for one in value)
    if not is_dataclass(value) or isinstance(value, type):
        return value
    changes = {}
    for field in fields(value):
        one = getattr(value, field.name)
        if field.name in ("at", "gpus_at"):
            changes[field.name] = tuple(at + by for at in one) if isinstance(one, tuple) else one + by
        else:
            changes[field.name] = moved(one, by)
    return replace(value, **changes)


def with_machine(snapshot: Snapshot) -> Snapshot:
    """Return the box with a machine beside it, sampled a second ago."""
    sys.path.insert(0, str(ROOT / "tests"))
    from screens.box import NOW
    from screens.machine import view8

    return replace(snapshot, machine=moved(view8(), snapshot.at - NOW))


def dots(match: re.Match[str]) -> str:
    """Draw braille as squares: fonts that lack it, or have it at another width, would tear a chart apart."""
    style, x, y, rest, text = match.groups()
    path = ""
    for column, char in enumerate(html.unescape(text)):
        for bit in range(8) if "\u2800" < char <= "\u28ff" else ():
            if (ord(char) - 0x2800) >> bit & 1:
                right, down = (bit // 3, bit % 3) if bit < 6 else (bit - 6, 3)
                left = float(x) + (column + 0.16 + right / 2) * CELL_W
                top = float(y) - BASELINE + (down + 0.3) * CELL_H / 4
                path += f"M{left:.1f} {top:.1f}h2.6v2.6h-2.6z"
    words = re.sub("[\u2800-\u28ff]", "&#160;", text)
    words = f'<text class="{style}" x="{x}" y="{y}"{rest}>{words}</text>' if words.replace("&#160;", "") else ""
    return f'{words}<path class="{style}" d="{path}"/>'


def self_contained(svg: str) -> str:
    """Take out what is fetched from elsewhere or differs from run to run."""
    svg = re.sub(r"@font-face\s*{[^}]*}", "", svg)
    svg = re.sub(
        r'<text class="([\w-]+)" x="([\d.]+)" y="([\d.]+)"([^>]*)>([^<]*[\u2801-\u28ff][^<]*)</text>', dots, svg
    )
    svg = re.sub(r"/[^\s<&]*/mens-replay-\w+/", "", svg)  # the replay's folder has another name each time
    return re.sub(r"terminal-\d+", "terminal", svg).replace("Fira Code", "DejaVu Sans Mono")


async def draw(engine: Still, size: tuple[int, int], theme: str, views: dict[str, View]) -> dict[str, str]:
    app = ConsoleApp(engine, Settings(theme=theme), host="trainbox", zone=UTC)
    ids = {run.name: run.id for run in engine.snapshot.runs}
    missing = {*COMPARED, *(view.run for view in views.values())} - ids.keys()
    if missing:
        raise SystemExit(f"at this moment of the recordings there is no {', '.join(sorted(missing))}")
    pictures = {}
    async with app.run_test(size=size) as pilot:
        app.compared = tuple(ids[name] for name in COMPARED)
        for name, view in views.items():
            app.chosen = ids[view.run]
            await pilot.press(*view.keys)
            for _ in range(40):  # let files be opened and layouts settle
                await pilot.pause(0.02)
            pictures[name] = self_contained(app.export_screenshot(title="mens-console"))
            app.action_room("fleet")
            await pilot.pause()
    return pictures


def draw_all(box: Snapshot, size: tuple[int, int], theme: str) -> dict[str, str]:
    """Return every picture of one size by its name."""
    pictures = asyncio.run(draw(Still(box), size, theme, VIEWS))
    return pictures | asyncio.run(draw(Still(with_machine(box)), size, theme, MACHINE_VIEWS))


def write(path: Path, svg: str) -> None:
    path.write_text(svg, encoding="utf-8")
    try:
        import cairosvg
    except ImportError:
        return
    cairosvg.svg2png(bytestring=svg.encode(), write_to=str(path.with_suffix(".png")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=HERE)
    parser.add_argument("--moment", type=float, default=MOMENT_S, help="seconds into the recordings")
    options = parser.parse_args()
    options.into.mkdir(parents=True, exist_ok=True)
    replay = Replay([Recording.open(path) for path in shipped()], Settings())
    try:
        box = replay.run_to(options.moment)
        for size in SIZES:
            for name, svg in draw_all(box, size, "dark").items():
                write(options.into / f"{name}-{size[0]}x{size[1]}.svg", svg)
        for name, svg in draw_all(box, SIZES[1], "light").items():
            write(options.into / f"{name}-light.svg", svg)
    finally:
        replay.stop()
    print(f"{len(list(options.into.glob('*.svg')))} pictures in {options.into}")


if __name__ == "__main__":
    main()
