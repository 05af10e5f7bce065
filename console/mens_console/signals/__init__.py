"""What the numbers mean: streaming estimators, detectors, alert rules and the diagnosis.

Standard library only; no I/O and no clock enter this package: time is always an argument.
"""
