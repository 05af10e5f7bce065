"""Gathering: every kind of bad file is a problem of that file; the digest is of what the evidence says."""

import gzip
import json
import math
import os
import shutil
from pathlib import Path

import pytest
from contracts.load_samples import BENCH, SOAK
from gate.shapes import NOW, k6, only, read, record, values, vllm, write
from hypothesis import given
from hypothesis import strategies as st

from mens_console.gate import files
from mens_console.gate.evidence import gather, manifest_document
from mens_console.gate.metrics import METRICS
from mens_console.gate.readers.prometheus import Answer

RECORDED = Path(__file__).parent / "evidence"


def problems(*paths):
    manifest = gather([str(path) for path in paths], now=NOW)
    assert not manifest.items
    return manifest.problems


def test_each_file_is_hashed_as_it_is_parsed(tmp_path):
    import hashlib

    manifest = read(tmp_path, soak__json=SOAK)
    (file,) = manifest.files
    assert file.sha256 == hashlib.sha256((tmp_path / "soak.json").read_bytes()).hexdigest()
    assert file.size == (tmp_path / "soak.json").stat().st_size
    assert {one.sha256 for one in manifest.items} == {file.sha256}


def test_what_is_not_there_is_a_problem(tmp_path):
    assert "no such file" in problems(tmp_path / "gone.json")[0]


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.json", b"", "empty"),
        ("a.json", b"{", "not whole JSON"),
        ("a.json", b'{"schema": "mens-soak/1", "requests": 1, "requests": 2}', "stands twice"),
        ("a.json", b"[" * 100_000, "nested too deeply"),
        ("a.json", b'{"a": "\xff"}', "not UTF-8"),
        ("a.json", b'{"schema": "mens-soak/9"}', "mens-soak/9"),
        ("a.json", b"\x00\x01" * 100, "binary"),
        ("a.json", b"just words", "no reader knows"),
        ("a.json.gz", gzip.compress(b"0" * 1_000_000), "compressed"),
        ("a.toml", b'schema = "mens-prometheus/1"\nurl = 3', "url"),
    ],
)
def test_a_bad_file_says_what_is_wrong(tmp_path, name, data, why):
    assert why in problems(write(tmp_path, name, data))[0]


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "soak.json")
    assert "not a regular file" in problems(tmp_path)[0]
    assert "not a regular file" in problems(tmp_path / "soak.json")[0]


def test_a_link_outward_is_not_followed_from_a_folder(tmp_path):
    outside = write(tmp_path, "outside/soak.json", SOAK)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "soak.json").symlink_to(outside)
    assert "leads out of the folder" in problems(tmp_path / "in")[0]
    named = gather([str(tmp_path / "in" / "soak.json")], now=NOW)
    assert only(named, "soak_hours").value == 72


def test_a_loop_of_links_ends(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path)
    (tmp_path / "b").symlink_to("b")
    write(tmp_path, "soak.json", SOAK)
    assert only(gather([str(tmp_path)], now=NOW), "soak_hours").value == 72


def test_a_document_over_the_limit_is_not_held_in_memory(tmp_path):
    path = tmp_path / "a.json"
    with path.open("wb") as file:
        file.write(b'{"a": "')
        file.seek(files.LARGEST + 10)
        file.write(b"x")
    with path.open("r+b") as file:
        file.write(b'{"a": "' + b"x" * 5000)
    assert "documents are read up to 64 MiB" in problems(path)[0]


def test_a_row_without_an_end_is_not_held_in_memory(tmp_path):
    line = json.dumps(record([1.0])).encode()
    path = write(tmp_path, "p.jsonl", line + b"\n" + b"x" * (files.LONGEST + (2 << 20)))
    assert "longer than 8 MiB" in problems(path)[0]


def test_a_file_that_grows_meanwhile_is_no_evidence(tmp_path, monkeypatch):
    path = write(tmp_path, "p.jsonl", json.dumps(record([1.0])) + "\n")
    status = os.fstat

    def later(fd):
        with path.open("a") as file:
            file.write("\n")
        return status(fd)

    monkeypatch.setattr(files.os, "fstat", later)
    assert "changed while it was read" in problems(path)[0]


def test_hostile_names_are_shown_safely(tmp_path):
    name = os.fsdecode(b"a\x1b[31m\xff\n.json")
    manifest = read(tmp_path, **{name: "{"})
    assert "\x1b" not in manifest.problems[0]
    assert "\n" not in manifest.problems[0]
    assert len(manifest.digest) == 64


def test_what_is_no_evidence_is_left_alone(tmp_path):
    for name in ("readme.md", "model.safetensors", ".git/config.json", "__pycache__/x.json", "notes.txt"):
        write(tmp_path, name, "{")
    assert gather([str(tmp_path)], now=NOW).files == ()


def test_an_unknown_document_in_a_folder_is_noted(tmp_path):
    (file,) = read(tmp_path, other__json={"a": 1}).files
    assert (file.kind, file.problem, file.notes) == ("", "", ("no reader knows what it is",))


def test_the_same_file_twice_counts_once(tmp_path):
    write(tmp_path, "a.json", SOAK)
    shutil.copy(tmp_path / "a.json", tmp_path / "b.json")
    manifest = gather([str(tmp_path), str(tmp_path / "a.json")], now=NOW)
    assert len(values(manifest, "uptime")) == 1
    assert len(manifest.files) == 2
    assert not manifest.problems


def test_two_files_that_contradict_each_other_are_both_kept_and_flagged(tmp_path):
    manifest = read(tmp_path, a__json=k6(0, 100), b__json=k6(3, 97))
    assert sorted(values(manifest, "error_rate")) == [0.0, 3.0]
    assert all("told differently" in one.trouble for one in manifest.items)
    assert sum("told differently" in one for one in manifest.problems) == 1


def test_other_tags_are_no_contradiction(tmp_path):
    manifest = read(tmp_path, soak__json=SOAK, bench__json=BENCH)
    assert len(values(manifest, "ttft_p50")) == 2
    assert not manifest.problems


def test_evidence_from_the_future_is_flagged(tmp_path):
    manifest = read(tmp_path, a__json=SOAK | {"ended": NOW + 86_400})
    assert all("24.0 h in the future" in one.trouble for one in manifest.items)


def test_a_time_without_a_zone_is_never_after_the_file(tmp_path):
    path = write(tmp_path, "a.json", vllm(date="20991231-000000"))
    os.utime(path, (NOW - 500, NOW - 500))
    assert {one.at for one in gather([str(path)], now=NOW).items} == {NOW - 500}


def test_the_digest_is_of_what_the_evidence_says(tmp_path):
    def digest(*documents, names="abcdef"):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        for name, document in zip(names, documents, strict=False):
            write(folder, f"{name}.json", document)
        return gather([str(folder)], now=NOW).digest

    whole = digest(SOAK, BENCH, k6(0, 10))
    assert digest(SOAK, BENCH, k6(0, 10)) == whole
    assert digest(k6(0, 10), SOAK, BENCH, names="xyz") == whole
    assert digest(SOAK, BENCH, k6(1, 10)) != whole
    assert digest(SOAK, BENCH) != whole
    assert digest(SOAK, BENCH, k6(0, 10), "{") != whole


def test_swapping_baseline_and_quantized_changes_the_digest(tmp_path):
    one, other = (RECORDED / f"lm_eval_{role}.json" for role in ("baseline", "quantized"))
    for folder, pair in (("a", (one, other)), ("b", (other, one))):
        (tmp_path / folder).mkdir()
        for role, path in zip(("baseline", "quantized"), pair, strict=True):
            shutil.copy(path, tmp_path / folder / f"{role}.json")
    assert gather([str(tmp_path / "a")], now=NOW).digest != gather([str(tmp_path / "b")], now=NOW).digest


@given(order=st.permutations(range(4)))
def test_the_order_of_paths_is_no_matter(tmp_path_factory, order):
    folder = tmp_path_factory.mktemp("order")
    paths = [
        str(write(folder, f"{place}.json", one))
        for place, one in enumerate((SOAK, BENCH, k6(1, 9), vllm(output_throughput=3.0)))
    ]
    straight = gather(paths, now=NOW)
    assert gather([paths[place] for place in order], now=NOW) == straight


def manifest_file(folder):
    document = manifest_document(gather([str(folder)], now=NOW), folder)
    return write(folder, "manifest.json", document)


def test_a_manifest_file_promises_what_is_there(tmp_path):
    read(tmp_path, soak__json=SOAK, bench__json=BENCH)
    manifest = gather([str(manifest_file(tmp_path))], now=NOW)
    assert only(manifest, "soak_hours").value == 72
    assert {Path(path).name for metric, path in manifest.listed if metric == "uptime"} == {"soak.json"}
    assert not manifest.problems


def test_what_a_manifest_promises_and_is_gone_stays_listed(tmp_path):
    read(tmp_path, soak__json=SOAK, bench__json=BENCH)
    path = manifest_file(tmp_path)
    (tmp_path / "soak.json").unlink()
    manifest = gather([str(path)], now=NOW)
    assert values(manifest, "uptime") == []
    assert "uptime" in {metric for metric, _ in manifest.listed}
    assert "no such file" in manifest.problems[0]


def test_a_file_that_is_not_the_promised_one_gives_nothing(tmp_path):
    read(tmp_path, soak__json=SOAK)
    path = manifest_file(tmp_path)
    write(tmp_path, "soak.json", SOAK | {"notes": ["edited"]})
    manifest = gather([str(tmp_path), str(path)], now=NOW)
    assert not manifest.items
    assert "digest" in manifest.problems[0]


@pytest.mark.parametrize("path", ["../secret.json", "/etc/passwd", "", "a\0b"])
def test_a_manifest_leads_nowhere_else(tmp_path, path):
    entry = {"path": path, "sha256": "0" * 64, "metrics": ["uptime"]}
    why = problems(write(tmp_path, "m.json", {"schema": "mens-manifest/1", "files": [entry]}))
    assert "/files/0/path" in why[0]


def test_a_manifest_does_not_follow_a_link_out_of_its_folder(tmp_path):
    outside = write(tmp_path, "outside/soak.json", SOAK)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "soak.json").symlink_to(outside)
    entry = {"path": "soak.json", "sha256": "0" * 64, "metrics": ["uptime"]}
    why = problems(write(tmp_path, "in/m.json", {"schema": "mens-manifest/1", "files": [entry]}))
    assert "leads out of the folder" in why[0]


def test_pooled_values_are_promised_by_each_of_their_files(tmp_path):
    read(tmp_path, a__json=vllm(), b__json=vllm(output_throughput=119.0))
    document = manifest_document(gather([str(tmp_path)], now=NOW), tmp_path)
    assert ["throughput_single" in one["metrics"] for one in document["files"]] == [True, True]


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
SHAPES = (SOAK, BENCH, vllm(), k6(1, 9), json.loads((RECORDED / "radon_cc.json").read_text()),
          json.loads((RECORDED / "coverage.json").read_text()),
          json.loads((RECORDED / "lm_eval_baseline.json").read_text()))  # fmt: skip


@given(data=st.data())
def test_no_document_raises_and_no_unusable_value_stands(tmp_path_factory, data):
    document = json.loads(json.dumps(data.draw(st.sampled_from(SHAPES))))
    for _ in range(data.draw(st.integers(1, 3))):
        place = document
        while isinstance(place, dict | list) and place:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = data.draw(st.sampled_from(keys))
            if data.draw(st.booleans()) or not isinstance(place[key], dict | list):
                place[key] = data.draw(JUNK)
                break
            place = place[key]
    folder = tmp_path_factory.mktemp("junk")
    manifest = gather([str(write(folder, "a.json", json.dumps(document)))], now=NOW)
    for item in manifest.items:
        assert math.isfinite(item.value) or item.trouble, item
        assert item.unit == METRICS[item.metric].unit


def test_rows_of_another_kind_are_noted_and_no_problem(tmp_path):
    (file,) = read(tmp_path, samples__jsonl='\n{"doc_id": 0}\n{"doc_id": 1}\n').files
    assert (file.problem, file.notes) == ("", ("no reader knows what it is",))
    assert "not whole JSON" in problems(write(tmp_path, "torn/a.json", '{"doc_id": 0, "x": [1, 2'))[0]


def test_a_file_that_is_named_is_read_as_named_even_where_its_folder_is_too(tmp_path):
    text = 'schema = "mens-prometheus/1"\nurl = "http://127.0.0.1:1"\n[[query]]\n'
    path = write(tmp_path, "p.toml", text + 'metric = "uptime"\nunit = "%"\npromql = "1"\n')
    asked = []

    def ask(server, promql):
        asked.append(promql)
        return Answer(problem="dead")

    gather([str(tmp_path), str(path)], now=NOW, ask=ask)
    assert asked == ["1"]


def test_a_count_beyond_all_counting_is_none(tmp_path):
    item = only(read(tmp_path, a__json=vllm(completed=1e300)), "ttft_p50")
    assert math.isnan(item.value)
