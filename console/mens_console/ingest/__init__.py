"""From bytes on disk to records: watch (which file grew), tail (its new bytes), formats (their meaning).

Nothing here knows how records are kept or shown; nothing here writes.
"""
