"""`mens-console compare`: runs side by side without a screen."""

import json

from cli.runs import broken, healthy, rows, write


def test_figures_and_settings_side_by_side(box, cli):
    good = healthy(box)
    bad = broken(box)
    (good / "adapter_config.json").write_text('{"r": 16, "lora_alpha": 32}')
    (bad / "adapter_config.json").write_text('{"r": 16, "lora_alpha": 64, "lora_dropout": 0.1}')
    status, out, _ = cli("compare", good, bad)
    lines = {line.split("  ")[0].strip(): line for line in out.splitlines()}
    assert status == 0
    assert "1.756 ★" in lines["loss (nats)"] and "NaN" in lines["loss (nats)"]
    assert lines["lora_alpha"].split() == ["lora_alpha", "32", "64"]
    assert lines["lora_dropout"].split() == ["lora_dropout", "—", "0.1"]
    assert "lora_r" not in lines
    assert "lora_r" in cli("compare", good, bad, "--all")[1]


def test_the_document_says_the_same(box, cli):
    healthy(box)
    broken(box)
    status, out, _ = cli("compare", "good", "nan", "--in", box, "--json")
    document = json.loads(out)
    loss = next(row for row in document["figures"] if row["id"] == "loss")
    assert status == 0 and document["schema"] == "mens-compare/1"
    assert [run["letter"] + run["name"] for run in document["runs"]] == ["Agood", "Bnan"]
    assert loss["values"][1] == "NaN" and loss["best"] == ["A"]
    assert "loss" in document["metrics"] and "grad_norm" not in document["metrics"]


def test_more_than_six_are_six_and_it_says_so(box, cli):
    for i in range(8):
        write(box / f"r{i}", rows(range(1, 20)))
    status, out, err = cli("compare", *(box / f"r{i}" for i in range(8)))
    assert status == 0 and "the first 6 are compared" in err
    assert "r5" in out and "r6" not in out


def test_wrong_use(box, cli):
    good = healthy(box)
    assert cli("compare", good)[0] == 2
    assert "twice" in cli("compare", good, good)[2]
    assert cli("compare", good, box / "none")[0] == 2


def test_hostile_names_and_settings_are_made_safe(box, cli):
    for name in ("a\x1b[31m", "b"):
        write(box / name, rows(range(1, 20)))
        (box / name / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": f"\x1b]0;{name}"}))
    status, out, _ = cli("compare", box / "a\x1b[31m", box / "b")
    assert status == 0 and "\x1b" not in out and "␛" in out
