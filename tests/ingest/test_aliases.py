import pytest

from mens_console.ingest import aliases


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("loss", "loss"),
        ("train_loss", "loss"),
        ("train/loss", "loss"),
        ("Loss/train", "loss"),
        ("train_mean_nll", "loss"),
        ("eval/loss", "eval_loss"),
        ("val_loss", "eval_loss"),
        ("validation_loss", "eval_loss"),
        ("lr", "learning_rate"),
        ("train/lr", "learning_rate"),
        ("lr-AdamW", "learning_rate"),
        ("lr-AdamW/pg2", "lr-AdamW/pg2"),
        ("throughput", "tokens_per_sec"),
        ("train/train_tokens_per_second", "tokens_per_sec"),
        ("train/train_loss", "train_loss"),
        ("train/train_runtime", "train_runtime"),
        ("eval/runtime", "eval_runtime"),
        ("metrics/loss", "loss"),
        ("num_input_tokens_seen", "num_tokens"),
        ("token_entropy", "entropy"),
        ("streaming_ce", "streaming_ce_reported"),
        ("anything/else", "anything/else"),
        ("grad_norm/layer.0", "grad_norm/layer.0"),
    ],
)
def test_spellings(key, name):
    assert aliases.canonical(key) == name


def test_a_summary_translates_only_counters():
    assert aliases.canonical("train_loss", summary=True) == "train_loss"
    assert aliases.canonical("train_steps_per_second", summary=True) == "train_steps_per_second"
    assert aliases.canonical("num_input_tokens_seen", summary=True) == "num_tokens"


def test_no_spelling_feeds_two_series():
    spellings = [spelling for alias in aliases.METRICS for spelling in alias.spellings]
    assert len(spellings) == len(set(spellings))
    for alias in aliases.METRICS:
        assert {aliases.canonical(spelling) for spelling in alias.spellings} == {alias.name}


def test_step_priority():
    order = aliases.STEP_KEYS.index
    assert order("global_step") < order("step") < order("optimizer_step") < order("steps")
    assert aliases.STEP_KEYS[-1] == "_step"


def test_describe_holds_the_axes_and_every_metric():
    names = [alias.name for alias in aliases.describe()]
    assert names[0] == "step"
    assert {alias.name for alias in aliases.METRICS} < set(names)


def test_nearest():
    assert aliases.nearest("eval_loss", ["my_eval_loss", "lr", "val_loss"])[0] == "val_loss"
    assert "grad_nrm" in aliases.nearest("grad_norm", ["grad_nrm", "loss"])
    assert aliases.nearest("entropy", ["a", "b"]) == []
