"""Which GPUs this process may use: CUDA_VISIBLE_DEVICES read as CUDA reads it, and found again in NVML.

Numbers, UUIDs and the beginnings of UUIDs, and MIG slices in both spellings; the list ends at the first entry that
names nothing. Nothing is measured here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mens_console.sensors.nvml import NvmlError, SessionLostError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mens_console.sensors.nvml import Nvml

VARIABLE: Final = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True, slots=True)
class Card:
    """A GPU of the box: NVML's number, UUID and handle; of a MIG slice also the slice's own."""

    index: int
    uuid: str
    handle: Any
    mig_instance: int | None = None
    mig_uuid: str = ""
    mig_handle: Any = None


def cards(nvml: Nvml) -> list[Card]:
    """Return all GPUs of the box. Raises `NvmlError` where they cannot be counted."""
    found = []
    for index in range(int(nvml.call("nvmlDeviceGetCount"))):
        try:
            handle = nvml.call("nvmlDeviceGetHandleByIndex", index)
        except SessionLostError:
            raise
        except NvmlError:  # one that is lost leaves its number free for nobody
            continue
        found.append(Card(index, str(nvml.quiet("", "nvmlDeviceGetUUID", handle)), handle))
    return found


def visible(nvml: Nvml, value: str | None, uuids: Sequence[str] = ()) -> list[Card]:
    """Return the GPUs that this process may use, in CUDA's order.

    `value` is what the environment says, None where it says nothing. `uuids` are those of the devices as CUDA itself
    counts them, once it runs: it may count in another order than NVML, the fastest first. Raises `NvmlError`.
    """
    there = cards(nvml)
    told = [next((card for card in there if _same(card.uuid, uuid)), None) for uuid in uuids]
    known = [card for card in told if card is not None]
    if known and len(known) == len(told):
        return known
    if value is None:
        return there
    found: list[Card] = []
    for word in value.split(","):
        card = _named(nvml, word.strip(), there)
        if card is None or card in found:
            break
        found.append(card)
    return found


def _named(nvml: Nvml, word: str, there: list[Card]) -> Card | None:
    if word.isascii() and word.isdigit():
        return next((card for card in there if card.index == int(word)), None)
    if word.upper().startswith("MIG-"):
        return _slice(nvml, word, there)
    if not word.upper().startswith("GPU-"):
        return None
    fits = [card for card in there if card.uuid.lower().startswith(word.lower())]
    return fits[0] if len(fits) == 1 else None


def _slice(nvml: Nvml, word: str, there: list[Card]) -> Card | None:
    """Find a MIG slice by its UUID, or by those of drivers before 470: ``MIG-GPU-<uuid>/<instance>/<compute>``."""
    parent, *places = word[4:].split("/") if word.upper().startswith("MIG-GPU-") else ("",)
    for card in there:
        if parent and not _same(card.uuid, parent):
            continue
        for mig in _slices(nvml, card):
            if not parent and _same(mig.mig_uuid, word):
                return mig
            if parent and places == [str(mig.mig_instance), str(_compute(nvml, mig))]:
                return mig
    return None


def _compute(nvml: Nvml, mig: Card) -> Any:
    return nvml.quiet(None, "nvmlDeviceGetComputeInstanceId", mig.mig_handle)


def is_cut(nvml: Nvml, card: Card) -> bool:
    """Say whether a GPU is in slices."""
    mode = nvml.quiet(None, "nvmlDeviceGetMigMode", card.handle)
    return bool(mode and mode[0])


def _slices(nvml: Nvml, card: Card) -> Iterator[Card]:
    if not is_cut(nvml, card):
        return
    for place in range(nvml.quiet(0, "nvmlDeviceGetMaxMigDeviceCount", card.handle)):
        handle = nvml.quiet(None, "nvmlDeviceGetMigDeviceHandleByIndex", card.handle, place)
        if handle is not None:
            instance = nvml.quiet(None, "nvmlDeviceGetGpuInstanceId", handle)
            uuid = str(nvml.quiet("", "nvmlDeviceGetUUID", handle))
            yield Card(card.index, card.uuid, card.handle, instance, uuid, handle)


def _same(one: str, other: str) -> bool:
    """Say whether two spellings are of one UUID: PyTorch leaves the beginning out."""
    plain = [uuid.lower().removeprefix("gpu-") for uuid in (one, other)]
    return bool(plain[0]) and plain[0] == plain[1]
