"""Lightning's callback on real trainings, under either of Lightning's names."""

import math

import pytest

pytestmark = pytest.mark.training
torch = pytest.importorskip("torch")
pytest.importorskip("lightning.pytorch")

import lightning.pytorch  # noqa: E402
import pytorch_lightning  # noqa: E402
from collectors import small  # noqa: E402
from collectors.recorded import Recorded  # noqa: E402
from peft import LoraConfig  # noqa: E402
from torch.utils.data import DataLoader  # noqa: E402

from mens_console.collectors import lightning as room  # noqa: E402
from mens_console.collectors.guard import CollectorWarning  # noqa: E402

EITHER = pytest.mark.parametrize("name", ["lightning.pytorch", "pytorch_lightning"])
LIGHTNING = {"lightning.pytorch": lightning.pytorch, "pytorch_lightning": pytorch_lightning}


@pytest.fixture(autouse=True)
def _recorded(monkeypatch):
    monkeypatch.setattr(room, "Session", Recorded)
    monkeypatch.setattr(Recorded, "every", 1)


def fit(tmp_path, name, callback, *, model=None, examples=None, fails=None, validate=False, also=None, **options):
    library = LIGHTNING[name]

    class Module(library.LightningModule):
        def __init__(self):
            super().__init__()
            self.model = model or small.llama()
            self.expected = []
            self.parts = []

        def training_step(self, part, index):
            self.parts.append(part)
            if fails is not None and self.global_step == 1:
                raise fails
            return self.model(**part).loss

        def validation_step(self, part, index):
            self.log("val_loss", self.model(**part).loss)

        def on_before_optimizer_step(self, optimizer):
            self.expected.append(small.reference(self.model, small.mean_loss(*self.parts)))
            self.parts = []

        def on_train_batch_end(self, *_):
            if also is not None:
                also.on_train_batch_end(self)

        def configure_optimizers(self):
            return torch.optim.AdamW([p for p in self.parameters() if p.requires_grad], lr=0.01)

    settings = {
        "max_steps": 3, "accelerator": "cpu", "logger": False, "enable_progress_bar": False,
        "enable_checkpointing": False, "enable_model_summary": False, "default_root_dir": str(tmp_path), **options,
    }  # fmt: skip
    trainer = library.Trainer(callbacks=callback, **settings)
    examples = examples or small.rows(48)
    module = Module()
    loaders = [DataLoader(examples, batch_size=2, collate_fn=small.batch)]
    if validate:
        loaders.append(DataLoader(examples[:4], batch_size=2, collate_fn=small.batch))
    trainer.fit(module, *loaders)
    return trainer, module


class Later:
    """What a module does to add adapters after its first step, and have its optimizer train them."""

    @staticmethod
    def on_train_batch_end(module, *_):
        if module.global_step == 1:
            module.model.add_adapter(LoraConfig(r=2, target_modules=["q_proj"]))
            module.optimizers().param_groups[0]["params"] += [p for p in module.parameters() if p.requires_grad]


def test_adapters_that_come_on_the_way_are_watched_from_then_on(tmp_path):
    with pytest.warns(CollectorWarning, match="added later will be"):
        _, module = fit(
            tmp_path, "lightning.pytorch", room.MensLightningCallback(), model=small.plain_llama(), also=Later
        )
    assert [step for step, _ in Recorded.last.looks()] == [2, 3]
    for (_, look), wanted in zip(Recorded.last.looks(), module.expected[1:], strict=True):
        assert {pair: values["grad"] for pair, values in look.items()} == {
            f"model.{pair}": pytest.approx(norms["grad"], rel=1e-5) for pair, norms in wanted.items()
        }
        assert min(values["update"] for values in look.values()) > 0


@EITHER
@pytest.mark.parametrize("accumulated", [1, 4])
def test_gradients_are_the_true_ones_before_clipping(tmp_path, name, accumulated):
    examples = small.rows(48)
    _, module = fit(
        tmp_path, name, room.MensLightningCallback(), examples=examples, accumulate_grad_batches=accumulated,
        gradient_clip_val=1e-3,
    )  # fmt: skip
    session = Recorded.last
    assert session.ended == ("completed", None)
    assert (session.run_dir, session.total_steps) == (str(tmp_path), 3)
    assert [row["step"] for row in session.steps] == [1, 2, 3]
    for i, ((step, look), wanted, row) in enumerate(zip(session.looks(), module.expected, session.steps, strict=True)):
        assert step == i + 1
        assert {pair: values["grad"] for pair, values in look.items()} == {
            f"model.{pair}": pytest.approx(norms["grad"], rel=1e-5) for pair, norms in wanted.items()
        }
        assert all(values["update"] > 0 for values in look.values())
        mine = examples[2 * accumulated * i : 2 * accumulated * (i + 1)]
        assert row["tokens"] == sum(int(example["attention_mask"].sum()) for example in mine)
        assert row["grad_norm"] == pytest.approx(math.hypot(*(norms["grad"] for norms in wanted.values())), rel=1e-5)
        assert row["learning_rate"] == 0.01
        assert 0 < row["token_entropy"] < math.log(small.VOCABULARY) + 1e-6
        assert row["epoch"] == pytest.approx((i + 1) * accumulated / 24)
    twin = small.llama().train()
    losses = [float(twin(**small.batch(examples[2 * i : 2 * i + 2])).loss.detach()) for i in range(accumulated)]
    assert session.steps[0]["loss"] == pytest.approx(sum(losses) / accumulated, rel=1e-5)
    assert session.config["accumulate_grad_batches"] == accumulated
    assert session.config["optim"] == "AdamW"


@EITHER
def test_a_module_that_clips_by_itself_is_looked_at_before(tmp_path, name):
    library = LIGHTNING[name]
    clips = vars(library.LightningModule)["clip_gradients"]

    class Manual(library.LightningModule):
        def __init__(self):
            super().__init__()
            self.automatic_optimization = False
            self.model, self.expected = small.llama(), []

        def training_step(self, part, index):
            optimizer = self.optimizers()
            self.expected.append(small.reference(self.model, small.mean_loss(part)))
            optimizer.zero_grad()
            self.manual_backward(self.model(**part).loss)
            if index != 1:  # it may clip or not
                self.clip_gradients(optimizer, gradient_clip_val=1e-3, gradient_clip_algorithm="norm")
            optimizer.step()

        def configure_optimizers(self):
            return torch.optim.AdamW([p for p in self.parameters() if p.requires_grad], lr=0.01)

    module = Manual()
    trainer = library.Trainer(
        max_steps=3, accelerator="cpu", logger=False, enable_progress_bar=False, enable_checkpointing=False,
        enable_model_summary=False, default_root_dir=str(tmp_path), callbacks=room.MensLightningCallback(),
    )  # fmt: skip
    trainer.fit(module, DataLoader(small.rows(6), batch_size=2, collate_fn=small.batch))
    looks = Recorded.last.looks()
    assert [step for step, _ in looks] == [1, 2, 3]
    for (_, look), wanted in zip(looks, module.expected, strict=True):
        assert {pair: values["grad"] for pair, values in look.items()} == {
            f"model.{pair}": pytest.approx(norms["grad"], rel=1e-5) for pair, norms in wanted.items()
        }
        assert all(values["update"] > 0 for values in look.values())
    assert vars(library.LightningModule)["clip_gradients"] is clips


class Seen:
    """What each optimizer step was given and did, by hooks of its own: {parameter: (gradient, movement)}."""

    def __init__(self, module, optimizers):
        self.named, self.gradients, self.steps = dict(module.named_parameters()), {}, []
        for name, parameter in self.named.items():
            if parameter.requires_grad:
                parameter.register_post_accumulate_grad_hook(
                    lambda p, name=name: self.gradients.update({name: float(p.grad.double().norm())})
                )
        for optimizer in optimizers:
            ids = {id(p) for group in optimizer.param_groups for p in group["params"]}
            mine = [name for name, parameter in self.named.items() if id(parameter) in ids]
            optimizer.register_step_pre_hook(lambda *_, mine=mine: self.before(mine))
            optimizer.register_step_post_hook(lambda *_, mine=mine: self.after(mine))

    def before(self, mine):
        self.kept = {name: self.named[name].detach().double().clone() for name in mine}

    def after(self, mine):
        moved = {name: float((self.named[name].detach().double() - self.kept[name]).norm()) for name in mine}
        self.steps.append({name: (self.gradients[name], moved[name]) for name in mine})


@pytest.mark.parametrize("turns", ["one backward pass", "a backward pass each", "three to one", "batches", "toggled"])
def test_of_several_optimizers_each_is_looked_at_before_its_own_step(tmp_path, turns):
    class Module(lightning.pytorch.LightningModule):
        automatic_optimization = False

        def __init__(self):
            super().__init__()
            self.model, self.told = small.llama(), []

        def training_step(self, part, index):
            first, second = self.optimizers()
            taken = {"batches": [(first, second)[index % 2]], "three to one": [first] * 3 + [second]}
            for place, optimizer in enumerate(taken.get(turns, [first, second])):
                if turns == "toggled":  # the other's parameters are frozen meanwhile
                    self.toggle_optimizer(optimizer)
                if place == 0 or turns != "one backward pass":
                    self.zero_grad()
                    loss = self.model(**part).loss
                    self.manual_backward(loss)
                self.clip_gradients(optimizer, gradient_clip_val=1e-3, gradient_clip_algorithm="norm")
                optimizer.step()
                if turns == "toggled":
                    self.untoggle_optimizer(optimizer)
            self.told.append(len(self.seen.steps))
            return loss

        def configure_optimizers(self):
            of = {
                i: [p for name, p in self.named_parameters() if f"layers.{i}." in name and "lora" in name]
                for i in (0, 1)
            }
            return torch.optim.SGD(of[0], lr=0.5), torch.optim.SGD(of[1], lr=0.25)

        def on_train_start(self):
            self.seen = Seen(self, [optimizer.optimizer for optimizer in self.optimizers()])

    module = Module()
    trainer = lightning.pytorch.Trainer(
        max_steps=12, accelerator="cpu", logger=False, enable_progress_bar=False, enable_checkpointing=False,
        enable_model_summary=False, default_root_dir=str(tmp_path), callbacks=room.MensLightningCallback(),
    )  # fmt: skip
    trainer.fit(module, DataLoader(small.rows(40), batch_size=2, collate_fn=small.batch))
    looks, before = Recorded.last.looks(), 0
    assert [step for step, _ in looks] == ([4, 8, 12] if turns == "three to one" else [2, 4, 6, 8, 10, 12])
    for step, look in looks:
        made = {}
        for events in module.seen.steps[before:step]:
            made = {**events, **made}  # of an optimizer that steps twice meanwhile the first
        before = step
        for pair, values in look.items():
            sides = [
                made[name]
                for side in "AB"
                for name in made
                if name.removeprefix("model.base_model.").startswith(f"{pair}.lora_{side}")
            ]
            assert [values["grad_a"], values["grad_b"]] == [pytest.approx(side[0], rel=1e-5) for side in sides]
            assert values["update"] == pytest.approx(math.hypot(*(side[1] for side in sides)), rel=1e-4)
    assert {row["learning_rate"] for row in Recorded.last.steps} == {0.5}
    assert not any(Recorded.last.pairs.frozen)
    assert all(pair["trainable_a"] and pair["trainable_b"] for pair in Recorded.last.table)


def test_gradients_under_a_scaler_are_unscaled(tmp_path):
    plugin = lightning.pytorch.plugins.MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=2.0**6))
    fit(tmp_path, "lightning.pytorch", room.MensLightningCallback(), plugins=[plugin], gradient_clip_val=1e-3)
    looks = Recorded.last.looks()
    # half precision in the forward pass: the same gradients to its few digits, and not 64 times as large
    twin = small.llama().train()
    wanted = small.reference(twin, small.mean_loss(small.batch(small.rows(2))))
    assert {pair: values["grad"] for pair, values in looks[0][1].items()} == {
        f"model.{pair}": pytest.approx(norms["grad"], rel=0.05) for pair, norms in wanted.items()
    }


@EITHER
@pytest.mark.parametrize(
    ("raised", "ended"),
    [(RuntimeError("no luck"), ("crashed", "RuntimeError: no luck")), (KeyboardInterrupt(), ("interrupted", None))],
)
def test_what_breaks_a_training_off_is_recorded(tmp_path, name, raised, ended):
    with pytest.raises((RuntimeError, SystemExit, KeyboardInterrupt)):
        fit(tmp_path, name, [room.MensLightningCallback()], fails=raised)
    assert Recorded.last.ended == ended
    assert [row["step"] for row in Recorded.last.steps] == [1]


@EITHER
def test_validations_and_checkpoints_are_recorded(tmp_path, name):
    library = LIGHTNING[name]
    saver = library.callbacks.ModelCheckpoint(dirpath=tmp_path / "kept", every_n_train_steps=2, save_last=True)
    fit(
        tmp_path, name, [saver, room.MensLightningCallback(tmp_path / "run")], validate=True, val_check_interval=2,
        max_steps=4, enable_checkpointing=True,
    )  # fmt: skip
    session = Recorded.last
    assert session.run_dir == tmp_path / "run"
    evaluations = [(step, metrics) for kind, step, metrics in session.events if kind == "eval"]
    assert [step for step, _ in evaluations] == [2, 4]
    assert all(set(metrics) == {"val_loss"} and metrics["val_loss"] > 0 for _, metrics in evaluations)
    saved = [(step, path) for kind, step, path in session.events if kind == "checkpoint"]
    assert {step for step, _ in saved} == {2, 4}
    assert all(str(tmp_path / "kept") in path for _, path in saved)
    assert [name for kind, _, name in session.events if kind == "phase"] == ["evaluating", "training"] * 2


def test_unknown_options_are_refused_at_once():
    with pytest.raises(TypeError, match="lora_evry_s"):
        room.MensLightningCallback(lora_evry_s=1)
