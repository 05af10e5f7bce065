"""Settings from all places, the strongest first: command line, environment, user file, file beside the runs.

The last is untrusted: it sets presentation and thresholds only, and what is wrong in it is told and ignored.
"""

from __future__ import annotations

import os
from dataclasses import fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mens_console.config.settings import ConfigError, NotifySettings, Problem, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic import BaseModel

    from mens_console.signals.metricrules import MetricRule

BESIDE: Final = "mens-console.toml"
"""Name of the untrusted file beside the runs."""

_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off", ""})
_DROP: Final = ("roots", "files", "problems", "keymap", "thresholds", "rules", "notify")
_SCALARS: Final = tuple(f.name for f in fields(Settings) if f.name not in _DROP)
ENVIRONMENT: Final = {f"MENS_{name.upper()}": name for name in _SCALARS}
"""Environment variables by the setting that they set; besides them MENS_RUNS (roots), MENS_CONFIG (user file) and
MENS_NOTIFY (addresses of notifications, separated by spaces or line ends, in place of the file's)."""


def user_file(environ: Mapping[str, str]) -> Path:
    """Return where the user file is looked for: $MENS_CONFIG, or else the XDG configuration folder."""
    if named := environ.get("MENS_CONFIG"):
        return Path(named).expanduser()
    base = environ.get("XDG_CONFIG_HOME", "")
    folder = Path(base) if base.startswith("/") else Path("~/.config").expanduser()
    return folder / "mens-console" / "config.toml"


def load_settings(
    paths: Sequence[Path] = (),
    overrides: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Settings:
    """Return the settings for `paths` and other `overrides` of the command line (None means not given).

    Raises `ConfigError` where the environment or the user file is wrong. Never raises for a file beside the runs:
    what is wrong there is in `Settings.problems`.
    """
    environ = os.environ if environ is None else environ
    cwd = Path.cwd() if cwd is None else cwd
    own = user_file(environ)
    user, problems = _from_file(own, trusted=True)
    if user is None and environ.get("MENS_CONFIG"):
        problems = [Problem(str(own), None, "", "no such file", "correct MENS_CONFIG or unset it")]
    said, wrong = _from_environment(environ)
    if problems or wrong:
        raise ConfigError(problems + wrong)
    user = user or {}
    roots = find_roots(paths, environ, user.pop("roots", ()), cwd)
    merged: dict[str, Any] = {"roots": roots}
    ignored: list[Problem] = []
    files: list[Path] = [own] if own.is_file() else []
    for candidate in _beside(roots):
        values, found = _from_file(candidate, trusted=False)
        ignored += found
        if values is not None:
            files.append(candidate)
            _merge(values, merged)
            merged = values
    for layer in (user, said, {k: v for k, v in (overrides or {}).items() if v is not None}):
        _merge(merged, layer)
    merged["thresholds"] = {rule: _typed(given) for rule, given in merged.get("thresholds", {}).items()}
    merged["rules"] = _custom_rules(merged.get("rules", ()))
    merged["notify"] = _notify(merged.get("notify", {}), environ)
    return replace(Settings(), **merged, files=tuple(files), problems=tuple(map(str, ignored)))


def _custom_rules(tables: Sequence[Mapping[str, Any]]) -> tuple[MetricRule, ...]:
    if not tables:
        return ()
    from mens_console.signals.metricrules import MetricRule

    return tuple(MetricRule(**_typed({"severity": "warning", **table})) for table in tables)


def _typed(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields of a rule with the severity as what the rules know it by."""
    if "severity" not in fields:
        return dict(fields)
    from mens_console.signals.rules import Severity

    return {**fields, "severity": Severity(fields["severity"])}


def _notify(table: Mapping[str, Any], environ: Mapping[str, str]) -> NotifySettings:
    """Return what the file says of notifications; $MENS_NOTIFY, empty too, stands in place of its addresses."""
    said: dict[str, Any] = {**table, "apprise": tuple(table.get("apprise", ()))}
    if "MENS_NOTIFY" in environ:
        said["apprise"] = tuple(environ["MENS_NOTIFY"].split())
    return NotifySettings(**said)


def _beside(roots: Sequence[Path]) -> list[Path]:
    """Return the candidates in the order of the roots; the first that says something stands."""
    folders = dict.fromkeys(root if root.is_dir() else root.parent for root in roots)
    return [folder / BESIDE for folder in folders]


def _merge(below: dict[str, Any], above: Mapping[str, Any]) -> None:
    """Put `above` over `below`; thresholds are merged field by field."""
    for key, value in above.items():
        if key != "thresholds":
            below[key] = value
            continue
        rules = {rule: dict(given) for rule, given in below.get(key, {}).items()}
        for rule, given in value.items():
            rules[rule] = {**rules.get(rule, {}), **given}
        below[key] = rules


def find_roots(
    paths: Sequence[Path], environ: Mapping[str, str], configured: Sequence[str], cwd: Path
) -> tuple[Path, ...]:
    """Return where to look for runs: `paths`, or else $MENS_RUNS, the user file, or the current directory.

    The current directory holds ./runs and ./outputs, so they are named alone only where they are links that lead
    out of it. A root inside another is left out, because the outer one finds its runs.
    """
    named = [Path(part) for part in environ.get("MENS_RUNS", "").split(os.pathsep) if part]
    chosen = list(paths) or named or [Path(part) for part in configured]
    if not chosen:
        here = cwd.resolve()
        usual = [cwd / name for name in ("runs", "outputs") if (cwd / name).is_dir()]
        chosen = [folder for folder in usual if not folder.resolve().is_relative_to(here)] + [cwd]
    absolute = [Path(os.path.abspath(cwd / path.expanduser())) for path in chosen]  # noqa: PTH100 (links stay)
    real = {Path(os.path.realpath(path)): path for path in reversed(absolute)}
    outer = {path for place, path in real.items() if not any(p in real for p in place.parents)}
    return tuple(path for path in dict.fromkeys(absolute) if path in outer)


def _from_environment(environ: Mapping[str, str]) -> tuple[dict[str, Any], list[Problem]]:
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for variable, name in ENVIRONMENT.items():
        if variable not in environ:
            continue
        text = environ[variable].strip()
        default = getattr(Settings(), name)
        try:
            values[name] = _reader(type(default))(text)
        except ValueError:
            kind = {bool: "1 or 0", int: "a whole number", float: "a number"}[type(default)]
            problems.append(Problem("environment", None, variable, f"{text!r} is not {kind}", f"set it to {kind}"))
    if values and not problems:
        _, problems = _validated(values, "environment", "", trusted=True)
        problems = [p._replace(key=f"MENS_{p.key.upper()}") for p in problems]
    return values, problems


def _reader(kind: type) -> Callable[[str], Any]:
    return _flag if kind is bool else kind


def _flag(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError(text)


def _from_file(path: Path, *, trusted: bool) -> tuple[dict[str, Any] | None, list[Problem]]:
    """Return what a file sets and what is wrong in it; None where there is no such file."""
    if not os.path.lexists(path):
        return None, []
    from mens_console.config.toml import TomlError, read_toml

    try:
        values, text = read_toml(path)
    except FileNotFoundError:
        return None, []
    except TomlError as error:
        return None, [error.problem]
    return _validated(values, str(path), text, trusted=trusted)


def _validated(
    values: dict[str, Any], origin: str, text: str, *, trusted: bool
) -> tuple[dict[str, Any], list[Problem]]:
    """Return the values that are right, and the problems of the others."""
    from pydantic import ValidationError

    from mens_console.config.model import RunsConfig, UserConfig
    from mens_console.config.toml import line_of

    model: type[BaseModel] = UserConfig if trusted else RunsConfig
    problems: list[Problem] = []
    good = dict(values)
    try:
        checked = model.model_validate(good, strict=True)
    except ValidationError as error:
        for item in error.errors(include_url=False, include_input=False):
            key = tuple(map(str, item["loc"]))
            message, cure = _explain(item, key, model, trusted=trusted)
            problems.append(Problem(origin, line_of(text, key), ".".join(key), message, cure))
            _remove(good, item["loc"])
        checked = model.model_validate(good, strict=True)
    rest = checked.model_dump(exclude_none=True, exclude_unset=True)
    problems += _unknown_thresholds(rest.get("thresholds", {}), origin, text)
    problems += _taken_names(rest.get("rules", ()), origin, text)
    return rest, problems


def _explain(item: Any, key: tuple[str, ...], model: type[BaseModel], *, trusted: bool) -> tuple[str, str]:
    """Return what is wrong with a key, and the cure."""
    if item["type"] != "extra_forbidden":
        return str(item["msg"]).lower(), "correct the value"
    from mens_console.config.model import CustomRule, NotifyConfig, Threshold, UserConfig

    if not trusted and key[0] in UserConfig.model_fields and len(key) == 1:
        return "a file beside the runs may not set this, so it is ignored", "set it in your own config.toml"
    tables: dict[str, type[BaseModel]] = {"thresholds": Threshold, "rules": CustomRule, "notify": NotifyConfig}
    known = list((tables[key[0]] if len(key) > 1 else model).model_fields)
    near = get_close_matches(key[-1], known, n=1)
    return "unknown key", f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"


def _remove(values: dict[str, Any], path: Sequence[int | str]) -> None:
    """Take the value at `path` out of nested tables; deeper than they go, the last one that is there."""
    table: Any = values
    for part in path[:-1]:
        if not isinstance(table.get(part), dict):
            path = [part]
            break
        table = table[part]
    table.pop(path[-1], None)


def _unknown_thresholds(thresholds: dict[str, Any], origin: str, text: str) -> list[Problem]:
    """Drop thresholds of rules that do not exist, or that make no difference to them, and tell of each."""
    if not thresholds:
        return []
    from mens_console.config.toml import line_of
    from mens_console.signals.rules import RULES

    names = list(RULES)
    problems = []
    for name in [name for name in thresholds if name not in names]:
        del thresholds[name]
        near = get_close_matches(name, names, n=1)
        cure = f"did you mean {near[0]}?" if near else f"rules are {', '.join(names)}"
        key = ("thresholds", name)
        problems.append(Problem(origin, line_of(text, key), ".".join(key), "no such alert rule", cure))
    for name, given in thresholds.items():
        known = RULES[name].settable
        for idle in [one for one in given if one not in known]:
            del given[idle]
            cure, place = f"{', '.join(known)} can be set", ("thresholds", name, idle)
            problems.append(Problem(origin, line_of(text, place), ".".join(place), "this rule does not go by it", cure))
    return problems


def _taken_names(tables: Sequence[Mapping[str, Any]], origin: str, text: str) -> list[Problem]:
    """Tell of custom rules whose name another rule has."""
    if not tables:
        return []
    from mens_console.config.toml import line_of
    from mens_console.signals.rules import RULES

    problems = []
    taken = set(RULES)
    for number, table in enumerate(tables):
        if table["id"] in taken:
            key = ("rules", str(number), "id")
            cure = "choose another id" + ("; [thresholds] changes a built-in rule" if table["id"] in RULES else "")
            problems.append(Problem(origin, line_of(text, key), ".".join(key), "another rule has this id", cure))
        taken.add(table["id"])
    return problems
