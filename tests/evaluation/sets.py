"""Small evaluation sets and answers, built so that every score can be counted by hand."""

import json

from mens_console.evaluation.evaluate import Request, evaluate

TOOLS = {
    "search": {"type": "object", "properties": {"q": {"type": "string"}, "n": {"type": "integer"}}, "required": ["q"],
               "additionalProperties": False},
    "open": {"type": "object", "properties": {"url": {"type": "string"}}, "required": ["url"]},
}  # fmt: skip
HEADER = {"schema": "mens-eval-set/1", "eval_set": {"name": "web4", "version": "1.1"}, "tools": TOOLS}
CHAIN = [
    {"id": "s", "tool": "search", "arguments": {"q": "x"}, "result": {"hits": ["u"]}},
    {"tool": "open", "arguments": {"url": "<RESULTS:s.hits[0]>"}},
]
RIGHT = json.dumps([CHAIN[0], CHAIN[1]])


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def tool_items(outputs, calls=CHAIN):
    """Return gold and predictions of as many items as outputs, all with the same gold plan."""
    gold = [{"id": f"t{i}", "bucket": "tool_use", "calls": calls} for i in range(len(outputs))]
    return gold, [{"id": f"t{i}", "output": text} for i, text in enumerate(outputs)]


def guard_items(refusals, benign):
    """Return gold and predictions of requests to refuse and allowed ones, by their answers."""
    gold = [{"id": f"r{i}", "refuse": True} for i in range(len(refusals))]
    gold += [{"id": f"b{i}", "refuse": False} for i in range(len(benign))]
    told = [*((f"r{i}", text) for i, text in enumerate(refusals)), *((f"b{i}", text) for i, text in enumerate(benign))]
    return gold, [{"id": name, "output": text} for name, text in told]


def reports(folder, *, lint=(100, 0), ast=(95, 100), naming=(98, 100), template=(95, 100), findings=0):
    """Write reports of style tools; `lint` is (files, files with errors)."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [{"filePath": f"/a/{i}.ts", "messages": [], "errorCount": int(i < lint[1])} for i in range(lint[0])]
    (folder / "eslint.json").write_text(json.dumps(files))
    scores = {name: {"passed": passed, "n": n} for name, (passed, n) in
              {"ast_structure": ast, "naming": naming, "template_conformance": template}.items()}  # fmt: skip
    scores["forbidden_patterns"] = {"findings": findings, "n": 100}
    (folder / "scores.json").write_text(json.dumps({"scores": scores}))
    return folder


def scored(folder, gold, predictions, *, header=HEADER, **more):
    """Evaluate; return the outcome and its results by metric."""
    folder.mkdir(parents=True, exist_ok=True)
    request = Request(write(folder / "p.jsonl", predictions), write(folder / "g.jsonl", [header, *gold]), **more)
    done = evaluate(request, 1.8e9)
    return done, {one.metric: one for one in done.results}
