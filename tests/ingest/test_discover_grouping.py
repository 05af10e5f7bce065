import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mens_console.ingest.found import CHECKPOINT
from mens_console.ingest.grouping import MARKERS, Grouping, Listed
from mens_console.ingest.text import safe_text
from mens_console.signals.redact import redact

DATE = "Nov21_05-37-22_box"
FORMATS = {".jsonl": "jsonl", ".csv": "csv", ".json": "trainer_state", ".stdout": "hf_console", ".err": "hf_console"}


def group(*paths, markers=(), trains=lambda file: True, root="/r"):
    files, marked = [], {}
    for path in paths:
        full = f"{root}/{path}"
        name = os.path.basename(full)
        kind = "tfevents" if "tfevents" in name else FORMATS.get(os.path.splitext(name)[1], "log")
        files.append(Listed(full, kind))
    for path in (*paths, *markers):
        folder, name = os.path.split(f"{root}/{path}")
        if name in MARKERS or CHECKPOINT.fullmatch(name):
            marked.setdefault(folder, []).append(name)
        if CHECKPOINT.fullmatch(os.path.basename(folder)):
            marked.setdefault(os.path.dirname(folder), []).append(os.path.basename(folder))
    drafts = Grouping(files, marked, trains).runs([root])
    return {draft.id: [os.path.relpath(file.path, root) for file in draft.files] for draft in drafts}


@pytest.mark.parametrize(
    ("path", "markers", "run"),
    [
        ("a/metrics.jsonl", [], "a"),
        ("metrics.jsonl", [], "r"),
        ("a/checkpoint-5/trainer_state.json", [], "a"),
        ("a/tb/events.out.tfevents.1", ["a/adapter_config.json"], "a"),
        ("a/tb/events.out.tfevents.1", ["a/checkpoint-10"], "a"),
        ("a/tb/events.out.tfevents.1", [], "a/tb"),
        ("a/logs/train/events.out.tfevents.1", ["a/run_summary.json"], "a"),
        (f"a/runs/{DATE}/events.out.tfevents.1", ["a/trainer_state.json"], "a"),
        (f"a/runs/{DATE}/events.out.tfevents.1", [], f"a/runs/{DATE}"),
        (f"a/runs/{DATE}/1795239457.123/events.out.tfevents.1", ["a/trainer_state.json"], "a"),
        (f"runs/{DATE}/events.out.tfevents.1", [], f"runs/{DATE}"),
        ("lightning_logs/version_3/metrics.csv", [], "lightning_logs/version_3"),
        ("a/wandb/offline-run-20261121_054037-0qb9/files/output.log", ["a/adapter_config.json"], "a"),
        (
            "a/wandb/run-20261121_054037-0qb9/files/output.log",
            [],
            "a/wandb/run-20261121_054037-0qb9",
        ),
        ("train/metrics.jsonl", [], "train"),
    ],
)
def test_inner_folders_belong_to_their_run(path, markers, run):
    assert list(group(path, markers=markers)) == [run]


def test_two_inner_folders_side_by_side_make_one_run():
    assert list(group("a/tb/events.out.tfevents.1", "a/logs/train.log")) == ["a"]


def test_nothing_climbs_out_of_the_root():
    assert list(group(f"{DATE}/events.out.tfevents.1", markers=["../adapter_config.json"], root="/o/runs")) == [DATE]
    assert list(group("events.out.tfevents.1", root="/o/tb")) == ["tb"]


def test_a_trainers_whole_output_is_one_run():
    paths = [
        "a/trainer_state.json",
        "a/lora_grad_norms.jsonl",
        "a/other.jsonl",
        "a/tb/events.out.tfevents.1.vm.0",
        "a/checkpoint-60/trainer_state.json",
        "a/wandb/offline-run-20261121_053832-g3y/files/output.log",
    ]
    assert group(*paths) == {"a": sorted(paths)}


def test_trainings_side_by_side_are_runs_of_their_own():
    found = group("a.jsonl", "b.jsonl", "b.log", "metrics.jsonl", "eval.jsonl", trains=lambda f: "eval" not in f.path)
    assert found == {"a": ["a.jsonl"], "b": ["b.jsonl", "b.log"], "r": ["eval.jsonl", "metrics.jsonl"]}


def test_one_odd_name_is_the_folders_run():
    assert group("d/experiment.jsonl", "d/metrics.jsonl") == {"d": ["d/experiment.jsonl", "d/metrics.jsonl"]}
    assert group("d/experiment.jsonl", "d/x.log") == {"d": ["d/experiment.jsonl", "d/x.log"]}
    assert group("d/a.jsonl", "d/b.jsonl", trains=lambda f: "a.jsonl" in f.path) == {"d": ["d/a.jsonl", "d/b.jsonl"]}


def test_ranks_of_one_training_stay_together():
    assert list(group("d/metrics.rank0.jsonl", "d/metrics.rank1.jsonl")) == ["d"]
    assert list(group("d/a.rank0.jsonl", "d/a_rank_1.jsonl", "d/b.jsonl")) == ["d/a", "d/b"]


def test_console_output_of_several_jobs():
    paths = ["q/job1.stdout", "q/job1.err", "q/job2.stdout"]
    assert list(group(*paths)) == ["q/job1", "q/job2"]
    assert list(group("q/train.stdout", "q/train.err", "q/nohup.stdout")) == ["q"]
    assert list(group(*paths, "q/metrics.jsonl")) == ["q"]


def test_plain_logs_alone_are_no_run_unless_they_look_like_one():
    assert group("var/syslog.log", "var/build.out") == {}
    assert list(group("d/slurm-12.out")) == ["d"]
    assert list(group("d/x.log", markers=["d/training_args.bin"])) == ["d"]


@pytest.mark.parametrize(
    ("logs", "runs", "found"),
    [
        (["train.log"], ["out"], {"p/out": ["train.log", "out/metrics.jsonl"]}),
        (["nohup.stdout"], ["out"], {"p/out": ["nohup.stdout", "out/metrics.jsonl"]}),
        (["slurm-12.out", "slurm-12.err"], ["out"], {"p/out": ["slurm-12.out", "slurm-12.err", "out/metrics.jsonl"]}),
        (["stdout.log", "stderr.log"], ["out"], {"p/out": ["stdout.log", "stderr.log", "out/metrics.jsonl"]}),
        (["b.log"], ["a", "b"], {"p/a": ["a/metrics.jsonl"], "p/b": ["b.log", "b/metrics.jsonl"]}),
        (["train.log"], ["a", "b"], {"p": ["train.log"], "p/a": ["a/metrics.jsonl"], "p/b": ["b/metrics.jsonl"]}),
        (["slurm-1.out", "slurm-2.out"], ["a"], {"p": ["slurm-1.out", "slurm-2.out"], "p/a": ["a/metrics.jsonl"]}),
        (["syslog.log"], ["out"], {"p/out": ["out/metrics.jsonl"]}),
        (
            ["train.log", "metrics.jsonl"],
            ["out"],
            {"p": ["metrics.jsonl", "train.log"], "p/out": ["out/metrics.jsonl"]},
        ),
    ],
)
def test_a_log_beside_the_one_folder_whose_it_may_be_is_of_that_run(logs, runs, found):
    paths = [f"p/{log}" for log in logs] + [f"p/{run}/metrics.jsonl" for run in runs]
    told = {run: sorted(files) for run, files in group(*paths).items()}
    assert told == {run: sorted(f"p/{file}" for file in files) for run, files in found.items()}


def test_a_log_in_the_root_is_of_the_run_in_it_and_one_of_a_run_stays_there():
    assert group("train.log", "out/trainer_state.json") == {"out": ["out/trainer_state.json", "train.log"]}
    beside = group("train.log", "out/metrics.jsonl", markers=["trainer_state.json"])
    assert beside == {"r": ["train.log"], "out": ["out/metrics.jsonl"]}
    assert group("train.log", "out/nohup.out") == {"out": ["out/nohup.out"], "r": ["train.log"]}


def test_ids_stay_unique():
    assert list(group("d/a.jsonl", "d/b.jsonl", "d/a/metrics.jsonl")) == ["d/a", "d/a~2", "d/b"]


parts = st.sampled_from(["a", "b", "tb", "logs", "runs", DATE, "checkpoint-3", "wandb", "lightning_logs", "version_0"])
names = st.sampled_from(["metrics.jsonl", "x.jsonl", "y.jsonl", "trainer_state.json", "events.out.tfevents.1", "o.log"])
paths = st.lists(parts, max_size=4).flatmap(lambda p: names.map(lambda n: "/".join([*p, n])))


@given(st.sets(paths, max_size=8), st.randoms())
def test_every_metrics_file_is_in_exactly_one_run_whatever_the_order(chosen, random):
    chosen = sorted(chosen)
    found = group(*chosen)
    placed = sorted(path for files in found.values() for path in files)
    assert len(placed) == len(set(placed))
    assert set(chosen) - set(placed) <= {path for path in chosen if path.endswith(".log")}
    shuffled = list(chosen)
    random.shuffle(shuffled)
    assert group(*shuffled) == found


# ---------------------------------------------------------------- text


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain", "plain"),
        ("Zoë 日本 👩‍🔬", "Zoë 日本 👩‍🔬"),
        ("a\x1b[31mb\n\t\x7f", "a␛[31mb␊␉␡"),
        ("\x9b31m", "‹U+009B›31m"),
        ("\u202eexe", "‹U+202E›exe"),
        ("\u2028", "‹U+2028›"),
        ("r\udcff", "r‹\\xff›"),
        ("\ud800", "‹U+D800›"),
        ("\ue000", "\ue000"),
    ],
)
def test_safe_text(raw, shown):
    assert safe_text(raw) == shown


@given(st.text(st.characters(codec=None)), st.none() | st.integers(1, 20))
def test_safe_text_steers_nothing(raw, limit):
    shown = safe_text(raw, limit)
    shown.encode()
    assert not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or c in "\u202a\u202e\u2066\u2028" for c in shown)
    assert limit is None or len(shown) <= limit
    assert safe_text(shown, limit) == shown


def test_redact():
    assert redact(["x", "--api-key=abc", "--password", "p", "--verbose"]) == "x --api-key=*** --password *** --verbose"
    assert redact(["--token", "--next"]) == "--token --next"
    assert redact(["sk-abcdefghijklmnop"]) == "***"
