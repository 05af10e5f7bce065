"""Options of the commands that watch a box and tell of it."""

from __future__ import annotations

import argparse
from pathlib import Path

from mens_console.cli.options import actions, paths, search, search_in
from mens_console.cli.values import duration, positive


def watch(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `watch`."""
    paths(parser)
    parser.add_argument("--notify", action="store_true", help="send messages about alerts to the configured routes")
    parser.add_argument("--once", action="store_true", help="look once and leave, for cron")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line (mens-watch-event/1)")
    parser.add_argument("--utc", action="store_true", help="print times in UTC (default: local time)")
    parser.add_argument("--log", type=Path, metavar="FILE", help="append what happens to FILE, one JSON object a line")
    search(parser)


def alerts(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `alerts`."""
    action = actions(parser)
    one = action("list", "print what fires, the worst first")
    paths(one)
    one.add_argument("--json", action="store_true", help="print the document mens-alert-list/1")
    one.add_argument("--all", action="store_true", help="what is pending or resolved, too")
    search(one)
    one = action("since", "print what happened since the console was left")
    paths(one)
    one.add_argument("--from", dest="ago", type=duration, metavar="TIME", help="since so long ago instead: 8h, 2d …")
    one.add_argument("--json", action="store_true", help="print it as JSON")
    search(one)
    one = action("ack", "acknowledge an alert; it stays in sight")
    one.add_argument(
        "fingerprint", metavar="FINGERPRINT", help="what `list` names it by, or a unique beginning of that"
    )
    one.add_argument("--note", default="", metavar="TEXT", help="why, for whoever reads it later")
    search_in(one)
    one = action("silence", "hear nothing of a rule for a while")
    one.add_argument("rule", metavar="RULE", help="the rule's id, or '*' for all")
    one.add_argument("--run", metavar="RUN", help="only in this run (folder, id or name)")
    one.add_argument("--for", required=True, dest="seconds", type=duration, metavar="TIME", help="30m, 2h, 1d …")
    one.add_argument("--comment", required=True, metavar="TEXT", help="why, for whoever reads it later")
    search_in(one)
    one = action("silences", "print what is silenced")
    one.add_argument("--json", action="store_true", help="print them as JSON")
    action("unsilence", "end a silence").add_argument("id", metavar="ID", help="what `silences` names it by")
    one = action("rules", "print the rules in force")
    one.add_argument("--json", action="store_true", help="print them as JSON")
    action("test", "send a drill through every route").add_argument("rule", metavar="RULE", help="the rule's id")


def exporter(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `exporter`."""
    paths(parser)
    parser.add_argument("--listen", metavar="ADDRESS", help="serve /metrics on loopback, such as 127.0.0.1:9464")
    parser.add_argument("--textfile", type=Path, metavar="FILE", help="keep FILE.prom current, for a node_exporter")
    parser.add_argument("--once", action="store_true", help="print the metrics (or write --textfile) once and leave")
    parser.add_argument("--dashboards", type=Path, metavar="DIR", help="write the Grafana dashboards to DIR and leave")
    parser.add_argument("--every", type=duration, default=15.0, metavar="TIME", help="how often to write (default 15s)")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="the bearer token that --listen asks for")
    parser.add_argument("--runs", type=positive, default=50, metavar="N", help="runs published at most (default 50)")
    parser.add_argument("--openmetrics", action="store_true", help="print as OpenMetrics (default: Prometheus text)")
    search(parser)


def doctor(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `doctor`."""
    paths(parser)
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    search(parser)


def completion(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `completion`."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="the shell to complete in")
