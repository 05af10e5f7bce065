import errno
import json
import os
from pathlib import Path

import pytest
from ingest.lines import LINES

from mens_console.ingest import discover as discover_module
from mens_console.ingest import sniff as sniff_module
from mens_console.ingest import walk as walk_module
from mens_console.ingest.discover import Discovery
from mens_console.ingest.foreign import why_foreign
from mens_console.ingest.formats import recognise as recognise_any
from mens_console.ingest.formats.base import Format
from mens_console.ingest.grouping import root_labels

NOW = 1_900_000_000.0
JSONL = Format("jsonl", 10, LINES.claims, LINES.decoder)
STATE = Format("trainer_state", 20, LINES.claims, LINES.decoder, document=True)
EVENTS = Format("tfevents", 40, LINES.claims, LINES.decoder)
CONSOLE = Format("hf_console", 60, LINES.claims, LINES.decoder)
LOG = Format("log", 90, LINES.claims, LINES.decoder)


class Recogniser:
    """Recognises by content: `step,loss` rows as metrics, dicts as a console, any other text as a log."""

    def __init__(self):
        self.asked = []

    def __call__(self, name, head):
        self.asked.append(name)
        if name == "trainer_state.json":
            return STATE
        if "tfevents" in name:
            return EVENTS
        if head[:1].isdigit():
            return JSONL
        if b"{'loss'" in head:
            return CONSOLE
        return LOG if head[:1].isalpha() else None


@pytest.fixture
def recognise():
    return Recogniser()


@pytest.fixture
def discover(tmp_path, recognise):
    def make(*roots, **options):
        return Discovery(roots or [tmp_path], recognise=recognise, clock=lambda: NOW, **options)

    return make


def write(path, text="1,0.5\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def shape(discovery):
    """Return {run id: files relative to the run} once everything was seen."""
    while True:
        runs = discovery.scan()
        if discovery.complete:
            return {run.id: [os.path.relpath(file.path, run.path) for file in run.files] for run in runs}


# ---------------------------------------------------------------- finding


def test_runs_appear_grow_and_go(tmp_path, discover, recognise):
    write(tmp_path / "a" / "metrics.jsonl")
    discovery = discover()
    assert shape(discovery) == {"a": ["metrics.jsonl"]}
    first = discovery.scan()[0]
    assert (first.name, first.path) == ("a", tmp_path / "a")
    write(tmp_path / "b" / "c" / "metrics.jsonl")
    assert shape(discovery) == {"a": ["metrics.jsonl"], "b/c": ["metrics.jsonl"]}
    assert discovery.scan()[0] is first
    os.remove(tmp_path / "a" / "metrics.jsonl")
    assert shape(discovery) == {"b/c": ["metrics.jsonl"]}
    assert discovery.folders == 4
    assert discovery.problems == ()


def test_unchanged_folders_are_not_listed_and_known_files_not_opened(tmp_path, discover, recognise, monkeypatch):
    for index in range(20):
        write(tmp_path / f"run{index}" / "metrics.jsonl")
        os.utime(tmp_path / f"run{index}", (1, 1))
    os.utime(tmp_path, (1, 1))
    discovery = discover()
    assert len(shape(discovery)) == 20
    asked = len(recognise.asked)

    def refuse(*_, **__):
        raise AssertionError("listed or opened again")

    monkeypatch.setattr(walk_module.os, "scandir", refuse)
    monkeypatch.setattr(discover_module, "read_small", refuse)
    monkeypatch.setattr(sniff_module, "read_small", refuse)
    assert len(shape(discovery)) == 20
    assert len(recognise.asked) == asked


def test_a_folder_changed_within_the_clocks_grain_is_listed_again(tmp_path, discover):
    write(tmp_path / "a" / "metrics.jsonl")
    os.utime(tmp_path / "a", (NOW, NOW))
    discovery = discover()
    assert len(shape(discovery)) == 1
    write(tmp_path / "a" / "eval.jsonl")
    os.utime(tmp_path / "a", (NOW, NOW))
    assert shape(discovery) == {"a": ["eval.jsonl", "metrics.jsonl"]}


def test_empty_files_are_looked_into_again_when_they_grow(tmp_path, discover):
    file = write(tmp_path / "a" / "metrics.jsonl", "")
    discovery = discover()
    assert shape(discovery) == {}
    file.write_text("1,0.5\n")
    assert shape(discovery) == {"a": ["metrics.jsonl"]}


def test_a_log_becomes_a_console(tmp_path, discover, recognise):
    file = write(tmp_path / "a" / "train.log", "Loading weights\n")
    discovery = discover()
    shape(discovery)
    assert discovery.scan()[0].files[0].format_name == "log"
    with file.open("a") as out:
        out.write("{'loss': 1.0}\n")
    shape(discovery)
    assert discovery.scan()[0].files[0].format_name == "hf_console"
    asked = len(recognise.asked)
    with file.open("a") as out:
        out.write("{'loss': 1.0}\n" * 100)
    shape(discovery)
    assert len(recognise.asked) == asked


def test_a_long_log_is_judged_by_its_end_too(tmp_path, discover):
    write(tmp_path / "a" / "train.log", "chatter\n" * 20_000 + "{'loss': 1.0}\n")
    write(tmp_path / "b" / "train.log", "chatter\n" * 20_000)
    discovery = discover()
    shape(discovery)
    assert [run.files[0].format_name for run in discovery.scan()] == ["hf_console", "log"]


def test_long_unknown_files_are_not_read_again_for_growing(tmp_path, discover, recognise):
    file = write(tmp_path / "data.jsonl", "{" * 70_000)
    discovery = discover()
    shape(discovery)
    with file.open("a") as out:
        out.write("{" * 5_000)
    shape(discovery)
    assert recognise.asked == ["data.jsonl"] * 2  # its beginning and its end, once
    file.write_text("1,0.5\n")
    assert len(shape(discovery)) == 1


def test_metrics_behind_a_long_line_of_something_else_are_found(tmp_path, discover):
    file = write(tmp_path / "metrics.jsonl", "{" * 70_000)
    discovery = discover()
    assert shape(discovery) == {}
    with file.open("a") as out:
        out.write("\n" + "1,0.5\n" * 5_000)
    assert len(shape(discovery)) == 1


@pytest.mark.parametrize(
    ("name", "head", "why"),
    [
        ("metrics.jsonl", b"\x1f\x8b\x08rest", "compressed (gzip)"),
        ("metrics.csv", b"PK\x03\x04rest", "compressed (zip)"),
        ("metrics.jsonl", bytes(range(9)) * 40, "binary"),
        ("trainer_state.json", b"\xff\xfe{\0", "UTF-16"),
        ("events.out.tfevents.1.box", b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        ("events.out.tfevents.1.box", b"something else", "no event file"),
        ("events.out.tfevents.1.box", b"torn", None),
        ("dataset.jsonl", b'{"text": "words"}\n', None),
        ("data.bin", b"\x1f\x8b\x08", None),
        ("metrics.jsonl", b"", None),
    ],
)
def test_files_of_metrics_that_cannot_be_read_say_why(name, head, why):
    told = why_foreign(name, head)
    assert told is None if why is None else why in told


def test_a_foreign_file_is_a_problem_until_it_is_replaced(tmp_path):
    file = tmp_path / "a" / "metrics.jsonl"
    file.parent.mkdir()
    file.write_bytes(b"\x1f\x8b" + b"\0" * 100)
    discovery = Discovery([tmp_path], recognise=recognise_any, clock=lambda: NOW)
    discovery.scan()
    assert [p.startswith(f"{file}: it is compressed") for p in discovery.problems] == [True]
    file.write_text('{"step": 1, "loss": 2}\n')
    discovery.scan()
    assert len(discovery.scan()) == 1
    assert discovery.problems == ()


def test_replaced_file_is_looked_into_again(tmp_path, discover):
    file = write(tmp_path / "a" / "train.log", "{'loss': 1.0}\n")
    discovery = discover()
    shape(discovery)
    write(tmp_path / "a" / "fresh", "1,0.5\n")
    os.replace(tmp_path / "a" / "fresh", file)
    shape(discovery)
    assert discovery.scan()[0].files[0].format_name == "jsonl"
    file.write_text("{'loss': 1.0}\n")
    discovery.recheck(file)
    discovery.recheck(tmp_path / "unknown")
    assert discovery.scan()[0].files[0].format_name == "hf_console"


def test_only_what_could_be_a_source_is_opened(tmp_path, discover, recognise):
    for name in ("model.safetensors", "vocab.txt", "README.md", "a.py", "config.json"):
        write(tmp_path / name)
    for folder in (".git", ".venv", "node_modules", "__pycache__", "lib/site-packages"):
        write(tmp_path / folder / "metrics.jsonl")
    for name in ("x.jsonl", "slurm-3.out", "train_log.txt", "stderr", "LOG"):
        write(tmp_path / name)
    shape(discover())
    assert sorted(recognise.asked) == ["LOG", "slurm-3.out", "stderr", "train_log.txt", "x.jsonl"]


def test_ten_thousand_files_in_one_folder_within_the_budget(tmp_path, discover, recognise):
    for index in range(10_000):
        (tmp_path / f"shard-{index}.bin").touch()
    for index in range(300):
        write(tmp_path / f"part-{index}.jsonl", "{}")
    new = write(tmp_path / "metrics.jsonl")
    os.utime(new, (NOW, NOW))
    discovery = discover()
    discovery.scan(budget_s=0.0)
    assert not discovery.complete
    assert recognise.asked in ([], ["metrics.jsonl"])  # the newest first
    assert len(shape(discovery)) == 1
    assert len(recognise.asked) == 301


def test_bounds_are_said(tmp_path, discover):
    write(tmp_path / "1" / "2" / "3" / "metrics.jsonl")
    write(tmp_path / "1" / "metrics.jsonl")
    assert shape(discover(max_depth=1)) == {"1": ["metrics.jsonl"]}
    for index in range(30):
        (tmp_path / f"{index:03}").mkdir(exist_ok=True)
    discovery = discover(max_entries=20)
    shape(discovery)
    assert "more than 20" in discovery.problems[0]


# ---------------------------------------------------------------- hostile surroundings


def test_pipes_and_devices_are_told_and_left_alone(tmp_path, discover):
    os.mkfifo(tmp_path / "metrics.jsonl")
    (tmp_path / "zero.log").symlink_to("/dev/zero")
    discovery = discover(follow_outside=True)
    assert shape(discovery) == {}
    assert sum("not a regular file" in problem for problem in discovery.problems) == 2


def test_links_in_circles_and_out_of_the_roots(tmp_path, discover):
    root, other = tmp_path / "root", tmp_path / "other"
    write(root / "run" / "metrics.jsonl")
    write(other / "secret" / "metrics.jsonl")
    (root / "run" / "self").symlink_to(root)
    (root / "latest").symlink_to(root / "run")
    (root / "again.jsonl").symlink_to(root / "run" / "metrics.jsonl")
    (root / "out").symlink_to(other)
    (root / "out.jsonl").symlink_to(other / "secret" / "metrics.jsonl")
    (root / "dangling.jsonl").symlink_to(root / "nothing")
    discovery = discover(root)
    assert shape(discovery) == {"run": ["metrics.jsonl"]}
    assert sum("out of the watched folders" in problem for problem in discovery.problems) == 2
    assert discovery._walk.outside == 2
    following = discover(root, follow_outside=True)
    assert shape(following) == {"out/secret": ["metrics.jsonl"], "run": ["metrics.jsonl"]}
    assert following.problems == ()


def test_link_to_a_hidden_place_inside_is_followed(tmp_path, discover):
    write(tmp_path / ".cache" / "run" / "metrics.jsonl")
    (tmp_path / "run").symlink_to(tmp_path / ".cache" / "run")
    (tmp_path / "run.jsonl").symlink_to(write(tmp_path / ".cache" / "one.jsonl"))
    runs = {run.id: run for run in discover().scan()}
    assert set(runs) == {"run", tmp_path.name}
    assert runs[tmp_path.name].files[0].link


def test_unreadable_folders_and_files_are_problems_with_a_cure(tmp_path, discover, monkeypatch):
    write(tmp_path / "good" / "metrics.jsonl")
    write(tmp_path / "closed" / "metrics.jsonl")
    file = write(tmp_path / "mute" / "metrics.jsonl")
    real_scan, real_read = os.scandir, sniff_module.read_small

    def scandir(path):
        if str(path).endswith("closed"):
            raise PermissionError(errno.EACCES, "no", path)
        return real_scan(path)

    def read_small(path, *args, **options):
        if path == str(file):
            raise PermissionError(errno.EACCES, "no", path)
        return real_read(path, *args, **options)

    monkeypatch.setattr(walk_module.os, "scandir", scandir)
    monkeypatch.setattr(sniff_module, "read_small", read_small)
    discovery = discover()
    assert shape(discovery) == {"good": ["metrics.jsonl"]}
    assert len(discovery.problems) == 2
    assert all("chmod" in problem for problem in discovery.problems)
    monkeypatch.undo()
    os.utime(file, (5, 5))
    os.utime(tmp_path / "closed", (5, 5))
    assert set(shape(discovery)) == {"good", "closed", "mute"}
    assert discovery.problems == ()


def test_missing_root_is_a_problem_until_it_comes(tmp_path, discover):
    discovery = discover(tmp_path / "later")
    assert shape(discovery) == {}
    assert "gone" in discovery.problems[0]
    write(tmp_path / "later" / "metrics.jsonl")
    assert shape(discovery) == {"later": ["metrics.jsonl"]}
    assert discovery.problems == ()


def test_files_that_vanish_while_looked_at(tmp_path, discover, monkeypatch):
    write(tmp_path / "a.jsonl")

    def gone(path, *_, **__):
        raise FileNotFoundError(errno.ENOENT, "gone", path)

    monkeypatch.setattr(sniff_module, "read_small", gone)
    discovery = discover()
    assert shape(discovery) == {}
    assert discovery.problems == ()


def test_names_that_are_not_text(tmp_path, discover):
    folder = os.path.join(os.fsencode(tmp_path), b"r\xff\x1b[31m")
    os.mkdir(folder)
    with open(os.path.join(folder, b"metrics.jsonl"), "w") as file:
        file.write("1,0.5\n")
    (run,) = discover().scan()
    assert run.id == "r\udcff\x1b[31m"
    assert os.fsencode(run.path) == folder


# ---------------------------------------------------------------- roots


def test_several_roots_lead_the_ids(tmp_path, discover):
    write(tmp_path / "x" / "runs" / "a" / "metrics.jsonl")
    write(tmp_path / "y" / "runs" / "a" / "metrics.jsonl")
    write(tmp_path / "z" / "metrics.jsonl")
    discovery = discover(tmp_path / "x" / "runs", tmp_path / "y" / "runs", tmp_path / "z")
    assert list(shape(discovery)) == ["x/runs/a", "y/runs/a", "z"]


def test_roots_inside_roots_and_twice_are_one(tmp_path, discover):
    write(tmp_path / "a" / "metrics.jsonl")
    assert list(shape(discover(tmp_path, tmp_path / "a", tmp_path))) == ["a"]
    assert root_labels(["/a/b"]) == {"/a/b": "."}
    assert root_labels(["/", "/b"]) == {"/": "", "/b": "b"}


def test_files_as_roots(tmp_path, discover):
    one = write(tmp_path / "d" / "one.jsonl")
    two = write(tmp_path / "e" / "one.jsonl")
    write(tmp_path / "d" / "other.jsonl")
    write(tmp_path / "d" / "adapter_config.json", '{"r": 8}')
    assert shape(discover(one)) == {"one": ["one.jsonl"]}
    both = discover(one, two).scan()
    assert len({run.id for run in both}) == 2
    assert all(run.facts == {} for run in both)
    assert shape(discover(one, tmp_path)) == shape(discover(tmp_path))


def test_a_run_and_a_folder_of_the_same_name(tmp_path, discover):
    root = tmp_path / "x"
    write(root / "metrics.jsonl")
    write(root / "x" / "metrics.jsonl")
    ids = list(shape(discover(root)))
    assert ids == ["x", "x~2"]


# ---------------------------------------------------------------- details


def test_checkpoints_and_facts(tmp_path, discover):
    run = tmp_path / "lora"
    write(run / "metrics.jsonl")
    adapter = {"base_model_name_or_path": "m\x1b[31m", "r": 8, "lora_alpha": 16, "target_modules": ["v", "q"], "x": {}}
    write(run / "checkpoint-20" / "adapter_config.json", json.dumps(adapter))
    write(run / "checkpoint-20" / "shards" / "0.bin", "x" * 100)
    write(run / "checkpoint-5" / "w.bin", "x" * 10)
    write(run / "config.json", '{"model_type": "llama"}')
    argv = ["train.py", "--hub-token", "hf_abcdefghijkl", "WANDB_API_KEY=123", "--url=http://me:pw@h/", "--lr", "1"]
    write(run / "run_summary.json", json.dumps({"pid": 42, "host": "box", "argv": argv, "model": True}))
    os.utime(run / "checkpoint-5", (1000, 1000))
    discovery = discover()
    (found,) = discovery.scan()
    assert [(c.step, c.path.name) for c in found.checkpoints] == [(5, "checkpoint-5"), (20, "checkpoint-20")]
    assert found.checkpoints[0].bytes == 10
    assert found.checkpoints[0].mtime == 1000
    assert found.checkpoints[1].bytes == 100 + len(json.dumps(adapter))
    assert found.facts == {
        "base_model": "m␛[31m",
        "lora_r": "8",
        "lora_alpha": "16",
        "target_modules": "q, v",
        "model_type": "llama",
        "pid": "42",
        "host": "box",
        "argv": "train.py --hub-token *** WANDB_API_KEY=*** --url=http://***@h/ --lr 1",
    }
    write(run / "config.json", '{"model_type": "qwen2"}')
    write(run / "checkpoint-20" / "more.bin", "x" * 1000)
    (again,) = discovery.scan()
    assert again.facts["model_type"] == "qwen2"
    assert again.checkpoints[1].bytes == found.checkpoints[1].bytes + 1000


def test_fact_files_that_are_none(tmp_path, discover):
    run = tmp_path / "a"
    write(run / "metrics.jsonl")
    write(run / "adapter_config.json", "{torn")
    write(run / "run_summary.json", "[1]")
    outside = write(tmp_path / "elsewhere.json", '{"model_type": "secret"}')
    (run / "config.json").symlink_to(outside)
    (found,) = discover(run).scan()
    assert found.facts == {}


def state(path, step, mtime):
    write(path, json.dumps({"global_step": step, "log_history": []}))
    os.utime(path, (mtime, mtime))


def test_one_trainer_state_the_one_that_tells_most(tmp_path, discover):
    run = tmp_path / "a"
    for step in (90, 100, 300):
        state(run / f"checkpoint-{step}" / "trainer_state.json", step, 1000 + step)
    discovery = discover()
    assert shape(discovery) == {"a": ["checkpoint-300/trainer_state.json"]}
    state(run / "trainer_state.json", 200, 5000)
    assert shape(discovery) == {"a": ["trainer_state.json"]}
    state(run / "checkpoint-400" / "trainer_state.json", 400, 6000)
    assert shape(discovery) == {"a": ["checkpoint-400/trainer_state.json"]}
    state(run / "trainer_state.json", 400, 10)
    assert shape(discovery) == {"a": ["trainer_state.json"]}
    assert Path(discovery.scan()[0].path) == run


def test_rotated_files_are_looked_into_for_attempts_and_make_no_runs(tmp_path):
    write(tmp_path / "metrics.jsonl", '{"step": 2, "loss": 1}\n')
    write(tmp_path / "metrics.jsonl.1", '{"step": 1, "loss": 2}\n')
    logs = ["g.log.2", "g.log-20260131", "g.jsonl.1"]
    for name in logs:
        write(tmp_path / name, '{"persona_id": "a", "repairs": [], "status": "success"}\n')
    discovery = Discovery([tmp_path], recognise=recognise_any, clock=lambda: NOW)
    runs = discovery.scan()
    assert [file.path.name for run in runs for file in run.files] == ["metrics.jsonl"]
    assert sorted(record.path.name for record in discovery.records) == sorted(logs)
    named = Discovery([tmp_path / "metrics.jsonl.1"], recognise=recognise_any, clock=lambda: NOW)
    assert [file.path.name for run in named.scan() for file in run.files] == ["metrics.jsonl.1"]
