"""Screen 7: the GPUs, who uses them, the host, and the volumes with what will fill them.

What it says comes from `hardwarerows` and `hardwarefacts`; here is only which part is shown and where the keys go.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll

from mens_console.ingest.text import safe_text
from mens_console.screens.hardwaredetail import gpu_detail
from mens_console.screens.hardwarefacts import (
    PROCESS_COLUMNS,
    host_lines,
    process_rows,
    run_by_pid,
    runs_on,
    volume_lines,
    waiting_lines,
)
from mens_console.screens.hardwarerows import BLOCK, gpu_block, gpu_row, row_heads, sampled, title_line
from mens_console.screens.room import Room
from mens_console.screens.sheet import Line, Sheet, prose
from mens_widgets.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from textual import events
    from textual.app import ComposeResult

    from mens_console.signals.machine import MachineView
    from mens_console.store.snapshot import Snapshot

Pane = Literal["overview", "gpu", "processes", "volumes"]
LEAST_BELOW: Final = 10
"""Lines that the part below the GPUs keeps before GPUs get blocks in place of one line each."""
WIDE: Final = 120
TITLES: Final = 2
"""Lines above compact rows: the title, and the heads of the columns."""


class GpuList(Sheet):
    """The GPUs; a click chooses one."""

    def __init__(self, chosen: Callable[[int], None]) -> None:
        super().__init__(id="gpus")
        self._chosen = chosen
        self.first, self.each = TITLES, 1

    def on_click(self, event: events.Click) -> None:
        """Choose the GPU under the mouse."""
        place = (event.y - self.first) // self.each
        if event.y >= self.first:
            self._chosen(place)


class HardwareScreen(Room):
    """The machine."""

    MODE = "hardware"
    CSS = """
    HardwareScreen #page { height: 1fr; }
    HardwareScreen #gpubox { height: auto; scrollbar-size-vertical: 1; background: $background; }
    HardwareScreen #below { height: 1fr; border-top: solid $border; }
    HardwareScreen #left, HardwareScreen #right { width: 1fr; height: 1fr; scrollbar-size-vertical: 1;
        background: $background; }
    HardwareScreen #right { margin-left: 2; }
    HardwareScreen.-one #right { display: none; }
    HardwareScreen Grid { display: none; }
    HardwareScreen.-processes Grid { display: block; }
    HardwareScreen.-processes #left, HardwareScreen.-processes #right { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "Next GPU", show=False, id="hardware.down"),
        Binding("k,up", "move(-1)", "Previous GPU", show=False, id="hardware.up"),
        Binding("g,home", "end(-1)", "First GPU", show=False, id="hardware.first"),
        Binding("G,end", "end(1)", "Last GPU", show=False, id="hardware.last"),
        Binding("enter", "detail", "GPU detail", id="hardware.detail"),
        Binding("p", "pane('processes')", "Processes", id="hardware.processes"),
        Binding("v", "pane('volumes')", "Volumes", id="hardware.volumes"),
        Binding("r", "run", "Its run", id="hardware.run"),
        Binding("J,pagedown", "read(1)", "Lower part down", show=False, id="hardware.read_down"),
        Binding("K,pageup", "read(-1)", "Lower part up", show=False, id="hardware.read_up"),
        Binding("escape", "back", "Back", show=False, id="hardware.back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._pane: Pane = "overview"
        self._gpu = 0
        self._looking = False

    def body(self) -> ComposeResult:
        """Lay out GPUs above, and host and volumes, or one of the other parts, below."""
        with Vertical(id="page"):
            with VerticalScroll(id="gpubox", can_focus=False):
                yield GpuList(self._choose)
            with Horizontal(id="below"):
                with VerticalScroll(id="left", can_focus=False):
                    yield Sheet(id="facts")
                with VerticalScroll(id="right", can_focus=False):
                    yield Sheet(id="volumes")
                yield Grid(PROCESS_COLUMNS, empty="no process of a known run, and none on a GPU", id="processes")

    def ages(self, snapshot: Snapshot) -> Iterable[float]:
        """Return when the machine was sampled."""
        return [snapshot.machine.at] if snapshot.machine is not None else []

    # ------------------------------------------------------------------ showing

    def on_screen_resume(self) -> None:
        """Ask for samples at a quicker pace while this is looked at (the base class catches up with the rest)."""
        self._look(on=True)

    def on_screen_suspend(self) -> None:
        """Let the sampler rest."""
        self._look(on=False)

    def _look(self, *, on: bool) -> None:
        if on == self._looking:
            return  # a screen may be resumed twice in a row
        self._looking = on
        self.console_app.engine.look_at_machine(on)

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Show the newest sample."""
        view = snapshot.machine
        if view is None:
            self.query_one(GpuList).write(lambda width: waiting_lines(width, replay=snapshot.replay))
            self.query_one("#gpubox").styles.height = 4
            self.query_one("#below").display = False
            return
        self.query_one("#below").display = True
        self._gpu = min(self._gpu, max(len(view.gpus) - 1, 0))
        self.set_class(self._pane == "processes", "-processes")
        self.set_class(self.size.width < WIDE or self._pane in ("gpu", "volumes"), "-one")
        self._show_gpus(view, now)
        self._show_below(view, snapshot, now)

    def _named(self, run_id: str) -> str:
        run = self.console_app.snapshot.get(run_id)
        return safe_text(run.name if run is not None else run_id, 60)

    def _show_gpus(self, view: MachineView, now: float) -> None:
        gpus, listing = len(view.gpus), self.query_one(GpuList)
        room = self.size.height - 2 - LEAST_BELOW - 1
        blocks = gpus * BLOCK + 1 <= room

        @cache
        def write(width: int) -> list[Line]:
            lines = [title_line(view, now, width)]
            if view.gpu_problem:
                lines += prose(safe_text(view.gpu_problem, 300), width, "warn" if gpus else "", "  ")
            if not blocks and gpus:
                lines.append(row_heads(width))
            listing.first, listing.each = len(lines), BLOCK if blocks else 1  # where a click lands
            for i, gpu in enumerate(view.gpus):
                if blocks:
                    lines += gpu_block(gpu, now, width, chosen=i == self._gpu, named=self._named)
                else:
                    lines.append(gpu_row(gpu, now, width, chosen=i == self._gpu))
            return lines

        height = len(write(max(self.size.width, 1)))
        box = self.query_one("#gpubox", VerticalScroll)
        box.styles.height = min(height, max(self.size.height - 2 - LEAST_BELOW - 1, 4))
        listing.write(write)
        first = listing.first + self._gpu * listing.each
        top, body = box.scroll_y, box.styles.height.value if box.styles.height is not None else 0
        if first + listing.each > top + body:
            box.scroll_to(y=first + listing.each - body, animate=False)
        elif first < top:
            box.scroll_to(y=0 if self._gpu == 0 else first, animate=False)

    def _show_below(self, view: MachineView, snapshot: Snapshot, now: float) -> None:
        facts, volumes = self.query_one("#facts", Sheet), self.query_one("#volumes", Sheet)
        zone = self.console_app.zone

        def about_volumes(width: int) -> list[Line]:
            lines: list[Line] = [(("Volumes of the runs", "accent"),)]
            for volume in view.volumes:
                lines += volume_lines(volume, runs_on(volume, snapshot.runs), now, width, zone)
            if not view.volumes:
                lines.append((("no run that may still write lies on a known volume", "muted"),))
            return lines

        def about_host(width: int) -> list[Line]:
            """Return the host, and the chosen GPU where there is room for all of it."""
            lines: list[Line] = [(("Host", "accent"), (f"  {sampled(view, now)}" if not view.gpus else "", "muted"))]
            lines += host_lines(view.host, now, width)
            for problem in view.problems:
                lines += prose(safe_text(problem, 200), width, "warn", "! ")
            if view.gpus and self.size.width >= WIDE:
                more = [(), *gpu_detail(view.gpus[self._gpu], now, width, self._named)]
                lines += more if len(lines) + len(more) <= self.query_one("#below").size.height else []
            return lines

        if self._pane == "processes":
            self.query_one(Grid).set_rows(process_rows(view, self._named))
        elif self._pane == "gpu" and view.gpus:
            gpu = view.gpus[self._gpu]
            facts.write(lambda width: gpu_detail(gpu, now, width, self._named))
        elif self._pane == "volumes":
            facts.write(about_volumes)
        elif self.size.width < WIDE:
            facts.write(lambda width: about_host(width) + about_volumes(width))
        else:
            facts.write(about_host)
            volumes.write(about_volumes)

    # ------------------------------------------------------------------ keys

    def _choose(self, place: int) -> None:
        view = self.console_app.snapshot.machine
        if view is not None and 0 <= place < len(view.gpus):
            self._gpu = place
            self._again()

    def _again(self) -> None:
        self.show(self.console_app.snapshot, self.console_app.now())

    def _to(self, pane: Pane) -> None:
        self._pane = pane
        self._again()
        self.query_one("#left", VerticalScroll).scroll_home(animate=False)
        if pane == "processes":
            self.query_one(Grid).focus()
        else:
            self.set_focus(None)

    def action_move(self, gpus: int) -> None:
        """Choose another GPU."""
        view = self.console_app.snapshot.machine
        self._choose(min(max(self._gpu + gpus, 0), len(view.gpus) - 1 if view is not None else 0))

    def action_end(self, side: int) -> None:
        """Choose the first or the last GPU."""
        view = self.console_app.snapshot.machine
        self._choose(0 if side < 0 or view is None else len(view.gpus) - 1)

    def action_detail(self) -> None:
        """Show everything about the chosen GPU, or the overview again."""
        view = self.console_app.snapshot.machine
        if view is None or not view.gpus:
            self.notify("There is no GPU to look at", markup=False)
        else:
            self._to("overview" if self._pane == "gpu" else "gpu")

    def action_pane(self, pane: Pane) -> None:
        """Show a part below, or the overview again."""
        self._to("overview" if self._pane == pane else pane)

    @on(Grid.Selected)
    def _open(self, event: Grid.Selected) -> None:
        self._go_to_run(self._run_of(event.key))

    def action_run(self) -> None:
        """Go to the run of the process under the cursor, or of the chosen GPU."""
        view = self.console_app.snapshot.machine
        if self._pane == "processes" and (key := self.query_one(Grid).cursor_key) is not None:
            self._go_to_run(self._run_of(key))
        elif view is not None and view.gpus:
            runs = [process.run for process in view.gpus[self._gpu].processes or () if process.run]
            self._go_to_run(runs[0] if runs else "")
        else:
            self.notify("There is no process to follow", markup=False)

    def _run_of(self, pid: str) -> str:
        view = self.console_app.snapshot.machine
        return "" if view is None else run_by_pid(view).get(int(pid), "")

    def _go_to_run(self, run_id: str) -> None:
        if run_id and self.console_app.snapshot.get(run_id) is not None:
            self.console_app.open_run(run_id)
        else:
            self.notify("That belongs to no known run", markup=False)

    def action_read(self, pages: int) -> None:
        """Scroll the part below by half a page."""
        for box in self.query("#left, #right").results(VerticalScroll):
            box.scroll_relative(y=pages * max(1, box.size.height // 2), animate=False)

    def action_back(self) -> None:
        """Leave the part below for the overview, then the screen."""
        if self._pane != "overview":
            self._to("overview")
        else:
            self.console_app.leave()

    def commands(self) -> dict[str, tuple[str, Callable[[], object]]]:
        """Offer this screen's parts to the palette."""
        return {
            "Hardware: everything about the chosen GPU": ("key Enter", self.action_detail),
            "Hardware: processes": ("key p", lambda: self._to("processes")),
            "Hardware: volumes": ("key v", lambda: self._to("volumes")),
            "Hardware: run of the chosen GPU": ("key r", self.action_run),
        }
