"""Make a network easy to quantise: move the outliers of activations into the weights.

An int8 product has one scale for all activations of a token, so a few large channels leave the others coarse.
Dividing every input channel by a factor and multiplying the weights of that channel by it changes nothing in exact
arithmetic and evens both out (SmoothQuant, Xiao et al., ICML 2023, arXiv:2211.10438).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from training.network import Network

_FLOOR = 1e-5


class Smoothed(nn.Module):
    """A linear layer that takes its input divided by ``factors`` [K] first, and answers as before."""

    def __init__(self, linear: nn.Linear, factors: Tensor) -> None:
        super().__init__()
        self.inverse = nn.Parameter(1.0 / factors, requires_grad=False)
        self.linear = nn.Linear(linear.in_features, linear.out_features)
        self.linear.weight.data = linear.weight.data * factors
        self.linear.bias.data = linear.bias.data.clone()

    def forward(self, inputs: Tensor) -> Tensor:
        """What the wrapped layer says of ``inputs`` [..., K]."""
        said: Tensor = self.linear(inputs * self.inverse)
        return said


def groups_of(network: Network) -> Iterator[list[tuple[nn.Module, str]]]:
    """Linear layers of the encoder that share an input, as (owner, name of the attribute)."""
    for layer in network.layers():
        attention = layer.get_submodule("attention.self")
        yield [(attention, "query"), (attention, "key"), (attention, "value")]
        for path in ("attention.output", "intermediate", "output"):
            yield [(layer.get_submodule(path), "dense")]


@contextmanager
def watch(layers: Iterable[nn.Module]) -> Iterator[dict[nn.Module, Tensor]]:
    """Largest magnitude [K] of each input channel of ``layers`` while messages pass."""
    seen: dict[nn.Module, Tensor] = {}

    def note(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        largest = inputs[0].detach().abs().flatten(0, -2).amax(0)
        seen[layer] = torch.maximum(seen[layer], largest) if layer in seen else largest

    handles = [layer.register_forward_pre_hook(note) for layer in layers]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def smooth(network: Network, ids: Sequence[Sequence[int]], *, strength: float) -> None:
    """Smooth all products of ``network`` in place, by the activations of the messages ``ids``.

    ``strength`` 0 leaves activations as they are, 1 evens them out completely; the paper uses 0.5.
    """
    groups = [[(owner, name, owner.get_submodule(name)) for owner, name in group] for group in groups_of(network)]
    network.eval()
    with watch([group[0][2] for group in groups]) as seen, torch.inference_mode():
        for row in ids:
            tokens = torch.tensor([list(row)])
            network(tokens, torch.ones_like(tokens))
    for group in groups:
        layers = [layer for _, _, layer in group if isinstance(layer, nn.Linear)]
        weights = torch.stack([layer.weight.detach().abs().amax(0) for layer in layers]).amax(0).clamp(min=_FLOOR)
        factors = seen[group[0][2]].clone().clamp(min=_FLOOR) ** strength / weights ** (1 - strength)
        factors = factors / factors.log().mean().exp()
        for (owner, name, _), layer in zip(group, layers, strict=True):
            setattr(owner, name, Smoothed(layer, factors))
