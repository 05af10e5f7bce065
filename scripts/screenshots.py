"""Draw the real console over the shipped recordings into screenshots/, as SVG, and as PNG where cairosvg is installed.

The replay is stopped at one moment of its own time, so that the pictures change only when the console does.
"""

from __future__ import annotations

import argparse
import asyncio
import html
import re
from collections.abc import Callable, Iterable
from datetime import UTC
from pathlib import Path

from mens_console.config import Settings
from mens_console.demo.recording import Recording, shipped
from mens_console.demo.replay import Replay
from mens_console.screens.app import ConsoleApp
from mens_console.store.snapshot import Snapshot

HERE = Path(__file__).resolve().parent.parent / "screenshots"
MOMENT_S = 192.0
CELL_W, CELL_H, BASELINE = 12.2, 24.4, 18.5
"""Of a character in the exported picture, in its own units."""
SIZES = ((80, 24), (120, 40), (200, 50))
RUN = "llama-lora-r8"
VIEWS = {"fleet": ("1",), "run": ("2",), "logs": ("0",), "help": ("1", "question_mark")}


class Still:
    """A replay that stands still at one moment."""

    def __init__(self, replay: Replay, moment: float) -> None:
        self.snapshot: Snapshot = replay.run_to(moment)

    def start(self, on_publish: Callable[[Snapshot], None]) -> None:  # noqa: D102
        on_publish(self.snapshot)

    def stop(self) -> None:  # noqa: D102
        pass

    def want(self, run_id: str | None, in_sight: Iterable[str] = ()) -> None:  # noqa: D102
        pass


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
    return re.sub(r"terminal-\d+", "terminal", svg).replace("Fira Code", "DejaVu Sans Mono")


async def draw(engine: Still, size: tuple[int, int], theme: str) -> dict[str, str]:
    app = ConsoleApp(engine, Settings(theme=theme), host="trainbox", zone=UTC)
    pictures = {}
    async with app.run_test(size=size) as pilot:
        for name, keys in VIEWS.items():
            app.chosen = next((run.id for run in engine.snapshot.runs if run.name == RUN), None)
            await pilot.press(*keys)
            for _ in range(40):  # let files be opened and layouts settle
                await pilot.pause(0.02)
            pictures[name] = self_contained(app.export_screenshot(title="mens-console"))
            app.action_room("fleet")
            await pilot.pause()
    return pictures


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
        engine = Still(replay, options.moment)
        for size in SIZES:
            for name, svg in asyncio.run(draw(engine, size, "dark")).items():
                write(options.into / f"{name}-{size[0]}x{size[1]}.svg", svg)
        for name, svg in asyncio.run(draw(engine, SIZES[1], "light")).items():
            write(options.into / f"{name}-light.svg", svg)
    finally:
        replay.stop()
    print(f"{len(list(options.into.glob('*.svg')))} pictures in {options.into}")


if __name__ == "__main__":
    main()
