"""Spark on this machine gives the report that reading here gives, bit for bit; what it lacks is said in one line."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from health.spanned import differences
from support.attempt_logs import write_attempts

from mens_console.cli.main import main
from mens_console.health.aggregate import aggregate as locally
from mens_console.health.cluster import SparkError, _modules, _why, require
from mens_console.health.spark import aggregate
from mens_console.health.tally import Options

MISSING = next(
    (
        why
        for absent, why in (
            (find_spec("pyspark") is None, "the extra `spark` (PySpark) is not installed"),
            (shutil.which("java") is None and "JAVA_HOME" not in os.environ, "there is no Java on PATH"),
        )
        if absent
    ),
    "",
)
on_spark = pytest.mark.skipif(bool(MISSING), reason=MISSING)
CLUSTERS = {
    "threads": {"spark.master": "local[2]"},
    "processes": {
        "spark.master": "local-cluster[2,1,1024]",
        "spark.executor.memory": "512m",
        "spark.executor.pyspark.memory": "512m",
    },
}


@pytest.fixture
def logs(tmp_path, monkeypatch):
    """A skewed log, one with every oddity, and a gzip one of interleaved runs, named relative to here."""
    monkeypatch.chdir(tmp_path)
    write_attempts(Path("skewed.jsonl"), size_bytes=6_000_000, seed=1, scenario="skewed")
    write_attempts(Path("odd.jsonl"), size_bytes=1_000_000, seed=2, scenario="oddities")
    write_attempts(Path("packed.jsonl.gz"), size_bytes=1_000_000, seed=3, scenario="interleaved")
    return ["skewed.jsonl", "odd.jsonl", "packed.jsonl.gz"]


@pytest.mark.spark
@on_spark
@pytest.mark.parametrize("cluster", CLUSTERS)
def test_spark_counts_what_is_counted_here(logs, cluster, monkeypatch):
    if cluster == "processes":
        monkeypatch.setenv(
            "SPARK_HOME", str(Path(find_spec("pyspark").origin).parent)
        )  # its executors are started there
        monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    told = []
    options = Options(500)
    wanted = locally(logs, batch_size=500)
    found = aggregate(
        logs, options, conf=CLUSTERS[cluster], span=700_000, progress=lambda *progress: told.append(progress)
    )
    assert differences(wanted, found) == {}
    assert len(found.batches) > 20 and any(not one.batch.complete for one in found.batches)
    total = sum(Path(path).stat().st_size for path in logs)
    assert told[-1] == (total, total) and told == sorted(told)


@pytest.mark.spark
@on_spark
@pytest.mark.parametrize("by", ["run", "persona"])
def test_spark_counts_other_groups(logs, by):
    found = aggregate(logs[1:], Options(by=by), conf=CLUSTERS["threads"], span=300_000)
    assert differences(locally(logs[1:], by=by), found) == {}


@pytest.mark.spark
@on_spark
def test_the_command_prints_the_same(logs, capsys, monkeypatch):
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", "--master local[2] pyspark-shell")
    status = main(["health", *logs, "--batch-size", "500", "--csv"])
    here = capsys.readouterr().out
    assert main(["health", *logs, "--batch-size", "500", "--csv", "--engine", "spark"]) == status
    assert capsys.readouterr().out == here and here.count("\n") > 20


@pytest.mark.spark
@on_spark
def test_a_log_that_is_not_there_is_told_of_and_the_others_are_read(logs):
    found = aggregate(["no.jsonl", logs[1]], Options(), conf=CLUSTERS["threads"])
    assert "no.jsonl: " in found.sources[0].problem
    assert found.sources[1].rows > 1000


def test_without_pyspark_the_cure_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("mens_console.health.cluster.importlib.util.find_spec", lambda _: None)
    path = tmp_path / "a.jsonl"
    write_attempts(path, rows=10)
    assert main(["health", str(path), "--engine", "spark"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1) and "pip install 'mens-console[spark]'" in err


def test_without_java_the_cure_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("mens_console.health.cluster.importlib.util.find_spec", lambda _: object())
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(SparkError, match="apt install openjdk-17-jre-headless"):
        require()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(SparkError, match="JAVA_HOME"):
        require()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "An error occurred\n  File \"x\"\nModuleNotFoundError: No module named 'msgspec'\n\tat java",
            "need Python with numpy, msgspec and orjson",
        ),
        ("Trace\nmens_console.health.spans.ChangedError: a.jsonl was changed while", "a.jsonl was changed while"),
        ("long\njava.lang.OutOfMemoryError: Java heap space\n\tat x", "failed: java.lang.OutOfMemoryError: Java heap"),
        ("x\njava.lang.IllegalStateException: Cannot call methods on a stopped SparkContext.\n", "is its master"),
        ("", "does not say why"),
    ],
)
def test_a_failed_job_is_one_line(text, why):
    assert why in _why(text) and "\n" not in _why(text)


def test_workers_need_nothing_that_draws_or_watches(tmp_path):
    archive = _modules(tmp_path)
    code = f"""
import sys
refused = 'textual rich psutil watchdog pydantic plotext pynvml pyspark'.split()
class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in refused:
            raise ImportError(name)
sys.meta_path.insert(0, Refused())
sys.path.insert(0, {str(archive)!r})
import mens_console.health.spans, mens_console.health.spark
print(mens_console.__file__)
"""
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(str(archive))
