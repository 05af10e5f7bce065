"""The worked examples of docs/kpis.md are what the program prints, and their files keep to the contract."""

from kpi.shown import BLOCK, PAGE, ROOT, output

from mens_contracts.event import GenerationEvent


def test_the_examples_are_the_programs_own_words(monkeypatch):
    monkeypatch.chdir(ROOT)
    blocks = BLOCK.findall(PAGE.read_text())
    assert len(blocks) == 3
    for words, shown in blocks:
        assert output(words) == shown, "python tests/kpi/shown.py writes them anew"


def test_the_figures_in_the_text_are_those_of_the_tables():
    text = " ".join(PAGE.read_text().split())
    shown = " ".join(found[1] for found in BLOCK.findall(PAGE.read_text()))
    for told, said in (
        ("50.0 % [21.5, 78.5]", "50.0 %  [21.5, 78.5]"),
        ("12.5 % [2.2, 47.1]", "12.5 %  [2.2, 47.1]"),
        ("= 650 ms", "650 ms  [400, ∞]"),
        ("→ 0.7143)", "0.7143  [0, 1.74]"),
        ("= 77.8 %", "77.8 %"),
        ("loss 6.8 % [2.2, 11.5]", "6.8 %  [2.2, 11.5]"),
    ):
        assert told in text, told
        assert said in shown, said


def test_the_example_files_keep_to_the_contract():
    for path in sorted((ROOT / "docs/kpi-example").glob("*.jsonl")):
        for line in path.read_text().splitlines():
            GenerationEvent.model_validate_json(line)
