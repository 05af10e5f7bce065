"""Which LoRA pairs a model holds, found by the names of its parameters, so that any library's adapters count.

Names, shapes and flags only: nothing is measured here, and no library but torch is imported.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

_SIDE: Final = re.compile(r"(?:^|\.)lora_(?P<embedding>embedding_)?(?P<side>A|B|a|b|down|up)(?=\.|$)")
_SIDES: Final = {"A": "a", "a": "a", "down": "a", "B": "b", "b": "b", "up": "b"}
_WRAPPERS: Final = re.compile(
    r"(?<![^.])(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module|_forward_module)\."
)
_NESTED: Final = re.compile(r"(?:\.base_layer)+$")
_OUTER: Final = frozenset({"DistributedDataParallel", "DataParallel", "FullyShardedDataParallel", "DeepSpeedEngine"})
_PEFT_MODELS: Final = frozenset({"PeftModel", "PeftMixedModel"})
_PEFT_PREFIX: Final = "base_model.model."


@dataclass(frozen=True, slots=True, eq=False)
class Adapter:
    """One pair: the parameters A and B (None where only the other exists), its rank `r` and its `scaling`.

    `r` is 0 and `scaling` 1 where the module does not say. `mixed` marks a pair whose matrices hold several adapters
    side by side (experts), so that B @ A is no product of it.
    """

    name: str
    a: torch.nn.Parameter | None
    b: torch.nn.Parameter | None
    r: int = 0
    scaling: float = 1.0
    mixed: bool = False

    @property
    def size(self) -> int:
        """Return the number of elements of both matrices."""
        return sum(side.numel() for side in (self.a, self.b) if side is not None)


def is_module(model: object) -> bool:
    """Return whether this is a torch module, without a need for torch."""
    return any(kind.__module__.startswith("torch.nn.") and kind.__name__ == "Module" for kind in type(model).__mro__)


def unwrap(model: torch.nn.Module) -> torch.nn.Module:
    """Return the model below the wrappers of DDP, `torch.compile`, Fabric and their like."""
    while True:
        names = ["_orig_mod", "_forward_module"]
        if type(model).__name__ in _OUTER:
            names.append("module")
        inner = next((found for name in names if (found := model._modules.get(name)) is not None), None)
        if inner is None:
            return model
        model = inner


def find_adapters(model: torch.nn.Module) -> list[Adapter]:
    """Return the pairs in the order of the model's parameters; a pair shared by two modules is returned once.

    Names are module paths without wrappers, of an adapted parameter with its own name behind. Where one module has
    several adapters, each name ends in ``[adapter]``.
    """
    model = unwrap(model)
    prefixes = [f"{path}." if path else "" for path, module in model.named_modules() if _is_peft_model(module)]
    sides: dict[tuple[str, str], dict[str, torch.nn.Parameter]] = {}
    for full, parameter in model.named_parameters(remove_duplicate=False):
        if (found := _place(full)) is not None:
            path, adapter, side = found
            sides.setdefault((path, adapter), {}).setdefault(side, parameter)
    adapters = Counter(path for path, _ in sides)
    seen: set[tuple[int, int]] = set()
    pairs: list[Adapter] = []
    for (path, adapter), found_sides in sides.items():
        a, b = found_sides.get("a"), found_sides.get("b")
        if (id(a), id(b)) not in seen:
            seen.add((id(a), id(b)))
            name = _shown(path, prefixes, _submodule(model, path)) + (f"[{adapter}]" if adapters[path] > 1 else "")
            r, scaling, mixed = _facts(model, path, adapter, a)
            pairs.append(Adapter(name, a, b, r, scaling, mixed))
    return pairs


def made_of(model: torch.nn.Module) -> tuple[int, ...]:
    """Return the identities of all adapter parameters: another answer means that adapters came or went.

    It takes a tenth of the time of finding them: 1 ms on 224 pairs.
    """
    found: list[int] = []
    stack: list[tuple[torch.nn.Module, bool]] = [(model, False)]
    while stack:
        module, inside = stack.pop()
        found += [id(p) for name, p in module._parameters.items() if p is not None and (inside or "lora_" in name)]
        stack += [(m, inside or "lora_" in name) for name, m in module._modules.items() if m is not None]
    return tuple(found)


def renamed(pairs: list[Adapter], before: list[Adapter]) -> list[Adapter]:
    """Return `pairs` with those that were there `before` under the names that they had, so that they go on as such."""
    names = {(id(pair.a), id(pair.b)): pair.name for pair in before}
    return [replace(pair, name=names.get((id(pair.a), id(pair.b)), pair.name)) for pair in pairs]


def others(model: torch.nn.Module, pairs: list[Adapter]) -> list[torch.nn.Parameter]:
    """Return the trainable parameters that belong to no pair (heads, norms, biases, magnitude vectors)."""
    known = {id(side) for pair in pairs for side in (pair.a, pair.b)}
    return [p for p in unwrap(model).parameters() if p.requires_grad and id(p) not in known]


def _place(full: str) -> tuple[str, str, str] | None:
    """Return (module path, adapter name or "", "a" or "b") of a parameter that is one side of a pair."""
    found = _SIDE.search(full)
    if found is None:
        return None
    rest = full[found.end() + 1 :].split(".")
    if rest[-1] == "weight":
        rest.pop()
    elif rest[-1] == "bias":
        return None
    return full[: found.start()], ".".join(filter(None, rest)), _SIDES[found["side"]]


def _is_peft_model(module: torch.nn.Module) -> bool:
    return any(kind.__name__ in _PEFT_MODELS for kind in type(module).__mro__)


def _shown(path: str, prefixes: list[str], module: object) -> str:
    for prefix in prefixes:
        if path.startswith(prefix + _PEFT_PREFIX):
            path = prefix + path[len(prefix + _PEFT_PREFIX) :]
            break
    parameter = getattr(module, "parameter_name", None)
    if isinstance(parameter, str):  # adapters of a module's parameters (experts) lie in layers one inside the other
        path = f"{_NESTED.sub('', path)}.{parameter}"
    return _WRAPPERS.sub("", path)


def _facts(model: torch.nn.Module, path: str, adapter: str, a: torch.nn.Parameter | None) -> tuple[int, float, bool]:
    """Return (rank, scaling, mixed) as the module tells them, the rank of A's first dimension where it does not."""
    module = _submodule(model, path)
    r = _of(getattr(module, "r", None), adapter)
    scaling = _of(getattr(module, "scaling", None), adapter)
    experts = getattr(module, "num_experts", 1)
    mixed = isinstance(experts, int) and experts > 1
    if not isinstance(r, int):
        r = int(a.shape[0]) if a is not None and a.dim() > 0 else 0
    return r, float(scaling) if isinstance(scaling, int | float) else 1.0, mixed


def _submodule(model: torch.nn.Module, path: str) -> object:
    try:
        return model.get_submodule(path)
    except AttributeError:
        return None


def _of(value: Any, adapter: str) -> Any:
    """Return what a peft module keeps per adapter, or what another library keeps once."""
    return value.get(adapter) if isinstance(value, dict) else value


def walk_types(model: torch.nn.Module) -> Iterator[str]:
    """Yield the class names of a model's modules, itself first."""
    return (type(module).__name__ for module in model.modules())
