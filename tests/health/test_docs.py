"""The worked example of docs/generation-health.md is what the program says of the log that it names."""

import math
import re
from pathlib import Path

from support.attempt_logs import write_attempts

from mens_console.cli.main import main

PAGE = Path(__file__).resolve().parents[2] / "docs/generation-health.md"
EXAMPLE = re.compile(
    r"--scenario (\w+) --rows (\d+) --seed (\d+)\n\$ mens-console health generation.log\n(.*?)…\n```", re.S
)


def test_the_worked_example_is_what_the_program_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    scenario, rows, seed, shown = EXAMPLE.search(PAGE.read_text(encoding="utf-8")).groups()
    write_attempts("generation.log", scenario=scenario, rows=int(rows), seed=int(seed))
    assert main(["health", "generation.log"]) == 1
    assert capsys.readouterr().out.startswith(shown)


def test_what_is_computed_by_hand_there_is_right():
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    moves = re.search(r"one occurs (\d+) times, the others ([\d, and]+) times", text)
    counts = [int(moves[1]), *map(int, re.findall(r"\d+", moves[2]))]
    n = sum(counts)
    plain = math.log(n) - sum(count * math.log(count) for count in counts) / n
    corrected = plain + (len(counts) - 1) / (2 * n)
    assert n == 1000
    assert f"= {plain:.3f} nats, corrected by ({len(counts)} - 1) / 2000 to {corrected:.3f}" in text
    assert f"as varied as {math.exp(corrected):.1f} equally frequent" in text
