"""A session that keeps what it is told instead of writing it, and wants every step measured unless told not to."""

from mens_console.collectors.guard import Guard


class Recorded:
    """Stands in for `mens_console.collectors.session.Session`; the newest one is `Recorded.last`."""

    last = None
    every = 1

    def __init__(
        self, run_dir, *, total_steps=None, total_epochs=None, config=None, base_model="", dataset_version="", rank=0,
        world_size=1, ema_alpha=0.1, status_every_s=5.0, lora_every_s=10.0, lora_every_steps=10,
    ):  # fmt: skip
        self.run_dir, self.total_steps, self.config, self.base_model = run_dir, total_steps, config, base_model
        self.rank, self.world_size = rank, world_size
        self.guard = Guard()
        self.off, self.safely = self.guard.off, self.guard
        self.pairs, self.table, self.steps, self.events, self.ended = None, None, [], [], None
        Recorded.last = self

    def start(self, pairs=None, table=None):
        self.pairs, self.table = pairs, table

    def wants_layers(self, step):
        return step % self.every == 0

    wants_text = wants_layers

    def step(self, step, **values):
        self.steps.append({"step": step, **values})

    def evaluation(self, step, metrics):
        self.events.append(("eval", step, metrics))

    def checkpoint(self, step, path):
        self.events.append(("checkpoint", step, str(path)))

    def phase(self, name):
        self.events.append(("phase", None, name))

    def finish(self, status="completed", error=None):
        self.ended = (status, error)

    def looks(self):
        """Return for each look {pair: {metric: value}}, with the step under None."""
        found = []
        for row in (step for step in self.steps if step["layers"] is not None):
            values = row["layers"].values
            look = {name: {m: values[m][i] for m in values} for i, name in enumerate(self.pairs.names)}
            found.append((row["layers"].step, look))
        return found
