"""The terminal interface: one screen a file, drawn from snapshots.

No file is read here and no number is computed here; only this package may import the widgets.
"""
