"""True tokens and the entropy of predictions, read from a language model's own forward passes by hooks.

Batches and logits are only looked at; what is counted stays on the device until somebody asks.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import torch

from mens_console.collectors.adapters import unwrap
from mens_console.collectors.torching import compiled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

SAMPLE: Final = 512
"""Tokens whose entropy is taken at a step, at most."""
_ROWS: Final = 64
"""Distributions in memory at a time: 39 MB for a vocabulary of 152 k."""
_IGNORED: Final = -100
_NEVER: Final = -1e4
"""A logit whose weight is 0 in any precision, in place of minus infinity, which times 0 is NaN."""
_ENCODERS_DECODERS: Final = "is_encoder_decoder"
_IN_PLACE: Final = ("ForMaskedLM", "ForTokenClassification")
"""Ends of the names of models that predict at each place what belongs there, and not the token after it."""


class TokenCount:
    """Counts tokens that are not padding, without waiting for the device that the batches are on."""

    def __init__(self) -> None:
        self._known = 0
        self._counted: torch.Tensor | None = None

    @property
    def free(self) -> bool:
        """Return whether `take` need not wait for a device."""
        return self._counted is None or self._counted.device.type == "cpu"

    def add(self, batch: Mapping[str, Any]) -> bool:
        """Count a batch by its attention mask, else its labels that are not -100, else its shape; say if it could.

        A batch without a mask that says the tokens' positions is packed, not padded: its shape tells.
        """
        mask, labels = batch.get("attention_mask"), batch.get("labels")
        if isinstance(mask, torch.Tensor) and mask.dim() == 2:
            self._add(torch.count_nonzero(mask))
        elif isinstance(labels, torch.Tensor) and labels.dim() == 2 and batch.get("position_ids") is None:
            self._add(torch.count_nonzero(labels != _IGNORED))
        elif isinstance(ids := batch.get("input_ids"), torch.Tensor) and not ids.is_floating_point():
            self._known += ids.numel()
        elif isinstance(embeds := batch.get("inputs_embeds"), torch.Tensor) and embeds.dim() == 3:
            self._known += embeds.shape[0] * embeds.shape[1]
        else:
            return False
        return True

    def put(self, tokens: float | torch.Tensor) -> None:
        """Count tokens that somebody else counted; a tensor's elements are summed on its device."""
        if isinstance(tokens, torch.Tensor):
            self._add(tokens.detach().sum().long())
        else:
            self._known += int(tokens)

    def take(self) -> int:
        """Return the tokens since the last call. Waits for the device."""
        found = self._known + (0 if self._counted is None else int(self._counted))
        self._known, self._counted = 0, None
        return found

    def _add(self, count: torch.Tensor) -> None:
        if self._counted is not None and self._counted.device != count.device:
            self._known += int(self._counted)
            self._counted = None
        self._counted = count if self._counted is None else self._counted + count


def token_entropy(logits: torch.Tensor, labels: Any = None, mask: Any = None, *, shifted: bool = True) -> float | None:
    """Return the mean entropy in nats of the predictive distributions at up to 512 positions, None without any.

    `logits` has the shape (batch, length, vocabulary). Positions are those whose target counts: by `labels` (not
    -100), else by the attention `mask`, both (batch, length); with `shifted` a position predicts the next token.
    They are taken evenly. Waits for the device.
    """
    logits = logits.detach()
    if shifted:
        logits = logits[:, :-1]
    valid = torch.ones(logits.shape[:2], dtype=torch.bool, device=logits.device)
    for values, ignored in ((labels, _IGNORED), (mask, 0)):
        if isinstance(values, torch.Tensor) and values.dim() == 2:
            targets = values[:, 1:] if shifted else values
            if targets.shape == valid.shape:
                valid = (targets != ignored).to(logits.device)
                break
    places = valid.nonzero()
    if not len(places):
        return None
    places = places[:: -(-len(places) // SAMPLE)]
    with torch.no_grad():
        total = torch.zeros((), dtype=torch.float32, device=logits.device)
        for at in range(0, len(places), _ROWS):
            row, column = places[at : at + _ROWS].T
            total += _entropies(logits[row, column].float()).sum()  # a copy of these alone: all would fill a GPU
    return float(total) / len(places)


def _entropies(logits: torch.Tensor) -> torch.Tensor:
    """Return the entropy of each row's softmax, using up `logits`: log Σeᶻ − Σzeᶻ / Σeᶻ takes one exp an element."""
    logits.sub_(logits.amax(dim=-1, keepdim=True)).clamp_(min=_NEVER)
    weights = logits.exp()
    total = weights.sum(dim=-1)
    mean: torch.Tensor = torch.linalg.vecdot(weights, logits) / total
    return total.log() - mean


class _Hook:
    """What a module calls. Of a copied or a saved model it is a hook that does nothing: no session goes along.

    Nor does it do anything while a compiler traces the model: what it would do breaks the graph in pieces.
    """

    def __init__(self, call: Callable[..., None] | None = None) -> None:
        self._call = call

    def __call__(self, *args: Any) -> None:
        if not torch.compiler.is_compiling() and self._call is not None:
            self._call(*args)

    def __deepcopy__(self, memo: dict[int, Any]) -> _Hook:
        return _Hook()

    def __reduce__(self) -> tuple[type[_Hook], tuple[()]]:
        return _Hook, ()


class TextProbe:
    """Hooks on a language model: tokens of every training forward, entropy of the first one of an armed step.

    A model that peft put its own around may be called with or without that (one was built before, or unloaded since):
    both are listened to, and the inner one counts where the outer one is not what calls it. `guard` is a context
    manager that swallows and reports what goes wrong inside it.
    """

    def __init__(self, model: torch.nn.Module, guard: Callable[[str], AbstractContextManager[Any]]) -> None:
        self._counted = TokenCount()
        self._models = _callable_models(model)
        self._guard = guard
        self._shifted = _predicts_next(unwrap(model))
        self._entropy: float | None = None
        self._hooks: list[Any] = []
        self._armed = False
        self._called = self._inside = False

    @property
    def free(self) -> bool:
        """Return whether `tokens` need not wait for a device."""
        return self._counted.free

    def tokens(self) -> int | None:
        """Return the tokens since the last answer, None where the model was not called since. Waits for the device."""
        called, self._called = self._called, False
        return self._counted.take() if called else None

    def attach(self) -> None:
        """Begin to count tokens. Hooks stay as they are from then on: others would have a compiled model made anew."""
        if self._hooks:
            return
        count, measure = _Hook(self._count), _Hook(self._measure)
        for model in self._models:
            self._hooks.append(model.register_forward_pre_hook(count, with_kwargs=True))
            self._hooks.append(model.register_forward_hook(measure, with_kwargs=True))
        if len(self._models) > 1:
            self._hooks.append(self._models[0].register_forward_hook(_Hook(self._leave), always_call=True))

    def arm(self, wanted: bool) -> None:
        """Have the next training forward's entropy taken, or not."""
        self._armed = wanted

    def entropy(self) -> float | None:
        """Return what the armed forward gave, once."""
        found, self._entropy = self._entropy, None
        return found

    def detach(self) -> None:
        """Take the hooks off the model."""
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def _count(self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self._counts(module):
            with self._guard("tokens"):
                self._called |= self._counted.add(_batch(args, kwargs))
        self._inside |= module is self._models[0] and len(self._models) > 1

    def _leave(self, *_: object) -> None:
        self._inside = False

    def _counts(self, module: torch.nn.Module) -> bool:
        """Say whether this call is one of the training, and not one that is counted already."""
        return module.training and torch.is_grad_enabled() and (module is self._models[0] or not self._inside)

    def _measure(self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        if not self._armed or self._entropy is not None or not self._counts(module):
            return
        with self._guard("token_entropy"):
            logits = output.get("logits") if isinstance(output, dict) else getattr(output, "logits", None)
            if isinstance(logits, torch.Tensor) and logits.dim() == 3:
                batch = _batch(args, kwargs)
                self._entropy = token_entropy(
                    logits, batch.get("labels"), batch.get("attention_mask"), shifted=self._shifted
                )


def _callable_models(model: torch.nn.Module) -> tuple[torch.nn.Module, ...]:
    """Return the model, and the one that peft put its adapters into."""
    if unwrap(model) is not model or not hasattr(model, "get_base_model"):
        return (model,)
    peft: Any = model
    inner = peft.get_base_model()
    return (model,) if inner is model or compiled(inner) else (model, inner)


def _predicts_next(model: torch.nn.Module) -> bool:
    """Say whether the labels of a model lie one place behind its predictions, as a causal language model's do."""
    if getattr(getattr(model, "config", None), _ENCODERS_DECODERS, False):
        return False
    outermost = islice(model.modules(), 3)  # adapters are two modules around the model
    return not any(type(module).__name__.endswith(_IN_PLACE) for module in outermost)


def _batch(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    if args and isinstance(args[0], dict):
        return {**args[0], **kwargs}
    return {"input_ids": args[0], **kwargs} if args else kwargs
