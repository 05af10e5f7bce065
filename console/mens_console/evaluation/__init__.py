"""What an evaluation set says of a model: tool use, style and guardrails, from predictions, gold answers and reports.

Nothing here prints, draws, or knows the gate: it writes `mens-eval/1`, which the gate reads like any other evidence.
"""
