"""The Trainer's callback on real trainings: gradients before clipping, true tokens, and every way to end."""

import json
import math
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

pytestmark = pytest.mark.training
torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from accelerate import Accelerator  # noqa: E402
from collectors import small  # noqa: E402
from collectors.recorded import Recorded  # noqa: E402
from peft import LoraConfig, get_peft_model  # noqa: E402
from transformers import Trainer, TrainerCallback, TrainingArguments  # noqa: E402

from mens_console.collectors import clipping, huggingface  # noqa: E402
from mens_console.collectors.guard import CollectorWarning  # noqa: E402

CLIP = Accelerator.clip_grad_norm_


@pytest.fixture(autouse=True)
def _recorded(monkeypatch):
    monkeypatch.setattr(huggingface, "Session", Recorded)
    monkeypatch.setattr(Recorded, "every", 1)
    yield
    left, Accelerator.clip_grad_norm_ = Accelerator.clip_grad_norm_, CLIP
    clipping._listeners.clear()
    clipping._originals.clear()
    assert left is CLIP


class Reference(TrainerCallback):
    """At every step the float64 gradient of the batches that the step will accumulate, in the dataset's order."""

    def __init__(self, model, examples, size, accumulated):
        self.model, self.examples, self.size, self.accumulated, self.steps = model, examples, size, accumulated, []

    def on_step_begin(self, args, state, control, **kwargs):
        first = state.global_step * self.size * self.accumulated
        examples = self.examples[first : first + self.size * self.accumulated]

        def loss(model):
            # transformers divides the sum of all tokens' losses by the number of targets in the whole step
            parts = [small.batch(examples[i : i + self.size]) for i in range(0, len(examples), self.size)]
            n = [int((part["labels"][:, 1:] != -100).sum()) for part in parts]
            return sum(model(**part).loss * k for part, k in zip(parts, n, strict=True)) / sum(n)

        self.steps.append(small.reference(self.model, loss))


def fit(tmp_path, model, examples, callback, *more, reference=True, size=2, accumulated=1, held_out=None, **options):
    settings = {
        "max_steps": 3, "logging_steps": 1, "save_strategy": "no", "learning_rate": 0.01, "seed": 0, "use_cpu": True,
        "report_to": "none", "disable_tqdm": True, "train_sampling_strategy": "sequential", **options,
    }  # fmt: skip
    arguments = TrainingArguments(
        output_dir=str(tmp_path / "out"), per_device_train_batch_size=size,
        gradient_accumulation_steps=accumulated, **settings,
    )  # fmt: skip
    expected = Reference(model, examples, size, accumulated)
    callbacks = [callback, *more, *([expected] if reference else [])]
    trainer = Trainer(model=model, args=arguments, train_dataset=examples, eval_dataset=held_out, callbacks=callbacks)
    return trainer, expected


@pytest.mark.parametrize("accumulated", [1, 4])
@pytest.mark.parametrize("max_grad_norm", [1e-3, 0.0])
def test_gradients_are_the_true_ones_before_clipping(tmp_path, accumulated, max_grad_norm):
    model, examples = small.llama(), small.rows(24)
    trainer, expected = fit(
        tmp_path, model, examples, huggingface.MensCallback(), accumulated=accumulated, max_grad_norm=max_grad_norm
    )
    trainer.train()
    session = Recorded.last
    assert session.ended == ("completed", None)
    assert [step for step, _ in session.looks()] == [1, 2, 3]
    for (_, look), wanted, row in zip(session.looks(), expected.steps, session.steps, strict=True):
        assert set(look) == set(wanted)
        for pair, norms in wanted.items():
            assert look[pair]["grad_a"] == pytest.approx(norms["a"], rel=1e-5)
            assert look[pair]["grad_b"] == pytest.approx(norms["b"], rel=1e-5)
            assert look[pair]["update"] > 0
        assert row["grad_norm"] == pytest.approx(math.hypot(*(norms["grad"] for norms in wanted.values())), rel=1e-4)
        assert row["loss"] > 0
        assert row["learning_rate"] > 0
        assert row["update_steps"] == 1
        assert "clipped" not in (row["extra"] or {})


class Meanwhile(TrainerCallback):
    """Between two batches of a step, another training in this process clips."""

    def __init__(self):
        self.accelerator = Accelerator(cpu=True)
        self.other = self.accelerator.prepare(torch.nn.Linear(2, 1))

    def on_substep_end(self, args, state, control, **kwargs):
        self.accelerator.clip_grad_norm_(self.other.parameters(), 1.0)


def test_the_clipping_of_another_training_in_this_process_is_not_taken_for_ones_own(tmp_path):
    model, examples = small.llama(), small.rows(24)
    trainer, expected = fit(tmp_path, model, examples, huggingface.MensCallback(), Meanwhile(), accumulated=2)
    trainer.train()
    for (_, look), wanted in zip(Recorded.last.looks(), expected.steps, strict=True):
        assert {pair: values["grad"] for pair, values in look.items()} == {
            pair: pytest.approx(norms["grad"], rel=1e-5) for pair, norms in wanted.items()
        }


class Own(Trainer):
    """Clips without accelerate, as a user's subclass may."""

    def _clip_grad_norm(self, model):
        return torch.nn.utils.clip_grad_norm_(model.parameters(), self.args.max_grad_norm)


@pytest.mark.parametrize("logged", [True, False])
def test_a_trainer_that_clips_by_itself_is_unclipped_by_its_log_or_told(tmp_path, logged):
    model, examples = small.llama(), small.rows(8)
    trainer, expected = fit(
        tmp_path, model, examples, huggingface.MensCallback(), max_grad_norm=1e-3, logging_steps=1 if logged else 50
    )
    trainer.__class__ = Own
    trainer.train()
    for (_, look), wanted, row in zip(Recorded.last.looks(), expected.steps, Recorded.last.steps, strict=True):
        if logged:
            assert look == {
                pair: pytest.approx({**look[pair], **named(norms)}, rel=1e-4, nan_ok=True)
                for pair, norms in wanted.items()
            }
        else:
            assert row["extra"] == {"clipped": 1.0}
            assert all(look[pair]["grad"] < norms["grad"] / 2 for pair, norms in wanted.items())


def named(norms):
    return {"grad": norms["grad"], "grad_a": norms["a"], "grad_b": norms["b"]}


@pytest.mark.parametrize("name", ["gpt2", "t5"])
def test_other_architectures(tmp_path, name):
    model, examples = getattr(small, name)(), small.rows(8)
    trainer, _ = fit(tmp_path, model, examples, huggingface.MensCallback(), reference=False)
    part = small.batch(examples[:2])
    wanted = small.reference(model, small.mean_loss(part))
    # for GPT-2 transformers divides by all labels, those that the shift leaves out too
    off = int((part["labels"][:, 1:] != -100).sum()) / int((part["labels"] != -100).sum()) if name == "gpt2" else 1.0
    trainer.train()
    _, look = Recorded.last.looks()[0]
    assert {pair: values["grad"] for pair, values in look.items()} == {
        pair: pytest.approx(norms["grad"] * off, rel=1e-5) for pair, norms in wanted.items()
    }
    assert Recorded.last.steps[0]["tokens"] == sum(int(row["attention_mask"].sum()) for row in examples[:2])
    entropy = entropies(small_copy(name), examples[:2], shifted=name != "t5")
    assert Recorded.last.steps[0]["token_entropy"] == pytest.approx(entropy, rel=1e-4)


def small_copy(name):
    return getattr(small, name)().train()


@torch.no_grad()
def entropies(model, examples, *, shifted=True):
    part = small.batch(examples)
    logits, labels = model(**part).logits.double(), part["labels"]
    if shifted:
        logits, labels = logits[:, :-1], labels[:, 1:]
    logp = torch.log_softmax(logits, dim=-1)
    return float(-(logp.exp() * logp).sum(-1)[labels != -100].mean())


@pytest.mark.parametrize("checkpointed", [False, True])
def test_tokens_are_those_that_are_not_padding_and_entropy_is_in_nats(tmp_path, checkpointed):
    model, examples = small.llama(), small.rows(16)
    twin = small.llama().train()
    trainer, _ = fit(
        tmp_path, model, examples, huggingface.MensCallback(), reference=False, accumulated=2,
        gradient_checkpointing=checkpointed,
    )  # fmt: skip
    trainer.train()
    for i, row in enumerate(Recorded.last.steps):
        assert row["tokens"] == sum(int(e["attention_mask"].sum()) for e in examples[4 * i : 4 * i + 4])
    first = Recorded.last.steps[0]["token_entropy"]
    assert first == pytest.approx(entropies(twin, examples[:2]), rel=1e-4)
    assert 0 < first < math.log(small.VOCABULARY) + 1e-6
    assert not model._forward_hooks
    assert not model._forward_pre_hooks


def test_nothing_is_measured_at_steps_that_are_not_wanted(tmp_path, monkeypatch):
    monkeypatch.setattr(Recorded, "every", 2)
    trainer, _ = fit(tmp_path, small.llama(), small.rows(12), huggingface.MensCallback(), max_steps=5)
    trainer.train()
    assert [step for step, _ in Recorded.last.looks()] == [2, 4]
    assert [row["step"] for row in Recorded.last.steps] == [1, 2, 3, 4, 5]
    assert [row["token_entropy"] is None for row in Recorded.last.steps] == [True, False, True, False, True]


def test_logs_that_come_seldom_complete_their_own_step(tmp_path):
    trainer, _ = fit(tmp_path, small.llama(), small.rows(16), huggingface.MensCallback(), max_steps=6, logging_steps=3)
    trainer.train()
    rows = Recorded.last.steps
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row["loss"] is not None for row in rows] == [False, False, True] * 2
    assert all(row["grad_norm"] > 0 for row in rows)


def test_numbers_of_any_library_are_taken_from_a_log(tmp_path):
    class Odd(Trainer):
        def log(self, logs, *args, **kwargs):
            if "loss" in logs:
                logs |= {"loss": np.float32(1.5), "tensor": torch.tensor(2.5), "huge": 10**400, "no": True, "word": "x"}
            super().log(logs, *args, **kwargs)

    trainer, _ = fit(tmp_path, small.llama(), small.rows(6), huggingface.MensCallback(), reference=False)
    trainer.__class__ = Odd
    trainer.train()
    row = Recorded.last.steps[0]
    assert row["loss"] == 1.5
    assert {name: row["extra"].get(name) for name in ("tensor", "huge", "no", "word")} == {
        "tensor": 2.5, "huge": math.inf, "no": None, "word": None,
    }  # fmt: skip


def test_the_log_of_an_epoch_is_not_lost(tmp_path):
    trainer, _ = fit(
        tmp_path,
        small.llama(),
        small.rows(4),
        huggingface.MensCallback(),
        max_steps=4,
        logging_strategy="epoch",
        reference=False,
    )
    trainer.train()
    logged = [row for row in Recorded.last.steps if row["loss"] is not None]
    assert [row["step"] for row in logged] == [2, 4]


def test_evaluations_checkpoints_and_the_configuration_are_told(tmp_path):
    model, examples = small.llama(), small.rows(8)
    callback = huggingface.MensCallback(tmp_path / "run", base_model="tiny", config={"note": "mine"})
    trainer, _ = fit(
        tmp_path, model, examples, callback, max_steps=2, eval_strategy="steps", eval_steps=1, save_strategy="steps",
        save_steps=2, hub_token="hf_secret", held_out=small.rows(2, seed=9),
    )  # fmt: skip
    trainer.train()
    session = Recorded.last
    phases = [name for kind, _, name in session.events if kind == "phase"]
    assert phases == ["evaluating", "training"] * 2
    events = [event for event in session.events if event[0] != "phase"]
    assert [(kind, step) for kind, step, _ in events] == [("eval", 1), ("eval", 2), ("checkpoint", 2)]
    assert events[0][2]["eval_loss"] > 0
    assert os.path.isdir(events[2][2])
    assert session.run_dir == tmp_path / "run"
    assert (session.total_steps, session.base_model) == (2, "tiny")
    wanted = {"learning_rate": 0.01, "lora_r": 4, "model_type": "llama", "note": "mine", "max_steps": 2}
    assert wanted.items() <= session.config.items()
    assert "hf_secret" not in json.dumps(session.config)


def test_a_resumed_training_says_where_it_resumed(tmp_path):
    examples = small.rows(16)
    trainer, _ = fit(tmp_path, small.llama(), examples, huggingface.MensCallback(), save_strategy="steps", save_steps=2)
    trainer.train()
    trainer, _ = fit(tmp_path, small.llama(), examples, huggingface.MensCallback(), max_steps=4, reference=False)
    trainer.train(resume_from_checkpoint=str(tmp_path / "out" / "checkpoint-2"))
    assert Recorded.last.config["resumed_at_step"] == 2
    assert [row["step"] for row in Recorded.last.steps] == [3, 4]


def test_under_accelerates_scaler_gradients_are_unscaled_and_an_overflow_is_no_movement(tmp_path, monkeypatch):
    """Half precision as on a GPU, but without autocast, whose rounding no reference has."""

    class Overflow(TrainerCallback):
        def on_substep_end(self, args, state, control, **kwargs):
            if state.global_step == 1:
                next(p for p in kwargs["model"].parameters() if p.requires_grad).grad[0, 0] = math.inf

    model, examples = small.llama(), small.rows(12)
    trainer, expected = fit(
        tmp_path, model, examples, huggingface.MensCallback(), Overflow(), accumulated=2, max_grad_norm=1e-3,
        logging_steps=10,
    )  # fmt: skip
    trainer.accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**8)
    trainer.accelerator.native_amp = True
    monkeypatch.setattr(type(trainer.accelerator), "mixed_precision", property(lambda _: "fp16"))
    plain = "accelerate.accelerator.get_mixed_precision_context_manager"
    monkeypatch.setattr(plain, lambda *_: torch.autocast("cpu", enabled=False))
    trainer.train()
    looks = [look for _, look in Recorded.last.looks()]
    for i in (0, 2):
        for pair, norms in expected.steps[i].items():
            assert looks[i][pair]["grad"] == pytest.approx(norms["grad"], rel=1e-5)
            assert looks[i][pair]["update"] > 0
    assert [values["grad"] for values in looks[1].values()].count(math.inf) == 1
    assert all(math.isnan(values["update"]) for values in looks[1].values())
    assert [row["grad_norm"] is None for row in Recorded.last.steps] == [False, True, False]


def test_a_gradient_of_nan_is_told_of_the_pairs_it_hit_although_clipping_spreads_it(tmp_path):
    model = small.llama()
    hit = next(p for name, p in model.named_parameters() if "layers.0.mlp.down_proj.lora_A" in name)
    hit.register_hook(lambda gradient: gradient * math.nan)
    trainer, _ = fit(tmp_path, model, small.rows(4), huggingface.MensCallback(), max_steps=1, reference=False)
    trainer.train()
    _, look = Recorded.last.looks()[0]
    assert [pair for pair, values in look.items() if not math.isfinite(values["grad"])] == [
        "model.layers.0.mlp.down_proj"
    ]


def test_a_model_without_adapters_is_trained_and_recorded_all_the_same(tmp_path):
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(vocab_size=small.VOCABULARY, hidden_size=16, intermediate_size=16, num_hidden_layers=1,
                         num_attention_heads=2, num_key_value_heads=2)  # fmt: skip
    trainer, _ = fit(tmp_path, LlamaForCausalLM(config), small.rows(6), huggingface.MensCallback(), reference=False)
    with pytest.warns(CollectorWarning, match="no LoRA adapters") as warned:
        trainer.train()
    assert len([w for w in warned if w.category is CollectorWarning]) == 1
    assert (Recorded.last.pairs, Recorded.last.looks(), len(Recorded.last.steps)) == (None, [], 3)


TARGETS = ["q_proj", "v_proj", "down_proj"]


class Later(TrainerCallback):
    """Adds adapters after a step, and has the optimizer train them."""

    def on_step_end(self, args, state, control, model, optimizer, **kwargs):
        if state.global_step == 2:
            model.add_adapter(LoraConfig(r=2, target_modules=TARGETS))
            optimizer.param_groups[0]["params"] += [p for p in model.parameters() if p.requires_grad]


def test_adapters_that_come_on_the_way_are_watched_from_then_on(tmp_path):
    trainer, expected = fit(
        tmp_path, small.plain_llama(), small.rows(12), huggingface.MensCallback(), Later(), max_steps=4
    )
    with pytest.warns(CollectorWarning, match="added later will be") as warned:
        trainer.train()
    assert len([w for w in warned if w.category is CollectorWarning]) == 1
    assert [step for step, _ in Recorded.last.looks()] == [3, 4]
    assert [row["grad_norm"] > 0 for row in Recorded.last.steps] == [True] * 4
    for (_, look), wanted in zip(Recorded.last.looks(), expected.steps[2:], strict=True):
        assert {pair: values["grad"] for pair, values in look.items()} == {
            pair: pytest.approx(norms["grad"], rel=1e-5) for pair, norms in wanted.items()
        }
        assert min(values["update"] for values in look.values()) > 0


@pytest.mark.parametrize("how", ["in place", "around it"])
def test_adapters_that_come_between_the_trainer_and_its_training(tmp_path, how):
    examples = small.rows(8)
    trainer, _ = fit(tmp_path, small.plain_llama(), examples, huggingface.MensCallback(), reference=False)
    if how == "in place":
        trainer.model.add_adapter(LoraConfig(r=2, target_modules=TARGETS))
    else:  # what the Trainer calls is still the model inside
        trainer.model = get_peft_model(trainer.model, LoraConfig(r=2, target_modules=TARGETS))
    trainer.train()
    assert [step for step, _ in Recorded.last.looks()] == [1, 2, 3]
    assert set(Recorded.last.pairs.names) == set(small.llama_pairs())
    for i, row in enumerate(Recorded.last.steps):
        assert row["tokens"] == sum(int(e["attention_mask"].sum()) for e in examples[2 * i : 2 * i + 2])
        assert row["token_entropy"] > 0


def test_what_fails_while_measuring_is_switched_off_and_training_goes_on(tmp_path, monkeypatch):
    def broken(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("mens_console.collectors.sweep.Sweep.look", broken)
    monkeypatch.setattr("mens_console.collectors.text.token_entropy", broken)
    trainer, _ = fit(tmp_path, small.llama(), small.rows(6), huggingface.MensCallback(), reference=False)
    with pytest.warns(CollectorWarning) as warned:
        trainer.train()
    assert sorted(str(w.message).split("'")[1] for w in warned if w.category is CollectorWarning) == [
        "lora", "token_entropy",
    ]  # fmt: skip
    assert Recorded.last.looks() == []
    assert [row["tokens"] > 0 for row in Recorded.last.steps] == [True] * 3


def test_a_compiled_training_is_not_touched_and_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(Recorded, "every", 1)
    trainer, _ = fit(
        tmp_path, small.llama(), small.rows(6), huggingface.MensCallback(), reference=False, torch_compile=True,
        torch_compile_backend="eager", include_num_input_tokens_seen="non_padding",
    )  # fmt: skip
    with pytest.warns(CollectorWarning, match="compiled model"):
        trainer.train()
    assert len(Recorded.last.looks()) == 3
    assert all(values["grad"] > 0 for _, look in Recorded.last.looks() for values in look.values())
    tokens = [row["tokens"] for row in Recorded.last.steps]
    assert tokens == [sum(int(e["attention_mask"].sum()) for e in small.rows(6)[2 * i : 2 * i + 2]) for i in range(3)]


def test_an_exception_in_training_is_not_swallowed_and_the_next_training_closes_the_first(tmp_path):
    class Stop(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            raise RuntimeError("stop here")

    callback = huggingface.MensCallback()
    trainer, _ = fit(tmp_path, small.llama(), small.rows(6), callback, Stop(), reference=False)
    with pytest.raises(RuntimeError, match="stop here"):
        trainer.train()
    first = Recorded.last
    assert first.ended is None
    trainer, _ = fit(tmp_path, small.llama(), small.rows(6), callback, reference=False)
    trainer.train()
    assert first.ended == ("interrupted", None)
    assert Recorded.last.ended == ("completed", None)


def test_unknown_options_are_refused_at_once():
    with pytest.raises(TypeError, match="lora_evry_s"):
        huggingface.MensCallback(lora_evry_s=1)


@pytest.mark.parametrize(
    ("last_words", "status"),
    [
        ("raise RuntimeError('the end')", "crashed"),
        ("raise MemoryError", "crashed"),
        ("raise KeyboardInterrupt", "interrupted"),
        ("sys.exit(3)", "interrupted"),
    ],
)
def test_a_program_that_ends_in_mid_training_is_told(tmp_path, last_words, status):
    program = f"""
        import sys
        from collectors import small
        from mens_console.collectors import MensCallback
        from transformers import Trainer, TrainerCallback, TrainingArguments

        class End(TrainerCallback):
            def on_step_end(self, args, state, control, **kwargs):
                if state.global_step == 2:
                    {last_words}

        options = dict(max_steps=3, logging_steps=1, use_cpu=True, report_to="none")
        args = TrainingArguments(output_dir={str(tmp_path)!r}, **options)
        Trainer(small.llama(), args, train_dataset=small.rows(24), callbacks=[MensCallback(), End()]).train()
    """
    tests = os.path.dirname(os.path.dirname(__file__))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": tests},
    )  # fmt: skip
    assert done.returncode != 0
    events = telemetry(tmp_path)
    kinds = [event["event"] for event in events]
    assert kinds[0] == "train_start"
    assert kinds.count("lora_pairs") == 1
    assert kinds.count("lora") == kinds.count("step") == 2
    end = events[-1]["payload"]
    assert (kinds[-1], end["status"], end["step"]) == ("train_end", status, 2)
    if "RuntimeError" in last_words:
        assert end["error"] == "RuntimeError: the end"
        assert "RuntimeError: the end" in done.stderr


def telemetry(folder):
    return [json.loads(line) for line in (folder / "telemetry.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("packed", [False, True])
def test_trl_sft(tmp_path, monkeypatch, packed):
    datasets = pytest.importorskip("datasets")
    trl = pytest.importorskip("trl")
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    from mens_console.collectors.session import Session

    monkeypatch.setattr(huggingface, "Session", Session)
    words = [f"w{i}" for i in range(small.VOCABULARY - 3)]
    vocabulary = {word: i for i, word in enumerate(["<pad>", "<eos>", "<unk>", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>"
    )
    texts = [" ".join(words[(7 * i + j) % len(words)] for j in range(5 + i % 4)) for i in range(24)]
    arguments = trl.SFTConfig(
        output_dir=str(tmp_path), max_steps=3, per_device_train_batch_size=2, gradient_accumulation_steps=2,
        logging_steps=1, use_cpu=True, report_to="none", disable_tqdm=True, max_grad_norm=1e-3, packing=packed,
        max_length=16, learning_rate=0.01, bf16=False,
    )  # fmt: skip
    seen = []

    class Sums(TrainerCallback):
        """The gradients as clipping left them, and the norm that the Trainer logs, undo each other."""

        def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs):
            named = {n: p.grad.double().norm() for n, p in model.named_parameters() if p.grad is not None}
            pairs = {small.module_of(name)[0] for name in named}
            seen.append({p: math.hypot(*(float(v) for n, v in named.items() if f".{p}.lora_" in n)) for p in pairs})

        def on_log(self, args, state, control, logs=None, **kwargs):
            if "grad_norm" in logs:
                factor = min(1.0, 1e-3 / (logs["grad_norm"] + 1e-6))
                seen[-1] = {pair: value / factor for pair, value in seen[-1].items()}

    trainer = trl.SFTTrainer(
        model=small.llama(), args=arguments, train_dataset=datasets.Dataset.from_dict({"text": texts}),
        processing_class=tokenizer, callbacks=[huggingface.MensCallback(lora_every_s=0.0, lora_every_steps=1), Sums()],
    )  # fmt: skip
    trainer.train()
    events = telemetry(tmp_path)
    pairs = next(event["payload"]["pairs"] for event in events if event["event"] == "lora_pairs")
    looks = [event["payload"] for event in events if event["event"] == "lora"]
    steps = [event["payload"] for event in events if event["event"] == "step"]
    assert [look["step"] for look in looks] == [step["step"] for step in steps] == [1, 2, 3]
    for look, wanted in zip(looks, seen, strict=True):
        found = {
            pair["name"]: math.hypot(a, b) for pair, a, b in zip(pairs, look["grad_a"], look["grad_b"], strict=True)
        }
        assert found == {pair: pytest.approx(value, rel=1e-4) for pair, value in wanted.items()}
    log = [entry for entry in trainer.state.log_history if "entropy" in entry]
    for step, logged in zip(steps, log, strict=True):
        assert step["token_entropy"] == pytest.approx(logged["entropy"])
        assert step["accuracy"] == pytest.approx(logged["mean_token_accuracy"])
        assert step["loss"] == pytest.approx(logged["loss"])
    assert steps[-1]["num_tokens"] == log[-1]["num_tokens"]
    assert events[-1]["payload"]["status"] == "completed"
