"""A bare loop watched in three lines: with clipping, accumulation, a scaler, and every way to leave it."""

import copy
import json
import math

import pytest

pytestmark = pytest.mark.training
torch = pytest.importorskip("torch")

from collectors import small  # noqa: E402
from collectors.recorded import Recorded  # noqa: E402
from peft import LoraConfig  # noqa: E402
from transformers import BertConfig, BertForMaskedLM, BertForTokenClassification  # noqa: E402

from mens_console.collectors import loop as room  # noqa: E402
from mens_console.collectors import watch  # noqa: E402
from mens_console.collectors.guard import CollectorWarning  # noqa: E402
from mens_console.collectors.session import Session  # noqa: E402
from mens_console.collectors.text import TokenCount, token_entropy  # noqa: E402
from mens_console.collectors.watcher import Losses  # noqa: E402


@pytest.fixture(autouse=True)
def _recorded(monkeypatch):
    monkeypatch.setattr(room, "Session", Recorded)
    monkeypatch.setattr(Recorded, "every", 1)


def trainable(model):
    return [p for p in model.parameters() if p.requires_grad]


def test_three_lines_record_the_true_gradients_before_clipping(tmp_path):
    model = small.llama()
    optimizer = torch.optim.AdamW(trainable(model), lr=0.01)
    expected = []
    with watch(model, tmp_path, optimizer, total_steps=2) as mens:
        for step in range(2):
            parts = [small.batch(small.rows(2, seed=4 * step + i)) for i in range(4)]
            expected.append(small.reference(model, small.mean_loss(*parts)))
            losses = [model(**part).loss / 4 for part in parts]
            for loss in losses:
                loss.backward()
            mens.backward_done()
            torch.nn.utils.clip_grad_norm_(trainable(model), 1e-4)
            optimizer.step()
            optimizer.zero_grad()
            mens.step(loss=sum(losses))
            row = Recorded.last.steps[-1]
            assert row["loss"] == pytest.approx(sum(float(loss.detach()) for loss in losses), rel=1e-6)
            assert (row["learning_rate"], row["update_steps"]) == (0.01, 1)
            assert row["tokens"] == sum(int(part["attention_mask"].sum()) for part in parts)
            assert 0 < row["token_entropy"] < math.log(small.VOCABULARY) + 1e-6
            assert row["grad_norm"] == pytest.approx(math.hypot(*(n["grad"] for n in expected[-1].values())), rel=1e-5)
    assert Recorded.last.ended == ("completed", None)
    assert Recorded.last.total_steps == 2
    for (_, look), wanted in zip(Recorded.last.looks(), expected, strict=True):
        assert {pair: values["grad"] for pair, values in look.items()} == {
            pair: pytest.approx(norms["grad"], rel=1e-5) for pair, norms in wanted.items()
        }
        assert all(values["update"] > 0 for values in look.values())
    assert not model._forward_pre_hooks


@pytest.mark.parametrize("unscaled", [False, True])
def test_a_loss_scaler(tmp_path, unscaled):
    model = small.llama()
    optimizer = torch.optim.SGD(trainable(model), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    part = small.batch(small.rows(2))
    with watch(model, tmp_path, optimizer) as mens:
        for overflow in (False, True, False):
            wanted = small.reference(model, small.mean_loss(part))
            loss = model(**part).loss
            scaler.scale(loss).backward()
            if overflow:
                trainable(model)[0].grad[0, 0] = math.inf
            if unscaled:
                scaler.unscale_(optimizer)
            mens.backward_done(scaler)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            mens.step(loss)
            look = Recorded.last.looks()[-1][1]
            if overflow:
                assert Recorded.last.steps[-1]["grad_norm"] is None
                assert all(math.isnan(values["update"]) for values in look.values())
            else:
                assert Recorded.last.steps[-1]["grad_norm"] > 0
                for pair, norms in wanted.items():
                    assert look[pair]["grad"] == pytest.approx(norms["grad"], rel=1e-5)
                    assert look[pair]["update"] == pytest.approx(0.1 * norms["grad"], rel=1e-4)


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (RuntimeError("gone"), "crashed", "RuntimeError: gone"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried"), "crashed", "OutOfMemoryError: CUDA out of memory. Tried"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "crashed", "out of memory"),
        (MemoryError(), "crashed", "MemoryError (out of memory)"),
        (KeyboardInterrupt(), "interrupted", None),
        (SystemExit(1), "interrupted", None),
        (SystemExit(0), "completed", None),
    ],
)
def test_what_leaves_the_loop_is_recorded_and_goes_on_its_way(tmp_path, raised, status, said):
    with pytest.raises(type(raised)) as caught, watch(small.llama(), tmp_path) as mens:
        mens.step(loss=1.0)
        raise raised
    assert caught.value is raised
    ended, error = Recorded.last.ended
    assert ended == status
    assert error == said if said is None else said in error


def test_a_loop_that_does_not_say_when_gradients_are_there_is_told_once(tmp_path):
    model = small.llama()
    with pytest.warns(CollectorWarning, match="backward_done") as warned, watch(model, tmp_path) as mens:
        for loss in (1.0, 2.0):
            model(**small.batch(small.rows(2)))
            mens.step(loss=loss)
    assert len(warned) == 1
    assert [row["loss"] for row in Recorded.last.steps] == [1.0, 2.0]


def test_what_the_caller_knows_is_taken_before_what_is_measured(tmp_path):
    model = small.llama()
    optimizer = torch.optim.SGD(trainable(model), lr=0.1)
    with watch(model, tmp_path, optimizer, start_step=10, base_model="mine", config={"word": 1}) as mens:
        model(**small.batch(small.rows(2))).loss.backward()
        mens.backward_done()
        mens.step(torch.tensor(2.0), torch.tensor([3, 4]), 0.5, grad_norm=7.0, token_entropy=1.5, accuracy=0.25, kl=0.1)
    row = Recorded.last.steps[0]
    wanted = {"step": 11, "loss": 2.0, "tokens": 7, "learning_rate": 0.5, "grad_norm": 7.0, "token_entropy": 1.5}
    assert wanted.items() <= row.items()
    assert (row["accuracy"], row["extra"]) == (0.25, {"kl": 0.1})
    assert Recorded.last.base_model == "mine"
    assert {"word": 1, "resumed_at_step": 10, "lora_r": 4}.items() <= Recorded.last.config.items()


def test_what_is_no_number_costs_its_step_and_no_other(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "Session", Session)
    model = small.llama()
    with pytest.warns(CollectorWarning) as warned, watch(model, tmp_path) as mens:
        for loss, tokens in [(1.0, 1), ("high", 1), (2.0, "some"), (3.0, 1)]:
            model(**small.batch(small.rows(2))).loss.backward()
            mens.backward_done()
            mens.step(loss=loss, tokens=tokens)
    assert [str(w.message).partition(":")[2][:56] for w in warned] == [
        " a step could not be recorded: ValueError: could not con"
    ]
    assert "later ones are tried" in str(warned[0].message)
    rows = [json.loads(line) for line in (tmp_path / "telemetry.jsonl").read_bytes().splitlines()]
    assert [row["payload"]["loss"] for row in rows if row["event"] == "step"] == [1.0, 3.0]


def test_the_movement_of_a_step_with_a_closure_is_the_whole_step(tmp_path):
    model = small.llama()
    optimizer = torch.optim.LBFGS(trainable(model), lr=0.1, max_iter=3)
    part = small.batch(small.rows(4))

    def closure():
        optimizer.zero_grad()
        loss = model(**part).loss
        loss.backward()
        mens.backward_done()
        return loss

    with watch(model, tmp_path, optimizer) as mens:
        start = {name: p.detach().clone() for name, p in model.named_parameters() if ".lora_" in name}
        mens.step(loss=optimizer.step(closure))
    ((_, look),) = Recorded.last.looks()
    for pair, values in look.items():
        mine = [(p.detach(), start[name]) for name, p in model.named_parameters() if name in start and pair in name]
        moved = math.sqrt(sum(float((p - old).double().square().sum()) for p, old in mine))
        size = math.sqrt(sum(float(old.double().square().sum()) for _, old in mine))
        assert values["update"] == pytest.approx(moved, rel=1e-5)
        assert moved > 0.0
        assert values["ratio"] == pytest.approx(moved / size, rel=1e-5)


@pytest.mark.parametrize(("rates", "told"), [((0.0, 1e-3), 1e-3), ((1e-3, 0.0), 1e-3), ((0.0, 0.0), 0.0)])
def test_a_group_at_rest_does_not_speak_for_all(tmp_path, rates, told):
    model = small.llama()
    parts = trainable(model)
    groups = [{"params": parts[:2], "lr": rates[0]}, {"params": parts[2:], "lr": rates[1]}]
    optimizer = torch.optim.AdamW(groups)
    with watch(model, tmp_path, optimizer) as mens:
        loss = model(**small.batch(small.rows(2))).loss
        loss.backward()
        mens.backward_done()
        optimizer.step()
        mens.step(loss=loss)
    (row,) = Recorded.last.steps
    assert (row["learning_rate"], row["layers"].learning_rate) == (told, told)


def test_the_learning_rate_is_that_of_the_step_whenever_the_scheduler_goes_on(tmp_path):
    model = small.llama()
    optimizer = torch.optim.SGD(trainable(model), lr=1.0)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    with watch(model, tmp_path, optimizer) as mens:
        for told in (True, True, False, True):
            model(**small.batch(small.rows(2))).loss.backward()
            mens.backward_done()
            optimizer.step()
            scheduler.step()
            mens.step(loss=1.0, lr=None if told else 7.0)
    assert [row["learning_rate"] for row in Recorded.last.steps] == [1.0, 0.5, 7.0, 0.125]


def test_other_processes_than_the_first_measure_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    model = small.llama()
    with watch(model, tmp_path) as mens:
        assert mens.monitor is None
        mens.backward_done()
        mens.step(loss=1.0)
    assert (Recorded.last.rank, Recorded.last.world_size) == (1, 2)
    assert (Recorded.last.steps, Recorded.last.ended) == ([], None)
    assert not model._forward_pre_hooks


def test_a_compiled_model_is_watched_from_outside(tmp_path):
    model = torch.compile(small.llama(), backend="eager")
    with watch(model, tmp_path) as mens:
        loss = model(**small.batch(small.rows(2))).loss
        loss.backward()
        mens.backward_done()
        mens.step(loss)
    row = Recorded.last.steps[0]
    assert row["tokens"] == 20
    assert row["token_entropy"] > 0
    assert len(Recorded.last.looks()) == 1


def test_a_model_that_is_compiled_on_the_way_stays_in_one_graph(tmp_path):
    torch._dynamo.reset()
    model, part = small.llama(), small.batch(small.rows(2))
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    with pytest.warns(CollectorWarning, match="was compiled") as warned, watch(model, tmp_path) as mens:
        compiled = torch.compile(model, backend=backend, fullgraph=True)
        for step in range(1, 6):
            Recorded.every = step  # entropy is asked for, and then it is not
            model.zero_grad()
            compiled(**part).loss.backward()
            mens.backward_done()
            mens.step(loss=1.0)
    assert len(warned) == len(graphs) == 1
    assert [(row["tokens"], row["token_entropy"]) for row in Recorded.last.steps] == [(None, None)] * 5
    expected = small.reference(model, small.mean_loss(part))
    assert {name: values["grad"] for name, values in Recorded.last.looks()[0][1].items()} == {
        name: pytest.approx(norms["grad"], rel=1e-4) for name, norms in expected.items()
    }


def test_a_model_of_any_kind_can_be_watched(tmp_path):
    model = torch.nn.Linear(4, 1)
    with pytest.warns(CollectorWarning, match="no LoRA"), watch(model, tmp_path) as mens:
        model(torch.ones(2, 4)).sum().backward()
        mens.backward_done()
        mens.step(loss=0.5)
    assert (Recorded.last.steps[0]["tokens"], Recorded.last.steps[0]["loss"]) == (None, 0.5)


def test_losses_on_another_device_are_averaged_until_a_row_is_due():
    losses = Losses(3600.0)
    losses.add(torch.tensor(1.0))
    assert losses.due()
    meta = Losses(3600.0)
    meta.take()
    meta.add(torch.empty((), device="meta"))
    assert not meta.due()
    losses.add(3.0)
    losses.add(torch.tensor([4.0, 6.0]))
    assert losses.take() == pytest.approx(3.0)
    assert losses.take() is None


def test_tokens_are_counted_by_mask_then_labels_then_shape():
    count = TokenCount()
    assert count.add({"attention_mask": torch.tensor([[1, 1, 0]]), "input_ids": torch.ones(1, 3, dtype=torch.long)})
    assert count.add({"labels": torch.tensor([[5, -100, -100]])})
    assert count.add({"input_ids": torch.ones(2, 5, dtype=torch.long)})
    assert count.add({"inputs_embeds": torch.ones(2, 2, 8)})
    packed = {"input_ids": torch.ones(1, 6, dtype=torch.long), "labels": torch.tensor([[-100, 2, 3, -100, 5, 6]])}
    assert count.add({**packed, "position_ids": torch.tensor([[0, 1, 2, 0, 1, 2]])})
    assert not count.add({"pixel_values": torch.ones(1, 3, 8, 8)})
    assert not count.add({"input_ids": torch.ones(1, 8)})
    assert count.take() == 2 + 1 + 10 + 4 + 6
    assert count.take() == 0


def test_entropy_of_many_tokens_is_a_sample_of_them_and_of_none_is_unknown():
    torch.manual_seed(0)
    logits = torch.randn(4, 1001, 7)
    p = torch.softmax(logits.double(), -1)
    whole = -(p * p.log()).sum(-1)
    found = token_entropy(logits, shifted=False)
    assert found == pytest.approx(float(whole.flatten()[::8].mean()), rel=1e-6)
    assert found == pytest.approx(float(whole.mean()), rel=0.02)
    mask = torch.zeros(4, 1001)
    assert token_entropy(logits, mask=mask) is None
    mask[0, 5] = 1
    assert token_entropy(logits, mask=mask) == pytest.approx(float(whole[0, 4]), rel=1e-5)
    sure = torch.full((1, 2, 3), -math.inf)
    sure[..., 0] = 0.0
    assert token_entropy(sure, shifted=False) == 0.0


@pytest.mark.parametrize("adapted", [False, True])
@pytest.mark.parametrize("kind", [BertForMaskedLM, BertForTokenClassification])
def test_the_entropy_of_a_model_that_fills_in_is_taken_where_its_labels_are(tmp_path, kind, adapted):
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 32}
    config = BertConfig(vocab_size=small.VOCABULARY, **shape, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    model = kind(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(20)  # so that the places differ
    model = small.adapted(model, ["query"]) if adapted else model
    ids = torch.randint(1, small.VOCABULARY, (4, 12))
    labels = torch.full_like(ids, -100)
    labels[:, ::3] = 1
    with watch(model, tmp_path) as mens:
        output = model(input_ids=ids, labels=labels)
        output.loss.backward()
        mens.backward_done()
        mens.step(loss=output.loss)
    p = torch.softmax(output.logits.detach()[:, ::3].double(), -1)
    assert Recorded.last.steps[0]["token_entropy"] == pytest.approx(
        float(torch.special.entr(p).sum(-1).mean()), rel=1e-4
    )


def test_the_summary_can_be_asked_for_and_written_as_json(tmp_path):
    model = small.llama()
    with watch(model, tmp_path) as mens:
        model(**small.batch(small.rows(2))).loss.backward()
        mens.backward_done()
        mens.step(loss=1.0)
        summary = mens.monitor.get_summary()
    assert summary["total_layers"] == len(mens.monitor.pairs)
    assert summary["warming"] == summary["total"]
    json.dumps(summary)


def test_a_pair_frozen_on_the_way_is_made_known(tmp_path):
    model = small.llama()
    with watch(model, tmp_path) as mens:
        for frozen in (0, 1):
            if frozen:
                for name, parameter in model.named_parameters():
                    if "layers.0.self_attn.q_proj.lora_" in name:
                        parameter.requires_grad_(False)
            model(**small.batch(small.rows(2))).loss.backward()
            mens.backward_done()
            mens.step(loss=1.0)
            assert Recorded.last.pairs.frozen.count(True) == frozen
            assert sum(not pair["trainable_a"] for pair in Recorded.last.table) == frozen
    assert len(Recorded.last.looks()) == 2


def test_an_adapter_added_on_the_way_is_made_known(tmp_path):
    model = small.llama()
    with watch(model, tmp_path) as mens:
        for added in (0, 1):
            if added:
                model.add_adapter("two", LoraConfig(r=2, target_modules=["q_proj"]))
            model(**small.batch(small.rows(2))).loss.backward()
            mens.backward_done()
            mens.step(loss=1.0)
            assert len(Recorded.last.pairs) == len(Recorded.last.table) == (3 + added) * small.LAYERS
            assert len(Recorded.last.steps[-1]["layers"].values["update"]) == len(Recorded.last.pairs)


def test_adapters_that_go_and_come_again_are_told_as_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "Session", Session)
    model, part, seen = small.llama(), small.batch(small.rows(2)), []
    often = {"lora_every_s": 0.0, "lora_every_steps": 1, "status_every_s": 0.0}
    with pytest.warns(CollectorWarning) as warned, watch(model, tmp_path, **often) as mens:
        for step in range(6):
            if step == 2:
                model = model.unload().requires_grad_(True)
            if step == 4:
                model.add_adapter(LoraConfig(r=2, target_modules=["q_proj"]))
            optimizer = torch.optim.SGD(trainable(model), lr=0.1)
            model(**part).loss.backward()
            mens.backward_done()
            optimizer.step()
            mens.step(loss=1.0)
            seen.append(None if mens.monitor is None else len(mens.monitor))
    assert seen == [3 * small.LAYERS] * 2 + [None] * 2 + [small.LAYERS] * 2
    assert [str(w.message)[:53] for w in warned] == ["mens-console: LoRA layers are not measured any more: "]
    status = json.loads((tmp_path / "training_status.json").read_bytes())
    assert status["lora_summary"]["total_layers"] == small.LAYERS
    rows = [json.loads(line) for line in (tmp_path / "telemetry.jsonl").read_bytes().splitlines()]
    assert [row["payload"]["step"] for row in rows if row["event"] == "lora"] == [1, 2, 5, 6]


@pytest.mark.parametrize("told", [True, False])
def test_adapters_that_come_to_a_model_without_any_are_watched_from_then_on(tmp_path, told):
    model, part = small.plain_llama(), small.batch(small.rows(2))
    with pytest.warns(CollectorWarning) as warned, watch(model, tmp_path) as mens:
        for step in range(3):
            if step == 1:
                model.add_adapter(LoraConfig(r=2, target_modules=["q_proj"]))
            model.zero_grad()
            model(**part).loss.backward()
            assert mens.monitor is None or step > 1
            if told:
                mens.backward_done()
            mens.step(loss=1.0)
    said = [str(w.message) for w in warned]
    assert len(said) == (1 if told else 2)
    assert "has no LoRA adapters" in said[0]
    if told:
        assert len(Recorded.last.pairs) == len(Recorded.last.table) == small.LAYERS
        assert [step for step, _ in Recorded.last.looks()] == [2, 3]
        _, look = Recorded.last.looks()[1]
        expected = small.reference(model, small.mean_loss(part))
        assert {name: values["grad"] for name, values in look.items()} == {
            name: pytest.approx(norms["grad"], rel=1e-5) for name, norms in expected.items()
        }
    else:
        assert "call backward_done()" in said[1]


@pytest.mark.parametrize("scaled", [False, True])
def test_a_model_without_adapters_has_the_norm_of_its_gradient(tmp_path, scaled):
    model = small.plain_llama()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, enabled=scaled)
    expected = []
    with pytest.warns(CollectorWarning, match="no LoRA"), watch(model, tmp_path, optimizer) as mens:
        for step in range(4):
            part = small.batch(small.rows(2, seed=step + 1))
            twin = copy.deepcopy(model).double()
            gradients = torch.autograd.grad(twin(**part).loss, list(twin.parameters()))
            expected.append(math.sqrt(sum(float((gradient**2).sum()) for gradient in gradients)))
            optimizer.zero_grad()
            scaler.scale(model(**part).loss).backward()
            if step == 2:
                model.lm_head.weight.grad[0] = math.inf
            mens.backward_done(scaler)
            scaler.step(optimizer)
            scaler.update()
            mens.step(loss=1.0)
    expected[2] = None if scaled else math.inf  # an overflow is how a scaler finds its scale
    assert [row["grad_norm"] for row in Recorded.last.steps[:3]] == [
        norm and pytest.approx(norm, rel=1e-5) for norm in expected[:3]
    ]
    assert Recorded.last.looks() == []


def test_tokens_of_a_model_that_is_not_called_are_unknown_and_not_zero(tmp_path):
    model, part = small.llama(), small.batch(small.rows(2))
    with pytest.warns(CollectorWarning) as warned, watch(model, tmp_path) as mens:
        for call in (model, *[model.get_base_model().forward] * 4):  # no hook hears the method
            call(**part).loss.backward()
            mens.backward_done()
            mens.step(loss=1.0)
    assert [row["tokens"] for row in Recorded.last.steps] == [int(part["attention_mask"].sum()), *[None] * 4]
    assert [str(w.message)[:40] for w in warned] == ["mens-console: the model that is watched "]


def test_tokens_are_counted_once_of_a_model_that_calls_the_one_inside(tmp_path):
    inside, part = small.plain_llama(), small.batch(small.rows(2))
    model = small.adapted(inside, ["q_proj"], task_type="CAUSAL_LM")
    with watch(model, tmp_path) as mens:
        for call in (inside, model, model):  # the one inside alone, as a trainer does that was built before
            call(**part).loss.backward()
            mens.backward_done()
            mens.step(loss=1.0)
    assert [row["tokens"] for row in Recorded.last.steps] == [int(part["attention_mask"].sum())] * 3
    assert all(row["token_entropy"] > 0 for row in Recorded.last.steps)
    assert not inside._forward_pre_hooks
    assert not inside._forward_hooks


def test_a_watched_model_can_be_copied_and_saved(tmp_path, monkeypatch):
    """As an averaging callback does; what watches stays with the model that is trained."""
    monkeypatch.setattr(room, "Session", Session)
    model = small.llama()
    optimizer = torch.optim.SGD(trainable(model), lr=0.1)
    part = small.batch(small.rows(2))
    with watch(model, tmp_path / "run", optimizer, lora_every_s=0.0, lora_every_steps=1) as mens:
        copied, stepping = copy.deepcopy(model), copy.deepcopy(optimizer)
        torch.save(model, tmp_path / "model.pt")
        loaded = torch.load(tmp_path / "model.pt", weights_only=False)
        for other in (copied, loaded):
            other.train()(**part).loss.backward()
        stepping.step()
        model(**part).loss.backward()
        mens.backward_done()
        mens.step(loss=1.0)
    events = [json.loads(line) for line in (tmp_path / "run" / "telemetry.jsonl").read_text().splitlines()]
    step = next(event["payload"] for event in events if event["event"] == "step")
    assert step["num_tokens"] == int(part["attention_mask"].sum())
    assert events[-1]["payload"]["status"] == "completed"


def test_what_is_not_finite_in_the_predictions_is_not_hidden():
    logits = torch.zeros(1, 3, 5)
    logits[0, 0, 0] = math.nan
    assert math.isnan(token_entropy(logits))


def test_facts_that_cannot_be_read_do_not_stop_the_training(tmp_path, monkeypatch):
    def broken(_):
        raise ValueError("no facts")

    monkeypatch.setattr(room, "model_facts", broken)
    with pytest.warns(CollectorWarning, match="no facts"), watch(small.llama(), tmp_path) as mens:
        mens.step(loss=1.0)
    assert len(Recorded.last.steps) == 1
