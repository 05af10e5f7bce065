"""Giving memory back to the system after a long history was read."""

from __future__ import annotations

import ctypes


def give_back() -> bool:
    """Return what was freed to the system, where the C library can (glibc keeps it otherwise); whether it did."""
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (AttributeError, OSError):
        return False
