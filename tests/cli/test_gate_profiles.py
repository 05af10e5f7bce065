"""`mens-console gate list|show|lint`: what they print, and the exit status that scripts go by."""

import json
import tomllib

import pytest

from mens_console.gate.metrics import METRICS
from mens_console.gate.profiles import load, shipped


@pytest.fixture
def mine(tmp_path):
    def write(old="", new=""):
        path = tmp_path / "mine.toml"
        path.write_text(load("engineering").text.replace(old, new, 1) if old else load("engineering").text)
        return path

    return write


def test_list(cli):
    status, out, _ = cli("gate", "list")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()] == sorted(shipped())
    assert "9 criteria decide, 11 explain" in out
    status, out, _ = cli("gate", "list", "--json")
    told = {one["id"]: one for one in json.loads(out)["profiles"]}
    assert told["phase3-release"]["manual"] == 3
    assert [name for name, one in told.items() if one["template"]] == ["vox-decision"]


def test_metrics(cli):
    status, out, _ = cli("gate", "list", "--metrics")
    assert status == 0
    assert all(f"  {name} " in out for name in METRICS)
    told = {one["id"]: one for one in json.loads(cli("gate", "list", "--metrics", "--json")[1])["metrics"]}
    assert (told["train_loss"]["tier"], told["train_loss"]["demoted"]) == (3, True)
    assert (told["ttft_p99"]["quantile"], told["ttft_p99"]["unit"]) == (0.99, "ms")


def test_show_in_words(cli):
    status, out, _ = cli("gate", "show", "phase3-release")
    assert status == 0
    assert "throughput_single >=120 tokens/s, CONDITIONAL 105..120, FAIL <105; n ≥ 5" in out
    assert "a person marks it, with a note" in out
    assert "(explains, decides nothing)" in out
    assert "  10. The architect's GO or NO-GO: the sign-off itself" in out
    words = " ".join(out.split())
    assert "decided on the 95 % bound" in words
    assert "and ttft_p99 <150 ms, CONDITIONAL 150..200" in words


def test_show_as_json_and_as_toml(cli, mine):
    told = json.loads(cli("gate", "show", "phase3-sprint", "--json")[1])
    first = told["criteria"][0]
    assert (first["pass"], first["conditional"], first["fail"], first["unit"]) == (
        ">=115", "105..115", "<105", "tokens/s",
    )  # fmt: skip
    assert first["max_age_s"] == 30 * 86_400
    status, out, _ = cli("gate", "show", "vox-decision", "--toml")
    assert (status, out) == (0, load("vox-decision").text)
    assert tomllib.loads(out)["template"] is True
    assert json.loads(cli("gate", "show", mine(), "--json")[1])["id"] == "engineering"


def test_show_what_is_not_there(cli):
    status, out, err = cli("gate", "show", "phase3-relase")
    assert (status, out) == (2, "")
    assert "did you mean phase3-release?" in err


def test_show_what_is_broken(cli, mine):
    path = mine('pass = ">90"', 'pass = ">90 %"\nmin_m = 4')
    status, out, err = cli("gate", "show", path)
    assert (status, out) == (2, "")
    line = path.read_text().splitlines().index("min_m = 4") + 1
    assert f"{path}:{line}: criteria.0.min_m: unknown key; did you mean min_n?" in err


def test_lint_of_what_is_shipped(cli):
    status, out, _ = cli("gate", "lint")
    assert status == 0
    assert "phase3-release: nothing is wrong" in out
    assert "vox-decision: a template, 21 things to fill in" in out


def test_a_template_that_is_named_fails_until_it_is_filled_in(cli, tmp_path):
    status, out, _ = cli("gate", "lint", "vox-decision")
    assert status == 1
    assert out.count("no margin") == 7
    text = load("vox-decision").text
    pinned = f'baseline = {{ path = "kpi.json", sha256 = "{"a" * 64}", margin = 2.0 }}'
    path = tmp_path / "vox.toml"
    path.write_text(text.replace('baseline = { path = "" }', pinned))
    status, out, _ = cli("gate", "lint", path)
    assert status == 1
    assert "take template = true out" in out
    path.write_text(path.read_text().replace("template = true\n", ""))
    assert cli("gate", "lint", path)[:2] == (0, f"{path}: nothing is wrong\n")


def test_lint_of_what_makes_no_sense(cli, mine):
    path = mine('conditional = "85..90"', 'conditional = "80..84"')
    status, out, _ = cli("gate", "lint", path)
    assert status == 1
    line = path.read_text().splitlines().index('pass = ">90"') + 1
    assert f"{path}:{line}: criteria.0.pass: 4.1: gap: between conditional and pass, from 84 to 90" in out
    told = json.loads(cli("gate", "lint", path, "--json")[1])["profiles"][0]
    assert (told["readable"], told["problems"][0]["line"]) == (True, line)


def test_lint_of_an_unknown_key(cli, mine):
    path = mine("approvals = 1", "aprovals = 1")
    status, out, _ = cli("gate", "lint", path)
    assert status == 1
    assert "aprovals: unknown key; did you mean approvals?" in out


def test_lint_of_what_cannot_be_read(cli, tmp_path, mine):
    (tmp_path / "bad.toml").write_text("id = \n")
    status, out, _ = cli("gate", "lint", tmp_path / "bad.toml", mine())
    assert status == 2
    assert f"{tmp_path / 'bad.toml'}:1: id: not TOML" in out
    assert "nothing is wrong" in out
    assert cli("gate", "lint", tmp_path / "none.toml")[0] == 2


def test_hostile_text_prints_without_control_sequences(cli, tmp_path):
    path = tmp_path / "x.toml"
    path.write_text(
        'schema = "mens-gate-profile/1"\nid = "x"\ntitle = "\\u001b[31m"\n"\\u001b[2J" = 1\ncriteria = []\n'
    )
    status, out, _ = cli("gate", "lint", path)
    assert status == 1
    assert "\x1b" not in out
    path.write_text('schema = "mens-gate-profile/1"\nid = "x"\ntitle = "\\u001b[31mred"\ncriteria = []\n')
    for form in ((), ("--json",)):
        status, out, _ = cli("gate", "show", path, *form)
        assert status == 0
        assert "\x1b" not in out


@pytest.mark.parametrize("words", [("gate",), ("gate", "nothing"), ("gate", "show"), ("gate", "lint", "--wrong")])
def test_wrong_use(cli, words):
    assert cli(*words)[0] == 2


def test_hostile_names_inside_criteria_print_without_control_sequences(cli, mine):
    path = mine('metric = "coverage"', 'metric = "\\u009b31mcoverage"\nwhere = { "\\u001b[2J" = "\\u0007" }')
    for form in ((), ("--json",)):
        status, out, _ = cli("gate", "show", path, *form)
        assert status == 0
        assert not {"\x1b", "\x9b", "\x07"} & set(out)
    assert not {"\x1b", "\x9b", "\x07"} & set(cli("gate", "lint", path)[1])


@pytest.mark.parametrize(
    ("baseline", "said"),
    [
        ('path = ""', "compared with a baseline that is not named yet, by a margin that is not said yet"),
        ('path = "kpi.json", margin = 2.0', "at most 2 % worse than kpi.json"),
        ('path = "kpi.json", margin = 0.05, relative = true', "at most 5 % of it worse than kpi.json"),
        ('path = "\\u001b[2J", margin = 2.0', "at most 2 % worse than ␛[2J"),
    ],
)
def test_show_what_a_criterion_is_compared_with(cli, tmp_path, baseline, said):
    path = tmp_path / "vox.toml"
    path.write_text(load("vox-decision").text.replace('path = ""', baseline, 1))
    status, out, _ = cli("gate", "show", path)
    assert status == 0
    assert said in " ".join(out.split())
    told = json.loads(cli("gate", "show", path, "--json")[1])["criteria"][0]["baseline"]
    assert told["relative"] is ("relative" in baseline)


def test_a_file_is_copied_as_it_is_and_shown_without_what_a_terminal_obeys(cli, mine, monkeypatch):
    path = mine("# Engineering", "# \x9b31mEngineering")
    assert cli("gate", "show", path, "--toml")[1] == path.read_text()
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    out = cli("gate", "show", path, "--toml")[1]
    assert "\x9b" not in out
    assert out.count("\n") == path.read_text().count("\n")
