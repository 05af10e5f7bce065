"""Record the generations that `mens-console demo` replays: two real generate-and-repair loops, minutes long.

    python scripts/record_generation.py --out DIR

Needs mens-console alone; takes seven minutes of one core at half load, no GPU and no network. Writes two recordings:
sketches of persons whose model is cooled down until they all are alike (an attempt log), and functions by two models
over the same tasks (events, runtime KPIs, benchmark summaries, a scorecard). Latencies, tokens, scores, repairs and
diagnostics are measured; the wall clock alone is set to that of the box that the other recordings were made on.
"""

from __future__ import annotations

import argparse
import math
import platform
import random
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from recording import evaluated, functions, personas, texts

from mens_console.collectors import AttemptLogger, GenerationRecorder
from mens_console.demo.recorder import Recorder
from mens_console.demo.recording import Recording, shipped

POLL_S = 1.0
ATTEMPTS = 9000
HEALTHY = 0.4
"""Share of the attempts that is generated at temperature 1, before the cooling begins."""
COLD = 0.2
RETRIES = 3
ORDERS = (5, 6)
SAMPLES = 3
MAX_ATTEMPTS = 4
TEMPERATURE = 0.6
TASK_SET = "functions-1"


def persons(path: Path, run_id: str, clock: object, count: int) -> Iterator[None]:
    """Generate sketches and log each attempt; one attempt a step."""
    logger = AttemptLogger(path, run_id=run_id, clock=clock)  # type: ignore[arg-type]
    rng = random.Random(11)
    studio = personas.Studio(random.Random(7))
    done = number = 0
    while done < count:
        number += 1
        trait = rng.choice(texts.TRAITS)
        for stage in ("B", "C"):
            for attempt in range(1, RETRIES + 1):
                share = done / count
                cooled = max(share - HEALTHY, 0.0) / (1.0 - HEALTHY)
                with logger.attempt(persona_id=f"p-{number:05d}", stage=stage, attempt=attempt) as row:
                    sketch = studio.attempt(trait, 1.0 - (1.0 - COLD) * cooled)
                    row["status"] = "fail" if sketch.problems else "repair" if sketch.repairs else "success"
                    row_facts(row, sketch)
                done += 1
                yield
                if not sketch.problems:
                    break
    logger.close()


def row_facts(row: dict[str, object], sketch: personas.Sketch) -> None:
    """Put what was measured into the row."""
    row["prompt_tokens"] = 4 + len(sketch.repairs)
    row["completion_tokens"] = sketch.tokens
    row["repairs"] = sketch.repairs
    row["validator_scores"] = sketch.scores
    row["opening_move"] = sketch.opening_move
    row["constraint_categories"] = sketch.constraints
    row["anchors_used"] = sketch.anchors
    row["error"] = f"still {', '.join(sketch.problems)}" if sketch.problems else None


def programs(path: Path, run_id: str, clock: object, marks: list[evaluated.Marks]) -> Iterator[None]:
    """Have every model write every function, and record each request; one request a step."""
    recorder = GenerationRecorder(path, run_id=run_id, task_set=TASK_SET, clock=clock)  # type: ignore[arg-type]
    writers = {f"code-ngram-{order}": functions.Writer(order, random.Random(order)) for order in ORDERS}
    for sample in range(SAMPLES):
        for reference in functions.references():
            for model, writer in writers.items():
                marks.append(request(recorder, writer, model, reference, sample))
                yield
    recorder.close()


def request(
    recorder: GenerationRecorder, writer: functions.Writer, model: str, reference: functions.Reference, sample: int
) -> evaluated.Marks:
    """Have one function written, and repaired until it compiles or enough is enough; return marks of the last."""
    text, problems = "", []
    tokens: list[str] = []
    with recorder.task(reference.name, model=model, sample=sample, max_attempts=MAX_ATTEMPTS) as task:
        for number in range(MAX_ATTEMPTS):
            with task.attempt() as attempt:
                if number:
                    tokens = writer.repair(reference.name, tokens, problems[0], TEMPERATURE)
                else:
                    tokens = writer.write(reference.name, TEMPERATURE)
                text = functions.text_of(tokens)
                attempt.output(text, tokens=len(tokens), prompt_tokens=1, tokenizer="model")
                problems = functions.check(text, reference)
                canonical = None if problems else functions.canonical(text, reference)
                attempt.validated(not problems, diagnostics=[each.message for each in problems], canonical=canonical)
            if not problems:
                break
        valid = not problems
        task.checked(
            task_success=valid and functions.behaves(text, reference),
            semantic_task_success=valid and functions.shape(text, reference),
        )
    return evaluated.Marks.of(tokens)


def main() -> None:
    """Record both, side by side, each spread evenly over the same minutes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=400.0)
    parser.add_argument("--attempts", type=int, default=ATTEMPTS)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    earliest = min(Recording.open(path).header.started_at for path in shipped())
    shift = earliest + 20.0 - time.time()

    def clock() -> float:
        return time.time() + shift

    run_id = f"25K_{datetime.fromtimestamp(clock(), UTC):%Y%m%d_%H%M%S}"
    with tempfile.TemporaryDirectory() as name:
        sketches, lane = Path(name) / "personas-25K", Path(name) / "code-lane"
        sketches.mkdir()
        lane.mkdir()
        recorders = Recorder(sketches, clock=clock), Recorder(lane, clock=clock)
        requests = SAMPLES * len(functions.references()) * len(ORDERS)
        marks: list[evaluated.Marks] = []
        loops = (
            (persons(sketches / "generation.jsonl", run_id, clock, options.attempts), options.attempts),
            (programs(lane / "generation-events.jsonl", run_id.replace("25K", "eval"), clock, marks), requests),
        )
        play(loops, recorders, options.seconds)
        items = [reference.source for reference in functions.references()]
        evaluated.write(lane, evaluated.read(lane / "generation-events.jsonl"), marks, "functions", "1", items)
        for recorder in recorders:
            recorder.poll()
        save(recorders, options.out)


def play(loops: tuple[tuple[Iterator[None], int], ...], recorders: tuple[Recorder, ...], seconds: float) -> None:
    """Step each loop so that it takes the given time, and look at what was written every second."""
    began = time.monotonic()
    done = [0] * len(loops)
    polled, running = 0.0, set(range(len(loops)))
    while running:
        now = time.monotonic() - began
        for place in sorted(running):
            loop, count = loops[place]
            due = now / seconds * count if now < seconds else math.inf  # what is left at the end is made at once
            while place in running and done[place] <= due:
                if next(loop, loop) is loop:
                    running.remove(place)
                done[place] += 1
                if time.monotonic() - began - now > POLL_S:
                    break
        if now - polled >= POLL_S:
            polled = now
            for recorder in recorders:
                recorder.poll()
        time.sleep(0.005)


def save(recorders: tuple[Recorder, ...], out: Path) -> None:
    """Write both recordings and say how large they are."""
    told = (
        ("personas", "sketches by an n-gram model that is cooled from temperature 1 to a fifth: they become alike"),
        ("code-lane", "functions by two n-gram models over the same tasks, compiled, checked and repaired"),
    )
    for recorder, (scenario, summary) in zip(recorders, told, strict=True):
        path = out / f"{scenario}.mrec"
        header = recorder.save(path, scenario=scenario, summary=summary, producer={"python": platform.python_version()})
        print(f"{scenario}: {header.events} events, {header.duration:.0f} s, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
