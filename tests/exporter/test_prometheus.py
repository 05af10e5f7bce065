"""Prometheus itself: promtool reads what is exported, and a real server scrapes it and answers every dashboard's query.

Both are taken from PATH, or from Debian's package, unpacked into a temporary folder; without either this is skipped.
"""

import json
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from exporter.boxes import full

pytest.importorskip("prometheus_client", reason="the extra `exporter` is not installed")

from prometheus_client import generate_latest

from mens_console.exporter.boardtable import BOARDS, choose
from mens_console.exporter.collect import SnapshotCollector, registry_of
from mens_console.exporter.server import server_of


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    """The folder that holds `prometheus` and `promtool`."""
    found = shutil.which("promtool"), shutil.which("prometheus")
    if all(found):
        return {"promtool": found[0], "prometheus": found[1]}
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        pytest.skip("neither prometheus and promtool on PATH, nor apt-get and dpkg to get them")
    folder = tmp_path_factory.mktemp("prometheus")
    try:
        got = subprocess.run(
            ["apt-get", "download", "prometheus"], cwd=folder, capture_output=True, text=True, timeout=240, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip("prometheus is not on PATH, and Debian's package did not come within 4 minutes")
    packages = list(folder.glob("prometheus_*.deb"))
    if not packages:
        why = got.stderr.strip().splitlines()
        pytest.skip(f"prometheus is not on PATH, and apt-get cannot download it: {why[-1] if why else got.returncode}")
    subprocess.run(["dpkg", "-x", str(packages[0]), "root"], cwd=folder, check=True, capture_output=True)
    packages[0].unlink()
    return {name: str(folder / "root/usr/bin" / name) for name in ("promtool", "prometheus")}


def test_promtool_finds_nothing_to_complain_of(programs):
    text = generate_latest(registry_of(SnapshotCollector(full)))
    done = subprocess.run([programs["promtool"], "check", "metrics"], input=text, capture_output=True, check=False)
    assert (done.returncode, done.stdout.decode(), done.stderr.decode()) == (0, "", "")


def test_promtool_would_complain(programs):
    text = b"# HELP mens_x_total A gauge with a counter's name.\n# TYPE mens_x_total gauge\nmens_x_total 1\n"
    done = subprocess.run([programs["promtool"], "check", "metrics"], input=text, capture_output=True, check=False)
    assert done.returncode != 0


def get(port, path, **parameters):
    url = f"http://127.0.0.1:{port}{path}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(url, timeout=20) as answer:
        return json.loads(answer.read())


@pytest.fixture(scope="module")
def prometheus(programs, tmp_path_factory):
    """The port of a Prometheus that has scraped the made-up box, with a token, at least twice."""
    folder = tmp_path_factory.mktemp("scrape")
    server = server_of(registry_of(SnapshotCollector(full)), ("127.0.0.1", 0), "s3cret")
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "token").write_text("s3cret")
    target = f"127.0.0.1:{server.server_port}"
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: mens\n  authorization: {credentials_file: token}\n"
        f"  static_configs: [{{targets: ['{target}']}}]\n"
    )
    command = [
        programs["prometheus"], "--config.file=prometheus.yml", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        wait_for_scrapes(child, port, folder)
        yield port
    finally:
        child.terminate()
        child.wait(60)
        server.shutdown()
        server.server_close()


def wait_for_scrapes(child, port, folder: Path):
    until = time.monotonic() + 120
    while time.monotonic() < until and child.poll() is None:
        try:
            found = get(port, "/api/v1/query", query="count_over_time(mens_exporter_engine_up[1m])")["data"]["result"]
        except (urllib.error.URLError, ConnectionError):
            found = []
        if found and int(found[0]["value"][1]) >= 2:
            return
        time.sleep(0.5)
    pytest.fail((folder / "log").read_text()[-3000:])


def test_a_real_prometheus_scrapes_it(prometheus):
    (target,) = get(prometheus, "/api/v1/targets")["data"]["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    (step,) = get(prometheus, "/api/v1/query", query='mens_run_step{run="qwen-lora-r16"}')["data"]["result"]
    assert step["value"][1] == "200"
    (loss,) = get(prometheus, "/api/v1/query", query='mens_run_loss{run="lr-3e-2"}')["data"]["result"]
    assert loss["value"][1] == "NaN"
    names = ("mens_health_attempts", "mens_health_attempts_total")  # the family's in OpenMetrics, the sample's before
    told = [get(prometheus, "/api/v1/metadata", metric=name)["data"] for name in names]
    assert {one["type"] for found in told for ones in found.values() for one in ones} == {"counter"}


def test_it_answers_every_query_of_the_dashboards(prometheus):
    empty = []
    for board in BOARDS:
        for panel in board.panels:
            for query, _ in panel.queries:
                asked = re.sub(r"\$\w+", ".*", choose(query))
                answer = get(prometheus, "/api/v1/query", query=asked)
                assert answer["status"] == "success"
                if not answer["data"]["result"]:
                    empty.append(query)
    # What the made-up box has none of: alerts, thermal slowdowns, an evaluation's best, and a notifier.
    for query in empty:
        assert re.search(r"rule_alerts|gpu_throttled|best_eval|notifier|mens_health_band", query), query
