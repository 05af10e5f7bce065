"""Two gloo processes: the first alone writes, and what it writes are the gradients of the whole batch."""

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.training
torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from collectors import ranks, small  # noqa: E402


def run(program, folder):
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nnodes=1", "--nproc-per-node=2",
        "--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0", ranks.__file__, program, str(folder),
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, start_new_session=True
    ) as done:
        try:
            said, _ = done.communicate(timeout=150)
        except subprocess.TimeoutExpired:
            os.killpg(done.pid, signal.SIGKILL)
            raise
    assert done.returncode == 0, said[-2000:]
    events = [json.loads(line) for line in (folder / "telemetry.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events].count("train_start") == 1
    assert events[0]["payload"]["world_size"] == 2
    pairs = [pair["name"] for pair in next(e["payload"]["pairs"] for e in events if e["event"] == "lora_pairs")]
    looks = [event["payload"] for event in events if event["event"] == "lora"]
    assert [look["step"] for look in looks] == list(range(1, ranks.STEPS + 1))
    steps = [event["payload"] for event in events if event["event"] == "step"]
    return [
        {pair: {"a": a, "b": b} for pair, a, b in zip(pairs, look["grad_a"], look["grad_b"], strict=True)}
        for look in looks
    ], steps


def follow(model, parts_of_step):
    """Train `model` alone, with the same clipping and rate, and return the gradients of each step."""
    found = []
    for loss_of in parts_of_step:
        found.append(small.reference(model, loss_of))
        loss_of(model).backward()
        trained = [p for p in model.parameters() if p.requires_grad]
        torch.nn.utils.clip_grad_norm_(trained, 1e-3)
        with torch.no_grad():
            for parameter in trained:
                parameter -= 0.1 * parameter.grad
                parameter.grad = None
    return found


def same(looks, wanted):
    for look, norms in zip(looks, wanted, strict=True):
        assert set(look) == set(norms)
        for pair, sides in look.items():
            assert sides == {side: pytest.approx(norms[pair][side], rel=1e-5) for side in ("a", "b")}


def test_a_bare_loop_under_ddp(tmp_path):
    looks, steps = run("loop", tmp_path)

    def parts(step):
        return [small.batch(small.rows(ranks.SIZE, seed=s)) for rank in (0, 1) for s in ranks.seeds(step, rank)]

    same(looks, follow(small.llama().train(), [small.mean_loss(*parts(step)) for step in range(ranks.STEPS)]))
    assert steps[-1]["num_tokens"] == sum(int(p["attention_mask"].sum()) for s in range(ranks.STEPS) for p in parts(s))


def test_the_trainer_under_ddp(tmp_path):
    looks, steps = run("trainer", tmp_path)
    rows = small.rows(32)
    each = 2 * ranks.ACCUMULATED * ranks.SIZE
    # the Trainer's loss is the mean over all targets of the step, on both processes
    losses = [small.mean_loss(small.batch(rows[step * each : (step + 1) * each])) for step in range(ranks.STEPS)]
    wanted = follow(small.llama().train(), losses)
    same(looks, wanted)
    for step, norms in zip(steps, wanted, strict=True):
        assert step["grad_norm"] == pytest.approx(math.hypot(*(pair["grad"] for pair in norms.values())), rel=1e-4)
