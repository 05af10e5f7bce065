"""What the collectors ask of torch: norms of many tensors at once, ranks, distribution, gradient scales.

Everything here stays on the tensors' devices; `to_host` alone waits for them, once per device.
"""

from __future__ import annotations

import math
import os
from array import array
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import torch

from mens_console.collectors.adapters import unwrap, walk_types
from mens_console.collectors.plain import number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mens_console.collectors.adapters import Adapter
    from mens_console.signals.pairs import LayerRow

_SHARDING: Final = {
    "FullyShardedDataParallel": "FSDP",
    "DeepSpeedEngine": "DeepSpeed",
    "PipelineParallel": "pipeline parallelism",
}
_TOGETHER: Final = 1 << 24
"""Elements of the pairs whose effective rank is computed in one batch: 64 MB in float32."""
_LOW: Final = frozenset({torch.float16, torch.bfloat16})


def norms(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Return the Euclidean norm of each tensor as a scalar on its device, in the order given.

    Sums run in float64 on a CPU, whose float32 sums drift (6e-4 over 16 M elements), and in float32 elsewhere, where
    they are trees; an element above 1.8e19 there makes the norm infinite.
    """
    return _grouped(tensors, lambda group: list(torch._foreach_norm(group, 2, dtype=_wide(group[0]))))


def copies(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Return uninitialised tensors to keep copies in; float32 where the originals are shorter, so none rounds."""
    return [torch.empty_like(t, dtype=torch.float32 if t.dtype in _LOW else t.dtype) for t in tensors]


def keep(into: Sequence[torch.Tensor], tensors: Sequence[torch.Tensor]) -> None:
    """Copy `tensors` into what `copies` returned."""
    for places in _places(tensors):
        torch._foreach_copy_([into[i] for i in places], [tensors[i] for i in places])


def moved(kept: Sequence[torch.Tensor], tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Return the norm of the difference of each tensor from its copy. The copies are used up."""
    for places in _places(tensors):
        torch._foreach_sub_([kept[i] for i in places], [tensors[i] for i in places])
    return norms(kept)


def to_host(scalars: Sequence[torch.Tensor]) -> list[float]:
    """Return scalars as floats, in one transfer for each device and precision."""
    found = [math.nan] * len(scalars)
    for places in _places(scalars):
        for place, value in zip(places, torch.stack([scalars[i] for i in places]).tolist(), strict=True):
            found[place] = value
    return found


def _wide(tensor: torch.Tensor) -> torch.dtype:
    return torch.float64 if tensor.device.type == "cpu" or tensor.dtype == torch.float64 else torch.float32


def _places(tensors: Sequence[torch.Tensor]) -> Iterable[list[int]]:
    """Return the places of tensors that one fused call can take together."""
    groups: dict[tuple[torch.device, torch.dtype], list[int]] = {}
    for i, tensor in enumerate(tensors):
        groups.setdefault((tensor.device, tensor.dtype), []).append(i)
    return groups.values()


def _grouped(
    tensors: Sequence[torch.Tensor], fused: Callable[[list[torch.Tensor]], list[torch.Tensor]]
) -> list[torch.Tensor]:
    found: dict[int, torch.Tensor] = {}
    for places in _places(tensors):
        found.update(zip(places, fused([tensors[i] for i in places]), strict=True))
    return [found[i] for i in range(len(tensors))]


def dense(gradient: torch.Tensor) -> torch.Tensor:
    """Return a gradient whose norm is that of its elements: of a sparse one, the values."""
    return gradient.coalesce().values() if gradient.is_sparse else gradient


def effective_ranks(adapters: Sequence[Adapter]) -> list[torch.Tensor | None]:
    """Return for each pair the effective rank of BA as a scalar on its device, None where BA is no matrix product.

    It is exp of the entropy of the normalised singular values (Roy & Vetterli, 2007); 0 where BA is zero, NaN where it
    is not finite. With B = QbRb and Aᵀ = QaRa they are those of the small RbRaᵀ. Pairs of one shape go together.
    """
    groups: dict[tuple[Any, ...], list[tuple[int, torch.Tensor, torch.Tensor]]] = {}
    for i, pair in enumerate(adapters):
        if pair.a is None or pair.b is None or pair.mixed or min(pair.a.dim(), pair.b.dim()) < 2:
            continue
        a, b = pair.a.detach().flatten(1), pair.b.detach().flatten(1)
        if a.shape[0] == b.shape[1]:
            groups.setdefault((a.device, a.dtype, b.dtype, a.shape, b.shape), []).append((i, a, b))
    found: list[torch.Tensor | None] = [None] * len(adapters)
    for group in groups.values():
        together = max(1, _TOGETHER // (group[0][1].numel() + group[0][2].numel()))
        for start in range(0, len(group), together):
            part = group[start : start + together]
            ranks = _effective_ranks(torch.stack([a for _, a, _ in part]), torch.stack([b for *_, b in part]))
            for (i, *_), rank in zip(part, ranks, strict=True):
                found[i] = rank
    return found


def _effective_ranks(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the effective ranks of the products of A (n, r, in) and B (n, out, r)."""
    wide = _wide(a)
    rows = torch.linalg.qr(a.to(wide).transpose(1, 2), mode="r")[1]
    columns = torch.linalg.qr(b.to(wide), mode="r")[1]
    small = columns @ rows.transpose(1, 2)
    finite = small.isfinite().all(dim=(1, 2))
    values = torch.linalg.svdvals(torch.where(finite[:, None, None], small, 0.0))
    total = values.sum(dim=1)
    ranks = torch.special.entr(values / total[:, None]).sum(dim=1).exp()
    ranks = torch.where(total > 0, ranks, 0.0)
    return torch.where(finite, ranks, math.nan)


def gradient_scale(scale: Any, like: torch.Tensor, optimizer: Any = None) -> float | torch.Tensor:
    """Return what the gradients are still multiplied by, without waiting for the device.

    `scale` is a number, a scalar tensor or a GradScaler; one that already unscaled this optimizer's gradients (any
    optimizer's where none is given) counts as 1.
    """
    if scale is None:
        return 1.0
    if isinstance(scale, torch.Tensor):
        return scale.detach()
    if not hasattr(scale, "get_scale"):
        return float(scale)
    states: Any = getattr(scale, "_per_optimizer_states", {})
    known = [states.get(id(optimizer))] if optimizer is not None else list(states.values())
    if any(getattr((state or {}).get("stage"), "name", "") == "UNSCALED" for state in known):
        return 1.0
    scaled: torch.Tensor = scale.scale(torch.ones((), device=like.device))
    return scaled.detach()


def scales(scale: Any) -> bool:
    """Return whether this is a GradScaler that is on: steps with gradients that are not finite do not happen."""
    return hasattr(scale, "get_scale") and (not hasattr(scale, "is_enabled") or bool(scale.is_enabled()))


def whole_gradient(
    parameters: Iterable[torch.nn.Parameter], grad_scale: Any = None, optimizer: Any = None
) -> list[torch.Tensor]:
    """Return the norm of each gradient, without what a scaler multiplied them by, as scalars on their devices."""
    with torch.no_grad():
        found = [dense(p.grad) for p in parameters if p.grad is not None]
        scale = gradient_scale(grad_scale, found[0], bare_optimizer(optimizer)) if found else 1.0
        return norms(found) if isinstance(scale, float) and scale == 1.0 else [norm / scale for norm in norms(found)]


def bare_optimizer(optimizer: Any) -> torch.optim.Optimizer | None:
    """Return the torch optimizer inside the wrappers of accelerate and Lightning, None where there is none."""
    for _ in range(8):
        inner = getattr(optimizer, "optimizer", None)
        if not isinstance(inner, torch.optim.Optimizer):
            break
        optimizer = inner
    return optimizer if isinstance(optimizer, torch.optim.Optimizer) else None


def owned(optimizer: Any) -> set[int]:
    """Return the identities of the parameters that an optimizer moves."""
    return {id(p) for group in getattr(optimizer, "param_groups", ()) for p in group.get("params", ())}


def learning_rate(optimizer: Any) -> float | None:
    """Return the rate of the first group that has one above 0, so that a group at rest does not speak for all.

    It is 0 where all are, and None where it is not known, or only by waiting for a device.
    """
    rates = [group.get("lr") for group in getattr(optimizer, "param_groups", ())]
    known = [number(rate) for rate in rates if not isinstance(rate, torch.Tensor) or rate.device.type == "cpu"]
    found = [rate for rate in known if rate is not None]
    return next((rate for rate in found if rate != 0.0), found[0] if found and len(found) == len(rates) else None)


def sharding(model: torch.nn.Module, adapters: Sequence[Adapter]) -> str | None:
    """Return how a model's adapters are spread over processes or absent here, None where they are here and whole."""
    for name in (type(model).__name__, *walk_types(unwrap(model))):
        if name in _SHARDING:
            return _SHARDING[name]
    for pair in adapters:
        for side in (pair.a, pair.b):
            if side is None:
                continue
            if hasattr(side, "ds_id"):
                return "DeepSpeed ZeRO-3"
            if hasattr(side, "device_mesh"):
                return "distributed tensors (FSDP2 or tensor parallelism)"
            if side.is_meta:
                return "offloading: they are on the meta device"
    return None


def world() -> tuple[int, int]:
    """Return (rank, number of processes), from the process group or else from what a launcher set."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    rank, size = (os.environ.get(name, "") for name in ("RANK", "WORLD_SIZE"))
    return (int(rank), int(size)) if rank.isdigit() and size.isdigit() else (0, 1)


def compiled(model: torch.nn.Module) -> bool:
    """Return whether hooks on `model` would be traced by a compiler: those on `torch.compile`'s own wrapper are not."""
    return getattr(model, "_compiled_call_impl", None) is not None and type(model).__name__ != "OptimizedModule"


def clip_factor(total: float | None, most: float) -> float | None:
    """Return what `clip_grad_norm_` multiplied gradients of norm `total` by, None where that cannot be known."""
    return None if total is None or not math.isfinite(total) else min(1.0, most / (total + 1e-6))


def unclipped(row: LayerRow, factor: float) -> LayerRow:
    """Return a row of clipped gradients as they were before."""
    gradients = {name: array("d", [x / factor for x in row.values[name]]) for name in ("grad", "grad_a", "grad_b")}
    return replace(row, values={**row.values, **gradients})


def failure(error: BaseException) -> str:
    """Return an exception in words, in which one that is about memory says so."""
    said = f"{type(error).__name__}: {error}".rstrip(": ")
    memory = isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in said
    return f"{said} (out of memory)" if memory and "out of memory" not in said.lower() else said
