"""The two passes of a cluster done in this process, one span after the other; and how two reports are compared."""

import pickle
from dataclasses import fields, replace

from mens_console.health.spans import Whole, count_batches, count_groups, cut, merge_batches, merge_groups, survey
from mens_console.health.spark import _first, _part_of, _plan, _sources
from mens_console.health.tally import Tally


def sent(value):
    """What arrives of a value that was sent to another process."""
    return pickle.loads(pickle.dumps(value))


def on_spans(paths, options, length, *, between=lambda: None):
    """Count logs as a cluster would, without one."""
    sized = [(str(path), path.stat().st_size, None) for path in paths]
    spans = cut([(i, path, size) for i, (path, size, _) in enumerate(sized)], length)
    surveys = [sent(survey(sent(span))) for span in spans]
    between()
    tally = Tally(options)
    if options.by == "batch":
        works, number = _plan(spans, surveys, options.batch_size)
        parts = min(len(works), number)
        keyed = [sent(one) for work in works for one in count_batches(sent(work), options)]
        for part in range(parts):
            mine = [one for one in reversed(keyed) if _part_of(one[0], parts=parts, number=number) == part]
            for merged in map(sent, merge_batches(mine, options)):
                if isinstance(merged, Whole):
                    tally.take_figures(*merged)
                else:
                    tally.take(merged)
    else:
        place = {span.path: span.log for span in spans}
        groups = [sent(one) for span in spans for one in count_groups(span, options)]
        for counted in sorted(merge_groups(reversed(groups)), key=lambda one: _first(one, place)):
            tally.take(counted)
    sources, bad = _sources(sized, spans, surveys, 1.0)
    return tally.report(1, sources, bad, 1.0)


def differences(one, other):
    """The fields in which two reports differ, bit for bit; which of the bad lines are shown may differ, and times."""
    found = {}
    for field in fields(one):
        mine, others = getattr(one, field.name), getattr(other, field.name)
        if field.name == "sources":
            mine, others = ([replace(source, updated=0.0) for source in group] for group in (mine, others))
        if field.name == "batches" and len(mine) == len(others):
            pairs = [(a, b) for a, b in zip(mine, others, strict=True) if repr(a) != repr(b)]
            mine, others = [a for a, _ in pairs[:1]], [b for _, b in pairs[:1]]
        if field.name not in ("rev", "at", "bad") and repr(mine) != repr(others):
            found[field.name] = (mine, others)
    return found
