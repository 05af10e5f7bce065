"""Profiles and evidence made by hand, for the tests of verdicts."""

from mens_console.gate.types import Band, Criterion, EvidenceFile, Item, Manifest, Mark, Profile, Waiver

NOW = 1_700_000_000.0
DAY = 86_400.0


def band(text):
    """Parse `>=115`, `<100`, `105..115` into a band, without the product's parser."""
    if ".." in text:
        low, high = map(float, text.split(".."))
        return Band(low, high, text=text)
    sign, value = text.rstrip("0123456789.-"), float(text.lstrip("<>="))
    closed = "=" in sign
    return (
        Band(low=value, low_closed=closed, text=text)
        if ">" in sign
        else Band(high=value, high_closed=closed, text=text)
    )


def criterion(metric, passes=">=115", conditional=None, **more):
    bands = {
        "passes": band(passes) if passes else None,
        "conditional": band(conditional) if conditional else None,
    }
    return Criterion(**{"id": metric, "title": metric, "dimension": "performance", "metric": metric, **bands, **more})


def profile(*criteria, **more):
    return Profile("release", "Release", criteria, **{"sha256": "p" * 64, **more})


def item(metric, value, unit, path="a.json", **more):
    return Item(
        metric, value, unit, path, **{"sha256": path * 3, "pointer": "/x", "tool": "test", "at": NOW - 60, **more}
    )


def manifest(*items, listed=(), files=None):
    paths = sorted({(one.path, one.sha256) for one in items})
    files = tuple(EvidenceFile(path, sha, 10, NOW - 60, "test") for path, sha in paths) if files is None else files
    digest = "/".join(sha for _, sha in sorted((f.path, f.sha256) for f in files)) + f"#{len(items)}"
    return Manifest(files, tuple(items), digest, NOW, tuple(listed))


def mark(name, passed=True, **more):
    return Mark(**{"criterion": name, "passed": passed, "note": "looked", "by": "ann", "at": NOW - 5, **more})


def waiver(name, **more):
    given = {"owner": "bob", "due": NOW + DAY, "reason": "soon", "by": "ann", "at": NOW - 5}
    return Waiver(**{"criterion": name, **given, **more})
