"""The LoRA monitor against gradients and movements that are computed another way."""

import math

import pytest

pytestmark = pytest.mark.training
torch = pytest.importorskip("torch")

from collectors import small  # noqa: E402
from peft import LoHaConfig, LoraConfig, get_peft_model  # noqa: E402
from torch import nn  # noqa: E402

from mens_console.collectors import create_lora_monitor  # noqa: E402
from mens_console.collectors.guard import CollectorWarning  # noqa: E402
from mens_console.signals.pairs import place_of  # noqa: E402

MODELS = {"llama": small.llama, "gpt2": small.gpt2, "t5": small.t5}


def backward(model, *batches, scale=1.0):
    for part in batches:
        (model(**part).loss / len(batches) * scale).backward()


def trainable(model):
    return [p for p in model.parameters() if p.requires_grad]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("accumulated", [1, 4])
def test_gradients_are_those_of_float64_autograd(name, accumulated):
    model = MODELS[name]()
    batches = [small.batch(small.rows(4, seed=i)) for i in range(accumulated)]
    monitor = create_lora_monitor(model)
    backward(model, *batches)
    found = monitor.collect_gradients()
    expected = small.reference(model, small.mean_loss(*batches))
    assert set(found) == set(expected)
    assert len(found) > small.LAYERS
    stats = monitor.get_layer_stats()
    for pair, norms in expected.items():
        assert found[pair] == pytest.approx(norms["grad"], rel=1e-5)
        assert stats[pair]["grad_a"] == pytest.approx(norms["a"], rel=1e-5)
        assert stats[pair]["grad_b"] == pytest.approx(norms["b"], rel=1e-5)


def test_names_are_module_paths_whatever_wraps_the_model():
    model = small.llama()
    plain = create_lora_monitor(model).pairs.names
    assert "model.layers.0.self_attn.q_proj" in plain
    assert place_of(plain[0])[0] == 0
    assert create_lora_monitor(torch.compile(model)).pairs.names == plain
    assert create_lora_monitor(nn.DataParallel(model)).pairs.names == plain
    model.base_model.model.model.layers[1] = torch.compile(model.base_model.model.model.layers[1])
    assert create_lora_monitor(model).pairs.names == plain


def test_names_are_module_paths_in_a_model_of_mixed_adapters():
    model = get_peft_model(small.plain_llama(), LoraConfig(r=2, target_modules=["q_proj"]), mixed=True)
    model.add_adapter("other", LoHaConfig(r=2, target_modules=["v_proj"]))
    assert create_lora_monitor(model).pairs.names == tuple(
        f"model.layers.{i}.self_attn.q_proj" for i in range(small.LAYERS)
    )


class Adapted(nn.Linear):
    """As loralib does it: the matrices are parameters of the adapted module."""

    def __init__(self, width, r):
        super().__init__(width, width)
        self.weight.requires_grad_(False)
        self.lora_A = nn.Parameter(torch.randn(r, width))
        self.lora_B = nn.Parameter(torch.randn(width, r))
        self.scaling = 0.5

    def forward(self, x):
        return super().forward(x) + self.scaling * x @ self.lora_A.T @ self.lora_B.T


class Lower(nn.Module):
    """As torchtune does it: modules with names in lower case."""

    def __init__(self, width, r):
        super().__init__()
        self.lora_a, self.lora_b = nn.Linear(width, r, bias=False), nn.Linear(r, width, bias=False)

    def forward(self, x):
        return x + self.lora_b(self.lora_a(x))


def test_adapters_of_other_libraries_are_found():
    model = nn.Sequential(Adapted(8, 2), Lower(8, 3))
    monitor = create_lora_monitor(model)
    assert monitor.pairs.names == ("0", "1")
    assert monitor.pairs.r == (2, 3)
    assert [pair["scaling"] for pair in monitor.table()] == [0.5, 1.0]
    model(torch.randn(4, 8)).square().sum().backward()
    expected = [math.sqrt(sum(float(p.grad.double().square().sum()) for p in trainable(part))) for part in model]
    expected[0] = math.hypot(float(model[0].lora_A.grad.norm()), float(model[0].lora_B.grad.norm()))
    assert list(monitor.collect_gradients().values()) == pytest.approx(expected, rel=1e-5)


def test_adapters_of_single_parameters_are_named_after_them():
    class Experts(nn.Module):
        def __init__(self):
            super().__init__()
            self.up, self.down = nn.Parameter(torch.randn(2, 6, 4)), nn.Parameter(torch.randn(2, 4, 6))

        def forward(self, x):
            return x

    model = small.adapted(nn.Sequential(Experts()), [], r=2, target_parameters=["0.up", "0.down"])
    assert sorted(create_lora_monitor(model).pairs.names) == ["0.down", "0.up"]


def test_two_adapters_of_one_module_are_two_pairs():
    model = small.llama()
    model.add_adapter("second", model.peft_config["default"])
    names = create_lora_monitor(model).pairs.names
    assert "model.layers.0.self_attn.q_proj[default]" in names
    assert "model.layers.0.self_attn.q_proj[second]" in names
    assert sum(create_lora_monitor(model).pairs.frozen) == len(names) // 2


def test_the_movement_is_what_the_optimizer_step_changed():
    model = small.llama()
    optimizer = torch.optim.AdamW(trainable(model), lr=0.01)
    monitor = create_lora_monitor(model, optimizer=optimizer)
    for step in range(1, 4):
        backward(model, small.batch(small.rows(2, seed=step)))
        monitor.look(step=step)
        before = {name: p.detach().double().clone() for name, p in model.named_parameters() if "lora_" in name}
        optimizer.step()
        monitor.after_step()
        optimizer.zero_grad()
        row = monitor.row()
        assert (row.step, row.learning_rate, monitor.update_steps) == (step, 0.01, 1)
        for i, pair in enumerate(monitor.pairs.names):
            mine = [(p, before[name]) for name, p in model.named_parameters() if name in before and pair in name]
            moved = math.sqrt(sum(float((p.detach().double() - old).square().sum()) for p, old in mine))
            size = math.sqrt(sum(float(old.square().sum()) for _, old in mine))
            assert row.values["update"][i] == pytest.approx(moved, rel=1e-5)
            assert row.values["ratio"][i] == pytest.approx(moved / size, rel=1e-5)
    assert monitor.row() is None


def test_without_after_step_the_movement_spans_the_steps_since_the_last_look():
    model = small.llama()
    optimizer = torch.optim.SGD(trainable(model), lr=0.1)
    monitor = create_lora_monitor(model, optimizer=optimizer)
    part = small.batch(small.rows(2))
    backward(model, part)
    monitor.collect_gradients()
    first = monitor.get_layer_stats()
    assert all(math.isnan(pair["update_magnitude"]) for pair in first.values())
    start = {name: p.detach().clone() for name, p in model.named_parameters() if "lora_" in name}
    for _ in range(3):
        optimizer.zero_grad()
        backward(model, part)
        optimizer.step()
    monitor.collect_gradients()
    assert monitor.update_steps == 3
    for pair, stats in monitor.get_layer_stats().items():
        mine = [(p, start[name]) for name, p in model.named_parameters() if name in start and pair in name]
        moved = math.sqrt(sum(float((p.detach() - old).double().square().sum()) for p, old in mine))
        assert stats["update_magnitude"] == pytest.approx(moved, rel=1e-5)


@pytest.mark.parametrize("unscaled", [False, True])
def test_gradients_under_a_scaler_are_the_true_ones(unscaled):
    model = small.llama()
    optimizer = torch.optim.SGD(trainable(model), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**12)
    part = small.batch(small.rows(4))
    expected = small.reference(model, small.mean_loss(part))
    monitor = create_lora_monitor(model, optimizer=optimizer)
    scaler.scale(model(**part).loss).backward()
    if unscaled:
        scaler.unscale_(optimizer)
    found = monitor.collect_gradients(grad_scale=scaler)
    assert found == {pair: pytest.approx(norms["grad"], rel=1e-5) for pair, norms in expected.items()}
    assert monitor.grad_norm == pytest.approx(math.hypot(*(norms["grad"] for norms in expected.values())), rel=1e-5)
    if not unscaled:
        assert monitor.collect_gradients(grad_scale=2.0**12) == pytest.approx(found, rel=1e-6)


def test_a_step_that_the_scaler_skipped_has_no_movement_and_is_not_death():
    model = small.llama()
    optimizer = torch.optim.SGD(trainable(model), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**12)
    part = small.batch(small.rows(2))
    for with_optimizer in (True, False):
        monitor = create_lora_monitor(model, optimizer=optimizer if with_optimizer else None)
        optimizer.zero_grad()
        scaler.scale(model(**part).loss).backward()
        trainable(model)[0].grad[0, 0] = math.inf
        monitor.look(scaler, step=1)
        scaler.step(optimizer)
        scaler.update()
        monitor.after_step()
        row = monitor.row()
        assert monitor.skipped
        assert all(math.isnan(value) for value in row.values["update"])
        assert row.values["grad"][0] == math.inf
        assert math.isfinite(row.values["grad"][1])


def train(model, optimizer, monitor, steps=14):
    for step in range(1, steps + 1):
        backward(model, small.batch(small.rows(2, seed=step)))
        monitor.look(step=step)
        optimizer.step()
        monitor.after_step()
        optimizer.zero_grad()
        monitor.row()
    return {name: stats["state"] for name, stats in monitor.get_layer_stats().items()}


def test_frozen_dead_unused_and_active_pairs_are_told_apart_and_none_else():
    model = small.llama(warm=False)
    kinds = {}
    outside = []
    for name, parameter in model.named_parameters():
        if ".lora_" not in name:
            continue
        pair, _ = small.module_of(name)
        if pair == "model.layers.0.self_attn.q_proj":
            parameter.requires_grad_(False)
            kinds[pair] = "frozen"
        elif pair == "model.layers.0.self_attn.v_proj":
            outside.append(parameter)
            kinds[pair] = "dead"
        else:
            kinds.setdefault(pair, "active")
    spare = nn.Module()
    spare.lora_A, spare.lora_B = nn.Linear(4, 2, bias=False), nn.Linear(2, 4, bias=False)
    model.base_model.model.spare = spare
    kinds["spare"] = "unused"
    left_out = {id(p) for p in outside}
    optimizer = torch.optim.AdamW([p for p in trainable(model) if id(p) not in left_out], lr=1e-3)
    monitor = create_lora_monitor(model, optimizer=optimizer)
    assert train(model, optimizer, monitor) == kinds
    summary = monitor.get_summary()
    assert (summary["active_layers"], summary["dead_layers"], summary["total_layers"]) == (4, 1, 7)
    assert summary["dead_names"] == ["model.layers.0.self_attn.v_proj"]
    assert sum(top["share"] for top in summary["top_layers"]) == pytest.approx(1.0)
    assert summary["imbalance"] >= 1.0


def test_updates_that_bf16_rounds_away_are_death():
    model = small.llama().to(torch.bfloat16)
    optimizer = torch.optim.SGD(trainable(model), lr=1e-9)
    quick = torch.optim.SGD([p for n, p in model.named_parameters() if "layers.1" in n and "lora_" in n], lr=1.0)
    monitor = create_lora_monitor(model)
    for step in range(1, 15):
        backward(model, small.batch(small.rows(2, seed=step)))
        monitor.look(step=step)
        optimizer.step()
        quick.step()
        monitor.after_step()
        model.zero_grad()
        monitor.row()
    states = {name: stats["state"] for name, stats in monitor.get_layer_stats().items()}
    assert {state for name, state in states.items() if "layers.0" in name} == {"dead"}
    assert {state for name, state in states.items() if "layers.1" in name} == {"active"}


def test_bf16_gradients_are_summed_in_longer_precision():
    model = small.llama().to(torch.bfloat16)
    backward(model, small.batch(small.rows(2)))
    found = create_lora_monitor(model).collect_gradients()
    for pair, value in found.items():
        mine = [p.grad.double() for name, p in model.named_parameters() if "lora_" in name and pair in name]
        assert value == pytest.approx(math.sqrt(sum(float(g.square().sum()) for g in mine)), rel=1e-5)


def test_the_first_step_raises_nothing():
    model = small.llama(warm=False)
    optimizer = torch.optim.AdamW(trainable(model), lr=1e-3)
    monitor = create_lora_monitor(model, optimizer=optimizer)
    backward(model, small.batch(small.rows(2)))
    monitor.look(step=1)
    optimizer.step()
    monitor.after_step()
    stats = monitor.get_layer_stats()
    assert {pair["grad_a"] for pair in stats.values()} == {0.0}
    assert all(pair["grad_b"] > 0 for pair in stats.values())
    assert {pair["state"] for pair in stats.values()} == {"warming"}


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_is_told_and_one_that_is_missing_is_not_zero(bad):
    model = small.llama()
    backward(model, small.batch(small.rows(2)))
    first, second = (p for name, p in model.named_parameters() if "layers.0.self_attn.q_proj.lora_" in name)
    first.grad[0, 0] = bad
    missing = [p for name, p in model.named_parameters() if "layers.1.self_attn.v_proj.lora_" in name]
    for parameter in missing:
        parameter.grad = None
    found = create_lora_monitor(model).collect_gradients()
    assert found["model.layers.0.self_attn.q_proj"] == math.inf
    assert "model.layers.1.self_attn.v_proj" not in found
    assert all(math.isfinite(x) for name, x in found.items() if name.endswith(("1.self_attn.q_proj", "down_proj")))
    assert second.grad is not None


def test_a_model_without_adapters_is_told_once_and_costs_nothing(monkeypatch):
    with pytest.warns(CollectorWarning, match="has no LoRA adapters") as warned:
        monitor = create_lora_monitor(nn.Linear(4, 4))
    assert len(warned) == 1

    def costly(*_, **__):
        raise AssertionError("a model without adapters is only asked whether some came")

    monkeypatch.setattr("mens_console.collectors.sweep.Sweep.__init__", costly)
    monkeypatch.setattr("mens_console.collectors.lora.find_adapters", costly)
    assert not monitor.look()
    assert (len(monitor), monitor.collect_gradients(), monitor.get_layer_stats(), monitor.table()) == (0, {}, {}, [])
    monitor.look()
    monitor.after_step()
    assert monitor.row() is None
    assert monitor.get_summary()["total"] == 0


def test_a_look_after_zero_grad_is_told_once():
    monitor = create_lora_monitor(small.llama())
    with pytest.warns(CollectorWarning, match="before zero_grad") as warned:
        assert all(math.isnan(value) for value in monitor.collect_gradients().values())
        monitor.collect_gradients()
    assert len(warned) == 1


def test_the_movement_of_steps_made_within_the_backward_pass_is_unknown_and_not_zero():
    model = small.llama()
    for parameter in trainable(model):
        optimizer = torch.optim.SGD([parameter], lr=0.1)

        def step(p, optimizer=optimizer):
            optimizer.step()
            p.grad = None

        parameter.register_post_accumulate_grad_hook(step)
    with pytest.warns(CollectorWarning, match="has a gradient"):
        monitor = create_lora_monitor(model)
        for number in range(1, 15):
            model(**small.batch(small.rows(2))).loss.backward()
            monitor.look(step=number)
            monitor.after_step()
            row = monitor.row()
    assert {name for name, column in row.values.items() if any(x == x for x in column)} == set()
    assert {stats["state"] for stats in monitor.get_layer_stats().values()} == {"unused"}


def test_a_pair_frozen_on_the_way_is_frozen_from_then_on():
    model = small.llama()
    monitor = create_lora_monitor(model)
    before = monitor.pairs
    backward(model, small.batch(small.rows(2)))
    monitor.look(step=1)
    assert monitor.pairs is before
    for name, parameter in model.named_parameters():
        if "layers.0.self_attn.q_proj" in name:
            parameter.requires_grad_(False)
    monitor.look(step=2)
    assert monitor.pairs.frozen.count(True) == 1
    assert monitor.get_layer_stats()["model.layers.0.self_attn.q_proj"]["state"] == "frozen"


def test_adapters_that_come_go_or_begin_anew_are_watched_as_they_are_now():
    model, part = small.llama(), small.batch(small.rows(2))
    optimizer = torch.optim.SGD(trainable(model), lr=0.1)
    monitor = create_lora_monitor(model, optimizer=optimizer)
    names = monitor.pairs.names

    def measured():
        optimizer.zero_grad()
        backward(model, part)
        found, expected = monitor.collect_gradients(), small.reference(model, small.mean_loss(part))
        optimizer.step()
        monitor.after_step()
        return found, {name: norms["grad"] for name, norms in expected.items()}

    found, expected = measured()
    assert found == pytest.approx(expected, rel=1e-5)

    model.delete_adapter("default")  # as where an adapter is merged and begun anew: the parameters are others
    model.add_adapter("default", LoraConfig(r=2, target_modules=["q_proj", "v_proj", "down_proj"]))
    model.set_adapter("default")
    optimizer.param_groups[0]["params"] = trainable(model)
    found, expected = measured()
    assert found == pytest.approx(expected, rel=1e-5)
    assert (monitor.pairs.names, set(monitor.pairs.r)) == (names, {2})
    assert min(monitor.row().values["update"]) > 0.0

    model.add_adapter("two", LoraConfig(r=3, target_modules=["q_proj"]))
    model.set_adapter("two")
    optimizer.add_param_group({"params": trainable(model)})
    found, expected = measured()
    added = [name for name in monitor.pairs.names if name not in names]
    assert added == [f"model.layers.{i}.self_attn.q_proj[two]" for i in range(small.LAYERS)]
    assert {name.removesuffix("[two]"): norm for name, norm in found.items()} == pytest.approx(expected, rel=1e-5)
    frozen = dict(zip(monitor.pairs.names, monitor.pairs.frozen, strict=True))
    assert frozen == {name: name in names for name in monitor.pairs.names}

    with pytest.warns(CollectorWarning, match="no LoRA adapters now"):
        model.unload()
        assert monitor.collect_gradients() == {}
    assert len(monitor.pairs) == 0
    assert monitor.row() is None


def test_adapters_that_come_to_a_model_without_any_are_watched_from_then_on():
    model, part = small.plain_llama(), small.batch(small.rows(2))
    with pytest.warns(CollectorWarning, match="has no LoRA adapters"):
        monitor = create_lora_monitor(model)
    backward(model, part)
    assert (monitor.collect_gradients(step=1), monitor.present(), len(monitor)) == ({}, False, 0)
    model = small.adapted(model, ["q_proj", "v_proj", "down_proj"])
    model.zero_grad()
    backward(model, part)
    expected = small.reference(model, small.mean_loss(part))
    assert monitor.present()
    assert monitor.collect_gradients(step=2) == {
        name: pytest.approx(norms["grad"], rel=1e-5) for name, norms in expected.items()
    }


def test_adapters_that_come_spread_over_processes_are_refused_then():
    model = small.plain_llama()
    with pytest.warns(CollectorWarning, match="has no LoRA adapters"):
        monitor = create_lora_monitor(model)
    model = small.adapted(model, ["q_proj"])
    next(p for name, p in model.named_parameters() if "lora_A" in name).ds_id = 7
    with pytest.warns(CollectorWarning, match="ZeRO-3") as warned:
        assert monitor.collect_gradients() == {}
        assert monitor.collect_gradients() == {}
    assert len(warned) == 1


class Many(nn.Module):
    def __init__(self, pairs):
        super().__init__()
        self.lora_A = nn.ParameterList(nn.Parameter(torch.randn(2, 8)) for _ in range(pairs))
        self.lora_B = nn.ParameterList(nn.Parameter(torch.randn(8, 2)) for _ in range(pairs))


def test_ten_thousand_tensors():
    model = Many(5000)
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 0.5)
    monitor = create_lora_monitor(model, effective_rank=True)
    monitor.look(step=1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.25
    monitor.after_step()
    row = monitor.row()
    assert len(monitor) == 5000
    assert set(row.values["grad"]) == {math.hypot(2.0, 2.0)}
    assert row.values["update"].tolist() == pytest.approx([math.hypot(1.0, 1.0)] * 5000, rel=1e-5)
    assert max(row.values["rank"]) <= 2.0 + 1e-6


def test_effective_rank_is_that_of_the_product():
    model = small.llama()
    monitor = create_lora_monitor(model, effective_rank=True)
    backward(model, small.batch(small.rows(2)))
    monitor.look(step=1)
    row = monitor.row()
    for name, rank in zip(monitor.pairs.names, row.values["rank"], strict=True):
        a, b = (p.detach().double() for n, p in model.named_parameters() if f"{name}.lora_" in n)
        values = torch.linalg.svdvals(b @ a)[:4]
        shares = values / values.sum()
        assert rank == pytest.approx(float(torch.exp(-(shares * shares.log()).sum())), rel=1e-5)
    monitor.look(step=2)
    assert "rank" not in monitor.row().values


def test_effective_rank_of_nothing_is_zero_and_of_nan_unknown():
    model = small.llama(warm=False)
    parameters = {name: p for name, p in model.named_parameters() if "lora_" in name}
    with torch.no_grad():
        next(p for name, p in parameters.items() if "layers.0.self_attn.q_proj.lora_B" in name)[0, 0] = math.nan
    monitor = create_lora_monitor(model, effective_rank=True)
    backward(model, small.batch(small.rows(2)))
    monitor.look()
    ranks = dict(zip(monitor.pairs.names, monitor.row().values["rank"], strict=True))
    assert math.isnan(ranks.pop("model.layers.0.self_attn.q_proj"))
    assert set(ranks.values()) == {0.0}


def test_convolutions_have_an_effective_rank():
    torch.manual_seed(0)
    model = small.adapted(nn.Sequential(nn.Conv2d(3, 6, 3)), ["0"], r=2)
    monitor = create_lora_monitor(model, effective_rank=True)
    model(torch.randn(2, 3, 8, 8)).square().sum().backward()
    monitor.look()
    row = monitor.row()
    assert 1.0 <= row.values["rank"][0] <= 2.0
    assert row.values["grad"][0] > 0


def test_sharded_adapters_are_refused():
    class FullyShardedDataParallel(nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module

    with pytest.warns(CollectorWarning, match="under FSDP"):
        assert len(create_lora_monitor(FullyShardedDataParallel(small.llama()))) == 0
    zero = small.llama()
    for parameter in zero.parameters():
        parameter.ds_id = 1
    with pytest.warns(CollectorWarning, match="ZeRO-3"):
        assert len(create_lora_monitor(zero)) == 0
