"""lm-evaluation-harness results: MMLU, HellaSwag and ARC Easy, with how many items and shots they rest on.

MMLU and ARC Easy are read as `acc`, HellaSwag as `acc_norm` (as it is commonly told), where both are there. Scores of
any other benchmark are kept beside them: a mean loss is taken over all that two files share.
"""

from __future__ import annotations

import math
from typing import Any, Final

from mens_console.gate.readers.numbers import at, count, garbled, number, pointer, whole
from mens_console.gate.readers.roles import role_of
from mens_console.gate.readers.sheet import Sheet

_TASKS: Final = {
    "mmlu": ("mmlu", ("acc",), 5),
    "hellaswag": ("hellaswag", ("acc_norm", "acc"), 0),
    "arc_easy": ("arc_easy", ("acc", "acc_norm"), 0),
}
"""Task: metric, measures by preference, and the shots that the metric means."""
_MEASURES: Final = ("acc", "acc_norm", "exact_match", "em", "f1", "mcc", "pass@1")
_Z: Final = 1.959963984540054
_DEPTH: Final = 8


def claims(document: Any) -> bool:
    """Whether it is what lm-eval writes: results by task, with versions or settings beside them."""
    results = at(document, "results")
    if not isinstance(results, dict) or not all(isinstance(one, dict) for one in results.values()):
        return False
    return any(name in document for name in ("configs", "versions", "n-shot", "n-samples", "config")) or any(
        task in _TASKS or any("," in key for key in one) for task, one in results.items()
    )


def read(document: dict[str, Any], sheet: Sheet) -> None:
    """Read every benchmark of the file."""
    sheet.taken(document.get("date"))
    sheet.tag("model", _model(document))
    role, trouble = role_of(document, sheet.source.path)
    if role:
        sheet.tag("role", role)
    results = document["results"]
    if not results:
        sheet.problem = "it holds no result"
        return
    inner = {sub for subs in (document.get("group_subtasks") or {}).values() if isinstance(subs, list) for sub in subs}
    for task, scores in results.items():
        if task in _TASKS:
            _known(document, task, scores, sheet, trouble)
        elif task not in inner or task in _TASKS:
            _other(document, task, scores, sheet)
    if not sheet.items:
        sheet.note("none of MMLU, HellaSwag and ARC Easy is in it")


def _model(document: dict[str, Any]) -> Any:
    arguments = at(document, "config", "model_args")
    told = document.get("model_name") or at(arguments, "pretrained")
    return told if isinstance(told, str) else arguments if isinstance(arguments, str) else None


def _measured(scores: dict[str, Any], measures: tuple[str, ...]) -> tuple[str, str]:
    """Return the key of the first measure that is there, and that of its standard error."""
    for measure in measures:
        for key in (f"{measure},none", measure):
            if key in scores:
                return key, f"{measure}_stderr" + key.removeprefix(measure)
    return "", ""


def _known(document: dict[str, Any], task: str, scores: dict[str, Any], sheet: Sheet, trouble: str) -> None:
    metric, measures, shots = _TASKS[task]
    key, error_key = _measured(scores, measures)
    if not key:
        sheet.note(f"{task} has none of {', '.join(measures)}")
        return
    share = number(scores[key])
    n, cut = _samples(document, task)
    if n is None:
        n = count(scores.get("sample_len"))
    told = _shots(document, task)
    stated = document.get("n-shot", {})
    if not isinstance(stated, dict) or garbled(stated.get(task)):
        said = stated.get(task) if isinstance(stated, dict) else stated
        trouble = trouble or f"its number of shots is none: {str(said)[:40]!r}"
    if told is not None and told != shots:
        trouble = trouble or f"it was measured with {told} shots; the metric means {shots}"
    version = at(document, "versions", task)
    tags = {"measure": key.partition(",")[0]}
    if isinstance(version, str | int | float) and not isinstance(version, bool):
        # The same version is 2, 2.0 or "2", by the tool's own version.
        exact = number(version)
        tags["eval_set"] = f"{task} {exact:g}" if math.isfinite(exact) else f"{task} {version}"
    notes = [f"{n} of {cut} items" if cut else "", "the file does not say how many shots" if told is None else ""]
    sheet.add(metric, share, "share", pointer("results", task, key), n=n, successes=whole(share, n),
              interval=_interval(share, number(scores.get(error_key))), tags=tags, trouble=trouble,
              note="; ".join(filter(None, notes)))  # fmt: skip
    sheet.score(task, share, pointer("results", task, key), n, sheet.items[-1].trouble)


def _other(document: dict[str, Any], task: str, scores: dict[str, Any], sheet: Sheet) -> None:
    key, _ = _measured(scores, _MEASURES)
    share = number(scores.get(key)) if key else math.nan
    if key and (0 <= share <= 1 or not math.isfinite(share)):  # others, such as perplexity, are no shares
        sheet.score(task, share, pointer("results", task, key), _samples(document, task)[0])


def _interval(share: float, error: float) -> tuple[float, float] | None:
    """Return the 95 % interval of a share and its standard error, or None where none was told."""
    if not (math.isfinite(share) and math.isfinite(error) and error >= 0):
        return None
    return max(share - _Z * error, 0.0), min(share + _Z * error, 1.0)


def _leaves(document: dict[str, Any], task: str, depth: int = 0) -> list[str]:
    """Return the tasks that a group consists of; a task itself."""
    subs = at(document, "group_subtasks", task)
    if not isinstance(subs, list) or not subs or depth > _DEPTH:
        return [task]
    return [leaf for sub in subs if isinstance(sub, str) for leaf in _leaves(document, sub, depth + 1)]


def _samples(document: dict[str, Any], task: str) -> tuple[int | None, int | None]:
    """Return how many items were asked and, where that was fewer than there are, how many there are."""
    asked = there = 0
    told = document.get("n-samples")
    for leaf in [task] if isinstance(at(told, task), dict) else _leaves(document, task):
        effective, original = count(at(told, leaf, "effective")), count(at(told, leaf, "original"))
        if effective is None:
            return None, None
        asked += effective
        there += original if original is not None else effective
    return asked, there if there > asked else None


def _shots(document: dict[str, Any], task: str) -> int | None:
    """Return with how many examples a task was asked; of a group, what all of its tasks say."""
    told = document.get("n-shot")
    leaves = [task] if count(at(told, task)) is not None and len(_leaves(document, task)) == 1 else []
    found = {count(at(told, leaf)) for leaf in leaves or _leaves(document, task)} - {None}
    if not found:
        found = {count(at(told, task)), count(at(document, "configs", task, "num_fewshot"))} - {None}
    return found.pop() if len(found) == 1 else (-1 if found else None)
