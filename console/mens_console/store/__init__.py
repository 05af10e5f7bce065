"""What is known about every run: columns of numbers, facts and verdicts, published as frozen snapshots.

One engine thread owns all of it; readers get views that never change under them. Nothing here draws.
"""
