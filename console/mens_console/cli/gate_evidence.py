"""`mens-console gate evidence PATH…`: what the gate reads from files, before any profile judges it.

Exit status: 0 every file that is evidence could be read and used · 1 something could not · 2 there is no evidence.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mens_console.cli.common import output
from mens_console.cli.errors import NO, OK, WRONG, CommandError

if TYPE_CHECKING:
    from mens_console.gate.types import EvidenceFile, Item, Manifest


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files and folders of evidence")
    parser.add_argument("--json", action="store_true", help="print everything as JSON (mens-evidence/1)")
    parser.add_argument(
        "--write-manifest",
        type=Path,
        metavar="FILE",
        help="write what is there as a promise (mens-manifest/1), for `gate check --manifest FILE`",
    )


def run(arguments: argparse.Namespace) -> int:
    """Gather, and print what was read."""
    from mens_console.gate.evidence import gather

    manifest = gather(arguments.paths, now=time.time())
    if arguments.json:
        print(json.dumps(document(manifest), indent=2, ensure_ascii=False))
    else:
        print("\n".join(_lines(manifest)))
    if arguments.write_manifest:
        _promise(manifest, arguments.write_manifest)
    if not manifest.items:
        return WRONG
    return NO if manifest.problems else OK


def _promise(manifest: Manifest, path: Path) -> None:
    """Write a manifest file; it lies above its evidence, so that both can be moved together."""
    from mens_console.gate.evidence import manifest_document

    try:
        text = json.dumps(manifest_document(manifest, path.parent), indent=2, ensure_ascii=False)
        with output(path) as file:
            file.write(text + "\n")
    except ValueError as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        told = (error.strerror or str(error)).lower()
        raise CommandError(f"{path}: {told}; name a file that can be written") from None


# ---------------------------------------------------------------------- JSON


def document(manifest: Manifest) -> dict[str, Any]:
    """Return the document `mens-evidence/1`."""
    from mens_console.ingest.text import safe_text

    return {
        "schema": "mens-evidence/1",
        "taken_at": manifest.taken_at,
        "digest": manifest.digest,
        "files": [
            {"path": safe_text(one.path), "sha256": one.sha256, "size": one.size,
             "mtime": _finite(one.mtime) if one.sha256 else None, "kind": one.kind, "problem": one.problem,
             "notes": list(one.notes)}
            for one in manifest.files
        ],
        "values": [_value(one) for one in manifest.items],
        "problems": list(manifest.problems),
    }  # fmt: skip


def _value(one: Item) -> dict[str, Any]:
    from mens_console.gate.pooling import places
    from mens_console.ingest.text import safe_text

    return {
        "metric": one.metric,
        "value": _finite(one.value),
        "unit": one.unit,
        "n": one.n,
        "successes": one.successes,
        "interval": None if one.interval is None else list(one.interval),
        "tool": one.tool,
        "tags": dict(one.tags),
        "at": _finite(one.at),
        "note": one.note,
        "trouble": one.trouble,
        "places": [
            {"path": safe_text(path), "sha256": digest, "pointer": where} for path, digest, where in places(one)
        ],
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


# ---------------------------------------------------------------------- lines


def _lines(manifest: Manifest) -> list[str]:
    """Return files with what each gave, what follows from several, and what could not be used."""
    from mens_console.gate.pooling import places

    lines: list[str] = []
    single = [one for one in manifest.items if len(places(one)) == 1]
    for file in manifest.files:
        lines += [*_file(file), *(_told(one) for one in single if one.path == file.path), ""]
    several = [one for one in manifest.items if len(places(one)) > 1]
    if several:
        lines += ["from several files", *map(_told, several), ""]
    if manifest.problems:
        lines += ["problems", *(f"  - {one}" for one in manifest.problems), ""]
    lines.append(f"{len(manifest.files)} files, {len(manifest.items)} values, digest {manifest.digest[:12]}")
    return lines


def _file(file: EvidenceFile) -> list[str]:
    from mens_console.ingest.text import safe_text

    head = f"{safe_text(file.path)}  {file.kind or '-'}"
    told = [f"  ✖ {file.problem}"] if file.problem else []
    return [head, *told, *(f"  ({note})" for note in file.notes)]


def _told(one: Item) -> str:
    """Return a value with its unit, n, tags and what is wrong with it."""
    value = "no value" if math.isnan(one.value) else f"{one.value:.6g} {one.unit}"
    n = f" (n={one.n})" if one.n is not None else ""
    tags = "".join(f" {name}={text}" for name, text in one.tags.items())
    return f"  {one.metric}: {value}{n}{tags}" + (f"  ✖ {one.trouble}" if one.trouble else "")
