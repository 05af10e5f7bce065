import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mens_console.config import ConfigError, NotifySettings, Settings
from mens_console.config.loader import ENVIRONMENT, find_roots, load_settings, user_file
from mens_console.config.state import state_folder
from mens_console.config.toml import MAX_BYTES, TomlError, line_of, read_toml
from mens_console.signals.rules import Severity, adjusted


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


def environ(home, text=None, **more):
    folder = home / "xdg" / "mens-console"
    folder.mkdir(parents=True, exist_ok=True)
    if text is not None:
        (folder / "config.toml").write_text(text)
    return {"XDG_CONFIG_HOME": str(home / "xdg"), **more}


def load(home, text=None, paths=(), overrides=None, **more):
    here = home / "here"
    here.mkdir(exist_ok=True)
    return load_settings(paths, overrides, environ=environ(home, text, **more), cwd=here)


def problems(home, text, **more):
    with pytest.raises(ConfigError) as failure:
        load(home, text, **more)
    return failure.value.problems


def test_defaults_need_no_file(home):
    assert load(home) == Settings(roots=(home / "here",))


def test_every_place_outranks_the_one_below(home):
    runs = home / "runs"
    runs.mkdir()
    (runs / "mens-console.toml").write_text(
        'theme = "beside"\nema_alpha = 0.2\n[thresholds.loss_spike]\nentry = 1\nexit = 2\n'
    )
    user = 'theme = "user"\nmax_depth = 3\nslow_link = true\n[thresholds.loss_spike]\nexit = 5\n'
    settings = load(home, user, [runs], {"theme": None, "max_depth": 9}, MENS_SLOW_LINK="0", MENS_BELL="off")
    assert (settings.theme, settings.ema_alpha, settings.max_depth) == ("user", 0.2, 9)
    assert settings.slow_link is False
    assert settings.bell is False
    assert settings.thresholds == {"loss_spike": {"entry": 1.0, "exit": 5.0}}
    assert settings.files == (home / "xdg/mens-console/config.toml", runs / "mens-console.toml")
    assert load(home, user, [runs], {"theme": "cli"}, MENS_THEME="env").theme == "cli"
    assert load(home, user, [runs], MENS_THEME="env").theme == "env"


def test_the_first_root_outranks_the_second(home):
    for name, theme in (("a", "first"), ("b", "second")):
        (home / name).mkdir()
        (home / name / "mens-console.toml").write_text(f'theme = "{theme}"\n')
    assert load(home, paths=[home / "a", home / "b"]).theme == "first"


@pytest.mark.parametrize(
    ("text", "line", "key", "said"),
    [
        ("theme = 'x'\nthemee = 'y'\n", 2, "themee", "did you mean theme?"),
        ("[thresholds.stall]\n\nentri = 1.0\n", 3, "thresholds.stall.entri", "did you mean entry?"),
        ("[thresholds]\nstal.entry = 1.0\n", 2, "thresholds.stal", "did you mean stall?"),
        (
            "[thresholds.crash]\nentry = 3\n",
            2,
            "thresholds.crash.entry",
            "for_s, recover_s, severity, enabled can be set",
        ),
        ("[thresholds.nan_loss]\nrecover_s = 3\n", 2, "thresholds.nan_loss.recover_s", "this rule does not go by it"),
        ("[thresholds.loss_spike]\nfor_points = 3\n", 2, "thresholds.loss_spike.for_points", "entry, exit, for_s"),
        ("max_depth = 'deep'\n", 1, "max_depth", "integer"),
        ("ema_alpha = nan\n", 1, "ema_alpha", "correct the value"),
        ("ema_alpha = 2.0\n", 1, "ema_alpha", "less than or equal to 1"),
        ("theme = 'x'\nbell = \n", 2, "bell", "not TOML"),
        ("a = 1\na = 2\n", 2, "a", "not TOML"),
        ("roots = [1]\n", 1, "roots.0", "string"),
        ("zzzz = 1\n", 1, "zzzz", "known are theme"),
    ],
)
def test_a_wrong_user_file_names_file_line_key_and_cure(home, text, line, key, said):
    (problem,) = problems(home, text)
    assert problem.origin.endswith("xdg/mens-console/config.toml")
    assert (problem.line, problem.key) == (line, key)
    assert said in str(problem)
    assert problem.cure
    assert str(problem).startswith(f"{problem.origin}:{line}: {key}: ")


def test_all_problems_are_told_at_once(home):
    found = problems(home, "max_depth = 0\nx = 1\n", MENS_EMA_ALPHA="high", MENS_BELL="maybe")
    assert [problem.key for problem in found] == ["max_depth", "x", "MENS_BELL", "MENS_EMA_ALPHA"]


def test_the_environment_is_checked_as_the_file_is(home):
    (problem,) = problems(home, None, MENS_MAX_DEPTH="1000")
    assert problem.key == "MENS_MAX_DEPTH"
    assert "less than or equal to 64" in problem.message


def test_a_named_user_file_must_exist(home):
    (problem,) = problems(home, None, MENS_CONFIG=str(home / "gone.toml"))
    assert "gone.toml: no such file; correct MENS_CONFIG" in str(problem)


def test_the_file_beside_the_runs_sets_looks_and_thresholds_only(home):
    runs = home / "runs"
    runs.mkdir()
    (runs / "mens-console.toml").write_text(
        'theme = "ok"\nroots = ["/etc"]\nfollow_symlinks = true\n[thresholds.stall]\nentry = 9\n[keymap]\nq = "x"\n'
    )
    settings = load(home, paths=[runs])
    assert settings.theme == "ok"
    assert settings.roots == (runs,)
    assert settings.follow_symlinks is False
    assert settings.keymap == {}
    assert settings.thresholds == {"stall": {"entry": 9.0}}
    told = sorted(settings.problems)
    assert [text.split(": ")[0].rpartition(":")[2] for text in told] == ["2", "3", "6"]
    assert all("may not set this, so it is ignored" in text for text in told)


def test_a_broken_file_beside_the_runs_is_told_and_ignored(home):
    runs = home / "runs"
    runs.mkdir()
    (runs / "mens-console.toml").write_text("theme = \n")
    settings = load(home, paths=[runs])
    assert settings.theme == Settings().theme
    assert ":1: theme: not TOML" in settings.problems[0]


@pytest.mark.parametrize("kind", ["pipe", "folder", "huge", "latin", "loop"])
def test_what_is_no_text_file_is_refused_without_waiting(home, kind):
    path = home / "mens-console.toml"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "huge":
            path.write_text("#" * (MAX_BYTES + 1))
        case "latin":
            path.write_bytes(b"a = 1\nb = '\xe9'\n")
        case "loop":
            path.symlink_to(path)
    with pytest.raises(TomlError) as failure:
        read_toml(path)
    assert str(path) in str(failure.value)
    assert failure.value.problem.cure
    assert load(home, paths=[home]).problems


def test_the_user_file_is_found_the_xdg_way(home):
    assert user_file({"XDG_CONFIG_HOME": "/x"}) == Path("/x/mens-console/config.toml")
    assert user_file({"XDG_CONFIG_HOME": "relative"}) == home / "home/.config/mens-console/config.toml"
    assert user_file({"MENS_CONFIG": "~/c.toml"}) == home / "home/c.toml"


def test_roots_come_from_the_first_place_that_names_any(home):
    here = home / "here"
    here.mkdir()
    env = {"MENS_RUNS": os.pathsep.join(["/a", "b", ""])}
    assert find_roots([Path("x")], env, ["/c"], here) == (here / "x",)
    assert find_roots([], env, ["/c"], here) == (Path("/a"), here / "b")
    assert find_roots([], {}, ["/c", "~/d"], here) == (Path("/c"), home / "home/d")
    assert find_roots([], {}, [], here) == (here,)


def test_usual_folders_are_named_only_where_they_lead_elsewhere(home):
    here, data = home / "here", home / "data"
    (here / "outputs").mkdir(parents=True)
    data.mkdir()
    assert find_roots([], {}, [], here) == (here,)
    (here / "runs").symlink_to(data)
    assert find_roots([], {}, [], here) == (here / "runs", here)


@given(st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=4), min_size=1, max_size=6))
def test_no_root_is_searched_twice(parts):
    cwd = Path("/nowhere")
    paths = [Path(*part) for part in parts]
    roots = find_roots(paths, {}, (), cwd)
    assert all(any((cwd / path).is_relative_to(root) for root in roots) for path in paths)
    assert not any(a != b and a.is_relative_to(b) for a in roots for b in roots)


def test_lines_of_keys_are_found_in_every_spelling():
    text = "a = 1\n\n[t.u]\n'b c' = 2\nd.e = 3\n"
    assert line_of(text, ("a",)) == 1
    assert line_of(text, ("t", "u", "b c")) == 4
    assert line_of(text, ("t", "u", "d", "e")) == 5
    assert line_of(text, ("t", "u", "missing")) == 3
    assert line_of(text, ("nothing",)) is None


def test_environment_names_every_plain_setting():
    assert ENVIRONMENT["MENS_MEMORY_BUDGET_MB"] == "memory_budget_mb"
    assert not {"roots", "thresholds", "files"} & set(ENVIRONMENT.values())


# ---------------------------------------------------------------------- rules and notifications

RULE = "[[rules]]\nid = 'a_b'\nmetric = 'reward'\nbelow = 0.5\n"


def test_thresholds_may_turn_rules_off_and_change_their_severity(home):
    runs = home / "runs"
    runs.mkdir()
    (runs / "mens-console.toml").write_text("[thresholds.stall]\nenabled = false\nseverity = 'info'\nrecover_s = 5\n")
    settings = load(home, "[thresholds.stall]\nseverity = 'critical'\n", [runs])
    assert settings.thresholds == {"stall": {"enabled": False, "severity": Severity.CRITICAL, "recover_s": 5.0}}
    assert isinstance(settings.thresholds["stall"]["severity"], Severity)
    rules, wrong = adjusted(settings.thresholds)
    assert wrong == ()
    assert (rules["stall"].severity.rank, rules["stall"].enabled, rules["stall"].recover_s) == (2, False, 5.0)


def test_rules_of_ones_own(home):
    (rule, other) = load(
        home,
        RULE + "exit = 0.6\nfor_points = 3\n[[rules]]\nid = 'c_d'\nmetric = 'x'\nabove = 1\n"
        "severity = 'critical'\nfor_s = 60\ntitle = 'X is high'\nrecommendation = 'Lower it.'\n",
    ).rules
    assert (rule.id, rule.metric, rule.below, rule.exit, rule.for_points) == ("a_b", "reward", 0.5, 0.6, 3)
    assert rule.rule.severity is Severity.WARNING
    assert (other.rule.severity, other.rule.title, other.rule.recommendation) == (
        Severity.CRITICAL,
        "X is high",
        "Lower it.",
    )


@pytest.mark.parametrize(
    ("text", "line", "key", "said"),
    [
        (RULE + "above = 2.0\n", 1, "rules.0", "either above or below"),
        ("[[rules]]\nid = 'a_b'\nmetric = 'x'\n", 1, "rules.0", "either above or below"),
        (RULE + "exit = 0.4\n", 1, "rules.0", "exit lies on the side where the rule fires"),
        (RULE + "\n[[rules]]\nid = 'c_d'\nmetric = 'y'\nabove = 'x'\n", 9, "rules.1.above", "number"),
        (RULE + "recomendation = 'x'\n", 5, "rules.0.recomendation", "did you mean recommendation?"),
        (RULE.replace("a_b", "A B"), 2, "rules.0.id", "pattern"),
        (RULE.replace("a_b", "nan_loss"), 2, "rules.0.id", "another rule has this id; choose another id; [thresholds]"),
        (RULE + RULE, 6, "rules.1.id", "another rule has this id"),
        (RULE + "severity = 'fatal'\n", 5, "rules.0.severity", "'info', 'warning' or 'critical'"),
        ("[notify]\nappprise = []\n", 2, "notify.appprise", "did you mean apprise?"),
        ("[notify]\n\napprise = [3]\n", 3, "notify.apprise.0", "string"),
        ("[notify]\nmin_severity = 'loud'\n", 2, "notify.min_severity", "'info', 'warning' or 'critical'"),
        ("[notify]\nheartbeat_s = 1\n", 2, "notify.heartbeat_s", "greater than or equal to 10"),
        ("[thresholds.stall]\nenabled = 'no'\n", 2, "thresholds.stall.enabled", "boolean"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_rules_and_notifications_is_named(home, text, line, key, said):
    (problem,) = problems(home, text)
    assert (problem.line, problem.key) == (line, key)
    assert said in str(problem)
    assert problem.cure


def test_where_notifications_go(home):
    assert load(home).notify == NotifySettings()
    assert not load(home).notify
    text = (
        "[notify]\napprise = ['json://${TOKEN}']\nosc9 = true\nresolved = true\ngroup_s = 0\nheartbeat = 'json://x'\n"
    )
    notify = load(home, text).notify
    assert notify == NotifySettings(("json://${TOKEN}",), osc9=True, resolved=True, group_s=0.0, heartbeat="json://x")
    assert notify
    assert "json" not in repr(load(home, text)), "addresses hold secrets"
    assert load(home, text, MENS_NOTIFY="a://b  c://d\ne://f").notify.apprise == ("a://b", "c://d", "e://f")
    assert load(home, text, MENS_NOTIFY="").notify.apprise == ()


def test_a_file_beside_the_runs_sends_nothing_anywhere(home):
    runs = home / "runs"
    runs.mkdir()
    (runs / "mens-console.toml").write_text(RULE + "[notify]\napprise = ['json://evil']\n")
    settings = load(home, paths=[runs])
    assert settings.notify == NotifySettings()
    assert settings.rules == ()
    assert all("may not set this, so it is ignored" in text for text in settings.problems)
    assert len(settings.problems) == 2


def test_the_state_directory_is_found_the_xdg_way(home):
    assert state_folder({"XDG_STATE_HOME": "/x"}) == Path("/x/mens-console")
    assert state_folder({"XDG_STATE_HOME": "relative"}) == home / "home/.local/state/mens-console"
    assert state_folder({}) == home / "home/.local/state/mens-console"
