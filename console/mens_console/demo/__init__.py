"""Recorded real runs and what plays them back: the demo, `replay`, and the fixtures of end-to-end tests.

Nothing here knows how bytes are parsed or shown; it only puts them on disk when they are due.
"""
